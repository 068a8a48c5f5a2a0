/* SPDX-License-Identifier: Apache-2.0
 *
 * Manifests that somebody, or a failing disk, has changed.
 */
#include "sample.h"

#include <string.h>

#define SAMPLE_KEY SAMPLE_ID ".manifest.json"

static char *sample_text(void)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID);
    char *text = hf_manifest_write(manifest, NULL);

    hf_manifest_free(manifest);
    return text;
}

static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);

    ck_assert_msg(at != NULL, "the sample holds no %s", from);
    return hf_strf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static int read_text(const char *text, size_t size)
{
    struct hf_manifest *manifest = NULL;
    struct hf_ctx ctx = {0};
    int rc = hf_manifest_read(&ctx, SAMPLE_KEY, text, size, &manifest);

    ck_assert_int_eq(rc, ctx.error.code);
    ck_assert((rc == HF_OK) == (manifest != NULL));
    hf_manifest_free(manifest);
    hf_error_clear(&ctx.error);
    return rc;
}

/* The sample's first `from` becomes `to`, and the manifest is refused for it. */
static const struct {
    const char *from, *to;
} changes[] = {
    /* identity */
    {"\"schema\": 1", "\"schema\": 0"},
    {"\"schema\": 1", "\"schema\": -1"},
    {"\"schema\": 1", "\"schema\": \"1\""},
    {"\"schema\": 1,", ""},
    {"\"id\": \"" SAMPLE_ID, "\"id\": \"sqlite_20260202_120000"},
    {"\"id\": \"" SAMPLE_ID, "\"id\": \"../../etc/passwd"},
    {"\"id\": \"" SAMPLE_ID, "\"id\": \""},
    {"\"profile\": \"sqlite\"", "\"profile\": \"ledger\""},
    {"\"profile\": \"sqlite\"", "\"profile\": \"sqlite\", \"profile\": \"sqlite\""},
    {"\"profile\": \"sqlite\",", ""},
    {"\"host\": \"db1\"", "\"host\": 1"},
    {"\"start\": \"2026-02-01T12", "\"start\": \"2026-02-31T12"},
    {"\"end\": \"2026", "\"end\": \"x026"},
    {"\"sinks\": [\"local\"]", "\"sinks\": [1]"},
    {"\"sinks\": [\"local\"]", "\"sinks\": {}"},
    {"\"options\": {", "\"options\": ["},
    {"\"facts\": {", "\"facts\": { \"a\": 1,"},
    {"\"severity\": \"warning\"", "\"severity\": \"fatal\""},
    {"\"severity\": \"warning\"", "\"severity\": 2"},
    /* keys */
    {"\"key\": \"sqlite_events_20260201_120000.db.gz\"", "\"key\": \"sqlite_events_20260202_120000.db.gz\""},
    {"\"key\": \"sqlite_events_20260201_120000.db.gz\"", "\"key\": \"ledger_events_20260201_120000.db.gz\""},
    {"\"key\": \"sqlite_events_20260201_120000.db.gz\"", "\"key\": \"sqlite_signals_20260201_120000.db.gz\""},
    {"\"key\": \"sqlite_events_20260201_120000.db.gz\"", "\"key\": \"sqlite_20260201_120000.db.gz\""},
    {"\"key\": \"sqlite_events_20260201_120000.db.gz\"", "\"key\": \"sqlite_events_20260201_120000.dbx.gz\""},
    {"\"key\": \"sqlite_events_20260201_120000.db.gz\"", "\"key\": \"sqlite_events_20260201_120000.db.sha256\""},
    {"\"key\": \"sqlite_events_20260201_120000.db.gz\"", "\"key\": \"/etc/sqlite_events_20260201_120000.db.gz\""},
    {"\"key\": \"sqlite_events_20260201_120000.db.gz\"", "\"key\": \"../sqlite_events_20260201_120000.db.gz\""},
    {"\"key\": \"sqlite_events_20260201_120000.db.gz\"", "\"key\": \"sqlite_events_20260201_120000.db/../x.gz\""},
    {"\"key\": \"sqlite_events_20260201_120000.db.gz\"", "\"key\": \"\""},
    {"120000.db.gz\"", "120000.db.ggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggz\""},
    {"\"name\": \"events\"", "\"name\": \"signals\""},
    {"\"name\": \"events\"", "\"name\": \"ev/ents\""},
    {"\"name\": \"events\"", "\"name\": \"\""},
    {"\"suffix\": \".db\"", "\"suffix\": \".d\""},
    {"\"suffix\": \".db\"", "\"suffix\": \".tar\""},
    {"\"suffix\": \".db\"", "\"suffix\": \".\\u0000db\""},
    /* digests and sizes */
    {"\"sha256\": \"aaaa", "\"sha256\": \"AAAA"},
    {"\"sha256\": \"aaaa", "\"sha256\": \"aaa"},
    {"\"sha256\": \"aaaa", "\"sha256\": \"aaaaa"},
    {"\"xxh128\":\"cccc", "\"xxh128\":\"cccg"},
    {"\"bytes\": 35", "\"bytes\": -35"},
    {"\"bytes\": 35", "\"bytes\": 35.5"},
    {"\"bytes\": 35", "\"bytes\": 9223372036854775808"},
    {"\"bytes\": 35", "\"bytes\": 18"},
    {"\"raw_bytes\": 300", "\"raw_bytes\": 301"},
    {"\"raw_bytes\": 300", "\"raw_bytes\": 299"},
    {"\"raw_bytes\": 300", "\"raw_bytes\": 0"},
    /* parts */
    {"\"name\":\"events-0\"", "\"name\":\"events-1\""},
    {"\"name\":\"events-0\"", "\"name\":\"../x\""},
    {"\"name\":\"events-0\"", "\"name\":\"a/b\""},
    {"\"name\":\"events-0\"", "\"name\":\"\""},
    {"\"name\":\"events-0\",", ""},
    {"\"phase\":0", "\"phase\":4"},
    {"\"phase\":0", "\"phase\":4294967296"},
    {"\"raw\":[0,100]", "\"raw\":[1,99]"},
    {"\"raw\":[0,100]", "\"raw\":[0,99]"},
    {"\"raw\":[0,100]", "\"raw\":[0,101]"},
    {"\"raw\":[0,100]", "\"raw\":[0,9223372036854775807]"},
    {"\"raw\":[0,100]", "\"raw\":[100]"},
    {"\"raw\":[0,100]", "\"raw\":[]"},
    {"\"raw\":[0,100]", "\"raw\":100"},
    {"\"raw\":[100,200]", "\"raw\":[99,201]"},
    {"\"stored\":[3,8]", "\"stored\":[3,7]"},
    {"\"stored\":[3,8]", "\"stored\":[2,8]"},
    {"\"stored\":[3,8]", "\"stored\":[3,9]"},
    {"\"stored\":[3,8]", "\"stored\":[3,0]"},
    {"\"stored\":[11,8]", "\"stored\":[3,8]"},
    {"\"stored\":[11,8]", "\"stored\":[11,800]"},
    {"\"stored\":[11,8]", "\"stored\":[11,9223372036854775807]"},
    {"\"stored\":[11,8]", "\"stored\":[9223372036854775807,8]"},
    /* an artifact twice; parts without a stage */
    {"sqlite_signals_20260201_120000.db.gz\",\n   \"name\": \"signals\"",
     "sqlite_events_20260201_120000.db.gz\",\n   \"name\": \"events\""},
    {"\"stages\": [{\"plugin\": \"gzip\", \"version\": \"0.1.0\"}]", "\"stages\": []"},
    {"\"stages\": [{\"plugin\": \"gzip\", \"version\": \"0.1.0\"}]", "\"stages\": [{\"plugin\": \"gzip\"}]"},
};

