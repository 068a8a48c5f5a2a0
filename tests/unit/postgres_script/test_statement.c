/* SPDX-License-Identifier: Apache-2.0
 *
 * Where statements end. One that is a statement as a whole, with all its semicolons but the last, is followed by
 * another.
 */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The text is one statement. */
static void one(const char *text)
{
    char *input = NULL, *tokens = NULL, *shown = strdup(text);
    ck_assert_ptr_nonnull(shown);
    ck_assert(!strchr(text, '\n') && !strchr(text, '\r'));
    ck_assert(asprintf(&input, "%s;SELECT 1;", text) > 0);
    ck_assert(asprintf(&tokens, "sql %s\nsql SELECT 1\ndone\n", text) > 0);
    expect(input, tokens);
    free(input);
    free(tokens);
    free(shown);
}

START_TEST(strings)
{
    one("SELECT ';', 'it''s;', '', '''', ''';'''");
    one("SELECT 'C:\\', ';'");
    one("SELECT N'a;\\', B'1;', X'f;', U&'\\0041;\\' UESCAPE '!'");
    one("SELECT 'a' 'b;' ';'");
    one("SELECT '/* ', ';', '-- ', ';', ' */'");
    one("SELECT '$$', ';', '\"', ';'");
}
END_TEST

START_TEST(escapes)
{
    one("SELECT E'it\\'s;', e'\\\\', ';', E'\\';''\\\\''', ';'");
    one("SELECT name'\\', ';', _e'\\', ';'"); /* a name that ends with e is no E */
    one("SELECT 1 AS x,E'\\';'");
    expect("SELECT E'a' -- it goes on\n 'b\\';'; S;", "sql SELECT E'a' -- it goes on¶ 'b\\';'\nsql S\ndone\n");
    expect("SELECT E'a'\r\n\r\n'b\\';'; S;", "sql SELECT E'a'␍¶␍¶'b\\';'\nsql S\ndone\n");
    expect("SELECT E'a' 'b\\'; S;", "sql SELECT E'a' 'b\\'\nsql S\ndone\n");
    expect("SELECT E'a', \n 'b\\'; S;", "sql SELECT E'a', ¶ 'b\\'\nsql S\ndone\n");
    expect("SELECT E'a' /*\n*/\n 'b\\'; S;", "sql SELECT E'a' /*¶*/¶ 'b\\'\nsql S\ndone\n");
    expect("SELECT 'a'\n'b\\'; S;", "sql SELECT 'a'¶'b\\'\nsql S\ndone\n");
}
END_TEST

START_TEST(names)
{
    one("SELECT \"a;b\", \"a\"\";\"\"b\", U&\"\\0041;\\\", \"\", \"'\", \"--\", \"/*\", \"$$\", \"(\"");
    one("SELECT \"E\"'\\', ';'");
    one("SELECT a$$b, c$d$, e$1 FROM t$$");
    one("SELECT \xc3\xa9$a$, \xff$$");
    expect("CREATE TABLE \"a\nb\r\n;\" (); S;", "sql CREATE TABLE \"a¶b␍¶;\" ()\nsql S\ndone\n");
}
END_TEST

START_TEST(dollars)
{
    one("SELECT $$;$$, $$'$$, $a$;$$;$b$;$a$, $_$;$_$, $$$$, ';'");
    one("DO $fn$ BEGIN EXECUTE $$SELECT $q$;$q$ $$; END $fn$");
    one("SELECT $\xc3\xa9t\xc3\xa9_1$;$\xc3\xa9t\xc3\xa9$;$\xc3\xa9t\xc3\xa9_1$");
    one("SELECT $a$ $$a$"); /* "$a$" after a '$' */
    one("SELECT $a$ $a$a$, ';'");
    one("SELECT $aa$ $a$ $aa $aa;$aaa$ $aa$");
    one("SELECT $A$ ; $a$ ; $A$");
    one("SELECT $1, $2, ';', $1$$;$$");
    one("SELECT $1$a$;$a$");
    one("SELECT $ ';', $a ';', $-$ ';'");
    one("SELECT ($1)::text || $$;$$");
}
END_TEST

START_TEST(comments)
{
    one("SELECT 1 /* ; /* ; */ ; */ /**/ /***/ /*/ ; */ /* ** // ; **/ /*/**/;*/");
    one("SELECT /* ' */ ';' /* \" */, /* $$ */ $$;$$");
    expect("SELECT 1 -- ; ' \" $$ /* (\n+ 2;S;", "sql SELECT 1 -- ; ' \" $$ /* (¶+ 2\nsql S\ndone\n");
    expect("SELECT 1 --;\r+ 2;S;", "sql SELECT 1 --;␍+ 2\nsql S\ndone\n");
    expect("SELECT a ->>--';\n 'b';S;", "sql SELECT a ->>--';¶ 'b'\nsql S\ndone\n");
    expect("SELECT a #>>/* ' */';' ||--\n';';S;", "sql SELECT a #>>/* ' */';' ||--¶';'\nsql S\ndone\n");
}
END_TEST

