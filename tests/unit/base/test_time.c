/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "base/time.h"
#include "suites.h"
#include <time.h>

/* 2026-02-01T12:00:00Z */
#define NOON INT64_C(1769947200000)

START_TEST(durations_good)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {{"0", 0},
                 {"90", 90000},
                 {"90s", 90000},
                 {"500ms", 500},
                 {"15m", 900000},
                 {"6h", 21600000},
                 {"30d", INT64_C(2592000000)},
                 {"2w", INT64_C(1209600000)},
                 {"007s", 7000}};
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        int64_t ms = -1;
        ck_assert_msg(hf_duration_parse(cases[i].text, &ms), "%s", cases[i].text);
        ck_assert_int_eq(ms, cases[i].ms);
    }
}
END_TEST

START_TEST(durations_bad)
{
    static const char *const cases[] = {"",
                                        "h",
                                        "-1s",
                                        "+1s",
                                        "1.5h",
                                        "1h30m",
                                        "6 h",
                                        " 6h",
                                        "6h ",
                                        "6H",
                                        "6y",
                                        "0x10",
                                        "1e3",
                                        "99999999999999999999",
                                        "400000000000d",
                                        "9223372036854775807ms",
                                        "mm",
                                        "1sm"};
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        int64_t ms = 42;
        ck_assert_msg(!hf_duration_parse(cases[i], &ms), "%s", cases[i]);
        ck_assert_int_eq(ms, 42);
    }
}
END_TEST

START_TEST(durations_text)
{
    static const struct {
        int64_t ms;
        const char *exact, *rough;
    } cases[] = {{0, "0s", "0 ms"},
                 {850, "850ms", "850 ms"},
                 {1000, "1s", "1.0 s"},
                 {3200, "3200ms", "3.2 s"},
                 {9960, "9960ms", "10 s"},
                 {42000, "42s", "42 s"},
                 {60000, "1m", "1 min"},
                 {240000, "4m", "4 min"},
                 {5400000, "90m", "2 h"},
                 {21600000, "6h", "6 h"},
                 {86400000, "1d", "24 h"},
                 {INT64_C(604800000), "7d", "7 d"},
                 {INT64_C(1209600000), "2w", "14 d"},
                 {INT64_C(2592000000), "30d", "30 d"},
                 {-3200, "-3200ms", "-3.2 s"}};
    char text[24];
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        ck_assert_str_eq(hf_duration_text(cases[i].ms, text), cases[i].exact);
        ck_assert_str_eq(hf_duration_rough(cases[i].ms, text), cases[i].rough);
        int64_t back;
        if (cases[i].ms >= 0) {
            ck_assert(hf_duration_parse(cases[i].exact, &back));
            ck_assert_int_eq(back, cases[i].ms);
        }
    }
    hf_duration_rough(INT64_MIN, text);
    hf_duration_text(INT64_MIN, text);
}
END_TEST

START_TEST(ids)
{
    char id[HF_TIME_ID_SIZE], iso[HF_TIME_ISO_SIZE];
    hf_time_id(NOON, id);
    ck_assert_str_eq(id, "20260201_120000");
    hf_time_iso(NOON + 999, iso);
    ck_assert_str_eq(iso, "2026-02-01T12:00:00Z");
    int64_t ms = 0;
    ck_assert(hf_time_parse_id("20260201_120000", &ms));
    ck_assert_int_eq(ms, NOON);
    ck_assert(hf_time_parse_id("20260201_120000.sql.gz", &ms));
    ck_assert(!hf_time_parse("20260201_120000.sql.gz", &ms));
    ck_assert(hf_time_parse_id("20240229_235959", &ms));
    ck_assert(hf_time_parse_id("20000229_000000", &ms));

    static const char *const bad[] = {"",
                                      "20260201_12000",
                                      "20260201-120000",
                                      "20260229_120000",
                                      "19000229_000000",
                                      "20261301_000000",
                                      "20260001_000000",
                                      "20260100_000000",
                                      "20260431_000000",
                                      "20260201_240000",
                                      "20260201_126000",
                                      "20260201_120060",
                                      "2026 201_120000",
                                      "-0260201_120000"};
    for (size_t i = 0; i < HF_COUNT(bad); i++) {
        ms = 42;
        ck_assert_msg(!hf_time_parse_id(bad[i], &ms), "%s", bad[i]);
        ck_assert_int_eq(ms, 42);
    }
}
END_TEST

