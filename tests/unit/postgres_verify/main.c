/* SPDX-License-Identifier: Apache-2.0
 *
 * Verification of the postgres source: scripts in memory, whole and damaged.
 */
#include <stdlib.h>

#include "artifact.h"

int main(void)
{
    SRunner *runner = srunner_create(suite_statement());
    srunner_add_suite(runner, suite_verify());
    srunner_add_suite(runner, suite_damage());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
