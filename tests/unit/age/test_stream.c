/* SPDX-License-Identifier: Apache-2.0
 *
 * Chunks: what decodes, what does not, and reading from the middle.
 */
#include "suites.h"

#include <stdlib.h>
#include <string.h>

enum { FULL = AGE_CHUNK_SIZE };

static void check_bytes(struct bytes made, uint64_t offset)
{
    for (size_t i = 0; i < made.size; i++) /* the kit's files count up to 250 */
        if (made.data[i] != (offset + i) % 251)
            ck_abort_msg("byte %zu is wrong", i);
}

START_TEST(sizes_at_the_edges)
{
    static const size_t sizes[] = {0,    1,        15,           16,       17,           FULL - 1,
                                   FULL, FULL + 1, 2 * FULL - 1, 2 * FULL, 2 * FULL + 1, 200000};
    struct kit kit = forge_kit();
    struct bytes raw = kit_make(KIT_NOISE, sizes[_i], 3), made;
    struct encoded encoded = kit_encode(&kit, raw, 0);

    ck_assert_int_eq(kit.stage->recognise(encoded.all.data, encoded.all.size), 100);
    for (size_t piece = 0; piece < 300000; piece = piece * 8 + 1000) {
        ck_assert_int_eq(kit_decode(&kit, HF_DECODE_OBJECT, encoded.all, piece, piece, &made), HF_END);
        ck_assert(bytes_equal(made, raw));
        bytes_free(&made);
    }
    encoded_free(&encoded);
    bytes_free(&raw);
    kit_close(&kit);
}
END_TEST

/* Never twice the same, since the keys are new each time. */
START_TEST(differs_each_time)
{
    struct kit kit = forge_kit();
    struct bytes raw = kit_make(KIT_ZEROS, 1000, 3);
    struct encoded one = kit_encode(&kit, raw, 0), other = kit_encode(&kit, raw, 0);

    ck_assert_uint_eq(one.all.size, other.all.size);
    ck_assert(memcmp(one.all.data + one.offsets[0], other.all.data + other.offsets[0], 1000) != 0);
    encoded_free(&one);
    encoded_free(&other);
    bytes_free(&raw);
    kit_close(&kit);
}
END_TEST

struct layout {
    const char *name;
    int expect;
    size_t cut; /* bytes taken off the end */
    struct {
        int index, last;
        size_t size;
    } chunks[5]; /* index -1: ended */
};

static const struct layout layouts[] = {
    {"one chunk", HF_END, 0, {{0, 1, 100}, {-1, 0, 0}}},
    {"an empty one alone", HF_END, 0, {{0, 1, 0}, {-1, 0, 0}}},
    {"a full one alone", HF_END, 0, {{0, 1, FULL}, {-1, 0, 0}}},
    {"three", HF_END, 0, {{0, 0, FULL}, {1, 0, FULL}, {2, 1, 5}, {-1, 0, 0}}},
    {"a full last one", HF_END, 0, {{0, 0, FULL}, {1, 1, FULL}, {-1, 0, 0}}},
    {"no chunks", HF_E_CORRUPT, 0, {{-1, 0, 0}}},
    {"no nonce", HF_E_CORRUPT, 16, {{-1, 0, 0}}},
    {"a short nonce", HF_E_CORRUPT, 4, {{-1, 0, 0}}},
    {"an empty last one", HF_E_CORRUPT, 0, {{0, 0, FULL}, {1, 1, 0}, {-1, 0, 0}}},
    {"none marked", HF_E_CORRUPT, 0, {{0, 0, 100}, {-1, 0, 0}}},
    {"a full one, not marked", HF_E_CORRUPT, 0, {{0, 0, FULL}, {-1, 0, 0}}},
    {"two, none marked", HF_E_CORRUPT, 0, {{0, 0, FULL}, {1, 0, FULL}, {-1, 0, 0}}},
    {"two marked", HF_E_CORRUPT, 0, {{0, 1, FULL}, {1, 1, 5}, {-1, 0, 0}}},
    {"a short one in the middle", HF_E_CORRUPT, 0, {{0, 0, FULL}, {1, 0, 100}, {2, 1, FULL}, {-1, 0, 0}}},
    {"changed places", HF_E_CORRUPT, 0, {{1, 0, FULL}, {0, 0, FULL}, {2, 1, 5}, {-1, 0, 0}}},
    {"one twice", HF_E_CORRUPT, 0, {{0, 0, FULL}, {0, 0, FULL}, {1, 1, 5}, {-1, 0, 0}}},
    {"one left out", HF_E_CORRUPT, 0, {{0, 0, FULL}, {2, 1, 5}, {-1, 0, 0}}},
    {"something behind the end", HF_E_CORRUPT, 0, {{0, 1, 100}, {1, 0, 4}, {-1, 0, 0}}},
    {"something behind a full end", HF_E_CORRUPT, 0, {{0, 1, FULL}, {1, 0, 4}, {-1, 0, 0}}},
    {"a byte less", HF_E_CORRUPT, 1, {{0, 0, FULL}, {1, 1, 100}, {-1, 0, 0}}},
    {"no tag", HF_E_CORRUPT, 16, {{0, 1, 0}, {-1, 0, 0}}},
    {"part of a tag", HF_E_CORRUPT, 10, {{0, 1, 0}, {-1, 0, 0}}},
    {"cut to a few bytes of the second", HF_E_CORRUPT, 110, {{0, 0, FULL}, {1, 1, 100}, {-1, 0, 0}}},
    {"cut between two", HF_E_CORRUPT, 116, {{0, 0, FULL}, {1, 1, 100}, {-1, 0, 0}}},
};

