/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes looked through with vectors: gigabytes of COPY data pass here, of which only line breaks, NULs and the end
 * matter.
 */
#include <string.h>

#include "script_inside.h"

enum { WIDTH = 16, UNROLLED = 4, STEP = WIDTH * UNROLLED };

typedef unsigned char bytes16 __attribute__((vector_size(WIDTH)));

static inline bytes16 load(const char *data)
{
    bytes16 bytes;
    memcpy(&bytes, data, sizeof(bytes));
    return bytes;
}

static inline bool any(bytes16 bytes)
{
    uint64_t halves[2];
    memcpy(halves, &bytes, sizeof(halves));
    return (halves[0] | halves[1]) != 0;
}

static inline uint64_t sum(bytes16 counts)
{
    uint64_t total = 0;
    for (int i = 0; i < WIDTH; i++)
        total += counts[i];
    return total;
}

size_t pg_scan_lines(const char *data, size_t size)
{
    uint64_t lines = 0;
    size_t at = 0;
    while (size - at >= WIDTH) {
        bytes16 counts = {0};
        for (int i = 0; i < 255 && size - at >= WIDTH; i++, at += WIDTH)
            counts -= (bytes16)(load(data + at) == '\n');
        lines += sum(counts);
    }
    for (; at < size; at++)
        lines += data[at] == '\n';
    return lines;
}

/* Whole steps that hold no end and no NUL. */
static size_t scan_steps(const char *data, size_t size, uint64_t *lines)
{
    size_t at = 0;
    bool found = false;
    while (!found && size - at >= STEP + 2) {
        bytes16 counts = {0};
        for (int i = 0; i < 255 / UNROLLED && size - at >= STEP + 2; i++, at += STEP) {
            bytes16 hits = {0}, breaks = {0};
            for (int j = 0; j < UNROLLED; j++) {
                const char *here = data + at + j * WIDTH;
                bytes16 first = load(here), newline = (bytes16)(first == '\n');
                hits |= newline & (bytes16)(load(here + 1) == '\\') & (bytes16)(load(here + 2) == '.');
                hits |= (bytes16)(first == 0);
                breaks -= newline;
            }
            found = any(hits);
            if (found)
                break;
            counts += breaks;
        }
        *lines += sum(counts);
    }
    return at;
}

size_t pg_scan_copy(const char *data, size_t size, uint64_t *ret_lines)
{
    uint64_t lines = 0;
    size_t at = scan_steps(data, size, &lines);
    for (; at < size && data[at]; at++) {
        if (data[at] != '\n')
            continue;
        lines++;
        if (size - at >= 2 && data[at + 1] == '\\' && (size - at == 2 || data[at + 2] == '.')) {
            at++;
            break;
        }
    }
    *ret_lines = lines;
    return at;
}
