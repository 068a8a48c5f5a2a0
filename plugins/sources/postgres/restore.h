/* SPDX-License-Identifier: Apache-2.0
 *
 * The way back, inside. choose (which databases, which tables), only (names of tables), target (databases looked at and
 * made), drop, restore (parts, connections), load (a script into a server), index (what may be built at once), finish
 * (the end), compare and compare_rest (facts against what was loaded), properties (what CREATE DATABASE does not say),
 * swap (by rename).
 */
#ifndef HOLDFAST_POSTGRES_RESTORE_H
#define HOLDFAST_POSTGRES_RESTORE_H

#include "postgres.h"

enum { PG_NAME_MAX = 63, PG_NAME_ROOM = PG_NAME_MAX + 1 }; /* NAMEDATALEN - 1 */

/* ---- only: one table that --only names ---- */

struct pg_only {
    char *given, *schema, *relation; /* as given; its two names without quotes */
    char *table;                     /* as COPY writes it, once known; NULL before */
    char *group;                     /* where its rows lie; NULL: nowhere */
    char *root;                      /* its rows lie there as this table's, whose partition it is; NULL: as its own */
    bool found;                      /* its definition was restored */
};

struct pg_only_list {
    struct pg_only *items;
    size_t count;
};

/* Adds a name, "SCHEMA.TABLE" with or without quotes, and looks it up in the recorded layout (may be NULL). */
int pg_only_add(struct hf_ctx *, struct pg_only_list *, const char *given, const json_t *layout);
/* The one that the table, as COPY writes it, is; NULL: it is not selected. */
struct pg_only *pg_only_find(const struct pg_only_list *, const char *table, size_t size);
void pg_only_clear(struct pg_only_list *);
/* "public.\"a b\"" → public, a b. Free both. false: out of memory, or no such name. */
bool pg_name_split(const char *name, size_t size, char **ret_schema, char **ret_relation);
/* One text for both, however they are quoted: servers of other versions quote other words. Free it; NULL: out of
 * memory. */
char *pg_name_key(const char *schema, const char *relation);

/* ---- statements that are kept ---- */

struct pg_statement {
    struct pg_statement *next;
    char *text;
    char *shown; /* what the user knows it as, when that is another */
    char *entry; /* of the script: "TABLE public.t" */
};

struct pg_statements {
    struct pg_statement *first, **last;
};
int pg_statements_add(struct hf_ctx *, struct pg_statements *, const char *text, const char *shown, const char *entry);
void pg_statements_clear(struct pg_statements *);

/* ---- target: a database to be ---- */

struct pg_target {
    struct pg_target *next;
    const struct pg_source *source;
    char *artifact;
    char *database;            /* its name in the end */
    char beside[PG_NAME_ROOM]; /* its name until then */
    char before[PG_NAME_ROOM]; /* what the old one is kept as */
    json_t *properties;        /* as PG_CONTEXT_DATABASE: of the database that is there, else as recorded; or NULL */
    bool exists, empty;        /* the database that is there */
    bool into;                 /* single tables into the database that is there, in one transaction */
    bool selected, whole;
    struct pg_only_list only;

    pthread_mutex_t serial; /* with `into` held during a whole part */
    pthread_mutex_t lock;   /* of what follows */
    bool made, swapped, failed;
    bool compared;               /* with the facts, in so many seconds */
    double compare_seconds;
    bool no_space;               /* the server's disk is full */
    struct pg_conn **idle; /* connections that nobody uses now */
    size_t idle_count, idle_room, open_count, open_most;
    struct pg_statements preamble; /* settings that the script begins with, for every connection */
    struct pg_statements deferred; /* to be run before phase 3 (constraints whose index is built), or at the end */
};

/* One restore: several databases when the backup has several. */
struct pg_restore {
    const struct pg_source *source;
    char *id;
    bool replace;
    struct pg_target *targets;
    struct pg_place place;
    pthread_mutex_t lock;    /* of the keeper */
    struct pg_conn *keeper;  /* to the maintenance database, all the time: its locks say that this restore lives */
    const char *maintenance; /* which that is */
    double started;
};
double pg_now(void); /* seconds */
void pg_restore_free(struct pg_restore *);

