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

enum { HF_RECORD_MAX_BYTES = 64 * 1024 * 1024, HF_VERIFIED_MAX_BYTES = 64 * 1024 };

/* The key ends as one of these records does, so no artifact may have it. */
bool hf_key_record(const char *key);

/* Reads ID.verified.json. HF_E_CORRUPT when it is no such record. */
int hf_verified_read(struct hf_ctx *, struct hf_instance *sink, const char *id, struct hf_verified *ret_verified);

/* What a commit or removal record names. */
struct hf_record_object {
    char *key;
    uint64_t bytes;
};
struct hf_record {
    char *id, *kind; /* "commit", "removing" */
    struct hf_record_object *objects;
    size_t count, room;
};
void hf_record_clear(struct hf_record *);
/* Of the manifest's artifacts and its checksum file. */
char *hf_record_text(const struct hf_manifest *, const char *kind);
/* HF_E_CORRUPT unless it is a record of this kind, for this id, naming none but artifacts and the checksum file of the
 * id. */
int hf_record_parse(struct hf_ctx *, const char *key, const char *id, const char *kind, const char *data, size_t size,
                    struct hf_record *ret_record);

#endif
