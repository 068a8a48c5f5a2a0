/* SPDX-License-Identifier: Apache-2.0
 *
 * Each child has a thread of ours, its watcher, which forks it, drains its standard error, and lives until it has
 * ended. The kernel's promise to kill a child when its parent dies (PR_SET_PDEATHSIG) is about the thread that forked
 * it, so that thread must be this one: the plugin's may end sooner. The watcher sees the end, but does not take it
 * (WNOWAIT's meaning): the process stays a zombie, and its number and its group's nobody else's, until hf_child_end is
 * done with killing.
 *
 * fork() and not vfork(): what is copied is the page tables of a process whose memory is bounded, and the new process
 * shares nothing with our threads.
 */
#include "plugin/child.h"

#include "base/text.h"
#include "base/time.h"
#include "plugin/child_exec.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_MAGIC = 0x4348494c, GRACE_MS = 5000, LOWEST_FD = 4, DRAIN_READS = 256, LAST_WORDS_MAX = 1000 };

/* What the watcher needs until the program runs; on the stack of hf_child_start. */
struct launch {
    struct hf_exec exec;
    int status;           /* the end to read */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool decided;
    struct hf_exec_failure failure; /* doing NULL: it runs */
};

struct hf_child {
    uint32_t magic;
    char *program;
    pthread_t watcher;
    struct launch *launch; /* only until it is decided */
    pid_t pid;             /* also of its group */
    int out, errors, done; /* done: an eventfd, readable once it has ended */
    /* The watcher's until it is joined: the last of its standard error. */
    char kept[2 * HF_CHILD_KEPT];
    size_t kept_size;
    bool cut; /* there was more before */
};

/* --- the watcher --- */

static void decide(struct launch *launch, const char *doing, int errnum)
{
    pthread_mutex_lock(&launch->lock);
    launch->failure = (struct hf_exec_failure){doing, errnum};
    launch->decided = true;
    pthread_cond_signal(&launch->changed);
    pthread_mutex_unlock(&launch->lock);
}

static pid_t wait_for(pid_t pid, int *ret_status)
{
    pid_t got;

    do
        got = waitpid(pid, ret_status, 0);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Reads from the status pipe until exec closes it: what failed, doing NULL when nothing did. */
static struct hf_exec_failure read_status(int fd)
{
    struct hf_exec_failure failure = {0};
    ssize_t got;

    do
        got = read(fd, &failure, sizeof(failure));
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return (struct hf_exec_failure){"hear of its start", errno};
    return got == (ssize_t)sizeof(failure) ? failure : (struct hf_exec_failure){0};
}

static void close_child_ends(struct hf_exec *exec)
{
    hf_cleanup_close(&exec->in);
    hf_cleanup_close(&exec->out);
    hf_cleanup_close(&exec->errors);
    hf_cleanup_close(&exec->status);
}

/* True when the program runs. The launch is no longer ours then, nor otherwise. */
static bool launch(struct hf_child *child, int *ret_pidfd)
{
    struct launch *self = child->launch;
    struct hf_exec_failure failure;
    pid_t pid = fork();
    int pidfd;

    if (pid == 0)
        hf_exec_become(&self->exec);
    if (pid < 0) {
        decide(self, "start a process", errno);
        return false;
    }
    close_child_ends(&self->exec);
    pidfd = pidfd_open(pid, 0); /* close-on-exec by itself */
    failure = pidfd < 0 ? (struct hf_exec_failure){"watch it", errno} : read_status(self->status);
    if (failure.doing != NULL) {
        kill(pid, SIGKILL);
        wait_for(pid, NULL);
        hf_cleanup_close(&pidfd);
        decide(self, failure.doing, failure.errnum);
        return false;
    }
    child->pid = pid;
    *ret_pidfd = pidfd;
    decide(self, NULL, 0);
    return true;
}

/* False when there is no more to read, for now or at all; then *fd is -1. */
static bool keep_some(struct hf_child *child, int *fd)
{
    ssize_t got;

    if (sizeof(child->kept) - child->kept_size < HF_CHILD_KEPT / 2) {
        memmove(child->kept, child->kept + child->kept_size - HF_CHILD_KEPT, HF_CHILD_KEPT);
        child->kept_size = HF_CHILD_KEPT;
        child->cut = true;
    }
    got = read(*fd, child->kept + child->kept_size, sizeof(child->kept) - child->kept_size);
    if (got > 0)
        child->kept_size += (size_t)got;
    else if (got == 0 || (errno != EINTR && errno != EAGAIN))
        *fd = -1;
    return got > 0 || (got < 0 && errno == EINTR);
}

static void *watch(void *arg)
{
    struct hf_child *child = arg;
    int pidfd = -1, fd = child->errors;
    uint64_t one = 1;
    ssize_t written;
    sigset_t all;

    /* No handler of ours may run in the new process: it would raise the cancel, whose descriptor both share. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    if (!launch(child, &pidfd))
        return NULL;
    for (;;) {
        struct pollfd events[] = {{.fd = pidfd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};

        if (poll(events, HF_COUNT(events), -1) < 0)
            continue; /* interrupted, or short of memory for a moment */
        if (events[1].revents != 0)
            (void)keep_some(child, &fd);
        if (events[0].revents != 0)
            break;
    }
    /* Someone that it started may hold the pipe open, and go on writing. */
    for (int i = 0; i < DRAIN_READS && fd >= 0; i++)
        if (!keep_some(child, &fd))
            break;
    close(pidfd);
    written = write(child->done, &one, sizeof(one));
    assert(written == sizeof(one));
    return NULL;
}

