/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes from outside of the git sink. The first byte chooses: 't', a tree that a hostile remote may hold, with
 * names like "../x" and entries that are folders, links or submodules, is looked at as an object; otherwise, any bytes
 * are unpacked as a tar, and the tree that becomes of them holds no name that would harm who checks it out.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <git2/sys/mempack.h>
#include <git2/sys/odb_backend.h>

#include "fake_host.h"
#include "git.h"
#include "tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char key[] = "p_20260201_120000.tar";
static char path[64];

static void require(bool fine, const char *what)
{
    if (fine)
        return;
    const git_error *error = git_error_last();
    fprintf(stderr, "%s: %s\n", what, error ? error->message : "");
    abort();
}

static void remove_repository(void)
{
    (void)tar_remove_tree(AT_FDCWD, path);
}

/* One repository for the process; what an input puts into it stays in memory, and goes with it. */
static git_repository *repository(void)
{
    git_repository *repo = NULL;
    if (!*path) {
        require(git_libgit2_init() > 0, "start libgit2");
        snprintf(path, sizeof(path), "%s/fuzz-git-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        require(mkdtemp(path) != NULL && git_repository_init(&repo, path, 1) == 0, "make a repository");
        git_repository_free(repo);
        (void)atexit(remove_repository);
    }
    require(git_repository_open_bare(&repo, path) == 0, "open the repository");
    return repo;
}

static void store(git_repository *repo, const uint8_t *data, size_t size, bool is_tree)
{
    git_odb *odb = NULL;
    git_treebuilder *builder = NULL;
    git_reference *made = NULL;
    git_oid oid;
    char ref[GS_REF_MAX], commit[300];
    require(git_repository_odb(&odb, repo) == 0, "open its objects");
    require(git_odb_write(&oid, odb, data, size, is_tree ? GIT_OBJECT_TREE : GIT_OBJECT_BLOB) == 0, "store the input");
    if (!is_tree) {
        require(git_treebuilder_new(&builder, repo, NULL) == 0 &&
                    git_treebuilder_insert(NULL, builder, key, &oid, GIT_FILEMODE_BLOB) == 0 &&
                    git_treebuilder_write(&oid, builder) == 0,
                "make a tree");
        git_treebuilder_free(builder);
    }
    int length = snprintf(commit, sizeof(commit), "tree %s\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\nx\n",
                          git_oid_tostr_s(&oid));
    require(git_odb_write(&oid, odb, commit, (size_t)length, GIT_OBJECT_COMMIT) == 0, "make a commit");
    git_odb_free(odb);
    gs_key_ref(GS_REFS_OBJECTS, key, ref);
    require(git_reference_create(&made, repo, ref, &oid, 1, NULL) == 0, "name it");
    git_reference_free(made);
}

static int check_entry(const char *root, const git_tree_entry *entry, void *arg)
{
    const char *name = git_tree_entry_name(entry);
    (void)root, (void)arg;
    require(*name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..") && strcasecmp(name, ".git") &&
                strcasecmp(name, "git~1"),
            "a name that harms");
    git_filemode_t mode = git_tree_entry_filemode(entry);
    require(mode == GIT_FILEMODE_BLOB || mode == GIT_FILEMODE_BLOB_EXECUTABLE || mode == GIT_FILEMODE_LINK ||
                mode == GIT_FILEMODE_TREE,
            "something else than files, links and folders");
    return 0;
}

static void unpack(struct gs *self, struct fake *fake)
{
    struct gs_tree *tree = gs_tree_new();
    git_tree *made = NULL;
    git_oid oid;
    size_t left_out = 0;
    int code = gs_unpack(self, fake_ctx(fake), key, "", tree);
    require(code <= 0 && (code == HF_OK || *fake_error(fake)), "a failure without a reason");
    if (code == HF_OK) {
        require(gs_tree_write(self, fake_ctx(fake), tree, &oid, &left_out) == HF_OK, fake_error(fake));
        require(git_tree_lookup(&made, self->repo, &oid) == 0, "read the tree");
        require(git_tree_walk(made, GIT_TREEWALK_PRE, check_entry, NULL) == 0, "walk the tree");
        git_tree_free(made);
    }
    gs_tree_free(tree);
}

static void look(struct gs *self, struct fake *fake)
{
    char piece[256];
    void *get = NULL;
    struct hf_object object = {.size = sizeof(object)};
    int64_t got = 1;
    int code = gs_stat(self, fake_ctx(fake), key, &object);
    require(code <= 0 && (code == HF_OK || *fake_error(fake)), "a failure without a reason");
    if (gs_get_begin(self, fake_ctx(fake), key, 0, UINT64_MAX, &get) != HF_OK)
        return;
    while (got > 0)
        got = gs_get_read(get, fake_ctx(fake), piece, sizeof(piece));
    gs_get_end(get);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fake *fake = fake_new();
    struct gs self = {.path = path, .max_object = 1 << 20, .run_lock = -1, .repo = repository()};
    git_odb_backend *memory = NULL;
    git_odb *odb = NULL;
    bool is_tree = size > 0 && data[0] == 't';
    gs_host = fake_host_table();
    require(git_mempack_new(&memory) == 0 && git_repository_odb(&odb, self.repo) == 0 &&
                git_odb_add_backend(odb, memory, 999) == 0,
            "keep objects in memory");
    (void)git_libgit2_opts(GIT_OPT_ENABLE_STRICT_OBJECT_CREATION, 1);
    store(self.repo, data + is_tree, size - is_tree, is_tree);
    if (is_tree)
        look(&self, fake);
    else
        unpack(&self, fake);
    gs_blob_release(self.held);
    git_odb_free(odb);
    git_repository_free(self.repo);
    fake_free(fake);
    return 0;
}
