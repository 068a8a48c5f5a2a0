/* SPDX-License-Identifier: Apache-2.0
 *
 * The postgres source, inside. Rooms: postgres (the table of options), server (connections, queries, failures), tools
 * (pg_dump and its kin as children), script (plain SQL, read piece by piece), rows (counts and checksums).
 * A backup's way: backup (session), schema (pg_dump's text taken apart), plan (tables to parts), copy (their data),
 * objects (sequences, large objects), facts. The way back: verify, restore (session, target), load (a script into a
 * server), target (databases made, swapped, dropped), compare (facts against the server). The live one: check, audit.
 */
#ifndef HOLDFAST_SOURCE_POSTGRES_H
#define HOLDFAST_SOURCE_POSTGRES_H

#include <jansson.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "holdfast/plugin.h"
#include "rows.h"
#include "script.h"

extern const struct hf_host *pg_host; /* set once, in init() */

enum { PG_OLDEST = 130000 }; /* server versions as PQserverVersion() gives them */

/* The values of an option that is a list. */
struct pg_list {
    const char *const *items;
    size_t count;
};

/* An instance: its options. Texts and lists belong to the config. */
struct pg_source {
    const struct hf_config *config;
    const char *url, *service;
    const char *maintenance_db; /* to connect to while databases are made and renamed */
    int64_t connect_timeout_ms, lock_timeout_ms;
    int64_t part_bytes;         /* of table data in a part, about */
    int64_t maintenance_work_mem;
    bool owner, acl, globals, role_passwords, analyze, compare, amcheck;
    const char *pg_bin; /* folder of pg_dump; NULL: to be found */
    struct pg_list databases, exclude_databases; /* patterns, as all of these */
    struct pg_list schema, exclude_schema, table, exclude_table, exclude_table_data;
};

/* options: the table, and an instance from it. */
enum { PG_OPTION_COUNT = 22 };
extern const struct hf_option pg_options[PG_OPTION_COUNT];
int pg_source_open(struct hf_ctx *, const struct hf_config *, void **ret_self);
void pg_source_close(void *self);

/* ---- server: one libpq connection, whose every call can be stopped ---- */

struct pg_conn {
    PGconn *pq;
    struct hf_ctx *ctx; /* of the call at hand; whoever takes a connection from a pool sets it */
    char *database;
    int version;
};

/* Where the profile's first connection led, so that others go to the same server although several hosts are named. */
struct pg_place {
    char *host, *hostaddr, *port;
};
void pg_place_clear(struct pg_place *);

/* Connects to `database` (NULL: the profile's), at `place` if not NULL. Codes: HF_E_UNREACHABLE, HF_E_AUTH,
 * HF_E_NOTFOUND (no such database), HF_E_CONFIG. Sets application_name, encoding of the database, and what every session
 * of ours has: no statement, idle or transaction timeout, our lock_timeout, search_path empty, ISO dates, UTC, hex bytea,
 * row_security off, extra_float_digits, synchronize_seqscans off, standard_conforming_strings on. */
int pg_open(const struct pg_source *, struct hf_ctx *, const struct pg_place *, const char *database,
            struct pg_conn **ret_conn);
void pg_close(struct pg_conn *);
int pg_place_of(const struct pg_conn *, struct hf_ctx *, struct pg_place *ret_place);

/* Run SQL and wait, watching for the run's stop: then the server is told, and HF_E_CANCELLED returned. query: the last
 * rows that it answers; command: whatever it answers is dropped. Several statements may stand in one text. `doing` is
 * for people: "list the tables". */
int pg_query(struct pg_conn *, const char *doing, const char *sql, PGresult **ret_rows);
int pg_command(struct pg_conn *, const char *doing, const char *sql);
int pg_queryf(struct pg_conn *, const char *doing, PGresult **ret_rows, const char *format, ...) HF_PRINTF(4, 5);
int pg_commandf(struct pg_conn *, const char *doing, const char *format, ...) HF_PRINTF(3, 4);
/* Runs one text of SQL; *ret: the first result that is an error, else the last one; PQclear it. Fails only when stopped, or
 * out of memory; a lost connection is a result. pg_finish: what was sent already, up to its end or a COPY state. */
