/* SPDX-License-Identifier: Apache-2.0
 *
 * Publishing and removing with a failure or a crash at every call into the sink.
 */
#include "catalog/records.h"
#include "sample.h"

#include "base/cancel.h"

#include <string.h>

static struct memory_sink sink;
static struct hf_ctx ctx;

/* What must never change: another backup, one that lost its manifest, strangers. */
static char *untouched;

static bool aside; /* the sample has an artifact that stands aside */

static struct hf_manifest *make_sample(void)
{
    return aside ? sample_manifest_aside(SAMPLE_ID) : sample_manifest(SAMPLE_ID);
}

static void store_sample(void)
{
    struct hf_manifest *manifest = make_sample();

    sample_expect_ok(sample_publish(&ctx, &sink, manifest), &ctx);
    hf_manifest_free(manifest);
}

static void add_neighbours(void)
{
    sample_store(&sink, "sqlite_20260131_120000");
    sample_store(&sink, "sqlite_20260130_120000");
    memory_sink_unset(&sink, "sqlite_20260130_120000.manifest.json");
    memory_sink_set(&sink, "sqlite_notes.txt", "x", 1);
    memory_sink_set(&sink, "sqlite_other_20260201_120000.db.gz", "foreign, of the same id", 23);
    memory_sink_set(&sink, "ledger_20260201_120000.commit.json", "not ours", 8);
    memory_sink_set(&sink, "events_sqlite_20260130_120000.db.gz", "aside, of another time", 22);
    memory_sink_set(&sink, "holiday.jpg", "jpeg", 4);
}

static void setup(void)
{
    memory_sink_init(&sink, "local");
    ctx = (struct hf_ctx){0};
    add_neighbours();
    untouched = memory_sink_dump(&sink);
}

static void teardown(void)
{
    memory_sink_clear(&sink);
    hf_error_clear(&ctx.error);
    free(untouched);
}

static void sweep_ok(void)
{
    hf_error_clear(&ctx.error);
    sample_expect_ok(hf_catalog_sweep(&ctx, &sink.instance, "sqlite"), &ctx);
}

/* Dumps are too long for the messages that ck_assert_str_eq would make of them. */
static void expect_dump(const char *expected)
{
    hf_auto_free char *dump = memory_sink_dump(&sink);

    ck_assert_msg(strcmp(dump, expected) == 0, "the sink holds other objects than it must");
}

static void expect_gone(void)
{
    expect_dump(untouched);
}

static bool manifest_there(void)
{
    return memory_sink_at(&sink, SAMPLE_ID ".manifest.json") != NULL;
}

/* Whole means: exactly as a run without faults leaves it. */
static void expect_whole_or_gone(const char *whole)
{
    expect_dump(manifest_there() ? whole : untouched);
}

static void start_over(void)
{
    memory_sink_clear(&sink);
    memory_sink_init(&sink, "local");
    add_neighbours();
    memory_sink_restart(&sink);
}

/* What the sink holds after a publication without faults; *ret_calls: how many calls that took. */
static char *published(unsigned *ret_calls)
{
    char *dump;

    start_over();
    store_sample();
    *ret_calls = memory_sink_restart(&sink);
    dump = memory_sink_dump(&sink);
    start_over();
    return dump;
}

static struct hf_commit commit; /* of the last publish() */

static int publish(void)
{
    struct hf_manifest *manifest = make_sample();
    int rc;

    commit = (struct hf_commit){0};
    rc = sample_publish_in(&ctx, &sink, manifest, &commit);
    hf_manifest_free(manifest);
    return rc;
}

static int abort_sample(struct hf_ctx *own)
{
    struct hf_manifest *manifest = make_sample();
    int rc = hf_commit_abort(own, &sink.instance, manifest, &commit);

    hf_manifest_free(manifest);
    return rc;
}

static int begin_sample(const struct hf_manifest *manifest)
{
    commit = (struct hf_commit){0};
    return hf_commit_begin(&ctx, &sink.instance, manifest, &commit);
}

static char *record_text(const struct hf_manifest *manifest, const char *kind, const char *writer)
{
    struct hf_record record = hf_record_of(manifest, kind, writer);
    char *text = hf_record_text(&record);

    hf_record_clear(&record);
    return text;
}

