/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/transfer.h"

#include "base/cancel.h"
#include "base/log.h"
#include "catalog/objects.h"
#include "pipeline/crew.h"

#include <openssl/evp.h>
#include <string.h>

enum { PIECE = 1024 * 1024 };

struct transfer {
    struct hf_run *run;
    struct hf_instance *from, *to;
    struct hf_manifest *manifest;
    void *
        *puts; /* per artifact; NULL: none is open. Prepared, once all threads are done, or put already, if `resumes` */
    bool *had; /* per artifact: a copying that was interrupted has brought it */
    bool resumes;
    struct hf_commit commit;
};

static int begin_get(struct hf_ctx *ctx, struct hf_instance *from, const char *key, void **ret_get)
{
    int rc;

    hf_instance_enter(from, ctx);
    rc = from->loaded->sink.get_begin(from->self, ctx, key, 0, UINT64_MAX, ret_get);
    return hf_instance_leave(from, ctx, rc);
}

static int begin_put(struct transfer *self, struct hf_ctx *ctx, const struct hf_manifest_artifact *artifact,
                     void **ret_put)
{
    hf_auto_free char *id = hf_key_to_id(artifact->key);
    bool aside = !hf_text_equal(id, self->manifest->id);
    struct hf_put_request request = {.size = sizeof(request),
                                     .key = artifact->key,
                                     .media = artifact->media,
                                     .size_hint = artifact->bytes,
                                     .owner = aside ? self->manifest->id : NULL};
    int rc;

    hf_instance_enter(self->to, ctx);
    rc = self->to->loaded->sink.put_begin(self->to->self, ctx, &request, ret_put);
    return hf_instance_leave(self->to, ctx, rc);
}

static void abort_put(struct transfer *self, void **put)
{
    struct hf_ctx ctx = {.services = &self->run->services};

    if (*put == NULL)
        return;
    hf_instance_enter(self->to, &ctx);
    self->to->loaded->sink.put_abort(hf_steal(*put), &ctx);
    (void)hf_instance_leave(self->to, &ctx, HF_OK);
    hf_error_clear(&ctx.error);
}

static int64_t read_piece(struct hf_ctx *ctx, struct hf_instance *from, void *get, unsigned char *space)
{
    int64_t got;

    hf_instance_enter(from, ctx);
    got = from->loaded->sink.get_read(get, ctx, space, PIECE);
    if (got > PIECE)
        got = hf_fail(ctx, HF_E_FAIL, "get_read() gave more than it was asked for");
    if (got < 0)
        return hf_instance_leave(from, ctx, (int)got);
    (void)hf_instance_leave(from, ctx, HF_OK);
    return got;
}

static int write_piece(struct hf_ctx *ctx, struct hf_instance *to, void *put, const unsigned char *data, size_t size)
{
    struct hf_block block = {.size = sizeof(block), .data = data, .used = size};

    hf_instance_enter(to, ctx);
    return hf_instance_leave(to, ctx, to->loaded->sink.put_write(put, ctx, &block));
}

/* From the get into the put, and into the digest. */
static int pump(struct transfer *self, struct hf_ctx *ctx, const struct hf_manifest_artifact *artifact, void *get,
                void *put, EVP_MD_CTX *digest)
{
    hf_auto_free unsigned char *space = malloc(PIECE);
    uint64_t bytes = 0;
    int64_t got;

    if (space == NULL)
        return hf_fail(ctx, HF_E_NOMEM, "out of memory");
    while ((got = read_piece(ctx, self->from, get, space)) > 0) {
        bytes += (uint64_t)got;
        if (bytes > artifact->bytes)
            break;
        if (EVP_DigestUpdate(digest, space, (size_t)got) != 1)
            return hf_fail(ctx, HF_E_FAIL, "SHA-256 failed");
        if (write_piece(ctx, self->to, put, space, (size_t)got) != HF_OK)
            return ctx->error.code;
        atomic_fetch_add(&self->run->services.done_bytes, (uint64_t)got);
        if (hf_cancel_raised(ctx->cancel))
            return HF_E_CANCELLED;
    }
    if (got < 0)
        return (int)got;
    if (bytes != artifact->bytes)
        return hf_fail(ctx, HF_E_CORRUPT, "%s: '%s' has %s than the %llu bytes that the manifest says", self->from->who,
                       artifact->key, bytes > artifact->bytes ? "more" : "less", (unsigned long long)artifact->bytes);
    return HF_OK;
}

