/* SPDX-License-Identifier: Apache-2.0 */
#include "suites.h"
#include <stdlib.h>

int main(void)
{
    Suite *suite = suite_create("plugin");
    suite_add_tcase(suite, vet_case());
    suite_add_tcase(suite, host_case());
    suite_add_tcase(suite, tempdir_case());
    suite_add_tcase(suite, instance_case());
    suite_add_tcase(suite, child_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
