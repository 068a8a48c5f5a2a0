/* SPDX-License-Identifier: Apache-2.0
 *
 * A script, in one piece and in others whose size the input chooses: the tokens must be the same. What must hold for
 * any script is checked while they are shown (see render.h).
 */
#include "render.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const char *input = (const char *)data + 1;
    size_t piece = data[0] % 40; /* 0: of changing sizes */
    size--;
    char *whole = render(input, size, size + 1, RENDER_PLACES);
    char *pieces = render(input, size, piece, RENDER_PLACES);
    if (strcmp(whole, pieces) != 0)
        abort();
    free(whole);
    free(pieces);

    const char *name, *columns;
    size_t name_size, columns_size;
    if (pg_script_copy_parts(input, size, &name, &name_size, &columns, &columns_size) &&
        (name < input || name_size == 0 || name + name_size > columns || columns + columns_size > input + size))
        abort();
    return 0;
}
