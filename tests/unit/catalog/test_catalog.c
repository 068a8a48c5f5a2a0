/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

#include <string.h>
#include <time.h>

static struct memory_sink local, remote;
static struct hf_instance *const both[] = {&local.instance, &remote.instance};
static struct hf_ctx ctx;

static void setup(void)
{
    memory_sink_init(&local, "local");
    memory_sink_init(&remote, "remote");
    ctx = (struct hf_ctx){0};
}

static void teardown(void)
{
    memory_sink_clear(&local);
    memory_sink_clear(&remote);
    hf_error_clear(&ctx.error);
}

static struct hf_catalog *load(size_t sinks)
{
    struct hf_catalog *catalog = NULL;

    sample_expect_ok(hf_catalog_load(&ctx, "sqlite", both, sinks, NULL, &catalog), &ctx);
    return catalog;
}

static void verify(struct memory_sink *sink, const char *id, int level, bool whole)
{
    struct hf_verified verified = {level, whole, SAMPLE_MS, whole ? 0 : 3};

    sample_expect_ok(hf_verified_write(&ctx, &sink->instance, id, &verified), &ctx);
}

START_TEST(empty)
{
    struct hf_catalog *catalog = load(2);
    struct hf_backup *backup = NULL;

    ck_assert_uint_eq(catalog->count, 0);
    ck_assert_uint_eq(catalog->orphans.count, 0);
    ck_assert_int_eq(hf_catalog_find(&ctx, catalog, "latest", INT64_MAX, &backup), HF_E_NOTFOUND);
    ck_assert_ptr_null(backup);
    hf_catalog_free(catalog);
}
END_TEST

START_TEST(figures)
{
    struct hf_catalog *catalog;
    const struct hf_backup *backup;

    sample_store(&local, SAMPLE_ID);
    sample_store(&local, "sqlite_20260101_000000");
    memory_sink_set(&local, "sqlite-b_20260201_120000.manifest.json", "x", 1); /* another profile's */
    memory_sink_set(&local, "sqlite_notes.txt", "x", 1);
    catalog = load(1);
    ck_assert_uint_eq(catalog->count, 2);
    ck_assert_str_eq(catalog->backups[0].id, "sqlite_20260101_000000");
    backup = &catalog->backups[1];
    ck_assert_str_eq(backup->id, SAMPLE_ID);
    ck_assert_int_eq(backup->time_ms, SAMPLE_MS);
    ck_assert_int_eq(backup->figures.start_ms, SAMPLE_MS + 7);
    ck_assert_uint_eq(backup->figures.artifact_count, 2);
    ck_assert_uint_eq(backup->figures.raw_bytes, 600);
    ck_assert_uint_eq(backup->figures.severity_counts[HF_WARNING], 1);
    ck_assert_uint_eq(backup->copy_count, 1);
    ck_assert(backup->copies[0].whole && backup->copies[0].problem == NULL);
    ck_assert_int_eq(backup->copies[0].verified.level, HF_LEVEL_NONE);
    ck_assert_uint_eq(catalog->orphans.count, 0);
    hf_catalog_free(catalog);
}
END_TEST

/* Damages the only backup in one way, and expects the copy's problem to begin so. */
static void expect_problem(const char *problem)
{
    struct hf_catalog *catalog = load(1);

    ck_assert_uint_eq(catalog->count, 1);
    ck_assert(!catalog->backups[0].copies[0].whole);
    ck_assert_msg(hf_text_starts(catalog->backups[0].copies[0].problem, problem), "%s",
                  catalog->backups[0].copies[0].problem);
    hf_catalog_free(catalog);
}

