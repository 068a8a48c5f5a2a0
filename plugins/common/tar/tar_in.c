/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the entries of one part.
 */
#include "tar_parts.h"
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

/* A header with its pax records and its map of holes is read into memory as a whole, before anything of it is known. */
#define HEADER_MAX (4 << 20)

struct tar_in {
    const struct hf_host *host;
    struct hf_ctx *ctx;
    struct hf_reader *reader;
    struct archive *archive;
    struct archive_entry *entry; /* libarchive's; NULL before the first                                            */
    locale_t plain;              /* see tar_in_next                                                                */
    const void *first;           /* a piece that was read ahead                                                    */
    int64_t first_size;
    int code;            /* why the reader failed                                                          */
    int64_t header_size; /* read for the header so far; -1: the data are being read                            */
    bool empty, at_eof, done;
};

static la_ssize_t on_read(struct archive *archive, void *arg, const void **ret_data)
{
    struct tar_in *in = arg;
    int64_t size = in->first_size;
    if (size > 0) {
        *ret_data = in->first;
        in->first_size = 0;
        return (la_ssize_t)size;
    }
    if (in->header_size > HEADER_MAX) {
        archive_set_error(archive, EFBIG, "a header is longer than %d MiB", HEADER_MAX >> 20);
        return -1;
    }
    size = in->host->borrow(in->reader, ret_data);
    if (size < 0) {
        in->code = (int)size;
        archive_set_error(archive, EIO, "the part cannot be read");
        return -1;
    }
    if (size == 0)
        in->at_eof = true;
    if (in->header_size >= 0)
        in->header_size += size;
    return (la_ssize_t)size;
}

static int in_fail(struct tar_in *in)
{
    if (in->code)
        return in->code; /* the reader has said why */
    const char *why = archive_error_string(in->archive);
    const char *path = in->entry ? archive_entry_pathname(in->entry) : NULL;
    int code = archive_errno(in->archive) == ENOMEM ? HF_E_NOMEM : HF_E_CORRUPT;
    if (!why)
        why = "not a tar";
    if (path)
        return in->host->fail(in->ctx, code, "tar, at or after '%s': %s", TAR_SHOW(path), why);
    return in->host->fail(in->ctx, code, "tar: %s", why);
}

int tar_in_open(const struct hf_host *host, struct hf_ctx *ctx, struct hf_reader *reader, struct tar_in **ret_in)
{
    struct tar_in *in = calloc(1, sizeof(*in));
    if (!in)
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    in->host = host;
    in->ctx = ctx;
    in->reader = reader;
    in->plain = tar_locale(TAR_PLAIN);
    in->archive = archive_read_new();
    int code = HF_OK;
    if (!in->archive || !in->plain) {
        code = host->fail(ctx, HF_E_NOMEM, "out of memory");
    } else if ((in->first_size = host->borrow(reader, &in->first)) < 0) {
        code = (int)in->first_size;
    } else if (in->first_size == 0) {
        in->empty = in->at_eof = true; /* libarchive knows no empty tar */
    } else if (archive_read_support_format_tar(in->archive) != ARCHIVE_OK ||
               archive_read_open(in->archive, in, NULL, on_read, NULL) != ARCHIVE_OK) {
        code = in_fail(in);
    }
    if (code < 0) {
        tar_in_close(in);
        return code;
    }
    *ret_in = in;
    return HF_OK;
}

int tar_in_next(struct tar_in *in, struct archive_entry **ret_entry)
{
    if (in->empty || in->done)
        return HF_END;
    archive_clear_error(in->archive);
    if (in->entry && archive_read_data_skip(in->archive) < ARCHIVE_WARN)
        return in_fail(in);
    /* Elsewhere libarchive recodes names, and brings UTF-8 into normal form C, which changes their bytes. In the C
     * locale it cannot recode what is not ASCII, warns, and hands over the bytes as they are. */
    locale_t before = uselocale(in->plain);
    archive_clear_error(in->archive);
    in->header_size = 0;
    int r = archive_read_next_header(in->archive, &in->entry);
    in->header_size = -1;
    uselocale(before);
    if (r == ARCHIVE_EOF) {
        in->done = true;
        return HF_END;
    }
    if (r == ARCHIVE_WARN) {
        const char *why = archive_error_string(in->archive);
        if (!why || !strstr(why, "can't be converted"))
            in->host->log(in->ctx, HF_LOG_WARNING, "tar entry '%s': %s",
                          TAR_SHOW(archive_entry_pathname(in->entry) ? archive_entry_pathname(in->entry) : ""),
                          why ? why : "unknown warning of libarchive");
    } else if (r != ARCHIVE_OK) {
        return in_fail(in);
    }
    *ret_entry = in->entry;
    return HF_OK;
}

int tar_in_data(struct tar_in *in, const void **ret_data, size_t *ret_size, int64_t *ret_offset)
{
    la_int64_t offset = 0;
    int r = archive_read_data_block(in->archive, ret_data, ret_size, &offset);
    if (r == ARCHIVE_EOF)
        return HF_END;
    if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
        return in_fail(in);
    *ret_offset = offset;
    return HF_OK;
}

bool tar_in_saw_end(const struct tar_in *in)
{
    /* With both zero blocks at hand, libarchive stops without asking for more. */
    return in->done && !in->at_eof;
}

void tar_in_close(struct tar_in *in)
{
    if (!in)
        return;
    archive_read_free(in->archive);
    free(in);
}