START_TEST(changed)
{
    hf_auto_free char *text = sample_text();

    ck_assert_int_eq(read_text(text, strlen(text)), HF_OK);
    for (size_t i = 0; i < HF_COUNT(changes); i++) {
        hf_auto_free char *bad = replaced(text, changes[i].from, changes[i].to);

        ck_assert_msg(read_text(bad, strlen(bad)) == HF_E_CORRUPT, "accepted: %s -> %s", changes[i].from,
                      changes[i].to);
    }
}
END_TEST

START_TEST(truncated)
{
    hf_auto_free char *text = sample_text();

    for (size_t size = 0; size + 1 < strlen(text); size++) { /* + 1: the final newline may go */
        hf_auto_free char *cut = hf_strndup(text, size);

        ck_assert_msg(read_text(cut, size) == HF_E_CORRUPT, "accepted %zu bytes", size);
    }
}
END_TEST

/* Whatever a flipped bit makes of it: no crash, and what is accepted can be written and read again. */
START_TEST(bit_flips)
{
    hf_auto_free char *text = sample_text();
    size_t size = strlen(text);

    for (size_t i = 0; i < size * 8; i++) {
        text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
        read_text(text, size);
        text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
    }
}
END_TEST

START_TEST(swapped)
{
    hf_auto_free char *text = sample_text();
    struct hf_manifest *manifest = NULL;
    struct hf_ctx ctx = {0};

    ck_assert_int_eq(hf_manifest_read(&ctx, "sqlite_20260201_120001.manifest.json", text, strlen(text), &manifest),
                     HF_E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(ctx.error.text, "holds the manifest of backup '" SAMPLE_ID "'"));
    hf_error_clear(&ctx.error);
}
END_TEST

START_TEST(not_a_manifest)
{
    static const char *const texts[] = {"", " ", "{}", "[]", "null", "\"x\"", "\x1f\x8b\x08", "{\"schema\":1}"};

    for (size_t i = 0; i < HF_COUNT(texts); i++)
        ck_assert_int_eq(read_text(texts[i], strlen(texts[i])), HF_E_CORRUPT);
    ck_assert_int_eq(read_text("\0\0\0\0", 4), HF_E_CORRUPT);
}
END_TEST

Suite *suite_hostile(void)
{
    Suite *suite = suite_create("hostile manifests");
    TCase *tcase = tcase_create("hostile");

    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, changed);
    tcase_add_test(tcase, truncated);
    tcase_add_test(tcase, bit_flips);
    tcase_add_test(tcase, swapped);
    tcase_add_test(tcase, not_a_manifest);
    suite_add_tcase(suite, tcase);
    return suite;
}
