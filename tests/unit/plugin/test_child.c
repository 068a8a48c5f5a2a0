/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs of a plugin, through the host table, with real ones: how they end, what they say, what they inherit, and
 * that none outlives what it should not.
 */
#include "base/cancel.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "plugin/host.h"
#include "suites.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct hf_services services;
static struct hf_cancel cancel;
static struct hf_ctx ctx;
static const struct hf_host *host;

static void set_up(void)
{
    hf_services_init(&services, "/tmp");
    ctx = (struct hf_ctx){.services = &services, .cancel = &cancel};
    ck_assert_int_eq(hf_cancel_init(&cancel, &ctx), HF_OK);
    host = hf_host_table();
}

static void tear_down(void)
{
    hf_error_clear(&ctx.error);
    hf_services_clear(&services);
    hf_cancel_clear(&cancel);
}

/* Starts `sh -c script`, with changes to the environment. */
static struct hf_child *shell_with(const char *script, const char *const *env, int *ret_out)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    struct hf_spawn spawn = {.size = sizeof spawn, .argv = argv, .env = env};
    struct hf_child *child = NULL;
    ck_assert_msg(host->spawn(&ctx, &spawn, &child, ret_out) == HF_OK, "%s", ctx.error.text);
    ck_assert_int_ne(fcntl(*ret_out, F_GETFD) & FD_CLOEXEC, 0);
    return child;
}

static struct hf_child *shell(const char *script, int *ret_out)
{
    return shell_with(script, NULL, ret_out);
}

/* All that it writes until it closes its output. */
static const char *output(int fd)
{
    static char data[65536];
    size_t used = 0;
    ssize_t got;
    while ((got = read(fd, data + used, sizeof data - 1 - used)) > 0)
        used += (size_t)got;
    data[used] = '\0';
    return data;
}

static const char *line(int fd)
{
    static char data[4096];
    size_t used = 0;
    while (used < sizeof data - 1 && read(fd, data + used, 1) == 1 && data[used] != '\n')
        used++;
    data[used] = '\0';
    return data;
}

static const char *output_of(const char *script, const char *const *env)
{
    int out;
    struct hf_child *child = shell_with(script, env, &out);
    const char *text = output(out);
    ck_assert_msg(host->reap(&ctx, child, 0, NULL) == HF_OK, "%s", ctx.error.text);
    return text;
}

static bool gone(pid_t pid)
{
    hf_auto_free char *path = hf_strf("/proc/%d/stat", (int)pid);
    char text[256] = "";
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return true;
    size_t got = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[got] = '\0';
    return strstr(text, ") Z ") != NULL; /* nobody may be there to bury it */
}