START_TEST(chunks_as_they_may_be)
{
    const struct layout *layout = &layouts[_i];
    struct kit kit = forge_kit();
    struct bytes file = forge_header("%X\n", "--- %M\n"), made;
    uint64_t size = 0;

    forge_nonce(&file);
    for (size_t i = 0; layout->chunks[i].index >= 0; i++) {
        forge_chunk(&file, (uint64_t)layout->chunks[i].index, layout->chunks[i].last, layout->chunks[i].size);
        size += layout->chunks[i].size;
    }
    file.size -= layout->cut;
    for (size_t piece = 0; piece < 200000; piece = piece * 5 + 7000) {
        int status = kit_decode(&kit, HF_DECODE_OBJECT, file, piece, piece, &made);

        ck_assert_msg(status == layout->expect, "%s: result %d: %s", layout->name, status, fake_error(kit.fake));
        if (status == HF_END)
            check_bytes(made, 0);
        bytes_free(&made);
    }
    /* The last byte alone shows that the file is whole, or is not. */
    if (size > 0 && layout->expect == HF_END) {
        ck_assert_int_eq(kit_seek(&kit, file, size - 1, 1, &made), HF_END);
        check_bytes(made, size - 1);
        bytes_free(&made);
    }
    bytes_free(&file);
    kit_close(&kit);
}
END_TEST

START_TEST(names_the_chunk)
{
    static const char *const texts[] = {
        "chunk 1 (bytes 65736 to 131288 of the file) does not authenticate",
        "chunk 2 (bytes 131288 to 131393 of the file) is not the last one, and yet nothing "
        "follows: the file was cut short",
        "chunk 0 (bytes 184 to 65736 of the file) is the last one, and yet something "
        "follows"};
    struct kit kit = forge_kit();
    struct bytes file = forge_header("%X\n", "--- %M\n"), made;

    forge_nonce(&file);
    forge_chunk(&file, 0, _i == 2, FULL);
    forge_chunk(&file, 1, false, FULL);
    forge_chunk(&file, 2, _i != 1, 89);
    if (_i == 0)
        file.data[100000] ^= 4;
    ck_assert_int_eq(kit_decode(&kit, HF_DECODE_OBJECT, file, 0, 0, &made), HF_E_CORRUPT);
    ck_assert_msg(strstr(fake_error(kit.fake), texts[_i]) != NULL, "%s", fake_error(kit.fake));
    bytes_free(&made);
    bytes_free(&file);
    kit_close(&kit);
}
END_TEST

