/* SPDX-License-Identifier: Apache-2.0
 *
 * Where keys come from, as far as that needs no server.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "awsfile.h"
#include "credentials.h"
#include "fake_host.h"
#include "suites.h"

static const char file[] = "# a comment\n"
                           "[default]\n"
                           "aws_access_key_id = AKIADEFAULT\n"
                           "AWS_Secret_Access_Key=secret/default+=\n"
                           "s3 =\n"
                           "    aws_access_key_id = nested\n"
                           "\n"
                           "[profile omen]  ; where the backups go\r\n"
                           "region = eu-central-1\r\n"
                           "aws_access_key_id=old\r\n"
                           "aws_access_key_id = new\r\n"
                           "[other]\n"
                           "aws_access_key_id = AKIAOTHER\n"
                           "role_arn = arn:aws:iam::1:role/x\n"
                           "empty =\n"
                           "no equals here\n"
                           "last = 1";

START_TEST(file_values)
{
    char value[64];
    ck_assert(s3_awsfile_value(file, "default", "aws_access_key_id", value, sizeof(value)));
    ck_assert_str_eq(value, "AKIADEFAULT");
    ck_assert(s3_awsfile_value(file, "default", "aws_secret_access_key", value, sizeof(value)));
    ck_assert_str_eq(value, "secret/default+=");
    ck_assert(s3_awsfile_value(file, "omen", "region", value, sizeof(value)));
    ck_assert_str_eq(value, "eu-central-1");
    ck_assert(s3_awsfile_value(file, "omen", "aws_access_key_id", value, sizeof(value)));
    ck_assert_str_eq(value, "new");
    ck_assert(s3_awsfile_value(file, "other", "last", value, sizeof(value)));
    ck_assert_str_eq(value, "1");
    ck_assert(!s3_awsfile_value(file, "other", "empty", value, sizeof(value)));
    ck_assert(!s3_awsfile_value(file, "omen", "last", value, sizeof(value)));
    ck_assert(!s3_awsfile_value(file, "none", "region", value, sizeof(value)));
    ck_assert(!s3_awsfile_value(file, "default", "aws_access_key_id", value, 5));
    ck_assert(s3_awsfile_has_profile(file, "omen"));
    ck_assert(!s3_awsfile_has_profile(file, "ome"));
    ck_assert(!s3_awsfile_value("", "default", "x", value, sizeof(value)));
    ck_assert(!s3_awsfile_value("[default", "default", "x", value, sizeof(value)));
    ck_assert(!s3_awsfile_value("x = 1", "default", "x", value, sizeof(value)));
}
END_TEST

START_TEST(metadata_documents)
{
    static const char good[] =
        "{\"Code\":\"Success\",\"AccessKeyId\":\"ASIA\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","
        "\"Expiration\":\"2026-02-01T12:00:00Z\"}";
    static const char lasting[] = "{\"AccessKeyId\":\"AKIA\",\"SecretAccessKey\":\"s\"}";
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "{\"AccessKeyId\":\"a\"}",
                                      "{\"AccessKeyId\":1,\"SecretAccessKey\":\"s\"}",
                                      "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"Expiration\":\"soon\"}",
                                      "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"Token\":7}",
                                      "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"no\"}"};
    struct s3_keys keys;
    ck_assert(s3_keys_parse(good, strlen(good), &keys));
    ck_assert_str_eq(keys.access, "ASIA");
    ck_assert_str_eq(keys.secret, "s");
    ck_assert_str_eq(keys.token, "t");
    ck_assert_int_eq(keys.expires_ms, 1769947200000);
    ck_assert(s3_keys_parse(lasting, strlen(lasting), &keys));
    ck_assert_int_eq(keys.expires_ms, 0);
    ck_assert_str_eq(keys.token, "");
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        ck_assert_msg(!s3_keys_parse(bad[i], strlen(bad[i]), &keys), "taken: %s", bad[i]);
}
END_TEST

/* An instance that knows no more than where keys come from. */
struct place {
    struct fake *fake;
    struct s3_call call;
    struct s3 self;
    char home[40];
};