static void ck_gone(pid_t pid)
{
    for (int i = 0; i < 500 && !gone(pid); i++)
        poll(NULL, 0, 10);
    ck_assert_msg(gone(pid), "process %d lives", (int)pid);
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

START_TEST(what_it_writes_and_its_end)
{
    int before = open_descriptors();
    ck_assert_str_eq(output_of("echo out; echo err >&2; cat; echo end", NULL), "out\nend\n"); /* cat: nothing to read */
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

START_TEST(failing)
{
    hf_auto_free char *errors = NULL;
    int out, before = open_descriptors();
    struct hf_child *child = shell("echo one >&2; printf 'two\\000\\nthree\\n\\n' >&2; exit 3", &out);
    ck_assert_int_eq(host->reap(&ctx, child, 0, &errors), HF_E_FAIL);
    ck_assert_str_eq(ctx.error.text, "'/bin/sh' ended with exit code 3: one; two ; three");
    ck_assert_str_eq(errors, "one\ntwo \nthree\n\n");
    hf_error_clear(&ctx.error);
    ck_assert_int_eq(host->reap(&ctx, shell("exit 1", &out), 0, NULL), HF_E_FAIL);
    ck_assert_str_eq(ctx.error.text, "'/bin/sh' ended with exit code 1");
    hf_error_clear(&ctx.error);
    ck_assert_int_eq(host->reap(&ctx, shell("kill -SEGV $$", &out), 0, NULL), HF_E_FAIL);
    ck_assert_str_eq(ctx.error.text, "'/bin/sh' was killed by SIGSEGV");
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

START_TEST(what_cannot_run)
{
    static const struct {
        const char *argv[2], *env[2];
        int code;
        const char *text;
    } cases[] = {
        {{"/nowhere/at/all"}, {NULL}, HF_E_NOTFOUND, "run '/nowhere/at/all': execute it: no such file or directory"},
        {{"/etc/passwd/x"}, {NULL}, HF_E_NOTFOUND, "not a directory"},
        {{"/etc/passwd"}, {NULL}, HF_E_FAIL, "run '/etc/passwd': execute it: permission denied"},
        {{"sh"}, {NULL}, HF_E_FAIL, "needs a path"},
        {{"/bin/true"}, {"=x"}, HF_E_FAIL, "needs a name"},
    };
    int before = open_descriptors();
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        struct hf_spawn spawn = {.size = sizeof spawn, .argv = cases[i].argv, .env = cases[i].env};
        struct hf_child *child = NULL;
        int out = -7;
        ck_assert_int_eq(host->spawn(&ctx, &spawn, &child, &out), cases[i].code);
        ck_assert_msg(strstr(ctx.error.text, cases[i].text), "%s", ctx.error.text);
        ck_assert_ptr_null(child);
        ck_assert_int_eq(out, -7);
        hf_error_clear(&ctx.error);
    }
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* The last of it, from the beginning of a line; and no half of a secret when the rest was long ago. */
START_TEST(the_end_of_a_long_story)
{
    hf_auto_free char *errors = NULL;
    int out;
    host->redact(&ctx, "correct-horse-battery");
    struct hf_child *child = shell("i=0; while [ $i -lt 4000 ]; do echo line $i correct-horse-battery >&2; "
                                   "i=$((i+1)); done; echo last correct-horse-battery >&2; exit 2",
                                   &out);
    ck_assert_int_eq(host->reap(&ctx, child, 0, &errors), HF_E_FAIL);
    ck_assert_uint_le(strlen(errors), 8192);
    ck_assert_uint_gt(strlen(errors), 4000);
    ck_assert(hf_text_starts(errors, "line "));
    ck_assert(hf_text_ends(errors, "line 3999 ***\nlast ***\n"));
    ck_assert_ptr_null(strstr(errors, "horse"));
    ck_assert_ptr_null(strstr(ctx.error.text, "horse"));
    ck_assert(hf_text_ends(ctx.error.text, "; line 3999 ***; last ***"));
    ck_assert_uint_lt(strlen(ctx.error.text), 1200);
}
END_TEST

START_TEST(what_it_inherits)
{
    int leaked = open("/dev/null", O_RDONLY); /* a library that knows no O_CLOEXEC */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    ck_assert_int_ge(leaked, 3);
    ck_assert_str_eq(output_of("for fd in /proc/self/fd/*; do [ -e $fd ] && echo ${fd##*/}; done; true", NULL),
                     "0\n1\n2\n");
    ck_assert_str_eq(output_of("readlink /proc/self/fd/0", NULL), "/dev/null\n");
    ck_assert_str_eq(output_of("ulimit -c", NULL), "0\n");
    ck_assert_str_eq(output_of("grep -c -E '^Sig(Blk|Ign):.0000000000000000$' /proc/self/status", NULL), "2\n");
    ck_assert_str_eq(
        output_of("[ $(ps -o pgid= -p $$) -eq $$ ] && (: </dev/tty) 2>/dev/null || echo no terminal", NULL),
        "no terminal\n");
    close(leaked);
}
END_TEST

START_TEST(its_environment)
{
    static const char script[] = "echo ${HF_A-unset} ${HF_B-unset} ${HF_C-unset} ${HF_D-unset} ${HF_ABC-unset}";
    setenv("HF_A", "a", 1);
    setenv("HF_B", "b", 1);
    setenv("HF_ABC", "abc", 1);
    ck_assert_str_eq(output_of(script, NULL), "a b unset unset abc\n");
    ck_assert_str_eq(output_of(script, (const char *const[]){NULL}), "a b unset unset abc\n");
    ck_assert_str_eq(output_of(script, (const char *const[]){"HF_A=2", "HF_B", "HF_C=x=y", "HF_D=1", "HF_D=2", NULL}),
                     "2 unset x=y 2 abc\n");
    ck_assert_str_eq(getenv("HF_A"), "a");
    ck_assert_str_eq(getenv("HF_B"), "b");
}
END_TEST

/* Even when the standard descriptors are free, so that the pipes get their numbers. */
START_TEST(without_standard_descriptors)
{
    int out, saved[3];
    for (int fd = 0; fd < 3; fd++) {
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 20);
        close(fd);
    }
    struct hf_child *child = shell("echo out; echo err >&2; exit 1", &out);
    hf_auto_free char *text = hf_strdup(output(out)), *errors = NULL;
    int rc = host->reap(&ctx, child, 0, &errors);
    for (int fd = 0; fd < 3; fd++)
        dup2(saved[fd], fd);
    ck_assert_int_eq(rc, HF_E_FAIL);
    ck_assert_str_eq(text, "out\n");
    ck_assert_str_eq(errors, "err\n");
}
END_TEST

/* Nobody reads its output to the end: it must not be waited for. */
START_TEST(unread_output)
{
    int out;
    struct hf_child *child = shell("exec cat /dev/zero", &out);
    ck_assert_int_eq(host->reap(&ctx, child, 0, NULL), HF_E_FAIL);
    ck_assert_str_eq(ctx.error.text, "'/bin/sh' was killed by SIGPIPE");
}
END_TEST

START_TEST(unwanted)
{
    int out;
    int64_t start = hf_time_steady_ms();
    struct hf_child *child = shell("echo said >&2; echo $$; exec sleep 1000", &out);
    hf_auto_free char *errors = NULL;
    pid_t pid = (pid_t)atoi(line(out));
    ck_assert_int_eq(host->reap(&ctx, child, 1, &errors), HF_OK);
    ck_assert_str_eq(errors, "said\n");
    ck_assert(gone(pid));
    ck_assert_int_eq(host->reap(&ctx, shell("kill -STOP $$", &out), 1, NULL), HF_OK); /* stopped: hears no SIGTERM */
    ck_assert_int_lt(hf_time_steady_ms() - start, 4000);
    ck_assert_int_eq(ctx.error.code, 0);
}
END_TEST

START_TEST(deaf_to_sigterm)
{
    int out;
    int64_t start = hf_time_steady_ms();
    struct hf_child *child = shell("trap '' TERM; echo $$; while :; do sleep 1; done", &out);
    pid_t pid = (pid_t)atoi(line(out));
    ck_assert_int_eq(host->reap(&ctx, child, 1, NULL), HF_OK);
    ck_assert(gone(pid));
    ck_assert_int_ge(hf_time_steady_ms() - start, 4000);
}
END_TEST

static void *raise_soon(void *arg)
{
    poll(NULL, 0, 100);
    hf_cancel_raise(arg, HF_CANCEL_FAILURE);
    return NULL;
}

START_TEST(the_run_is_stopped)
{
    int out;
    int64_t start = hf_time_steady_ms();
    struct hf_child *child = shell("echo $$; sleep 1000", &out); /* sh waits for sleep: two processes */
    pid_t pid = (pid_t)atoi(line(out));
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, raise_soon, &cancel), 0);
    ck_assert_int_eq(host->reap(&ctx, child, 0, NULL), HF_E_CANCELLED);
    pthread_join(thread, NULL);
    ck_assert(gone(pid));
    ck_assert_int_lt(hf_time_steady_ms() - start, 4000);
    struct hf_spawn spawn = {.size = sizeof spawn, .argv = (const char *const[]){"/bin/true", NULL}};
    ck_assert_int_eq(host->spawn(&ctx, &spawn, &child, &out), HF_E_CANCELLED);
}
END_TEST

