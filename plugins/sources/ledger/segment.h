/* SPDX-License-Identifier: Apache-2.0
 *
 * What a segment holds: its frames and their sequence are checked while its bytes go by, those of a gzipped one inside.
 */
#ifndef LEDGER_SEGMENT_H
#define LEDGER_SEGMENT_H

#include "frame.h"
#include "gunzip.h"
#include "names.h"

/* One kind of trouble: how often, and at which offset of the plain segment first. */
struct segment_note {
    uint64_t count, first;
};

struct segment_result {
    char file[SEGMENT_NAME_MAX];
    uint32_t ordinal;
    bool gzipped;
    uint64_t bytes; /* of the plain segment, as the rest here                                                    */
    uint32_t crc;
    uint64_t records; /* whole frames with the right CRC                                                           */
    bool sequenced;   /* the two below are known                                                                   */
    uint64_t first_sequence, last_sequence;
    uint64_t missing_records;            /* that gaps in the sequence stand for                                   */
    struct segment_note bad_crc;         /* whole frames whose CRC is wrong                                       */
    struct segment_note gap;             /* places where record_index jumps ahead                                 */
    struct segment_note order;           /* records whose index is not above the one before                       */
    struct segment_note unsequenced;     /* records that are no JSON object with a ledger_sequence                */
    struct segment_note wrong_segment;   /* records whose sequence belongs to another segment                     */
    struct segment_note wrong_partition; /* the first record says that it belongs to another day                  */
    enum frame_end end;
    uint64_t end_offset;      /* where the last whole frame ends                                                 */
    const char *gzip_problem; /* static text; NULL: none                                                         */
};

struct segment_check {
    struct segment_result result;
    struct frame_walk walk;
    struct gunzip *gunzip;
    const char *partition;
    uint64_t expected; /* the sequence that the next record should have                                          */
};

/* `file` must be a segment's name. 0, or HF_E_NOMEM. `partition` must stay valid until the end. */
int segment_check_begin(struct segment_check *check, const char *partition, const char *file);
/* The file's bytes as they are on disk. 0, or HF_E_NOMEM. */
int segment_check_feed(struct segment_check *check, const void *data, size_t size);
/* Completes `result`, and frees what the check held. */
void segment_check_end(struct segment_check *check);

/* How much of a segment that may still be written to is whole. */
struct segment_cut {
    uint64_t whole;   /* end of the last whole frame                                                            */
    bool torn;        /* a piece of a frame follows                                                             */
    bool recoverable; /* whole frames lie behind that piece: it is damage, not an append in progress            */
};
/* Looks at the first `size` bytes of the file. `buffer` of `buffer_size` is scratch. 0, or a negative errno. */
int segment_cut_find(int fd, uint64_t size, unsigned char *buffer, size_t buffer_size, struct segment_cut *ret_cut);

#endif
