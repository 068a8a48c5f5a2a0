/* SPDX-License-Identifier: Apache-2.0 */
#include "md5_lanes.h"

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { WORDS = 16, STEPS = 64 };

/* One 32-bit word of each message. */
typedef uint32_t lanes __attribute__((vector_size(4 * S3_MD5_LANES)));

/* Words 0 to 3 are A to D. */
struct state {
    lanes words[4];
};

/* The table T of RFC 1321, section 3.4. */
static const uint32_t sines[STEPS] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

/* --- the steps, for whichever processor they are compiled --- */

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE void rotate_left(lanes *word, unsigned bits)
{
    *word = *word << bits | *word >> (32 - bits);
}

/* The words of a half block of each message, lane by lane instead of message by message: three rounds of swapping. */
ALWAYS_INLINE void transpose(const unsigned char *const at[S3_MD5_LANES], size_t offset, lanes words[WORDS / 2])
{
    lanes rows[8], pairs[8], fours[8];
    for (unsigned i = 0; i < 8; i++)
        memcpy(&rows[i], at[i] + offset, sizeof(rows[i]));
    for (unsigned i = 0; i < 8; i += 2) {
        pairs[i] = __builtin_shufflevector(rows[i], rows[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        pairs[i + 1] = __builtin_shufflevector(rows[i], rows[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (unsigned i = 0; i < 8; i += 4) {
        for (unsigned j = 0; j < 2; j++) {
            lanes left = pairs[i + j], right = pairs[i + j + 2];
            fours[i + 2 * j] = __builtin_shufflevector(left, right, 0, 1, 8, 9, 4, 5, 12, 13);
            fours[i + 2 * j + 1] = __builtin_shufflevector(left, right, 2, 3, 10, 11, 6, 7, 14, 15);
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        words[i] = __builtin_shufflevector(fours[i], fours[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        words[i + 4] = __builtin_shufflevector(fours[i], fours[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
#if __BYTE_ORDER == __BIG_ENDIAN
    for (unsigned i = 0; i < 8; i++)
        for (unsigned lane = 0; lane < S3_MD5_LANES; lane++)
            words[i][lane] = le32toh(words[i][lane]);
#endif
}

/* What does not wait for the step before (b) is added first. */
#define STEP(f, a, b, c, d, word, step, bits)                                                                          \
    do {                                                                                                               \
        (a) += (word) + sines[step];                                                                                   \
        (a) += f(b, c, d);                                                                                             \
        rotate_left(&(a), bits);                                                                                       \
        (a) += (b);                                                                                                    \
    } while (0)

/* Four steps; their words lie `by` apart. */
#define STEPS4(f, step, word, by, s1, s2, s3, s4)                                                                      \
    do {                                                                                                               \
        STEP(f, a, b, c, d, words[(word) % WORDS], step, s1);                                                          \
        STEP(f, d, a, b, c, words[((word) + (by)) % WORDS], (step) + 1, s2);                                           \
        STEP(f, c, d, a, b, words[((word) + 2 * (by)) % WORDS], (step) + 2, s3);                                       \
        STEP(f, b, c, d, a, words[((word) + 3 * (by)) % WORDS], (step) + 3, s4);                                       \
    } while (0)

#define F(b, c, d) ((d) ^ ((b) & ((c) ^ (d))))
#define G(b, c, d) ((c) ^ ((d) & ((b) ^ (c))))
#define H(b, c, d) ((b) ^ ((c) ^ (d)))
#define I(b, c, d) ((c) ^ ((b) | ~(d)))

/* Adds `blocks` blocks to every lane. */
ALWAYS_INLINE void add_blocks(struct state *state, const unsigned char *const at[S3_MD5_LANES], size_t blocks)
{
    lanes a = state->words[0], b = state->words[1], c = state->words[2], d = state->words[3];
    for (size_t block = 0; block < blocks; block++) {
        lanes words[WORDS], before[4] = {a, b, c, d};
        transpose(at, block * S3_MD5_BLOCK, words);
        transpose(at, block * S3_MD5_BLOCK + S3_MD5_BLOCK / 2, words + WORDS / 2);
        for (unsigned i = 0; i < 16; i += 4)
            STEPS4(F, i, i, 1, 7, 12, 17, 22);
        for (unsigned i = 16; i < 32; i += 4)
            STEPS4(G, i, 5 * i + 1, 5, 5, 9, 14, 20);
        for (unsigned i = 32; i < 48; i += 4)
            STEPS4(H, i, 3 * i + 5, 3, 4, 11, 16, 23);
        for (unsigned i = 48; i < 64; i += 4)
            STEPS4(I, i, 7 * i, 7, 6, 10, 15, 21);
        a += before[0];
        b += before[1];
        c += before[2];
        d += before[3];
    }
    state->words[0] = a;
    state->words[1] = b;
    state->words[2] = c;
    state->words[3] = d;
}

typedef void add_fn(struct state *state, const unsigned char *const at[S3_MD5_LANES], size_t blocks);

static void add_anywhere(struct state *state, const unsigned char *const at[S3_MD5_LANES], size_t blocks)
{
    add_blocks(state, at, blocks);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void add_avx2(struct state *state, const unsigned char *const at[S3_MD5_LANES],
                                                     size_t blocks)
{
    add_blocks(state, at, blocks);
}

/* It has rotations, and functions of three bits. */
__attribute__((target("avx512f,avx512vl"))) static void
add_avx512(struct state *state, const unsigned char *const at[S3_MD5_LANES], size_t blocks)
{
    add_blocks(state, at, blocks);
}
#endif

enum { WAYS_MAX = 3 };

/* Those of this processor, the fastest first. */
static unsigned find_ways(add_fn *ways[WAYS_MAX])
{
    unsigned count = 0;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"))
        ways[count++] = add_avx512;
    if (__builtin_cpu_supports("avx2"))
        ways[count++] = add_avx2;
#endif
    ways[count++] = add_anywhere;
    return count;
}

/* --- messages --- */

static void go_on(struct s3_md5 *message, size_t blocks)
{
    message->at += blocks * S3_MD5_BLOCK;
    message->blocks -= blocks;
    if (message->blocks > 0)
        return;
    message->at = message->tail;
    message->blocks = message->tail_blocks;
    message->tail_blocks = 0;
    if (message->blocks > 0)
        return;
    message->done = true;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t word = htole32(message->words[i]);
        memcpy(message->digest + sizeof(word) * i, &word, sizeof(word));
    }
}

void s3_md5_begin(struct s3_md5 *message, const void *data, size_t size)
{
    static const uint32_t start[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    size_t left = size % S3_MD5_BLOCK;
    uint64_t bits = htole64((uint64_t)size * 8);
    *message = (struct s3_md5){.at = data, .blocks = size / S3_MD5_BLOCK};
    memcpy(message->words, start, sizeof(start));
    message->tail_blocks = left < S3_MD5_BLOCK - sizeof(bits) ? 1 : 2;
    if (left > 0)
        memcpy(message->tail, message->at + (size - left), left);
    message->tail[left] = 0x80;
    memcpy(message->tail + message->tail_blocks * S3_MD5_BLOCK - sizeof(bits), &bits, sizeof(bits));
    if (message->blocks == 0)
        go_on(message, 0);
}

/* Lanes without a message go along on the first one's blocks. */
static void add(add_fn *fn, struct s3_md5 *const *messages, unsigned count, size_t blocks)
{
    const unsigned char *at[S3_MD5_LANES];
    struct state state;
    for (unsigned i = 0; i < S3_MD5_LANES; i++) {
        const struct s3_md5 *message = messages[i < count ? i : 0];
        at[i] = message->at;
        for (unsigned word = 0; word < 4; word++)
            state.words[word][i] = message->words[word];
    }
    fn(&state, at, blocks);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned word = 0; word < 4; word++)
            messages[i]->words[word] = state.words[word][i];
        go_on(messages[i], blocks);
    }
}

unsigned s3_md5_ways(void)
{
    add_fn *ways[WAYS_MAX];
    return find_ways(ways);
}

void s3_md5_lanes_by(unsigned way, struct s3_md5 *const *messages, unsigned count, size_t blocks)
{
    add_fn *ways[WAYS_MAX];
    bool done = false;
    assert(way < find_ways(ways));
    assert(count > 0 && count <= S3_MD5_LANES);
    while (blocks > 0 && !done) {
        size_t now = blocks;
        for (unsigned i = 0; i < count; i++)
            if (messages[i]->blocks < now)
                now = messages[i]->blocks;
        add(ways[way], messages, count, now);
        blocks -= now;
        for (unsigned i = 0; i < count; i++)
            done = done || messages[i]->done;
    }
}

void s3_md5_lanes(struct s3_md5 *const *messages, unsigned count, size_t blocks)
{
    s3_md5_lanes_by(0, messages, count, blocks);
}
