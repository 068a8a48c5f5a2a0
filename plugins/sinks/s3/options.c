/* SPDX-License-Identifier: Apache-2.0
 *
 * What the profile says, checked and put into the form in which requests need it.
 */
#include "call.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "awsfile.h"
#include "credentials.h"
#include "http.h"

enum { TAGS_MAX = 10, CUSTOMER_KEY_SIZE = 32 };

static const char *string(const struct s3 *self, const char *key)
{
    const char *value = s3_host->get_string(self->config, key);
    return value && *value ? value : NULL;
}

static bool only(const char *text, const char *more)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (; *text; text++)
        if (!strchr(letters, *text) && !strchr(more, *text))
            return false;
    return true;
}

/* "." and "..", which some on the way would take for folders. */
static bool has_dot_segment(const char *prefix, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t segment = strcspn(prefix + at, "/");
        if ((segment == 1 || segment == 2) && strspn(prefix + at, ".") >= segment)
            return true;
        at += segment + 1;
    }
    return false;
}

static int read_place(struct s3 *self, struct hf_ctx *ctx)
{
    size_t length;
    self->bucket = s3_host->get_string(self->config, "bucket");
    length = strlen(self->bucket);
    if (length < 3 || length > 63 || !only(self->bucket, ".-_") || strchr(".-", self->bucket[0]) ||
        strstr(self->bucket, "..")) {
        s3_host->fail(ctx, HF_E_CONFIG, "'%s' is no name of a bucket", self->bucket);
        return s3_host->hint(ctx, "names have 3 to 63 letters, digits, dots and dashes; folders go into prefix");
    }
    const char *prefix = s3_host->get_string(self->config, "prefix");
    while (*prefix == '/')
        prefix++;
    length = strlen(prefix);
    while (length && prefix[length - 1] == '/')
        length--;
    if (length > S3_PREFIX_MAX || !only(prefix, "._-/=@+") || strstr(prefix, "//") || has_dot_segment(prefix, length))
        return s3_host->fail(ctx, HF_E_CONFIG,
                             "prefix '%s' has to be at most %d letters, digits and '._-=@+', with single slashes "
                             "between, and neither '.' nor '..' alone",
                             prefix, S3_PREFIX_MAX);
    if (asprintf(&self->prefix, "%.*s%s", (int)length, prefix, length ? "/" : "") < 0)
        return s3_host->fail(ctx, HF_E_NOMEM, "out of memory");
    return HF_OK;
}

static int read_region(struct s3 *self, struct hf_ctx *ctx)
{
    char path[4096], found[64] = "";
    const char *region = string(self, "region");
    if (!region || !*region)
        region = getenv("AWS_REGION");
    if (!region || !*region)
        region = getenv("AWS_DEFAULT_REGION");
    if (!region || !*region) {
        char *text = s3_awsfile_path("AWS_CONFIG_FILE", "config", path, sizeof(path)) ? s3_awsfile_read(path) : NULL;
        if (text &&
            s3_awsfile_value(text, s3_awsfile_profile(string(self, "aws_profile")), "region", found, sizeof(found)))
            region = found;
        if (text)
            OPENSSL_cleanse(text, strlen(text));
        free(text);
    }
    if (!region || !*region)
        region = "us-east-1";
    if (strlen(region) > 60 || !only(region, "-_."))
        return s3_host->fail(ctx, HF_E_CONFIG, "'%s' is no name of a region", region);
    self->region = strdup(region);
    return self->region ? HF_OK : s3_host->fail(ctx, HF_E_NOMEM, "out of memory");
}

struct endpoint {
    char *scheme, *host, *port, *path;
    bool strange; /* has more than belongs into an endpoint */
};

static void endpoint_clear(struct endpoint *endpoint)
{
    curl_free(endpoint->scheme);
    curl_free(endpoint->host);
    curl_free(endpoint->port);
    curl_free(endpoint->path);
}

static bool parse_endpoint(const char *url, struct endpoint *ret)
{
    CURLU *parsed = curl_url();
    char *more = NULL;
    bool done = parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parsed, CURLUPART_SCHEME, &ret->scheme, 0) == CURLUE_OK &&
                curl_url_get(parsed, CURLUPART_HOST, &ret->host, 0) == CURLUE_OK &&
                curl_url_get(parsed, CURLUPART_PATH, &ret->path, 0) == CURLUE_OK;
    if (done && curl_url_get(parsed, CURLUPART_PORT, &ret->port, CURLU_NO_DEFAULT_PORT) != CURLUE_OK)
        ret->port = NULL;
    static const CURLUPart parts[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT};
    for (size_t i = 0; done && i < sizeof(parts) / sizeof(*parts); i++)
        if (curl_url_get(parsed, parts[i], &more, 0) == CURLUE_OK) {
            ret->strange = true;
            curl_free(more);
            more = NULL;
        }
    curl_url_cleanup(parsed);
    return done;
}

