/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

int main(void)
{
    SRunner *runner = srunner_create(frame_suite());

    srunner_add_suite(runner, partition_suite());
    srunner_add_suite(runner, backup_suite());
    srunner_add_suite(runner, damage_suite());
    srunner_add_suite(runner, restore_suite());
    srunner_add_suite(runner, live_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
