/* SPDX-License-Identifier: Apache-2.0
 *
 * Patterns of names, as psql and pg_dump have them (patternToSQLRegex in PostgreSQL's src/fe_utils/string_utils.c): '*'
 * is any text, '?' any character, capital letters outside of "double quotes" are small ones, a '.' outside of them
 * parts the schema from the name, and what else means something in a regular expression means it here, but for '$' and
 * "[]".
 */
#ifndef HOLDFAST_SOURCE_POSTGRES_PATTERN_H
#define HOLDFAST_SOURCE_POSTGRES_PATTERN_H

#include "postgres.h"

/* Anchored regular expressions for `column OPERATOR(pg_catalog.~) LITERAL COLLATE pg_catalog.default`; quote them. Free
 * both. want_schema: *ret_schema is NULL when the pattern has no '.'; otherwise a '.' outside of quotes is a mistake,
 * and ret_schema may be NULL. HF_E_CONFIG: it is no such pattern. */
int pg_pattern_regex(struct hf_ctx *, const char *pattern, bool want_schema, char **ret_schema, char **ret_name);

/* " OR " between what each pattern asks of the columns ("n.nspname", "c.relname"); schema NULL: names without schema. A
 * pattern without schema asks for `visible` (an expression, or NULL) instead. Adds "false" for an empty list. */
int pg_pattern_condition(struct pg_conn *, const struct pg_list *, const char *schema, const char *name,
                         const char *visible, struct pg_text *);

/* The OIDs of the relations that pg_dump's --table or --exclude-table-data selects with these patterns, ascending, with
 * commas between; empty: none. As in pg_dump, a pattern without schema selects what the role's own search_path finds
 * first. */
int pg_pattern_tables(struct pg_conn *, const struct pg_list *, struct pg_text *ret_oids);

/* " AND …" for pg_class c and pg_namespace n: what pg_dump takes with all patterns of the profile; whose rows it takes. */
int pg_pattern_selection(struct pg_conn *, const struct pg_source *, struct pg_text *);
int pg_pattern_data_selection(struct pg_conn *, const struct pg_source *, struct pg_text *);

#endif