/* What the request and the backup's context say is to be restored, and what it will be called. */
int pg_restore_choose(struct pg_restore *, struct hf_ctx *, const struct hf_restore_request *);
/* A connection to the target that nobody uses, or a new one; given back with how its work ended: one that failed is
 * closed, which rolls back what it did. */
int pg_take_conn(struct pg_restore *, struct pg_target *, struct hf_ctx *, struct pg_conn **ret_conn);
void pg_give_conn(struct pg_target *, struct pg_conn *, int result);
void pg_close_idle(struct pg_target *);

/* Looks at what is there, and refuses or accepts: exists, empty, into, properties, and both names are set. keeper: a
 * connection to another database of the server, here and below. */
int pg_target_check(struct pg_target *, struct pg_conn *keeper, const struct pg_place *, const char *id, bool replace);
/* Makes the database beside. Leftovers of a killed restore of the same backup are dropped before. */
int pg_target_make(struct pg_target *, struct pg_conn *keeper);
/* Drops it again; what fails is a warning. */
void pg_target_drop(struct pg_target *, struct pg_conn *keeper);
void pg_target_free(struct pg_target *);
/* A database with subscriptions cannot be dropped: those that the script made are, without a word to their publishers. What
 * fails is told by what follows, the dropping of the database. */
void pg_drop_subscriptions(struct pg_conn *keeper, const char *database);
/* Dropping a database begins with a checkpoint, which fails on a full disk: its largest tables are dropped one by one before. */
void pg_make_room(struct pg_conn *keeper, const char *database);
/* "NAME_WORD_ID" in 63 bytes: what is cut is told apart by a hash. */
void pg_name_beside(const char *name, const char *word, const char *id, char ret_name[PG_NAME_ROOM]);

/* Owner, ACL, settings, connection limit, comment: what the database beside shall have. What cannot be set is a
 * finding. Within a transaction of the keeper. */
int pg_properties_apply(struct pg_target *, struct pg_conn *keeper);

/* All of them, or none: one transaction of renames. killer: a second connection beside the keeper. */
int pg_swap(struct pg_target *targets, struct pg_conn *keeper, struct pg_conn *killer);

/* ---- load ---- */

/* What speeds loading and stays in the session, then the target's preamble. */
int pg_load_prepare(struct pg_conn *, struct pg_target *);
/* One part's script. */
int pg_load_part(struct pg_conn *, struct pg_target *, const struct hf_part *, struct hf_reader *);
/* What was put off is done. */
int pg_load_deferred(struct pg_conn *, struct pg_target *);

/* "ALTER TABLE … ADD CONSTRAINT … PRIMARY KEY (…)" or UNIQUE, which locks the table against other builders, taken
 * apart: its index, and the constraint that adopts it. false: it is not of that form, or memory is out. Free both. */
bool pg_constraint_split(const char *statement, char **ret_table, char **ret_index, char **ret_adopt);

/* Tells of tables that were chosen, and whose rows are in others that were not. */
int pg_only_check(struct pg_target *, struct pg_conn *);

/* ---- analyze ---- */

/* Statistics for all that was restored. What cannot be analyzed is a finding, for the rows are there and right. */
int pg_analyze(struct pg_target *, struct pg_conn *);

/* ---- compare ---- */

/* All of a target, once, unless the profile does without. */
int pg_compare(struct pg_restore *, struct hf_ctx *, struct pg_target *);
/* A name as the server quotes it, alone or with its schema; a list of columns in parentheses, or nothing. What a manifest says
 * is not trusted to be that. */
bool pg_is_name(const char *);
bool pg_is_columns(const char *);
/* Against the facts, over these connections at once. HF_E_CORRUPT names what differs. */
int pg_compare_tables(struct hf_ctx *, struct pg_target *, struct pg_conn *const *conns, size_t count);
int pg_compare_sequences(struct hf_ctx *, struct pg_target *, struct pg_conn *);
int pg_compare_objects(struct hf_ctx *, struct pg_target *, struct pg_conn *);

#endif
