/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/content.h"

#include "base/memory.h"
#include "pipeline/crew.h"
#include "pipeline/part_reader.h"

#include <openssl/evp.h>
#include <string.h>

enum { READ_SIZE = 256 * 1024 };

struct hf_part hf_part_of(const struct hf_manifest_artifact *artifact, const struct hf_manifest_part *part)
{
    return (struct hf_part){
        .size = sizeof(struct hf_part),
        .phase = part->phase,
        .artifact = artifact->name,
        .name = part->name,
        .group = part->group,
        .suffix = artifact->suffix,
        .media = artifact->media,
        .estimate = part->raw_size,
        .raw_offset = part->raw_offset,
        .raw_size = part->raw_size,
        .cost = part->cost,
    };
}

int hf_source_matches(const struct hf_run *run, struct hf_ctx *ctx, const struct hf_manifest *manifest)
{
    const char *now = run->source->loaded->plugin.name;

    if (strcmp(now, manifest->source_plugin) == 0)
        return HF_OK;
    hf_fail(ctx, HF_E_CONFIG, "'%s' was made by source '%s', and profile '%s' has source '%s'", manifest->id,
            manifest->source_plugin, run->profile->name, now);
    return hf_hint(ctx, "write a profile of the same name with source '%s' in another folder, and name it by --config",
                   manifest->source_plugin);
}

/* Damage, or a failure of whoever reads? A sink that cannot be reached is no damage, an object that cannot be read is. */
static bool is_damage(int code)
{
    return code == HF_E_CORRUPT || code == HF_E_NOTFOUND || code == HF_E_IO;
}

static void report_damage(struct hf_content *content, struct hf_ctx *ctx, const char *code, const char *subject)
{
    hf_services_finding(content->services, HF_ERROR, code, subject, "%s", ctx->error.text);
    hf_error_clear(&ctx->error);
}

/* SHA-256 over the stored bytes. */
static int hash_object(struct hf_content *content, struct hf_ctx *ctx, const struct hf_manifest_artifact *artifact,
                       char ret_hex[HF_SHA256_HEX])
{
    const struct hf_sink *ops = &content->sink->loaded->sink;
    hf_auto_free unsigned char *space = malloc(READ_SIZE);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    unsigned char bytes[32];
    void *get = NULL;
    int64_t got = 0;
    bool hashed = digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1;
    int rc = space == NULL ? hf_fail(ctx, HF_E_NOMEM, "out of memory") : HF_OK;

    if (rc == HF_OK) {
        hf_instance_enter(content->sink, ctx);
        rc = ops->get_begin(content->sink->self, ctx, artifact->key, 0, UINT64_MAX, &get);
        rc = hf_instance_leave(content->sink, ctx, rc);
    }
    while (rc == HF_OK && hashed) {
        hf_instance_enter(content->sink, ctx);
        got = ops->get_read(get, ctx, space, READ_SIZE);
        if (got > READ_SIZE)
            got = hf_fail(ctx, HF_E_FAIL, "get_read() gave more than it was asked for");
        rc = hf_instance_leave(content->sink, ctx, got < 0 ? (int)got : HF_OK);
        if (rc != HF_OK || got == 0)
            break;
        hashed = EVP_DigestUpdate(digest, space, (size_t)got) == 1;
        if (content->run->world->cancel != NULL && hf_host_table()->cancelled(ctx))
            rc = HF_E_CANCELLED;
    }
    if (get != NULL) {
        hf_instance_hold(content->sink);
        ops->get_end(get);
        hf_instance_release(content->sink);
    }
    if (rc == HF_OK && (!hashed || EVP_DigestFinal_ex(digest, bytes, NULL) != 1))
        rc = hf_fail(ctx, HF_E_FAIL, "SHA-256 failed");
    EVP_MD_CTX_free(digest);
    if (rc == HF_OK)
        hf_text_hex(bytes, sizeof(bytes), ret_hex);
    return rc;
}

static int check_digest(struct hf_content *content, struct hf_ctx *ctx, const struct hf_manifest_artifact *artifact)
{
    size_t index = (size_t)(artifact - content->manifest->artifacts);
    char hex[HF_SHA256_HEX];
    int rc = hash_object(content, ctx, artifact, hex);

    if (rc == HF_OK || is_damage(rc))
        atomic_store(&content->digests[index], rc == HF_OK && strcmp(hex, artifact->sha256) == 0 ? 1 : 2);
    if (is_damage(rc)) {
        report_damage(content, ctx, "object-unreadable", artifact->key);
        return HF_OK;
    }
    if (rc == HF_OK && strcmp(hex, artifact->sha256) != 0)
        hf_services_finding(content->services, HF_ERROR, "digest-differs", artifact->key,
                            "the stored bytes have sha256 %s, and the manifest says %s", hex, artifact->sha256);
    return rc;
}

/* A key that opens nothing: is it the wrong one, or is what it would open damaged? */
static bool is_damaged_lock(struct hf_content *content, const struct hf_manifest_artifact *artifact)
{
    size_t index = (size_t)(artifact - content->manifest->artifacts);
    struct hf_ctx ctx = {.cancel = content->run->world->cancel, .services = content->services};
    char hex[HF_SHA256_HEX];

    if (atomic_load(&content->digests[index]) == 0) {
        int rc = hash_object(content, &ctx, artifact, hex);

        if (rc == HF_OK || is_damage(rc))
            atomic_store(&content->digests[index], rc == HF_OK && strcmp(hex, artifact->sha256) == 0 ? 1 : 2);
        hf_error_clear(&ctx.error);
    }
    return atomic_load(&content->digests[index]) == 2;
}

