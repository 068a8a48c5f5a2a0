/* SPDX-License-Identifier: Apache-2.0 */
#include "upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 64, IN_FLIGHT_MIN = 2, NAME_WAIT_S = 2 };

struct s3_upload {
    struct s3 *self;
    const char *key;
    struct s3_request headers; /* of the object to be */
    int cancel_fd, stop_fd;
    struct s3_notes notes;

    /* the core's thread only */
    pthread_t threads[THREADS_MAX];
    unsigned thread_count;
    struct s3_part *lanes[S3_MD5_LANES]; /* being digested */
    unsigned lane_count;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    struct s3_part *first, *last; /* waiting to be sent */
    struct s3_part *spare;
    unsigned in_flight; /* waiting or being sent */
    unsigned waiting, idle;
    bool closing;
    enum { UPLOAD_UNKNOWN, UPLOAD_ASKED, UPLOAD_BEGUN } state; /* at the server */
    char id[S3_UPLOAD_ID_SIZE];                                /* constant from UPLOAD_BEGUN on */
    struct s3_problem problem;
    char **etags; /* by number - 1 */
    unsigned count, room;
};

/* --- the threads --- */

static void stop_others(struct s3_upload *upload)
{
    uint64_t one = 1;
    /* Fails only when it is readable already. */
    ssize_t wrote = write(upload->stop_fd, &one, sizeof(one));
    (void)wrote;
}

/* With the lock held. */
static void end_part(struct s3_upload *upload, struct s3_part *part, const struct s3_call *call, const char *etag)
{
    if (call->problem.code != 0) {
        /* That others were stopped is not why. */
        if (upload->problem.code == 0)
            upload->problem = call->problem;
        stop_others(upload);
    } else if (!(upload->etags[part->number - 1] = strdup(etag))) {
        upload->problem = (struct s3_problem){.code = HF_E_NOMEM, .text = "out of memory"};
    }
    part->used = 0;
    part->next = upload->spare;
    upload->spare = part;
    upload->in_flight--;
    pthread_cond_broadcast(&upload->changed);
}

/* The first thread to come asks the server for an upload; the others wait. Meanwhile parts are filled. */
static int begin(struct s3_upload *upload, struct s3_call *call)
{
    char id[S3_UPLOAD_ID_SIZE];
    int status = HF_OK;
    pthread_mutex_lock(&upload->lock);
    while (upload->state == UPLOAD_ASKED && upload->problem.code == 0)
        pthread_cond_wait(&upload->changed, &upload->lock);
    if (upload->problem.code != 0) {
        status = s3_fail(call, HF_E_CANCELLED, "stopped");
    } else if (upload->state == UPLOAD_UNKNOWN) {
        upload->state = UPLOAD_ASKED;
        pthread_mutex_unlock(&upload->lock);
        status = s3_multipart_create(upload->self, call, upload->key, &upload->headers, id);
        pthread_mutex_lock(&upload->lock);
        upload->state = status == HF_OK ? UPLOAD_BEGUN : UPLOAD_UNKNOWN;
        if (status == HF_OK)
            memcpy(upload->id, id, sizeof(id));
        else
            upload->problem = call->problem;
        pthread_cond_broadcast(&upload->changed);
    }
    pthread_mutex_unlock(&upload->lock);
    return status;
}

/* NULL: there will be no more. */
static struct s3_part *next_part(struct s3_upload *upload, struct s3_call *call)
{
    pthread_mutex_lock(&upload->lock);
    upload->idle++;
    while (!upload->first && !upload->closing)
        pthread_cond_wait(&upload->changed, &upload->lock);
    upload->idle--;
    struct s3_part *part = upload->first;
    if (part) {
        upload->first = part->next;
        if (!upload->first)
            upload->last = NULL;
        upload->waiting--;
    }
    if (upload->problem.code != 0)
        s3_fail(call, HF_E_CANCELLED, "stopped");
    pthread_mutex_unlock(&upload->lock);
    return part;
}

static void *send_parts(void *arg)
{
    struct s3_upload *upload = arg;
    struct s3_client *client = NULL;
    bool whole = true;
    for (;;) {
        struct s3_call call = {.cancel_fd = upload->cancel_fd, .stop_fd = upload->stop_fd, .notes = &upload->notes};
        char etag[S3_ETAG_SIZE] = "";
        struct s3_part *part = next_part(upload, &call);
        if (!part)
            break;
        int status = call.problem.code;
        if (status == HF_OK)
            status = begin(upload, &call);
        if (status == HF_OK && !client)
            status = s3_client_take(upload->self, &call, &client);
        if (status == HF_OK)
            status = s3_multipart_part(client, upload->self, &call, upload->key, upload->id, part, etag);
        whole = whole && status == HF_OK;
        pthread_mutex_lock(&upload->lock);
        end_part(upload, part, &call, etag);
        pthread_mutex_unlock(&upload->lock);
    }
    s3_client_give(client, whole);
    return NULL;
}

