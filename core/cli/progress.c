/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"
#include "base/log.h"
#include "base/time.h"
#include "cli/output.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { REDRAW_MS = 200, LINES_MS = 10000, COLUMNS_UNKNOWN = 80 };

void hf_rate_add(struct hf_rate *rate, int64_t time_ms, uint64_t bytes)
{
    /* A count that goes back belongs to a new piece of work. */
    if (rate->count > 0 && bytes < rate->samples[(rate->count - 1) % HF_PROGRESS_SAMPLES].bytes)
        rate->count = 0;
    rate->samples[rate->count++ % HF_PROGRESS_SAMPLES] = (struct hf_progress_sample){time_ms, bytes};
}

uint64_t hf_rate_per_second(const struct hf_rate *rate)
{
    if (rate->count < 2)
        return 0;
    const struct hf_progress_sample *last = &rate->samples[(rate->count - 1) % HF_PROGRESS_SAMPLES];
    const struct hf_progress_sample *first =
        &rate->samples[rate->count > HF_PROGRESS_SAMPLES ? rate->count % HF_PROGRESS_SAMPLES : 0];
    int64_t span_ms = last->time_ms - first->time_ms;
    return span_ms > 0 ? (uint64_t)((double)(last->bytes - first->bytes) * 1000.0 / (double)span_ms) : 0;
}

/* Cuts at a character's edge. */
static void cut(struct hf_text *text, size_t columns)
{
    size_t seen = 0;
    for (size_t i = 0; i < text->length; i++) {
        if (((unsigned char)text->data[i] & 0xc0) == 0x80)
            continue;
        if (seen++ == columns) {
            text->data[i] = '\0';
            text->length = i;
            return;
        }
    }
}

/* While a source still lists its parts, it may know better than their sum what they will come to. */
static uint64_t expected_bytes(const struct hf_progress_figures *figures)
{
    return !figures->listed && figures->plugin_total > figures->total ? figures->plugin_total : figures->total;
}

static double percent(uint64_t done, uint64_t total)
{
    return done < total ? (double)done * 100.0 / (double)total : 100.0;
}

static void add_amount(struct hf_text *out, const struct hf_progress_figures *figures)
{
    uint64_t total = expected_bytes(figures);
    char done_text[16], total_text[16];
    if (figures->done == 0 && figures->plugin_total > 0) {
        hf_text_addf(out, "  preparing, %.0f %%", percent(figures->plugin_done, figures->plugin_total));
        return;
    }
    if (total > 0)
        hf_text_addf(out, "  %s of %s  %.0f %%", hf_text_bytes(figures->done, done_text),
                     hf_text_bytes(total, total_text),
                     percent(figures->done + figures->done_extra, total + figures->total_extra));
    else if (figures->done > 0)
        hf_text_addf(out, "  %s", hf_text_bytes(figures->done, done_text));
    if (figures->total_parts > 1 && figures->listed)
        hf_text_addf(out, "  %llu of %llu parts", (unsigned long long)figures->done_parts,
                     (unsigned long long)figures->total_parts);
    else if (figures->done_parts > 1)
        hf_text_addf(out, "  %llu parts", (unsigned long long)figures->done_parts);
    if (figures->listed && figures->total_parts > 0 && figures->done_parts == figures->total_parts &&
        figures->plugin_done < figures->plugin_total)
        hf_text_addf(out, "  finishing, %.0f %%", percent(figures->plugin_done, figures->plugin_total));
}

/* Bytes come evenly, so their last seconds tell. What costs more than its bytes is counted when it is done, in leaps:
 * there only the whole of the time so far tells. -1: cannot be told. */
static double seconds_left(const struct hf_progress_figures *figures)
{
    uint64_t done = figures->done + figures->done_extra, total = expected_bytes(figures) + figures->total_extra;
    if (figures->done == 0 || total <= done)
        return -1;
    if (figures->total_extra > 0)
        return (double)(total - done) * (double)figures->elapsed_ms / 1000.0 / (double)done;
    return figures->per_second > 0 ? (double)(total - done) / (double)figures->per_second : -1;
}

void hf_progress_line(struct hf_text *out, const char *what, const struct hf_progress_figures *figures, size_t columns)
{
    char rate[16], left[24];
    double seconds = seconds_left(figures);
    hf_safe_add(out, what);
    add_amount(out, figures);
    if (figures->done > 0 && figures->per_second > 0)
        hf_text_addf(out, "  %s/s", hf_text_bytes(figures->per_second, rate));
    if (seconds >= 0 && seconds < 1e9)
        hf_text_addf(out, "  %s left", hf_duration_rough((int64_t)(seconds * 1000.0), left));
    cut(out, columns);
}

static size_t terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 2)
        return COLUMNS_UNKNOWN - 1;
    return size.ws_col - 1u; /* the last column would wrap on some terminals */
}

/* A progress line that cannot be shown is no reason to fail. */
static void put(const char *text)
{
    if (fputs(text, stderr) == EOF)
        clearerr(stderr);
}

