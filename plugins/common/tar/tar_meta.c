/* SPDX-License-Identifier: Apache-2.0
 *
 * Owners, attributes, modes and times of what was unpacked.
 */
#include "tar_parts.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

int tar_meta_take(struct archive_entry *entry, bool with_attrs, struct tar_meta *ret_meta)
{
    *ret_meta = (struct tar_meta){.mode = archive_entry_perm(entry) & 07777,
                                  .uid = archive_entry_uid(entry),
                                  .gid = archive_entry_gid(entry),
                                  .mtime = archive_entry_mtime(entry),
                                  .mtime_nsec = archive_entry_mtime_nsec(entry)};
    return with_attrs ? tar_attrs_take(entry, &ret_meta->attrs) : 0;
}

void tar_meta_clear(struct tar_meta *meta)
{
    tar_attrs_clear(&meta->attrs);
}

void tar_lost_note(struct tar_lost *lost, const char *path, const char *attribute, int error)
{
    pthread_mutex_lock(&lost->lock);
    if (lost->count++ == 0) {
        char shown[256], why[128];
        snprintf(lost->first, sizeof(lost->first), "'%s' of '%s': %s", attribute, tar_show(path, shown, sizeof(shown)),
                 strerror_r(error, why, sizeof(why)));
    }
    pthread_mutex_unlock(&lost->lock);
}

static bool needs_root(const char *attribute)
{
    return strncmp(attribute, "security.", 9) == 0 || strncmp(attribute, "trusted.", 8) == 0;
}

static bool is_acl(const char *attribute)
{
    return strncmp(attribute, "system.posix_acl_", 17) == 0;
}

/* Either the ACLs or the others. by_path: where fd is not open for more than its path. */
static int set_attrs(const struct tar_meta *meta, const struct tar_unpack_options *options, struct tar_lost *lost,
                     const char *path, int fd, const char *by_path, bool acls)
{
    struct tar_attr attr;
    for (size_t at = 0; tar_attrs_next(meta->attrs.data, meta->attrs.size, &at, &attr);) {
        if (is_acl(attr.name) != acls)
            continue;
        if (needs_root(attr.name) && !options->owners) {
            tar_lost_note(lost, path, attr.name, EPERM);
            continue;
        }
        int r = by_path ? setxattr(by_path, attr.name, attr.value, attr.size, 0)
                        : fsetxattr(fd, attr.name, attr.value, attr.size, 0);
        if (r == 0)
            continue;
        if (errno != ENOTSUP && errno != EPERM && errno != EACCES && errno != EINVAL && errno != ENOENT)
            return -1;
        tar_lost_note(lost, path, attr.name, errno);
    }
    return 0;
}

static mode_t mode_to_set(const struct tar_meta *meta, const struct tar_unpack_options *options)
{
    return meta->mode & (options->owners ? 07777 : 01777);
}

static void times_to_set(const struct tar_meta *meta, struct timespec times[2])
{
    times[0] = (struct timespec){.tv_nsec = UTIME_OMIT};
    times[1] = (struct timespec){.tv_sec = meta->mtime, .tv_nsec = meta->mtime_nsec};
    if (times[1].tv_nsec < 0 || times[1].tv_nsec > 999999999)
        times[1].tv_nsec = 0;
}

int tar_meta_apply(const struct tar_meta *meta, const struct tar_unpack_options *options, struct tar_lost *lost,
                   const char *path, int fd, const char **ret_doing)
{
    struct timespec times[2];
    times_to_set(meta, times);
    *ret_doing = "set the owner of";
    if (options->owners && fchown(fd, (uid_t)meta->uid, (gid_t)meta->gid) < 0)
        return -1;
    /* After the owner, whose change drops capabilities; before the mode, which may forbid writing; ACLs after the mode,
     * which would change them. */
    *ret_doing = "set an extended attribute of";
    if (set_attrs(meta, options, lost, path, fd, NULL, false) < 0)
        return -1;
    *ret_doing = "set the mode of";
    if (fchmod(fd, mode_to_set(meta, options)) < 0)
        return -1;
    *ret_doing = "set the access list of";
    if (set_attrs(meta, options, lost, path, fd, NULL, true) < 0)
        return -1;
    *ret_doing = "set the time of";
    return futimens(fd, times);
}

int tar_meta_apply_at(const struct tar_meta *meta, const struct tar_unpack_options *options, struct tar_lost *lost,
                      const char *path, int parent_fd, const char *name, mode_t type, const char **ret_doing)
{
    struct timespec times[2];
    times_to_set(meta, times);
    *ret_doing = "set the owner of";
    if (options->owners && fchownat(parent_fd, name, (uid_t)meta->uid, (gid_t)meta->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    *ret_doing = "set the mode of";
    if (type != S_IFLNK && fchmodat(parent_fd, name, mode_to_set(meta, options), 0) < 0)
        return -1;
    *ret_doing = "set an extended attribute of";
    if (meta->attrs.size) {
        int fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return -1;
        char by_path[32];
        snprintf(by_path, sizeof(by_path), "/proc/self/fd/%d", fd);
        int r = set_attrs(meta, options, lost, path, fd, by_path, false);
        if (r == 0)
            r = set_attrs(meta, options, lost, path, fd, by_path, true);
        int saved = errno;
        close(fd);
        errno = saved;
        if (r < 0)
            return -1;
    }
    *ret_doing = "set the time of";
    return utimensat(parent_fd, name, times, AT_SYMLINK_NOFOLLOW);
}
