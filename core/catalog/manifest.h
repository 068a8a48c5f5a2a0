/* SPDX-License-Identifier: Apache-2.0
 *
 * The manifest: what one backup holds. JSON, written last; a backup without one does not exist.
 * The format is described in docs/formats.md. Reading is strict: names, counts and offsets are checked against limits and
 * against each other before anything uses them.
 */
#ifndef HF_CATALOG_MANIFEST_H
#define HF_CATALOG_MANIFEST_H

#include "base/json.h"
#include "base/text.h"
#include "base/time.h"
#include "config/profile.h"

enum {
    HF_MANIFEST_SCHEMA = 2, /* what is read                                   */
    HF_MANIFEST_PLAIN = 1,  /* what is written                                */
    HF_MANIFEST_SEALED = 2, /* what is written where the contents are sealed  */
    HF_MANIFEST_MAX_BYTES = 256 * 1024 * 1024,
    HF_MANIFEST_MAX_ARTIFACTS = 100000,
    HF_MANIFEST_MAX_PARTS = 4000000, /* of all artifacts together */
    HF_KEY_MAX = 240,
    HF_SHA256_HEX = 65,              /* with the NUL */
    HF_XXH128_HEX = 33
};

struct hf_manifest_part {
    char *name, *group; /* group "": none */
    uint32_t phase;
    uint64_t raw_offset, raw_size;       /* in the decoded artifact                               */
    uint64_t stored_offset, stored_size; /* in the object: whole encoded blocks                   */
    uint64_t cost;                       /* of restoring it, in bytes; 0: as its raw size         */
    char xxh128[HF_XXH128_HEX];          /* XXH3-128 of the part's raw bytes, canonical, hex       */
};

struct hf_manifest_artifact {
    char *key;    /* object: "sqlite_signals_20260201_120000.db.gz"                        */
    char *name;   /* the source's: "signals"; "" when it is the only one                   */
    char *suffix; /* ".db"                                                                 */
    char *media;
    uint64_t bytes, raw_bytes;
    char sha256[HF_SHA256_HEX], raw_sha256[HF_SHA256_HEX];
    struct hf_manifest_part *parts; /* in order: offsets grow and touch                    */
    size_t part_count, part_room;
};

struct hf_manifest_stage {
    char *plugin, *version;
};

struct hf_finding {
    int severity;
    char *code, *subject, *text;
};

struct hf_manifest {
    char *id, *profile, *host, *tool_version;
    char *source_plugin, *source_version;
    int64_t start_ms, end_ms;
    struct hf_manifest_stage *stages; /* in encoding order */
    size_t stage_count;
    json_t *options; /* object: section → key → value as text; no secrets */
    json_t *sinks;   /* array of names of the sinks that this backup went to */
    struct hf_manifest_artifact *artifacts;
    size_t artifact_count, artifact_room;
    json_t *facts, *context; /* objects, keys sorted on output */
    struct hf_finding *findings;
    size_t finding_count, finding_room;
    /* Only in one that was read sealed: then host, options, raw digests, parts, facts, context and findings are unknown. */
    char *sealed;           /* NULL: it is not; else the whole manifest, encoded by a stage, in base64 */
    uint64_t sealed_by;     /* which of the stages                                                    */
    uint64_t sealed_counts[3]; /* findings: info, warning, error                                       */
};

/* Empty; the json_t members are empty objects and an empty array, never NULL. Unset text counts as "". */
struct hf_manifest *hf_manifest_new(void);
void hf_manifest_free(struct hf_manifest *);
struct hf_manifest_artifact *hf_manifest_add_artifact(struct hf_manifest *); /* valid until the next one is added */
struct hf_manifest_part *hf_manifest_add_part(struct hf_manifest_artifact *); /* likewise                        */
void hf_manifest_add_finding(struct hf_manifest *, int severity, const char *code, const char *subject, const char *text);

/* Everything that reading checks, of a manifest at hand: names, digests, offsets, counts against the limits and against
 * each other. `what` begins the messages. HF_E_CORRUPT. */
int hf_manifest_check(struct hf_ctx *, const char *what, const struct hf_manifest *);

/* Text with a final newline; stable: the same manifest gives the same bytes. Free it. Text that is no UTF-8 is written with
 * U+FFFD for what cannot be. One that was read sealed is written so again. More than HF_MANIFEST_MAX_BYTES will not be read again: whoever stores it looks at the size. */
char *hf_manifest_write(const struct hf_manifest *, size_t *ret_size);
/* The same, sealed: only what lists, retention and digests need, and `sealed` (see struct hf_manifest). */
char *hf_manifest_write_sealed(const struct hf_manifest *, const char *sealed, size_t sealed_by, size_t *ret_size);
/* `key`: the object's name, for messages and to be held against the id inside. HF_E_CORRUPT when anything is not as it must
 * be; HF_E_UNSUPPORTED when the schema is newer (says which tool version wrote it). */
int hf_manifest_read(struct hf_ctx *, const char *key, const char *data, size_t size, struct hf_manifest **ret_manifest);
/* The same without options, facts and context, which stay empty: enough for the catalog, and several times faster. */
int hf_manifest_read_brief(struct hf_ctx *, const char *key, const char *data, size_t size,
                           struct hf_manifest **ret_manifest);
/* What was sealed in `outer`, decoded to text: it must be the whole of the same manifest. The sinks are outer's. */
int hf_manifest_open(struct hf_ctx *, const struct hf_manifest *outer, const char *data, size_t size,
                     struct hf_manifest **ret_manifest);
/* How many findings of each severity, by enum hf_severity; sealed or not. */
void hf_manifest_count(const struct hf_manifest *, size_t ret_counts[4]);
/* As an object for `show --json`, manifest text parsed anew; of a sealed one, "sealed" is true. */
json_t *hf_manifest_json(const struct hf_manifest *);

/* The text of PROFILE_TIME.sha256: one line per artifact, "HEX  KEY\n". Free it. */
char *hf_manifest_sha256_text(const struct hf_manifest *);

/* Names. Ids are PROFILE_YYYYMMDD_HHMMSS. */
char *hf_key_id(const char *profile, int64_t time_ms);
/* NULL when it makes no valid key: a character outside [A-Za-z0-9._-], a suffix (".db") that holds '_' or does not begin with
 * '.', more than HF_KEY_MAX bytes, or a name that Holdfast's own records have (.manifest.json, .sha256, …). */
char *hf_key_artifact(const char *id, const char *artifact, const char *suffix, const char *stage_suffixes);
/* Of an artifact that stands aside: ARTIFACT_ID.SUFFIX. NULL also when the name is empty, holds '_', or is the profile's. */
char *hf_key_aside(const char *id, const char *artifact, const char *suffix, const char *stage_suffixes);
char *hf_key_manifest(const char *id);
char *hf_key_sha256(const char *id);
/* The id that an object's key belongs to: of artifacts, .sha256 and .manifest.json. NULL: not a name of ours. Free it. The
 * key of an artifact that stands aside, taken by itself, may as well be another profile's: see hf_key_aside_id. */
char *hf_key_to_id(const char *key);
/* The id that the key belongs to if it is that of an artifact that stands aside; NULL: it cannot be one. Free it. */
char *hf_key_aside_id(const char *key);
bool hf_key_of(const char *key, const char *id); /* the key can belong to this backup, one way or the other */
bool hf_key_valid(const char *key);  /* safe as an object's name: charset, length, no leading '.' or '-'; NULL: false */
bool hf_id_parse(const char *id, char **ret_profile, int64_t *ret_time_ms); /* ret_* may be NULL */

#endif
