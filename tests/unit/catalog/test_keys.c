/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/records.h"
#include "sample.h"

#include <string.h>

static void expect_id(const char *key, const char *id)
{
    hf_auto_free char *got = hf_key_to_id(key);

    ck_assert_msg(hf_text_equal(got, id), "'%s' gives '%s', not '%s'", key, got ? got : "(none)", id ? id : "(none)");
}

START_TEST(ids)
{
    hf_auto_free char *id = hf_key_id("my-db", 1769947200123), *profile = NULL;
    int64_t time_ms = 0;

    ck_assert_str_eq(id, "my-db_20260201_120000");
    ck_assert(hf_id_parse(id, &profile, &time_ms));
    ck_assert_str_eq(profile, "my-db");
    ck_assert_int_eq(time_ms, 1769947200000);
    ck_assert(hf_id_parse(id, NULL, NULL));
    ck_assert(!hf_id_parse("my-db_20260201_120000.sha256", NULL, NULL));
    ck_assert(!hf_id_parse("my-db_a_20260201_120000", NULL, NULL));
    ck_assert(!hf_id_parse("my-db_20261301_120000", NULL, NULL));
    ck_assert(!hf_id_parse("_20260201_120000", NULL, NULL));
    ck_assert(!hf_id_parse("My_20260201_120000", NULL, NULL));
    ck_assert(!hf_id_parse("-a_20260201_120000", NULL, NULL));
    ck_assert(!hf_id_parse("", NULL, NULL));
}
END_TEST

START_TEST(keys_to_ids)
{
    expect_id("ledger_20260201_120000.tar.gz", "ledger_20260201_120000");
    expect_id("ledger_20260201_120000.manifest.json", "ledger_20260201_120000");
    expect_id("ledger_20260201_120000.sha256", "ledger_20260201_120000");
    expect_id("sqlite_signals_20260201_120000.db.gz", "sqlite_20260201_120000");
    expect_id("sqlite_a_b_20260201_120000.db", "sqlite_20260201_120000");
    expect_id("sqlite_a__20260201_120000.db", "sqlite_20260201_120000");
    expect_id("ledger_20260201_120000", "ledger_20260201_120000");
    /* an artifact that is itself called as a time */
    expect_id("sqlite_20250101_000000_20260201_120000.db.gz", "sqlite_20260201_120000");
    expect_id("sqlite_20250101_000000.x_20260201_120000.db.gz", "sqlite_20260201_120000");

    expect_id("sqlite__20260201_120000.db", NULL);
    expect_id("sqlite_20260201_120000db", NULL);
    expect_id("sqlite_20260201_1200.db", NULL);
    expect_id("sqlite_20260231_120000.db", NULL);
    expect_id("sqlite_20260201_120000.db_x", NULL);
    expect_id("ledger_corrupted_20260201.tar.gz", NULL);
    expect_id("_20260201_120000.db", NULL);
    expect_id("20260201_120000.db", NULL);
    expect_id("_", NULL);
    expect_id("", NULL);
    expect_id("a", NULL);
    expect_id("../etc_20260201_120000.db", NULL);
    expect_id(".a_20260201_120000.db", NULL);
}
END_TEST

static void expect_artifact(const char *name, const char *suffix, const char *stages, const char *key)
{
    hf_auto_free char *got = hf_key_artifact(SAMPLE_ID, name, suffix, stages);

    ck_assert_msg(hf_text_equal(got, key), "'%s' '%s' '%s' gives '%s'", name, suffix, stages, got ? got : "(none)");
    if (got != NULL)
        expect_id(got, SAMPLE_ID);
}

START_TEST(artifact_keys)
{
    char longest[HF_KEY_MAX];

    expect_artifact("signals", ".db", ".gz", "sqlite_signals_20260201_120000.db.gz");
    expect_artifact("", ".tar", "", "sqlite_20260201_120000.tar");
    expect_artifact("", "", "", "sqlite_20260201_120000");
    expect_artifact("a_b.c-d", ".db", ".gz", "sqlite_a_b.c-d_20260201_120000.db.gz");
    expect_artifact("a/b", ".db", ".gz", NULL);
    expect_artifact("a b", ".db", ".gz", NULL);
    expect_artifact("a", "db", ".gz", NULL);
    expect_artifact("a", ".d_b", ".gz", NULL);
    expect_artifact("a", ".d/b", ".gz", NULL);
    expect_artifact("", ".manifest.json", "", NULL);
    expect_artifact("a", ".manifest", ".json", NULL);
    expect_artifact("a", ".sha256", "", NULL);
    expect_artifact("a", ".commit.json", "", NULL);
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    expect_artifact(longest, ".db", ".gz", NULL);
}
END_TEST

