/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever fails: a clear error, nothing visible, nothing left.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dir_test.h"

enum { SIZE = 20 << 20 };

START_TEST(test_each_call_fails)
{
    static const struct {
        enum call call;
        int count, error, code;
        const char *says;
    } faults[] = {
        {CALL_OPENAT, 1, EMFILE, HF_E_IO, "cannot create"},
        {CALL_OPENAT, 1, EROFS, HF_E_AUTH, "cannot create"},
        {CALL_OPENAT, 1, EACCES, HF_E_AUTH, "cannot create"},
        {CALL_WRITE, 1, ENOSPC, HF_E_NOSPACE, "cannot write"},
        {CALL_WRITE, 7, EDQUOT, HF_E_NOSPACE, "cannot write"},
        {CALL_WRITE, 20, EIO, HF_E_IO, "cannot write"},
        {CALL_SYNC_FILE_RANGE, 1, EIO, HF_E_IO, "cannot write"},
        {CALL_FCHMOD, 1, EIO, HF_E_IO, "permissions"},
        {CALL_FSYNC, 1, EIO, HF_E_IO, "cannot flush"},
        {CALL_FSYNC, 1, ENOSPC, HF_E_NOSPACE, "cannot flush"},
        {CALL_CLOSE, 1, EIO, HF_E_IO, "cannot close"},
        {CALL_FSTAT, 1, EIO, HF_E_IO, "cannot look at"},
        {CALL_STAT, 1, ENOENT, HF_E_UNREACHABLE, "removed or replaced"},
        {CALL_RENAMEAT2, 1, EIO, HF_E_IO, "cannot store"},
        {CALL_RENAMEAT2, 1, EEXIST, HF_E_EXISTS, "cannot store"},
        {CALL_RENAMEAT2, 1, ENOENT, HF_E_IO, "cannot store"},
        {CALL_FSYNC, 2, EIO, HF_E_IO, "cannot flush"},
        {CALL_STAT, 2, ENOENT, HF_E_UNREACHABLE, "removed or replaced"},
    };
    struct sink sink = sink_new(NULL, false);
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        fake_clear(sink.fake);
        fault_set(faults[i].call, faults[i].count, faults[i].error);
        int code = sink_put(&sink, "a.gz", SIZE, 'a');
        int hit = fault_hit();
        fault_clear();
        ck_assert_msg(hit == 1 && code == faults[i].code, "fault %zu: hit %d, code %d, '%s'", i, hit, code,
                      fake_error(sink.fake));
        ck_assert_msg(strstr(fake_error(sink.fake), faults[i].says) != NULL, "'%s'", fake_error(sink.fake));
        ck_assert_msg(strstr(fake_error(sink.fake), sink.path) != NULL, "'%s'", fake_error(sink.fake));
        if (code == HF_E_NOSPACE || code == HF_E_AUTH || code == HF_E_UNREACHABLE)
            ck_assert(*fake_hint(sink.fake));
        ck_assert_int_eq(folder_count(sink.path), 0);
    }
    sink_free(&sink);
}
END_TEST

START_TEST(test_harmless_failures)
{
    static const struct {
        enum call call;
        int count, error;
    } faults[] = {
        {CALL_SYNC_FILE_RANGE, 0, EINVAL}, {CALL_SYNC_FILE_RANGE, 0, ENOSYS}, {CALL_WRITE, 3, EINTR},
        {CALL_FCHMOD, 1, EPERM},           {CALL_RENAMEAT2, 1, EINVAL},       {CALL_RENAMEAT2, 1, ENOSYS},
        {CALL_FSYNC, 2, EINVAL},
    };
    struct sink sink = sink_new(NULL, false);
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        char key[16];
        snprintf(key, sizeof(key), "%zu.gz", i);
        fault_set(faults[i].call, faults[i].count, faults[i].error);
        ck_assert_msg(sink_put(&sink, key, SIZE, 'a') == HF_OK, "%s", fake_error(sink.fake));
        ck_assert_int_gt(fault_hit(), 0);
        fault_clear();
        ck_assert_int_eq(folder_count(sink.path), (int)i + 1);
        struct hf_object object;
        ck_assert_int_eq(sink.ops->stat(sink.self, sink_ctx(&sink), key, &object), HF_OK);
        ck_assert_uint_eq(object.bytes, SIZE);
    }
    /* The way without renameat2 never replaces, either. */
    fault_set(CALL_RENAMEAT2, 0, ENOSYS);
    void *put = sink_put_open(&sink, "taken.gz", 10, 'a');
    folder_write(&sink, "taken.gz", "foreign");
    ck_assert_int_eq(sink.ops->put_commit(put, sink_ctx(&sink)), HF_E_EXISTS);
    sink.ops->put_abort(put, sink_ctx(&sink));
    fault_set(CALL_NONE, 0, 0);
    sink_free(&sink);
}
END_TEST

