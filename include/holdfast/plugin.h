/* SPDX-License-Identifier: Apache-2.0
 *
 * What a plugin module exports. This header includes all others, so a plugin needs only <holdfast/plugin.h>.
 *
 * A module is a shared object named KIND-NAME.so (source-sqlite.so). It exports one symbol, holdfast_module_v1, whose name
 * carries the ABI's major version. It is opened with RTLD_NOW | RTLD_LOCAL, looked over before any of its code but the
 * entry function runs, and never unloaded.
 */
#ifndef HOLDFAST_PLUGIN_H
#define HOLDFAST_PLUGIN_H

#include "host.h"
#include "notifier.h"
#include "sink.h"
#include "source.h"
#include "stage.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the core may assume about threads. The default is safe for anything. */
enum hf_threads {
    HF_SERIAL = 0,       /* one call at a time in the whole module              */
    HF_PER_INSTANCE = 1, /* one call at a time in each instance                 */
    HF_PARALLEL = 2      /* calls may overlap wherever the kind's header allows */
};

/* Capabilities. A source with this one takes --to for a name (of a database, say) and gets it as it was typed; otherwise it is
 * a path, and made absolute. */
#define HF_CAP_TO_IS_NAME 1ull
/* A stage: nobody reads what it encodes without a key, so manifests can be sealed with it. */
#define HF_CAP_ENCRYPTS 2ull
/* A sink: it keeps a history, so backups that are copied to it come one after the other, the oldest first. */
#define HF_CAP_HISTORY 4ull
/* Bits in here that the core does not know refuse the load. None is defined yet. */
#define HF_CAP_MUST_UNDERSTAND (0xffffull << 48)

struct hf_plugin {
    uint32_t size;
    uint32_t kind;                   /* enum hf_kind                                                       */
    const char *name;                /* as in `plugin = NAME`: [a-z0-9-]                                   */
    const char *version;
    const char *summary;             /* one line, lower case                                               */
    const char *description;         /* paragraphs for `plugin info` and the manual, separated by empty lines */
    uint64_t caps;
    uint32_t threads;                /* enum hf_threads                                                    */
    uint32_t option_stride;          /* sizeof(struct hf_option) as the plugin knows it                     */
    const struct hf_option *options; /* NULL when there is none                                            */
    size_t option_count;
    /* An instance: all of a plugin's state. Checks across options; no I/O. NULL open: no state, self is NULL. */
    int (*open)(struct hf_ctx *, const struct hf_config *, void **ret_self);
    void (*close)(void *self);
    const void *operations;          /* struct hf_source, hf_stage, hf_sink or hf_notifier, by kind         */
};

struct hf_module {
    uint32_t size;
    uint32_t min_host;               /* the lowest HF_HOST_VERSION it works with                            */
    const char *license;             /* SPDX identifier                                                    */
    const struct hf_plugin *const *plugins;
    size_t plugin_count;
    int (*init)(const struct hf_host *); /* keep the pointer; 0 or a failure. Called once                    */
};

/* The only symbol that a module exports. It returns a static table and has no side effects. */
HF_EXPORT const struct hf_module *holdfast_module_v1(void);

#ifdef __cplusplus
}
#endif
#endif