static int remove_sample(void)
{
    struct hf_manifest *manifest = make_sample();
    int rc = hf_backup_remove(&ctx, &sink.instance, manifest);

    hf_manifest_free(manifest);
    return rc;
}

START_TEST(publish_and_remove)
{
    store_sample();
    ck_assert(manifest_there());
    ck_assert_ptr_null(memory_sink_at(&sink, SAMPLE_ID ".commit.json"));
    sweep_ok();
    ck_assert(manifest_there());
    ck_assert_uint_eq(sink.sweeps, 1);
    sample_expect_ok(remove_sample(), &ctx);
    expect_gone();
}
END_TEST

/* Crash at call n, and the machine comes up again: swept, the backup is whole or gone, and nothing else has changed. */
static void crash_everywhere(int (*act)(void), bool published_first, enum memory_fault fault)
{
    unsigned calls;
    hf_auto_free char *whole = published(&calls);
    bool seen_whole = false, seen_gone = false;

    for (unsigned n = 1;; n++) {
        int rc;

        start_over();
        if (published_first)
            store_sample();
        memory_sink_fault(&sink, n, fault);
        rc = act();
        if (sink.calls < sink.fault_at) { /* all calls have had their turn */
            ck_assert_int_eq(rc, HF_OK);
            break;
        }
        ck_assert_msg(rc == HF_E_IO && ctx.error.code == rc, "call %u: a failure became %d", n, rc);
        ck_assert_msg(sink.open_puts == NULL, "call %u: a put was neither committed nor aborted", n);
        memory_sink_restart(&sink);
        sweep_ok();
        expect_whole_or_gone(whole);
        ck_assert_msg(!published_first || manifest_there() || n > 1, "gone before anything was removed");
        (*(manifest_there() ? &seen_whole : &seen_gone)) = true;
    }
    ck_assert(seen_whole && seen_gone);
}

START_TEST(publishing_crashes)
{
    crash_everywhere(publish, false, MEMORY_CRASH_BEFORE);
    crash_everywhere(publish, false, MEMORY_CRASH_AFTER);
}
END_TEST

START_TEST(with_an_artifact_aside)
{
    aside = true;
    crash_everywhere(publish, false, MEMORY_CRASH_AFTER);
    crash_everywhere(remove_sample, true, MEMORY_CRASH_AFTER);
}
END_TEST

START_TEST(publishing_fails)
{
    crash_everywhere(publish, false, MEMORY_FAIL_ONCE);
}
END_TEST

START_TEST(removing_crashes)
{
    crash_everywhere(remove_sample, true, MEMORY_CRASH_BEFORE);
    crash_everywhere(remove_sample, true, MEMORY_CRASH_AFTER);
}
END_TEST

START_TEST(removing_fails)
{
    crash_everywhere(remove_sample, true, MEMORY_FAIL_ONCE);
}
END_TEST

/* The sweep crashes, too, at each of its own calls; the one after it finishes. */
static void crash_in_sweep(int (*act)(void), bool published_first)
{
    unsigned calls, sweeps_crashed = 0;
    hf_auto_free char *whole = published(&calls);

    for (unsigned n = 1; n <= calls + 2; n++)
        for (unsigned m = 1;; m++) {
            bool more;

            start_over();
            if (published_first)
                store_sample();
            memory_sink_fault(&sink, n, MEMORY_CRASH_AFTER);
            act();
            hf_error_clear(&ctx.error);
            memory_sink_restart(&sink);
            memory_sink_fault(&sink, m, m % 2 ? MEMORY_CRASH_AFTER : MEMORY_CRASH_BEFORE);
            more = hf_catalog_sweep(&ctx, &sink.instance, "sqlite") < 0;
            ck_assert(more == (ctx.error.code != 0));
            sweeps_crashed += more;
            memory_sink_restart(&sink);
            sweep_ok();
            expect_whole_or_gone(whole);
            if (!more)
                break;
        }
    ck_assert_uint_gt(sweeps_crashed, 50);
}

START_TEST(sweep_crashes)
{
    crash_in_sweep(publish, false);
    crash_in_sweep(remove_sample, true);
}
END_TEST

