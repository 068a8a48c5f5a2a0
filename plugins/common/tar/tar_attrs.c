/* SPDX-License-Identifier: Apache-2.0
 *
 * Extended attributes and ACLs, between files, archive entries and memory. In the tar, attributes are SCHILY.xattr
 * records and ACLs SCHILY.acl, which GNU tar and bsdtar read, too.
 */
#include "tar.h"
#include <endian.h>
#include <errno.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

/* The kernel's form of an ACL (linux/posix_acl_xattr.h). */
struct acl_head {
    uint32_t version;
};
struct acl_item {
    uint16_t tag, perm;
    uint32_t id;
};
#define ACL_VERSION 2u
#define ACL_NO_ID 0xffffffffu
#define ACL_ORDER_COUNT 6

static const struct acl_tag {
    uint16_t kernel;
    int archive;
} acl_tags[ACL_ORDER_COUNT] = {
    {0x01, ARCHIVE_ENTRY_ACL_USER_OBJ}, {0x02, ARCHIVE_ENTRY_ACL_USER}, {0x04, ARCHIVE_ENTRY_ACL_GROUP_OBJ},
    {0x08, ARCHIVE_ENTRY_ACL_GROUP},    {0x10, ARCHIVE_ENTRY_ACL_MASK}, {0x20, ARCHIVE_ENTRY_ACL_OTHER},
};

/* From the kernel's form into the entry. -1: not an ACL as we know them. */
static int acl_to_entry(struct archive_entry *entry, int type, const char *value, size_t size)
{
    struct acl_head head;
    if (size < sizeof(head) || (size - sizeof(head)) % sizeof(struct acl_item))
        return -1;
    memcpy(&head, value, sizeof(head));
    if (le32toh(head.version) != ACL_VERSION)
        return -1;
    for (size_t at = sizeof(head); at < size; at += sizeof(struct acl_item)) {
        struct acl_item item;
        memcpy(&item, value + at, sizeof(item));
        int i = 0;
        while (i < ACL_ORDER_COUNT && acl_tags[i].kernel != le16toh(item.tag))
            i++;
        if (i == ACL_ORDER_COUNT)
            return -1;
        bool named = acl_tags[i].archive == ARCHIVE_ENTRY_ACL_USER || acl_tags[i].archive == ARCHIVE_ENTRY_ACL_GROUP;
        int id = named ? (int)le32toh(item.id) : -1;
        if (archive_entry_acl_add_entry(entry, type, le16toh(item.perm) & 7, acl_tags[i].archive, id, NULL) !=
            ARCHIVE_OK)
            return -1;
    }
    return 0;
}

static int by_order_and_id(const void *a, const void *b)
{
    const struct acl_item *x = a, *y = b;
    if (x->tag != y->tag)
        return le16toh(x->tag) < le16toh(y->tag) ? -1 : 1; /* the tags' values are in the kernel's order */
    return le32toh(x->id) < le32toh(y->id) ? -1 : le32toh(x->id) > le32toh(y->id);
}

/* From the entry into the kernel's form: 1 when there is one (the caller frees it), 0 when not, -1 out of memory. */
static int acl_from_entry(struct archive_entry *entry, int type, char **ret_value, size_t *ret_size)
{
    int count = archive_entry_acl_reset(entry, type);
    if (count <= 0)
        return 0;
    char *value = malloc(sizeof(struct acl_head) + (size_t)count * sizeof(struct acl_item));
    if (!value)
        return -1;
    struct acl_head head = {.version = htole32(ACL_VERSION)};
    memcpy(value, &head, sizeof(head));
    struct acl_item *items = (struct acl_item *)(void *)(value + sizeof(head));
    int used = 0, got_type, perm, tag, id;
    const char *name;
    while (used < count && archive_entry_acl_next(entry, type, &got_type, &perm, &tag, &id, &name) == ARCHIVE_OK)
        for (int i = 0; i < ACL_ORDER_COUNT; i++)
            if (acl_tags[i].archive == tag) {
                bool named = tag == ARCHIVE_ENTRY_ACL_USER || tag == ARCHIVE_ENTRY_ACL_GROUP;
                items[used++] = (struct acl_item){.tag = htole16(acl_tags[i].kernel),
                                                  .perm = htole16((uint16_t)(perm & 7)),
                                                  .id = htole32(named ? (uint32_t)id : ACL_NO_ID)};
            }
    qsort(items, (size_t)used, sizeof(*items), by_order_and_id);
    *ret_value = value;
    *ret_size = sizeof(head) + (size_t)used * sizeof(*items);
    return 1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tar_attr *)a)->name, ((const struct tar_attr *)b)->name);
}

static int pack(struct tar_attr *attrs, size_t count, struct tar_attrs *ret_attrs)
{
    qsort(attrs, count, sizeof(*attrs), by_name);
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += strlen(attrs[i].name) + 1 + sizeof(uint32_t) + attrs[i].size;
    char *at = ret_attrs->data = malloc(total ? total : 1);
    if (!at)
        return -1;
    ret_attrs->size = total;
    for (size_t i = 0; i < count; i++) {
        uint32_t size = (uint32_t)attrs[i].size;
        at = stpcpy(at, attrs[i].name) + 1;
        memcpy(at, &size, sizeof(size));
        at += sizeof(size);
        if (size)
            memcpy(at, attrs[i].value, size);
        at += size;
    }
    return 0;
}

