/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dir_test.h"

struct hf_ctx *sink_ctx(struct sink *sink)
{
    return fake_ctx(sink->fake);
}

struct sink sink_new(const char *const *pairs, bool missing)
{
    const struct hf_module *module = holdfast_module_v1();
    const struct hf_plugin *plugin = module->plugins[0];
    struct sink sink = {.fake = fake_new(), .ops = plugin->operations, .base = "/tmp/dir-sink-XXXXXX"};
    const char *all[16] = {"path", sink.path};
    ck_assert_ptr_nonnull(mkdtemp(sink.base));
    snprintf(sink.path, sizeof(sink.path), "%s/backups", sink.base);
    if (!missing)
        ck_assert_int_eq(mkdir(sink.path, 0700), 0);
    for (size_t i = 0; pairs && pairs[i]; i++)
        all[2 + i] = pairs[i];
    ck_assert_int_eq(module->init(fake_host_table()), HF_OK);
    sink.config = fake_config_new(plugin->options, plugin->option_count, all);
    ck_assert_int_eq(plugin->open(fake_ctx(sink.fake), sink.config, &sink.self), HF_OK);
    return sink;
}

void sink_free(struct sink *sink)
{
    char command[200];
    snprintf(command, sizeof(command), "rm -rf '%s'", sink->base);
    ck_assert_int_eq(system(command), 0);
    holdfast_module_v1()->plugins[0]->close(sink->self);
    fake_config_free(sink->config);
    fake_free(sink->fake);
}

static int put_bytes(struct sink *sink, void *put, size_t size, int fill)
{
    enum { PIECE = 1 << 20 };
    unsigned char *data = malloc(PIECE);
    ck_assert_ptr_nonnull(data);
    memset(data, fill, PIECE);
    int status = HF_OK;
    for (size_t left = size; left > 0 && status == HF_OK;) {
        struct hf_block block = {.size = sizeof(block), .data = data, .used = left < PIECE ? left : PIECE};
        status = sink->ops->put_write(put, sink_ctx(sink), &block);
        left -= block.used;
    }
    free(data);
    return status;
}

void *sink_put_open(struct sink *sink, const char *key, size_t size, int fill)
{
    struct hf_put_request request = {.size = sizeof(request), .key = key, .media = "application/gzip"};
    void *put = NULL;
    ck_assert_int_eq(sink->ops->put_begin(sink->self, sink_ctx(sink), &request, &put), HF_OK);
    ck_assert_int_eq(put_bytes(sink, put, size, fill), HF_OK);
    return put;
}

int sink_put(struct sink *sink, const char *key, size_t size, int fill)
{
    struct hf_put_request request = {.size = sizeof(request), .key = key, .media = "application/gzip"};
    void *put = NULL;
    int status = sink->ops->put_begin(sink->self, sink_ctx(sink), &request, &put);
    if (status != HF_OK)
        return status;
    status = put_bytes(sink, put, size, fill);
    if (status == HF_OK)
        status = sink->ops->put_prepare(put, sink_ctx(sink));
    if (status == HF_OK)
        status = sink->ops->put_commit(put, sink_ctx(sink));
    if (status != HF_OK)
        sink->ops->put_abort(put, sink_ctx(sink));
    return status;
}

int folder_count(const char *path)
{
    DIR *stream = opendir(path);
    ck_assert_ptr_nonnull(stream);
    int count = 0;
    while (readdir(stream))
        count++;
    closedir(stream);
    return count - 2;
}

bool folder_has(const struct sink *sink, const char *name)
{
    char path[400];
    snprintf(path, sizeof(path), "%s/%s", sink->path, name);
    return access(path, F_OK) == 0;
}

