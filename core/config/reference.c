/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "config/value.h"
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

enum { REFERENCED_FILE_MAX = 64 << 10 };

/* Guards the names, which only grow. */
static pthread_mutex_t private_lock = PTHREAD_MUTEX_INITIALIZER;
static struct hf_strings private_names;

bool hf_value_is_private(const char *name, size_t length)
{
    hf_auto_free char *whole = hf_strndup(name, length);
    pthread_mutex_lock(&private_lock);
    bool known = hf_strings_have(&private_names, whole);
    pthread_mutex_unlock(&private_lock);
    return known;
}

static void keep_private(const char *name)
{
    pthread_mutex_lock(&private_lock);
    if (!hf_strings_have(&private_names, name))
        hf_strings_add(&private_names, name);
    pthread_mutex_unlock(&private_lock);
}

static void complain(const struct hf_place *place, const char *hint, const char *text)
{
    hf_diagnose(place->diagnostics, HF_ERROR, place->file, place->line, hint, "%s", text);
}

static bool others_can_read(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && (status.st_mode & S_IROTH);
}

static bool add_variable(const struct hf_place *place, const struct hf_option *option, const char *name,
                         struct hf_text *text)
{
    const char *value = getenv(name);
    if (!value) {
        hf_auto_free char *message =
            hf_strf("'%s' refers to the environment variable '%.80s', which is not set", option->key, name);
        hf_auto_free char *hint = hf_strf("export %.80s=… before the run", name);
        complain(place, hint, message);
        return false;
    }
    if ((option->flags & HF_SECRET) || option->type == HF_URL)
        keep_private(name);
    hf_text_add(text, value);
    return true;
}

static bool add_file(const struct hf_place *place, const struct hf_option *option, const char *name,
                     struct hf_text *text)
{
    hf_auto_free char *path = hf_path_beside(place->file, name);
    struct hf_ctx ctx = {0};
    hf_auto_free char *data = NULL;
    size_t size = 0;
    if (hf_file_read(&ctx, path, REFERENCED_FILE_MAX, &data, &size) < 0) {
        hf_auto_free char *message = hf_strf("'%s': %s", option->key, ctx.error.text);
        hf_error_clear(&ctx.error);
        complain(place, NULL, message);
        return false;
    }
    hf_auto_free char *message = NULL, *hint = NULL;
    if ((option->flags & HF_SECRET) && others_can_read(path)) {
        message = hf_strf("'%s' is a secret, but others can read the file '%s'", option->key, path);
        hint = hf_strf("chmod 640 %s", path);
    } else if (memchr(data, '\0', size)) {
        message = hf_strf("'%s' refers to the file '%s', which holds a NUL byte", option->key, path);
    }
    if (message) {
        complain(place, hint, message);
        return false;
    }
    if (size && data[size - 1] == '\n')
        size--;
    if (size && data[size - 1] == '\r')
        size--;
    hf_text_add_bytes(text, data, size);
    return true;
}

/* One "${…}" without its frame. */
static bool add_reference(const struct hf_place *place, const struct hf_option *option, const char *reference,
                          struct hf_text *text)
{
    if (hf_text_starts(reference, "env:") && reference[4])
        return add_variable(place, option, reference + 4, text);
    if (hf_text_starts(reference, "file:") && reference[5])
        return add_file(place, option, reference + 5, text);
    hf_auto_free char *message = hf_strf("'%s' holds an unknown reference '${%.80s}'", option->key, reference);
    complain(place, "write ${env:NAME} or ${file:PATH}, or $${ for these very characters", message);
    return false;
}

static bool literal_refused(const struct hf_place *place, const struct hf_option *option, const char *literal,
                            bool referenced)
{
    size_t length;
    bool secret = (option->flags & HF_SECRET) && !referenced && *literal;
    secret |= option->type == HF_URL && hf_url_password(literal, &length) != NULL;
    if (!secret || !*place->file || !others_can_read(place->file))
        return false;
    hf_auto_free char *message = hf_strf("'%s' holds a secret, but others can read this file", option->key);
    hf_auto_free char *hint =
        hf_strf("chmod 640 %s, or refer to the secret with ${env:NAME} or ${file:PATH}", place->file);
    complain(place, hint, message);
    return true;
}

char *hf_value_resolve(const struct hf_place *place, const struct hf_option *option, const char *raw,
                       bool *ret_referenced)
{
    hf_auto_text struct hf_text text = {0}, literal = {0};
    hf_text_add(&text, "");
    hf_text_add(&literal, "");
    bool referenced = false, good = true;
    for (const char *p = raw; *p;) {
        if (p[0] == '$' && p[1] == '{') {
            size_t length = strcspn(p + 2, "}");
            if (!p[2 + length]) {
                hf_auto_free char *message = hf_strf("'%s' holds a '${' without its '}'", option->key);
                complain(place, "write $${ for these very characters", message);
                return NULL;
            }
            hf_auto_free char *reference = hf_strndup(p + 2, length);
            good &= add_reference(place, option, reference, &text);
            referenced = true;
            p += length + 3;
            continue;
        }
        if (p[0] == '$' && p[1] == '$')
            p++;
        hf_text_add_bytes(&text, p, 1);
        hf_text_add_bytes(&literal, p, 1);
        p++;
    }
    if (literal_refused(place, option, literal.data, referenced) || !good)
        return NULL;
    *ret_referenced = referenced;
    return hf_steal(text.data);
}
