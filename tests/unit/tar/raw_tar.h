/* SPDX-License-Identifier: Apache-2.0
 *
 * Archives made byte by byte, for what no archiver would write; and what the tests of the tar library share.
 */
#ifndef HOLDFAST_TEST_RAW_TAR_H
#define HOLDFAST_TEST_RAW_TAR_H

#include "fake_internal.h"
#include "tar.h"
#include <check.h>

struct raw_tar {
    unsigned char *data;
    size_t size;
};

/* type: '0' file, '1' hard link, '2' symbolic link, '3' and '4' devices, '5' folder, '6' fifo, 'x' pax header. Data are
 * NUL-terminated text or NULL. */
void raw_add(struct raw_tar *, const char *name, char type, const char *link, const char *data);
/* The same with a size field of its own choice ("77777777777", or any 12 bytes). */
void raw_add_sized(struct raw_tar *, const char *name, char type, const char *link, const char *size_field,
                   const char *data);
/* A pax record for the next entry, with its value's length. */
void raw_pax(struct raw_tar *, const char *key, const char *value, size_t length);
void raw_end(struct raw_tar *);
void raw_free(struct raw_tar *);

/* An empty folder, and what lies in it. */
struct scratch {
    struct fake *fake;
    char path[64];
    int fd;
};
void scratch_open(struct scratch *);
void scratch_close(struct scratch *);
/* Unpacks bytes into the scratch folder; `finish` runs when all went well. */
int unpack_bytes(struct scratch *, const void *data, size_t size, const struct tar_unpack_options *);
/* Number of entries in the scratch folder itself. */
int scratch_count(struct scratch *);
bool scratch_has(struct scratch *, const char *path);
/* The file's content as text, in a static buffer; NULL when there is none. */
const char *scratch_text(struct scratch *, const char *path);

Suite *hostile_suite(void);
Suite *unpack_suite(void);

#endif
