/* SPDX-License-Identifier: Apache-2.0 */
#include "awsfile.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

enum { FILE_MAX = 1024 * 1024 };

struct span {
    const char *text;
    size_t length;
};

static struct span trim(struct span span)
{
    while (span.length && isspace((unsigned char)span.text[0])) {
        span.text++;
        span.length--;
    }
    while (span.length && isspace((unsigned char)span.text[span.length - 1]))
        span.length--;
    return span;
}

static bool span_is(struct span span, const char *text)
{
    return span.length == strlen(text) && strncasecmp(span.text, text, span.length) == 0;
}

static bool same_name(struct span span, const char *name)
{
    return span.length == strlen(name) && memcmp(span.text, name, span.length) == 0;
}

/* "[NAME]" or "[profile NAME]" */
static bool is_section(struct span line, const char *profile)
{
    const char *end = memchr(line.text, ']', line.length);
    if (!end)
        return false;
    struct span name = trim((struct span){line.text + 1, (size_t)(end - line.text) - 1});
    if (name.length > 8 && strncmp(name.text, "profile", 7) == 0 && isspace((unsigned char)name.text[7]))
        name = trim((struct span){name.text + 8, name.length - 8});
    return same_name(name, profile);
}

/* key NULL: is there such a section? */
static bool find(const char *text, const char *profile, const char *key, struct span *ret_value)
{
    bool within = false, found = false;
    while (*text) {
        size_t length = strcspn(text, "\n");
        struct span line = {text, length};
        text += length + (text[length] == '\n');
        bool indented = length > 0 && (line.text[0] == ' ' || line.text[0] == '\t');
        line = trim(line);
        if (line.length == 0 || line.text[0] == '#' || line.text[0] == ';')
            continue;
        if (line.text[0] == '[') {
            within = is_section(line, profile);
            found = found || (within && !key);
            continue;
        }
        const char *equals = memchr(line.text, '=', line.length);
        if (!within || indented || !key || !equals)
            continue;
        if (span_is(trim((struct span){line.text, (size_t)(equals - line.text)}), key)) {
            *ret_value = trim((struct span){equals + 1, line.length - (size_t)(equals - line.text) - 1});
            found = true;
        }
    }
    return found;
}

bool s3_awsfile_value(const char *text, const char *profile, const char *key, char *ret_value, size_t size)
{
    struct span value = {"", 0};
    return find(text, profile, key, &value) && value.length > 0 && s3_copy(ret_value, size, value.text, value.length);
}

bool s3_awsfile_has_profile(const char *text, const char *profile)
{
    return find(text, profile, NULL, NULL);
}

char *s3_awsfile_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    char *text = fd >= 0 ? malloc(FILE_MAX + 1) : NULL;
    size_t used = 0;
    ssize_t got = text ? 1 : -1;
    while (got > 0 && used < FILE_MAX) {
        got = read(fd, text + used, FILE_MAX - used);
        if (got > 0)
            used += (size_t)got;
        else if (got < 0 && errno == EINTR)
            got = 1;
    }
    int error = got > 0 ? EFBIG : errno;
    if (fd >= 0)
        (void)close(fd); /* only read from */
    if (got != 0) {
        free(text);
        errno = error;
        return NULL;
    }
    text[used] = 0;
    return text;
}

bool s3_awsfile_path(const char *variable, const char *name, char *ret_path, size_t size)
{
    const char *named = getenv(variable), *home = getenv("HOME");
    int length = -1;
    if (named && *named)
        length = snprintf(ret_path, size, "%s", named);
    else if (home && *home)
        length = snprintf(ret_path, size, "%s/.aws/%s", home, name);
    return length > 0 && (size_t)length < size;
}

const char *s3_awsfile_profile(const char *option)
{
    const char *variable = getenv("AWS_PROFILE");
    return option ? option : variable && *variable ? variable : "default";
}
