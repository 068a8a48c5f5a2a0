/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing parts and reading them back.
 */
#include "raw_tar.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fake *fake;
static struct fake_part part;
static struct hf_writer writer;

static void setup(void)
{
    fake = fake_new();
    part = (struct fake_part){0};
    writer = (struct hf_writer){.fake = fake, .part = &part};
}

static void teardown(void)
{
    free(part.data);
    fake_free(fake);
}

static struct archive_entry *new_entry(const char *path, mode_t type, int64_t size)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, path);
    archive_entry_set_mode(entry, type | 0640);
    archive_entry_set_mtime(entry, 1600000000, 123456789);
    archive_entry_set_uid(entry, 3000000);
    archive_entry_set_gid(entry, 12);
    archive_entry_set_size(entry, size);
    return entry;
}

static void put(struct tar_out *out, const char *path, const char *data)
{
    struct archive_entry *entry = new_entry(path, S_IFREG, (int64_t)strlen(data));
    ck_assert_int_eq(tar_out_entry(out, entry), HF_OK);
    ck_assert_int_eq(tar_out_data(out, data, strlen(data)), HF_OK);
    ck_assert_int_eq(tar_out_entry_end(out), HF_OK);
    archive_entry_free(entry);
}

static struct tar_out *begin(void)
{
    struct tar_out *out = NULL;
    ck_assert_int_eq(tar_out_open(fake_host_table(), fake_ctx(fake), &writer, &out), HF_OK);
    return out;
}

static struct tar_in *read_back(struct hf_reader *reader, size_t size)
{
    struct tar_in *in = NULL;
    *reader = (struct hf_reader){.fake = fake, .data = part.data, .size = size};
    ck_assert_int_eq(tar_in_open(fake_host_table(), fake_ctx(fake), reader, &in), HF_OK);
    return in;
}

static char long_name[700];

static const char *const names[] = {
    "plain",
    "etc/app/x.conf",
    "caf\xc3\xa9",      /* é as one character */
    "cafe\xcc\x81",     /* é as two: must not become one */
    "latin-\xe9\xff",   /* not UTF-8 */
    "\xed\xa0\x80",     /* a lone surrogate */
    "\xf0\x9f\x93\xa6", /* beyond the basic plane */
    "back\\slash and space ",
    "new\nline",
    long_name,
};
#define NAMES (sizeof(names) / sizeof(*names))

static void make_long_name(void)
{
    for (size_t i = 0; i < sizeof(long_name) - 1; i++)
        long_name[i] = i % 200 == 199 ? '/' : (char)('a' + i % 26);
    long_name[sizeof(long_name) - 2] = '\xe4';
}

START_TEST(names_come_back_byte_for_byte)
{
    make_long_name();
    struct tar_out *out = begin();
    for (size_t i = 0; i < NAMES; i++)
        put(out, names[i], names[i]);
    for (size_t i = 0; i < NAMES; i++) {
        struct archive_entry *entry = new_entry("link", S_IFLNK, 0);
        archive_entry_set_symlink(entry, names[i]);
        ck_assert_int_eq(tar_out_entry(out, entry), HF_OK);
        ck_assert_int_eq(tar_out_entry_end(out), HF_OK);
        archive_entry_free(entry);
    }
    ck_assert_int_eq(tar_out_close(out, true), HF_OK);

    struct hf_reader reader;
    struct tar_in *in = read_back(&reader, part.used);
    struct archive_entry *entry;
    for (size_t i = 0; i < NAMES; i++) {
        ck_assert_int_eq(tar_in_next(in, &entry), HF_OK);
        ck_assert_str_eq(archive_entry_pathname(entry), names[i]);
        ck_assert_int_eq(archive_entry_size(entry), (int64_t)strlen(names[i]));
        ck_assert_int_eq(archive_entry_uid(entry), 3000000);
        ck_assert_int_eq(archive_entry_mtime_nsec(entry), 123456789);
        const void *data;
        size_t size;
        int64_t offset;
        ck_assert_int_eq(tar_in_data(in, &data, &size, &offset), HF_OK);
        ck_assert_mem_eq(data, names[i], size);
        ck_assert_int_eq(tar_in_data(in, &data, &size, &offset), HF_END);
    }
    for (size_t i = 0; i < NAMES; i++) {
        ck_assert_int_eq(tar_in_next(in, &entry), HF_OK);
        ck_assert_str_eq(archive_entry_symlink(entry), names[i]);
    }
    ck_assert_int_eq(tar_in_next(in, &entry), HF_END);
    ck_assert(tar_in_saw_end(in));
    tar_in_close(in);
    ck_assert_ptr_null(fake->log);
}
END_TEST

