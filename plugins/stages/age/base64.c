/* SPDX-License-Identifier: Apache-2.0 */
#include "age.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9')
        return letter - '0' + 52;
    return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

size_t age_base64_size(size_t size)
{
    return size / 3 * 4 + (size % 3 == 0 ? 0 : size % 3 + 1);
}

size_t age_base64_encode(const unsigned char *data, size_t size, char *ret_text)
{
    unsigned bits = 0;
    int held = 0;
    size_t used = 0;

    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | data[i];
        for (held += 8; held >= 6; held -= 6)
            ret_text[used++] = letters[bits >> (held - 6) & 63];
    }
    if (held > 0)
        ret_text[used++] = letters[bits << (6 - held) & 63];
    return used;
}

int64_t age_base64_decode(const char *text, size_t length, unsigned char *ret_data, size_t room)
{
    unsigned bits = 0;
    int held = 0;
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        int value = value_of(text[i]);

        if (value < 0)
            return -1;
        bits = bits << 6 | (unsigned)value;
        held += 6;
        if (held < 8)
            continue;
        if (used == room)
            return -1;
        held -= 8;
        ret_data[used++] = (unsigned char)(bits >> held & 0xff);
    }
    /* One letter more than bytes need, or bits that say nothing: another text would mean the same. */
    if (held >= 6 || (bits & ((1u << held) - 1)) != 0)
        return -1;
    return (int64_t)used;
}
