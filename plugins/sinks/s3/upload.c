/* SPDX-License-Identifier: Apache-2.0 */
#include "upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "parts.h"

enum { THREADS_MAX = 64 };

struct s3_upload {
    struct s3 *self;
    const char *key;
    char id[S3_UPLOAD_ID_SIZE];
    int cancel_fd, stop_fd;
    struct s3_notes notes;
    pthread_t threads[THREADS_MAX];
    unsigned thread_count; /* the core's thread only */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    struct s3_part *first, *last; /* waiting to be sent */
    struct s3_part *spare;
    unsigned in_flight; /* waiting or being sent */
    unsigned waiting, idle;
    bool closing;
    struct s3_problem problem;
    char **etags; /* by number - 1 */
    unsigned count, room;
};

/* --- buffers --- */

struct s3_part *s3_part_new(void)
{
    return calloc(1, sizeof(struct s3_part));
}

bool s3_part_reserve(struct s3_part *part, size_t room)
{
    if (room <= part->room)
        return true;
    unsigned char *data = part->used ? realloc(part->data, room) : malloc(room);
    if (!data)
        return false;
    if (!part->used)
        free(part->data);
    part->data = data;
    part->room = room;
    return true;
}

void s3_part_free(struct s3_part *part)
{
    if (!part)
        return;
    free(part->data);
    free(part);
}

/* --- the threads --- */

static void stop_others(struct s3_upload *upload)
{
    uint64_t one = 1;
    /* Fails only when it is readable already. */
    ssize_t wrote = write(upload->stop_fd, &one, sizeof(one));
    (void)wrote;
}

/* With the lock held. */
static void end_part(struct s3_upload *upload, struct s3_part *part, const struct s3_call *call, const char *etag)
{
    if (call->problem.code != 0) {
        /* That others were stopped is not why. */
        if (upload->problem.code == 0)
            upload->problem = call->problem;
        stop_others(upload);
    } else if (!(upload->etags[part->number - 1] = strdup(etag))) {
        upload->problem = (struct s3_problem){.code = HF_E_NOMEM, .text = "out of memory"};
    }
    part->used = 0;
    part->next = upload->spare;
    upload->spare = part;
    upload->in_flight--;
    pthread_cond_broadcast(&upload->changed);
}

/* NULL: there will be no more. */
static struct s3_part *next_part(struct s3_upload *upload, struct s3_call *call)
{
    pthread_mutex_lock(&upload->lock);
    upload->idle++;
    while (!upload->first && !upload->closing)
        pthread_cond_wait(&upload->changed, &upload->lock);
    upload->idle--;
    struct s3_part *part = upload->first;
    if (part) {
        upload->first = part->next;
        if (!upload->first)
            upload->last = NULL;
        upload->waiting--;
    }
    if (upload->problem.code != 0)
        s3_fail(call, HF_E_CANCELLED, "stopped");
    pthread_mutex_unlock(&upload->lock);
    return part;
}

static void *send_parts(void *arg)
{
    struct s3_upload *upload = arg;
    struct s3_client *client = NULL;
    bool whole = true;
    for (;;) {
        struct s3_call call = {.cancel_fd = upload->cancel_fd, .stop_fd = upload->stop_fd, .notes = &upload->notes};
        char etag[S3_ETAG_SIZE] = "";
        struct s3_part *part = next_part(upload, &call);
        if (!part)
            break;
        int status = call.problem.code;
        if (status == HF_OK && !client)
            status = s3_client_take(upload->self, &call, &client);
        if (status == HF_OK)
            status = s3_multipart_part(client, upload->self, &call, upload->key, upload->id, part->number, part->data,
                                       part->used, etag);
        whole = whole && status == HF_OK;
        pthread_mutex_lock(&upload->lock);
        end_part(upload, part, &call, etag);
        pthread_mutex_unlock(&upload->lock);
    }
    s3_client_give(client, whole);
    return NULL;
}

/* --- the core's thread --- */

int s3_upload_new(struct s3 *self, struct s3_call *call, const char *key, const struct s3_request *headers,
                  struct s3_upload **ret_upload)
{
    struct s3_upload *upload = calloc(1, sizeof(*upload));
    if (!upload)
        return s3_fail_memory(call);
    upload->self = self;
    upload->key = key;
    upload->cancel_fd = call->cancel_fd;
    upload->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (upload->stop_fd < 0) {
        int status = s3_fail(call, HF_E_FAIL, "cannot make an event descriptor: %s", strerror(errno));
        free(upload);
        return status;
    }
    pthread_mutex_init(&upload->lock, NULL);
    pthread_mutex_init(&upload->notes.lock, NULL);
    pthread_cond_init(&upload->changed, NULL);
    int status = s3_multipart_create(self, call, key, headers, upload->id);
    if (status != HF_OK) {
        s3_upload_free(upload);
        return status;
    }
    *ret_upload = upload;
    return HF_OK;
}

