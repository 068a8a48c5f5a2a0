/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

void world_open(struct world *world)
{
    const struct hf_module *module = holdfast_module_v1();
    *world = (struct world){.fake = fake_new(), .plugin = module->plugins[0]};
    world->source = world->plugin->operations;
    ck_assert_int_eq(module->init(fake_host_table()), HF_OK);
    const char *tmp = getenv("TMPDIR");
    char folder[40], *real;
    snprintf(folder, sizeof(folder), "%.12s/hf-XXXXXX", tmp ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    real = realpath(folder, NULL);
    snprintf(world->base, sizeof(world->base), "%s", real);
    free(real);
}

static void world_unconfigure(struct world *world)
{
    if (world->self)
        world->plugin->close(world->self);
    fake_config_free(world->config);
    world->self = NULL;
    world->config = NULL;
}

void world_close(struct world *world)
{
    world_unconfigure(world);
    ck_assert_int_eq(tar_remove_tree(AT_FDCWD, world->base), 0);
    fake_free(world->fake);
}

void world_configure(struct world *world, const char *const *pairs)
{
    const char *full[16];
    char values[8][512];
    int n = 0;
    for (; pairs[2 * n]; n++) {
        char *to = values[n];
        for (const char *p = pairs[2 * n + 1]; *p; p++)
            to += sprintf(to, "%s", *p == '%' ? world->base : (char[2]){*p, 0});
        *to = 0;
        full[2 * n] = pairs[2 * n];
        full[2 * n + 1] = values[n];
    }
    full[2 * n] = NULL;
    world_unconfigure(world);
    world->config = fake_config_new(world->plugin->options, world->plugin->option_count, full);
    int code = world->plugin->open(fake_ctx(world->fake), world->config, &world->self);
    ck_assert_msg(code == HF_OK, "%s", fake_error(world->fake));
}

const char *at(const struct world *world, const char *path)
{
    static char paths[8][8400];
    static unsigned next;
    char *full = paths[next++ % 8];
    snprintf(full, sizeof(paths[0]), "%s/%s", world->base, path);
    return full;
}

void put_folder(const struct world *world, const char *path)
{
    char full[8400];
    snprintf(full, sizeof(full), "%s/%s", world->base, path);
    for (char *p = full + strlen(world->base) + 1;; p++) {
        p += strcspn(p, "/");
        char saved = *p;
        *p = 0;
        ck_assert_msg(mkdir(full, 0755) == 0 || errno == EEXIST, "%s: %s", full, strerror(errno));
        *p = saved;
        if (!saved)
            return;
    }
}

void put_text(const struct world *world, const char *path, const char *text)
{
    const char *slash = strrchr(path, '/');
    if (slash) {
        char folder[4200];
        snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
        put_folder(world, folder);
    }
    FILE *file = fopen(at(world, path), "w");
    ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), file), strlen(text));
    ck_assert_int_eq(fclose(file), 0);
}

const char *get_text(const struct world *world, const char *path)
{
    static char text[8192];
    FILE *file = fopen(at(world, path), "r");
    if (!file)
        return NULL;
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[size] = 0;
    return text;
}

bool has(const struct world *world, const char *path)
{
    struct stat st;
    return lstat(at(world, path), &st) == 0;
}

int count(const struct world *world, const char *path)
{
    DIR *dir = opendir(at(world, path));
    ck_assert_ptr_nonnull(dir);
    int n = -2; /* . and .. */
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void put_sparse(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, "begin", 5, 1 << 20), 5);
    ck_assert_int_eq(pwrite(fd, "middle", 6, 40 << 20), 6);
    ck_assert_int_eq(ftruncate(fd, 64 << 20), 0);
    close(fd);
}

static void put_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    ck_assert_uint_lt(strlen(path), sizeof(address.sun_path));
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
}

/* u::rw- u:1000:rwx g::r-x m::rwx o::---, as the kernel takes it. */
static void put_acls(const char *file, const char *folder)
{
    static const unsigned char acl[] = {2, 0,   0,   0,   1,   0,   6,  0, 255, 255, 255, 255, 2,   0,  7,
                                        0, 232, 3,   0,   0,   4,   0,  5, 0,   255, 255, 255, 255, 16, 0,
                                        7, 0,   255, 255, 255, 255, 32, 0, 0,   0,   255, 255, 255, 255};
    if (setxattr(file, "system.posix_acl_access", acl, sizeof(acl), 0) < 0 ||
        setxattr(folder, "system.posix_acl_default", acl, sizeof(acl), 0) < 0)
        ck_assert_int_eq(errno, ENOTSUP);
}

