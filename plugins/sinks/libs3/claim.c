/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may store a key, where the server cannot be told to store it for the first one only. Whoever wants to puts a
 * claim beside it, and then looks: at other claims, and at the key. Of two that do so at once, one sees the claim of
 * the other, or what the other has stored, and yields; or both do. It is made for the records that a run begins with:
 * two runs of one name (they began in the same second, of different machines or users) would otherwise replace each
 * other's objects, and both report a success.
 */
#include "ls.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HOST_DIGITS = 6, OLD_SECONDS = 600 };

/* Six digits that stand for this machine's boot and our namespace of processes. */
static void host_digits(char *ret_digits)
{
    char text[256] = "";
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, 100) : 0; /* without it, claims of crashed runs last until they are old */
    if (fd >= 0)
        (void)close(fd);
    size_t used = got > 0 ? (size_t)got : 0;
    got = readlink("/proc/self/ns/pid", text + used, sizeof(text) - used);
    used += got > 0 ? (size_t)got : 0;
    for (size_t i = 0; i < used; i++)
        hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
    snprintf(ret_digits, HOST_DIGITS + 1, "%06x", (unsigned)(hash >> 40));
}

bool ls_claim_is_dead(const struct ls_name *name, int64_t modified)
{
    char host[HOST_DIGITS + 1];
    if (modified > 0 && (int64_t)time(NULL) - modified > OLD_SECONDS)
        return true;
    host_digits(host);
    if (strncmp(name->id, host, HOST_DIGITS) != 0 || name->number == 0 || name->number > INT32_MAX)
        return false;
    return name->number == (uint64_t)getpid() || (kill((pid_t)name->number, 0) != 0 && errno == ESRCH);
}

struct search {
    const char *key, *id;
    bool other;
};

static int look_for_others(void *arg, const char *name, uint64_t bytes, int64_t modified)
{
    struct search *search = arg;
    struct ls_name item;
    (void)bytes;
    ls_name_parse(name, &item);
    if (item.kind == LS_CLAIM && !strcmp(item.key, search->key) && strcmp(item.id, search->id) != 0 &&
        !ls_claim_is_dead(&item, modified))
        search->other = true;
    return 0;
}

static int store_claim(struct ls *self, struct hf_ctx *ctx, const char *path)
{
    static const char text[] = "holdfast claim\n";
    FILE *file = tmpfile();
    int status = file && fputs(text, file) >= 0
                     ? ls_store(self, ctx, path, file, sizeof(text) - 1, "text/plain")
                     : ls_host->fail(ctx, HF_E_IO, "cannot make a temporary file: %s", strerror(errno));
    if (file)
        (void)fclose(file); /* read from */
    return status;
}

void ls_claim_end(struct ls *self, struct hf_ctx *ctx, const char *path)
{
    if (ls_delete(self, ctx, path) != HF_OK)
        ls_host->log(ctx, HF_LOG_WARNING, "cannot remove '%s/%s': the next run will", self->bucket, path);
}

int ls_claim(struct ls *self, struct hf_ctx *ctx, const char *key, const char *id, char *ret_path)
{
    char own[LS_ID + 1], start[LS_KEY_MAX + 16];
    struct search search = {.key = key, .id = own};
    struct ls_name name;
    struct ls_look look;
    host_digits(own);
    snprintf(own + HOST_DIGITS, sizeof(own) - HOST_DIGITS, "%s", id);
    ls_claim_path(self, key, own, (uint64_t)getpid(), ret_path);
    int status = store_claim(self, ctx, ret_path);
    if (status != HF_OK)
        return status; /* whatever became of it, the next sweep takes it */
    snprintf(start, sizeof(start), "%s.claim-", key);
    status = ls_each(self, ctx, start, look_for_others, &search);
    if (status == HF_OK)
        status = ls_find(self, ctx, key, &name, &look);
    if (status == HF_E_NOTFOUND && !search.other)
        return HF_OK;
    if (status == HF_OK || status == HF_E_NOTFOUND)
        status = ls_host->fail(ctx, HF_E_EXISTS, "'%s/%s%s' exists already, or is being stored by another run",
                               self->bucket, self->prefix, key);
    ls_claim_end(self, ctx, ret_path);
    return status;
}
