/* SPDX-License-Identifier: Apache-2.0
 *
 * A tree of git while it is put together: names of a folder are kept sorted. Memory is that of the names.
 */
#include "git.h"

#include <git2/sys/path.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 512, PATH_LIMIT = 4095, ENTRIES_MAX = 1000000 };

struct node {
    char *name;
    git_oid oid;
    git_filemode_t mode;
    struct gs_tree *folder; /* NULL: a file or link */
};

struct gs_tree {
    struct node *items;
    size_t count, room;
    size_t *total; /* of the whole tree, at its root */
    size_t own_total;
};

static struct gs_tree *new_folder(size_t *total)
{
    struct gs_tree *tree = calloc(1, sizeof(*tree));
    if (tree)
        tree->total = total ? total : &tree->own_total;
    return tree;
}

struct gs_tree *gs_tree_new(void)
{
    return new_folder(NULL);
}

void gs_tree_free(struct gs_tree *tree)
{
    if (!tree)
        return;
    for (size_t i = 0; i < tree->count; i++) {
        gs_tree_free(tree->items[i].folder);
        free(tree->items[i].name);
    }
    free(tree->items);
    free(tree);
}

static int compare(const char *name, const char *piece, size_t length)
{
    int order = strncmp(name, piece, length);
    return order ? order : name[length] != 0;
}

