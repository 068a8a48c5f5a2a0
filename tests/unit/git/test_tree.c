/* SPDX-License-Identifier: Apache-2.0
 *
 * Archives as trees: what is shown, what is left out, and what no archive of ours would hold.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "git_test.h"
#include "raw_tar.h"

/* Stores the archive and a manifest, which makes the commit. Frees the archive. */
static int store(struct sink *sink, const char *id, struct raw_tar *tar)
{
    char key[100];
    snprintf(key, sizeof(key), "%s.tar", id);
    int status = sink_put(sink, key, tar->data, tar->size);
    raw_free(tar);
    *tar = (struct raw_tar){0};
    ck_assert_msg(status == HF_OK, "%s", fake_error(sink->fake));
    snprintf(key, sizeof(key), "%s.manifest.json", id);
    return sink_put(sink, key, "{}", 2);
}

/* "MODE TEXT" of a path on the branch, or "". */
static const char *at(struct sink *sink, const char *path)
{
    static char text[300];
    git_object *object = NULL;
    git_commit *commit = NULL;
    git_tree *tree = NULL;
    git_tree_entry *entry = NULL;
    git_blob *blob = NULL;
    *text = 0;
    ck_assert_int_eq(git_revparse_single(&object, sink->self->repo, "refs/heads/holdfast/p"), 0);
    ck_assert_int_eq(git_commit_lookup(&commit, sink->self->repo, git_object_id(object)), 0);
    ck_assert_int_eq(git_commit_tree(&tree, commit), 0);
    if (git_tree_entry_bypath(&entry, tree, path) == 0) {
        snprintf(text, sizeof(text), "%o", git_tree_entry_filemode(entry));
        if (git_tree_entry_type(entry) == GIT_OBJECT_BLOB) {
            ck_assert_int_eq(git_blob_lookup(&blob, sink->self->repo, git_tree_entry_id(entry)), 0);
            size_t used = strlen(text);
            snprintf(text + used, sizeof(text) - used, " %.*s", (int)git_blob_rawsize(blob),
                     (const char *)git_blob_rawcontent(blob));
        }
    }
    git_blob_free(blob);
    git_tree_entry_free(entry);
    git_tree_free(tree);
    git_commit_free(commit);
    git_object_free(object);
    return text;
}

START_TEST(test_shown)
{
    struct sink sink = sink_new(NULL);
    struct raw_tar tar = {0};
    raw_add(&tar, "etc/", '5', NULL, NULL);
    raw_add(&tar, "etc/empty/", '5', NULL, NULL);
    raw_add(&tar, "./etc//b.conf", '0', NULL, "two");
    raw_add(&tar, "etc/a.conf", '0', NULL, "one");
    raw_add(&tar, "etc/link", '2', "../../outside", NULL);
    raw_add(&tar, "etc/again", '1', "etc/a.conf", NULL);
    raw_add(&tar, "etc/lost", '1', "etc/not-there", NULL);
    raw_add(&tar, "etc/fifo", '6', NULL, NULL);
    raw_add(&tar, "etc/\xff\xfe", '0', NULL, "bytes");
    raw_add(&tar, "etc/repo/.git/config", '0', NULL, "hidden");
    raw_add(&tar, "etc/repo/.GIT", '0', NULL, "hidden");
    raw_add(&tar, "etc/repo/.g\xe2\x80\x8cIt", '0', NULL, "hidden");
    raw_add(&tar, "etc/repo/.gitmodules", '2', "/etc/passwd", NULL);
    raw_add(&tar, "etc/repo/file", '0', NULL, "seen");
    raw_add(&tar, "etc/a.conf", '0', NULL, "newer");
    raw_end(&tar);
    ck_assert_msg(store(&sink, "p_20260201_120000", &tar) == HF_OK, "%s", fake_error(sink.fake));
    ck_assert_str_eq(at(&sink, "etc/b.conf"), "100644 two");
    ck_assert_str_eq(at(&sink, "etc/a.conf"), "100644 newer");
    ck_assert_str_eq(at(&sink, "etc/link"), "120000 ../../outside");
    ck_assert_str_eq(at(&sink, "etc/again"), "100644 one");
    ck_assert_str_eq(at(&sink, "etc/\xff\xfe"), "100644 bytes");
    ck_assert_str_eq(at(&sink, "etc/repo/file"), "100644 seen");
    ck_assert_str_eq(at(&sink, "etc/repo"), "40000");
    ck_assert_str_eq(at(&sink, "etc/empty"), "");
    ck_assert_str_eq(at(&sink, "etc/lost"), "");
    ck_assert_str_eq(at(&sink, "etc/fifo"), "");
    ck_assert_str_eq(at(&sink, "etc/repo/.git/config"), "");
    ck_assert_str_eq(at(&sink, "etc/repo/.g\xe2\x80\x8cIt"), "");
    ck_assert_str_eq(at(&sink, "etc/repo/.gitmodules"), "");
    ck_assert_ptr_nonnull(strstr(sink.fake->log, "names that git does not keep"));
    sink_free(&sink);
}
END_TEST

