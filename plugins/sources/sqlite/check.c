/* SPDX-License-Identifier: Apache-2.0
 *
 * Could a backup work? Every database is opened as a backup would, and nothing is written but SQLite's own lock files.
 */
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "sqlite.h"

/* Everything that is wrong is told, not only the first. */
static int tell(struct hf_ctx *ctx, void *arg, const char *subject, const struct sq_problem *problem)
{
    size_t *bad = arg;
    *bad += 1;
    if (problem->fatal)
        return sq_raise(ctx, problem);
    int result = sq_host->finding(ctx, HF_ERROR, "database-unreadable", subject, "%s%s%s", problem->text,
                                  problem->hint[0] ? "; " : "", problem->hint);
    return result < 0 ? result : HF_OK;
}

static int check_space(struct hf_ctx *ctx, uint64_t largest)
{
    const char *folder = sq_host->tempdir(ctx);
    struct statvfs space;
    if (!folder)
        return HF_E_IO; /* tempdir() recorded why */
    if (statvfs(folder, &space) != 0 || (uint64_t)space.f_bavail * space.f_frsize >= largest)
        return HF_OK;
    int result = sq_host->finding(ctx, HF_ERROR, "temp-space", folder,
                                  "the largest database has %llu MiB, and the temporary folder only room for %llu MiB",
                                  (unsigned long long)(largest >> 20),
                                  (unsigned long long)(((uint64_t)space.f_bavail * space.f_frsize) >> 20));
    return result < 0 ? result : HF_OK;
}

int sq_check(void *self, struct hf_ctx *ctx)
{
    const struct sq_source *source = self;
    struct sq_list list = {0};
    size_t bad = 0;
    uint64_t largest = 0;
    int result = sq_find(ctx, source, tell, &bad, &list);
    size_t count = list.count + bad; /* what could not even be found counts */
    for (size_t i = 0; i < list.count && result == HF_OK; i++) {
        struct sq_problem problem = {0};
        struct sq_database database;
        if (sq_database_open(ctx, source, list.items[i].path, &database, &problem) < 0) {
            result = tell(ctx, &bad, list.items[i].path, &problem);
            continue;
        }
        if ((uint64_t)database.before.st_size > largest)
            largest = (uint64_t)database.before.st_size;
        sq_database_close(&database);
    }
    sq_list_clear(&list);
    if (result == HF_OK)
        result = check_space(ctx, largest);
    if (result < 0)
        return result;
    if (count == 0)
        return sq_host->fail(ctx, HF_E_NOTFOUND, "there is no database to back up");
    if (bad == 0 || (source->skip && bad < count))
        return HF_OK;
    return sq_host->fail(ctx, HF_E_FAIL, "%zu of %zu databases cannot be backed up", bad, count);
}
