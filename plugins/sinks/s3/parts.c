/* SPDX-License-Identifier: Apache-2.0 */
#include "parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MIB ((uint64_t)1 << 20)
#define PART_MAX (5 * 1024 * MIB)

enum { LARGE_PAGE = 2 * 1024 * 1024 };

struct s3_part *s3_part_new(void)
{
    return calloc(1, sizeof(struct s3_part));
}

/* Memory in large pages, if the system has them: a part is gone through from one end to the other, several times. */
static void *allocate(size_t size)
{
    void *data = NULL;
    if (size < LARGE_PAGE)
        return malloc(size);
    if (posix_memalign(&data, LARGE_PAGE, size) != 0)
        return NULL;
    (void)madvise(data, size, MADV_HUGEPAGE);
    return data;
}

bool s3_part_reserve(struct s3_part *part, size_t room)
{
    if (room <= part->room)
        return true;
    unsigned char *data = allocate(room);
    if (!data)
        return false;
    if (part->used)
        memcpy(data, part->data, part->used);
    free(part->data);
    part->data = data;
    part->room = room;
    return true;
}

void s3_part_free(struct s3_part *part)
{
    if (!part)
        return;
    free(part->data);
    free(part);
}

void s3_part_digest(struct s3_part *part)
{
    struct s3_md5 *message = &part->md5;
    s3_md5_begin(message, part->data, part->used);
    while (!message->done)
        s3_md5_lanes(&message, 1, SIZE_MAX);
    s3_base64(message->digest, S3_MD5_SIZE, part->content_md5);
}

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

unsigned s3_parts_in_lanes(unsigned in_flight, unsigned parallel)
{
    /* One of them is done as soon as all lanes are taken. */
    unsigned lanes = in_flight >= parallel ? in_flight - parallel + 1 : 0;
    if (lanes < S3_LANES_MIN)
        return 0;
    return lanes < S3_MD5_LANES ? lanes : S3_MD5_LANES;
}
