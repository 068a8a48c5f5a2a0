/* SPDX-License-Identifier: Apache-2.0
 *
 * Unpacks any bytes into a folder, and sees that nothing outside it was touched.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_internal.h"
#include "tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool fine, const char *what)
{
    if (fine)
        return;
    perror(what);
    abort();
}

/* A folder with a canary, and within it the one to unpack into; tmpfs where there is one, for speed. */
static int make_cage(char *path, size_t size)
{
    snprintf(path, size, "%s/fuzz-tar-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    require(mkdtemp(path) != NULL, "mkdtemp");
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    require(fd >= 0, "open the cage");
    int canary = openat(fd, "canary", O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    require(canary >= 0 && write(canary, "sings", 5) == 5 && close(canary) == 0, "make the canary");
    require(mkdirat(fd, "root", 0700) == 0, "make the root");
    return fd;
}

static void check_cage(int fd, const struct stat *canary, const struct stat *cage)
{
    struct stat now;
    require(fstatat(fd, "canary", &now, AT_SYMLINK_NOFOLLOW) == 0, "find the canary");
    require(now.st_mode == canary->st_mode && now.st_size == canary->st_size && now.st_nlink == 1 &&
                now.st_mtim.tv_nsec == canary->st_mtim.tv_nsec,
            "the canary was touched");
    require(fstat(fd, &now) == 0 && now.st_mtim.tv_sec == cage->st_mtim.tv_sec &&
                now.st_mtim.tv_nsec == cage->st_mtim.tv_nsec,
            "something was made beside the root");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct stat canary, cage;
    if (size == 0)
        return 0;
    struct fake *fake = fake_new();
    int fd = make_cage(path, sizeof(path)), root = openat(fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    require(root >= 0 && fstatat(fd, "canary", &canary, 0) == 0 && fstat(fd, &cage) == 0, "look at the cage");
    fake->block_size = 1 + data[0] * 17u; /* so that pieces end anywhere */
    const struct tar_unpack_options options = {.xattrs = true, .outside_links = (size & 1) != 0};
    struct tar_unpack *unpack = NULL;
    require(tar_unpack_new(fake_host_table(), root, &options, &unpack) == HF_OK, "start");
    struct hf_reader reader = {.fake = fake, .data = data, .size = size};
    int code = tar_unpack_part(unpack, fake_ctx(fake), &reader);
    if (code == HF_OK)
        code = tar_unpack_finish(unpack, fake_ctx(fake));
    require(code <= 0 && (code == HF_OK || *fake_error(fake)), "a failure without a reason");
    tar_unpack_free(unpack);
    check_cage(fd, &canary, &cage);
    close(root);
    close(fd);
    require(tar_remove_tree(AT_FDCWD, path) == 0, "clean up");
    fake_free(fake);
    return 0;
}
