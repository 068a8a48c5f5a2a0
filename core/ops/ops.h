/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations. Each works on one profile and gives a report: a JSON object (the same that --json prints, and that the
 * text output is made from) and the exit code that it stands for. Failing is a report, too: it then has "error" and,
 * perhaps, "hint". Members that a report's comment lists are always there unless marked with '?'.
 */
#ifndef HF_OPS_OPS_H
#define HF_OPS_OPS_H

#include "base/json.h"
#include "config/profile.h"

/* Exit codes, as in the manual. */
enum hf_exit {
    HF_EXIT_OK = 0,
    HF_EXIT_FAILED = 1,
    HF_EXIT_USAGE = 2,
    HF_EXIT_PARTIAL = 3,
    HF_EXIT_REFUSED = 4,
    HF_EXIT_DAMAGED = 5,
    HF_EXIT_NOTFOUND = 6,
    HF_EXIT_LOCKED = 7,
    HF_EXIT_UNREACHABLE = 8,
    HF_EXIT_OBJECTIVE = 9,
    HF_EXIT_INTERRUPTED = 130
};

/* The exit code that a result code stands for. */
int hf_exit_of_code(int code);

struct hf_services;

/* Somebody who watches a run, e.g. the progress line. Members may be NULL. */
struct hf_watch {
    /* `what`: "backing up ledger". The services' counters may be read until end(). */
    void (*begin)(struct hf_watch *, const char *what, struct hf_services *);
    void (*end)(struct hf_watch *);
};

/* What every operation works with. */
struct hf_world {
    const struct hf_settings *settings;
    struct hf_cancel *cancel;
    struct hf_watch *watch; /* NULL: nobody */
};

struct hf_report {
    json_t *json; /* owned */
    int exit;
};
void hf_report_clear(struct hf_report *);

/* A finding is {"severity": "info"|"warning"|"error", "code", "subject", "text"}. Times are ISO 8601 UTC. Every report has
 * "profile", "exit", and on failure "error", "hint"?. */

/* {"profile","exit","findings":[…],"free_bytes"?} */
void hf_op_check(const struct hf_world *, struct hf_profile *, struct hf_report *);

struct hf_backup_options {
    bool dry_run; /* checks, and says what would be done: {"would_store": [id], "would_remove": […]} */
    int level;    /* verification afterwards; -1: the profile's */
};
/* {"profile","exit","id" (null when it came to none),"outcome":"stored"|"partial"|"unchanged"|"failed"|"would-store","start","end","seconds","previous"? (unchanged: the id of the backup that still holds),
 *  "raw_bytes","bytes","artifacts":[{"key","bytes","raw_bytes","location"}],
 *  "sinks":[{"name","stored":bool,"error"?}],"findings":[…],
 *  "verification"?:[{"sink","level","whole":bool,"seconds","findings":[…]}],
 *  "retention"?:[{"sink","id","remove":bool,"removed":bool,"reason"}]} */
void hf_op_backup(const struct hf_world *, struct hf_profile *, const struct hf_backup_options *, struct hf_report *);

/* {"profile","exit","backups":[{"id","time","start"?,"end"?,"bytes","raw_bytes","artifacts","findings":{"info","warning",
 *  "error"},"verified":bool,"sinks":[{"name","whole":bool,"problem"?,"verified"?:{"level","whole","time"}}]}],
 *  "orphans":[…],"unreachable":[sink names]}, oldest first */
void hf_op_list(const struct hf_world *, struct hf_profile *, struct hf_report *);

/* `name`, `at_ms` as in hf_catalog_find. {"profile","exit","id","time","manifest":{…},"sealed":bool (and could not be opened),
 * "sinks":[as in list],"locations":[{"key","location","sink"}]} */
void hf_op_show(const struct hf_world *, struct hf_profile *, const char *name, int64_t at_ms, struct hf_report *);

struct hf_verify_options {
    const char *name;  /* NULL with all: every backup */
    int64_t at_ms;
    bool all;
    const char *sink;  /* NULL: every sink that has it */
    int level;         /* -1: the profile's, content when that is none */
};
/* {"profile","exit","checks":[{"id","sink","level","whole":bool,"seconds","bytes","raw_bytes","findings":[…],"error"?,
 *  "hint"?}],
 *  "unreachable":[sink names]} */
void hf_op_verify(const struct hf_world *, struct hf_profile *, const struct hf_verify_options *, struct hf_report *);

