/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include "segment.h"
#include "support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

struct seen {
    int frames, bad;
    uint64_t offsets[64];
    uint32_t last_length;
    size_t last_shown;
};

static void see(void *arg, const struct frame *frame)
{
    struct seen *seen = arg;

    if (seen->frames < 64)
        seen->offsets[seen->frames] = frame->offset;
    seen->frames++;
    seen->bad += !frame->crc_ok;
    seen->last_length = frame->length;
    seen->last_shown = frame->payload_size;
}

static size_t make_frames(unsigned char *out, uint32_t count)
{
    size_t size = 0;

    for (uint32_t i = 1; i <= count; i++)
        size += make_frame("2026-01-29", 1ull << 32 | i, out + size);
    return size;
}

static enum frame_end walk(const unsigned char *data, size_t size, size_t piece, struct seen *seen,
                           uint64_t *ret_boundary)
{
    struct frame_walk walk;

    memset(seen, 0, sizeof(*seen));
    frame_walk_init(&walk, see, seen);
    for (size_t at = 0; at < size; at += piece)
        ck_assert_int_eq(frame_walk_feed(&walk, data + at, size - at < piece ? size - at : piece), 0);
    enum frame_end end = frame_walk_end(&walk);
    *ret_boundary = walk.boundary;
    frame_walk_clear(&walk);
    return end;
}

START_TEST(any_piece_size_gives_the_same_frames)
{
    unsigned char data[16384];
    size_t size = make_frames(data, 20);
    struct seen one, other;
    uint64_t boundary;

    ck_assert_int_eq(walk(data, size, size, &one, &boundary), FRAME_END_WHOLE);
    ck_assert_int_eq(one.frames, 20);
    for (size_t piece = 1; piece < 200; piece++) {
        ck_assert_int_eq(walk(data, size, piece, &other, &boundary), FRAME_END_WHOLE);
        ck_assert_uint_eq(boundary, size);
        ck_assert_int_eq(other.frames, 20);
        ck_assert_int_eq(other.bad, 0);
        ck_assert_mem_eq(one.offsets, other.offsets, sizeof(one.offsets));
    }
}
END_TEST

START_TEST(every_cut_is_torn_or_on_a_boundary)
{
    unsigned char data[4096];
    size_t size = make_frames(data, 5);
    struct seen seen;
    uint64_t boundary, last = 0;

    for (size_t cut = 0; cut <= size; cut++) {
        enum frame_end end = walk(data, cut, 7, &seen, &boundary);

        ck_assert_uint_le(boundary, cut);
        ck_assert_uint_ge(boundary, last);
        ck_assert_int_eq(end, boundary == cut ? FRAME_END_WHOLE : FRAME_END_TORN);
        last = boundary;
    }
}
END_TEST

START_TEST(a_wrong_crc_does_not_stop_the_walk)
{
    unsigned char data[4096];
    size_t size = make_frames(data, 5);
    struct seen seen;
    uint64_t boundary;

    data[20] ^= 1;
    ck_assert_int_eq(walk(data, size, 4096, &seen, &boundary), FRAME_END_WHOLE);
    ck_assert_int_eq(seen.frames, 5);
    ck_assert_int_eq(seen.bad, 1);
}
END_TEST

START_TEST(impossible_lengths_lose_the_rest)
{
    static const uint32_t lengths[] = {0, 1, FRAME_PAYLOAD_MAX + 1, UINT32_MAX};
    unsigned char data[4096];
    struct seen seen;
    uint64_t boundary;

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t size = make_frames(data, 2), before = size;
        for (int k = 0; k < 4; k++)
            data[size + (size_t)k] = (unsigned char)(lengths[i] >> (24 - 8 * k));
        memset(data + size + 4, 0, 100);
        ck_assert_int_eq(walk(data, size + 104, 3, &seen, &boundary), FRAME_END_LOST);
        ck_assert_uint_eq(boundary, before);
        ck_assert_int_eq(seen.frames, 2);
    }
}
END_TEST

START_TEST(a_long_payload_keeps_memory_bounded)
{
    uint32_t length = 5u << 20;
    unsigned char *data = malloc(8 + length);
    struct seen seen;
    uint64_t boundary;

    ck_assert_ptr_nonnull(data);
    memset(data + 8, ' ', length);
    memcpy(data + 8, "{", 1);
    data[8 + length - 1] = '}';
    uint32_t crc = (uint32_t)crc32(0, data + 8, length);
    for (int i = 0; i < 4; i++) {
        data[i] = (unsigned char)(length >> (24 - 8 * i));
        data[4 + i] = (unsigned char)(crc >> (24 - 8 * i));
    }
    ck_assert_int_eq(walk(data, 8 + length, 65536, &seen, &boundary), FRAME_END_WHOLE);
    ck_assert_int_eq(seen.frames, 1);
    ck_assert_int_eq(seen.bad, 0);
    ck_assert_uint_eq(seen.last_shown, FRAME_GATHER_MAX);
    free(data);
}
END_TEST

