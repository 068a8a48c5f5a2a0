/* SPDX-License-Identifier: Apache-2.0 */
#include "suites.h"
#include <stdlib.h>

int main(void)
{
    Suite *suite = suite_create("base");
    suite_add_tcase(suite, time_case());
    suite_add_tcase(suite, text_case());
    suite_add_tcase(suite, error_case());
    suite_add_tcase(suite, json_case());
    suite_add_tcase(suite, file_case());
    suite_add_tcase(suite, log_case());
    suite_add_tcase(suite, cancel_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