/* The run notices its failure and cleans up at once, even when it was cancelled. */
START_TEST(abort_after_failure)
{
    unsigned calls;
    hf_auto_free char *whole = published(&calls);
    struct hf_cancel cancel;

    sample_expect_ok(hf_cancel_init(&cancel, &ctx), &ctx);
    for (unsigned n = 1; n <= calls; n++) {
        struct hf_ctx cleanup = {.cancel = &cancel};

        start_over();
        memory_sink_fault(&sink, n, MEMORY_FAIL_ONCE);
        ck_assert_int_eq(publish(), HF_E_IO);
        hf_cancel_raise(&cancel, HF_CANCEL_SIGNAL);
        sample_expect_ok(abort_sample(&cleanup), &cleanup);
        sample_expect_ok(hf_commit_end(&cleanup, &sink.instance, SAMPLE_ID), &cleanup);
        hf_error_clear(&ctx.error);
        expect_whole_or_gone(whole);
    }
    hf_cancel_clear(&cancel);
}
END_TEST

/* Never over what is there, and never taking it along when cleaning up. */
START_TEST(taken_names)
{
    static const char *const keys[] = {"sqlite_events_20260201_120000.db.gz", SAMPLE_ID ".sha256",
                                       SAMPLE_ID ".manifest.json"};

    for (size_t i = 0; i < HF_COUNT(keys); i++) {
        hf_auto_free char *before = NULL;

        start_over();
        memory_sink_set(&sink, keys[i], "somebody's", 10);
        before = memory_sink_dump(&sink);
        ck_assert_int_eq(publish(), HF_E_EXISTS);
        ck_assert_ptr_nonnull(strstr(ctx.error.text, keys[i]));
        hf_error_clear(&ctx.error);
        sample_expect_ok(abort_sample(&ctx), &ctx);
        sweep_ok();
        expect_dump(before);
    }
}
END_TEST

/* Somebody puts a file there between the look and the commit: it is not ours to remove. */
START_TEST(stranger_after_commit_record)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID);

    sample_expect_ok(begin_sample(manifest), &ctx);
    memory_sink_set(&sink, manifest->artifacts[0].key, "stranger", 8);
    memory_sink_set(&sink, manifest->artifacts[1].key, manifest->artifacts[1].key, manifest->artifacts[1].bytes);
    sweep_ok();
    ck_assert_ptr_nonnull(memory_sink_at(&sink, manifest->artifacts[0].key));
    ck_assert_ptr_null(memory_sink_at(&sink, manifest->artifacts[1].key));
    ck_assert_ptr_null(memory_sink_at(&sink, SAMPLE_ID ".commit.json"));
    hf_manifest_free(manifest);
}
END_TEST

/* What the sink has locked stays, with its record, until it may go; no later run is kept from its work by that. */
START_TEST(locked_leftover)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID);

    sample_expect_ok(begin_sample(manifest), &ctx);
    for (size_t i = 0; i < manifest->artifact_count; i++)
        memory_sink_set(&sink, manifest->artifacts[i].key, manifest->artifacts[i].key, manifest->artifacts[i].bytes);
    sink.locked = manifest->artifacts[0].key;
    sweep_ok();
    ck_assert_ptr_nonnull(memory_sink_at(&sink, manifest->artifacts[0].key));
    ck_assert_ptr_nonnull(memory_sink_at(&sink, SAMPLE_ID ".commit.json"));
    sink.locked = NULL;
    sweep_ok();
    expect_gone();
    hf_manifest_free(manifest);
}
END_TEST

static void set_record(const char *kind, const char *writer)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID);
    hf_auto_free char *key = hf_record_key(SAMPLE_ID, kind), *text = record_text(manifest, kind, writer);

    memory_sink_set(&sink, key, text, strlen(text));
    hf_manifest_free(manifest);
}

static void set_artifacts(void)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID);

    for (size_t i = 0; i < manifest->artifact_count; i++)
        memory_sink_set(&sink, manifest->artifacts[i].key, manifest->artifacts[i].key, manifest->artifacts[i].bytes);
    hf_manifest_free(manifest);
}

static char ours[] = "11111111111111111111111111111111", theirs[] = "22222222222222222222222222222222";

