/* SPDX-License-Identifier: Apache-2.0
 *
 * A strict pull reader of JSON text (RFC 8259): fills structs straight from the text, without a tree in between, so
 * that a manifest with a million parts costs the memory of its parts and no more. Members that no table names are
 * passed over (later minor versions add some); what is named must be there once (what MAY be there: at most once), of its
 * type and within its limit. Text
 * is UTF-8 without U+0000. Nesting ends at HF_SCAN_DEPTH.
 */
#ifndef HF_CATALOG_SCAN_H
#define HF_CATALOG_SCAN_H

#include "base/json.h"

enum { HF_SCAN_DEPTH = 64, HF_SCAN_MEMBERS = 32, HF_SCAN_KEY_MAX = 4096 };

struct hf_scan {
    struct hf_ctx *ctx;
    const char *what; /* "manifest 'x.manifest.json'": what messages begin with */
    const char *start, *at, *end;
    int depth;
};

enum hf_scan_kind {
    HF_SCAN_TEXT = 1, /* char *; max: bytes                                                 */
    HF_SCAN_MAY_TEXT, /* likewise, and may be missing: then it is left as it is             */
    HF_SCAN_SIZE,     /* uint64_t; max                                                      */
    HF_SCAN_MAY_SIZE, /* likewise, and may be missing: then it is left as it is             */
    HF_SCAN_PAIR,     /* [a, b] into two uint64_t that follow each other; max               */
    HF_SCAN_UINT32,   /* uint32_t; max                                                      */
    HF_SCAN_BOOL,     /* bool                                                               */
    HF_SCAN_HEX,      /* char[max + 1]: exactly max lower-case digits                       */
    HF_SCAN_TIME,     /* int64_t: "2026-02-01T12:00:00Z" or with milliseconds               */
    HF_SCAN_OBJECT,   /* json_t *: an object of any members; one that is there is released  */
    HF_SCAN_ARRAY,    /* json_t *: an array, likewise                                       */
    HF_SCAN_PASS,     /* an object of any members, passed over                              */
    HF_SCAN_CALL      /* call(scan, the place) reads it                                     */
};

struct hf_scan_member {
    const char *key;
    enum hf_scan_kind kind;
    size_t offset; /* in the struct that is filled in */
    uint64_t max;
    int (*call)(struct hf_scan *, void *place);
};

/* All of these return 0 or HF_E_CORRUPT with the place and the reason. */
void hf_scan_init(struct hf_scan *, struct hf_ctx *, const char *what, const char *data, size_t size);
int hf_scan_object(struct hf_scan *, const struct hf_scan_member *members, size_t count, void *target);
int hf_scan_array(struct hf_scan *, size_t max_items, int (*item)(struct hf_scan *, void *target), void *target);
int hf_scan_text(struct hf_scan *, size_t max_bytes, char **ret_text);
int hf_scan_size(struct hf_scan *, uint64_t max, uint64_t *ret_value);
int hf_scan_end(struct hf_scan *); /* nothing but white space may follow */
int hf_scan_fail(struct hf_scan *, const char *format, ...) HF_PRINTF(2, 3);

/* How many bytes the UTF-8 character at `at` has (RFC 3629); 0 when it is none. `left` > 0. */
size_t hf_utf8_length(const char *at, size_t left);

/* Text of strangers, fit for messages: what could steer a terminal becomes '?'. */
void hf_text_printable(char *text);

#endif
