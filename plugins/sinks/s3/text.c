/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

void s3_text_clear(struct s3_text *text)
{
    free(text->data);
    *text = (struct s3_text){0};
}

static bool make_room(struct s3_text *text, size_t more)
{
    if (text->failed || more >= SIZE_MAX / 2 - text->used)
        return !(text->failed = true);
    size_t needed = text->used + more + 1;
    if (needed <= text->room)
        return true;
    size_t room = text->room ? text->room : 256;
    while (room < needed)
        room *= 2;
    char *data = realloc(text->data, room);
    if (!data)
        return !(text->failed = true);
    text->data = data;
    text->room = room;
    return true;
}

void s3_text_add(struct s3_text *text, const void *data, size_t size)
{
    if (!make_room(text, size))
        return;
    if (size)
        memcpy(text->data + text->used, data, size);
    text->used += size;
    text->data[text->used] = 0;
}

void s3_text_addf(struct s3_text *text, const char *format, ...)
{
    va_list args;
    char *made = NULL;
    va_start(args, format);
    int length = vasprintf(&made, format, args);
    va_end(args);
    if (length < 0) {
        text->failed = true;
        return;
    }
    s3_text_add(text, made, (size_t)length);
    free(made);
}

void s3_text_add_encoded(struct s3_text *text, const char *value, bool keep_slash)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    static const char digits[] = "0123456789ABCDEF";
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (strchr(plain, c) || (keep_slash && c == '/'))
            s3_text_add(text, value, 1);
        else
            s3_text_add(text, (const char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
    }
}

const char *s3_text_get(const struct s3_text *text)
{
    return text->data ? text->data : "";
}

bool s3_copy(char *field, size_t size, const char *text, size_t length)
{
    bool fits = length < size;
    if (fits)
        memcpy(field, text, length);
    field[fits ? length : 0] = 0;
    return fits;
}

void s3_hex(const unsigned char *data, size_t size, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        ret_text[2 * i] = digits[data[i] >> 4];
        ret_text[2 * i + 1] = digits[data[i] & 15];
    }
    ret_text[2 * size] = 0;
}

void s3_base64(const unsigned char *data, size_t size, char *ret_text)
{
    EVP_EncodeBlock((unsigned char *)ret_text, data, (int)size);
}

bool s3_sha256_hex(const void *data, size_t size, char ret_text[S3_SHA256_HEX])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL) != 1)
        return false;
    s3_hex(digest, 32, ret_text);
    return true;
}

bool s3_md5_base64(const void *data, size_t size, char ret_text[S3_MD5_BASE64])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (EVP_Digest(data, size, digest, NULL, EVP_md5(), NULL) != 1)
        return false;
    s3_base64(digest, 16, ret_text);
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void s3_decode(char *text)
{
    char *out = text;
    for (; *text; text++) {
        int high = *text == '%' ? hex_digit(text[1]) : -1;
        int low = high >= 0 ? hex_digit(text[2]) : -1;
        if (low >= 0) {
            *out++ = (char)(high * 16 + low);
            text += 2;
        } else {
            *out++ = *text;
        }
    }
    *out = 0;
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t s3_now_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t s3_steady_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

int64_t s3_time_parse(const char *text)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!rest)
        return -1;
    int64_t ms = 0;
    if (*rest == '.') {
        int scale = 100;
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, scale /= 10)
            ms += (*rest - '0') * scale;
    }
    if (strcmp(rest, "Z") != 0 && strcmp(rest, "+00:00") != 0)
        return -1;
    return (int64_t)timegm(&tm) * 1000 + ms;
}

void s3_time_text(int64_t ms, char *text, size_t size)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    if (strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        text[0] = 0;
}

bool s3_random_id(char ret_id[S3_ID_SIZE])
{
    unsigned char random[(S3_ID_SIZE - 1) / 2];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return false;
    s3_hex(random, sizeof(random), ret_id);
    return true;
}

uint32_t s3_random(void)
{
    uint32_t number = 0;
    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number))
        number = (uint32_t)s3_steady_ms() * 2654435761u;
    return number;
}
