/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/writer.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

enum { RANDOM_BYTES = 16, RANDOM_HEX = 2 * RANDOM_BYTES, WRITER_BYTES = 16, MACHINE_ID_MAX = 64 };

/* What is there already, or a new one. The file is locked, since runs of several profiles may come here at once; one
 * that a crash left empty gets a new number, and its records count as another's. */
static int keep_random(struct hf_ctx *ctx, int fd, const char *path, char *ret_hex)
{
    unsigned char random[RANDOM_BYTES];

    if (pread(fd, ret_hex, RANDOM_HEX, 0) == RANDOM_HEX) {
        ret_hex[RANDOM_HEX] = '\0';
        if (strspn(ret_hex, "0123456789abcdef") == RANDOM_HEX)
            return HF_OK;
    }
    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return hf_fail_errno(ctx, errno, "get random bytes");
    hf_text_hex(random, sizeof(random), ret_hex);
    if (pwrite(fd, ret_hex, RANDOM_HEX, 0) != RANDOM_HEX || fsync(fd) != 0)
        return hf_fail_errno(ctx, errno, "write '%s'", path);
    return HF_OK;
}

static int find_random(struct hf_ctx *ctx, const char *state_dir, char *ret_hex)
{
    hf_auto_free char *path = hf_path_join(state_dir, "writer");
    hf_auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 || flock(fd, LOCK_EX) != 0)
        return hf_fail_errno(ctx, errno, "open '%s'", path);
    return keep_random(ctx, fd, path, ret_hex);
}

int hf_writer_find(struct hf_ctx *ctx, const char *state_dir, char **ret_writer)
{
    char random[RANDOM_HEX + 1], host[HOST_NAME_MAX + 1] = "", hex[EVP_MAX_MD_SIZE * 2 + 1];
    hf_auto_free char *machine = NULL, *all = NULL, *place = realpath(state_dir, NULL);
    unsigned char digest[EVP_MAX_MD_SIZE];
    struct hf_ctx aside = {0};
    size_t size;
    int rc = find_random(ctx, state_dir, random);

    if (rc != HF_OK)
        return rc;
    (void)gethostname(host, sizeof(host) - 1);
    if (hf_file_read(&aside, "/etc/machine-id", MACHINE_ID_MAX, &machine, &size) != HF_OK)
        hf_error_clear(&aside.error); /* many containers have none */
    all = hf_strf("%s\n%s\n%s\n%s", random, host, machine ? machine : "", place ? place : state_dir);
    if (EVP_Digest(all, strlen(all), digest, NULL, EVP_sha256(), NULL) != 1)
        return hf_fail(ctx, HF_E_FAIL, "SHA-256 failed");
    hf_text_hex(digest, WRITER_BYTES, hex);
    *ret_writer = hf_strdup(hex);
    return HF_OK;
}
