/* SPDX-License-Identifier: Apache-2.0
 *
 * The pipeline: order, digests, index, backpressure, and every way to fail.
 */
#include "pipeline/crew.h"
#include "pipeline/part_reader.h"
#include "rig.h"
#include "suites.h"

#include <check.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

static void sha256(const void *data, size_t size, char ret_hex[HF_SHA256_HEX])
{
    unsigned char bytes[32];
    unsigned length = 0;

    ck_assert_int_eq(EVP_Digest(data, size, bytes, &length, EVP_sha256(), NULL), 1);
    hf_text_hex(bytes, length, ret_hex);
}

static void shuffle_sizes(struct rig *rig, size_t parts, size_t largest, unsigned seed)
{
    srand(seed);
    rig->part_count = parts;
    for (size_t i = 0; i < parts; i++)
        rig->sizes[i] = i % 5 == 4 ? 0 : (size_t)rand() % largest;
}

static void commit_all(struct rig *rig)
{
    for (size_t i = 0; i < rig->sink_count; i++)
        ck_assert_int_eq(hf_fanout_commit(rig->fanout, &rig->ctx, i), HF_OK);
}

/* The raw bytes of parts first..last-1, as the source makes them. */
static unsigned char *raw_of(const struct rig *rig, size_t first, size_t last, size_t *ret_size)
{
    unsigned char *raw;
    size_t size = 0;

    for (size_t i = first; i < last; i++)
        size += rig->sizes[i];
    raw = hf_alloc(size + 1);
    *ret_size = size;
    size = 0;
    for (size_t i = first; i < last; i++) {
        rig_fill(i, 0, raw + size, rig->sizes[i]);
        size += rig->sizes[i];
    }
    return raw;
}

static void check_artifact(struct rig *rig, const struct hf_manifest_artifact *artifact, size_t first, size_t last)
{
    const struct memory_object *object = memory_sink_at(&rig->sinks[0], artifact->key);
    size_t size;
    hf_auto_free unsigned char *raw = raw_of(rig, first, last, &size);
    struct hf_chain chain = rig_chain(rig);
    struct hf_shelf *shelf = hf_shelf_new(&rig->sinks[0].instance, &chain, rig->manifest);
    char hex[HF_SHA256_HEX];

    ck_assert_ptr_nonnull(object);
    ck_assert_uint_eq(artifact->bytes, object->size);
    ck_assert_uint_eq(artifact->raw_bytes, size);
    sha256(object->data, object->size, hex);
    ck_assert_str_eq(artifact->sha256, hex);
    sha256(raw, size, hex);
    ck_assert_str_eq(artifact->raw_sha256, hex);
    ck_assert_uint_eq(artifact->part_count, last - first);
    if (rig->layer_count > 0)
        ck_assert_mem_eq(object->data, "{L}", 3);
    else if (rig->stage.loaded == NULL)
        ck_assert_mem_eq(object->data, raw, size);
    else
        ck_assert_int_eq(object->data[0] == '<' && object->data[object->size - 1] == '>', 1);
    /* Each part alone, from its range. */
    for (size_t i = first; i < last; i++) {
        const struct hf_manifest_part *part = &artifact->parts[i - first];
        hf_auto_free unsigned char *got = hf_alloc(part->raw_size + 1);
        struct hf_part_reader *reader = NULL;
        size_t have = 0;
        int64_t n;

        ck_assert_uint_eq(part->raw_size, rig->sizes[i]);
        ck_assert_msg(hf_part_reader_open(&rig->ctx, shelf, artifact, part, &reader) == HF_OK, "%s",
                      rig->ctx.error.text);
        while ((n = hf_part_reader_base(reader)->read(hf_part_reader_base(reader), got + have,
                                                      part->raw_size + 1 - have)) > 0)
            have += (size_t)n;
        ck_assert_msg(n == 0, "%s", rig->ctx.error.text);
        ck_assert_uint_eq(have, part->raw_size);
        ck_assert_mem_eq(got, raw + part->raw_offset, have);
        hf_part_reader_close(reader);
    }
    /* Each layer once, however many parts there are. */
    ck_assert_int_eq(atomic_exchange(&rig->seeks_made, 0), (int)rig->layer_count);
    hf_shelf_free(shelf);
    hf_chain_clear(&chain);
    ck_assert_int_eq(atomic_load(&rig->seeks_open), 0);
}

