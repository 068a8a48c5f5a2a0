/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/host.h"

#include "base/cancel.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "config/option.h"
#include "plugin/child.h"
#include "plugin/tempdir.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { KEY_MAX = 200 };

/* --- the operation's collection --- */

void hf_services_init(struct hf_services *services, const char *temp_root)
{
    memset(services, 0, sizeof(*services));
    pthread_mutex_init(&services->lock, NULL);
    services->facts = json_object();
    services->context = json_object();
    services->answers = json_object();
    services->temp_root = temp_root;
    services->tempdir_lock = -1;
}

void hf_services_clear(struct hf_services *services)
{
    if (services->tempdir != NULL) {
        struct hf_ctx ctx = {0};

        if (hf_tempdir_remove(&ctx, services->tempdir, services->tempdir_lock) != HF_OK)
            hf_log(HF_LOG_WARNING, NULL, "%s", ctx.error.text);
        hf_error_clear(&ctx.error);
        free(services->tempdir);
    }
    for (size_t i = 0; i < services->finding_count; i++) {
        free(services->findings[i].code);
        free(services->findings[i].subject);
        free(services->findings[i].text);
    }
    free(services->findings);
    json_decref(services->facts);
    json_decref(services->context);
    json_decref(services->answers);
    pthread_mutex_destroy(&services->lock);
    memset(services, 0, sizeof(*services));
}

static void add_finding(struct hf_services *services, int severity, const char *code, const char *subject,
                        const char *format, va_list args)
{
    hf_auto_free char *text = hf_vstrf(format, args);

    if (severity < HF_INFO || severity > HF_ERROR)
        severity = HF_ERROR;
    pthread_mutex_lock(&services->lock);
    services->severity_counts[severity]++;
    if (services->finding_count == HF_FINDINGS_MAX) {
        services->findings_dropped++;
    } else {
        struct hf_collected_finding *finding;

        if (services->finding_count == services->finding_room) {
            services->finding_room = services->finding_room ? 2 * services->finding_room : 16;
            services->findings =
                hf_realloc_array(services->findings, services->finding_room, sizeof(*services->findings));
        }
        finding = &services->findings[services->finding_count++];
        finding->severity = severity;
        finding->code = hf_strdup(code ? code : "finding");
        finding->subject = hf_redacted(subject ? subject : "");
        finding->text = hf_redacted(text);
    }
    pthread_mutex_unlock(&services->lock);
}

void hf_services_finding(struct hf_services *services, int severity, const char *code, const char *subject,
                         const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_finding(services, severity, code, subject, format, args);
    va_end(args);
}

void hf_services_merge(struct hf_services *to, struct hf_services *from)
{
    pthread_mutex_lock(&from->lock);
    for (size_t i = 0; i < from->finding_count; i++) {
        struct hf_collected_finding *finding = &from->findings[i];

        hf_services_finding(to, finding->severity, finding->code, finding->subject, "%s", finding->text);
    }
    pthread_mutex_unlock(&from->lock);
    hf_services_forget(from, 0);
}

void hf_services_forget(struct hf_services *services, size_t count)
{
    pthread_mutex_lock(&services->lock);
    while (services->finding_count > count) {
        struct hf_collected_finding *finding = &services->findings[--services->finding_count];

        services->severity_counts[finding->severity]--;
        free(finding->code);
        free(finding->subject);
        free(finding->text);
    }
    pthread_mutex_unlock(&services->lock);
}

/* --- the table --- */

static struct hf_services *services_of(const struct hf_ctx *ctx)
{
    assert(ctx->services != NULL);
    return ctx->services;
}

static void host_log(struct hf_ctx *ctx, int level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    hf_vlog(level, ctx->who, format, args);
    va_end(args);
}

static int host_fail(struct hf_ctx *ctx, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    hf_vfail(ctx, code < 0 ? code : HF_E_FAIL, format, args);
    va_end(args);
    return code < 0 ? code : HF_E_FAIL;
}

static int host_hint(struct hf_ctx *ctx, const char *format, ...)
{
    va_list args;
    int code;

    va_start(args, format);
    code = hf_vhint(ctx, format, args);
    va_end(args);
    return code;
}

static int host_cancelled(struct hf_ctx *ctx)
{
    return hf_cancel_raised(ctx->cancel);
}

