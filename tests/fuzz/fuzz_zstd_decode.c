/* SPDX-License-Identifier: Apache-2.0 */
#include "stage_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int mode;
    struct fuzz_result result = fuzz_decode(data, size, &mode);
    free(result.data);
    return 0;
}
