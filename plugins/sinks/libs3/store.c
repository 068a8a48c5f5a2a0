/* SPDX-License-Identifier: Apache-2.0
 *
 * One object of the bucket: up, down, looked at, removed; and lists of them. Nothing that libs3 calls a success is
 * believed.
 */
#include "ls.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 256 << 10, PAGE = 1000 };

bool ls_is_md5(const char *etag)
{
    return strlen(etag) == LS_MD5_HEX - 1 && strspn(etag, "0123456789abcdefABCDEF") == LS_MD5_HEX - 1;
}

static void to_hex(const unsigned char *hash, char *hex)
{
    for (size_t i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
}

static int fail_md5(struct hf_ctx *ctx)
{
    return ls_host->fail(ctx, HF_E_FAIL, "OpenSSL cannot compute MD5 here");
}

static int hash_file(struct hf_ctx *ctx, FILE *file, uint64_t size, unsigned char *hash)
{
    EVP_MD_CTX *md5 = EVP_MD_CTX_new();
    char *piece = malloc(PIECE);
    bool fine = md5 && piece && EVP_DigestInit_ex(md5, EVP_md5(), NULL) == 1;
    int status = fine ? HF_OK : fail_md5(ctx);
    rewind(file);
    for (uint64_t left = size; status == HF_OK && left > 0;) {
        size_t got = fread(piece, 1, left < PIECE ? (size_t)left : PIECE, file);
        if (got == 0)
            status = ls_host->fail(ctx, HF_E_IO, "cannot read in temp_dir what was put there");
        else if (EVP_DigestUpdate(md5, piece, got) != 1)
            status = fail_md5(ctx);
        left -= got;
    }
    if (status == HF_OK && EVP_DigestFinal_ex(md5, hash, NULL) != 1)
        status = fail_md5(ctx);
    EVP_MD_CTX_free(md5);
    free(piece);
    return status;
}

static void start_head(struct ls_call *call, S3RequestContext *requests)
{
    S3BucketContext bucket = ls_bucket(call->self);
    S3_head_object(&bucket, call->path, requests, &ls_response, call);
}

int ls_head(struct ls *self, struct hf_ctx *ctx, const char *path, struct ls_look *ret_look)
{
    struct ls_call call = {.self = self, .ctx = ctx, .path = path};
    int status = HF_OK;
    for (int attempt = 1; status == HF_OK; attempt++) {
        status = ls_run(&call, start_head);
        if (status != HF_OK || !ls_retryable(call.status) || attempt > self->retries)
            break;
        status = ls_wait(ctx, attempt);
    }
    if (status != HF_OK)
        return status;
    if (ls_is_missing(call.status))
        return HF_E_NOTFOUND;
    if (call.status != S3StatusOK)
        return ls_fail(&call, "look at");
    if (call.length == 0 && !*call.etag) {
        ls_host->fail(ctx, HF_E_UNSUPPORTED, "'%s' tells neither length nor ETag of '%s/%s'", self->host, self->bucket,
                      path);
        return ls_host->hint(ctx,
                             "libs3 knows these names of headers only as 'Content-Length' and 'ETag'; where a proxy "
                             "writes them otherwise, use the sink s3");
    }
    *ret_look = (struct ls_look){.bytes = call.length, .modified = call.modified};
    memcpy(ret_look->etag, call.etag, sizeof(ret_look->etag));
    return HF_OK;
}

struct put_request {
    S3PutProperties properties;
    uint64_t size;
};

static int on_put_data(int size, char *buffer, void *opaque)
{
    struct ls_call *call = opaque;
    size_t want = call->left < (uint64_t)size ? (size_t)call->left : (size_t)size;
    size_t got = want ? fread(buffer, 1, want, call->file) : 0;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    call->last_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    call->left -= got;
    return want && !got ? -1 : (int)got;
}

static void start_put(struct ls_call *call, S3RequestContext *requests)
{
    static const S3PutObjectHandler handler = {.responseHandler = {.propertiesCallback = NULL}};
    S3PutObjectHandler own = handler;
    const struct put_request *put = call->arg;
    S3BucketContext bucket = ls_bucket(call->self);
    own.responseHandler = ls_response;
    own.putObjectDataCallback = on_put_data;
    S3_put_object(&bucket, call->path, put->size, &put->properties, requests, &own, call);
}

/* Is what lies there ours? Where the ETag is no MD5 (some servers encrypt), it is read back. */
static int compare(struct ls *self, struct hf_ctx *ctx, const char *path, uint64_t size, const char *hex,
                   bool *ret_same)
{
    struct ls_look look;
    int status = ls_head(self, ctx, path, &look);
    *ret_same = status == HF_OK && look.bytes == size && (!ls_is_md5(look.etag) || !strcasecmp(look.etag, hex));
    if (status != HF_OK)
        return status == HF_E_NOTFOUND ? HF_OK : status;
    if (!*ret_same || ls_is_md5(look.etag))
        return HF_OK;
    if (!self->told_etag)
        ls_host->log(ctx, HF_LOG_INFO, "the ETags of '%s' are no MD5: what is stored is read back to be compared",
                     self->host);
    self->told_etag = true;
    char *data = malloc(PIECE);
    EVP_MD_CTX *md5 = EVP_MD_CTX_new();
    unsigned char hash[EVP_MAX_MD_SIZE];
    char again[LS_MD5_HEX] = "";
    status = data && md5 && EVP_DigestInit_ex(md5, EVP_md5(), NULL) == 1 ? HF_OK : fail_md5(ctx);
    for (uint64_t at = 0; status == HF_OK && at < size;) {
        size_t piece = size - at < PIECE ? (size_t)(size - at) : PIECE;
        status = ls_load(self, ctx, path, look.etag, 0, at, piece, data);
        if (status == HF_OK && EVP_DigestUpdate(md5, data, piece) != 1)
            status = fail_md5(ctx);
        at += piece;
    }
    if (status == HF_OK && EVP_DigestFinal_ex(md5, hash, NULL) == 1)
        to_hex(hash, again);
    *ret_same = status == HF_OK && !strcmp(again, hex);
    EVP_MD_CTX_free(md5);
    free(data);
    return status;
}

int ls_store(struct ls *self, struct hf_ctx *ctx, const char *path, FILE *file, uint64_t size, const char *media)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    char hex[LS_MD5_HEX], base64[32];
    int status = hash_file(ctx, file, size, hash);
    if (status != HF_OK)
        return status;
    to_hex(hash, hex);
    EVP_EncodeBlock((unsigned char *)base64, hash, 16);
    struct put_request put = {
        .size = size,
        .properties = {.contentType = media, .md5 = base64, .expires = -1, .cannedAcl = S3CannedAclPrivate}};
    struct ls_call call = {.self = self, .ctx = ctx, .path = path, .file = file, .arg = &put};
    for (int attempt = 1;; attempt++) {
        bool same = false;
        rewind(file);
        call.left = size;
        status = ls_run(&call, start_put);
        /* Whatever libs3 says: what is there decides, unless the server said in so many words why it is not. */
        if (status == HF_OK && (call.status == S3StatusOK || ls_retryable(call.status)))
            status = compare(self, ctx, path, size, hex, &same);
        if (status != HF_OK || same)
            return status;
        if (call.status != S3StatusOK && !ls_retryable(call.status))
            return ls_fail(&call, "store");
        if (attempt > self->retries)
            break;
        ls_host->log(ctx, HF_LOG_INFO, "'%s' did not arrive (%s): trying again", path, call.message);
        if ((status = ls_wait(ctx, attempt)) != HF_OK)
            return status;
    }
    if (call.status != S3StatusOK)
        return ls_fail(&call, "store");
    ls_host->fail(ctx, HF_E_UNREACHABLE, "'%s/%s' is not what was sent: '%s' took it %d times, and it is not there",
                  self->bucket, path, self->host, self->retries + 1);
    return ls_host->hint(
        ctx, "the server, or a proxy before it, refuses it without saying why: look at its log, and whether "
             "it is full");
}

