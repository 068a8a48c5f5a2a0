/* SPDX-License-Identifier: Apache-2.0
 *
 * From what was seen of a partition to findings. One finding per kind of trouble and segment, with a count and the
 * first place, so a ruined segment does not drown the rest.
 */
#include "partition.h"
#include "util.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct report {
    const struct hf_host *host;
    struct hf_ctx *ctx;
    const struct partition_check *partition;
    json_t *manifest; /* of a sealed partition; NULL: none that can be read */
    int damage;
    int code; /* the first failure of a finding */
};

static void finding(struct report *report, int severity, const char *code, const char *file, const char *format, ...)
    HF_PRINTF(5, 6);

static void finding(struct report *report, int severity, const char *code, const char *file, const char *format, ...)
{
    char subject[512], text[1024];
    va_list args;

    if (report->code < 0)
        return;
    snprintf(subject, sizeof(subject), file ? "%s/%s" : "%s", report->partition->name, file);
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    report->code = report->host->finding(report->ctx, severity, code, subject, "%s", text);
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void report_frames(struct report *report, const struct segment_result *r, bool may_be_torn)
{
    if (r->gzip_problem)
        finding(report, report->damage, "gzip-damaged", r->file, "its content cannot be read to the end: %s",
                r->gzip_problem);
    if (r->bad_crc.count)
        finding(report, report->damage, "frame-crc", r->file,
                "%" PRIu64 " frame%s with a wrong crc, the first at offset %" PRIu64, r->bad_crc.count,
                plural(r->bad_crc.count), r->bad_crc.first);
    if (r->end == FRAME_END_LOST)
        finding(report, report->damage, "frame-length", r->file,
                "the frame at offset %" PRIu64 " has an impossible length; %" PRIu64 " bytes from there are unreadable",
                r->end_offset, r->bytes - r->end_offset);
    if (r->end == FRAME_END_TORN && may_be_torn && !r->gzip_problem)
        finding(report, HF_INFO, "torn-tail", r->file,
                "ends in a partial frame of %" PRIu64 " bytes at offset %" PRIu64, r->bytes - r->end_offset,
                r->end_offset);
    if (r->end == FRAME_END_TORN && !may_be_torn && !r->gzip_problem)
        finding(report, report->damage, "torn-frame", r->file,
                "ends within the frame at offset %" PRIu64 "; %" PRIu64 " bytes from there are unreadable",
                r->end_offset, r->bytes - r->end_offset);
}

static void report_sequence(struct report *report, const struct segment_result *r)
{
    if (r->gap.count)
        finding(report, report->damage, "sequence-gap", r->file,
                "%" PRIu64 " record%s missing in %" PRIu64 " place%s, the first before offset %" PRIu64,
                r->missing_records, plural(r->missing_records), r->gap.count, plural(r->gap.count), r->gap.first);
    if (r->order.count)
        finding(report, report->damage, "sequence-order", r->file,
                "%" PRIu64 " record%s with a sequence that was passed already, the first at offset %" PRIu64,
                r->order.count, plural(r->order.count), r->order.first);
    if (r->unsequenced.count)
        finding(report, report->damage, "sequence-missing", r->file,
                "%" PRIu64 " record%s without a readable ledger_sequence, the first at offset %" PRIu64,
                r->unsequenced.count, plural(r->unsequenced.count), r->unsequenced.first);
    if (r->wrong_segment.count)
        finding(report, report->damage, "wrong-segment", r->file,
                "%" PRIu64 " record%s with the sequence of another segment, the first at offset %" PRIu64,
                r->wrong_segment.count, plural(r->wrong_segment.count), r->wrong_segment.first);
    if (r->wrong_partition.count)
        finding(report, HF_WARNING, "wrong-partition", r->file, "its first record belongs to another day");
}

/* Ordinals from 1 without gaps; a run of missing ones is one finding. */
static void report_ordinals(struct report *report)
{
    const struct partition_check *p = report->partition;
    uint32_t next = 1;

    for (size_t i = 0; i < p->count; i++) {
        uint32_t ordinal = p->segments[i].ordinal;

        if (ordinal == next + 1)
            finding(report, report->damage, "segment-gap", NULL, "segment %03u is missing", next);
        else if (ordinal > next)
            finding(report, report->damage, "segment-gap", NULL, "segments %03u to %03u are missing", next,
                    ordinal - 1);
        next = ordinal + 1;
    }
}

static void report_current(struct report *report)
{
    const struct partition_check *p = report->partition;

    if (!p->current.present) {
        if (p->count && !p->sealed)
            finding(report, HF_WARNING, "no-current", NULL, "has segments, but no _CURRENT that names the last one");
        return;
    }
    uint32_t ordinal = p->current.data ? current_parse(p->current.data, p->current.size) : 0;
    if (!ordinal)
        finding(report, report->damage, "bad-current", "_CURRENT", "does not name a segment");
    else if (!partition_check_has(p, ordinal))
        finding(report, report->damage, "bad-current", "_CURRENT", "names segment %03u, which is not there", ordinal);
}

static const struct segment_result *find_segment(const struct partition_check *p, const char *file)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct segment_result *r = &p->segments[i];
        size_t length = strlen(r->file) - (r->gzipped ? strlen(".gz") : 0);

        if (strlen(file) == length && strncmp(r->file, file, length) == 0)
            return r;
    }
    return NULL;
}