static void clean_environment(void)
{
    static const char *const names[] = {"AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_WEB_IDENTITY_TOKEN_FILE",
                                        "AWS_ROLE_ARN",
                                        "AWS_PROFILE",
                                        "AWS_SHARED_CREDENTIALS_FILE",
                                        "AWS_CONFIG_FILE",
                                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                        "AWS_CONTAINER_CREDENTIALS_FULL_URI"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        unsetenv(names[i]);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
}

static void place_open(struct place *place, struct s3_credentials_options options)
{
    memset(place, 0, sizeof(*place));
    holdfast_module_v1()->init(fake_host_table());
    place->fake = fake_new();
    place->call = (struct s3_call){.ctx = fake_ctx(place->fake), .cancel_fd = -1, .stop_fd = -1};
    strcpy(place->home, "/tmp/s3-keys-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(place->home));
    clean_environment();
    setenv("HOME", place->home, 1);
    ck_assert_int_eq(s3_credentials_open(&place->call, &options, &place->self.credentials), HF_OK);
}

static void place_close(struct place *place)
{
    char command[100];
    snprintf(command, sizeof(command), "rm -rf '%s'", place->home);
    ck_assert_int_eq(system(command), 0);
    s3_credentials_close(place->self.credentials);
    fake_free(place->fake);
}

static void write_file(const struct place *place, const char *name, const char *text)
{
    char path[100];
    snprintf(path, sizeof(path), "%s/.aws", place->home);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/.aws/%s", place->home, name);
    FILE *out = fopen(path, "w");
    ck_assert_ptr_nonnull(out);
    fputs(text, out);
    fclose(out);
}

START_TEST(order)
{
    struct place place;
    struct s3_keys keys;
    place_open(&place, (struct s3_credentials_options){0});
    ck_assert_int_eq(s3_credentials_get(&place.self, &place.call, false, &keys), HF_E_AUTH);
    s3_forgive(&place.call);
    write_file(&place, "config", file);
    ck_assert_int_eq(s3_credentials_get(&place.self, &place.call, false, &keys), HF_OK);
    ck_assert_str_eq(keys.access, "AKIADEFAULT");
    place_close(&place);

    place_open(&place, (struct s3_credentials_options){0});
    write_file(&place, "credentials", file);
    setenv("AWS_ACCESS_KEY_ID", "env", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    setenv("AWS_SESSION_TOKEN", "t", 1);
    ck_assert_int_eq(s3_credentials_get(&place.self, &place.call, false, &keys), HF_OK);
    ck_assert_str_eq(keys.access, "env");
    ck_assert_str_eq(keys.token, "t");
    place_close(&place);

    place_open(&place, (struct s3_credentials_options){.access = "opt", .secret = "s"});
    setenv("AWS_ACCESS_KEY_ID", "env", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    ck_assert_int_eq(s3_credentials_get(&place.self, &place.call, false, &keys), HF_OK);
    ck_assert_str_eq(keys.access, "opt");
    ck_assert_str_eq(keys.token, "");
    place_close(&place);

    place_open(&place, (struct s3_credentials_options){.from = S3_FROM_NOBODY});
    ck_assert_int_eq(s3_credentials_get(&place.self, &place.call, false, &keys), HF_OK);
    ck_assert(keys.anonymous);
    place_close(&place);
}
END_TEST

START_TEST(named_profile)
{
    struct place place;
    struct s3_keys keys;
    place_open(&place, (struct s3_credentials_options){.aws_profile = "default"});
    write_file(&place, "credentials", file);
    setenv("AWS_ACCESS_KEY_ID", "env", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    ck_assert_int_eq(s3_credentials_get(&place.self, &place.call, false, &keys), HF_OK);
    ck_assert_str_eq(keys.access, "AKIADEFAULT");
    /* a tool wrote new ones, since the old were refused */
    write_file(&place, "credentials", "[default]\naws_access_key_id = fresh\naws_secret_access_key = s\n");
    ck_assert_int_eq(s3_credentials_get(&place.self, &place.call, false, &keys), HF_OK);
    ck_assert_str_eq(keys.access, "AKIADEFAULT");
    ck_assert(s3_credentials_renewable(&place.self));
    ck_assert_int_eq(s3_credentials_get(&place.self, &place.call, true, &keys), HF_OK);
    ck_assert_str_eq(keys.access, "fresh");
    place_close(&place);

    place_open(&place, (struct s3_credentials_options){.aws_profile = "missing"});
    write_file(&place, "credentials", file);
    ck_assert_int_eq(s3_credentials_get(&place.self, &place.call, false, &keys), HF_E_AUTH);
    ck_assert_ptr_nonnull(strstr(place.call.problem.text, "'missing'"));
    place_close(&place);

    place_open(&place, (struct s3_credentials_options){.aws_profile = "other"});
    write_file(&place, "credentials", file);
    ck_assert_int_eq(s3_credentials_get(&place.self, &place.call, false, &keys), HF_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(place.call.problem.text, "role_arn"));
    place_close(&place);
}
END_TEST

START_TEST(unsafe_container_address)
{
    struct place place;
    struct s3_keys keys;
    static const char *const bad[] = {"http://example.org/keys", "ftp://127.0.0.1/", "http://127.0.0.1.example.org/",
                                      "http://127.0.0.1:80@example.org/"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        place_open(&place, (struct s3_credentials_options){.from = S3_FROM_CONTAINER});
        setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", bad[i], 1);
        ck_assert_int_eq(s3_credentials_get(&place.self, &place.call, false, &keys), HF_E_AUTH);
        ck_assert_ptr_nonnull(strstr(place.call.problem.text, "neither https nor"));
        place_close(&place);
    }
}
END_TEST

Suite *suite_keys(void)
{
    Suite *suite = suite_create("s3 keys");
    TCase *tests = tcase_create("keys");
    tcase_add_test(tests, file_values);
    tcase_add_test(tests, metadata_documents);
    tcase_add_test(tests, order);
    tcase_add_test(tests, named_profile);
    tcase_add_test(tests, unsafe_container_address);
    suite_add_tcase(suite, tests);
    return suite;
}
