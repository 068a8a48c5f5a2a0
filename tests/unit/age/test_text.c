/* SPDX-License-Identifier: Apache-2.0
 *
 * The ways in which bytes are written as text.
 */
#include "suites.h"

#include <stdio.h>
#include <string.h>

START_TEST(bech32_there_and_back)
{
    unsigned char data[AGE_KEY_SIZE], back[AGE_KEY_SIZE];
    char text[128];
    uint64_t seed = (uint64_t)_i;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(_i == 0 ? 0 : _i == 1 ? 255 : kit_random(&seed));
    age_bech32_encode("age", data, false, text);
    ck_assert_uint_eq(strlen(text), 62);
    ck_assert_int_eq(age_bech32_decode(text, strlen(text), "age", back), 0);
    ck_assert_mem_eq(back, data, sizeof(data));
    age_bech32_encode("age-secret-key-", data, true, text);
    ck_assert_int_eq(age_bech32_decode(text, strlen(text), "age-secret-key-", back), 0);
    ck_assert_mem_eq(back, data, sizeof(data));
    ck_assert_int_eq(age_bech32_decode(text, strlen(text), "age", back), -1);
    /* Any changed letter is found; so are two that are swapped, unless they are the same. */
    for (size_t i = 0; i < strlen(text); i++) {
        char kept = text[i];

        text[i] = kept == 'Q' ? 'P' : 'Q';
        ck_assert_int_eq(age_bech32_decode(text, strlen(text), "age-secret-key-", back), -1);
        text[i] = kept;
        if (i > 0 && text[i - 1] != kept) {
            text[i] = text[i - 1];
            text[i - 1] = kept;
            ck_assert_int_eq(age_bech32_decode(text, strlen(text), "age-secret-key-", back), -1);
            text[i - 1] = text[i];
            text[i] = kept;
        }
    }
}
END_TEST

START_TEST(bech32_refuses)
{
    /* The first is right: each of the others is it, made wrong. */
    static const char *const texts[] = {
        "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj",
        "Age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj",
        "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujw",
        "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwjj",
        "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwk",
        "age2zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj",
        "aga1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj",
        "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwb",
        " age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj",
        "",
        "age1",
    };
    unsigned char data[AGE_KEY_SIZE];
    char text[128];

    ck_assert_int_eq(age_bech32_decode(texts[_i], strlen(texts[_i]), "age", data), _i == 0 ? 0 : -1);
    if (_i == 0) {
        age_bech32_encode("age", data, false, text);
        ck_assert_str_eq(text, texts[0]);
        age_bech32_encode("age", data, true, text);
        ck_assert_int_eq(age_bech32_decode(text, strlen(text), "age", data), 0);
    }
}
END_TEST

START_TEST(base64_of_rfc_4648)
{
    static const char *const pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    char text[16] = "";
    unsigned char data[16];

    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        size_t size = strlen(pairs[i][0]), length = strlen(pairs[i][1]);

        ck_assert_uint_eq(age_base64_encode((const unsigned char *)pairs[i][0], size, text), length);
        ck_assert_uint_eq(age_base64_size(size), length);
        ck_assert_mem_eq(text, pairs[i][1], length);
        ck_assert_int_eq(age_base64_decode(pairs[i][1], length, data, sizeof(data)), (int64_t)size);
        ck_assert_mem_eq(data, pairs[i][0], size);
        if (size > 0)
            ck_assert_int_eq(age_base64_decode(pairs[i][1], length, data, size - 1), -1);
    }
}
END_TEST

START_TEST(base64_refuses)
{
    static const char *const texts[] = {"Zg==", "Zh", "Zm9", "Z", "Zm9vY", "Zm 9", "Zm9v\n", "Zm-_", "\xc3\xa4", "="};
    unsigned char data[16];

    ck_assert_int_eq(age_base64_decode(texts[_i], strlen(texts[_i]), data, sizeof(data)), -1);
}
END_TEST

TCase *text_case(void)
{
    TCase *tests = tcase_create("text");

    tcase_add_loop_test(tests, bech32_there_and_back, 0, 20);
    tcase_add_loop_test(tests, bech32_refuses, 0, 11);
    tcase_add_test(tests, base64_of_rfc_4648);
    tcase_add_loop_test(tests, base64_refuses, 0, 10);
    return tests;
}
