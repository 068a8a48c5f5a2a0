/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

void bench_open(struct bench *b)
{
    const struct hf_module *module = holdfast_module_v1();
    const struct hf_plugin *plugin = module->plugins[0];

    memset(b, 0, sizeof(*b));
    strcpy(b->root, "/tmp/holdfast-unit-ledger.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(b->root));
    snprintf(b->ledger, sizeof(b->ledger), "%s/ledger", b->root);
    ck_assert_int_eq(mkdir(b->ledger, 0755), 0);
    ck_assert_int_eq(module->init(fake_host_table()), HF_OK);
    b->fake = fake_new();
    b->config = fake_config_new(plugin->options, plugin->option_count, (const char *const[]){"path", b->ledger, NULL});
    b->source = plugin->operations;
    ck_assert_int_eq(plugin->open(fake_ctx(b->fake), b->config, &b->self), HF_OK);
}

void bench_close(struct bench *b)
{
    holdfast_module_v1()->plugins[0]->close(b->self);
    fake_config_free(b->config);
    fake_free(b->fake);
    shell("chmod -R u+w '%s' && rm -rf '%s'", b->root, b->root);
}

void bench_backup(struct bench *b, int expected)
{
    fake_clear(b->fake);
    int code = fake_backup(b->fake, b->source, b->self, 2);
    ck_assert_msg(code == expected, "backup: %d, not %d: %s", code, expected, fake_error(b->fake));
}

int bench_restore(struct bench *b, const char *name, bool replace, const char *only)
{
    const char *to = bench_path(b, "%s", name);
    const char *const names[] = {only, NULL};
    struct hf_restore_request request = {
        .size = sizeof(request), .replace = replace, .id = "ID", .to = to, .only = names, .only_count = only ? 1 : 0};

    fake_clear(b->fake);
    return fake_restore(b->fake, b->source, b->self, &request, 2);
}

const char *bench_path(struct bench *b, const char *format, ...)
{
    static char buffers[8][256];
    static unsigned next;
    char *buffer = buffers[next++ % 8];
    int used = snprintf(buffer, 256, "%s/", b->root);
    va_list args;

    va_start(args, format);
    vsnprintf(buffer + used, 256 - (size_t)used, format, args);
    va_end(args);
    return buffer;
}

size_t make_frame(const char *day, uint64_t sequence, unsigned char *out)
{
    char *payload = (char *)out + 8;
    int length = sprintf(
        payload, "{\"signal_id\":\"OMEN-%llu\",\"note\":\"%.*s\",\"ledger_partition\":\"%s\",\"ledger_sequence\":%llu}",
        (unsigned long long)sequence, (int)(sequence % 50), "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", day,
        (unsigned long long)sequence);
    uint32_t crc = (uint32_t)crc32(0, (unsigned char *)payload, (unsigned)length);

    for (int i = 0; i < 4; i++) {
        out[i] = (unsigned char)((uint32_t)length >> (24 - 8 * i));
        out[4 + i] = (unsigned char)(crc >> (24 - 8 * i));
    }
    return 8 + (size_t)length;
}

void make_segment(struct bench *b, const char *day, uint32_t ordinal, uint32_t first, uint32_t last)
{
    FILE *file = fopen(bench_path(b, "ledger/%s/signals-%03u.wal", day, ordinal), "w");
    ck_assert_ptr_nonnull(file);
    for (uint32_t i = first; i <= last; i++) {
        unsigned char frame[512];
        size_t size = make_frame(day, (uint64_t)ordinal << 32 | i, frame);
        ck_assert_uint_eq(fwrite(frame, 1, size, file), size);
    }
    ck_assert_int_eq(fclose(file), 0);
}

void make_day(struct bench *b, const char *day, uint32_t segments, uint32_t records)
{
    char current[32];

    ck_assert_int_eq(mkdir(bench_path(b, "ledger/%s", day), 0755), 0);
    for (uint32_t i = 1; i <= segments; i++)
        make_segment(b, day, i, 1, records);
    snprintf(current, sizeof(current), "signals-%03u.wal", segments);
    spit(bench_path(b, "ledger/%s/_CURRENT", day), current, strlen(current));
}

void seal_day(struct bench *b, const char *day)
{
    json_t *segments = json_array();
    long long total = 0;

    for (unsigned i = 1;; i++) {
        char file[32], checksum[32];
        size_t size, at = 0;
        long long count = 0;
        snprintf(file, sizeof(file), "signals-%03u.wal", i);
        const char *path = bench_path(b, "ledger/%s/%s", day, file);
        if (!exists(path))
            break;
        unsigned char *data = slurp(path, &size);
        for (; at + 8 <= size; count++)
            at += 8 + ((size_t)data[at] << 24 | (size_t)data[at + 1] << 16 | (size_t)data[at + 2] << 8 | data[at + 3]);
        snprintf(checksum, sizeof(checksum), "crc32:%08lx", crc32(0, data, (unsigned)size));
        json_array_append_new(segments, json_pack("{s:s,s:I,s:I,s:s}", "file", file, "record_count", (json_int_t)count,
                                                  "size_bytes", (json_int_t)size, "checksum", checksum));
        total += count;
        free(data);
        chmod(path, 0444);
    }
    json_t *manifest =
        json_pack("{s:s,s:s,s:I,s:I,s:o}", "schema_version", "1.0.0", "partition_date", day, "total_records",
                  (json_int_t)total, "highwater_sequence", (json_int_t)total, "segments", segments);
    ck_assert_int_eq(json_dump_file(manifest, bench_path(b, "ledger/%s/_manifest.json", day), 0), 0);
    json_decref(manifest);
    spit(bench_path(b, "ledger/%s/_SEALED", day), "", 0);
}

void gzip_file(const char *path)
{
    ck_assert_int_eq(shell("gzip -n '%s'", path), 0);
}

unsigned char *slurp(const char *path, size_t *ret_size)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    ck_assert_msg(fd >= 0, "no file '%s'", path);
    ck_assert_int_eq(fstat(fd, &st), 0);
    unsigned char *data = malloc((size_t)st.st_size + 1);
    ck_assert_ptr_nonnull(data);
    ck_assert_int_eq(read(fd, data, (size_t)st.st_size), st.st_size);
    data[st.st_size] = 0;
    close(fd);
    *ret_size = (size_t)st.st_size;
    return data;
}

