/* SPDX-License-Identifier: Apache-2.0
 *
 * Listing objects, and taking back uploads that nobody will end.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "multipart.h"

#define ASIDE_MS ((int64_t)7 * 24 * 60 * 60 * 1000)

enum { TOKEN_SIZE = 4096, FULL_KEY_SIZE = S3_PREFIX_MAX + S3_KEY_MAX + 100, TAG_SIZE = 200 };

/* The core's key of a key in the bucket; NULL: it is somebody else's. */
static const char *own_key(const struct s3 *self, const char *full)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strlen(self->prefix);
    if (strncmp(full, self->prefix, length) != 0)
        return NULL;
    full += length;
    length = strlen(full);
    return length > 0 && length <= S3_KEY_MAX && strspn(full, allowed) == length ? full : NULL;
}

static bool leaf_is(const char *path, const char *root, const char *element)
{
    size_t length = strlen(root);
    return strncmp(path, root, length) == 0 && strcmp(path + length, element) == 0;
}

/* --- objects --- */

struct lister {
    const struct s3 *self;
    int (*each)(void *, const struct hf_object *);
    void *arg;
    char key[FULL_KEY_SIZE], last[FULL_KEY_SIZE];
    int64_t bytes, modified_ms;
    char token[TOKEN_SIZE], tag[TAG_SIZE];
    bool truncated, disordered, bad;
};

static int end_object(struct lister *lister)
{
    const char *key = own_key(lister->self, lister->key);
    if (lister->key[0] && lister->bytes < 0)
        lister->bad = true;
    if (strcmp(lister->key, lister->last) <= 0 && lister->last[0])
        lister->disordered = true;
    if (lister->bad || lister->disordered)
        return HF_END;
    memcpy(lister->last, lister->key, sizeof(lister->last));
    if (!key)
        return 0;
    struct hf_object object = {.size = sizeof(object),
                               .key = key,
                               .bytes = (uint64_t)lister->bytes,
                               .modified_ms = lister->modified_ms > 0 ? lister->modified_ms : 0,
                               .tag = lister->tag[0] ? lister->tag : NULL};
    return lister->each(lister->arg, &object);
}

static int list_element(void *arg, const char *path, const char *text)
{
    struct lister *lister = arg;
    static const char root[] = "ListBucketResult/";
    size_t length = strlen(text);
    if (leaf_is(path, root, "Contents/Key")) {
        if (!s3_copy(lister->key, sizeof(lister->key), text, length))
            lister->key[0] = 0; /* too long for one of ours */
        s3_decode(lister->key);
    } else if (leaf_is(path, root, "Contents/Size")) {
        char *end = NULL;
        lister->bytes = *text >= '0' && *text <= '9' ? strtoll(text, &end, 10) : -1;
        if (end && *end)
            lister->bytes = -1;
    } else if (leaf_is(path, root, "Contents/ETag")) {
        if (!s3_copy(lister->tag, sizeof(lister->tag), text, length))
            lister->tag[0] = 0;
    } else if (leaf_is(path, root, "Contents/LastModified")) {
        lister->modified_ms = s3_time_parse(text);
    } else if (leaf_is(path, root, "Contents")) {
        int status = lister->key[0] ? end_object(lister) : 0;
        lister->key[0] = lister->tag[0] = 0;
        lister->bytes = lister->modified_ms = -1;
        return status;
    } else if (leaf_is(path, root, "IsTruncated")) {
        lister->truncated = strcmp(text, "true") == 0;
    } else if (leaf_is(path, root, "NextContinuationToken")) {
        lister->bad = lister->bad || !s3_copy(lister->token, sizeof(lister->token), text, length);
    }
    return 0;
}

