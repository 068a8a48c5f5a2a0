/* SPDX-License-Identifier: Apache-2.0 */
#include "age.h"

#include <string.h>

enum { CHECK_SIZE = 6, DATA_SIZE = 52 }; /* 52 letters of 5 bits hold 32 bytes and 4 bits */

static const char letters[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

static uint32_t polymod_step(uint32_t check, unsigned value)
{
    static const uint32_t generator[] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
    uint32_t top = check >> 25;

    check = (check & 0x1ffffff) << 5 ^ value;
    for (int i = 0; i < 5; i++)
        if (top >> i & 1)
            check ^= generator[i];
    return check;
}

static uint32_t start(const char *prefix)
{
    uint32_t check = 1;

    for (const char *p = prefix; *p; p++)
        check = polymod_step(check, (unsigned char)*p >> 5);
    check = polymod_step(check, 0);
    for (const char *p = prefix; *p; p++)
        check = polymod_step(check, (unsigned char)*p & 31);
    return check;
}

static char lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter + 32) : letter;
}

static bool mixed_case(const char *text, size_t length)
{
    bool small = false, large = false;

    for (size_t i = 0; i < length; i++) {
        small = small || (text[i] >= 'a' && text[i] <= 'z');
        large = large || (text[i] >= 'A' && text[i] <= 'Z');
    }
    return small && large;
}

int age_bech32_decode(const char *text, size_t length, const char *prefix, unsigned char ret_data[AGE_KEY_SIZE])
{
    size_t prefix_length = strlen(prefix), used = 0;
    uint32_t check = start(prefix), bits = 0;
    int held = 0;

    if (length != prefix_length + 1 + DATA_SIZE + CHECK_SIZE || mixed_case(text, length) || text[prefix_length] != '1')
        return -1;
    for (size_t i = 0; i < prefix_length; i++)
        if (lower(text[i]) != prefix[i])
            return -1;
    for (size_t i = prefix_length + 1; i < length; i++) {
        const char *at = text[i] ? strchr(letters, lower(text[i])) : NULL;

        if (at == NULL)
            return -1;
        check = polymod_step(check, (unsigned)(at - letters));
        if (i >= length - CHECK_SIZE)
            continue;
        bits = bits << 5 | (uint32_t)(at - letters);
        held += 5;
        if (held >= 8) {
            held -= 8;
            ret_data[used++] = (unsigned char)(bits >> held & 0xff);
        }
    }
    return check == 1 && used == AGE_KEY_SIZE && (bits & ((1u << held) - 1)) == 0 ? 0 : -1;
}

void age_bech32_encode(const char *prefix, const unsigned char data[AGE_KEY_SIZE], bool upper, char *ret_text)
{
    size_t used = strlen(prefix);
    uint32_t check = start(prefix), bits = 0;
    int held = 0;

    memcpy(ret_text, prefix, used);
    ret_text[used++] = '1';
    for (size_t i = 0; i < AGE_KEY_SIZE || held > 0;) {
        unsigned value;

        if (held < 5 && i < AGE_KEY_SIZE) {
            bits = bits << 8 | data[i++];
            held += 8;
        }
        if (held < 5) { /* the rest, filled up with zeros */
            bits <<= 5 - held;
            held = 5;
        }
        held -= 5;
        value = bits >> held & 31;
        check = polymod_step(check, value);
        ret_text[used++] = letters[value];
    }
    for (int i = 0; i < CHECK_SIZE; i++)
        check = polymod_step(check, 0);
    check ^= 1;
    for (int i = 0; i < CHECK_SIZE; i++)
        ret_text[used++] = letters[check >> 5 * (5 - i) & 31];
    ret_text[used] = '\0';
    for (size_t i = 0; upper && i < used; i++)
        if (ret_text[i] >= 'a' && ret_text[i] <= 'z')
            ret_text[i] = (char)(ret_text[i] - 32);
}
