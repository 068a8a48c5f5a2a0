/* SPDX-License-Identifier: Apache-2.0
 *
 * Headers as other implementations may write them, and as nobody may: the cases are those of the test kit that age's
 * implementations share.
 */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define END "--- %M\n"
#define BODY32 "0000000000000000000000000000000000000000000" /* 32 bytes, canonical */
#define LINE64 "0000000000000000000000000000000000000000000000000000000000000000"
#define SHARE "Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8" /* 32 bytes, canonical */

struct recipe {
    const char *name, *header, *end;
    int expect; /* HF_END: it decodes */
};

static const struct recipe recipes[] = {
    {"one recipient", "%X\n", END, HF_END},
    {"a recipient among others", "%O\n%X\n%O\n", END, HF_END},
    {"twice the same", "%X\n%X\n", END, HF_END},
    {"nobody we know", "%O\n", END, HF_E_AUTH},
    {"a passphrase, and no key", "%P\n", END, HF_E_AUTH},
    {"a passphrase beside a key", "%P\n%X\n", END, HF_E_CORRUPT},
    {"a key beside a passphrase", "%X\n%P\n", END, HF_END},         /* the recipient comes first, and is enough */
    {"of unknown type", "-> grease-x \n\n%X\n", END, HF_E_CORRUPT}, /* its last argument is empty */
    {"unknown, and skipped", "-> some-grease 1 !#$&\n" BODY32 "\n%X\n-> other\n\n", END, HF_END},
    {"unknown, with a long body", "-> x\n" LINE64 "\n" LINE64 "\n\n%X\n", END, HF_END},
    {"unknown, with many words", "-> x a b c d e f g\n\n%X\n", END, HF_END},
    {"a body without its short line", "-> x\n" LINE64 "\n%X\n", END, HF_E_CORRUPT},
    {"a body that is missing", "-> x\n%X\n", END, HF_E_CORRUPT},
    {"a body's line that is too long", "-> x\n" LINE64 "00\n\n%X\n", END, HF_E_CORRUPT},
    {"two short lines in a body", "-> x\nAAAA\nAAAA\n%X\n", END, HF_E_CORRUPT},
    {"a body with padding", "-> x\nAA==\n%X\n", END, HF_E_CORRUPT},
    {"a body that is not canonical", "-> x\nAB\n%X\n", END, HF_E_CORRUPT},
    {"a body with a blank", "-> x\nAA AA\n%X\n", END, HF_E_CORRUPT},
    {"carriage returns", "-> x\r\n\r\n%X\n", END, HF_E_CORRUPT},
    {"a word with an odd character", "-> x \xc3\xa4\n\n%X\n", END, HF_E_CORRUPT},
    {"a word with a control character", "-> x a\x7f\n\n%X\n", END, HF_E_CORRUPT},
    {"every character that a word may have", "-> x !\"#$&'()*+,-./0123456789:;<=>?@AZ[\\]^_`az{|}~\n\n%X\n", END,
     HF_END},
    {"two blanks", "-> x  y\n\n%X\n", END, HF_E_CORRUPT},
    {"no words", "->\n\n%X\n", END, HF_E_CORRUPT},
    {"no blank behind the arrow", "->x\n\n%X\n", END, HF_E_CORRUPT},
    {"another arrow", "=> x\n\n%X\n", END, HF_E_CORRUPT},
    {"no recipients", "", END, HF_E_CORRUPT},
    {"an empty line", "\n%X\n", END, HF_E_CORRUPT},

    {"a wrong code", "%X\n", "--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", HF_E_CORRUPT},
    {"a code that is too short", "%X\n", "--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", HF_E_CORRUPT},
    {"a code that is not canonical", "%X\n", "--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\n", HF_E_CORRUPT},
    {"something behind the code", "%X\n", "--- %MAA\n", HF_E_CORRUPT},
    {"a blank behind the code", "%X\n", "--- %M \n", HF_E_CORRUPT},
    {"two blanks before the code", "%X\n", "---  %M\n", HF_E_CORRUPT},
    {"no blank before the code", "%X\n", "---%M\n", HF_E_CORRUPT},
    {"no code", "%X\n", "---\n", HF_E_CORRUPT},
    {"an empty code", "%X\n", "--- \n", HF_E_CORRUPT},

    {"lower case", "-> x25519 " SHARE "\n" BODY32 "\n", END, HF_E_AUTH},
    {"a word too many", "-> X25519 " SHARE " 1\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"a word too few", "-> X25519\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"a short share", "-> X25519 AAAA\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"a long share", "-> X25519 " LINE64 "\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"a share that is not canonical", "-> X25519 Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz9\n" BODY32 "\n", END,
     HF_E_CORRUPT},
    {"a share of zero", "-> X25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"a share of low order", "-> X25519 4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"a longer file key", "-> X25519 " SHARE "\n" BODY32 "00000\n", END, HF_E_CORRUPT},
    {"a wrapped key that does not open", "-> X25519 " SHARE "\n" BODY32 "\n", END, HF_E_AUTH},
};