struct range {
    uint64_t offset, size;
    const char *etag;
};

static S3Status on_get_data(int size, const char *buffer, void *opaque)
{
    struct ls_call *call = opaque;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    call->last_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if ((uint64_t)size > call->room - call->got)
        return S3StatusAbortedByCallback;
    memcpy(call->data + call->got, buffer, (size_t)size);
    call->got += (uint64_t)size;
    return S3StatusOK;
}

static void start_get(struct ls_call *call, S3RequestContext *requests)
{
    S3GetObjectHandler handler = {.responseHandler = ls_response, .getObjectDataCallback = on_get_data};
    const struct range *range = call->arg;
    char quoted[160];
    snprintf(quoted, sizeof(quoted), "\"%s\"", range->etag);
    S3GetConditions conditions = {
        .ifModifiedSince = -1, .ifNotModifiedSince = -1, .ifMatchETag = *range->etag ? quoted : NULL};
    S3BucketContext bucket = ls_bucket(call->self);
    S3_get_object(&bucket, call->path, &conditions, range->offset + call->got, range->size - call->got, requests,
                  &handler, call);
}

static int check_whole(struct ls *self, struct hf_ctx *ctx, const char *path, const char *etag, const char *data,
                       size_t size)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    char hex[LS_MD5_HEX];
    if (!ls_is_md5(etag))
        return HF_OK;
    if (EVP_Digest(data, size, hash, NULL, EVP_md5(), NULL) != 1)
        return fail_md5(ctx);
    to_hex(hash, hex);
    return strcasecmp(hex, etag) == 0
               ? HF_OK
               : ls_host->fail(ctx, HF_E_CORRUPT, "'%s/%s' is not what its ETag says", self->bucket, path);
}

