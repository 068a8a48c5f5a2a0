/* SPDX-License-Identifier: Apache-2.0 */
#include "partition.h"

#include "util.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

void partition_check_init(struct partition_check *p, const char *name)
{
    *p = (struct partition_check){.name = name};
}

void partition_check_clear(struct partition_check *p)
{
    free(p->segments);
    small_file_clear(&p->current);
    small_file_clear(&p->manifest);
    *p = (struct partition_check){0};
}

int partition_check_add(struct partition_check *p, const struct segment_result *result)
{
    if (p->count == p->room) {
        size_t room = p->room ? p->room * 2 : 16;
        struct segment_result *segments = reallocarray(p->segments, room, sizeof(*segments));
        if (!segments)
            return HF_E_NOMEM;
        p->segments = segments;
        p->room = room;
    }
    p->segments[p->count++] = *result;
    return HF_OK;
}

bool partition_check_has(const struct partition_check *p, uint32_t ordinal)
{
    for (size_t i = p->count; i-- > 0;)
        if (p->segments[i].ordinal == ordinal)
            return true;
    return false;
}

int small_file_add(struct small_file *file, const void *data, size_t size, size_t max)
{
    if (file->present && !file->data && file->size)
        return HF_OK; /* already found to be too long */
    file->present = true;
    if (!size)
        return HF_OK;
    if (size > max - file->size) {
        free(file->data);
        file->data = NULL;
        file->room = 0;
        file->size = max;
        return HF_OK;
    }
    if (file->room - file->size < size) {
        size_t room = (file->size + size) * 2;
        char *memory = realloc(file->data, room);
        if (!memory)
            return HF_E_NOMEM;
        file->data = memory;
        file->room = room;
    }
    memcpy(file->data + file->size, data, size);
    file->size += size;
    return HF_OK;
}

void small_file_clear(struct small_file *file)
{
    free(file->data);
    *file = (struct small_file){0};
}

uint32_t current_parse(const char *data, size_t size)
{
    char name[SEGMENT_NAME_MAX];
    uint32_t ordinal = 0;
    bool gzipped = false;

    while (size && (data[size - 1] == '\n' || data[size - 1] == '\r' || data[size - 1] == ' '))
        size--;
    if (!size || size >= sizeof(name) || memchr(data, '\0', size))
        return 0;
    memcpy(name, data, size);
    name[size] = '\0';
    return segment_name_parse(name, &ordinal, &gzipped) ? ordinal : 0;
}

static int compare_segments(const void *a, const void *b)
{
    const struct segment_result *x = a, *y = b;

    return x->ordinal < y->ordinal ? -1 : x->ordinal > y->ordinal;
}

void partition_check_sort(struct partition_check *p)
{
    if (p->count)
        qsort(p->segments, p->count, sizeof(*p->segments), compare_segments);
}

static json_t *segment_facts(const struct segment_result *r)
{
    char crc[16];

    snprintf(crc, sizeof(crc), "%08x", r->crc);
    return json_pack("{s:s, s:I, s:I, s:s}", "file", r->file, "records", (json_int_t)r->records, "bytes",
                     (json_int_t)r->bytes, "crc32", crc);
}

char *partition_facts(struct partition_check *p)
{
    uint64_t records = 0, bytes = 0, bad = 0, lost = 0, missing = 0;
    json_t *first = NULL, *last = NULL, *segments = json_array();

    partition_check_sort(p);
    for (size_t i = 0; i < p->count; i++) {
        const struct segment_result *r = &p->segments[i];

        records += r->records;
        bytes += r->bytes;
        bad += r->bad_crc.count;
        lost += r->bytes - r->end_offset;
        missing += r->missing_records;
        if (r->sequenced && !first)
            first = json_integer((json_int_t)r->first_sequence);
        if (r->sequenced) {
            json_decref(last);
            last = json_integer((json_int_t)r->last_sequence);
        }
        if (json_array_append_new(segments, segment_facts(r)) < 0) {
            json_decref(first);
            json_decref(last);
            json_decref(segments);
            return NULL;
        }
    }
    json_t *facts = json_pack("{s:I, s:I, s:I, s:I, s:I, s:b, s:o*, s:o*, s:o}", "records", (json_int_t)records,
                              "bytes", (json_int_t)bytes, "bad_frames", (json_int_t)bad, "lost_bytes", (json_int_t)lost,
                              "missing_records", (json_int_t)missing, "sealed", p->sealed, "first_sequence", first,
                              "last_sequence", last, "segments", segments);
    char *text = facts ? json_dumps(facts, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    json_decref(facts);
    return text;
}

bool facts_equal(const char *a, const char *b)
{
    json_t *x = json_loads(a, JSON_DECODE_ANY, NULL), *y = json_loads(b, JSON_DECODE_ANY, NULL);
    bool equal = x && y && json_equal(x, y);

    json_decref(x);
    json_decref(y);
    return equal;
}
