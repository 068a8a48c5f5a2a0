/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RECEIVE_SIZE = 256 * 1024,
    SEND_SIZE = 1024 * 1024,
    BODY_MAX = 8 * 1024 * 1024, /* of answers that are not streamed */
    LOCAL_TIMEOUT_MS = 2000,
    POLL_MS = 1000
};

struct s3_client {
    struct s3_client *next;
    struct s3 *self;
    CURL *easy;
    CURLM *multi;
    bool added;
    int fd; /* the connection's, the newest if there are several; -1: none */

    /* of the exchange at hand */
    struct s3_answer *answer;
    struct curl_slist *headers;
    const unsigned char *body;
    size_t body_size, body_sent;
    bool streamed, head_done, done;
    bool send_paused, receive_paused;
    int64_t rate_until_ms; /* nothing may be moved before */
    int64_t stall_ms, moved_at_ms;
    uint64_t moved; /* bytes, both ways */
    uint64_t moved_seen;
    int unsent_seen; /* bytes in the socket */

    /* where streamed bytes go: first to the reader's memory, the rest waits */
    unsigned char *out;
    size_t out_room, out_used;
    unsigned char *rest; /* RECEIVE_SIZE */
    size_t rest_used, rest_taken;
};

/* --- keeping them --- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global_result;

static void init_global(void)
{
    global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void client_free(struct s3_client *client)
{
    if (client->easy)
        s3_http_stop(client);
    curl_easy_cleanup(client->easy);
    curl_multi_cleanup(client->multi);
    free(client->rest);
    free(client);
}

int s3_client_take(struct s3 *self, struct s3_call *call, struct s3_client **ret_client)
{
    pthread_once(&once, init_global);
    if (global_result != CURLE_OK)
        return s3_fail(call, HF_E_FAIL, "cannot initialise libcurl: %s", curl_easy_strerror(global_result));
    pthread_mutex_lock(&self->lock);
    struct s3_client *client = self->idle;
    if (client)
        self->idle = client->next;
    pthread_mutex_unlock(&self->lock);
    if (!client) {
        client = calloc(1, sizeof(*client));
        if (!client)
            return s3_fail_memory(call);
        client->self = self;
        client->fd = -1;
        client->easy = curl_easy_init();
        client->multi = curl_multi_init();
        if (!client->easy || !client->multi) {
            client_free(client);
            return s3_fail_memory(call);
        }
    }
    client->next = NULL;
    *ret_client = client;
    return HF_OK;
}

void s3_client_give(struct s3_client *client, bool reusable)
{
    if (!client)
        return;
    if (!reusable) {
        client_free(client);
        return;
    }
    s3_http_stop(client);
    pthread_mutex_lock(&client->self->lock);
    client->next = client->self->idle;
    client->self->idle = client;
    pthread_mutex_unlock(&client->self->lock);
}

void s3_clients_close(struct s3 *self)
{
    while (self->idle) {
        struct s3_client *client = self->idle;
        self->idle = client->next;
        client_free(client);
    }
}

void s3_answer_clear(struct s3_answer *answer)
{
    s3_text_clear(&answer->body);
    *answer = (struct s3_answer){.length = -1, .modified_ms = -1, .date_ms = -1};
}

/* --- what libcurl calls --- */

static void count(struct s3_client *client, size_t bytes)
{
    client->moved += bytes;
    int64_t wait = s3_rate_moved(&client->self->rate, bytes);
    if (wait > 0)
        client->rate_until_ms = s3_steady_ms() + wait;
}

static bool must_wait(const struct s3_client *client)
{
    return client->rate_until_ms != 0 && s3_steady_ms() < client->rate_until_ms;
}

static size_t on_send(char *data, size_t one, size_t size, void *arg)
{
    struct s3_client *client = arg;
    (void)one;
    size_t left = client->body_size - client->body_sent;
    if (left > 0 && must_wait(client)) {
        client->send_paused = true;
        return CURL_READFUNC_PAUSE;
    }
    if (size > left)
        size = left;
    if (size > 0)
        memcpy(data, client->body + client->body_sent, size);
    client->body_sent += size;
    count(client, size);
    return size;
}

