/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader: what stands between statements, and COPY data. Each step takes some of the piece at hand and leaves a
 * mode behind, so that it does not matter where pieces end; what a token needs whole is gathered in `text`.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holdfast/types.h"
#include "script_inside.h"

enum { MAGIC = 0x70677363, COMMENT_MAX = 64 << 20, KEPT_ROOM = 4 << 20 };

enum mode {
    BETWEEN = 0, /* tokens                                                                     */
    DASH,        /* '-' between tokens                                                         */
    SLASH,
    COMMENT,    /* "--", to the end of the line                                               */
    COMMENT_CR, /* its '\r', which a '\n' may belong to                                       */
    BLOCK,
    STATEMENT,
    META,
    COPY_LINE,  /* what is left of the line of COPY … FROM stdin                              */
    COPY,       /* within a line of data                                                      */
    COPY_BEGIN, /* at a line's begin                                                          */
    COPY_MARK,  /* after '\', '\.' or '\.\r' there, which are not passed on before they are known to be data */
    ENDED
};

struct pg_script {
    unsigned magic;
    enum mode mode;
    pg_script_more *more;
    void *arg;
    const char *at, *end;  /* of the piece, what was not taken yet */
    uint64_t offset, line; /* of `at` */
    bool eof;
    bool line_begin;                      /* between tokens: nothing but the line's break is before `at` */
    uint64_t begin, begin_line;           /* of the token at hand */
    struct pg_bytes text;                 /* of the token at hand: a statement, a meta-command, comment lines */
    bool block;                           /* `text` begins with the line "--", and nothing but comment lines followed */
    bool keep;                            /* the comment line at hand is being kept */
    uint64_t comment_begin, comment_line; /* of that line */
    size_t comment_at;                    /* where it is in `text` */
    struct pg_lex lex;
    size_t marked; /* COPY_MARK: bytes held back */
    struct pg_dependencies dependencies;
    int failed; /* what every later call returns, too */
    char problem[200];
};

/* ---- bytes ---- */

bool pg_bytes_add(struct pg_bytes *bytes, const char *data, size_t size)
{
    if (size >= bytes->room - bytes->used) {
        size_t need = bytes->used + size + 1, room = bytes->room ? bytes->room * 2 : 256;
        room = room < need ? need : room;
        char *grown = need > size ? realloc(bytes->data, room) : NULL;
        if (!grown)
            return false;
        bytes->data = grown;
        bytes->room = room;
    }
    memcpy(bytes->data + bytes->used, data, size);
    bytes->used += size;
    bytes->data[bytes->used] = 0;
    return true;
}

void pg_bytes_clear(struct pg_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct pg_bytes){0};
}

void pg_bytes_empty(struct pg_bytes *bytes)
{
    if (bytes->room > KEPT_ROOM)
        pg_bytes_clear(bytes);
    bytes->used = 0;
}

/* ---- steps: 0 go on, 1 a token is there, or a code ---- */

enum { GO_ON = 0, TOKEN = 1 };

static int HF_PRINTF(2, 3) corrupt(struct pg_script *script, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(script->problem, sizeof(script->problem), format, args);
    va_end(args);
    script->failed = HF_E_CORRUPT;
    return HF_E_CORRUPT;
}

static unsigned long long number(uint64_t line)
{
    return (unsigned long long)line;
}

static size_t left(const struct pg_script *script)
{
    return (size_t)(script->end - script->at);
}

/* Bytes are done with. Nowhere in a script may a NUL be. */
static int take(struct pg_script *script, size_t size)
{
    const char *nul = memchr(script->at, 0, size);
    script->line += pg_scan_lines(script->at, nul ? (size_t)(nul - script->at) : size);
    if (nul)
        return corrupt(script, "line %llu: a NUL byte", number(script->line));
    script->at += size;
    script->offset += size;
    return GO_ON;
}

/* The same, and they belong to the token. */
static int keep(struct pg_script *script, size_t size, size_t limit)
{
    const char *from = script->at;
    int result = take(script, size);
    if (result < 0)
        return result;
    if (size > limit - script->text.used)
        return corrupt(script, "line %llu: %s that begins there is longer than %zu MiB", number(script->begin_line),
                       script->mode == STATEMENT ? "the statement" : "the line", limit >> 20);
    if (!pg_bytes_add(&script->text, from, size))
        return script->failed = HF_E_NOMEM;
    return GO_ON;
}