START_TEST(the_sequence_is_found_wherever_it_stands)
{
    static const struct {
        const char *payload;
        int found;
        uint64_t value;
    } cases[] = {
        {"{\"a\":1,\"ledger_sequence\":4294967297}", 1, 4294967297},
        {"{\"a\":1, \"ledger_sequence\": 7 }\n", 1, 7},
        {"{\"ledger_sequence\":9,\"signal\":{\"x\":[1,2]}}", 1, 9},
        {"{\"t\":\"\\\"ledger_sequence\\\":5\",\"ledger_sequence\":6}", 1, 6},
        {"{\"ledger_sequence\":\"8\"}", 0, 0},
        {"{\"ledger_sequence\":-8}", 0, 0},
        {"{\"ledger_sequence\":1.5}", 0, 0},
        {"{\"ledger_sequence\":99999999999999999999}", 0, 0},
        {"{\"ledger_sequence\":9223372036854775807}", 1, INT64_MAX},
        {"{\"ledger_sequence\":", 0, 0},
        {"{}", 0, 0},
        {"", 0, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 0;
        bool found = frame_sequence((const unsigned char *)cases[i].payload, strlen(cases[i].payload), &value);

        ck_assert_msg(found == cases[i].found, "%s", cases[i].payload);
        ck_assert_uint_eq(value, cases[i].value);
    }
}
END_TEST

START_TEST(the_crc_is_zlibs)
{
    unsigned char data[1000];

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 7);
    ck_assert_uint_eq(frame_crc(0, data, sizeof(data)), crc32(0, data, sizeof(data)));
    ck_assert_uint_eq(frame_crc(frame_crc(0, data, 333), data + 333, sizeof(data) - 333), crc32(0, data, sizeof(data)));
}
END_TEST

START_TEST(a_cut_tells_an_append_from_damage)
{
    unsigned char data[8192], scratch[64];
    size_t two = make_frames(data, 2), size = make_frames(data, 6);
    char path[] = "/tmp/holdfast-unit-cut.XXXXXX";
    int fd = mkstemp(path);
    struct segment_cut cut;

    ck_assert_int_ge(fd, 0);
    unlink(path);
    ck_assert_int_eq(pwrite(fd, data, size, 0), (ssize_t)size);
    ck_assert_int_eq(segment_cut_find(fd, size, scratch, sizeof(scratch), &cut), 0);
    ck_assert_uint_eq(cut.whole, size);
    ck_assert_int_eq(cut.torn, 0);

    ck_assert_int_eq(segment_cut_find(fd, size - 3, scratch, sizeof(scratch), &cut), 0);
    ck_assert_int_eq(cut.torn, 1);
    ck_assert_int_eq(cut.recoverable, 0);
    ck_assert_uint_lt(cut.whole, size - 3);

    /* A length that claims more than the file has, though whole frames follow. */
    ck_assert_int_eq(pwrite(fd, "\1", 1, (off_t)two + 1), 1);
    ck_assert_int_eq(segment_cut_find(fd, size, scratch, sizeof(scratch), &cut), 0);
    ck_assert_uint_eq(cut.whole, two);
    ck_assert_int_eq(cut.torn, 1);
    ck_assert_int_eq(cut.recoverable, 1);
    close(fd);
}
END_TEST

Suite *frame_suite(void)
{
    Suite *suite = suite_create("ledger: frames");
    TCase *tcase = tcase_create("frames");

    tcase_add_test(tcase, any_piece_size_gives_the_same_frames);
    tcase_add_test(tcase, every_cut_is_torn_or_on_a_boundary);
    tcase_add_test(tcase, a_wrong_crc_does_not_stop_the_walk);
    tcase_add_test(tcase, impossible_lengths_lose_the_rest);
    tcase_add_test(tcase, a_long_payload_keeps_memory_bounded);
    tcase_add_test(tcase, the_sequence_is_found_wherever_it_stands);
    tcase_add_test(tcase, the_crc_is_zlibs);
    tcase_add_test(tcase, a_cut_tells_an_append_from_damage);
    suite_add_tcase(suite, tcase);
    return suite;
}
