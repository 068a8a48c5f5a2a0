/* SPDX-License-Identifier: Apache-2.0
 *
 * Verification from the artifact alone: every part is read as the SQL that it is, to its last line, and the facts are
 * told again for the core to compare: rows and checksums of each table, sequences, large objects.
 *
 * Parts come on several threads at once; what one part holds is summed up by itself, and added under the lock when the
 * whole part was good.
 */
#include <stdio.h>

#include "postgres.h"
#include "statement.h"

enum { TELL_AT_MOST = 20 }; /* tables that differ, by name */

struct artifact {
    struct artifact *next;
    char *name;
    json_t *layout;             /* as recorded, or NULL; never changed, so read without the lock */
    json_t *tables, *sequences; /* as the facts */
    struct pg_objects objects;
    char *restricted, *unrestricted; /* what \restrict and \unrestrict say */
};

struct verify {
    pthread_mutex_t lock; /* of what follows, and of what the artifacts sum up */
    struct artifact *artifacts;
};

/* One part. */
struct reading {
    struct hf_ctx *ctx;
    const struct hf_part *part;
    struct hf_reader *reader;
    const json_t *layout; /* of its artifact */
    struct artifact found;
    /* the COPY at hand */
    struct pg_rows_stream *rows;
    char *table;
    bool bare; /* without columns: each row is an empty line */
    /* the large object at hand */
    XXH3_state_t *hash; /* NULL: there is none */
    uint64_t object, object_end;
};

/* ---- what is added up ---- */

static bool add_rows(json_t *tables, const char *table, const struct pg_rows *rows)
{
    struct pg_rows sum = *rows, before;
    if (pg_rows_of_json(json_object_get(tables, table), &before))
        pg_rows_merge(&sum, &before);
    return json_object_set_new_nocheck(tables, table, pg_rows_json(&sum)) == 0;
}

static void clear_artifact(struct artifact *artifact)
{
    json_decref(artifact->layout);
    json_decref(artifact->tables);
    json_decref(artifact->sequences);
    free(artifact->restricted);
    free(artifact->unrestricted);
    free(artifact->name);
}

static bool init_artifact(struct artifact *artifact, const char *name)
{
    *artifact = (struct artifact){.name = strdup(name), .tables = json_object(), .sequences = json_object()};
    return artifact->name && artifact->tables && artifact->sequences;
}

static struct artifact *new_artifact(struct hf_ctx *ctx, const char *name)
{
    struct artifact *artifact = calloc(1, sizeof(*artifact));
    if (artifact && !init_artifact(artifact, name)) {
        clear_artifact(artifact);
        free(artifact);
        artifact = NULL;
    }
    if (artifact)
        artifact->layout = pg_recorded_context(ctx, name, PG_CONTEXT_LAYOUT);
    return artifact;
}

/* NULL: out of memory. It lives until the end. */
static struct artifact *artifact_of(struct verify *verify, struct hf_ctx *ctx, const char *name)
{
    pthread_mutex_lock(&verify->lock);
    struct artifact *artifact = verify->artifacts;
    while (artifact && strcmp(artifact->name, name) != 0)
        artifact = artifact->next;
    if (!artifact && (artifact = new_artifact(ctx, name))) {
        artifact->next = verify->artifacts;
        verify->artifacts = artifact;
    }
    pthread_mutex_unlock(&verify->lock);
    return artifact;
}

static int twice(struct hf_ctx *ctx, const char *what, const char *name)
{
    return pg_host->fail(ctx, HF_E_CORRUPT, "%s '%s' stands in the artifact twice", what, name);
}

/* Takes the text over. */
static int take_key(struct hf_ctx *ctx, char **kept, char **found, const char *what)
{
    if (*found && *kept)
        return twice(ctx, "command", what);
    if (*found) {
        *kept = *found;
        *found = NULL;
    }
    return HF_OK;
}

static int merge(struct reading *reading, struct artifact *whole)
{
    struct artifact *found = &reading->found;
    struct hf_ctx *ctx = reading->ctx;
    const char *name;
    json_t *value;
    json_object_foreach(found->tables, name, value)
    {
        struct pg_rows rows;
        if (!pg_rows_of_json(value, &rows) || !add_rows(whole->tables, name, &rows))
            return pg_nomem(ctx);
    }
    json_object_foreach(found->sequences, name, value)
    {
        if (json_object_get(whole->sequences, name))
            return twice(ctx, "sequence", name);
        if (json_object_set_nocheck(whole->sequences, name, value) != 0)
            return pg_nomem(ctx);
    }
    pg_rows_merge(&whole->objects.rows, &found->objects.rows);
    whole->objects.bytes += found->objects.bytes;
    int result = take_key(ctx, &whole->restricted, &found->restricted, "\\restrict");
    return result == HF_OK ? take_key(ctx, &whole->unrestricted, &found->unrestricted, "\\unrestrict") : result;
}

