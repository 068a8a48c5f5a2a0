/* SPDX-License-Identifier: Apache-2.0
 *
 * What of a partition goes into the backup, decided at one moment while a writer may be at work.
 *
 * _CURRENT is read first, then the folder is listed, then the segments' sizes are taken from the last to the first: a
 * segment is only begun when the one before it is full, so each size is a prefix, and together they are a prefix of the
 * partition. When _CURRENT moved meanwhile (a rollover), the writer sealed the partition, or a name vanished, the look
 * is taken anew.
 */
#ifndef LEDGER_SNAPSHOT_H
#define LEDGER_SNAPSHOT_H

#include "partition.h"

#include <sys/stat.h>

enum snapshot_kind { SNAPSHOT_SEGMENT, SNAPSHOT_FILE, SNAPSHOT_FOLDER, SNAPSHOT_ODD };

struct snapshot_entry {
    char *name; /* owned by the names list                                                                       */
    enum snapshot_kind kind;
    uint32_t ordinal; /* of a segment                                                                            */
    bool gzipped;
    bool may_grow; /* a plain segment that the writer may be appending to: only whole frames of it are taken     */
    uint64_t size;
};

struct snapshot {
    int dir_fd;
    struct stat stat; /* of the folder                                                                           */
    struct names names;
    struct snapshot_entry *entries; /* segments by ordinal, then the rest by name                                */
    size_t count;
    bool sealed;
    struct small_file current; /* the content of _CURRENT as first read                                          */
    struct stat current_stat;
};

/* HF_E_NOTFOUND, without a recorded failure, when the partition is gone. Free with snapshot_clear in any case. */
int snapshot_take(const struct hf_host *host, struct hf_ctx *ctx, int ledger_fd, const char *partition,
                  struct snapshot *ret_snapshot);
void snapshot_clear(struct snapshot *snapshot);

#endif
