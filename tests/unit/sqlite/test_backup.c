/* SPDX-License-Identifier: Apache-2.0
 *
 * Backups of databases at rest, and of what is none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

static void write_artifact(const char *artifact, const char *path)
{
    size_t size = 0;
    unsigned char *data = fake_artifact(fake, artifact, &size);
    ck_assert_ptr_nonnull(data);
    write_file(path, data, size);
    free(data);
}

START_TEST(one_database_is_an_ordinary_file)
{
    make_database(in_folder("signals.db"), "pragma user_version = 7; pragma application_id = 77", 5000);
    ck_assert_int_eq(backup(in_folder("signals.db"), 2), HF_OK);
    write_artifact("signals", in_folder("copy.db"));
    ck_assert_int_eq(query(in_folder("copy.db"), "select count(*) from signals"), 5000);
    ck_assert_int_eq(query(in_folder("copy.db"), "pragma user_version"), 7);
    const char *facts = fake_fact(fake, "signals");
    ck_assert_ptr_nonnull(strstr(facts, "\"application_id\":77,\"page_count\":"));
    ck_assert_ptr_nonnull(strstr(facts, "\"tables\":{\"notes\":2,\"signals\":5000},\"user_version\":7}"));
    ck_assert_ptr_nonnull(strstr(fake_context(fake, "signals"), "\"journal_mode\":\"delete\""));
    ck_assert_str_eq(fake->parts[0]->suffix, ".db");
    ck_assert_int_eq(verify(2), HF_OK);
}
END_TEST

START_TEST(every_page_size)
{
    static const int sizes[] = {512, 4096, 65536};
    char pragmas[80];
    for (size_t i = 0; i < 3; i++) {
        for (int wal = 0; wal < 2; wal++) {
            const char *path = in_folder("p%d-%d.db", sizes[i], wal);
            snprintf(pragmas, sizeof(pragmas), "pragma page_size = %d; pragma journal_mode = %s", sizes[i],
                     wal ? "wal" : "delete");
            make_database(path, pragmas, 3000);
        }
    }
    ck_assert_int_eq(backup(in_folder("*.db"), 2), HF_OK);
    ck_assert_uint_eq(fake->facts.count, 6);
    ck_assert_ptr_nonnull(strstr(fake_fact(fake, "p512-1"), "\"page_size\":512"));
    ck_assert_ptr_nonnull(strstr(fake_fact(fake, "p65536-0"), "\"page_size\":65536"));
    ck_assert_ptr_nonnull(strstr(fake_context(fake, "p512-1"), "\"journal_mode\":\"wal\""));
    ck_assert_int_eq(verify(3), HF_OK);
}
END_TEST

START_TEST(several_parts)
{
    char sql[200];
    snprintf(sql, sizeof(sql),
             "create table t (b blob); with recursive n(i) as (values (1) union all select i + 1 from n "
             "where i < 70) insert into t select zeroblob(1048576) from n");
    run_sql(in_folder("big.db"), sql);
    ck_assert_int_eq(backup(in_folder("big.db"), 3), HF_OK);
    ck_assert_uint_eq(fake->part_count, 3);
    ck_assert_str_eq(fake->parts[2]->name, "bytes-000003");
    ck_assert_uint_eq(fake->parts[1]->raw_offset, 32u << 20);
    ck_assert_int_eq(verify(3), HF_OK);
    ck_assert_int_eq(restore(in_folder("out"), 0, NULL), HF_OK);
    ck_assert_int_eq(query(in_folder("out/big.db"), "select sum(length(b)) from t"), 70 << 20);
}
END_TEST

START_TEST(odd_names)
{
    run_sql(in_folder("it's \"odd\" %%41.db"),
            "create table \"a\"\"b\" (x); insert into \"a\"\"b\" values (1); create table 'c''d' (x);"
            "create table [select] (x primary key) without rowid; create table \"\" (x); create table \"hex:41\" (x);"
            "create virtual table search using fts5 (body); insert into search values ('hello');"
            "create view v as select 1; create table \"\303\244\" (x)");
    ck_assert_int_eq(backup(in_folder("*.db"), 1), HF_OK);
    const char *facts = fake->facts.items[0].value;
    ck_assert_ptr_nonnull(strstr(facts, "\"a\\\"b\":1"));
    ck_assert_ptr_nonnull(strstr(facts, "\"c'd\":0"));
    ck_assert_ptr_nonnull(strstr(facts, "\"select\":0"));
    ck_assert_ptr_nonnull(strstr(facts, "\"hex:6865783a3431\":0"));
    ck_assert_ptr_nonnull(strstr(facts, "\"search_content\":1"));
    ck_assert_ptr_null(strstr(facts, "\"search\":"));
    ck_assert_ptr_null(strstr(facts, "\"v\":"));
    ck_assert_int_eq(verify(1), HF_OK);
    ck_assert_int_eq(restore(in_folder("out"), 0, NULL), HF_OK);
    ck_assert_int_eq(query(in_folder("out/it's \"odd\" %%41.db"), "select count(*) from \"a\"\"b\""), 1);
}
END_TEST

START_TEST(names_that_are_no_text)
{
    char sql[] = "create table \"x\377y\" (a); insert into \"x\377y\" values (1)";
    run_sql(in_folder("n.db"), sql);
    ck_assert_int_eq(backup(in_folder("n.db"), 1), HF_OK);
    ck_assert_ptr_nonnull(strstr(fake_fact(fake, "n"), "\"hex:78ff79\":1"));
    make_database(in_folder("\377.db"), "select 1", 3);
    ck_assert_int_eq(backup(in_folder("\377.db"), 1), HF_OK);
    ck_assert_ptr_nonnull(strstr(fake_context(fake, "-"), "\"path\":\"hex:2f"));
    remove_file(in_folder("\377.db"));
    ck_assert_int_eq(restore(NULL, 0, NULL), HF_OK);
    ck_assert(exists(in_folder("\377.db")));
}
END_TEST

static int with_collation(void *arg, int a_size, const void *a, int b_size, const void *b)
{
    (void)arg;
    int order = memcmp(b, a, (size_t)(a_size < b_size ? a_size : b_size));
    return order ? order : b_size - a_size;
}

START_TEST(a_collation_of_the_application)
{
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(in_folder("c.db"), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_create_collation(db, "backward", SQLITE_UTF8, NULL, with_collation), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db,
                                  "create table t (x text collate backward); create index i on t (x);"
                                  "insert into t values ('a'), ('b');"
                                  "create table w (k text collate backward primary key) without rowid",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    ck_assert_int_eq(backup(in_folder("c.db"), 1), HF_OK);
    ck_assert_ptr_nonnull(strstr(fake_fact(fake, "c"), "\"t\":2"));
    ck_assert_int_eq(verify(1), HF_OK);
    ck_assert_ptr_nonnull(fake_find(fake, "check-incomplete"));
}
END_TEST

START_TEST(an_empty_file_is_an_empty_database)
{
    write_file(in_folder("e.db"), "", 0);
    ck_assert_int_eq(backup(in_folder("e.db"), 1), HF_OK);
    ck_assert_ptr_nonnull(fake_find(fake, "database-empty"));
    ck_assert_ptr_nonnull(strstr(fake_fact(fake, "e"), "\"tables\":{}"));
    ck_assert_int_eq(verify(1), HF_OK);
    ck_assert_int_eq(restore(in_folder("out"), 0, NULL), HF_OK);
    ck_assert_int_eq(query(in_folder("out/e.db"), "select count(*) from sqlite_schema"), 0);
}
END_TEST

static void corrupt(const char *path, long offset, size_t size)
{
    FILE *file = fopen(path, "r+e");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, offset, SEEK_SET), 0);
    for (size_t i = 0; i < size; i++)
        ck_assert_int_ne(fputc((int)(i * 37 + 11) & 0xff, file), EOF);
    ck_assert_int_eq(fclose(file), 0);
}

static void make_bad_file(const char *path, int kind)
{
    char noise[8192];
    switch (kind) {
    case 0: /* text */
        write_file(path, "not a database at all\n", 22);
        break;
    case 1: /* encrypted: noise from the first byte */
        for (size_t i = 0; i < sizeof(noise); i++)
            noise[i] = (char)(random() >> 7);
        write_file(path, noise, sizeof(noise));
        break;
    case 2: /* pages overwritten */
        make_database(path, "select 1", 2000);
        corrupt(path, 3 * 4096, 4096 * 6);
        break;
    default: /* cut short */
        make_database(path, "select 1", 2000);
        ck_assert_int_eq(truncate(path, 5 * 4096 + 100), 0);
        break;
    }
}