static bool is_amazon(const char *host)
{
    size_t length = strlen(host);
    static const char *const ends[] = {".amazonaws.com", ".amazonaws.com.cn"};
    for (size_t i = 0; i < 2; i++)
        if (length > strlen(ends[i]) && strcmp(host + length - strlen(ends[i]), ends[i]) == 0)
            return true;
    return false;
}

static bool make_addresses(struct s3 *self, const struct endpoint *endpoint, bool virtual)
{
    struct s3_text path = {0};
    size_t base = strlen(endpoint->path);
    while (base && endpoint->path[base - 1] == '/')
        base--;
    bool done = asprintf(&self->host, "%s%s%s%s%s", virtual ? self->bucket : "", virtual ? "." : "", endpoint->host,
                         endpoint->port ? ":" : "", endpoint->port ? endpoint->port : "") >= 0;
    if (!done)
        self->host = NULL;
    done = done && asprintf(&self->origin, "%s://%s", endpoint->scheme, self->host) >= 0;
    if (done)
        done = asprintf(&self->bucket_path, "%.*s/%s", (int)base, endpoint->path, virtual ? "" : self->bucket) >= 0;
    s3_text_addf(&path, "%.*s/%s%s", (int)base, endpoint->path, virtual ? "" : self->bucket, virtual ? "" : "/");
    s3_text_add_encoded(&path, self->prefix, true);
    self->object_path = path.failed ? NULL : path.data;
    if (path.failed)
        s3_text_clear(&path);
    return done && self->object_path;
}

