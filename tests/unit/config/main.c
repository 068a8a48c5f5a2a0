/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"
#include <stdlib.h>

int main(void)
{
    Suite *suite = suite_create("config");
    suite_add_tcase(suite, ini_case());
    suite_add_tcase(suite, option_case());
    suite_add_tcase(suite, reference_case());
    suite_add_tcase(suite, profile_case());
    suite_add_tcase(suite, settings_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
