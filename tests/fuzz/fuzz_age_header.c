/* SPDX-License-Identifier: Apache-2.0
 *
 * Headers of age files, and what identities and SSH keys are read from. The first byte says which. A header that is
 * accepted is the only way to write what it says: put together again from its pieces, it is the same text.
 */
#include "age.h"
#include "fake_host.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The stanza again, if nothing of it was left out. */
static void write_stanza(const struct age_stanza *stanza, struct age_text *text)
{
    char *args[4];
    size_t count = stanza->arg_count;

    for (size_t i = 0; i < count; i++)
        assert((args[i] = strndup(stanza->args[i], stanza->lengths[i])) != NULL);
    assert(age_text_add_stanza(text, (const char *const *)args, count, stanza->body, stanza->body_size) == 0);
    for (size_t i = 0; i < count; i++)
        free(args[i]);
}

static void try_header(const char *text, size_t size)
{
    struct age_header header;
    struct age_text again = {0};
    const char *problem = NULL;
    size_t at = 0;
    bool complete = true;
    int rc = age_header_parse(text, size, &header, &problem, &at);

    assert(rc == HF_OK || rc == HF_END || (rc == AGE_MALFORMED && problem != NULL && at <= size));
    if (rc != HF_OK)
        return;
    assert(header.size <= size && header.covered + 3 < header.size && header.count > 0);
    assert(age_text_add(&again, "age-encryption.org/v1\n", 22) == 0);
    for (size_t i = 0; i < header.count; i++) {
        const struct age_stanza *stanza = &header.stanzas[i];

        complete = complete && stanza->arg_count <= 4 && stanza->body_size <= sizeof(stanza->body);
        if (complete)
            write_stanza(stanza, &again);
    }
    assert(age_text_add(&again, "---", 3) == 0);
    if (complete)
        assert(again.used == header.covered && memcmp(again.data, text, again.used) == 0);
    free(again.data);
    age_header_clear(&header);
}

/* Through everything that a file goes through, with a key for which some of the corpus is made. */
static void try_file(struct fake *fake, const uint8_t *data, size_t size)
{
    static struct age_identities identities;
    struct age age = {.identity_path = "it", .loaded = true, .lock = PTHREAD_MUTEX_INITIALIZER};
    static const char secret[] = "AGE-SECRET-KEY-1XMWWC06LY3EE5RYTXM9MFLAZ2U56JJJ36S0MYPDRWSVLUL66MV4QX3S7F6\n";
    unsigned char key[AGE_FILE_KEY_SIZE];
    size_t header_size = 0;
    int rc;

    if (identities.count == 0)
        assert(age_identities_parse(fake_ctx(fake), "it", secret, sizeof(secret) - 1, &identities) == HF_OK);
    age.identities = identities;
    rc = age_unlock(&age, fake_ctx(fake), (const char *)data, size, key, &header_size);
    assert(rc == HF_OK || rc == HF_END || rc == HF_E_CORRUPT || rc == HF_E_AUTH);
    assert((rc < 0) == (*fake_error(fake) != 0));
    assert(rc != HF_OK || header_size <= size);
}

static void try_identities(struct fake *fake, const char *text, size_t size)
{
    struct age_identities identities = {0};
    int rc = age_identities_parse(fake_ctx(fake), "it", text, size, &identities);

    assert((rc == HF_OK) == (identities.count > 0) && (rc < 0) == (*fake_error(fake) != 0));
    age_identities_clear(&identities);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fake *fake;
    const uint8_t *rest = data + 1;

    if (fake == NULL) {
        fake = fake_new();
        holdfast_module_v1()->init(fake_host_table());
    }
    if (size == 0)
        return 0;
    fake_clear(fake);
    switch (data[0] % 3) {
    case 0:
        try_header((const char *)rest, size - 1);
        break;
    case 1:
        try_file(fake, rest, size - 1);
        break;
    default:
        try_identities(fake, (const char *)rest, size - 1);
    }
    return 0;
}
