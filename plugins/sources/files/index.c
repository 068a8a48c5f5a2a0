/* SPDX-License-Identifier: Apache-2.0
 *
 * Which parts hold a path: the first path of every part, in the order of the walk, recorded with the backup.
 */
#include "files.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FIRSTS 4096 /* then only every second part's is kept, and so on */

struct part_index {
    char **firsts; /* of parts 1, 1 + every, 1 + 2 * every, … */
    size_t count;
    uint32_t every;
};

struct part_index *index_new(void)
{
    struct part_index *index = calloc(1, sizeof(*index));
    char **firsts = index ? calloc(MAX_FIRSTS, sizeof(*firsts)) : NULL;
    if (!firsts) {
        free(index);
        return NULL;
    }
    *index = (struct part_index){.firsts = firsts, .every = 1};
    return index;
}

void index_free(struct part_index *index)
{
    if (!index)
        return;
    for (size_t i = 0; i < index->count; i++)
        free(index->firsts[i]);
    free(index->firsts);
    free(index);
}

int index_add(struct part_index *index, uint32_t number, const char *path)
{
    if (index->count == MAX_FIRSTS) {
        for (size_t i = 0; i < MAX_FIRSTS; i += 2) {
            index->firsts[i / 2] = index->firsts[i];
            free(index->firsts[i + 1]);
        }
        index->count = MAX_FIRSTS / 2;
        index->every *= 2;
    }
    if ((number - 1) % index->every)
        return 0;
    char *copy = strdup(path);
    if (!copy)
        return -1;
    index->firsts[index->count++] = copy;
    return 0;
}

json_t *index_to_json(const struct part_index *index)
{
    json_t *list = files_list_to_json(index->firsts, index->count);
    json_t *object = list ? json_pack("{s:i,s:O}", "every", (int)index->every, "first", list) : NULL;
    json_decref(list);
    return object;
}

struct part_index *index_from_json(const json_t *object)
{
    json_int_t every = json_integer_value(json_object_get(object, "every"));
    struct part_index *index = calloc(1, sizeof(*index));
    if (index && every >= 1 && every <= INT32_MAX &&
        files_list_from_json(json_object_get(object, "first"), MAX_FIRSTS, &index->firsts, &index->count) == 0) {
        index->every = (uint32_t)every;
        return index;
    }
    free(index);
    return NULL;
}

/* The walk's order: names byte by byte, a folder's contents right behind it. */
static int by_walk(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    int x = *a == '/' ? 1 : (unsigned char)*a + (*a != 0), y = *b == '/' ? 1 : (unsigned char)*b + (*b != 0);
    return x - y;
}

/* The number of the innermost root that holds the path; roots are in byte order, as they are walked. count: none. */
static size_t root_of(const char *path, char *const *roots, size_t count)
{
    for (size_t i = count; i-- > 0;)
        if (path_within(path, roots[i]))
            return i;
    return count;
}

/* Does a part that begins with `first` and ends before `next` (NULL: with the last) hold something of the tree at
 * `top`, as far as it was walked with root number top_root? */
static bool overlaps(const char *first, size_t first_root, const char *next, size_t next_root, const char *top,
                     size_t top_root)
{
    bool before_end =
        first_root < top_root || (first_root == top_root && (by_walk(first, top) <= 0 || path_within(first, top)));
    bool after_begin = !next || next_root > top_root || (next_root == top_root && by_walk(next, top) > 0);
    return before_end && after_begin;
}

bool index_holds(const struct part_index *index, uint32_t number, char *const *roots, size_t root_count,
                 const char *path)
{
    size_t slot = (number - 1) / index->every;
    if (slot >= index->count)
        return true; /* not as we know it: look into it */
    const char *first = index->firsts[slot], *next = slot + 1 < index->count ? index->firsts[slot + 1] : NULL;
    size_t first_root = root_of(first, roots, root_count), next_root = next ? root_of(next, roots, root_count) : 0;
    size_t own = root_of(path, roots, root_count);
    if (own < root_count && overlaps(first, first_root, next, next_root, path, own))
        return true;
    for (size_t i = 0; i < root_count; i++) /* roots within the path are walked by themselves */
        if (i != own && path_within(roots[i], path) && overlaps(first, first_root, next, next_root, roots[i], i))
            return true;
    return false;
}
