/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose the files are, and how much room they leave.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dir_test.h"

static struct stat look_at(const struct sink *sink, const char *name)
{
    char path[400];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", sink->path, name);
    ck_assert_int_eq(stat(path, &st), 0);
    return st;
}

START_TEST(test_owner)
{
    static const struct {
        const char *owner;
        unsigned user, group;
    } cases[] = {
        {"1234", 1234, 0}, {"nobody", 65534, 65534}, {"nobody:daemon", 65534, 1}, {":bin", 0, 2}, {"7:8", 7, 8}};
    if (geteuid() != 0) {
        fprintf(stderr, "only root may give files away: the test of owners is skipped\n");
        return;
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sink sink = sink_new((const char *const[]){"owner", cases[i].owner, "mode", "0440", NULL}, false);
        ck_assert_msg(sink_put(&sink, "a.gz", 10, 'a') == HF_OK, "%s", fake_error(sink.fake));
        struct stat st = look_at(&sink, "a.gz");
        ck_assert_uint_eq(st.st_uid, cases[i].user);
        ck_assert_uint_eq(st.st_gid, cases[i].group);
        ck_assert_uint_eq(st.st_mode & 07777, 0440);
        ck_assert_int_eq(sink.ops->check(sink.self, sink_ctx(&sink)), HF_OK);
        sink_free(&sink);
    }
}
END_TEST

START_TEST(test_owner_fails)
{
    struct sink sink = sink_new((const char *const[]){"owner", "no-such-user", NULL}, false);
    ck_assert_int_eq(sink_put(&sink, "a.gz", 10, 'a'), HF_E_CONFIG);
    ck_assert_ptr_nonnull(strstr(fake_error(sink.fake), "there is no user 'no-such-user'"));
    ck_assert_int_eq(sink.ops->check(sink.self, sink_ctx(&sink)), HF_E_CONFIG);
    ck_assert_int_eq(folder_count(sink.path), 0);
    sink_free(&sink);
    sink = sink_new((const char *const[]){"owner", "1:no-such-group", NULL}, false);
    ck_assert_int_eq(sink_put(&sink, "a.gz", 10, 'a'), HF_E_CONFIG);
    sink_free(&sink);
    sink = sink_new((const char *const[]){"owner", "4321", NULL}, false);
    fault_set(CALL_FCHOWN, 1, EPERM);
    ck_assert_int_eq(sink_put(&sink, "a.gz", 10, 'a'), HF_E_AUTH);
    ck_assert_int_eq(fault_hit(), 1);
    fault_clear();
    ck_assert_ptr_nonnull(strstr(fake_hint(sink.fake), "only root"));
    ck_assert_int_eq(folder_count(sink.path), 0);
    sink_free(&sink);
    /* Whose they are already, nobody is asked for. */
    char self[32];
    snprintf(self, sizeof(self), "%u:%u", (unsigned)geteuid(), (unsigned)getegid());
    sink = sink_new((const char *const[]){"owner", self, NULL}, false);
    fault_set(CALL_FCHOWN, 1, EPERM);
    ck_assert_int_eq(sink_put(&sink, "a.gz", 10, 'a'), HF_OK);
    fault_clear();
    sink_free(&sink);
}
END_TEST

START_TEST(test_bad_values)
{
    static const char *const bad[][2] = {{"owner", ""},
                                         {"owner", ":"},
                                         {"owner", "a:"},
                                         {"owner", "a:b:c"},
                                         {"reserve", "0"},
                                         {"reserve", "0%"},
                                         {"reserve", "100%"},
                                         {"reserve", "10%%"},
                                         {"reserve", "-1G"},
                                         {"reserve", "1X"},
                                         {"reserve", "inf"},
                                         {"reserve", "1e3%"},
                                         {"reserve", "1GiBB"},
                                         {"reserve", "1.5G"},
                                         {"reserve", ""},
                                         {"reserve", "%"},
                                         {"reserve", "1G%"},
                                         {"reserve", " 10%"},
                                         {"reserve", "99999999999999999999"}};
    const struct hf_plugin *plugin = holdfast_module_v1()->plugins[0];
    struct fake *fake = fake_new();
    ck_assert_int_eq(holdfast_module_v1()->init(fake_host_table()), HF_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct hf_config *config = fake_config_new(plugin->options, plugin->option_count,
                                                   (const char *const[]){"path", "/tmp", bad[i][0], bad[i][1], NULL});
        void *self = NULL;
        ck_assert_msg(plugin->open(fake_ctx(fake), config, &self) == HF_E_CONFIG, "%s = %s", bad[i][0], bad[i][1]);
        fake_config_free(config);
    }
    fake_free(fake);
}
END_TEST

static int put_record(struct sink *sink, const char *key)
{
    struct hf_put_request request = {.size = sizeof(request), .key = key, .size_hint = 4096};
    unsigned char data[4096] = {0};
    struct hf_block block = {.size = sizeof(block), .data = data, .used = sizeof(data)};
    void *put = NULL;
    int status = sink->ops->put_begin(sink->self, sink_ctx(sink), &request, &put);
    if (status != HF_OK)
        return status;
    status = sink->ops->put_write(put, sink_ctx(sink), &block);
    if (status == HF_OK)
        status = sink->ops->put_commit(put, sink_ctx(sink));
    if (status != HF_OK)
        sink->ops->put_abort(put, sink_ctx(sink));
    return status;
}

