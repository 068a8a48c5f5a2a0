/* SPDX-License-Identifier: Apache-2.0
 *
 * Headers of age files, what identities and SSH keys are read from, and whole files. The first byte says which. A
 * header that is accepted is the only way to write what it says: put together again from its pieces, it is the same
 * text. A file that is decoded from its beginning is so from its middle, too, and to the same.
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

/* An instance with a key for which some of the corpus is made. */
static struct age reader(struct fake *fake)
{
    static struct age_identities identities;
    static const char secret[] = "AGE-SECRET-KEY-1XMWWC06LY3EE5RYTXM9MFLAZ2U56JJJ36S0MYPDRWSVLUL66MV4QX3S7F6\n";

    if (identities.count == 0)
        assert(age_identities_parse(fake_ctx(fake), "it", secret, sizeof(secret) - 1, &identities) == HF_OK);
    return (struct age){
        .identity_path = "it", .loaded = true, .lock = PTHREAD_MUTEX_INITIALIZER, .identities = identities};
}

/* All that the stream gives: at most so many bytes at a time, since the core's buffers end anywhere. */
static int decode(struct fake *fake, void *stream, const uint8_t *in, size_t size, size_t piece, struct age_text *out)
{
    size_t at = 0;
    int rc = HF_OK;

    while (rc == HF_OK) {
        size_t used = size - at < piece ? size - at : piece, made = piece;
        unsigned char *room = malloc(piece);
        int last = at + used == size;

        rc = age_step(stream, fake_ctx(fake), in + at, &used, room, &made, last);
        assert(used <= size - at && made <= piece);
        at += used;
        assert(made == 0 || age_text_add(out, room, made) == 0);
        free(room);
        if (rc == HF_OK && used == 0 && made == 0 && last)
            rc = HF_E_CORRUPT;
    }
    age_decode_close(stream);
    return rc;
}

static void try_stream(struct fake *fake, const uint8_t *data, size_t size)
{
    struct age age = reader(fake);
    struct age_text all = {0}, part = {0};
    struct hf_extent extent = {.size = sizeof(extent)};
    size_t piece = size > 0 ? 1 + (size_t)data[size - 1] * 300 : 1;
    uint64_t whole = 0;
    void *stream = NULL, *seek = NULL;
    int rc, found = HF_OK;

    assert(age_decode_open(&age, fake_ctx(fake), HF_DECODE_OBJECT, &stream) == HF_OK);
    rc = decode(fake, stream, data, size, piece, &all);
    assert(rc == HF_END || rc == HF_E_CORRUPT || rc == HF_E_AUTH || rc == HF_E_UNSUPPORTED);
    fake_clear(fake);
    found = age_seek_open(&age, fake_ctx(fake), data, size, size, &whole, &seek);
    assert(rc != HF_END || (found == HF_OK && whole == all.used));
    if (found == HF_OK && whole > 0) {
        uint64_t from = whole / 3;

        assert(age_seek_range(seek, fake_ctx(fake), from, whole - from, &extent, &stream) == HF_OK);
        assert(extent.offset <= size && extent.length <= size - extent.offset && extent.skip <= from);
        found = decode(fake, stream, data + extent.offset, extent.length, piece, &part);
        assert(rc != HF_END || found == HF_END);
        assert(found != HF_END || part.used == extent.skip + whole - from);
        if (rc == HF_END)
            assert(memcmp(part.data + extent.skip, all.data + from, whole - from) == 0);
    }
    if (seek != NULL)
        age_seek_close(seek);
    free(all.data);
    free(part.data);
}

/* Through everything that a header goes through. */
static void try_file(struct fake *fake, const uint8_t *data, size_t size)
{
    struct age age = reader(fake);
    unsigned char key[AGE_FILE_KEY_SIZE];
    size_t header_size = 0;
    int rc;

    rc = age_unlock(&age, fake_ctx(fake), (const char *)data, size, key, &header_size);
    assert(rc == HF_OK || rc == HF_END || rc == HF_E_CORRUPT || rc == HF_E_AUTH || rc == HF_E_UNSUPPORTED);
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
    switch (data[0] % 4) {
    case 0:
        try_header((const char *)rest, size - 1);
        break;
    case 1:
        try_file(fake, rest, size - 1);
        break;
    case 3:
        try_stream(fake, rest, size - 1);
        break;
    default:
        try_identities(fake, (const char *)rest, size - 1);
    }
    return 0;
}
