/* SPDX-License-Identifier: Apache-2.0
 *
 * From fork to exec.
 */
#ifndef HF_PLUGIN_CHILD_EXEC_H
#define HF_PLUGIN_CHILD_EXEC_H

#include <sys/types.h>

struct hf_exec {
    const char *const *argv;
    char **envp;
    int in, out, errors; /* become 0, 1 and 2; all descriptors here are above 3 */
    int status;          /* where what fails is written; close-on-exec          */
    pid_t parent;
};

/* What keeps the program from running, as it is written to `status`; nothing is when it runs. */
struct hf_exec_failure {
    const char *doing; /* a literal: the same in both processes */
    int errnum;
};

/* In the new process: never returns. Every signal must be blocked. */
_Noreturn void hf_exec_become(const struct hf_exec *);

/* This process's environment without what profiles took secrets from, changed as hf_spawn.env says: an array to free, of
 * borrowed strings. NULL when an entry has no name. */
char **hf_exec_environment(const char *const *changes);

#endif
