/* SPDX-License-Identifier: Apache-2.0
 *
 * What was read of a sink's manifests and verification records before, so that they need not be fetched again: the manifest
 * of a backup of 10 000 tables has megabytes. Only for sinks whose listings tell when an object has changed (hf_object.tag).
 *
 * It is no database: whatever is not in it, or does not fit, is read from the sink; who restores, verifies, copies or
 * removes a backup reads its manifest anyway; and the file may be deleted at any time.
 */
#ifndef HF_CATALOG_KNOWN_H
#define HF_CATALOG_KNOWN_H

#include "catalog/records.h"

struct hf_known;

/* What the catalog needs of a manifest. */
struct hf_brief {
    struct hf_figures figures;
    uint64_t digest[2];
    struct hf_record_object *objects; /* its artifacts; the last is the checksum file */
    size_t count;
};
void hf_brief_clear(struct hf_brief *);

/* A file that is not there, damaged, or of another version is as good as empty. */
struct hf_known *hf_known_open(const char *path);
/* Writes what has changed, and frees it. A file that cannot be written costs time, nothing else. NULL is fine. */
void hf_known_close(struct hf_known *);

/* `tag`: of the listing; NULL: there is none, and nothing is found or kept. `known` may be NULL. */
bool hf_known_manifest(struct hf_known *, const char *key, const char *tag, struct hf_brief *ret_brief);
bool hf_known_verified(struct hf_known *, const char *key, const char *tag, struct hf_verified *ret_verified);
void hf_known_add_manifest(struct hf_known *, const char *key, const char *tag, const struct hf_brief *);
void hf_known_add_verified(struct hf_known *, const char *key, const char *tag, const struct hf_verified *);
/* The sink has been read to the end: what was not asked for is not there any more, and is forgotten. */
void hf_known_complete(struct hf_known *);

#endif