/* Close-on-exec: programs that others start at this moment must not inherit it. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct s3_client *client = arg;
    (void)purpose;
    client->fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    return client->fd;
}

static int on_close(void *arg, curl_socket_t fd)
{
    struct s3_client *client = arg;
    if (client->fd == fd)
        client->fd = -1;
    return close(fd);
}

static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct s3_client *client = arg;
    if (origin != SEEK_SET || offset < 0 || (size_t)offset > client->body_size)
        return CURL_SEEKFUNC_CANTSEEK;
    client->body_sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static size_t on_receive(char *data, size_t one, size_t size, void *arg)
{
    struct s3_client *client = arg;
    (void)one;
    if (!client->streamed || client->answer->status / 100 != 2) {
        if (client->answer->body.used + size > BODY_MAX)
            return 0;
        s3_text_add(&client->answer->body, data, size);
        client->moved += size;
        return client->answer->body.failed ? 0 : size;
    }
    if (client->rest_used > client->rest_taken || must_wait(client)) {
        client->receive_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    size_t direct = client->out_room - client->out_used;
    if (direct > size)
        direct = size;
    if (direct)
        memcpy(client->out + client->out_used, data, direct);
    client->out_used += direct;
    client->rest_taken = 0;
    client->rest_used = size - direct;
    if (client->rest_used > RECEIVE_SIZE)
        return 0;
    if (client->rest_used)
        memcpy(client->rest, data + direct, client->rest_used);
    count(client, size);
    return size;
}

static bool header_is(const char *line, size_t length, const char *name)
{
    return length == strlen(name) && strncasecmp(line, name, length) == 0;
}

static int64_t http_date_ms(const char *value)
{
    time_t seconds = curl_getdate(value, NULL);
    return seconds < 0 ? -1 : (int64_t)seconds * 1000;
}

static int64_t number(const char *value)
{
    char *end = NULL;
    long long parsed = strtoll(value, &end, 10);
    return end == value || *end || parsed < 0 ? -1 : parsed;
}

static void note_header(struct s3_answer *answer, const char *name, size_t length, const char *value)
{
    size_t size = strlen(value);
    if (header_is(name, length, "etag"))
        s3_copy(answer->etag, sizeof(answer->etag), value, size);
    else if (header_is(name, length, "content-length"))
        answer->length = number(value);
    else if (header_is(name, length, "content-range"))
        s3_copy(answer->content_range, sizeof(answer->content_range), value, size);
    else if (header_is(name, length, "last-modified"))
        answer->modified_ms = http_date_ms(value);
    else if (header_is(name, length, "date"))
        answer->date_ms = http_date_ms(value);
    else if (header_is(name, length, "retry-after"))
        answer->retry_after_ms = number(value) > 0 ? number(value) * 1000 : 0;
    else if (header_is(name, length, "location"))
        s3_copy(answer->location, sizeof(answer->location), value, size);
    else if (header_is(name, length, "x-amz-meta-holdfast-put"))
        s3_copy(answer->put_id, sizeof(answer->put_id), value, size);
    else if (header_is(name, length, "x-amz-version-id"))
        s3_copy(answer->version_id, sizeof(answer->version_id), value, size);
    else if (header_is(name, length, "x-amz-bucket-region"))
        s3_copy(answer->region, sizeof(answer->region), value, size);
    else if (header_is(name, length, "x-amz-delete-marker"))
        answer->delete_marker = strcasecmp(value, "true") == 0;
    else if (header_is(name, length, "x-amz-object-lock-retain-until-date"))
        answer->locked_until_ms = s3_time_parse(value);
    else if (header_is(name, length, "x-amz-server-side-encryption"))
        s3_copy(answer->encryption, sizeof(answer->encryption), value, size);
    else if (header_is(name, length, "x-amz-server-side-encryption-customer-algorithm"))
        s3_copy(answer->customer_encryption, sizeof(answer->customer_encryption), value, size);
}

static size_t on_header(char *data, size_t one, size_t size, void *arg)
{
    struct s3_client *client = arg;
    struct s3_answer *answer = client->answer;
    char line[2048];
    (void)one;
    client->moved += size;
    size_t length = size;
    while (length > 0 && (data[length - 1] == '\r' || data[length - 1] == '\n'))
        length--;
    if (length > 5 && strncasecmp(data, "HTTP/", 5) == 0) {
        /* The final answer, or one before it, like 100. */
        struct s3_answer fresh = {.length = -1, .modified_ms = -1, .date_ms = -1, .body = answer->body};
        const char *space = memchr(data, ' ', length);
        *answer = fresh;
        answer->status = space && length - (size_t)(space - data) >= 4 ? atoi(space + 1) : 0;
        return size;
    }
    if (length == 0) {
        client->head_done = answer->status >= 200;
        return size;
    }
    if (!s3_copy(line, sizeof(line), data, length))
        return size; /* none that we need is that long */
    char *colon = strchr(line, ':');
    if (colon) {
        const char *value = colon + 1 + strspn(colon + 1, " \t");
        note_header(answer, line, (size_t)(colon - line), value);
    }
    return size;
}