int tar_attrs_take(struct archive_entry *entry, struct tar_attrs *ret_attrs)
{
    *ret_attrs = (struct tar_attrs){0};
    int xattrs = archive_entry_xattr_reset(entry);
    if (xattrs <= 0 && archive_entry_acl_types(entry) == 0)
        return 0;
    struct tar_attr *attrs = calloc((size_t)(xattrs > 0 ? xattrs : 0) + 2, sizeof(*attrs));
    char *access_value = NULL, *default_value = NULL;
    size_t count = 0, size = 0;
    int r = attrs ? 0 : -1;
    const char *name;
    const void *value;
    while (r == 0 && xattrs-- > 0 && archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
        if (strcmp(name, ACL_ACCESS) != 0 && strcmp(name, ACL_DEFAULT) != 0 && size <= UINT32_MAX)
            attrs[count++] = (struct tar_attr){name, value, size};
    if (r == 0 && (r = acl_from_entry(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, &access_value, &size)) > 0)
        attrs[count++] = (struct tar_attr){ACL_ACCESS, access_value, size};
    if (r >= 0 && (r = acl_from_entry(entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, &default_value, &size)) > 0)
        attrs[count++] = (struct tar_attr){ACL_DEFAULT, default_value, size};
    if (r >= 0)
        r = pack(attrs, count, ret_attrs);
    free(access_value);
    free(default_value);
    free(attrs);
    return r;
}

bool tar_attrs_next(const char *data, size_t size, size_t *position, struct tar_attr *ret_attr)
{
    if (*position >= size)
        return false;
    const char *at = data + *position;
    uint32_t value_size;
    ret_attr->name = at;
    at += strlen(at) + 1;
    memcpy(&value_size, at, sizeof(value_size));
    at += sizeof(value_size);
    ret_attr->value = at;
    ret_attr->size = value_size;
    *position = (size_t)(at + value_size - data);
    return true;
}

void tar_attrs_clear(struct tar_attrs *attrs)
{
    free(attrs->data);
    *attrs = (struct tar_attrs){0};
}

/* Attributes of an O_PATH descriptor are only reached by its name in /proc. */
static ssize_t list_names(int fd, const char *by_path, char *names, size_t size)
{
    ssize_t n = flistxattr(fd, names, size);
    return n < 0 && errno == EBADF ? listxattr(by_path, names, size) : n;
}

static ssize_t get_value(int fd, const char *by_path, const char *name, char *value, size_t size)
{
    ssize_t n = fgetxattr(fd, name, value, size);
    return n < 0 && errno == EBADF ? getxattr(by_path, name, value, size) : n;
}

static int add_one(struct archive_entry *entry, const char *name, const char *value, size_t size)
{
    int type = strcmp(name, ACL_ACCESS) == 0    ? ARCHIVE_ENTRY_ACL_TYPE_ACCESS
               : strcmp(name, ACL_DEFAULT) == 0 ? ARCHIVE_ENTRY_ACL_TYPE_DEFAULT
                                                : 0;
    if (type && acl_to_entry(entry, type, value, size) < 0) {
        errno = EINVAL;
        return -1;
    }
    if (!type)
        archive_entry_xattr_add_entry(entry, name, value, size);
    return 0;
}

int tar_attrs_add(struct archive_entry *entry, int fd)
{
    char by_path[32];
    snprintf(by_path, sizeof(by_path), "/proc/self/fd/%d", fd);
    ssize_t listed = list_names(fd, by_path, NULL, 0);
    if (listed <= 0)
        return listed == 0 || errno == ENOTSUP || errno == EPERM || errno == ENOENT ? 0 : -1;
    char *names = malloc(XATTR_LIST_MAX + XATTR_SIZE_MAX); /* one piece for both */
    if (!names)
        return -1;
    char *value = names + XATTR_LIST_MAX;
    int r = 0;
    listed = list_names(fd, by_path, names, XATTR_LIST_MAX);
    if (listed < 0)
        r = -1;
    for (char *name = names; r == 0 && name < names + listed; name += strlen(name) + 1) {
        ssize_t size = get_value(fd, by_path, name, value, XATTR_SIZE_MAX);
        if (size < 0) /* gone meanwhile, or only for the kernel */
            r = errno == ENODATA || errno == ENOTSUP ? 0 : -1;
        else
            r = add_one(entry, name, value, (size_t)size);
    }
    int saved = errno;
    free(names);
    errno = saved;
    return r;
}

/* The length of the printable UTF-8 character at p, or 0. */
static size_t printable(const unsigned char *p)
{
    if (*p < 0x80)
        return *p >= 0x20 && *p != 0x7f && *p != '\\';
    size_t more = *p >= 0xc2 && *p < 0xe0 ? 1 : *p >= 0xe0 && *p < 0xf0 ? 2 : *p >= 0xf0 && *p < 0xf5 ? 3 : 0;
    for (size_t i = 1; i <= more; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool bad = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf0 && p[1] < 0x90) ||
               (p[0] == 0xf4 && p[1] >= 0x90) || (p[0] == 0xc2 && p[1] < 0xa0);
    return more && !bad ? more + 1 : 0;
}

const char *tar_show(const char *name, char *text, size_t size)
{
    size_t used = 0;
    for (const unsigned char *p = (const unsigned char *)name; *p;) {
        size_t length = printable(p);
        if (used + 8 > size) {
            strcpy(text + used, "..."); /* at least 4 bytes are kept free for it */
            return text;
        }
        if (length) {
            memcpy(text + used, p, length);
            used += length;
            p += length;
        } else {
            used += (size_t)snprintf(text + used, 5, "\\x%02x", *p++);
        }
    }
    text[used] = 0;
    return text;
}
