/* SPDX-License-Identifier: Apache-2.0
 *
 * A source that is sound with -DODD_SOUND, and wrong in one way with any other ODD_…, for the tests of plugin vetting.
 * It has a secret, which it is indiscreet about, and, when told to, an artifact that stands aside.
 */
#include <holdfast/plugin.h>

#include <string.h>

static const struct hf_host *host;

struct session {
    const struct hf_config *config;
    int parts;
};

static struct session the_session;

static int odd_open(struct hf_ctx *ctx, const struct hf_config *config, void **ret_self)
{
    (void)ctx;
    *ret_self = (void *)(uintptr_t)config;
    return HF_OK;
}

static int odd_begin(void *self, struct hf_ctx *ctx, void **ret_session)
{
    const char *token = host->get_string(self, "token");

    the_session = (struct session){.config = self};
    *ret_session = &the_session;
    if (host->context(ctx, "made", "\"oddly\"") != HF_OK)
        return HF_E_FAIL;
    if (token != NULL) {
        host->log(ctx, HF_LOG_WARNING, "the token is %s", token);
        return host->finding(ctx, HF_INFO, "token", token, "its token is %s", token);
    }
    return HF_OK;
}

static int odd_next_part(void *session, struct hf_ctx *ctx, struct hf_part *part)
{
    struct session *s = session;

    (void)ctx;
    if (s->parts > host->get_int(s->config, "aside"))
        return HF_END;
    part->artifact = s->parts == 0 ? "" : "roles";
    part->flags = s->parts++ == 0 ? 0 : HF_PART_ASIDE;
    part->name = "all";
    part->suffix = ".txt";
    part->media = "text/plain";
    return HF_OK;
}

static int odd_backup_part(void *session, struct hf_ctx *ctx, const struct hf_part *part, struct hf_writer *writer)
{
    struct session *s = session;
    int64_t pause_ms = part->flags & HF_PART_ASIDE ? host->get_int(s->config, "pause") : 0;
    int rc = HF_OK;

    /* So much that some of it is in the sinks by then. */
    for (int lines = pause_ms > 0 ? 1000000 : 1; lines > 0 && rc == HF_OK; lines--)
        rc = host->write(writer, "odd\n", 4);
    return rc == HF_OK && pause_ms > 0 ? host->sleep_ms(ctx, pause_ms) : rc;
}

static int odd_end(void *session, struct hf_ctx *ctx, int status)
{
    (void)session;
    (void)ctx;
    return status;
}

/* Finds what it is told to. */
static int odd_audit(void *self, struct hf_ctx *ctx, const struct hf_pair *request, size_t count)
{
    const char *made = host->get_context(ctx, "made");

    (void)self;
    host->finding(ctx, HF_INFO, "made", "it", "was made %s", made ? made : "never");
    for (size_t i = 0; i < count; i++) {
        const char *value = request[i].value ? request[i].value : "it";

        if (strcmp(request[i].key, "error") == 0)
            host->finding(ctx, HF_ERROR, "gone", value, "is gone");
        else if (strcmp(request[i].key, "warning") == 0)
            host->finding(ctx, HF_WARNING, "fewer", value, "has become fewer");
        else if (strcmp(request[i].key, "unreachable") == 0)
            return host->fail(ctx, HF_E_UNREACHABLE, "nobody answers");
        else if (strcmp(request[i].key, "missing") == 0)
            return host->fail(ctx, HF_E_NOTFOUND, "there is no such database");
        else
            return host->fail(ctx, HF_E_CONFIG, "an audit cannot look at '%s'", request[i].key);
    }
    return HF_OK;
}

static const struct hf_source odd_operations = {
    .size = sizeof(struct hf_source),
    .begin = odd_begin,
    .next_part = odd_next_part,
    .backup_part = odd_backup_part,
    .end = odd_end,
    .audit = odd_audit,
};

static const struct hf_option odd_options[] = {
    {"path", HF_STRING, 0, NULL, NULL, "ignored", 0, 0},
    {"aside", HF_BOOL, 0, "no", NULL, "a second artifact, which stands aside", 0, 0},
    {"pause", HF_DURATION, 0, "0", NULL, "how long that takes; not 0: and it is large", 0, 0},
#ifdef ODD_BAD_OPTION
    {"token", 99, HF_SECRET, NULL, NULL, "a type that nobody knows", 0, 0},
#else
    {"token", HF_STRING, HF_SECRET, NULL, NULL, "a secret", 0, 0},
#endif
};

static const struct hf_plugin odd_plugin = {
#ifdef ODD_SMALL_PLUGIN
    .size = 16,
#else
    .size = sizeof(struct hf_plugin),
#endif
#ifdef ODD_UNKNOWN_KIND
    .kind = 77,
#else
    .kind = HF_SOURCE,
#endif
#ifdef ODD_OTHER_NAME
    .name = "even",
#else
    .name = "odd",
#endif
    .version = "1.0",
    .summary = "wrong on purpose",
    .description = "For tests.",
#ifdef ODD_UNKNOWN_CAP
    .caps = 1ull << 60,
#endif
    .option_stride = sizeof(struct hf_option),
    .options = odd_options,
    .option_count = sizeof(odd_options) / sizeof(odd_options[0]),
    .open = odd_open,
#ifndef ODD_NO_OPERATIONS
    .operations = &odd_operations,
#endif
};

static const struct hf_plugin *const odd_plugins[] = {&odd_plugin};

static int odd_init(const struct hf_host *the_host)
{
    host = the_host;
#ifdef ODD_INIT_FAILS
    return HF_E_FAIL;
#else
    return HF_OK;
#endif
}

static const struct hf_module odd_module = {
#ifdef ODD_SMALL_MODULE
    .size = 8,
#else
    .size = sizeof(struct hf_module),
#endif
#ifdef ODD_NEWER_HOST
    .min_host = 1000,
#else
    .min_host = 1,
#endif
    .license = "Apache-2.0",
    .plugins = odd_plugins,
    .plugin_count = 1,
    .init = odd_init,
};

#ifdef ODD_NO_SYMBOL
HF_EXPORT const struct hf_module *holdfast_module_v0(void);
const struct hf_module *holdfast_module_v0(void)
#else
const struct hf_module *holdfast_module_v1(void)
#endif
{
#ifdef ODD_NULL_MODULE
    return NULL;
#else
    return &odd_module;
#endif
}
