/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/text.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { SECRET_MIN = 4 };

static atomic_int lowest_level = HF_LOG_INFO;

/* Guards the line being written and the guard. */
static pthread_mutex_t line_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    void (*before)(void *), (*after)(void *);
    void *arg;
} guard;

/* Guards `secrets`, which only grows; longest first. The count beside it lets runs without secrets skip the lock. */
static pthread_rwlock_t secrets_lock = PTHREAD_RWLOCK_INITIALIZER;
static struct hf_strings secrets;
static atomic_size_t secret_count;

void hf_log_set_level(int level)
{
    atomic_store(&lowest_level, level);
}

void hf_log_set_guard(void (*before)(void *), void (*after)(void *), void *arg)
{
    pthread_mutex_lock(&line_lock);
    guard.before = before;
    guard.after = after;
    guard.arg = arg;
    pthread_mutex_unlock(&line_lock);
}

static const char *level_text(int level)
{
    switch (level) {
    case HF_LOG_DEBUG:
        return "debug: ";
    case HF_LOG_WARNING:
        return "warning: ";
    case HF_LOG_ERROR:
        return "error: ";
    default:
        return "";
    }
}

/* Names of files and servers' messages end up in here: they must not move a terminal's cursor or look like lines of
 * ours. */
static void add_printable(struct hf_text *line, const char *message)
{
    for (const char *p = message; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '\n')
            hf_text_add(line, "\n    ");
        else if (c == '\t' || (c >= 0x20 && c != 0x7f))
            hf_text_add_bytes(line, p, 1);
        else
            hf_text_addf(line, "\\x%02x", c);
    }
}

static void write_all(const char *data, size_t size)
{
    while (size) {
        ssize_t written = write(STDERR_FILENO, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return; /* a message that cannot be shown has nobody to be reported to */
        data += written;
        size -= (size_t)written;
    }
}

void hf_vlog(int level, const char *who, const char *format, va_list args)
{
    if (level < atomic_load_explicit(&lowest_level, memory_order_relaxed))
        return;
    int saved = errno;
    hf_auto_free char *text = hf_vstrf(format, args);
    hf_auto_free char *safe = hf_redacted(text);
    size_t length = strlen(safe);
    while (length && safe[length - 1] == '\n')
        safe[--length] = '\0';
    hf_auto_text struct hf_text line = {0};
    hf_text_addf(&line, "holdfast: %s", level_text(level));
    if (who && *who)
        hf_text_addf(&line, "%s: ", who);
    add_printable(&line, safe);
    hf_text_add(&line, "\n");
    pthread_mutex_lock(&line_lock);
    if (guard.before)
        guard.before(guard.arg);
    write_all(line.data, line.length);
    if (guard.after)
        guard.after(guard.arg);
    pthread_mutex_unlock(&line_lock);
    errno = saved;
}

void hf_log(int level, const char *who, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    hf_vlog(level, who, format, args);
    va_end(args);
}

void hf_redact_add(const char *secret)
{
    size_t length = secret ? strlen(secret) : 0;
    if (length < SECRET_MIN)
        return;
    pthread_rwlock_wrlock(&secrets_lock);
    if (!hf_strings_have(&secrets, secret)) {
        hf_strings_add(&secrets, secret);
        /* Longest first, so that a secret that begins with another is masked whole. */
        for (size_t i = secrets.count - 1; i > 0 && strlen(secrets.items[i - 1]) < length; i--) {
            char *shorter = secrets.items[i - 1];
            secrets.items[i - 1] = secrets.items[i];
            secrets.items[i] = shorter;
        }
        atomic_store(&secret_count, secrets.count);
    }
    pthread_rwlock_unlock(&secrets_lock);
}

static size_t secret_at(const char *text)
{
    for (size_t i = 0; i < secrets.count; i++)
        if (hf_text_starts(text, secrets.items[i]))
            return strlen(secrets.items[i]);
    return 0;
}

char *hf_redacted(const char *text)
{
    if (!text || atomic_load(&secret_count) == 0)
        return hf_strdup(text);
    hf_auto_text struct hf_text masked = {0};
    hf_text_add(&masked, "");
    pthread_rwlock_rdlock(&secrets_lock);
    for (const char *p = text; *p;) {
        size_t length = secret_at(p);
        if (length) {
            hf_text_add(&masked, "***");
            p += length;
        } else {
            hf_text_add_bytes(&masked, p++, 1);
        }
    }
    pthread_rwlock_unlock(&secrets_lock);
    return hf_steal(masked.data);
}
