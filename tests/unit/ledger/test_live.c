/* SPDX-License-Identifier: Apache-2.0
 *
 * Backups beside a writer that appends, rolls over, seals and gzips.
 */
#include "support.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct bench b;

static void setup(void)
{
    bench_open(&b);
}

static void teardown(void)
{
    bench_close(&b);
}

/* Each segment of the copy is a prefix of the live one (or of its gzipped form), and _CURRENT names one that is there.
 */
static void expect_prefix(const char *copy)
{
    char current[64] = "";
    size_t size;
    unsigned char *text = slurp(bench_path(&b, "%s/ledger/2026-01-29/_CURRENT", copy), &size);
    DIR *dir = opendir(bench_path(&b, "%s/ledger/2026-01-29", copy));

    snprintf(current, sizeof(current), "%.*s", (int)size, (char *)text);
    free(text);
    ck_assert_ptr_nonnull(dir);
    ck_assert_msg(exists(bench_path(&b, "%s/ledger/2026-01-29/%s", copy, current)) ||
                      exists(bench_path(&b, "%s/ledger/2026-01-29/%s.gz", copy, current)),
                  "_CURRENT names '%s'", current);
    for (struct dirent *e; (e = readdir(dir));) {
        const char *live = bench_path(&b, "ledger/2026-01-29/%s", e->d_name);
        size_t copied, lives;

        if (strncmp(e->d_name, "signals-", 8) != 0 || !exists(live))
            continue;
        unsigned char *x = slurp(bench_path(&b, "%s/ledger/2026-01-29/%s", copy, e->d_name), &copied);
        unsigned char *y = slurp(live, &lives);
        ck_assert_msg(copied <= lives && memcmp(x, y, copied) == 0, "%s is no prefix", e->d_name);
        free(x);
        free(y);
    }
    closedir(dir);
}

static pid_t start_writer(const char *rate)
{
    pid_t pid = fork();

    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout))
            _exit(126);
        execl(LEDGER_GEN, "holdfast-ledger-gen", b.ledger, "--append-for", "600", "--rate", rate, "--no-fsync",
              (char *)NULL);
        _exit(127);
    }
    ck_assert_int_gt(pid, 0);
    return pid;
}

static void stop_writer(pid_t pid)
{
    int status;

    kill(pid, SIGTERM);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

START_TEST(beside_a_writer_that_rolls_over)
{
    ck_assert_int_eq(shell("'%s' '%s' --days 1 --records-per-day 9000", LEDGER_GEN, b.ledger), 0);
    pid_t writer = start_writer("4000");
    long long last = 0;

    for (int i = 0; i < 8; i++) {
        char copy[16];

        usleep(100000);
        bench_backup(&b, HF_OK);
        ck_assert_msg(fake_worst(b.fake) <= HF_INFO, "%s", b.fake->findings[0].text);
        long long records = fact_number(&b, "2026-01-29", "records");
        ck_assert_int_gt(records, last);
        last = records;
        fake_clear(b.fake);
        ck_assert_int_eq(fake_verify(b.fake, b.source, b.self, 2), HF_OK);
        snprintf(copy, sizeof(copy), "copy%d", i);
        ck_assert_int_eq(bench_restore(&b, copy, false, NULL), HF_OK);
        expect_prefix(copy);
        shell("rm -rf '%s/%s'", b.root, copy);
    }
    stop_writer(writer);
    ck_assert_int_gt(last, 10000); /* it has rolled over */
}
END_TEST

START_TEST(the_writer_pauses_and_resumes)
{
    struct stat before, after;
    const char *segment = bench_path(&b, "ledger/2026-01-29/signals-001.wal");

    ck_assert_int_eq(shell("'%s' '%s' --days 1 --records-per-day 10", LEDGER_GEN, b.ledger), 0);
    pid_t writer = start_writer("500");
    usleep(200000);
    kill(writer, SIGUSR1);
    usleep(200000);
    ck_assert_int_eq(stat(segment, &before), 0);
    usleep(200000);
    ck_assert_int_eq(stat(segment, &after), 0);
    ck_assert_int_eq(before.st_size, after.st_size);
    kill(writer, SIGUSR2);
    usleep(400000);
    ck_assert_int_eq(stat(segment, &after), 0);
    ck_assert_int_gt(after.st_size, before.st_size);
    stop_writer(writer);
}
END_TEST

static atomic_bool stop_packing;

/* Gzips and unpacks the segments of a sealed day over and over, as an impatient writer would. */
static void *pack(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop_packing)) {
        for (int i = 1; i <= 3; i++)
            shell("cd '%s/2026-01-29' && gzip -nf signals-%03d.wal", b.ledger, i);
        for (int i = 1; i <= 3; i++)
            shell("cd '%s/2026-01-29' && gzip -df signals-%03d.wal.gz", b.ledger, i);
    }
    return NULL;
}

START_TEST(while_segments_are_gzipped_in_place)
{
    pthread_t thread;

    make_day(&b, "2026-01-29", 3, 3000);
    seal_day(&b, "2026-01-29");
    ck_assert_int_eq(pthread_create(&thread, NULL, pack, NULL), 0);
    int whole = 0;
    for (int i = 0; i < 40; i++) {
        bench_backup(&b, HF_OK);
        /* A segment that is renamed back and forth can be missed between two looks; then that is told. */
        if (fact_number(&b, "2026-01-29", "records") == 9000)
            whole++;
        else
            ck_assert_int_eq(fake_worst(b.fake), HF_ERROR);
        fake_clear(b.fake);
        ck_assert_int_eq(fake_verify(b.fake, b.source, b.self, 2), HF_OK);
    }
    atomic_store(&stop_packing, true);
    pthread_join(thread, NULL);
    ck_assert_int_gt(whole, 0); /* how often is a matter of timing */
}
END_TEST

START_TEST(the_generator_makes_what_the_format_says)
{
    ck_assert_int_eq(shell("'%s' '%s' --days 3 --records-per-day 12000 --seal --gzip-oldest --start 2026-02-27",
                           LEDGER_GEN, b.ledger),
                     0);
    bench_backup(&b, HF_OK);
    ck_assert_int_eq(fake_worst(b.fake), 0);
    ck_assert_int_eq(fact_number(&b, "2026-02-27", "records"), 12000);
    ck_assert_int_eq(fact_number(&b, "2026-02-27", "sealed"), 1);
    ck_assert_int_eq(fact_number(&b, "2026-03-01", "records"), 12000);
    ck_assert(exists(bench_path(&b, "ledger/2026-02-27/signals-001.wal.gz")));
}
END_TEST

Suite *live_suite(void)
{
    Suite *suite = suite_create("ledger: live");
    TCase *tcase = tcase_create("live");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, beside_a_writer_that_rolls_over);
    tcase_add_test(tcase, the_writer_pauses_and_resumes);
    tcase_add_test(tcase, while_segments_are_gzipped_in_place);
    tcase_add_test(tcase, the_generator_makes_what_the_format_says);
    suite_add_tcase(suite, tcase);
    return suite;
}
