/* SPDX-License-Identifier: Apache-2.0
 *
 * The host table: what the plugin under test calls.
 */
#include "fake_host.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_internal.h"
#include "plugin/child.h"

void *fake_alloc(void *old, size_t size)
{
    void *memory = realloc(old, size ? size : 1);
    if (!memory)
        abort();
    return memory;
}

char *fake_dup(const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        abort();
    return copy;
}

static char *format_text(const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        abort();
    return text;
}

void fake_pairs_set(struct fake_pairs *pairs, const char *key, const char *value)
{
    for (size_t i = 0; i < pairs->count; i++) {
        if (strcmp(pairs->items[i].key, key) != 0)
            continue;
        free(pairs->items[i].value);
        pairs->items[i].value = fake_dup(value);
        return;
    }
    pairs->items = fake_alloc(pairs->items, (pairs->count + 1) * sizeof(*pairs->items));
    pairs->items[pairs->count++] = (struct fake_pair){fake_dup(key), fake_dup(value)};
}

const char *fake_pairs_get(const struct fake_pairs *pairs, const char *key)
{
    for (size_t i = 0; i < pairs->count; i++) {
        if (!strcmp(pairs->items[i].key, key))
            return pairs->items[i].value;
    }
    return NULL;
}

void fake_pairs_clear(struct fake_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        free(pairs->items[i].key);
        free(pairs->items[i].value);
    }
    free(pairs->items);
    *pairs = (struct fake_pairs){0};
}

static void host_log(struct hf_ctx *ctx, int level, const char *format, ...)
{
    static const char *const words[] = {"", "debug", "info", "warning", "error"};
    assert(level >= HF_LOG_DEBUG && level <= HF_LOG_ERROR);
    va_list args;
    va_start(args, format);
    char *text = format_text(format, args), *all = NULL;
    va_end(args);
    pthread_mutex_lock(&ctx->fake.lock);
    if (asprintf(&all, "%s%s: %s\n", ctx->fake.log ? ctx->fake.log : "", words[level], text) < 0)
        abort();
    free(ctx->fake.log);
    ctx->fake.log = all;
    pthread_mutex_unlock(&ctx->fake.lock);
    free(text);
}

static _Thread_local int last_code = HF_E_FAIL; /* of fail(), for hint() to return */

static int host_fail(struct hf_ctx *ctx, int code, const char *format, ...)
{
    assert(code < 0);
    last_code = code;
    va_list args;
    va_start(args, format);
    char *text = format_text(format, args);
    va_end(args);
    pthread_mutex_lock(&ctx->fake.lock);
    if (ctx->fake.error) {
        char *all = NULL;
        if (asprintf(&all, "%s: %s", text, ctx->fake.error) < 0)
            abort();
        free(ctx->fake.error);
        free(text);
        text = all;
    }
    ctx->fake.error = text;
    pthread_mutex_unlock(&ctx->fake.lock);
    return code;
}

static int host_hint(struct hf_ctx *ctx, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = format_text(format, args);
    va_end(args);
    pthread_mutex_lock(&ctx->fake.lock);
    if (ctx->fake.hint)
        free(text);
    else
        ctx->fake.hint = text;
    pthread_mutex_unlock(&ctx->fake.lock);
    return last_code;
}

static int host_cancelled(struct hf_ctx *ctx)
{
    return atomic_load(&ctx->fake.cancel) ? 1 : 0;
}

static int host_cancel_fd(struct hf_ctx *ctx)
{
    return ctx->fake.cancel_pipe[0];
}

static int host_sleep_ms(struct hf_ctx *ctx, int64_t ms)
{
    struct pollfd wait = {.fd = ctx->fake.cancel_pipe[0], .events = POLLIN};
    if (!host_cancelled(ctx))
        (void)poll(&wait, 1, (int)ms);
    return host_cancelled(ctx) ? HF_E_CANCELLED : HF_OK;
}

static void append(struct fake_part *part, const void *data, size_t size)
{
    if (part->used + size > part->room) {
        part->room = (part->used + size) * 2;
        part->data = fake_alloc(part->data, part->room);
    }
    if (size)
        memcpy(part->data + part->used, data, size);
    part->used += size;
}

static int count_written(struct fake *fake, size_t size)
{
    long long all = (long long)(atomic_fetch_add(&fake->bytes_written, size) + size);
    if (fake->fail_write_after && all > fake->fail_write_after)
        return host_fail(fake_ctx(fake), HF_E_IO, "write: made to fail after %lld bytes", fake->fail_write_after);
    if (fake->cancel_after && all > fake->cancel_after)
        fake_cancel(fake);
    return host_cancelled(fake_ctx(fake)) ? HF_E_CANCELLED : HF_OK;
}

static int host_write(struct hf_writer *writer, const void *data, size_t size)
{
    append(writer->part, data, size);
    return count_written(writer->fake, size);
}