static void expect_aside(const char *name, const char *suffix, const char *stages, const char *key)
{
    hf_auto_free char *got = hf_key_aside(SAMPLE_ID, name, suffix, stages), *id = NULL;

    ck_assert_msg(hf_text_equal(got, key), "'%s' '%s' '%s' gives '%s'", name, suffix, stages, got ? got : "(none)");
    if (got == NULL)
        return;
    id = hf_key_aside_id(got);
    ck_assert_str_eq(id, SAMPLE_ID);
    ck_assert(hf_key_of(got, SAMPLE_ID));
    ck_assert(!hf_text_starts(got, "sqlite_"));
}

START_TEST(aside_keys)
{
    char longest[HF_KEY_MAX];
    hf_auto_free char *id = NULL;

    expect_aside("globals", ".sql", ".gz", "globals_sqlite_20260201_120000.sql.gz");
    expect_aside("Not-a.profile", "", "", "Not-a.profile_sqlite_20260201_120000");
    expect_aside("", ".sql", "", NULL);
    expect_aside("two_words", ".sql", "", NULL);
    expect_aside("sqlite", ".sql", "", NULL); /* a pattern would find it */
    expect_aside("a/b", ".sql", "", NULL);
    expect_aside(".a", ".sql", "", NULL);
    expect_aside("a", ".s_l", "", NULL);
    expect_aside("a", ".manifest.json", "", NULL);
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    expect_aside(longest, ".sql", "", NULL);

    /* It could be another profile's. */
    expect_id("globals_sqlite_20260201_120000.sql.gz", "globals_20260201_120000");
    ck_assert(hf_key_of("globals_sqlite_20260201_120000.sql.gz", "globals_20260201_120000"));
    ck_assert(!hf_key_of("globals_sqlite_20260201_120000.sql.gz", "sqlite_20260201_120001"));
    ck_assert(!hf_key_of("globals_sqlite2_20260201_120000.sql.gz", SAMPLE_ID));
    id = hf_key_aside_id("sqlite_20260201_120000.db.gz");
    ck_assert_ptr_null(id);
    id = hf_key_aside_id("a_b_sqlite_20260201_120000.db.gz");
    ck_assert_ptr_null(id);
    id = hf_key_aside_id("a_Sqlite_20260201_120000.db.gz");
    ck_assert_ptr_null(id);
    id = hf_key_aside_id("a_sqlite_20260201_120000.d_b");
    ck_assert_ptr_null(id);
}
END_TEST

START_TEST(valid_keys)
{
    char key[HF_KEY_MAX + 2];

    ck_assert(hf_key_valid("a"));
    ck_assert(hf_key_valid("A-z_0.9"));
    ck_assert(!hf_key_valid(""));
    ck_assert(!hf_key_valid(NULL));
    ck_assert(!hf_key_valid(".hidden"));
    ck_assert(!hf_key_valid("-rf"));
    ck_assert(!hf_key_valid("a/b"));
    ck_assert(!hf_key_valid("a\nb"));
    ck_assert(!hf_key_valid("\xc3\xa4"));
    memset(key, 'k', sizeof(key));
    key[HF_KEY_MAX] = '\0';
    ck_assert(hf_key_valid(key));
    key[HF_KEY_MAX] = 'k';
    key[HF_KEY_MAX + 1] = '\0';
    ck_assert(!hf_key_valid(key));
}
END_TEST

/* Every id's records are of that id, and none could be an artifact's. */
START_TEST(records)
{
    static const char *const suffixes[] = {HF_SUFFIX_MANIFEST, HF_SUFFIX_SHA256, HF_SUFFIX_VERIFIED, HF_SUFFIX_COMMIT,
                                           HF_SUFFIX_REMOVING};

    for (size_t i = 0; i < HF_COUNT(suffixes); i++) {
        hf_auto_free char *key = hf_strf("%s%s", SAMPLE_ID, suffixes[i]);

        expect_id(key, SAMPLE_ID);
        ck_assert(hf_key_record(key));
    }
    ck_assert(!hf_key_record("sqlite_20260201_120000.json"));
}
END_TEST

Suite *suite_keys(void)
{
    Suite *suite = suite_create("keys");
    TCase *tcase = tcase_create("keys");

    tcase_add_test(tcase, ids);
    tcase_add_test(tcase, keys_to_ids);
    tcase_add_test(tcase, artifact_keys);
    tcase_add_test(tcase, aside_keys);
    tcase_add_test(tcase, valid_keys);
    tcase_add_test(tcase, records);
    suite_add_tcase(suite, tcase);
    return suite;
}
