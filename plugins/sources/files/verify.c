/* SPDX-License-Identifier: Apache-2.0
 *
 * The content's sum once more, from the artifact alone.
 */
#include "files.h"
#include <stdlib.h>
#include <string.h>

struct verify {
    const struct files *self;
    struct digest *digest;
};

int files_verify_begin(void *arg, struct hf_ctx *ctx, void **ret_session)
{
    const struct files *self = arg;
    struct verify *verify = calloc(1, sizeof(*verify));
    if (!verify || !(verify->digest = digest_new())) {
        free(verify);
        return self->host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    verify->self = self;
    *ret_session = verify;
    return HF_OK;
}

int part_number(const char *name, uint32_t *ret_number)
{
    char *end = NULL;
    *ret_number = 0;
    if (strcmp(name, "end") == 0)
        return 0;
    if (strncmp(name, "files-", 6) != 0 || name[6] < '0' || name[6] > '9')
        return -1;
    unsigned long number = strtoul(name + 6, &end, 10);
    *ret_number = number <= UINT32_MAX ? (uint32_t)number : 0;
    return *end == 0 && *ret_number ? 0 : -1;
}

static int verify_entry(const struct hf_host *host, struct hf_ctx *ctx, struct tar_in *in, struct digest_part *digest,
                        struct archive_entry *entry)
{
    bool has_data = archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry);
    int64_t at = 0, size = has_data ? archive_entry_size(entry) : 0;
    if (!archive_entry_pathname(entry))
        return host->fail(ctx, HF_E_CORRUPT, "a tar entry has no name");
    int r = digest_entry(digest, entry), code = HF_OK;
    while (has_data && r == 0) {
        const void *data;
        size_t length;
        int64_t offset;
        code = tar_in_data(in, &data, &length, &offset);
        if (code != HF_OK)
            break;
        r = offset < at || digest_zeros(digest, offset - at) < 0 ? -1 : digest_data(digest, data, length);
        at = offset + (int64_t)length;
    }
    if (code < 0)
        return code;
    if (r < 0 || at > size || digest_zeros(digest, size - at) < 0)
        return host->fail(ctx, HF_E_CORRUPT, "tar entry '%s': its data do not fit its size",
                          TAR_SHOW(archive_entry_pathname(entry)));
    return HF_OK;
}

static int verify_entries(struct verify *verify, struct hf_ctx *ctx, struct tar_in *in, uint32_t number)
{
    const struct hf_host *host = verify->self->host;
    struct digest_part *digest = digest_part_new();
    if (!digest)
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    struct archive_entry *entry;
    int code;
    while ((code = tar_in_next(in, &entry)) == HF_OK && number)
        if ((code = verify_entry(host, ctx, in, digest, entry)) < 0)
            break;
    if (code == HF_OK) /* an entry where the archive's end should be */
        code = host->fail(ctx, HF_E_CORRUPT, "the archive goes on after its end");
    else if (code == HF_END && tar_in_saw_end(in) != (number == 0))
        code = host->fail(ctx, HF_E_CORRUPT, number ? "the archive ends too early" : "the archive has no end");
    if (code == HF_END && number) {
        code = digest_part_done(verify->digest, digest, number) < 0 ? host->fail(ctx, HF_E_FAIL, "compute a checksum")
                                                                    : HF_OK;
        digest = NULL;
    }
    digest_part_free(digest);
    return code == HF_END ? HF_OK : code;
}

int files_verify_part(void *arg, struct hf_ctx *ctx, const struct hf_part *part, struct hf_reader *reader)
{
    struct verify *verify = arg;
    const struct hf_host *host = verify->self->host;
    struct tar_in *in = NULL;
    uint32_t number;
    if (part_number(part->name, &number) < 0)
        return host->fail(ctx, HF_E_CORRUPT, "'%s' is not a part of a files backup", part->name);
    int code = tar_in_open(host, ctx, reader, &in);
    if (code == HF_OK)
        code = verify_entries(verify, ctx, in, number);
    tar_in_close(in);
    return code;
}

int files_verify_end(void *arg, struct hf_ctx *ctx, int status)
{
    struct verify *verify = arg;
    int code = HF_OK;
    if (status == HF_OK) {
        char *fact = digest_fact(verify->digest);
        code = fact ? verify->self->host->fact(ctx, "content", fact)
                    : verify->self->host->fail(ctx, HF_E_NOMEM, "out of memory");
        free(fact);
    }
    digest_free(verify->digest);
    free(verify);
    return code;
}