static int64_t hours_ago(int hours)
{
    return hf_time_now_ms() - (int64_t)hours * 3600 * 1000;
}

/* What a run of another machine has begun is left alone while it may be alive, and not for ever. */
START_TEST(records_of_others)
{
    static const char *const kinds[] = {HF_COMMIT, HF_REMOVING};
    const int64_t young[] = {0, hours_ago(HF_OTHERS_AFTER_HOURS - 1), hours_ago(-1000)};

    for (size_t kind = 0; kind < HF_COUNT(kinds); kind++) {
        hf_auto_free char *before = NULL;

        start_over();
        sink.instance.writer = ours;
        set_record(kinds[kind], theirs);
        set_artifacts();
        before = memory_sink_dump(&sink);
        for (size_t i = 0; i < HF_COUNT(young); i++) {
            sink.modified_ms = young[i];
            sweep_ok();
            expect_dump(before);
        }
        sink.modified_ms = hours_ago(HF_OTHERS_AFTER_HOURS + 1);
        sweep_ok();
        expect_gone();
        /* In a sink that tells that there is nobody else, at once. */
        set_record(kinds[kind], theirs);
        set_artifacts();
        sink.modified_ms = 0;
        sink.sweep_result = HF_ALONE;
        sweep_ok();
        expect_gone();
    }
}
END_TEST

static int resume(const struct hf_manifest *manifest, bool *ret_had)
{
    for (size_t i = 0; i < manifest->artifact_count; i++)
        ret_had[i] = false;
    commit = (struct hf_commit){0};
    return hf_commit_resume(&ctx, &sink.instance, manifest, &commit, ret_had);
}

/* A copying of which the first artifact has come, and then nothing. */
static void half_copied(const struct hf_manifest *manifest)
{
    const char *key = manifest->artifacts[0].key;
    bool had[2];

    start_over();
    sink.instance.writer = ours;
    sample_expect_ok(resume(manifest, had), &ctx);
    ck_assert(commit.begun && !had[0] && !had[1]);
    memory_sink_set(&sink, key, key, strlen(key));
}

/* What a copying that was interrupted has brought waits for the next, and not for ever. */
START_TEST(copying_goes_on)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID);
    const int64_t gone[] = {0, hours_ago(HF_COPYING_HOURS + 1), hours_ago(-HF_COPYING_HOURS - 1)};
    const char *key = manifest->artifacts[0].key;
    hf_auto_free char *before = NULL;
    bool had[2];

    ck_assert_uint_eq(manifest->artifact_count, 2);
    half_copied(manifest);
    before = memory_sink_dump(&sink);
    for (int alone = 0; alone < 2; alone++) {
        sink.sweep_result = alone ? HF_ALONE : HF_OK;
        sink.modified_ms = hours_ago(HF_COPYING_HOURS - 1);
        sweep_ok();
        expect_dump(before);
    }
    sample_expect_ok(resume(manifest, had), &ctx);
    ck_assert(commit.begun && had[0] && !had[1]);
    sample_expect_ok(abort_sample(&ctx), &ctx);
    expect_gone();
    for (size_t i = 0; i < HF_COUNT(gone); i++) {
        half_copied(manifest);
        sink.modified_ms = gone[i];
        sweep_ok();
        expect_gone();
    }
    /* Something else is there under its name. */
    half_copied(manifest);
    memory_sink_set(&sink, key, "x", 1);
    ck_assert_int_eq(resume(manifest, had), HF_E_EXISTS);
    ck_assert(!commit.begun);
    hf_error_clear(&ctx.error);
    /* Now it is another backup that is copied. */
    half_copied(manifest);
    manifest->artifacts[1].bytes++;
    sample_expect_ok(resume(manifest, had), &ctx);
    ck_assert(commit.begun && !had[0] && !had[1]);
    ck_assert_ptr_null(memory_sink_at(&sink, key));
    hf_manifest_free(manifest);
}
END_TEST

