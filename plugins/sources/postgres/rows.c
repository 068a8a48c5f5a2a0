/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of COPY data: counted, summed up, and looked at for what COPY TO never writes. All of a backup's data pass here
 * when it is verified, so the common case, a line without a backslash, is one pass over its bytes and one for the hash.
 */
#include "rows.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where in an escape a line's piece ended. */
enum state {
    PLAIN,
    ESCAPED,  /* after '\' */
    OCTAL,    /* after '\' and a digit: up to two more */
    HEX,      /* after "\x": one digit at least */
    HEX_MORE, /* after "\x" and a digit */
    WAS_NULL  /* after "\N": the field ends here */
};

struct pg_rows_stream {
    struct pg_rows rows;
    unsigned columns;
    XXH3_state_t *hash; /* of a line that came in pieces */
    bool within;        /* such a line is not complete */
    /* of the line at hand */
    uint64_t tabs;
    enum state state;
    unsigned digits;   /* of an octal escape that may follow */
    bool field_begins; /* nothing of the field was seen */
    bool failed;
    char problem[200];
};

struct pg_rows_stream *pg_rows_stream_new(unsigned columns)
{
    struct pg_rows_stream *stream = calloc(1, sizeof(*stream));
    XXH3_state_t *hash = XXH3_createState();
    if (!stream || !hash) {
        free(stream);
        (void)XXH3_freeState(hash);
        return NULL;
    }
    stream->hash = hash;
    stream->columns = columns;
    stream->field_begins = true;
    return stream;
}

void pg_rows_stream_free(struct pg_rows_stream *stream)
{
    if (!stream)
        return;
    (void)XXH3_freeState(stream->hash);
    free(stream);
}

/* "row 7 …" */
static bool fail(struct pg_rows_stream *stream, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct pg_rows_stream *stream, const char *format, ...)
{
    int used =
        snprintf(stream->problem, sizeof(stream->problem), "row %llu ", (unsigned long long)stream->rows.rows + 1);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(stream->problem + used, sizeof(stream->problem) - (size_t)used, format, args);
    va_end(args);
    stream->failed = true;
    return false;
}

/* ---- what a line holds ---- */

typedef uint8_t vector __attribute__((vector_size(16)));

struct seen {
    uint64_t tabs;
    bool backslash, bare; /* bare: a byte that COPY TO writes only as an escape, or never: carriage return, NUL */
};

static uint64_t sum_bytes(vector bytes)
{
    uint64_t words[2], pairs;
    memcpy(words, &bytes, sizeof(words));
    pairs = (words[0] & 0x00ff00ff00ff00ffull) + ((words[0] >> 8) & 0x00ff00ff00ff00ffull) +
            (words[1] & 0x00ff00ff00ff00ffull) + ((words[1] >> 8) & 0x00ff00ff00ff00ffull);
    return (pairs * 0x0001000100010001ull) >> 48;
}

static bool any_byte(vector bytes)
{
    uint64_t words[2];
    memcpy(words, &bytes, sizeof(words));
    return (words[0] | words[1]) != 0;
}

static void look_at(const char *data, size_t size, struct seen *seen)
{
    vector backslashes = {0}, bares = {0};
    while (size >= sizeof(vector)) {
        vector tabs = {0}; /* each byte counts up to 255 */
        for (unsigned i = 0; i < 255 && size >= sizeof(vector); i++) {
            vector bytes;
            memcpy(&bytes, data, sizeof(bytes));
            tabs -= (vector)(bytes == '\t');
            backslashes |= (vector)(bytes == '\\');
            bares |= (vector)(bytes == '\r') | (vector)(bytes == 0);
            data += sizeof(bytes);
            size -= sizeof(bytes);
        }
        seen->tabs += sum_bytes(tabs);
    }
    seen->backslash = any_byte(backslashes);
    seen->bare = any_byte(bares);
    for (; size > 0; data++, size--) {
        seen->tabs += *data == '\t';
        seen->backslash |= *data == '\\';
        seen->bare |= *data == '\r' || *data == 0;
    }
}

/* ---- escapes ---- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool bad_escape(struct pg_rows_stream *stream, char c)
{
    if (c > ' ' && c < 0x7f)
        return fail(stream, "has the escape '\\%c', which COPY does not write", c);
    return fail(stream, "has a backslash before byte 0x%02x, which COPY does not write", (unsigned char)c);
}

/* The byte after a backslash. */
static bool begin_escape(struct pg_rows_stream *stream, char c, bool field_begins)
{
    stream->state = PLAIN;
    switch (c) {
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
    case 'v':
    case '\\':
        return true;
    case 'N':
        stream->state = WAS_NULL;
        return field_begins || fail(stream, "has a '\\N' that is not all of its field");
    case 'x':
        stream->state = HEX;
        return true;
    default:
        if (c < '0' || c > '7')
            return bad_escape(stream, c);
        stream->state = OCTAL;
        stream->digits = 2;
        return true;
    }
}