static void compare_segment(struct report *report, const json_t *entry, size_t *matched)
{
    const char *file = json_string_value(json_object_get(entry, "file"));
    const char *checksum = json_string_value(json_object_get(entry, "checksum"));
    json_int_t count = json_integer_value(json_object_get(entry, "record_count"));
    json_int_t bytes = json_integer_value(json_object_get(entry, "size_bytes"));
    char crc[24];

    if (!file || strlen(file) >= SEGMENT_NAME_MAX) {
        finding(report, report->damage, "manifest-mismatch", "_manifest.json", "an entry names no segment");
        return;
    }
    const struct segment_result *r = find_segment(report->partition, file);
    if (!r) {
        finding(report, report->damage, "manifest-mismatch", file, "the manifest names it, but it is not there");
        return;
    }
    (*matched)++;
    uint64_t frames = r->records + r->bad_crc.count;
    if ((uint64_t)count != frames)
        finding(report, report->damage, "manifest-mismatch", r->file,
                "holds %" PRIu64 " records, the manifest says %" JSON_INTEGER_FORMAT, frames, count);
    if ((uint64_t)bytes != r->bytes)
        finding(report, report->damage, "manifest-mismatch", r->file,
                "holds %" PRIu64 " bytes, the manifest says %" JSON_INTEGER_FORMAT, r->bytes, bytes);
    snprintf(crc, sizeof(crc), "crc32:%08x", r->crc);
    if (!checksum || strcmp(checksum, crc) != 0)
        finding(report, report->damage, "manifest-mismatch", r->file, "has the checksum %s, the manifest says %.40s",
                crc, checksum ? checksum : "none");
}

static void compare_totals(struct report *report)
{
    const json_t *manifest = report->manifest;
    const struct partition_check *p = report->partition;
    json_int_t total = json_integer_value(json_object_get(manifest, "total_records"));
    const json_t *highwater = json_object_get(manifest, "highwater_sequence");
    const char *date = json_string_value(json_object_get(manifest, "partition_date"));
    uint64_t frames = 0;

    for (size_t i = 0; i < p->count; i++)
        frames += p->segments[i].records + p->segments[i].bad_crc.count;
    if ((uint64_t)total != frames)
        finding(report, report->damage, "manifest-mismatch", "_manifest.json",
                "says %" JSON_INTEGER_FORMAT " records, the segments hold %" PRIu64, total, frames);
    if (highwater && json_integer_value(highwater) != total)
        finding(report, report->damage, "manifest-mismatch", "_manifest.json",
                "says highwater_sequence %" JSON_INTEGER_FORMAT " and total_records %" JSON_INTEGER_FORMAT,
                json_integer_value(highwater), total);
    if (!date || strncmp(date, p->name, strlen("YYYY-MM-DD")) != 0)
        finding(report, report->damage, "manifest-mismatch", "_manifest.json", "is of the day '%.40s'",
                date ? date : "");
}