/* Another machine's copying may take its hours, and nobody goes on with it. */
START_TEST(copying_of_others)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID);
    hf_auto_free char *before = NULL;
    bool had[2];

    half_copied(manifest);
    before = memory_sink_dump(&sink);
    sink.instance.writer = theirs;
    sink.modified_ms = hours_ago(HF_COPYING_HOURS - 1);
    sweep_ok();
    ck_assert_int_eq(resume(manifest, had), HF_E_BUSY);
    ck_assert(!commit.begun);
    hf_error_clear(&ctx.error);
    expect_dump(before);
    sink.modified_ms = hours_ago(HF_COPYING_HOURS + 1);
    sweep_ok();
    expect_gone();
    half_copied(manifest);
    sink.instance.writer = theirs;
    sink.sweep_result = HF_ALONE;
    sweep_ok();
    expect_gone();
    hf_manifest_free(manifest);
}
END_TEST

/* The record of a backup that another run is just completing is its own business, too. */
START_TEST(complete_but_recorded_by_others)
{
    hf_auto_free char *before = NULL;

    store_sample();
    sink.instance.writer = ours;
    set_record(HF_COMMIT, theirs);
    before = memory_sink_dump(&sink);
    sweep_ok();
    expect_dump(before);
    sink.modified_ms = hours_ago(HF_OTHERS_AFTER_HOURS + 1);
    sweep_ok();
    ck_assert(manifest_there());
    ck_assert_ptr_null(memory_sink_at(&sink, SAMPLE_ID ".commit.json"));
}
END_TEST

/* Taken back at each of its steps, a run fails, says so, and leaves nothing; or it has won, and the backup is whole. */
START_TEST(taken_back_while_publishing)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID);
    hf_auto_free char *text = NULL;
    size_t size;

    text = hf_manifest_write(manifest, &size);
    for (size_t put = 0; put <= manifest->artifact_count; put++) {
        start_over();
        sink.instance.writer = ours;
        sample_expect_ok(begin_sample(manifest), &ctx);
        for (size_t i = 0; i < manifest->artifact_count; i++) {
            const char *key = manifest->artifacts[i].key;

            if (i == put) {
                sink.instance.writer = theirs;
                sink.modified_ms = hours_ago(HF_OTHERS_AFTER_HOURS + 1);
                sweep_ok();
                expect_gone();
                sink.instance.writer = ours;
            }
            memory_sink_set(&sink, key, key, strlen(key));
        }
        if (put == manifest->artifact_count) {
            sample_expect_ok(hf_commit_show(&ctx, &sink.instance, SAMPLE_ID, text, size, &commit), &ctx);
            memory_sink_unset(&sink, SAMPLE_ID ".commit.json"); /* as a sweep that saw no manifest does */
        }
        ck_assert_int_eq(put == manifest->artifact_count ||
                             hf_commit_show(&ctx, &sink.instance, SAMPLE_ID, text, size, &commit) == HF_E_FAIL,
                         true);
        ck_assert(put == manifest->artifact_count || strstr(ctx.error.text, "another run took backup") != NULL);
        hf_error_clear(&ctx.error);
        sample_expect_ok(abort_sample(&ctx), &ctx);
        expect_gone();
    }
    hf_manifest_free(manifest);
}
END_TEST

/* Another run has begun to store a backup under the same name since: nothing of that is ours to remove. */
START_TEST(taken_back_and_stored_anew)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID);
    hf_auto_free char *before = NULL;

    sink.instance.writer = ours;
    sample_expect_ok(begin_sample(manifest), &ctx);
    memory_sink_unset(&sink, SAMPLE_ID ".commit.json");
    set_record(HF_COMMIT, theirs);
    set_artifacts();
    before = memory_sink_dump(&sink);
    ck_assert_int_eq(hf_commit_show(&ctx, &sink.instance, SAMPLE_ID, "{}", 2, &commit), HF_E_FAIL);
    hf_error_clear(&ctx.error);
    sample_expect_ok(abort_sample(&ctx), &ctx);
    expect_dump(before);
    hf_manifest_free(manifest);
}
END_TEST

/* Crashed while it took another's commit back, at any call: the next sweep goes on. */
START_TEST(taking_over_crashes)
{
    bool more = true;

    for (unsigned n = 1; more; n++) {
        start_over();
        sink.instance.writer = ours;
        sink.modified_ms = hours_ago(HF_OTHERS_AFTER_HOURS + 1);
        set_record(HF_COMMIT, theirs);
        set_artifacts();
        memory_sink_fault(&sink, n, n % 2 ? MEMORY_CRASH_AFTER : MEMORY_CRASH_BEFORE);
        more = hf_catalog_sweep(&ctx, &sink.instance, "sqlite") < 0;
        memory_sink_restart(&sink);
        sweep_ok();
        sweep_ok();
        expect_gone();
    }
}
END_TEST

