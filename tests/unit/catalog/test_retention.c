/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/retention.h"
#include "sample.h"

#include "base/time.h"

#include <string.h>

#define DAY ((int64_t)24 * 3600 * 1000)
enum { ITEMS_MAX = 1000 };

struct plan {
    struct hf_retained items[ITEMS_MAX];
    char ids[ITEMS_MAX][32];
    size_t count;
};

static int64_t at(const char *time)
{
    int64_t time_ms = 0;

    ck_assert_msg(hf_time_parse(time, &time_ms), "%s", time);
    return time_ms;
}

static void add_at(struct plan *plan, int64_t time_ms, bool verified)
{
    struct hf_retained *item = &plan->items[plan->count];

    snprintf(plan->ids[plan->count], sizeof(plan->ids[0]), "p_%04zu", plan->count);
    *item =
        (struct hf_retained){.id = plan->ids[plan->count], .time_ms = time_ms, .verified = verified, .remove = true};
    plan->count++;
}

static void add(struct plan *plan, const char *time, bool verified)
{
    add_at(plan, at(time), verified);
}

/* `kept`: one letter per item in the order of adding, 'k' or 'r'. */
static void expect(struct plan *plan, struct hf_retention retention, const char *now, const char *kept)
{
    char got[ITEMS_MAX + 1] = "";

    retention.set = true;
    hf_retention_decide(&retention, at(now), plan->items, plan->count);
    for (size_t i = 0; i < plan->count; i++) {
        got[i] = plan->items[i].remove ? 'r' : 'k';
        ck_assert_msg(plan->items[i].reason[0] != '\0', "item %zu has no reason", i);
    }
    ck_assert_str_eq(got, kept);
}

static void expect_reason(const struct plan *plan, size_t item, const char *reason)
{
    ck_assert_str_eq(plan->items[item].reason, reason);
}

START_TEST(no_rule)
{
    struct hf_retention none = {0};
    struct plan plan = {0};

    add(&plan, "2020-01-01T00:00", true);
    add(&plan, "2026-01-01T00:00", true);
    hf_retention_decide(&none, at("2026-02-01T00:00"), plan.items, plan.count);
    ck_assert(!plan.items[0].remove && !plan.items[1].remove);
    expect_reason(&plan, 0, "no retention rule is set");
    hf_retention_decide(&none, 0, NULL, 0);
}
END_TEST

START_TEST(by_age)
{
    struct plan plan = {0};

    add(&plan, "2026-01-02T11:59:59", true);
    add(&plan, "2026-01-02T12:00:00", true); /* to the millisecond 30 days old: no longer younger */
    add(&plan, "2026-01-02T12:00:01", true);
    add(&plan, "2026-02-01T11:00:00", true);
    expect(&plan, (struct hf_retention){.keep_ms = 30 * DAY}, "2026-02-01T12:00", "rrkk");
    expect_reason(&plan, 0, "older than 30d and no other rule keeps it");
    expect_reason(&plan, 2, "younger than 30d");
    expect_reason(&plan, 3, "newest verified");
}
END_TEST

START_TEST(last)
{
    struct plan plan = {0};

    for (int i = 1; i <= 6; i++)
        add_at(&plan, at("2026-01-01T00:00") + i * DAY, true);
    expect(&plan, (struct hf_retention){.keep_last = 4}, "2026-02-01T12:00", "rrkkkk");
    expect_reason(&plan, 0, "no rule keeps it");
    expect_reason(&plan, 2, "one of the last 4");
    expect(&plan, (struct hf_retention){.keep_last = 1}, "2026-02-01T12:00", "rrrrrk");
    expect(&plan, (struct hf_retention){.keep_last = 100}, "2026-02-01T12:00", "kkkkkk");
}
END_TEST

/* A row of damaged backups pushes no good one out, and goes when it is its time. */
START_TEST(unverified_takes_no_slot)
{
    struct plan plan = {0};

    add(&plan, "2026-01-01T00:00", false);
    add(&plan, "2026-01-02T00:00", true);
    add(&plan, "2026-01-03T00:00", false);
    add(&plan, "2026-01-04T00:00", true);
    add(&plan, "2026-01-05T00:00", false);
    add(&plan, "2026-01-06T00:00", false);
    expect(&plan, (struct hf_retention){.keep_last = 2}, "2026-02-01T00:00", "rkkkkk");
    expect_reason(&plan, 2, "one of the last 2");
    expect_reason(&plan, 3, "newest verified");
    expect_reason(&plan, 5, "newer than the newest verified");
    expect(&plan, (struct hf_retention){.keep_last = 1}, "2026-02-01T00:00", "rrrkkk");
}
END_TEST

START_TEST(nothing_verified)
{
    struct plan plan = {0};

    add(&plan, "2020-01-01T00:00", false);
    add(&plan, "2021-01-01T00:00", false);
    expect(&plan, (struct hf_retention){.keep_ms = DAY, .keep_last = 1}, "2026-02-01T00:00", "kk");
    expect_reason(&plan, 0, "no backup is verified, so none is removed");
}
END_TEST

