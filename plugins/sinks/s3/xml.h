/* SPDX-License-Identifier: Apache-2.0
 *
 * A small strict reader of the answers of S3 servers: well-formed XML without a document type, at most 16 levels deep.
 */
#ifndef HOLDFAST_SINK_S3_XML_H
#define HOLDFAST_SINK_S3_XML_H

#include <stdbool.h>
#include <stddef.h>

/* Called at each element's end with its path from the root ("ListBucketResult/Contents/Key", names without their
 * namespace) and its text; an element that has others in it has the text "". Non-zero stops, and is returned. */
typedef int s3_xml_element(void *arg, const char *path, const char *text);

enum { S3_XML_BAD = -1000 };

/* 0; what element() returned; or S3_XML_BAD: the text is not well-formed, or has what is not allowed. */
int s3_xml_read(const char *data, size_t size, s3_xml_element *element, void *arg);
/* Is it well-formed, with a root element of that name? */
bool s3_xml_is(const char *data, size_t size, const char *root);

/* <Error>: the fields are "" when the answer does not have them. False when it is no such document. */
struct s3_error {
    char code[64], message[256], region[64];
};
bool s3_xml_error(const char *data, size_t size, struct s3_error *ret_error);
/* The text of the only element with that path, in `size` bytes; false when there is none, or it does not fit. */
bool s3_xml_value(const char *data, size_t size, const char *path, char *ret_text, size_t room);

#endif
