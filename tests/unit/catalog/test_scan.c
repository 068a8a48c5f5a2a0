/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/json_write.h"
#include "catalog/scan.h"
#include "sample.h"

#include <string.h>

struct target {
    char *text;
    uint64_t size, pair[2];
    uint32_t small;
    bool flag;
    char hex[5];
    int64_t time_ms;
    json_t *tree;
};

static const struct hf_scan_member text_member = {"k", HF_SCAN_TEXT, offsetof(struct target, text), 8, NULL};
static const struct hf_scan_member size_member = {"k", HF_SCAN_SIZE, offsetof(struct target, size), UINT64_MAX, NULL};
static const struct hf_scan_member pair_member = {"k", HF_SCAN_PAIR, offsetof(struct target, pair), 100, NULL};
static const struct hf_scan_member small_member = {"k", HF_SCAN_UINT32, offsetof(struct target, small), 7, NULL};
static const struct hf_scan_member flag_member = {"k", HF_SCAN_BOOL, offsetof(struct target, flag), 0, NULL};
static const struct hf_scan_member hex_member = {"k", HF_SCAN_HEX, offsetof(struct target, hex), 4, NULL};
static const struct hf_scan_member time_member = {"k", HF_SCAN_TIME, offsetof(struct target, time_ms), 0, NULL};
static const struct hf_scan_member tree_member = {"k", HF_SCAN_OBJECT, offsetof(struct target, tree), 0, NULL};

static int scan_size(const char *json, size_t size, const struct hf_scan_member *member, struct target *target)
{
    /* of exactly its size, so that reading past the end is found by the sanitizers */
    hf_auto_free char *copy = malloc(size ? size : 1);
    struct hf_ctx ctx = {0};
    struct hf_scan scan;
    int rc;

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, json, size);
    hf_scan_init(&scan, &ctx, "test", copy, size);
    rc = hf_scan_object(&scan, member, 1, target);
    if (rc == HF_OK)
        rc = hf_scan_end(&scan);
    ck_assert_int_eq(rc, ctx.error.code);
    hf_error_clear(&ctx.error);
    return rc;
}

static int scan(const char *json, const struct hf_scan_member *member, struct target *target)
{
    return scan_size(json, strlen(json), member, target);
}

static void refuse(const char *json, const struct hf_scan_member *member)
{
    struct target target = {0};

    ck_assert_msg(scan(json, member, &target) == HF_E_CORRUPT, "accepted: %s", json);
    free(target.text);
    json_decref(target.tree);
}

static void expect_text(const char *json, const char *text)
{
    struct target target = {0};

    ck_assert_msg(scan(json, &text_member, &target) == HF_OK, "refused: %s", json);
    ck_assert_str_eq(target.text, text);
    free(target.text);
}

/* Text is passed over by eights: every byte that is special must be seen at every place. */
START_TEST(special_bytes_anywhere)
{
    static const struct hf_scan_member long_member = {"k", HF_SCAN_TEXT, offsetof(struct target, text), 64, NULL};

    for (int byte = 0; byte < 256; byte++)
        for (size_t at = 0; at < 19; at++) {
            bool plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
            struct target target = {0};
            char json[32] = "{\"k\":\"abcdefghijklmnopqrs\"}", expected[20] = "abcdefghijklmnopqrs";

            json[6 + at] = expected[at] = (char)byte;
            if (plain) {
                ck_assert_msg(scan_size(json, 27, &long_member, &target) == HF_OK, "byte %d at %zu", byte, at);
                ck_assert_str_eq(target.text, expected);
            } else {
                bool escape = byte == '\\' && at < 18 && strchr("bfnrt", json[7 + at]) != NULL;

                ck_assert_msg((scan_size(json, 27, &long_member, &target) == HF_OK) == escape, "byte %d at %zu", byte,
                              at);
            }
            free(target.text);
        }
}
END_TEST

