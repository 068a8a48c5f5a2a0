/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes from outside of the s3 sink: answers of servers, documents of metadata services, files of the AWS tools.
 * The first byte chooses which.
 */
#include <stdlib.h>
#include <string.h>

#include "awsfile.h"
#include "credentials.h"
#include "xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check_element(void *arg, const char *path, const char *text)
{
    size_t *elements = arg;
    if (strlen(path) >= 512 || strlen(text) > 64 * 1024)
        abort();
    return ++*elements > 100000 ? 1 : 0;
}

static void answer(const char *text, size_t size)
{
    struct s3_error error;
    char value[32];
    size_t elements = 0;
    int status = s3_xml_read(text, size, check_element, &elements);
    bool failed = s3_xml_error(text, size, &error);
    if (failed && status == S3_XML_BAD)
        abort();
    if (!failed && error.code[0])
        abort();
    if (s3_xml_is(text, size, "Error") && status == S3_XML_BAD)
        abort();
    s3_xml_value(text, size, "InitiateMultipartUploadResult/UploadId", value, sizeof(value));
}

static void keys(const char *text, size_t size)
{
    struct s3_keys *parsed = calloc(1, sizeof(*parsed));
    if (parsed && s3_keys_parse(text, size, parsed) && (!parsed->access[0] || !parsed->secret[0]))
        abort();
    free(parsed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char value[64];
    if (size < 1)
        return 0;
    char *text = malloc(size);
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    if (data[0] == 'x')
        answer(text, size - 1);
    else if (data[0] == 'j')
        keys(text, size - 1);
    else if (s3_awsfile_value(text, "default", "aws_access_key_id", value, sizeof(value)) && !value[0])
        abort();
    s3_time_parse(text);
    s3_decode(text);
    free(text);
    return 0;
}
