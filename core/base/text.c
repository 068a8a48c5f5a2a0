/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include <stdio.h>
#include <string.h>

static void text_reserve(struct hf_text *text, size_t more)
{
    size_t needed;
    if (__builtin_add_overflow(text->length, more, &needed) || __builtin_add_overflow(needed, 1, &needed))
        hf_memory_out();
    if (needed <= text->room)
        return;
    size_t room = text->room > SIZE_MAX / 2 ? needed : text->room * 2;
    if (room < needed)
        room = needed;
    if (room < 64)
        room = 64;
    text->data = hf_realloc_array(text->data, room, 1);
    text->room = room;
}

void hf_text_add_bytes(struct hf_text *text, const void *bytes, size_t size)
{
    text_reserve(text, size);
    if (size)
        memcpy(text->data + text->length, bytes, size);
    text->length += size;
    text->data[text->length] = '\0';
}

void hf_text_add(struct hf_text *text, const char *added)
{
    hf_text_add_bytes(text, added, strlen(added));
}

void hf_text_addf(struct hf_text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    hf_auto_free char *added = hf_vstrf(format, args);
    va_end(args);
    hf_text_add(text, added);
}

void hf_text_clear(struct hf_text *text)
{
    free(text->data);
    *text = (struct hf_text){0};
}

char *hf_vstrf(const char *format, va_list args)
{
    char *made = NULL;
    if (vasprintf(&made, format, args) < 0)
        hf_memory_out();
    return made;
}

char *hf_strf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *made = hf_vstrf(format, args);
    va_end(args);
    return made;
}

bool hf_text_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool hf_text_ends(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);
    return tail <= length && memcmp(text + length - tail, suffix, tail) == 0;
}

bool hf_text_equal(const char *left, const char *right)
{
    if (!left || !right)
        return left == right;
    return strcmp(left, right) == 0;
}

/* Longer words are nobody's typing mistake. */
enum { WORD_MAX = 64 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein (optimal string alignment): a swap of neighbours is one mistake. */
static size_t edit_distance(const char *left, size_t left_length, const char *right, size_t right_length)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *older = rows[0], *previous = rows[1], *current = rows[2];
    for (size_t j = 0; j <= right_length; j++) {
        older[j] = j;
        previous[j] = j;
    }
    for (size_t i = 1; i <= left_length; i++) {
        current[0] = i;
        for (size_t j = 1; j <= right_length; j++) {
            char a = lower(left[i - 1]), b = lower(right[j - 1]);
            size_t best = least(previous[j] + 1, current[j - 1] + 1);
            best = least(best, previous[j - 1] + (a != b));
            if (i > 1 && j > 1 && a == lower(right[j - 2]) && lower(left[i - 2]) == b)
                best = least(best, older[j - 2] + 1);
            current[j] = best;
        }
        size_t *oldest = older;
        older = previous;
        previous = current;
        current = oldest;
    }
    return previous[right_length];
}

const char *hf_text_nearest(const char *word, const char *const *words, size_t count)
{
    size_t length = strlen(word);
    if (!length || length > WORD_MAX)
        return NULL;
    const char *nearest = NULL;
    size_t nearest_distance = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        if (!words[i])
            continue;
        size_t candidate_length = strlen(words[i]);
        if (!candidate_length || candidate_length > WORD_MAX)
            continue;
        size_t longer = length > candidate_length ? length : candidate_length;
        size_t limit = (longer + 1) / 3;
        if (!limit)
            limit = 1;
        size_t distance = edit_distance(word, length, words[i], candidate_length);
        /* A distance of the whole word means that nothing is alike. */
        if (distance <= limit && distance < least(length, candidate_length) && distance < nearest_distance) {
            nearest = words[i];
            nearest_distance = distance;
        }
    }
    return nearest;
}

const char *hf_text_bytes(uint64_t bytes, char ret_text[16])
{
    static const char units[] = "KMGTPE";
    if (bytes < 1024) {
        snprintf(ret_text, 16, "%u B", (unsigned)bytes);
        return ret_text;
    }
    size_t unit = 0;
    double value = (double)bytes / 1024.0;
    /* 1023.95 would be printed as 1024.0. */
    while (value >= 1023.95 && units[unit + 1]) {
        value /= 1024.0;
        unit++;
    }
    unsigned tenths = (unsigned)(value * 10.0 + 0.5);
    snprintf(ret_text, 16, "%u.%u %ciB", tenths / 10 % 10000, tenths % 10, units[unit]);
    return ret_text;
}

void hf_text_hex(const unsigned char *bytes, size_t count, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_text[2 * count] = '\0';
}

void hf_strings_take(struct hf_strings *strings, char *owned)
{
    if (strings->count + 2 > strings->room) {
        strings->room = strings->room ? strings->room * 2 : 8;
        strings->items = hf_realloc_array(strings->items, strings->room, sizeof *strings->items);
    }
    strings->items[strings->count++] = owned;
    strings->items[strings->count] = NULL;
}

void hf_strings_add(struct hf_strings *strings, const char *text)
{
    hf_strings_take(strings, hf_strdup(text));
}

bool hf_strings_have(const struct hf_strings *strings, const char *text)
{
    for (size_t i = 0; i < strings->count; i++)
        if (strcmp(strings->items[i], text) == 0)
            return true;
    return false;
}

static int compare_strings(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

void hf_strings_sort(struct hf_strings *strings)
{
    if (strings->count > 1)
        qsort(strings->items, strings->count, sizeof *strings->items, compare_strings);
}

void hf_strings_clear(struct hf_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (struct hf_strings){0};
}
