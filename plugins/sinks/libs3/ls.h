/* SPDX-License-Identifier: Apache-2.0
 *
 * The libs3 sink's rooms: libs3.c (the plugin's table and options), request.c (one request: run, judged, tried again),
 * store.c (one object of the bucket, up and down), names.c (what the bucket's keys stand for), index.c (large objects),
 * claim.c (who may store a key), put.c, get.c, objects.c (looking, listing, removing, sweeping).
 *
 * libs3 2.0 has defects that cannot be mended from outside. What is done about each:
 *
 * 1. A PUT that failed without words of XML counts as a success. After every PUT the object is looked at (HEAD), and
 * its length and ETag are compared with our own.
 * 2. A GET, and a list, that broke off count as a success. Bytes are counted, and whole objects compared by MD5; a list
 *    has ended only when the server, asked for what comes after the last key, says "nothing".
 * 3. A PUT gives no ETag: see 1. A range that the server did not heed looks like one that it did: the length is
 * compared.
 * 4. No certificate is ever verified: https is refused.
 * 5. Without "100 Continue" a PUT that went well counts as failed: see 1, what is there and is ours was stored.
 * 6. It calls gmtime(), which any other thread may disturb. The module makes one call at a time, nobody else here calls
 *    such functions, and a request whose date was wrong for all that is tried again.
 * 7. It never tries again, and calls broken connections internal errors: what is tried again is decided here.
 * 8. A space in a key becomes a '+': keys and prefix hold letters, digits and "._/-" only.
 * 9. It brings a second libcurl into the process, with GnuTLS: a module of its own, and a test runs both in one
 * process.
 *
 * It also knows neither conditions for a PUT, so that who is first is found by looking and not decided by the server
 * (the records that a run begins with are claimed before), nor parts: an object larger than `segment` is several.
 */
#ifndef HOLDFAST_SINK_LIBS3_H
#define HOLDFAST_SINK_LIBS3_H

#include <libs3.h>
#include <stdbool.h>
#include <stdio.h>

#include <holdfast/plugin.h>

enum { LS_KEY_MAX = 240, LS_PATH_MAX = 1024, LS_MD5_HEX = 33, LS_ID = 12, LS_SEGMENTS_MAX = 1000000 };

struct ls {
    char *bucket, *prefix, *host, *access_key, *secret_key; /* prefix: "" or with a '/' at its end; host: HOST[:PORT] */
    bool virtual_host;
    uint64_t segment;
    int retries;
    int64_t stall_ms, sweep_after_ms;
    bool told_etag; /* that the server's ETags are no MD5 */
};
extern const struct hf_host *ls_host;

int ls_fail_nomem(struct hf_ctx *ctx);

/* One request. The callbacks of libs3 are called with it. */
struct ls_call {
    struct ls *self;
    struct hf_ctx *ctx;
    const char *path; /* of the object, NULL: of the bucket                       */
    /* answers */
    S3Status status;
    bool done; /* complete was called                                      */
    char message[256];
    uint64_t length;
    int64_t modified; /* seconds; -1: not told                                    */
    char etag[128];   /* without its quotes; "" when not told                     */
    int64_t last_ms;  /* when something last happened                             */
    int unsent;       /* bytes that wait in the kernel                            */
    /* what the body comes from or goes to */
    FILE *file;         /* PUT                                                      */
    uint64_t left;      /* PUT: of the body                                         */
    char *data;         /* GET                                                      */
    uint64_t room, got; /* GET: more than room is an error                        */
    void *arg;
};
typedef void (*ls_start)(struct ls_call *call, S3RequestContext *requests);

extern const S3ResponseHandler ls_response;
S3BucketContext ls_bucket(const struct ls *self);
/* Runs it once. HF_OK when libs3 was answered, whatever the answer; HF_E_CANCELLED, or another failure. */
int ls_run(struct ls_call *call, ls_start start);
/* May the same request go well the next time? */
bool ls_retryable(S3Status status);
/* Waits before the next attempt; `attempt` counts from 1. */
int ls_wait(struct hf_ctx *ctx, int attempt);
/* Records "cannot DOING 'PATH' …" with the code for call->status, and returns the code. */
int ls_fail(struct ls_call *call, const char *doing);
bool ls_is_missing(S3Status status);

/* Looks at an object: HF_E_NOTFOUND without a message when there is none. */
struct ls_look {
    uint64_t bytes;
    int64_t modified;
    char etag[128];
};
int ls_head(struct ls *self, struct hf_ctx *ctx, const char *path, struct ls_look *ret_look);
/* Stores `size` bytes of a file from its beginning, and makes sure that they are there. */
int ls_store(struct ls *self, struct hf_ctx *ctx, const char *path, FILE *file, uint64_t size, const char *media);
/* Reads exactly size bytes from offset; a whole object's MD5 is compared. etag "" : any; otherwise it must be that one.
 */
