/* SPDX-License-Identifier: Apache-2.0
 *
 * The copies of one backup in several sinks, the best first: a part that one cannot give is read from the next.
 */
#ifndef HF_PIPELINE_COPIES_H
#define HF_PIPELINE_COPIES_H

#include "pipeline/shelf.h"

struct hf_copies;

/* Borrows both. */
struct hf_copies *hf_copies_new(const struct hf_chain *, const struct hf_manifest *);
void hf_copies_free(struct hf_copies *);
void hf_copies_add(struct hf_copies *, struct hf_instance *sink); /* before any thread reads */
size_t hf_copies_count(const struct hf_copies *);

struct hf_shelf *hf_copies_shelf(const struct hf_copies *, size_t copy);
struct hf_instance *hf_copies_sink(const struct hf_copies *, size_t copy);
/* The first copy for this part of those that are not in `tried` (a bit each): what is known to be bad is left out, and
 * those whose sink went away come last. SIZE_MAX: none. Says so, as a finding, when it is not the first of all. */
size_t hf_copies_choose(struct hf_copies *, struct hf_ctx *, const struct hf_manifest_artifact *,
                        const struct hf_manifest_part *, uint64_t tried);
/* What a copy turned out to be: its part is bad, or (HF_E_UNREACHABLE) its sink is away. */
void hf_copies_mark(struct hf_copies *, size_t copy, const struct hf_manifest_part *, const struct hf_error *why);
/* Forgets what was said, so that it is said again: for another attempt. */
void hf_copies_again(struct hf_copies *);

#endif
