/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a statement ends. The rules are those of psql's lexer (src/fe_utils/psqlscan.l), as a machine that can stop
 * after any byte. It parts from psql in one thing: a body begins at BEGIN ATOMIC, not at any BEGIN, so that a function
 * that is called "begin", which pg_dump writes without quotes, does not swallow the rest of the script.
 */
#include <stdlib.h>
#include <string.h>

#include "script_inside.h"

enum byte_class {
    OTHER = 0,
    SPACE,
    BREAK,
    WORD,
    DIGIT,
    QUOTE,
    DQUOTE,
    DOLLAR,
    DASH,
    SLASH,
    OPEN,
    CLOSE,
    END,
    BACKSLASH
};

/* clang-format off */
static const unsigned char classes[256] = {
    [' '] = SPACE, ['\t'] = SPACE, ['\f'] = SPACE, ['\v'] = SPACE, ['\n'] = BREAK, ['\r'] = BREAK,
    ['0' ... '9'] = DIGIT, ['A' ... 'Z'] = WORD, ['a' ... 'z'] = WORD, ['_'] = WORD, [0x80 ... 0xff] = WORD,
    ['\''] = QUOTE, ['"'] = DQUOTE, ['$'] = DOLLAR, ['-'] = DASH, ['/'] = SLASH, ['('] = OPEN, [')'] = CLOSE,
    [';'] = END, ['\\'] = BACKSLASH,
};
/* clang-format on */

static inline enum byte_class class_of(char byte)
{
    return (enum byte_class)classes[(unsigned char)byte];
}

static inline bool in_tag(char byte)
{
    return class_of(byte) == WORD || class_of(byte) == DIGIT;
}

void pg_lex_clear(struct pg_lex *lex)
{
    pg_bytes_clear(&lex->tag);
}

void pg_lex_begin(struct pg_lex *lex, enum pg_lex_state state)
{
    struct pg_bytes tag = lex->tag;
    pg_bytes_empty(&tag);
    *lex = (struct pg_lex){.state = state, .tag = tag};
}

/* ---- words ---- */

static bool is(const struct pg_lex *lex, const char *word)
{
    return strlen(word) == lex->word_size && memcmp(lex->word, word, lex->word_size) == 0;
}

static void note_first_words(struct pg_lex *lex)
{
    static const char *const matter[] = {"create", "or", "replace", "function", "procedure"};
    char initial = 0;
    for (size_t i = 0; i < sizeof(matter) / sizeof(*matter) && !initial; i++)
        initial = is(lex, matter[i]) ? matter[i][0] : 0;
    lex->begin[lex->words] = initial;
    lex->copy = lex->copy || (lex->words == 0 && is(lex, "copy"));
    const char *begin = lex->begin;
    lex->routine = begin[0] == 'c' && (begin[1] == 'f' || begin[1] == 'p' ||
                                       (begin[1] == 'o' && begin[2] == 'r' && (begin[3] == 'f' || begin[3] == 'p')));
}

static void end_word(struct pg_lex *lex)
{
    bool after_begin = lex->after == PG_AFTER_BEGIN;
    lex->after = PG_AFTER_OTHER;
    if (lex->words < sizeof(lex->begin))
        note_first_words(lex);
    lex->words++;
    if (!lex->routine || lex->parens > 0)
        return;
    if (lex->bodies == 0) {
        if (is(lex, "begin"))
            lex->after = PG_AFTER_BEGIN;
        else if (after_begin && is(lex, "atomic"))
            lex->bodies = 1;
    } else if (is(lex, "case")) {
        lex->bodies++;
    } else if (is(lex, "end")) {
        lex->bodies--;
    }
}

static const char *take_word(struct pg_lex *lex, const char *at, const char *end)
{
    size_t size = lex->word_size;
    for (; at < end && (in_tag(*at) || *at == '$'); at++) {
        if (size < sizeof(lex->word))
            lex->word[size++] = (char)(*at | 0x20);
    }
    lex->word_size = size;
    if (at == end)
        return at;
    if (*at == '\'' && size == 1 && lex->word[0] == 'e') {
        lex->after = PG_AFTER_OTHER;
        lex->state = PG_LEX_ESCAPES;
        return at + 1;
    }
    end_word(lex);
    lex->state = PG_LEX_PLAIN;
    return at;
}

/* ---- dollar quotes ---- */