START_TEST(every_bit_and_every_cut)
{
    struct kit kit = forge_kit();
    struct bytes raw = kit_make(KIT_MIXED, 40, 9);
    struct encoded encoded = kit_encode(&kit, raw, 0);
    struct bytes file = encoded.all;

    for (size_t bit = 0; bit < file.size * 8; bit++) {
        file.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        int status = kit_decode(&kit, HF_DECODE_OBJECT, file, 1 << 16, 1 << 16, NULL);
        /* In the recipient's line the key may not be found any more: whoever reads says that. */
        ck_assert_msg(status == HF_E_CORRUPT || (status == HF_E_AUTH && bit / 8 < encoded.offsets[0]),
                      "bit %zu of byte %zu: result %d", bit % 8, bit / 8, status);
        file.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    kit_check_truncation(&kit, file);
    encoded_free(&encoded);
    bytes_free(&raw);
    kit_close(&kit);
}
END_TEST

START_TEST(from_the_middle)
{
    struct kit kit = forge_kit();
    size_t total = 5 * FULL + (_i ? 0 : 12345);
    struct bytes raw = kit_make(KIT_NOISE, total, 11), made;
    struct encoded encoded = kit_encode(&kit, raw, 0);
    uint64_t seed = 5;

    for (int round = 0; round < 60; round++) {
        uint64_t offset = kit_random(&seed) % total, length = 1 + kit_random(&seed) % (total - offset);

        if (round % 3 == 0) {
            offset = offset / FULL * FULL;
            length = offset + FULL <= total ? FULL : total - offset;
        }
        ck_assert_msg(kit_seek(&kit, encoded.all, offset, length, &made) == HF_END, "%s", fake_error(kit.fake));
        ck_assert_uint_eq(made.size, length);
        ck_assert_mem_eq(made.data, raw.data + offset, length);
        bytes_free(&made);
    }
    /* Damage elsewhere does not matter; damage here is found. */
    encoded.all.data[encoded.offsets[3] + 5] ^= 1;
    ck_assert_int_eq(kit_seek(&kit, encoded.all, 0, 3 * FULL, &made), HF_END);
    bytes_free(&made);
    ck_assert_int_eq(kit_seek(&kit, encoded.all, 4 * FULL, FULL, &made), HF_END);
    bytes_free(&made);
    ck_assert_int_eq(kit_seek(&kit, encoded.all, 3 * FULL - 1, 2, &made), HF_E_CORRUPT);
    encoded_free(&encoded);
    bytes_free(&raw);
    kit_close(&kit);
}
END_TEST

/* A file that was cut between chunks has an end that is no end. */
START_TEST(cut_and_read_from_the_middle)
{
    struct kit kit = forge_kit();
    struct bytes raw = kit_make(KIT_NOISE, 4 * FULL + 99, 11), made;
    struct encoded encoded = kit_encode(&kit, raw, 0);
    struct bytes cut = {encoded.all.data, encoded.offsets[3]};

    ck_assert_int_eq(kit_seek(&kit, cut, FULL, FULL, &made), HF_END);
    bytes_free(&made);
    ck_assert_int_eq(kit_seek(&kit, cut, 2 * FULL, FULL, &made), HF_E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(fake_error(kit.fake), "cut short"));
    cut.size = encoded.offsets[3] + 10; /* no file ends so */
    ck_assert_int_eq(kit_seek(&kit, cut, FULL, FULL, &made), HF_E_CORRUPT);
    encoded_free(&encoded);
    bytes_free(&raw);
    kit_close(&kit);
}
END_TEST

START_TEST(garbage)
{
    struct kit kit = forge_kit();
    struct bytes raw = kit_make(KIT_NOISE, FULL + 500, 2);
    struct encoded encoded = kit_encode(&kit, raw, 0);
    uint64_t seed = 1;

    for (int round = 0; round < 300; round++) {
        struct bytes bad = bytes_copy(encoded.all.data, encoded.all.size);
        size_t from = kit_random(&seed) % (round % 2 ? bad.size : 400), count = 1 + kit_random(&seed) % 40;

        for (size_t i = from; i < bad.size && i < from + count; i++)
            bad.data[i] ^= (unsigned char)(1 + kit_random(&seed) % 255);
        ck_assert_int_lt(kit_decode(&kit, HF_DECODE_OBJECT, bad, 0, 0, NULL), 0);
        bytes_free(&bad);
    }
    encoded_free(&encoded);
    bytes_free(&raw);
    kit_close(&kit);
}
END_TEST

TCase *stream_case(void)
{
    TCase *tests = tcase_create("stream");

    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, sizes_at_the_edges, 0, 12);
    tcase_add_test(tests, differs_each_time);
    tcase_add_loop_test(tests, chunks_as_they_may_be, 0, sizeof(layouts) / sizeof(*layouts));
    tcase_add_loop_test(tests, names_the_chunk, 0, 3);
    tcase_add_test(tests, every_bit_and_every_cut);
    tcase_add_loop_test(tests, from_the_middle, 0, 2);
    tcase_add_test(tests, cut_and_read_from_the_middle);
    tcase_add_test(tests, garbage);
    return tests;
}