START_TEST(daily)
{
    struct plan plan = {0};

    add(&plan, "2026-01-30T06:00", true);
    add(&plan, "2026-01-30T23:59:59", true);
    add(&plan, "2026-01-31T00:00", true);
    add(&plan, "2026-01-31T18:00", true);
    add(&plan, "2026-02-03T06:00", true); /* days without a backup do not count */
    add(&plan, "2026-02-03T07:00", true);
    expect(&plan, (struct hf_retention){.keep_daily = 2}, "2026-02-03T12:00", "rrrkrk");
    expect_reason(&plan, 3, "daily 2026-01-31");
    expect(&plan, (struct hf_retention){.keep_daily = 3}, "2026-02-03T12:00", "rkrkrk");
    expect(&plan, (struct hf_retention){.keep_daily = 9}, "2026-02-03T12:00", "rkrkrk");
}
END_TEST

/* The newest verified of a day is the day's, whatever came after it. */
START_TEST(daily_with_damage)
{
    struct plan plan = {0};

    add(&plan, "2026-01-28T20:00", true);
    add(&plan, "2026-01-29T20:00", false); /* a day with nothing good: its newest stays while the day is in reach */
    add(&plan, "2026-01-30T06:00", true);
    add(&plan, "2026-01-30T12:00", true);
    add(&plan, "2026-01-30T18:00", false);
    add(&plan, "2026-01-30T19:00", false);
    add(&plan, "2026-01-31T18:00", true);
    expect(&plan, (struct hf_retention){.keep_daily = 2}, "2026-02-03T12:00", "rrrkrkk");
    expect(&plan, (struct hf_retention){.keep_daily = 3}, "2026-02-03T12:00", "kkrkrkk");
}
END_TEST

/* ISO 8601: 2027-01-01 to 03 are in 2026-W53; 2024-12-30 is in 2025-W01. */
START_TEST(weekly)
{
    struct plan plan = {0};

    add(&plan, "2026-12-27T12:00", true); /* Sunday of W52    */
    add(&plan, "2026-12-28T00:00", true); /* Monday of W53    */
    add(&plan, "2027-01-03T23:00", true); /* Sunday of W53    */
    add(&plan, "2027-01-04T00:00", true); /* Monday of W01    */
    add(&plan, "2027-01-10T00:00", true); /* Sunday of W01    */
    expect(&plan, (struct hf_retention){.keep_weekly = 3}, "2027-01-11T00:00", "krkrk");
    expect_reason(&plan, 0, "weekly 2026-W52");
    expect_reason(&plan, 2, "weekly 2026-W53");
    expect_reason(&plan, 4, "newest verified");
    plan.count = 0;
    add(&plan, "2024-12-29T00:00", true);
    add(&plan, "2024-12-30T00:00", true);
    add(&plan, "2025-01-05T00:00", true);
    add(&plan, "2025-01-06T00:00", true);
    expect(&plan, (struct hf_retention){.keep_weekly = 3}, "2025-01-07T00:00", "krkk");
    expect_reason(&plan, 0, "weekly 2024-W52");
    expect_reason(&plan, 2, "weekly 2025-W01");
}
END_TEST

START_TEST(monthly)
{
    struct plan plan = {0};

    add(&plan, "2024-01-31T23:59:59", true);
    add(&plan, "2024-02-01T00:00", true);
    add(&plan, "2024-02-29T23:59:59", true); /* a leap day */
    add(&plan, "2024-03-01T00:00", true);
    add(&plan, "2025-03-01T00:00", true); /* the same month of another year */
    expect(&plan, (struct hf_retention){.keep_monthly = 4}, "2025-03-02T00:00", "krkkk");
    expect_reason(&plan, 2, "monthly 2024-02");
    expect(&plan, (struct hf_retention){.keep_monthly = 2}, "2025-03-02T00:00", "rrrkk");
}
END_TEST

START_TEST(rules_together)
{
    struct plan plan = {0};

    for (int day = 0; day < 365; day++)
        add_at(&plan, at("2025-01-01T12:00") + day * DAY, true);
    hf_retention_decide(
        &(struct hf_retention){
            .keep_ms = 7 * DAY, .keep_last = 3, .keep_daily = 14, .keep_weekly = 8, .keep_monthly = 12, .set = true},
        at("2026-01-01T00:00"), plan.items, plan.count);
    size_t kept = 0;

    for (size_t i = 0; i < plan.count; i++)
        kept += !plan.items[i].remove;
    /* 14 days; the Sundays of the 5 weeks before them; the ends of January to October, that of November being a Sunday
     */
    ck_assert_uint_eq(kept, 14 + 5 + 10);
}
END_TEST

START_TEST(clock_jumped_ahead)
{
    struct plan plan = {0};

    add(&plan, "2026-01-01T00:00", true);
    add(&plan, "2026-01-02T00:00", true);
    add(&plan, "2026-01-03T00:00", false);
    expect(&plan, (struct hf_retention){.keep_ms = 30 * DAY}, "2036-01-03T00:00", "rkk");
    expect_reason(&plan, 1, "newest verified");
    expect_reason(&plan, 2, "newer than the newest verified");
}
END_TEST