/* --- starting --- */

/* Above the descriptors that the new process rearranges. */
static int raise_fd(int *fd)
{
    int raised;

    if (*fd >= LOWEST_FD)
        return 0;
    raised = fcntl(*fd, F_DUPFD_CLOEXEC, LOWEST_FD);
    if (raised < 0)
        return -1;
    close(*fd);
    *fd = raised;
    return 0;
}

static int make_pipe(int *ret_read, int *ret_write)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    *ret_read = ends[0];
    *ret_write = ends[1];
    return raise_fd(ret_read) == 0 && raise_fd(ret_write) == 0 ? 0 : -1;
}

static int open_ends(struct hf_child *child, struct launch *self)
{
    int flags;

    self->exec.in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    child->done = eventfd(0, EFD_CLOEXEC);
    if (self->exec.in < 0 || child->done < 0 || raise_fd(&self->exec.in) != 0)
        return -1;
    if (make_pipe(&child->out, &self->exec.out) != 0 || make_pipe(&child->errors, &self->exec.errors) != 0 ||
        make_pipe(&self->status, &self->exec.status) != 0)
        return -1;
    flags = fcntl(child->errors, F_GETFL);
    return flags < 0 ? -1 : fcntl(child->errors, F_SETFL, flags | O_NONBLOCK);
}

/* Where SIGCHLD is ignored, as some supervisors leave it, children vanish without a status, and their numbers go to
 * others. */
static void want_zombies(void)
{
    struct sigaction action;

    if (sigaction(SIGCHLD, NULL, &action) == 0 &&
        (action.sa_handler == SIG_IGN || (action.sa_flags & SA_NOCLDWAIT) != 0)) {
        action = (struct sigaction){.sa_handler = SIG_DFL};
        sigaction(SIGCHLD, &action, NULL);
    }
}

static int explain(const char *program, const char *doing, int errnum, char **ret_why)
{
    char room[128];
    const char *reason = strerror_r(errnum, room, sizeof(room));

    /* "No such file or directory" in the middle of a lower-case sentence. */
    *ret_why = hf_strf("run '%s': %s: %c%s", program, doing, tolower((unsigned char)*reason), reason + 1);
    return (errnum == ENOENT || errnum == ENOTDIR) && strcmp(doing, "execute it") == 0 ? HF_E_NOTFOUND : HF_E_FAIL;
}