START_TEST(operators)
{
    one("SELECT a - b / c -/ d /- e * f */ g -> 'x;' ->> ';' #- '{;}' @-@ h");
    one("CREATE OPERATOR public.//- (FUNCTION = f, LEFTARG = a)");
    one("SELECT 1-'2;'/'3;'");
    one("SELECT 4*/* ; */5");
    one("SELECT 4//* ; */5"); /* '/', then a comment */
    one("SELECT a[1:2], :x, :'y;', :\"z;\", b::c");
}
END_TEST

START_TEST(parentheses)
{
    one("CREATE RULE r AS ON INSERT TO t DO (INSERT INTO a VALUES (1); INSERT INTO b VALUES (2); SELECT ')')");
    one("SELECT )");
    one("SELECT ')', (\";(\", $$($$ /* ( */)");
}
END_TEST

START_TEST(bodies)
{
    one("CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END");
    one("create or replace procedure s.f(a int) language sql begin /* x */ atomic INSERT INTO t VALUES (1); end");
    one("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN CASE b WHEN 1 THEN 2 END ELSE 3 END; "
        "SELECT (CASE WHEN true THEN 1 END); SELECT 'END', \"END\", $$END$$, a.b AS ending; END");
    one("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$BEGIN; END$$");
    one("CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN CASE WHEN true THEN 1 END");
    /* Names that pg_dump does not quote. */
    one("CREATE FUNCTION public.begin() RETURNS public.begin LANGUAGE sql AS $$SELECT 1;$$");
    one("CREATE FUNCTION public.atomic(begin int, atomic int) RETURNS begin AS $$;$$");
    one("CREATE FUNCTION f(begin int) RETURNS int BEGIN ATOMIC SELECT begin AS atomic; SELECT begin; END");
    one("BEGIN");
    one("END");
    one("CREATE TABLE begin.atomic (i int)");
    one("CREATE VIEW begin AS SELECT CASE WHEN true THEN 1 END");
    expect("CREATE FUNCTION f() RETURNS int BEGIN -- x;\nATOMIC S1; END;S;",
           "sql CREATE FUNCTION f() RETURNS int BEGIN -- x;¶ATOMIC S1; END\nsql S\ndone\n");
}
END_TEST

START_TEST(oddities)
{
    expect(";;", "sql \nsql \ndone\n");
    expect("- 1;/ 2;-/**/3;/-4;", "sql - 1\nsql / 2\nsql -/**/3\nsql /-4\ndone\n");
    expect("-;/;", "sql -\nsql /\ndone\n");
    one("SELECT 1e5, 1.5e-3, .5, 1..2, 0x1F, 1_000, 5e");
    one("SELECT 1e$$, 2a$b$, ';', 3$$;$$, 4e'\\';'"); /* a name may follow a number at once, up to server 14 */
}
END_TEST

START_TEST(unfinished)
{
    expect_corrupt("SELECT 1;\nSELECT\n2", 3, "within a statement; the statement begins in line 2");
    expect_corrupt("SELECT 'a;\n", 2, "within a string");
    expect_corrupt("SELECT 'a'';\n", 2, "within a string");
    expect_corrupt("SELECT E'a\\';\n", 2, "within a string");
    expect_corrupt("SELECT E'a\\", 1, "within a string");
    expect_corrupt("SELECT \"a;", 1, "within a quoted name");
    expect_corrupt("SELECT $a$ ; $a", 1, "within a dollar-quoted string");
    expect_corrupt("SELECT $a$ ; $b$;", 1, "within a dollar-quoted string");
    expect_corrupt("SELECT /* /* */ ;", 1, "within a comment");
    expect_corrupt("SELECT (1;", 1, "within parentheses");
    expect_corrupt("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1;", 1, "within a function's body");
    expect_corrupt("SELECT 1 -- ;", 1, "within a statement");
    expect_corrupt("-", 1, "within a statement");
    expect_corrupt("SELECT 1 \\gset\n;", 1, "'\\'");
    expect_corrupt("SELECT 1;\n\n  S\\;\n;", 3, "'\\'");
}
END_TEST

/* A statement in which the fast paths meet their limits: every quote behind every length of text. */
START_TEST(any_length)
{
    static const char *const ends[] = {"'%s;'",  "E'%s\\';'", "\"%s;\"", "$$%s;$$", "$long_tag$%s;$long_tag$",
                                       "/*%s;*/"};
    for (int length = 0; length < 70; length++) {
        char text[71], format[120], input[240], tokens[240];
        memset(text, 'x', (size_t)length);
        text[length] = 0;
        for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
            const char *at = strstr(ends[i], "%s");
            snprintf(format, sizeof(format), "%.*s%s%s", (int)(at - ends[i]), ends[i], text, at + 2);
            snprintf(input, sizeof(input), "S %s;S;", format);
            snprintf(tokens, sizeof(tokens), "sql S %s\nsql S\ndone\n", format);
            expect(input, tokens);
        }
    }
}
END_TEST

TCase *statement_tests(void)
{
    TCase *tests = tcase_create("statement");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, strings);
    tcase_add_test(tests, escapes);
    tcase_add_test(tests, names);
    tcase_add_test(tests, dollars);
    tcase_add_test(tests, comments);
    tcase_add_test(tests, operators);
    tcase_add_test(tests, parentheses);
    tcase_add_test(tests, bodies);
    tcase_add_test(tests, oddities);
    tcase_add_test(tests, unfinished);
    tcase_add_test(tests, any_length);
    return tests;
}