START_TEST(damage)
{
    sample_store(&local, SAMPLE_ID);
    memory_sink_set(&local, "sqlite_signals_20260201_120000.db.gz", "short", 5);
    expect_problem("artifact 'sqlite_signals_20260201_120000.db.gz' has 5 bytes and must have 36");
    memory_sink_unset(&local, "sqlite_signals_20260201_120000.db.gz");
    expect_problem("artifact 'sqlite_signals_20260201_120000.db.gz' is missing");
    memory_sink_unset(&local, "sqlite_events_20260201_120000.db.gz");
    expect_problem("artifact 'sqlite_events_20260201_120000.db.gz' is missing (and 1 more)");
    memory_sink_clear(&local);
    memory_sink_init(&local, "local");
    sample_store(&local, SAMPLE_ID);
    memory_sink_unset(&local, SAMPLE_ID ".sha256");
    expect_problem("checksum file '" SAMPLE_ID ".sha256' is missing");
}
END_TEST

START_TEST(unreadable_manifest)
{
    struct hf_catalog *catalog;
    struct hf_backup *backup = NULL;

    sample_store(&local, SAMPLE_ID);
    memory_sink_set(&local, SAMPLE_ID ".manifest.json", "{\"schema\": 1", 12);
    catalog = load(1);
    ck_assert_uint_eq(catalog->count, 1);
    ck_assert(catalog->backups[0].copies[0].unreadable);
    ck_assert(!catalog->backups[0].copies[0].whole);
    ck_assert_ptr_nonnull(strstr(catalog->backups[0].copies[0].problem, "manifest '" SAMPLE_ID));
    ck_assert_uint_eq(catalog->orphans.count, 0);
    ck_assert_ptr_null(hf_backup_best_copy(&catalog->backups[0]));
    ck_assert_int_eq(hf_catalog_find(&ctx, catalog, "latest", INT64_MAX, &backup), HF_E_NOTFOUND);
    hf_error_clear(&ctx.error);
    ck_assert_int_eq(hf_catalog_find(&ctx, catalog, SAMPLE_ID, INT64_MAX, &backup), HF_OK);
    hf_catalog_free(catalog);
}
END_TEST

START_TEST(orphans)
{
    struct hf_catalog *catalog;

    sample_store(&local, SAMPLE_ID);
    sample_store(&local, "sqlite_20260101_000000");
    memory_sink_unset(&local, SAMPLE_ID ".manifest.json");
    /* being published by another run: no orphan */
    memory_sink_set(&local, "sqlite_20260301_000000.commit.json", "x", 1);
    memory_sink_set(&local, "sqlite_a_20260301_000000.db.gz", "x", 1);
    catalog = load(1);
    ck_assert_uint_eq(catalog->count, 1);
    ck_assert_uint_eq(catalog->orphans.count, 3);
    ck_assert_str_eq(catalog->orphans.items[0], "local: " SAMPLE_ID ".sha256");
    ck_assert_str_eq(catalog->orphans.items[1], "local: sqlite_events_20260201_120000.db.gz");
    hf_catalog_free(catalog);
}
END_TEST

/* It is in no listing of the profile's keys, and looks like another profile's. */
START_TEST(artifacts_aside)
{
    struct hf_manifest *manifest = sample_manifest_aside(SAMPLE_ID);
    const char *key = manifest->artifacts[0].key;
    struct hf_catalog *catalog, *other = NULL;

    sample_expect_ok(sample_publish(&ctx, &local, manifest), &ctx);
    catalog = load(1);
    ck_assert(catalog->backups[0].copies[0].whole);
    ck_assert_uint_eq(catalog->orphans.count, 0);
    hf_catalog_free(catalog);

    sample_expect_ok(hf_catalog_load(&ctx, "events", both, 1, NULL, &other), &ctx);
    ck_assert_uint_eq(other->count, 0);
    ck_assert_uint_eq(other->orphans.count, 0);
    hf_catalog_free(other);

    memory_sink_set(&local, key, "x", 1);
    expect_problem("artifact 'events_sqlite_20260201_120000.db.gz' has 1 bytes and must have 35");
    memory_sink_unset(&local, key);
    expect_problem("artifact 'events_sqlite_20260201_120000.db.gz' is missing");

    /* A sink that does not answer makes no backup damaged. */
    memory_sink_restart(&local);
    memory_sink_fault(&local, 3, MEMORY_CRASH_BEFORE); /* list, manifest, and then it */
    ck_assert_int_eq(hf_catalog_load(&ctx, "sqlite", both, 1, NULL, &catalog), HF_E_IO);
    hf_error_clear(&ctx.error);
    memory_sink_restart(&local);

    /* Without its manifest nobody can tell any more whose it is. */
    memory_sink_set(&local, key, key, strlen(key));
    memory_sink_unset(&local, SAMPLE_ID ".manifest.json");
    sample_expect_ok(hf_catalog_load(&ctx, "events", both, 1, NULL, &other), &ctx);
    ck_assert_uint_eq(other->orphans.count, 1);
    hf_catalog_free(other);
    hf_manifest_free(manifest);
}
END_TEST

