/* SPDX-License-Identifier: Apache-2.0
 *
 * The examples of docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html.
 */
#include <string.h>

#include "sigv4.h"
#include "suites.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void check_signature(struct s3_to_sign request, const char *names, const char *signature)
{
    struct s3_text authorization = {0}, expected = {0};
    request.date = "20130524T000000Z";
    request.region = "us-east-1";
    request.service = "s3";
    request.access_key = "AKIAIOSFODNN7EXAMPLE";
    request.secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    ck_assert(s3_sigv4(&request, &authorization));
    s3_text_addf(&expected,
                 "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=%s,"
                 "Signature=%s",
                 names, signature);
    ck_assert_str_eq(authorization.data, expected.data);
    s3_text_clear(&authorization);
    s3_text_clear(&expected);
}

START_TEST(get_object)
{
    const struct s3_header headers[] = {{"x-amz-date", "20130524T000000Z"},
                                        {"x-amz-content-sha256", EMPTY},
                                        {"range", "bytes=0-9"},
                                        {"host", "examplebucket.s3.amazonaws.com"}};
    check_signature(
        (struct s3_to_sign){
            .method = "GET", .path = "/test.txt", .query = "", .headers = headers, .header_count = 4, .payload = EMPTY},
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}
END_TEST

START_TEST(put_object)
{
    char payload[S3_SHA256_HEX];
    struct s3_text path = {0};
    s3_text_add(&path, "/", 1);
    s3_text_add_encoded(&path, "test$file.text", false);
    ck_assert(s3_sha256_hex("Welcome to Amazon S3.", 21, payload));
    const struct s3_header headers[] = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                        {"host", "examplebucket.s3.amazonaws.com"},
                                        {"x-amz-content-sha256", payload},
                                        {"x-amz-date", "20130524T000000Z"},
                                        {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
    check_signature(
        (struct s3_to_sign){
            .method = "PUT", .path = path.data, .query = "", .headers = headers, .header_count = 5, .payload = payload},
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    s3_text_clear(&path);
}
END_TEST

START_TEST(bucket_queries)
{
    const struct s3_header headers[] = {{"host", "examplebucket.s3.amazonaws.com"},
                                        {"x-amz-content-sha256", EMPTY},
                                        {"x-amz-date", "20130524T000000Z"}};
    struct s3_to_sign request = {
        .method = "GET", .path = "/", .query = "lifecycle=", .headers = headers, .header_count = 3, .payload = EMPTY};
    check_signature(request, "host;x-amz-content-sha256;x-amz-date",
                    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    request.query = "max-keys=2&prefix=J";
    check_signature(request, "host;x-amz-content-sha256;x-amz-date",
                    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}
END_TEST

START_TEST(values_are_trimmed)
{
    const struct s3_header plain[] = {{"host", "h"}, {"x-amz-meta-a", "b c"}};
    const struct s3_header spaced[] = {{"host", " h "}, {"x-amz-meta-a", "  b \t  c  "}};
    struct s3_to_sign request = {.method = "GET",
                                 .path = "/",
                                 .query = "",
                                 .headers = plain,
                                 .header_count = 2,
                                 .payload = EMPTY,
                                 .date = "20130524T000000Z",
                                 .region = "r",
                                 .service = "s3",
                                 .access_key = "a",
                                 .secret_key = "s"};
    struct s3_text one = {0}, other = {0};
    ck_assert(s3_sigv4(&request, &one));
    request.headers = spaced;
    ck_assert(s3_sigv4(&request, &other));
    ck_assert_str_eq(one.data, other.data);
    s3_text_clear(&one);
    s3_text_clear(&other);
    request.header_count = S3_SIGNED_HEADERS_MAX + 1;
    ck_assert(!s3_sigv4(&request, &one));
}
END_TEST

START_TEST(dates)
{
    char date[S3_DATE_SIZE], text[32];
    s3_sigv4_date(1369353600123, date);
    ck_assert_str_eq(date, "20130524T000000Z");
    ck_assert_int_eq(s3_time_parse("2013-05-24T00:00:00.123Z"), 1369353600123);
    ck_assert_int_eq(s3_time_parse("2013-05-24T00:00:00Z"), 1369353600000);
    ck_assert_int_eq(s3_time_parse("2013-05-24T00:00:00.123456789Z"), 1369353600123);
    ck_assert_int_eq(s3_time_parse("2013-05-24"), -1);
    ck_assert_int_eq(s3_time_parse("2013-05-24T00:00:00+02:00"), -1);
    ck_assert_int_eq(s3_time_parse(""), -1);
    s3_time_text(1369353600123, text, sizeof(text));
    ck_assert_str_eq(text, "2013-05-24T00:00:00Z");
}
END_TEST

START_TEST(encodings)
{
    struct s3_text text = {0};
    char md5[S3_MD5_BASE64], decoded[] = "a%2Fb%20c%zz%4";
    s3_text_add_encoded(&text, "a/b c+d=\xc3\xa4~-._", true);
    ck_assert_str_eq(text.data, "a/b%20c%2Bd%3D%C3%A4~-._");
    s3_text_clear(&text);
    s3_text_add_encoded(&text, "a/b", false);
    ck_assert_str_eq(text.data, "a%2Fb");
    s3_text_clear(&text);
    ck_assert(s3_md5_base64("", 0, md5));
    ck_assert_str_eq(md5, "1B2M2Y8AsgTpgAmY7PhCfg==");
    s3_decode(decoded);
    ck_assert_str_eq(decoded, "a/b c%zz%4");
}
END_TEST

Suite *suite_sign(void)
{
    Suite *suite = suite_create("s3 signatures");
    TCase *tests = tcase_create("signatures");
    tcase_add_test(tests, get_object);
    tcase_add_test(tests, put_object);
    tcase_add_test(tests, bucket_queries);
    tcase_add_test(tests, values_are_trimmed);
    tcase_add_test(tests, dates);
    tcase_add_test(tests, encodings);
    suite_add_tcase(suite, tests);
    return suite;
}
