/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger-record.h"

#include <isa-l/crc.h>
#include <string.h>

static const char *const words[] = {
    "port",      "congestion", "suez",      "panama",  "rotterdam", "freight",   "strike",  "weather",
    "canal",     "bunker",     "fuel",      "spike",   "index",     "delay",     "storm",   "tariff",
    "export",    "import",     "corridor",  "vessel",  "queue",     "terminal",  "labor",   "dispute",
    "sanction",  "pipeline",   "drought",   "flood",   "typhoon",   "surge",     "rate",    "contract",
    "spot",      "container",  "reefer",    "bulk",    "tanker",    "insurance", "premium", "piracy",
    "diversion", "shanghai",   "singapore", "hamburg", "antwerp",   "houston",   "santos",  "durban"};
static const char *const types[] = {"GEOPOLITICAL", "ECONOMIC", "WEATHER", "INFRASTRUCTURE", "LABOR", "REGULATORY"};
static const char *const levels[] = {"LOW", "MEDIUM", "HIGH"};
#define WORDS (sizeof(words) / sizeof(words[0]))

/* splitmix64: fast, and the same everywhere. */
static uint64_t next(struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint32_t below(struct random *random, uint32_t limit)
{
    return (uint32_t)((next(random) >> 32) * limit >> 32);
}

static char *text(char *p, const char *s)
{
    size_t length = strlen(s);

    memcpy(p, s, length);
    return p + length;
}

static char *hex(char *p, uint64_t value, int digits, const char *alphabet)
{
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4)
        *p++ = alphabet[value >> shift & 15];
    return p;
}

static char *decimal(char *p, uint64_t value, int digits)
{
    char reversed[24];
    int n = 0;

    do
        reversed[n++] = (char)('0' + value % 10);
    while (value /= 10);
    while (n < digits)
        reversed[n++] = '0';
    while (n)
        *p++ = reversed[--n];
    return p;
}

/* A fraction of 0 to 1 with at most so many digits, without needless zeros. */
static char *fraction(char *p, struct random *random, uint32_t limit, int digits)
{
    p = text(p, "0.");
    char *first = p;
    p = decimal(p, below(random, limit), digits);
    while (p > first + 1 && p[-1] == '0')
        p--;
    return p;
}

static char *some_words(char *p, struct random *random, int count)
{
    for (int i = 0; i < count; i++) {
        if (i)
            *p++ = ' ';
        p = text(p, words[below(random, WORDS)]);
    }
    return p;
}

static char *signal_body(char *p, struct random *random, const char *sid, const char *at)
{
    uint32_t one = below(random, WORDS), other = below(random, WORDS - 1);

    other += other >= one;
    p = text(text(text(p, "\"signal\":{\"signal_id\":\""), sid), "\",\"signal_type\":\"");
    p = text(text(p, types[below(random, 6)]), "\",\"status\":\"ACTIVE\",\"title\":\"");
    p = text(some_words(p, random, 9), "\",\"description\":\"");
    p = text(some_words(p, random, 24), "\",\"probability\":");
    p = text(fraction(p, random, 10000, 4), ",\"confidence_score\":");
    p = text(fraction(p, random, 10000, 4), ",\"confidence_level\":\"");
    p = text(text(p, levels[below(random, 3)]), "\",\"category\":\"");
    p = text(text(p, types[below(random, 6)]), "\",\"geographic\":{\"regions\":[\"");
    p = text(text(text(text(p, words[one]), "\",\""), words[other]), "\"],\"chokepoints\":[\"");
    p = text(text(p, words[below(random, WORDS)]), "\"]},\"evidence\":[");
    for (int i = 0; i < 3; i++) {
        p = text(text(p, i ? ",{\"source\":\"" : "{\"source\":\""), words[below(random, WORDS)]);
        p = text(fraction(text(p, "\",\"value\":"), random, 1000000, 6), ",\"url\":\"https://example.org/");
        p = text(hex(p, next(random), 8, "0123456789abcdef"), "\"}");
    }
    p = text(text(text(p, "],\"trace_id\":\"trace-"), sid), "\",\"generated_at\":\"");
    return text(text(p, at), "\"},");
}

static void big_endian(unsigned char *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(value >> (24 - 8 * i));
}

size_t record_frame(struct random *random, const char *day, uint32_t segment, uint32_t index, uint64_t n,
                    unsigned char *frame)
{
    char sid[24], at[40];
    char *payload = (char *)frame + FRAME_HEAD, *p = payload, *q = at;

    *hex(text(sid, "OMEN-"), next(random), 12, "0123456789ABCDEF") = '\0';
    q = decimal(text(text(q, day), "T"), n / 3600 % 24, 2);
    q = decimal(text(q, ":"), n / 60 % 60, 2);
    q = decimal(text(q, ":"), n % 60, 2);
    *text(decimal(text(q, "."), below(random, 1000000), 6), "Z") = '\0';

    p = text(text(p, "{\"schema_version\":\"1.0.0\",\"signal_id\":\""), sid);
    p = text(text(p, "\",\"deterministic_trace_id\":\"trace-"), sid);
    p = text(p, "\",\"input_event_hash\":\"sha256:");
    for (int i = 0; i < 4; i++)
        p = hex(p, next(random), 16, "0123456789abcdef");
    p = text(text(p, "\",\"source_event_id\":\"src-"), sid);
    p = text(text(p, "\",\"ruleset_version\":\"1.0.0\",\"observed_at\":\""), at);
    p = text(text(p, "\",\"emitted_at\":\""), at);
    p = text(text(text(p, "\",\"ledger_written_at\":\""), at), "\",");
    p = signal_body(p, random, sid, at);
    p = text(text(p, "\"ledger_partition\":\""), day);
    p = text(decimal(text(p, "\",\"ledger_sequence\":"), (uint64_t)segment << 32 | index, 1), "}");

    size_t length = (size_t)(p - payload);
    big_endian(frame, (uint32_t)length);
    big_endian(frame + 4, crc32_gzip_refl(0, (unsigned char *)payload, length));
    return FRAME_HEAD + length;
}
