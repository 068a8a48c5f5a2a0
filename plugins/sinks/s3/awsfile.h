/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of the AWS tools, ~/.aws/credentials and ~/.aws/config: sections in brackets, "key = value" lines, comments
 * that begin with '#' or ';'. Indented lines belong to a nested setting and are left out.
 */
#ifndef HOLDFAST_SINK_S3_AWSFILE_H
#define HOLDFAST_SINK_S3_AWSFILE_H

#include <stdbool.h>
#include <stddef.h>

/* The value of a key in a profile's section, "NAME" or "profile NAME" as it is written in either file, into ret_value
 * of `size` bytes. False when there is none, or it does not fit. The last of several counts. */
bool s3_awsfile_value(const char *text, const char *profile, const char *key, char *ret_value, size_t size);
bool s3_awsfile_has_profile(const char *text, const char *profile);

/* A whole file of at most 1 MiB, NUL-terminated; to be freed and wiped by the caller. NULL: errno tells why. */
char *s3_awsfile_read(const char *path);
/* The path that the variable names, else ~/.aws/NAME; false when there is no home. */
bool s3_awsfile_path(const char *variable, const char *name, char *ret_path, size_t size);
const char *s3_awsfile_profile(const char *option);

#endif