/* ---- COPY ---- */

/* Two parts exchanged as wholes have the sums of the right ones. */
static int check_place(const struct reading *reading)
{
    const char *group = reading->part->group ? reading->part->group : "";
    const char *place = json_string_value(json_object_get(json_object_get(reading->layout, reading->table), "part"));
    if (!place || !strcmp(place, group))
        return HF_OK;
    return pg_host->fail(reading->ctx, HF_E_CORRUPT, "rows of table '%s' stand in part '%s', and belong into '%s'",
                         reading->table, reading->part->name, place);
}

static int copy_begin(struct reading *reading, const struct pg_token *token)
{
    const char *name = NULL, *columns = NULL;
    size_t name_size = 0, columns_size = 0;
    if (!pg_script_copy_parts(token->text, token->size, &name, &name_size, &columns, &columns_size))
        return pg_host->fail(reading->ctx, HF_E_CORRUPT, "line %llu: '%.100s' is no COPY of a backup",
                             (unsigned long long)token->line, token->text);
    unsigned count = pg_count_columns(columns, columns_size);
    reading->table = strndup(name, name_size);
    reading->bare = count == 0;
    reading->rows = pg_rows_stream_new(count);
    return reading->table && reading->rows ? check_place(reading) : pg_nomem(reading->ctx);
}

static int copy_problem(const struct reading *reading, const char *problem)
{
    return pg_host->fail(reading->ctx, HF_E_CORRUPT, "data of table '%s': %s", reading->table,
                         problem ? problem : "out of memory");
}

static int copy_data(const struct reading *reading, const struct pg_token *token)
{
    const char *problem = NULL;
    for (size_t i = 0; reading->bare && i < token->size; i++) {
        if (token->text[i] != '\n')
            return copy_problem(reading, "a table without columns has only empty lines");
    }
    return pg_rows_stream_add(reading->rows, token->text, token->size, &problem) ? HF_OK
                                                                                 : copy_problem(reading, problem);
}

static void drop_copy(struct reading *reading)
{
    pg_rows_stream_free(reading->rows);
    free(reading->table);
    reading->rows = NULL;
    reading->table = NULL;
}

static int copy_end(struct reading *reading)
{
    struct pg_rows rows = {0};
    const char *problem = NULL;
    if (!pg_rows_stream_end(reading->rows, &rows, &problem))
        return copy_problem(reading, problem);
    bool added = add_rows(reading->found.tables, reading->table, &rows);
    drop_copy(reading);
    return added ? HF_OK : pg_nomem(reading->ctx);
}

/* ---- statements ---- */

static int add_sequence(struct reading *reading, const struct pg_token *token)
{
    pg_auto_text name = NULL;
    int64_t value = 0;
    bool called = false;
    if (!pg_setval_parts(token->text, &name, &value, &called))
        return pg_host->fail(reading->ctx, HF_E_CORRUPT, "line %llu: '%.100s' sets no sequence",
                             (unsigned long long)token->line, token->text);
    if (json_object_get(reading->found.sequences, name))
        return twice(reading->ctx, "sequence", name);
    json_t *fact = json_pack("[I, b]", (json_int_t)value, (int)called);
    return json_object_set_new_nocheck(reading->found.sequences, name, fact) == 0 ? HF_OK : pg_nomem(reading->ctx);
}

static int object_problem(const struct reading *reading, const struct pg_token *token, const char *problem)
{
    return pg_host->fail(reading->ctx, HF_E_CORRUPT, "line %llu: '%.60s': %s", (unsigned long long)token->line,
                         token->text, problem);
}

