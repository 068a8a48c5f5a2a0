/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/child_exec.h"

#include "base/memory.h"
#include "config/value.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { STATUS_FD = 3 };

/* The process was forked from one with many threads, any of which may have held any lock: up to exec there are only
 * calls that are async-signal-safe, and nothing is allocated. */

static _Noreturn void give_up(int status, const char *doing)
{
    struct hf_exec_failure failure = {.doing = doing, .errnum = errno};
    ssize_t written = write(status, &failure, sizeof(failure));

    (void)written; /* the reader is our parent; without one nobody is left to tell */
    _exit(127);
}

static void reset_signals(int status)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigset_t none;

    /* exec() resets what is handled, but not what is ignored. The C library's own two refuse, and are not ours to
     * reset. */
    for (int number = 1; number < NSIG; number++)
        if (sigaction(number, &plain, NULL) != 0 && errno != EINVAL)
            give_up(status, "reset signals");
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        give_up(status, "reset signals");
}

/* Kernels before 5.9 have no close_range; there the limit says how far to go. */
static void close_from(int first)
{
    struct rlimit limit;

    if (close_range((unsigned)first, ~0u, 0) == 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    for (int fd = first; (rlim_t)fd < limit.rlim_cur && fd < INT32_MAX; fd++)
        close(fd);
}

_Noreturn void hf_exec_become(const struct hf_exec *self)
{
    const struct rlimit no_core = {0, 0};

    if (dup3(self->status, STATUS_FD, O_CLOEXEC) < 0)
        give_up(self->status, "prepare descriptors");
    /* A session of its own is a group of its own, and has no terminal: what would ask for a password there fails at
     * once, where in a mere group in the background it would be stopped for ever. */
    if (setsid() < 0)
        give_up(STATUS_FD, "begin a session");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        give_up(STATUS_FD, "tie it to this process");
    if (getppid() != self->parent) /* it died before it was tied */
        _exit(127);
    if (dup2(self->in, 0) < 0 || dup2(self->out, 1) < 0 || dup2(self->errors, 2) < 0)
        give_up(STATUS_FD, "prepare descriptors");
    close_from(STATUS_FD + 1);
    if (setrlimit(RLIMIT_CORE, &no_core) != 0) /* its environment may hold secrets */
        give_up(STATUS_FD, "switch core dumps off");
    reset_signals(STATUS_FD);
    execve(self->argv[0], (char *const *)(uintptr_t)self->argv, self->envp);
    give_up(STATUS_FD, "execute it");
}

static size_t name_length(const char *entry)
{
    return strcspn(entry, "=");
}

static bool names(const char *entry, const char *name, size_t length)
{
    return strncmp(entry, name, length) == 0 && (entry[length] == '=' || entry[length] == '\0');
}

/* The last of `changes` that is about this name, NULL when none is. */
static const char *change_of(const char *const *changes, const char *name, size_t length)
{
    const char *found = NULL;

    for (; changes != NULL && *changes != NULL; changes++)
        if (names(*changes, name, length))
            found = *changes;
    return found;
}

char **hf_exec_environment(const char *const *changes)
{
    size_t count = 0, room = 1;
    char **result;

    for (size_t i = 0; environ[i] != NULL; i++)
        room++;
    for (size_t i = 0; changes != NULL && changes[i] != NULL; i++, room++)
        if (name_length(changes[i]) == 0)
            return NULL;
    result = hf_alloc_array(room, sizeof(*result));
    for (size_t i = 0; environ[i] != NULL; i++) {
        size_t length = name_length(environ[i]);

        /* What a profile took a secret from is no other program's business. */
        if (change_of(changes, environ[i], length) == NULL && !hf_value_is_private(environ[i], length))
            result[count++] = environ[i];
    }
    for (size_t i = 0; changes != NULL && changes[i] != NULL; i++)
        if (strchr(changes[i], '=') != NULL && change_of(changes, changes[i], name_length(changes[i])) == changes[i])
            result[count++] = (char *)(uintptr_t)changes[i];
    return result;
}