START_TEST(verification_records)
{
    struct hf_catalog *catalog;

    sample_store(&local, SAMPLE_ID);
    verify(&local, SAMPLE_ID, HF_LEVEL_QUICK, true);
    catalog = load(1);
    ck_assert_int_eq(catalog->backups[0].copies[0].verified.level, HF_LEVEL_QUICK);
    ck_assert(!hf_backup_verified(&catalog->backups[0]));
    hf_catalog_free(catalog);
    verify(&local, SAMPLE_ID, HF_LEVEL_CONTENT, true); /* replaces it */
    catalog = load(1);
    ck_assert(hf_backup_verified(&catalog->backups[0]));
    ck_assert_int_eq(catalog->backups[0].copies[0].verified.time_ms, SAMPLE_MS);
    hf_catalog_free(catalog);
    verify(&local, SAMPLE_ID, HF_LEVEL_CONTENT, false);
    catalog = load(1);
    ck_assert(!hf_backup_verified(&catalog->backups[0]));
    ck_assert_uint_eq(catalog->backups[0].copies[0].verified.errors, 3);
    hf_catalog_free(catalog);
    /* one that cannot be read counts as none */
    memory_sink_set(&local, SAMPLE_ID ".verified.json", "garbage", 7);
    catalog = load(1);
    ck_assert_int_eq(catalog->backups[0].copies[0].verified.level, HF_LEVEL_NONE);
    ck_assert(catalog->backups[0].copies[0].whole);
    hf_catalog_free(catalog);
    /* and so does another backup's */
    sample_store(&local, "sqlite_20260101_000000");
    verify(&local, "sqlite_20260101_000000", HF_LEVEL_CONTENT, true);
    const struct memory_object *other = memory_sink_at(&local, "sqlite_20260101_000000.verified.json");
    hf_auto_free char *copy = hf_strdup(other->data);
    memory_sink_set(&local, SAMPLE_ID ".verified.json", copy, strlen(copy));
    catalog = load(1);
    ck_assert(hf_backup_verified(&catalog->backups[0]));
    ck_assert(!hf_backup_verified(&catalog->backups[1]));
    hf_catalog_free(catalog);
}
END_TEST

/* A damaged artifact makes a record of yesterday worthless. */
START_TEST(verified_only_while_whole)
{
    struct hf_catalog *catalog;

    sample_store(&local, SAMPLE_ID);
    verify(&local, SAMPLE_ID, HF_LEVEL_CONTENT, true);
    memory_sink_unset(&local, "sqlite_signals_20260201_120000.db.gz");
    catalog = load(1);
    ck_assert(!hf_backup_verified(&catalog->backups[0]));
    hf_catalog_free(catalog);
}
END_TEST

