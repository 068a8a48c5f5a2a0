/* SPDX-License-Identifier: Apache-2.0
 *
 * The statements of a backup's data that say something to be checked, taken apart. Texts are as the script reader gives
 * them: without the final ';'.
 */
#ifndef HOLDFAST_POSTGRES_STATEMENT_H
#define HOLDFAST_POSTGRES_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fields that a COPY statement's "(a, \"b,c\")" names; 0 for none. */
unsigned pg_count_columns(const char *columns, size_t size);

/* Begins one of them? Then it must be whole. */
bool pg_is_setval(const char *text);
bool pg_is_object(const char *text);

/* "SELECT pg_catalog.setval('public.s', 5, true)": *ret_name is what the literal says, free it. false: it is not of
 * that form, or memory is out. */
bool pg_setval_parts(const char *text, char **ret_name, int64_t *ret_value, bool *ret_called);

enum pg_object_step { PG_OBJECT_NONE, PG_OBJECT_OPEN, PG_OBJECT_WRITE, PG_OBJECT_CLOSE };
/* "SELECT pg_catalog.lo_open('16403', 131072)", "…lowrite(0, '\x00ff')", "…lo_close(0)". *ret_value: the object's OID,
 * or how many bytes are written. */
enum pg_object_step pg_object_parts(const char *text, size_t size, uint64_t *ret_value);

#endif