/* The checksum is over the text of the statements, from lo_open to lo_close, one to a line. */
static int add_object(struct reading *reading, const struct pg_token *token)
{
    uint64_t value = 0;
    enum pg_object_step step = pg_object_parts(token->text, token->size, &value);
    bool open = reading->hash != NULL;
    if (step == PG_OBJECT_NONE)
        return object_problem(reading, token, "no data of a large object");
    if ((step == PG_OBJECT_OPEN) == open)
        return object_problem(reading, token,
                              open ? "the large object before is not closed" : "no large object is open");
    if (open && token->begin != reading->object_end + 1)
        return object_problem(reading, token, "does not follow the line before");
    if (!open) {
        reading->hash = XXH3_createState();
        if (!reading->hash || XXH3_64bits_reset(reading->hash) != XXH_OK)
            return pg_nomem(reading->ctx);
        reading->object = value;
    }
    (void)XXH3_64bits_update(reading->hash, token->text, token->size);
    (void)XXH3_64bits_update(reading->hash, ";\n", 2);
    reading->object_end = token->end;
    if (step == PG_OBJECT_WRITE)
        reading->found.objects.bytes += value;
    if (step != PG_OBJECT_CLOSE)
        return HF_OK;
    reading->found.objects.rows.rows++;
    reading->found.objects.rows.sum += XXH3_64bits_digest(reading->hash);
    XXH3_freeState(reading->hash);
    reading->hash = NULL;
    return HF_OK;
}

/* psql's own commands: pg_dump writes these two around its output, and no other. */
static int add_meta(struct reading *reading, const struct pg_token *token)
{
    static const char begin[] = "\\restrict ", end[] = "\\unrestrict ";
    bool ends = strncmp(token->text, end, sizeof(end) - 1) == 0;
    char **kept = ends ? &reading->found.unrestricted : &reading->found.restricted;
    if (!ends && strncmp(token->text, begin, sizeof(begin) - 1) != 0)
        return pg_host->fail(reading->ctx, HF_E_CORRUPT, "line %llu: '%.60s' does not belong into a backup",
                             (unsigned long long)token->line, token->text);
    if (*kept)
        return twice(reading->ctx, "command", ends ? "\\unrestrict" : "\\restrict");
    *kept = strdup(token->text + (ends ? sizeof(end) : sizeof(begin)) - 1);
    return *kept ? HF_OK : pg_nomem(reading->ctx);
}

static int take(struct reading *reading, const struct pg_token *token)
{
    switch (token->kind) {
    case PG_ENTRY:
        return HF_OK;
    case PG_META:
        return add_meta(reading, token);
    case PG_STATEMENT:
        if (token->copy)
            return copy_begin(reading, token);
        if (pg_is_object(token->text))
            return add_object(reading, token);
        if (reading->hash)
            return object_problem(reading, token, "stands between the data of a large object");
        return pg_is_setval(token->text) ? add_sequence(reading, token) : HF_OK;
    case PG_COPY_DATA:
        return copy_data(reading, token);
    case PG_COPY_END:
        return copy_end(reading);
    case PG_SCRIPT_END:
        if (reading->hash)
            return pg_host->fail(reading->ctx, HF_E_CORRUPT, "the data of large object %llu have no end",
                                 (unsigned long long)reading->object);
        return HF_END;
    }
    return HF_OK;
}

/* ---- the session ---- */

int pg_verify_begin(void *self, struct hf_ctx *ctx, void **ret_session)
{
    (void)self;
    struct verify *verify = calloc(1, sizeof(*verify));
    if (verify && pthread_mutex_init(&verify->lock, NULL) != 0) {
        free(verify);
        verify = NULL;
    }
    if (!verify)
        return pg_nomem(ctx);
    *ret_session = verify;
    return HF_OK;
}

static int64_t more(void *arg, const void **ret_data)
{
    struct reading *reading = arg;
    return pg_host->borrow(reading->reader, ret_data);
}

static int read_part(struct reading *reading)
{
    struct pg_script *script = pg_script_new(more, reading);
    struct pg_token token;
    const char *problem = NULL;
    int result = script ? HF_OK : pg_nomem(reading->ctx);
    while (result == HF_OK) {
        result = pg_script_next(script, &token, &problem);
        if (result == HF_OK)
            result = take(reading, &token);
        else if (problem)
            result = pg_host->fail(reading->ctx, result, "%s", problem);
        else if (result == HF_E_NOMEM)
            result = pg_nomem(reading->ctx);
    }
    pg_script_free(script);
    return result == HF_END ? HF_OK : result;
}

int pg_verify_part(void *session, struct hf_ctx *ctx, const struct hf_part *part, struct hf_reader *reader)
{
    struct verify *verify = session;
    const char *artifact = part->artifact ? part->artifact : "";
    struct artifact *whole = artifact_of(verify, ctx, artifact);
    struct reading reading = {.ctx = ctx, .part = part, .reader = reader, .layout = whole ? whole->layout : NULL};
    int result = whole && init_artifact(&reading.found, artifact) ? read_part(&reading) : pg_nomem(ctx);
    if (result == HF_OK) {
        pthread_mutex_lock(&verify->lock);
        result = merge(&reading, whole);
        pthread_mutex_unlock(&verify->lock);
    }
    drop_copy(&reading);
    XXH3_freeState(reading.hash);
    clear_artifact(&reading.found);
    return result;
}

