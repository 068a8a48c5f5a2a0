/* SPDX-License-Identifier: Apache-2.0 */
#include "git.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 4096 };

const struct hf_option gs_options[GS_OPTION_COUNT] = {
    {.key = "path",
     .type = HF_PATH,
     .flags = HF_REQUIRED,
     .help = "bare repository that holds the backups; with remote, the copy of this machine"},
    {.key = "create",
     .type = HF_BOOL,
     .dflt = "no",
     .help = "make the repository when it is missing, and fetch what the remote has; without it a missing one is an "
             "error, so that a disk that is not mounted is noticed"},
    {.key = "remote",
     .type = HF_STRING,
     .help = "another repository, to which everything is pushed before it counts as stored: https://…, ssh://…, "
             "USER@HOST:PATH or file://…"},
    {.key = "author",
     .type = HF_STRING,
     .help = "who the commits are by, NAME <MAIL>; unset: Holdfast, at this machine's name"},
    {.key = "max_object",
     .type = HF_SIZE,
     .dflt = "512M",
     .min = 1 << 20,
     .max = (int64_t)4 << 30,
     .help = "largest object that is stored; git is not made for large ones"},
    {.key = "username", .type = HF_STRING, .help = "user at the remote; unset: that of the address, or git over ssh"},
    {.key = "password", .type = HF_STRING, .flags = HF_SECRET, .help = "password or token at an https remote"},
    {.key = "ssh_key", .type = HF_PATH, .help = "private key for an ssh remote; unset: those of the running ssh agent"},
    {.key = "ssh_passphrase", .type = HF_STRING, .flags = HF_SECRET, .help = "what unlocks ssh_key"},
    {.key = "host_key",
     .type = HF_STRING,
     .help =
         "fingerprint of the ssh remote's host key, SHA256:… as 'ssh-keygen -lf' prints it; unset: the key must stand "
         "in ~/.ssh/known_hosts"},
    {.key = "ca_file",
     .type = HF_PATH,
     .help = "certificates (PEM) that an https remote is checked by; unset: the system's"},
    {.key = "stall_timeout",
     .type = HF_DURATION,
     .dflt = "60s",
     .min = 1000,
     .max = 3600 * 1000,
     .help = "a remote from which nothing comes, and which takes nothing, for so long is given up"},
};

static int copy(struct hf_ctx *ctx, const struct hf_config *config, const char *key, char **ret_value)
{
    const char *value = gs_host->get_string(config, key);
    *ret_value = value ? strdup(value) : NULL;
    if (value && !*ret_value)
        return gs_fail_nomem(ctx);
    return value && (!*value || strlen(value) > TEXT_MAX)
               ? gs_host->fail(ctx, HF_E_CONFIG, "%s is empty or too long", key)
               : HF_OK;
}

static int default_author(struct gs *self, struct hf_ctx *ctx)
{
    char host[256] = "localhost";
    (void)gethostname(host, sizeof(host) - 1);
    self->author_name = strdup("Holdfast");
    if (asprintf(&self->author_email, "holdfast@%s", host) < 0)
        self->author_email = NULL;
    return self->author_name && self->author_email ? HF_OK : gs_fail_nomem(ctx);
}

/* "Name <mail>" */
static int parse_author(struct gs *self, struct hf_ctx *ctx, const char *text)
{
    const char *open = strchr(text, '<'), *close = strchr(text, '>');
    size_t name = open ? (size_t)(open - text) : 0;
    while (name > 0 && text[name - 1] == ' ')
        name--;
    if (name == 0 || !close || close[1] || close < open + 2 || strchr(open + 1, '<') || strpbrk(text, "\n\r")) {
        gs_host->fail(ctx, HF_E_CONFIG, "author '%s' is not NAME <MAIL>", text);
        return gs_host->hint(ctx, "write it like: author = Backups <backups@example.org>");
    }
    self->author_name = strndup(text, name);
    self->author_email = strndup(open + 1, (size_t)(close - open - 1));
    return self->author_name && self->author_email ? HF_OK : gs_fail_nomem(ctx);
}

static bool is_network(const char *remote, const char *scheme)
{
    return strncmp(remote, scheme, strlen(scheme)) == 0;
}

/* A password in the address would stand in logs, manifests and the repository's own files. */
static int check_remote(const struct gs *self, struct hf_ctx *ctx)
{
    const char *host = strstr(self->remote, "://");
    const char *at = host ? strchr(host + 3, '@') : NULL, *colon = host ? strchr(host + 3, ':') : NULL;
    const char *path = host ? strchr(host + 3, '/') : NULL;
    bool names_user = at && (!path || at < path);
    if (names_user && colon && colon < at) {
        gs_host->fail(ctx, HF_E_CONFIG, "the address in remote holds a password");
        return gs_host->hint(ctx, "put it into the option password, as ${env:NAME} or ${file:PATH}");
    }
    if (names_user && is_network(self->remote, "https://")) { /* many services take a token there */
        gs_host->fail(ctx, HF_E_CONFIG, "the address in remote holds a user, or a token");
        return gs_host->hint(ctx, "put a user into the option username, a token into password, as ${env:NAME} or "
                                  "${file:PATH}");
    }
    if (is_network(self->remote, "http://") || is_network(self->remote, "git://")) {
        gs_host->fail(ctx, HF_E_CONFIG, "remote '%s' is neither encrypted nor authenticated", self->remote);
        return gs_host->hint(ctx, "use https:// or ssh://");
    }
    if (!host && !strchr(self->remote, ':')) {
        gs_host->fail(ctx, HF_E_CONFIG, "remote '%s' is not the address of a repository", self->remote);
        return gs_host->hint(ctx, "a folder of this machine is written file:///srv/other.git");
    }
    return HF_OK;
}

int gs_configure(struct gs *self, struct hf_ctx *ctx, const struct hf_config *config)
{
    static const struct {
        const char *key;
        size_t offset;
    } texts[] = {{"path", offsetof(struct gs, path)},         {"remote", offsetof(struct gs, remote)},
                 {"username", offsetof(struct gs, username)}, {"password", offsetof(struct gs, password)},
                 {"ssh_key", offsetof(struct gs, ssh_key)},   {"ssh_passphrase", offsetof(struct gs, ssh_passphrase)},
                 {"host_key", offsetof(struct gs, host_key)}, {"ca_file", offsetof(struct gs, ca_file)}};
    const char *author = gs_host->get_string(config, "author");
    int status = HF_OK;
    for (size_t i = 0; status == HF_OK && i < sizeof(texts) / sizeof(*texts); i++)
        status = copy(ctx, config, texts[i].key, (char **)((char *)self + texts[i].offset));
    self->create = gs_host->get_int(config, "create") != 0;
    self->max_object = (uint64_t)gs_host->get_int(config, "max_object");
    self->stall_ms = gs_host->get_int(config, "stall_timeout");
    if (status == HF_OK)
        status = author ? parse_author(self, ctx, author) : default_author(self, ctx);
    if (status == HF_OK && self->host_key && strncmp(self->host_key, "SHA256:", 7) != 0)
        status = gs_host->fail(ctx, HF_E_CONFIG, "host_key '%s' does not begin with 'SHA256:'", self->host_key);
    return status == HF_OK && self->remote ? check_remote(self, ctx) : status;
}
