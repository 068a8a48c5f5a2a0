/* SPDX-License-Identifier: Apache-2.0 */
#include "memory_sink.h"

#include "base/cancel.h"
#include "base/memory.h"

#include <string.h>
#include <unistd.h>

struct memory_put {
    struct memory_sink *sink;
    struct memory_put *next;
    char *key;
    struct hf_text data;
};

struct memory_get {
    struct memory_sink *sink;
    char *data;
    size_t at, end;
    bool short_range;
};

/* Counts a call. True: it fails; *ret_effect: whether it takes effect first. The lock is held. */
static bool faulty(struct memory_sink *sink, struct hf_ctx *ctx, bool *ret_effect)
{
    unsigned n = ++sink->calls;

    *ret_effect = false;
    if (hf_cancel_raised(ctx->cancel))
        return true;

    *ret_effect = true;
    if (sink->fault_at == 0 || n < sink->fault_at || (sink->fault == MEMORY_FAIL_ONCE && n > sink->fault_at))
        return false;
    *ret_effect = sink->fault == MEMORY_CRASH_AFTER && n == sink->fault_at;
    return true;
}

static int fail_fault(struct memory_sink *sink, struct hf_ctx *ctx)
{
    if (hf_cancel_raised(ctx->cancel))
        return hf_fail(ctx, HF_E_CANCELLED, "interrupted");
    return hf_fail(ctx, sink->fault_code, "injected fault at call %u", sink->calls);
}