/* What it started goes with it, whether it is stopped or ends by itself. */
START_TEST(grandchildren)
{
    int out;
    struct hf_child *child = shell("sleep 1000 & echo $!; wait", &out);
    pid_t pid = (pid_t)atoi(line(out));
    ck_assert(!gone(pid));
    ck_assert_int_eq(host->reap(&ctx, child, 1, NULL), HF_OK);
    ck_gone(pid);
    child = shell("sleep 1000 & echo $!", &out); /* holds standard error open */
    pid = (pid_t)atoi(line(out));
    ck_assert_int_eq(host->reap(&ctx, child, 0, NULL), HF_OK);
    ck_gone(pid);
}
END_TEST

static void *spawn_and_leave(void *arg)
{
    struct hf_child **ret_child = arg;
    int out;
    *ret_child = shell("sleep 0.3; exit 9", &out);
    return NULL;
}

/* The kernel ties a child's life to the thread that forked it; ours must not end with the plugin's. */
START_TEST(outlives_the_thread_that_asked)
{
    struct hf_child *child = NULL;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, spawn_and_leave, &child), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(host->reap(&ctx, child, 0, NULL), HF_E_FAIL);
    ck_assert_str_eq(ctx.error.text, "'/bin/sh' ended with exit code 9");
}
END_TEST

