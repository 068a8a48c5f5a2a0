/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that are pulled, through as many layers as there are: an object's range or a file, what a stage decodes from
 * another pull, a slice of one.
 */
#ifndef HF_PIPELINE_PULL_H
#define HF_PIPELINE_PULL_H

#include "plugin/host.h"
#include "plugin/instance.h"

struct hf_pull;

/* 1 to `size` bytes, 0 at the end, or a failure, after which nothing more may be read. */
int64_t hf_pull_read(struct hf_pull *, struct hf_ctx *, void *data, size_t size);
void hf_pull_free(struct hf_pull *); /* with all those below it; NULL is fine */

int hf_pull_object(struct hf_ctx *, struct hf_instance *sink, const char *key, uint64_t offset, uint64_t length,
                   struct hf_pull **ret_pull);
struct hf_pull *hf_pull_file(int fd, const char *path);        /* takes the fd */
struct hf_pull *hf_pull_memory(const void *data, size_t size); /* borrows the data */
/* What `stage` decodes from `below`. Takes `below` and the stream, also when it fails. `subject`, for messages: what is
 * read; it must live as long. */
int hf_pull_decoded(struct hf_ctx *, struct hf_instance *stage, void *stream, struct hf_pull *below,
                    const char *subject, struct hf_pull **ret_pull);
/* The same, with a new stream of that mode. */
int hf_pull_decode(struct hf_ctx *, struct hf_instance *stage, int mode, struct hf_pull *below, const char *subject,
                   struct hf_pull **ret_pull);
/* `length` bytes of `below`, behind its first `skip`; fewer are HF_E_CORRUPT. Takes `below`. */
struct hf_pull *hf_pull_slice(struct hf_pull *below, uint64_t skip, uint64_t length, const char *subject);

#endif