START_TEST(removed_by_another)
{
    hf_auto_free char *before = NULL;

    store_sample();
    sink.instance.writer = ours;
    set_record(HF_REMOVING, theirs);
    before = memory_sink_dump(&sink);
    ck_assert_int_eq(remove_sample(), HF_E_BUSY);
    hf_error_clear(&ctx.error);
    expect_dump(before);
}
END_TEST

/* Another run has removed the backup while this one verified it. */
START_TEST(verified_when_gone)
{
    struct hf_verified verified = {HF_LEVEL_CONTENT, true, SAMPLE_MS, 0};

    store_sample();
    sample_expect_ok(remove_sample(), &ctx);
    sample_expect_ok(hf_verified_write(&ctx, &sink.instance, SAMPLE_ID, &verified), &ctx);
    expect_gone();
}
END_TEST

START_TEST(lost_manifest)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID);
    struct hf_verified verified = {HF_LEVEL_CONTENT, true, SAMPLE_MS, 0};
    hf_auto_free char *before = NULL, *record = record_text(manifest, HF_COMMIT, NULL);

    store_sample();
    sample_expect_ok(hf_verified_write(&ctx, &sink.instance, SAMPLE_ID, &verified), &ctx);
    memory_sink_unset(&sink, SAMPLE_ID ".manifest.json");
    before = memory_sink_dump(&sink);
    sweep_ok();
    /* even when a record was left over: a verified backup had been complete */
    memory_sink_set(&sink, SAMPLE_ID ".commit.json", record, strlen(record));
    sweep_ok();
    expect_dump(before);
    hf_manifest_free(manifest);
}
END_TEST

/* Records that somebody made up, or that a disk spoiled, remove nothing. */
START_TEST(hostile_records)
{
    static const char *const objects[] = {
        "{\"key\": \"sqlite_events_20260131_120000.db.gz\", \"bytes\": 35}",
        "{\"key\": \"sqlite_20260131_120000.manifest.json\", \"bytes\": 0}",
        "{\"key\": \"" SAMPLE_ID ".manifest.json\", \"bytes\": 0}",
        "{\"key\": \"events_sqlite_20260130_120000.db.gz\", \"bytes\": 22}",
        "{\"key\": \"holiday.jpg\", \"bytes\": 4}",
        "{\"key\": \"../holiday.jpg\", \"bytes\": 4}",
        "{\"key\": \"\", \"bytes\": 4}",
        "{\"key\": \"sqlite_other_20260201_120000.db.gz\"}",
        "7",
        "], \"writer\": 7, \"x\": [",
        "], \"writer\": \"11111111111111111111111111111111\", \"writer\": \"\", \"x\": [",
    };
    static const char *const kinds[] = {"commit", "removing"};

    for (size_t kind = 0; kind < HF_COUNT(kinds); kind++)
        for (size_t i = 0; i < HF_COUNT(objects); i++) {
            hf_auto_free char *key = hf_strf("%s.%s.json", SAMPLE_ID, kinds[kind]), *before = NULL;
            hf_auto_free char *record = hf_strf("{\"schema\": 1, \"kind\": \"%s\", \"id\": \"%s\", \"objects\": [%s]}",
                                                kinds[kind], SAMPLE_ID, objects[i]);

            start_over();
            memory_sink_set(&sink, key, record, strlen(record));
            before = memory_sink_dump(&sink);
            sweep_ok();
            expect_dump(before);
        }
}
END_TEST

START_TEST(record_of_another_kind_or_backup)
{
    struct hf_manifest *manifest = sample_manifest("sqlite_20260131_120000");
    hf_auto_free char *record = record_text(manifest, HF_REMOVING, NULL), *before = NULL;

    memory_sink_set(&sink, "sqlite_20260130_120000.removing.json", record, strlen(record));
    memory_sink_set(&sink, "sqlite_20260130_120000.commit.json", record, strlen(record));
    before = memory_sink_dump(&sink);
    sweep_ok();
    expect_dump(before);
    hf_manifest_free(manifest);
}
END_TEST

