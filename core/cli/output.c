/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"
#include "base/log.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Length of the UTF-8 sequence at `bytes` and its character; 0 when it is none. */
static size_t decode_utf8(const unsigned char *bytes, uint32_t *ret_character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = bytes[0] < 0x80 ? 1 : bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : bytes[0] >= 0xc2 ? 2 : 0;
    if (length == 0 || bytes[0] > 0xf4)
        return 0;
    uint32_t character = length == 1 ? bytes[0] : bytes[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (bytes[i] & 0x3fu);
    }
    if (length > 1 && character < least[length])
        return 0;
    if (character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff))
        return 0;
    *ret_character = character;
    return length;
}

/* Line and paragraph separators and the bidirectional controls make a line show what it is not. */
static bool is_harmful(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x61c || character == 0x200e ||
           character == 0x200f || (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069) || character == 0xfeff;
}

void hf_safe_add(struct hf_text *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)(text ? text : "");
    while (*at) {
        uint32_t character = 0;
        size_t length = decode_utf8(at, &character);
        if (length == 0) {
            hf_text_addf(out, "\\x%02x", *at++);
            continue;
        }
        if (character == '\n')
            hf_text_add(out, "\\n");
        else if (character == '\t')
            hf_text_add(out, "\\t");
        else if (is_harmful(character))
            hf_text_addf(out, character < 0x100 ? "\\x%02x" : "\\u%04x", character);
        else
            hf_text_add_bytes(out, at, length);
        at += length;
    }
}

void hf_safe_addf(struct hf_text *out, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    hf_auto_free char *text = hf_vstrf(format, list);
    va_end(list);
    hf_safe_add(out, text);
}

static size_t columns_of(const char *text)
{
    size_t columns = 0;
    for (; *text; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

void hf_table_row(struct hf_table *table, const char *const *cells)
{
    for (size_t i = 0; i < table->columns; i++) {
        struct hf_text text = {0};
        hf_safe_add(&text, cells[i]);
        hf_strings_take(&table->cells, text.data ? text.data : hf_strdup(""));
    }
}

static void add_blanks(struct hf_text *out, size_t count)
{
    for (; count > 0; count--)
        hf_text_add_bytes(out, " ", 1);
}

static size_t rows_without_headings(const struct hf_table *table)
{
    for (size_t column = 0; column < table->columns && column < table->cells.count; column++)
        if (table->cells.items[column][0])
            return 0;
    return 1;
}

void hf_table_print(struct hf_text *out, const struct hf_table *table, const char *indent)
{
    hf_auto_free size_t *widths = hf_alloc_array(table->columns, sizeof(*widths));
    for (size_t i = 0; i < table->cells.count; i++) {
        size_t width = columns_of(table->cells.items[i]);
        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    for (size_t row = rows_without_headings(table); row < table->cells.count / table->columns; row++) {
        size_t owed = 0; /* blanks that are written only if something follows, so that no line ends in them */
        hf_text_add(out, indent);
        for (size_t column = 0; column < table->columns; column++) {
            const char *cell = table->cells.items[row * table->columns + column];
            size_t pad = widths[column] - columns_of(cell);
            if (table->right & 1u << column)
                owed += pad;
            if (*cell) {
                add_blanks(out, owed);
                hf_text_add(out, cell);
                owed = 0;
            } else if (table->right & 1u << column) {
                pad = 0;
            }
            if (!(table->right & 1u << column))
                owed += pad;
            owed += widths[column] > 0 ? 2 : 0;
        }
        hf_text_add(out, "\n");
    }
}

void hf_table_clear(struct hf_table *table)
{
    hf_strings_clear(&table->cells);
}

void hf_wrap_add(struct hf_text *out, const char *text, size_t indent, size_t width)
{
    size_t column = 0;
    while (*text) {
        size_t newlines = 0;
        for (; *text == ' ' || *text == '\n'; text++)
            newlines += *text == '\n';
        if (newlines > 1 && column > 0) {
            hf_text_add(out, "\n\n");
            column = 0;
        }
        size_t length = strcspn(text, " \n");
        if (length == 0)
            break;
        hf_auto_free char *word = hf_strndup(text, length);
        hf_auto_text struct hf_text safe = {0};
        hf_safe_add(&safe, word);
        size_t columns = columns_of(safe.data);
        if (column > 0 && column + 1 + columns > width) {
            hf_text_add(out, "\n");
            column = 0;
        }
        add_blanks(out, column == 0 ? indent : 1);
        column += (column == 0 ? indent : 1) + columns;
        hf_text_add(out, safe.data);
        text += length;
    }
    if (column > 0)
        hf_text_add(out, "\n");
}

static void print_message(const char *start, const char *text)
{
    hf_auto_free char *redacted = hf_redacted(text);
    hf_auto_text struct hf_text line = {0};
    hf_text_add(&line, start);
    hf_safe_add(&line, redacted);
    hf_text_add(&line, "\n");
    /* There is nowhere left to report that standard error fails. */
    if (fwrite(line.data, 1, line.length, stderr) != line.length)
        clearerr(stderr);
}

void hf_print_error(const char *text, const char *hint)
{
    print_message("holdfast: ", text);
    if (hint && *hint)
        print_message("hint: ", hint);
}

void hf_print_located(const char *text, const char *hint)
{
    print_message("", text);
    if (hint && *hint)
        print_message("hint: ", hint);
}

static bool output_failed;

static void check_output(bool good)
{
    if (good || output_failed)
        return;
    output_failed = true;
    hf_auto_free char *text = hf_strf("write to standard output: %s", strerror(errno));
    hf_print_error(text, NULL);
}

void hf_output_write(const char *text)
{
    if (!text || output_failed)
        return;
    size_t length = strlen(text);
    check_output(fwrite(text, 1, length, stdout) == length && fflush(stdout) == 0);
}

static int write_json(const char *data, size_t size, void *file)
{
    return fwrite(data, 1, size, file) == size ? 0 : -1;
}

void hf_output_json(const json_t *document)
{
    bool good = json_dump_callback(document, write_json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(10)) == 0;
    check_output(good && fputc('\n', stdout) != EOF && fflush(stdout) == 0);
}

int hf_output_end(void)
{
    /* Closing tells what a network file system only tells then; a descriptor that was never open is no loss unless
     * something was written to it. */
    int copy = dup(STDOUT_FILENO);
    if (copy >= 0)
        check_output(fflush(stdout) == 0 && close(copy) == 0);
    return output_failed ? -1 : 0;
}

static bool is_prose(const char *key)
{
    static const char *const keys[] = {"error", "hint", "text", "problem", "reason", "subject"};
    for (size_t i = 0; i < HF_COUNT(keys); i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

void hf_report_redact(json_t *report)
{
    const char *key;
    json_t *value;
    void *next;
    size_t index;
    json_object_foreach_safe(report, next, key, value)
    {
        if (json_is_string(value) && is_prose(key)) {
            hf_auto_free char *masked = hf_redacted(json_string_value(value));
            if (strcmp(masked, json_string_value(value)) != 0)
                hf_json_set_text(report, key, masked);
        } else {
            hf_report_redact(value);
        }
    }
    json_array_foreach(report, index, value) hf_report_redact(value);
}
