/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may read and who reads: options, files of identities, SSH keys, new keys.
 */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Made by ssh-keygen for this test, and used nowhere else. */
#define SSH_PUBLIC "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAbl33l/ObSZiIvmYp17FYM05mzOZe2mTG00VV4UI5wz"
#define SSH_PRIVATE                                                                                                    \
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"                                                                            \
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"                                         \
    "QyNTUxOQAAACAG5d95fzm0mYiL5mKdexWDNOZszmXtpkxtNFVeFCOcMwAAAJDCanP4wmpz\n"                                         \
    "+AAAAAtzc2gtZWQyNTUxOQAAACAG5d95fzm0mYiL5mKdexWDNOZszmXtpkxtNFVeFCOcMw\n"                                         \
    "AAAECVKSApoeLcjqKvklc7RvqtuBrtXxbb0WElrb4NC9krMwbl33l/ObSZiIvmYp17FYM0\n"                                         \
    "5mzOZe2mTG00VV4UI5wzAAAAB21lQGhlcmUBAgMEBQY=\n"                                                                   \
    "-----END OPENSSH PRIVATE KEY-----\n"

static struct fake *fake;

static void set_up(void)
{
    fake = fake_new();
}

static void tear_down(void)
{
    fake_free(fake);
}

static int open_with(const char *const *pairs, const char *ret_error_has)
{
    const struct hf_plugin *plugin = holdfast_module_v1()->plugins[0];
    struct hf_config *config = fake_config_new(plugin->options, plugin->option_count, pairs);
    void *self = NULL;
    int rc;

    fake_clear(fake);
    rc = plugin->open(fake_ctx(fake), config, &self);
    if (rc == HF_OK)
        plugin->close(self);
    else
        ck_assert_msg(strstr(fake_error(fake), ret_error_has) != NULL, "%s", fake_error(fake));
    fake_config_free(config);
    return rc;
}

#define RECIPIENT "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"

