/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking at objects.
 */
#ifndef HOLDFAST_SINK_S3_OBJECTS_H
#define HOLDFAST_SINK_S3_OBJECTS_H

#include "request.h"

/* HF_E_NOTFOUND, recorded: there is no such object in a bucket that is there. The caller clears the answer. */
int s3_object_head(struct s3 *self, struct s3_call *call, const char *key, struct s3_answer *answer);
/* version: NULL or "": none. One that is gone is fine. */
int s3_object_delete(struct s3 *self, struct s3_call *call, const char *key, const char *version);
/* Is the bucket there, and may we list it? */
int s3_bucket_look(struct s3 *self, struct s3_call *call, const char *doing, const char *key);

#endif