int pg_try(struct pg_conn *, const char *sql, PGresult **ret_result);
int pg_finish(struct pg_conn *, PGresult **ret_result);
bool pg_is_error(const PGresult *);
bool pg_has_state(const PGresult *, const char *sqlstate);
/* Sends what is left, and waits until there is a result to fetch. That the connection is lost shows in the result. */
int pg_await(struct pg_conn *);
/* Waits until the connection can be read (or, with `write`, written); HF_E_CANCELLED on a stop. */
int pg_wait(struct pg_conn *, bool write);
/* The server's answer, `result` or NULL for the connection's own trouble, as this call's failure: SQLSTATE mapped to a code
 * (08, 57P0x: UNREACHABLE; 28, 42501: AUTH; 3D000: NOTFOUND; 53100, 54000: NOSPACE; 55P03, 40P01: BUSY; 57014: FAIL …), the
 * message, detail and context, a hint where we know one. Returns the code. */
int pg_fail(struct pg_conn *, const PGresult *, const char *doing);
/* As pg_fail, showing the statement (its first lines, and the line an error points at). */
int pg_fail_statement(struct pg_conn *, const PGresult *, const char *statement);
/* Ends COPY … TO STDOUT or any running command, reading what is left. */
void pg_drain(struct pg_conn *);
char *pg_quote_ident(struct pg_conn *, const char *name); /* free(); fails as NOMEM with NULL */
char *pg_quote_literal(struct pg_conn *, const char *text);

/* Name, owner, encoding, locale, ACL, settings, comment of a database, as PG_CONTEXT_DATABASE; *ret NULL: there is none. */
int pg_database_describe(struct pg_conn *, const char *database, json_t **ret_properties);

/* ---- text that grows; out of memory is kept and told at the end ---- */

struct pg_text {
    char *data; /* NUL-terminated, NULL when empty */
    size_t used, room;
    bool failed;
};
void pg_text_add(struct pg_text *, const char *);
void pg_text_add_bytes(struct pg_text *, const char *, size_t);
void pg_text_addf(struct pg_text *, const char *format, ...) HF_PRINTF(2, 3);
void pg_text_clear(struct pg_text *);
/* HF_E_NOMEM recorded when an addition failed. */
int pg_text_check(const struct pg_text *, struct hf_ctx *);
char *pg_format(struct hf_ctx *, const char *format, ...) HF_PRINTF(2, 3); /* free(); NULL: NOMEM recorded */
int pg_nomem(struct hf_ctx *);                                              /* HF_E_NOMEM, recorded */

/* cleanup helpers */
static inline void pg_free_text(char **text) { free(*text); }
static inline void pg_free_result(PGresult **rows) { PQclear(*rows); }
static inline void pg_free_json(json_t **json) { json_decref(*json); }
static inline void pg_free_conn(struct pg_conn **conn) { pg_close(*conn); }
#define pg_auto_text __attribute__((cleanup(pg_free_text))) __typeof__(char *)
#define pg_auto_rows __attribute__((cleanup(pg_free_result))) __typeof__(PGresult *)
#define pg_auto_json __attribute__((cleanup(pg_free_json))) __typeof__(json_t *)
#define pg_auto_conn __attribute__((cleanup(pg_free_conn))) __typeof__(struct pg_conn *)

/* ---- tools: pg_dump and pg_dumpall as children ---- */

/* The newest `name` on this machine that is not older than the server (PATH, /usr/lib/postgresql/N/bin, option pg_bin).
 * HF_E_NOTFOUND names the package to install. *ret_path: free(). */
int pg_tool_find(const struct pg_source *, struct hf_ctx *, const char *name, int server_version, char **ret_path,
                 int *ret_version);
/* Runs it against the server and database that `conn` is connected to, its whole output into *ret_output (at most 1 GiB).
 * args: after the program's name, ends with NULL, no connection options. Passwords go by a private environment. */
int pg_tool_run(const struct pg_source *, struct pg_conn *conn, const char *path, const char *const *args,
                struct pg_text *ret_output);

/* ---- recorded values, by key; several databases have "DATABASE/" in front ---- */