static int report(struct s3_upload *upload, struct hf_ctx *ctx)
{
    s3_notes_flush(&upload->notes, ctx);
    pthread_mutex_lock(&upload->lock);
    struct s3_problem problem = upload->problem;
    pthread_mutex_unlock(&upload->lock);
    return problem.code ? s3_report_problem(ctx, &problem) : HF_OK;
}

/* With the lock held. */
static bool queue(struct s3_upload *upload, struct s3_part *part)
{
    if (part->number > upload->room) {
        unsigned room = upload->room ? 2 * upload->room : 64;
        char **etags = reallocarray(upload->etags, room, sizeof(*etags));
        if (!etags)
            return false;
        upload->etags = etags;
        upload->room = room;
    }
    upload->etags[part->number - 1] = NULL;
    upload->count = part->number;
    part->next = NULL;
    if (upload->last)
        upload->last->next = part;
    else
        upload->first = part;
    upload->last = part;
    upload->in_flight++;
    upload->waiting++;
    pthread_cond_broadcast(&upload->changed);
    return true;
}

/* With the lock held. What is too small for parts as they are now is of no more use. */
static struct s3_part *take_spare(struct s3_upload *upload, size_t room)
{
    struct s3_part *found = NULL;
    while (upload->spare) {
        struct s3_part *part = upload->spare;
        upload->spare = part->next;
        if (part->room >= room) {
            found = part;
            break;
        }
        s3_part_free(part);
    }
    return found;
}

int s3_upload_send(struct s3_upload *upload, struct hf_ctx *ctx, struct s3_part **part, size_t room)
{
    const struct s3 *self = upload->self;
    unsigned most = s3_parts_in_flight(room > (*part)->used ? room : (*part)->used, self->parallel, self->memory);
    pthread_mutex_lock(&upload->lock);
    bool queued = queue(upload, *part);
    if (queued)
        *part = NULL;
    bool more = upload->waiting > upload->idle && upload->thread_count < self->parallel;
    pthread_mutex_unlock(&upload->lock);
    if (!queued)
        return s3_host->fail(ctx, HF_E_NOMEM, "out of memory");
    if (more) {
        int error = pthread_create(&upload->threads[upload->thread_count], NULL, send_parts, upload);
        upload->thread_count += error == 0;
        if (error != 0 && upload->thread_count == 0)
            return s3_host->fail(ctx, HF_E_FAIL, "cannot start a thread: %s", strerror(error));
    }
    if (room == 0)
        return report(upload, ctx);
    pthread_mutex_lock(&upload->lock);
    while (upload->in_flight > most && upload->problem.code == 0)
        pthread_cond_wait(&upload->changed, &upload->lock);
    *part = take_spare(upload, room);
    pthread_mutex_unlock(&upload->lock);
    if (!*part)
        *part = s3_part_new();
    if (!*part || !s3_part_reserve(*part, room))
        return s3_host->fail(ctx, HF_E_NOMEM, "out of memory: a part of the artifact has %zu bytes", room);
    return report(upload, ctx);
}

static void join(struct s3_upload *upload)
{
    pthread_mutex_lock(&upload->lock);
    upload->closing = true;
    pthread_cond_broadcast(&upload->changed);
    pthread_mutex_unlock(&upload->lock);
    while (upload->thread_count > 0)
        pthread_join(upload->threads[--upload->thread_count], NULL);
    /* Nobody else is there any more. */
    while (upload->spare) {
        struct s3_part *part = upload->spare;
        upload->spare = part->next;
        s3_part_free(part);
    }
}

int s3_upload_finish(struct s3_upload *upload, struct hf_ctx *ctx)
{
    join(upload);
    return report(upload, ctx);
}

void s3_upload_stop(struct s3_upload *upload)
{
    stop_others(upload);
    join(upload);
    while (upload->first) {
        struct s3_part *part = upload->first;
        upload->first = part->next;
        s3_part_free(part);
    }
    upload->last = NULL;
}

void s3_upload_free(struct s3_upload *upload)
{
    if (!upload)
        return;
    s3_upload_stop(upload);
    for (unsigned i = 0; i < upload->count; i++)
        free(upload->etags[i]);
    free(upload->etags);
    s3_text_clear(&upload->notes.lines);
    pthread_mutex_destroy(&upload->notes.lock);
    pthread_mutex_destroy(&upload->lock);
    pthread_cond_destroy(&upload->changed);
    close(upload->stop_fd);
    free(upload);
}

const char *s3_upload_id(const struct s3_upload *upload)
{
    return upload->id;
}

int s3_upload_complete(struct s3_upload *upload, struct s3_call *call, bool conditional, struct s3_answer *answer)
{
    return s3_multipart_complete(upload->self, call, upload->key, upload->id, upload->etags, upload->count, conditional,
                                 answer);
}