int ls_load(struct ls *self, struct hf_ctx *ctx, const char *path, const char *etag, uint64_t whole, uint64_t offset,
            size_t size, char *data);
int ls_delete(struct ls *self, struct hf_ctx *ctx, const char *path);
/* Every object whose path begins with the sink's prefix and `start`, in no particular order of keys. */
int ls_each(struct ls *self, struct hf_ctx *ctx, const char *start,
            int (*each)(void *arg, const char *name, uint64_t bytes, int64_t modified), void *arg);
bool ls_is_md5(const char *etag);

/* What lies in the bucket, beneath the prefix:
 *   KEY                                an object of one piece
 *   OWNER.segment-ID-NNNNNN            a piece of a larger one; no key ends so
 *   KEY.claim-ID-PID                   somebody is about to store KEY
 *   KEY.segments-ID-COUNT-BYTES        says that the pieces of ID are the object KEY: its index. Put last, removed
 * first */
enum ls_kind { LS_FOREIGN, LS_PLAIN, LS_SEGMENT, LS_INDEX, LS_CLAIM };
struct ls_name {
    enum ls_kind kind;
    char key[LS_KEY_MAX + 1]; /* LS_SEGMENT: the owner */
    char id[LS_ID + 1];
    uint64_t number, bytes; /* LS_SEGMENT: which; LS_INDEX: how many, and the object's size; LS_CLAIM: the process */
};
void ls_name_parse(const char *name, struct ls_name *ret_name);
int ls_key_check(struct hf_ctx *ctx, const char *key);
/* PREFIX/KEY. ret_path: LS_PATH_MAX bytes */
void ls_path(const struct ls *self, const char *name, char *ret_path);
void ls_segment_path(const struct ls *self, const char *owner, const char *id, uint64_t number, char *ret_path);
void ls_index_path(const struct ls *self, const char *key, const char *id, uint64_t count, uint64_t bytes,
                   char *ret_path);

void ls_claim_path(const struct ls *self, const char *key, const char *id, uint64_t pid, char *ret_path);

/* Makes sure that nobody else stores the key: HF_E_EXISTS when somebody has, or may be about to. id: random hex digits.
 * *ret_path: what ls_claim_end() removes once the key is stored, or is not. */
int ls_claim(struct ls *self, struct hf_ctx *ctx, const char *key, const char *id, char *ret_path);
void ls_claim_end(struct ls *self, struct hf_ctx *ctx, const char *path);
/* Has whoever made it ended, or is it so old that he must have? */
bool ls_claim_is_dead(const struct ls_name *name, int64_t modified);

/* A large object's index, as text: "holdfast-segments 1", then "owner", "segment", and a line "NUMBER BYTES MD5" each.
 */
struct ls_index {
    char owner[LS_KEY_MAX + 1], id[LS_ID + 1];
    uint64_t segment, count, bytes;
};
int ls_index_write(const struct ls_index *index, struct hf_ctx *ctx, const char (*md5)[LS_MD5_HEX], FILE **ret_file,
                   uint64_t *ret_size);
/* Reads the owner and the segment's size of the index that `name` names. */
int ls_index_read(struct ls *self, struct hf_ctx *ctx, const struct ls_name *name, struct ls_index *ret_index);
/* Finds an object: HF_E_NOTFOUND without a message. ret_name->kind: LS_PLAIN or LS_INDEX. */
int ls_find(struct ls *self, struct hf_ctx *ctx, const char *key, struct ls_name *ret_name, struct ls_look *ret_look);

int ls_put_begin(void *self, struct hf_ctx *ctx, const struct hf_put_request *request, void **ret_put);
int ls_put_write(void *put, struct hf_ctx *ctx, const struct hf_block *block);
int ls_put_prepare(void *put, struct hf_ctx *ctx);
int ls_put_commit(void *put, struct hf_ctx *ctx);
void ls_put_abort(void *put, struct hf_ctx *ctx);
int ls_get_begin(void *self, struct hf_ctx *ctx, const char *key, uint64_t offset, uint64_t length, void **ret_get);
int64_t ls_get_read(void *get, struct hf_ctx *ctx, void *data, size_t size);
void ls_get_end(void *get);
int ls_stat(void *self, struct hf_ctx *ctx, const char *key, struct hf_object *ret_object);
int ls_list(void *self, struct hf_ctx *ctx, const char *prefix, int (*each)(void *, const struct hf_object *),
            void *arg);
int ls_remove(void *self, struct hf_ctx *ctx, const char *key);
int ls_sweep(void *self, struct hf_ctx *ctx, const char *prefix, int64_t older_than_ms);
int ls_check(void *self, struct hf_ctx *ctx);

#endif
