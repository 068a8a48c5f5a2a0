/* SPDX-License-Identifier: Apache-2.0
 *
 * The comments with which entries begin.
 */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

/* The block's lines, within "--" and "--", and what is shown of them; NULL: it is no entry. */
static void block(const char *lines, const char *shown)
{
    char *input = NULL, *tokens = NULL;
    ck_assert(asprintf(&input, "--\n%s\n--\n\nS;", lines) > 0);
    ck_assert(asprintf(&tokens, "%s%s%ssql S\ndone\n", shown ? "entry " : "", shown ? shown : "", shown ? "\n" : "") >
              0);
    expect(input, tokens);
    free(input);
    free(tokens);
}

START_TEST(fields)
{
    block("-- Name: t; Type: TABLE; Schema: public; Owner: omen", "t|TABLE|public|omen");
    block("-- Name: DATABASE d; Type: COMMENT; Schema: -; Owner: -", "DATABASE d|COMMENT|-|-");
    block("-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: o p", "t|TABLE DATA|public|o p|data");
    block("-- Name: i; Type: INDEX; Schema: s; Owner: o; Tablespace: fast one", "i|INDEX|s|o");
    block("-- TOC entry 215 (class 1259 OID 16389)\n-- Dependencies: 5 17 4294967295\n"
          "-- Name: t c; Type: FK CONSTRAINT; Schema: s; Owner: o",
          "t c|FK CONSTRAINT|s|o|toc=215,1259,16389|needs=5,17,4294967295");
    block("-- Name: t; Type: TABLE; Schema: s; Owner: o\n-- Table: s.\"a\\nb\\\\n\\r\\\"",
          "t|TABLE|s|o|table=s.\"a¶b\\n␍\\\"");
    block("-- Name: ; Type: T; Schema: ; Owner: ", "|T||");
    block("-- Name: f(a integer, b text); Type: FUNCTION; Schema: s; Owner: o", "f(a integer, b text)|FUNCTION|s|o");
    block("-- Name: x; Type: <Init>", "x|<Init>|NULL|NULL");
    block("-- Name: x; Type: pg_largeobject; Schema: -; Owner: -", "x|pg_largeobject|-|-");
    block("-- Name: x; Type: T; Schema: a.b; c", "x|T|a.b; c|NULL");
}
END_TEST

START_TEST(nasty_names)
{
    block("-- Name: a; Type: TABLE; Schema: x; Type: INDEX; Schema: public; Owner: o",
          "a; Type: TABLE; Schema: x|INDEX|public|o");
    block("-- Name: a; Type: TABLE; Schema: x; Owner: y; Type: INDEX; Schema: public; Owner: o",
          "a; Type: TABLE; Schema: x; Owner: y|INDEX|public|o");
    block("-- Name: a; Type: b; Type: TABLE; Schema: public; Owner: o; Tablespace: t", "a; Type: b|TABLE|public|o");
    block("-- Name: ; Type: ; Type: TABLE; Schema: s; Owner: o", "; Type: |TABLE|s|o");
    block("-- Name: Name: x; Owner: y; Type: T; Schema: s; Owner: o", "Name: x; Owner: y|T|s|o");
    block("-- Name: -- x; Type: T; Schema: ; Schema: s; Owner: o", "-- x|T|; Schema: s|o");
    block("-- Name:  \xc3\xa9 ; Type: T; Schema:  s ; Owner:  o ", " \xc3\xa9 |T| s | o ");
}
END_TEST

START_TEST(no_entries)
{
    block("-- PostgreSQL database dump", NULL);
    block("-- Name of the thing", NULL);
    block("-- Name: a", NULL);
    block("-- Name: a; Type: 1", NULL);
    block("--  Name: a; Type: T", NULL);
    block("--Name: a; Type: T", NULL);
    block("", NULL);
    block("-- x\n\n-- Name: a; Type: T", NULL);
}
END_TEST