static int check_digest(struct transfer *self, struct hf_ctx *ctx, const struct hf_manifest_artifact *artifact,
                        EVP_MD_CTX *digest)
{
    unsigned char bytes[32];
    char hex[HF_SHA256_HEX];

    if (EVP_DigestFinal_ex(digest, bytes, NULL) != 1)
        return hf_fail(ctx, HF_E_FAIL, "SHA-256 failed");
    hf_text_hex(bytes, sizeof(bytes), hex);
    if (strcmp(hex, artifact->sha256) != 0)
        return hf_fail(ctx, HF_E_CORRUPT, "%s: the bytes of '%s' have sha256 %s, and the manifest says %s",
                       self->from->who, artifact->key, hex, artifact->sha256);
    return HF_OK;
}

/* The target may refuse before anything is read. */
static int expect(struct transfer *self, struct hf_ctx *ctx)
{
    const struct hf_sink *ops = &self->to->loaded->sink;
    uint64_t bytes = 0;

    if (ops->expect == NULL)
        return HF_OK;
    for (size_t i = 0; i < self->manifest->artifact_count; i++)
        bytes += self->had[i] ? 0 : self->manifest->artifacts[i].bytes;
    hf_instance_enter(self->to, ctx);
    return hf_instance_leave(self->to, ctx, ops->expect(self->to->self, ctx, bytes));
}

static int prepare(struct transfer *self, struct hf_ctx *ctx, void *put)
{
    if (self->to->loaded->sink.put_prepare == NULL)
        return HF_OK;
    hf_instance_enter(self->to, ctx);
    return hf_instance_leave(self->to, ctx, self->to->loaded->sink.put_prepare(put, ctx));
}

static int commit_put(struct transfer *self, struct hf_ctx *ctx, void **put)
{
    int rc;

    hf_instance_enter(self->to, ctx);
    rc = hf_instance_leave(self->to, ctx, self->to->loaded->sink.put_commit(*put, ctx));
    if (rc == HF_OK)
        *put = NULL;
    return rc;
}

