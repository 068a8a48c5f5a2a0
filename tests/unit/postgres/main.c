/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of the postgres source. What needs a server has a throwaway cluster of its own.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cluster.h"
#include "fixture.h"

int main(void)
{
    SRunner *runner = srunner_create(suite_text());
    srunner_add_suite(runner, suite_rows());
    srunner_add_suite(runner, suite_records());
    srunner_add_suite(runner, suite_options());
    srunner_add_suite(runner, suite_pattern());
    srunner_add_suite(runner, suite_tools());
    if (cluster_start()) {
        srunner_add_suite(runner, suite_pattern_live());
        srunner_add_suite(runner, suite_connect());
        srunner_add_suite(runner, suite_query());
        srunner_add_suite(runner, suite_tools_live());
    } else {
        fprintf(stderr, "no PostgreSQL server is installed: only what needs none is tested\n");
    }
    srunner_run_all(runner, CK_NORMAL);
    cluster_stop();
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
