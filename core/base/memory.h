/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for small things. Running out of it here ends the process with a sentence and exit code 1: a run that dies
 * leaves nothing visible, so that is safe, and it keeps error paths for what can really be handled. Block buffers,
 * which are large, are allocated where failure is reported.
 */
#ifndef HF_BASE_MEMORY_H
#define HF_BASE_MEMORY_H

#include <holdfast/types.h>
#include <stdlib.h>

_Noreturn void hf_memory_out(void);              /* says so and ends the process */
void *hf_alloc(size_t size);                     /* zeroed */
void *hf_alloc_array(size_t count, size_t size); /* zeroed; checks for overflow */
void *hf_realloc_array(void *, size_t count, size_t size);
char *hf_strdup(const char *); /* NULL gives NULL */
char *hf_strndup(const char *, size_t);

/* Passes ownership on: yields the pointer and sets the variable to NULL. */
#define hf_steal(pointer)                                                                                              \
    __extension__({                                                                                                    \
        __typeof__(pointer) *hf_place_ = &(pointer);                                                                   \
        __typeof__(pointer) hf_value_ = *hf_place_;                                                                    \
        *hf_place_ = NULL;                                                                                             \
        hf_value_;                                                                                                     \
    })

/* Never freed: somebody who does not come back may still look at it. It stays reachable, so that leak checkers know. */
void hf_keep(void *);

void hf_cleanup_free(void *pointer_to_pointer);
void hf_cleanup_close(int *fd); /* -1 is fine; keeps errno */
int hf_steal_fd(int *fd);       /* passes a descriptor on: sets the variable to -1 */
#define hf_auto_free __attribute__((cleanup(hf_cleanup_free)))
#define hf_auto_close __attribute__((cleanup(hf_cleanup_close)))

#define HF_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