static int list_page(struct s3 *self, struct s3_call *call, const char *prefix, struct lister *lister)
{
    struct s3_answer answer = {0};
    struct s3_text query = {0};
    if (lister->token[0]) {
        s3_text_addf(&query, "continuation-token=");
        s3_text_add_encoded(&query, lister->token, false);
        s3_text_add(&query, "&", 1);
    }
    /* Whatever lies in "folders" below ours is not for us. */
    s3_text_addf(&query, "delimiter=%%2F&encoding-type=url&list-type=2&prefix=");
    s3_text_add_encoded(&query, self->prefix, false);
    s3_text_add_encoded(&query, prefix, false);
    struct s3_request request = {.doing = "list", .method = "GET", .query = query.data, .root = "ListBucketResult"};
    int status = query.failed ? s3_fail_memory(call) : s3_request_send(self, call, &request, &answer);
    if (status == HF_OK) {
        lister->token[0] = 0;
        lister->truncated = false;
        status = s3_xml_read(answer.body.data, answer.body.used, list_element, lister);
        if (status == S3_XML_BAD || lister->bad || (lister->truncated && !lister->token[0]))
            status = s3_fail(call, HF_E_IO, "cannot list 's3://%s/%s': the server's list cannot be understood",
                             self->bucket, self->prefix);
        else if (lister->disordered)
            status = s3_fail(call, HF_E_UNSUPPORTED,
                             "cannot list 's3://%s/%s': the server does not list in byte order, or "
                             "comes back to where it was",
                             self->bucket, self->prefix);
    }
    s3_answer_clear(&answer);
    s3_text_clear(&query);
    return status;
}

int s3_list(void *opaque, struct hf_ctx *ctx, const char *prefix, int (*each)(void *, const struct hf_object *),
            void *arg)
{
    struct s3 *self = opaque;
    struct s3_call call = s3_call_of(ctx);
    struct lister *lister = calloc(1, sizeof(*lister));
    if (!lister)
        return s3_host->fail(ctx, HF_E_NOMEM, "out of memory");
    *lister = (struct lister){.self = self, .each = each, .arg = arg, .bytes = -1, .modified_ms = -1};
    int status;
    do
        status = list_page(self, &call, prefix, lister);
    while (status == HF_OK && lister->truncated);
    free(lister);
    return s3_report(&call, status);
}

/* --- uploads --- */

struct leftover {
    struct leftover *next;
    char *key, *id; /* the core's key */
};

struct sweeper {
    const struct s3 *self;
    const char *prefix;
    int64_t before_ms, aside_before_ms; /* begun then or earlier */
    char key[FULL_KEY_SIZE], id[S3_UPLOAD_ID_SIZE];
    int64_t begun_ms;
    char next_key[FULL_KEY_SIZE * 3], next_id[S3_UPLOAD_ID_SIZE];
    bool truncated, no_memory;
    struct leftover *found;
};

/* An upload has no more than its key to tell whose it is. ARTIFACT_PROFILE_TIME, which stands aside, may also be the
 * artifact PROFILE of a profile ARTIFACT that is at work: such ones are taken back when no run can be that long. */
static bool is_leftover(const struct sweeper *sweeper)
{
    const char *key = own_key(sweeper->self, sweeper->key), *second = key ? strchr(key, '_') : NULL;
    size_t length = strlen(sweeper->prefix);
    if (!key || !sweeper->id[0] || sweeper->begun_ms < 0)
        return false;
    if (strncmp(key, sweeper->prefix, length) == 0)
        return sweeper->begun_ms <= sweeper->before_ms;
    return second && strncmp(second + 1, sweeper->prefix, length) == 0 && sweeper->begun_ms <= sweeper->aside_before_ms;
}

static void end_upload(struct sweeper *sweeper)
{
    if (!is_leftover(sweeper))
        return;
    struct leftover *leftover = calloc(1, sizeof(*leftover));
    if (leftover) {
        leftover->key = strdup(own_key(sweeper->self, sweeper->key));
        leftover->id = strdup(sweeper->id);
        leftover->next = sweeper->found;
        sweeper->found = leftover;
    }
    sweeper->no_memory = sweeper->no_memory || !leftover || !leftover->key || !leftover->id;
}

