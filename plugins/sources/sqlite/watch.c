/* SPDX-License-Identifier: Apache-2.0
 *
 * A check of a large database is one SQL statement that takes long. This thread waits for the run to be stopped, and
 * then interrupts it.
 */
#include <poll.h>
#include <sys/eventfd.h>

#include "sqlite.h"

static void *wait_for_stop(void *arg)
{
    struct sq_watch *watch = arg;
    struct pollfd events[2] = {{.fd = watch->stop_fd, .events = POLLIN}, {.fd = watch->cancel_fd, .events = POLLIN}};
    while (poll(events, 2, -1) < 0 || !(events[0].revents || events[1].revents))
        continue;
    /* An interrupt that comes between two statements is forgotten by SQLite, so it is repeated until the end. */
    while (!events[0].revents) {
        sqlite3_interrupt(watch->db);
        if (poll(events, 1, 50) <= 0)
            events[0].revents = 0;
    }
    return NULL;
}

int sq_watch_start(struct sq_watch *watch, struct hf_ctx *ctx, sqlite3 *db)
{
    *watch = (struct sq_watch){.cancel_fd = sq_host->cancel_fd(ctx), .stop_fd = eventfd(0, EFD_CLOEXEC), .db = db};
    if (watch->stop_fd < 0)
        return HF_E_FAIL;
    if (pthread_create(&watch->thread, NULL, wait_for_stop, watch) == 0)
        return HF_OK;
    close(watch->stop_fd);
    return HF_E_FAIL;
}

void sq_watch_stop(struct sq_watch *watch)
{
    if (eventfd_write(watch->stop_fd, 1) != 0)
        abort(); /* cannot be: the counter is at zero, and the descriptor is ours */
    pthread_join(watch->thread, NULL);
    close(watch->stop_fd);
}