static int host_reserve(struct hf_writer *writer, void **ret_space, size_t *ret_size)
{
    if (host_cancelled(fake_ctx(writer->fake)))
        return HF_E_CANCELLED;
    size_t size = writer->fake->block_size - writer->part->used % writer->fake->block_size;
    free(writer->space);
    writer->space = fake_alloc(NULL, size); /* exactly so large, for the address sanitizer to see what is too much */
    *ret_space = writer->space;
    *ret_size = size;
    return HF_OK;
}

static int host_commit(struct hf_writer *writer, size_t used)
{
    assert(writer->space && used <= writer->fake->block_size - writer->part->used % writer->fake->block_size);
    append(writer->part, writer->space, used);
    free(writer->space);
    writer->space = NULL;
    return count_written(writer->fake, used);
}

static int64_t host_borrow(struct hf_reader *reader, const void **ret_data)
{
    if (host_cancelled(fake_ctx(reader->fake)))
        return HF_E_CANCELLED;
    size_t size = reader->size - reader->at;
    if (size > reader->fake->block_size)
        size = reader->fake->block_size;
    *ret_data = reader->data + reader->at;
    reader->at += size;
    atomic_fetch_add(&reader->fake->bytes_read, size);
    return (int64_t)size;
}

static int64_t host_read(struct hf_reader *reader, void *data, size_t size)
{
    if (host_cancelled(fake_ctx(reader->fake)))
        return HF_E_CANCELLED;
    size_t left = reader->size - reader->at;
    if (left > reader->fake->block_size)
        left = reader->fake->block_size;
    if (size > left)
        size = left;
    if (size)
        memcpy(data, reader->data + reader->at, size);
    reader->at += size;
    atomic_fetch_add(&reader->fake->bytes_read, size);
    return (int64_t)size;
}