START_TEST(lays_parts_down_in_order)
{
    struct rig rig;
    int jobs = 1 + _i % 4, workers = 1 + _i / 4 % 3;
    bool stage = _i % 2;

    rig_init(&rig, 2, stage);
    shuffle_sizes(&rig, 30, 900000, (unsigned)_i);
    rig.slow_first = _i % 3 == 0;
    ck_assert_int_eq(rig_run(&rig, jobs, workers), HF_OK);
    commit_all(&rig);
    ck_assert_uint_eq(rig.manifest->artifact_count, 1);
    ck_assert_uint_eq(rig.manifest->artifacts[0].parts[7].cost, 7000); /* what the source says */
    check_artifact(&rig, &rig.manifest->artifacts[0], 0, 30);
    ck_assert_mem_eq(rig.sinks[0].objects[0].data, rig.sinks[1].objects[0].data, rig.sinks[0].objects[0].size);
    ck_assert_int_le(atomic_load(&rig.most_running), jobs);
    rig_clear(&rig);
}
END_TEST

/* Chunk stages behind a block stage, and without one; one behind the other. */
START_TEST(lays_layers_on_each_other)
{
    static const char *const names[] = {"alpha", "beta"};
    static const char *const suffixes[] = {".lay", ".lay.lay", ".lay.lay.lay"};
    struct rig rig;
    hf_auto_free char *key = NULL;

    rig_init(&rig, 1, _i % 2);
    rig.layer_count = 1 + (size_t)_i / 2;
    shuffle_sizes(&rig, 30, 100000, (unsigned)_i);
    rig.sizes[4] = 0;
    rig.sizes[9] = 4096;
    for (size_t i = 0; i < 30; i++)
        rig.artifacts[i] = names[i / 15];
    ck_assert_msg(rig_run(&rig, 3, 2) == HF_OK, "%s", rig.ctx.error.text);
    commit_all(&rig);
    key = hf_strf("rig_alpha_20260201_120000.bin%s%s", _i % 2 ? ".inv" : "", suffixes[_i / 2]);
    ck_assert_str_eq(rig.manifest->artifacts[0].key, key);
    rig.manifest->stages = hf_alloc_array(4, sizeof(*rig.manifest->stages));
    rig.manifest->stage_count = rig.layer_count + (_i % 2);
    ck_assert_msg(hf_manifest_check(&rig.ctx, "it", rig.manifest) == HF_OK, "%s", rig.ctx.error.text);
    check_artifact(&rig, &rig.manifest->artifacts[0], 0, 15);
    check_artifact(&rig, &rig.manifest->artifacts[1], 15, 30);
    rig_clear(&rig);
}
END_TEST

/* An artifact of nothing, and of exactly so many chunks. */
START_TEST(ends_layers_exactly)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8192, 3 * 4096};
    struct rig rig;

    rig_init(&rig, 1, false);
    rig.layer_count = 2;
    rig.part_count = 1;
    rig.sizes[0] = sizes[_i];
    strcpy(rig.names[0], "p0");
    ck_assert_msg(rig_run(&rig, 1, 1) == HF_OK, "%s", rig.ctx.error.text);
    commit_all(&rig);
    if (sizes[_i] > 0)
        check_artifact(&rig, &rig.manifest->artifacts[0], 0, 1);
    else
        ck_assert_uint_eq(rig.manifest->artifacts[0].bytes, 3 + 9 + 3 + 9);
    rig_clear(&rig);
}
END_TEST

