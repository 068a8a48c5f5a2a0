/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include <holdfast/types.h>
#include <isa-l/crc.h>
#include <stdlib.h>
#include <string.h>

static const char sequence_key[] = "\"ledger_sequence\"";
#define SEQUENCE_KEY (sizeof(sequence_key) - 1)

uint32_t frame_crc(uint32_t crc, const void *data, size_t size)
{
    return crc32_gzip_refl(crc, data, size);
}

static uint32_t big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

bool frame_head_parse(const unsigned char head[FRAME_HEAD], uint32_t *ret_length, uint32_t *ret_crc)
{
    uint32_t length = big_endian(head);

    if (length < FRAME_PAYLOAD_MIN || length > FRAME_PAYLOAD_MAX)
        return false;
    *ret_length = length;
    *ret_crc = big_endian(head + 4);
    return true;
}

void frame_walk_init(struct frame_walk *walk, void (*frame)(void *arg, const struct frame *), void *arg)
{
    *walk = (struct frame_walk){.frame = frame, .arg = arg};
}

void frame_walk_clear(struct frame_walk *walk)
{
    free(walk->gather);
    *walk = (struct frame_walk){0};
}

enum frame_end frame_walk_end(const struct frame_walk *walk)
{
    if (walk->lost)
        return FRAME_END_LOST;
    return walk->offset == walk->boundary ? FRAME_END_WHOLE : FRAME_END_TORN;
}

/* Collects a payload that comes in pieces; of a very long one, only the end. */
static int gather(struct frame_walk *walk, const unsigned char *data, uint32_t size)
{
    uint32_t keep = walk->length < FRAME_GATHER_MAX ? walk->length : FRAME_GATHER_MAX;
    uint32_t from = walk->length - keep, at = walk->length - walk->left;

    if (at + size <= from)
        return HF_OK;
    if (at < from) {
        data += from - at;
        size -= from - at;
    }
    if (walk->gather_room < keep) {
        size_t room = keep < 64u << 10 ? 64u << 10 : keep;
        unsigned char *memory = realloc(walk->gather, room);
        if (!memory)
            return HF_E_NOMEM;
        walk->gather = memory;
        walk->gather_room = room;
    }
    memcpy(walk->gather + walk->gather_have, data, size);
    walk->gather_have += size;
    return HF_OK;
}

/* Takes bytes for the head; returns how many. */
static size_t take_head(struct frame_walk *walk, const unsigned char *data, size_t size)
{
    size_t want = FRAME_HEAD - walk->head_have, take = size < want ? size : want;

    memcpy(walk->head + walk->head_have, data, take);
    walk->head_have += (uint32_t)take;
    if (walk->head_have == FRAME_HEAD) {
        walk->lost = !frame_head_parse(walk->head, &walk->length, &walk->crc_want);
        walk->left = walk->length;
        walk->crc = 0;
        walk->gather_have = 0;
    }
    return take;
}

static int take_payload(struct frame_walk *walk, const unsigned char *data, size_t size, size_t *ret_taken)
{
    uint32_t take = size < walk->left ? (uint32_t)size : walk->left;
    bool at_once = take == walk->length;

    walk->crc = frame_crc(walk->crc, data, take);
    if (!at_once) {
        int code = gather(walk, data, take);
        if (code < 0)
            return code;
    }
    walk->left -= take;
    *ret_taken = take;
    if (walk->left)
        return HF_OK;
    struct frame frame = {
        .offset = walk->boundary,
        .length = walk->length,
        .crc_ok = walk->crc == walk->crc_want,
        .payload = at_once ? data : walk->gather,
        .payload_size = at_once ? take : walk->gather_have,
    };
    walk->frame(walk->arg, &frame);
    walk->boundary += FRAME_HEAD + (uint64_t)walk->length;
    walk->head_have = 0;
    return HF_OK;
}

int frame_walk_feed(struct frame_walk *walk, const void *data, size_t size)
{
    const unsigned char *p = data;

    while (size && !walk->lost) {
        size_t taken = 0;

        if (walk->head_have < FRAME_HEAD) {
            taken = take_head(walk, p, size);
        } else {
            int code = take_payload(walk, p, size, &taken);
            if (code < 0)
                return code;
        }
        walk->offset += taken;
        p += taken;
        size -= taken;
    }
    walk->offset += size;
    return HF_OK;
}

static bool is_space(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The number after the key that begins at `key`; false when it is none, or above what a signed 64-bit number holds. */
static bool number_after(const unsigned char *key, const unsigned char *end, uint64_t *ret_value)
{
    const unsigned char *p = key + SEQUENCE_KEY;
    uint64_t value = 0;

    while (p < end && is_space(*p))
        p++;
    if (p == end || *p++ != ':')
        return false;
    while (p < end && is_space(*p))
        p++;
    const unsigned char *digits = p;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (value > (INT64_MAX - (uint64_t)(*p - '0')) / 10)
            return false;
        value = value * 10 + (uint64_t)(*p - '0');
    }
    if (p == digits || p == end || (*p != ',' && *p != '}' && !is_space(*p)))
        return false;
    *ret_value = value;
    return true;
}

bool frame_sequence(const unsigned char *payload, size_t size, uint64_t *ret_sequence)
{
    const unsigned char *end = payload + size, *p = end, *found = NULL;

    /* The writer puts the key last, so the way back from the closing brace is short. */
    while (p > payload && (is_space(p[-1]) || p[-1] == '}' || (p[-1] >= '0' && p[-1] <= '9')))
        p--;
    while (p > payload && (is_space(p[-1]) || p[-1] == ':'))
        p--;
    if ((size_t)(p - payload) >= SEQUENCE_KEY && memcmp(p - SEQUENCE_KEY, sequence_key, SEQUENCE_KEY) == 0)
        return number_after(p - SEQUENCE_KEY, end, ret_sequence);

    for (p = payload; (p = memmem(p, (size_t)(end - p), sequence_key, SEQUENCE_KEY)); p += SEQUENCE_KEY)
        found = p;
    return found && number_after(found, end, ret_sequence);
}