static int check_part(struct hf_content *content, struct hf_ctx *ctx, const struct hf_task *task)
{
    struct hf_instance *source = content->run->source;
    struct hf_part part = hf_part_of(task->artifact, task->part);
    hf_auto_free char *subject = hf_strf("%s:%s", task->artifact->key, task->part->name);
    struct hf_part_reader *reader = NULL;
    int rc = hf_part_reader_open(ctx, content->shelf, task->artifact, task->part, &reader);

    if (rc == HF_OK && source->loaded->source.verify_part != NULL) {
        hf_instance_enter(source, ctx);
        rc = source->loaded->source.verify_part(content->session, ctx, &part, hf_part_reader_base(reader));
        rc = hf_instance_leave(source, ctx, rc);
        rc = rc > 0 ? HF_OK : rc;
    }
    if (rc == HF_OK)
        rc = hf_part_reader_finish(reader);
    /* A source that fails for its own reasons (a full scratch disk) has not found damage. */
    if (rc < 0 && (is_damage(reader ? hf_part_reader_failed(reader) : rc) || rc == HF_E_CORRUPT ||
                   (rc == HF_E_AUTH && reader == NULL && is_damaged_lock(content, task->artifact)))) {
        if (ctx->error.code == 0)
            hf_fail(ctx, rc, "%s", hf_code_text(rc));
        report_damage(content, ctx, "part-damaged", subject);
        rc = HF_OK;
    }
    hf_part_reader_close(reader);
    atomic_fetch_add(&content->services->done_parts, 1);
    return rc;
}

static int work(void *arg, struct hf_ctx *ctx, const struct hf_task *task)
{
    struct hf_content *content = arg;

    return task->part ? check_part(content, ctx, task) : check_digest(content, ctx, task->artifact);
}

static size_t list_tasks(struct hf_content *content, struct hf_task **ret_tasks)
{
    const struct hf_manifest *manifest = content->manifest;
    size_t room = 0, count = 0;

    for (size_t i = 0; i < manifest->artifact_count; i++)
        room += 1 + manifest->artifacts[i].part_count;
    *ret_tasks = hf_alloc_array(room + 1, sizeof(**ret_tasks));
    for (size_t i = 0; i < manifest->artifact_count; i++) {
        const struct hf_manifest_artifact *artifact = &manifest->artifacts[i];

        if (content->skip[i])
            continue;
        (*ret_tasks)[count++] = (struct hf_task){.artifact = artifact};
        for (size_t p = 0; content->decode && p < artifact->part_count; p++) {
            (*ret_tasks)[count++] = (struct hf_task){.artifact = artifact, .part = &artifact->parts[p]};
            atomic_fetch_add(&content->services->total_bytes, artifact->parts[p].raw_size);
            atomic_fetch_add(&content->services->total_parts, 1);
        }
    }
    atomic_store(&content->services->listed, true);
    return count;
}

static int begin_session(struct hf_content *content, struct hf_ctx *ctx)
{
    const struct hf_source *ops = &content->run->source->loaded->source;
    int rc = hf_source_matches(content->run, ctx, content->manifest);

    if (rc == HF_OK)
        rc = hf_run_stages_of(content->run, ctx, content->manifest, &content->stages);
    if (rc == HF_OK)
        content->shelf = hf_shelf_new(content->sink, &content->stages, content->manifest);
    if (rc != HF_OK || ops->verify_begin == NULL)
        return rc;
    hf_instance_enter(content->run->source, ctx);
    rc = ops->verify_begin(content->run->source->self, ctx, &content->session);
    return hf_instance_leave(content->run->source, ctx, rc);
}

static int end_session(struct hf_content *content, struct hf_ctx *ctx, int status)
{
    const struct hf_source *ops = &content->run->source->loaded->source;
    int rc = HF_OK;

    if (ops->verify_end != NULL) {
        hf_instance_enter(content->run->source, ctx);
        rc = hf_instance_leave(content->run->source, ctx, ops->verify_end(content->session, ctx, status));
    }
    if (rc == HF_E_CORRUPT) {
        report_damage(content, ctx, "content-damaged", content->manifest->id);
        rc = HF_OK;
    }
    return rc > 0 ? HF_OK : rc;
}

int hf_content_check(struct hf_content *content, struct hf_ctx *ctx)
{
    struct hf_crew crew = {
        .threads = content->run->workers,
        .keep_going = true,
        .services = content->services,
        .cancel = content->run->world->cancel,
        .work = work,
        .arg = content,
    };
    int rc = content->decode ? begin_session(content, ctx) : HF_OK;

    content->digests = hf_alloc_array(content->manifest->artifact_count + 1, sizeof(*content->digests));
    if (rc == HF_OK) {
        struct hf_ctx end = {.cancel = ctx->cancel, .services = ctx->services};
        int ended = HF_OK;

        crew.count = list_tasks(content, &crew.tasks);
        rc = hf_crew_run(&crew, ctx);
        free(crew.tasks);
        if (content->decode) {
            size_t errors = content->services->severity_counts[HF_ERROR];

            ended = end_session(content, &end, rc != HF_OK ? rc : errors > 0 ? HF_E_CORRUPT : HF_OK);
        }
        if (rc == HF_OK && ended < 0) {
            hf_error_merge(&ctx->error, &end.error);
            rc = ended;
        }
        hf_error_clear(&end.error);
        content->facts_seen = rc == HF_OK && content->decode && content->run->source->loaded->source.verify_part != NULL;
    }
    hf_shelf_free(content->shelf);
    hf_chain_clear(&content->stages);
    free(content->digests);
    content->digests = NULL;
    content->shelf = NULL;
    return rc;
}
