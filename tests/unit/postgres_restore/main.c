/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a restore that need no server.
 */
#include <stdlib.h>

#include "suites.h"

int main(void)
{
    SRunner *runner = srunner_create(suite_names());
    srunner_add_suite(runner, suite_constraint());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
