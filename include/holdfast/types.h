/* SPDX-License-Identifier: Apache-2.0
 *
 * Words shared by every plugin kind: result codes, options, growth rules.
 *
 * Growth rules, binding once released:
 *  1. Every struct begins with its `size`; fields are only appended, codes and bits are only added.
 *  2. The core copies min(size) of what a plugin hands it into a zeroed struct of its own; a plugin uses HF_HAS before
 *     it calls a host service newer than the `min_host` it declares.
 *  3. Arrays of structs carry a stride.
 *  4. Whoever allocates frees.
 * C11, clean as C++; libc types only. All text is UTF-8 unless a header says otherwise; sizes and offsets are bytes.
 */
#ifndef HOLDFAST_TYPES_H
#define HOLDFAST_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define HF_EXPORT extern "C" __attribute__((visibility("default")))
#else
#define HF_EXPORT __attribute__((visibility("default")))
#endif
#define HF_PRINTF(format_arg, first_arg) __attribute__((format(printf, format_arg, first_arg)))

/* True when the struct `p` points at is large enough to hold `field`, and the field is set. */
#define HF_HAS(p, field) ((p)->size >= offsetof(__typeof__(*(p)), field) + sizeof((p)->field) && (p)->field)

/* Results: 0 or more is success, less is failure. A failure code that the core does not know counts as HF_E_FAIL. */
enum hf_result {
    HF_OK = 0,
    HF_END = 1,             /* next_part: no more parts; step: the stream is complete                               */
    HF_UNCHANGED = 2,       /* source end(): nothing changed since the previous backup, so store nothing             */
    HF_ALONE = 3,           /* sweep: no other run is at work under this prefix, nor will be until the instance is closed */
    HF_E_FAIL = -1,         /* anything without a better code                                                       */
    HF_E_CONFIG = -2,       /* an option's value is wrong                                                           */
    HF_E_IO = -3,           /* reading or writing failed                                                            */
    HF_E_AUTH = -4,         /* not allowed: credentials or permissions                                              */
    HF_E_NOTFOUND = -5,     /* the named thing does not exist                                                       */
    HF_E_EXISTS = -6,       /* the name is taken, and must not be overwritten                                       */
    HF_E_NOSPACE = -7,      /* disk or quota full                                                                   */
    HF_E_CORRUPT = -8,      /* bytes are not what they must be                                                      */
    HF_E_UNREACHABLE = -9,  /* server or mount not there; worth trying again                                        */
    HF_E_BUSY = -10,        /* locked by somebody else; worth trying again                                          */
    HF_E_CANCELLED = -11,   /* the user or a failure elsewhere stopped the run; return it as soon as you see it       */
    HF_E_UNSUPPORTED = -12, /* this plugin cannot do that                                                           */
    HF_E_NOMEM = -13,       /* out of memory                                                                        */
    HF_E_REFUSED = -14      /* refused before anything was changed, e.g. a target that is not empty                  */
};

/* One call into a plugin: what it logs and fails through, and where it asks whether to stop. Valid during the call and
 * on the calling thread only. */
struct hf_ctx;
/* One validated INI section: defaults filled in, values of the right type. Valid until the instance is closed. */
struct hf_config;

enum hf_kind { HF_SOURCE = 1, HF_STAGE = 2, HF_SINK = 3, HF_NOTIFIER = 4 };

enum hf_severity { HF_INFO = 1, HF_WARNING = 2, HF_ERROR = 3 };

enum hf_type {
    HF_STRING = 1,
    HF_INT,      /* decimal, with the option's min and max                                  */
    HF_BOOL,     /* yes/no, true/false, on/off, 1/0                                         */
    HF_SIZE,     /* bytes; suffixes K, M, G, T (powers of 1024), optionally followed by iB or B */
    HF_DURATION, /* milliseconds; suffixes ms, s, m, h, d, w; a bare number is seconds       */
    HF_PATH,     /* absolute, or relative to the profile's folder (then made absolute)       */
    HF_ENUM,     /* one of the option's choices                                             */
    HF_LIST,     /* several values, separated by white space or on continuation lines; "double quotes" keep spaces,
                  * and a quote that stands twice between them is one that is meant            */
    HF_URL       /* scheme:rest                                                             */
};

enum hf_option_flags {
    HF_REQUIRED = 1,  /* no default; the profile must set it                                 */
    HF_SECRET = 2,    /* masked in every output and log; must not be readable by others      */
    HF_DEPRECATED = 4 /* accepted with a warning; help says what to use instead              */
};

/* One option of a plugin. From this table come the checks of INI files with file and line, "did you mean", `holdfast
 * plugin info`, the manual's option sections, and redaction. Strings are static. */
struct hf_option {
    const char *key;     /* lower case, words joined by '_'                                  */
    uint32_t type;       /* enum hf_type                                                     */
    uint32_t flags;      /* enum hf_option_flags                                             */
    const char *dflt;    /* as it would stand in the INI file; NULL: unset                   */
    const char *choices; /* HF_ENUM: words separated by '|'                                  */
    const char *help;    /* one or two sentences, no full stop at the end                    */
    int64_t min, max;    /* HF_INT, HF_SIZE, HF_DURATION: inclusive; both 0: no range        */
};

struct hf_pair {
    const char *key, *value;
};

/* A contiguous read-only piece of memory that the core owns. */
struct hf_block {
    uint32_t size;     /* of this struct                                                     */
    uint32_t reserved;
    const unsigned char *data;
    size_t used;       /* bytes at data                                                      */
};

#endif