START_TEST(test_several_artifacts)
{
    struct sink sink = sink_new(NULL);
    struct raw_tar tar = {0}, other = {0};
    raw_add(&tar, "x", '0', NULL, "named");
    raw_end(&tar);
    ck_assert_int_eq(sink_put(&sink, "p_more_20260201_120000.tar", tar.data, tar.size), HF_OK);
    ck_assert_int_eq(sink_put(&sink, "aside_p_20260201_120000.tar", tar.data, tar.size), HF_OK);
    ck_assert_int_eq(sink_put(&sink, "q_20260201_120000.tar", tar.data, tar.size), HF_OK);
    ck_assert_int_eq(sink_put(&sink, "p_20260201_110000.tar", tar.data, tar.size), HF_OK);
    ck_assert_int_eq(sink_put(&sink, "p_db_20260201_120000.db.gz", "no tar", 6), HF_OK);
    raw_free(&tar);
    raw_add(&other, "y", '0', NULL, "plain");
    raw_end(&other);
    ck_assert_msg(store(&sink, "p_20260201_120000", &other) == HF_OK, "%s", fake_error(sink.fake));
    ck_assert_str_eq(at(&sink, "more/x"), "100644 named");
    ck_assert_str_eq(at(&sink, "aside/x"), "100644 named");
    ck_assert_str_eq(at(&sink, "y"), "100644 plain");
    ck_assert_str_eq(at(&sink, "x"), "");
    sink_free(&sink);
}
END_TEST

START_TEST(test_hostile)
{
    static const struct {
        const char *name, *says;
        int code;
    } cases[] = {{"/etc/passwd", "absolute", HF_E_REFUSED},
                 {"../x", "leads out", HF_E_REFUSED},
                 {"a/../../x", "leads out", HF_E_REFUSED},
                 {"file/x", "a folder and a file", HF_E_REFUSED}};
    struct sink sink = sink_new(NULL);
    char id[64];
    struct hf_object object;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct raw_tar tar = {0};
        raw_add(&tar, "file", '0', NULL, "x");
        raw_add(&tar, cases[i].name, '0', NULL, "evil");
        raw_end(&tar);
        snprintf(id, sizeof(id), "p_20260201_12000%zu", i);
        fake_clear(sink.fake);
        ck_assert_int_eq(store(&sink, id, &tar), cases[i].code);
        ck_assert_msg(strstr(fake_error(sink.fake), cases[i].says) != NULL, "%s", fake_error(sink.fake));
        strcat(id, ".manifest.json");
        ck_assert_int_eq(sink.ops->stat(sink.self, sink_ctx(&sink), id, &object), HF_E_NOTFOUND);
    }
    /* Sizes that lie, and an end that comes too early. */
    struct raw_tar tar = {0};
    raw_add_sized(&tar, "huge", '0', NULL, "77777777777", "x");
    fake_clear(sink.fake);
    ck_assert_int_lt(store(&sink, "p_20260201_130000", &tar), 0);
    char deep[1200];
    for (size_t i = 0; i < sizeof(deep) - 2; i += 2)
        memcpy(deep + i, "d/", 2);
    deep[sizeof(deep) - 2] = 'x';
    deep[sizeof(deep) - 1] = 0;
    raw_pax(&tar, "path", deep, strlen(deep));
    raw_add(&tar, "short", '0', NULL, "x");
    raw_end(&tar);
    fake_clear(sink.fake);
    ck_assert_int_eq(store(&sink, "p_20260201_140000", &tar), HF_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(fake_error(sink.fake), "too deep"));
    sink_free(&sink);
}
END_TEST

TCase *tree_cases(void)
{
    TCase *tcase = tcase_create("tree");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, test_shown);
    tcase_add_test(tcase, test_several_artifacts);
    tcase_add_test(tcase, test_hostile);
    return tcase;
}
