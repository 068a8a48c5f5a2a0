/* SPDX-License-Identifier: Apache-2.0
 *
 * The sums of RFC 1321's own test suite, and those that libcrypto makes, by each way that this processor has.
 */
#include "md5_lanes.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "suites.h"
#include "text.h"

static struct s3_md5 messages[S3_MD5_LANES];
static struct s3_md5 *lanes[S3_MD5_LANES];

static void finish(unsigned way, unsigned count, size_t step)
{
    while (count > 0) {
        unsigned left = 0;
        s3_md5_lanes_by(way, lanes, count, step);
        for (unsigned i = 0; i < count; i++)
            if (!lanes[i]->done)
                lanes[left++] = lanes[i];
        ck_assert(step < SIZE_MAX || left < count); /* without a limit, one at least is done */
        count = left;
    }
}

START_TEST(known_sums)
{
    static const char *const known[][2] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", "0cc175b9c0f1b6a831c399e269772661"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    enum { KNOWN = sizeof(known) / sizeof(*known) };
    char hex[2 * S3_MD5_SIZE + 1];
    for (unsigned i = 0; i < KNOWN; i++) {
        lanes[i] = &messages[i];
        s3_md5_begin(lanes[i], known[i][0], strlen(known[i][0]));
    }
    finish((unsigned)_i, KNOWN, SIZE_MAX);
    for (unsigned i = 0; i < KNOWN; i++) {
        s3_hex(messages[i].digest, S3_MD5_SIZE, hex);
        ck_assert_str_eq(hex, known[i][1]);
    }
}
END_TEST

/* As many as the lanes hold and fewer; of all lengths around the padding, and of very different ones; at once and in
 * steps. */
START_TEST(as_libcrypto_makes_them)
{
    enum { ROOM = 40000, ROUNDS = 400 };
    unsigned char *data = malloc(ROOM), expected[EVP_MAX_MD_SIZE];
    size_t sizes[S3_MD5_LANES], starts[S3_MD5_LANES];
    for (size_t i = 0; i < ROOM; i++)
        data[i] = (unsigned char)rand();
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned count = 1 + round % S3_MD5_LANES;
        for (unsigned i = 0; i < count; i++) {
            sizes[i] = round % 3 == 0 ? round / 3 + i : (size_t)rand() % (round % 3 == 1 ? 300 : ROOM / 2);
            starts[i] = (size_t)rand() % (ROOM / 2);
            lanes[i] = &messages[i];
            s3_md5_begin(lanes[i], data + starts[i], sizes[i]);
        }
        finish((unsigned)_i, count, round % 2 ? SIZE_MAX : 1 + round % 7);
        for (unsigned i = 0; i < count; i++) {
            ck_assert_int_eq(EVP_Digest(data + starts[i], sizes[i], expected, NULL, EVP_md5(), NULL), 1);
            ck_assert_mem_eq(messages[i].digest, expected, S3_MD5_SIZE);
        }
    }
    free(data);
}
END_TEST

/* Those who come later are done later; nobody's sum depends on who goes along. */
START_TEST(one_behind_the_other)
{
    enum { SIZE = S3_MD5_LANES * 1000, PARTS = 20 };
    unsigned char *data = malloc(PARTS * SIZE), expected[EVP_MAX_MD_SIZE];
    struct s3_md5 parts[PARTS];
    unsigned taken = 0, done = 0;
    for (size_t i = 0; i < PARTS * SIZE; i++)
        data[i] = (unsigned char)rand();
    for (unsigned part = 0; part < PARTS; part++) {
        unsigned left = 0;
        s3_md5_begin(&parts[part], data + part * SIZE, SIZE);
        lanes[taken++] = &parts[part];
        s3_md5_lanes_by((unsigned)_i, lanes, taken, SIZE / S3_MD5_BLOCK / S3_MD5_LANES + 1);
        for (unsigned i = 0; i < taken; i++) {
            if (!lanes[i]->done) {
                lanes[left++] = lanes[i];
                continue;
            }
            ck_assert_ptr_eq(lanes[i], &parts[done]);
            ck_assert_int_eq(EVP_Digest(data + done * SIZE, SIZE, expected, NULL, EVP_md5(), NULL), 1);
            ck_assert_mem_eq(lanes[i]->digest, expected, S3_MD5_SIZE);
            done++;
        }
        taken = left;
        ck_assert_uint_lt(taken, S3_MD5_LANES);
    }
    ck_assert_uint_ge(done, PARTS - S3_MD5_LANES);
    free(data);
}
END_TEST

Suite *suite_md5_lanes(void)
{
    Suite *suite = suite_create("s3/md5_lanes");
    TCase *cases = tcase_create("each way");
    int ways = (int)s3_md5_ways();
    tcase_add_loop_test(cases, known_sums, 0, ways);
    tcase_add_loop_test(cases, as_libcrypto_makes_them, 0, ways);
    tcase_add_loop_test(cases, one_behind_the_other, 0, ways);
    suite_add_tcase(suite, cases);
    return suite;
}