static void begin(struct pg_script *script)
{
    pg_bytes_empty(&script->text);
    script->block = false;
    script->begin = script->offset;
    script->begin_line = script->line;
}

static int token(struct pg_script *script, struct pg_token *token, enum pg_token_kind kind, const char *text,
                 size_t size)
{
    *token = (struct pg_token){.kind = kind,
                               .text = text,
                               .size = size,
                               .begin = script->begin,
                               .end = script->offset,
                               .line = script->begin_line};
    return TOKEN;
}

/* ---- statements and meta-commands ---- */

static int statement(struct pg_script *script, struct pg_token *ret)
{
    enum pg_lexed lexed;
    size_t size = pg_lex_statement(&script->lex, script->at, left(script), &lexed);
    int result = keep(script, size, PG_STATEMENT_MAX);
    if (result < 0)
        return result;
    if (lexed == PG_LEXED_NOMEM)
        return script->failed = HF_E_NOMEM;
    if (lexed == PG_LEXED_BACKSLASH)
        return corrupt(script, "line %llu: a '\\' within a statement, but not within quotes", number(script->line));
    if (lexed == PG_LEXED_MORE)
        return GO_ON;
    const char *name, *columns;
    size_t name_size, columns_size;
    script->text.data[--script->text.used] = 0;
    token(script, ret, PG_STATEMENT, script->text.data, script->text.used);
    ret->copy =
        script->lex.copy && pg_script_copy_parts(ret->text, ret->size, &name, &name_size, &columns, &columns_size);
    script->mode = ret->copy ? COPY_LINE : BETWEEN;
    script->line_begin = false;
    return TOKEN;
}

static int end_meta(struct pg_script *script, struct pg_token *ret)
{
    struct pg_bytes *text = &script->text;
    while (text->used > 0 && (text->data[text->used - 1] == '\n' || text->data[text->used - 1] == '\r'))
        text->data[--text->used] = 0;
    script->mode = BETWEEN;
    script->line_begin = true;
    return token(script, ret, PG_META, text->data, text->used);
}

static int meta(struct pg_script *script, struct pg_token *ret)
{
    const char *end = memchr(script->at, '\n', left(script));
    int result = keep(script, end ? (size_t)(end + 1 - script->at) : left(script), COMMENT_MAX);
    return result < 0 || !end ? result : end_meta(script, ret);
}

/* ---- between tokens ---- */

/* A comment line is whole. The line "--" begins a block, or ends it; if that is no entry's, it may begin another one.
 */
static int end_comment(struct pg_script *script, struct pg_token *ret)
{
    struct pg_bytes *text = &script->text;
    script->mode = BETWEEN;
    script->line_begin = true;
    if (!script->keep)
        return GO_ON;
    size_t at = script->comment_at, size = text->used - at;
    bool bare = size == 2 || text->data[at + 2] == '\n' || text->data[at + 2] == '\r';
    if (bare && script->block) {
        int is_entry = pg_entry_parse(text->data, at, &script->dependencies, &ret->entry);
        if (is_entry < 0)
            return script->failed = is_entry;
        script->block = false;
        if (is_entry) {
            struct pg_entry entry = ret->entry;
            token(script, ret, PG_ENTRY, "", 0);
            ret->entry = entry;
            return TOKEN;
        }
    }
    if (bare) {
        memmove(text->data, text->data + at, size);
        text->used = size;
        script->begin = script->comment_begin;
        script->begin_line = script->comment_line;
        script->block = true;
    } else if (!script->block) {
        pg_bytes_empty(text);
    }
    return GO_ON;
}

static int comment(struct pg_script *script, struct pg_token *ret)
{
    size_t size = 0;
    while (size < left(script) && script->at[size] != '\n' && script->at[size] != '\r')
        size++;
    if (size > 0 && !script->block)
        script->keep = false;
    int break_byte = size < left(script) ? script->at[size] : 0;
    size += break_byte != 0;
    int result = script->keep ? keep(script, size, COMMENT_MAX) : take(script, size);
    if (result < 0 || !break_byte)
        return result;
    script->mode = COMMENT_CR;
    return break_byte == '\r' ? GO_ON : end_comment(script, ret);
}