START_TEST(finds_damage_below_layers)
{
    struct rig rig;
    struct hf_part_reader *reader = NULL;
    struct hf_manifest_artifact *artifact;
    struct memory_object *object;
    struct hf_chain chain;
    struct hf_shelf *shelf;
    int rc;

    rig_init(&rig, 1, true);
    rig.layer_count = 2;
    shuffle_sizes(&rig, 5, 50000, 3);
    rig.sizes[2] = 30000;
    ck_assert_int_eq(rig_run(&rig, 1, 1), HF_OK);
    commit_all(&rig);
    artifact = &rig.manifest->artifacts[0];
    object = &rig.sinks[0].objects[0];
    switch (_i) {
    case 0: /* the outer head */
        object->data[0] ^= 1;
        break;
    case 1: /* the inner head, behind the outer and a chunk's prefix */
        object->data[3 + 9] ^= 1;
        break;
    case 2: /* shorter than the manifest says */
        object->size = 20000;
        break;
    case 3: /* a size in which the part cannot lie */
        artifact->bytes = 20000;
        break;
    default: /* a place that is not there */
        artifact->parts[2].stored_offset = (uint64_t)INT64_MAX;
    }
    chain = rig_chain(&rig);
    shelf = hf_shelf_new(&rig.sinks[0].instance, &chain, rig.manifest);
    rc = hf_part_reader_open(&rig.ctx, shelf, artifact, &artifact->parts[2], &reader);
    if (rc == HF_OK)
        rc = hf_part_reader_finish(reader);
    ck_assert_int_eq(rc, HF_E_CORRUPT);
    hf_part_reader_close(reader);
    hf_shelf_free(shelf);
    hf_chain_clear(&chain);
    rig_clear(&rig);
}
END_TEST

START_TEST(makes_one_object_per_artifact)
{
    static const char *const names[] = {"alpha", "beta", "gamma"};
    struct rig rig;

    rig_init(&rig, 1, true);
    shuffle_sizes(&rig, 30, 200000, 7);
    for (size_t i = 0; i < 30; i++)
        rig.artifacts[i] = names[i / 10];
    ck_assert_int_eq(rig_run(&rig, 3, 2), HF_OK);
    commit_all(&rig);
    ck_assert_uint_eq(rig.manifest->artifact_count, 3);
    for (size_t a = 0; a < 3; a++)
        check_artifact(&rig, &rig.manifest->artifacts[a], a * 10, a * 10 + 10);
    ck_assert_str_eq(rig.manifest->artifacts[1].key, "rig_beta_20260201_120000.bin.inv");
    rig_clear(&rig);
}
END_TEST

START_TEST(works_on_several_parts_at_once)
{
    struct rig rig;

    rig_init(&rig, 1, true);
    shuffle_sizes(&rig, 20, 400000, 3);
    rig.sizes[0] = 400000;
    rig.slow_first = true;
    ck_assert_int_eq(rig_run(&rig, 3, 1), HF_OK);
    ck_assert_int_gt(atomic_load(&rig.most_running), 1);
    rig_clear(&rig);
}
END_TEST

START_TEST(is_serial_for_a_serial_source)
{
    struct rig rig;

    rig_init(&rig, 1, true);
    shuffle_sizes(&rig, 20, 300000, 3);
    pthread_mutex_init(&rig.source.own_lock, NULL);
    rig.source.gate = &rig.source.own_lock;
    ck_assert_int_eq(rig_run(&rig, 4, 2), HF_OK);
    ck_assert_int_eq(atomic_load(&rig.most_running), 1);
    rig_clear(&rig);
}
END_TEST

/* Later parts must not fill the memory that the first one needs. */
START_TEST(does_not_lock_up_when_later_parts_overtake)
{
    struct rig rig;

    rig_init(&rig, 1, _i % 2);
    rig.part_count = 8;
    for (size_t i = 0; i < 8; i++)
        rig.sizes[i] = 24 * 1024 * 1024;
    rig.sizes[0] = 2 * 1024 * 1024;
    rig.slow_first = true;
    ck_assert_int_eq(rig_run(&rig, 8, 1), HF_OK);
    commit_all(&rig);
    rig_clear(&rig);
}
END_TEST

START_TEST(names_the_cause_when_a_part_fails)
{
    struct rig rig;

    rig_init(&rig, 2, true);
    rig.layer_count = (size_t)_i;
    shuffle_sizes(&rig, 20, 500000, 11);
    rig.sizes[9] = 500000;
    rig.fail_at = 9;
    ck_assert_int_eq(rig_run(&rig, 3, 2), HF_E_IO);
    ck_assert_ptr_nonnull(strstr(rig.ctx.error.text, "source rig: the disk is on fire"));
    hf_fanout_free(hf_steal(rig.fanout));
    ck_assert_uint_eq(rig.sinks[0].count, 0);
    ck_assert_ptr_null(rig.sinks[0].open_puts);
    rig_clear(&rig);
}
END_TEST

