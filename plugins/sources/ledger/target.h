/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a restore goes, and the folder beside it in which the restore is built.
 *
 * Usually that folder is PARENT/.NAME.holdfast-ID, and the whole ledger is swapped by renaming. Single partitions, and
 * a ledger that is a mount point, are built in NAME/_holdfast-ID and moved one by one ("in place"); names that begin
 * with
 * '_' at the top are no partitions, so nobody takes it for one.
 */
#ifndef LEDGER_TARGET_H
#define LEDGER_TARGET_H

#include "names.h"

#include <holdfast/plugin.h>
#include <sys/stat.h>

struct target {
    char *path, *parent, *name;
    char *made; /* the topmost folder on the way that had to be made; NULL: none                              */
    int parent_fd;
    int fd;     /* of the target; -1: it does not exist                                                       */
    bool empty; /* or does not exist                                                                          */
    bool in_place;
    bool only;    /* single partitions                                                                          */
    int stage_fd; /* locked as long as it is open                                                               */
    char *stage_name, *id;
};

/* Checks the target, and makes the stage. A refusal leaves all as it was. target_clear in any case. */
int target_prepare(const struct hf_host *host, struct hf_ctx *ctx, struct target *target, const char *path,
                   const struct hf_restore_request *request);
/* Puts stage/BASE in the target's place, durably; what it replaces is kept as documented. On failure all is as before.
 */
int target_swap(const struct hf_host *host, struct hf_ctx *ctx, struct target *target, const char *base, bool replace);
/* Removes the stage and, unless `done`, folders that were made on the way; frees. */
int target_clear(const struct hf_host *host, struct hf_ctx *ctx, struct target *target, bool done);

#endif