static int record_json(struct hf_ctx *ctx, struct fake_pairs *pairs, const char *key, const char *json)
{
    assert(strlen(key) <= 200);
    json_t *value = json_loads(json, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (!value)
        return host_fail(ctx, HF_E_FAIL, "'%s': not JSON: %s", key, json);
    json_decref(value);
    pthread_mutex_lock(&ctx->fake.lock);
    fake_pairs_set(pairs, key, json);
    pthread_mutex_unlock(&ctx->fake.lock);
    return HF_OK;
}

static int host_fact(struct hf_ctx *ctx, const char *key, const char *json)
{
    return record_json(ctx, &ctx->fake.facts, key, json);
}

static int host_context(struct hf_ctx *ctx, const char *key, const char *json)
{
    return record_json(ctx, &ctx->fake.contexts, key, json);
}

static const char *host_get_fact(struct hf_ctx *ctx, const char *key)
{
    return fake_pairs_get(&ctx->fake.recorded_facts, key);
}

static const char *host_get_context(struct hf_ctx *ctx, const char *key)
{
    return fake_pairs_get(&ctx->fake.recorded_contexts, key);
}

static int host_finding(struct hf_ctx *ctx, int severity, const char *code, const char *subject, const char *format,
                        ...)
{
    va_list args;
    va_start(args, format);
    char *text = format_text(format, args);
    va_end(args);
    struct fake *fake = &ctx->fake;
    pthread_mutex_lock(&fake->lock);
    fake->findings = fake_alloc(fake->findings, (fake->finding_count + 1) * sizeof(*fake->findings));
    fake->findings[fake->finding_count++] = (struct fake_finding){severity, fake_dup(code), fake_dup(subject), text};
    pthread_mutex_unlock(&fake->lock);
    return HF_OK;
}

static void host_progress(struct hf_ctx *ctx, uint64_t done, uint64_t total)
{
    (void)ctx;
    assert(total == 0 || done <= total);
}

static const char *host_tempdir(struct hf_ctx *ctx)
{
    struct fake *fake = &ctx->fake;
    pthread_mutex_lock(&fake->lock);
    if (!fake->tempdir) {
        const char *base = getenv("TMPDIR");
        if (asprintf(&fake->tempdir, "%s/fake-run-XXXXXX", base ? base : "/tmp") < 0 || !mkdtemp(fake->tempdir))
            abort();
    }
    pthread_mutex_unlock(&fake->lock);
    return fake->tempdir;
}

static void host_redact(struct hf_ctx *ctx, const char *secret)
{
    (void)ctx;
    (void)secret;
}

static int host_spawn(struct hf_ctx *ctx, const struct hf_spawn *spawn, struct hf_child **ret_child, int *ret_out)
{
    char *why = NULL;
    int rc = host_cancelled(ctx) ? HF_E_CANCELLED : hf_child_start(spawn, ret_child, ret_out, &why);
    if (why)
        host_fail(ctx, rc, "%s", why);
    free(why);
    return rc;
}

static int host_reap(struct hf_ctx *ctx, struct hf_child *child, int unwanted, char **ret_errors)
{
    char *why = NULL, *errors = NULL;
    int rc = hf_child_end(child, ctx->fake.cancel_pipe[0], unwanted != 0, &why, &errors);
    char *words = hf_child_last_words(errors);
    if (why)
        host_fail(ctx, rc, "%s%s%s", why, *words ? ": " : "", words);
    if (ret_errors)
        *ret_errors = hf_child_tail(errors);
    free(words);
    free(why);
    free(errors);
    return rc;
}

static const char *host_profile(struct hf_ctx *ctx)
{
    (void)ctx;
    return "test";
}

static const struct hf_host table = {
    .size = sizeof(struct hf_host),
    .version = HF_HOST_VERSION,
    .log = host_log,
    .fail = host_fail,
    .hint = host_hint,
    .cancelled = host_cancelled,
    .cancel_fd = host_cancel_fd,
    .sleep_ms = host_sleep_ms,
    .get_string = fake_config_string,
    .get_int = fake_config_int,
    .is_set = fake_config_is_set,
    .get_list = fake_config_list,
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

const struct hf_host *fake_host_table(void)
{
    return &table;
}

struct fake *fake_new(void)
{
    struct hf_ctx *ctx = fake_alloc(NULL, sizeof(*ctx));
    memset(ctx, 0, sizeof(*ctx));
    pthread_mutex_init(&ctx->fake.lock, NULL);
    ctx->fake.block_size = 1u << 20;
    if (pipe(ctx->fake.cancel_pipe) != 0)
        abort();
    return &ctx->fake;
}

struct hf_ctx *fake_ctx(struct fake *fake)
{
    return (struct hf_ctx *)(void *)fake;
}

void fake_cancel(struct fake *fake)
{
    if (!atomic_exchange(&fake->cancel, true) && write(fake->cancel_pipe[1], "x", 1) != 1)
        abort();
}

void fake_clear(struct fake *fake)
{
    free(fake->error);
    free(fake->hint);
    free(fake->log);
    fake->error = fake->hint = fake->log = NULL;
    for (size_t i = 0; i < fake->finding_count; i++) {
        free(fake->findings[i].code);
        free(fake->findings[i].subject);
        free(fake->findings[i].text);
    }
    free(fake->findings);
    fake->findings = NULL;
    fake->finding_count = 0;
    fake_pairs_clear(&fake->facts);
    fake_pairs_clear(&fake->contexts);
    char byte;
    if (atomic_exchange(&fake->cancel, false) && read(fake->cancel_pipe[0], &byte, 1) != 1)
        abort();
    atomic_store(&fake->bytes_read, 0);
    atomic_store(&fake->bytes_written, 0);
}

void fake_free(struct fake *fake)
{
    if (!fake)
        return;
    fake_clear(fake);
    fake_parts_clear(fake);
    fake_pairs_clear(&fake->recorded_facts);
    fake_pairs_clear(&fake->recorded_contexts);
    close(fake->cancel_pipe[0]);
    close(fake->cancel_pipe[1]);
    if (fake->tempdir) {
        char *command = NULL;
        if (asprintf(&command, "rm -rf '%s'", fake->tempdir) < 0 || system(command) != 0)
            abort();
        free(command);
        free(fake->tempdir);
    }
    pthread_mutex_destroy(&fake->lock);
    free(fake);
}

const char *fake_error(struct fake *fake)
{
    return fake->error ? fake->error : "";
}

const char *fake_hint(struct fake *fake)
{
    return fake->hint ? fake->hint : "";
}

const struct fake_finding *fake_find(struct fake *fake, const char *code)
{
    for (size_t i = 0; i < fake->finding_count; i++) {
        if (!strcmp(fake->findings[i].code, code))
            return &fake->findings[i];
    }
    return NULL;
}

int fake_worst(struct fake *fake)
{
    int worst = 0;
    for (size_t i = 0; i < fake->finding_count; i++)
        worst = fake->findings[i].severity > worst ? fake->findings[i].severity : worst;
    return worst;
}

const char *fake_fact(struct fake *fake, const char *key)
{
    return fake_pairs_get(&fake->facts, key);
}

const char *fake_context(struct fake *fake, const char *key)
{
    return fake_pairs_get(&fake->contexts, key);
}

void fake_set_fact(struct fake *fake, const char *key, const char *value)
{
    fake_pairs_set(&fake->recorded_facts, key, value);
}

void fake_set_context(struct fake *fake, const char *key, const char *value)
{
    fake_pairs_set(&fake->recorded_contexts, key, value);
}

int fake_facts_agree(struct fake *fake)
{
    size_t recorded = 0;
    for (size_t i = 0; i < fake->recorded_facts.count; i++)
        recorded += fake->recorded_facts.items[i].value != NULL;
    int agree = recorded == fake->facts.count;
    for (size_t i = 0; agree && i < fake->facts.count; i++) {
        const char *other = fake_pairs_get(&fake->recorded_facts, fake->facts.items[i].key);
        json_t *a = json_loads(fake->facts.items[i].value, JSON_DECODE_ANY, NULL);
        json_t *b = other ? json_loads(other, JSON_DECODE_ANY, NULL) : NULL;
        agree = json_equal(a, b);
        json_decref(a);
        json_decref(b);
    }
    return agree;
}

int fake_temp_entries(struct fake *fake)
{
    DIR *dir = opendir(host_tempdir(fake_ctx(fake)));
    if (!dir)
        abort();
    int count = -2; /* . and .. */
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}
