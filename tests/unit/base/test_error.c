/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "suites.h"
#include <errno.h>

START_TEST(layers)
{
    struct hf_ctx ctx = {0};
    ck_assert_int_eq(hf_fail(&ctx, HF_E_IO, "read '%s': %d", "x", 5), HF_E_IO);
    ck_assert_int_eq(hf_hint(&ctx, "look at %s", "it"), HF_E_IO);
    ck_assert_int_eq(hf_hint(&ctx, "second hint"), HF_E_IO);
    ck_assert_int_eq(hf_fail(&ctx, HF_E_CORRUPT, "part"), HF_E_CORRUPT);
    ck_assert_int_eq(hf_wrap(&ctx, "profile '%s'", "p"), HF_E_IO);
    ck_assert_str_eq(ctx.error.text, "profile 'p': part: read 'x': 5");
    ck_assert_str_eq(ctx.error.hint, "look at it");
    /* The arguments may be what is replaced. */
    hf_fail(&ctx, HF_E_FAIL, "%s", ctx.error.text);
    ck_assert_str_eq(ctx.error.text, "profile 'p': part: read 'x': 5: profile 'p': part: read 'x': 5");
    hf_error_clear(&ctx.error);
    ck_assert_int_eq(ctx.error.code, 0);
    ck_assert_ptr_null(ctx.error.text);
}
END_TEST

START_TEST(errnos)
{
    struct hf_ctx ctx = {0};
    ck_assert_int_eq(hf_fail_errno(&ctx, ENOSPC, "write '%s'", "x"), HF_E_NOSPACE);
    ck_assert_str_eq(ctx.error.text, "write 'x': no space left on device");
    hf_error_clear(&ctx.error);
    static const int cases[][2] = {{ENOENT, HF_E_NOTFOUND},     {EEXIST, HF_E_EXISTS}, {EACCES, HF_E_AUTH},
                                   {EDQUOT, HF_E_NOSPACE},      {EBUSY, HF_E_BUSY},    {ENOMEM, HF_E_NOMEM},
                                   {ESTALE, HF_E_UNREACHABLE},  {EIO, HF_E_IO},        {ENOTSUP, HF_E_UNSUPPORTED},
                                   {ECANCELED, HF_E_CANCELLED}, {99999, HF_E_IO},      {EBADMSG, HF_E_CORRUPT}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_int_eq(hf_code_of_errno(cases[i][0]), cases[i][1]);
    for (int code = 0; code >= HF_E_REFUSED - 1; code--)
        ck_assert(*hf_code_text(code));
}
END_TEST

START_TEST(merges)
{
    struct hf_ctx first = {0}, second = {0};
    hf_error_merge(&first.error, &second.error);
    ck_assert_int_eq(first.error.code, 0);
    hf_fail(&second, HF_E_IO, "one");
    hf_hint(&second, "hint");
    hf_error_merge(&first.error, &second.error);
    ck_assert_int_eq(second.error.code, 0);
    ck_assert_str_eq(first.error.text, "one");
    ck_assert_str_eq(first.error.hint, "hint");
    hf_fail(&second, HF_E_BUSY, "two");
    hf_error_merge(&first.error, &second.error);
    ck_assert_ptr_null(second.error.text);
    ck_assert_str_eq(first.error.text, "one");
    ck_assert_int_eq(first.error.code, HF_E_IO);
    hf_error_clear(&first.error);
}
END_TEST

TCase *error_case(void)
{
    TCase *tests = tcase_create("error");
    tcase_add_test(tests, layers);
    tcase_add_test(tests, errnos);
    tcase_add_test(tests, merges);
    return tests;
}