static int host_cancel_fd(struct hf_ctx *ctx)
{
    return ctx->cancel ? ctx->cancel->event_fd : -1;
}

static int host_sleep_ms(struct hf_ctx *ctx, int64_t ms)
{
    int64_t until = hf_time_steady_ms() + ms;
    struct pollfd wake = {.fd = host_cancel_fd(ctx), .events = POLLIN};

    for (;;) {
        int64_t left = until - hf_time_steady_ms();

        if (hf_cancel_raised(ctx->cancel))
            return HF_E_CANCELLED;
        if (left <= 0)
            return HF_OK;
        if (poll(&wake, 1, left > 60000 ? 60000 : (int)left) < 0 && errno != EINTR)
            return hf_fail_errno(ctx, errno, "wait");
    }
}

static const char *host_get_string(const struct hf_config *config, const char *key)
{
    return hf_config_text(config, key);
}

static int64_t host_get_int(const struct hf_config *config, const char *key)
{
    return hf_config_number(config, key);
}

static int host_is_set(const struct hf_config *config, const char *key)
{
    return hf_config_at(config, key)->line != 0;
}

static size_t host_get_list(const struct hf_config *config, const char *key, const char *const **ret_items)
{
    const struct hf_setting *setting = hf_config_at(config, key);

    *ret_items = (const char *const *)setting->items.items;
    return setting->items.count;
}

static int host_write(struct hf_writer *writer, const void *data, size_t size)
{
    return writer->write(writer, data, size);
}

static int host_reserve(struct hf_writer *writer, void **ret_space, size_t *ret_size)
{
    return writer->reserve(writer, ret_space, ret_size);
}

static int host_commit(struct hf_writer *writer, size_t used)
{
    return writer->commit(writer, used);
}

static int64_t host_read(struct hf_reader *reader, void *data, size_t size)
{
    return reader->read(reader, data, size);
}

static int64_t host_borrow(struct hf_reader *reader, const void **ret_data)
{
    return reader->borrow(reader, ret_data);
}

static bool is_utf8(const char *text)
{
    hf_auto_json json_t *string = json_string(text);

    return string != NULL;
}

/* `value`, which it takes, with the secrets in its texts masked; what is no text stays the JSON that it is. */
static json_t *masked(json_t *value)
{
    json_t *member;
    const char *key;
    size_t index;
    void *next;

    if (json_is_string(value)) {
        hf_auto_free char *text = hf_redacted(json_string_value(value));

        if (strcmp(text, json_string_value(value)) != 0 && json_string_set(value, text) != 0) {
            json_decref(value);
            return json_string("***"); /* what is left of a text that was cut within a character */
        }
    }
    json_object_foreach_safe(value, next, key, member) hf_json_set(value, key, masked(json_incref(member)));
    json_array_foreach(value, index, member) if (json_array_set_new(value, index, masked(json_incref(member))) != 0)
        hf_memory_out();
    return value;
}

static int record(struct hf_ctx *ctx, json_t *object, const char *what, const char *key, const char *text)
{
    struct hf_services *services = services_of(ctx);
    json_error_t error;
    json_t *value;
    bool twice;

    if (key == NULL || *key == '\0' || strlen(key) > KEY_MAX || !is_utf8(key))
        return hf_fail(ctx, HF_E_FAIL, "a %s's key must be 1 to %d bytes of UTF-8", what, KEY_MAX);
    value = json_loads(text ? text : "", JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (value == NULL)
        return hf_fail(ctx, HF_E_FAIL, "%s '%s' is no JSON: %s", what, key, error.text);
    value = masked(value);
    pthread_mutex_lock(&services->lock);
    twice = json_object_get(object, key) != NULL;
    if (twice)
        json_decref(value);
    else
        hf_json_set(object, key, value);
    pthread_mutex_unlock(&services->lock);
    return twice ? hf_fail(ctx, HF_E_FAIL, "%s '%s' was reported twice", what, key) : HF_OK;
}

static int host_fact(struct hf_ctx *ctx, const char *key, const char *json)
{
    return record(ctx, services_of(ctx)->facts, "fact", key, json);
}

static int host_context(struct hf_ctx *ctx, const char *key, const char *json)
{
    return record(ctx, services_of(ctx)->context, "context", key, json);
}

static const char *answer(struct hf_ctx *ctx, const json_t *recorded, const char *kind, const char *key)
{
    struct hf_services *services = services_of(ctx);
    const json_t *value = recorded ? json_object_get(recorded, key) : NULL;
    hf_auto_free char *name = NULL;
    const char *text;

    if (value == NULL)
        return NULL;
    name = hf_strf("%s:%s", kind, key);
    pthread_mutex_lock(&services->lock);
    if (json_object_get(services->answers, name) == NULL) {
        char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);

        hf_json_set(services->answers, name, dump ? json_string(dump) : NULL);
        free(dump);
    }
    text = json_string_value(json_object_get(services->answers, name));
    pthread_mutex_unlock(&services->lock);
    return text;
}

