/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "suites.h"

int main(void)
{
    SRunner *runner = srunner_create(suite_sign());
    srunner_add_suite(runner, suite_answers());
    srunner_add_suite(runner, suite_sizes());
    srunner_add_suite(runner, suite_md5_lanes());
    srunner_add_suite(runner, suite_keys());
    srunner_add_suite(runner, suite_options());
    srunner_add_suite(runner, suite_misbehaving());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