static int decode(struct kit *kit, struct bytes file)
{
    struct bytes made = {0};
    int status = kit_decode(kit, HF_DECODE_OBJECT, file, 0, 0, &made);

    if (status == HF_END)
        ck_assert_uint_eq(made.size, 100);
    bytes_free(&made);
    return status;
}

START_TEST(headers_of_all_kinds)
{
    const struct recipe *recipe = &recipes[_i];
    struct kit kit = forge_kit();
    struct bytes file = forge_header(recipe->header, recipe->end), made = {0};
    int status;

    forge_payload(&file, (const size_t[]){100}, 1);
    status = decode(&kit, file);
    ck_assert_msg(status == recipe->expect, "%s: result %d, expected %d: %s", recipe->name, status, recipe->expect,
                  fake_error(kit.fake));
    /* From the middle it is no other. */
    status = kit_seek(&kit, file, 50, 10, &made);
    ck_assert_msg(status == recipe->expect, "%s, from the middle: result %d: %s", recipe->name, status,
                  fake_error(kit.fake));
    bytes_free(&made);
    bytes_free(&file);
    kit_close(&kit);
}
END_TEST

#define SALT "AAAAAAAAAAAAAAAAAAAAAA"

static const struct recipe passphrases[] = {
    {"a passphrase", "%P\n", END, HF_END},
    {"with something unknown", "-> x\n\n%P\n", END, HF_E_CORRUPT},
    {"two of them", "%P\n%P\n", END, HF_E_CORRUPT},
    {"one that is not ours", "-> scrypt " SALT " 10\n" BODY32 "\n", END, HF_E_AUTH},
    {"keys only", "%X\n", END, HF_E_AUTH},
    {"another case", "-> Scrypt " SALT " 10\n" BODY32 "\n", END, HF_E_AUTH},
    {"a word too many", "-> scrypt " SALT " 10 10\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"no work factor", "-> scrypt " SALT "\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"no salt", "-> scrypt 10\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"a short salt", "-> scrypt AAAAAAAAAAAAAAAAAAAA 10\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"a long salt", "-> scrypt " SALT "AA 10\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"a salt that is not canonical", "-> scrypt AAAAAAAAAAAAAAAAAAAAAB 10\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"more work than is accepted", "-> scrypt " SALT " 23\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"no work", "-> scrypt " SALT " 0\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"a zero in front", "-> scrypt " SALT " 010\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"a sign", "-> scrypt " SALT " +10\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"a minus", "-> scrypt " SALT " -1\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"hexadecimal", "-> scrypt " SALT " 0x0a\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"letters", "-> scrypt " SALT " 1a\n" BODY32 "\n", END, HF_E_CORRUPT},
    {"beyond all bounds", "-> scrypt " SALT " 18446744073709551616\n" BODY32 "\n", END, HF_E_CORRUPT},
};

START_TEST(passphrases_of_all_kinds)
{
    const struct recipe *recipe = &passphrases[_i];
    struct kit kit = forge_kit_passphrase();
    struct bytes file = forge_header(recipe->header, recipe->end);
    int status;

    forge_payload(&file, (const size_t[]){100}, 1);
    status = decode(&kit, file);
    ck_assert_msg(status == recipe->expect, "%s: result %d, expected %d: %s", recipe->name, status, recipe->expect,
                  fake_error(kit.fake));
    bytes_free(&file);
    kit_close(&kit);
}
END_TEST