static int comment_cr(struct pg_script *script, struct pg_token *ret)
{
    int result = GO_ON;
    if (*script->at == '\n')
        result = script->keep ? keep(script, 1, COMMENT_MAX) : take(script, 1);
    return result < 0 ? result : end_comment(script, ret);
}

/* '-' or '/' was there: does a comment begin? Else it was a statement's first byte, if not a sensible one. */
static int second(struct pg_script *script)
{
    bool dash = script->mode == DASH;
    if (dash && *script->at == '-') {
        script->mode = COMMENT;
        script->keep = script->line_begin;
        script->comment_at = script->text.used;
        if (script->keep && !pg_bytes_add(&script->text, "--", 2))
            return script->failed = HF_E_NOMEM;
        return take(script, 1);
    }
    if (!dash && *script->at == '*') {
        script->mode = BLOCK;
        pg_lex_begin(&script->lex, PG_LEX_BLOCK);
        return take(script, 1);
    }
    begin(script);
    script->begin--;
    script->mode = STATEMENT;
    pg_lex_begin(&script->lex, dash ? PG_LEX_DASH : PG_LEX_SLASH);
    return pg_bytes_add(&script->text, dash ? "-" : "/", 1) ? GO_ON : (script->failed = HF_E_NOMEM);
}

static int block_comment(struct pg_script *script)
{
    int result = take(script, pg_lex_comment(&script->lex, script->at, left(script)));
    if (script->lex.state == PG_LEX_PLAIN) {
        script->mode = BETWEEN;
        script->line_begin = false;
    }
    return result;
}

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static int between(struct pg_script *script)
{
    size_t spaces = 0;
    while (spaces < left(script) && is_space(script->at[spaces]))
        spaces++;
    if (spaces > 0) {
        char last = script->at[spaces - 1];
        script->line_begin = last == '\n' || last == '\r';
        script->block = false;
        return take(script, spaces);
    }
    if (*script->at == '-' && script->line_begin && script->block) {
        script->comment_begin = script->offset;
        script->comment_line = script->line;
        script->mode = DASH;
        return take(script, 1);
    }
    begin(script);
    script->comment_begin = script->begin;
    script->comment_line = script->begin_line;
    switch (*script->at) {
    case '-':
    case '/':
        script->mode = *script->at == '-' ? DASH : SLASH;
        return take(script, 1);
    case '\\':
        script->mode = META;
        return GO_ON;
    default:
        script->mode = STATEMENT;
        pg_lex_begin(&script->lex, PG_LEX_PLAIN);
        return GO_ON;
    }
}

/* ---- COPY data ---- */

static int copy_line(struct pg_script *script)
{
    size_t spaces = 0;
    while (spaces < left(script) && is_space(script->at[spaces]) && script->at[spaces] != '\n')
        spaces++;
    if (spaces > 0)
        return take(script, spaces);
    if (*script->at != '\n')
        return corrupt(script, "line %llu: text after COPY … FROM stdin, where its data should begin",
                       number(script->line));
    script->mode = COPY_BEGIN;
    return take(script, 1);
}

static int copy(struct pg_script *script, struct pg_token *ret)
{
    uint64_t lines = 0;
    size_t size = pg_scan_copy(script->at, left(script), &lines);
    const char *from = script->at;
    if (size == 0)
        return corrupt(script, "line %llu: a NUL byte", number(script->line));
    script->begin = script->offset;
    script->begin_line = script->line;
    script->at += size;
    script->offset += size;
    script->line += lines;
    script->mode = script->at[-1] == '\n' ? COPY_BEGIN : COPY;
    return token(script, ret, PG_COPY_DATA, from, size);
}

static int copy_begin(struct pg_script *script)
{
    if (*script->at != '\\') {
        script->mode = COPY;
        return GO_ON;
    }
    script->begin = script->offset;
    script->begin_line = script->line;
    script->mode = COPY_MARK;
    script->marked = 1;
    return take(script, 1);
}

