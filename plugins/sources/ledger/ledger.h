/* SPDX-License-Identifier: Apache-2.0
 *
 * An instance of the source, and the operations that ledger.c puts into its table.
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include <holdfast/plugin.h>

struct ledger {
    const struct hf_host *host;
    char *path; /* of the ledger, without slashes at the end                                                     */
    const char *base; /* its last component; entries of the artifact lie under it                                */
};

#define LEDGER_FACT "ledger"       /* key of the fact and of the context that are about the whole                     */
#define PART_BASE "base"           /* the ledger's folder itself and what is in it besides partitions                 */
#define PART_END "end"             /* the tar's end-of-archive marker                                                 */
#define LEDGER_BUFFER (256u << 10) /* one read; small enough to be still in the cache when it is written         */

/* The fact and the context about the whole, as JSON to be freed; NULL: out of memory. */
char *ledger_fact(const char *base, size_t partitions);
char *ledger_context(const char *path);

int ledger_check(void *self, struct hf_ctx *ctx);

int ledger_begin(void *self, struct hf_ctx *ctx, void **ret_session);
int ledger_next_part(void *session, struct hf_ctx *ctx, struct hf_part *ret_part);
int ledger_backup_part(void *session, struct hf_ctx *ctx, const struct hf_part *part, struct hf_writer *writer);
int ledger_end(void *session, struct hf_ctx *ctx, int status);

int ledger_verify_begin(void *self, struct hf_ctx *ctx, void **ret_session);
int ledger_verify_part(void *session, struct hf_ctx *ctx, const struct hf_part *part, struct hf_reader *reader);
int ledger_verify_end(void *session, struct hf_ctx *ctx, int status);

int ledger_restore_begin(void *self, struct hf_ctx *ctx, const struct hf_restore_request *request, void **ret_session);
int ledger_restore_select(void *session, struct hf_ctx *ctx, const struct hf_part *part);
int ledger_restore_part(void *session, struct hf_ctx *ctx, const struct hf_part *part, struct hf_reader *reader);
int ledger_restore_end(void *session, struct hf_ctx *ctx, int status);

#endif