/* The first chunk, one in the middle while much more is on its way, and the last, which is made when all else is done.
 */
START_TEST(names_the_cause_when_a_layer_fails)
{
    static const uint64_t places[] = {0, 300, 1220};
    struct rig rig;

    rig_init(&rig, 2, false);
    rig.layer_count = 1 + (size_t)_i / 3;
    rig.part_count = 10;
    for (size_t i = 0; i < rig.part_count; i++)
        rig.sizes[i] = 500000;
    rig.layer_fails_at = places[_i % 3];
    ck_assert_int_eq(rig_run(&rig, 3, 2), HF_E_IO);
    ck_assert_msg(strstr(rig.ctx.error.text, "the layer tore") != NULL, "%s", rig.ctx.error.text);
    hf_fanout_free(hf_steal(rig.fanout));
    ck_assert_uint_eq(rig.sinks[0].count, 0);
    ck_assert_ptr_null(rig.sinks[0].open_puts);
    rig_clear(&rig);
}
END_TEST

START_TEST(a_required_sink_that_fails_stops_all)
{
    struct rig rig;

    rig_init(&rig, 2, true);
    rig.layer_count = (size_t)_i / 8;
    shuffle_sizes(&rig, 20, 500000, 13);
    memory_sink_fault(&rig.sinks[1], 1 + (unsigned)(_i % 8) * 3, MEMORY_CRASH_BEFORE);
    ck_assert_int_eq(rig_run(&rig, 2, 2), HF_E_IO);
    ck_assert_ptr_nonnull(strstr(rig.ctx.error.text, "two"));
    hf_fanout_free(hf_steal(rig.fanout));
    ck_assert_uint_eq(rig.sinks[0].count, 0);
    ck_assert_ptr_null(rig.sinks[0].open_puts);
    rig_clear(&rig);
}
END_TEST

START_TEST(an_optional_sink_that_fails_is_dropped)
{
    struct rig rig;

    rig_init(&rig, 2, true);
    rig.layer_count = (size_t)_i / 8;
    shuffle_sizes(&rig, 20, 500000, 13);
    rig.sinks[1].instance.required = false;
    memory_sink_fault(&rig.sinks[1], 1 + (unsigned)(_i % 8) * 3, MEMORY_FAIL_ONCE);
    ck_assert_int_eq(rig_run(&rig, 2, 2), HF_OK);
    ck_assert_ptr_null(hf_fanout_dropped(rig.fanout, 0));
    ck_assert_ptr_nonnull(hf_fanout_dropped(rig.fanout, 1));
    ck_assert_int_eq(hf_fanout_commit(rig.fanout, &rig.ctx, 0), HF_OK);
    check_artifact(&rig, &rig.manifest->artifacts[0], 0, 20);
    ck_assert_uint_eq(rig.sinks[1].count, 0);
    ck_assert_ptr_null(rig.sinks[1].open_puts);
    rig_clear(&rig);
}
END_TEST

START_TEST(fails_when_every_optional_sink_fails)
{
    struct rig rig;

    rig_init(&rig, 1, true);
    shuffle_sizes(&rig, 5, 100000, 1);
    rig.sinks[0].instance.required = false;
    memory_sink_fault(&rig.sinks[0], 1, MEMORY_FAIL_ONCE);
    ck_assert_int_eq(rig_run(&rig, 1, 1), HF_E_IO);
    ck_assert_ptr_nonnull(strstr(rig.ctx.error.text, "every sink failed"));
    rig_clear(&rig);
}
END_TEST

static void *raise_soon(void *arg)
{
    usleep(20000);
    hf_cancel_raise(arg, HF_CANCEL_SIGNAL);
    return NULL;
}