void put_everything(const struct world *world, const char *path)
{
    struct timespec times[2] = {{1500000000, 5}, {1500000001, 123456789}};
    char p[4300], name[300];
#define P(name) (snprintf(p, sizeof(p), "%s/%s", path, name), p)
    put_folder(world, P("sub/deeper"));
    put_folder(world, P("empty folder"));
    put_text(world, P("plain.conf"), "key = value\n");
    put_text(world, P("empty"), "");
    put_text(world, P(".hidden"), "hidden");
    put_text(world, P("sub/deeper/x"), "deep");
    put_text(world, P("caf\xc3\xa9"), "composed");
    put_text(world, P("cafe\xcc\x81"), "decomposed");
    put_text(world, P("latin-\xe9\xff"), "bytes");
    put_text(world, P("new\nline \"quoted\" \\"), "odd");
    memset(name, 'n', 255);
    name[255] = 0;
    put_text(world, P(name), "long");
    put_text(world, P("private"), "secret");
    ck_assert_int_eq(chmod(at(world, p), 0600), 0);
    put_text(world, P("setuid"), "tool");
    ck_assert_int_eq(chmod(at(world, p), geteuid() == 0 ? 06755 : 0755), 0); /* only root gets the bits back */
    put_text(world, P("hard one"), "shared");
    char one[4400];
    snprintf(one, sizeof(one), "%s", at(world, p));
    ck_assert_int_eq(link(one, at(world, P("sub/hard two"))), 0);
    ck_assert_int_eq(link(one, at(world, P("zzz hard three"))), 0);
    ck_assert_int_eq(symlink("plain.conf", at(world, P("link"))), 0);
    ck_assert_int_eq(symlink("../plain.conf", at(world, P("sub/up"))), 0);
    ck_assert_int_eq(symlink("/etc/passwd", at(world, P("absolute"))), 0);
    ck_assert_int_eq(symlink("nowhere/\xff", at(world, P("dangling"))), 0);
    ck_assert_int_eq(mkfifo(at(world, P("fifo")), 0620), 0);
    put_socket(at(world, P("socket")));
    put_sparse(at(world, P("sparse")));
    put_text(world, P("attributes"), "with");
    if (setxattr(at(world, p), "user.mark", "a\0b\nc", 5, 0) < 0)
        ck_assert_int_eq(errno, ENOTSUP);
    put_acls(at(world, p), at(world, P("empty folder")));
    char *big = malloc(3000001);
    for (size_t i = 0; i < 3000000; i++)
        big[i] = (char)(1 + (i * 2654435761u >> 13) % 255);
    big[3000000] = 0;
    put_text(world, P("sub/big"), big);
    free(big);
    ck_assert_int_eq(utimensat(AT_FDCWD, at(world, P("plain.conf")), times, 0), 0);
    ck_assert_int_eq(utimensat(AT_FDCWD, at(world, P("link")), times, AT_SYMLINK_NOFOLLOW), 0);
    ck_assert_int_eq(chmod(at(world, P("sub/deeper")), 0500), 0);
    ck_assert_int_eq(utimensat(AT_FDCWD, at(world, P("sub")), times, 0), 0);
    ck_assert_int_eq(utimensat(AT_FDCWD, at(world, path), times, 0), 0);
#undef P
}

static char *content(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    *ret_size = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*ret_size + 1);
    ck_assert_uint_eq(fread(data, 1, *ret_size, file), *ret_size);
    fclose(file);
    return data;
}

static void same_attributes(const char *one, const char *other)
{
    char names[2][4096], values[2][4096];
    ssize_t size = llistxattr(one, names[0], sizeof(names[0]));
    ck_assert_int_eq(llistxattr(other, names[1], sizeof(names[1])), size);
    for (const char *name = names[0]; size > 0 && name < names[0] + size; name += strlen(name) + 1) {
        ssize_t length = lgetxattr(one, name, values[0], sizeof(values[0]));
        ck_assert_msg(lgetxattr(other, name, values[1], sizeof(values[1])) == length, "%s of %s", name, other);
        ck_assert_mem_eq(values[0], values[1], (size_t)length);
    }
}

static void same_files(const char *one, const char *other);

