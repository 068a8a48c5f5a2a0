/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoding whatever comes, for the fuzz targets of stages. The first byte says how, the rest is the data.
 */
#ifndef HOLDFAST_FUZZ_STAGE_FUZZ_H
#define HOLDFAST_FUZZ_STAGE_FUZZ_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fake_host.h"

enum { FUZZ_OUT_MAX = 4 << 20, FUZZ_STEPS_MAX = 20000 };

struct fuzz_result {
    int status; /* HF_OK: stopped at a limit */
    unsigned char *data;
    size_t size;
};

static inline struct fuzz_result fuzz_decode(const uint8_t *data, size_t size, int *ret_mode)
{
    static const size_t pieces[] = {1, 7, 300, 5000, 70000, 1 << 20, 33, 65536};
    static struct fake *fake;
    static const struct hf_plugin *plugin;
    if (!fake) {
        fake = fake_new();
        plugin = holdfast_module_v1()->plugins[0];
        holdfast_module_v1()->init(fake_host_table());
    }
    const struct hf_stage *stage = plugin->operations;
    uint8_t how = size ? data[0] : 0;
    size_t in_piece = pieces[how >> 1 & 7], out_piece = pieces[how >> 4 & 7], at = size ? 1 : 0;
    struct fuzz_result result = {0};
    void *stream = NULL;
    fake_clear(fake);
    *ret_mode = how & 1 ? HF_DECODE_BLOCKS : HF_DECODE_OBJECT;
    int status = stage->decode_open(NULL, fake_ctx(fake), *ret_mode, &stream);
    assert(status == HF_OK);
    for (int step = 0; status == HF_OK && result.size < FUZZ_OUT_MAX && step < FUZZ_STEPS_MAX; step++) {
        size_t give = size - at < in_piece ? size - at : in_piece, taken = give, made = out_piece;
        result.data = realloc(result.data, result.size + out_piece);
        assert(result.data);
        status =
            stage->step(stream, fake_ctx(fake), data + at, &taken, result.data + result.size, &made, at + give == size);
        if (status < 0)
            break;
        assert(taken <= give && made <= out_piece);
        assert(status == HF_END || at + give < size || taken > 0 || made > 0);
        at += taken;
        result.size += made;
    }
    assert(status != HF_END || at == size);
    assert((status < 0) == (*fake_error(fake) != 0));
    stage->decode_close(stream);
    result.status = status;
    return result;
}

#endif