START_TEST(blocks)
{
#define ENTRY "--\n-- Name: a; Type: T\n--\n"
#define SHOWN "entry a|T|NULL|NULL\n"
    expect(ENTRY, SHOWN "done\n");
    expect("--\n-- Name: a; Type: T\n--", SHOWN "done\n");
    expect("--\r\n-- Name: a; Type: T\r\n--\r\nS;", SHOWN "sql S\ndone\n");
    expect("--\r-- Name: a; Type: T\r--\rS;", SHOWN "sql S\ndone\n");
    expect(ENTRY ENTRY "S;" ENTRY, SHOWN SHOWN "sql S\ndone\n"); /* not at a line's begin */
    expect("--\n-- PostgreSQL database dump\n--\n\n-- Dumped from\n\n" ENTRY, SHOWN "done\n");
    expect("--\n-- a\n--\n-- Name: a; Type: T\n--\n", SHOWN "done\n");
    expect("-- a\n" ENTRY, SHOWN "done\n");
    expect("S; " ENTRY "S;", "sql S\nsql S\ndone\n");
    expect("--\n-- Name: a; Type: T\n --\n", "done\n");
    expect("--\n-- Name: a; Type: T\n", "done\n");
    expect("--\n-- Name: a; Type: T\n/**/--\n", "done\n");
    expect("S '\n" ENTRY "';", "sql S '¶--¶-- Name: a; Type: T¶--¶'\ndone\n");
    expect("COPY t FROM stdin;\n" ENTRY "\\.\n" ENTRY,
           "copy COPY t FROM stdin\ndata --¶-- Name: a; Type: T¶--¶\nend\n" SHOWN "done\n");
    expect_places("--\n--\n\n" ENTRY, "4:7 entry a|T|NULL|NULL …33\n7:33 done …33\n");
    expect_places("--\r\n-- Name: a; Type: T\r\n--\r\n", "1:0 entry a|T|NULL|NULL …29\n4:29 done …29\n");
    expect_places("--\n-- x\n" ENTRY, "3:8 entry a|T|NULL|NULL …34\n6:34 done …34\n");
}
END_TEST

START_TEST(numbers)
{
    block("-- TOC entry 4294967296 (class 1 OID 2)\n-- Name: a; Type: T", "a|T|NULL|NULL");
    block("-- TOC entry 1 (class 1 OID 2) x\n-- Name: a; Type: T", "a|T|NULL|NULL");
    block("-- TOC entry 1\n-- Dependencies:\n-- Name: a; Type: T", "a|T|NULL|NULL");
    block("-- TOC entry 7 (class 0 OID 0)\n-- Dependencies: 1  2\n-- Name: a; Type: T",
          "a|T|NULL|NULL|toc=7,0,0|needs=1");
    char lines[3000] = "-- Dependencies:", shown[3000] = "a|T|NULL|NULL|needs=";
    for (int i = 100; i < 400; i++) {
        sprintf(lines + strlen(lines), " %d", i);
        sprintf(shown + strlen(shown), i > 100 ? ",%d" : "%d", i);
    }
    block(strcat(lines, "\n-- Name: a; Type: T"), shown);
}
END_TEST

START_TEST(escaped_tables)
{
    static const char *const tables[] = {"public.t", "s.\"a\nb\"", "s.\"a\\nb\"", "\\", "\r\n\\n\\r\\\\", ""};
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
        char *escaped = pg_script_escape(tables[i]), lines[100], shown[100] = "a|T|NULL|NULL|table=";
        ck_assert_ptr_nonnull(escaped);
        ck_assert(!strpbrk(escaped, "\r\n"));
        snprintf(lines, sizeof(lines), "-- Name: a; Type: T\n-- Table: %s", escaped);
        for (const char *at = tables[i]; *at; at++)
            sprintf(shown + strlen(shown), *at == '\n' ? "¶" : *at == '\r' ? "␍" : "%c", *at);
        block(lines, shown);
        free(escaped);
    }
}
END_TEST

TCase *entry_tests(void)
{
    TCase *tests = tcase_create("entry");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, fields);
    tcase_add_test(tests, nasty_names);
    tcase_add_test(tests, no_entries);
    tcase_add_test(tests, blocks);
    tcase_add_test(tests, numbers);
    tcase_add_test(tests, escaped_tables);
    return tests;
}
