/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "suites.h"
#include <string.h>

START_TEST(grows)
{
    struct hf_text text = {0};
    hf_text_add_bytes(&text, "", 0);
    ck_assert_str_eq(text.data, "");
    for (int i = 0; i < 1000; i++)
        hf_text_addf(&text, "%d,", i);
    ck_assert_uint_eq(text.length, 10 * 2 + 90 * 3 + 900 * 4);
    ck_assert_uint_eq(strlen(text.data), text.length);
    ck_assert(hf_text_ends(text.data, "998,999,"));
    hf_text_clear(&text);
    ck_assert_ptr_null(text.data);
}
END_TEST

START_TEST(questions)
{
    ck_assert(hf_text_starts("abc", ""));
    ck_assert(hf_text_starts("abc", "abc"));
    ck_assert(!hf_text_starts("ab", "abc"));
    ck_assert(hf_text_ends("abc", "bc"));
    ck_assert(!hf_text_ends("c", "bc"));
    ck_assert(hf_text_equal(NULL, NULL));
    ck_assert(!hf_text_equal(NULL, ""));
    ck_assert(hf_text_equal("a", "a"));
}
END_TEST

START_TEST(nearest)
{
    static const char *const words[] = {"path", "plugin",    "busy_timeout", "on_error",
                                        "keep", "keep_last", "every",        NULL};
    static const struct {
        const char *word, *nearest;
    } cases[] = {{"pth", "path"},
                 {"paht", "path"},
                 {"PATH", "path"},
                 {"plugn", "plugin"},
                 {"busytimeout", "busy_timeout"},
                 {"on-error", "on_error"},
                 {"keep_lsat", "keep_last"},
                 {"evry", "every"},
                 {"keeps", "keep"},
                 {"zebra", NULL},
                 {"", NULL},
                 {"x", NULL},
                 {"compression", NULL},
                 {"xy", NULL}};
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        const char *found = hf_text_nearest(cases[i].word, words, HF_COUNT(words));
        ck_assert_msg(hf_text_equal(found, cases[i].nearest), "%s: %s", cases[i].word, found ? found : "none");
    }
    char huge[500];
    memset(huge, 'a', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    ck_assert_ptr_null(hf_text_nearest(huge, words, HF_COUNT(words)));
    ck_assert_ptr_null(hf_text_nearest("path", NULL, 0));
}
END_TEST

START_TEST(bytes)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0 B"},
                 {812, "812 B"},
                 {1023, "1023 B"},
                 {1024, "1.0 KiB"},
                 {1536, "1.5 KiB"},
                 {1048575, "1.0 MiB"},
                 {UINT64_C(1503238553), "1.4 GiB"},
                 {UINT64_MAX, "16.0 EiB"}};
    char text[16];
    for (size_t i = 0; i < HF_COUNT(cases); i++)
        ck_assert_str_eq(hf_text_bytes(cases[i].bytes, text), cases[i].text);
    char hex[9];
    hf_text_hex((const unsigned char *)"\x00\xff\x1a\x9c", 4, hex);
    ck_assert_str_eq(hex, "00ff1a9c");
}
END_TEST

START_TEST(string_lists)
{
    struct hf_strings strings = {0};
    hf_strings_sort(&strings);
    ck_assert(!hf_strings_have(&strings, "b"));
    for (int i = 99; i >= 0; i--)
        hf_strings_take(&strings, hf_strf("%02d", i));
    hf_strings_add(&strings, "b");
    ck_assert(hf_strings_have(&strings, "b"));
    ck_assert_ptr_null(strings.items[101]);
    hf_strings_sort(&strings);
    ck_assert_str_eq(strings.items[0], "00");
    ck_assert_str_eq(strings.items[99], "99");
    hf_strings_clear(&strings);
    ck_assert_uint_eq(strings.count, 0);
}
END_TEST

START_TEST(memory)
{
    char *text = hf_strndup("abcdef", 3);
    ck_assert_str_eq(text, "abc");
    char *stolen = hf_steal(text);
    ck_assert_ptr_null(text);
    ck_assert_str_eq(stolen, "abc");
    free(stolen);
    ck_assert_ptr_null(hf_strdup(NULL));
    unsigned char *zeroed = hf_alloc_array(3, 5);
    for (int i = 0; i < 15; i++)
        ck_assert_uint_eq(zeroed[i], 0);
    free(zeroed);
    free(hf_alloc(0));
}
END_TEST

START_TEST(overflow_ends_the_process)
{
    hf_alloc_array(SIZE_MAX / 2, 3);
}
END_TEST

TCase *text_case(void)
{
    TCase *tests = tcase_create("text");
    tcase_add_test(tests, grows);
    tcase_add_test(tests, questions);
    tcase_add_test(tests, nearest);
    tcase_add_test(tests, bytes);
    tcase_add_test(tests, string_lists);
    tcase_add_test(tests, memory);
    tcase_add_exit_test(tests, overflow_ends_the_process, 1);
    return tests;
}