static void save(const char *path)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(part.data, 1, part.used, file), part.used);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(other_tools_read_the_names)
{
    make_long_name();
    for (int step = 0; step < 2; step++) { /* two parts, one archive */
        struct tar_out *out = begin();
        for (size_t i = (size_t)step; i < NAMES; i += 2)
            put(out, names[i], names[i]);
        ck_assert_int_eq(tar_out_close(out, step == 1), HF_OK);
    }
    char folder[] = "/tmp/holdfast-tar-XXXXXX", path[64], command[256];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/a.tar", folder);
    save(path);
    snprintf(command, sizeof(command), "cd %s && mkdir x && tar -xf a.tar -C x 2>err && ! grep -v hdrcharset err",
             folder);
    ck_assert_int_eq(system(command), 0);
    for (size_t i = 0; i < NAMES; i++) {
        char there[1024];
        struct stat st;
        snprintf(there, sizeof(there), "%s/x/%s", folder, names[i]);
        ck_assert_msg(stat(there, &st) == 0, "'%s' is missing", names[i]);
        ck_assert_int_eq(st.st_size, (int64_t)strlen(names[i]));
        ck_assert_int_eq(st.st_mtim.tv_nsec, 123456789);
    }
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(parts_read_alone_and_together)
{
    struct tar_out *out = begin();
    put(out, "a", "one");
    ck_assert_int_eq(tar_out_close(out, false), HF_OK);
    size_t first = part.used;
    ck_assert_uint_eq(first % 512, 0);
    out = begin();
    put(out, "b", "two");
    ck_assert_int_eq(tar_out_close(out, false), HF_OK);
    size_t second = part.used;
    out = begin();
    ck_assert_int_eq(tar_out_close(out, true), HF_OK);
    ck_assert_uint_eq(part.used, second + 1024);

    struct hf_reader reader;
    struct archive_entry *entry;
    struct tar_in *in = read_back(&reader, first);
    ck_assert_int_eq(tar_in_next(in, &entry), HF_OK);
    ck_assert_int_eq(tar_in_next(in, &entry), HF_END);
    ck_assert(!tar_in_saw_end(in));
    tar_in_close(in);

    in = read_back(&reader, part.used);
    ck_assert_int_eq(tar_in_next(in, &entry), HF_OK);
    ck_assert_int_eq(tar_in_next(in, &entry), HF_OK);
    ck_assert_str_eq(archive_entry_pathname(entry), "b");
    ck_assert_int_eq(tar_in_next(in, &entry), HF_END);
    ck_assert_int_eq(tar_in_next(in, &entry), HF_END);
    ck_assert(tar_in_saw_end(in));
    tar_in_close(in);

    memmove(part.data, part.data + second, 1024);
    in = read_back(&reader, 1024);
    ck_assert_int_eq(tar_in_next(in, &entry), HF_END);
    ck_assert(tar_in_saw_end(in));
    tar_in_close(in);
    in = read_back(&reader, 512); /* half a marker is none */
    ck_assert_int_eq(tar_in_next(in, &entry), HF_END);
    ck_assert(!tar_in_saw_end(in));
    tar_in_close(in);
    in = read_back(&reader, 0);
    ck_assert_int_eq(tar_in_next(in, &entry), HF_END);
    ck_assert(!tar_in_saw_end(in));
    tar_in_close(in);
}
END_TEST

static int read_all(size_t size)
{
    struct hf_reader reader = {.fake = fake, .data = part.data, .size = size};
    struct tar_in *in = NULL;
    struct archive_entry *entry;
    int code = tar_in_open(fake_host_table(), fake_ctx(fake), &reader, &in);
    while (code == HF_OK && (code = tar_in_next(in, &entry)) == HF_OK) {
        const void *data;
        size_t length;
        int64_t offset;
        while ((code = tar_in_data(in, &data, &length, &offset)) == HF_OK)
            ;
        code = code == HF_END ? HF_OK : code;
    }
    tar_in_close(in);
    return code;
}

START_TEST(a_truncated_part_is_corrupt)
{
    char data[3001] = {0};
    memset(data, 'x', 3000);
    struct tar_out *out = begin();
    put(out, "a", data);
    ck_assert_int_eq(tar_out_close(out, false), HF_OK);
    size_t first = part.used;
    out = begin();
    put(out, "b", data);
    ck_assert_int_eq(tar_out_close(out, false), HF_OK);
    for (size_t size = 1; size <= part.used; size += size % 512 > 500 || size % 512 < 5 ? 1 : 50) {
        fake_clear(fake);
        int code = read_all(size);
        if (size == first || size == part.used)
            ck_assert_int_eq(code, HF_END);
        else
            ck_assert_msg(code == HF_E_CORRUPT && *fake_error(fake), "%zu bytes: %d", size, code);
    }
}
END_TEST

START_TEST(missing_data_become_zeros_and_surplus_fails)
{
    struct tar_out *out = begin();
    struct archive_entry *entry = new_entry("short", S_IFREG, 200000);
    ck_assert_int_eq(tar_out_entry(out, entry), HF_OK);
    ck_assert_int_eq(tar_out_data(out, "abc", 3), HF_OK);
    ck_assert_int_eq(tar_out_entry_end(out), HF_OK);
    archive_entry_free(entry);
    entry = new_entry("surplus", S_IFREG, 2);
    ck_assert_int_eq(tar_out_entry(out, entry), HF_OK);
    ck_assert_int_eq(tar_out_data(out, "abc", 3), HF_E_FAIL);
    archive_entry_free(entry);
    tar_out_abort(out);
    ck_assert_mem_eq(part.data + part.used - 512, "surplus", 8);
    struct hf_reader reader;
    struct tar_in *in = read_back(&reader, part.used);
    ck_assert_int_eq(tar_in_next(in, &entry), HF_OK);
    ck_assert_int_eq(archive_entry_size(entry), 200000);
    ck_assert_int_eq(tar_in_next(in, &entry), HF_OK);
    tar_in_close(in);
}
END_TEST

START_TEST(a_stopped_pipeline_stops_the_tar)
{
    fake->fail_write_after = 5000;
    struct tar_out *out = begin();
    struct archive_entry *entry = new_entry("big", S_IFREG, 1 << 20);
    int code = tar_out_entry(out, entry);
    char data[4096] = {0};
    for (int i = 0; i < 256 && code == HF_OK; i++)
        code = tar_out_data(out, data, sizeof(data));
    ck_assert_int_eq(code, HF_E_IO);
    ck_assert_int_eq(tar_out_close(out, true), HF_E_IO);
    archive_entry_free(entry);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "made to fail"));
}
END_TEST

