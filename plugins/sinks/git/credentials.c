/* SPDX-License-Identifier: Apache-2.0
 *
 * Who we are to the remote, and whether it is who it should be.
 */
#include "git.h"

#include <stdio.h>
#include <string.h>

enum { TRIES_MAX = 3, SHA256_SIZE = 32 };

static int give_up(struct gs_talk *talk, const char *why)
{
    (void)talk;
    git_error_set_str(GIT_ERROR_NET, why);
    return GIT_EAUTH;
}

static int on_credentials(git_credential **ret, const char *url, const char *url_user, unsigned allowed, void *opaque)
{
    struct gs_talk *talk = opaque;
    const struct gs *self = talk->self;
    const char *user = self->username ? self->username : url_user ? url_user : "git";
    (void)url;
    if (allowed == GIT_CREDENTIAL_USERNAME) /* asked first, when the address names nobody */
        return git_credential_username_new(ret, user);
    if (talk->tries++ >= TRIES_MAX || (talk->tries > 1 && (self->ssh_key || self->password)))
        return give_up(talk, "the remote does not accept the credentials");
    if ((allowed & GIT_CREDENTIAL_SSH_KEY) && self->ssh_key)
        return git_credential_ssh_key_new(ret, user, NULL, self->ssh_key, self->ssh_passphrase);
    if (allowed & GIT_CREDENTIAL_SSH_KEY)
        return git_credential_ssh_key_from_agent(ret, user);
    if ((allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT) && self->password)
        return git_credential_userpass_plaintext_new(ret, user, self->password);
    return give_up(talk, "the remote asks for credentials, and the profile has none that it would take");
}

/* As ssh-keygen prints it: base64 without padding. */
static void fingerprint(const unsigned char *hash, char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = stpcpy(text, "SHA256:");
    for (int bit = 0; bit < SHA256_SIZE * 8; bit += 6) {
        unsigned pair = (unsigned)hash[bit / 8] << 8 | (bit / 8 + 1 < SHA256_SIZE ? hash[bit / 8 + 1] : 0);
        *out++ = digits[pair >> (10 - bit % 8) & 63];
    }
    *out = 0;
}

static int check_host_key(struct gs_talk *talk, const git_cert_hostkey *key, int valid)
{
    char text[64];
    if (!talk->self->host_key)
        return valid ? 0 : GIT_ECERTIFICATE;
    if (!(key->type & GIT_CERT_SSH_SHA256))
        return GIT_ECERTIFICATE;
    fingerprint(key->hash_sha256, text);
    return strcmp(text, talk->self->host_key) == 0 ? 0 : GIT_ECERTIFICATE;
}

static int on_certificate(git_cert *certificate, int valid, const char *host, void *opaque)
{
    struct gs_talk *talk = opaque;
    int rc = certificate->cert_type == GIT_CERT_HOSTKEY_LIBSSH2
                 ? check_host_key(talk, (const git_cert_hostkey *)(void *)certificate, valid)
             : valid ? 0
                     : GIT_ECERTIFICATE;
    talk->bad_certificate = rc != 0;
    snprintf(talk->host, sizeof(talk->host), "%s", host ? host : "");
    if (rc != 0)
        git_error_set_str(GIT_ERROR_SSL, "the remote cannot prove who it is");
    return rc;
}

void gs_credentials_set(struct gs_talk *talk)
{
    talk->callbacks.credentials = on_credentials;
    talk->callbacks.certificate_check = on_certificate;
}
