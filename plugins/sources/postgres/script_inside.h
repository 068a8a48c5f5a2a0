/* SPDX-License-Identifier: Apache-2.0
 *
 * Within the script reader: script (what comes between statements, COPY data), script_lex (a statement's end),
 * script_scan (bytes, fast), script_entry (comments and COPY statements taken apart). All of them can stop at any byte
 * and go on with the next piece of input.
 */
#ifndef HOLDFAST_POSTGRES_SCRIPT_INSIDE_H
#define HOLDFAST_POSTGRES_SCRIPT_INSIDE_H

#include "script.h"

/* ---- bytes that grow ---- */

struct pg_bytes {
    char *data; /* NULL at first; always with room for a NUL after `used` otherwise */
    size_t used, room;
};
bool pg_bytes_add(struct pg_bytes *, const char *, size_t); /* false: out of memory */
/* Empties it, and gives back what only a giant needed. */
void pg_bytes_empty(struct pg_bytes *);
void pg_bytes_clear(struct pg_bytes *);

/* ---- lex: one statement ---- */

enum pg_lex_state {
    PG_LEX_PLAIN = 0,
    PG_LEX_DASH,        /* '-': an operator, or half of "--"                                */
    PG_LEX_SLASH,       /* '/': an operator, or half of a comment's begin                   */
    PG_LEX_WORD,        /* a name without quotes, or a keyword                              */
    PG_LEX_TAG,         /* '$', and what may become a dollar quote's tag                    */
    PG_LEX_DOLLARS,     /* within $tag$…$tag$                                               */
    PG_LEX_STRING,      /* within '…'                                                       */
    PG_LEX_ESCAPES,     /* within E'…'                                                      */
    PG_LEX_ESCAPED,     /* after its '\'                                                    */
    PG_LEX_ESCAPES_END, /* after its "'", which may be the first of two                     */
    PG_LEX_NAME,        /* within "…"                                                       */
    PG_LEX_LINE,        /* within -- …                                                      */
    PG_LEX_BLOCK,       /* within a comment that may nest                                   */
    PG_LEX_BLOCK_STAR,
    PG_LEX_BLOCK_SLASH
};

/* What the next token may depend on. White space and comments do not count as tokens. */
enum pg_lex_after {
    PG_AFTER_OTHER = 0,
    PG_AFTER_BEGIN,   /* BEGIN: is it BEGIN ATOMIC?                                     */
    PG_AFTER_ESCAPES, /* E'…': with a line break between, '…' goes on with it           */
    PG_AFTER_ESCAPES_BREAK
};

enum pg_lexed { PG_LEXED_MORE = 0, PG_LEXED_STATEMENT, PG_LEXED_BACKSLASH, PG_LEXED_NOMEM };

struct pg_lex {
    enum pg_lex_state state;
    enum pg_lex_after after;
    uint64_t parens, comments; /* open ones; comments: beyond the first                       */
    uint64_t bodies;           /* BEGIN ATOMIC, and the CASEs within                          */
    uint64_t words;            /* seen so far                                                 */
    char begin[4];             /* of the first words, the initial of those that matter        */
    bool routine, copy;        /* CREATE [OR REPLACE] FUNCTION or PROCEDURE; COPY             */
    char word[10];             /* in lower case: the longest that matters, and one more       */
    size_t word_size;
    struct pg_bytes tag; /* "$tag$" */
    size_t tag_matched;
};
void pg_lex_clear(struct pg_lex *);
void pg_lex_begin(struct pg_lex *, enum pg_lex_state); /* of its first byte, if that is '-' or '/' */
/* How many of the bytes belong to the statement: all of them, or up to its ';' (or up to a '\' where none may stand).
 */
size_t pg_lex_statement(struct pg_lex *, const char *, size_t, enum pg_lexed *ret);
/* The same for a comment alone, from PG_LEX_BLOCK until the state is PG_LEX_PLAIN. */
size_t pg_lex_comment(struct pg_lex *, const char *, size_t);
const char *pg_lex_within(const struct pg_lex *); /* what is open, for people */

/* ---- scan ---- */

size_t pg_scan_lines(const char *, size_t); /* how many line breaks */
/* How many bytes of COPY data come before a line that begins with "\.", before a NUL, or before the end; if the end may
 * be the begin of such a line, before that line's '\'. `data` does not begin a line. */
size_t pg_scan_copy(const char *data, size_t, uint64_t *ret_lines);

/* ---- entry ---- */

struct pg_dependencies {
    uint32_t *items;
    size_t count, room;
};
/* Takes a block's lines apart, in place; the last one has its break, too. 1: it is an entry's, 0: it is not, or
 * HF_E_NOMEM. */
int pg_entry_parse(char *block, size_t size, struct pg_dependencies *, struct pg_entry *ret_entry);

#endif
