/* SPDX-License-Identifier: Apache-2.0
 *
 * The reserve: space of the file system that backups leave to others. A run that would eat into it is refused before it
 * begins; one that turns out larger than expected stops when it would, not when the disk is full.
 */
#include "dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHARE_WHOLE = 10000, RECORD_MAX = 64 << 20, ROOM_MIN = 1 << 20, ROOM_PROBE = 4096 };

/* "12.5%" as parts in 10000; 0 when it is none. */
static uint64_t parse_share(const char *text)
{
    char *end = NULL;
    double percent = strtod(text, &end);
    return strcmp(end, "%") == 0 && percent > 0 && percent < 100 ? (uint64_t)(percent * SHARE_WHOLE / 100 + 0.5) : 0;
}

/* "20G", "20GiB", "20000"; 0 when it is none. */
static uint64_t parse_bytes(const char *text)
{
    static const char units[] = "KMGT";
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    end += unit != NULL;
    if (errno != 0 || (*end && strcmp(end, "B") != 0 && strcmp(end, "iB") != 0) || number > UINT64_MAX >> 8 >> shift)
        return 0;
    return (uint64_t)number << shift;
}

int dir_reserve_parse(struct dir *self, struct hf_ctx *ctx, const char *text)
{
    self->reserve_is_share = strchr(text, '%') != NULL;
    bool number = *text >= '0' && *text <= '9'; /* strtod knows more than one would want: 0x1p3, inf */
    if (number && strspn(text, "0123456789.%KMGTiB") == strlen(text))
        self->reserve = self->reserve_is_share ? parse_share(text) : parse_bytes(text);
    if (self->reserve > 0)
        return HF_OK;
    return dir_host->fail(ctx, HF_E_CONFIG,
                          "reserve '%s' is neither a share of the file system, like 10%%, nor a size, "
                          "like 20G",
                          text);
}

/* Not even the attempt is made where it must fail, since others would find the disk full while it lasts, nor where what
 * describes the object would have no room beside it. */
static int allocate(int fd, uint64_t bytes)
{
    struct statvfs fs;
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, ROOM_PROBE) != 0)
        return errno;
    if (fstatvfs(fd, &fs) == 0 && (uint64_t)fs.f_bfree * fs.f_frsize < bytes - ROOM_PROBE + ROOM_MIN)
        return ENOSPC;
    return fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes) == 0 ? 0 : errno;
}

int dir_room_take(const struct dir *self, struct hf_ctx *ctx, int fd, const char *name, uint64_t bytes, bool *ret_taken)
{
    if (bytes < ROOM_MIN || bytes > INT64_MAX)
        return HF_OK;
    int error = allocate(fd, bytes);
    if (error == ENOSPC || error == EDQUOT)
        return dir_fail(self, ctx, error, "make room for", name);
    *ret_taken = error == 0;
    return HF_OK; /* NFS before 4.2 cannot, for one: the writing will tell */
}

bool dir_is_record(const struct hf_put_request *request)
{
    const char *dot = strrchr(request->key, '.');
    return dot && (!strcmp(dot, ".json") || !strcmp(dot, ".sha256")) && request->size_hint > 0 &&
           request->size_hint <= RECORD_MAX;
}

static unsigned long long mib(uint64_t bytes)
{
    return (unsigned long long)(bytes >> 20);
}

int dir_reserve_check(const struct dir *self, struct hf_ctx *ctx, int folder, uint64_t bytes, int code)
{
    struct statvfs fs;
    if (self->reserve == 0)
        return HF_OK;
    if (fstatvfs(folder, &fs) != 0)
        return dir_fail(self, ctx, errno, "ask for the free space of", NULL);
    uint64_t total = (uint64_t)fs.f_blocks * fs.f_frsize, available = (uint64_t)fs.f_bavail * fs.f_frsize;
    uint64_t reserve = self->reserve;
    if (self->reserve_is_share)
        reserve = total / SHARE_WHOLE * self->reserve + total % SHARE_WHOLE * self->reserve / SHARE_WHOLE;
    if (available >= reserve && available - reserve >= bytes)
        return HF_OK;
    if (bytes == 0)
        dir_host->fail(ctx, code, "only %llu MiB of '%s' are free, less than the %llu MiB of its reserve",
                       mib(available), self->path, mib(reserve));
    else if (code == HF_E_REFUSED)
        dir_host->fail(
            ctx, code,
            "about %llu MiB, as many as the backup is expected to have, would leave less than the reserve of "
            "%llu MiB in '%s', where %llu MiB are free",
            mib(bytes), mib(reserve), self->path, mib(available));
    else
        dir_host->fail(ctx, code, "the backup would leave less than the reserve of %llu MiB in '%s'", mib(reserve),
                       self->path);
    return dir_host->hint(ctx, "give '%s' more room, shorten [retention] and run 'holdfast prune', or lower reserve",
                          self->path);
}

/* The folder, or what of its path there is: that is where it will be made. */
static int open_nearest(const struct dir *self, struct hf_ctx *ctx, int *ret_fd)
{
    int status = dir_folder_open(self, ctx, ret_fd);
    char *path = status == HF_E_NOTFOUND ? strdup(self->path) : NULL;
    for (char *slash; status == HF_E_NOTFOUND && path && (slash = strrchr(path, '/'));) {
        slash[slash == path] = 0;
        *ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (*ret_fd >= 0)
            status = HF_OK;
        else if (errno != ENOENT)
            status = dir_fail(self, ctx, errno, "open", NULL);
        else if (slash == path)
            break;
    }
    free(path);
    return status == HF_E_NOTFOUND ? dir_host->fail(ctx, HF_E_NOMEM, "out of memory") : status;
}

int dir_expect(void *opaque, struct hf_ctx *ctx, uint64_t bytes)
{
    const struct dir *self = opaque;
    int folder = -1;
    if (self->reserve == 0)
        return HF_OK;
    int status = open_nearest(self, ctx, &folder);
    if (status == HF_OK)
        status = dir_reserve_check(self, ctx, folder, bytes, HF_E_REFUSED);
    dir_close(&folder);
    return status;
}