START_TEST(says_where)
{
    struct kit kit = forge_kit();
    struct bytes file = forge_header("-> x\nAA==\n%X\n", END);

    forge_payload(&file, (const size_t[]){100}, 1);
    ck_assert_int_eq(decode(&kit, file), HF_E_CORRUPT);
    ck_assert_str_eq(fake_error(kit.fake), "the age header is damaged near byte 32: a recipient's body that is no "
                                           "canonical base64");
    bytes_free(&file);
    file = forge_header("-> x\n\n-> X25519 AAAA\n" BODY32 "\n", END);
    ck_assert_int_eq(decode(&kit, file), HF_E_CORRUPT);
    ck_assert_str_eq(fake_error(kit.fake), "the age header is damaged near byte 31: a recipient's share is malformed");
    bytes_free(&file);
    kit_close(&kit);
}
END_TEST

START_TEST(other_versions)
{
    static const char *const texts[] = {"age-encryption.org/v2\n",
                                        "age-encryption.org/v1",
                                        "age-encryption.org/v1\r\n",
                                        "Age-encryption.org/v1\n",
                                        "\x1f\x8b",
                                        ""};
    struct kit kit = forge_kit();
    struct bytes file = {(unsigned char *)texts[_i], strlen(texts[_i])};

    ck_assert_int_eq(decode(&kit, file), HF_E_CORRUPT);
    ck_assert_int_eq(kit.stage->recognise(file.data, file.size), _i < 3 ? 100 : 0); /* so that it is said what it is */
    kit_close(&kit);
}
END_TEST

START_TEST(says_that_it_is_armoured)
{
    static const char text[] = "-----BEGIN AGE ENCRYPTED FILE-----\n"
                               "YWdlLWVuY3J5cHRpb24ub3JnL3YxCg==\n"
                               "-----END AGE ENCRYPTED FILE-----\n";
    struct kit kit = forge_kit();
    struct bytes file = {(unsigned char *)text, sizeof(text) - 1};

    ck_assert_int_eq(kit.stage->recognise(file.data, file.size), 100);
    ck_assert_int_eq(decode(&kit, file), HF_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(fake_error(kit.fake), "is armoured"));
    kit_close(&kit);
}
END_TEST

/* However little of it comes at once, and however much follows. */
START_TEST(is_parsed_in_pieces)
{
    struct kit kit = forge_kit();
    struct bytes file = forge_header("%O\n%X\n", END), made;
    struct age_header header;
    const char *problem = NULL;
    size_t at = 0;

    for (size_t size = 0; size < file.size; size++)
        ck_assert_int_eq(age_header_parse((const char *)file.data, size, &header, &problem, &at), HF_END);
    ck_assert_int_eq(age_header_parse((const char *)file.data, file.size, &header, &problem, &at), HF_OK);
    ck_assert_uint_eq(header.size, file.size);
    ck_assert_uint_eq(header.count, 2);
    age_header_clear(&header);
    forge_payload(&file, (const size_t[]){AGE_CHUNK_SIZE, 17}, 2);
    for (size_t piece = 1; piece < 3000; piece = piece * 3 + 1) {
        ck_assert_int_eq(kit_decode(&kit, HF_DECODE_OBJECT, file, piece, 0, &made), HF_END);
        ck_assert_uint_eq(made.size, AGE_CHUNK_SIZE + 17);
        bytes_free(&made);
    }
    bytes_free(&file);
    kit_close(&kit);
}
END_TEST

/* One that never ends is not read for ever. */
START_TEST(has_a_limit)
{
    struct kit kit = forge_kit();
    struct bytes file = forge_header("", "");

    while (file.size < AGE_HEADER_MAX + 10000)
        forge_add(&file, _i ? "-> x\n\n" : "xxxxxx", 6);
    if (_i)
        ck_assert_int_eq(decode(&kit, file), HF_E_CORRUPT);
    forge_add(&file, "\n", 1);
    ck_assert_int_eq(decode(&kit, file), HF_E_CORRUPT);
    bytes_free(&file);
    kit_close(&kit);
}
END_TEST

TCase *header_case(void)
{
    TCase *tests = tcase_create("header");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, headers_of_all_kinds, 0, sizeof(recipes) / sizeof(*recipes));
    tcase_add_loop_test(tests, passphrases_of_all_kinds, 0, sizeof(passphrases) / sizeof(*passphrases));
    tcase_add_test(tests, says_where);
    tcase_add_loop_test(tests, other_versions, 0, 6);
    tcase_add_test(tests, says_that_it_is_armoured);
    tcase_add_test(tests, is_parsed_in_pieces);
    tcase_add_loop_test(tests, has_a_limit, 0, 2);
    return tests;
}