void folder_write(const struct sink *sink, const char *name, const char *text)
{
    char path[400];
    snprintf(path, sizeof(path), "%s/%s", sink->path, name);
    FILE *file = fopen(path, "w");
    ck_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

START_TEST(test_put_and_get)
{
    struct sink sink = sink_new((const char *const[]){"mode", "0604", NULL}, false);
    struct hf_ctx *ctx = sink_ctx(&sink);
    void *put = sink_put_open(&sink, "p_20260201_120000.sql.gz", 100000, 'x');
    ck_assert_int_eq(sink.ops->put_prepare(put, ctx), HF_OK);
    ck_assert(!folder_has(&sink, "p_20260201_120000.sql.gz"));
    ck_assert_int_eq(folder_count(sink.path), 1);
    ck_assert_int_eq(sink.ops->put_commit(put, ctx), HF_OK);
    ck_assert_int_eq(folder_count(sink.path), 1);

    struct hf_object object;
    ck_assert_int_eq(sink.ops->stat(sink.self, ctx, "p_20260201_120000.sql.gz", &object), HF_OK);
    ck_assert_uint_eq(object.bytes, 100000);
    ck_assert(llabs((long long)object.modified_ms / 1000 - time(NULL)) < 100);
    char text[400];
    sink.ops->locate(sink.self, "p_20260201_120000.sql.gz", text, sizeof(text));
    struct stat st;
    ck_assert_int_eq(stat(text, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0604);
    sink_free(&sink);
}
END_TEST

/* The disk is taken for what is expected, and what was not needed is given back. */
START_TEST(test_room)
{
    enum { EXPECTED = 8 << 20, WRITTEN = 100000 };
    struct sink sink = sink_new((const char *const[]){NULL}, false);
    struct hf_ctx *ctx = sink_ctx(&sink);
    struct hf_put_request request = {
        .size = sizeof(request), .key = "p_20260201_120000.tar", .media = "application/x-tar", .size_hint = EXPECTED};
    struct stat st;
    char text[400];
    void *put = NULL;
    ck_assert_int_eq(sink.ops->put_begin(sink.self, ctx, &request, &put), HF_OK);
    ck_assert_int_eq(put_bytes(&sink, put, WRITTEN, 'x'), HF_OK);
    ck_assert_int_eq(sink.ops->put_commit(put, ctx), HF_OK);
    sink.ops->locate(sink.self, request.key, text, sizeof(text));
    ck_assert_int_eq(stat(text, &st), 0);
    ck_assert_int_eq(st.st_size, WRITTEN);
    ck_assert_int_lt(st.st_blocks * 512, EXPECTED / 2);
    sink_free(&sink);
}
END_TEST

START_TEST(test_short_writes)
{
    struct sink sink = sink_new(NULL, false);
    fault_short_writes(777);
    ck_assert_int_eq(sink_put(&sink, "a.gz", 1 << 20, 'x'), HF_OK);
    fault_short_writes(0);
    struct hf_object object;
    ck_assert_int_eq(sink.ops->stat(sink.self, sink_ctx(&sink), "a.gz", &object), HF_OK);
    ck_assert_uint_eq(object.bytes, 1 << 20);
    sink_free(&sink);
}
END_TEST

static int read_range(struct sink *sink, uint64_t offset, uint64_t length, size_t piece, char *text)
{
    void *get = NULL;
    int status = sink->ops->get_begin(sink->self, sink_ctx(sink), "a", offset, length, &get);
    if (status != HF_OK)
        return status;
    int64_t got;
    size_t used = 0;
    while ((got = sink->ops->get_read(get, sink_ctx(sink), text + used, piece)) > 0)
        used += (size_t)got;
    text[used] = 0;
    sink->ops->get_end(get);
    return (int)got;
}

START_TEST(test_ranges)
{
    struct sink sink = sink_new(NULL, false);
    char text[64];
    folder_write(&sink, "a", "0123456789");
    ck_assert_int_eq(read_range(&sink, 0, UINT64_MAX, 3, text), HF_OK);
    ck_assert_str_eq(text, "0123456789");
    ck_assert_int_eq(read_range(&sink, 2, 5, 4, text), HF_OK);
    ck_assert_str_eq(text, "23456");
    ck_assert_int_eq(read_range(&sink, 10, 0, 4, text), HF_OK);
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(read_range(&sink, 10, UINT64_MAX, 4, text), HF_OK);
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(read_range(&sink, 5, 6, 4, text), HF_E_CORRUPT);
    ck_assert_int_eq(read_range(&sink, 11, UINT64_MAX, 4, text), HF_E_CORRUPT);
    void *get = NULL;
    ck_assert_int_eq(sink.ops->get_begin(sink.self, sink_ctx(&sink), "b", 0, 1, &get), HF_E_NOTFOUND);
    sink_free(&sink);
}
END_TEST

static int add_name(void *arg, const struct hf_object *object)
{
    char *text = arg;
    strcat(strcat(text, object->key), " ");
    return strcmp(object->key, "stop") == 0 ? 7 : 0;
}

START_TEST(test_list)
{
    struct sink sink = sink_new(NULL, false);
    struct hf_ctx *ctx = sink_ctx(&sink);
    char text[400] = "", path[200];
    static const char *const names[] = {"b_2", "a_1", "B_3", "b_10", ".hidden", "with space", "b_1", "b_1.x~"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        folder_write(&sink, names[i], "");
    snprintf(path, sizeof(path), "%s/b_folder", sink.path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/b_link", sink.path);
    ck_assert_int_eq(symlink("b_1", path), 0);
    void *put = sink_put_open(&sink, "b_0", 10, 'x');
    ck_assert_int_eq(sink.ops->list(sink.self, ctx, "", add_name, text), HF_OK);
    ck_assert_str_eq(text, "B_3 a_1 b_1 b_10 b_2 ");
    *text = 0;
    ck_assert_int_eq(sink.ops->list(sink.self, ctx, "b_1", add_name, text), HF_OK);
    ck_assert_str_eq(text, "b_1 b_10 ");
    sink.ops->put_abort(put, ctx);
    folder_write(&sink, "stop", "");
    folder_write(&sink, "then", "");
    *text = 0;
    ck_assert_int_eq(sink.ops->list(sink.self, ctx, "", add_name, text), 7);
    ck_assert_ptr_null(strstr(text, "then"));
    struct hf_object object;
    ck_assert_int_eq(sink.ops->stat(sink.self, ctx, "b_folder", &object), HF_E_NOTFOUND);
    ck_assert_int_eq(sink.ops->stat(sink.self, ctx, "b_link", &object), HF_E_NOTFOUND);
    void *get = NULL;
    ck_assert_int_eq(sink.ops->get_begin(sink.self, ctx, "b_link", 0, 1, &get), HF_E_NOTFOUND);
    sink_free(&sink);
}
END_TEST

START_TEST(test_never_replaces)
{
    struct sink sink = sink_new(NULL, false);
    struct hf_ctx *ctx = sink_ctx(&sink);
    folder_write(&sink, "a.gz", "foreign");
    ck_assert_int_eq(sink_put(&sink, "a.gz", 10, 'x'), HF_E_EXISTS);
    /* Taken after the put began. */
    void *put = sink_put_open(&sink, "b.gz", 10, 'x');
    folder_write(&sink, "b.gz", "foreign");
    ck_assert_int_eq(sink.ops->put_prepare(put, ctx), HF_OK);
    ck_assert_int_eq(sink.ops->put_commit(put, ctx), HF_E_EXISTS);
    sink.ops->put_abort(put, ctx);
    ck_assert_int_eq(folder_count(sink.path), 2);
    struct hf_object object;
    ck_assert_int_eq(sink.ops->stat(sink.self, ctx, "b.gz", &object), HF_OK);
    ck_assert_uint_eq(object.bytes, strlen("foreign"));
    sink_free(&sink);
}
END_TEST

struct racer {
    struct sink *sink;
    pthread_barrier_t *barrier;
    int fill, status;
};

static void *race(void *arg)
{
    struct racer *racer = arg;
    struct sink *sink = racer->sink;
    void *put = sink_put_open(sink, "a.gz", 3 << 20, racer->fill);
    ck_assert_int_eq(sink->ops->put_prepare(put, sink_ctx(sink)), HF_OK);
    pthread_barrier_wait(racer->barrier);
    racer->status = sink->ops->put_commit(put, sink_ctx(sink));
    if (racer->status != HF_OK)
        sink->ops->put_abort(put, sink_ctx(sink));
    return NULL;
}

START_TEST(test_race)
{
    enum { RACERS = 4, ROUNDS = 20 };
    struct sink sink = sink_new(NULL, false);
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_t barrier;
        pthread_t threads[RACERS];
        struct racer racers[RACERS];
        int winners = 0;
        pthread_barrier_init(&barrier, NULL, RACERS);
        for (int i = 0; i < RACERS; i++) {
            racers[i] = (struct racer){&sink, &barrier, 'a' + i, 0};
            ck_assert_int_eq(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
        }
        for (int i = 0; i < RACERS; i++) {
            pthread_join(threads[i], NULL);
            ck_assert(racers[i].status == HF_OK || racers[i].status == HF_E_EXISTS);
            winners += racers[i].status == HF_OK;
        }
        pthread_barrier_destroy(&barrier);
        ck_assert_int_eq(winners, 1);
        ck_assert_int_eq(folder_count(sink.path), 1);
        ck_assert_int_eq(sink.ops->remove(sink.self, sink_ctx(&sink), "a.gz"), HF_OK);
    }
    sink_free(&sink);
}
END_TEST

static void leave_partial(struct sink *sink, const char *key)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        (void)sink_put_open(sink, key, 100000, 'x');
        raise(SIGKILL);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
}

START_TEST(test_sweep)
{
    struct sink sink = sink_new(NULL, false);
    struct hf_ctx *ctx = sink_ctx(&sink);
    char text[400] = "", key[241];
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = 0;
    ck_assert_int_eq(sink_put(&sink, "pg_1.gz", 10, 'x'), HF_OK);
    folder_write(&sink, ".foreign", "");
    folder_write(&sink, ".nfs000000000000a1b200000001",
                 ""); /* what an NFS client makes of an open file that is removed */
    leave_partial(&sink, "pg_2.gz");
    leave_partial(&sink, "other_2.gz");
    leave_partial(&sink, key);
    ck_assert_int_eq(folder_count(sink.path), 6);
    ck_assert_int_eq(sink.ops->list(sink.self, ctx, "", add_name, text), HF_OK);
    ck_assert_str_eq(text, "pg_1.gz ");
    ck_assert_int_eq(sink.ops->sweep(sink.self, ctx, "pg_", 60000), HF_ALONE);
    ck_assert_int_eq(folder_count(sink.path), 7); /* and the lock */
    ck_assert_int_eq(sink.ops->sweep(sink.self, ctx, "pg_", 0), HF_ALONE);
    ck_assert_int_eq(folder_count(sink.path), 6);
    ck_assert_int_eq(sink.ops->sweep(sink.self, ctx, key, 0), HF_ALONE);
    ck_assert_int_eq(folder_count(sink.path), 5);
    ck_assert(folder_has(&sink, "pg_1.gz") && folder_has(&sink, ".foreign"));
    ck_assert_int_eq(sink.ops->sweep(sink.self, ctx, "", 0), HF_ALONE);
    ck_assert_int_eq(folder_count(sink.path), 4);
    /* What was left does not stand in the way. */
    ck_assert_int_eq(sink_put(&sink, "pg_2.gz", 10, 'x'), HF_OK);
    sink_free(&sink);
}
END_TEST

/* An object whose key tells nothing of its profile is found by its owner; so older cores, which know no owners, put. */
START_TEST(test_owner)
{
    struct sink sink = sink_new(NULL, false);
    struct hf_ctx *ctx = sink_ctx(&sink);
    struct hf_put_request request = {
        .size = sizeof(request), .key = "roles_pg_1.gz", .media = "application/gzip", .owner = "pg_roles_1.gz"};
    struct hf_block block = {.size = sizeof(block), .data = (const unsigned char *)"x", .used = 1};
    void *put = NULL;
    ck_assert_int_eq(sink.ops->put_begin(sink.self, ctx, &request, &put), HF_OK);
    ck_assert_int_eq(sink.ops->put_write(put, ctx, &block), HF_OK);
    ck_assert_int_eq(sink.ops->sweep(sink.self, ctx, "roles_", 0), HF_ALONE);
    ck_assert_int_eq(sink.ops->put_commit(put, ctx), HF_OK);
    ck_assert(folder_has(&sink, "roles_pg_1.gz"));
    request.key = "roles_pg_2.gz";
    ck_assert_int_eq(sink.ops->put_begin(sink.self, ctx, &request, &put), HF_OK);
    ck_assert_int_eq(sink.ops->sweep(sink.self, ctx, "pg_", 0),
                     HF_ALONE); /* as the next run would, had this one crashed */
    ck_assert_int_eq(sink.ops->put_commit(put, ctx), HF_E_IO);
    sink.ops->put_abort(put, ctx);
    ck_assert(!folder_has(&sink, "roles_pg_2.gz"));
    request.owner = "../pg";
    ck_assert_int_eq(sink.ops->put_begin(sink.self, ctx, &request, &put), HF_E_REFUSED);
    request.size = offsetof(struct hf_put_request, owner);
    ck_assert_int_eq(sink.ops->put_begin(sink.self, ctx, &request, &put), HF_OK);
    sink.ops->put_abort(put, ctx);
    sink_free(&sink);
}
END_TEST

/* Another run: an instance of its own, here in another process. */
static int sweep_elsewhere(struct sink *sink, const char *prefix, bool crash)
{
    const struct hf_plugin *plugin = holdfast_module_v1()->plugins[0];
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        void *self = NULL;
        int code = plugin->open(sink_ctx(sink), sink->config, &self);
        code = code == HF_OK ? sink->ops->sweep(self, sink_ctx(sink), prefix, 0) : code;
        if (crash)
            raise(SIGKILL);
        plugin->close(self);
        _exit(code < 0 ? -code : 100 + code);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status))
        return 1;
    return WEXITSTATUS(status) >= 100 ? WEXITSTATUS(status) - 100 : -WEXITSTATUS(status);
}

START_TEST(test_one_run_at_a_time)
{
    struct sink sink = sink_new(NULL, false);
    struct hf_ctx *ctx = sink_ctx(&sink);
    ck_assert_int_eq(sink.ops->sweep(sink.self, ctx, "pg_", 0), HF_ALONE);
    void *put = sink_put_open(&sink, "pg_1.gz", 10, 'x');
    ck_assert_int_eq(sweep_elsewhere(&sink, "pg_", false), HF_E_BUSY);
    ck_assert_int_eq(sweep_elsewhere(&sink, "other_", false), HF_ALONE);
    ck_assert_int_eq(sink.ops->sweep(sink.self, ctx, "next_", 0), HF_ALONE);
    ck_assert_int_eq(sink.ops->put_commit(put, ctx), HF_OK);
    ck_assert_int_eq(folder_count(sink.path), 2);
    /* A crash leaves no lock, and the next run takes away what it left. */
    ck_assert_int_eq(sweep_elsewhere(&sink, "pg_", true), 1);
    ck_assert(folder_has(&sink, ".holdfast-lock.pg_"));
    ck_assert_int_eq(sweep_elsewhere(&sink, "pg_", false), HF_ALONE);
    ck_assert(!folder_has(&sink, ".holdfast-lock.pg_"));
    /* Where no file can be made, no lock is needed. */
    fault_set(CALL_OPENAT, 0, EROFS);
    ck_assert_int_eq(sink.ops->sweep(sink.self, ctx, "ro_", 0), HF_OK);
    fault_clear();
    sink_free(&sink);
}
END_TEST

START_TEST(test_remove_and_names)
{
    static const char *const bad[] = {"", ".", "..", ".hidden", "a/b", "../a", "/etc/passwd", "a b", "ä"};
    struct sink sink = sink_new(NULL, false);
    struct hf_ctx *ctx = sink_ctx(&sink);
    struct hf_object object;
    void *handle = NULL;
    ck_assert_int_eq(sink_put(&sink, "a.gz", 10, 'x'), HF_OK);
    ck_assert_int_eq(sink.ops->remove(sink.self, ctx, "a.gz"), HF_OK);
    ck_assert_int_eq(sink.ops->remove(sink.self, ctx, "a.gz"), HF_OK);
    ck_assert_int_eq(folder_count(sink.path), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct hf_put_request request = {.size = sizeof(request), .key = bad[i]};
        ck_assert_int_eq(sink.ops->remove(sink.self, ctx, bad[i]), HF_E_REFUSED);
        ck_assert_int_eq(sink.ops->stat(sink.self, ctx, bad[i], &object), HF_E_REFUSED);
        ck_assert_int_eq(sink.ops->get_begin(sink.self, ctx, bad[i], 0, 1, &handle), HF_E_REFUSED);
        ck_assert_int_eq(sink.ops->put_begin(sink.self, ctx, &request, &handle), HF_E_REFUSED);
    }
    sink_free(&sink);
}
END_TEST

START_TEST(test_missing_folder)
{
    struct sink sink = sink_new(NULL, true);
    struct hf_ctx *ctx = sink_ctx(&sink);
    struct hf_object object;
    char text[100] = "";
    void *get = NULL;
    ck_assert_int_eq(sink_put(&sink, "a.gz", 10, 'x'), HF_E_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(fake_hint(sink.fake), "mkdir -p"));
    ck_assert_int_eq(sink.ops->check(sink.self, ctx), HF_E_UNREACHABLE);
    ck_assert_int_eq(sink.ops->stat(sink.self, ctx, "a.gz", &object), HF_E_UNREACHABLE);
    ck_assert_int_eq(sink.ops->get_begin(sink.self, ctx, "a.gz", 0, 1, &get), HF_E_UNREACHABLE);
    ck_assert_int_eq(sink.ops->list(sink.self, ctx, "", add_name, text), HF_E_UNREACHABLE);
    ck_assert_int_eq(sink.ops->remove(sink.self, ctx, "a.gz"), HF_E_UNREACHABLE);
    ck_assert_int_eq(sink.ops->sweep(sink.self, ctx, "", 0), HF_E_UNREACHABLE);
    ck_assert_int_ne(access(sink.path, F_OK), 0);
    sink_free(&sink);
}
END_TEST

START_TEST(test_create)
{
    struct sink sink = sink_new((const char *const[]){"create", "yes", NULL}, true);
    struct hf_ctx *ctx = sink_ctx(&sink);
    struct hf_object object;
    char text[100] = "";
    ck_assert_int_eq(sink.ops->check(sink.self, ctx), HF_OK);
    ck_assert_ptr_nonnull(fake_find(sink.fake, "folder-missing"));
    ck_assert_int_eq(sink.ops->list(sink.self, ctx, "", add_name, text), HF_OK);
    ck_assert_int_eq(sink.ops->sweep(sink.self, ctx, "", 0), HF_OK);
    ck_assert_int_eq(sink.ops->stat(sink.self, ctx, "a.gz", &object), HF_E_NOTFOUND);
    ck_assert_int_ne(access(sink.path, F_OK), 0);
    ck_assert_int_eq(sink_put(&sink, "a.gz", 10, 'x'), HF_OK);
    ck_assert(folder_has(&sink, "a.gz"));
    sink_free(&sink);
}
END_TEST

START_TEST(test_check)
{
    struct sink sink = sink_new(NULL, false);
    struct hf_ctx *ctx = sink_ctx(&sink);
    ck_assert_int_eq(sink.ops->check(sink.self, ctx), HF_OK);
    ck_assert_int_eq(folder_count(sink.path), 0);
    fault_set(CALL_OPENAT, 1, EOPNOTSUPP);
    ck_assert_int_eq(sink.ops->check(sink.self, ctx), HF_OK);
    ck_assert_int_eq(folder_count(sink.path), 0);
    fault_set(CALL_OPENAT, 1, EROFS);
    ck_assert_int_eq(sink.ops->check(sink.self, ctx), HF_E_AUTH);
    ck_assert_ptr_nonnull(strstr(fake_hint(sink.fake), "read-only"));
    fault_clear();
    ck_assert_int_eq(rmdir(sink.path), 0);
    FILE *file = fopen(sink.path, "w");
    ck_assert(file && fclose(file) == 0);
    fake_clear(sink.fake);
    ck_assert_int_eq(sink.ops->check(sink.self, ctx), HF_E_IO);
    ck_assert_ptr_nonnull(strstr(fake_error(sink.fake), "is not a folder"));
    sink_free(&sink);
}
END_TEST

START_TEST(test_bad_mode)
{
    static const char *const bad[] = {"", "rw", "0999", "01777", "0040", "-1", "640x"};
    const struct hf_plugin *plugin = holdfast_module_v1()->plugins[0];
    struct fake *fake = fake_new();
    ck_assert_int_eq(holdfast_module_v1()->init(fake_host_table()), HF_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct hf_config *config = fake_config_new(plugin->options, plugin->option_count,
                                                   (const char *const[]){"path", "/tmp", "mode", bad[i], NULL});
        void *self = NULL;
        ck_assert_int_eq(plugin->open(fake_ctx(fake), config, &self), HF_E_CONFIG);
        fake_config_free(config);
    }
    fake_free(fake);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dir");
    TCase *tcase = tcase_create("sink");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, test_put_and_get);
    tcase_add_test(tcase, test_room);
    tcase_add_test(tcase, test_short_writes);
    tcase_add_test(tcase, test_ranges);
    tcase_add_test(tcase, test_list);
    tcase_add_test(tcase, test_never_replaces);
    tcase_add_test(tcase, test_race);
    tcase_add_test(tcase, test_sweep);
    tcase_add_test(tcase, test_owner);
    tcase_add_test(tcase, test_one_run_at_a_time);
    tcase_add_test(tcase, test_remove_and_names);
    tcase_add_test(tcase, test_missing_folder);
    tcase_add_test(tcase, test_create);
    tcase_add_test(tcase, test_check);
    tcase_add_test(tcase, test_bad_mode);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, dir_fault_cases());
    suite_add_tcase(suite, dir_place_cases());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