START_TEST(texts)
{
    expect_text("{\"k\":\"\"}", "");
    expect_text(" { \"k\" : \"a b\" } \n", "a b");
    expect_text("{\"k\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "\"\\/\b\f\n\r\t");
    expect_text("{\"k\":\"\\u0041\\u00e4\\u20AC\"}", "A\xc3\xa4\xe2\x82\xac");
    expect_text("{\"k\":\"\\ud83d\\ude00\"}", "\xf0\x9f\x98\x80");
    expect_text("{\"k\":\"\xf0\x9f\x98\x80\"}", "\xf0\x9f\x98\x80");
    expect_text("{\"x\":[1,{\"k\":2}],\"k\":\"v\",\"y\":-1.5e3,\"z\":null}", "v");
    expect_text("{\"\\u006b\":\"v\"}", "v");
    expect_text("{\"k\":\"12345678\"}", "12345678");
    refuse("{\"k\":\"123456789\"}", &text_member);
    refuse("{\"k\":\"\\u0000\"}", &text_member);
    refuse("{\"k\":\"\\ud83d\"}", &text_member);
    refuse("{\"k\":\"\\ude00\"}", &text_member);
    refuse("{\"k\":\"\\ud83d\\u0041\"}", &text_member);
    refuse("{\"k\":\"\\x\"}", &text_member);
    refuse("{\"k\":\"\\u00g0\"}", &text_member);
    refuse("{\"k\":\"\\u00\"}", &text_member);
    refuse("{\"k\":\"\n\"}", &text_member);
    refuse("{\"k\":\"\xff\"}", &text_member);
    refuse("{\"k\":\"\xc0\x80\"}", &text_member);
    refuse("{\"k\":\"\xed\xa0\x80\"}", &text_member);
    refuse("{\"k\":\"\xf4\x90\x80\x80\"}", &text_member);
    refuse("{\"k\":1}", &text_member);
    refuse("{\"k\":null}", &text_member);
}
END_TEST

START_TEST(shapes)
{
    refuse("", &text_member);
    refuse("[]", &text_member);
    refuse("{}", &text_member);
    refuse("{\"k\":\"v\"", &text_member);
    refuse("{\"k\":\"v\",}", &text_member);
    refuse("{\"k\" \"v\"}", &text_member);
    refuse("{\"k\":\"v\"} x", &text_member);
    refuse("{\"k\":\"v\",\"k\":\"w\"}", &text_member);
    refuse("{k:\"v\"}", &text_member);
    refuse("{\"k\":\"v\" \"x\":1}", &text_member);
    refuse("{\"k\":\"v\",\"x\":nul}", &text_member);
    refuse("{\"k\":\"v\",\"x\":}", &text_member);
    refuse("{\"k\":\"v\",\"x\":[1,]}", &text_member);
}
END_TEST

/* Every beginning of a good text is refused, and no byte beyond it is looked at. */
START_TEST(truncation)
{
    static const char json[] = "{\"x\":[1,{\"y\":\"\\u0041\xc3\xa4\\n\"},true,null],\"k\":\"\\ud83d\\ude00\"}";

    for (size_t size = 0; size < sizeof(json) - 1; size++) {
        struct target target = {0};

        ck_assert_msg(scan_size(json, size, &text_member, &target) == HF_E_CORRUPT, "accepted %zu bytes", size);
        free(target.text);
    }
}
END_TEST

START_TEST(numbers)
{
    struct target target = {0};

    ck_assert_int_eq(scan("{\"k\":18446744073709551615}", &size_member, &target), HF_OK);
    ck_assert(target.size == UINT64_MAX);
    ck_assert_int_eq(scan("{\"k\":0}", &size_member, &target), HF_OK);
    ck_assert(target.size == 0);
    ck_assert_int_eq(scan("{\"k\":[0, 100]}", &pair_member, &target), HF_OK);
    ck_assert(target.pair[0] == 0 && target.pair[1] == 100);
    ck_assert_int_eq(scan("{\"k\":7}", &small_member, &target), HF_OK);
    ck_assert_uint_eq(target.small, 7);
    ck_assert_int_eq(scan("{\"k\":true}", &flag_member, &target), HF_OK);
    ck_assert(target.flag);
    refuse("{\"k\":18446744073709551616}", &size_member);
    refuse("{\"k\":99999999999999999999999}", &size_member);
    refuse("{\"k\":-1}", &size_member);
    refuse("{\"k\":01}", &size_member);
    refuse("{\"k\":1.0}", &size_member);
    refuse("{\"k\":1e3}", &size_member);
    refuse("{\"k\":\"1\"}", &size_member);
    refuse("{\"k\":8}", &small_member);
    refuse("{\"k\":[0]}", &pair_member);
    refuse("{\"k\":[0,1,2]}", &pair_member);
    refuse("{\"k\":[0,101]}", &pair_member);
    refuse("{\"k\":1}", &flag_member);
}
END_TEST

