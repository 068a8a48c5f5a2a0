/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FAKE_OPS_H
#define FAKE_OPS_H

#include "base/text.h"
#include "ops/ops.h"

/* One line per call of an operation. */
extern struct hf_text fake_calls;

extern const char fake_backup_report[], fake_list_report[], fake_show_report[], fake_verify_report[],
    fake_prune_report[], fake_audit_report[], fake_plugin_report[];

#endif
