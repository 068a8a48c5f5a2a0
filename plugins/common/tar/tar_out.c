/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing the entries of one part.
 */
#include "tar_parts.h"
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#define END_MARKER 1024

struct tar_out {
    const struct hf_host *host;
    struct hf_ctx *ctx;
    struct hf_writer *writer;
    struct archive *archive;
    locale_t utf8; /* so that libarchive takes UTF-8 names as they are, and marks only the others as binary */
    int code;      /* why the writer failed                                                                  */
    int64_t left;  /* of the current entry's data                                                            */
    bool silent;   /* nothing goes out any more                                                              */
    size_t dropped;
};

static la_ssize_t on_write(struct archive *archive, void *arg, const void *data, size_t size)
{
    struct tar_out *out = arg;
    (void)archive;
    if (out->silent) {
        out->dropped += size;
        return (la_ssize_t)size;
    }
    /* libarchive does not free all it has after a failed write, so it never learns of one; callers look at `code`. */
    out->code = out->host->write(out->writer, data, size);
    out->silent = out->code < 0;
    return (la_ssize_t)size;
}

static int out_fail(struct tar_out *out, const char *doing)
{
    if (out->code)
        return out->code; /* the writer has said why */
    const char *why = archive_error_string(out->archive);
    return out->host->fail(out->ctx, HF_E_FAIL, "%s: %s", doing, why ? why : "unknown failure of libarchive");
}

static void out_free(struct tar_out *out)
{
    archive_write_free(out->archive);
    free(out);
}

int tar_out_open(const struct hf_host *host, struct hf_ctx *ctx, struct hf_writer *writer, struct tar_out **ret_out)
{
    struct tar_out *out = calloc(1, sizeof(*out));
    if (!out)
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    out->host = host;
    out->ctx = ctx;
    out->writer = writer;
    out->utf8 = tar_locale(TAR_UTF8);
    out->archive = archive_write_new();
    if (!out->archive) {
        out_free(out);
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    struct archive *a = out->archive;
    /* Unbuffered: the pipeline's blocks are the buffer, and a part ends exactly where its last entry does. */
    if (archive_write_set_format_pax(a) != ARCHIVE_OK || archive_write_add_filter_none(a) != ARCHIVE_OK ||
        archive_write_set_format_option(a, "pax", "xattrheader", "SCHILY") != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(a, 0) != ARCHIVE_OK ||
        archive_write_open(a, out, NULL, on_write, NULL) != ARCHIVE_OK) {
        int code = out_fail(out, "start a tar");
        out->silent = true;
        out_free(out);
        return code;
    }
    *ret_out = out;
    return HF_OK;
}

/* libarchive writes the name in a sparse file's map as the old header has it, cut to 100 bytes where it does not fit.
 */
static bool map_name_fits(const char *path)
{
    if (strlen(path) < 100)
        return true;
    for (const char *p = path; *p; p++)
        if ((unsigned char)*p >= 0x80)
            return false;
    const char *slash = strchr(path + strlen(path) - 100, '/');
    return slash && slash != path && slash[1] && slash - path <= 155;
}

int tar_out_entry(struct tar_out *out, struct archive_entry *entry)
{
    const char *path = archive_entry_pathname(entry);
    if (path && archive_entry_sparse_count(entry) > 0 && !map_name_fits(path))
        archive_entry_sparse_clear(entry);
    int64_t size = archive_entry_size(entry);
    bool has_data = archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry);
    locale_t before = out->utf8 ? uselocale(out->utf8) : (locale_t)0;
    errno = 0; /* libarchive takes an old ENOMEM for a new one */
    archive_clear_error(out->archive);
    int r = archive_write_header(out->archive, entry);
    if (out->utf8)
        uselocale(before);
    if (r != ARCHIVE_OK) {
        /* The only harmless warning: a name that is not UTF-8, which is then written as it is and marked binary. */
        const char *why = archive_error_string(out->archive);
        if (r != ARCHIVE_WARN || !why || strncmp(why, "Can't translate ", 16) != 0 || strstr(why, "ACL."))
            return out_fail(out, "write a tar header");
    }
    out->left = has_data ? size : 0;
    return out->code;
}

int tar_out_data(struct tar_out *out, const void *data, size_t size)
{
    if ((int64_t)size > out->left)
        return out->host->fail(out->ctx, HF_E_FAIL, "more data than the tar header announces");
    const char *at = data;
    while (size) {
        la_ssize_t done = archive_write_data(out->archive, at, size);
        if (done <= 0)
            return out_fail(out, "write tar data");
        at += done;
        size -= (size_t)done;
        out->left -= done;
        if (out->code < 0)
            return out->code;
    }
    return HF_OK;
}

int tar_out_entry_end(struct tar_out *out)
{
    static const char zeros[64 * 1024];
    while (out->left > 0) {
        int code = tar_out_data(out, zeros, out->left < (int64_t)sizeof(zeros) ? (size_t)out->left : sizeof(zeros));
        if (code < 0)
            return code;
    }
    if (archive_write_finish_entry(out->archive) != ARCHIVE_OK)
        return out_fail(out, "end a tar entry");
    return out->code;
}

int tar_out_close(struct tar_out *out, bool last)
{
    /* The current entry's padding still belongs to the part. */
    int code = archive_write_finish_entry(out->archive) < ARCHIVE_WARN ? out_fail(out, "end a tar entry") : out->code;
    out->silent = !last || code < 0;
    out->dropped = 0;
    int closed = archive_write_close(out->archive);
    if (code == HF_OK)
        code = closed != ARCHIVE_OK ? out_fail(out, "end a tar") : out->code;
    if (code == HF_OK && !last && out->dropped != END_MARKER)
        code = out->host->fail(out->ctx, HF_E_FAIL, "end a tar part: libarchive's end is not the marker");
    out->silent = true;
    out_free(out);
    return code;
}

void tar_out_abort(struct tar_out *out)
{
    if (!out)
        return;
    out->silent = true;
    out_free(out);
}
