/* SPDX-License-Identifier: Apache-2.0
 *
 * What COPY data hold: how many rows, and a checksum that does not depend on their order: the sum, modulo 2^64, of the
 * XXH3-64 (seed 0) of each row's line without its line break. The sum of a table is the sum of its pieces' sums.
 */
#ifndef HOLDFAST_POSTGRES_ROWS_H
#define HOLDFAST_POSTGRES_ROWS_H

#include <stdbool.h>
#include <stdint.h>
#include <xxhash.h>

struct pg_rows {
    uint64_t rows, sum;
};

/* One whole line, without its break. */
static inline void pg_rows_add(struct pg_rows *rows, const char *line, size_t size)
{
    rows->rows++;
    rows->sum += XXH3_64bits(line, size);
}

static inline void pg_rows_merge(struct pg_rows *rows, const struct pg_rows *more)
{
    rows->rows += more->rows;
    rows->sum += more->sum;
}

/* Lines that come in pieces of any size, e.g. as PG_COPY_DATA. With `columns` 1 or more each line must have so many fields,
 * and its escapes must be those of COPY's text format. */
struct pg_rows_stream;
struct pg_rows_stream *pg_rows_stream_new(unsigned columns); /* 0: no check; NULL: out of memory */
void pg_rows_stream_free(struct pg_rows_stream *);
/* false: malformed; *ret_problem says what is wrong with which row, and lives as long as the stream. */
bool pg_rows_stream_add(struct pg_rows_stream *, const char *data, size_t size, const char **ret_problem);
bool pg_rows_stream_end(struct pg_rows_stream *, struct pg_rows *ret_rows, const char **ret_problem);

#endif
