/* SPDX-License-Identifier: Apache-2.0 */
#include "xml.h"

#include <expat.h>
#include <string.h>

#include "text.h"

enum { DEPTH_MAX = 16, TEXT_MAX = 64 * 1024, PATH_SIZE = 512 };

struct reader {
    XML_Parser parser;
    s3_xml_element *element;
    void *arg;
    char path[PATH_SIZE];
    size_t ends[DEPTH_MAX]; /* lengths of the path at each level */
    unsigned depth;
    struct s3_text text;
    int result;
};

static void stop(struct reader *reader, int result)
{
    if (reader->result == 0)
        reader->result = result;
    XML_StopParser(reader->parser, XML_FALSE);
}

static void on_start(void *arg, const char *name, const char **attributes)
{
    struct reader *reader = arg;
    (void)attributes;
    const char *colon = strrchr(name, ':');
    const char *local = colon ? colon + 1 : name;
    size_t at = reader->depth ? reader->ends[reader->depth - 1] : 0, length = strlen(local);
    if (reader->depth == DEPTH_MAX || at + length + 2 > PATH_SIZE) {
        stop(reader, S3_XML_BAD);
        return;
    }
    if (reader->depth)
        reader->path[at++] = '/';
    memcpy(reader->path + at, local, length + 1);
    reader->ends[reader->depth++] = at + length;
    reader->text.used = 0;
}

static void on_end(void *arg, const char *name)
{
    struct reader *reader = arg;
    (void)name;
    s3_text_add(&reader->text, "", 0);
    if (reader->text.failed) {
        stop(reader, S3_XML_BAD);
        return;
    }
    int result = reader->element ? reader->element(reader->arg, reader->path, reader->text.data) : 0;
    if (result != 0) {
        stop(reader, result);
        return;
    }
    reader->depth--;
    reader->path[reader->depth ? reader->ends[reader->depth - 1] : 0] = 0;
    reader->text.used = 0;
}

static void on_text(void *arg, const char *data, int size)
{
    struct reader *reader = arg;
    if (reader->text.used + (size_t)size > TEXT_MAX)
        stop(reader, S3_XML_BAD);
    else
        s3_text_add(&reader->text, data, (size_t)size);
}

/* No server has reason to send one, and entities live there. */
static void on_doctype(void *arg, const char *name, const char *system, const char *public, int internal)
{
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    stop(arg, S3_XML_BAD);
}

int s3_xml_read(const char *data, size_t size, s3_xml_element *element, void *arg)
{
    struct reader reader = {.parser = XML_ParserCreate(NULL), .element = element, .arg = arg};
    if (!reader.parser || size > INT32_MAX) {
        XML_ParserFree(reader.parser);
        return S3_XML_BAD;
    }
    XML_SetUserData(reader.parser, &reader);
    XML_SetElementHandler(reader.parser, on_start, on_end);
    XML_SetCharacterDataHandler(reader.parser, on_text);
    XML_SetStartDoctypeDeclHandler(reader.parser, on_doctype);
    enum XML_Status status = XML_Parse(reader.parser, data ? data : "", (int)size, 1);
    if (status != XML_STATUS_OK && reader.result == 0)
        reader.result = S3_XML_BAD;
    XML_ParserFree(reader.parser);
    s3_text_clear(&reader.text);
    return reader.result;
}

struct root {
    char name[64];
};

static int note_root(void *arg, const char *path, const char *text)
{
    struct root *root = arg;
    (void)text;
    if (!strchr(path, '/')) /* comes last */
        s3_copy(root->name, sizeof(root->name), path, strlen(path));
    return 0;
}

bool s3_xml_is(const char *data, size_t size, const char *name)
{
    struct root root = {0};
    return s3_xml_read(data, size, note_root, &root) == 0 && strcmp(root.name, name) == 0;
}

struct error_reader {
    struct s3_error *error;
    bool root;
};

static int note_error(void *arg, const char *path, const char *text)
{
    struct error_reader *reader = arg;
    struct s3_error *error = reader->error;
    size_t length = strlen(text);
    if (strcmp(path, "Error/Code") == 0)
        s3_copy(error->code, sizeof(error->code), text, length);
    else if (strcmp(path, "Error/Region") == 0)
        s3_copy(error->region, sizeof(error->region), text, length);
    else if (strcmp(path, "Error/Message") == 0)
        s3_copy(error->message, sizeof(error->message), text,
                length < sizeof(error->message) ? length : sizeof(error->message) - 1);
    else if (strcmp(path, "Error") == 0)
        reader->root = true;
    return 0;
}

bool s3_xml_error(const char *data, size_t size, struct s3_error *ret_error)
{
    struct s3_error error = {0};
    struct error_reader reader = {.error = &error};
    *ret_error = error;
    if (s3_xml_read(data, size, note_error, &reader) != 0 || !reader.root)
        return false;
    *ret_error = error;
    return true;
}

struct value {
    const char *path;
    char *text;
    size_t room;
    bool found;
};

static int note_value(void *arg, const char *path, const char *text)
{
    struct value *value = arg;
    if (strcmp(path, value->path) == 0)
        value->found = !value->found && s3_copy(value->text, value->room, text, strlen(text));
    return 0;
}

bool s3_xml_value(const char *data, size_t size, const char *path, char *ret_text, size_t room)
{
    struct value value = {.path = path, .text = ret_text, .room = room};
    return s3_xml_read(data, size, note_value, &value) == 0 && value.found;
}
