/* SPDX-License-Identifier: Apache-2.0 */
#include "ls.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
static const char segment_word[] = ".segment-", index_word[] = ".segments-", claim_word[] = ".claim-";

/* Digits, and nothing else, up to `stop`. */
static bool number(const char **at, char stop, uint64_t *ret_value)
{
    size_t length = strspn(*at, "0123456789");
    if (length == 0 || length > 18 || (*at)[length] != stop)
        return false;
    *ret_value = strtoull(*at, NULL, 10);
    *at += length + (stop != 0);
    return true;
}

/* Where the last WORD is, if an id and a '-' follow; *ret_after: what comes behind. */
static const char *find_word(const char *name, const char *word, struct ls_name *ret_name, const char **ret_after)
{
    const char *found = NULL;
    for (const char *at = strstr(name, word); at; at = strstr(at + 1, word))
        found = at;
    if (!found || found == name)
        return NULL;
    const char *id = found + strlen(word);
    if (strspn(id, "0123456789abcdef") != LS_ID || id[LS_ID] != '-')
        return NULL;
    snprintf(ret_name->id, sizeof(ret_name->id), "%.*s", LS_ID, id);
    *ret_after = id + LS_ID + 1;
    return found;
}

void ls_name_parse(const char *name, struct ls_name *ret_name)
{
    const char *after = NULL, *word;
    *ret_name = (struct ls_name){.kind = LS_FOREIGN};
    if (!*name || *name == '.' || strspn(name, letters) != strlen(name))
        return;
    size_t length = strlen(name);
    enum ls_kind kind = LS_PLAIN;
    if ((word = find_word(name, index_word, ret_name, &after)) && number(&after, '-', &ret_name->number) &&
        number(&after, 0, &ret_name->bytes) && ret_name->number <= LS_SEGMENTS_MAX) {
        kind = LS_INDEX;
        length = (size_t)(word - name);
    } else if ((word = find_word(name, segment_word, ret_name, &after)) && number(&after, 0, &ret_name->number)) {
        kind = LS_SEGMENT;
        length = (size_t)(word - name);
    } else if ((word = find_word(name, claim_word, ret_name, &after)) && number(&after, 0, &ret_name->number)) {
        kind = LS_CLAIM;
        length = (size_t)(word - name);
    }
    if (length > LS_KEY_MAX)
        return;
    snprintf(ret_name->key, sizeof(ret_name->key), "%.*s", (int)length, name);
    ret_name->kind = kind;
}

int ls_key_check(struct hf_ctx *ctx, const char *key)
{
    struct ls_name name;
    ls_name_parse(key, &name);
    if (name.kind == LS_PLAIN)
        return HF_OK;
    return ls_host->fail(ctx, HF_E_REFUSED, "'%s' cannot be the name of an object", key);
}

void ls_path(const struct ls *self, const char *name, char *ret_path)
{
    snprintf(ret_path, LS_PATH_MAX, "%s%s", self->prefix, name);
}

void ls_segment_path(const struct ls *self, const char *owner, const char *id, uint64_t at, char *ret_path)
{
    snprintf(ret_path, LS_PATH_MAX, "%s%s%s%s-%06" PRIu64, self->prefix, owner, segment_word, id, at);
}

void ls_claim_path(const struct ls *self, const char *key, const char *id, uint64_t pid, char *ret_path)
{
    snprintf(ret_path, LS_PATH_MAX, "%s%s%s%s-%" PRIu64, self->prefix, key, claim_word, id, pid);
}

void ls_index_path(const struct ls *self, const char *key, const char *id, uint64_t count, uint64_t bytes,
                   char *ret_path)
{
    snprintf(ret_path, LS_PATH_MAX, "%s%s%s%s-%" PRIu64 "-%" PRIu64, self->prefix, key, index_word, id, count, bytes);
}
