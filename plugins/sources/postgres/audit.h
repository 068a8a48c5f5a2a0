/* SPDX-License-Identifier: Apache-2.0
 *
 * The live one, inside. audit (databases), audit_tables (rows against what was recorded), audit_catalog (what the
 * catalogs say is wrong), amcheck (every index and table read in full).
 */
#ifndef HOLDFAST_POSTGRES_AUDIT_H
#define HOLDFAST_POSTGRES_AUDIT_H

#include "postgres.h"

/* One database. */
struct pg_audit {
    const struct pg_source *source;
    struct hf_ctx *ctx;
    struct pg_conn *conn; /* read-only */
    const char *artifact; /* what it is recorded by */
    const char *database; /* stands before the subjects when there are several; "" */
    bool standby;
};

/* A finding about something in the database. Of one kind only so many are told one by one: `told` counts them. */
int pg_audit_tell(const struct pg_audit *, size_t *told, int severity, const char *code, const char *name,
                  const char *format, ...) HF_PRINTF(6, 7);
/* How many more there were. */
int pg_audit_told(const struct pg_audit *, size_t told, int severity, const char *code, const char *what);

int pg_audit_tables(const struct pg_audit *);
int pg_audit_catalog(const struct pg_audit *);
int pg_audit_amcheck(const struct pg_audit *);

#endif
