/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts back into a file.
 */
#include <errno.h>
#include <string.h>

#include "sqlite.h"

static int write_at(struct hf_ctx *ctx, const struct sq_image *image, const char *data, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t put = pwrite(image->fd, data, size, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return sq_host->fail(ctx, sq_code_of_errno(errno), "write '%s': %s", image->path, strerror(errno));
        if (put == 0)
            return sq_host->fail(ctx, HF_E_IO, "write '%s': nothing was taken", image->path);
        data += put;
        size -= (size_t)put;
        offset += (uint64_t)put;
    }
    return HF_OK;
}

int sq_image_write(struct hf_ctx *ctx, struct sq_image *image, const struct hf_part *part, struct hf_reader *reader)
{
    uint64_t limit = image->expected ? image->expected : INT64_MAX, done = 0;
    for (;;) {
        const void *data = NULL;
        int64_t got = sq_host->borrow(reader, &data);
        if (got < 0)
            return (int)got;
        if (got == 0)
            break;
        if (part->raw_offset > limit || done + (uint64_t)got > limit - part->raw_offset)
            return sq_host->fail(ctx, HF_E_CORRUPT, "part '%s' of '%s' lies outside of its database", part->name,
                                 image->artifact);
        int result = write_at(ctx, image, data, (size_t)got, part->raw_offset + done);
        if (result < 0)
            return result;
        done += (uint64_t)got;
    }
    atomic_fetch_add(&image->written, done);
    return HF_OK;
}
