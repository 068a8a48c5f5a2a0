/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

#include <string.h>
#include <time.h>

#define SAMPLE_KEY SAMPLE_ID ".manifest.json"

START_TEST(written_and_read)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID), *again = NULL;
    hf_auto_free char *text = NULL, *text_again = NULL;
    size_t size, size_again;
    struct hf_ctx ctx = {0};

    text = hf_manifest_write(manifest, &size);
    ck_assert_uint_eq(size, strlen(text));
    ck_assert_int_eq(text[size - 1], '\n');
    sample_expect_ok(hf_manifest_read(&ctx, SAMPLE_KEY, text, size, &again), &ctx);
    text_again = hf_manifest_write(again, &size_again);
    ck_assert_str_eq(text, text_again);
    ck_assert_str_eq(again->id, SAMPLE_ID);
    ck_assert_str_eq(again->profile, "sqlite");
    ck_assert_int_eq(again->start_ms, manifest->start_ms);
    ck_assert_int_eq(again->end_ms, manifest->end_ms);
    ck_assert_uint_eq(again->artifact_count, 2);
    ck_assert_str_eq(again->artifacts[1].key, "sqlite_signals_20260201_120000.db.gz");
    ck_assert_uint_eq(again->artifacts[1].part_count, 2);
    ck_assert_uint_eq(again->artifacts[1].parts[1].stored_offset, 11);
    ck_assert_str_eq(again->artifacts[1].parts[1].group, "table");
    ck_assert_uint_eq(again->stage_count, 1);
    ck_assert_str_eq(again->stages[0].plugin, "gzip");
    ck_assert_uint_eq(again->finding_count, 1);
    ck_assert_int_eq(again->findings[0].severity, HF_WARNING);
    ck_assert(json_equal(again->facts, manifest->facts));
    ck_assert(json_equal(again->context, manifest->context));
    ck_assert(json_equal(again->options, manifest->options));
    ck_assert(json_equal(again->sinks, manifest->sinks));
    hf_manifest_free(manifest);
    hf_manifest_free(again);
}
END_TEST

/* Written only when there is one, so that what older versions wrote reads as none. */
START_TEST(cost_of_parts)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID), *again = NULL;
    hf_auto_free char *text = NULL, *bad = NULL;
    struct hf_ctx ctx = {0};
    size_t size;

    manifest->artifacts[1].parts[1].cost = INT64_MAX;
    text = hf_manifest_write(manifest, &size);
    ck_assert_ptr_nonnull(strstr(text, ",\"cost\":9223372036854775807,\"xxh128\""));
    ck_assert_ptr_eq(strstr(text, "cost"), strstr(text, "cost\":9")); /* the only one */
    sample_expect_ok(hf_manifest_read(&ctx, SAMPLE_KEY, text, size, &again), &ctx);
    ck_assert_uint_eq(again->artifacts[0].parts[0].cost, 0);
    ck_assert_uint_eq(again->artifacts[1].parts[1].cost, INT64_MAX);
    hf_manifest_free(again);
    bad = hf_strdup(text);
    memcpy(strstr(bad, "9223372036854775807"), "9223372036854775808", 19);
    ck_assert_int_eq(hf_manifest_read(&ctx, SAMPLE_KEY, bad, size, &again), HF_E_CORRUPT);
    hf_error_clear(&ctx.error);
    manifest->artifacts[1].parts[1].cost = UINT64_MAX;
    ck_assert_int_eq(hf_manifest_check(&ctx, "test", manifest), HF_E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(ctx.error.text, "cost"));
    hf_error_clear(&ctx.error);
    hf_manifest_free(manifest);
}
END_TEST

START_TEST(artifact_aside)
{
    struct hf_manifest *manifest = sample_manifest_aside(SAMPLE_ID), *again = NULL;
    hf_auto_free char *text = NULL, *bad = NULL;
    struct hf_ctx ctx = {0};
    size_t size;

    text = hf_manifest_write(manifest, &size);
    sample_expect_ok(hf_manifest_read(&ctx, SAMPLE_KEY, text, size, &again), &ctx);
    ck_assert_str_eq(again->artifacts[0].key, "events_sqlite_20260201_120000.db.gz");
    hf_manifest_free(again);
    hf_manifest_free(manifest);
    bad = hf_strdup(text); /* a name of the right form, and yet not this artifact's */
    memcpy(strstr(bad, "events_sqlite"), "evants", 6);
    ck_assert_int_eq(hf_manifest_read(&ctx, SAMPLE_KEY, bad, size, &again), HF_E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(ctx.error.text, "does not go with its name"));
    hf_error_clear(&ctx.error);
}
END_TEST

