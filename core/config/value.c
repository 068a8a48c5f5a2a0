/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define BLANKS " \t\r\n\v\f"

const char *hf_value_excerpt(const char *text, char ret_excerpt[64])
{
    size_t length = strlen(text);
    if (length < 60) {
        memcpy(ret_excerpt, text, length + 1);
        return ret_excerpt;
    }
    length = 57;
    while (length && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    memcpy(ret_excerpt, text, length);
    memcpy(ret_excerpt + length, "\xe2\x80\xa6", 4);
    return ret_excerpt;
}

/* 'key' is not WHAT: 'value'; a secret's value is left out. */
static bool refuse(const struct hf_place *place, const struct hf_option *option, const char *text, const char *what,
                   const char *hint)
{
    hf_auto_free char *comment = NULL;
    if (strstr(text, " #") && !(option->flags & HF_SECRET)) {
        comment = hf_strdup("a comment at the end of a line begins with ' ;', or stands on a line of its own");
        hint = comment;
    }
    char excerpt[64];
    if (option->flags & HF_SECRET)
        hf_diagnose(place->diagnostics, HF_ERROR, place->file, place->line, hint, "'%s' is not %s", option->key, what);
    else
        hf_diagnose(place->diagnostics, HF_ERROR, place->file, place->line, hint, "'%s' is not %s: '%s'", option->key,
                    what, hf_value_excerpt(text, excerpt));
    return false;
}

static const char *number_text(uint32_t type, int64_t number, char ret_text[24])
{
    if (type == HF_DURATION)
        return hf_duration_text(number, ret_text);
    static const char units[] = "TGMK";
    for (int i = 0; type == HF_SIZE && number > 0 && units[i]; i++) {
        int64_t factor = INT64_C(1) << (40 - 10 * i);
        if (number % factor == 0) {
            snprintf(ret_text, 24, "%lld%c", (long long)(number / factor), units[i]);
            return ret_text;
        }
    }
    snprintf(ret_text, 24, "%lld", (long long)number);
    return ret_text;
}

static bool in_range(const struct hf_place *place, const struct hf_option *option, int64_t number)
{
    if ((option->min == 0 && option->max == 0) || (number >= option->min && number <= option->max))
        return true;
    char least[24], most[24], given[24];
    number_text(option->type, option->min, least);
    number_text(option->type, option->max, most);
    number_text(option->type, number, given);
    if (option->max == INT64_MAX)
        hf_diagnose(place->diagnostics, HF_ERROR, place->file, place->line, NULL, "'%s' is %s, but must be at least %s",
                    option->key, given, least);
    else
        hf_diagnose(place->diagnostics, HF_ERROR, place->file, place->line, NULL,
                    "'%s' is %s, but must be from %s to %s", option->key, given, least, most);
    return false;
}

static bool parse_int(const char *text, int64_t *ret_number)
{
    const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
    if (!*digits || digits[strspn(digits, "0123456789")])
        return false;
    errno = 0;
    long long number = strtoll(text, NULL, 10);
    *ret_number = number;
    return errno == 0;
}

static bool parse_bool(const char *text, int64_t *ret_number)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < HF_COUNT(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *ret_number = i & 1;
            return true;
        }
    }
    return false;
}

static bool parse_size(const char *text, int64_t *ret_number)
{
    static const char units[] = "kmgt";
    size_t digits = strspn(text, "0123456789");
    hf_auto_free char *plain = hf_strndup(text, digits);
    int64_t number, factor = 1;
    if (!digits || !parse_int(plain, &number))
        return false;
    const char *rest = text + digits;
    const char *unit = *rest ? strchr(units, tolower((unsigned char)*rest)) : NULL;
    if (unit) {
        factor = INT64_C(1) << (10 * (unit - units + 1));
        rest++;
        if (strcasecmp(rest, "ib") == 0)
            rest += 2;
    }
    if (strcasecmp(rest, "b") == 0)
        rest++;
    return *rest == '\0' && !__builtin_mul_overflow(number, factor, ret_number);
}

static bool set_number(const struct hf_place *place, struct hf_setting *setting, const char *text)
{
    const struct hf_option *option = &setting->option;
    bool parsed = false;
    const char *what = "", *hint = NULL;
    int64_t number = 0;
    switch (option->type) {
    case HF_INT:
        parsed = parse_int(text, &number);
        what = "a whole number";
        break;
    case HF_BOOL:
        parsed = parse_bool(text, &number);
        what = "yes or no";
        break;
    case HF_SIZE:
        parsed = parse_size(text, &number);
        what = "a size";
        hint = "write bytes, or a number with K, M, G or T, e.g. 64M";
        break;
    default:
        parsed = hf_duration_parse(text, &number);
        what = "a duration";
        hint = "write a number with ms, s, m, h, d or w, e.g. 90s, 6h, 30d";
        break;
    }
    if (!parsed)
        return refuse(place, option, text, what, hint);
    if (option->type != HF_BOOL && !in_range(place, option, number))
        return false;
    setting->number = number;
    return true;
}

static bool set_enum(const struct hf_place *place, struct hf_setting *setting, const char *text)
{
    const struct hf_option *option = &setting->option;
    hf_auto_strings struct hf_strings choices = {0};
    for (const char *p = option->choices ? option->choices : ""; *p;) {
        size_t length = strcspn(p, "|");
        hf_strings_take(&choices, hf_strndup(p, length));
        p += length + (p[length] == '|');
    }
    hf_auto_text struct hf_text list = {0};
    hf_text_add(&list, "one of ");
    for (size_t i = 0; i < choices.count; i++) {
        if (strcmp(choices.items[i], text) == 0) {
            setting->number = (int64_t)i;
            return true;
        }
        hf_text_addf(&list, "%s%s", i ? ", " : "", choices.items[i]);
    }
    const char *nearest = hf_text_nearest(text, (const char *const *)choices.items, choices.count);
    hf_auto_free char *hint = nearest ? hf_strf("did you mean '%s'?", nearest) : NULL;
    return refuse(place, option, text, list.data, hint);
}