START_TEST(what_is_no_sound_database_fails_and_is_named)
{
    make_database(in_folder("good.db"), "select 1", 10);
    make_bad_file(in_folder("zbad.db"), _i);
    ck_assert_int_eq(backup(in_folder("*.db"), 1), HF_E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), in_folder("zbad.db")));
    ck_assert_str_ne(fake_hint(fake), "");
    const char *const pairs[] = {"path", in_folder("*.db"), "on_error", "skip", NULL};
    ck_assert_int_eq(backup_with(1, pairs), HF_OK);
    ck_assert_str_eq(fake_error(fake), "");
    ck_assert_str_eq(fake_find(fake, "database-skipped")->subject, in_folder("zbad.db"));
    ck_assert_int_eq(fake_find(fake, "database-skipped")->severity, HF_ERROR);
    ck_assert_uint_eq(fake->part_count, 1);
    ck_assert_uint_eq(fake->facts.count, 1);
    remove_file(in_folder("good.db"));
    ck_assert_int_lt(backup_with(1, pairs), 0);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "none of 1 databases"));
}
END_TEST

START_TEST(a_missing_path_fails_or_is_skipped)
{
    make_database(in_folder("good.db"), "select 1", 10);
    char paths[300];
    snprintf(paths, sizeof(paths), "%s %s", in_folder("good.db"), in_folder("gone.db"));
    ck_assert_int_eq(backup(paths, 1), HF_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "gone.db"));
    ck_assert_int_eq(backup_with(1, (const char *const[]){"path", paths, "on_error", "skip", NULL}), HF_OK);
    ck_assert_str_eq(fake_find(fake, "database-skipped")->subject, in_folder("gone.db"));
}
END_TEST