static int work(void *arg, struct hf_ctx *ctx, const struct hf_task *task)
{
    struct transfer *self = arg;
    void **put = &self->puts[task->artifact - self->manifest->artifacts];
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    void *get = NULL;
    int rc = HF_OK;

    if (digest == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
        rc = hf_fail(ctx, HF_E_FAIL, "SHA-256 is not available in this OpenSSL");
    if (rc == HF_OK)
        rc = begin_get(ctx, self->from, task->artifact->key, &get);
    if (rc == HF_OK)
        rc = begin_put(self, ctx, task->artifact, put);
    if (rc == HF_OK)
        rc = pump(self, ctx, task->artifact, get, *put, digest);
    if (rc == HF_OK)
        rc = check_digest(self, ctx, task->artifact, digest);
    if (rc == HF_OK)
        rc = prepare(self, ctx, *put);
    if (rc == HF_OK && self->resumes)
        rc = commit_put(self, ctx, put);
    if (get != NULL) {
        hf_instance_hold(self->from);
        self->from->loaded->sink.get_end(get);
        hf_instance_release(self->from);
    }
    EVP_MD_CTX_free(digest);
    return rc;
}

static int fetch_all(struct transfer *self, struct hf_ctx *ctx, int threads)
{
    struct hf_crew crew = {
        .threads = threads, .services = &self->run->services, .cancel = ctx->cancel, .work = work, .arg = self};
    int rc;

    crew.tasks = hf_alloc_array(self->manifest->artifact_count + 1, sizeof(*crew.tasks));
    for (size_t i = 0; i < self->manifest->artifact_count; i++) {
        if (self->had[i])
            atomic_fetch_add(&self->run->services.done_bytes, self->manifest->artifacts[i].bytes);
        else
            crew.tasks[crew.count++].artifact = &self->manifest->artifacts[i];
    }
    rc = crew.count > 0 ? hf_crew_run(&crew, ctx) : HF_OK;
    free(crew.tasks);
    return rc;
}

static int commit_all(struct transfer *self, struct hf_ctx *ctx)
{
    int rc = HF_OK;

    for (size_t i = 0; rc == HF_OK && i < self->manifest->artifact_count; i++)
        if (self->puts[i] != NULL)
            rc = commit_put(self, ctx, &self->puts[i]);
    return rc;
}

/* Takes back what is visible, or leaves it to the next copying when only somebody went away, or wants it to stop. */
static void give_up(struct transfer *self, int why)
{
    struct hf_ctx back = {.services = &self->run->services};

    for (size_t i = 0; i < self->manifest->artifact_count; i++)
        abort_put(self, &self->puts[i]);
    if (self->resumes && self->commit.begun && (why == HF_E_CANCELLED || why == HF_E_UNREACHABLE))
        return;
    if (hf_commit_abort(&back, self->to, self->manifest, &self->commit) != HF_OK)
        hf_log(HF_LOG_WARNING, NULL, "%s; the next run will take back what is left of '%s'", back.error.text,
               self->manifest->id);
    hf_error_clear(&back.error);
}

/* As a backup is published. */
static int publish(struct transfer *self, struct hf_ctx *outer, const char *text, size_t size)
{
    hf_auto_free char *sums_key = hf_key_sha256(self->manifest->id);
    hf_auto_free char *sums = hf_manifest_sha256_text(self->manifest);
    struct hf_ctx ctx = {.services = outer->services}; /* stopping in the middle would only make work */
    int rc = self->resumes ? HF_OK : hf_commit_begin(&ctx, self->to, self->manifest, &self->commit);

    if (rc == HF_OK)
        rc = commit_all(self, &ctx);
    if (rc == HF_OK)
        rc = hf_object_write(&ctx, self->to, sums_key, "text/plain", sums, strlen(sums));
    if (rc == HF_OK)
        rc = hf_commit_show(&ctx, self->to, self->manifest->id, text, size, &self->commit);
    if (rc == HF_OK && hf_commit_end(&ctx, self->to, self->manifest->id) != HF_OK) {
        hf_log(HF_LOG_WARNING, NULL, "%s; the next run will tidy up", ctx.error.text);
        hf_error_clear(&ctx.error);
    }
    hf_error_merge(&outer->error, &ctx.error);
    return rc;
}

/* With one artifact there is nothing to go on with. */
static int begin(struct transfer *self, struct hf_ctx *ctx, bool resume)
{
    self->resumes = resume && self->manifest->artifact_count > 1;
    return self->resumes ? hf_commit_resume(ctx, self->to, self->manifest, &self->commit, self->had) : HF_OK;
}

int hf_transfer(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *from, struct hf_instance *to,
                const char *id, int threads, bool resume, struct hf_manifest **ret_manifest)
{
    struct transfer self = {.run = run, .from = from, .to = to};
    hf_auto_free char *text = NULL;
    size_t size = 0;
    int rc = hf_catalog_manifest_text(ctx, from, id, &self.manifest, &text, &size);

    if (rc != HF_OK)
        return rc;
    self.puts = hf_alloc_array(self.manifest->artifact_count + 1, sizeof(*self.puts));
    self.had = hf_alloc_array(self.manifest->artifact_count + 1, sizeof(*self.had));
    rc = begin(&self, ctx, resume);
    if (rc == HF_OK)
        rc = expect(&self, ctx);
    if (rc == HF_OK)
        rc = fetch_all(&self, ctx, threads);
    if (rc != HF_OK)
        give_up(&self, rc);
    else if ((rc = publish(&self, ctx, text, size)) != HF_OK)
        give_up(&self, HF_OK);
    free(self.puts);
    free(self.had);
    if (rc == HF_OK)
        *ret_manifest = self.manifest;
    else
        hf_manifest_free(self.manifest);
    return rc;
}
