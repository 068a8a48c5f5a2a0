/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "suites.h"
#include <string.h>

START_TEST(writes)
{
    hf_auto_json json_t *object = json_object();
    hf_json_set_text(object, "plain", "caf\xc3\xa9");
    hf_json_set_text(object, "none", NULL);
    hf_json_set_int(object, "int", -5);
    hf_json_set_time(object, "time", INT64_C(1769947200000));
    json_t *array = json_array();
    hf_json_append(array, json_true());
    hf_json_set(object, "array", array);
    char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    ck_assert_str_eq(text, "{\"array\":[true],\"int\":-5,\"none\":null,\"plain\":\"caf\xc3\xa9\","
                           "\"time\":\"2026-02-01T12:00:00Z\"}");
    free(text);
}
END_TEST

/* One U+FFFD for each byte that is part of no UTF-8 sequence. */
START_TEST(repairs_utf8)
{
#define BAD "\xef\xbf\xbd"
    static const char *const cases[][2] = {{"a\xff"
                                            "b",
                                            "a" BAD "b"},
                                           {"\xc3", BAD},
                                           {"\xc0\xaf", BAD BAD},
                                           {"\xe0\x80\x80", BAD BAD BAD},
                                           {"\xed\xa0\x80", BAD BAD BAD},
                                           {"\xf4\x90\x80\x80", BAD BAD BAD BAD},
                                           {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
                                           {"\xe2\x82", BAD BAD},
                                           {"", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hf_auto_json json_t *object = json_object();
        hf_json_set_text(object, "k", cases[i][0]);
        ck_assert_str_eq(json_string_value(json_object_get(object, "k")), cases[i][1]);
    }
}
END_TEST

START_TEST(reads)
{
    hf_auto_json json_t *object =
        json_pack("{s:s, s:I, s:i, s:[i,i], s:s%}", "text", "abc", "size", (json_int_t)INT64_MAX, "negative", -1,
                  "array", 1, 2, "nul", "a\0b", (size_t)3);
    ck_assert_ptr_nonnull(object);
    struct hf_ctx ctx = {0};
    const char *text = NULL;
    uint64_t size = 0;
    json_t *array = NULL;
    ck_assert_int_eq(hf_json_get_text(&ctx, object, "text", 3, &text), 0);
    ck_assert_str_eq(text, "abc");
    ck_assert_int_eq(hf_json_get_size(&ctx, object, "size", &size), 0);
    ck_assert_uint_eq(size, INT64_MAX);
    ck_assert_int_eq(hf_json_get_array(&ctx, object, "array", 2, &array), 0);
    ck_assert_uint_eq(json_array_size(array), 2);
    ck_assert_int_eq(ctx.error.code, 0);

    static const char *const missing = "gone";
    ck_assert_int_eq(hf_json_get_text(&ctx, object, missing, 3, &text), HF_E_CORRUPT);
    ck_assert_str_eq(ctx.error.text, "'gone' is missing");
    hf_error_clear(&ctx.error);
    ck_assert_int_eq(hf_json_get_text(&ctx, object, "text", 2, &text), HF_E_CORRUPT);
    ck_assert_int_eq(hf_json_get_text(&ctx, object, "size", 2, &text), HF_E_CORRUPT);
    ck_assert_int_eq(hf_json_get_text(&ctx, object, "nul", 9, &text), HF_E_CORRUPT);
    ck_assert_int_eq(hf_json_get_size(&ctx, object, "text", &size), HF_E_CORRUPT);
    ck_assert_int_eq(hf_json_get_size(&ctx, object, "negative", &size), HF_E_CORRUPT);
    ck_assert_int_eq(hf_json_get_array(&ctx, object, "array", 1, &array), HF_E_CORRUPT);
    ck_assert_int_eq(hf_json_get_array(&ctx, array, "array", 1, &array), HF_E_CORRUPT);
    ck_assert_int_eq(hf_json_get_array(&ctx, NULL, "array", 1, &array), HF_E_CORRUPT);
    hf_error_clear(&ctx.error);
    ck_assert_str_eq(text, "abc");
}
END_TEST

TCase *json_case(void)
{
    TCase *tests = tcase_create("json");
    tcase_add_test(tests, writes);
    tcase_add_test(tests, repairs_utf8);
    tcase_add_test(tests, reads);
    return tests;
}