START_TEST(stops_when_told_to)
{
    struct rig rig;
    pthread_t thread;

    rig_init(&rig, 1, _i < 4);
    rig.layer_count = (size_t)_i / 2;
    rig.part_count = 60;
    for (size_t i = 0; i < 60; i++)
        rig.sizes[i] = 30 * 1024 * 1024;
    rig.swallow = _i % 2; /* even when the source does not listen */
    ck_assert_int_eq(pthread_create(&thread, NULL, raise_soon, &rig.cancel), 0);
    ck_assert_int_eq(rig_run(&rig, 2, 2), HF_E_CANCELLED);
    pthread_join(thread, NULL);
    hf_fanout_free(hf_steal(rig.fanout));
    ck_assert_uint_eq(rig.sinks[0].count, 0);
    rig_clear(&rig);
}
END_TEST

START_TEST(reading_finds_damage)
{
    struct rig rig;
    struct hf_manifest_part part;
    struct hf_part_reader *reader = NULL;
    struct memory_object *object;
    struct hf_chain chain;
    struct hf_shelf *shelf;

    rig_init(&rig, 1, true);
    shuffle_sizes(&rig, 8, 300000, 21);
    rig.sizes[2] = 250000;
    ck_assert_int_eq(rig_run(&rig, 2, 2), HF_OK);
    commit_all(&rig);
    part = rig.manifest->artifacts[0].parts[2];
    object = &rig.sinks[0].objects[0];
    switch (_i) {
    case 0: /* one bit of the data */
        object->data[part.stored_offset + part.stored_size / 2] ^= 1;
        break;
    case 1: /* a block less */
        part.stored_size -= 250000 % (64 * 1024) + 4;
        break;
    case 2: /* a byte less */
        part.stored_size--;
        break;
    case 3: /* another digest */
        part.xxh128[0] = part.xxh128[0] == '0' ? '1' : '0';
        break;
    case 4: /* a size that is too small */
        part.raw_size--;
        break;
    case 5: /* a size that is too large */
        part.raw_size++;
        break;
    default: /* the object ends within the part */
        object->size = part.stored_offset + 100;
    }
    chain = rig_chain(&rig);
    shelf = hf_shelf_new(&rig.sinks[0].instance, &chain, rig.manifest);
    ck_assert_int_eq(hf_part_reader_open(&rig.ctx, shelf, &rig.manifest->artifacts[0], &part, &reader), HF_OK);
    ck_assert_int_eq(hf_part_reader_finish(reader), HF_E_CORRUPT);
    ck_assert_int_eq(hf_part_reader_failed(reader), HF_E_CORRUPT);
    /* It stays failed: nobody can read on as if nothing were. */
    ck_assert_int_eq(hf_part_reader_finish(reader), HF_E_CORRUPT);
    hf_part_reader_close(reader);
    hf_shelf_free(shelf);
    hf_chain_clear(&chain);
    rig_clear(&rig);
}
END_TEST

/* --- the crew --- */

struct log {
    pthread_mutex_t lock;
    const struct hf_manifest_part *order[RIG_PARTS_MAX];
    size_t count;
    int running_phase[4];
    bool mixed;
};

static int note(void *arg, struct hf_ctx *ctx, const struct hf_task *task)
{
    struct log *log = arg;

    (void)ctx;
    pthread_mutex_lock(&log->lock);
    log->order[log->count++] = task->part;
    log->running_phase[task->part->phase]++;
    for (unsigned phase = 0; phase < 4; phase++)
        if (phase != task->part->phase && log->running_phase[phase] > 0)
            log->mixed = true;
    if (log->running_phase[3] > 1)
        log->mixed = true;
    pthread_mutex_unlock(&log->lock);
    usleep(500);
    pthread_mutex_lock(&log->lock);
    log->running_phase[task->part->phase]--;
    pthread_mutex_unlock(&log->lock);
    return HF_OK;
}

