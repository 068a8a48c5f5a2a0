/* SPDX-License-Identifier: Apache-2.0
 *
 * A backup, inside. backup (the session and its connections), snapshot (one database at one moment), schema (pg_dump's
 * text taken apart), tables and plan (tables to parts), plan_after (indexes and
 * the rest to parts), copy (rows), objects (sequences, large objects), record (what
 * is recorded).
 */
#ifndef HOLDFAST_POSTGRES_BACKUP_H
#define HOLDFAST_POSTGRES_BACKUP_H

#include "postgres.h"

/* ---- schema: what pg_dump wrote ---- */

enum { PG_CLASS_OID = 1259 }; /* of the catalog pg_class, in entries */

/* An entry of pg_dump's text: a header and its statements. */
struct pg_schema_entry {
    char *type, *name, *schema; /* NULL when the header does not say */
    uint32_t dump_id, class_oid, oid;
    uint32_t *dependencies; /* dump ids */
    size_t dependency_count;
    uint64_t begin, body, end;    /* bytes of the text: header [begin, body), statements [body, end) */
    const char *tablespace;       /* the "SET default_tablespace" that holds for it; NULL: none was seen */
    const char *access_method;    /* "SET default_table_access_method" likewise */
    const struct pg_owner *owner; /* the relation that it belongs to; NULL: none */
};

struct pg_schema {
    struct pg_text text;
    uint64_t preamble;  /* bytes before the first entry that are wanted */
    char *restrict_key; /* of \restrict; NULL: there was none */
    struct pg_schema_entry *entries;
    size_t count, room;
    size_t after;    /* the first entry that stands behind the data */
    char **settings; /* that entries point to */
    size_t setting_count;
};

/* Which relation an object of the catalogs belongs to: an index to its table, a trigger to its table, a table to
 * itself. */
struct pg_owner {
    uint32_t class_oid, oid;
    uint32_t relation;
    char kind;        /* relkind of the relation */
    const char *name; /* of the relation, qualified and quoted; in the owners' memory */
};

struct pg_owners {
    PGresult *rows;         /* what the names point into */
    struct pg_owner *items; /* sorted by class_oid, oid */
    size_t count;
};

int pg_owners_read(struct pg_conn *, struct pg_owners *ret_owners);
const struct pg_owner *pg_owners_find(const struct pg_owners *, uint32_t class_oid, uint32_t oid);
void pg_owners_clear(struct pg_owners *);

/* Runs pg_dump in the snapshot for all but the data, and takes apart what it wrote. */
int pg_schema_dump(const struct pg_source *, struct pg_conn *, const char *snapshot, const struct pg_owners *,
                   struct pg_schema *ret_schema);
void pg_schema_clear(struct pg_schema *);
/* GRANT, REVOKE, ALTER DEFAULT PRIVILEGES. */
bool pg_schema_is_privilege(const struct pg_schema_entry *);
/* Adds the entry as it shall stand in the artifact: its header without pg_dump's numbers and with the relation's name,
 * and the settings that it needs, when they are others than those of the entry before it (NULL: there is none). */
void pg_schema_write(const struct pg_schema *, const struct pg_schema_entry *, const struct pg_schema_entry *before,
                     struct pg_text *out);

/* ---- plan ---- */

/* A table whose rows are read. */
struct pg_table {
    uint32_t oid;
    char *name;                      /* as COPY writes it: qualified and quoted */
    char *relation, *schema, *owner; /* for the header: not quoted; owner "" when it is not wanted */
    char *columns;                   /* "(a, b)", or "" when there are none to be named */
    char *where;                     /* of an extension's configuration: "WHERE …"; NULL: all rows */
    int rank;                        /* of an extension's configuration: order of loading; else -1 */
    uint64_t pages, bytes;           /* pages of rows; bytes with what is stored beside them */
    bool ranges;                     /* can be read by ranges of its pages */
    char *group;                     /* set by the plan */
    char *root;                      /* its rows go into this one, the root of its partitions; NULL: into itself */
    struct pg_table *into;           /* whose counts theirs are: itself, or the first of the same root */
    struct pg_rows rows;             /* what was read; under the session's lock */
};

enum pg_piece_kind { PG_PIECE_TEXT = 1, PG_PIECE_ROWS, PG_PIECE_SEQUENCES, PG_PIECE_OBJECTS };