START_TEST(agrees_with_libc)
{
    /* Every 37 hours and a bit from year 1 to 9999: leap days of all kinds, before and after 1970. */
    for (int64_t seconds = INT64_C(-62135596800); seconds < INT64_C(253402300800); seconds += 37 * 3600 * 11 + 61) {
        time_t when = (time_t)seconds;
        struct tm parts;
        char expected[32], id[HF_TIME_ID_SIZE];
        ck_assert(gmtime_r(&when, &parts));
        strftime(expected, sizeof expected, "%Y%m%d_%H%M%S", &parts);
        hf_time_id(seconds * 1000, id);
        if (parts.tm_year + 1900 >= 1000)
            ck_assert_str_eq(id, expected);
        int64_t back;
        ck_assert(hf_time_parse_id(id, &back));
        ck_assert_int_eq(back, seconds * 1000);
    }
}
END_TEST

START_TEST(typed_times)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"20260201_120000", NOON},
                {"2026-02-01", NOON + INT64_C(43200000) - 1},
                {"2026-02-01T12:00", NOON},
                {"2026-02-01 12:00", NOON},
                {"2026-02-01T12:00:00", NOON},
                {"2026-02-01T12:00:00Z", NOON},
                {"2026-02-01T12:00:00.123", NOON + 123},
                {"2026-02-01T12:00:00.5Z", NOON + 500},
                {"2026-02-01T12:00:00.123456789Z", NOON + 123},
                {"2026-02-01T13:00+01:00", NOON},
                {"2026-02-01T06:30:00-05:30", NOON},
                {"2026-01-31T23:00-13:00", NOON},
                {"1969-12-31T23:59:59.999", -1}};
    for (size_t i = 0; i < HF_COUNT(good); i++) {
        int64_t ms = 0;
        ck_assert_msg(hf_time_parse(good[i].text, &ms), "%s", good[i].text);
        ck_assert_msg(ms == good[i].ms, "%s: %lld", good[i].text, (long long)ms);
    }
    static const char *const bad[] = {"",
                                      "yesterday",
                                      "2026-02",
                                      "2026-02-30",
                                      "2026-2-1",
                                      "2026-02-01Z",
                                      "2026-02-01T",
                                      "2026-02-01T12",
                                      "2026-02-01T12:60",
                                      "2026-02-01T24:00",
                                      "2026-02-01T12:00:",
                                      "2026-02-01T12:00:00.",
                                      "2026-02-01T12:00:00.1234567890",
                                      "2026-02-01T12:00+1",
                                      "2026-02-01T12:00+01",
                                      "2026-02-01T12:00+24:00",
                                      "2026-02-01T12:00 CET",
                                      "2026-02-01  12:00",
                                      " 2026-02-01",
                                      "2026-02-01T12:00Zz"};
    for (size_t i = 0; i < HF_COUNT(bad); i++) {
        int64_t ms = 42;
        ck_assert_msg(!hf_time_parse(bad[i], &ms), "%s", bad[i]);
        ck_assert_int_eq(ms, 42);
    }
}
END_TEST

START_TEST(extremes)
{
    char id[HF_TIME_ID_SIZE], iso[HF_TIME_ISO_SIZE];
    hf_time_id(INT64_MAX, id);
    ck_assert_str_eq(id, "99991231_235959");
    hf_time_iso(INT64_MIN, iso);
    ck_assert_str_eq(iso, "0000-01-01T00:00:00Z");
    ck_assert_int_gt(hf_time_now_ms(), NOON - INT64_C(400) * 86400000);
    int64_t before = hf_time_steady_ms();
    ck_assert_int_ge(hf_time_steady_ms(), before);
}
END_TEST

TCase *time_case(void)
{
    TCase *tests = tcase_create("time");
    tcase_add_test(tests, durations_good);
    tcase_add_test(tests, durations_bad);
    tcase_add_test(tests, durations_text);
    tcase_add_test(tests, ids);
    tcase_add_test(tests, agrees_with_libc);
    tcase_add_test(tests, typed_times);
    tcase_add_test(tests, extremes);
    return tests;
}