START_TEST(a_crew_keeps_phases_apart)
{
    struct hf_manifest_part parts[40] = {0};
    struct hf_manifest_artifact artifact = {.parts = parts, .part_count = 40};
    struct hf_task tasks[40];
    struct log log = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct hf_crew crew = {.tasks = tasks, .count = 40, .threads = 4, .phased = true, .work = note, .arg = &log};
    struct hf_ctx ctx = {0};

    for (size_t i = 0; i < 40; i++) {
        parts[i].phase = (uint32_t)(i * 7 % 4);
        parts[i].raw_size = i * 37 % 11;
        tasks[i] = (struct hf_task){.artifact = &artifact, .part = &parts[i]};
    }
    ck_assert_int_eq(hf_crew_run(&crew, &ctx), HF_OK);
    ck_assert_uint_eq(log.count, 40);
    ck_assert(!log.mixed);
    for (size_t i = 1; i < 40; i++)
        ck_assert_uint_le(log.order[i - 1]->phase, log.order[i]->phase);
    for (size_t i = 1; i < 40; i++) /* phase 3 in the artifact's own order */
        if (log.order[i - 1]->phase == 3)
            ck_assert(log.order[i - 1] < log.order[i]);
}
END_TEST

static int fail_some(void *arg, struct hf_ctx *ctx, const struct hf_task *task)
{
    atomic_fetch_add((atomic_int *)arg, 1);
    if (task->part->raw_size > 3) /* so that the other thread cannot finish all of them before this one has failed */
        usleep(2000);
    return task->part->raw_size == 3 ? hf_fail(ctx, HF_E_CORRUPT, "three is bad") : HF_OK;
}

START_TEST(a_crew_reports_the_first_failure)
{
    struct hf_manifest_part parts[20] = {0};
    struct hf_task tasks[20];
    atomic_int worked = 0;
    struct hf_crew crew = {
        .tasks = tasks, .count = 20, .threads = 2, .keep_going = _i, .work = fail_some, .arg = &worked};
    struct hf_ctx ctx = {0};

    for (size_t i = 0; i < 20; i++) {
        parts[i].raw_size = i;
        tasks[i].part = &parts[i];
    }
    ck_assert_int_eq(hf_crew_run(&crew, &ctx), HF_E_CORRUPT);
    ck_assert_str_eq(ctx.error.text, "three is bad");
    if (_i)
        ck_assert_int_eq(worked, 20);
    else
        ck_assert_int_lt(worked, 20);
    hf_error_clear(&ctx.error);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pipeline");
    TCase *pipeline = tcase_create("pipeline"), *crew = tcase_create("crew");
    SRunner *runner;
    int failed;

    tcase_set_timeout(pipeline, 120);
    tcase_add_loop_test(pipeline, lays_parts_down_in_order, 0, 12);
    tcase_add_loop_test(pipeline, lays_layers_on_each_other, 0, 6);
    tcase_add_loop_test(pipeline, ends_layers_exactly, 0, 7);
    tcase_add_loop_test(pipeline, finds_damage_below_layers, 0, 5);
    tcase_add_test(pipeline, makes_one_object_per_artifact);
    tcase_add_test(pipeline, works_on_several_parts_at_once);
    tcase_add_test(pipeline, is_serial_for_a_serial_source);
    tcase_add_loop_test(pipeline, does_not_lock_up_when_later_parts_overtake, 0, 2);
    tcase_add_loop_test(pipeline, names_the_cause_when_a_part_fails, 0, 3);
    tcase_add_loop_test(pipeline, names_the_cause_when_a_layer_fails, 0, 6);
    tcase_add_loop_test(pipeline, a_required_sink_that_fails_stops_all, 0, 16);
    tcase_add_loop_test(pipeline, an_optional_sink_that_fails_is_dropped, 0, 16);
    tcase_add_test(pipeline, fails_when_every_optional_sink_fails);
    tcase_add_loop_test(pipeline, stops_when_told_to, 0, 6);
    tcase_add_loop_test(pipeline, reading_finds_damage, 0, 7);
    suite_add_tcase(suite, pipeline);
    tcase_add_test(crew, a_crew_keeps_phases_apart);
    tcase_add_loop_test(crew, a_crew_reports_the_first_failure, 0, 2);
    suite_add_tcase(suite, crew);
    runner = srunner_create(suite);
    srunner_add_suite(runner, suite_schedule());
    srunner_add_suite(runner, suite_fanout());
    srunner_add_suite(runner, suite_copies());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
