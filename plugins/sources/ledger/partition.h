/* SPDX-License-Identifier: Apache-2.0
 *
 * One partition as it was seen: in a backup, in an artifact, or on disk after a restore. From it come the facts and the
 * findings, so all three say the same of the same bytes.
 */
#ifndef LEDGER_PARTITION_H
#define LEDGER_PARTITION_H

#include "segment.h"

#include <holdfast/plugin.h>

#define CURRENT_MAX 4096u        /* a longer _CURRENT names no segment                                          */
#define MANIFEST_MAX (16u << 20) /* a longer _manifest.json is not looked into                                  */

/* The content of a small file. `present` without `data`: it is too long to be looked into. */
struct small_file {
    bool present;
    char *data;
    size_t size, room;
};

struct partition_check {
    const char *name;
    struct segment_result *segments; /* any order while adding, by ordinal once sorted                           */
    size_t count, room;
    bool sealed;
    struct small_file current, manifest;
};

void partition_check_init(struct partition_check *p, const char *name);
void partition_check_clear(struct partition_check *p);
/* 0, or HF_E_NOMEM. */
int partition_check_add(struct partition_check *p, const struct segment_result *result);
/* Orders the segments by ordinal. */
void partition_check_sort(struct partition_check *p);
bool partition_check_has(const struct partition_check *p, uint32_t ordinal);
/* Adds to a small file's content what fits under `max`. 0, or HF_E_NOMEM. */
int small_file_add(struct small_file *file, const void *data, size_t size, size_t max);
void small_file_clear(struct small_file *file);

/* The ordinal that _CURRENT names, 0 when it names no segment. */
uint32_t current_parse(const char *data, size_t size);

/* The facts as JSON, to be freed; NULL: out of memory. Sorts the segments. */
char *partition_facts(struct partition_check *p);
/* True when both texts are the same JSON value. */
bool facts_equal(const char *a, const char *b);

/* Reports what is wrong. `damage` is the severity of damage: HF_ERROR, or HF_WARNING for damage that is known already.
 * Sorts the segments. 0, or the code with which a finding was refused. */
int partition_report(const struct hf_host *host, struct hf_ctx *ctx, struct partition_check *p, int damage);

/* Reports days without a partition between the first and the last name. `names` are partitions, in order. */
int report_missing_days(const struct hf_host *host, struct hf_ctx *ctx, const char *const *names, size_t count);

#endif
