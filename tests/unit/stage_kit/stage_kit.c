/* SPDX-License-Identifier: Apache-2.0 */
#include "stage_kit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *need(void *memory)
{
    ck_assert_msg(memory != NULL, "out of memory");
    return memory;
}

uint64_t kit_random(uint64_t *seed)
{
    uint64_t mix = *seed += 0x9e3779b97f4a7c15;
    mix = (mix ^ mix >> 30) * 0xbf58476d1ce4e5b9;
    mix = (mix ^ mix >> 27) * 0x94d049bb133111eb;
    return mix ^ mix >> 31;
}

struct bytes bytes_copy(const void *data, size_t size)
{
    struct bytes copy = {need(malloc(size ? size : 1)), size};
    if (size)
        memcpy(copy.data, data, size);
    return copy;
}

/* The room of what append() makes: it grows in doubling steps, so that many small pieces cost little. */
static size_t room_for(size_t size)
{
    size_t room = 64;
    while (room < size)
        room *= 2;
    return room;
}

/* For bytes that began empty, without data. */
static void append(struct bytes *bytes, const void *data, size_t size)
{
    if (!bytes->data || room_for(bytes->size) < bytes->size + size)
        bytes->data = need(realloc(bytes->data, room_for(bytes->size + size)));
    if (size)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

struct bytes bytes_join(struct bytes first, struct bytes second)
{
    struct bytes joined = {0};
    append(&joined, first.data, first.size);
    append(&joined, second.data, second.size);
    return joined;
}

void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

void encoded_free(struct encoded *encoded)
{
    bytes_free(&encoded->all);
    free(encoded->offsets);
    *encoded = (struct encoded){0};
}

bool bytes_equal(struct bytes one, struct bytes other)
{
    return one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}

static void add_text(struct bytes *bytes, uint64_t *seed)
{
    static const char *const words[] = {"port",  "suez",  "panama", "freight",
                                        "storm", "canal", "bunker", "\",\"at\":\""};
    uint64_t random = kit_random(seed);
    char text[64];
    int length = snprintf(text, sizeof(text), "{\"%s\":\"%s %x\"}\n", words[random & 7], words[random >> 3 & 7],
                          (unsigned)(random >> 6 & 0xffff));
    append(bytes, text, (size_t)length);
}

struct bytes kit_make(enum kit_taste taste, size_t size, uint64_t seed)
{
    struct bytes made = {need(malloc(size + 1)), size};
    struct bytes text = {0};
    while (text.size < 4096)
        add_text(&text, &seed);
    for (size_t at = 0; at < size;) {
        enum kit_taste now = taste == KIT_MIXED ? (enum kit_taste)(kit_random(&seed) % KIT_MIXED) : taste;
        size_t piece = 1 + kit_random(&seed) % 4096;
        if (piece > size - at)
            piece = size - at;
        if (now == KIT_TEXT)
            memcpy(made.data + at, text.data + kit_random(&seed) % (text.size - piece + 1), piece);
        else if (now == KIT_ZEROS)
            memset(made.data + at, 0, piece);
        for (size_t i = 0; now == KIT_NOISE && i < piece; i++)
            made.data[at + i] = (unsigned char)kit_random(&seed);
        at += piece;
    }
    bytes_free(&text);
    return made;
}

struct kit kit_open(const struct hf_module *module, const char *level)
{
    return kit_open_with(module, (const char *const[]){"level", level, NULL});
}

struct kit kit_open_with(const struct hf_module *module, const char *const *pairs)
{
    const struct hf_plugin *plugin = module->plugins[0];
    struct kit kit = {.stage = plugin->operations, .fake = fake_new(), .close = plugin->close};
    ck_assert_int_eq(module->init(fake_host_table()), HF_OK);
    kit.config = fake_config_new(plugin->options, plugin->option_count, pairs);
    ck_assert_msg(plugin->open(fake_ctx(kit.fake), kit.config, &kit.self) == HF_OK, "%s", fake_error(kit.fake));
    return kit;
}

void kit_close(struct kit *kit)
{
    kit->close(kit->self);
    fake_config_free(kit->config);
    fake_free(kit->fake);
}

static void encode_chunks(struct kit *kit, void *frame, struct bytes raw, struct encoded *encoded)
{
    size_t full = kit->stage->block_size;
    size_t count = raw.size == 0 ? 1 : (raw.size + full - 1) / full;
    encoded->block_count = count;
    encoded->offsets = need(calloc(count + 1, sizeof(size_t)));
    for (size_t i = 0; i < count; i++) {
        size_t size = i + 1 < count ? full : raw.size - i * full;
        struct bytes in = bytes_copy(raw.size ? raw.data + i * full : NULL, size);
        size_t used = kit->stage->block_bound(kit->self, size);
        unsigned char *out = need(malloc(used));
        ck_assert_int_eq(
            kit->stage->encode_chunk(frame, fake_ctx(kit->fake), i, i + 1 == count, in.data, size, out, &used), HF_OK);
        encoded->offsets[i] = encoded->all.size;
        append(&encoded->all, out, used);
        encoded->offsets[i + 1] = encoded->all.size;
        free(out);
        bytes_free(&in);
    }
}

static void encode_blocks(struct kit *kit, void *frame, struct bytes raw, size_t block, struct encoded *encoded)
{
    struct hf_ctx *ctx = fake_ctx(kit->fake);
    uint64_t seed = raw.size + block;
    void *worker = NULL;
    ck_assert_int_eq(kit->stage->worker_open(kit->self, ctx, &worker), HF_OK);
    for (size_t at = 0; at < raw.size;) {
        size_t size = block ? block : 1 + kit_random(&seed) % (kit_random(&seed) & 1 ? 300 : kit->stage->block_size);
        if (size > raw.size - at)
            size = raw.size - at;
        struct bytes in = bytes_copy(raw.data + at, size);
        size_t used = kit->stage->block_bound(kit->self, size);
        unsigned char *out = need(malloc(used));
        uint64_t tag = 0;
        ck_assert_int_eq(kit->stage->encode_block(worker, ctx, in.data, size, out, &used, &tag), HF_OK);
        ck_assert_int_eq(kit->stage->join(frame, ctx, tag, size, used), HF_OK);
        encoded->offsets = need(realloc(encoded->offsets, (encoded->block_count + 2) * sizeof(size_t)));
        encoded->offsets[encoded->block_count++] = encoded->all.size;
        append(&encoded->all, out, used);
        encoded->offsets[encoded->block_count] = encoded->all.size;
        free(out);
        bytes_free(&in);
        at += size;
    }
    kit->stage->worker_close(worker);
}

struct encoded kit_encode(struct kit *kit, struct bytes raw, size_t block)
{
    enum { ROOM = 1 << 16 };
    struct hf_ctx *ctx = fake_ctx(kit->fake);
    struct encoded encoded = {0};
    unsigned char *out = need(malloc(ROOM));
    size_t used = ROOM;
    void *frame = NULL;
    ck_assert_int_eq(kit->stage->frame_open(kit->self, ctx, &frame), HF_OK);
    ck_assert_int_eq(kit->stage->header(frame, ctx, out, &used), HF_OK);
    append(&encoded.all, out, used);
    if (kit->stage->encode_chunk)
        encode_chunks(kit, frame, raw, &encoded);
    else
        encode_blocks(kit, frame, raw, block, &encoded);
    for (int status = HF_OK; status != HF_END;) {
        used = ROOM;
        status = kit->stage->trailer(frame, ctx, out, &used);
        ck_assert_msg(status == HF_OK || status == HF_END, "%s", fake_error(kit->fake));
        append(&encoded.all, out, used);
    }
    kit->stage->frame_close(frame);
    free(out);
    return encoded;
}

/* Takes the stream. */
static int decode_all(struct kit *kit, void *stream, struct bytes in, size_t in_piece, size_t out_piece,
                      struct bytes *ret_out)
{
    struct hf_ctx *ctx = fake_ctx(kit->fake);
    uint64_t seed = in.size;
    struct bytes made = {0};
    size_t at = 0;
    int status = HF_OK;
    while (status == HF_OK) {
        size_t give = in_piece ? in_piece : 1 + kit_random(&seed) % 70000, taken;
        size_t lend = out_piece ? out_piece : 1 + kit_random(&seed) % 70000, put = lend;
        if (give > in.size - at)
            give = in.size - at;
        taken = give;
        struct bytes piece = bytes_copy(in.data + at, give);
        unsigned char *out = need(malloc(lend));
        status = kit->stage->step(stream, ctx, piece.data, &taken, out, &put, at + give == in.size);
        ck_assert_msg(taken <= give && put <= lend, "took %zu of %zu, made %zu of %zu (result %d)", taken, give, put,
                      lend, status);
        if (status == HF_OK && at + give == in.size)
            ck_assert_msg(taken > 0 || put > 0, "step stands still at %zu of %zu", at, in.size);
        if (status >= 0)
            append(&made, out, put);
        at += taken;
        bytes_free(&piece);
        free(out);
    }
    kit->stage->decode_close(stream);
    ck_assert_msg((status < 0) == (*fake_error(kit->fake) != 0), "result %d, message '%s'", status,
                  fake_error(kit->fake));
    if (status == HF_END)
        ck_assert_uint_eq(at, in.size);
    if (ret_out)
        *ret_out = made;
    else
        bytes_free(&made);
    return status;
}

int kit_decode(struct kit *kit, int mode, struct bytes in, size_t in_piece, size_t out_piece, struct bytes *ret_out)
{
    void *stream = NULL;
    fake_clear(kit->fake);
    ck_assert_int_eq(kit->stage->decode_open(kit->self, fake_ctx(kit->fake), mode, &stream), HF_OK);
    return decode_all(kit, stream, in, in_piece, out_piece, ret_out);
}

int kit_seek(struct kit *kit, struct bytes whole, uint64_t offset, uint64_t length, struct bytes *ret_out)
{
    struct hf_ctx *ctx = fake_ctx(kit->fake);
    struct hf_extent extent = {.size = sizeof(extent)};
    void *seek = NULL, *stream = NULL;
    uint64_t size = 0;
    int status = HF_END;
    fake_clear(kit->fake);
    for (size_t head = 0; status == HF_END; head = head * 2 + 100) {
        size_t have = head < whole.size ? head : whole.size;
        struct bytes begin = bytes_copy(whole.data, have);
        status = kit->stage->seek_open(kit->self, ctx, begin.data, have, whole.size, &size, &seek);
        bytes_free(&begin);
        if (status == HF_END && have == whole.size)
            return HF_E_CORRUPT;
    }
    if (status < 0)
        return status;
    if (offset + length > size) {
        kit->stage->seek_close(seek);
        return HF_E_CORRUPT;
    }
    ck_assert_int_eq(kit->stage->seek_range(seek, ctx, offset, length, &extent, &stream), HF_OK);
    ck_assert_uint_le(extent.offset + extent.length, whole.size);
    struct bytes range = {whole.data + extent.offset, extent.length}, made;
    status = decode_all(kit, stream, range, length % 3 ? 0 : 1 << 20, 0, &made);
    if (status == HF_END) {
        ck_assert_uint_ge(made.size, extent.skip + length);
        *ret_out = bytes_copy(made.data + extent.skip, length);
    }
    bytes_free(&made);
    kit->stage->seek_close(seek);
    return status;
}

bool kit_has_tool(const char *tool)
{
    char command[128];
    snprintf(command, sizeof(command), "command -v %s >/dev/null", tool);
    if (system(command) == 0)
        return true;
    fprintf(stderr, "'%s' is not installed: what needs it is skipped\n", tool);
    return false;
}

int kit_pipe(const char *command, struct bytes in, struct bytes *ret_out)
{
    char in_path[] = "/tmp/stage-kit-in-XXXXXX", out_path[] = "/tmp/stage-kit-out-XXXXXX", line[600];
    int in_fd = mkstemp(in_path), out_fd = mkstemp(out_path);
    ck_assert(in_fd >= 0 && out_fd >= 0);
    FILE *file = fdopen(in_fd, "wb");
    ck_assert(file && fwrite(in.data, 1, in.size, file) == in.size && fclose(file) == 0);
    ck_assert(snprintf(line, sizeof(line), "(%s) <%s >%s 2>/dev/null", command, in_path, out_path) < (int)sizeof(line));
    int status = system(line);
    struct bytes out = {0};
    char buffer[65536];
    for (ssize_t got; (got = read(out_fd, buffer, sizeof(buffer))) > 0;)
        append(&out, buffer, (size_t)got);
    close(out_fd);
    unlink(in_path);
    unlink(out_path);
    if (ret_out)
        *ret_out = out;
    else
        bytes_free(&out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void check_decodes(struct kit *kit, int mode, struct bytes in, size_t piece, struct bytes expected)
{
    struct bytes made;
    int status = kit_decode(kit, mode, in, piece, piece, &made);
    ck_assert_msg(status == HF_END, "result %d: %s", status, fake_error(kit->fake));
    ck_assert(bytes_equal(made, expected));
    bytes_free(&made);
}

void kit_check_round_trips(struct kit *kit, size_t max_size, unsigned rounds)
{
    uint64_t seed = max_size;
    for (unsigned round = 0; round < rounds; round++) {
        size_t size = round < 2 ? round : kit_random(&seed) % max_size;
        struct bytes raw = kit_make((enum kit_taste)(round % KIT_TASTES), size, seed);
        struct encoded encoded = kit_encode(kit, raw, round & 1 ? 0 : kit->stage->block_size);
        check_decodes(kit, HF_DECODE_OBJECT, encoded.all, 0, raw);
        check_decodes(kit, HF_DECODE_OBJECT, encoded.all, 1 << 20, raw);
        ck_assert_int_eq(kit->stage->recognise(encoded.all.data, encoded.all.size), 100);
        encoded_free(&encoded);
        bytes_free(&raw);
    }
}

void kit_check_blocks_alone(struct kit *kit)
{
    enum { BLOCK = 70000, BLOCKS = 8 };
    for (enum kit_taste taste = KIT_TEXT; taste < KIT_TASTES; taste++) {
        struct bytes raw = kit_make(taste, (size_t)BLOCK * BLOCKS, taste);
        struct encoded encoded = kit_encode(kit, raw, BLOCK);
        ck_assert_uint_eq(encoded.block_count, BLOCKS);
        for (size_t from = 0; from < BLOCKS; from++) {
            for (size_t to = from + 1; to <= BLOCKS; to++) {
                struct bytes run = {encoded.all.data + encoded.offsets[from],
                                    encoded.offsets[to] - encoded.offsets[from]};
                struct bytes expected = {raw.data + from * BLOCK, (to - from) * BLOCK};
                check_decodes(kit, HF_DECODE_BLOCKS, run, to % 2 ? 0 : 1 << 20, expected);
            }
        }
        encoded_free(&encoded);
        bytes_free(&raw);
    }
}

void kit_check_truncation(struct kit *kit, struct bytes whole)
{
    for (size_t size = 0; size < whole.size; size++) {
        struct bytes cut = {whole.data, size};
        int status = kit_decode(kit, HF_DECODE_OBJECT, cut, size % 3 ? 1 << 16 : 1, 1 << 16, NULL);
        ck_assert_msg(status == HF_E_CORRUPT, "result %d for %zu of %zu bytes", status, size, whole.size);
    }
}

void kit_check_runs_truncated(struct kit *kit)
{
    for (enum kit_taste taste = KIT_TEXT; taste < KIT_TASTES; taste++) {
        struct bytes raw = kit_make(taste, 3000, 77);
        struct encoded encoded = kit_encode(kit, raw, 1000);
        struct bytes run = {encoded.all.data + encoded.offsets[0], encoded.offsets[3] - encoded.offsets[0]};
        for (size_t size = 1; size < run.size; size++) {
            struct bytes cut = {run.data, size}, made;
            int status = kit_decode(kit, HF_DECODE_BLOCKS, cut, 1 << 16, 1 << 16, &made);
            if (size == encoded.offsets[1] - encoded.offsets[0] || size == encoded.offsets[2] - encoded.offsets[0])
                ck_assert_int_eq(status, HF_END);
            else /* a cut at a marker inside a block's data is what only size and digest can find */
                ck_assert(status == HF_E_CORRUPT || (status == HF_END && made.size < raw.size));
            bytes_free(&made);
        }
        encoded_free(&encoded);
        bytes_free(&raw);
    }
}

void kit_check_deterministic(struct kit *kit)
{
    struct bytes raw = kit_make(KIT_MIXED, 300000, 5), other = kit_make(KIT_TEXT, 300000, 6);
    struct bytes both = bytes_join(other, raw);
    struct encoded alone = kit_encode(kit, raw, 300000), after = kit_encode(kit, both, 300000);
    struct bytes first = {alone.all.data + alone.offsets[0], alone.offsets[1] - alone.offsets[0]};
    struct bytes second = {after.all.data + after.offsets[1], after.offsets[2] - after.offsets[1]};
    ck_assert_msg(bytes_equal(first, second), "a block's encoding depends on the block before it");
    encoded_free(&alone);
    encoded_free(&after);
    bytes_free(&both);
    bytes_free(&other);
    bytes_free(&raw);
}

void kit_check_bit_flips(struct kit *kit, struct bytes whole, struct bytes raw)
{
    for (size_t bit = 0; bit < whole.size * 8; bit++) {
        struct bytes made;
        whole.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        int status = kit_decode(kit, HF_DECODE_OBJECT, whole, 1 << 16, 1 << 16, &made);
        whole.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        ck_assert_msg(status < 0 || bytes_equal(made, raw), "bit %zu of byte %zu: damage not found", bit % 8, bit / 8);
        bytes_free(&made);
    }
}

void kit_check_garbage(struct kit *kit, struct bytes whole, unsigned rounds)
{
    uint64_t seed = rounds;
    for (unsigned round = 0; round < rounds; round++) {
        struct bytes bad = bytes_copy(whole.data, whole.size);
        size_t from = kit_random(&seed) % bad.size, count = 1 + kit_random(&seed) % 40;
        for (size_t i = from; i < bad.size && i < from + count; i++)
            bad.data[i] = (unsigned char)kit_random(&seed);
        (void)kit_decode(kit, round & 1 ? HF_DECODE_OBJECT : HF_DECODE_BLOCKS, bad, 0, 0, NULL);
        bytes_free(&bad);
    }
}
