/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of options, and an instance from it.
 */
#include "pattern.h"
#include "server.h"

const struct hf_host *pg_host;

const struct hf_option pg_options[PG_OPTION_COUNT] = {
    {.key = "url",
     .type = HF_STRING,
     .flags = HF_SECRET,
     .help = "the database, as postgresql://USER:PASSWORD@HOST:PORT/DATABASE or as host=HOST dbname=DATABASE "
             "user=USER; everything that "
             "libpq understands may stand in it, sslmode and several hosts for example. Without it and 'service' the "
             "environment decides (PGHOST, PGDATABASE, …)"},
    {.key = "service",
     .type = HF_STRING,
     .help = "the database, by its section in libpq's service file; instead of 'url'"},
    {.key = "databases",
     .type = HF_LIST,
     .help =
         "patterns of databases to back up, each as an artifact of its own; '*' is all but templates. Unset: the one "
         "database that 'url' or 'service' names"},
    {.key = "exclude_databases", .type = HF_LIST, .help = "patterns of databases that 'databases' shall leave out"},
    {.key = "schema",
     .type = HF_LIST,
     .help = "patterns of schemas to back up, with what is in them, and nothing else"},
    {.key = "exclude_schema", .type = HF_LIST, .help = "patterns of schemas to leave out"},
    {.key = "table",
     .type = HF_LIST,
     .help =
         "patterns of tables to back up, and nothing else, not even what they depend on; also of views, sequences and "
         "foreign tables"},
    {.key = "exclude_table", .type = HF_LIST, .help = "patterns of tables to leave out"},
    {.key = "exclude_table_data",
     .type = HF_LIST,
     .help = "patterns of tables whose definition is backed up without their rows"},
    {.key = "owner",
     .type = HF_BOOL,
     .dflt = "yes",
     .help = "whether owners are backed up; without them whoever restores owns everything"},
    {.key = "acl", .type = HF_BOOL, .dflt = "yes", .help = "whether privileges (GRANT, REVOKE) are backed up"},
    {.key = "globals",
     .type = HF_BOOL,
     .dflt = "no",
     .help = "whether roles and tablespaces are backed up, too, as the artifact globals_PROFILE_TIME.sql; psql "
             "restores it"},
    {.key = "role_passwords",
     .type = HF_BOOL,
     .dflt = "no",
     .help = "whether 'globals' holds the hashes of the roles' passwords; only a superuser may read them"},
    {.key = "maintenance_db",
     .type = HF_STRING,
     .dflt = "postgres",
     .help = "the database to connect to while others are listed, created, renamed and dropped"},
    {.key = "connect_timeout",
     .type = HF_DURATION,
     .dflt = "15s",
     .help = "how long a connection may take to be there; one in 'url', the service or PGCONNECT_TIMEOUT counts unless "
             "this is set",
     .min = 1000,
     .max = 3600000},
    {.key = "lock_timeout",
     .type = HF_DURATION,
     .dflt = "30s",
     .help = "how long to wait for a table that another session has locked, ALTER TABLE for example; 0: for ever",
     .min = 0,
     .max = 86400000},
    {.key = "part_size",
     .type = HF_SIZE,
     .dflt = "32M",
     .help =
         "about how much of a table is one part: what is read, restored and retried at once; small tables share one",
     .min = 1 << 20,
     .max = 1 << 30},
    {.key = "maintenance_work_mem",
     .type = HF_SIZE,
     .dflt = "256M",
     .help = "the most memory of the server that each connection of a restore may use to build an index",
     .min = 1 << 20,
     .max = 1ll << 41},
    {.key = "analyze",
     .type = HF_BOOL,
     .dflt = "yes",
     .help = "whether a restore ends with ANALYZE, without which the first queries are planned badly"},
    {.key = "compare",
     .type = HF_BOOL,
     .dflt = "yes",
     .help =
         "whether a restore reads all rows again and compares their number and checksum with the backup's before the "
         "restored database takes its place"},
    {.key = "amcheck",
     .type = HF_BOOL,
     .dflt = "no",
     .help =
         "whether an audit also checks B-tree indexes and tables with the extension amcheck, which must be installed "
         "in the database"},
    {.key = "pg_bin",
     .type = HF_PATH,
     .help = "folder of pg_dump and pg_dumpall; unset: the newest ones that are found in /usr/lib/postgresql/*/bin, "
             "/usr/pgsql-*/bin and PATH"},
};

/* ---- checks across options ---- */

static int mistake(struct hf_ctx *ctx, const char *what, const char *hint)
{
    (void)pg_host->fail(ctx, HF_E_CONFIG, "%s", what);
    return pg_host->hint(ctx, "%s", hint);
}

