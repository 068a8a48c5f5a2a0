/* SPDX-License-Identifier: Apache-2.0 */
#include "raw_tar.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void append(struct raw_tar *tar, const void *data, size_t size)
{
    size_t padded = (size + 511) / 512 * 512;
    tar->data = realloc(tar->data, tar->size + padded + 1);
    ck_assert_ptr_nonnull(tar->data);
    memcpy(tar->data + tar->size, data, size);
    memset(tar->data + tar->size + size, 0, padded - size);
    tar->size += padded;
}

void raw_add_sized(struct raw_tar *tar, const char *name, char type, const char *link, const char *size_field,
                   const char *data)
{
    char header[512] = {0};
    memcpy(header, name, strnlen(name, 100));
    memcpy(header + 100, type == '5' ? "0000755" : "0000644", 7);
    memcpy(header + 108, "0000000", 7);
    memcpy(header + 116, "0000000", 7);
    memcpy(header + 124, size_field, 12);
    memcpy(header + 136, "14000000000", 11);
    header[156] = type;
    if (link)
        memcpy(header + 157, link, strnlen(link, 100));
    memcpy(header + 257, "ustar\00000", 8);
    memcpy(header + 329, "0000001", 7);
    memcpy(header + 337, "0000003", 7);
    memset(header + 148, ' ', 8);
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof(header); i++)
        sum += (unsigned char)header[i];
    snprintf(header + 148, 8, "%06o", sum);
    append(tar, header, sizeof(header));
    if (data && *data)
        append(tar, data, strlen(data));
}

void raw_add(struct raw_tar *tar, const char *name, char type, const char *link, const char *data)
{
    char size[24];
    snprintf(size, sizeof(size), "%011zo", data ? strlen(data) : 0);
    raw_add_sized(tar, name, type, link, size, data);
}

void raw_pax(struct raw_tar *tar, const char *key, const char *value, size_t length)
{
    char record[8192], number[16];
    size_t size = strlen(key) + length + 3, digits = 1;
    while ((size_t)snprintf(number, sizeof(number), "%zu", size + digits) != digits)
        digits++;
    int used = snprintf(record, sizeof(record), "%s %s=", number, key);
    ck_assert_uint_lt((size_t)used + length + 1, sizeof(record));
    memcpy(record + used, value, length);
    record[(size_t)used + length] = '\n';
    size = (size_t)used + length + 1;
    char field[24];
    snprintf(field, sizeof(field), "%011zo", size);
    raw_add_sized(tar, "PaxHeader", 'x', NULL, field, NULL);
    append(tar, record, size);
}

void raw_end(struct raw_tar *tar)
{
    static const char zeros[1024];
    append(tar, zeros, sizeof(zeros));
}

void raw_free(struct raw_tar *tar)
{
    free(tar->data);
    *tar = (struct raw_tar){0};
}

void scratch_open(struct scratch *scratch)
{
    scratch->fake = fake_new();
    strcpy(scratch->path, "/tmp/holdfast-tar-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(scratch->path));
    scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(scratch->fd, 0);
}

void scratch_close(struct scratch *scratch)
{
    close(scratch->fd);
    ck_assert_int_eq(tar_remove_tree(AT_FDCWD, scratch->path), 0);
    fake_free(scratch->fake);
}

int unpack_bytes(struct scratch *scratch, const void *data, size_t size, const struct tar_unpack_options *options)
{
    struct tar_unpack *unpack = NULL;
    ck_assert_int_eq(tar_unpack_new(fake_host_table(), scratch->fd, options, &unpack), HF_OK);
    struct hf_reader reader = {.fake = scratch->fake, .data = data, .size = size};
    int code = tar_unpack_part(unpack, fake_ctx(scratch->fake), &reader);
    if (code == HF_OK)
        code = tar_unpack_finish(unpack, fake_ctx(scratch->fake));
    tar_unpack_free(unpack);
    return code;
}

int scratch_count(struct scratch *scratch)
{
    DIR *dir = opendir(scratch->path);
    ck_assert_ptr_nonnull(dir);
    int count = -2; /* . and .. */
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

bool scratch_has(struct scratch *scratch, const char *path)
{
    struct stat st;
    return fstatat(scratch->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

const char *scratch_text(struct scratch *scratch, const char *path)
{
    static char text[4096];
    int fd = openat(scratch->fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    ssize_t size = read(fd, text, sizeof(text) - 1);
    close(fd);
    ck_assert_int_ge(size, 0);
    text[size] = 0;
    return text;
}