/* On a file system of 64 MiB. */
static void try_reserve(const char *reserve)
{
    enum { MIB = 1 << 20 };
    struct sink sink = sink_new((const char *const[]){"reserve", reserve, NULL}, false);
    struct hf_ctx *ctx = sink_ctx(&sink);
    ck_assert_int_eq(mount("none", sink.path, "tmpfs", 0, "size=64m"), 0);
    ck_assert_int_eq(sink.ops->expect(sink.self, ctx, 0), HF_OK);
    ck_assert_int_eq(sink.ops->expect(sink.self, ctx, 31 * MIB), HF_OK);
    ck_assert_int_eq(sink.ops->expect(sink.self, ctx, 33 * MIB), HF_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(fake_error(sink.fake), "about 33 MiB"));
    ck_assert_ptr_nonnull(strstr(fake_error(sink.fake), "reserve of 32 MiB"));
    ck_assert(*fake_hint(sink.fake));
    ck_assert_int_eq(sink.ops->expect(sink.self, ctx, UINT64_MAX), HF_E_REFUSED);
    fake_clear(sink.fake);
    /* What turns out larger stops at the reserve, not at the end of the disk. */
    ck_assert_int_eq(sink_put(&sink, "large.gz", 60 * MIB, 'a'), HF_E_NOSPACE);
    ck_assert_ptr_nonnull(strstr(fake_error(sink.fake), "would leave less than the reserve of 32 MiB"));
    ck_assert_int_eq(folder_count(sink.path), 0);
    fake_clear(sink.fake);
    struct hf_put_request request = {.size = sizeof(request), .key = "known.gz", .size_hint = 40 * MIB};
    void *put = NULL;
    ck_assert_int_eq(sink.ops->put_begin(sink.self, ctx, &request, &put), HF_E_NOSPACE);
    ck_assert_int_eq(folder_count(sink.path), 0);
    ck_assert_int_eq(sink_put(&sink, "fits.gz", 30 * MIB, 'a'), HF_OK);
    ck_assert_int_eq(sink.ops->check(sink.self, ctx), HF_OK);
    /* Others fill it. What helps to remove backups can still be written. */
    char path[400];
    snprintf(path, sizeof(path), "%s/.filler", sink.path);
    FILE *file = fopen(path, "w");
    ck_assert(file && ftruncate(fileno(file), 0) == 0);
    char piece[4096] = {1};
    for (int i = 0; i < 8 * MIB / 4096; i++)
        ck_assert_uint_eq(fwrite(piece, 1, sizeof(piece), file), sizeof(piece));
    ck_assert_int_eq(fclose(file), 0);
    fake_clear(sink.fake);
    ck_assert_int_eq(sink.ops->expect(sink.self, ctx, 0), HF_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(fake_error(sink.fake), "only 26 MiB"));
    ck_assert_int_eq(sink.ops->check(sink.self, ctx), HF_E_REFUSED);
    ck_assert_int_eq(put_record(&sink, "p_20260201_120000.tar.gz"), HF_E_NOSPACE);
    ck_assert_int_eq(put_record(&sink, "p_20260201_120000.removing.json"), HF_OK);
    ck_assert_int_eq(umount(sink.path), 0);
    sink_free(&sink);
}

START_TEST(test_reserve)
{
    struct sink sink = sink_new(NULL, false);
    int rc = mount("none", sink.path, "tmpfs", 0, "size=1m");
    if (rc == 0)
        ck_assert_int_eq(umount(sink.path), 0);
    sink_free(&sink);
    if (rc != 0) {
        fprintf(stderr, "cannot mount a small tmpfs (%s): the test of the reserve is skipped\n", strerror(errno));
        return;
    }
    try_reserve("50%");
    try_reserve("50.0%");
    try_reserve("32M");
    try_reserve("32MiB");
    try_reserve("33554432");
}
END_TEST

START_TEST(test_reserve_of_a_folder_to_be_made)
{
    struct sink sink = sink_new((const char *const[]){"reserve", "1000T", "create", "yes", NULL}, true);
    ck_assert_int_eq(sink.ops->expect(sink.self, sink_ctx(&sink), 0), HF_E_REFUSED);
    ck_assert_int_eq(folder_count(sink.base), 0);
    sink_free(&sink);
    sink = sink_new((const char *const[]){"reserve", "1000T", NULL}, true);
    ck_assert_int_eq(sink.ops->expect(sink.self, sink_ctx(&sink), 0), HF_E_UNREACHABLE);
    sink_free(&sink);
    sink = sink_new(NULL, true);
    ck_assert_int_eq(sink.ops->expect(sink.self, sink_ctx(&sink), UINT64_MAX), HF_OK);
    sink_free(&sink);
}
END_TEST

TCase *dir_place_cases(void)
{
    TCase *tcase = tcase_create("place");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, test_owner);
    tcase_add_test(tcase, test_owner_fails);
    tcase_add_test(tcase, test_bad_values);
    tcase_add_test(tcase, test_reserve);
    tcase_add_test(tcase, test_reserve_of_a_folder_to_be_made);
    return tcase;
}