int ls_load(struct ls *self, struct hf_ctx *ctx, const char *path, const char *etag, uint64_t whole, uint64_t offset,
            size_t size, char *data)
{
    struct range range = {.offset = offset, .size = size, .etag = etag};
    struct ls_call call = {.self = self, .ctx = ctx, .path = path, .data = data, .room = size, .arg = &range};
    int attempt = 1;
    while (call.got < size) {
        uint64_t before = call.got;
        int status = ls_run(&call, start_get);
        if (status != HF_OK)
            return status;
        if (call.got > before && call.length != 0 && call.length != size - before)
            return ls_host->fail(ctx, HF_E_UNSUPPORTED, "'%s' does not give the range of '%s/%s' that it was asked for",
                                 self->host, self->bucket, path);
        if (call.got == size && call.status == S3StatusOK)
            break;
        if (call.status != S3StatusOK && !ls_retryable(call.status))
            return call.status == S3StatusAbortedByCallback
                       ? ls_host->fail(ctx, HF_E_CORRUPT, "'%s/%s' gives more than it was asked for", self->bucket,
                                       path)
                   : call.status == S3StatusErrorPreconditionFailed || call.status == S3StatusErrorInvalidRange
                       ? ls_host->fail(ctx, HF_E_CORRUPT, "'%s/%s' was replaced while it was read", self->bucket, path)
                       : ls_fail(&call, "read");
        attempt = call.got > before ? 1 : attempt + 1; /* what goes forward is not counted */
        if (attempt > self->retries + 1 && call.status != S3StatusOK)
            return ls_fail(&call, "read");
        if (attempt > self->retries + 1)
            return ls_host->fail(ctx, HF_E_UNREACHABLE, "'%s/%s' breaks off at byte %llu, %d times", self->bucket, path,
                                 (unsigned long long)(offset + call.got), self->retries + 1);
        ls_host->log(ctx, HF_LOG_INFO, "'%s' broke off (%s): going on at byte %llu", path, call.message,
                     (unsigned long long)(offset + call.got));
        if ((status = ls_wait(ctx, attempt)) != HF_OK)
            return status;
    }
    return whole == size && offset == 0 ? check_whole(self, ctx, path, etag, data, size) : HF_OK;
}

static void start_delete(struct ls_call *call, S3RequestContext *requests)
{
    S3BucketContext bucket = ls_bucket(call->self);
    S3_delete_object(&bucket, call->path, requests, &ls_response, call);
}