START_TEST(several_sinks)
{
    struct hf_catalog *catalog;
    const struct hf_backup *backup;

    sample_store(&local, SAMPLE_ID);
    sample_store(&remote, SAMPLE_ID);
    sample_store(&remote, "sqlite_20260101_000000");
    sample_store(&local, "sqlite_20260301_000000");
    catalog = load(2);
    ck_assert_uint_eq(catalog->count, 3);
    ck_assert_ptr_eq(catalog->backups[0].copies[0].sink, &remote.instance);
    backup = &catalog->backups[1];
    ck_assert_uint_eq(backup->copy_count, 2);
    ck_assert_uint_eq(backup->figures.raw_bytes, 600);
    ck_assert_ptr_eq(hf_backup_best_copy(backup)->sink, &local.instance);
    hf_catalog_free(catalog);

    verify(&remote, SAMPLE_ID, HF_LEVEL_DIGEST, true);
    catalog = load(2);
    ck_assert_ptr_eq(hf_backup_best_copy(&catalog->backups[1])->sink, &remote.instance);
    hf_catalog_free(catalog);

    memory_sink_unset(&remote, "sqlite_signals_20260201_120000.db.gz");
    catalog = load(2);
    ck_assert_ptr_eq(hf_backup_best_copy(&catalog->backups[1])->sink, &local.instance);
    hf_catalog_free(catalog);

    memory_sink_set(&local, SAMPLE_ID ".manifest.json", "x", 1);
    catalog = load(2);
    backup = &catalog->backups[1];
    ck_assert(backup->copies[0].unreadable);
    ck_assert_uint_eq(backup->figures.raw_bytes, 600);
    ck_assert_ptr_eq(hf_backup_best_copy(backup)->sink, &remote.instance);
    hf_catalog_free(catalog);
}
END_TEST

START_TEST(damaged_copy_comes_last)
{
    struct hf_catalog *catalog;

    sample_store(&local, SAMPLE_ID);
    sample_store(&remote, SAMPLE_ID);
    verify(&local, SAMPLE_ID, HF_LEVEL_CONTENT, false);
    catalog = load(2);
    ck_assert_ptr_eq(hf_backup_best_copy(&catalog->backups[0])->sink, &remote.instance);
    hf_catalog_free(catalog);
}
END_TEST

static void expect_found(const struct hf_catalog *catalog, const char *name, int64_t at_ms, const char *id)
{
    struct hf_backup *backup = NULL;

    sample_expect_ok(hf_catalog_find(&ctx, catalog, name, at_ms, &backup), &ctx);
    ck_assert_str_eq(backup->id, id);
}

static void expect_not_found(const struct hf_catalog *catalog, const char *name, int64_t at_ms, int code,
                             const char *text)
{
    struct hf_backup *backup = NULL;

    ck_assert_int_eq(hf_catalog_find(&ctx, catalog, name, at_ms, &backup), code);
    ck_assert_msg(strstr(ctx.error.text, text) != NULL, "%s", ctx.error.text);
    ck_assert_ptr_null(backup);
    hf_error_clear(&ctx.error);
}

START_TEST(finding)
{
    struct hf_catalog *catalog;

    sample_store(&local, "sqlite_20260101_000000");
    sample_store(&local, SAMPLE_ID);
    sample_store(&local, "sqlite_20260201_180000");
    memory_sink_unset(&local, "sqlite_signals_20260201_180000.db.gz");
    catalog = load(1);
    expect_found(catalog, "latest", INT64_MAX, SAMPLE_ID); /* the newest is not whole */
    expect_found(catalog, "latest", SAMPLE_MS, SAMPLE_ID);
    expect_found(catalog, "latest", SAMPLE_MS - 1, "sqlite_20260101_000000");
    expect_not_found(catalog, "latest", 0, HF_E_NOTFOUND, "no backup from 1970-01-01T00:00:00Z or before");
    expect_found(catalog, SAMPLE_ID, INT64_MAX, SAMPLE_ID);
    expect_found(catalog, "sqlite_20260201_180000", INT64_MAX, "sqlite_20260201_180000"); /* named, so it is meant */
    expect_found(catalog, "20260201_120000", INT64_MAX, SAMPLE_ID);
    expect_found(catalog, "sqlite_202601", INT64_MAX, "sqlite_20260101_000000");
    expect_found(catalog, "202601", INT64_MAX, "sqlite_20260101_000000");
    expect_not_found(catalog, "sqlite_20260201", INT64_MAX, HF_E_CONFIG,
                     "may be any of 'sqlite_20260201_120000', 'sqlite_20260201_180000'");
    expect_not_found(catalog, "sqlite_2025", INT64_MAX, HF_E_NOTFOUND, "has no backup 'sqlite_2025'");
    expect_not_found(catalog, "", INT64_MAX, HF_E_NOTFOUND, "has no backup ''");
    expect_not_found(catalog, "sqlite_20260201_120000x", INT64_MAX, HF_E_NOTFOUND, "has no backup");
    hf_catalog_free(catalog);
}
END_TEST

