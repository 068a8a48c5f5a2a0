/* SPDX-License-Identifier: Apache-2.0 */
#include "config/ini.h"
#include "base/file.h"
#include "base/text.h"
#include <ini.h>
#include <pthread.h>
#include <string.h>

enum { FILE_MAX = 1 << 20, LINE_MAX_BYTES = 64 << 10, ENTRIES_MAX = 4096, COMPLAINTS_MAX = 20 };

/* inih calls next_line() for each line, and take_pair() for each line that it finds to be a pair. Whatever else it does
 * with a line (blank, comment, section, nonsense) is seen when the next line is asked for. */
struct reader {
    const char *next, *end;
    struct hf_ini *ini;
    struct hf_diagnostics *diagnostics;
    struct hf_ini_section *section; /* NULL: before the first one, or in one that is left out    */
    bool before_sections;
    struct hf_ini_entry *entry; /* what a continuation line continues; NULL: nothing             */
    bool key_seen;              /* since the section began: an indented line is a continuation   */
    const char *line;           /* the line handed out last, without white space in front        */
    size_t line_size;
    bool indented, taken; /* of that line                                                    */
    int number;
    size_t entries, complaints;
};

static pthread_once_t inih_once = PTHREAD_ONCE_INIT;

/* Debian's inih has these as variables; the defaults cut lines at 200 bytes. */
static void set_up_inih(void)
{
    ini_use_stack = false;
    ini_allow_realloc = false;
    ini_initial_alloc = LINE_MAX_BYTES + 3;
    ini_max_line = LINE_MAX_BYTES + 3;
    ini_allow_multiline = true;
    ini_allow_inline_comments = true;
    ini_allow_no_value = false;
    ini_stop_on_first_error = false;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void stop_reading(struct reader *reader)
{
    reader->next = reader->end;
}

static void complain(struct reader *reader, const char *hint, const char *text)
{
    hf_diagnose(reader->diagnostics, HF_ERROR, reader->ini->path, reader->number, hint, "%s", text);
    if (++reader->complaints == COMPLAINTS_MAX) {
        hf_diagnose(reader->diagnostics, HF_ERROR, reader->ini->path, reader->number, NULL,
                    "too many errors; the rest of the file is not read");
        stop_reading(reader);
    }
}

/* "text" without white space at either end. */
static char *trimmed(const char *text, size_t size)
{
    while (size && is_blank(*text)) {
        text++;
        size--;
    }
    while (size && is_blank(text[size - 1]))
        size--;
    return hf_strndup(text, size);
}

static struct hf_ini_section *find_section(const struct hf_ini *ini, const char *kind, const char *name)
{
    for (size_t i = 0; i < ini->count; i++)
        if (strcmp(ini->sections[i].kind, kind) == 0 && (!name || strcmp(ini->sections[i].name, name) == 0))
            return &ini->sections[i];
    return NULL;
}

static void begin_section(struct reader *reader)
{
    reader->section = NULL;
    reader->entry = NULL;
    reader->key_seen = false;
    reader->before_sections = false;
    const char *close = memchr(reader->line, ']', reader->line_size);
    if (!close) {
        complain(reader, NULL, "a section's ']' is missing");
        return;
    }
    hf_auto_free char *after = trimmed(close + 1, reader->line_size - (size_t)(close + 1 - reader->line));
    if (*after && *after != ';' && *after != '#') {
        complain(reader, NULL, "only a comment may follow a section's ']'");
        return;
    }
    hf_auto_free char *title = trimmed(reader->line + 1, (size_t)(close - reader->line) - 1);
    size_t kind_length = strcspn(title, " \t");
    if (!kind_length) {
        complain(reader, NULL, "the section has no name");
        return;
    }
    hf_auto_free char *kind = hf_strndup(title, kind_length);
    hf_auto_free char *name = trimmed(title + kind_length, strlen(title + kind_length));
    const struct hf_ini_section *earlier = find_section(reader->ini, kind, name);
    if (earlier) {
        hf_auto_free char *text =
            hf_strf("section [%.80s] is in the file twice, first on line %d", title, earlier->line);
        complain(reader, NULL, text);
        return;
    }
    struct hf_ini *ini = reader->ini;
    if (ini->count == ini->room) {
        ini->room = ini->room ? ini->room * 2 : 8;
        ini->sections = hf_realloc_array(ini->sections, ini->room, sizeof *ini->sections);
    }
    reader->section = &ini->sections[ini->count++];
    *reader->section = (struct hf_ini_section){.kind = hf_steal(kind), .name = hf_steal(name), .line = reader->number};
    if (++reader->entries > ENTRIES_MAX) {
        complain(reader, NULL, "the file has more than 4096 entries");
        stop_reading(reader);
    }
}

/* What became of the line that was handed out last. */
static void settle_line(struct reader *reader)
{
    if (!reader->line || reader->taken || !reader->line_size || *reader->line == ';' || *reader->line == '#')
        return;
    if (*reader->line == '[')
        begin_section(reader);
    else
        complain(reader, "write KEY = VALUE, [SECTION], or a comment that begins with '#'",
                 "neither an option nor a section");
}

static bool looks_like_option(const char *text)
{
    const char *p = text;
    while ((*p >= 'a' && *p <= 'z') || *p == '_')
        p++;
    return p > text && p[strspn(p, " \t")] == '=';
}

static void continue_value(struct reader *reader, const char *value)
{
    if (!reader->entry)
        return;
    if (*value == '[' || looks_like_option(value)) {
        hf_auto_free char *text =
            hf_strf("the line begins with white space, so it continues the value of '%.80s'", reader->entry->key);
        complain(reader, "remove the white space; put \"quotes\" around it if it is meant as a value", text);
        return;
    }
    /* inih takes comments off the line with the key only. */
    size_t length = 0;
    while (value[length] && !(value[length] == ';' && length && is_blank(value[length - 1])))
        length++;
    hf_auto_free char *plain = trimmed(value, length);
    char *joined = hf_strf("%s%s%s", reader->entry->value, *reader->entry->value ? "\n" : "", plain);
    free(reader->entry->value);
    reader->entry->value = joined;
}

static int take_pair(void *user, const char *section_name, const char *key, const char *value)
{
    (void)section_name; /* cut at 49 bytes; begin_section() keeps our own */
    struct reader *reader = user;
    reader->taken = true;
    if (reader->indented && reader->key_seen) {
        continue_value(reader, value);
        return 1;
    }
    reader->key_seen = true;
    reader->entry = NULL;
    if (reader->before_sections) {
        hf_auto_free char *text = hf_strf("option '%.80s' stands before the first section", key);
        complain(reader, NULL, text);
        return 1;
    }
    if (!reader->section)
        return 1;
    if (!*key) {
        complain(reader, "write KEY = VALUE", "the option has no name");
        return 1;
    }
    struct hf_ini_section *section = reader->section;
    const struct hf_ini_entry *earlier = hf_ini_entry(section, key);
    if (earlier) {
        hf_auto_free char *text =
            hf_strf("option '%.80s' is set twice in this section, first on line %d", key, earlier->line);
        complain(reader, NULL, text);
        return 1;
    }
    if (++reader->entries > ENTRIES_MAX) {
        complain(reader, NULL, "the file has more than 4096 entries");
        stop_reading(reader);
        return 1;
    }
    if (section->count == section->room) {
        section->room = section->room ? section->room * 2 : 8;
        section->entries = hf_realloc_array(section->entries, section->room, sizeof *section->entries);
    }
    reader->entry = &section->entries[section->count++];
    *reader->entry = (struct hf_ini_entry){.key = hf_strdup(key), .value = hf_strdup(value), .line = reader->number};
    return 1;
}

/* An ini_reader: one line into `room`, like fgets(). */
static char *next_line(char *room, int room_size, void *user)
{
    struct reader *reader = user;
    settle_line(reader);
    reader->line = NULL;
    if (reader->next >= reader->end)
        return NULL;
    const char *line = reader->next;
    const char *newline = memchr(line, '\n', (size_t)(reader->end - line));
    size_t size = (size_t)((newline ? newline : reader->end) - line);
    reader->next = newline ? newline + 1 : reader->end;
    reader->number++;
    reader->taken = false;
    if (memchr(line, '\0', size)) {
        complain(reader, NULL, "not a text file: it holds a NUL byte");
        stop_reading(reader);
        return NULL;
    }
    if (size > LINE_MAX_BYTES || size + 2 > (size_t)room_size) {
        complain(reader, NULL, "the line is longer than 64 KiB");
        size = 0;
    }
    memcpy(room, line, size);
    room[size] = '\n';
    room[size + 1] = '\0';
    while (size && is_blank(line[size - 1]))
        size--;
    reader->indented = size && is_blank(*line);
    while (size && is_blank(*line)) {
        line++;
        size--;
    }
    reader->line = line;
    reader->line_size = size;
    return room;
}

struct hf_ini *hf_ini_parse(const char *path, const char *data, size_t size, struct hf_diagnostics *diagnostics)
{
    struct hf_ini *ini = hf_alloc(sizeof *ini);
    ini->path = hf_strdup(path);
    struct reader reader = {
        .next = data, .end = data + size, .ini = ini, .diagnostics = diagnostics, .before_sections = true};
    if (size > FILE_MAX) {
        complain(&reader, NULL, "the file is larger than 1 MiB");
        return ini;
    }
    /* Here and not by inih, because begin_section() reads the same bytes. */
    if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
        reader.next += 3;
    pthread_once(&inih_once, set_up_inih);
    /* A positive result is a line that was no pair, and settle_line() has told so. */
    if (ini_parse_stream(next_line, &reader, take_pair, &reader) < 0)
        hf_memory_out();
    return ini;
}

struct hf_ini *hf_ini_read(const char *path, struct hf_diagnostics *diagnostics)
{
    struct hf_ctx ctx = {0};
    hf_auto_free char *data = NULL;
    size_t size = 0;
    if (hf_file_read(&ctx, path, FILE_MAX, &data, &size) < 0) {
        hf_diagnose(diagnostics, HF_ERROR, path, 0, NULL, "%s", ctx.error.text);
        hf_error_clear(&ctx.error);
    }
    return hf_ini_parse(path, data ? data : "", size, diagnostics);
}

const struct hf_ini_section *hf_ini_find(const struct hf_ini *ini, const char *kind)
{
    return find_section(ini, kind, NULL);
}

const struct hf_ini_entry *hf_ini_entry(const struct hf_ini_section *section, const char *key)
{
    for (size_t i = 0; section && i < section->count; i++)
        if (strcmp(section->entries[i].key, key) == 0)
            return &section->entries[i];
    return NULL;
}

void hf_ini_free(struct hf_ini *ini)
{
    if (!ini)
        return;
    for (size_t i = 0; i < ini->count; i++) {
        struct hf_ini_section *section = &ini->sections[i];
        for (size_t j = 0; j < section->count; j++) {
            free(section->entries[j].key);
            free(section->entries[j].value);
        }
        free(section->entries);
        free(section->kind);
        free(section->name);
    }
    free(ini->sections);
    free(ini->path);
    free(ini);
}