struct hf_audit_options {
    const struct hf_pair *request; /* --with: the source gives them meaning */
    size_t request_count;
    bool all; /* every profile: one whose source has no audit is left out, not refused */
};
/* {"profile","exit","id" (the backup compared with; null: none),"audited":bool,"seconds","findings":[…]}. Exit code 5 when
 * there is a finding of severity error. */
void hf_op_audit(const struct hf_world *, struct hf_profile *, const struct hf_audit_options *, struct hf_report *);

struct hf_restore_options {
    const char *name; /* which backup; NULL: latest */
    int64_t at_ms;
    const char *sink; /* NULL: the best */
    const char *to;   /* as it was typed; NULL: the original place */
    const char *const *only;
    size_t only_count;
    bool replace, dry_run;
    int jobs;         /* 0: the profile's */
};
/* {"profile","exit","id","sink","to"?,"outcome":"restored"|"would-restore"|"failed","parts","bytes","seconds",
 *  "selected":[{"artifact","part"}] (dry run only),"findings":[…]} */
void hf_op_restore(const struct hf_world *, struct hf_profile *, const struct hf_restore_options *, struct hf_report *);

struct hf_artifact_options {
    const char *file;   /* the artifact                                                              */
    const char *source; /* source plugin; NULL: that of the profile which the file's name begins with */
    const char *to;     /* required; as it was typed                                                 */
    bool replace;
};
/* From an artifact alone: its manifest is lost. Report as for restore; "id" from the file's name or "unknown". */
void hf_op_restore_artifact(const struct hf_world *, const struct hf_artifact_options *, struct hf_report *);

struct hf_copy_options {
    const char *name;     /* NULL with all: every backup that `from` has */
    int64_t at_ms;
    bool all, dry_run, replace; /* replace: a copy that is damaged makes way */
    const char *from;     /* NULL: whichever sink has it whole */
    const char *to;       /* never NULL */
    bool pass_over;       /* a profile without these sinks is left out, with a finding; otherwise that is a failure */
    int level;            /* of reading back; -1: digest */
    int jobs;             /* 0: the profile's */
};
/* {"profile","exit","to","seconds","copies":[{"id","from"?,"outcome":"copied"|"there"|"unwanted" (the target's retention would
 *  remove it)|"would-copy"|"in-the-way"|"failed"|"not-done","bytes","seconds","reason"?,"error"?,"hint"?,
 *  "verification"?:{as in verify}}],"unreachable":[sink names],"findings":[…]} */
void hf_op_copy(const struct hf_world *, struct hf_profile *, const struct hf_copy_options *, struct hf_report *);

struct hf_prune_options {
    bool dry_run;
    const char *sink; /* NULL: all */
};
/* {"profile","exit","items":[{"sink","id","remove":bool,"removed":bool,"reason"}],"skipped":[{"sink","id","problem"}],
 *  "sinks":[{"name","error","hint"?}] (those in which it failed)} */
void hf_op_prune(const struct hf_world *, struct hf_profile *, const struct hf_prune_options *, struct hf_report *);

/* Every profile's sections against the plugins' tables: adds to each profile's diagnostics. Returns how many errors there
 * are in all, of the settings too. {"folder","files":[{"path","profile","valid":bool}],
 * "diagnostics":[{"severity","file","line","text","hint"?}]} */
size_t hf_op_validate(const struct hf_world *, struct hf_report *);
/* Effective values: {"profile","path","sections":[{"section","plugin"?,"options":[{"key","value","origin":"FILE:LINE"|"default",
 * "secret":bool}]}]}; secrets masked. */
void hf_op_config_show(const struct hf_world *, struct hf_profile *, struct hf_report *);

/* Keys for stages that encrypt. plugin: the stage plugin, NULL: the only one that has keys. key_new writes a new secret key
 * to `out` (NULL: PLUGIN.key in the configuration's folder), which must not exist, for its owner only.
 * {"exit","stage"?,"path"?,"public"?:[what goes into profiles]} */
void hf_op_key_new(const struct hf_world *, const char *plugin, const char *out, struct hf_report *);
void hf_op_key_show(const struct hf_world *, const char *plugin, const char *path, struct hf_report *);

/* {"plugins":[{"kind","name","version","summary","license","path"}]} */
void hf_op_plugin_list(const struct hf_world *, struct hf_report *);
/* name: "sqlite" or "source/sqlite". {"plugins":[{… as in list,"description","threads","options":[{"key","type","default"?,
 * "choices"?,"min"?,"max"?,"required":bool,"secret":bool,"deprecated":bool,"help"}]}]} */
void hf_op_plugin_info(const struct hf_world *, const char *name, struct hf_report *);

#endif