/* Where the name is, or would be. */
static size_t find(const struct gs_tree *tree, const char *piece, size_t length, bool *ret_found)
{
    size_t low = 0, high = tree->count;
    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(tree->items[middle].name, piece, length);
        if (order == 0)
            *ret_found = true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct node *insert(struct gs_tree *tree, size_t at, const char *piece, size_t length)
{
    if (tree->count == tree->room) {
        size_t room = tree->room ? 2 * tree->room : 8;
        struct node *items = reallocarray(tree->items, room, sizeof(*items));
        if (!items)
            return NULL;
        tree->items = items;
        tree->room = room;
    }
    char *name = strndup(piece, length);
    if (!name)
        return NULL;
    memmove(&tree->items[at + 1], &tree->items[at], (tree->count - at) * sizeof(*tree->items));
    tree->items[at] = (struct node){.name = name};
    tree->count++;
    ++*tree->total;
    return &tree->items[at];
}

static int refuse(struct hf_ctx *ctx, const char *path, const char *why)
{
    return gs_host->fail(ctx, HF_E_REFUSED, "the archive's entry '%.200s' %s", path, why);
}

/* The next component of a path; its length, 0 at the end. "." and empty ones are passed over. */
static size_t next_piece(const char **at)
{
    for (;;) {
        while (**at == '/')
            ++*at;
        size_t length = strcspn(*at, "/");
        if (length != 1 || **at != '.')
            return length;
        *at += 1;
    }
}

static bool is_last(const char *at)
{
    return next_piece(&at) == 0;
}

int gs_tree_put(struct gs_tree *tree, struct hf_ctx *ctx, const char *path, const git_oid *oid, git_filemode_t mode)
{
    const char *at = path;
    size_t length, depth = 0;
    if (*path == '/')
        return refuse(ctx, path, "has an absolute name");
    if (strlen(path) > PATH_LIMIT)
        return refuse(ctx, path, "has a name that is too long");
    while ((length = next_piece(&at)) > 0) {
        bool found, last = is_last(at + length) && mode != GIT_FILEMODE_TREE;
        if (length == 2 && at[0] == '.' && at[1] == '.')
            return refuse(ctx, path, "leads out of the archive");
        if (++depth > DEPTH_MAX)
            return refuse(ctx, path, "lies too deep");
        size_t place = find(tree, at, length, &found);
        struct node *node = found ? &tree->items[place] : NULL;
        if (node && (node->folder != NULL) == last)
            return refuse(ctx, path, "is a folder and a file");
        if (!node && *tree->total >= ENTRIES_MAX)
            return refuse(ctx, path, "is one too many for a readable tree");
        if (!node)
            node = insert(tree, place, at, length);
        if (node && !last && !node->folder)
            node->folder = new_folder(tree->total);
        if (!node || (!last && !node->folder))
            return gs_fail_nomem(ctx);
        if (last) {
            node->oid = *oid; /* of two of one name, the later one counts, as when tar unpacks it */
            node->mode = mode;
            return HF_OK;
        }
        tree = node->folder;
        at += length;
    }
    return HF_OK;
}

bool gs_tree_get(const struct gs_tree *tree, const char *path, git_oid *ret_oid, git_filemode_t *ret_mode)
{
    const char *at = path;
    size_t length;
    while ((length = next_piece(&at)) > 0) {
        bool found;
        size_t place = find(tree, at, length, &found);
        if (!found)
            return false;
        const struct node *node = &tree->items[place];
        at += length;
        if (!node->folder) {
            *ret_oid = node->oid;
            *ret_mode = node->mode;
            return is_last(at);
        }
        tree = node->folder;
    }
    return false;
}

/* Of the characters that file systems of a Mac pass over in names: the length of one that stands here, or 0. */
static size_t passed_over(const unsigned char *at)
{
    if (at[0] == 0xe2 && at[1] == 0x80)
        return (at[2] >= 0x8c && at[2] <= 0x8f) || (at[2] >= 0xaa && at[2] <= 0xae) ? 3 : 0;
    if (at[0] == 0xe2 && at[1] == 0x81)
        return at[2] >= 0xaa && at[2] <= 0xaf ? 3 : 0;
    return at[0] == 0xef && at[1] == 0xbb && at[2] == 0xbf ? 3 : 0;
}

/* Would the name be ".git" on a Mac? libgit2 asks only there. */
static bool is_disguised(const char *name)
{
    static const char hidden[] = ".git";
    size_t used = 0;
    for (const unsigned char *at = (const unsigned char *)name; *at;) {
        size_t skip = passed_over(at);
        if (!skip && (used == strlen(hidden) || (*at | (used ? 0x20 : 0)) != hidden[used]))
            return false;
        used += !skip;
        at += skip ? skip : 1;
    }
    return used == strlen(hidden);
}

/* Git keeps no empty folders, and none of these names: servers refuse all that is pushed when it holds one. libgit2
 * knows the other disguises. */
static int add(git_treebuilder *builder, const struct node *node, const git_oid *oid, git_filemode_t mode,
               size_t *left_out)
{
    bool bad = is_disguised(node->name) || (mode == GIT_FILEMODE_LINK &&
                                            git_path_is_gitfile(node->name, strlen(node->name),
                                                                GIT_PATH_GITFILE_GITMODULES, GIT_PATH_FS_GENERIC) == 1);
    int rc = bad ? 0 : git_treebuilder_insert(NULL, builder, node->name, oid, mode);
    const git_error *error = rc != 0 ? git_error_last() : NULL;
    if (bad || (error && error->klass == GIT_ERROR_TREE)) {
        ++*left_out;
        return 0;
    }
    return rc;
}

static int write_folder(struct gs *self, const struct gs_tree *tree, git_oid *ret_oid, size_t *left_out)
{
    git_treebuilder *builder = NULL;
    int rc = git_treebuilder_new(&builder, self->repo, NULL);
    for (size_t i = 0; rc == 0 && i < tree->count; i++) {
        const struct node *node = &tree->items[i];
        git_oid oid = node->oid;
        if (node->folder && (node->folder->count == 0 || (rc = write_folder(self, node->folder, &oid, left_out)) != 0))
            continue;
        rc = add(builder, node, &oid, node->folder ? GIT_FILEMODE_TREE : node->mode, left_out);
    }
    if (rc == 0)
        rc = git_treebuilder_write(ret_oid, builder);
    git_treebuilder_free(builder);
    return rc;
}

int gs_tree_write(struct gs *self, struct hf_ctx *ctx, const struct gs_tree *tree, git_oid *ret_oid,
                  size_t *ret_left_out)
{
    *ret_left_out = 0;
    int rc = write_folder(self, tree, ret_oid, ret_left_out);
    return rc == 0 ? HF_OK : gs_fail(self, ctx, rc, "cannot write a tree to '%s'", self->path);
}
