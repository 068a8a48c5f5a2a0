/* SPDX-License-Identifier: Apache-2.0
 *
 * Constraints taken apart into the index that can be built beside others, and the constraint that adopts it.
 */
#include <stdlib.h>

#include "restore.h"
#include "suites.h"

static const struct {
    const char *whole, *table, *index, *adopt;
} constraints[] = {
    {"ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (a)", "public.t",
     "CREATE UNIQUE INDEX t_pkey ON public.t USING btree (a)",
     "ALTER TABLE ONLY public.t ADD CONSTRAINT t_pkey PRIMARY KEY USING INDEX t_pkey"},
    {"ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_key UNIQUE (a, b)", "public.t",
     "CREATE UNIQUE INDEX t_key ON public.t USING btree (a, b)",
     "ALTER TABLE ONLY public.t ADD CONSTRAINT t_key UNIQUE USING INDEX t_key"},
    {"ALTER TABLE ONLY \"S \"\"1\"\"\".\"T.t\"\n    ADD CONSTRAINT \"k,\"\"(1)\" UNIQUE (\"a)\", \"b,\"\"c\") INCLUDE "
     "(\"d e\")",
     "\"S \"\"1\"\"\".\"T.t\"",
     "CREATE UNIQUE INDEX \"k,\"\"(1)\" ON \"S \"\"1\"\"\".\"T.t\" USING btree (\"a)\", \"b,\"\"c\") INCLUDE (\"d e\")",
     "ALTER TABLE ONLY \"S \"\"1\"\"\".\"T.t\" ADD CONSTRAINT \"k,\"\"(1)\" UNIQUE USING INDEX \"k,\"\"(1)\""},
    {"ALTER TABLE ONLY public.t\n    ADD CONSTRAINT k UNIQUE NULLS NOT DISTINCT (a) INCLUDE (b) WITH (fillfactor='70', "
     "deduplicate_items=')') DEFERRABLE INITIALLY DEFERRED",
     "public.t",
     "CREATE UNIQUE INDEX k ON public.t USING btree (a) INCLUDE (b) NULLS NOT DISTINCT WITH (fillfactor='70', "
     "deduplicate_items=')')",
     "ALTER TABLE ONLY public.t ADD CONSTRAINT k UNIQUE USING INDEX k DEFERRABLE INITIALLY DEFERRED"},
    {"ALTER TABLE ONLY public.t\n    ADD CONSTRAINT k PRIMARY KEY (a) DEFERRABLE", "public.t",
     "CREATE UNIQUE INDEX k ON public.t USING btree (a)",
     "ALTER TABLE ONLY public.t ADD CONSTRAINT k PRIMARY KEY USING INDEX k DEFERRABLE"},
};

START_TEST(are_split)
{
    char *table = NULL, *index = NULL, *adopt = NULL;
    ck_assert_msg(pg_constraint_split(constraints[_i].whole, &table, &index, &adopt), "%s", constraints[_i].whole);
    ck_assert_str_eq(table, constraints[_i].table);
    ck_assert_str_eq(index, constraints[_i].index);
    ck_assert_str_eq(adopt, constraints[_i].adopt);
    free(table);
    free(index);
    free(adopt);
}
END_TEST

static const char *const others[] = {
    "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT x EXCLUDE USING gist (a WITH &&)",
    "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES public.u(a)",
    "ALTER TABLE public.t\n    ADD CONSTRAINT c CHECK ((a > 0)) NOT VALID",
    "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT k PRIMARY KEY (a, b WITHOUT OVERLAPS)",
    "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT k PRIMARY KEY USING INDEX k",
    "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT k UNIQUE (a) NOT DEFERRABLE",
    "ALTER TABLE ONLY public.t REPLICA IDENTITY USING INDEX k",
    "ALTER TABLE public.t CLUSTER ON k",
    "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT k PRIMARY KEY (a",
    "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT k PRIMARY KEY (a) WITH (fillfactor='70",
    "ALTER TABLE ONLY public.\"t\n    ADD CONSTRAINT k PRIMARY KEY (a)",
    "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT ",
    "ALTER TABLE ONLY ",
    "CREATE INDEX i ON public.t USING btree (a)",
    "",
};

START_TEST(that_are_others_stay_whole)
{
    char *table = NULL, *index = NULL, *adopt = NULL;
    ck_assert_msg(!pg_constraint_split(others[_i], &table, &index, &adopt), "%s", others[_i]);
    ck_assert(!table && !index && !adopt);
}
END_TEST

Suite *suite_constraint(void)
{
    Suite *suite = suite_create("constraint");
    TCase *tests = tcase_create("constraint");
    tcase_add_loop_test(tests, are_split, 0, sizeof(constraints) / sizeof(*constraints));
    tcase_add_loop_test(tests, that_are_others_stay_whole, 0, sizeof(others) / sizeof(*others));
    suite_add_tcase(suite, tests);
    return suite;
}
