/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of the sqlite source, on real databases.
 */
#include <stdlib.h>

#include "fixture.h"

int main(void)
{
    SRunner *runner = srunner_create(suite_find());
    srunner_add_suite(runner, suite_backup());
    srunner_add_suite(runner, suite_live());
    srunner_add_suite(runner, suite_verify());
    srunner_add_suite(runner, suite_restore());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