/* --- the core's thread --- */

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

int s3_upload_new(struct s3 *self, struct s3_call *call, const char *key, const struct s3_request *headers,
                  struct s3_upload **ret_upload)
{
    struct s3_upload *upload = calloc(1, sizeof(*upload));
    if (!upload)
        return s3_fail_memory(call);
    upload->self = self;
    upload->key = key;
    upload->cancel_fd = call->cancel_fd;
    upload->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (upload->stop_fd < 0) {
        int status = s3_fail(call, HF_E_FAIL, "cannot make an event descriptor: %s", strerror(errno));
        free(upload);
        return status;
    }
    pthread_mutex_init(&upload->lock, NULL);
    pthread_mutex_init(&upload->notes.lock, NULL);
    init_condition(&upload->changed);
    upload->headers = *headers;
    *ret_upload = upload;
    return HF_OK;
}

static int report(struct s3_upload *upload, struct hf_ctx *ctx)
{
    s3_notes_flush(&upload->notes, ctx);
    pthread_mutex_lock(&upload->lock);
    struct s3_problem problem = upload->problem;
    pthread_mutex_unlock(&upload->lock);
    return problem.code ? s3_report_problem(ctx, &problem) : HF_OK;
}

/* With the lock held. */
static bool queue(struct s3_upload *upload, struct s3_part *part)
{
    if (part->number > upload->room) {
        unsigned room = upload->room ? 2 * upload->room : 64;
        char **etags = reallocarray(upload->etags, room, sizeof(*etags));
        if (!etags)
            return false;
        upload->etags = etags;
        upload->room = room;
    }
    while (upload->count < part->number)
        upload->etags[upload->count++] = NULL;
    part->next = NULL;
    if (upload->last)
        upload->last->next = part;
    else
        upload->first = part;
    upload->last = part;
    upload->in_flight++;
    upload->waiting++;
    pthread_cond_broadcast(&upload->changed);
    return true;
}

/* With the lock held. What is too small for parts as they are now is of no more use. */
static struct s3_part *take_spare(struct s3_upload *upload, size_t room)
{
    struct s3_part *found = NULL;
    while (upload->spare) {
        struct s3_part *part = upload->spare;
        upload->spare = part->next;
        if (part->room >= room) {
            found = part;
            break;
        }
        s3_part_free(part);
    }
    return found;
}

