/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "fixture.h"

/* What is wrong with the data, "" when nothing is; in pieces of `piece` bytes. */
static const char *check(const char *data, size_t size, unsigned columns, size_t piece, struct pg_rows *rows)
{
    static char said[300];
    const char *problem = "";
    struct pg_rows_stream *stream = pg_rows_stream_new(columns);
    ck_assert_ptr_nonnull(stream);
    bool good = true;
    for (size_t at = 0; at < size && good; at += piece)
        good = pg_rows_stream_add(stream, data + at, size - at < piece ? size - at : piece, &problem);
    if (good)
        good = pg_rows_stream_end(stream, rows, &problem);
    ck_assert_int_eq(good, problem[0] == 0);
    snprintf(said, sizeof(said), "%s", problem);
    if (!good) { /* it stays so */
        ck_assert(!pg_rows_stream_add(stream, "a\n", 2, &problem));
        ck_assert(!pg_rows_stream_end(stream, rows, &problem));
        ck_assert_str_eq(problem, said);
    }
    pg_rows_stream_free(stream);
    return said;
}

static void assert_good(const char *data, unsigned columns, uint64_t rows, size_t piece)
{
    struct pg_rows found = {0}, expected = {0};
    for (const char *line = data; *line; line += strcspn(line, "\n") + 1)
        pg_rows_add(&expected, line, strcspn(line, "\n"));
    ck_assert_str_eq(check(data, strlen(data), columns, piece, &found), "");
    ck_assert_uint_eq(found.rows, rows);
    ck_assert_uint_eq(found.rows, expected.rows);
    ck_assert_uint_eq(found.sum, expected.sum);
}

static const size_t pieces[] = {1, 2, 3, 5, 16, 17, 64, 1 << 20};
enum { PIECES = sizeof(pieces) / sizeof(*pieces) };

START_TEST(good_rows)
{
    size_t piece = pieces[_i];
    assert_good("", 3, 0, piece);
    assert_good("a\tb\tc\n", 3, 1, piece);
    assert_good("\\N\t\\N\n\\N\t\n\t\\N\n", 2, 3, piece);
    assert_good("\n\n\n", 1, 3, piece);
    assert_good("\n\n", 0, 2, piece);
    assert_good("a\\tb\\nc\\rd\\be\\ff\\vg\\\\h\\\\N\t\\\\.\n", 2, 1, piece);
    assert_good("\\x4F\\x4Z\\x4\\7\\77\\777\\7777\\x4142\tz\n", 2, 1, piece);
    assert_good("a longer line without any escape at all, of more than sixteen bytes\tand one\tmore\n", 3, 1, piece);
    assert_good("\x01\x02\x7f\xc3\xa4\xff\n", 1, 1, piece);
}
END_TEST

static void assert_bad(const char *data, unsigned columns, const char *problem)
{
    struct pg_rows rows = {77, 78};
    for (size_t i = 0; i < PIECES; i++) {
        ck_assert_str_eq(check(data, strlen(data), columns, pieces[i], &rows), problem);
        ck_assert_uint_eq(rows.rows, 77);
    }
}

START_TEST(bad_rows)
{
    assert_bad("a\tb\nc\n", 2, "row 2 has 1 field instead of 2");
    assert_bad("a\tb\tc\n", 2, "row 1 has 3 fields instead of 2");
    assert_bad("a\tb\nc\td", 2, "row 2 is not complete");
    assert_bad("a", 0, "row 1 is not complete");
    assert_bad("ok\n\\.\n", 1, "row 2 has the escape '\\.', which COPY does not write");
    assert_bad("\\a\n", 1, "row 1 has the escape '\\a', which COPY does not write");
    assert_bad("\\x\n", 1, "row 1 ends within an escape");
    assert_bad("\\xg\n", 1, "row 1 has the escape '\\x', which COPY does not write");
    assert_bad("a\\\n", 1, "row 1 ends within an escape");
    assert_bad("a\\\tb\n", 1, "row 1 has a backslash before byte 0x09, which COPY does not write");
    assert_bad("a\\N\n", 1, "row 1 has a '\\N' that is not all of its field");
    assert_bad("x\ty\\N\n", 2, "row 1 has a '\\N' that is not all of its field");
    assert_bad("\\Na\n", 1, "row 1 has a '\\N' that is not all of its field");
    assert_bad("\\N\\N\n", 1, "row 1 has a '\\N' that is not all of its field");
    assert_bad("\\8\n", 1, "row 1 has the escape '\\8', which COPY does not write");
    assert_bad("a\r\n", 1, "row 1 has a carriage return or a NUL byte, which COPY does not write");
}
END_TEST

START_TEST(nul_is_found)
{
    struct pg_rows rows;
    char line[64];
    for (size_t at = 0; at < 40; at++) {
        memset(line, 'x', sizeof(line));
        line[40] = '\n';
        ck_assert_str_eq(check(line, 41, 1, 64, &rows), "");
        line[at] = 0;
        ck_assert_str_ne(check(line, 41, 1, 64, &rows), "");
        ck_assert_str_eq(check(line, 41, 0, 64, &rows), "");
    }
}
END_TEST

START_TEST(many_tabs)
{
    enum { TABS = 100000 };
    struct pg_rows rows;
    char *line = malloc(TABS + 1);
    memset(line, '\t', TABS);
    line[TABS] = '\n';
    ck_assert_str_eq(check(line, TABS + 1, TABS + 1, 1 << 20, &rows), "");
    ck_assert_str_eq(check(line, TABS + 1, TABS + 1, 4099, &rows), "");
    ck_assert_str_eq(check(line, TABS + 1, TABS, 1 << 20, &rows), "row 1 has 100001 fields instead of 100000");
    free(line);
}
END_TEST

START_TEST(order_does_not_matter)
{
    struct pg_rows one = {0}, other = {0}, rest = {0};
    check("a\nb\nc\n", 6, 1, 100, &one);
    check("c\na\n", 4, 1, 100, &other);
    check("b\n", 2, 1, 1, &rest);
    pg_rows_merge(&other, &rest);
    ck_assert_uint_eq(one.rows, other.rows);
    ck_assert_uint_eq(one.sum, other.sum);
    check("a\nb\nb\n", 6, 1, 100, &other);
    ck_assert_uint_ne(one.sum, other.sum);
}
END_TEST

Suite *suite_rows(void)
{
    Suite *suite = suite_create("postgres/rows");
    TCase *tests = tcase_create("rows");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, good_rows, 0, PIECES);
    tcase_add_test(tests, bad_rows);
    tcase_add_test(tests, nul_is_found);
    tcase_add_test(tests, many_tabs);
    tcase_add_test(tests, order_does_not_matter);
    suite_add_tcase(suite, tests);
    return suite;
}
