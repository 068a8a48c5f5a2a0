/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"
#include "base/file.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char folder[64];
static struct hf_strings paths;

void scratch_set_up(void)
{
    strcpy(folder, "/tmp/holdfast-unit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

void scratch_tear_down(void)
{
    struct hf_ctx ctx = {0};
    ck_assert_int_eq(hf_file_remove_tree(&ctx, folder), 0);
    hf_strings_clear(&paths);
}

const char *scratch_folder(void)
{
    return folder;
}

const char *scratch_write_bytes(const char *name, const void *data, size_t size, mode_t mode)
{
    struct hf_ctx ctx = {0};
    char *path = hf_path_join(folder, name);
    hf_strings_take(&paths, path);
    hf_auto_free char *parent = hf_strndup(path, (size_t)(hf_path_base(path) - path));
    ck_assert_int_eq(hf_file_make_dirs(&ctx, parent, 0755), 0);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
    return path;
}

const char *scratch_write(const char *name, const char *text, mode_t mode)
{
    return scratch_write_bytes(name, text, strlen(text), mode);
}

static char *all_of(const struct hf_diagnostics *diagnostics)
{
    struct hf_text text = {0};
    hf_text_add(&text, "");
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct hf_diagnostic *item = &diagnostics->items[i];
        hf_text_addf(&text, "\n%s:%d: %s (%s)", item->file, item->line, item->text, item->hint ? item->hint : "");
    }
    return hf_steal(text.data);
}

void expect(const struct hf_diagnostics *diagnostics, int severity, int line, const char *part)
{
    size_t found = 0;
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct hf_diagnostic *item = &diagnostics->items[i];
        bool here = item->severity == severity && item->line == line;
        found += here && (strstr(item->text, part) || (item->hint && strstr(item->hint, part)));
    }
    hf_auto_free char *all = all_of(diagnostics);
    ck_assert_msg(found == 1, "%zu diagnostics on line %d say '%s'; all of them: %s", found, line, part, all);
}

void expect_count(const struct hf_diagnostics *diagnostics, size_t count)
{
    hf_auto_free char *all = all_of(diagnostics);
    ck_assert_msg(diagnostics->count == count, "%zu diagnostics instead of %zu: %s", diagnostics->count, count, all);
    size_t errors = 0;
    for (size_t i = 0; i < diagnostics->count; i++)
        errors += diagnostics->items[i].severity == HF_ERROR;
    ck_assert_uint_eq(diagnostics->errors, errors);
}
