/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue of what is left for the end.
 */
#include "tar_parts.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_file(struct tar_later *later, const char *tempdir)
{
    char path[TAR_MAX_PATH + 1];
    int length = snprintf(path, sizeof(path), "%s/tar-later-XXXXXX", tempdir);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (unlink(path) < 0 || !(later->file = fdopen(fd, "w+"))) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return 0;
}

int tar_later_add(struct tar_later *later, const char *tempdir, const struct tar_later_item *item)
{
    struct tar_later_item head = *item;
    head.path_size = (uint32_t)strlen(item->path) + 1;
    head.link_size = item->link ? (uint32_t)strlen(item->link) + 1 : 0;
    head.attrs_size = (uint32_t)item->meta.attrs.size;
    head.meta.attrs.data = NULL;
    head.path = head.link = NULL;
    pthread_mutex_lock(&later->lock);
    int r = later->file ? 0 : open_file(later, tempdir);
    if (r == 0 &&
        (fwrite(&head, sizeof(head), 1, later->file) != 1 || fwrite(item->path, head.path_size, 1, later->file) != 1 ||
         (head.link_size && fwrite(item->link, head.link_size, 1, later->file) != 1) ||
         (head.attrs_size && fwrite(item->meta.attrs.data, head.attrs_size, 1, later->file) != 1)))
        r = -1;
    if (r == 0) {
        later->count++;
        if (item->kind == TAR_LATER_FOLDER)
            later->at_depth[item->depth]++;
    }
    int saved = errno;
    pthread_mutex_unlock(&later->lock);
    errno = saved;
    return r;
}

int tar_later_rewind(struct tar_later *later)
{
    if (!later->file)
        return 0;
    return fflush(later->file) == 0 && fseeko(later->file, 0, SEEK_SET) == 0 ? 0 : -1;
}

int tar_later_next(struct tar_later *later, struct tar_later_item *item)
{
    if (!later->file)
        return 0;
    errno = 0;
    if (fread(item, sizeof(*item), 1, later->file) != 1)
        return feof(later->file) ? 0 : -1;
    size_t size = (size_t)item->path_size + item->link_size + item->attrs_size;
    if (size > later->buffer_size) {
        char *bigger = realloc(later->buffer, size);
        if (!bigger)
            return -1;
        later->buffer = bigger;
        later->buffer_size = size;
    }
    if (fread(later->buffer, size, 1, later->file) != 1) {
        if (!errno)
            errno = EIO;
        return -1;
    }
    item->path = later->buffer;
    item->link = item->link_size ? later->buffer + item->path_size : NULL;
    item->meta.attrs.data = later->buffer + item->path_size + item->link_size;
    item->meta.attrs.size = item->attrs_size;
    return 1;
}

void tar_later_clear(struct tar_later *later)
{
    if (later->file)
        fclose(later->file); /* only a scratch file: what counted was checked when it was read back */
    free(later->buffer);
    later->file = NULL;
    later->buffer = NULL;
}
