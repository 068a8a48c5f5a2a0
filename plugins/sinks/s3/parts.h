/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of an object: their memory, their digests, how large they are, and how many there are at once.
 */
#ifndef HOLDFAST_SINK_S3_PARTS_H
#define HOLDFAST_SINK_S3_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "md5_lanes.h"
#include "text.h"

/* A part of an object, the first is number 1. */
struct s3_part {
    struct s3_part *next;
    unsigned char *data;
    size_t used, room;
    unsigned number;
    struct s3_md5 md5;
    char content_md5[S3_MD5_BASE64]; /* "": the request is signed over the part's SHA-256 instead */
};

struct s3_part *s3_part_new(void);
/* False: out of memory, and the part is as it was. */
bool s3_part_reserve(struct s3_part *part, size_t room);
void s3_part_free(struct s3_part *part);
/* Makes the content_md5 of one alone. */
void s3_part_digest(struct s3_part *part);

/* Of the next part of an artifact of which `sent` bytes are under way: `first`, or the fraction 8 / max_parts of what
 * was sent if that is more, in whole MiB, at most 5 GiB. With 10 000 parts and a first one of 5 MiB that makes at least
 * 6 TiB; with 1000 parts, 0.6 TiB. */
uint64_t s3_part_size(uint64_t first, unsigned max_parts, uint64_t sent);

/* How many parts of that size may be in flight while another is filled: `wanted`, or as many as fit into `memory`, at
 * least one. */
unsigned s3_parts_in_flight(uint64_t part_size, unsigned wanted, uint64_t memory);

/* How many of so many parts are digested side by side, so that at least `parallel` are left to be sent meanwhile. 0:
 * none, as fewer than S3_LANES_MIN would take longer than one after the other. */
enum { S3_LANES_MIN = 3 };
unsigned s3_parts_in_lanes(unsigned in_flight, unsigned parallel);

#endif
