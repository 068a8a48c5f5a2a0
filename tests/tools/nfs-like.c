/* SPDX-License-Identifier: Apache-2.0
 *
 * Preloaded into a program, makes the file system look like one over NFS: a rename that must not replace is not
 * supported, and with NFS_LIKE=lost the reply to every link() and unlink() is lost, so that the request is sent twice
 * and answered as the second time. With NFS_LIKE=bare there are no hard links either.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))
#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))
#define NOREPLACE 1u

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags);

static int is(const char *how)
{
    const char *like = getenv("NFS_LIKE");
    return like && strcmp(like, how) == 0;
}

static int answer(int error)
{
    errno = error;
    return -1;
}

SHOWN int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    return flags & NOREPLACE ? answer(EINVAL) : NEXT(renameat2)(from_folder, from, to_folder, to, flags);
}

SHOWN int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    if (is("bare"))
        return answer(EOPNOTSUPP);
    int rc = NEXT(linkat)(from_folder, from, to_folder, to, flags);
    return rc == 0 && is("lost") ? answer(EEXIST) : rc;
}

SHOWN int unlinkat(int folder, const char *path, int flags)
{
    int rc = NEXT(unlinkat)(folder, path, flags);
    return rc == 0 && is("lost") && !(flags & AT_REMOVEDIR) ? answer(ENOENT) : rc;
}
