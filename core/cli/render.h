/* SPDX-License-Identifier: Apache-2.0
 *
 * Reports as text for people, made from their JSON alone.
 */
#ifndef HF_CLI_RENDER_H
#define HF_CLI_RENDER_H

#include "base/json.h"
#include "base/text.h"

struct hf_render {
    bool verbose;   /* leave nothing out of long lists */
    int64_t now_ms; /* ages are told from here         */
};

/* One report each. */
void hf_render_check(struct hf_text *, const json_t *report, const struct hf_render *);
void hf_render_backup(struct hf_text *, const json_t *report, const struct hf_render *);
void hf_render_show(struct hf_text *, const json_t *report, const struct hf_render *);
void hf_render_verify(struct hf_text *, const json_t *report, const struct hf_render *);
void hf_render_restore(struct hf_text *, const json_t *report, const struct hf_render *);
void hf_render_copy(struct hf_text *, const json_t *report, const struct hf_render *);
void hf_render_prune(struct hf_text *, const json_t *report, const struct hf_render *);
void hf_render_audit(struct hf_text *, const json_t *report, const struct hf_render *);
void hf_render_config_show(struct hf_text *, const json_t *report, const struct hf_render *);
void hf_render_config_validate(struct hf_text *, const json_t *report, const struct hf_render *);
void hf_render_key(struct hf_text *, const json_t *report, const struct hf_render *);
void hf_render_plugin_list(struct hf_text *, const json_t *report, const struct hf_render *);
void hf_render_plugin_info(struct hf_text *, const json_t *report, const struct hf_render *);
/* An array of reports, as one table. */
void hf_render_list(struct hf_text *, const json_t *reports, const struct hf_render *);

/* What went wrong, for standard error: the report's error, and those of its sinks and checks. With `findings`, its
 * errors and warnings too, for when the text is not shown. */
void hf_report_print_errors(const json_t *report, bool findings);

/* Members of reports; what is missing or of another type is "", 0 or an empty array (NULL). */
const char *hf_member_text(const json_t *object, const char *key);
uint64_t hf_member_size(const json_t *object, const char *key);
bool hf_member_true(const json_t *object, const char *key);
int64_t hf_member_ms(const json_t *object, const char *key); /* seconds, as milliseconds */

/* Lines for findings, worst first, indented by two. */
void hf_render_findings(struct hf_text *, const json_t *findings, const struct hf_render *);
/* "enum fast|slow, default fast": an option of hf_op_plugin_info in few words. */
void hf_render_option_facts(struct hf_text *, const json_t *option);
void hf_render_age(int64_t now_ms, const char *iso_time, char ret_text[24]); /* "3 h", "-" when unknown */

#endif
