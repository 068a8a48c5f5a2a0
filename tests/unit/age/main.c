/* SPDX-License-Identifier: Apache-2.0 */
#include "suites.h"

#include <stdlib.h>

int main(void)
{
    Suite *suite = suite_create("age");
    SRunner *runner;
    int failed;

    holdfast_module_v1()->init(fake_host_table());
    suite_add_tcase(suite, text_case());
    suite_add_tcase(suite, keys_case());
    suite_add_tcase(suite, header_case());
    suite_add_tcase(suite, stream_case());
    suite_add_tcase(suite, tool_case());
    forge_begin();
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    forge_end();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