static void draw(struct hf_progress *progress)
{
    hf_auto_text struct hf_text line = {0};
    struct hf_services *services = progress->services;
    struct hf_progress_figures figures = {
        .done = atomic_load(&services->done_bytes),
        .total = atomic_load(&services->total_bytes),
        .done_extra = atomic_load(&services->done_extra),
        .total_extra = atomic_load(&services->total_extra),
        .done_parts = atomic_load(&services->done_parts),
        .total_parts = atomic_load(&services->total_parts),
        .listed = atomic_load(&services->listed),
        .plugin_done = atomic_load(&services->plugin_done),
        .plugin_total = atomic_load(&services->plugin_total),
    };
    int64_t now_ms = hf_time_steady_ms();
    figures.elapsed_ms = now_ms - progress->began_ms;
    hf_rate_add(&progress->rate, now_ms, figures.done);
    figures.per_second = hf_rate_per_second(&progress->rate);
    bool redraw = progress->mode == HF_PROGRESS_REDRAW;
    hf_text_add(&line, redraw ? "\r\033[K" : "");
    struct hf_text words = {0};
    hf_progress_line(&words, progress->what, &figures, redraw ? terminal_columns() : 1000);
    hf_text_add(&line, words.data);
    hf_text_clear(&words);
    hf_text_add(&line, redraw ? "" : "\n");
    put(line.data);
}

static void *redraw_loop(void *arg)
{
    struct hf_progress *progress = arg;
    int64_t interval_ms = progress->mode == HF_PROGRESS_REDRAW ? REDRAW_MS : LINES_MS;
    pthread_mutex_lock(&progress->lock);
    while (!progress->stop) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t ns = until.tv_nsec + interval_ms % 1000 * 1000000;
        until.tv_sec += (time_t)(interval_ms / 1000 + ns / 1000000000);
        until.tv_nsec = (long)(ns % 1000000000);
        int waited = 0;
        while (!progress->stop && waited != ETIMEDOUT)
            waited = pthread_cond_timedwait(&progress->wake, &progress->lock, &until);
        if (!progress->stop)
            draw(progress);
    }
    pthread_mutex_unlock(&progress->lock);
    return NULL;
}

static void begin(struct hf_watch *watch, const char *what, struct hf_services *services)
{
    struct hf_progress *progress = (struct hf_progress *)watch;
    if (progress->running)
        watch->end(watch);
    pthread_mutex_lock(&progress->lock);
    free(progress->what);
    progress->what = hf_strdup(what);
    progress->services = services;
    progress->rate.count = 0;
    progress->began_ms = hf_time_steady_ms();
    progress->stop = false;
    pthread_mutex_unlock(&progress->lock);
    progress->running = pthread_create(&progress->thread, NULL, redraw_loop, progress) == 0;
    if (!progress->running)
        hf_log(HF_LOG_WARNING, NULL, "progress is not shown: cannot start a thread");
}

static void end(struct hf_watch *watch)
{
    struct hf_progress *progress = (struct hf_progress *)watch;
    if (!progress->running)
        return;
    pthread_mutex_lock(&progress->lock);
    progress->stop = true;
    pthread_cond_signal(&progress->wake);
    pthread_mutex_unlock(&progress->lock);
    pthread_join(progress->thread, NULL);
    progress->running = false;
    pthread_mutex_lock(&progress->lock);
    progress->services = NULL;
    if (progress->mode == HF_PROGRESS_REDRAW)
        put("\r\033[K");
    pthread_mutex_unlock(&progress->lock);
}

/* Log lines take the terminal's line, and the next redraw takes it back. */
static void step_aside(void *arg)
{
    struct hf_progress *progress = arg;
    pthread_mutex_lock(&progress->lock);
    if (progress->services && progress->mode == HF_PROGRESS_REDRAW)
        put("\r\033[K");
}

static void step_back(void *arg)
{
    struct hf_progress *progress = arg;
    pthread_mutex_unlock(&progress->lock);
}

int hf_progress_init(struct hf_progress *progress, struct hf_ctx *ctx, int mode)
{
    memset(progress, 0, sizeof(*progress));
    progress->mode = mode;
    if (mode == HF_PROGRESS_NONE)
        return HF_OK;
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);
    if (error != 0)
        return hf_fail_errno(ctx, error, "prepare the progress line");
    error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (error == 0)
        error = pthread_cond_init(&progress->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (error == 0)
        error = pthread_mutex_init(&progress->lock, NULL);
    if (error != 0) {
        progress->mode = HF_PROGRESS_NONE;
        return hf_fail_errno(ctx, error, "prepare the progress line");
    }
    progress->watch = (struct hf_watch){.begin = begin, .end = end};
    hf_log_set_guard(step_aside, step_back, progress);
    return HF_OK;
}

void hf_progress_clear(struct hf_progress *progress)
{
    if (progress->mode == HF_PROGRESS_NONE)
        return;
    end(&progress->watch);
    hf_log_set_guard(NULL, NULL, NULL);
    pthread_mutex_destroy(&progress->lock);
    pthread_cond_destroy(&progress->wake);
    free(progress->what);
    progress->mode = HF_PROGRESS_NONE;
}
