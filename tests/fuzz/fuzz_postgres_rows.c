/* SPDX-License-Identifier: Apache-2.0
 *
 * COPY data are judged alike however they are cut into pieces, and what is good is what each line by itself adds up to.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool judge(const char *data, size_t size, unsigned columns, size_t piece, struct pg_rows *rows, char *said,
                  size_t room)
{
    const char *problem = "";
    struct pg_rows_stream *stream = pg_rows_stream_new(columns);
    assert(stream);
    bool good = true;
    for (size_t at = 0; at < size && good; at += piece) {
        size_t left = size - at < piece ? size - at : piece;
        char *copy = malloc(left); /* exactly so large, for the address sanitizer to see what is too much */
        assert(copy);
        memcpy(copy, data + at, left);
        good = pg_rows_stream_add(stream, copy, left, &problem);
        free(copy);
    }
    good = good && pg_rows_stream_end(stream, rows, &problem);
    snprintf(said, room, "%s", problem);
    pg_rows_stream_free(stream);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct pg_rows whole = {0}, pieces = {0}, sum = {0};
    char said[300], said_of_pieces[300];
    if (size < 2)
        return 0;
    const char *data = (const char *)input + 2;
    size -= 2;
    unsigned columns = input[0] % 8;
    bool good = judge(data, size, columns, size ? size : 1, &whole, said, sizeof(said));
    bool too = judge(data, size, columns, 1 + input[1] % 40, &pieces, said_of_pieces, sizeof(said_of_pieces));
    assert(good == too);
    if (!good) {
        /* Of several things wrong with one line a piece may show another one first, but it is the same line. */
        assert(!strncmp(said, said_of_pieces, strcspn(said + 4, " ") + 4));
        return 0;
    }
    assert(!memcmp(&whole, &pieces, sizeof(whole)));
    for (const char *at = data, *end = data + size; at < end;) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        assert(line_end);
        pg_rows_add(&sum, at, (size_t)(line_end - at));
        at = line_end + 1;
    }
    assert(!memcmp(&whole, &sum, sizeof(whole)));
    return 0;
}