START_TEST(sink_that_does_not_answer)
{
    struct hf_catalog *catalog = NULL;
    hf_auto_strings struct hf_strings unreachable = {0};
    unsigned calls;

    sample_store(&local, SAMPLE_ID);
    sample_store(&remote, SAMPLE_ID);
    verify(&remote, SAMPLE_ID, HF_LEVEL_CONTENT, true);
    memory_sink_restart(&remote);
    hf_catalog_free(load(2));
    calls = memory_sink_restart(&remote);
    remote.fault_code = HF_E_UNREACHABLE;
    for (unsigned n = 1; n <= calls; n++) { /* at the listing, at a manifest, at a record */
        memory_sink_fault(&remote, n, MEMORY_FAIL_ONCE);
        ck_assert_int_eq(hf_catalog_load(&ctx, "sqlite", both, 2, NULL, &catalog), HF_E_UNREACHABLE);
        ck_assert_ptr_nonnull(strstr(ctx.error.text, "sink remote"));
        hf_error_clear(&ctx.error);
        memory_sink_restart(&remote);
        memory_sink_fault(&remote, n, MEMORY_FAIL_ONCE);
        sample_expect_ok(hf_catalog_load(&ctx, "sqlite", both, 2, &unreachable, &catalog), &ctx);
        memory_sink_restart(&remote);
        ck_assert_uint_eq(unreachable.count, n);
        ck_assert_str_eq(unreachable.items[0], "remote");
        ck_assert_uint_eq(catalog->count, 1);
        ck_assert_uint_eq(catalog->backups[0].copy_count, 1);
        hf_catalog_free(catalog);
        catalog = NULL;
    }
}
END_TEST

/* 0.1 s here; processor time, with room for sanitizers. */
START_TEST(thousands)
{
    struct hf_catalog *catalog;
    clock_t start;

    for (int i = 0; i < 2500; i++) {
        hf_auto_free char *id = hf_key_id("sqlite", SAMPLE_MS + (int64_t)i * 6 * 3600 * 1000);

        sample_store(&local, id);
        verify(&local, id, HF_LEVEL_CONTENT, true);
    }
    start = clock();
    catalog = load(1);
    ck_assert_int_lt((clock() - start) / CLOCKS_PER_SEC, 10);
    ck_assert_uint_eq(catalog->count, 2500);
    ck_assert(hf_backup_verified(&catalog->backups[2499]));
    hf_catalog_free(catalog);
}
END_TEST

Suite *suite_catalog(void)
{
    Suite *suite = suite_create("catalog");
    TCase *tcase = tcase_create("catalog");

    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, empty);
    tcase_add_test(tcase, figures);
    tcase_add_test(tcase, damage);
    tcase_add_test(tcase, unreadable_manifest);
    tcase_add_test(tcase, orphans);
    tcase_add_test(tcase, artifacts_aside);
    tcase_add_test(tcase, verification_records);
    tcase_add_test(tcase, verified_only_while_whole);
    tcase_add_test(tcase, several_sinks);
    tcase_add_test(tcase, damaged_copy_comes_last);
    tcase_add_test(tcase, finding);
    tcase_add_test(tcase, sink_that_does_not_answer);
    tcase_add_test(tcase, thousands);
    suite_add_tcase(suite, tcase);
    return suite;
}
