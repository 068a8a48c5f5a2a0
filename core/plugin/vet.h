/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking a module's tables over, and copying them by the growth rules, before any more of its code runs.
 */
#ifndef HF_PLUGIN_VET_H
#define HF_PLUGIN_VET_H

#include "plugin/loader.h"

/* The module as a whole: its size, the host it needs, its list of plugins. */
int hf_vet_module(struct hf_ctx *, const struct hf_module *, struct hf_module *ret_module);
/* One plugin: fills in the copies and the option table. */
int hf_vet_plugin(struct hf_ctx *, const struct hf_plugin *, struct hf_loaded *ret_loaded);

#endif
