/* SPDX-License-Identifier: Apache-2.0
 *
 * A main() for fuzz targets without libFuzzer: runs each file of the given folders (or the given files) through the
 * target.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEED_MAX = 64 << 20 };

static void die(const char *what, const char *path)
{
    fprintf(stderr, "%s '%s': %s\n", what, path, strerror(errno));
    exit(1);
}

static void replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        die("open", path);
    /* Exactly as large as the input, so that a read beyond its end is seen by a sanitizer. */
    uint8_t *data = malloc(size ? size : 1);
    if (!data || fread(data, 1, size, file) != size)
        die("read", path);
    fclose(file);
    /* Seen when the target ends the process. */
    fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
}

static unsigned replay(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        die("find", path);
    if (!S_ISDIR(status.st_mode)) {
        if (status.st_size > SEED_MAX) {
            errno = EFBIG;
            die("read", path);
        }
        replay_file(path, (size_t)status.st_size);
        return 1;
    }
    DIR *folder = opendir(path);
    if (!folder)
        die("open", path);
    unsigned count = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry) {
            if (errno)
                die("read", path);
            break;
        }
        if (entry->d_name[0] == '.')
            continue;
        size_t size = strlen(path) + strlen(entry->d_name) + 2;
        char *below = malloc(size);
        if (!below)
            die("read", path);
        snprintf(below, size, "%s/%s", path, entry->d_name);
        count += replay(below);
        free(below);
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++)
        count += replay(argv[i]);
    fprintf(stderr, "%u inputs\n", count);
    return count ? 0 : 1;
}