/* --- an exchange --- */

static bool set_route(struct s3_client *client, const struct s3_exchange *exchange)
{
    const struct s3 *self = client->self;
    CURL *easy = client->easy;
    bool done = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_USERAGENT, "holdfast-s3/1.0") == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, client) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, client) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                                 exchange->local ? (long)LOCAL_TIMEOUT_MS : (long)self->connect_timeout_ms) == CURLE_OK;
    if (done && exchange->local)
        done = curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK;
    if (done && !exchange->local && self->ca_file)
        done = curl_easy_setopt(easy, CURLOPT_CAINFO, self->ca_file) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
    if (done && !exchange->local && self->proxy)
        done = curl_easy_setopt(easy, CURLOPT_PROXY, self->proxy) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_NOPROXY, "") == CURLE_OK;
    if (done && !exchange->local && self->proxy_user)
        done =
            curl_easy_setopt(easy, CURLOPT_PROXYUSERNAME, self->proxy_user) == CURLE_OK &&
            curl_easy_setopt(easy, CURLOPT_PROXYPASSWORD, self->proxy_password ? self->proxy_password : "") == CURLE_OK;
    return done;
}

static bool set_exchange(struct s3_client *client, const struct s3_exchange *exchange)
{
    CURL *easy = client->easy;
    bool sends = exchange->body || strcmp(exchange->method, "PUT") == 0 || strcmp(exchange->method, "POST") == 0;
    bool done = curl_easy_setopt(easy, CURLOPT_URL, exchange->url) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, client->answer->problem) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_HEADERDATA, client) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_receive) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_WRITEDATA, client) == CURLE_OK;
    /* Refused while it still has the buffers of an exchange that came to nothing, which do as well. */
    (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_SIZE);
    (void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)SEND_SIZE);
    if (done && sends)
        done = curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)exchange->body_size) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_READDATA, client) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_SEEKDATA, client) == CURLE_OK;
    if (done && strcmp(exchange->method, "HEAD") == 0)
        done = curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
    else if (done && (strcmp(exchange->method, "GET") != 0) && (strcmp(exchange->method, "PUT") != 0))
        done = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, exchange->method) == CURLE_OK;
    return done;
}

void s3_http_stop(struct s3_client *client)
{
    if (client->added)
        curl_multi_remove_handle(client->multi, client->easy);
    client->added = false;
    /* Forgets what points to memory of the exchange. */
    curl_easy_reset(client->easy);
    curl_slist_free_all(client->headers);
    client->headers = NULL;
    client->answer = NULL;
    client->body = NULL;
}

/* Bytes that moved anywhere, also out of the kernel's buffer, show that the transfer lives. */
static bool has_stalled(struct s3_client *client, int64_t now)
{
    int unsent = 0;
    if (client->fd >= 0 && ioctl(client->fd, SIOCOUTQ, &unsent) != 0)
        unsent = 0;
    if (client->moved != client->moved_seen || unsent != client->unsent_seen || must_wait(client)) {
        client->moved_seen = client->moved;
        client->unsent_seen = unsent;
        client->moved_at_ms = now;
    }
    return now - client->moved_at_ms > client->stall_ms;
}

static void resume(struct s3_client *client)
{
    bool waiting = client->rest_used > client->rest_taken;
    if (must_wait(client) || (!client->send_paused && (!client->receive_paused || waiting)))
        return;
    client->send_paused = false;
    client->receive_paused = client->receive_paused && waiting;
    curl_easy_pause(client->easy, client->receive_paused ? CURLPAUSE_RECV : CURLPAUSE_CONT);
}

static void take_result(struct s3_client *client)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(client->multi, &left));)
        if (message->msg == CURLMSG_DONE) {
            client->answer->result = message->data.result;
            client->done = true;
        }
}

