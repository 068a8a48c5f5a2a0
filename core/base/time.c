/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define WEEK_MS (7 * DAY_MS)
/* Ten thousand years: far from where sums with an instant would overflow. */
#define DURATION_MAX_MS (INT64_C(3652425) * DAY_MS)
/* 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: what four digits of a year can say. */
#define TIME_MIN_MS INT64_C(-62167219200000)
#define TIME_MAX_MS INT64_C(253402300799999)

struct moment {
    int year, month, day, hour, minute, second;
};

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * SECOND_MS + now.tv_nsec / 1000000;
}

int64_t hf_time_now_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t hf_time_steady_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar, and back: Howard Hinnant, "chrono-Compatible Low-Level
 * Date Algorithms". Years are counted from March, so that the leap day comes last. */
static int64_t days_of_date(int year, int month, int day)
{
    year -= month <= 2;
    int era = (year >= 0 ? year : year - 399) / 400;
    int year_of_era = year - era * 400;
    int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int64_t)era * 146097 + day_of_era - 719468;
}

static struct moment moment_of(int64_t time_ms)
{
    if (time_ms < TIME_MIN_MS)
        time_ms = TIME_MIN_MS;
    if (time_ms > TIME_MAX_MS)
        time_ms = TIME_MAX_MS;
    int64_t days = time_ms / DAY_MS, rest = time_ms % DAY_MS;
    if (rest < 0) {
        rest += DAY_MS;
        days--;
    }
    int seconds = (int)(rest / SECOND_MS);
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int day_of_era = (int)(days - era * 146097);
    int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month_from_march = (5 * day_of_year + 2) / 153;
    int month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return (struct moment){
        .year = (int)(year_of_era + era * 400) + (month <= 2),
        .month = month,
        .day = day_of_year - (153 * month_from_march + 2) / 5 + 1,
        .hour = seconds / 3600,
        .minute = seconds / 60 % 60,
        .second = seconds % 60,
    };
}

static bool moment_valid(const struct moment *m)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (m->month < 1 || m->month > 12)
        return false;
    bool leap = (m->year % 4 == 0 && m->year % 100 != 0) || m->year % 400 == 0;
    int length = lengths[m->month - 1] + (m->month == 2 && leap);
    return m->day >= 1 && m->day <= length && m->hour <= 23 && m->minute <= 59 && m->second <= 59;
}

static int64_t moment_ms(const struct moment *m)
{
    int64_t days = days_of_date(m->year, m->month, m->day);
    return days * DAY_MS + m->hour * HOUR_MS + m->minute * MINUTE_MS + m->second * SECOND_MS;
}

/* The fields have four and two digits at most, which the compiler cannot see. */
#define DIGITS(value, limit) ((unsigned)(value) % (limit))

void hf_time_id(int64_t time_ms, char ret_text[HF_TIME_ID_SIZE])
{
    struct moment m = moment_of(time_ms);
    snprintf(ret_text, HF_TIME_ID_SIZE, "%04u%02u%02u_%02u%02u%02u", DIGITS(m.year, 10000), DIGITS(m.month, 100),
             DIGITS(m.day, 100), DIGITS(m.hour, 100), DIGITS(m.minute, 100), DIGITS(m.second, 100));
}

void hf_time_iso(int64_t time_ms, char ret_text[HF_TIME_ISO_SIZE])
{
    struct moment m = moment_of(time_ms);
    snprintf(ret_text, HF_TIME_ISO_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ", DIGITS(m.year, 10000), DIGITS(m.month, 100),
             DIGITS(m.day, 100), DIGITS(m.hour, 100), DIGITS(m.minute, 100), DIGITS(m.second, 100));
}

static bool take_digits(const char **text, int count, int *ret_value)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        char c = (*text)[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *text += count;
    *ret_value = value;
    return true;
}

static bool take_char(const char **text, char c)
{
    if (**text != c)
        return false;
    ++*text;
    return true;
}

bool hf_time_parse_id(const char *text, int64_t *ret_time_ms)
{
    struct moment m = {0};
    if (!take_digits(&text, 4, &m.year) || !take_digits(&text, 2, &m.month) || !take_digits(&text, 2, &m.day) ||
        !take_char(&text, '_') || !take_digits(&text, 2, &m.hour) || !take_digits(&text, 2, &m.minute) ||
        !take_digits(&text, 2, &m.second) || !moment_valid(&m))
        return false;
    *ret_time_ms = moment_ms(&m);
    return true;
}

/* [:SS[.fraction]] */
static bool take_seconds(const char **text, struct moment *m, int64_t *ret_fraction_ms)
{
    *ret_fraction_ms = 0;
    if (!take_char(text, ':'))
        return true;
    if (!take_digits(text, 2, &m->second))
        return false;
    if (!take_char(text, '.'))
        return true;
    int64_t scale = 100;
    int digits = 0;
    for (; **text >= '0' && **text <= '9' && digits < 9; digits++, ++*text) {
        *ret_fraction_ms += (**text - '0') * scale;
        scale /= 10;
    }
    return digits > 0;
}

