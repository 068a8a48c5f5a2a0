/* SPDX-License-Identifier: Apache-2.0
 *
 * What holds data and is no table: sequences and large objects. pg_dump is not asked for the latter, not even for their
 * owners and privileges, which would fill the memory where there are millions.
 */
#include <libpq/libpq-fs.h>
#include <stdio.h>

#include "backup.h"

enum { SEQUENCES_AT_ONCE = 200, OBJECTS_AT_ONCE = 500, CHUNK = 16384 }; /* pg_dump's LOBBUFSIZE */

/* ---- sequences ---- */

static int write_sequence(struct pg_conn *conn, const struct pg_sequence *sequence, const char *value, bool called,
                          struct pg_out *out, json_t *values)
{
    pg_auto_text literal = pg_quote_literal(conn, sequence->name);
    if (!literal)
        return pg_nomem(conn->ctx);
    pg_out_entry(out, "", sequence->relation, "SEQUENCE SET", sequence->schema, sequence->owner, sequence->table);
    pg_out_format(out, "SELECT pg_catalog.setval(%s, %s, %s);\n\n\n", literal, value, called ? "true" : "false");
    json_t *fact = json_pack("[I,b]", (json_int_t)strtoll(value, NULL, 10), called);
    return fact && json_object_set_new_nocheck(values, sequence->name, fact) == 0 ? HF_OK : pg_nomem(conn->ctx);
}

static int write_batch(struct pg_conn *conn, const struct pg_sequence *sequences, size_t count, struct pg_out *out,
                       json_t *values)
{
    struct pg_text sql = {0};
    PGresult *answer = NULL;
    for (size_t i = 0; i < count; i++)
        pg_text_addf(&sql, "%sSELECT %zu, last_value, is_called FROM %s", i > 0 ? " UNION ALL " : "", i,
                     sequences[i].name);
    pg_text_add(&sql, " ORDER BY 1");
    int result = pg_text_check(&sql, conn->ctx);
    result = result == HF_OK ? pg_query(conn, "read the sequences", sql.data, &answer) : result;
    pg_auto_rows rows = answer;
    pg_text_clear(&sql);
    for (size_t i = 0; i < count && result == HF_OK; i++)
        result = write_sequence(conn, &sequences[i], PQgetvalue(rows, (int)i, 1), PQgetvalue(rows, (int)i, 2)[0] == 't',
                                out, values);
    return result;
}

int pg_sequences_write(struct pg_conn *conn, const struct pg_database *database, struct pg_out *out, json_t *values)
{
    int result = HF_OK;
    for (size_t at = 0, count; at < database->sequence_count && result == HF_OK; at += count) {
        count = database->sequence_count - at;
        count = count < SEQUENCES_AT_ONCE ? count : SEQUENCES_AT_ONCE;
        result = write_batch(conn, database->sequences + at, count, out, values);
    }
    return result == HF_OK ? out->result : result;
}

/* ---- large objects: their data ---- */

static int put_text(pg_put *put, void *arg, const char *text)
{
    return put(arg, text, strlen(text));
}

struct digest {
    pg_put *put;
    void *arg;
    XXH3_state_t *state;
};

static int put_digested(void *arg, const char *data, size_t size)
{
    struct digest *digest = arg;
    XXH3_64bits_update(digest->state, data, size);
    return digest->put(digest->arg, data, size);
}

/* "\x…" from the hexadecimal text that the server gives. */
static int put_chunk(struct digest *digest, const char *hex, size_t size)
{
    int result = put_text(put_digested, digest, "SELECT pg_catalog.lowrite(0, '");
    result = result == HF_OK ? put_digested(digest, hex, size) : result;
    return result == HF_OK ? put_text(put_digested, digest, "');\n") : result;
}

static int write_data(struct pg_conn *conn, Oid oid, struct digest *digest, uint64_t *bytes)
{
    for (uint64_t offset = 0;; offset += CHUNK) {
        PGresult *answer = NULL;
        int result = pg_queryf(conn, "read a large object", &answer, "SELECT pg_catalog.lo_get(%u, %llu, %d)", oid,
                               (unsigned long long)offset, (int)CHUNK);
        pg_auto_rows rows = answer;
        if (result < 0)
            return result;
        const char *hex = PQgetvalue(rows, 0, 0); /* "\x" and two digits a byte */
        size_t size = (size_t)PQgetlength(rows, 0, 0);
        if (size < 2 || hex[0] != '\\' || hex[1] != 'x')
            return pg_host->fail(conn->ctx, HF_E_FAIL, "read large object %u: the server's answer is no bytea", oid);
        *bytes += (size - 2) / 2;
        result = size > 2 ? put_chunk(digest, hex, size) : HF_OK;
        if (result < 0 || size < 2 + 2 * CHUNK)
            return result;
    }
}

