/* SPDX-License-Identifier: Apache-2.0
 *
 * Manifests and commit records: any bytes. What is accepted is consistent, and is written and read again unchanged.
 */
#include "catalog/records.h"
#include <assert.h>
#include <string.h>

#define ID "sqlite_20260201_120000"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_manifest(const char *data, size_t size)
{
    struct hf_manifest *manifest = NULL, *again = NULL;
    struct hf_ctx ctx = {0};
    size_t length, length_again;
    int rc = hf_manifest_read(&ctx, ID ".manifest.json", data, size, &manifest);

    assert(rc == ctx.error.code && (rc == HF_OK || rc == HF_E_CORRUPT || rc == HF_E_UNSUPPORTED));
    hf_error_clear(&ctx.error);
    if (rc != HF_OK)
        return;
    hf_auto_free char *text = hf_manifest_write(manifest, &length), *text_again = NULL;
    rc = hf_manifest_read(&ctx, ID ".manifest.json", text, length, &again);
    assert(rc == HF_OK);
    text_again = hf_manifest_write(again, &length_again);
    assert(length == length_again && memcmp(text, text_again, length) == 0);
    assert((manifest->sealed != NULL) == (again->sealed != NULL));
    for (size_t i = 0; i < manifest->artifact_count; i++)
        assert(hf_key_of(manifest->artifacts[i].key, ID));
    hf_manifest_free(manifest);
    hf_manifest_free(again);
}

static void try_record(const char *data, size_t size)
{
    struct hf_record record = {0}, again = {0};
    struct hf_ctx ctx = {0};

    if (hf_record_parse(&ctx, ID ".commit.json", ID, HF_COMMIT, data, size, &record) == HF_OK) {
        hf_auto_free char *text = hf_record_text(&record);

        for (size_t i = 0; i < record.count; i++)
            assert(hf_key_of(record.objects[i].key, ID));
        assert(hf_record_parse(&ctx, ID ".commit.json", ID, HF_COMMIT, text, strlen(text), &again) == HF_OK);
        assert(again.count == record.count && hf_text_equal(again.writer, record.writer));
    }
    hf_record_clear(&record);
    hf_record_clear(&again);
    hf_error_clear(&ctx.error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_manifest((const char *)data, size);
    try_record((const char *)data, size);
    return 0;
}