static const char *take_tag(struct pg_lex *lex, const char *at, const char *end, enum pg_lexed *ret)
{
    const char *from = at;
    if (at < end && lex->tag.used == 1 && class_of(*at) == DIGIT) { /* a parameter */
        lex->state = PG_LEX_PLAIN;
        return at;
    }
    while (at < end && in_tag(*at))
        at++;
    bool complete = at < end && *at == '$';
    if (complete)
        at++;
    else if (at < end)
        lex->state = PG_LEX_PLAIN;
    if (!pg_bytes_add(&lex->tag, from, (size_t)(at - from)))
        *ret = PG_LEXED_NOMEM;
    if (complete) {
        lex->state = PG_LEX_DOLLARS;
        lex->tag_matched = 0;
    }
    return at;
}

/* A tag has '$' at its ends alone, so that what fails to match can only begin a match with its last byte. */
static const char *skip_dollars(struct pg_lex *lex, const char *at, const char *end)
{
    const char *tag = lex->tag.data;
    while (at < end) {
        if (lex->tag_matched == 0) {
            at = memchr(at, '$', (size_t)(end - at));
            if (!at)
                return end;
            lex->tag_matched = 1;
        } else if (*at == tag[lex->tag_matched]) {
            if (++lex->tag_matched == lex->tag.used) {
                lex->state = PG_LEX_PLAIN;
                return at + 1;
            }
        } else {
            lex->tag_matched = *at == '$';
        }
        at++;
    }
    return at;
}

/* ---- quotes and comments ---- */

/* To after the byte, if it is there. */
static const char *skip_to(struct pg_lex *lex, const char *at, const char *end, char byte)
{
    const char *found = memchr(at, byte, (size_t)(end - at));
    if (!found)
        return end;
    lex->state = PG_LEX_PLAIN;
    return found + 1;
}

static const char *skip_escapes(struct pg_lex *lex, const char *at, const char *end)
{
    while (at < end && *at != '\'' && *at != '\\')
        at++;
    if (at == end)
        return at;
    lex->state = *at == '\\' ? PG_LEX_ESCAPED : PG_LEX_ESCAPES_END;
    return at + 1;
}

static const char *skip_line(struct pg_lex *lex, const char *at, const char *end)
{
    while (at < end && class_of(*at) != BREAK)
        at++;
    if (at < end)
        lex->state = PG_LEX_PLAIN;
    return at;
}

size_t pg_lex_comment(struct pg_lex *lex, const char *data, size_t size)
{
    const char *at = data, *end = data + size;
    for (; at < end && lex->state != PG_LEX_PLAIN; at++) {
        enum pg_lex_state was = lex->state;
        lex->state = *at == '*' ? PG_LEX_BLOCK_STAR : *at == '/' ? PG_LEX_BLOCK_SLASH : PG_LEX_BLOCK;
        if (was == PG_LEX_BLOCK_STAR && *at == '/') {
            lex->state = lex->comments > 0 ? PG_LEX_BLOCK : PG_LEX_PLAIN;
            lex->comments -= lex->comments > 0;
        } else if (was == PG_LEX_BLOCK_SLASH && *at == '*') {
            lex->state = PG_LEX_BLOCK;
            lex->comments++;
        }
    }
    return (size_t)(at - data);
}

/* ---- statements ---- */

static const char *begin_token(struct pg_lex *lex, const char *at, enum byte_class class, enum pg_lexed *ret)
{
    enum pg_lex_after after = lex->after;
    lex->after = PG_AFTER_OTHER;
    switch (class) {
    case QUOTE:
        lex->state = after == PG_AFTER_ESCAPES_BREAK ? PG_LEX_ESCAPES : PG_LEX_STRING;
        break;
    case DQUOTE:
        lex->state = PG_LEX_NAME;
        break;
    case DOLLAR:
        lex->state = PG_LEX_TAG;
        lex->tag.used = 0;
        if (!pg_bytes_add(&lex->tag, at, 1))
            *ret = PG_LEXED_NOMEM;
        break;
    case OPEN:
        lex->parens++;
        break;
    case CLOSE:
        lex->parens -= lex->parens > 0;
        break;
    case END:
        if (lex->parens == 0 && lex->bodies == 0)
            *ret = PG_LEXED_STATEMENT;
        break;
    case BACKSLASH:
        *ret = PG_LEXED_BACKSLASH;
        return at;
    default:
        break;
    }
    return at + 1;
}

