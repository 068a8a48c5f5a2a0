/* SPDX-License-Identifier: Apache-2.0 */
#include "render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holdfast/types.h"

struct reading {
    const char *input;
    size_t size, given, piece;
    uint32_t random;
    char *last; /* an allocation as large as the piece, so that a sanitizer sees what is read beyond it, or too late */
    FILE *out;
    int flags;
    uint64_t taken; /* where the last token ended */
    bool copying;   /* data were shown last */
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static int64_t more(void *arg, const void **ret_data)
{
    struct reading *reading = arg;
    size_t left = reading->size - reading->given, size = reading->piece;
    free(reading->last);
    reading->last = NULL;
    if (size == 0) {
        reading->random = reading->random * 1103515245u + 12345u;
        size = 1 + (reading->random >> 16) % 50;
    }
    size = size < left ? size : left;
    if (size == 0)
        return 0;
    reading->last = malloc(size);
    must(reading->last != NULL);
    memcpy(reading->last, reading->input + reading->given, size);
    reading->given += size;
    *ret_data = reading->last;
    return (int64_t)size;
}

static void show(FILE *out, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n')
            fputs("¶", out);
        else if (text[i] == '\r')
            fputs("␍", out);
        else
            fputc(text[i], out);
    }
}

static const char *skip_block(const char *at, const char *end)
{
    uint64_t depth = 0;
    do {
        must(end - at >= 2);
        int change = !memcmp(at, "/*", 2) - !memcmp(at, "*/", 2);
        depth += (uint64_t)(int64_t)change;
        at += change ? 2 : 1;
    } while (depth > 0);
    return at;
}

static void check_gap(const char *at, const char *end)
{
    while (at < end) {
        if (strchr(" \t\n\r\f\v", *at)) {
            must(*at++ != 0);
        } else if (end - at >= 2 && !memcmp(at, "--", 2)) {
            while (at < end && *at != '\n' && *at != '\r')
                at++;
        } else {
            at = skip_block(at, end);
        }
    }
}

static void check_place(struct reading *reading, const struct pg_token *token)
{
    const char *input = reading->input;
    must(token->begin >= reading->taken && token->begin <= token->end && token->end <= reading->size);
    if (!reading->copying || token->begin > reading->taken)
        check_gap(input + reading->taken, input + token->begin);
    reading->taken = token->end;
    if (token->kind == PG_STATEMENT)
        must(token->end - token->begin == token->size + 1 && input[token->end - 1] == ';');
    if (token->kind == PG_COPY_DATA)
        must(token->end - token->begin == token->size && token->size > 0);
    if (token->kind == PG_STATEMENT || token->kind == PG_COPY_DATA || token->kind == PG_META)
        must(memcmp(input + token->begin, token->text, token->size) == 0);
    if (token->kind == PG_STATEMENT || token->kind == PG_META)
        must(token->text[token->size] == 0 && strlen(token->text) == token->size);
    if (token->kind == PG_ENTRY)
        must(!memcmp(input + token->begin, "--", 2) && token->end - token->begin >= 8);
}

static void show_entry(FILE *out, const struct pg_entry *entry)
{
    const char *fields[] = {entry->name, entry->type, entry->schema, entry->owner};
    for (int i = 0; i < 4; i++) {
        const char *text = fields[i] ? fields[i] : "NULL";
        fputs(i ? "|" : "", out);
        show(out, text, strlen(text));
    }
    if (entry->data)
        fputs("|data", out);
    if (entry->table) {
        fputs("|table=", out);
        show(out, entry->table, strlen(entry->table));
    }
    if (entry->dump_id)
        fprintf(out, "|toc=%u,%u,%u", entry->dump_id, entry->class_oid, entry->oid);
    for (size_t i = 0; i < entry->dependency_count; i++)
        fprintf(out, "%s%u", i ? "," : "|needs=", entry->dependencies[i]);
}

static void show_token(struct reading *reading, const struct pg_token *token)
{
    static const char *const names[] = {"", "entry ", "meta ", "sql ", "data ", "end", "done"};
    FILE *out = reading->out;
    bool joined = token->kind == PG_COPY_DATA && reading->copying;
    if (reading->copying && !joined)
        fprintf(out, reading->flags & RENDER_PLACES ? " …%llu\n" : "\n", (unsigned long long)reading->taken);
    check_place(reading, token);
    reading->copying = token->kind == PG_COPY_DATA;
    if (!joined && (reading->flags & RENDER_PLACES))
        fprintf(out, "%llu:%llu ", (unsigned long long)token->line, (unsigned long long)token->begin);
    if (!joined)
        fputs(token->copy ? "copy " : names[token->kind], out);
    if (token->kind == PG_ENTRY)
        show_entry(out, &token->entry);
    else if (token->kind != PG_COPY_END)
        show(out, token->text, token->size);
    if (!reading->copying)
        fprintf(out, reading->flags & RENDER_PLACES ? " …%llu\n" : "\n", (unsigned long long)token->end);
}

char *render(const char *input, size_t size, size_t piece, int flags)
{
    struct reading reading = {.input = input, .size = size, .piece = piece, .random = (uint32_t)size, .flags = flags};
    char *text = NULL;
    size_t text_size = 0;
    const char *problem = NULL;
    struct pg_token token = {0};
    reading.out = open_memstream(&text, &text_size);
    must(reading.out != NULL);
    struct pg_script *script = pg_script_new(more, &reading);
    must(script != NULL);
    int result;
    while ((result = pg_script_next(script, &token, &problem)) == HF_OK) {
        show_token(&reading, &token);
        if (token.kind == PG_SCRIPT_END)
            break;
    }
    must(result == HF_OK ? token.begin == size : result == HF_E_CORRUPT && problem && problem[0]);
    if (reading.copying)
        fputc('\n', reading.out);
    if (problem) {
        fprintf(reading.out, "corrupt: %s\n", problem);
        must(pg_script_next(script, &token, &problem) == HF_E_CORRUPT);
    } else {
        must(pg_script_next(script, &token, &problem) == HF_OK && token.kind == PG_SCRIPT_END);
    }
    pg_script_free(script);
    free(reading.last);
    must(fclose(reading.out) == 0);
    return text;
}
