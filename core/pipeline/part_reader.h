/* SPDX-License-Identifier: Apache-2.0
 *
 * The way back: a part's bytes, fetched by range, decoded, counted and digested; or a whole object, without its
 * manifest.
 */
#ifndef HF_PIPELINE_PART_READER_H
#define HF_PIPELINE_PART_READER_H

#include "pipeline/copies.h"

enum { HF_HOLD_MAX = 4 * 1024 * 1024 };

struct hf_part_reader; /* begins with a struct hf_reader */

/* The reader is used by one thread, with this ctx. */
int hf_part_reader_open(struct hf_ctx *, struct hf_shelf *, const struct hf_manifest_artifact *,
                        const struct hf_manifest_part *, struct hf_part_reader **ret_reader);
/* The same, from whichever copy can give it. What fails in one is read from the next, and goes on where it was, as long
 * as what was given out already is the same there. A part of up to HF_HOLD_MAX bytes is given out only when all of it
 * was found right; of a larger one wrong bytes may have been given out before they are known to be: then reading fails,
 * and hf_part_reader_misled says that another attempt, from the part's beginning, would find the right ones. */
int hf_part_reader_open_copies(struct hf_ctx *, struct hf_copies *, const struct hf_manifest_artifact *,
                               const struct hf_manifest_part *, struct hf_part_reader **ret_reader);
bool hf_part_reader_misled(const struct hf_part_reader *);
/* A file, from first to last byte; the stages decode it, with all the checks their formats allow. Takes the fd. */
int hf_part_reader_open_file(struct hf_ctx *, int fd, const char *path, const struct hf_chain *,
                             struct hf_part_reader **ret_reader);
struct hf_reader *hf_part_reader_base(struct hf_part_reader *);
/* What made reading fail, 0 when nothing did: tells damage of the artifact from a failure of whoever reads it. */
int hf_part_reader_failed(const struct hf_part_reader *);
/* Reads what the plugin left, so that everything is checked. */
int hf_part_reader_finish(struct hf_part_reader *);
void hf_part_reader_close(struct hf_part_reader *);

#endif