int pg_object_write(struct pg_conn *conn, Oid oid, pg_put *put, void *arg, struct pg_objects *objects)
{
    char text[80];
    struct digest digest = {.put = put, .arg = arg, .state = XXH3_createState()};
    uint64_t bytes = 0;
    if (!digest.state)
        return pg_nomem(conn->ctx);
    XXH3_64bits_reset(digest.state);
    (void)snprintf(text, sizeof(text), "SELECT pg_catalog.lo_open('%u', %d);\n", oid, INV_WRITE);
    int result = put_text(put_digested, &digest, text);
    result = result == HF_OK ? write_data(conn, oid, &digest, &bytes) : result;
    result = result == HF_OK ? put_text(put_digested, &digest, "SELECT pg_catalog.lo_close(0);\n") : result;
    if (result == HF_OK) {
        objects->rows.rows++;
        objects->rows.sum += XXH3_64bits_digest(digest.state);
        objects->bytes += bytes;
    }
    XXH3_freeState(digest.state);
    return result;
}

/* ---- what else they have ---- */

static int put_out(void *arg, const char *data, size_t size)
{
    struct pg_out *out = arg;
    pg_out_add(out, data, size);
    return out->result;
}

enum { OID, OWNER, COMMENT, REVOKED, GRANTS };

/* As pg_dump, privileges are told as a difference from what an owner has by default. */
static const char properties_query[] =
    "SELECT m.oid, quote_ident(pg_get_userbyid(m.lomowner)), quote_literal(obj_description(m.oid, 'pg_largeobject')),"
    " m.lomacl IS NOT NULL AND NOT EXISTS (SELECT FROM aclexplode(m.lomacl) a WHERE a.grantee = m.lomowner"
    "  GROUP BY a.grantee HAVING count(DISTINCT a.privilege_type) = 2),"
    " (SELECT string_agg(CASE WHEN a.grantor <> m.lomowner"
    "   THEN format(E'SET SESSION AUTHORIZATION %%I;\\n', pg_get_userbyid(a.grantor)) ELSE '' END"
    "   || format('GRANT %%s ON LARGE OBJECT %%s TO %%s%%s;', a.privileges, m.oid,"
    "      CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,"
    "      CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) || E'\\n'"
    "   || CASE WHEN a.grantor <> m.lomowner THEN E'RESET SESSION AUTHORIZATION;\\n' ELSE '' END, '' ORDER BY a.at)"
    "  FROM (SELECT e.grantor, e.grantee, e.is_grantable, string_agg(e.privilege_type, ',' ORDER BY e.privilege_type)"
    "   AS privileges, min(e.at) AS at FROM aclexplode(m.lomacl) WITH ORDINALITY"
    "   AS e(grantor, grantee, privilege_type, is_grantable, at)"
    "   GROUP BY e.grantor, e.grantee, e.is_grantable) a"
    "  WHERE a.grantee <> m.lomowner OR NOT EXISTS (SELECT FROM aclexplode(m.lomacl) o WHERE o.grantee = m.lomowner"
    "   GROUP BY o.grantee HAVING count(DISTINCT o.privilege_type) = 2))"
    " FROM pg_largeobject_metadata m WHERE m.oid BETWEEN %u AND %u ORDER BY m.oid LIMIT %d";

