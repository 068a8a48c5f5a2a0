/* SPDX-License-Identifier: Apache-2.0
 *
 * From a source to its sinks: the threads of one backup.
 */
#ifndef HF_PIPELINE_PIPELINE_H
#define HF_PIPELINE_PIPELINE_H

#include "catalog/manifest.h"
#include "pipeline/fanout.h"

struct hf_pipeline_plan {
    struct hf_instance *source, *stage; /* the block stage, NULL: none */
    struct hf_instance *const *layers;  /* the chunk stages, in order  */
    size_t layer_count;
    void *session;                      /* the source's, begun         */
    int jobs, workers;                  /* at least 1 each             */
    struct hf_services *services;
    struct hf_cancel *cancel;
};

/* Produces, encodes, and feeds the fan-out until every part is in every live sink, prepared but not visible. Fills the
 * manifest's artifacts. On failure everything has stopped, the fan-out too. */
int hf_pipeline_run(const struct hf_pipeline_plan *, struct hf_ctx *, struct hf_fanout *, struct hf_manifest *);

#endif