/* Gone is what is not found afterwards. */
int ls_delete(struct ls *self, struct hf_ctx *ctx, const char *path)
{
    struct ls_call call = {.self = self, .ctx = ctx, .path = path};
    for (int attempt = 1;; attempt++) {
        struct ls_look look;
        int status = ls_run(&call, start_delete);
        if (status == HF_OK && ls_is_missing(call.status))
            return HF_OK;
        if (status == HF_OK && call.status == S3StatusOK && (status = ls_head(self, ctx, path, &look)) == HF_E_NOTFOUND)
            return HF_OK;
        if (status != HF_OK)
            return status;
        if ((call.status != S3StatusOK && !ls_retryable(call.status)) || attempt > self->retries) {
            if (call.status == S3StatusOK)
                return ls_host->fail(ctx, HF_E_IO, "'%s/%s' is still there after it was removed", self->bucket, path);
            return ls_fail(&call, "remove");
        }
        if ((status = ls_wait(ctx, attempt)) != HF_OK)
            return status;
    }
}

struct page {
    const char *prefix, *marker;
    struct ls *self;
    int (*each)(void *, const char *, uint64_t, int64_t);
    void *arg;
    char last[LS_PATH_MAX];
    size_t count;
    int code; /* what each() returned */
};

static S3Status on_list(int truncated, const char *next, int count, const S3ListBucketContent *items, int prefixes,
                        const char **prefix_list, void *opaque)
{
    struct ls_call *call = opaque;
    struct page *page = call->arg;
    size_t skip = strlen(page->self->prefix);
    (void)truncated, (void)next, (void)prefixes, (void)prefix_list;
    for (int i = 0; i < count && page->code == 0; i++) {
        const S3ListBucketContent *item = &items[i];
        /* What does not belong to the answer, or was seen already, is somebody's mistake. */
        if (strncmp(item->key, page->prefix, strlen(page->prefix)) != 0 || strcmp(item->key, page->last) <= 0 ||
            strlen(item->key) >= LS_PATH_MAX)
            continue;
        strcpy(page->last, item->key);
        page->count++;
        if (!strchr(item->key + skip, '/'))
            page->code = page->each(page->arg, item->key + skip, item->size, item->lastModified);
    }
    return S3StatusOK;
}

static void start_list(struct ls_call *call, S3RequestContext *requests)
{
    static const S3ListBucketHandler none = {.listBucketCallback = NULL};
    S3ListBucketHandler handler = none;
    struct page *page = call->arg;
    S3BucketContext bucket = ls_bucket(call->self);
    handler.responseHandler = ls_response;
    handler.listBucketCallback = on_list;
    S3_list_bucket(&bucket, page->prefix, page->marker, NULL, PAGE, requests, &handler, call);
}

int ls_each(struct ls *self, struct hf_ctx *ctx, const char *start,
            int (*each)(void *arg, const char *name, uint64_t bytes, int64_t modified), void *arg)
{
    char prefix[LS_PATH_MAX], marker[LS_PATH_MAX] = "";
    struct page page = {.prefix = prefix, .marker = marker, .self = self, .each = each, .arg = arg};
    struct ls_call call = {.self = self, .ctx = ctx, .arg = &page};
    int empty = 0;
    ls_path(self, start, prefix);
    /* A list that broke off looks like one that ended: it has ended when twice nothing more came. */
    for (int attempt = 1; empty < 2;) {
        page.count = 0;
        int status = ls_run(&call, start_list);
        if (status != HF_OK || page.code != 0)
            return status != HF_OK ? status : page.code;
        memcpy(marker, page.last, sizeof(marker));
        if (call.status == S3StatusOK || page.count > 0) {
            empty = page.count > 0 ? 0 : empty + 1;
            attempt = 1;
            continue;
        }
        if (!ls_retryable(call.status) || attempt > self->retries)
            return ls_fail(&call, "list");
        if ((status = ls_wait(ctx, attempt++)) != HF_OK)
            return status;
    }
    return HF_OK;
}
