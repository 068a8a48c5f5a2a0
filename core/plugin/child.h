/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs that plugins start: what stands behind the host's spawn and reap. It knows no hf_ctx, so that the tests'
 * host for plugins uses it, too.
 */
#ifndef HF_PLUGIN_CHILD_H
#define HF_PLUGIN_CHILD_H

#include <holdfast/host.h>
#include <stdbool.h>

/* Returns once the program runs, or why it cannot: then *ret_why says so (free it), with HF_E_NOTFOUND when there is no
 * such file and HF_E_FAIL otherwise. *ret_out is closed by hf_child_end. Any thread may call it, and need not outlive
 * the child. */
int hf_child_start(const struct hf_spawn *, struct hf_child **ret_child, int *ret_out, char **ret_why);

/* Waits for its end, and frees it. HF_OK: by exit code 0, or `kill` was wished. HF_E_CANCELLED: cancel_fd (-1: none)
 * became readable first, so it was killed. HF_E_FAIL: it ended otherwise, *ret_why says how (free it; NULL in all other
 * cases). What is left of its process group when it has ended is killed. *ret_errors: the last it said, see
 * HF_CHILD_KEPT; free it. */
int hf_child_end(struct hf_child *, int cancel_fd, bool kill, char **ret_why, char **ret_errors);

/* Twice what is handed out: a secret must be masked before its beginning is cut off. */
enum { HF_CHILD_ERRORS_MAX = 8192, HF_CHILD_KEPT = 2 * HF_CHILD_ERRORS_MAX };

/* The last HF_CHILD_ERRORS_MAX bytes of `errors`, from the beginning of a line if there is one; free it. */
char *hf_child_tail(const char *errors);
/* The last lines of `errors` as one, for an error's text; "" when there are none. Free it. */
char *hf_child_last_words(const char *errors);

#endif