#define PG_FACT_TABLES "tables"               /* {"public.t": {"rows": 5, "sum": "0123456789abcdef"}, …}               */
#define PG_FACT_SEQUENCES "sequences"         /* {"public.s": [5, true], …}                                            */
#define PG_FACT_LARGE_OBJECTS "large_objects" /* {"count": 2, "bytes": 10, "sum": "…"}; absent when there are none       */
#define PG_CONTEXT_SERVER "server"            /* {"version": "15.20 (Debian …)", "number": 150020, "standby": false}      */
#define PG_CONTEXT_SNAPSHOT "snapshot"        /* {"lsn": "0/1A2B3C", "time": "…"}                                         */
#define PG_CONTEXT_DATABASE "database"        /* see target.c: name, owner, encoding, locale, acl, settings, comment         */
#define PG_CONTEXT_DATABASES "databases"      /* {"ARTIFACT": "database name"}                                            */
#define PG_CONTEXT_EXTENSIONS "extensions"    /* {"amcheck": "1.3"}                                                       */
#define PG_CONTEXT_COLLATIONS "collations"    /* {"public.nd": "153.112"}: recorded versions; "" is the database's own     */
#define PG_CONTEXT_LAYOUT "layout" /* {"public.t": {"part": group, "columns": "(a, b)", "where": "…"?}}: where its rows lie;
                                  * {"part", "root"}: as those of the table `root`, whose partition it is */

/* *ret_key: "key", or "DATABASE/key" when database is not "". In a buffer of PG_KEY_MAX. */
enum { PG_KEY_MAX = 200 };
void pg_key(char *buffer, const char *artifact, const char *key);
/* JSON that the server made, in the encoding of its database; NULL: it is none. */
json_t *pg_json_of_server(const char *text);
json_t *pg_rows_json(const struct pg_rows *); /* {"rows", "sum"}; NULL: out of memory */
bool pg_rows_of_json(const json_t *, struct pg_rows *ret_rows);
/* What was recorded under the key, parsed: an object, or NULL when there is none. */
json_t *pg_recorded_fact(struct hf_ctx *, const char *artifact, const char *key);
json_t *pg_recorded_context(struct hf_ctx *, const char *artifact, const char *key);
/* Reports it and drops the reference. */
int pg_report_fact(struct hf_ctx *, const char *artifact, const char *key, json_t *);
int pg_report_context(struct hf_ctx *, const char *artifact, const char *key, json_t *);

/* ---- objects: large objects as pg_dump writes them, also for comparison ---- */

/* The SQL of one large object's data, piece by piece to `put` (as pg_dump: lo_open, lowrite of 16 KiB each, lo_close), read
 * in the connection's transaction. Adds its bytes and one row to *objects: XXH3-64 over the statements from lo_open to
 * lo_close, as written. */
struct pg_objects {
    struct pg_rows rows; /* rows: objects */
    uint64_t bytes;
};
typedef int pg_put(void *arg, const char *data, size_t size);
int pg_object_write(struct pg_conn *, Oid oid, pg_put *put, void *arg, struct pg_objects *objects);

/* ---- the kind's operations ---- */

int pg_check(void *, struct hf_ctx *);
int pg_begin(void *, struct hf_ctx *, void **ret_session);
int pg_next_part(void *, struct hf_ctx *, struct hf_part *);
int pg_backup_part(void *, struct hf_ctx *, const struct hf_part *, struct hf_writer *);
int pg_end(void *, struct hf_ctx *, int status);
int pg_restore_begin(void *, struct hf_ctx *, const struct hf_restore_request *, void **ret_session);
int pg_restore_select(void *, struct hf_ctx *, const struct hf_part *);
int pg_restore_part(void *, struct hf_ctx *, const struct hf_part *, struct hf_reader *);
int pg_restore_end(void *, struct hf_ctx *, int status);
int pg_verify_begin(void *, struct hf_ctx *, void **ret_session);
int pg_verify_part(void *, struct hf_ctx *, const struct hf_part *, struct hf_reader *);
int pg_verify_end(void *, struct hf_ctx *, int status);
int pg_audit(void *, struct hf_ctx *, const struct hf_pair *, size_t);

#endif
