/* SPDX-License-Identifier: Apache-2.0 */
#include "age.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t pages(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (size + page - 1) / page * page;
}

void *age_secret_alloc(size_t size)
{
    void *memory = mmap(NULL, pages(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    /* Both as far as the system allows it: a limit on locked memory is no reason not to work. */
    (void)madvise(memory, pages(size), MADV_DONTDUMP);
    (void)mlock(memory, pages(size));
    return memory;
}

void age_secret_free(void *memory, size_t size)
{
    if (memory == NULL)
        return;
    OPENSSL_cleanse(memory, size);
    munmap(memory, pages(size));
}

void age_wipe(void *memory, size_t size)
{
    if (memory != NULL)
        OPENSSL_cleanse(memory, size);
}
