/* SPDX-License-Identifier: Apache-2.0
 *
 * Manifests whose contents are sealed: what stays to be seen, and what is held against it when they are opened.
 */
#include "sample.h"

#include <string.h>

#define SAMPLE_KEY SAMPLE_ID ".manifest.json"

static const char *const secrets[] = {"db1",    "/data", "signals-0", "table", "raw_sha256", "bbbb",
                                      "xxh128", "rows",  "odd",       "path",  "\"facts\"",  "context"};

/* The sample as it is read sealed, and as it was before. */
static struct hf_manifest *sealed_sample(struct hf_manifest *whole, const char *sealed)
{
    struct hf_manifest *outer = NULL;
    struct hf_ctx ctx = {0};
    size_t size;
    hf_auto_free char *text = hf_manifest_write_sealed(whole, sealed, 0, &size);

    for (size_t i = 0; i < HF_COUNT(secrets); i++)
        ck_assert_msg(strstr(text, secrets[i]) == NULL, "'%s' can be read", secrets[i]);
    sample_expect_ok(hf_manifest_read(&ctx, SAMPLE_KEY, text, size, &outer), &ctx);
    return outer;
}

START_TEST(keeps_what_lists_need)
{
    struct hf_manifest *whole = sample_manifest(SAMPLE_ID), *outer = sealed_sample(whole, "c2VhbGVk");
    hf_auto_free char *sums = hf_manifest_sha256_text(whole), *outer_sums = hf_manifest_sha256_text(outer);
    hf_auto_free char *text = NULL, *again = NULL;
    hf_auto_json json_t *json = hf_manifest_json(outer);
    size_t counts[4], size, again_size;

    ck_assert_str_eq(outer->id, whole->id);
    ck_assert_int_eq(outer->start_ms, whole->start_ms);
    ck_assert_int_eq(outer->end_ms, whole->end_ms);
    ck_assert_str_eq(sums, outer_sums);
    ck_assert_uint_eq(outer->artifacts[1].raw_bytes, 300);
    ck_assert_str_eq(outer->sealed, "c2VhbGVk");
    ck_assert_uint_eq(outer->artifacts[0].part_count, 0);
    ck_assert_uint_eq(json_object_size(outer->facts), 0);
    hf_manifest_count(outer, counts);
    ck_assert_uint_eq(counts[HF_WARNING], 1);
    ck_assert_uint_eq(counts[HF_ERROR], 0);
    ck_assert(json_is_true(json_object_get(json, "sealed")));
    /* Written again, it is the same. */
    text = hf_manifest_write(outer, &size);
    again = hf_manifest_write_sealed(whole, "c2VhbGVk", 0, &again_size);
    ck_assert_str_eq(text, again);
    hf_manifest_free(whole);
    hf_manifest_free(outer);
}
END_TEST

START_TEST(opens_to_the_whole)
{
    struct hf_manifest *whole = sample_manifest(SAMPLE_ID), *outer = sealed_sample(whole, "eA=="), *opened = NULL;
    hf_auto_free char *text = NULL, *again = NULL;
    struct hf_ctx ctx = {0};
    size_t size;

    text = hf_manifest_write(whole, &size);
    json_array_append_new(outer->sinks, json_string("another"));
    sample_expect_ok(hf_manifest_open(&ctx, outer, text, size, &opened), &ctx);
    ck_assert_ptr_null(opened->sealed);
    ck_assert_uint_eq(json_array_size(opened->sinks), 2); /* where it is now, the outside knows */
    json_array_append_new(whole->sinks, json_string("another"));
    free(text);
    text = hf_manifest_write(whole, NULL);
    again = hf_manifest_write(opened, NULL);
    ck_assert_str_eq(text, again);
    hf_manifest_free(whole);
    hf_manifest_free(outer);
    hf_manifest_free(opened);
}
END_TEST

/* What is inside must be the same backup's. */
START_TEST(refuses_what_belongs_to_another)
{
    struct hf_manifest *whole = sample_manifest(SAMPLE_ID), *outer = sealed_sample(whole, "eA=="), *opened = NULL;
    hf_auto_free char *text = NULL;
    struct hf_ctx ctx = {0};
    size_t size;

    switch (_i) {
    case 0:
        outer->artifacts[1].sha256[3] = 'f';
        break;
    case 1:
        outer->artifacts[0].bytes++;
        break;
    case 2:
        outer->artifacts[0].raw_bytes++;
        break;
    case 3:
        outer->artifact_count = 1;
        break;
    case 4:
        outer->stages[0].plugin[0] = 'z';
        break;
    case 5:
        outer->id[strlen(outer->id) - 1] = '1';
        break;
    default: /* sealed once more */
        text = hf_manifest_write_sealed(whole, "eA==", 0, &size);
    }
    if (text == NULL)
        text = hf_manifest_write(whole, &size);
    ck_assert_int_eq(hf_manifest_open(&ctx, outer, text, size, &opened), HF_E_CORRUPT);
    ck_assert_ptr_null(opened);
    outer->artifact_count = 2;
    hf_error_clear(&ctx.error);
    hf_manifest_free(whole);
    hf_manifest_free(outer);
}
END_TEST

/* Nothing of the outside may be missing, or be another type. */
START_TEST(is_read_as_strictly)
{
    static const char *const changes[][2] = {
        {"\"sealed\": \"eA==\"", "\"sealed\": 1"},    {"\"sealed\": \"eA==\"", "\"open\": \"eA==\""},
        {"\"sealed_by\": 0", "\"sealed_by\": 1"},     {"\"sealed_by\": 0", "\"sealed_by\": 99"},
        {"\"warning\": 1", "\"warning\": -1"},        {"\"finding_counts\"", "\"counts\""},
        {"\"sha256\": \"aaaa", "\"sha256\": \"AAAA"}, {"sqlite_events_", "sqlite_other_"},
        {"\"schema\": 2", "\"schema\": 1"},
    };
    struct hf_manifest *whole = sample_manifest(SAMPLE_ID), *outer = NULL;
    hf_auto_free char *text = hf_manifest_write_sealed(whole, "eA==", 0, NULL), *changed = NULL;
    const char *at = strstr(text, changes[_i][0]);
    struct hf_ctx ctx = {0};

    ck_assert_ptr_nonnull(at);
    changed = hf_strf("%.*s%s%s", (int)(at - text), text, changes[_i][1], at + strlen(changes[_i][0]));
    ck_assert_int_eq(hf_manifest_read(&ctx, SAMPLE_KEY, changed, strlen(changed), &outer), HF_E_CORRUPT);
    hf_error_clear(&ctx.error);
    hf_manifest_free(whole);
}
END_TEST

Suite *suite_sealed(void)
{
    Suite *suite = suite_create("sealed manifests");
    TCase *tests = tcase_create("sealed");

    tcase_add_test(tests, keeps_what_lists_need);
    tcase_add_test(tests, opens_to_the_whole);
    tcase_add_loop_test(tests, refuses_what_belongs_to_another, 0, 7);
    tcase_add_loop_test(tests, is_read_as_strictly, 0, 9);
    suite_add_tcase(suite, tests);
    return suite;
}