static void report_manifest(struct report *report)
{
    const struct partition_check *p = report->partition;
    size_t index, matched = 0;
    json_t *entry, *segments = json_object_get(report->manifest, "segments");

    if (!p->sealed)
        return;
    if (!p->manifest.present) {
        finding(report, report->damage, "manifest-missing", NULL, "is sealed, but has no _manifest.json");
        return;
    }
    if (!json_is_array(segments)) {
        finding(report, report->damage, "manifest-mismatch", "_manifest.json", "is not a manifest that can be read");
        return;
    }
    json_array_foreach(segments, index, entry)
    {
        compare_segment(report, entry, &matched);
    }
    if (matched < p->count || json_array_size(segments) > p->count)
        finding(report, report->damage, "manifest-mismatch", "_manifest.json",
                "has %zu entries, and names %zu of the %zu segments", json_array_size(segments), matched, p->count);
    compare_totals(report);
}

/* A torn tail is no damage in the last segment and in the one that _CURRENT names. Of a segment that can still be
 * written to it is left out of a backup, so what is stored and torn has whole frames behind the tear; and a sealed
 * segment must be as long as it was when it was sealed. */
static bool may_be_torn(const struct report *report, const struct segment_result *r, bool is_last)
{
    size_t index;
    json_t *entry;

    if (!is_last)
        return false;
    if (!report->partition->sealed)
        return r->gzipped;
    json_array_foreach(json_object_get(report->manifest, "segments"), index, entry)
    {
        const char *file = json_string_value(json_object_get(entry, "file"));

        if (file && find_segment(report->partition, file) == r)
            return (uint64_t)json_integer_value(json_object_get(entry, "size_bytes")) == r->bytes;
    }
    return false;
}

int partition_report(const struct hf_host *host, struct hf_ctx *ctx, struct partition_check *p, int damage)
{
    struct report report = {.host = host, .ctx = ctx, .partition = p, .damage = damage};
    uint32_t current = p->current.data ? current_parse(p->current.data, p->current.size) : 0;

    if (p->sealed && p->manifest.data)
        report.manifest = json_loadb(p->manifest.data, p->manifest.size, 0, NULL);
    partition_check_sort(p);
    for (size_t i = 0; i < p->count; i++) {
        const struct segment_result *r = &p->segments[i];

        report_frames(&report, r, may_be_torn(&report, r, i + 1 == p->count || r->ordinal == current));
        report_sequence(&report, r);
    }
    report_ordinals(&report);
    report_current(&report);
    report_manifest(&report);
    json_decref(report.manifest);
    return report.code;
}

int report_missing_days(const struct hf_host *host, struct hf_ctx *ctx, const char *const *names, size_t count)
{
    int64_t previous = 0, day = 0;

    for (size_t i = 0; i < count; i++, previous = day) {
        char first[16], last[16];
        int code = HF_OK;

        if (!partition_name_parse(names[i], &day) || i == 0 || day <= previous + 1)
            continue;
        day_format(previous + 1, first, sizeof(first));
        day_format(day - 1, last, sizeof(last));
        if (day == previous + 2)
            code = host->finding(ctx, HF_WARNING, "missing-day", first, "there is no partition for this day");
        else
            code = host->finding(ctx, HF_WARNING, "missing-day", first, "there are no partitions from %s to %s", first,
                                 last);
        if (code < 0)
            return code;
    }
    return HF_OK;
}
