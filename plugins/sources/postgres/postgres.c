/* SPDX-License-Identifier: Apache-2.0
 *
 * The postgres source: databases of a PostgreSQL server, each as one plain SQL script.
 */
#include "postgres.h"

static const struct hf_source operations = {
    .size = sizeof(struct hf_source),
    .check = pg_check,
    .begin = pg_begin,
    .next_part = pg_next_part,
    .backup_part = pg_backup_part,
    .end = pg_end,
    .restore_begin = pg_restore_begin,
    .restore_select = pg_restore_select,
    .restore_part = pg_restore_part,
    .restore_end = pg_restore_end,
    .verify_begin = pg_verify_begin,
    .verify_part = pg_verify_part,
    .verify_end = pg_verify_end,
    .audit = pg_audit,
    .ahead = 32 << 20,
};

static const struct hf_plugin plugin = {
    .size = sizeof(struct hf_plugin),
    .kind = HF_SOURCE,
    .name = "postgres",
    .version = "1.0.0",
    .summary = "PostgreSQL databases, each as one plain SQL script",
    .description =
        "Backs up a database as plain SQL that `gunzip -c FILE | psql -v ON_ERROR_STOP=1 DATABASE` restores. "
        "Definitions "
        "come from PostgreSQL's own pg_dump, rows by COPY on several connections at once, large tables in pieces; all "
        "of "
        "them see one snapshot. For each table the number of rows and a checksum over them are recorded while they "
        "stream by. Servers of version 13 and newer, also standbys; pg_dump must not be older than the server.\n\n"
        "The connection is libpq's: 'url', 'service' or the environment, with all of its ways to authenticate and "
        "encrypt. It must lead to the server itself or to a pooler in session mode. Passwords stand in no argument of "
        "any program. The role needs to read everything: membership in pg_read_all_data (14 and newer) for tables, and "
        "to be a superuser, or the owner, for large objects and tables with row security (BYPASSRLS helps there).\n\n"
        "Patterns are pg_dump's: '*' and '?' stand for text, SCHEMA.NAME names a table, names without schema are those "
        "that the role's search_path finds, and capital letters count only within double quotes. In a list such a "
        "quote is written twice, within quotes around the whole value: \"public.\"\"Order Lines\"\"\".\n\n"
        "Several databases ('databases') become one artifact each, PROFILE_DATABASE_TIME.sql. 'globals' adds roles and "
        "tablespaces as globals_PROFILE_TIME.sql.\n\n"
        "Verifying reads the script as psql would: it must be complete to its last line, each row well formed, and "
        "rows "
        "and checksums as recorded. An audit compares the live server with the newest backup: tables that are gone or "
        "have far fewer rows than before, invalid indexes, collations whose version changed.\n\n"
        "Restoring loads into a new database beside the target, on as many connections as the profile has jobs; "
        "indexes "
        "are built while other tables load. It reads everything again to compare it with the backup, and only then "
        "takes the target's name, in one transaction. The target must be absent or empty; with --replace the old "
        "database is kept as NAME_before_ID. --only takes SCHEMA.TABLE and restores single tables, into the existing "
        "database if it has none of them. Restoring needs a role that may create databases.",
    .caps = HF_CAP_TO_IS_NAME,
    .threads = HF_PARALLEL,
    .option_stride = sizeof(struct hf_option),
    .options = pg_options,
    .option_count = PG_OPTION_COUNT,
    .open = pg_source_open,
    .close = pg_source_close,
    .operations = &operations,
};

static const struct hf_plugin *const plugins[] = {&plugin};

static int init(const struct hf_host *host)
{
    pg_host = host;
    return HF_OK;
}

static const struct hf_module module = {
    .size = sizeof(struct hf_module),
    .min_host = 2,
    .license = "Apache-2.0",
    .plugins = plugins,
    .plugin_count = sizeof(plugins) / sizeof(*plugins),
    .init = init,
};

const struct hf_module *holdfast_module_v1(void)
{
    return &module;
}