/* What one part is made of. */
struct pg_piece {
    enum pg_piece_kind kind;
    uint32_t phase;
    char name[201];
    char *group; /* NULL: none */
    uint64_t estimate, cost;
    struct pg_text text;      /* TEXT */
    struct pg_table **tables; /* ROWS */
    size_t table_count;
    uint64_t from, to;    /* ROWS of one table: pages, `to` UINT64_MAX: to its end; both 0: not by ranges */
    uint32_t first, last; /* OBJECTS: OIDs, inclusive */
};

struct pg_sequence {
    char *name, *relation, *schema, *owner; /* as in pg_table */
    char *table;                            /* that owns it; NULL: none */
};

/* One database at one moment. */
struct pg_database {
    char *name, *artifact;
    struct pg_conn *leader; /* its transaction keeps the snapshot */
    char *snapshot;
    struct pg_owners owners;
    struct pg_schema schema; /* until the pieces are planned */
    struct pg_table *tables;
    size_t table_count;
    struct pg_sequence *sequences;
    size_t sequence_count;
    bool objects;  /* large objects are wanted, and there are some */
    bool filtered; /* schemas or tables were chosen */
    bool standby;
    struct pg_piece **pieces; /* in the artifact's order */
    size_t piece_count, piece_room;
    size_t next;             /* the next piece to list */
    json_t *sequence_values; /* facts; under the session's lock */
    struct pg_objects object_sum;
};

/* Adds a piece at the end, "NAME" or "NAME:NUMBER" if that is not 0. NULL: out of memory, recorded. */
struct pg_piece *pg_plan_add(struct pg_database *, struct hf_ctx *, enum pg_piece_kind, uint32_t phase,
                             const char *name, uint64_t number);
/* "public.t" for a part's name, with the OID behind it when that is not quite the relation's name. Free it; NULL: out
 * of memory, recorded. */
char *pg_plan_subject(struct hf_ctx *, const char *schema, const char *relation, uint32_t oid);
/* The tables and sequences of the dumped schema, and what the extensions configured. */
int pg_plan_tables(const struct pg_source *, struct pg_database *);
/* Phases 0 and 1. */
int pg_plan_data(const struct pg_source *, struct pg_database *);
/* Phases 2 and 3. */
int pg_plan_after(struct pg_database *);

/* ---- snapshot ---- */

/* Takes the snapshot of the database that the leader is connected to, and plans its backup. */
int pg_snapshot_take(const struct pg_source *, struct pg_database *);
/* Begins a transaction in it. */
int pg_snapshot_join(struct pg_conn *, const char *snapshot);
/* At the end: are the locks still there, without which a table could be truncated or rewritten before it was read? */
int pg_snapshot_check(struct pg_database *, struct hf_ctx *);
/* Are the tables still what the server finds by their names? SQL names tables, and a name may have gone to another one
 * since the snapshot, which would see that one without its rows, or with others. *ret_other: one that is not, or NULL. */
int pg_tables_check(struct pg_conn *, const struct pg_table *const *tables, size_t count,
                    const struct pg_table **ret_other);
void pg_database_clear(struct pg_database *);

/* ---- rows and objects ---- */

/* Where a part's bytes go. Once a call failed, all later ones do nothing; pg_out_end says so. */
struct pg_out {
    struct hf_writer *writer;
    char *space; /* lent by the writer */
    size_t room, used;
    int result;
};
void pg_out_add(struct pg_out *, const void *, size_t);
void pg_out_text(struct pg_out *, const char *);
void pg_out_format(struct pg_out *, const char *format, ...) HF_PRINTF(2, 3);
int pg_out_end(struct pg_out *);

/* The header of an entry of ours: rows, a sequence's value. */
void pg_out_entry(struct pg_out *, const char *prefix, const char *name, const char *type, const char *schema,
                  const char *owner, const char *table);

/* The rows of the piece's tables. Each table's count and sum are in ret_rows[i]. */
int pg_copy_write(struct pg_conn *, const struct pg_piece *, struct pg_out *, struct pg_rows *ret_rows);
int pg_sequences_write(struct pg_conn *, const struct pg_database *, struct pg_out *, json_t *values);
int pg_objects_plan(const struct pg_source *, struct pg_database *);
int pg_objects_write(const struct pg_source *, struct pg_conn *, const struct pg_piece *, struct pg_out *,
                     struct pg_objects *objects);

/* ---- record ---- */

int pg_record_database(const struct pg_source *, struct pg_database *); /* context, at the begin */
int pg_record_facts(struct hf_ctx *, const struct pg_database *);       /* and the layout, at the end */

#endif
