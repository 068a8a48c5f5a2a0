/* SPDX-License-Identifier: Apache-2.0
 *
 * A plain SQL script, read piece by piece: statements, COPY data, the table-of-contents comments that pg_dump writes. One
 * reader for all who need it: the backup that takes pg_dump's schema apart, verification, restore. It follows psql's lexer
 * (src/fe_utils/psqlscan.l): quotes, E'', U&'', "…", $tag$…$tag$, comments that nest, parentheses, and the bodies of
 * CREATE FUNCTION … BEGIN ATOMIC … END. standard_conforming_strings is on, as pg_dump sets it.
 *
 * Memory: one statement at a time, whose size is limited; COPY data streams in pieces.
 */
#ifndef HOLDFAST_POSTGRES_SCRIPT_H
#define HOLDFAST_POSTGRES_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PG_STATEMENT_MAX = 1 << 30 }; /* the server takes no longer query */

enum pg_token_kind {
    PG_ENTRY = 1, /* a comment block that begins an entry: "--", lines, "--"; the fields of `entry` are set            */
    PG_META,      /* a psql meta-command at a line's begin outside of a statement: \restrict, \unrestrict, \connect, …  */
    PG_STATEMENT, /* text without the final ';'; whether `copy` says that data follow                                    */
    PG_COPY_DATA, /* some bytes of the data, whole lines or pieces of long ones, without the final "\."                    */
    PG_COPY_END,  /* the line "\." was read                                                                                */
    PG_SCRIPT_END /* the input ended where a script may end                                                                */
};

/* What an entry's comment says. Text is as it stands there (pg_dump writes line breaks in names as spaces), NULL when it
 * says nothing; valid until the next call. */
struct pg_entry {
    const char *name, *type, *schema, *owner; /* -- [Data for ]Name: …; Type: …; Schema: …; Owner: …        */
    bool data;                                /* "Data for Name"                                            */
    const char *table;  /* -- Table: …     ours: the table it belongs to, unescaped: "public.\"a b\""        */
    uint32_t dump_id, class_oid, oid;         /* -- TOC entry N (class C OID O)    of pg_dump --verbose; or 0 */
    const uint32_t *dependencies;             /* -- Dependencies: …                                         */
    size_t dependency_count;
};

struct pg_token {
    enum pg_token_kind kind;
    const char *text; /* the statement, the meta-command's line without its break, COPY data; NUL-terminated but for data;
                       * valid until the next call */
    size_t size;
    bool copy;             /* PG_STATEMENT: COPY … FROM stdin                                                         */
    uint64_t begin, end;   /* bytes of the input that it takes: an entry from its first "--" to after its last line's break;
                            * a statement from its first byte to after the ';'. White space and other comments between
                            * tokens belong to none. */
    uint64_t line;         /* of its first byte, from 1                                                               */
    struct pg_entry entry; /* PG_ENTRY */
};

struct pg_script;

/* `more` gives the next piece of the input: its size, 0 at the end, or a negative code, which pg_script_next returns as it
 * is. The piece stays valid until the next call. NULL: out of memory. */
typedef int64_t pg_script_more(void *arg, const void **ret_data);
struct pg_script *pg_script_new(pg_script_more *more, void *arg);
void pg_script_free(struct pg_script *);

/* HF_OK and *ret_token; HF_E_CORRUPT when the input ends within a quote, a comment, a statement or COPY data, or is no such
 * script (then *ret_problem, if not NULL, says what and in which line; valid until freed); HF_E_NOMEM; what `more` gave. */
int pg_script_next(struct pg_script *, struct pg_token *ret_token, const char **ret_problem);

/* A "-- Table: " comment's text for a table's name: '\' and line breaks escaped. Free it; NULL: out of memory. */
char *pg_script_escape(const char *table);

/* A "COPY name (columns) FROM stdin" statement taken apart; both point into `text` and are not terminated. columns: with
 * its parentheses; size 0 when there are none. false: it is no such statement. */
bool pg_script_copy_parts(const char *text, size_t size, const char **ret_name, size_t *ret_name_size,
                          const char **ret_columns, size_t *ret_columns_size);

#endif
