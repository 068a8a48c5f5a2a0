/* SPDX-License-Identifier: Apache-2.0
 *
 * Holdfast's own small objects beside the artifacts, all named ID + suffix.
 */
#ifndef HF_CATALOG_RECORDS_H
#define HF_CATALOG_RECORDS_H

#include "catalog/catalog.h"

#define HF_SUFFIX_MANIFEST ".manifest.json"
#define HF_SUFFIX_SHA256 ".sha256"
#define HF_SUFFIX_VERIFIED ".verified.json"
#define HF_SUFFIX_COMMIT ".commit.json"
#define HF_SUFFIX_REMOVING ".removing.json"

#define HF_COMMIT "commit"
#define HF_REMOVING "removing"

enum { HF_RECORD_MAX_BYTES = 64 * 1024 * 1024, HF_VERIFIED_MAX_BYTES = 64 * 1024 };
/* The longest that the last step of a run, from its commit record to its manifest, is granted where others cannot ask it
 * whether it is alive. */
enum { HF_OTHERS_AFTER_HOURS = 6 };
/* How long what a copying that was interrupted has brought waits for another to go on with it. */
enum { HF_COPYING_HOURS = 48, HF_RECORD_HOURS_MAX = 24 * 366 };

/* The key ends as one of these records does, so no artifact may have it. */
bool hf_key_record(const char *key);

/* Reads ID.verified.json. HF_E_CORRUPT when it is no such record. */
int hf_verified_read(struct hf_ctx *, struct hf_instance *sink, const char *id, struct hf_verified *ret_verified);

/* What a commit or removal record names, and which runs it is of: those that share a lock, and so never overlap. */
struct hf_record_object {
    char *key;
    uint64_t bytes;
};
struct hf_record {
    char *id, *kind; /* HF_COMMIT, HF_REMOVING                         */
    char *writer;    /* hf_instance.writer of who wrote it; NULL: none */
    uint64_t hours;  /* a copying's: so long it may be gone on with; 0: not at all */
    struct hf_record_object *objects;
    size_t count, room;
};
void hf_record_clear(struct hf_record *);
/* Of the manifest's artifacts and its checksum file. `writer` may be NULL. */
struct hf_record hf_record_of(const struct hf_manifest *, const char *kind, const char *writer);
char *hf_record_key(const char *id, const char *kind);
char *hf_record_text(const struct hf_record *);
/* HF_E_EXISTS when there is one. */
int hf_record_write(struct hf_ctx *, struct hf_instance *sink, const struct hf_record *);
/* HF_E_NOTFOUND; HF_E_CORRUPT, see hf_record_parse. */
int hf_record_read(struct hf_ctx *, struct hf_instance *sink, const char *id, const char *kind,
                   struct hf_record *ret_record);
/* Written by a run that cannot overlap with one that uses this sink now. One without a writer counts as such. */
bool hf_record_ours(const struct hf_record *, const struct hf_instance *sink);
/* Removes what the record names, and only what has the size that it says: anything else somebody else put there. HF_END when
 * the sink has locked one of them. */
int hf_record_remove_named(struct hf_ctx *, struct hf_instance *sink, const struct hf_record *);
/* Takes what it records to its end. HF_SETTLE_ALONE: no run but ours is at work in the sink; HF_SETTLE_AMONG: another's is left
 * alone until it is HF_OTHERS_AFTER_HOURS old, or its own hours if these are more, by modified_ms, the sink's time. Ours is left
 * alone for its hours, but for HF_SETTLE_NOW. */
enum hf_settle { HF_SETTLE_AMONG, HF_SETTLE_ALONE, HF_SETTLE_NOW };
int hf_record_settle(struct hf_ctx *, struct hf_instance *sink, const char *id, const char *kind, enum hf_settle how,
                     int64_t modified_ms);
/* HF_E_CORRUPT unless it is a record of this kind, for this id, naming none but artifacts and the checksum file of the
 * id. */
int hf_record_parse(struct hf_ctx *, const char *key, const char *id, const char *kind, const char *data, size_t size,
                    struct hf_record *ret_record);

#endif
