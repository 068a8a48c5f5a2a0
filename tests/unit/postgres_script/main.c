/* SPDX-License-Identifier: Apache-2.0 */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "render.h"

/* One read in one piece, with places, and the same in all other ways to cut it. free() it. */
static char *read_all_ways(const char *input, size_t size)
{
    static const size_t pieces[] = {1, 2, 3, 4, 5, 7, 11, 16, 64, 67, 0};
    char *whole = render(input, size, size + 1, RENDER_PLACES);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        char *again = render(input, size, pieces[i], RENDER_PLACES);
        ck_assert_msg(!strcmp(whole, again), "in pieces of %zu:\n%s\ninstead of\n%s", pieces[i], again, whole);
        free(again);
    }
    return whole;
}

void expect_tokens(const char *input, size_t size, const char *tokens)
{
    free(read_all_ways(input, size));
    char *whole = render(input, size, size + 1, 0);
    ck_assert_msg(!strcmp(whole, tokens), "%.*s\ngave\n%s\ninstead of\n%s", (int)size, input, whole, tokens);
    free(whole);
}

void expect(const char *input, const char *tokens)
{
    expect_tokens(input, strlen(input), tokens);
}

void expect_places(const char *input, const char *tokens)
{
    char *whole = read_all_ways(input, strlen(input));
    ck_assert_msg(!strcmp(whole, tokens), "%s\ngave\n%s\ninstead of\n%s", input, whole, tokens);
    free(whole);
}

void expect_corrupt(const char *input, unsigned line, const char *words)
{
    char *whole = read_all_ways(input, strlen(input)), where[40];
    snprintf(where, sizeof(where), "corrupt: line %u: ", line);
    const char *problem = strstr(whole, where);
    ck_assert_msg(problem && strstr(problem, words), "%s\ngave\n%s\ninstead of %s… %s", input, whole, where, words);
    free(whole);
}

int main(void)
{
    Suite *suite = suite_create("postgres_script");
    suite_add_tcase(suite, statement_tests());
    suite_add_tcase(suite, between_tests());
    suite_add_tcase(suite, copy_tests());
    suite_add_tcase(suite, entry_tests());
    suite_add_tcase(suite, memory_tests());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