static const char *host_get_fact(struct hf_ctx *ctx, const char *key)
{
    return answer(ctx, services_of(ctx)->recorded_facts, "fact", key);
}

static const char *host_get_context(struct hf_ctx *ctx, const char *key)
{
    return answer(ctx, services_of(ctx)->recorded_context, "context", key);
}

static int host_finding(struct hf_ctx *ctx, int severity, const char *code, const char *subject, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_finding(services_of(ctx), severity, code, subject, format, args);
    va_end(args);
    return HF_OK;
}

static void host_progress(struct hf_ctx *ctx, uint64_t done, uint64_t total)
{
    atomic_store(&services_of(ctx)->plugin_done, done);
    atomic_store(&services_of(ctx)->plugin_total, total);
}

static const char *host_tempdir(struct hf_ctx *ctx)
{
    struct hf_services *services = services_of(ctx);
    const char *path;

    pthread_mutex_lock(&services->lock);
    if (services->tempdir == NULL)
        (void)hf_tempdir_make(ctx, services->temp_root, &services->tempdir, &services->tempdir_lock);
    path = services->tempdir;
    pthread_mutex_unlock(&services->lock);
    return path;
}

static void host_redact(struct hf_ctx *ctx, const char *secret)
{
    (void)ctx;
    hf_redact_add(secret);
}

static int host_spawn(struct hf_ctx *ctx, const struct hf_spawn *spawn, struct hf_child **ret_child, int *ret_out)
{
    hf_auto_free char *why = NULL;
    int rc;

    if (hf_cancel_raised(ctx->cancel))
        return HF_E_CANCELLED;
    rc = hf_child_start(spawn, ret_child, ret_out, &why);
    return rc < 0 ? hf_fail(ctx, rc, "%s", why) : rc;
}

static int host_reap(struct hf_ctx *ctx, struct hf_child *child, int unwanted, char **ret_errors)
{
    hf_auto_free char *why = NULL, *errors = NULL, *masked = NULL, *words = NULL;
    int rc = hf_child_end(child, host_cancel_fd(ctx), unwanted != 0, &why, &errors);

    /* Masked before anything is cut off: half a secret would not be known for one. */
    masked = hf_redacted(errors);
    if (why != NULL) {
        words = hf_child_last_words(masked);
        hf_fail(ctx, rc, "%s%s%s", why, *words ? ": " : "", words);
    }
    if (ret_errors != NULL)
        *ret_errors = hf_child_tail(masked);
    return rc;
}

static const char *host_profile(struct hf_ctx *ctx)
{
    return ctx->services != NULL ? ctx->services->profile : NULL;
}

const struct hf_host *hf_host_table(void)
{
    static const struct hf_host table = {
        .size = sizeof(table),
        .version = HF_HOST_VERSION,
        .log = host_log,
        .fail = host_fail,
        .hint = host_hint,
        .cancelled = host_cancelled,
        .cancel_fd = host_cancel_fd,
        .sleep_ms = host_sleep_ms,
        .get_string = host_get_string,
        .get_int = host_get_int,
        .is_set = host_is_set,
        .get_list = host_get_list,
        .write = host_write,
        .reserve = host_reserve,
        .commit = host_commit,
        .read = host_read,
        .borrow = host_borrow,
        .fact = host_fact,
        .context = host_context,
        .get_fact = host_get_fact,
        .get_context = host_get_context,
        .finding = host_finding,
        .progress = host_progress,
        .tempdir = host_tempdir,
        .redact = host_redact,
        .spawn = host_spawn,
        .reap = host_reap,
        .profile = host_profile,
    };

    return &table;
}