START_TEST(clock_was_ahead)
{
    struct plan plan = {0};

    add(&plan, "2026-01-01T00:00", true);
    add(&plan, "2026-01-02T00:00", true);
    add(&plan, "2036-01-02T00:00", true); /* made when the clock was wrong: protects nobody else's place */
    add(&plan, "2036-01-03T00:00", false);
    expect(&plan, (struct hf_retention){.keep_ms = DAY}, "2026-02-01T00:00", "rkkk");
    expect_reason(&plan, 1, "newest verified");
    expect_reason(&plan, 2, "newest verified");
    expect_reason(&plan, 3, "its time lies in the future");
    expect(&plan, (struct hf_retention){.keep_last = 2}, "2026-02-01T00:00", "kkkk");
    plan.count = 0;
    add(&plan, "2026-01-01T00:00", false);
    add(&plan, "2036-01-02T00:00", true);
    expect(&plan, (struct hf_retention){.keep_ms = DAY}, "2026-02-01T00:00", "kk");
    expect_reason(&plan, 0, "only backups in the future are verified");
}
END_TEST

START_TEST(clock_fell_back)
{
    struct plan plan = {0};

    add(&plan, "2026-01-01T00:00", true);
    add(&plan, "2026-01-02T00:00", true);
    expect(&plan, (struct hf_retention){.keep_ms = DAY, .keep_last = 1}, "1970-01-01T00:00:00", "kk");
}
END_TEST

START_TEST(absurd_times)
{
    struct hf_retention retention = {1, 1, 1, 1, 1, true};
    static const int64_t times[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};

    for (size_t now = 0; now < HF_COUNT(times); now++) {
        struct plan plan = {0};
        size_t kept = 0;

        for (size_t i = 0; i < HF_COUNT(times); i++)
            add_at(&plan, times[i], i % 2 == 0);
        hf_retention_decide(&retention, times[now], plan.items, plan.count);
        for (size_t i = 0; i < plan.count; i++)
            kept += !plan.items[i].remove;
        ck_assert_uint_gt(kept, 0);
        ck_assert(!plan.items[plan.count - 1].remove);
    }
}
END_TEST

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Whatever the rules, the times, the clock and the order: the newest verified one stays, and so does everything newer.
 */
START_TEST(newest_verified_always_stays)
{
    uint32_t state = 1;

    for (int round = 0; round < 20000; round++) {
        struct plan plan = {0};
        size_t count = 1 + next_random(&state) % 12, newest = SIZE_MAX;
        int64_t now = at("2026-06-01T00:00") + (int64_t)(next_random(&state) % 200) * DAY - 100 * DAY;
        struct hf_retention retention = {next_random(&state) % 3 * 10 * DAY,
                                         next_random(&state) % 3,
                                         next_random(&state) % 3,
                                         next_random(&state) % 3,
                                         next_random(&state) % 3,
                                         true};

        for (size_t i = 0; i < count; i++) {
            add_at(&plan, at("2026-06-01T00:00") + (int64_t)(next_random(&state) % 100) * DAY / 2,
                   next_random(&state) % 2);
            if (plan.items[i].verified && (newest == SIZE_MAX || plan.items[i].time_ms > plan.items[newest].time_ms))
                newest = i;
        }
        hf_retention_decide(&retention, now, plan.items, plan.count);
        for (size_t i = 0; i < count; i++) {
            if (newest == SIZE_MAX)
                ck_assert(!plan.items[i].remove);
            else if (plan.items[i].time_ms > plan.items[newest].time_ms)
                ck_assert(!plan.items[i].remove);
            else if (plan.items[i].remove)
                ck_assert_int_le(plan.items[i].time_ms, now);
        }
        if (newest != SIZE_MAX) {
            bool kept = false;

            for (size_t i = 0; i < count; i++)
                kept |= plan.items[i].verified && !plan.items[i].remove &&
                        plan.items[i].time_ms == plan.items[newest].time_ms;
            ck_assert(kept);
        }
    }
}
END_TEST

Suite *suite_retention(void)
{
    Suite *suite = suite_create("retention");
    TCase *tcase = tcase_create("retention");

    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, no_rule);
    tcase_add_test(tcase, by_age);
    tcase_add_test(tcase, last);
    tcase_add_test(tcase, unverified_takes_no_slot);
    tcase_add_test(tcase, nothing_verified);
    tcase_add_test(tcase, daily);
    tcase_add_test(tcase, daily_with_damage);
    tcase_add_test(tcase, weekly);
    tcase_add_test(tcase, monthly);
    tcase_add_test(tcase, rules_together);
    tcase_add_test(tcase, clock_jumped_ahead);
    tcase_add_test(tcase, clock_was_ahead);
    tcase_add_test(tcase, clock_fell_back);
    tcase_add_test(tcase, absurd_times);
    tcase_add_test(tcase, newest_verified_always_stays);
    suite_add_tcase(suite, tcase);
    return suite;
}