static int sweep_element(void *arg, const char *path, const char *text)
{
    struct sweeper *sweeper = arg;
    static const char root[] = "ListMultipartUploadsResult/";
    size_t length = strlen(text);
    if (leaf_is(path, root, "Upload/Key")) {
        s3_copy(sweeper->key, sizeof(sweeper->key), text, length);
        s3_decode(sweeper->key);
    } else if (leaf_is(path, root, "Upload/UploadId")) {
        s3_copy(sweeper->id, sizeof(sweeper->id), text, length);
    } else if (leaf_is(path, root, "Upload/Initiated")) {
        sweeper->begun_ms = s3_time_parse(text);
    } else if (leaf_is(path, root, "Upload")) {
        end_upload(sweeper);
        sweeper->key[0] = sweeper->id[0] = 0;
        sweeper->begun_ms = -1;
    } else if (leaf_is(path, root, "IsTruncated")) {
        sweeper->truncated = strcmp(text, "true") == 0;
    } else if (leaf_is(path, root, "NextKeyMarker")) {
        s3_copy(sweeper->next_key, sizeof(sweeper->next_key), text, length);
        s3_decode(sweeper->next_key);
    } else if (leaf_is(path, root, "NextUploadIdMarker")) {
        s3_copy(sweeper->next_id, sizeof(sweeper->next_id), text, length);
    }
    return 0;
}

static int sweep_page(struct s3 *self, struct s3_call *call, struct sweeper *sweeper)
{
    struct s3_answer answer = {0};
    struct s3_text query = {0};
    char key[sizeof(sweeper->next_key)], id[sizeof(sweeper->next_id)];
    memcpy(key, sweeper->next_key, sizeof(key));
    memcpy(id, sweeper->next_id, sizeof(id));
    s3_text_addf(&query, "encoding-type=url&");
    if (key[0]) {
        s3_text_addf(&query, "key-marker=");
        s3_text_add_encoded(&query, key, false);
        s3_text_add(&query, "&", 1);
    }
    s3_text_addf(&query, "prefix=");
    s3_text_add_encoded(&query, self->prefix, false);
    if (key[0]) {
        s3_text_addf(&query, "&upload-id-marker=");
        s3_text_add_encoded(&query, id, false);
    }
    s3_text_addf(&query, "&uploads=");
    struct s3_request request = {.doing = "look for unfinished uploads in",
                                 .method = "GET",
                                 .query = query.data,
                                 .root = "ListMultipartUploadsResult"};
    int status = query.failed ? s3_fail_memory(call) : s3_request_send(self, call, &request, &answer);
    sweeper->truncated = false;
    if (status == HF_OK && s3_xml_read(answer.body.data, answer.body.used, sweep_element, sweeper) != 0)
        status = s3_fail(call, HF_E_IO, "the server's list of uploads cannot be understood");
    if (status == HF_OK && sweeper->no_memory)
        status = s3_fail_memory(call);
    if (status == HF_OK && sweeper->truncated && strcmp(key, sweeper->next_key) == 0 &&
        strcmp(id, sweeper->next_id) == 0)
        status = s3_fail(call, HF_E_IO, "the server's list of uploads comes back to where it was");
    s3_answer_clear(&answer);
    s3_text_clear(&query);
    return status;
}

static int take_back(struct s3 *self, struct s3_call *call, const struct leftover *leftover)
{
    int status = s3_multipart_abort(self, call, leftover->key, leftover->id);
    if (status == HF_OK)
        s3_host->log(call->ctx, HF_LOG_INFO, "took back an upload of 's3://%s/%s%s', left by a run that did not end",
                     self->bucket, self->prefix, leftover->key);
    return status;
}

int s3_sweep(void *opaque, struct hf_ctx *ctx, const char *prefix, int64_t older_than_ms)
{
    struct s3 *self = opaque;
    struct s3_call call = s3_call_of(ctx);
    struct sweeper *sweeper = calloc(1, sizeof(*sweeper));
    if (!sweeper)
        return s3_host->fail(ctx, HF_E_NOMEM, "out of memory");
    int64_t age = older_than_ms > self->sweep_after_ms ? older_than_ms : self->sweep_after_ms;
    *sweeper = (struct sweeper){
        .self = self, .prefix = prefix, .before_ms = age > 0 ? s3_now_ms() - age : INT64_MAX, .begun_ms = -1};
    int status;
    do
        status = sweep_page(self, &call, sweeper);
    while (status == HF_OK && sweeper->truncated);
    while (sweeper->found) {
        struct leftover *leftover = sweeper->found;
        if (status == HF_OK)
            status = take_back(self, &call, leftover);
        sweeper->found = leftover->next;
        free(leftover->key);
        free(leftover->id);
        free(leftover);
    }
    free(sweeper);
    return s3_report(&call, status);
}