START_TEST(bad_manifest_is_not_published)
{
    struct hf_manifest *manifest = sample_manifest(SAMPLE_ID);

    manifest->artifacts[0].parts[1].raw_offset++;
    ck_assert_int_eq(begin_sample(manifest), HF_E_CORRUPT);
    hf_error_clear(&ctx.error);
    expect_gone();
    hf_manifest_free(manifest);
}
END_TEST

START_TEST(objects)
{
    hf_auto_free char *large = hf_alloc(3000001), *data = NULL;
    size_t size = 0;
    bool there = true;
    uint64_t bytes = 1;

    memset(large, 'x', 3000000);
    sample_expect_ok(hf_object_write(&ctx, &sink.instance, "big", "text/plain", large, 3000000), &ctx);
    sample_expect_ok(hf_object_read(&ctx, &sink.instance, "big", 3000000, &data, &size), &ctx);
    ck_assert_uint_eq(size, 3000000);
    ck_assert_str_eq(data, large);
    sample_expect_ok(hf_object_stat(&ctx, &sink.instance, "big", &there, &bytes), &ctx);
    ck_assert(there && bytes == 3000000);
    free(hf_steal(data));
    ck_assert_int_eq(hf_object_read(&ctx, &sink.instance, "big", 2999999, &data, &size), HF_E_CORRUPT);
    hf_error_clear(&ctx.error);
    ck_assert_int_eq(hf_object_write(&ctx, &sink.instance, "big", "text/plain", "y", 1), HF_E_EXISTS);
    hf_error_clear(&ctx.error);
    sample_expect_ok(hf_object_write(&ctx, &sink.instance, "none", "text/plain", "", 0), &ctx);
    sample_expect_ok(hf_object_read(&ctx, &sink.instance, "none", 0, &data, &size), &ctx);
    ck_assert(size == 0 && data[0] == '\0');
    sample_expect_ok(hf_object_remove(&ctx, &sink.instance, "none"), &ctx);
    sample_expect_ok(hf_object_remove(&ctx, &sink.instance, "none"), &ctx);
    sample_expect_ok(hf_object_stat(&ctx, &sink.instance, "none", &there, NULL), &ctx);
    ck_assert(!there);
    ck_assert_int_eq(hf_object_read(&ctx, &sink.instance, "none", 10, &data, &size), HF_E_NOTFOUND);
    ck_assert_str_eq(ctx.error.text, "sink local: no object 'none'");
}
END_TEST

Suite *suite_commit(void)
{
    Suite *suite = suite_create("commit");
    TCase *tcase = tcase_create("commit");

    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, publish_and_remove);
    tcase_add_test(tcase, publishing_crashes);
    tcase_add_test(tcase, with_an_artifact_aside);
    tcase_add_test(tcase, publishing_fails);
    tcase_add_test(tcase, removing_crashes);
    tcase_add_test(tcase, removing_fails);
    tcase_add_test(tcase, sweep_crashes);
    tcase_add_test(tcase, abort_after_failure);
    tcase_add_test(tcase, taken_names);
    tcase_add_test(tcase, stranger_after_commit_record);
    tcase_add_test(tcase, locked_leftover);
    tcase_add_test(tcase, records_of_others);
    tcase_add_test(tcase, copying_goes_on);
    tcase_add_test(tcase, copying_of_others);
    tcase_add_test(tcase, complete_but_recorded_by_others);
    tcase_add_test(tcase, taken_back_while_publishing);
    tcase_add_test(tcase, taken_back_and_stored_anew);
    tcase_add_test(tcase, taking_over_crashes);
    tcase_add_test(tcase, removed_by_another);
    tcase_add_test(tcase, verified_when_gone);
    tcase_add_test(tcase, lost_manifest);
    tcase_add_test(tcase, hostile_records);
    tcase_add_test(tcase, record_of_another_kind_or_backup);
    tcase_add_test(tcase, bad_manifest_is_not_published);
    tcase_add_test(tcase, objects);
    suite_add_tcase(suite, tcase);
    return suite;
}
