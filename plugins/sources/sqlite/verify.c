/* SPDX-License-Identifier: Apache-2.0
 *
 * Content check: each artifact is decoded to a temporary file, looked at in full, and its facts are told again, for the
 * core to compare. An artifact whose size is known is looked at, and removed, as soon as its last part is in.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sqlite.h"

struct item {
    struct item *next;
    struct sq_image image;
    atomic_bool examined;
};

struct session {
    const struct sq_source *source;
    pthread_mutex_t lock; /* of items' list */
    struct item *items;
};

int sq_verify_begin(void *self, struct hf_ctx *ctx, void **ret_session)
{
    struct session *session = calloc(1, sizeof(*session));
    if (!session)
        return sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    session->source = self;
    if (pthread_mutex_init(&session->lock, NULL) != 0) {
        free(session);
        return sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    *ret_session = session;
    return HF_OK;
}

static void drop_file(struct item *item)
{
    if (item->image.fd >= 0)
        close(item->image.fd); /* scratch: what it held is known by now */
    if (item->image.path)
        (void)unlink(item->image.path); /* the core removes the folder anyway */
    free(item->image.path);
    item->image.fd = -1;
    item->image.path = NULL;
}

static struct item *new_item(struct hf_ctx *ctx, const char *artifact)
{
    const char *folder = sq_host->tempdir(ctx);
    struct item *item = calloc(1, sizeof(*item));
    if (!folder || !item) {
        free(item);
        (void)sq_host->fail(ctx, folder ? HF_E_NOMEM : HF_E_IO, "make a file for '%s'", artifact);
        return NULL;
    }
    item->image.fd = -1;
    item->image.artifact = strdup(artifact);
    item->image.expected = sq_facts_bytes(sq_host->get_fact(ctx, artifact));
    if (asprintf(&item->image.path, "%s/verify-XXXXXX", folder) < 0)
        item->image.path = NULL;
    else
        item->image.fd = mkostemp(item->image.path, O_CLOEXEC);
    if (item->image.artifact && item->image.fd >= 0)
        return item;
    (void)sq_host->fail(ctx, sq_code_of_errno(errno), "make a file in '%s': %s", folder, strerror(errno));
    free(item->image.artifact);
    free(item->image.path);
    free(item);
    return NULL;
}

static struct item *item_of(struct hf_ctx *ctx, struct session *session, const char *artifact)
{
    pthread_mutex_lock(&session->lock);
    struct item *item = session->items;
    while (item && strcmp(item->image.artifact, artifact) != 0)
        item = item->next;
    if (!item && (item = new_item(ctx, artifact))) {
        item->next = session->items;
        session->items = item;
    }
    pthread_mutex_unlock(&session->lock);
    return item;
}

static int examine(struct hf_ctx *ctx, const struct session *session, struct item *item)
{
    const char *artifact = item->image.artifact;
    struct sq_report_text report;
    struct sq_problem problem = {0};
    SQ_TEXT facts = NULL;
    uint64_t written = atomic_load(&item->image.written);
    if (item->image.expected && written != item->image.expected)
        (void)sq_host->finding(ctx, HF_ERROR, "size", artifact, "has %llu bytes, and its facts say %llu",
                               (unsigned long long)written, (unsigned long long)item->image.expected);
    int result =
        sq_examine(ctx, item->image.path, SQ_CHECK_FULL, session->source->cache_bytes, &report, &facts, &problem);
    if (result < 0)
        return sq_raise(ctx, &problem);
    if (report.damaged)
        result = sq_host->finding(ctx, HF_ERROR, "integrity", artifact, "the database is damaged: %s", report.damage);
    sq_report_minor(ctx, artifact, &report);
    if (facts && result >= 0)
        result = sq_host->fact(ctx, artifact, facts);
    return result < 0 ? result : HF_OK;
}

static int examine_once(struct hf_ctx *ctx, const struct session *session, struct item *item)
{
    if (atomic_exchange(&item->examined, true))
        return HF_OK;
    int result = examine(ctx, session, item);
    drop_file(item);
    return result;
}

int sq_verify_part(void *arg, struct hf_ctx *ctx, const struct hf_part *part, struct hf_reader *reader)
{
    struct session *session = arg;
    struct item *item = item_of(ctx, session, part->artifact);
    if (!item)
        return HF_E_IO;
    if (atomic_load(&item->examined))
        return sq_host->fail(ctx, HF_E_CORRUPT, "part '%s' of '%s' is one too many", part->name, part->artifact);
    int result = sq_image_write(ctx, &item->image, part, reader);
    if (result == HF_OK && item->image.expected && atomic_load(&item->image.written) == item->image.expected)
        result = examine_once(ctx, session, item);
    return result;
}

int sq_verify_end(void *arg, struct hf_ctx *ctx, int status)
{
    struct session *session = arg;
    int result = status;
    while (session->items) {
        struct item *item = session->items;
        session->items = item->next;
        if (result >= 0) {
            int examined = examine_once(ctx, session, item);
            result = examined < 0 ? examined : result;
        }
        drop_file(item);
        free(item->image.artifact);
        free(item);
    }
    pthread_mutex_destroy(&session->lock);
    free(session);
    return result < 0 ? result : HF_OK;
}