static int write_object(const struct pg_source *source, struct pg_conn *conn, PGresult *rows, int row,
                        struct pg_out *out, struct pg_objects *objects)
{
    const char *oid = PQgetvalue(rows, row, OID), *owner = PQgetvalue(rows, row, OWNER);
    pg_out_entry(out, "", oid, "BLOB", "-", source->owner ? owner : "", NULL);
    pg_out_format(out, "SELECT pg_catalog.lo_create('%s');\n", oid);
    int result = pg_object_write(conn, (Oid)strtoul(oid, NULL, 10), put_out, out, objects);
    if (source->owner)
        pg_out_format(out, "ALTER LARGE OBJECT %s OWNER TO %s;\n", oid, owner);
    if (source->acl && PQgetvalue(rows, row, REVOKED)[0] == 't')
        pg_out_format(out, "REVOKE ALL ON LARGE OBJECT %s FROM %s;\n", oid, owner);
    if (source->acl)
        pg_out_text(out, PQgetvalue(rows, row, GRANTS));
    if (!PQgetisnull(rows, row, COMMENT))
        pg_out_format(out, "COMMENT ON LARGE OBJECT %s IS %s;\n", oid, PQgetvalue(rows, row, COMMENT));
    pg_out_text(out, "\n\n");
    return result == HF_OK ? out->result : result;
}

int pg_objects_write(const struct pg_source *source, struct pg_conn *conn, const struct pg_piece *piece,
                     struct pg_out *out, struct pg_objects *objects)
{
    unsigned long long from = piece->first;
    for (int count = OBJECTS_AT_ONCE; count == OBJECTS_AT_ONCE && from <= piece->last;) {
        PGresult *answer = NULL;
        int result = pg_queryf(conn, "list the large objects", &answer, properties_query, (unsigned)from, piece->last,
                               (int)OBJECTS_AT_ONCE);
        pg_auto_rows rows = answer;
        if (result < 0)
            return result;
        count = PQntuples(rows);
        /* Descriptors need a transaction, which takes a lock for each object: not too many. */
        pg_out_text(out, "BEGIN;\n\n");
        for (int row = 0; row < count && result == HF_OK; row++) {
            from = strtoull(PQgetvalue(rows, row, OID), NULL, 10) + 1;
            result = write_object(source, conn, rows, row, out, objects);
        }
        pg_out_text(out, "COMMIT;\n\n\n");
        if (result < 0)
            return result;
    }
    return out->result;
}

/* ---- their parts ---- */

/* How many make a part. Only superusers see how large each is, but all may see how large they are together. */
static int objects_per_part(const struct pg_source *source, struct pg_conn *conn, unsigned long long *ret_count,
                            unsigned long long *ret_bytes)
{
    PGresult *answer = NULL;
    int result =
        pg_query(conn, "measure the large objects",
                 "SELECT count(*), pg_table_size('pg_catalog.pg_largeobject') FROM pg_largeobject_metadata", &answer);
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    unsigned long long count = strtoull(PQgetvalue(rows, 0, 0), NULL, 10),
                       bytes = strtoull(PQgetvalue(rows, 0, 1), NULL, 10);
    unsigned long long each = count > 0 ? bytes / count + 100 : 1;
    *ret_count = (unsigned long long)source->part_bytes / each;
    *ret_count = *ret_count < 1 ? 1 : *ret_count > 100000 ? 100000 : *ret_count;
    *ret_bytes = each;
    return HF_OK;
}

int pg_objects_plan(const struct pg_source *source, struct pg_database *database)
{
    struct pg_conn *conn = database->leader;
    unsigned long long per_part = 1, bytes = 0;
    PGresult *answer = NULL;
    if (database->filtered)
        return HF_OK;
    int result = objects_per_part(source, conn, &per_part, &bytes);
    if (result == HF_OK)
        result = pg_queryf(
            conn, "list the large objects", &answer,
            "SELECT min(oid), max(oid), count(*) FROM (SELECT oid, (row_number() OVER (ORDER BY oid) - 1) / %llu"
            " AS part FROM pg_largeobject_metadata) o GROUP BY part ORDER BY part",
            per_part);
    pg_auto_rows rows = answer;
    for (int row = 0; result == HF_OK && row < PQntuples(rows); row++) {
        struct pg_piece *piece =
            pg_plan_add(database, conn->ctx, PG_PIECE_OBJECTS, 1, "large-objects", (uint64_t)row + 1);
        if (!piece)
            return HF_E_NOMEM;
        piece->first = (uint32_t)strtoul(PQgetvalue(rows, row, 0), NULL, 10);
        piece->last = (uint32_t)strtoul(PQgetvalue(rows, row, 1), NULL, 10);
        piece->estimate = strtoull(PQgetvalue(rows, row, 2), NULL, 10) * bytes;
        piece->group = strdup("large-objects");
        result = piece->group ? HF_OK : pg_nomem(conn->ctx);
        database->objects = true;
    }
    return result;
}