/* Gives a part to the threads. */
static int hand_over(struct s3_upload *upload, struct hf_ctx *ctx, struct s3_part *part)
{
    pthread_mutex_lock(&upload->lock);
    bool queued = queue(upload, part);
    bool more = upload->waiting > upload->idle && upload->thread_count < upload->self->parallel;
    pthread_mutex_unlock(&upload->lock);
    if (!queued) {
        s3_part_free(part);
        return s3_host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    if (more) {
        int error = pthread_create(&upload->threads[upload->thread_count], NULL, send_parts, upload);
        upload->thread_count += error == 0;
        if (error != 0 && upload->thread_count == 0)
            return s3_host->fail(ctx, HF_E_FAIL, "cannot start a thread: %s", strerror(error));
    }
    return HF_OK;
}

/* Brings all lanes on by so many blocks, or until the first part is done, which is then handed over. */
static int digest(struct s3_upload *upload, struct hf_ctx *ctx, size_t blocks)
{
    struct s3_md5 *messages[S3_MD5_LANES] = {0};
    unsigned count = upload->lane_count;
    int status = HF_OK;
    for (unsigned i = 0; i < count; i++)
        messages[i] = &upload->lanes[i]->md5;
    s3_md5_lanes(messages, count, blocks);
    upload->lane_count = 0;
    for (unsigned i = 0; i < count; i++) {
        struct s3_part *part = upload->lanes[i];
        if (!part->md5.done || status != HF_OK) {
            upload->lanes[upload->lane_count++] = part;
            continue;
        }
        s3_base64(part->md5.digest, S3_MD5_SIZE, part->content_md5);
        status = hand_over(upload, ctx, part);
    }
    return status;
}

static unsigned in_flight(struct s3_upload *upload)
{
    pthread_mutex_lock(&upload->lock);
    unsigned count = upload->in_flight;
    pthread_mutex_unlock(&upload->lock);
    return count;
}

/* Parts stay as long as there are fewer than `lanes`; but not without lanes, nor while there is hardly anything to
 * send: without a digest, their requests are signed over them. */
static int leave_lanes(struct s3_upload *upload, struct hf_ctx *ctx, unsigned lanes)
{
    int status = HF_OK;
    while (status == HF_OK && upload->lane_count > 0) {
        if (lanes == 0 || in_flight(upload) < IN_FLIGHT_MIN) {
            struct s3_part *part = upload->lanes[0];
            memmove(upload->lanes, upload->lanes + 1, --upload->lane_count * sizeof(*upload->lanes));
            status = hand_over(upload, ctx, part);
        } else if (upload->lane_count >= lanes) {
            status = digest(upload, ctx, SIZE_MAX);
        } else {
            break;
        }
    }
    return status;
}

/* Parts that come faster than they are sent are digested side by side, each a step behind the one before: whenever one
 * joins, all come on by their share, so that once all lanes are taken one is done. */
static int join_lanes(struct s3_upload *upload, struct hf_ctx *ctx, struct s3_part *part, unsigned lanes)
{
    s3_md5_begin(&part->md5, part->data, part->used);
    upload->lanes[upload->lane_count++] = part;
    int status = leave_lanes(upload, ctx, lanes > 0 ? S3_MD5_LANES + 1 : 0);
    if (status == HF_OK && upload->lane_count > 0)
        status = digest(upload, ctx, part->used / S3_MD5_BLOCK / lanes + 1);
    return status == HF_OK ? leave_lanes(upload, ctx, lanes) : status;
}

int s3_upload_send(struct s3_upload *upload, struct hf_ctx *ctx, struct s3_part **part, size_t room)
{
    const struct s3 *self = upload->self;
    struct s3_part *full = *part;
    unsigned wanted = self->parallel + (self->sign_parts ? 0 : S3_MD5_LANES - 1);
    unsigned most = s3_parts_in_flight(room > full->used ? room : full->used, wanted, self->memory);
    *part = NULL;
    full->content_md5[0] = 0;
    int status = self->sign_parts ? hand_over(upload, ctx, full)
                                  : join_lanes(upload, ctx, full, s3_parts_in_lanes(most, self->parallel));
    if (status != HF_OK || room == 0)
        return status != HF_OK ? status : report(upload, ctx);
    pthread_mutex_lock(&upload->lock);
    while (upload->lane_count + upload->in_flight > most && upload->problem.code == 0)
        pthread_cond_wait(&upload->changed, &upload->lock);
    *part = take_spare(upload, room);
    pthread_mutex_unlock(&upload->lock);
    if (!*part)
        *part = s3_part_new();
    if (!*part || !s3_part_reserve(*part, room))
        return s3_host->fail(ctx, HF_E_NOMEM, "out of memory: a part of the artifact has %zu bytes", room);
    return report(upload, ctx);
}

static void join(struct s3_upload *upload)
{
    pthread_mutex_lock(&upload->lock);
    upload->closing = true;
    pthread_cond_broadcast(&upload->changed);
    pthread_mutex_unlock(&upload->lock);
    while (upload->thread_count > 0)
        pthread_join(upload->threads[--upload->thread_count], NULL);
    /* Nobody else is there any more. */
    while (upload->spare) {
        struct s3_part *part = upload->spare;
        upload->spare = part->next;
        s3_part_free(part);
    }
}

int s3_upload_finish(struct s3_upload *upload, struct hf_ctx *ctx)
{
    int status = leave_lanes(upload, ctx, S3_LANES_MIN);
    if (status == HF_OK)
        status = leave_lanes(upload, ctx, 0);
    join(upload);
    return status == HF_OK ? report(upload, ctx) : status;
}

/* Nothing new is begun. An upload that the server was asked for can only be taken back by the name that its answer
 * gives: so that is waited for, if it does not take long. */
static void wind_down(struct s3_upload *upload)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += NAME_WAIT_S;
    pthread_mutex_lock(&upload->lock);
    if (upload->problem.code == 0)
        upload->problem = (struct s3_problem){.code = HF_E_CANCELLED, .text = "stopped"};
    pthread_cond_broadcast(&upload->changed);
    int error = 0;
    while (upload->state == UPLOAD_ASKED && error == 0)
        error = pthread_cond_timedwait(&upload->changed, &upload->lock, &until);
    pthread_mutex_unlock(&upload->lock);
}

void s3_upload_stop(struct s3_upload *upload)
{
    wind_down(upload);
    stop_others(upload);
    join(upload);
    while (upload->first) {
        struct s3_part *part = upload->first;
        upload->first = part->next;
        s3_part_free(part);
    }
    upload->last = NULL;
    while (upload->lane_count > 0)
        s3_part_free(upload->lanes[--upload->lane_count]);
}

void s3_upload_free(struct s3_upload *upload)
{
    if (!upload)
        return;
    s3_upload_stop(upload);
    for (unsigned i = 0; i < upload->count; i++)
        free(upload->etags[i]);
    free(upload->etags);
    s3_text_clear(&upload->notes.lines);
    pthread_mutex_destroy(&upload->notes.lock);
    pthread_mutex_destroy(&upload->lock);
    pthread_cond_destroy(&upload->changed);
    close(upload->stop_fd);
    free(upload);
}

const char *s3_upload_id(const struct s3_upload *upload)
{
    return upload->state == UPLOAD_BEGUN ? upload->id : NULL;
}

int s3_upload_complete(struct s3_upload *upload, struct s3_call *call, bool conditional, struct s3_answer *answer)
{
    return s3_multipart_complete(upload->self, call, upload->key, upload->id, upload->etags, upload->count, conditional,
                                 answer);
}