static int check_connection(struct hf_ctx *ctx, const struct pg_source *source)
{
    if (source->url && source->service)
        return mistake(ctx, "'url' and 'service' are both set",
                       "keep one; a url may name a service itself: postgresql:///?service=NAME");
    if (source->url && !source->url[0])
        return mistake(ctx, "'url' is empty",
                       "name the database, or leave 'url' out so that the environment does (PGHOST, PGDATABASE, …)");
    if (source->service && !source->service[0])
        return mistake(ctx, "'service' is empty", "name a section of libpq's service file, or leave it out");
    if (!source->maintenance_db || !source->maintenance_db[0])
        return mistake(ctx, "'maintenance_db' is empty", "every server has the databases postgres and template1");
    return source->url ? pg_url_check(ctx, source->url) : HF_OK;
}

static int check_patterns(struct hf_ctx *ctx, const char *key, const struct pg_list *list, bool with_schema)
{
    int result = HF_OK;
    for (size_t i = 0; i < list->count && result == HF_OK; i++) {
        char *schema = NULL, *name = NULL;
        result = pg_pattern_regex(ctx, list->items[i], with_schema, &schema, &name);
        if (result < 0)
            (void)pg_host->fail(ctx, result, "'%s'", key);
        free(schema);
        free(name);
    }
    return result;
}

static int check_selection(struct hf_ctx *ctx, const struct pg_source *source)
{
    if (source->role_passwords && !source->globals)
        return mistake(ctx, "'role_passwords' is set without 'globals'",
                       "roles and their passwords are in the artifact that globals = yes makes");
    if (source->exclude_databases.count > 0 && source->databases.count == 0)
        return mistake(ctx, "'exclude_databases' is set without 'databases'", "all but those are: databases = *");
    if (source->table.count > 0 && (source->schema.count > 0 || source->exclude_schema.count > 0))
        return mistake(ctx, "'schema' and 'exclude_schema' do nothing beside 'table', as in pg_dump",
                       "write the schema into the pattern: table = SCHEMA.*");
    int result = check_patterns(ctx, "databases", &source->databases, false);
    result = result < 0 ? result : check_patterns(ctx, "exclude_databases", &source->exclude_databases, false);
    result = result < 0 ? result : check_patterns(ctx, "schema", &source->schema, false);
    result = result < 0 ? result : check_patterns(ctx, "exclude_schema", &source->exclude_schema, false);
    result = result < 0 ? result : check_patterns(ctx, "table", &source->table, true);
    result = result < 0 ? result : check_patterns(ctx, "exclude_table", &source->exclude_table, true);
    return result < 0 ? result : check_patterns(ctx, "exclude_table_data", &source->exclude_table_data, true);
}

/* ---- instance ---- */

static void read_list(const struct hf_config *config, const char *key, struct pg_list *list)
{
    list->count = pg_host->get_list(config, key, &list->items);
}

static bool read_bool(const struct hf_config *config, const char *key)
{
    return pg_host->get_int(config, key) != 0;
}

static void read_options(struct pg_source *source, const struct hf_config *config)
{
    source->config = config;
    source->url = pg_host->get_string(config, "url");
    source->service = pg_host->get_string(config, "service");
    source->maintenance_db = pg_host->get_string(config, "maintenance_db");
    source->pg_bin = pg_host->get_string(config, "pg_bin");
    source->connect_timeout_ms = pg_host->get_int(config, "connect_timeout");
    source->lock_timeout_ms = pg_host->get_int(config, "lock_timeout");
    source->part_bytes = pg_host->get_int(config, "part_size");
    source->maintenance_work_mem = pg_host->get_int(config, "maintenance_work_mem");
    source->owner = read_bool(config, "owner");
    source->acl = read_bool(config, "acl");
    source->globals = read_bool(config, "globals");
    source->role_passwords = read_bool(config, "role_passwords");
    source->analyze = read_bool(config, "analyze");
    source->compare = read_bool(config, "compare");
    source->amcheck = read_bool(config, "amcheck");
    read_list(config, "databases", &source->databases);
    read_list(config, "exclude_databases", &source->exclude_databases);
    read_list(config, "schema", &source->schema);
    read_list(config, "exclude_schema", &source->exclude_schema);
    read_list(config, "table", &source->table);
    read_list(config, "exclude_table", &source->exclude_table);
    read_list(config, "exclude_table_data", &source->exclude_table_data);
}

int pg_source_open(struct hf_ctx *ctx, const struct hf_config *config, void **ret_self)
{
    struct pg_source *source = calloc(1, sizeof(*source));
    if (!source)
        return pg_nomem(ctx);
    read_options(source, config);
    int result = check_connection(ctx, source);
    result = result < 0 ? result : check_selection(ctx, source);
    if (result < 0)
        free(source);
    else
        *ret_self = source;
    return result;
}

void pg_source_close(void *self)
{
    free(self);
}
