/* SPDX-License-Identifier: Apache-2.0 */
#include "artifact.h"

#include <stdlib.h>
#include <string.h>

struct fake *fake;

static const struct hf_source source = {
    .size = sizeof(source),
    .verify_begin = pg_verify_begin,
    .verify_part = pg_verify_part,
    .verify_end = pg_verify_end,
};

void artifact_setup(void)
{
    fake = fake_new();
    pg_host = fake_host_table();
}

void artifact_teardown(void)
{
    fake_free(fake);
    fake = NULL;
}

void set_text(struct fake_part *part, const char *text)
{
    size_t size = strlen(text);
    part->data = realloc(part->data, size + 1);
    ck_assert_ptr_nonnull(part->data);
    memcpy(part->data, text, size + 1);
    part->used = part->room = size;
}

struct fake_part *add_part(const char *artifact, uint32_t phase, const char *name, const char *group, const char *text)
{
    struct fake_part *part = calloc(1, sizeof(*part));
    fake->parts = reallocarray(fake->parts, fake->part_count + 1, sizeof(struct fake_part *));
    ck_assert(part && fake->parts);
    part->artifact = strdup(artifact);
    part->name = strdup(name);
    part->group = strdup(group);
    part->suffix = strdup(".sql");
    part->phase = phase;
    set_text(part, text);
    fake->parts[fake->part_count++] = part;
    return part;
}

void change(struct fake_part *part, const char *was, const char *is)
{
    size_t old = strlen(was), new = strlen(is);
    char *text = strndup((const char *)part->data, part->used), *at = strstr(text, was);
    ck_assert_msg(at != NULL, "'%s' is not there", was);
    char *changed = malloc(part->used + new + 1);
    ck_assert_ptr_nonnull(changed);
    memcpy(changed, text, (size_t)(at - text));
    memcpy(changed + (at - text), is, new);
    strcpy(changed + (at - text) + new, at + old);
    set_text(part, changed);
    free(changed);
    free(text);
}

int verify(unsigned threads)
{
    fake_clear(fake);
    return fake_verify(fake, &source, NULL, threads);
}

void learn(void)
{
    (void)verify(1);
    ck_assert_str_eq(fake_error(fake), "");
    ck_assert_int_lt(fake_worst(fake), HF_ERROR);
    for (size_t i = 0; i < fake->facts.count; i++)
        fake_set_fact(fake, fake->facts.items[i].key, fake->facts.items[i].value);
    ck_assert_int_eq(verify(1), HF_OK);
}
