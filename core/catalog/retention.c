/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/retention.h"

#include "base/memory.h"
#include "base/time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* What a slot of a rule is: a day, a week, a month, or the backup itself. */
typedef int64_t (*bucket_of)(const struct hf_retained *);
typedef void (*label_of)(const struct hf_retained *, int64_t limit, char *text, size_t size);

struct rule {
    int64_t limit; /* slots; 0: not set */
    bucket_of bucket;
    label_of label;
    int64_t used;          /* slots taken so far, by verified backups alone */
    int64_t verified_last; /* the slot that the last verified backup took   */
    int64_t any_last;      /* the slot that the last backup of any kind is in */
};

static int64_t floor_div(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

static int64_t day_of(const struct hf_retained *item)
{
    return floor_div(item->time_ms, (int64_t)24 * 3600 * 1000);
}

static struct tm calendar(int64_t day)
{
    time_t seconds = (time_t)(day * 24 * 3600);
    struct tm tm = {0};

    gmtime_r(&seconds, &tm); /* cannot fail: a 64-bit count of milliseconds is within its years */
    return tm;
}

/* Day 0, 1970-01-01, was a Thursday; ISO weeks begin on Monday. */
static int64_t week_of(const struct hf_retained *item)
{
    return floor_div(day_of(item) + 3, 7);
}

static int64_t month_of(const struct hf_retained *item)
{
    struct tm tm = calendar(day_of(item));

    return (int64_t)tm.tm_year * 12 + tm.tm_mon;
}

static void label_day(const struct hf_retained *item, int64_t limit, char *text, size_t size)
{
    struct tm tm = calendar(day_of(item));

    (void)limit;
    snprintf(text, size, "daily %04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

/* The year of an ISO week is that of its Thursday. */
static void label_week(const struct hf_retained *item, int64_t limit, char *text, size_t size)
{
    struct tm thursday = calendar(week_of(item) * 7);

    (void)limit;
    snprintf(text, size, "weekly %04d-W%02d", thursday.tm_year + 1900, thursday.tm_yday / 7 + 1);
}

static void label_month(const struct hf_retained *item, int64_t limit, char *text, size_t size)
{
    struct tm tm = calendar(day_of(item));

    (void)limit;
    snprintf(text, size, "monthly %04d-%02d", tm.tm_year + 1900, tm.tm_mon + 1);
}

static void label_last(const struct hf_retained *item, int64_t limit, char *text, size_t size)
{
    (void)item;
    if (limit == 1)
        snprintf(text, size, "the last one");
    else
        snprintf(text, size, "one of the last %lld", (long long)limit);
}

/* Does this rule keep the next older item? Only verified backups take slots: one that is damaged, or that nobody
 * checked, is kept where it would have been kept, and pushes nothing out. */
static bool rule_keeps(struct rule *rule, const struct hf_retained *item)
{
    int64_t bucket = rule->bucket ? rule->bucket(item) : 0;
    bool keeps;

    if (rule->limit <= 0)
        return false;
    if (item->verified) {
        keeps = rule->used < rule->limit && (!rule->bucket || bucket != rule->verified_last);
        if (keeps) {
            rule->used++;
            rule->verified_last = bucket;
        }
    } else {
        keeps = rule->used < rule->limit && (!rule->bucket || bucket != rule->any_last);
    }
    rule->any_last = bucket;
    return keeps;
}

static bool younger_than(const struct hf_retained *item, int64_t now_ms, int64_t keep_ms)
{
    int64_t age;

    if (__builtin_sub_overflow(now_ms, item->time_ms, &age))
        return item->time_ms > now_ms;
    return age < keep_ms;
}

static int newest_first(const void *a, const void *b)
{
    const struct hf_retained *left = *(struct hf_retained *const *)a, *right = *(struct hf_retained *const *)b;

    if (left->time_ms != right->time_ms)
        return left->time_ms < right->time_ms ? 1 : -1;
    return strcmp(right->id, left->id);
}

/* The newest verified item of those not later than `limit_ms`; NULL: none. */
static const struct hf_retained *newest_verified(struct hf_retained *const *sorted, size_t count, int64_t limit_ms)
{
    for (size_t i = 0; i < count; i++)
        if (sorted[i]->verified && sorted[i]->time_ms <= limit_ms)
            return sorted[i];
    return NULL;
}

static void keep_all(struct hf_retained *items, size_t count, const char *reason)
{
    for (size_t i = 0; i < count; i++) {
        items[i].remove = false;
        snprintf(items[i].reason, sizeof(items[i].reason), "%s", reason);
    }
}

static void decide_by_rules(const struct hf_retention *retention, struct rule *rules, size_t rule_count, int64_t now_ms,
                            struct hf_retained *item)
{
    char age[24];
    const struct rule *keeper = NULL;

    for (size_t i = 0; i < rule_count; i++) /* every rule sees every item, whichever keeps it */
        if (rule_keeps(&rules[i], item) && keeper == NULL)
            keeper = &rules[i];
    item->remove = false;
    if (retention->keep_ms > 0 && younger_than(item, now_ms, retention->keep_ms)) {
        snprintf(item->reason, sizeof(item->reason), "younger than %s", hf_duration_text(retention->keep_ms, age));
    } else if (keeper != NULL) {
        keeper->label(item, keeper->limit, item->reason, sizeof(item->reason));
    } else {
        item->remove = true;
        if (retention->keep_ms > 0)
            snprintf(item->reason, sizeof(item->reason), "older than %s and no other rule keeps it",
                     hf_duration_text(retention->keep_ms, age));
        else
            snprintf(item->reason, sizeof(item->reason), "no rule keeps it");
    }
}

/* What no rule can take away. NULL: the rules decide. */
static const char *protected_because(const struct hf_retained *item, const struct hf_retained *newest,
                                     const struct hf_retained *newest_now, int64_t now_ms)
{
    if (item == newest || item == newest_now)
        return "newest verified";
    if (item->time_ms > now_ms)
        return "its time lies in the future";
    if (newest_now == NULL) /* they prove a clock wrong, not this one expendable */
        return "only backups in the future are verified";
    if (item->time_ms > newest_now->time_ms)
        return "newer than the newest verified";
    return NULL;
}

void hf_retention_decide(const struct hf_retention *retention, int64_t now_ms, struct hf_retained *items, size_t count)
{
    struct rule rules[] = {
        {retention->keep_last, NULL, label_last, 0, INT64_MIN, INT64_MIN},
        {retention->keep_daily, day_of, label_day, 0, INT64_MIN, INT64_MIN},
        {retention->keep_weekly, week_of, label_week, 0, INT64_MIN, INT64_MIN},
        {retention->keep_monthly, month_of, label_month, 0, INT64_MIN, INT64_MIN},
    };
    hf_auto_free struct hf_retained **sorted = hf_alloc_array(count + 1, sizeof(*sorted));
    const struct hf_retained *newest, *newest_now;

    if (!retention->set) {
        keep_all(items, count, "no retention rule is set");
        return;
    }
    for (size_t i = 0; i < count; i++)
        sorted[i] = &items[i];
    qsort(sorted, count, sizeof(struct hf_retained *), newest_first);
    newest = newest_verified(sorted, count, INT64_MAX);
    newest_now = newest_verified(sorted, count, now_ms);
    if (newest == NULL) {
        keep_all(items, count, "no backup is verified, so none is removed");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct hf_retained *item = sorted[i];
        const char *reason = protected_because(item, newest, newest_now, now_ms);

        if (item->time_ms <= now_ms)
            decide_by_rules(retention, rules, HF_COUNT(rules), now_ms, item);
        if (reason != NULL) {
            item->remove = false;
            snprintf(item->reason, sizeof(item->reason), "%s", reason);
        }
    }
}