START_TEST(attributes_and_lists_come_back)
{
    static const char value[] = "line\none\0two";
    static const unsigned char acl[] = {2, 0,   0,   0,   1,   0,   6,  0, 255, 255, 255, 255, 2,   0,  7,
                                        0, 232, 3,   0,   0,   4,   0,  5, 0,   255, 255, 255, 255, 16, 0,
                                        7, 0,   255, 255, 255, 255, 32, 0, 0,   0,   255, 255, 255, 255};
    struct tar_out *out = begin();
    struct archive_entry *entry = new_entry("with", S_IFDIR, 0);
    archive_entry_xattr_add_entry(entry, "user.b", value, sizeof(value));
    archive_entry_xattr_add_entry(entry, "user.a", "", 0);
    for (int type = ARCHIVE_ENTRY_ACL_TYPE_ACCESS; type <= ARCHIVE_ENTRY_ACL_TYPE_DEFAULT; type *= 2) {
        archive_entry_acl_add_entry(entry, type, 6, ARCHIVE_ENTRY_ACL_USER_OBJ, -1, NULL);
        archive_entry_acl_add_entry(entry, type, 7, ARCHIVE_ENTRY_ACL_USER, 1000, NULL);
        archive_entry_acl_add_entry(entry, type, 5, ARCHIVE_ENTRY_ACL_GROUP_OBJ, -1, NULL);
        archive_entry_acl_add_entry(entry, type, 7, ARCHIVE_ENTRY_ACL_MASK, -1, NULL);
        archive_entry_acl_add_entry(entry, type, 0, ARCHIVE_ENTRY_ACL_OTHER, -1, NULL);
    }
    struct tar_attrs before, after;
    ck_assert_int_eq(tar_attrs_take(entry, &before), 0);
    ck_assert_int_eq(tar_out_entry(out, entry), HF_OK);
    ck_assert_int_eq(tar_out_close(out, true), HF_OK);
    archive_entry_free(entry);

    struct hf_reader reader;
    struct tar_in *in = read_back(&reader, part.used);
    ck_assert_int_eq(tar_in_next(in, &entry), HF_OK);
    ck_assert_int_eq(tar_attrs_take(entry, &after), 0);
    ck_assert_uint_eq(before.size, after.size);
    ck_assert_mem_eq(before.data, after.data, after.size);
    struct tar_attr attr;
    size_t at = 0;
    ck_assert(tar_attrs_next(after.data, after.size, &at, &attr));
    ck_assert_str_eq(attr.name, "system.posix_acl_access");
    ck_assert_uint_eq(attr.size, sizeof(acl));
    ck_assert_mem_eq(attr.value, acl, sizeof(acl));
    ck_assert(tar_attrs_next(after.data, after.size, &at, &attr));
    ck_assert_str_eq(attr.name, "system.posix_acl_default");
    ck_assert(tar_attrs_next(after.data, after.size, &at, &attr));
    ck_assert_str_eq(attr.name, "user.a");
    ck_assert_uint_eq(attr.size, 0);
    ck_assert(tar_attrs_next(after.data, after.size, &at, &attr));
    ck_assert_uint_eq(attr.size, sizeof(value));
    ck_assert_mem_eq(attr.value, value, sizeof(value));
    ck_assert(!tar_attrs_next(after.data, after.size, &at, &attr));
    tar_attrs_clear(&before);
    tar_attrs_clear(&after);
    tar_in_close(in);
}
END_TEST

START_TEST(names_for_messages_are_printable)
{
    char text[16];
    ck_assert_str_eq(TAR_SHOW("caf\xc3\xa9 \xff\n"), "caf\xc3\xa9 \\xff\\x0a");
    ck_assert_str_eq(tar_show("0123456789abcdef", text, sizeof(text)), "012345678...");
    ck_assert_str_eq(TAR_SHOW("\xed\xa0\x80"), "\\xed\\xa0\\x80");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tar");
    TCase *tests = tcase_create("parts");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, names_come_back_byte_for_byte);
    tcase_add_test(tests, other_tools_read_the_names);
    tcase_add_test(tests, parts_read_alone_and_together);
    tcase_add_test(tests, a_truncated_part_is_corrupt);
    tcase_add_test(tests, missing_data_become_zeros_and_surplus_fails);
    tcase_add_test(tests, a_stopped_pipeline_stops_the_tar);
    tcase_add_test(tests, attributes_and_lists_come_back);
    tcase_add_test(tests, names_for_messages_are_printable);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_add_suite(runner, hostile_suite());
    srunner_add_suite(runner, unpack_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
