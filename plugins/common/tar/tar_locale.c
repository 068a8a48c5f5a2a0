/* SPDX-License-Identifier: Apache-2.0 */
#include "tar_parts.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t plain, utf8;

static void make(void)
{
    plain = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
    utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

locale_t tar_locale(enum tar_charset charset)
{
    pthread_once(&once, make);
    return charset == TAR_PLAIN ? plain : utf8;
}
