/* SPDX-License-Identifier: Apache-2.0
 *
 * Each allocation fails in turn: an error each time, nothing lost, nothing used that is not there.
 */
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "holdfast/types.h"
#include "script.h"

void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_reallocarray(void *memory, size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);

static int allocations_left = -1; /* -1: any number */

static bool fails(void)
{
    if (allocations_left < 0)
        return false;
    return allocations_left-- == 0;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
    return fails() ? NULL : __real_reallocarray(memory, count, size);
}

static const char sample[] =
    "--\n-- Dependencies: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n-- Name: a; Type: T\n--\n"
    "-- x\nSELECT $a$;$a$, $long_long_tag$;$long_long_tag$;\n/* ; */\n- 1;/ 1;\n\\restrict x\n"
    "COPY t FROM stdin;\n\\x\n\\.\n"
    "SELECT '0123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
    "5678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
    "9012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789';";

static int64_t more(void *arg, const void **ret_data)
{
    size_t *given = arg;
    if (*given == sizeof(sample) - 1)
        return 0;
    *ret_data = sample + (*given)++;
    return 1;
}

static int read_sample(size_t *ret_tokens)
{
    size_t given = 0;
    struct pg_script *script = pg_script_new(more, &given);
    struct pg_token token = {0};
    const char *problem = NULL;
    int result = script ? HF_OK : HF_E_NOMEM;
    *ret_tokens = 0;
    while (result == HF_OK && token.kind != PG_SCRIPT_END) {
        result = pg_script_next(script, &token, &problem);
        *ret_tokens += result == HF_OK;
    }
    ck_assert_ptr_null(problem);
    pg_script_free(script);
    return result;
}

START_TEST(each_allocation_fails)
{
    size_t tokens, all;
    int failed = 0, result;
    ck_assert_int_eq(read_sample(&all), HF_OK);
    for (;; failed++) {
        allocations_left = failed;
        result = read_sample(&tokens);
        bool enough = allocations_left >= 0;
        allocations_left = -1;
        if (enough)
            break;
        ck_assert_int_eq(result, HF_E_NOMEM);
        ck_assert_uint_lt(tokens, all);
    }
    ck_assert_int_eq(result, HF_OK);
    ck_assert_int_ge(failed, 5);
}
END_TEST

TCase *memory_tests(void)
{
    TCase *tests = tcase_create("memory");
    tcase_add_test(tests, each_allocation_fails);
    return tests;
}
