/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

#include "catalog/known.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY "events_20260201_120000.manifest.json"

static char folder[64], path[128];

static void setup(void)
{
    snprintf(folder, sizeof(folder), "/tmp/holdfast-known.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/known", folder);
}

static void teardown(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* One that knows a manifest and a verification record, and has written them. */
static void remember(void)
{
    struct hf_record_object objects[] = {{(char *)"events_20260201_120000.sql.gz", UINT64_C(1) << 62},
                                         {(char *)"events_20260201_120000.sha256", 96}};
    struct hf_brief brief = {.figures = {.start_ms = -1, .bytes = 7, .severity_counts = {1, 2, 3, 4}},
                             .digest = {UINT64_MAX, 5},
                             .objects = objects,
                             .count = 2};
    struct hf_verified verified = {HF_LEVEL_CONTENT, true, 77, 0};
    struct hf_known *known = hf_known_open(path);

    hf_known_add_manifest(known, KEY, "\"tag\"", &brief);
    hf_known_add_manifest(known, "without", NULL, &brief);
    hf_known_add_verified(known, "verified", "t2", &verified);
    hf_known_complete(known);
    hf_known_close(known);
}

static bool knows(const char *key, const char *tag)
{
    struct hf_known *known = hf_known_open(path);
    struct hf_brief brief = {0};
    bool found = hf_known_manifest(known, key, tag, &brief);

    hf_brief_clear(&brief);
    hf_known_close(known);
    return found;
}

START_TEST(what_was_read_comes_back)
{
    struct hf_brief brief = {0};
    struct hf_verified verified = {0};
    struct hf_known *known;
    struct stat st;

    remember();
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    known = hf_known_open(path);
    ck_assert(hf_known_manifest(known, KEY, "\"tag\"", &brief));
    ck_assert_uint_eq(brief.count, 2);
    ck_assert_str_eq(brief.objects[0].key, "events_20260201_120000.sql.gz");
    ck_assert_uint_eq(brief.objects[0].bytes, UINT64_C(1) << 62);
    ck_assert_uint_eq(brief.digest[0], UINT64_MAX);
    ck_assert_int_eq(brief.figures.start_ms, -1);
    ck_assert_uint_eq(brief.figures.severity_counts[3], 4);
    ck_assert(hf_known_verified(known, "verified", "t2", &verified));
    ck_assert(verified.whole && verified.level == HF_LEVEL_CONTENT && verified.time_ms == 77);
    hf_brief_clear(&brief);
    hf_known_close(known);
}
END_TEST

START_TEST(another_tag_is_not_known)
{
    struct hf_verified verified = {0};
    struct hf_known *known;

    remember();
    ck_assert(!knows(KEY, "other"));
    ck_assert(!knows(KEY, NULL));
    ck_assert(!knows("without", "x"));
    ck_assert(!knows("verified", "t2")); /* of another kind */
    known = hf_known_open(path);
    ck_assert(!hf_known_verified(known, KEY, "\"tag\"", &verified));
    hf_known_close(known);
    ck_assert(!hf_known_manifest(NULL, KEY, "\"tag\"", NULL));
}
END_TEST

/* Cut, changed, of another version, or nonsense behind a right digest: as good as empty. */
START_TEST(a_damaged_file_is_empty)
{
    FILE *file;

    remember();
    ck_assert(knows(KEY, "\"tag\""));
    file = fopen(path, "r+");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, _i < 3 ? _i * 40 : -1 - (_i - 3) * 60, _i < 3 ? SEEK_SET : SEEK_END), 0);
    ck_assert_int_ne(fputc('#', file), EOF);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert(!knows(KEY, "\"tag\""));
    ck_assert_int_eq(truncate(path, _i), 0);
    ck_assert(!knows(KEY, "\"tag\""));
    remember();
    ck_assert(knows(KEY, "\"tag\""));
}
END_TEST

START_TEST(what_is_gone_is_forgotten)
{
    struct hf_verified verified = {0};
    struct hf_known *known;

    remember();
    known = hf_known_open(path); /* broken off: nothing is forgotten */
    ck_assert(hf_known_verified(known, "verified", "t2", &verified));
    hf_known_close(known);
    ck_assert(knows(KEY, "\"tag\""));
    known = hf_known_open(path);
    ck_assert(hf_known_verified(known, "verified", "t2", &verified));
    hf_known_complete(known);
    hf_known_close(known);
    ck_assert(!knows(KEY, "\"tag\""));
}
END_TEST

Suite *suite_known(void)
{
    Suite *suite = suite_create("known");
    TCase *tests = tcase_create("known");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_was_read_comes_back);
    tcase_add_test(tests, another_tag_is_not_known);
    tcase_add_loop_test(tests, a_damaged_file_is_empty, 0, 6);
    tcase_add_test(tests, what_is_gone_is_forgotten);
    suite_add_tcase(suite, tests);
    return suite;
}
