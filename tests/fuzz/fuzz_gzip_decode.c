/* SPDX-License-Identifier: Apache-2.0
 *
 * What the stage decodes, zlib decodes to the same.
 */
#include <zlib.h>

#include "stage_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes members one after another; what follows the last is not looked at. */
static size_t decode_by_zlib(const uint8_t *data, size_t size, int window_bits, unsigned char *out, size_t room)
{
    z_stream stream = {.next_in = (Bytef *)data, .avail_in = (uInt)size, .next_out = out, .avail_out = (uInt)room};
    int status = inflateInit2(&stream, window_bits);
    assert(status == Z_OK);
    do {
        status = inflate(&stream, Z_SYNC_FLUSH);
        if (status == Z_STREAM_END && (stream.avail_in == 0 || *stream.next_in == 0))
            break;
        if (status == Z_STREAM_END)
            status = inflateReset(&stream);
    } while (status == Z_OK && stream.avail_in > 0);
    assert(status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR);
    size_t made = room - stream.avail_out;
    inflateEnd(&stream);
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int mode;
    struct fuzz_result result = fuzz_decode(data, size, &mode);
    if (result.status == HF_END && size > 1) {
        unsigned char *out = malloc(result.size + 1);
        assert(out);
        size_t made =
            decode_by_zlib(data + 1, size - 1, mode == HF_DECODE_OBJECT ? 15 + 16 : -15, out, result.size + 1);
        assert(made == result.size && memcmp(out, result.data, made) == 0);
        free(out);
    }
    free(result.data);
    return 0;
}
