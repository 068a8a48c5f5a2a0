/* SPDX-License-Identifier: Apache-2.0
 *
 * The requests of a multipart upload.
 */
#ifndef HOLDFAST_SINK_S3_MULTIPART_H
#define HOLDFAST_SINK_S3_MULTIPART_H

#include "parts.h"
#include "request.h"

/* headers: of the object to be. */
int s3_multipart_create(struct s3 *self, struct s3_call *call, const char *key, const struct s3_request *headers,
                        char ret_id[S3_UPLOAD_ID_SIZE]);
int s3_multipart_part(struct s3_client *client, struct s3 *self, struct s3_call *call, const char *key, const char *id,
                      const struct s3_part *part, char ret_etag[S3_ETAG_SIZE]);
/* conditional: refuse to replace another object. The caller clears the answer, which tells a refusal's status. */
int s3_multipart_complete(struct s3 *self, struct s3_call *call, const char *key, const char *id, char *const *etags,
                          unsigned count, bool conditional, struct s3_answer *answer);
/* One that is gone is fine. */
int s3_multipart_abort(struct s3 *self, struct s3_call *call, const char *key, const char *id);

#endif
