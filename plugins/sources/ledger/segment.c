/* SPDX-License-Identifier: Apache-2.0 */
#include "segment.h"

#include "util.h"

#include <holdfast/types.h>
#include <jansson.h>
#include <string.h>

/* A segment in which not one record carries a sequence is not parsed to its end. */
#define PARSE_IN_VAIN_MAX 16u

static void note(struct segment_note *n, uint64_t offset)
{
    if (n->count++ == 0)
        n->first = offset;
}

/* The record as JSON says it, for records in which the quick look finds something else than expected. */
static bool parse_record(const struct frame *frame, const char *partition, uint64_t *ret_sequence, bool *ret_wrong_day)
{
    bool found = false;

    if (frame->payload_size != frame->length)
        return frame_sequence(frame->payload, frame->payload_size, ret_sequence);
    json_t *record = json_loadb((const char *)frame->payload, frame->payload_size, 0, NULL);
    const json_t *sequence = json_object_get(record, "ledger_sequence");
    const char *day = json_string_value(json_object_get(record, "ledger_partition"));

    if (json_is_integer(sequence) && json_integer_value(sequence) >= 0) {
        *ret_sequence = (uint64_t)json_integer_value(sequence);
        found = true;
    }
    *ret_wrong_day = day && strncmp(day, partition, strlen("YYYY-MM-DD")) != 0;
    json_decref(record);
    return found;
}

static void take_sequence(struct segment_check *check, uint64_t sequence, uint64_t offset)
{
    struct segment_result *r = &check->result;

    if (!r->sequenced) {
        r->sequenced = true;
        r->first_sequence = sequence;
    }
    r->last_sequence = sequence;
    if (sequence >> 32 != r->ordinal) {
        note(&r->wrong_segment, offset);
    } else if (sequence > check->expected && check->expected >> 32 == r->ordinal) {
        note(&r->gap, offset);
        r->missing_records += sequence - check->expected;
    } else if (sequence != check->expected) {
        note(&r->order, offset);
    }
    check->expected = sequence + 1;
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct segment_check *check = arg;
    struct segment_result *r = &check->result;
    uint64_t sequence = 0;
    bool wrong_day = false;

    if (!frame->crc_ok) {
        /* It stands where a record stood, so the next one's index is no gap. */
        note(&r->bad_crc, frame->offset);
        check->expected++;
        return;
    }
    bool first = r->records++ == 0;
    bool found = frame_sequence(frame->payload, frame->payload_size, &sequence);
    bool as_expected = found && sequence == check->expected;

    if ((first || !as_expected) && r->unsequenced.count < PARSE_IN_VAIN_MAX)
        found = parse_record(frame, check->partition, &sequence, &wrong_day);
    if (wrong_day)
        note(&r->wrong_partition, frame->offset);
    if (found) {
        take_sequence(check, sequence, frame->offset);
    } else {
        note(&r->unsequenced, frame->offset);
        check->expected++;
    }
}

int segment_check_begin(struct segment_check *check, const char *partition, const char *file)
{
    *check = (struct segment_check){.partition = partition};
    segment_name_parse(file, &check->result.ordinal, &check->result.gzipped);
    strncpy(check->result.file, file, sizeof(check->result.file) - 1);
    check->expected = (uint64_t)check->result.ordinal << 32 | 1;
    frame_walk_init(&check->walk, on_frame, check);
    if (check->result.gzipped) {
        check->gunzip = gunzip_new();
        if (!check->gunzip)
            return HF_E_NOMEM;
    }
    return HF_OK;
}

static int feed_plain(void *arg, const void *data, size_t size)
{
    struct segment_check *check = arg;

    check->result.crc = frame_crc(check->result.crc, data, size);
    check->result.bytes += size;
    return frame_walk_feed(&check->walk, data, size);
}

int segment_check_feed(struct segment_check *check, const void *data, size_t size)
{
    if (check->gunzip)
        return gunzip_feed(check->gunzip, data, size, feed_plain, check);
    return feed_plain(check, data, size);
}

void segment_check_end(struct segment_check *check)
{
    check->result.end = frame_walk_end(&check->walk);
    check->result.end_offset = check->walk.boundary;
    if (check->gunzip)
        check->result.gzip_problem = gunzip_problem(check->gunzip);
    gunzip_free(check->gunzip);
    check->gunzip = NULL;
    frame_walk_clear(&check->walk);
}

/* Reads up to `size` bytes; fewer only at the file's end. Negative errno on failure. */
static ssize_t read_at(int fd, unsigned char *buffer, size_t size, uint64_t offset)
{
    size_t have = 0;

    while (have < size) {
        ssize_t got = pread(fd, buffer + have, size - have, (off_t)(offset + have));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

/* 1: the payload at `offset` has this CRC, 0: it has not, or a negative errno. */
static int payload_fits(int fd, uint64_t offset, uint32_t length, uint32_t crc_want)
{
    unsigned char piece[16384];
    uint32_t crc = 0, left = length;

    while (left) {
        ssize_t got = read_at(fd, piece, left < sizeof(piece) ? left : sizeof(piece), offset + (length - left));
        if (got <= 0)
            return (int)got;
        crc = frame_crc(crc, piece, (size_t)got);
        left -= (uint32_t)got;
    }
    return crc == crc_want;
}

/* Is there a whole frame somewhere in [from, to)? 1, 0, or a negative errno. */
static int find_frame(int fd, uint64_t from, uint64_t to, unsigned char *buffer, size_t buffer_size)
{
    const size_t need = FRAME_HEAD + 1; /* a head and the brace that every payload begins with */

    while (from + need <= to) {
        ssize_t got = read_at(fd, buffer, to - from < buffer_size ? (size_t)(to - from) : buffer_size, from);
        if (got < 0)
            return (int)got;
        if ((size_t)got < need)
            return 0;
        for (size_t at = FRAME_HEAD; at < (size_t)got;) {
            const unsigned char *brace = memchr(buffer + at, '{', (size_t)got - at);
            uint32_t length, crc;
            if (!brace)
                break;
            at = (size_t)(brace - buffer) + 1;
            uint64_t payload = from + at - 1;
            if (!frame_head_parse(brace - FRAME_HEAD, &length, &crc) || length > to - payload)
                continue;
            int fits = payload_fits(fd, payload, length, crc);
            if (fits)
                return fits;
        }
        from += (size_t)got - FRAME_HEAD;
    }
    return 0;
}

static void ignore_frame(void *arg, const struct frame *frame)
{
    (void)arg;
    (void)frame;
}

int segment_cut_find(int fd, uint64_t size, unsigned char *buffer, size_t buffer_size, struct segment_cut *ret_cut)
{
    struct frame_walk walk;
    uint64_t offset = 0;
    int code = 0;

    frame_walk_init(&walk, ignore_frame, NULL);
    while (offset < size) {
        ssize_t got = read_at(fd, buffer, size - offset < buffer_size ? (size_t)(size - offset) : buffer_size, offset);
        if (got <= 0) {
            code = (int)got;
            break;
        }
        if (frame_walk_feed(&walk, buffer, (size_t)got) < 0) {
            code = -ENOMEM;
            break;
        }
        offset += (uint64_t)got;
    }
    struct segment_cut cut = {.whole = walk.boundary, .torn = frame_walk_end(&walk) == FRAME_END_TORN};
    frame_walk_clear(&walk);
    if (code == 0 && cut.torn) {
        code = find_frame(fd, cut.whole + 1, offset, buffer, buffer_size);
        cut.recoverable = code == 1;
    }
    if (code < 0)
        return code;
    *ret_cut = cut;
    return 0;
}
