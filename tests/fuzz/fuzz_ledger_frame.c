/* SPDX-License-Identifier: Apache-2.0
 *
 * A segment's bytes, in pieces whose size the input chooses: the walker must find the same frames as in one piece.
 */
#include "partition.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_in_pieces(struct segment_check *check, const char *file, const uint8_t *data, size_t size,
                            size_t piece)
{
    if (segment_check_begin(check, "2026-01-29", file) < 0)
        return;
    for (size_t at = 0; at < size; at += piece)
        if (segment_check_feed(check, data + at, size - at < piece ? size - at : piece) < 0)
            break;
    segment_check_end(check);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct segment_check whole, pieces;

    if (size < 1)
        return 0;
    size_t piece = (size_t)data[0] + 1;
    data++;
    size--;
    check_in_pieces(&whole, "signals-001.wal", data, size, size + 1);
    check_in_pieces(&pieces, "signals-001.wal", data, size, piece);
    if (memcmp(&whole.result, &pieces.result, sizeof(whole.result)) != 0)
        abort();
    if (whole.result.end_offset > whole.result.bytes || whole.result.bytes != size)
        abort();

    check_in_pieces(&pieces, "signals-001.wal.gz", data, size, piece);
    if (pieces.result.end_offset > pieces.result.bytes)
        abort();
    current_parse((const char *)data, size);
    return 0;
}