/* ---- the end ---- */

/* An artifact that begins restricted ends with the line that ends it. */
static int check_last_line(struct hf_ctx *ctx, const struct artifact *artifact)
{
    const char *name = artifact->name[0] ? artifact->name : "the script";
    if (!artifact->restricted && !artifact->unrestricted)
        return HF_OK;
    if (!artifact->unrestricted)
        return pg_host->finding(ctx, HF_ERROR, "no-end", name, "the last line of the SQL, \\unrestrict, is missing");
    if (artifact->restricted && !strcmp(artifact->restricted, artifact->unrestricted))
        return HF_OK;
    return pg_host->finding(
        ctx, HF_ERROR, "no-end", name,
        "the SQL ends with \\unrestrict, and does not begin with the \\restrict that belongs to it");
}

/* The core compares, too, but shows the beginning of a fact only, which may be that of thousands of tables. */
static int tell_tables(struct hf_ctx *ctx, const struct artifact *artifact, const json_t *recorded)
{
    const char *name;
    json_t *value;
    size_t told = 0;
    json_object_foreach((json_t *)recorded, name, value)
    {
        const json_t *now = json_object_get(artifact->tables, name);
        struct pg_rows was = {0}, is = {0};
        int result = HF_OK;
        if (told == TELL_AT_MOST)
            break;
        if (!now || !pg_rows_of_json(now, &is)) {
            told++;
            result = pg_host->finding(ctx, HF_ERROR, "table-missing", name, "the artifact has no data of it");
        } else if (pg_rows_of_json(value, &was) && (was.rows != is.rows || was.sum != is.sum)) {
            told++;
            result = was.rows != is.rows
                         ? pg_host->finding(ctx, HF_ERROR, "rows-differ", name,
                                            "%llu rows were backed up, and the artifact has %llu",
                                            (unsigned long long)was.rows, (unsigned long long)is.rows)
                         : pg_host->finding(ctx, HF_ERROR, "rows-differ", name,
                                            "the artifact has its %llu rows, but not with what was in them",
                                            (unsigned long long)was.rows);
        }
        if (result < 0)
            return result;
    }
    return HF_OK;
}

/* Nothing is told of what there is nothing of, unless the backup did. Drops the reference. */
static int report(struct hf_ctx *ctx, const struct artifact *artifact, const char *key, json_t *fact, bool empty)
{
    pg_auto_json recorded = pg_recorded_fact(ctx, artifact->name, key);
    if (!fact)
        return pg_nomem(ctx);
    if (recorded || !empty)
        return pg_report_fact(ctx, artifact->name, key, fact);
    json_decref(fact);
    return HF_OK;
}

static int report_all(struct hf_ctx *ctx, const struct artifact *artifact)
{
    pg_auto_json recorded = pg_recorded_fact(ctx, artifact->name, PG_FACT_TABLES);
    const struct pg_objects *objects = &artifact->objects;
    char sum[17];
    (void)snprintf(sum, sizeof(sum), "%016llx", (unsigned long long)objects->rows.sum);
    int result = check_last_line(ctx, artifact);
    result = result < 0 ? result : tell_tables(ctx, artifact, recorded);
    if (result >= 0)
        result = report(ctx, artifact, PG_FACT_TABLES, json_incref(artifact->tables),
                        json_object_size(artifact->tables) == 0);
    if (result >= 0)
        result = report(ctx, artifact, PG_FACT_SEQUENCES, json_incref(artifact->sequences),
                        json_object_size(artifact->sequences) == 0);
    if (result >= 0)
        result = report(ctx, artifact, PG_FACT_LARGE_OBJECTS,
                        json_pack("{s:I, s:I, s:s}", "count", (json_int_t)objects->rows.rows, "bytes",
                                  (json_int_t)objects->bytes, "sum", sum),
                        objects->rows.rows == 0);
    return result < 0 ? result : HF_OK;
}

int pg_verify_end(void *session, struct hf_ctx *ctx, int status)
{
    struct verify *verify = session;
    int result = HF_OK;
    while (verify->artifacts) {
        struct artifact *artifact = verify->artifacts;
        verify->artifacts = artifact->next;
        /* What is known of a damaged backup is not whole, and would only be told as more damage. */
        if (status == HF_OK && result == HF_OK)
            result = report_all(ctx, artifact);
        clear_artifact(artifact);
        free(artifact);
    }
    pthread_mutex_destroy(&verify->lock);
    free(verify);
    return result;
}