START_TEST(rows_that_break_constraints_are_no_damage)
{
    run_sql(in_folder("v.db"), "create table t (x); insert into t values (null); pragma writable_schema = on;"
                               "update sqlite_schema set sql = 'create table t (x not null)'");
    ck_assert_int_eq(backup(in_folder("v.db"), 1), HF_OK);
    ck_assert_int_eq(fake_find(fake, "constraint-violated")->severity, HF_WARNING);
    ck_assert_int_eq(verify(1), HF_OK);
}
END_TEST

START_TEST(same_stems)
{
    make_folder(in_folder("eu"));
    make_folder(in_folder("us"));
    make_database(in_folder("eu/signals.db"), "select 1", 10);
    make_database(in_folder("us/signals.db"), "select 1", 20);
    ck_assert_int_eq(backup(in_folder("**/*.db"), 2), HF_OK);
    ck_assert_ptr_nonnull(strstr(fake_fact(fake, "eu-signals"), "\"signals\":10"));
    ck_assert_ptr_nonnull(strstr(fake_fact(fake, "us-signals"), "\"signals\":20"));
    ck_assert_int_eq(verify(2), HF_OK);
    ck_assert_int_eq(restore(in_folder("out"), 0, NULL), HF_OK);
    ck_assert_int_eq(query(in_folder("out/signals.db"), "select count(*) from signals"), 10);
    ck_assert_int_eq(query(in_folder("out/us-signals.db"), "select count(*) from signals"), 20);
}
END_TEST

START_TEST(a_failing_pipeline_leaves_nothing)
{
    make_database(in_folder("signals.db"), "select 1", 50000);
    fake->fail_write_after = 1 << 20;
    ck_assert_int_eq(backup(in_folder("signals.db"), 2), HF_E_IO);
    fake->fail_write_after = 0;
    fake->cancel_after = 1 << 20;
    ck_assert_int_eq(backup(in_folder("signals.db"), 2), HF_E_CANCELLED);
}
END_TEST

START_TEST(no_room_for_the_copy)
{
    make_database(in_folder("signals.db"), "select 1", 20000);
    make_database(in_folder("small.db"), "select 1", 1);
    const char *const pairs[] = {"path", in_folder("*.db"), "on_error", "skip", NULL};
    limit_files(1 << 20);
    int result = backup_with(1, pairs);
    limit_files(0);
    ck_assert_int_eq(result, HF_E_IO); /* also with skip: the disk is not the database's fault */
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "signals.db' to the temporary folder: File too large"));
    ck_assert_int_eq(backup_with(1, pairs), HF_OK);
    limit_files(1 << 20);
    result = verify(1);
    limit_files(0);
    ck_assert_int_eq(result, HF_E_IO);
}
END_TEST

