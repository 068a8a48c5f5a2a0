/* SPDX-License-Identifier: Apache-2.0
 *
 * Who writes to the sinks: all runs that share our locks, and no others.
 */
#ifndef HF_OPS_WRITER_H
#define HF_OPS_WRITER_H

#include "base/error.h"

/* 32 hexadecimal digits that stand for this machine and state_dir, and tell nothing of them; free them. Part of it is a random
 * number that state_dir/writer keeps: two containers of one image have the same name and paths, and yet locks of their own. */
int hf_writer_find(struct hf_ctx *, const char *state_dir, char **ret_writer);

#endif
