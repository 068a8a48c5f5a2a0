/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

#include "base/log.h"

int main(void)
{
    SRunner *runner = srunner_create(suite_keys());
    int failed;

    hf_log_set_level(HF_LOG_ERROR + 1); /* damage is injected on purpose, and would fill the log */
    srunner_add_suite(runner, suite_scan());
    srunner_add_suite(runner, suite_manifest());
    srunner_add_suite(runner, suite_hostile());
    srunner_add_suite(runner, suite_sealed());
    srunner_add_suite(runner, suite_retention());
    srunner_add_suite(runner, suite_known());
    srunner_add_suite(runner, suite_catalog());
    srunner_add_suite(runner, suite_commit());
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
