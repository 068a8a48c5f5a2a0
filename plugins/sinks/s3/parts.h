/* SPDX-License-Identifier: Apache-2.0
 *
 * How large parts are, and how many are in memory.
 */
#ifndef HOLDFAST_SINK_S3_PARTS_H
#define HOLDFAST_SINK_S3_PARTS_H

#include <stdint.h>

/* Of the next part of an artifact of which `sent` bytes are under way: `first`, or the fraction 8 / max_parts of what
 * was sent if that is more, in whole MiB, at most 5 GiB. With 10 000 parts and a first one of 5 MiB that makes at least
 * 6 TiB; with 1000 parts, 0.6 TiB. */
uint64_t s3_part_size(uint64_t first, unsigned max_parts, uint64_t sent);

/* How many parts of that size may be in flight while another is filled: `wanted`, or as many as fit into `memory`, at
 * least one. */
unsigned s3_parts_in_flight(uint64_t part_size, unsigned wanted, uint64_t memory);

/* How many of so many parts are digested side by side: enough must be left that are sent meanwhile. 0: none, as fewer
 * than S3_LANES_MIN would take longer than one after the other. */
enum { S3_LANES_MIN = 3 };
unsigned s3_parts_in_lanes(unsigned in_flight);

#endif