static void same_folders(const char *one, const char *other)
{
    DIR *dir = opendir(one);
    struct dirent *entry;
    int here = 0, there = 0;
    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir))) {
        char a[8400], b[8400];
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(a, sizeof(a), "%s/%s", one, entry->d_name);
        snprintf(b, sizeof(b), "%s/%s", other, entry->d_name);
        ck_assert_int_eq(lstat(a, &st), 0);
        if (S_ISSOCK(st.st_mode))
            continue;
        here++;
        same_files(a, b);
    }
    closedir(dir);
    ck_assert_ptr_nonnull(dir = opendir(other));
    while ((entry = readdir(dir)))
        there += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    ck_assert_int_eq(here, there);
}

static void same_files(const char *one, const char *other)
{
    struct stat a, b;
    ck_assert_int_eq(lstat(one, &a), 0);
    ck_assert_msg(lstat(other, &b) == 0, "'%s' is missing", other);
    ck_assert_msg(a.st_mode == b.st_mode, "'%s': mode %o, was %o", other, b.st_mode, a.st_mode);
    ck_assert_msg(a.st_uid == b.st_uid && a.st_gid == b.st_gid, "'%s': owner", other);
    ck_assert_msg(a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec,
                  "'%s': time %ld.%ld, was %ld.%ld", other, (long)b.st_mtim.tv_sec, b.st_mtim.tv_nsec,
                  (long)a.st_mtim.tv_sec, a.st_mtim.tv_nsec);
    same_attributes(one, other);
    if (S_ISDIR(a.st_mode)) {
        same_folders(one, other);
        return;
    }
    ck_assert_msg(a.st_nlink == b.st_nlink, "'%s': %d names, was %d", other, (int)b.st_nlink, (int)a.st_nlink);
    ck_assert_msg(a.st_size == b.st_size, "'%s': %ld bytes, was %ld", other, (long)b.st_size, (long)a.st_size);
    if (S_ISLNK(a.st_mode)) {
        char x[4096], y[4096];
        ck_assert_int_eq(readlink(one, x, sizeof(x)), a.st_size);
        ck_assert_int_eq(readlink(other, y, sizeof(y)), a.st_size);
        ck_assert_mem_eq(x, y, (size_t)a.st_size);
    }
    if (S_ISREG(a.st_mode)) {
        size_t n, m;
        char *x = content(one, &n), *y = content(other, &m);
        ck_assert_uint_eq(n, m);
        ck_assert_msg(memcmp(x, y, n) == 0, "'%s' differs", other);
        free(x);
        free(y);
        ck_assert_msg(b.st_blocks <= a.st_blocks + 64, "'%s' lost its holes", other);
    }
}

void same_trees(const struct world *world, const char *one, const char *other)
{
    char a[4200];
    snprintf(a, sizeof(a), "%s", at(world, one));
    same_files(a, *other == '/' ? other : at(world, other));
}

int backup(struct world *world, unsigned threads)
{
    fake_clear(world->fake);
    return fake_backup(world->fake, world->source, world->self, threads);
}

int restore_to(struct world *world, const char *to, bool replace)
{
    return restore_only(world, to, replace, NULL);
}

int restore_only(struct world *world, const char *to, bool replace, const char *only)
{
    const char *list[1] = {only};
    struct hf_restore_request request = {.size = sizeof(request),
                                         .id = "config_20260201_120000",
                                         .replace = replace,
                                         .to = to ? at(world, to) : NULL,
                                         .only = list,
                                         .only_count = only ? 1 : 0};
    fake_clear(world->fake);
    return fake_restore(world->fake, world->source, world->self, &request, 3);
}

void save_artifact(struct world *world, const char *path)
{
    size_t size;
    unsigned char *data = fake_artifact(world->fake, "", &size);
    FILE *file = fopen(at(world, path), "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
    free(data);
}

const char *artifact_names(struct world *world)
{
    static char names[1 << 20];
    char *to = names;
    size_t size;
    unsigned char *data = fake_artifact(world->fake, "", &size);
    struct hf_reader reader = {.fake = world->fake, .data = data, .size = size};
    struct tar_in *in = NULL;
    struct archive_entry *entry;
    int code;
    ck_assert_int_eq(tar_in_open(fake_host_table(), fake_ctx(world->fake), &reader, &in), HF_OK);
    *to = 0;
    while ((code = tar_in_next(in, &entry)) == HF_OK && to < names + sizeof(names) - 5000)
        to += sprintf(to, "%s\n", archive_entry_pathname(entry) + strlen(world->base));
    ck_assert_int_eq(code, HF_END);
    ck_assert(tar_in_saw_end(in));
    tar_in_close(in);
    free(data);
    return names;
}
