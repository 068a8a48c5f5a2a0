/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog: the backups that the manifests in a profile's sinks describe. Read anew each time; there is no other database
 * of them to lose.
 */
#ifndef HF_CATALOG_CATALOG_H
#define HF_CATALOG_CATALOG_H

#include "catalog/manifest.h"
#include "plugin/instance.h"

/* The verification record, object ID.verified.json beside the manifest: the last check's level, time and outcome. */
struct hf_verified {
    int level;        /* enum hf_level; HF_LEVEL_NONE: never checked */
    bool whole;       /* nothing was found wrong                     */
    int64_t time_ms;
    uint64_t errors;  /* findings of severity error                  */
};

/* What a manifest says about its backup as a whole. */
struct hf_figures {
    int64_t start_ms, end_ms;
    uint64_t bytes, raw_bytes; /* of all artifacts         */
    size_t artifact_count;
    size_t severity_counts[4]; /* findings in the manifest */
};

/* One backup as one sink has it. */
struct hf_copy {
    struct hf_instance *sink; /* borrowed                                                                        */
    bool whole;               /* manifest readable; every artifact and the .sha256 there, with the manifest's size */
    char *problem;            /* why not; NULL when whole                                                         */
    bool unreadable;          /* the manifest cannot be read: retention leaves it alone                           */
    struct hf_verified verified;
    uint64_t digest[2];       /* of the manifest's bytes: the same in every copy of one backup */
    bool apart;               /* readable, but of another backup under the same name: not whole, whatever it holds */
    bool whole_apart;         /* it would be whole if it were not apart                                           */
    struct hf_figures figures; /* 0 when the manifest cannot be read */
};

struct hf_backup {
    char *id;
    int64_t time_ms;               /* from the id             */
    struct hf_figures figures;     /* 0 when no manifest was readable */
    bool disputed;                 /* the sinks hold different backups under this name, and as much speaks for one as for
                                    * another: the first was taken                                                     */
    struct hf_copy *copies;        /* one per sink that has anything of a manifest for it, in the sinks' order */
    size_t copy_count;
};

struct hf_catalog {
    char *profile;
    struct hf_backup *backups; /* oldest first */
    size_t count, room;
    struct hf_strings orphans; /* "SINK: KEY": artifacts of this profile without a manifest; reported, never touched */
};

/* Lists `profile`'s objects in every sink and reads the manifests. A sink that does not answer is a failure, unless
 * `ret_unreachable` is given: then its name is added there and the rest is read. */
int hf_catalog_load(struct hf_ctx *, const char *profile, struct hf_instance *const *sinks, size_t sink_count,
                    struct hf_strings *ret_unreachable, struct hf_catalog **ret_catalog);
void hf_catalog_free(struct hf_catalog *);
/* Adds what one sink's catalog has, and frees it. */
void hf_catalog_merge(struct hf_catalog *, struct hf_catalog *of_one_sink);
/* Once all are merged: of copies of one id with different manifests, tells which is meant, by what speaks for each; first of all
 * that a copy was not found damaged, then how many say the same, then that one was verified, then the sinks' order. The others
 * are set apart. hf_catalog_load does it itself. */
void hf_catalog_settle(struct hf_catalog *);

/* `name`: "latest", an id, a unique prefix of one, or the time part of one; at_ms (INT64_MAX: none) as an upper bound for
 * "latest": newest not later. HF_E_NOTFOUND, never a fallback; an ambiguous prefix is HF_E_CONFIG, naming candidates. `latest`
 * passes over backups that are not whole in any sink, and says so in a warning. */