START_TEST(checksum_file)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID);
    hf_auto_free char *text = hf_manifest_sha256_text(manifest);

    ck_assert_str_eq(text, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  "
                           "sqlite_events_20260201_120000.db.gz\n"
                           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  "
                           "sqlite_signals_20260201_120000.db.gz\n");
    hf_manifest_free(manifest);
}
END_TEST

START_TEST(as_json)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID);
    hf_auto_json json_t *tree = hf_manifest_json(manifest);

    ck_assert_str_eq(json_string_value(json_object_get(tree, "id")), SAMPLE_ID);
    ck_assert_str_eq(json_string_value(json_object_get(tree, "start")), "2026-02-01T12:00:00.007Z");
    ck_assert_uint_eq(json_array_size(json_object_get(tree, "artifacts")), 2);
    hf_manifest_free(manifest);
}
END_TEST

/* A backup does not fail because somebody's names are no UTF-8, or a message is very long. */
START_TEST(odd_text)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID), *again = NULL;
    hf_auto_free char *text = NULL, *endless = hf_alloc(200001);
    struct hf_ctx ctx = {0};
    size_t size;

    memset(endless, '\xff', 200000);
    free(manifest->host);
    manifest->host = hf_strdup("h\xe4ngematte\n\"");
    hf_manifest_add_finding(manifest, HF_ERROR, "odd", "a\xff\x01", endless);
    hf_manifest_add_finding(manifest, HF_INFO, NULL, NULL, NULL);
    text = hf_manifest_write(manifest, &size);
    sample_expect_ok(hf_manifest_read(&ctx, SAMPLE_KEY, text, size, &again), &ctx);
    ck_assert_str_eq(again->host, "h\xef\xbf\xbdngematte\n\"");
    ck_assert_str_eq(again->findings[1].subject, "a\xef\xbf\xbd\x01");
    hf_manifest_free(manifest);
    hf_manifest_free(again);
}
END_TEST

/* The least that is a manifest: no artifact, nothing set but the id. */
START_TEST(empty)
{
    struct hf_manifest *manifest = hf_manifest_new(), *again = NULL;
    hf_auto_free char *text = NULL;
    struct hf_ctx ctx = {0};
    size_t size;

    manifest->id = hf_strdup(SAMPLE_ID);
    manifest->profile = hf_strdup("sqlite");
    text = hf_manifest_write(manifest, &size);
    sample_expect_ok(hf_manifest_read(&ctx, SAMPLE_KEY, text, size, &again), &ctx);
    ck_assert_uint_eq(again->artifact_count, 0);
    hf_manifest_free(manifest);
    hf_manifest_free(again);
}
END_TEST

START_TEST(without_stage)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID), *again = NULL;
    hf_auto_free char *text = NULL;
    struct hf_ctx ctx = {0};
    size_t size;

    free(manifest->stages[0].plugin);
    free(manifest->stages[0].version);
    manifest->stage_count = 0;
    for (size_t i = 0; i < manifest->artifact_count; i++) {
        struct hf_manifest_artifact *artifact = &manifest->artifacts[i];

        artifact->key[strlen(artifact->key) - strlen(".gz")] = '\0';
        artifact->bytes = artifact->raw_bytes;
        memcpy(artifact->raw_sha256, artifact->sha256, sizeof(artifact->sha256));
        for (size_t j = 0; j < artifact->part_count; j++) {
            artifact->parts[j].stored_offset = artifact->parts[j].raw_offset;
            artifact->parts[j].stored_size = artifact->parts[j].raw_size;
        }
    }
    text = hf_manifest_write(manifest, &size);
    sample_expect_ok(hf_manifest_read(&ctx, SAMPLE_KEY, text, size, &again), &ctx);
    hf_manifest_free(again);
    manifest->artifacts[0].parts[0].stored_size--;
    ck_assert_int_eq(hf_manifest_check(&ctx, "test", manifest), HF_E_CORRUPT);
    hf_error_clear(&ctx.error);
    hf_manifest_free(manifest);
}
END_TEST

START_TEST(newer_members_are_ignored)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID), *again = NULL;
    hf_auto_free char *text = NULL, *more = NULL;
    struct hf_ctx ctx = {0};
    size_t size;

    text = hf_manifest_write(manifest, &size);
    more = hf_strf("{\"zebra\": {\"deep\": [1, 2, {\"x\": null}]}, %s", text + 1);
    sample_expect_ok(hf_manifest_read(&ctx, SAMPLE_KEY, more, strlen(more), &again), &ctx);
    hf_manifest_free(manifest);
    hf_manifest_free(again);
}
END_TEST

