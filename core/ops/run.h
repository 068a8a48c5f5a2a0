/* SPDX-License-Identifier: Apache-2.0
 *
 * What every operation begins with: the profile's plugins, the locks, the sweep.
 */
#ifndef HF_OPS_RUN_H
#define HF_OPS_RUN_H

#include "catalog/catalog.h"
#include "ops/ops.h"
#include "plugin/chain.h"
#include "plugin/host.h"

enum hf_run_flags {
    HF_RUN_LOCK = 1,   /* the profile's lock, and then the sweep of what crashed runs left */
    HF_RUN_READ = 2,   /* the readers' lock, shared: nothing is removed meanwhile          */
    HF_RUN_SOURCE = 4, /* open the source                                                 */
    HF_RUN_ALONE = 8   /* the profile's lock alone                                        */
};

struct hf_run {
    const struct hf_world *world;
    struct hf_profile *profile;
    struct hf_instance *source;
    struct hf_chain stages;
    int seal;                           /* which stage seals manifests; -1: none */
    struct hf_instance **sinks;
    size_t sink_count;
    struct hf_services services;
    int lock_fd, read_fd;
    int jobs, workers;
};

/* On failure nothing stays open; hf_run_close is fine all the same. */
int hf_run_open(struct hf_run *, struct hf_ctx *, const struct hf_world *, struct hf_profile *, int flags);
void hf_run_close(struct hf_run *);

/* A ctx of this run. Clear its error. */
struct hf_ctx hf_run_ctx(const struct hf_run *);
/* The sink of that name; HF_E_NOTFOUND names those there are. */
int hf_run_sink(struct hf_run *, struct hf_ctx *, const char *name, struct hf_instance **ret_sink);
/* Somebody is left behind in one of its sinks: what it may look at is not freed. */
bool hf_run_lost(const struct hf_run *);
enum hf_catalog_flag {
    HF_CATALOG_LENIENT = 1, /* required sinks may be left out, too                    */
    HF_CATALOG_FINDING = 2, /* those that are left out are told as findings, …        */
    HF_CATALOG_LOG = 4,     /* … or as warnings; else the caller tells of them        */
};
/* The catalog of all sinks, or of `only`. One that fails is left out, and named in `away` (NULL: nobody asks). But it
 * fails the call when it is the last one, or (unless HF_CATALOG_LENIENT) when it is required. */
int hf_run_catalog(struct hf_run *, struct hf_ctx *, struct hf_instance *only, int flags, struct hf_strings *away,
                   struct hf_catalog **ret_catalog);
/* The stages that the manifest names: the profile's, where it has such, since they may know keys; others opened with their
 * defaults. Clear them. */
int hf_run_stages_of(const struct hf_run *, struct hf_ctx *, const struct hf_manifest *, struct hf_chain *ret_stages);
/* --to as the source takes it: a name as it was typed, or an absolute path; NULL stays NULL. Free it. */
int hf_place_for(struct hf_ctx *, const struct hf_instance *source, const char *to, char **ret_place);
/* Whether a source can work together with a stage or a sink: HF_E_UNSUPPORTED when it would wait for itself. */
int hf_check_gate(struct hf_ctx *, const struct hf_instance *source, const struct hf_instance *other);
/* Whether somebody reads this profile's backups now; else the exclusive lock is held until *ret_fd is closed. */
int hf_run_lock_readers_out(struct hf_run *, struct hf_ctx *, int *ret_fd);

void hf_watch_begin(const struct hf_world *, struct hf_services *, const char *format, ...) HF_PRINTF(3, 4);
void hf_watch_end(const struct hf_world *);

/* Reports. */
void hf_report_init(struct hf_report *, const char *profile);
/* Puts the failure, if there is one, and the exit code into the report. */
void hf_report_end(struct hf_report *, struct hf_ctx *, int exit);
json_t *hf_findings_json(const struct hf_services *);
/* "/backups/x.gz", or "SINK:KEY". Free it. */
char *hf_locate(struct hf_instance *sink, const char *key);
/* One copy as in the reports of list and show. */
json_t *hf_copy_json(const struct hf_copy *);
/* Exit codes of what makes backups, where a missing or damaged thing is the component, not a backup. */
int hf_exit_of_making(int code);

/* --- pieces that operations share --- */

/* How a backup is to be verified. */
struct hf_wish {
    int level;
    bool insists; /* somebody said so: if it cannot be done, that is a failure, and not a lower level */
    bool reads;   /* what may be read only is verified, too: that it cannot be recorded is a finding, not-recorded */
};
/* Verifies one backup in one sink, as its manifest there says, and records the outcome beside it. `ret_check`: as in the
 * report of verify. Fails only when the check itself could not be made; damage is in *ret_whole. */
int hf_verify_copy(struct hf_run *, struct hf_ctx *, struct hf_instance *sink, const char *id, struct hf_wish,
                   bool *ret_whole, json_t **ret_check);
/* What stands for a check that could not be made; the members are the same. */
json_t *hf_check_failed(const struct hf_instance *sink, const char *id, int level, const struct hf_error *);
/* Applies the profile's retention to one sink. Appends to both arrays, as in the report of prune. */
int hf_retain(struct hf_run *, struct hf_ctx *, struct hf_instance *sink, bool dry_run, json_t *items, json_t *skipped);

#endif
