/* SPDX-License-Identifier: Apache-2.0
 *
 * Options for plugins under test, read as the core's header says.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fake_internal.h"

struct entry {
    const struct hf_option *option;
    char *text; /* NULL: unset */
    int is_set;
    int64_t number;
    char **items;
    size_t item_count;
};

struct hf_config {
    struct entry *entries;
    size_t count;
};

static void die(const char *key, const char *what, const char *text)
{
    fprintf(stderr, "fake config: '%s': %s: '%s'\n", key, what, text ? text : "(unset)");
    abort();
}

static int64_t parse_number(const struct hf_option *option, const char *text)
{
    static const struct {
        const char *suffix;
        int64_t factor;
    } sizes[] = {{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1ll << 40}},
      durations[] = {{"", 1000},     {"ms", 1},       {"s", 1000},     {"m", 60000},
                     {"h", 3600000}, {"d", 86400000}, {"w", 604800000}};
    char *end = NULL;
    int64_t number = strtoll(text, &end, 10);
    if (end == text)
        die(option->key, "not a number", text);
    if (option->type == HF_SIZE) {
        char unit[2] = {(char)toupper((unsigned char)*end), 0};
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
            if (!strcmp(unit, sizes[i].suffix))
                return number * sizes[i].factor;
        }
        die(option->key, "not a size", text);
    }
    if (option->type == HF_DURATION) {
        for (size_t i = 0; i < sizeof(durations) / sizeof(*durations); i++) {
            if (!strcmp(end, durations[i].suffix))
                return number * durations[i].factor;
        }
        die(option->key, "not a duration", text);
    }
    if (*end)
        die(option->key, "not a number", text);
    return number;
}

static int64_t parse_bool(const struct hf_option *option, const char *text)
{
    static const char *const yes[] = {"yes", "true", "on", "1"}, *const no[] = {"no", "false", "off", "0"};
    for (size_t i = 0; i < 4; i++) {
        if (!strcasecmp(text, yes[i]))
            return 1;
        if (!strcasecmp(text, no[i]))
            return 0;
    }
    die(option->key, "not a bool", text);
    return 0;
}

static void parse_list(struct entry *entry, const char *at)
{
    for (at += strspn(at, " \t\r\n"); *at; at += strspn(at, " \t\r\n")) {
        char *item = fake_alloc(NULL, strlen(at) + 1), *end = item;
        int quoted = 0;
        for (; *at && (quoted || !strchr(" \t\r\n", *at)); at++) {
            if (*at != '"' || (quoted && at[1] == '"' && at++))
                *end++ = *at;
            else
                quoted = !quoted;
        }
        *end = 0;
        entry->items = fake_alloc(entry->items, (entry->item_count + 1) * sizeof(*entry->items));
        entry->items[entry->item_count++] = item;
    }
}

static void check_choice(const struct hf_option *option, const char *text)
{
    size_t length = strlen(text);
    for (const char *at = option->choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
        if (strcspn(at, "|") == length && !strncmp(at, text, length))
            return;
    }
    die(option->key, "not one of the choices", text);
}

static void parse_entry(struct entry *entry)
{
    const struct hf_option *option = entry->option;
    if (!entry->text)
        return;
    switch (option->type) {
    case HF_INT:
    case HF_SIZE:
    case HF_DURATION:
        entry->number = parse_number(option, entry->text);
        if ((option->min || option->max) && (entry->number < option->min || entry->number > option->max))
            die(option->key, "out of range", entry->text);
        break;
    case HF_BOOL:
        entry->number = parse_bool(option, entry->text);
        break;
    case HF_LIST:
        parse_list(entry, entry->text);
        break;
    case HF_ENUM:
        check_choice(option, entry->text);
        break;
    default:
        break;
    }
}

static struct entry *find(const struct hf_config *config, const char *key)
{
    for (size_t i = 0; i < config->count; i++) {
        if (!strcmp(config->entries[i].option->key, key))
            return &config->entries[i];
    }
    die(key, "not in the plugin's table", NULL);
    return NULL;
}

struct hf_config *fake_config_new(const struct hf_option *options, size_t count, const char *const *pairs)
{
    struct hf_config *config = fake_alloc(NULL, sizeof(*config));
    config->count = count;
    config->entries = fake_alloc(NULL, count * sizeof(*config->entries));
    for (size_t i = 0; i < count; i++)
        config->entries[i] = (struct entry){.option = &options[i], .text = fake_dup(options[i].dflt)};
    for (; pairs && pairs[0]; pairs += 2) {
        struct entry *entry = find(config, pairs[0]);
        free(entry->text);
        entry->text = fake_dup(pairs[1]);
        entry->is_set = 1;
    }
    for (size_t i = 0; i < count; i++) {
        if ((options[i].flags & HF_REQUIRED) && !config->entries[i].is_set)
            die(options[i].key, "required", NULL);
        parse_entry(&config->entries[i]);
    }
    return config;
}

void fake_config_free(struct hf_config *config)
{
    for (size_t i = 0; config && i < config->count; i++) {
        for (size_t j = 0; j < config->entries[i].item_count; j++)
            free(config->entries[i].items[j]);
        free(config->entries[i].items);
        free(config->entries[i].text);
    }
    if (config)
        free(config->entries);
    free(config);
}

const char *fake_config_string(const struct hf_config *config, const char *key)
{
    return find(config, key)->text;
}

int64_t fake_config_int(const struct hf_config *config, const char *key)
{
    return find(config, key)->number;
}

int fake_config_is_set(const struct hf_config *config, const char *key)
{
    return find(config, key)->is_set;
}

size_t fake_config_list(const struct hf_config *config, const char *key, const char *const **ret_items)
{
    struct entry *entry = find(config, key);
    assert(entry->option->type == HF_LIST);
    *ret_items = (const char *const *)entry->items;
    return entry->item_count;
}