/* As over a network: the request is carried out, and its answer is lost. */
START_TEST(test_lost_answers)
{
    struct sink sink = sink_new(NULL, false);
    struct hf_object object;
    fault_set_lost(CALL_RENAMEAT2, 1, ENOENT);
    ck_assert_msg(sink_put(&sink, "renamed.gz", SIZE, 'a') == HF_OK, "%s", fake_error(sink.fake));
    ck_assert_int_eq(fault_hit(), 1);
    ck_assert_int_eq(sink.ops->stat(sink.self, sink_ctx(&sink), "renamed.gz", &object), HF_OK);
    ck_assert_int_eq(folder_count(sink.path), 1);
    fault_set_lost(CALL_UNLINKAT, 0, ENOENT);
    ck_assert_int_eq(sink.ops->remove(sink.self, sink_ctx(&sink), "renamed.gz"), HF_OK);
    ck_assert_int_eq(folder_count(sink.path), 0);
    /* Another's file of that name is not ours. */
    void *put = sink_put_open(&sink, "taken.gz", 10, 'a');
    folder_write(&sink, "taken.gz", "foreign");
    fault_set(CALL_RENAMEAT2, 1, ENOENT);
    ck_assert_int_eq(sink.ops->put_commit(put, sink_ctx(&sink)), HF_E_IO);
    fault_clear();
    sink.ops->put_abort(put, sink_ctx(&sink));
    ck_assert_int_eq(folder_count(sink.path), 1);
    sink_free(&sink);
}
END_TEST

START_TEST(test_flock_fails)
{
    struct sink sink = sink_new(NULL, false);
    fault_set(CALL_FLOCK, 0, ENOLCK);
    ck_assert_int_eq(sink.ops->sweep(sink.self, sink_ctx(&sink), "pg_", 0), HF_OK);
    fault_clear();
    ck_assert_ptr_nonnull(strstr(sink.fake->log, "would not notice each other"));
    sink_free(&sink);
}
END_TEST

static int ignore(void *arg, const struct hf_object *object)
{
    (void)arg, (void)object;
    return 0;
}

START_TEST(test_reading_fails)
{
    struct sink sink = sink_new(NULL, false);
    struct hf_ctx *ctx = sink_ctx(&sink);
    char data[5000];
    void *get = NULL;
    ck_assert_int_eq(sink_put(&sink, "a.gz", 10000, 'a'), HF_OK);
    ck_assert_int_eq(sink.ops->get_begin(sink.self, ctx, "a.gz", 1000, UINT64_MAX, &get), HF_OK);
    fault_set(CALL_PREAD, 2, EIO);
    ck_assert_int_eq(sink.ops->get_read(get, ctx, data, sizeof(data)), sizeof(data));
    ck_assert_int_eq(sink.ops->get_read(get, ctx, data, sizeof(data)), HF_E_IO);
    ck_assert_ptr_nonnull(strstr(fake_error(sink.fake), "/a.gz' at byte 6000"));
    fault_set(CALL_PREAD, 1, EINTR);
    ck_assert_int_eq(sink.ops->get_read(get, ctx, data, sizeof(data)), 4000);
    sink.ops->get_end(get);
    fault_set(CALL_READDIR, 1, EIO);
    ck_assert_int_eq(sink.ops->list(sink.self, ctx, "", ignore, NULL), HF_E_IO);
    fault_set(CALL_OPENAT, 1, EIO);
    ck_assert_int_eq(sink.ops->get_begin(sink.self, ctx, "a.gz", 0, 1, &get), HF_E_IO);
    fault_set(CALL_UNLINKAT, 1, EPERM);
    ck_assert_int_eq(sink.ops->remove(sink.self, ctx, "a.gz"), HF_E_AUTH);
    fault_set(CALL_FSYNC, 1, EIO);
    ck_assert_int_eq(sink.ops->remove(sink.self, ctx, "a.gz"), HF_E_IO);
    fault_clear();
    sink_free(&sink);
}
END_TEST

