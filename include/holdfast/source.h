/* SPDX-License-Identifier: Apache-2.0
 *
 * Sources read a component out and put it back.
 *
 * Backup:  begin, next_part until HF_END, backup_part for each part, end.
 * Restore: restore_begin, restore_part for each selected part, restore_end.
 * Verify:  verify_begin, verify_part for each part, verify_end; from the artifact alone, offline.
 *
 * A session's strings and cookies live until its end call, which is always made once after a begin that succeeded, and
 * frees the session. With HF_SERIAL or HF_PER_INSTANCE the calls of one session never overlap; with HF_PARALLEL several
 * backup_part (restore_part, verify_part) run at once, and next_part may run beside them, never beside itself.
 */
#ifndef HOLDFAST_SOURCE_H
#define HOLDFAST_SOURCE_H

#include "host.h"

#ifdef __cplusplus
extern "C" {
#endif

enum hf_part_flags {
    /* Restore only: the entire artifact as one part, decoded without its manifest. No facts, context or names are known. */
    HF_PART_WHOLE = 1,
    /* Backup: the artifact accompanies the backup without being one by itself (a cluster's roles beside a database): its
     * name stands in front of the profile's, ARTIFACT_PROFILE_TIME, so that no pattern that finds PROFILE_* finds it. The
     * artifact's first part decides; its name may hold no '_'. */
    HF_PART_ASIDE = 2
};

/* A piece of an artifact: the unit of parallelism, of selection and of restart. */
struct hf_part {
    uint32_t size;
    uint32_t phase;       /* restore order: 0 before all else, 1, 2 after the same group's 1, 3 after all else            */
    const char *artifact; /* parts that follow each other with the same name form one artifact, laid down in the order of
                           * next_part: "signals" gives PROFILE_signals_TIME.db; "" gives PROFILE_TIME.tar               */
    const char *name;     /* unique within the artifact, [A-Za-z0-9._:@+-], at most 200 bytes                              */
    const char *group;    /* parts that belong together (a table); "" or NULL: none                                       */
    const char *suffix;   /* of the artifact: ".sql", ".db", ".tar"; the artifact's first part decides                     */
    const char *media;    /* of the artifact: "application/sql"; the artifact's first part decides                         */
    uint64_t estimate;    /* bytes, for progress; 0: unknown                                                             */
    void *cookie;         /* backup: the plugin's own, handed back in backup_part. Otherwise NULL                         */
    uint64_t raw_offset;  /* restore, verify: where the part's bytes lie in the decoded artifact                           */
    uint64_t raw_size;    /* restore, verify: how many; UINT64_MAX with HF_PART_WHOLE                                      */
    uint32_t flags;       /* enum hf_part_flags                                                                          */
    uint32_t reserved;
    uint64_t cost;        /* of restoring it, in bytes of plain data that take as long: an index costs more than its text.
                           * Decides what a restore begins with. 0: the part's size                                      */
};

struct hf_restore_request {
    uint32_t size;
    uint32_t replace;        /* 1: the target may exist; build beside it, then swap, and keep or lose the old as documented */
    const char *id;          /* the backup's id, e.g. for the name of what is kept; never NULL                             */
    const char *to;          /* --to: where instead of the original place, an absolute path, or a name with HF_CAP_TO_IS_NAME;
                              * NULL: the original place                                                               */
    const char *const *only; /* --only: names to restore; the source gives them meaning                                    */
    size_t only_count;
};

struct hf_source {
    uint32_t size;
    uint32_t reserved;

    /* Reachable, readable, allowed? Changes nothing; reports findings, fails when a backup could not work. Optional. */
    int (*check)(void *self, struct hf_ctx *);

    /* Takes the snapshot. */
    int (*begin)(void *self, struct hf_ctx *, void **ret_session);
    /* Fills *ret_part (size is set, the rest zeroed); HF_END when there is no more. Lists lazily what is long. */
    int (*next_part)(void *session, struct hf_ctx *, struct hf_part *ret_part);
    /* A straight loop: read, host->write. Exactly this part's bytes. */
    int (*backup_part)(void *session, struct hf_ctx *, const struct hf_part *, struct hf_writer *);
    /* status: HF_OK when every part was written. May still fail, and then nothing is kept; or return HF_UNCHANGED. */
    int (*end)(void *session, struct hf_ctx *, int status);

    /* Checks the target (HF_E_REFUSED when it is not empty) and prepares beside it. NULL: this source cannot restore. */
    int (*restore_begin)(void *self, struct hf_ctx *, const struct hf_restore_request *, void **ret_session);
    /* 1: restore this part, 0: leave it out. Called for every part, in order, before the first restore_part. NULL: all. */
    int (*restore_select)(void *session, struct hf_ctx *, const struct hf_part *);
    int (*restore_part)(void *session, struct hf_ctx *, const struct hf_part *, struct hf_reader *);
    /* status: HF_OK when every selected part was restored: check, fsync, swap. Otherwise the target must be as it was. */
    int (*restore_end)(void *session, struct hf_ctx *, int status);

    /* NULL verify_part: nothing beyond digests is checked. verify_begin and verify_end may be NULL then, too. */
    int (*verify_begin)(void *self, struct hf_ctx *, void **ret_session);
    int (*verify_part)(void *session, struct hf_ctx *, const struct hf_part *, struct hf_reader *);
    int (*verify_end)(void *session, struct hf_ctx *, int status);

    /* The live component against what is recorded (get_fact, get_context: of the newest whole backup; nothing when there is
     * none); read-only. Reports findings: one of severity HF_ERROR says that something is wrong. request: what the user asked
     * for by --with KEY[=VALUE], value NULL when there was none; a key that the source does not know is HF_E_CONFIG. Optional. */
    int (*audit)(void *self, struct hf_ctx *, const struct hf_pair *request, size_t count);

    /* How many bytes of parts that are not yet next in the artifact may wait in memory, for each job beyond the first. A source
     * whose parts come slower than they are encoded keeps its jobs at work with about a part's size. 0: the core's 16 MiB
     * for all jobs together; more than 64 MiB counts as that. */
    uint64_t ahead;
};

#ifdef __cplusplus
}
#endif
#endif
