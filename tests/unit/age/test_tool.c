/* SPDX-License-Identifier: Apache-2.0
 *
 * With the age tool: it reads what we write, and we what it writes.
 */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t sizes[] = {0,      1, AGE_CHUNK_SIZE - 1, AGE_CHUNK_SIZE, AGE_CHUNK_SIZE + 1, 3 * AGE_CHUNK_SIZE,
                               1000000};

/* We write: any one of several recipients reads. */
static void check_tool_reads(struct kit *kit, const char *command)
{
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct bytes raw = kit_make(KIT_MIXED, sizes[i], i), made;
        struct encoded encoded = kit_encode(kit, raw, 0);

        ck_assert_int_eq(kit_pipe(command, encoded.all, &made), 0);
        ck_assert(bytes_equal(made, raw));
        bytes_free(&made);
        encoded_free(&encoded);
        bytes_free(&raw);
    }
}

static void check_tool_writes(struct kit *kit, const char *command)
{
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct bytes raw = kit_make(KIT_MIXED, sizes[i], i), coded, made;

        ck_assert_int_eq(kit_pipe(command, raw, &coded), 0);
        ck_assert_msg(kit_decode(kit, HF_DECODE_OBJECT, coded, 0, 0, &made) == HF_END, "%s", fake_error(kit->fake));
        ck_assert(bytes_equal(made, raw));
        bytes_free(&made);
        if (raw.size > 1000) {
            ck_assert_int_eq(kit_seek(kit, coded, raw.size / 2, 300, &made), HF_END);
            ck_assert_mem_eq(made.data, raw.data + raw.size / 2, 300);
            bytes_free(&made);
        }
        bytes_free(&coded);
        bytes_free(&raw);
    }
}

START_TEST(keys_of_age)
{
    char command[1000], recipients[300], one[100], other[100], key[200];
    struct bytes none = {(unsigned char *)"", 0}, text = {0};
    struct kit kit;

    if (!kit_has_tool("age-keygen"))
        return;
    snprintf(one, sizeof(one), "%s", forge_file("one", FORGE_SECRET "\n"));
    snprintf(other, sizeof(other), "%s", forge_path("made"));
    snprintf(command, sizeof(command), "age-keygen -o %s && age-keygen -y %s && age-keygen -y %s", other, one, other);
    ck_assert_int_eq(kit_pipe(command, none, &text), 0);
    snprintf(recipients, sizeof(recipients), "%.*s", (int)text.size, text.data);
    kit = kit_open_with(holdfast_module_v1(), (const char *const[]){"recipient", recipients, "identity", other, NULL});
    ck_assert_msg(kit.stage->check(kit.self, fake_ctx(kit.fake)) == HF_OK, "%s", fake_error(kit.fake));
    snprintf(key, sizeof(key), "age -d -i %s", one);
    check_tool_reads(&kit, key);
    snprintf(key, sizeof(key), "age -d -i %s", other);
    check_tool_reads(&kit, key);
    recipients[strcspn(recipients, "\n")] = '\0';
    snprintf(command, sizeof(command), "age -r %s -r %s", recipients, recipients + strlen(recipients) + 1);
    command[strcspn(command, "\n")] = '\0';
    check_tool_writes(&kit, command);
    bytes_free(&text);
    kit_close(&kit);
}
END_TEST

START_TEST(keys_of_ssh)
{
    char command[900], path[200];
    struct bytes none = {(unsigned char *)"", 0}, text = {0};
    struct kit kit;

    if (!kit_has_tool("age") || !kit_has_tool("ssh-keygen"))
        return;
    snprintf(path, sizeof(path), "%s", forge_path("ssh"));
    snprintf(command, sizeof(command), "ssh-keygen -q -t ed25519 -N '' -C a@b -f %s && cat %s.pub", path, path);
    ck_assert_int_eq(kit_pipe(command, none, &text), 0);
    snprintf(command, sizeof(command), "\"%.*s\"", (int)text.size - 1, text.data);
    kit = kit_open_with(holdfast_module_v1(), (const char *const[]){"recipient", command, "identity", path, NULL});
    ck_assert_msg(kit.stage->check(kit.self, fake_ctx(kit.fake)) == HF_OK, "%s", fake_error(kit.fake));
    snprintf(command, sizeof(command), "age -d -i %s", path);
    check_tool_reads(&kit, command);
    snprintf(command, sizeof(command), "age -R %s.pub", path);
    check_tool_writes(&kit, command);
    bytes_free(&text);
    kit_close(&kit);
}
END_TEST

/* The tool asks for passphrases on a terminal only: this gives it one, and answers whatever ends in a colon. */
static const char on_terminal[] = "import os, pty, sys\n"
                                  "pid, fd = pty.fork()\n"
                                  "if pid == 0:\n"
                                  "    os.execvp(sys.argv[1], sys.argv[1:])\n"
                                  "seen = b''\n"
                                  "while True:\n"
                                  "    try:\n"
                                  "        got = os.read(fd, 1000)\n"
                                  "    except OSError:\n"
                                  "        break\n"
                                  "    if not got:\n"
                                  "        break\n"
                                  "    seen += got\n"
                                  "    if seen.rstrip().endswith(b':'):\n"
                                  "        seen = b''\n"
                                  "        os.write(fd, b'" FORGE_PASSPHRASE "\\n')\n"
                                  "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n";

START_TEST(passphrases)
{
    char command[900], script[100], in[100], out[100];
    struct bytes none = {(unsigned char *)"", 0}, text = {0}, raw = kit_make(KIT_TEXT, 100000, 1), made;
    struct encoded encoded;
    struct kit kit = forge_kit_passphrase();

    if (kit_has_tool("age") && kit_has_tool("python3")) {
        snprintf(script, sizeof(script), "%s", forge_file("terminal.py", on_terminal));
        snprintf(in, sizeof(in), "%s", forge_path("in.age"));
        snprintf(out, sizeof(out), "%s", forge_path("out"));
        encoded = kit_encode(&kit, raw, 0);
        snprintf(command, sizeof(command), "cat >%s", in);
        ck_assert_int_eq(kit_pipe(command, encoded.all, NULL), 0);
        snprintf(command, sizeof(command), "timeout 90 python3 %s age -d -o %s %s && cat %s", script, out, in, out);
        ck_assert_int_eq(kit_pipe(command, none, &made), 0);
        ck_assert(bytes_equal(made, raw));
        bytes_free(&made);
        snprintf(command, sizeof(command), "timeout 90 python3 %s age -p -o %s.age %s && cat %s.age", script, out, out,
                 out);
        ck_assert_int_eq(kit_pipe(command, none, &text), 0);
        ck_assert_msg(kit_decode(&kit, HF_DECODE_OBJECT, text, 0, 0, &made) == HF_END, "%s", fake_error(kit.fake));
        ck_assert(bytes_equal(made, raw));
        bytes_free(&made);
        bytes_free(&text);
        encoded_free(&encoded);
    }
    bytes_free(&raw);
    kit_close(&kit);
}
END_TEST

TCase *tool_case(void)
{
    TCase *tests = tcase_create("tool");

    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, keys_of_age);
    tcase_add_test(tests, keys_of_ssh);
    tcase_add_test(tests, passphrases);
    return tests;
}
