/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include "util.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar; years are counted from March, so that the leap day is the
 * last of its year. */
static int64_t day_number(unsigned year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t m = month > 2 ? month - 3 : month + 9;
    int64_t era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * m + 2) / 5 + (int64_t)day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void day_format(int64_t day, char *text, size_t size)
{
    int64_t shifted = day + 719468, era = shifted / 146097, of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153, of_month = of_year - (153 * month + 2) / 5 + 1;

    month = month < 10 ? month + 3 : month - 9;
    snprintf(text, size, "%04d-%02d-%02d", (int)(year + era * 400 + (month <= 2)), (int)month, (int)of_month);
}

bool partition_name_parse(const char *name, int64_t *ret_day)
{
    static const unsigned month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    size_t length = strlen(name);

    if (length < 10 || length > PARTITION_NAME_MAX)
        return false;
    for (size_t i = 0; i < 10; i++)
        if (i == 4 || i == 7 ? name[i] != '-' : !is_digit(name[i]))
            return false;
    unsigned year = (unsigned)((name[0] - '0') * 1000 + (name[1] - '0') * 100 + (name[2] - '0') * 10 + name[3] - '0');
    unsigned month = (unsigned)((name[5] - '0') * 10 + name[6] - '0');
    unsigned day = (unsigned)((name[8] - '0') * 10 + name[9] - '0');

    if (year == 0 || month < 1 || month > 12 || day < 1 || day > month_days[month - 1] + (month == 2 && is_leap(year)))
        return false;
    if (length > 10) {
        if (name[10] != '-' || length == 11)
            return false;
        for (size_t i = 11; i < length; i++) {
            char c = name[i];

            if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '-' && c != '_')
                return false;
        }
    }
    if (ret_day)
        *ret_day = day_number(year, month, day);
    return true;
}

bool segment_name_parse(const char *name, uint32_t *ret_ordinal, bool *ret_gzipped)
{
    static const char prefix[] = "signals-";
    uint64_t ordinal = 0;
    size_t digits = 0;

    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
        return false;
    const char *p = name + sizeof(prefix) - 1;
    for (; is_digit(p[digits]); digits++) {
        ordinal = ordinal * 10 + (uint64_t)(p[digits] - '0');
        if (digits >= 10)
            return false;
    }
    if (digits < 3 || (digits > 3 && p[0] == '0') || ordinal == 0 || ordinal > INT32_MAX)
        return false;
    bool plain = strcmp(p + digits, ".wal") == 0;
    if (!plain && strcmp(p + digits, ".wal.gz") != 0)
        return false;
    *ret_ordinal = (uint32_t)ordinal;
    *ret_gzipped = !plain;
    return true;
}

bool name_is_left_out(const char *name)
{
    size_t length = strlen(name);

    return strcmp(name, "_LOCK") == 0 || strncmp(name, ".tmp", 4) == 0 || strstr(name, ".tmp.") != NULL ||
           (length >= 4 && strcmp(name + length - 4, ".tmp") == 0) ||
           strncmp(name, STAGE_PREFIX, sizeof(STAGE_PREFIX) - 1) == 0 || strcmp(name, "lost+found") == 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int names_list(int dir_fd, struct names *ret_names)
{
    struct names names = {0};
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    AUTO_DIR *dir = fdopendir(fd);
    if (!dir) {
        int error = errno;

        close(fd);
        return -error;
    }
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry) {
            if (errno) {
                int error = errno;

                names_free(&names);
                return -error;
            }
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (names.count == names.room) {
            size_t room = names.room ? names.room * 2 : 32;
            char **items = reallocarray(names.items, room, sizeof(*items));
            if (!items) {
                names_free(&names);
                return -ENOMEM;
            }
            names.items = items;
            names.room = room;
        }
        char *copy = strdup(entry->d_name);
        if (!copy) {
            names_free(&names);
            return -ENOMEM;
        }
        names.items[names.count++] = copy;
    }
    if (names.count)
        qsort(names.items, names.count, sizeof(*names.items), compare_names);
    *ret_names = names;
    return 0;
}

void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (struct names){0};
}
