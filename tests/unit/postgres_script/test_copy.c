/* SPDX-License-Identifier: Apache-2.0
 *
 * COPY statements and their data.
 */
#include "suites.h"

#include <stdio.h>
#include <string.h>

#include "script.h"

#define HEAD "COPY t FROM stdin;\n"
#define SHOWN "copy COPY t FROM stdin\n"

START_TEST(data_end)
{
    expect(HEAD "\\.\nS;", SHOWN "end\nsql S\ndone\n");
    expect(HEAD "\n\n\\.\nS;", SHOWN "data ¶¶\nend\nsql S\ndone\n");
    expect(HEAD "a;'\"$$/*--\n\\.\nS;", SHOWN "data a;'\"$$/*--¶\nend\nsql S\ndone\n");
    expect(HEAD "a\\.\n \\.\n\\N\n\\\n\\\\.\n\\.x\n\\..\n\\.\\.\n\\.\t\n\\.\nS;",
           SHOWN "data a\\.¶ \\.¶\\N¶\\¶\\\\.¶\\.x¶\\..¶\\.\\.¶\\.\t¶\nend\nsql S\ndone\n");
    expect(HEAD "a\r\n\\.\r\nS;", SHOWN "data a␍¶\nend\nsql S\ndone\n");
    expect(HEAD "\\.\r\r\n\\.\r\\.\n\\.\n", SHOWN "data \\.␍␍¶\\.␍\\.¶\nend\ndone\n");
    expect("COPY t FROM stdin;\t \r\n1\n\\.\n", SHOWN "data 1¶\nend\ndone\n");
}
END_TEST

START_TEST(no_final_newline)
{
    expect(HEAD "1\n\\.", SHOWN "data 1¶\nend\ndone\n");
    expect(HEAD "\\.\r", SHOWN "end\ndone\n");
}
END_TEST

START_TEST(cut_short)
{
    expect_corrupt("COPY t FROM stdin;", 1, "within the data of COPY");
    expect_corrupt(HEAD, 2, "within the data of COPY");
    expect_corrupt(HEAD "1\n", 3, "within the data of COPY");
    expect_corrupt(HEAD "1\n2", 3, "within the data of COPY");
    expect_corrupt(HEAD "1\n\\", 3, "within the data of COPY");
    expect_corrupt(HEAD "1\\.", 2, "within the data of COPY");
    expect_corrupt("COPY t FROM stdin; S;\n\\.\n", 1, "where its data should begin");
}
END_TEST

/* The mark behind every length of data, so that it lies at every place of a vector; line breaks before it are counted.
 */
START_TEST(any_place)
{
    static char input[1200], tokens[1200];
    for (size_t size = 1; size < 300; size += size < 150 ? 1 : 7) {
        for (int fill = 0; fill < 3; fill++) {
            char data[400];
            memset(data, fill == 0 ? 'x' : fill == 1 ? '\n' : '\\', size);
            data[size - 1] = '\n';
            data[size] = 0;
            snprintf(input, sizeof(input), HEAD "%s\\.\nS;", data);
            uint64_t lines = fill == 1 ? size : 1;
            char *to = tokens;
            to += sprintf(to, "1:0 copy COPY t FROM stdin …18\n2:19 data ");
            for (size_t i = 0; i < size; i++)
                to += sprintf(to, "%s", data[i] == '\n' ? "¶" : fill == 0 ? "x" : "\\");
            sprintf(to, " …%zu\n%d:%zu end …%zu\n%d:%zu sql S …%zu\n%d:%zu done …%zu\n", size + 19, (int)lines + 2,
                    size + 19, size + 22, (int)lines + 3, size + 22, size + 24, (int)lines + 3, size + 24, size + 24);
            expect_places(input, tokens);
        }
    }
}
END_TEST