/* [Z|+HH:MM|-HH:MM] */
static bool take_zone(const char **text, int64_t *ret_offset_ms)
{
    *ret_offset_ms = 0;
    if (**text == '\0' || take_char(text, 'Z') || take_char(text, 'z'))
        return true;
    int sign = **text == '-' ? -1 : 1, hours, minutes;
    if (!take_char(text, '-') && !take_char(text, '+'))
        return false;
    if (!take_digits(text, 2, &hours) || !take_char(text, ':') || !take_digits(text, 2, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    *ret_offset_ms = sign * (hours * HOUR_MS + minutes * MINUTE_MS);
    return true;
}

bool hf_time_parse(const char *text, int64_t *ret_time_ms)
{
    int64_t time_ms;
    if (hf_time_parse_id(text, &time_ms)) {
        if (text[HF_TIME_ID_SIZE - 1] != '\0')
            return false;
        *ret_time_ms = time_ms;
        return true;
    }
    struct moment m = {0};
    if (!take_digits(&text, 4, &m.year) || !take_char(&text, '-') || !take_digits(&text, 2, &m.month) ||
        !take_char(&text, '-') || !take_digits(&text, 2, &m.day))
        return false;
    if (*text == '\0') {
        if (!moment_valid(&m))
            return false;
        *ret_time_ms = moment_ms(&m) + DAY_MS - 1;
        return true;
    }
    int64_t fraction_ms, offset_ms;
    if (!take_char(&text, 'T') && !take_char(&text, 't') && !take_char(&text, ' '))
        return false;
    if (!take_digits(&text, 2, &m.hour) || !take_char(&text, ':') || !take_digits(&text, 2, &m.minute) ||
        !take_seconds(&text, &m, &fraction_ms) || !take_zone(&text, &offset_ms) || *text != '\0' || !moment_valid(&m))
        return false;
    *ret_time_ms = moment_ms(&m) + fraction_ms - offset_ms;
    return true;
}

/* From small to large. */
static const struct unit {
    char suffix[3];
    int64_t ms;
} units[] = {{"ms", 1}, {"s", SECOND_MS}, {"m", MINUTE_MS}, {"h", HOUR_MS}, {"d", DAY_MS}, {"w", WEEK_MS}};
enum { UNIT_COUNT = sizeof units / sizeof units[0] };

bool hf_duration_parse(const char *text, int64_t *ret_ms)
{
    int64_t value = 0;
    const char *next = text;
    for (; *next >= '0' && *next <= '9'; next++) {
        value = value * 10 + (*next - '0');
        if (value > DURATION_MAX_MS)
            return false;
    }
    if (next == text)
        return false;
    int64_t factor = *next == '\0' ? SECOND_MS : 0;
    for (int i = 0; i < UNIT_COUNT; i++)
        if (strcmp(next, units[i].suffix) == 0)
            factor = units[i].ms;
    if (!factor || value > DURATION_MAX_MS / factor)
        return false;
    *ret_ms = value * factor;
    return true;
}

const char *hf_duration_text(int64_t ms, char ret_text[24])
{
    int shortest = snprintf(ret_text, 24, ms == 0 ? "0s" : "%lldms", (long long)ms);
    for (int i = 0; ms != 0 && i < UNIT_COUNT; i++) {
        if (ms % units[i].ms != 0)
            continue;
        char candidate[24];
        int length = snprintf(candidate, sizeof candidate, "%lld%s", (long long)(ms / units[i].ms), units[i].suffix);
        if (length < shortest) {
            memcpy(ret_text, candidate, (size_t)length + 1);
            shortest = length;
        }
    }
    return ret_text;
}

const char *hf_duration_rough(int64_t ms, char ret_text[24])
{
    const char *sign = ms < 0 ? "-" : "";
    uint64_t span = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
    if (span < SECOND_MS)
        snprintf(ret_text, 24, "%s%u ms", sign, (unsigned)span);
    else if (span < 9950)
        snprintf(ret_text, 24, "%s%.1f s", sign, (double)span / 1000.0);
    else if (span < MINUTE_MS)
        snprintf(ret_text, 24, "%s%u s", sign, (unsigned)((span + 500) / SECOND_MS));
    else if (span < HOUR_MS)
        snprintf(ret_text, 24, "%s%u min", sign, (unsigned)((span + MINUTE_MS / 2) / MINUTE_MS));
    else if (span < 2 * DAY_MS)
        snprintf(ret_text, 24, "%s%u h", sign, (unsigned)((span + HOUR_MS / 2) / HOUR_MS));
    else
        snprintf(ret_text, 24, "%s%llu d", sign, (unsigned long long)(span / DAY_MS));
    return ret_text;
}