int hf_catalog_find(struct hf_ctx *, const struct hf_catalog *, const char *name, int64_t at_ms, struct hf_backup **ret_backup);
/* Whether both are of the same backup: their manifests say the same. */
bool hf_copy_same(const struct hf_copy *, const struct hf_copy *);
/* The newest not later than at_ms, whole or not; NULL: there is none. For whoever asks what state it is in. */
struct hf_backup *hf_catalog_newest(const struct hf_catalog *, int64_t at_ms);
/* The best copy to read: whole before not, verified before not, in the sinks' order. NULL: none readable. */
struct hf_copy *hf_backup_best_copy(const struct hf_backup *);
/* Those that can stand in for each other, the best first; as many as there are copies fit. */
size_t hf_backup_copies(const struct hf_backup *, struct hf_copy **ret_copies);
/* hf_catalog_settle for one backup, again: after what its copies' `verified` say has changed. */
void hf_backup_settle(struct hf_backup *);
/* The copy's manifest turned out to be damaged: all copies with the same one count as unreadable, and it is settled again. */
void hf_backup_distrust(struct hf_backup *, const struct hf_copy *, const char *why);
bool hf_backup_verified(const struct hf_backup *); /* a whole copy was verified at level digest or better, and found whole */

int hf_catalog_manifest(struct hf_ctx *, struct hf_instance *sink, const char *id, struct hf_manifest **ret_manifest);
/* The same, with its text, for whoever stores it elsewhere; free it. ret_manifest may be NULL. */
int hf_catalog_manifest_text(struct hf_ctx *, struct hf_instance *sink, const char *id, struct hf_manifest **ret_manifest,
                             char **ret_text, size_t *ret_size);

/* Replaces the record (remove, then write); of a backup that has gone meanwhile none stays. */
int hf_verified_write(struct hf_ctx *, struct hf_instance *sink, const char *id, const struct hf_verified *);

/* Removes a backup from one sink: its manifest first, so that it is gone at once, then verification record, .sha256 and
 * artifacts. A crash in between leaves a removal record (ID.removing.json, written first and holding the keys) from which
 * hf_catalog_sweep goes on. While the manifest is there nothing is lost yet: then the sweep only drops the record, the
 * backup stays whole, and the next prune decides anew. The profile's lock must be held. HF_E_BUSY: another run, that does not
 * share it, is removing the backup. */
int hf_backup_remove(struct hf_ctx *, struct hf_instance *sink, const struct hf_manifest *);

/* Publishing: ID.commit.json names the keys about to become visible, and who does it (hf_instance.writer), and is removed once
 * the manifest is. hf_catalog_sweep takes back what a crash in between left visible, finishes removals, and lets the sink sweep
 * its own partial objects. The profile's lock must be held; of runs that do not share it, what is not old is left alone, unless
 * the sink says that there are none (HF_ALONE). It never touches an object that no such record names, nor one of another size
 * than the record says, nor the artifacts of a backup that was complete and merely lost its manifest. */
struct hf_commit {
    bool begun, shown; /* all false at first */
};
/* Checks the manifest (hf_manifest_check), and that none of its keys is taken (HF_E_EXISTS). */
int hf_commit_begin(struct hf_ctx *, struct hf_instance *sink, const struct hf_manifest *, struct hf_commit *);
/* The same for a copying: when it is interrupted, what it has made visible waits some days (HF_COPYING_HOURS) for another, which
 * begins with it again. ret_had: per artifact, whether it is there already, put by a copying of this profile's lock. */
int hf_commit_resume(struct hf_ctx *, struct hf_instance *sink, const struct hf_manifest *, struct hf_commit *,
                     bool *ret_had);
/* The manifest's text becomes visible; a failure when another run has taken the backup for dead and taken it back. */
int hf_commit_show(struct hf_ctx *, struct hf_instance *sink, const char *id, const char *text, size_t size,
                   struct hf_commit *);
int hf_commit_hide(struct hf_ctx *, struct hf_instance *sink, const char *id, struct hf_commit *);
/* Ignores cancellation; when it fails, the backup is complete nevertheless, and the next sweep drops the record. */
int hf_commit_end(struct hf_ctx *, struct hf_instance *sink, const char *id);
/* Takes back now what a commit that failed left visible, as the next sweep would; ignores cancellation. Not begun: nothing to
 * do. Give it a ctx of its own when a failure is recorded already. */
int hf_commit_abort(struct hf_ctx *, struct hf_instance *sink, const struct hf_manifest *, struct hf_commit *);
int hf_catalog_sweep(struct hf_ctx *, struct hf_instance *sink, const char *profile);

#endif
