/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects: what they are to be like, looking at them, and removing them.
 */
#ifndef HOLDFAST_SINK_S3_OBJECTS_H
#define HOLDFAST_SINK_S3_OBJECTS_H

#include "request.h"

/* What the profile wishes of an object: encryption, class, tags, and a lock until `retain` ("": none). A passing one
 * has the encryption alone. The texts must stay until the request is over. */
void s3_object_headers(const struct s3 *self, bool passing, const char *retain, struct s3_request *request);
/* Servers pass over wishes that they do not know: by the answer to HEAD, is the object encrypted and locked? A lock
 * that is missing is set, if the server can. */
int s3_object_ensure(struct s3 *self, struct s3_call *call, const char *key, const char *retain,
                     const struct s3_answer *answer);
/* HF_E_NOTFOUND, recorded: there is no such object in a bucket that is there. The caller clears the answer. */
int s3_object_head(struct s3 *self, struct s3_call *call, const char *key, struct s3_answer *answer);
/* version: NULL or "": none. One that is gone is fine. */
int s3_object_delete(struct s3 *self, struct s3_call *call, const char *key, const char *version);
/* Can objects of the bucket be locked? HF_E_AUTH: we may not know. */
int s3_bucket_locks(struct s3 *self, struct s3_call *call);
/* Is the bucket there, and may we list it? */
int s3_bucket_look(struct s3 *self, struct s3_call *call, const char *doing, const char *key);

#endif