static void put(const char *path, const void *data, size_t size, int flags)
{
    chmod(path, 0644);
    int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);
    ck_assert_msg(fd >= 0, "cannot write '%s'", path);
    ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
    ck_assert_int_eq(close(fd), 0);
}

void spit(const char *path, const void *data, size_t size)
{
    put(path, data, size, O_TRUNC);
}

void append_to(const char *path, const void *data, size_t size)
{
    put(path, data, size, O_APPEND);
}

void flip_byte(const char *path, size_t offset)
{
    size_t size;
    unsigned char *data = slurp(path, &size);

    ck_assert_uint_lt(offset, size);
    data[offset] ^= 1;
    spit(path, data, size);
    free(data);
}

static int is_excepted(const char *name, const char *const *except)
{
    for (; except && *except; except++)
        if (strcmp(name, *except) == 0)
            return 1;
    return 0;
}

static int same_files(const char *a, const char *b)
{
    size_t a_size, b_size;
    unsigned char *x = slurp(a, &a_size), *y = slurp(b, &b_size);
    int same = a_size == b_size && memcmp(x, y, a_size) == 0;

    free(x);
    free(y);
    return same;
}

static int same_entry(const char *a, const char *b, const char *const *except);

static int all_names_in(const char *a, const char *b, const char *const *except, int deep)
{
    int same = 1;
    DIR *dir = opendir(a);

    ck_assert_ptr_nonnull(dir);
    for (struct dirent *e; (e = readdir(dir)) && same;) {
        char x[512], y[512];

        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || is_excepted(e->d_name, except))
            continue;
        snprintf(x, sizeof(x), "%s/%s", a, e->d_name);
        snprintf(y, sizeof(y), "%s/%s", b, e->d_name);
        same = deep ? same_entry(x, y, except) : exists(y);
        if (!same)
            fprintf(stderr, "differs: %s\n", x);
    }
    closedir(dir);
    return same;
}

static int same_entry(const char *a, const char *b, const char *const *except)
{
    struct stat x, y;

    if (lstat(a, &x) < 0 || lstat(b, &y) < 0 || x.st_mode != y.st_mode)
        return 0;
    if (x.st_mtim.tv_sec != y.st_mtim.tv_sec || x.st_mtim.tv_nsec != y.st_mtim.tv_nsec)
        return 0;
    if (S_ISREG(x.st_mode))
        return same_files(a, b);
    return same_trees(a, b, except);
}

int same_trees(const char *a, const char *b, const char *const *except)
{
    return all_names_in(a, b, except, 1) && all_names_in(b, a, except, 0);
}

int shell(const char *format, ...)
{
    char command[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    return system(command);
}

int exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

int count_findings(struct bench *b, const char *code)
{
    int count = 0;

    for (size_t i = 0; i < b->fake->finding_count; i++)
        count += strcmp(b->fake->findings[i].code, code) == 0;
    return count;
}

long long fact_number(struct bench *b, const char *partition, const char *key)
{
    const char *text = fake_fact(b->fake, partition);
    ck_assert_ptr_nonnull(text);
    json_t *fact = json_loads(text, 0, NULL);
    const json_t *value = json_object_get(fact, key);
    ck_assert_msg(value != NULL, "no '%s' in %s", key, text);
    long long number = json_is_true(value) ? 1 : json_integer_value(value);
    json_decref(fact);
    return number;
}
