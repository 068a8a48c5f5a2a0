/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/json_write.h"
#include "catalog/scan.h"

#include "base/time.h"

#include <string.h>

static bool plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

void hf_json_write_text(struct hf_text *out, const char *text)
{
    const char *p = text ? text : "", *end = p + strlen(p);

    hf_text_add_bytes(out, "\"", 1);
    while (p < end) {
        const char *run = p;
        size_t length;

        while (p < end && plain((unsigned char)*p))
            p++;
        hf_text_add_bytes(out, run, (size_t)(p - run));
        if (p == end)
            break;
        length = hf_utf8_length(p, (size_t)(end - p));
        if (length == 0)
            hf_text_add(out, "\xef\xbf\xbd"); /* U+FFFD */
        else if (length > 1)
            hf_text_add_bytes(out, p, length);
        else if (*p == '"' || *p == '\\')
            hf_text_addf(out, "\\%c", *p);
        else if (*p == '\n')
            hf_text_add(out, "\\n");
        else
            hf_text_addf(out, "\\u%04x", (unsigned)(unsigned char)*p);
        p += length ? length : 1;
    }
    hf_text_add_bytes(out, "\"", 1);
}

void hf_json_write_member(struct hf_text *out, const char *key, const char *text)
{
    hf_text_addf(out, "\"%s\": ", key);
    hf_json_write_text(out, text);
}

void hf_json_write_time(struct hf_text *out, int64_t time_ms)
{
    char text[HF_TIME_ISO_SIZE];

    hf_time_iso(time_ms, text);
    hf_text_addf(out, "\"%.19s.%03dZ\"", text, (int)((time_ms % 1000 + 1000) % 1000));
}