START_TEST(relative_paths_are_refused)
{
    const struct hf_plugin *plugin = holdfast_module_v1()->plugins[0];
    struct hf_config *config =
        fake_config_new(plugin->options, plugin->option_count, (const char *const[]){"path", "x.db", NULL});
    void *self = NULL;
    ck_assert_int_eq(plugin->open(fake_ctx(fake), config, &self), HF_E_CONFIG);
    ck_assert_ptr_null(self);
    fake_config_free(config);
}
END_TEST

START_TEST(check_tells_everything_that_is_wrong)
{
    make_database(in_folder("good.db"), "select 1", 10);
    open_plugin((const char *const[]){"path", in_folder("*.db"), NULL});
    ck_assert_int_eq(source_operations()->check(plugin_self, fake_ctx(fake)), HF_OK);
    ck_assert_int_eq(fake_worst(fake), 0);
    make_bad_file(in_folder("bad1.db"), 0);
    make_bad_file(in_folder("bad2.db"), 1);
    ck_assert_int_lt(source_operations()->check(plugin_self, fake_ctx(fake)), 0);
    ck_assert_uint_eq(fake->finding_count, 2);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "2 of 3 databases"));
    fake_clear(fake);
    open_plugin((const char *const[]){"path", in_folder("*.db"), "on_error", "skip", NULL});
    ck_assert_int_eq(source_operations()->check(plugin_self, fake_ctx(fake)), HF_OK);
}
END_TEST

/* Runs as a user who may only read. */
START_TEST(a_read_only_folder)
{
    make_database(in_folder("w.db"), "pragma journal_mode = wal", 100);
    ck_assert(!exists(in_folder("w.db-wal")));
    ck_assert_int_eq(chmod(in_folder("w.db"), 0444), 0);
    ck_assert_int_eq(chmod(folder, 0555), 0);
    bool root = geteuid() == 0;
    if (root)
        ck_assert_int_eq(seteuid(65534), 0);
    int result = backup(in_folder("w.db"), 1);
    if (root)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(folder, 0755), 0);
    ck_assert_msg(result == HF_OK, "%s", fake_error(fake));
    ck_assert_int_eq(entries(folder), 1);
    ck_assert_ptr_nonnull(strstr(fake_fact(fake, "w"), "\"signals\":100"));
}
END_TEST

START_TEST(a_file_that_must_not_be_read)
{
    make_database(in_folder("w.db"), "select 1", 100);
    ck_assert_int_eq(chmod(in_folder("w.db"), 0), 0);
    ck_assert_int_eq(chmod(folder, 0755), 0);
    bool root = geteuid() == 0;
    if (root)
        ck_assert_int_eq(seteuid(65534), 0);
    int result = backup(in_folder("w.db"), 1);
    if (root)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_lt(result, 0);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "w.db"));
}
END_TEST

Suite *suite_backup(void)
{
    Suite *suite = suite_create("backup");
    TCase *tests = tcase_create("backup");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, one_database_is_an_ordinary_file);
    tcase_add_test(tests, every_page_size);
    tcase_add_test(tests, several_parts);
    tcase_add_test(tests, odd_names);
    tcase_add_test(tests, names_that_are_no_text);
    tcase_add_test(tests, a_collation_of_the_application);
    tcase_add_test(tests, an_empty_file_is_an_empty_database);
    tcase_add_loop_test(tests, what_is_no_sound_database_fails_and_is_named, 0, 4);
    tcase_add_test(tests, a_missing_path_fails_or_is_skipped);
    tcase_add_test(tests, rows_that_break_constraints_are_no_damage);
    tcase_add_test(tests, same_stems);
    tcase_add_test(tests, a_failing_pipeline_leaves_nothing);
    tcase_add_test(tests, no_room_for_the_copy);
    tcase_add_test(tests, relative_paths_are_refused);
    tcase_add_test(tests, check_tells_everything_that_is_wrong);
    tcase_add_test(tests, a_read_only_folder);
    tcase_add_test(tests, a_file_that_must_not_be_read);
    suite_add_tcase(suite, tests);
    return suite;
}