static size_t place_of(const struct memory_sink *sink, const char *key, bool *ret_there)
{
    size_t low = 0, high = sink->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(sink->objects[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_there = low < sink->count && strcmp(sink->objects[low].key, key) == 0;
    return low;
}

static void insert(struct memory_sink *sink, size_t at, const char *key, const void *data, size_t size)
{
    if (sink->count == sink->room) {
        sink->room = sink->room ? sink->room * 2 : 64;
        sink->objects = hf_realloc_array(sink->objects, sink->room, sizeof(*sink->objects));
    }
    memmove(&sink->objects[at + 1], &sink->objects[at], (sink->count - at) * sizeof(*sink->objects));
    sink->objects[at] = (struct memory_object){hf_strdup(key), hf_alloc(size + 1), size};
    if (size > 0)
        memcpy(sink->objects[at].data, data, size);
    sink->count++;
}

static void erase(struct memory_sink *sink, size_t at)
{
    free(sink->objects[at].key);
    free(sink->objects[at].data);
    sink->count--;
    memmove(&sink->objects[at], &sink->objects[at + 1], (sink->count - at) * sizeof(*sink->objects));
}

static void maybe_stall(struct memory_sink *sink, struct hf_ctx *ctx)
{
    bool stall;

    pthread_mutex_lock(&sink->lock);
    stall = sink->stall_at > 0 && ++sink->put_calls >= sink->stall_at;
    pthread_mutex_unlock(&sink->lock);
    if (!stall)
        return;
    atomic_fetch_add(&sink->stalled, 1);
    for (int ms = 0;
         ms < sink->stall_ms && !atomic_load(&sink->released) && (sink->stubborn || !hf_cancel_raised(ctx->cancel));
         ms++)
        usleep(1000);
    atomic_fetch_sub(&sink->stalled, 1);
}

static void drop_put(struct memory_put *put)
{
    struct memory_put **link = &put->sink->open_puts;

    while (*link != put)
        link = &(*link)->next;
    *link = put->next;
    hf_text_clear(&put->data);
    free(put->key);
    free(put);
}

static int put_begin(void *self, struct hf_ctx *ctx, const struct hf_put_request *request, void **ret_put)
{
    struct memory_sink *sink = self;
    struct memory_put *put = NULL;
    bool effect;

    maybe_stall(sink, ctx);
    pthread_mutex_lock(&sink->lock);
    if (!faulty(sink, ctx, &effect)) {
        put = hf_alloc(sizeof(*put));
        put->sink = sink;
        put->key = hf_strdup(request->key);
        put->next = sink->open_puts;
        sink->open_puts = put;
    }
    pthread_mutex_unlock(&sink->lock);
    if (put == NULL)
        return fail_fault(sink, ctx);
    *ret_put = put;
    return HF_OK;
}

static int put_write(void *opaque, struct hf_ctx *ctx, const struct hf_block *block)
{
    struct memory_put *put = opaque;
    bool effect, failed;

    maybe_stall(put->sink, ctx);
    pthread_mutex_lock(&put->sink->lock);
    failed = faulty(put->sink, ctx, &effect);
    if (effect)
        hf_text_add_bytes(&put->data, block->data, block->used);
    pthread_mutex_unlock(&put->sink->lock);
    return failed ? fail_fault(put->sink, ctx) : HF_OK;
}

static int put_prepare(void *opaque, struct hf_ctx *ctx)
{
    struct memory_put *put = opaque;
    bool effect, failed;

    maybe_stall(put->sink, ctx);
    pthread_mutex_lock(&put->sink->lock);
    failed = faulty(put->sink, ctx, &effect);
    pthread_mutex_unlock(&put->sink->lock);
    return failed ? fail_fault(put->sink, ctx) : HF_OK;
}

static int put_commit(void *opaque, struct hf_ctx *ctx)
{
    struct memory_put *put = opaque;
    struct memory_sink *sink = put->sink;
    bool effect, failed, there = false;
    int rc = HF_OK;

    pthread_mutex_lock(&sink->lock);
    failed = faulty(sink, ctx, &effect);
    if (effect) {
        size_t at = place_of(sink, put->key, &there);

        if (!there)
            insert(sink, at, put->key, put->data.data, put->data.length);
    }
    if (failed)
        rc = fail_fault(sink, ctx);
    else if (there)
        rc = hf_fail(ctx, HF_E_EXISTS, "object '%s' exists", put->key);
    else
        drop_put(put);
    pthread_mutex_unlock(&sink->lock);
    return rc;
}

static void put_abort(void *opaque, struct hf_ctx *ctx)
{
    struct memory_put *put = opaque;
    struct memory_sink *sink = put->sink;

    (void)ctx;
    pthread_mutex_lock(&sink->lock);
    drop_put(put);
    pthread_mutex_unlock(&sink->lock);
}

static int get_begin(void *self, struct hf_ctx *ctx, const char *key, uint64_t offset, uint64_t length, void **ret_get)
{
    struct memory_sink *sink = self;
    struct memory_get *get = NULL;
    bool effect, there = false, failed;
    size_t at;

    pthread_mutex_lock(&sink->lock);
    failed = faulty(sink, ctx, &effect);
    at = place_of(sink, key, &there);
    if (!failed && there) {
        const struct memory_object *object = &sink->objects[at];
        uint64_t rest = offset < object->size ? object->size - offset : 0;

        get = hf_alloc(sizeof(*get));
        get->sink = sink;
        get->end = (size_t)(length < rest ? length : rest);
        get->short_range = length != UINT64_MAX && length > rest;
        get->data = hf_alloc(get->end + 1);
        memcpy(get->data, object->data + (offset < object->size ? offset : 0), get->end);
    }
    pthread_mutex_unlock(&sink->lock);
    if (failed)
        return fail_fault(sink, ctx);
    if (get == NULL)
        return hf_fail(ctx, HF_E_NOTFOUND, "no object '%s'", key);
    *ret_get = get;
    return HF_OK;
}

static int64_t get_read(void *opaque, struct hf_ctx *ctx, void *data, size_t size)
{
    struct memory_get *get = opaque;
    size_t piece = get->end - get->at < size ? get->end - get->at : size;

    if (piece == 0 && get->short_range)
        return hf_fail(ctx, HF_E_CORRUPT, "the object ends before the range does");
    memcpy(data, get->data + get->at, piece);
    get->at += piece;
    return (int64_t)piece;
}

static void get_end(void *opaque)
{
    struct memory_get *get = opaque;

    free(get->data);
    free(get);
}

static int stat_object(void *self, struct hf_ctx *ctx, const char *key, struct hf_object *ret_object)
{
    struct memory_sink *sink = self;
    bool effect, there, failed;
    size_t at;

    pthread_mutex_lock(&sink->lock);
    failed = faulty(sink, ctx, &effect);
    at = place_of(sink, key, &there);
    if (!failed && there) {
        ret_object->key = key;
        ret_object->bytes = sink->objects[at].size;
    }
    pthread_mutex_unlock(&sink->lock);
    if (failed)
        return fail_fault(sink, ctx);
    return there ? HF_OK : hf_fail(ctx, HF_E_NOTFOUND, "no object '%s'", key);
}

static int list(void *self, struct hf_ctx *ctx, const char *prefix, int (*each)(void *, const struct hf_object *),
                void *arg)
{
    struct memory_sink *sink = self;
    bool effect, there;
    int rc = 0;

    pthread_mutex_lock(&sink->lock);
    if (faulty(sink, ctx, &effect))
        rc = fail_fault(sink, ctx);
    for (size_t i = place_of(sink, prefix, &there); i < sink->count && rc == 0; i++) {
        struct hf_object object = {.size = sizeof(object),
                                   .key = sink->objects[i].key,
                                   .bytes = sink->objects[i].size,
                                   .modified_ms = sink->modified_ms};

        if (!hf_text_starts(object.key, prefix))
            break;
        rc = each(arg, &object);
    }
    pthread_mutex_unlock(&sink->lock);
    return rc;
}

static int remove_object(void *self, struct hf_ctx *ctx, const char *key)
{
    struct memory_sink *sink = self;
    bool effect, there, failed, refused;
    size_t at;

    pthread_mutex_lock(&sink->lock);
    failed = faulty(sink, ctx, &effect);
    at = place_of(sink, key, &there);
    refused = !failed && there && sink->locked != NULL && strcmp(sink->locked, key) == 0;
    if (effect && there && !refused)
        erase(sink, at);
    pthread_mutex_unlock(&sink->lock);
    if (refused)
        return hf_fail(ctx, HF_E_REFUSED, "'%s' is locked", key);
    return failed ? fail_fault(sink, ctx) : HF_OK;
}

static int sweep(void *self, struct hf_ctx *ctx, const char *prefix, int64_t older_than_ms)
{
    struct memory_sink *sink = self;
    bool effect, failed;

    (void)prefix, (void)older_than_ms;
    pthread_mutex_lock(&sink->lock);
    failed = faulty(sink, ctx, &effect);
    sink->sweeps++;
    pthread_mutex_unlock(&sink->lock);
    return failed ? fail_fault(sink, ctx) : sink->sweep_result;
}

void memory_sink_init(struct memory_sink *sink, const char *name)
{
    memset(sink, 0, sizeof(*sink));
    pthread_mutex_init(&sink->lock, NULL);
    sink->fault_code = HF_E_IO;
    sink->loaded.plugin =
        (struct hf_plugin){.size = sizeof(struct hf_plugin), .kind = HF_SINK, .name = "memory", .threads = HF_PARALLEL};
    sink->loaded.sink = (struct hf_sink){
        .size = sizeof(struct hf_sink),
        .put_begin = put_begin,
        .put_write = put_write,
        .put_prepare = put_prepare,
        .put_commit = put_commit,
        .put_abort = put_abort,
        .get_begin = get_begin,
        .get_read = get_read,
        .get_end = get_end,
        .stat = stat_object,
        .list = list,
        .remove = remove_object,
        .sweep = sweep,
    };
    sink->instance.loaded = &sink->loaded;
    sink->instance.self = sink;
    sink->instance.name = hf_strdup(name);
    sink->instance.who = hf_strf("sink %s", name);
    sink->instance.required = true;
    pthread_mutex_init(&sink->instance.own_lock, NULL);
}

void memory_sink_clear(struct memory_sink *sink)
{
    memory_sink_restart(sink);
    while (sink->count > 0)
        erase(sink, sink->count - 1);
    free(sink->objects);
    free(sink->instance.name);
    free(sink->instance.who);
    pthread_mutex_destroy(&sink->instance.own_lock);
    pthread_mutex_destroy(&sink->lock);
}

void memory_sink_fault(struct memory_sink *sink, unsigned n, enum memory_fault fault)
{
    sink->fault_at = sink->calls + n;
    sink->fault = fault;
}

unsigned memory_sink_restart(struct memory_sink *sink)
{
    unsigned calls = sink->calls;

    while (sink->open_puts != NULL)
        drop_put(sink->open_puts);
    sink->calls = sink->fault_at = 0;
    return calls;
}

void memory_sink_set(struct memory_sink *sink, const char *key, const void *data, size_t size)
{
    bool there;
    size_t at = place_of(sink, key, &there);

    if (there)
        erase(sink, at);
    insert(sink, at, key, data, size);
}

void memory_sink_unset(struct memory_sink *sink, const char *key)
{
    bool there;
    size_t at = place_of(sink, key, &there);

    if (there)
        erase(sink, at);
}

const struct memory_object *memory_sink_at(struct memory_sink *sink, const char *key)
{
    bool there;
    size_t at = place_of(sink, key, &there);

    return there ? &sink->objects[at] : NULL;
}

char *memory_sink_dump(struct memory_sink *sink)
{
    hf_auto_text struct hf_text text = {0};

    for (size_t i = 0; i < sink->count; i++)
        hf_text_addf(&text, "%s (%zu)\n%s\n", sink->objects[i].key, sink->objects[i].size, sink->objects[i].data);
    return text.data ? hf_steal(text.data) : hf_strdup("");
}
