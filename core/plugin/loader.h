/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding, vetting and loading plugin modules. Nothing is ever unloaded.
 */
#ifndef HF_PLUGIN_LOADER_H
#define HF_PLUGIN_LOADER_H

#include "base/error.h"
#include "base/text.h"
#include "config/option.h"
#include <holdfast/plugin.h>
#include <pthread.h>

struct hf_loaded {
    struct hf_plugin plugin;  /* the core's own copies, by the growth rules */
    struct hf_source source;  /* of these, the one that plugin.kind says    */
    struct hf_stage stage;
    struct hf_sink sink;
    struct hf_notifier notifier;
    struct hf_options options;
    char *path;               /* the module's file                          */
    char *license;
    pthread_mutex_t *module_lock; /* one per module, for HF_SERIAL          */
};

/* Folders searched, in order: $HOLDFAST_PLUGIN_PATH (separated by ':'), the settings' plugin_path, `plugins` beside the
 * running program's folder when it runs from a build tree, and the installed one. */
void hf_loader_set_path(const struct hf_strings *settings_path);

/* HF_E_NOTFOUND names the folders searched and the nearest name there is. */
int hf_loader_find(struct hf_ctx *, uint32_t kind, const char *name, const struct hf_loaded **ret_loaded);
/* Every module in the folders; one that cannot be loaded is logged as a warning and left out. Sorted by kind, name. The
 * array is the caller's, the items are not. */
int hf_loader_all(struct hf_ctx *, const struct hf_loaded ***ret_items, size_t *ret_count);

const char *hf_kind_text(uint32_t kind); /* "source" */
uint32_t hf_kind_parse(const char *text); /* 0: no such kind */

#endif
