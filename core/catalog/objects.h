/* SPDX-License-Identifier: Apache-2.0
 *
 * Small objects in a sink as memory: manifests, checksums, verification records.
 */
#ifndef HF_CATALOG_OBJECTS_H
#define HF_CATALOG_OBJECTS_H

#include "plugin/instance.h"

/* The whole object, NUL-terminated; free it. One larger than max_bytes is HF_E_CORRUPT. */
int hf_object_read(struct hf_ctx *, struct hf_instance *sink, const char *key, size_t max_bytes, char **ret_data,
                   size_t *ret_size);
/* Durable and visible, or neither. HF_E_EXISTS when the key is taken. */
int hf_object_write(struct hf_ctx *, struct hf_instance *sink, const char *key, const char *media, const char *data,
                    size_t size);
/* The same for a record that is removed or replaced before long (HF_PUT_PASSING). */
int hf_object_write_passing(struct hf_ctx *, struct hf_instance *sink, const char *key, const char *media,
                            const char *data, size_t size);
int hf_object_remove(struct hf_ctx *, struct hf_instance *sink, const char *key);
/* Is it there, and how large? A failure means that the answer is not known. ret_bytes may be NULL. */
int hf_object_stat(struct hf_ctx *, struct hf_instance *sink, const char *key, bool *ret_there, uint64_t *ret_bytes);

/* A ctx for calls whose failure is looked at before it becomes the caller's: clear its error, or merge it. */
static inline struct hf_ctx hf_ctx_aside(const struct hf_ctx *ctx)
{
    return (struct hf_ctx){.who = ctx->who, .cancel = ctx->cancel, .services = ctx->services};
}

#endif