static void free_child(struct hf_child *child)
{
    hf_cleanup_close(&child->out);
    hf_cleanup_close(&child->errors);
    hf_cleanup_close(&child->done);
    free(child->program);
    child->magic = 0;
    free(child);
}

/* Has the watcher start it, and waits for the outcome. */
static int begin(struct hf_child *child, struct launch *self, char **ret_why)
{
    int failure;

    child->launch = self;
    want_zombies();
    failure = pthread_create(&child->watcher, NULL, watch, child);
    if (failure != 0)
        return explain(child->program, "start a thread", failure, ret_why);
    pthread_mutex_lock(&self->lock);
    while (!self->decided)
        pthread_cond_wait(&self->changed, &self->lock);
    pthread_mutex_unlock(&self->lock);
    child->launch = NULL;
    if (self->failure.doing == NULL)
        return HF_OK;
    pthread_join(child->watcher, NULL);
    return explain(child->program, self->failure.doing, self->failure.errnum, ret_why);
}

int hf_child_start(const struct hf_spawn *spawn, struct hf_child **ret_child, int *ret_out, char **ret_why)
{
    struct launch self = {.exec = {.in = -1, .out = -1, .errors = -1, .status = -1}, .status = -1};
    struct hf_child *child;
    char **envp;
    int rc;

    assert(spawn->size >= offsetof(struct hf_spawn, env) + sizeof(spawn->env) && spawn->argv != NULL &&
           spawn->argv[0] != NULL);
    envp = hf_exec_environment(spawn->env);
    if (envp == NULL || strchr(spawn->argv[0], '/') == NULL) {
        *ret_why = hf_strf("run '%s': %s", spawn->argv[0],
                           envp ? "a program needs a path with a '/'" : "a variable needs a name");
        free(envp);
        return HF_E_FAIL;
    }
    child = hf_alloc(sizeof(*child));
    child->magic = CHILD_MAGIC;
    child->program = hf_strdup(spawn->argv[0]);
    child->out = child->errors = child->done = -1;
    self.exec.argv = spawn->argv;
    self.exec.envp = envp;
    self.exec.parent = getpid();
    pthread_mutex_init(&self.lock, NULL);
    pthread_cond_init(&self.changed, NULL);
    if (open_ends(child, &self) != 0)
        rc = explain(child->program, "prepare descriptors", errno, ret_why);
    else
        rc = begin(child, &self, ret_why);
    close_child_ends(&self.exec);
    hf_cleanup_close(&self.status);
    pthread_cond_destroy(&self.changed);
    pthread_mutex_destroy(&self.lock);
    free(envp);
    if (rc == HF_OK) {
        *ret_child = child;
        *ret_out = child->out;
    } else {
        free_child(child);
    }
    return rc;
}

/* --- ending --- */

/* Until it has ended (true), or one of the others happened. timeout_ms -1: none. */
static bool wait_done(const struct hf_child *child, int cancel_fd, int timeout_ms)
{
    int64_t until = hf_time_steady_ms() + timeout_ms;

    for (;;) {
        struct pollfd events[] = {{.fd = child->done, .events = POLLIN}, {.fd = cancel_fd, .events = POLLIN}};
        int64_t left = timeout_ms < 0 ? -1 : until - hf_time_steady_ms();
        int count = poll(events, HF_COUNT(events), timeout_ms < 0 ? -1 : left > 0 ? (int)left : 0);

        if (count > 0)
            return events[0].revents != 0;
        if (count == 0)
            return false;
    }
}

static void stop(const struct hf_child *child)
{
    kill(-child->pid, SIGTERM);
    kill(-child->pid, SIGCONT); /* what is stopped hears nothing */
    if (wait_done(child, -1, GRACE_MS))
        return;
    kill(-child->pid, SIGKILL);
    (void)wait_done(child, -1, -1);
}

