/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "retry.h"
#include "suites.h"
#include "text.h"
#include "xml.h"

static int add_path(void *arg, const char *path, const char *text)
{
    s3_text_addf(arg, "%s=%s\n", path, text);
    return strcmp(text, "stop") == 0 ? 7 : 0;
}

static int read_all(const char *xml, struct s3_text *text)
{
    s3_text_clear(text);
    return s3_xml_read(xml, strlen(xml), add_path, text);
}

START_TEST(xml_elements)
{
    struct s3_text text = {0};
    ck_assert_int_eq(
        read_all("<?xml version=\"1.0\"?><a xmlns=\"http://x/\"> <b>1 &lt; 2</b><x:b>two</x:b> <c/></a>", &text), 0);
    ck_assert_str_eq(text.data, "a/b=1 < 2\na/b=two\na/c=\na=\n");
    ck_assert_int_eq(read_all("<a><b>stop</b><c>x</c></a>", &text), 7);
    ck_assert_str_eq(text.data, "a/b=stop\n");
    s3_text_clear(&text);
}
END_TEST

START_TEST(xml_refusals)
{
    static const char *const bad[] = {
        "",
        "no xml",
        "<a><b></a>",
        "<a>",
        "<a></a><b></b>",
        "{\"error\":\"x\"}",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
        "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a></a>",
        "<a>&unknown;</a>",
        "<1><2><3><4><5>",
        "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>deep</a></a></a></a></a></a></a></a></a></a></a></a></a></"
        "a></a>"
        "</a></a>",
    };
    struct s3_text text = {0};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        ck_assert_msg(read_all(bad[i], &text) == S3_XML_BAD, "taken: %s", bad[i]);
    s3_text_clear(&text);
    /* a text without an end */
    s3_text_addf(&text, "<a>");
    for (int i = 0; i < 70000; i++)
        s3_text_add(&text, "x", 1);
    s3_text_addf(&text, "</a>");
    ck_assert_int_eq(s3_xml_read(text.data, text.used, NULL, NULL), S3_XML_BAD);
    s3_text_clear(&text);
}
END_TEST

START_TEST(xml_values)
{
    static const char xml[] = "<R><UploadId>2~abc</UploadId></R>";
    char value[16], little[4];
    ck_assert(s3_xml_value(xml, strlen(xml), "R/UploadId", value, sizeof(value)));
    ck_assert_str_eq(value, "2~abc");
    ck_assert(!s3_xml_value(xml, strlen(xml), "R/UploadId", little, sizeof(little)));
    ck_assert(!s3_xml_value(xml, strlen(xml), "R/Other", value, sizeof(value)));
    ck_assert(s3_xml_is(xml, strlen(xml), "R"));
    ck_assert(!s3_xml_is(xml, strlen(xml), "UploadId"));
    ck_assert(!s3_xml_is(xml, strlen(xml) - 1, "R"));
    ck_assert(!s3_xml_is(NULL, 0, "R"));
}
END_TEST

START_TEST(xml_errors)
{
    static const char xml[] =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>PermanentRedirect</Code><Message>elsewhere"
        "</Message><Region>eu-west-1</Region><RequestId>1</RequestId></Error>";
    static const char other[] = "<Fault><Code>NoSuchKey</Code></Fault>";
    struct s3_error error;
    ck_assert(s3_xml_error(xml, strlen(xml), &error));
    ck_assert_str_eq(error.code, "PermanentRedirect");
    ck_assert_str_eq(error.message, "elsewhere");
    ck_assert_str_eq(error.region, "eu-west-1");
    ck_assert(!s3_xml_error(other, strlen(other), &error));
    ck_assert_str_eq(error.code, "");
    ck_assert(!s3_xml_error("<html><body>502</body></html>", 29, &error));
}
END_TEST