/* One byte while the state is not PLAIN. *ret_taken: false when it ends an escape without being part of it. */
static bool step(struct pg_rows_stream *stream, char c, bool *ret_taken)
{
    *ret_taken = true;
    switch (stream->state) {
    case PLAIN:
        break;
    case ESCAPED:
        return begin_escape(stream, c, stream->field_begins);
    case OCTAL:
        *ret_taken = c >= '0' && c <= '7';
        stream->state = *ret_taken && --stream->digits > 0 ? OCTAL : PLAIN;
        break;
    case HEX:
        stream->state = HEX_MORE;
        return is_hex(c) || bad_escape(stream, 'x');
    case HEX_MORE:
        *ret_taken = is_hex(c);
        stream->state = PLAIN;
        break;
    case WAS_NULL:
        *ret_taken = false;
        stream->state = PLAIN;
        return c == '\t' || fail(stream, "has a '\\N' that is not all of its field");
    }
    return true;
}

/* field_begins is that of the byte at hand only while an escape is open or at the piece's begin. */
static bool check_escapes(struct pg_rows_stream *stream, const char *data, size_t size)
{
    const char *at = data, *end = data + size;
    while (at < end) {
        bool taken = false;
        if (stream->state != PLAIN) {
            if (!step(stream, *at, &taken))
                return false;
            at += taken;
            continue;
        }
        const char *found = memchr(at, '\\', (size_t)(end - at));
        if (!found)
            break;
        stream->field_begins = found > data ? found[-1] == '\t' : stream->field_begins;
        stream->state = ESCAPED;
        at = found + 1;
    }
    return true;
}

/* ---- lines ---- */

/* A line, or a piece of one. */
static bool check_piece(struct pg_rows_stream *stream, const char *data, size_t size)
{
    struct seen seen = {0};
    if (size == 0)
        return true;
    look_at(data, size, &seen);
    stream->tabs += seen.tabs;
    if (seen.bare)
        return fail(stream, "has a carriage return or a NUL byte, which COPY does not write");
    if ((seen.backslash || stream->state != PLAIN) && !check_escapes(stream, data, size))
        return false;
    if (stream->state != ESCAPED) /* then it is still that of the backslash */
        stream->field_begins = data[size - 1] == '\t';
    return true;
}

static bool check_end(struct pg_rows_stream *stream)
{
    uint64_t fields = stream->tabs + 1;
    if (stream->state == ESCAPED || stream->state == HEX)
        return fail(stream, "ends within an escape");
    if (fields != stream->columns)
        return fail(stream, "has %llu field%s instead of %u", (unsigned long long)fields, fields == 1 ? "" : "s",
                    stream->columns);
    stream->tabs = 0;
    stream->state = PLAIN;
    stream->field_begins = true;
    return true;
}

static bool add_line(struct pg_rows_stream *stream, const char *line, size_t size)
{
    if (stream->columns > 0 && (!check_piece(stream, line, size) || !check_end(stream)))
        return false;
    if (!stream->within) {
        pg_rows_add(&stream->rows, line, size);
        return true;
    }
    (void)XXH3_64bits_update(stream->hash, line, size);
    stream->rows.rows++;
    stream->rows.sum += XXH3_64bits_digest(stream->hash);
    stream->within = false;
    return true;
}

static bool add_piece(struct pg_rows_stream *stream, const char *data, size_t size)
{
    if (!stream->within)
        (void)XXH3_64bits_reset(stream->hash);
    stream->within = true;
    (void)XXH3_64bits_update(stream->hash, data, size);
    return stream->columns == 0 || check_piece(stream, data, size);
}

bool pg_rows_stream_add(struct pg_rows_stream *stream, const char *data, size_t size, const char **ret_problem)
{
    const char *end = data + size;
    bool good = !stream->failed;
    while (good && data < end) {
        const char *line_end = memchr(data, '\n', (size_t)(end - data));
        good = line_end ? add_line(stream, data, (size_t)(line_end - data))
                        : add_piece(stream, data, (size_t)(end - data));
        data = line_end ? line_end + 1 : end;
    }
    if (!good)
        *ret_problem = stream->problem;
    return good;
}

bool pg_rows_stream_end(struct pg_rows_stream *stream, struct pg_rows *ret_rows, const char **ret_problem)
{
    if (!stream->failed && stream->within)
        (void)fail(stream, "is not complete");
    if (stream->failed) {
        *ret_problem = stream->problem;
        return false;
    }
    *ret_rows = stream->rows;
    return true;
}