static int read_endpoint(struct s3 *self, struct hf_ctx *ctx)
{
    const char *given = string(self, "endpoint"), *style = s3_host->get_string(self->config, "style");
    struct endpoint endpoint = {0};
    char *amazon = NULL;
    int status = HF_OK;
    if (!given && asprintf(&amazon, "https://s3.%s.amazonaws.com%s", self->region,
                           strncmp(self->region, "cn-", 3) == 0 ? ".cn" : "") < 0)
        return s3_host->fail(ctx, HF_E_NOMEM, "out of memory");
    if (!parse_endpoint(given ? given : amazon, &endpoint) || endpoint.strange ||
        (strcmp(endpoint.scheme, "https") != 0 && strcmp(endpoint.scheme, "http") != 0)) {
        s3_host->fail(ctx, HF_E_CONFIG, "endpoint is not of the form https://HOST or https://HOST:PORT");
        status = s3_host->hint(ctx, "the bucket goes into bucket, keys into access_key and secret_key");
    } else {
        self->tls = strcmp(endpoint.scheme, "https") == 0;
        /* A certificate for *.host does not cover a bucket with dots. */
        bool dotted = strchr(self->bucket, '.') && self->tls;
        bool virtual = strcmp(style, "virtual") == 0 ||
                       (strcmp(style, "auto") == 0 && is_amazon(endpoint.host) && !dotted);
        if (!make_addresses(self, &endpoint, virtual))
            status = s3_host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    endpoint_clear(&endpoint);
    free(amazon);
    return status;
}

static int read_tags(struct s3 *self, struct hf_ctx *ctx)
{
    const char *const *items = NULL;
    size_t count = s3_host->get_list(self->config, "tags", &items);
    struct s3_text text = {0};
    if (count > TAGS_MAX)
        return s3_host->fail(ctx, HF_E_CONFIG, "there are %zu tags, and %d are allowed", count, TAGS_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(items[i], '=');
        size_t length = equals ? (size_t)(equals - items[i]) : 0;
        char name[129];
        if (!length || !s3_copy(name, sizeof(name), items[i], length) || strlen(equals + 1) > 256) {
            s3_text_clear(&text);
            return s3_host->fail(ctx, HF_E_CONFIG,
                                 "tag '%s' is not of the form NAME=VALUE, of at most 128 and 256 bytes", items[i]);
        }
        s3_text_add(&text, "&", i > 0);
        s3_text_add_encoded(&text, name, false);
        s3_text_add(&text, "=", 1);
        s3_text_add_encoded(&text, equals + 1, false);
    }
    if (text.failed) {
        s3_text_clear(&text);
        return s3_host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    self->tags = text.data;
    return HF_OK;
}

static int read_customer_key(struct s3 *self, struct hf_ctx *ctx)
{
    const char *key = string(self, "sse_customer_key");
    unsigned char raw[CUSTOMER_KEY_SIZE + 4];
    bool good = key && strlen(key) == 44 && EVP_DecodeBlock(raw, (const unsigned char *)key, 44) == 33 &&
                key[43] == '=' && key[42] != '=' && s3_md5_base64(raw, CUSTOMER_KEY_SIZE, self->customer_md5);
    OPENSSL_cleanse(raw, sizeof(raw));
    if (!good) {
        s3_host->fail(ctx, HF_E_CONFIG, "sse = customer needs sse_customer_key: 32 bytes in base64");
        return s3_host->hint(ctx,
                             "make one: openssl rand -base64 32 > key; chmod 600 key; sse_customer_key = ${file:key}");
    }
    if (!self->tls)
        return s3_host->fail(ctx, HF_E_CONFIG,
                             "sse = customer sends the key with each request, so the endpoint must be https");
    self->customer_headers[self->customer_header_count++] =
        (struct s3_header){"x-amz-server-side-encryption-customer-algorithm", "AES256"};
    self->customer_headers[self->customer_header_count++] =
        (struct s3_header){"x-amz-server-side-encryption-customer-key", key};
    self->customer_headers[self->customer_header_count++] =
        (struct s3_header){"x-amz-server-side-encryption-customer-key-md5", self->customer_md5};
    return HF_OK;
}

static int read_encryption(struct s3 *self, struct hf_ctx *ctx)
{
    const char *sse = s3_host->get_string(self->config, "sse"), *key = string(self, "sse_kms_key");
    struct s3_header *headers = self->sse_headers;
    if (key && strcmp(sse, "kms") != 0)
        return s3_host->fail(ctx, HF_E_CONFIG, "sse_kms_key means something only with sse = kms");
    if (string(self, "sse_customer_key") && strcmp(sse, "customer") != 0)
        return s3_host->fail(ctx, HF_E_CONFIG, "sse_customer_key means something only with sse = customer");
    if (strcmp(sse, "customer") == 0)
        return read_customer_key(self, ctx);
    if (strcmp(sse, "none") != 0)
        headers[self->sse_header_count++] =
            (struct s3_header){"x-amz-server-side-encryption", strcmp(sse, "kms") == 0 ? "aws:kms" : "AES256"};
    if (key)
        headers[self->sse_header_count++] = (struct s3_header){"x-amz-server-side-encryption-aws-kms-key-id", key};
    return HF_OK;
}

static int read_class(struct s3 *self, struct hf_ctx *ctx)
{
    const char *class = string(self, "storage_class");
    if (class && (strcmp(class, "GLACIER") == 0 || strcmp(class, "DEEP_ARCHIVE") == 0)) {
        s3_host->fail(ctx, HF_E_UNSUPPORTED,
                      "objects of class '%s' cannot be read before the server has fetched them, which "
                      "takes hours: backups could be neither verified nor listed",
                      class);
        return s3_host->hint(
            ctx, "use GLACIER_IR, or let a lifecycle rule of the bucket move artifacts (not manifests) later");
    }
    if (class && !only(class, "_-"))
        return s3_host->fail(ctx, HF_E_CONFIG, "'%s' is no storage class", class);
    if (class)
        self->object_headers[self->object_header_count++] = (struct s3_header){"x-amz-storage-class", class};
    if (self->tags)
        self->object_headers[self->object_header_count++] = (struct s3_header){"x-amz-tagging", self->tags};
    return HF_OK;
}

static int read_numbers(struct s3 *self, struct hf_ctx *ctx)
{
    const struct hf_config *config = self->config;
    self->part_size = (uint64_t)s3_host->get_int(config, "part_size");
    self->memory = (uint64_t)s3_host->get_int(config, "memory");
    self->parallel = (unsigned)s3_host->get_int(config, "parallel");
    self->max_parts = (unsigned)s3_host->get_int(config, "max_parts");
    self->sign_parts = s3_host->get_int(config, "payload_signing") != 0;
    self->retries = (unsigned)s3_host->get_int(config, "retries");
    self->connect_timeout_ms = s3_host->get_int(config, "connect_timeout");
    self->stall_timeout_ms = s3_host->get_int(config, "stall_timeout");
    self->sweep_after_ms = s3_host->get_int(config, "sweep_after");
    self->lock_ms = s3_host->get_int(config, "lock");
    if (self->lock_ms > 0)
        self->lock_mode =
            strcmp(s3_host->get_string(config, "lock_mode"), "compliance") == 0 ? "COMPLIANCE" : "GOVERNANCE";
    else if (s3_host->is_set(config, "lock_mode"))
        return s3_host->fail(ctx, HF_E_CONFIG, "lock_mode means something only with lock");
    return HF_OK;
}

static int read_route(struct s3 *self, struct hf_ctx *ctx)
{
    self->ca_file = string(self, "ca_file");
    self->proxy = string(self, "proxy");
    self->proxy_user = string(self, "proxy_user");
    self->proxy_password = string(self, "proxy_password");
    if (self->ca_file && !self->tls)
        return s3_host->fail(ctx, HF_E_CONFIG, "ca_file means something only with an https endpoint");
    if (self->proxy_password && !self->proxy_user)
        return s3_host->fail(ctx, HF_E_CONFIG, "proxy_password needs proxy_user");
    if (self->proxy) {
        CURLU *parsed = curl_url();
        bool good = parsed && curl_url_set(parsed, CURLUPART_URL, self->proxy, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;
        char *user = NULL;
        bool named = good && curl_url_get(parsed, CURLUPART_USER, &user, 0) == CURLUE_OK;
        curl_free(user);
        curl_url_cleanup(parsed);
        if (!good)
            return s3_host->fail(ctx, HF_E_CONFIG, "proxy is not of the form http://HOST:PORT");
        if (named)
            return s3_host->fail(ctx, HF_E_CONFIG,
                                 "user and password go into proxy_user and proxy_password, not into proxy");
    }
    return HF_OK;
}

static enum s3_origin origin_of(const char *word)
{
    static const char *const words[] = {"auto", "options",   "environment", "web_identity",
                                        "file", "container", "instance",    "anonymous"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcmp(words[i], word) == 0)
            return (enum s3_origin)i;
    return S3_FROM_AUTO;
}

static int read_credentials(struct s3 *self, struct hf_ctx *ctx)
{
    struct s3_call call = {.ctx = ctx, .cancel_fd = -1, .stop_fd = -1};
    struct s3_credentials_options options = {.from = origin_of(s3_host->get_string(self->config, "credentials")),
                                             .access = string(self, "access_key"),
                                             .secret = string(self, "secret_key"),
                                             .token = string(self, "session_token"),
                                             .aws_profile = string(self, "aws_profile")};
    bool any = options.access || options.secret || options.token;
    if (!options.access != !options.secret || (options.token && !options.access))
        return s3_host->fail(ctx, HF_E_CONFIG,
                             "access_key and secret_key belong together, and session_token needs both");
    if (options.from == S3_FROM_OPTIONS && !any)
        return s3_host->fail(ctx, HF_E_CONFIG, "credentials = options needs access_key and secret_key");
    if (any && options.from != S3_FROM_AUTO && options.from != S3_FROM_OPTIONS)
        return s3_host->fail(ctx, HF_E_CONFIG,
                             "access_key is set, but credentials says that the keys come from elsewhere");
    if (options.aws_profile && any)
        return s3_host->fail(ctx, HF_E_CONFIG, "set either access_key or aws_profile, not both");
    if (options.aws_profile && options.from != S3_FROM_AUTO && options.from != S3_FROM_FILE)
        return s3_host->fail(ctx, HF_E_CONFIG,
                             "aws_profile is set, but credentials says that the keys come from elsewhere");
    return s3_report(&call, s3_credentials_open(&call, &options, &self->credentials));
}

int s3_options_read(struct s3 *self, struct hf_ctx *ctx, const struct hf_config *config)
{
    static int (*const readers[])(struct s3 *, struct hf_ctx *) = {
        read_place, read_region, read_endpoint, read_tags,        read_encryption,
        read_class, read_route,  read_numbers,  read_credentials,
    };
    self->config = config;
    s3_rate_init(&self->rate, (uint64_t)s3_host->get_int(config, "rate"));
    for (size_t i = 0; i < sizeof(readers) / sizeof(*readers); i++) {
        int status = readers[i](self, ctx);
        if (status != HF_OK)
            return status;
    }
    return HF_OK;
}

void s3_options_clear(struct s3 *self)
{
    s3_credentials_close(self->credentials);
    pthread_mutex_destroy(&self->rate.lock);
    free(self->prefix);
    free(self->origin);
    free(self->host);
    free(self->bucket_path);
    free(self->object_path);
    free(self->region);
    free(self->tags);
}
