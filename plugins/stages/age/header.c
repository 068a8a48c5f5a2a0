/* SPDX-License-Identifier: Apache-2.0
 *
 * The text in front of an age file. Reading is strict: what could be written in two ways is accepted in one.
 */
#include "age.h"

#include <stdlib.h>
#include <string.h>

static const char intro[] = "age-encryption.org/v1\n";

enum { COLUMNS = 64, BYTES_PER_LINE = 48 };

struct parse {
    const char *text;
    size_t size, at;
    const char *problem;
};

struct line {
    const char *at;
    size_t length;
};

static int fail(struct parse *parse, const char *problem)
{
    parse->problem = problem;
    return AGE_MALFORMED;
}

/* The next line, without its newline. HF_END: it goes on beyond what is there. */
static int next_line(struct parse *parse, struct line *ret_line)
{
    const char *at = parse->text + parse->at;
    size_t left = parse->size - parse->at;
    const char *end = memchr(at, '\n', left);

    if (parse->at + (end ? (size_t)(end - at) : left) > AGE_HEADER_MAX)
        return fail(parse, "the header is longer than any that is accepted");
    if (end == NULL)
        return HF_END;
    *ret_line = (struct line){at, (size_t)(end - at)};
    parse->at += ret_line->length + 1;
    return HF_OK;
}

static int parse_intro(struct parse *parse)
{
    size_t size = sizeof(intro) - 1, have = parse->size < size ? parse->size : size;

    if (memcmp(parse->text, intro, have) != 0)
        return fail(parse, "it is no age file, or one of another version");
    parse->at = have;
    return have == size ? HF_OK : HF_END;
}

/* Words separated by single blanks, each of at least one visible character. */
static int parse_args(struct parse *parse, struct line line, struct age_stanza *stanza)
{
    const char *end = line.at + line.length, *at = line.at;

    while (at <= end) {
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        size_t length = (size_t)((blank ? blank : end) - at);

        if (length == 0)
            return fail(parse, "an empty word in a recipient's line");
        for (size_t i = 0; i < length; i++)
            if (at[i] < 33 || at[i] > 126)
                return fail(parse, "a character in a recipient's line that may not be there");
        if (stanza->arg_count < sizeof(stanza->args) / sizeof(*stanza->args)) {
            stanza->args[stanza->arg_count] = at;
            stanza->lengths[stanza->arg_count] = length;
        }
        stanza->arg_count++;
        at += length + 1;
    }
    return HF_OK;
}

/* Full lines of 64 columns, and one that is shorter, perhaps empty, at the end. */
static int parse_body(struct parse *parse, struct age_stanza *stanza)
{
    for (;;) {
        unsigned char bytes[BYTES_PER_LINE];
        struct line line;
        int64_t got;
        int rc = next_line(parse, &line);

        if (rc != HF_OK)
            return rc;
        if (line.length > COLUMNS)
            return fail(parse, "a line in a recipient's body that is too long");
        got = age_base64_decode(line.at, line.length, bytes, sizeof(bytes));
        if (got < 0)
            return fail(parse, "a recipient's body that is no canonical base64");
        for (int64_t i = 0; i < got; i++, stanza->body_size++)
            if (stanza->body_size < sizeof(stanza->body))
                stanza->body[stanza->body_size] = bytes[i];
        if (got < BYTES_PER_LINE)
            return HF_OK;
    }
}

static int parse_stanza(struct parse *parse, struct line line, struct age_header *header, size_t *room)
{
    struct age_stanza *stanza;
    int rc;

    if (line.length < 3 || memcmp(line.at, "-> ", 3) != 0)
        return fail(parse, "a line that begins neither a recipient nor the end of the header");
    if (header->count == *room) {
        size_t more = *room ? *room * 2 : 4;
        struct age_stanza *grown = realloc(header->stanzas, more * sizeof(*grown));

        if (grown == NULL) {
            parse->problem = "out of memory";
            return AGE_CANNOT;
        }
        header->stanzas = grown;
        *room = more;
    }
    stanza = &header->stanzas[header->count++];
    memset(stanza, 0, sizeof(*stanza));
    line.at += 3;
    line.length -= 3;
    rc = parse_args(parse, line, stanza);
    return rc == HF_OK ? parse_body(parse, stanza) : rc;
}

static int parse_mac(struct parse *parse, struct line line, struct age_header *header)
{
    if (header->count == 0)
        return fail(parse, "a header without recipients");
    if (line.length < 4 || line.at[3] != ' ' ||
        age_base64_decode(line.at + 4, line.length - 4, header->mac, sizeof(header->mac)) != AGE_MAC_SIZE)
        return fail(parse, "the header's last line is malformed");
    header->covered = (size_t)(line.at - parse->text) + 3;
    header->size = parse->at;
    return HF_OK;
}

static int parse_lines(struct parse *parse, struct age_header *header)
{
    size_t room = 0;
    int rc = parse_intro(parse);

    while (rc == HF_OK) {
        struct line line;

        rc = next_line(parse, &line);
        if (rc != HF_OK)
            break;
        if (line.length >= 3 && memcmp(line.at, "---", 3) == 0)
            return parse_mac(parse, line, header);
        rc = parse_stanza(parse, line, header, &room);
    }
    return rc;
}

int age_header_parse(const char *text, size_t size, struct age_header *ret_header, const char **ret_problem,
                     size_t *ret_at)
{
    struct parse parse = {.text = text, .size = size};
    struct age_header header = {0};
    int rc = parse_lines(&parse, &header);

    if (rc == HF_OK) {
        *ret_header = header;
        return HF_OK;
    }
    age_header_clear(&header);
    *ret_problem = parse.problem;
    *ret_at = parse.at;
    return rc;
}

void age_header_clear(struct age_header *header)
{
    free(header->stanzas);
    *header = (struct age_header){0};
}

bool age_arg_equals(const struct age_stanza *stanza, size_t index, const char *text)
{
    return index < stanza->arg_count && index < sizeof(stanza->args) / sizeof(*stanza->args) &&
           stanza->lengths[index] == strlen(text) && memcmp(stanza->args[index], text, stanza->lengths[index]) == 0;
}

/* --- writing --- */

int age_text_add(struct age_text *text, const void *data, size_t size)
{
    if (text->used + size > text->room) {
        size_t room = (text->used + size) * 2 + 256;
        char *grown = realloc(text->data, room);

        if (grown == NULL)
            return -1;
        text->data = grown;
        text->room = room;
    }
    memcpy(text->data + text->used, data, size);
    text->used += size;
    return 0;
}

int age_text_add_stanza(struct age_text *text, const char *const *args, size_t count, const unsigned char *body,
                        size_t size)
{
    char line[COLUMNS + 1];
    int rc = age_text_add(text, "->", 2);

    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = age_text_add(text, " ", 1);
        if (rc == 0)
            rc = age_text_add(text, args[i], strlen(args[i]));
    }
    if (rc == 0)
        rc = age_text_add(text, "\n", 1);
    for (size_t at = 0; rc == 0 && at <= size;
         at += BYTES_PER_LINE) { /* a full last line is followed by an empty one */
        size_t piece = size - at < BYTES_PER_LINE ? size - at : BYTES_PER_LINE;
        size_t length = age_base64_encode(body + at, piece, line);

        line[length++] = '\n';
        rc = age_text_add(text, line, length);
    }
    return rc;
}