START_TEST(hex_time_tree)
{
    struct target target = {0};

    ck_assert_int_eq(scan("{\"k\":\"01af\"}", &hex_member, &target), HF_OK);
    ck_assert_str_eq(target.hex, "01af");
    refuse("{\"k\":\"01aF\"}", &hex_member);
    refuse("{\"k\":\"01a\"}", &hex_member);
    refuse("{\"k\":\"01aff\"}", &hex_member);
    ck_assert_int_eq(scan("{\"k\":\"2026-02-01T12:00:00.123Z\"}", &time_member, &target), HF_OK);
    ck_assert_int_eq(target.time_ms, 1769947200123);
    ck_assert_int_eq(scan("{\"k\":\"2026-02-01T12:00:00Z\"}", &time_member, &target), HF_OK);
    ck_assert_int_eq(target.time_ms, 1769947200000);
    refuse("{\"k\":\"2026-02-01\"}", &time_member);
    refuse("{\"k\":\"2026-02-31T12:00:00Z\"}", &time_member);
    refuse("{\"k\":\"2026-02-01T12:00:00+01:00\"}", &time_member);
    ck_assert_int_eq(scan("{\"k\":{\"a\":[1.5]}}", &tree_member, &target), HF_OK);
    ck_assert_int_eq(json_object_size(target.tree), 1);
    json_decref(target.tree);
    refuse("{\"k\":{\"a\":1,\"a\":2}}", &tree_member);
    refuse("{\"k\":[]}", &tree_member);
    refuse("{\"k\":{\"a\":1..2}}", &tree_member);
}
END_TEST

START_TEST(depth)
{
    hf_auto_text struct hf_text json = {0};

    hf_text_add(&json, "{\"x\":");
    for (int i = 0; i < 100000; i++)
        hf_text_add(&json, "[");
    refuse(json.data, &text_member);
    hf_text_clear(&json);
    hf_text_add(&json, "{\"k\":");
    for (int i = 0; i < 100000; i++)
        hf_text_add(&json, "{\"a\":");
    refuse(json.data, &tree_member);
}
END_TEST

START_TEST(written_text)
{
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"plain", "\"plain\""},
        {NULL, "\"\""},
        {"a\"b\\c\nd\te\x1b", "\"a\\\"b\\\\c\\nd\\u0009e\\u001b\""},
        {"\xc3\xa4\xff\xe2\x82", "\"\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\x7f", "\"\\u007f\""},
    };

    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_auto_text struct hf_text out = {0};

        hf_json_write_text(&out, cases[i].text);
        if (strcmp(out.data, cases[i].json) != 0)
            ck_abort_msg("case %zu: %s", i, out.data);
    }
}
END_TEST

START_TEST(messages_cannot_steer_a_terminal)
{
    static const char json[] = "{\"k\":{\"\x7f\xc2\x9b\":1,\"\x7f\xc2\x9b\":2}}";
    struct target target = {0};
    struct hf_ctx ctx = {0};
    struct hf_scan scan;

    hf_scan_init(&scan, &ctx, "test", json, sizeof(json) - 1);
    ck_assert_int_eq(hf_scan_object(&scan, &tree_member, 1, &target), HF_E_CORRUPT);
    for (const char *p = ctx.error.text; *p; p++)
        ck_assert(*p >= 0x20 && *p < 0x7f);
    hf_error_clear(&ctx.error);
}
END_TEST

Suite *suite_scan(void)
{
    Suite *suite = suite_create("scan");
    TCase *tcase = tcase_create("scan");

    tcase_add_test(tcase, special_bytes_anywhere);
    tcase_add_test(tcase, texts);
    tcase_add_test(tcase, shapes);
    tcase_add_test(tcase, truncation);
    tcase_add_test(tcase, numbers);
    tcase_add_test(tcase, hex_time_tree);
    tcase_add_test(tcase, depth);
    tcase_add_test(tcase, written_text);
    tcase_add_test(tcase, messages_cannot_steer_a_terminal);
    suite_add_tcase(suite, tcase);
    return suite;
}