static const char *take_plain(struct pg_lex *lex, const char *at, const char *end, enum pg_lexed *ret)
{
    while (at < end && lex->state == PG_LEX_PLAIN && *ret == PG_LEXED_MORE) {
        enum byte_class class = class_of(*at);
        if (class == SPACE) {
            at++;
        } else if (class == OTHER || class == DIGIT) {
            lex->after = PG_AFTER_OTHER;
            at++;
        } else if (class == BREAK) {
            if (lex->after == PG_AFTER_ESCAPES)
                lex->after = PG_AFTER_ESCAPES_BREAK;
            at++;
        } else if (class == WORD) {
            lex->state = PG_LEX_WORD;
            lex->word_size = 0;
        } else if (class == DASH || class == SLASH) {
            lex->state = class == DASH ? PG_LEX_DASH : PG_LEX_SLASH;
            at++;
        } else {
            at = begin_token(lex, at, class, ret);
        }
    }
    return at;
}

/* The second byte after '-' or '/'. Within an operator, too, a comment begins with it. */
static const char *take_second(struct pg_lex *lex, const char *at)
{
    if (lex->state == PG_LEX_DASH && *at == '-') {
        lex->state = PG_LEX_LINE;
        return at + 1;
    }
    if (lex->state == PG_LEX_SLASH && *at == '*') {
        if (lex->after != PG_AFTER_BEGIN) /* a string does not go on behind such a comment */
            lex->after = PG_AFTER_OTHER;
        lex->state = PG_LEX_BLOCK;
        lex->comments = 0;
        return at + 1;
    }
    lex->after = PG_AFTER_OTHER;
    lex->state = PG_LEX_PLAIN;
    return at;
}

static const char *take_escapes_end(struct pg_lex *lex, const char *at)
{
    if (*at == '\'') {
        lex->state = PG_LEX_ESCAPES;
        return at + 1;
    }
    lex->after = PG_AFTER_ESCAPES;
    lex->state = PG_LEX_PLAIN;
    return at;
}

static const char *take_some(struct pg_lex *lex, const char *at, const char *end, enum pg_lexed *ret)
{
    switch (lex->state) {
    case PG_LEX_PLAIN:
        return take_plain(lex, at, end, ret);
    case PG_LEX_DASH:
    case PG_LEX_SLASH:
        return take_second(lex, at);
    case PG_LEX_WORD:
        return take_word(lex, at, end);
    case PG_LEX_TAG:
        return take_tag(lex, at, end, ret);
    case PG_LEX_DOLLARS:
        return skip_dollars(lex, at, end);
    case PG_LEX_STRING:
        return skip_to(lex, at, end, '\'');
    case PG_LEX_NAME:
        return skip_to(lex, at, end, '"');
    case PG_LEX_ESCAPES:
        return skip_escapes(lex, at, end);
    case PG_LEX_ESCAPED:
        lex->state = PG_LEX_ESCAPES;
        return at + 1;
    case PG_LEX_ESCAPES_END:
        return take_escapes_end(lex, at);
    case PG_LEX_LINE:
        return skip_line(lex, at, end);
    case PG_LEX_BLOCK:
    case PG_LEX_BLOCK_STAR:
    case PG_LEX_BLOCK_SLASH:
        break;
    }
    return at + pg_lex_comment(lex, at, (size_t)(end - at));
}

size_t pg_lex_statement(struct pg_lex *lex, const char *data, size_t size, enum pg_lexed *ret)
{
    const char *at = data, *end = data + size;
    *ret = PG_LEXED_MORE;
    while (at < end && *ret == PG_LEXED_MORE)
        at = take_some(lex, at, end, ret);
    return (size_t)(at - data);
}

const char *pg_lex_within(const struct pg_lex *lex)
{
    switch (lex->state) {
    case PG_LEX_DOLLARS:
        return "a dollar-quoted string";
    case PG_LEX_STRING:
    case PG_LEX_ESCAPES:
    case PG_LEX_ESCAPED:
        return "a string";
    case PG_LEX_NAME:
        return "a quoted name";
    case PG_LEX_BLOCK:
    case PG_LEX_BLOCK_STAR:
    case PG_LEX_BLOCK_SLASH:
        return "a comment";
    default:
        return lex->parens > 0 ? "parentheses" : lex->bodies > 0 ? "a function's body" : "a statement";
    }
}
