/* SPDX-License-Identifier: Apache-2.0
 *
 * One sum for all that the artifact holds.
 */
#include "files.h"
#include <endian.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SUM sizeof(XXH128_canonical_t)
#define BLOCK (64 * 1024) /* contents are taken in blocks, so that one of zeros, as in a hole, costs nothing */
#define MAX_PARTS 10000000u

struct digest {
    pthread_mutex_t lock; /* protects the rest */
    unsigned char *sums;  /* one for each part, in order */
    uint32_t count, room;
    uint64_t entries, bytes;
};

struct digest_part {
    XXH3_state_t *hash;
    uint64_t entries, bytes;
    uint64_t zero_blocks; /* of the current entry, not taken in yet; before what is in `block` */
    size_t used;
    unsigned char block[BLOCK];
};
enum block_kind { KIND_BYTES = 1, KIND_ZEROS = 2 };

struct digest *digest_new(void)
{
    struct digest *digest = calloc(1, sizeof(*digest));
    if (digest)
        pthread_mutex_init(&digest->lock, NULL);
    return digest;
}

void digest_free(struct digest *digest)
{
    if (!digest)
        return;
    free(digest->sums);
    pthread_mutex_destroy(&digest->lock);
    free(digest);
}

struct digest_part *digest_part_new(void)
{
    struct digest_part *part = calloc(1, sizeof(*part));
    if (!part)
        return NULL;
    part->hash = XXH3_createState();
    if (!part->hash || XXH3_128bits_reset(part->hash) != XXH_OK) {
        digest_part_free(part);
        return NULL;
    }
    return part;
}

void digest_part_free(struct digest_part *part)
{
    if (!part)
        return;
    XXH3_freeState(part->hash);
    free(part);
}

static int add(struct digest_part *part, const void *data, size_t size)
{
    return XXH3_128bits_update(part->hash, data, size) == XXH_OK ? 0 : -1;
}

static int add_number(struct digest_part *part, uint64_t number)
{
    uint64_t little = htole64(number);
    return add(part, &little, sizeof(little));
}

static int add_text(struct digest_part *part, const char *text, size_t size)
{
    return add_number(part, size) < 0 ? -1 : add(part, text, size);
}

static int add_attrs(struct digest_part *part, struct archive_entry *entry)
{
    struct tar_attrs attrs;
    struct tar_attr attr;
    if (tar_attrs_take(entry, &attrs) < 0)
        return -1;
    int r = 0;
    for (size_t at = 0; r == 0 && tar_attrs_next(attrs.data, attrs.size, &at, &attr);) {
        r = add_text(part, attr.name, strlen(attr.name));
        if (r == 0)
            r = add_text(part, attr.value, attr.size);
    }
    tar_attrs_clear(&attrs);
    return r;
}

static int add_zero_blocks(struct digest_part *part)
{
    uint64_t count = part->zero_blocks;
    part->zero_blocks = 0;
    if (!count)
        return 0;
    return add_number(part, KIND_ZEROS) < 0 ? -1 : add_number(part, count);
}

/* A whole block, or the last one of an entry. */
static int add_block(struct digest_part *part, const unsigned char *data, size_t size)
{
    if (size == BLOCK && data[0] == 0 && memcmp(data, data + 1, BLOCK - 1) == 0) {
        part->zero_blocks++;
        return 0;
    }
    if (add_zero_blocks(part) < 0 || add_number(part, KIND_BYTES) < 0)
        return -1;
    return add_text(part, (const char *)data, size);
}

/* Ends the contents of the entry before. */
static int end_contents(struct digest_part *part)
{
    size_t used = part->used;
    part->used = 0;
    if (used && add_block(part, part->block, used) < 0)
        return -1;
    return add_zero_blocks(part);
}