START_TEST(which_statements)
{
    expect("copy T from STDIN;\n\\.\n", "copy copy T from STDIN\nend\ndone\n");
    expect("COPY public.t  FROM stdin;\n\n\\.\n", "copy COPY public.t  FROM stdin\ndata ¶\nend\ndone\n");
    expect("COPY \"a\nb;\".\"from stdin\" (\"c\"\"(\") FROM\nstdin WITH (FORMAT csv);\n1\n\\.\n",
           "copy COPY \"a¶b;\".\"from stdin\" (\"c\"\"(\") FROM¶stdin WITH (FORMAT csv)\ndata 1¶\nend\ndone\n");
    expect("COPY t FROM '/tmp/stdin';S;", "sql COPY t FROM '/tmp/stdin'\nsql S\ndone\n");
    expect("COPY t TO stdout;S;", "sql COPY t TO stdout\nsql S\ndone\n");
    expect("COPY (SELECT 1 FROM stdin) TO stdout;S;", "sql COPY (SELECT 1 FROM stdin) TO stdout\nsql S\ndone\n");
    expect("EXPLAIN COPY t FROM stdin;S;", "sql EXPLAIN COPY t FROM stdin\nsql S\ndone\n");
    expect("COPY stdin FROM \"stdin\";S;", "sql COPY stdin FROM \"stdin\"\nsql S\ndone\n");
}
END_TEST

static void parts(const char *text, const char *name_wanted, const char *columns_wanted)
{
    const char *name = NULL, *columns = NULL;
    size_t name_size = 0, columns_size = 0;
    bool is = pg_script_copy_parts(text, strlen(text), &name, &name_size, &columns, &columns_size);
    ck_assert_msg(is == (name_wanted != NULL), "%s", text);
    if (!is)
        return;
    ck_assert_msg(name_size == strlen(name_wanted) && !memcmp(name, name_wanted, name_size), "%s: %.*s", text,
                  (int)name_size, name);
    ck_assert_msg(columns_size == strlen(columns_wanted) && !memcmp(columns, columns_wanted, columns_size), "%s: %.*s",
                  text, (int)columns_size, columns);
}

START_TEST(taken_apart)
{
    parts("COPY public.t (a, b) FROM stdin", "public.t", "(a, b)");
    parts("COPY public.t  FROM stdin", "public.t", "");
    parts("COPY t FROM stdin", "t", "");
    parts("COPY \"a b\".\"from\"\"(x) from stdin\" (\"a)\", \"b\"\"\", c) FROM stdin",
          "\"a b\".\"from\"\"(x) from stdin\"", "(\"a)\", \"b\"\"\", c)");
    parts("COPY U&\"\\0041\".t$1(\xc3\xa9)FROM stdin", "U&\"\\0041\".t$1", "(\xc3\xa9)");
    parts("copy /* x */ a . b -- (\n(c)from\tstdin csv", "a . b", "(c)");
    parts("COPY\"t\"FROM STDIN", "\"t\"", "");
    parts("COPY from FROM stdin", "from", "");
    parts("COPY t (a, b FROM stdin", NULL, NULL);
    parts("COPY t () FROM stdin", NULL, NULL);
    parts("COPY t (a,) FROM stdin", NULL, NULL);
    parts("COPY FROM stdin", NULL, NULL);
    parts("COPY t. FROM", NULL, NULL);
    parts("COPY \"t FROM stdin", NULL, NULL);
    parts("COPY t FROM stdin1", NULL, NULL);
    parts("COPY t FROM 'stdin'", NULL, NULL);
    parts("COPYt FROM stdin", NULL, NULL);
    parts("COPY", NULL, NULL);
    parts("COPY t (a", NULL, NULL);
    parts("COPY t /*", NULL, NULL);
    parts("", NULL, NULL);
}
END_TEST

TCase *copy_tests(void)
{
    TCase *tests = tcase_create("copy");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, data_end);
    tcase_add_test(tests, no_final_newline);
    tcase_add_test(tests, cut_short);
    tcase_add_test(tests, any_place);
    tcase_add_test(tests, which_statements);
    tcase_add_test(tests, taken_apart);
    return tests;
}