START_TEST(verdicts)
{
    static const struct {
        CURLcode result;
        int status;
        const char *code;
        enum s3_verdict verdict;
    } cases[] = {
        {CURLE_OK, 200, "", S3_DONE},
        {CURLE_OK, 204, "", S3_DONE},
        {CURLE_OK, 206, "", S3_DONE},
        {CURLE_OK, 200, "InternalError", S3_AGAIN},
        {CURLE_OK, 200, "InvalidAnswer", S3_AGAIN},
        {CURLE_OK, 500, "", S3_AGAIN},
        {CURLE_OK, 502, "", S3_AGAIN},
        {CURLE_OK, 503, "SlowDown", S3_AGAIN},
        {CURLE_OK, 504, "", S3_AGAIN},
        {CURLE_OK, 429, "", S3_AGAIN},
        {CURLE_OK, 400, "RequestTimeout", S3_AGAIN},
        {CURLE_OK, 400, "BadDigest", S3_AGAIN},
        {CURLE_OK, 409, "ConditionalRequestConflict", S3_AGAIN},
        {CURLE_COULDNT_CONNECT, 0, "", S3_AGAIN},
        {CURLE_COULDNT_RESOLVE_HOST, 0, "", S3_AGAIN},
        {CURLE_OPERATION_TIMEDOUT, 0, "", S3_AGAIN},
        {CURLE_SEND_ERROR, 503, "", S3_AGAIN},
        {CURLE_PARTIAL_FILE, 200, "", S3_AGAIN},
        {CURLE_GOT_NOTHING, 0, "", S3_AGAIN},
        {CURLE_OK, 400, "ExpiredToken", S3_RENEW},
        {CURLE_OK, 403, "ExpiredToken", S3_RENEW},
        {CURLE_OK, 301, "PermanentRedirect", S3_REFUSED},
        {CURLE_OK, 307, "", S3_REFUSED},
        {CURLE_OK, 400, "InvalidPart", S3_REFUSED},
        {CURLE_OK, 403, "", S3_REFUSED},
        {CURLE_OK, 403, "AccessDenied", S3_REFUSED},
        {CURLE_OK, 403, "SignatureDoesNotMatch", S3_REFUSED},
        {CURLE_OK, 403, "RequestTimeTooSkewed", S3_REFUSED},
        {CURLE_OK, 403, "QuotaExceeded", S3_REFUSED},
        {CURLE_SEND_ERROR, 403, "", S3_REFUSED},
        {CURLE_OK, 404, "NoSuchBucket", S3_REFUSED},
        {CURLE_OK, 412, "PreconditionFailed", S3_REFUSED},
        {CURLE_OK, 416, "InvalidRange", S3_REFUSED},
        {CURLE_OK, 501, "NotImplemented", S3_REFUSED},
        {CURLE_OK, 507, "", S3_REFUSED},
        {CURLE_PEER_FAILED_VERIFICATION, 0, "", S3_REFUSED},
        {CURLE_OUT_OF_MEMORY, 0, "", S3_REFUSED},
        {CURLE_URL_MALFORMAT, 0, "", S3_REFUSED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        ck_assert_msg(s3_judge(cases[i].result, cases[i].status, cases[i].code) == cases[i].verdict, "%d %d %s",
                      cases[i].result, cases[i].status, cases[i].code);
}
END_TEST

START_TEST(backoff)
{
    ck_assert_int_eq(s3_backoff_ms(1, 0, 0), 125);
    ck_assert_int_eq(s3_backoff_ms(1, 0, 125), 250);
    ck_assert_int_eq(s3_backoff_ms(3, 0, 0), 500);
    ck_assert_int_eq(s3_backoff_ms(50, 0, 0), 10000);
    ck_assert_int_eq(s3_backoff_ms(1, 3000, 0), 3000);
    ck_assert_int_eq(s3_backoff_ms(1, 86400000, 0), 120000);
    for (uint32_t random = 0; random < 100000; random += 97) {
        int64_t ms = s3_backoff_ms(5, 0, random);
        ck_assert(ms >= 2000 && ms <= 4000);
    }
}
END_TEST

Suite *suite_answers(void)
{
    Suite *suite = suite_create("s3 answers");
    TCase *tests = tcase_create("answers");
    tcase_add_test(tests, xml_elements);
    tcase_add_test(tests, xml_refusals);
    tcase_add_test(tests, xml_values);
    tcase_add_test(tests, xml_errors);
    tcase_add_test(tests, verdicts);
    tcase_add_test(tests, backoff);
    suite_add_tcase(suite, tests);
    return suite;
}