int digest_entry(struct digest_part *part, struct archive_entry *entry)
{
    const char *path = archive_entry_pathname(entry), *hard = archive_entry_hardlink(entry), *link = NULL;
    mode_t type = archive_entry_filetype(entry);
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') /* a folder's is added on the way into the tar */
        length--;
    part->entries++;
    if (end_contents(part) < 0 || add_text(part, path, length) < 0 || add_number(part, hard ? 1 : type) < 0)
        return -1;
    if (hard) /* all else is its target's */
        return add_text(part, hard, strlen(hard));
    if (type == AE_IFLNK)
        link = archive_entry_symlink(entry);
    uint64_t device = type == AE_IFCHR || type == AE_IFBLK ? (uint64_t)archive_entry_rdev(entry) : 0;
    uint64_t size = type == AE_IFREG ? (uint64_t)archive_entry_size(entry) : 0;
    part->bytes += size;
    return add_number(part, archive_entry_perm(entry) & 07777) < 0 ||
                   add_number(part, (uint64_t)archive_entry_uid(entry)) < 0 ||
                   add_number(part, (uint64_t)archive_entry_gid(entry)) < 0 || add_number(part, device) < 0 ||
                   add_text(part, link ? link : "", link ? strlen(link) : 0) < 0 || add_attrs(part, entry) < 0 ||
                   add_number(part, size) < 0
               ? -1
               : 0;
}

/* Fills up the block that was begun; NULL: with zeros. Returns how much it took, or -1. */
static int64_t fill_block(struct digest_part *part, const unsigned char *data, int64_t size)
{
    size_t take = BLOCK - part->used;
    if (size < (int64_t)take)
        take = (size_t)size;
    if (data)
        memcpy(part->block + part->used, data, take);
    else
        memset(part->block + part->used, 0, take);
    part->used += take;
    if (part->used < BLOCK)
        return (int64_t)take;
    part->used = 0;
    return add_block(part, part->block, BLOCK) < 0 ? -1 : (int64_t)take;
}

int digest_data(struct digest_part *part, const void *data, size_t size)
{
    for (const unsigned char *at = data; size;) {
        int64_t took = BLOCK;
        if (part->used || size < BLOCK)
            took = fill_block(part, at, (int64_t)size);
        else if (add_block(part, at, BLOCK) < 0)
            took = -1;
        if (took < 0)
            return -1;
        at += took;
        size -= (size_t)took;
    }
    return 0;
}

int digest_zeros(struct digest_part *part, int64_t size)
{
    while (size > 0) {
        int64_t took = size / BLOCK * BLOCK;
        if (part->used || size < BLOCK)
            took = fill_block(part, NULL, size);
        else
            part->zero_blocks += (uint64_t)(size / BLOCK);
        if (took < 0)
            return -1;
        size -= took;
    }
    return 0;
}

int digest_part_done(struct digest *digest, struct digest_part *part, uint32_t number)
{
    XXH128_canonical_t sum;
    int r = number >= 1 && number <= MAX_PARTS && end_contents(part) == 0 ? 0 : -1;
    XXH128_canonicalFromHash(&sum, XXH3_128bits_digest(part->hash));
    pthread_mutex_lock(&digest->lock);
    if (r == 0 && number > digest->room) {
        uint32_t room = number < 512 ? 1024 : number * 2;
        unsigned char *bigger = realloc(digest->sums, (size_t)room * SUM);
        if (bigger) {
            memset(bigger + (size_t)digest->room * SUM, 0, (size_t)(room - digest->room) * SUM);
            digest->sums = bigger;
            digest->room = room;
        } else {
            r = -1;
        }
    }
    if (r == 0) {
        memcpy(digest->sums + (size_t)(number - 1) * SUM, &sum, SUM);
        digest->count = number > digest->count ? number : digest->count;
        digest->entries += part->entries;
        digest->bytes += part->bytes;
    }
    pthread_mutex_unlock(&digest->lock);
    digest_part_free(part);
    return r;
}

char *digest_fact(struct digest *digest)
{
    XXH128_canonical_t sum;
    char hex[2 * SUM + 1], *json = NULL;
    XXH128_canonicalFromHash(&sum, XXH3_128bits(digest->sums, digest->count * SUM));
    for (size_t i = 0; i < SUM; i++)
        snprintf(hex + 2 * i, 3, "%02x", sum.digest[i]);
    if (asprintf(&json, "{\"xxh128\":\"%s\",\"entries\":%llu,\"bytes\":%llu}", hex, (unsigned long long)digest->entries,
                 (unsigned long long)digest->bytes) < 0)
        return NULL;
    return json;
}

bool digest_same_fact(const char *one, const char *two)
{
    json_t *a = json_loads(one, JSON_REJECT_DUPLICATES, NULL), *b = json_loads(two, JSON_REJECT_DUPLICATES, NULL);
    bool same = a && b && json_equal(a, b);
    json_decref(a);
    json_decref(b);
    return same;
}