START_TEST(test_disk_full)
{
    struct sink sink = sink_new(NULL, false);
    if (mount("none", sink.path, "tmpfs", 0, "size=1m") != 0) {
        fprintf(stderr, "cannot mount a small tmpfs (%s): the disk-full test is skipped\n", strerror(errno));
        sink_free(&sink);
        return;
    }
    ck_assert_int_eq(sink_put(&sink, "small.gz", 300 << 10, 's'), HF_OK);
    ck_assert_int_eq(sink_put(&sink, "big.gz", 2 << 20, 'b'), HF_E_NOSPACE);
    ck_assert_ptr_nonnull(strstr(fake_hint(sink.fake), "bytes are free"));
    ck_assert_int_eq(folder_count(sink.path), 1);
    ck_assert(folder_has(&sink, "small.gz"));
    /* The space came back, and a nearly full disk is reported. */
    ck_assert_int_eq(sink_put(&sink, "fits.gz", 680 << 10, 'f'), HF_OK);
    fake_clear(sink.fake);
    ck_assert_int_eq(sink.ops->check(sink.self, sink_ctx(&sink)), HF_OK);
    ck_assert_ptr_nonnull(fake_find(sink.fake, "little-space"));
    ck_assert_int_eq(fake_worst(sink.fake), HF_WARNING);
    ck_assert_int_eq(umount(sink.path), 0);
    sink_free(&sink);
}
END_TEST

START_TEST(test_folder_vanishes)
{
    for (int replaced = 0; replaced < 2; replaced++) {
        struct sink sink = sink_new(NULL, false);
        char aside[128];
        snprintf(aside, sizeof(aside), "%s/aside", sink.base);
        void *put = sink_put_open(&sink, "a.gz", 1000, 'a');
        ck_assert_int_eq(rename(sink.path, aside), 0);
        if (replaced)
            ck_assert_int_eq(mkdir(sink.path, 0700), 0);
        ck_assert_int_eq(sink.ops->put_commit(put, sink_ctx(&sink)), HF_E_UNREACHABLE);
        sink.ops->put_abort(put, sink_ctx(&sink));
        ck_assert_int_eq(folder_count(aside), 0);
        if (replaced)
            ck_assert_int_eq(folder_count(sink.path), 0);
        sink_free(&sink);
    }
}
END_TEST

START_TEST(test_folder_removed)
{
    struct sink sink = sink_new(NULL, false);
    void *put = sink_put_open(&sink, "a.gz", 1000, 'a');
    char command[200];
    snprintf(command, sizeof(command), "rm -rf '%s'", sink.path);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(sink.ops->put_commit(put, sink_ctx(&sink)), HF_E_UNREACHABLE);
    sink.ops->put_abort(put, sink_ctx(&sink));
    sink_free(&sink);
}
END_TEST

TCase *dir_fault_cases(void)
{
    TCase *tcase = tcase_create("faults");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, test_each_call_fails);
    tcase_add_test(tcase, test_harmless_failures);
    tcase_add_test(tcase, test_lost_answers);
    tcase_add_test(tcase, test_flock_fails);
    tcase_add_test(tcase, test_reading_fails);
    tcase_add_test(tcase, test_disk_full);
    tcase_add_test(tcase, test_folder_vanishes);
    tcase_add_test(tcase, test_folder_removed);
    return tcase;
}