static bool set_list(const struct hf_place *place, struct hf_setting *setting, const char *text)
{
    hf_auto_strings struct hf_strings items = {0};
    for (const char *p = text + strspn(text, BLANKS); *p; p += strspn(p, BLANKS)) {
        hf_auto_text struct hf_text item = {0};
        bool quoted = false;
        hf_text_add(&item, "");
        for (; *p && (quoted || !strchr(BLANKS, *p)); p++) {
            if (*p != '"' || (quoted && p[1] == '"' && p++))
                hf_text_add_bytes(&item, p, 1);
            else
                quoted = !quoted;
        }
        if (quoted)
            return refuse(place, &setting->option, text, "a list: a closing '\"' is missing", NULL);
        hf_strings_take(&items, hf_steal(item.data));
    }
    hf_strings_clear(&setting->items);
    setting->items = items;
    items = (struct hf_strings){0};
    return true;
}

static bool url_valid(const char *text)
{
    if (!isalpha((unsigned char)*text))
        return false;
    const char *p = text;
    while (isalnum((unsigned char)*p) || (*p && strchr("+.-", *p)))
        p++;
    return *p == ':' && p[1] && !p[strcspn(p, BLANKS)];
}

const char *hf_url_password(const char *url, size_t *ret_length)
{
    const char *authority = strstr(url, "://");
    if (!authority)
        return NULL;
    authority += 3;
    /* The last '@', since people forget to encode one in a password. */
    size_t length = strcspn(authority, "/?#");
    const char *at = memrchr(authority, '@', length);
    const char *colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
    if (!colon || colon + 1 == at)
        return NULL;
    *ret_length = (size_t)(at - colon - 1);
    return colon + 1;
}

char *hf_path_beside(const char *file, const char *path)
{
    if (*path == '/')
        return hf_strdup(path);
    while (path[0] == '.' && path[1] == '/')
        path += 1 + strspn(path + 1, "/");
    if (strcmp(path, ".") == 0)
        path = "";
    hf_auto_free char *working = NULL;
    if (*file != '/') {
        working = get_current_dir_name();
        if (!working)
            working = hf_strdup("/");
    }
    const char *slash = strrchr(file, '/');
    hf_auto_free char *folder = hf_strndup(file, slash ? (size_t)(slash - file) : 0);
    hf_auto_free char *base = working ? hf_path_join(working, folder) : hf_strdup(folder);
    size_t length = strlen(base);
    while (length && base[length - 1] == '/')
        base[--length] = '\0';
    if (!*path)
        return hf_strdup(*base ? base : "/");
    return hf_strf("%s/%s", base, path);
}

bool hf_value_set(const struct hf_place *place, struct hf_setting *setting, const char *text)
{
    const struct hf_option *option = &setting->option;
    if (!*text && option->type != HF_STRING) {
        hf_diagnose(place->diagnostics, HF_ERROR, place->file, place->line, NULL, "'%s' has no value", option->key);
        return false;
    }
    bool one_line = option->type != HF_LIST && option->type != HF_STRING;
    if (one_line && strchr(text, '\n'))
        return refuse(place, option, text, "one line", "a line that begins with white space continues the one above");
    hf_auto_free char *kept = option->type == HF_PATH ? hf_path_beside(place->file, text) : hf_strdup(text);
    switch (option->type) {
    case HF_INT:
    case HF_BOOL:
    case HF_SIZE:
    case HF_DURATION:
        if (!set_number(place, setting, text))
            return false;
        break;
    case HF_ENUM:
        if (!set_enum(place, setting, text))
            return false;
        break;
    case HF_LIST:
        if (!set_list(place, setting, text))
            return false;
        break;
    case HF_URL:
        if (!url_valid(text))
            return refuse(place, option, text, "a URL", "write scheme:rest, e.g. https://host/path");
        break;
    default:
        break;
    }
    free(setting->text);
    setting->text = hf_steal(kept);
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void protect_password(const char *password, size_t length)
{
    hf_auto_free char *encoded = hf_strndup(password, length);
    hf_redact_add(encoded);
    hf_auto_text struct hf_text decoded = {0};
    hf_text_add(&decoded, "");
    for (const char *p = encoded; *p; p++) {
        int high = *p == '%' ? hex_digit(p[1]) : -1;
        int low = high >= 0 ? hex_digit(p[2]) : -1;
        char c = low >= 0 ? (char)(high * 16 + low) : *p;
        if (c)
            hf_text_add_bytes(&decoded, &c, 1);
        if (low >= 0)
            p += 2;
    }
    hf_redact_add(decoded.data);
}

void hf_value_protect(const struct hf_setting *setting)
{
    if (!setting->text)
        return;
    if (setting->option.flags & HF_SECRET) {
        hf_redact_add(setting->text);
        for (size_t i = 0; i < setting->items.count; i++)
            hf_redact_add(setting->items.items[i]);
    }
    size_t length = 0;
    const char *password = setting->option.type == HF_URL ? hf_url_password(setting->text, &length) : NULL;
    if (password)
        protect_password(password, length);
}
