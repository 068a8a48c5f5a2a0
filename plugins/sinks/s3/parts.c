/* SPDX-License-Identifier: Apache-2.0 */
#include "parts.h"

#include "md5_lanes.h"

#define MIB ((uint64_t)1 << 20)
#define PART_MAX (5 * 1024 * MIB)

uint64_t s3_part_size(uint64_t first, unsigned max_parts, uint64_t sent)
{
    uint64_t size = (sent / max_parts * 8 + MIB - 1) / MIB * MIB;
    if (size < first)
        size = first;
    return size < PART_MAX ? size : PART_MAX;
}

unsigned s3_parts_in_flight(uint64_t part_size, unsigned wanted, uint64_t memory)
{
    uint64_t fit = memory / part_size;
    if (fit < 2)
        return 1;
    return fit - 1 < wanted ? (unsigned)(fit - 1) : wanted;
}

unsigned s3_parts_in_lanes(unsigned in_flight)
{
    unsigned lanes = in_flight * 2 / 3;
    if (lanes < S3_LANES_MIN)
        return 0;
    return lanes < S3_MD5_LANES ? lanes : S3_MD5_LANES;
}
