/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include <errno.h>
#include <stdint.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

_Noreturn void hf_memory_out(void)
{
    static const char sentence[] = "holdfast: error: out of memory\n";
    /* Not exit(): its handlers would want memory, and other threads still run. */
    ssize_t written = write(STDERR_FILENO, sentence, sizeof sentence - 1);
    (void)written; /* nobody is left to tell */
    _exit(1);
}

void *hf_alloc(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory)
        hf_memory_out();
    return memory;
}

void *hf_alloc_array(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        hf_memory_out();
    return hf_alloc(total);
}

void *hf_realloc_array(void *memory, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        hf_memory_out();
    void *grown = realloc(memory, total ? total : 1);
    if (!grown)
        hf_memory_out();
    return grown;
}

char *hf_strdup(const char *text)
{
    return text ? hf_strndup(text, strlen(text)) : NULL;
}

char *hf_strndup(const char *text, size_t size)
{
    if (!text)
        return NULL;
    size_t length = strnlen(text, size);
    if (length == SIZE_MAX)
        hf_memory_out();
    char *copy = malloc(length + 1);
    if (!copy)
        hf_memory_out();
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

void hf_cleanup_free(void *pointer_to_pointer)
{
    void *memory;
    memcpy(&memory, pointer_to_pointer, sizeof memory);
    free(memory);
}

void hf_cleanup_close(int *fd)
{
    if (*fd < 0)
        return;
    int saved = errno;
    close(*fd);
    *fd = -1;
    errno = saved;
}

int hf_steal_fd(int *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}

void hf_keep(void *memory)
{
    struct kept {
        struct kept *next;
        void *memory;
    };
    static _Atomic(struct kept *) all;
    struct kept *kept = hf_alloc(sizeof(*kept));

    kept->memory = memory;
    kept->next = atomic_load(&all);
    while (!atomic_compare_exchange_weak(&all, &kept->next, kept)) {
    }
}
