/* SPDX-License-Identifier: Apache-2.0
 *
 * Ownership helpers that every room of this plugin uses.
 */
#ifndef LEDGER_UTIL_H
#define LEDGER_UTIL_H

#include <dirent.h>
#include <errno.h>
#include <holdfast/plugin.h>
#include <stdlib.h>
#include <unistd.h>

static inline void auto_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void auto_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void auto_closedir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

#define AUTO_FD __attribute__((cleanup(auto_close))) int
#define AUTO_FREE __attribute__((cleanup(auto_free)))
#define AUTO_DIR __attribute__((cleanup(auto_closedir))) DIR

/* The result code for a system call's failure. */
static inline int errno_code(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
        return HF_E_AUTH;
    case ENOENT:
        return HF_E_NOTFOUND;
    case ENOSPC:
    case EDQUOT:
        return HF_E_NOSPACE;
    case ENOMEM:
        return HF_E_NOMEM;
    default:
        return HF_E_IO;
    }
}

#endif