static int end_copy(struct pg_script *script, struct pg_token *ret)
{
    script->mode = BETWEEN;
    script->line_begin = true;
    return token(script, ret, PG_COPY_END, "\\.", 2);
}

static int copy_mark(struct pg_script *script, struct pg_token *ret)
{
    static const char mark[] = "\\.\r";
    char byte = *script->at;
    if (byte == '\n' && script->marked >= 2) {
        int result = take(script, 1);
        return result < 0 ? result : end_copy(script, ret);
    }
    if (byte && byte == mark[script->marked]) {
        script->marked++;
        return take(script, 1);
    }
    script->mode = COPY;
    return token(script, ret, PG_COPY_DATA, mark, script->marked);
}

/* ---- the end, and all together ---- */

static int at_end(struct pg_script *script, struct pg_token *ret)
{
    switch (script->mode) {
    case BETWEEN:
    case ENDED:
        begin(script);
        script->mode = ENDED;
        return token(script, ret, PG_SCRIPT_END, "", 0);
    case COMMENT:
    case COMMENT_CR:
        return end_comment(script, ret);
    case META:
        return end_meta(script, ret);
    case COPY_MARK:
        if (script->marked >= 2)
            return end_copy(script, ret);
        break;
    case BLOCK:
        return corrupt(script, "line %llu: the script ends within the comment that begins there",
                       number(script->begin_line));
    case DASH:
    case SLASH:
    case STATEMENT:
        return corrupt(script, "line %llu: the script ends within %s; the statement begins in line %llu",
                       number(script->line), script->mode == STATEMENT ? pg_lex_within(&script->lex) : "a statement",
                       number(script->begin_line));
    case COPY_LINE:
    case COPY:
    case COPY_BEGIN:
        break;
    }
    return corrupt(script, "line %llu: the script ends within the data of COPY, without the line '\\.'",
                   number(script->line));
}

static int step(struct pg_script *script, struct pg_token *ret)
{
    switch (script->mode) {
    case BETWEEN:
    case ENDED:
        return between(script);
    case DASH:
    case SLASH:
        return second(script);
    case COMMENT:
        return comment(script, ret);
    case COMMENT_CR:
        return comment_cr(script, ret);
    case BLOCK:
        return block_comment(script);
    case STATEMENT:
        return statement(script, ret);
    case META:
        return meta(script, ret);
    case COPY_LINE:
        return copy_line(script);
    case COPY:
        return copy(script, ret);
    case COPY_BEGIN:
        return copy_begin(script);
    case COPY_MARK:
        break;
    }
    return copy_mark(script, ret);
}

int pg_script_next(struct pg_script *script, struct pg_token *ret_token, const char **ret_problem)
{
    struct pg_token token = {0};
    int result = GO_ON;
    assert(script->magic == MAGIC);
    while (result == GO_ON && script->failed == 0) {
        if (script->at < script->end) {
            result = step(script, &token);
        } else if (script->eof) {
            result = at_end(script, &token);
        } else {
            const void *piece = NULL;
            int64_t size = script->more(script->arg, &piece);
            if (size < 0)
                return (int)size;
            script->eof = size == 0;
            script->at = piece;
            script->end = script->eof ? script->at : script->at + size;
        }
    }
    if (script->failed == 0) {
        *ret_token = token;
        return HF_OK;
    }
    if (script->failed == HF_E_CORRUPT && ret_problem)
        *ret_problem = script->problem;
    return script->failed;
}

struct pg_script *pg_script_new(pg_script_more *more, void *arg)
{
    struct pg_script *script = calloc(1, sizeof(*script));
    if (!script)
        return NULL;
    script->magic = MAGIC;
    script->more = more;
    script->arg = arg;
    script->line = 1;
    script->line_begin = true;
    return script;
}

void pg_script_free(struct pg_script *script)
{
    if (!script)
        return;
    assert(script->magic == MAGIC);
    script->magic = 0;
    pg_bytes_clear(&script->text);
    pg_lex_clear(&script->lex);
    free(script->dependencies.items);
    free(script);
}
