/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of one object on their way: a bounded number of buffers, and threads that digest and send them.
 */
#ifndef HOLDFAST_SINK_S3_UPLOAD_H
#define HOLDFAST_SINK_S3_UPLOAD_H

#include "multipart.h"

struct s3_upload;

/* key must stay until the upload is freed, and the texts of headers, which are of the object to be. */
int s3_upload_new(struct s3 *self, struct s3_call *call, const char *key, const struct s3_request *headers,
                  struct s3_upload **ret_upload);
/* Takes the part *part, and gives an empty one of at least `room` bytes for the next: waits until that is within what
 * may be in memory. room 0: no more is needed, and *part becomes NULL. */
int s3_upload_send(struct s3_upload *upload, struct hf_ctx *ctx, struct s3_part **part, size_t room);
/* Waits until all is sent, and ends the threads. */
int s3_upload_finish(struct s3_upload *upload, struct hf_ctx *ctx);
/* Ends what is in flight; waits for a moment for the name of an upload that the server was asked for. */
void s3_upload_stop(struct s3_upload *upload);
void s3_upload_free(struct s3_upload *upload); /* stops, too; NULL is fine */

/* NULL: the server knows of no upload yet. To be asked when no thread is at work. */
const char *s3_upload_id(const struct s3_upload *upload);
int s3_upload_complete(struct s3_upload *upload, struct s3_call *call, bool conditional, struct s3_answer *answer);

#endif
