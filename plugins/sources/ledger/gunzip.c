/* SPDX-License-Identifier: Apache-2.0 */
#include "gunzip.h"

#include <holdfast/types.h>
#include <isa-l/igzip_lib.h>
#include <stdbool.h>
#include <stdlib.h>

#define OUT_SIZE (256u << 10)

struct gunzip {
    struct inflate_state state;
    bool member_open;
    size_t members;
    const char *problem;
    unsigned char out[OUT_SIZE];
};

struct gunzip *gunzip_new(void)
{
    struct gunzip *gz = malloc(sizeof(*gz));

    if (!gz)
        return NULL;
    isal_inflate_init(&gz->state);
    gz->member_open = false;
    gz->members = 0;
    gz->problem = NULL;
    return gz;
}

void gunzip_free(struct gunzip *gz)
{
    free(gz);
}

static const char *describe(int code)
{
    switch (code) {
    case ISAL_INCORRECT_CHECKSUM:
        return "its own checksum is wrong";
    case ISAL_INVALID_WRAPPER:
    case ISAL_UNSUPPORTED_METHOD:
        return "it is not gzip";
    default:
        return "its deflate data is damaged";
    }
}

int gunzip_feed(struct gunzip *gz, const void *data, size_t size, int (*out)(void *arg, const void *, size_t),
                void *arg)
{
    struct inflate_state *state = &gz->state;

    if (gz->problem || !size)
        return HF_OK;
    state->next_in = (uint8_t *)(uintptr_t)data;
    state->avail_in = (uint32_t)size;
    do {
        if (!gz->member_open) {
            if (*state->next_in != 0x1f) {
                gz->problem = gz->members ? "there is other data behind its end" : "it is not gzip";
                return HF_OK;
            }
            isal_inflate_reset(state);
            state->crc_flag = ISAL_GZIP;
            gz->member_open = true;
        }
        state->next_out = gz->out;
        state->avail_out = OUT_SIZE;
        int code = isal_inflate(state);
        size_t made = OUT_SIZE - state->avail_out;

        if (made) {
            int result = out(arg, gz->out, made);
            if (result < 0)
                return result;
        }
        if (code != ISAL_DECOMP_OK && code != ISAL_END_INPUT && code != ISAL_OUT_OVERFLOW) {
            gz->problem = describe(code);
            return HF_OK;
        }
        if (state->block_state == ISAL_BLOCK_FINISH) {
            gz->member_open = false;
            gz->members++;
        }
    } while (state->avail_in || (gz->member_open && state->avail_out == 0));
    return HF_OK;
}

const char *gunzip_problem(const struct gunzip *gz)
{
    if (gz->problem)
        return gz->problem;
    if (gz->member_open || !gz->members)
        return "it ends early";
    return NULL;
}