START_TEST(dies_with_this_process)
{
    int ends[2], out;
    pid_t self, pid = 0;
    ck_assert_int_eq(pipe(ends), 0);
    self = fork();
    ck_assert_int_ge(self, 0);
    if (self == 0) {
        (void)shell("echo $$; trap '' TERM HUP; while :; do sleep 1; done", &out);
        pid = (pid_t)atoi(line(out));
        if (write(ends[1], &pid, sizeof pid) != sizeof pid)
            _exit(1);
        for (;;)
            pause();
    }
    ck_assert_int_eq(read(ends[0], &pid, sizeof pid), sizeof pid);
    ck_assert(!gone(pid));
    kill(self, SIGKILL);
    ck_assert_int_eq(waitpid(self, NULL, 0), self);
    ck_gone(pid);
}
END_TEST

START_TEST(a_parent_that_ignored_sigchld)
{
    int out;
    signal(SIGCHLD, SIG_IGN);
    ck_assert_int_eq(host->reap(&ctx, shell("exit 4", &out), 0, NULL), HF_E_FAIL);
    ck_assert_str_eq(ctx.error.text, "'/bin/sh' ended with exit code 4");
}
END_TEST

static void *many(void *arg)
{
    for (int i = 0; i < 20; i++) {
        hf_auto_free char *script = hf_strf("echo %d; exit %d", i, i % 3);
        const char *const argv[] = {"/bin/sh", "-c", script, NULL};
        struct hf_spawn spawn = {.size = sizeof spawn, .argv = argv};
        struct hf_ctx mine = {.services = &services, .cancel = &cancel};
        struct hf_child *child = NULL;
        int out;
        ck_assert_int_eq(host->spawn(&mine, &spawn, &child, &out), HF_OK);
        char data[16] = "";
        while (read(out, data + strlen(data), 8) > 0) {
        }
        ck_assert_int_eq(atoi(data), i);
        ck_assert_int_eq(host->reap(&mine, child, 0, NULL), i % 3 ? HF_E_FAIL : HF_OK);
        hf_error_clear(&mine.error);
    }
    return arg;
}

START_TEST(several_at_once)
{
    int before = open_descriptors();
    pthread_t threads[4];
    for (size_t i = 0; i < HF_COUNT(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, many, NULL), 0);
    for (size_t i = 0; i < HF_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

START_TEST(out_of_descriptors)
{
    struct rlimit limit;
    struct hf_spawn spawn = {.size = sizeof spawn, .argv = (const char *const[]){"/bin/true", NULL}};
    struct hf_child *child = NULL;
    int out, before = open_descriptors();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    /* Each call that makes one fails in turn; the last round has enough. */
    for (rlim_t room = 0; child == NULL; room++) {
        struct rlimit few = {(rlim_t)before + room, limit.rlim_max};
        ck_assert_uint_lt(room, 32);
        setrlimit(RLIMIT_NOFILE, &few);
        int rc = host->spawn(&ctx, &spawn, &child, &out);
        setrlimit(RLIMIT_NOFILE, &limit);
        if (rc != HF_OK) {
            ck_assert_int_eq(rc, HF_E_FAIL);
            ck_assert_msg(strstr(ctx.error.text, "too many open files"), "%s", ctx.error.text);
            hf_error_clear(&ctx.error);
            ck_assert_int_eq(open_descriptors(), before);
        }
    }
    ck_assert_int_eq(host->reap(&ctx, child, 0, NULL), HF_OK);
}
END_TEST

TCase *child_case(void)
{
    TCase *tests = tcase_create("child");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_it_writes_and_its_end);
    tcase_add_test(tests, failing);
    tcase_add_test(tests, what_cannot_run);
    tcase_add_test(tests, the_end_of_a_long_story);
    tcase_add_test(tests, what_it_inherits);
    tcase_add_test(tests, its_environment);
    tcase_add_test(tests, without_standard_descriptors);
    tcase_add_test(tests, unread_output);
    tcase_add_test(tests, unwanted);
    tcase_add_test(tests, deaf_to_sigterm);
    tcase_add_test(tests, the_run_is_stopped);
    tcase_add_test(tests, grandchildren);
    tcase_add_test(tests, outlives_the_thread_that_asked);
    tcase_add_test(tests, dies_with_this_process);
    tcase_add_test(tests, a_parent_that_ignored_sigchld);
    tcase_add_test(tests, several_at_once);
    tcase_add_test(tests, out_of_descriptors);
    return tests;
}