static char *how_it_ended(const struct hf_child *child, int status)
{
    const char *name;

    if (WIFEXITED(status))
        return hf_strf("'%s' ended with exit code %d", child->program, WEXITSTATUS(status));
    name = sigabbrev_np(WTERMSIG(status));
    return name ? hf_strf("'%s' was killed by SIG%s", child->program, name)
                : hf_strf("'%s' was killed by signal %d", child->program, WTERMSIG(status));
}

/* What was cut may have cut a secret, so what is left of its line goes, too. */
static char *take_errors(struct hf_child *child)
{
    char *errors = child->kept, *end = child->kept + child->kept_size, *line;

    if (child->cut || child->kept_size > HF_CHILD_KEPT) {
        errors = end - HF_CHILD_KEPT;
        line = memchr(errors, '\n', HF_CHILD_KEPT);
        errors = line != NULL ? line + 1 : end - HF_CHILD_ERRORS_MAX;
    }
    for (char *p = errors; p < end; p++)
        if (*p == '\0')
            *p = ' ';
    return hf_strndup(errors, (size_t)(end - errors));
}

int hf_child_end(struct hf_child *child, int cancel_fd, bool wanted_gone, char **ret_why, char **ret_errors)
{
    bool stopped = wanted_gone;
    int status = 0, rc = HF_OK;

    assert(child != NULL && child->magic == CHILD_MAGIC);
    hf_cleanup_close(&child->out); /* nobody reads on: what it still writes must not block it */
    if (!wanted_gone && !wait_done(child, cancel_fd, -1)) {
        stopped = true;
        rc = HF_E_CANCELLED;
    }
    if (stopped)
        stop(child);
    pthread_join(child->watcher, NULL);
    kill(-child->pid, SIGKILL);
    *ret_why = NULL;
    *ret_errors = take_errors(child);
    if (wait_for(child->pid, &status) != child->pid && !stopped) {
        *ret_why = hf_strf("'%s' ended in a way that cannot be known: %s", child->program, strerror(errno));
        rc = HF_E_FAIL;
    } else if (!stopped && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
        *ret_why = how_it_ended(child, status);
        rc = HF_E_FAIL;
    }
    free_child(child);
    return rc;
}

/* --- what it said --- */

char *hf_child_tail(const char *errors)
{
    size_t length = strlen(errors);
    const char *from = errors, *line;

    if (length > HF_CHILD_ERRORS_MAX) {
        from = errors + length - HF_CHILD_ERRORS_MAX;
        line = strchr(from, '\n');
        if (line != NULL && line[1] != '\0')
            from = line + 1;
    }
    return hf_strdup(from);
}

/* Where a program that talks about its work comes to what went wrong; NULL: it does not say so. */
static char *find_error(char *text)
{
    char *at = strstr(text, "error:");

    while (at != NULL && at > text && at[-1] != '\n')
        at--;
    return at;
}

char *hf_child_last_words(const char *errors)
{
    hf_auto_free char *text = hf_strdup(errors);
    hf_auto_text struct hf_text words = {0};
    size_t length = strlen(text);
    char *from = text, *rest = NULL;

    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r' || text[length - 1] == ' '))
        text[--length] = '\0';
    if (find_error(text) != NULL) {
        from = find_error(text);
        length -= (size_t)(from - text);
        if (length > LAST_WORDS_MAX) {
            for (length = LAST_WORDS_MAX; ((unsigned char)from[length] & 0xc0) == 0x80;)
                length--;
            from[length] = '\0';
        }
    } else if (length > LAST_WORDS_MAX) {
        from = text + length - LAST_WORDS_MAX;
        if (strchr(from, '\n') != NULL)
            from = strchr(from, '\n') + 1;
        while (((unsigned char)*from & 0xc0) == 0x80) /* not within a character */
            from++;
    }
    hf_text_add(&words, "");
    for (char *line = strtok_r(from, "\r\n", &rest); line != NULL; line = strtok_r(NULL, "\r\n", &rest)) {
        hf_text_add(&words, words.length > 0 ? "; " : "");
        hf_text_add(&words, line);
    }
    return hf_steal(words.data);
}