START_TEST(options_that_go_together)
{
    static const struct {
        const char *pairs[8], *error;
        int expect;
    } cases[] = {
        {{NULL}, "says who can decrypt", HF_E_CONFIG},
        {{"recipient", RECIPIENT, NULL}, "", HF_OK},
        {{"recipient", RECIPIENT " " RECIPIENT, "identity", "/k", NULL}, "", HF_OK},
        {{"identity", "/nowhere", NULL}, "", HF_OK}, /* it is looked for when it is needed */
        {{"passphrase", "x", NULL}, "", HF_OK},
        {{"passphrase", "x", "recipient", RECIPIENT, NULL}, "goes with neither", HF_E_CONFIG},
        {{"passphrase", "x", "identity", "/k", NULL}, "goes with neither", HF_E_CONFIG},
        {{"passphrase", "", NULL}, "is empty", HF_E_CONFIG},
        {{"recipient", "age1abc", NULL}, "'age1abc' is no recipient", HF_E_CONFIG},
        {{"recipient", FORGE_SECRET, NULL}, "is a secret key", HF_E_CONFIG},
        {{"recipient", "x," FORGE_SECRET, NULL}, "is a secret key", HF_E_CONFIG},
        {{"identity", "/etc/" FORGE_SECRET, NULL}, "is a secret key itself", HF_E_CONFIG},
        {{"identity", "/etc/age-secret-key-1.txt", NULL}, "", HF_OK},
        {{"recipient", "ssh-rsa AAAA", NULL}, "not supported", HF_E_UNSUPPORTED},
        {{"recipient", "\"" SSH_PUBLIC " me@here\"", NULL}, "", HF_OK},
        {{"recipient", SSH_PUBLIC, NULL}, "", HF_OK}, /* two items, and meant as one */
        {{"recipient", SSH_PUBLIC " me@here", NULL}, "'me@here' is no recipient", HF_E_CONFIG},
        {{"recipient", "ssh-ed25519", NULL}, "", HF_E_UNSUPPORTED},
        {{"recipient", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA", NULL}, "is no recipient", HF_E_CONFIG},
        /* Points of low order: nobody could ever read what is encrypted to them. */
        {{"recipient", "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z", NULL},
         "is no recipient",
         HF_E_CONFIG},
        {{"recipient", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOz///////////////////////////////////////9/", NULL},
         "is no recipient",
         HF_E_CONFIG},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        ck_assert_msg(open_with(cases[i].pairs, cases[i].error) == cases[i].expect, "case %zu: %s", i,
                      fake_error(fake));
}
END_TEST

static int parse(const char *text, const char *has)
{
    struct age_identities identities = {0};
    int rc;

    fake_clear(fake);
    rc = age_identities_parse(fake_ctx(fake), "it", text, strlen(text), &identities);
    if (rc != HF_OK) {
        ck_assert_msg(strstr(fake_error(fake), has) != NULL, "%s", fake_error(fake));
        ck_assert_msg(strstr(fake_error(fake), "KEY-1X") == NULL, "it tells a secret");
    }
    age_identities_clear(&identities);
    return rc;
}

START_TEST(files_of_identities)
{
    static const struct {
        const char *text, *error;
        int expect;
    } cases[] = {
        {FORGE_SECRET "\n", "", HF_OK},
        {FORGE_SECRET, "", HF_OK},
        {"# a comment\n\n" FORGE_SECRET "\r\n" FORGE_OTHER "\n", "", HF_OK},
        {"", "holds no identity", HF_E_CONFIG},
        {"# only\n", "holds no identity", HF_E_CONFIG},
        {FORGE_SECRET "\nrubbish\n", "line 2", HF_E_CONFIG},
        {"AGE-SECRET-KEY-1XMWWC06LY3EE5RYTXM9MFLAZ2U56JJJ36S0MYPDRWSVLUL66MV4QX3S7F7\n", "line 1", HF_E_CONFIG},
        {RECIPIENT "\n", "line 1", HF_E_CONFIG},
        /* What the age tool would not take: a backup that only we can read is none. */
        {"age-secret-key-1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4qx3s7f6\n", "line 1", HF_E_CONFIG},
        {FORGE_SECRET " \n", "line 1", HF_E_CONFIG},
        {" " FORGE_SECRET "\n", "line 1", HF_E_CONFIG},
        {"AGE-SECRET-KEY-1\n", "line 1", HF_E_CONFIG},
        {"AGE\n", "line 1", HF_E_CONFIG},
        {"age-encryption.org/v1\n-> X25519 x\n", "encrypted themselves", HF_E_UNSUPPORTED},
        {SSH_PRIVATE, "", HF_OK},
        {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "no OpenSSH", HF_E_CONFIG},
        {"-----BEGIN OPENSSH PRIVATE KEY-----\n", "no OpenSSH", HF_E_CONFIG},
        {"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n", "no OpenSSH", HF_E_CONFIG},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        ck_assert_msg(parse(cases[i].text, cases[i].error) == cases[i].expect, "case %zu: %s", i, fake_error(fake));
}
END_TEST

/* Any bit of an SSH key that is wrong: there is an answer, and nothing is read beyond the end. */
START_TEST(damaged_ssh_keys)
{
    char text[1024];

    for (size_t i = 0; i < strlen(SSH_PRIVATE); i++) {
        strcpy(text, SSH_PRIVATE);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        (void)parse(text, "");
        text[i] = '\0';
        ck_assert_int_ne(parse(text, ""), HF_OK);
        if (i + 2 > strlen(SSH_PRIVATE) - 1)
            break;
    }
}
END_TEST

START_TEST(files_that_others_can_read)
{
    static const mode_t modes[] = {0640, 0604, 0660, 0644, 0620, 0610};
    struct age_identities identities = {0};
    const char *path = forge_file("open", FORGE_SECRET "\n");

    ck_assert_int_eq(chmod(path, modes[_i]), 0);
    ck_assert_int_eq(age_identities_load(fake_ctx(fake), path, &identities), HF_E_CONFIG);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "can be read by others"));
    ck_assert_ptr_nonnull(strstr(fake_hint(fake), "chmod 600"));
    ck_assert_int_eq(chmod(path, _i % 2 ? 0400 : 0600), 0);
    fake_clear(fake);
    ck_assert_int_eq(age_identities_load(fake_ctx(fake), path, &identities), HF_OK);
    ck_assert_uint_eq(identities.count, 1);
    age_identities_clear(&identities);
    ck_assert_int_eq(age_identities_load(fake_ctx(fake), "/tmp", &identities), HF_E_CONFIG);
    fake_clear(fake);
    ck_assert_int_eq(age_identities_load(fake_ctx(fake), "/nowhere/key", &identities), HF_E_CONFIG);
}
END_TEST

/* The same key by both of its sides. */
START_TEST(ssh_keys_go_together)
{
    struct age_identities identities = {0};
    struct age_recipient recipient;

    ck_assert_int_eq(age_identities_parse(fake_ctx(fake), "it", SSH_PRIVATE, strlen(SSH_PRIVATE), &identities), HF_OK);
    ck_assert_int_eq(age_recipient_parse(fake_ctx(fake), SSH_PUBLIC " me@here", &recipient), HF_OK);
    ck_assert_mem_eq(identities.items[0].recipient.key, recipient.key, AGE_KEY_SIZE);
    ck_assert_mem_eq(identities.items[0].recipient.blob, recipient.blob, AGE_SSH_BLOB_SIZE);
    age_identities_clear(&identities);
}
END_TEST

/* RFC 7748, 5.2 and 6.1. */
START_TEST(x25519_of_rfc_7748)
{
    static const unsigned char secret[] = {0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1,
                                           0x72, 0x51, 0xb2, 0x66, 0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0,
                                           0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a};
    static const unsigned char public[] = {0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54, 0x74, 0x8b, 0x7d,
                                           0xdc, 0xb4, 0x3e, 0xf7, 0x5a, 0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38,
                                           0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b, 0x4e, 0x6a};
    unsigned char made[AGE_KEY_SIZE], zero[AGE_KEY_SIZE] = {0};

    ck_assert_int_eq(age_x25519_public(secret, made), 0);
    ck_assert_mem_eq(made, public, sizeof(made));
    ck_assert_int_eq(age_x25519(secret, zero, made), -1);
}
END_TEST

/* RFC 5869, A.1 and A.3, as far as 32 bytes go. */
START_TEST(hkdf_of_rfc_5869)
{
    static const unsigned char salt[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const unsigned char expected[][AGE_KEY_SIZE] = {
        {0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f, 0x64, 0xd0, 0x36, 0x2f, 0x2a,
         0x2d, 0x2d, 0x0a, 0x90, 0xcf, 0x1a, 0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56, 0xec, 0xc4, 0xc5, 0xbf},
        {0x8d, 0xa4, 0xe7, 0x75, 0xa5, 0x63, 0xc1, 0x8f, 0x71, 0x5f, 0x80, 0x2a, 0x06, 0x3c, 0x5a, 0x31,
         0xb8, 0xa1, 0x1f, 0x5c, 0x5e, 0xe1, 0x87, 0x9e, 0xc3, 0x45, 0x4e, 0x5f, 0x3c, 0x73, 0x8d, 0x2d}};
    unsigned char key[22], made[AGE_KEY_SIZE];

    memset(key, 0x0b, sizeof(key));
    ck_assert_int_eq(age_hkdf(key, sizeof(key), salt, sizeof(salt), "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9", made),
                     0);
    ck_assert_mem_eq(made, expected[0], sizeof(made));
    ck_assert_int_eq(age_hkdf(key, sizeof(key), NULL, 0, "", made), 0);
    ck_assert_mem_eq(made, expected[1], sizeof(made));
}
END_TEST

START_TEST(new_keys)
{
    char *secret = NULL, *public = NULL, *again = NULL, *other = NULL, *other_secret = NULL;

    ck_assert_int_eq(age_key_new(fake_ctx(fake), &secret, &public), HF_OK);
    ck_assert_int_eq(age_key_new(fake_ctx(fake), &other_secret, &other), HF_OK);
    ck_assert_str_ne(public, other);
    ck_assert_int_eq(age_key_public(fake_ctx(fake), "it", secret, strlen(secret), &again), HF_OK);
    ck_assert_str_eq(public, again);
    ck_assert_ptr_nonnull(strstr(secret, "\nAGE-SECRET-KEY-1"));
    free(again);
    again = NULL;
    ck_assert_int_eq(age_key_public(fake_ctx(fake), "it", SSH_PRIVATE, strlen(SSH_PRIVATE), &again), HF_OK);
    ck_assert_str_eq(again, SSH_PUBLIC);
    free(again);
    again = NULL;
    ck_assert_int_eq(age_key_public(fake_ctx(fake), "it", FORGE_SECRET "\n" FORGE_OTHER, 149, &again), HF_OK);
    ck_assert_ptr_nonnull(strchr(again, '\n'));
    free(again);
    again = NULL;
    ck_assert_int_eq(age_key_public(fake_ctx(fake), "it", "x", 1, &again), HF_E_CONFIG);
    ck_assert_ptr_null(again);
    free(secret);
    free(public);
    free(other_secret);
    free(other);
}
END_TEST

/* The pages are left out of core dumps ("dd" in the flags of the mapping). */
START_TEST(keys_are_not_dumped)
{
    unsigned char *memory = age_secret_alloc(100);
    char line[512], begin[32];
    FILE *maps = fopen("/proc/self/smaps", "r");
    bool ours = false, checked = false;

    ck_assert(memory != NULL && maps != NULL);
    snprintf(begin, sizeof(begin), "%lx-", (unsigned long)memory);
    while (fgets(line, sizeof(line), maps) != NULL) {
        if (strchr(line, '-') != NULL && strstr(line, "rw-p") != NULL)
            ours = strncmp(line, begin, strlen(begin)) == 0;
        if (ours && strncmp(line, "VmFlags:", 8) == 0) {
            ck_assert_ptr_nonnull(strstr(line, " dd"));
            checked = true;
        }
    }
    fclose(maps);
    ck_assert(checked);
    age_secret_free(memory, 100);
}
END_TEST

/* What can be known before the day it is needed. */
START_TEST(keys_that_do_not_fit)
{
    const char *identity = forge_file("other", FORGE_OTHER "\n");
    struct kit kit =
        kit_open_with(holdfast_module_v1(), (const char *const[]){"recipient", RECIPIENT, "identity", identity, NULL});

    ck_assert_int_eq(kit.stage->check(kit.self, fake_ctx(kit.fake)), HF_E_CONFIG);
    ck_assert_ptr_nonnull(strstr(fake_error(kit.fake), "belongs to any 'recipient'"));
    ck_assert_int_eq(kit.stage->can_decode(kit.self, fake_ctx(kit.fake)), 1);
    kit_close(&kit);
    kit = kit_open_with(holdfast_module_v1(), (const char *const[]){"recipient", RECIPIENT, NULL});
    ck_assert_int_eq(kit.stage->check(kit.self, fake_ctx(kit.fake)), HF_OK);
    ck_assert_int_eq(kit.stage->can_decode(kit.self, fake_ctx(kit.fake)), 0);
    kit_close(&kit);
    kit = kit_open_with(holdfast_module_v1(), (const char *const[]){"identity", "/nowhere", NULL});
    ck_assert_int_eq(kit.stage->check(kit.self, fake_ctx(kit.fake)), HF_E_CONFIG);
    kit_close(&kit);
}
END_TEST

TCase *keys_case(void)
{
    TCase *tests = tcase_create("keys");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, options_that_go_together);
    tcase_add_test(tests, files_of_identities);
    tcase_add_test(tests, damaged_ssh_keys);
    tcase_add_loop_test(tests, files_that_others_can_read, 0, 6);
    tcase_add_test(tests, ssh_keys_go_together);
    tcase_add_test(tests, x25519_of_rfc_7748);
    tcase_add_test(tests, hkdf_of_rfc_5869);
    tcase_add_test(tests, new_keys);
    tcase_add_test(tests, keys_that_do_not_fit);
    tcase_add_test(tests, keys_are_not_dumped);
    return tests;
}