/* Does what there is to do, and waits for more. */
static int step(struct s3_client *client, struct s3_call *call)
{
    struct curl_waitfd stops[2] = {{.fd = call->cancel_fd, .events = CURL_WAIT_POLLIN},
                                   {.fd = call->stop_fd, .events = CURL_WAIT_POLLIN}};
    unsigned count_of_stops = 0;
    int running, ready;
    for (unsigned i = 0; i < 2; i++)
        if (stops[i].fd >= 0)
            stops[count_of_stops++] = stops[i];
    int64_t now = s3_steady_ms();
    int64_t wait = client->stall_ms - (now - client->moved_at_ms) + 1;
    if (must_wait(client))
        wait = client->rate_until_ms - now;
    wait = wait < 0 ? 0 : wait > POLL_MS ? POLL_MS : wait;
    CURLMcode code = curl_multi_poll(client->multi, stops, count_of_stops, (int)wait, &ready);
    for (unsigned i = 0; i < count_of_stops; i++)
        if (stops[i].revents)
            return s3_fail(call, HF_E_CANCELLED, "stopped");
    resume(client);
    if (code == CURLM_OK)
        code = curl_multi_perform(client->multi, &running);
    if (code != CURLM_OK)
        return s3_fail(call, code == CURLM_OUT_OF_MEMORY ? HF_E_NOMEM : HF_E_FAIL, "libcurl: %s",
                       curl_multi_strerror(code));
    take_result(client);
    if (!client->done && has_stalled(client, s3_steady_ms())) {
        snprintf(client->answer->problem, sizeof(client->answer->problem), "nothing moved for %lld ms",
                 (long long)client->stall_ms);
        client->answer->result = CURLE_OPERATION_TIMEDOUT;
        client->done = true;
    }
    return HF_OK;
}

int s3_http_start(struct s3_client *client, struct s3_call *call, const struct s3_exchange *exchange,
                  struct s3_answer *answer)
{
    int running;
    s3_http_stop(client);
    s3_answer_clear(answer);
    client->answer = answer;
    client->headers = exchange->headers;
    client->body = exchange->body;
    client->body_size = exchange->body_size;
    client->body_sent = 0;
    client->streamed = exchange->streamed;
    client->head_done = client->done = client->send_paused = client->receive_paused = false;
    client->rate_until_ms = 0;
    client->stall_ms = exchange->stall_ms ? exchange->stall_ms : client->self->stall_timeout_ms;
    client->moved_at_ms = s3_steady_ms();
    client->moved = client->moved_seen = 0;
    client->unsent_seen = 0;
    client->rest_used = client->rest_taken = client->out_room = client->out_used = 0;
    if (exchange->streamed && !client->rest)
        client->rest = malloc(RECEIVE_SIZE);
    if ((exchange->streamed && !client->rest) || !set_route(client, exchange) || !set_exchange(client, exchange))
        return s3_fail(call, HF_E_FAIL, "cannot set up a request with libcurl");
    if (curl_multi_add_handle(client->multi, client->easy) != CURLM_OK)
        return s3_fail_memory(call);
    client->added = true;
    if (curl_multi_perform(client->multi, &running) != CURLM_OK)
        return s3_fail(call, HF_E_FAIL, "cannot begin a request with libcurl");
    take_result(client);
    int status = HF_OK;
    while (status == HF_OK && !client->done &&
           !(client->streamed && client->head_done && client->answer->status / 100 == 2))
        status = step(client, call);
    return status;
}

int s3_http_run(struct s3_client *client, struct s3_call *call, const struct s3_exchange *exchange,
                struct s3_answer *answer)
{
    int status = s3_http_start(client, call, exchange, answer);
    s3_http_stop(client);
    return status;
}

int64_t s3_http_read(struct s3_client *client, struct s3_call *call, void *data, size_t size)
{
    size_t waiting = client->rest_used - client->rest_taken;
    if (waiting > 0) {
        if (size > waiting)
            size = waiting;
        memcpy(data, client->rest + client->rest_taken, size);
        client->rest_taken += size;
        return (int64_t)size;
    }
    client->out = data;
    client->out_room = size;
    client->out_used = 0;
    client->moved_at_ms = s3_steady_ms(); /* the time the caller took is not the server's */
    int status = HF_OK;
    while (status == HF_OK && !client->done && client->out_used == 0) {
        resume(client);
        int running;
        if (curl_multi_perform(client->multi, &running) != CURLM_OK)
            status = s3_fail(call, HF_E_FAIL, "cannot go on with a request with libcurl");
        take_result(client);
        if (status == HF_OK && !client->done && client->out_used == 0)
            status = step(client, call);
    }
    int64_t got = (int64_t)client->out_used;
    client->out_room = client->out_used = 0;
    client->out = NULL;
    return status != HF_OK && got == 0 ? status : got;
}

bool s3_http_over(struct s3_client *client)
{
    int running;
    if (client->added && !client->done && curl_multi_perform(client->multi, &running) == CURLM_OK)
        take_result(client);
    return client->done && client->answer->result == CURLE_OK;
}
