/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands between statements, where tokens lie, and how much is kept.
 */
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "holdfast/types.h"
#include "script.h"

START_TEST(places)
{
    expect_places("", "1:0 done …0\n");
    expect_places(" \n\n-- x", "3:7 done …7\n");
    expect_places("  S 1;S\n2 ; \n\n/* a\n*/ \tS;",
                  "1:2 sql S 1 …6\n1:6 sql S¶2  …11\n5:23 sql S …25\n5:25 done …25\n");
    expect_places("\n--\n-- Name: a; Type: T; Schema: s; Owner: o\n--\nS;\n",
                  "2:1 entry a|T|s|o …48\n5:48 sql S …50\n6:51 done …51\n");
    expect_places("COPY t FROM stdin;  \n1\n2\n\\.\n\\x y\r\nS;",
                  "1:0 copy COPY t FROM stdin …18\n2:21 data 1¶2¶ …25\n4:25 end …28\n5:28 meta \\x y …34\n"
                  "6:34 sql S …36\n6:36 done …36\n");
}
END_TEST

START_TEST(comments)
{
    expect("-- a; '\n/* ; ' /* \" */ $$ */-- (\n--\n S;--\n--S;\n/**/S;/***/", "sql S\nsql S\ndone\n");
    expect("--\r\n-- x\r\n--\r\nS;\r\n", "sql S\ndone\n");
    expect("-- x\rS;", "sql S\ndone\n");
    expect_corrupt("S;\n/* a\n/* b\n*/", 2, "the comment that begins there");
}
END_TEST

START_TEST(meta_commands)
{
    expect("\\restrict aB1\n\nS;\n\\unrestrict aB1\n", "meta \\restrict aB1\nsql S\nmeta \\unrestrict aB1\ndone\n");
    expect("S; \\connect \"a;b\"\r\n  \\echo 'x", "sql S\nmeta \\connect \"a;b\"\nmeta \\echo 'x\ndone\n");
    expect("\\\n\\", "meta \\\nmeta \\\ndone\n");
    /* After one, a line begins. */
    expect("\\x\n--\n-- Name: a; Type: T\n--\n", "meta \\x\nentry a|T|NULL|NULL\ndone\n");
}
END_TEST

START_TEST(nul_bytes)
{
    expect_tokens("S;\nS \0;S;", 9, "sql S\ncorrupt: line 2: a NUL byte\n");
    expect_tokens("S;\n '\n\0';", 9, "sql S\ncorrupt: line 3: a NUL byte\n");
    expect_tokens("S;\0", 3, "sql S\ncorrupt: line 1: a NUL byte\n");
    expect_tokens("-- \0\nS;", 7, "corrupt: line 1: a NUL byte\n");
    expect_tokens("--\n--\0\nS;", 9, "corrupt: line 2: a NUL byte\n");
    expect_tokens("/*\n\0*/", 6, "corrupt: line 2: a NUL byte\n");
    expect_tokens("\\x \0\n", 5, "corrupt: line 1: a NUL byte\n");
    expect_tokens(
        "COPY t FROM stdin;\0\n", 20,
        "copy COPY t FROM stdin\ncorrupt: line 1: text after COPY … FROM stdin, where its data should begin\n");
    expect_tokens("COPY t FROM stdin;\n1\n2\0\n\\.\n", 27,
                  "copy COPY t FROM stdin\ndata 1¶2\ncorrupt: line 3: a NUL byte\n");
    expect_tokens("COPY t FROM stdin;\n\\.\0\n\\.\n", 26,
                  "copy COPY t FROM stdin\ndata \\.\ncorrupt: line 2: a NUL byte\n");
}
END_TEST

/* ---- what is given comes back ---- */

struct feed {
    const char *first;
    int first_code; /* instead of a second piece */
    int calls;
};

static int64_t more_then_code(void *arg, const void **ret_data)
{
    struct feed *feed = arg;
    if (feed->calls++ > 0)
        return feed->first_code;
    *ret_data = feed->first;
    return (int64_t)strlen(feed->first);
}

START_TEST(codes_come_through)
{
    struct feed feed = {"S;COPY t FROM stdin;\n1", HF_E_CANCELLED, 0};
    struct pg_script *script = pg_script_new(more_then_code, &feed);
    struct pg_token token;
    const char *problem = NULL;
    ck_assert_int_eq(pg_script_next(script, &token, &problem), HF_OK);
    ck_assert_int_eq(pg_script_next(script, &token, NULL), HF_OK);
    ck_assert(token.copy);
    ck_assert_int_eq(pg_script_next(script, &token, &problem), HF_OK);
    ck_assert_int_eq(token.kind, PG_COPY_DATA);
    ck_assert_ptr_eq(token.text, feed.first + 21); /* not copied */
    ck_assert_int_eq(pg_script_next(script, &token, &problem), HF_E_CANCELLED);
    ck_assert_int_eq(pg_script_next(script, &token, &problem), HF_E_CANCELLED);
    ck_assert_ptr_null(problem);
    pg_script_free(script);
    pg_script_free(NULL);
}
END_TEST

/* Endless: the piece, over and over. */
static int64_t more_of_the_same(void *arg, const void **ret_data)
{
    struct feed *feed = arg;
    *ret_data = feed->first;
    return (int64_t)strlen(feed->first);
}

static void expect_too_long(const char *begin, char fill, const char *problem_wanted)
{
    size_t size = 16 << 20, tokens = 0;
    char *piece = malloc(size + 1);
    ck_assert_ptr_nonnull(piece);
    memset(piece, fill, size);
    piece[size] = 0;
    memcpy(piece, begin, strlen(begin));
    struct feed feed = {piece, 0, 0};
    struct pg_script *script = pg_script_new(more_of_the_same, &feed);
    struct pg_token token;
    const char *problem = NULL;
    int result;
    while ((result = pg_script_next(script, &token, &problem)) == HF_OK)
        tokens++;
    ck_assert_int_eq(result, HF_E_CORRUPT);
    ck_assert_str_eq(problem, problem_wanted);
    ck_assert_uint_eq(tokens, 0);
    pg_script_free(script);
    free(piece);
}

START_TEST(limits)
{
    expect_too_long("\\x", 'x', "line 1: the line that begins there is longer than 64 MiB");
    expect_too_long("--\n-- x", 'x', "line 1: the line that begins there is longer than 64 MiB");
}
END_TEST

TCase *between_tests(void)
{
    TCase *tests = tcase_create("between");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, places);
    tcase_add_test(tests, comments);
    tcase_add_test(tests, meta_commands);
    tcase_add_test(tests, nul_bytes);
    tcase_add_test(tests, codes_come_through);
    tcase_add_test(tests, limits);
    return tests;
}