START_TEST(newer_schema_is_refused)
{
    static const char text[] = "{\"schema\": 3, \"holdfast\": \"7.0\", \"everything\": \"else is different\"}";
    struct hf_manifest *manifest = NULL;
    struct hf_ctx ctx = {0};

    ck_assert_int_eq(hf_manifest_read(&ctx, SAMPLE_KEY, text, sizeof(text) - 1, &manifest), HF_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(ctx.error.text, "written by holdfast 7.0"));
    ck_assert_str_eq(ctx.error.hint, "use holdfast 7.0 or later");
    hf_error_clear(&ctx.error);
}
END_TEST

/* The time to read must not grow faster than the number of parts: 0.2 s here, and minutes if it did. Processor time,
 * with room for sanitizers: the machine may be busy. */
START_TEST(many_parts)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID), *again = NULL;
    struct hf_manifest_artifact *artifact = &manifest->artifacts[1];
    hf_auto_free char *text = NULL;
    struct hf_ctx ctx = {0};
    clock_t start;
    size_t size;

    artifact->bytes = 10000000;
    for (uint64_t i = 0; i < 100000; i++) {
        struct hf_manifest_part *part = hf_manifest_add_part(artifact);

        part->name = hf_strf("more-%06u", (unsigned)i);
        part->group = hf_strdup("");
        part->raw_offset = 300 + i;
        part->raw_size = 1;
        part->stored_offset = 19 + 20 * i;
        part->stored_size = 20;
        memset(part->xxh128, 'd', HF_XXH128_HEX - 1);
    }
    artifact->raw_bytes += 100000;
    start = clock();
    text = hf_manifest_write(manifest, &size);
    sample_expect_ok(hf_manifest_read(&ctx, SAMPLE_KEY, text, size, &again), &ctx);
    ck_assert_uint_eq(again->artifacts[1].part_count, 100002);
    ck_assert_int_lt((clock() - start) / CLOCKS_PER_SEC, 20);
    hf_manifest_free(manifest);
    hf_manifest_free(again);
}
END_TEST

/* A database with 10 000 tables: 0.3 s here. */
START_TEST(many_facts)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID), *again = NULL;
    json_t *tables = json_object();
    hf_auto_free char *text = NULL;
    struct hf_ctx ctx = {0};
    clock_t start;
    size_t size;

    for (int i = 0; i < 10000; i++) {
        hf_auto_free char *name = hf_strf("public.a_table_with_a_long_name_%06d", i);

        hf_json_set(manifest->facts, name, json_pack("{s:i,s:s}", "rows", i, "checksum", "0123456789abcdef"));
        hf_json_set(tables, name, json_pack("{s:[s,s,s]}", "columns", "id", "name", "payload"));
    }
    hf_json_set(manifest->context, "tables", tables);
    start = clock();
    text = hf_manifest_write(manifest, &size);
    sample_expect_ok(hf_manifest_read(&ctx, SAMPLE_KEY, text, size, &again), &ctx);
    ck_assert(json_equal(again->facts, manifest->facts));
    ck_assert(json_equal(again->context, manifest->context));
    hf_manifest_free(again);
    sample_expect_ok(hf_manifest_read_brief(&ctx, SAMPLE_KEY, text, size, &again), &ctx);
    ck_assert_uint_eq(json_object_size(again->facts) + json_object_size(again->context), 0);
    ck_assert_uint_eq(again->artifact_count, 2);
    ck_assert_uint_eq(again->artifacts[1].part_count, 2);
    ck_assert_uint_eq(again->finding_count, 1);
    ck_assert_int_lt((clock() - start) / CLOCKS_PER_SEC, 20);
    hf_manifest_free(manifest);
    hf_manifest_free(again);
    text[size / 2] = '\x01'; /* in what is passed over: damage all the same */
    ck_assert_int_eq(hf_manifest_read_brief(&ctx, SAMPLE_KEY, text, size, &again), HF_E_CORRUPT);
    hf_error_clear(&ctx.error);
}
END_TEST

Suite *suite_manifest(void)
{
    Suite *suite = suite_create("manifest");
    TCase *tcase = tcase_create("manifest");

    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, written_and_read);
    tcase_add_test(tcase, cost_of_parts);
    tcase_add_test(tcase, artifact_aside);
    tcase_add_test(tcase, checksum_file);
    tcase_add_test(tcase, as_json);
    tcase_add_test(tcase, odd_text);
    tcase_add_test(tcase, empty);
    tcase_add_test(tcase, without_stage);
    tcase_add_test(tcase, newer_members_are_ignored);
    tcase_add_test(tcase, newer_schema_is_refused);
    tcase_add_test(tcase, many_parts);
    tcase_add_test(tcase, many_facts);
    suite_add_tcase(suite, tcase);
    return suite;
}
