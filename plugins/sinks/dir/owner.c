/* SPDX-License-Identifier: Apache-2.0
 *
 * Owner and permissions of stored objects. Names are looked up when a file is written, not when the profile is read: a
 * directory service that is away must not keep anybody from restoring.
 */
#include "dir.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ENTRY_MAX = 64 << 10, NAME_LIMIT = 256 };

/* "1000" without looking anybody up. */
static bool parse_id(const char *text, unsigned *ret_id)
{
    char *end = NULL;
    unsigned long id = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || id >= UINT32_MAX)
        return false;
    *ret_id = (unsigned)id;
    return true;
}

static int fail_unknown(struct hf_ctx *ctx, const char *what, const char *name, int error)
{
    if (error != 0 && error != ENOENT && error != ESRCH)
        return dir_host->fail(ctx, HF_E_FAIL, "cannot look up the %s '%s' of owner: %s", what, name, strerror(error));
    dir_host->fail(ctx, HF_E_CONFIG, "owner: there is no %s '%s'", what, name);
    return dir_host->hint(ctx, "a number is taken as it is");
}

/* *ret_group: the user's own, for want of another. */
static int find_user(struct hf_ctx *ctx, const char *name, char *room, uid_t *ret_user, gid_t *ret_group)
{
    struct passwd entry, *found = NULL;
    int error;
    if (parse_id(name, ret_user))
        return HF_OK;
    error = getpwnam_r(name, &entry, room, ENTRY_MAX, &found);
    if (!found)
        return fail_unknown(ctx, "user", name, error);
    *ret_user = found->pw_uid;
    *ret_group = found->pw_gid;
    return HF_OK;
}

static int find_group(struct hf_ctx *ctx, const char *name, char *room, gid_t *ret_group)
{
    struct group entry, *found = NULL;
    int error;
    if (parse_id(name, ret_group))
        return HF_OK;
    error = getgrnam_r(name, &entry, room, ENTRY_MAX, &found);
    if (!found)
        return fail_unknown(ctx, "group", name, error);
    *ret_group = found->gr_gid;
    return HF_OK;
}

int dir_owner_find(const struct dir *self, struct hf_ctx *ctx, uid_t *ret_user, gid_t *ret_group)
{
    const char *colon = strchr(self->owner, ':');
    size_t length = colon ? (size_t)(colon - self->owner) : strlen(self->owner);
    char user[NAME_LIMIT], *room = malloc(ENTRY_MAX);
    if (!room)
        return dir_host->fail(ctx, HF_E_NOMEM, "out of memory");
    memcpy(user, self->owner, length); /* bounded by open() */
    user[length] = 0;
    *ret_user = (uid_t)-1; /* as it is */
    *ret_group = (gid_t)-1;
    int status = length > 0 ? find_user(ctx, user, room, ret_user, ret_group) : HF_OK;
    if (status == HF_OK && colon)
        status = find_group(ctx, colon + 1, room, ret_group);
    free(room);
    return status;
}

static int set_owner(const struct dir *self, struct hf_ctx *ctx, int fd, const char *key)
{
    uid_t user;
    gid_t group;
    struct stat st;
    int status = dir_owner_find(self, ctx, &user, &group);
    if (status != HF_OK)
        return status;
    /* On a network share it may be that already, where nobody is allowed to change it. */
    if (fstat(fd, &st) == 0 && (user == (uid_t)-1 || st.st_uid == user) && (group == (gid_t)-1 || st.st_gid == group))
        return HF_OK;
    if (fchown(fd, user, group) == 0)
        return HF_OK;
    int error = errno;
    status = dir_host->fail(ctx, error == EPERM ? HF_E_AUTH : HF_E_IO, "cannot give '%s/%s' to '%s': %s", self->path,
                            key, self->owner, strerror(error));
    return error == EPERM ? dir_host->hint(ctx, "only root may give files away, and not on every file system") : status;
}

int dir_owner_set(const struct dir *self, struct hf_ctx *ctx, int fd, const char *key)
{
    int status = self->owner ? set_owner(self, ctx, fd, key) : HF_OK;
    if (status != HF_OK || fchmod(fd, self->mode) == 0)
        return status;
    /* Not all file systems have permissions. */
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
        return dir_fail(self, ctx, errno, "set the permissions of", key);
    dir_host->log(ctx, HF_LOG_WARNING, "cannot set the permissions of '%s/%s': %s", self->path, key, strerror(errno));
    return HF_OK;
}
