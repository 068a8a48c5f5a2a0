/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts: batches of the walk.
 */
#include "files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_BYTES (32u << 20)
#define BATCH_ITEMS 2000

/* A part's strings live until the end, its list of files only until it is written. */
struct batch {
    uint32_t number; /* from 1; 0: the end of the archive */
    char name[20];
    uint64_t bytes;
    size_t count;
    struct entry_item *items;
    struct batch *next;
};

struct session {
    const struct files *self;
    struct roots roots;
    struct walk *walk;
    struct inodes *inodes;
    struct digest *digest;
    struct part_index *index;
    int slash_fd;
    uint32_t batches;
    bool walked, ended; /* all listed; the end part, too */
    struct batch end;
    struct batch *list; /* all parts so far; only next_part and end touch it */
};

static void batch_clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        free(batch->items[i].path);
    free(batch->items);
    batch->items = NULL;
    batch->count = 0;
}

static void session_free(struct session *session)
{
    for (struct batch *batch = session->list, *next; batch; batch = next) {
        next = batch->next;
        batch_clear(batch);
        free(batch);
    }
    walk_free(session->walk);
    inodes_free(session->inodes);
    digest_free(session->digest);
    index_free(session->index);
    roots_clear(&session->roots);
    if (session->slash_fd >= 0)
        close(session->slash_fd);
    free(session);
}

int files_begin(void *arg, struct hf_ctx *ctx, void **ret_session)
{
    const struct files *self = arg;
    struct session *session = calloc(1, sizeof(*session));
    if (!session)
        return self->host->fail(ctx, HF_E_NOMEM, "out of memory");
    session->self = self;
    session->slash_fd = -1;
    int code = roots_find(self, ctx, &session->roots);
    if (code == HF_OK) {
        session->inodes = inodes_new();
        session->digest = digest_new();
        session->index = index_new();
        session->slash_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (!session->inodes || !session->digest || !session->index || session->slash_fd < 0 ||
            walk_new(self, &session->roots, &session->walk) < 0)
            code = files_errno(self->host, ctx, "open", "/");
    }
    if (code < 0) {
        session_free(session);
        return code;
    }
    *ret_session = session;
    return HF_OK;
}

static int add_item(struct session *session, struct hf_ctx *ctx, struct batch *batch, const struct walked *walked)
{
    struct entry_item *item = &batch->items[batch->count];
    *item =
        (struct entry_item){.root = walked->root, .path = strdup(walked->path), .type = walked->st.st_mode & S_IFMT};
    if (!item->path)
        return session->self->host->fail(ctx, HF_E_NOMEM, "out of memory");
    batch->count++;
    if (walked->st.st_nlink > 1 && !S_ISDIR(walked->st.st_mode)) {
        item->inode = inodes_meet(session->inodes, walked, &item->carrier);
        if (!item->inode)
            return session->self->host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    batch->bytes += 1024;
    if (S_ISREG(item->type) && (!item->inode || item->carrier))
        batch->bytes += (uint64_t)walked->st.st_size;
    return HF_OK;
}

static int fill_batch(struct session *session, struct hf_ctx *ctx, struct batch *batch)
{
    while (batch->count < BATCH_ITEMS && batch->bytes < BATCH_BYTES) {
        struct walked walked;
        int code = walk_next(session->walk, ctx, &walked);
        if (code == 0) {
            session->walked = true;
            return HF_OK;
        }
        if (code > 0)
            code = add_item(session, ctx, batch, &walked);
        if (code < 0)
            return code;
    }
    return HF_OK;
}

static int list_part(struct batch *batch, struct hf_part *ret_part)
{
    ret_part->phase = 1;
    ret_part->artifact = "";
    ret_part->name = batch->name;
    ret_part->group = "";
    ret_part->suffix = ".tar";
    ret_part->media = "application/x-tar";
    ret_part->estimate = batch->bytes;
    ret_part->cookie = batch;
    return HF_OK;
}

int files_next_part(void *arg, struct hf_ctx *ctx, struct hf_part *ret_part)
{
    struct session *session = arg;
    if (!session->walked) {
        struct batch *batch = calloc(1, sizeof(*batch));
        if (!batch || !(batch->items = calloc(BATCH_ITEMS, sizeof(*batch->items)))) {
            free(batch);
            return session->self->host->fail(ctx, HF_E_NOMEM, "out of memory");
        }
        batch->next = session->list;
        session->list = batch;
        int code = fill_batch(session, ctx, batch);
        if (code < 0)
            return code;
        if (batch->count > 0) {
            batch->number = ++session->batches;
            snprintf(batch->name, sizeof(batch->name), "files-%06u", batch->number);
            if (index_add(session->index, batch->number, batch->items[0].path) < 0)
                return session->self->host->fail(ctx, HF_E_NOMEM, "out of memory");
            return list_part(batch, ret_part);
        }
    }
    if (session->ended)
        return HF_END;
    session->ended = true;
    strcpy(session->end.name, "end");
    session->end.bytes = 1024;
    return list_part(&session->end, ret_part);
}

static int write_batch(struct session *session, struct hf_ctx *ctx, struct batch *batch, struct tar_out *out)
{
    const struct hf_host *host = session->self->host;
    struct entry_job job = {.self = session->self,
                            .ctx = ctx,
                            .slash_fd = session->slash_fd,
                            .inodes = session->inodes,
                            .out = out,
                            .digest = digest_part_new(),
                            .entry = archive_entry_new(),
                            .buffer = malloc(ENTRY_BUFFER)};
    int code = job.digest && job.entry && job.buffer ? HF_OK : host->fail(ctx, HF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < batch->count && code == HF_OK; i++)
        code = entry_write(&job, &batch->items[i]);
    if (code == HF_OK) {
        if (digest_part_done(session->digest, job.digest, batch->number) < 0)
            code = host->fail(ctx, HF_E_FAIL, "compute a checksum");
        job.digest = NULL;
    }
    digest_part_free(job.digest);
    archive_entry_free(job.entry);
    free(job.buffer);
    return code;
}

int files_backup_part(void *arg, struct hf_ctx *ctx, const struct hf_part *part, struct hf_writer *writer)
{
    struct session *session = arg;
    struct batch *batch = part->cookie;
    struct tar_out *out = NULL;
    int code = tar_out_open(session->self->host, ctx, writer, &out);
    if (code < 0)
        return code;
    bool last = batch->number == 0;
    code = last ? HF_OK : write_batch(session, ctx, batch, out);
    if (code < 0)
        tar_out_abort(out);
    else
        code = tar_out_close(out, last);
    batch_clear(batch);
    return code;
}

static int report_facts(struct session *session, struct hf_ctx *ctx)
{
    const struct hf_host *host = session->self->host;
    char *fact = digest_fact(session->digest), *context = files_context_to_json(&session->roots, session->index);
    int code = fact && context ? HF_OK : host->fail(ctx, HF_E_NOMEM, "out of memory");
    if (code == HF_OK)
        code = host->fact(ctx, "content", fact);
    if (code == HF_OK)
        code = host->context(ctx, "files", context);
    if (code == HF_OK && session->self->when_changed) {
        const char *before = host->get_fact(ctx, "content");
        if (before && digest_same_fact(before, fact))
            code = HF_UNCHANGED;
    }
    free(fact);
    free(context);
    return code;
}

int files_end(void *arg, struct hf_ctx *ctx, int status)
{
    struct session *session = arg;
    int code = status == HF_OK ? report_facts(session, ctx) : HF_OK;
    session_free(session);
    return code;
}
