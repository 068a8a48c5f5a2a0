/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "base/log.h"
#include "base/time.h"
#include "cli/output.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { JSON_SCHEMA = 1 };

/* A standard descriptor that is closed would be given to the next file that is opened, and take its bytes. Standard
 * output is opened for reading, so that writing to it is still noticed as a failure. */
static bool standard_descriptors_open(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) != fd)
            return false;
    return true;
}

/* The memory of this process holds passwords, keys, and what it backs up. A limit of one byte is too little for a file, and is
 * what tells the kernel (fs/coredump.c) to start no handler either. */
static void leave_no_core(void)
{
    struct rlimit limit = {0};
    (void)getrlimit(RLIMIT_CORE, &limit);
    limit.rlim_cur = limit.rlim_max > 0 ? 1 : 0;
    (void)setrlimit(RLIMIT_CORE, &limit); /* lowering it, or raising it within what is allowed, cannot fail */
}

/* Also when the command line cannot be understood, --json has its say. */
static bool wants_json(int argc, char *const *argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

static int progress_mode(const struct hf_cli *cli)
{
    const char *terminal = getenv("TERM");
    if (cli->quiet || hf_arguments_have(&cli->arguments, HF_FLAG_NO_PROGRESS))
        return HF_PROGRESS_NONE;
    if (isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0)
        return HF_PROGRESS_REDRAW;
    return hf_arguments_have(&cli->arguments, HF_FLAG_PROGRESS) ? HF_PROGRESS_LINES : HF_PROGRESS_NONE;
}

static int run_command(struct hf_cli *cli)
{
    int result = hf_progress_init(&cli->progress, &cli->ctx, progress_mode(cli));
    if (result == HF_OK) {
        cli->world.cancel = &cli->cancel;
        cli->world.watch = cli->progress.mode == HF_PROGRESS_NONE ? NULL : &cli->progress.watch;
        result = hf_command_run(cli);
    }
    hf_progress_clear(&cli->progress);
    return result;
}

static int run(struct hf_cli *cli, int argc, char *const *argv)
{
    struct hf_arguments *arguments = &cli->arguments;
    if (hf_cancel_init(&cli->cancel, &cli->ctx) < 0)
        return cli->ctx.error.code;
    hf_cancel_on_signals(&cli->cancel);
    if (hf_arguments_parse(&cli->ctx, argc, argv, arguments) < 0)
        return cli->ctx.error.code;
    cli->quiet = hf_arguments_have(arguments, HF_FLAG_QUIET);
    cli->render.verbose = hf_arguments_have(arguments, HF_FLAG_VERBOSE);
    cli->render.now_ms = hf_time_now_ms();
    hf_log_set_level(cli->render.verbose ? HF_LOG_DEBUG : cli->quiet ? HF_LOG_WARNING : HF_LOG_INFO);
    if (hf_arguments_have(arguments, HF_FLAG_VERSION)) {
        if (!cli->json)
            hf_output_write("holdfast " HOLDFAST_VERSION "\n");
        return HF_OK;
    }
    if (!hf_arguments_have(arguments, HF_FLAG_HELP))
        return run_command(cli);
    if (cli->json) {
        hf_help_json(cli->results);
        return HF_OK;
    }
    hf_auto_text struct hf_text text = {0};
    hf_auto_strings struct hf_strings name = {0};
    if (arguments->command)
        hf_strings_add(&name, arguments->command->name);
    int result = hf_help_add(&cli->ctx, &text, arguments->command ? &name : &arguments->words);
    hf_output_write(result < 0 ? NULL : text.data);
    return result;
}

static void print_document(struct hf_cli *cli)
{
    hf_auto_json json_t *document = json_object();
    hf_json_set_text(document, "holdfast", HOLDFAST_VERSION);
    hf_json_set_int(document, "schema", JSON_SCHEMA);
    hf_json_set_text(document, "command", cli->arguments.command ? cli->arguments.command->name : "");
    hf_json_set_int(document, "exit", cli->exit);
    if (cli->ctx.error.code != 0) {
        hf_json_set_text(document, "error", cli->ctx.error.text);
        if (cli->ctx.error.hint)
            hf_json_set_text(document, "hint", cli->ctx.error.hint);
    }
    if (cli->diagnostics)
        hf_json_set(document, "diagnostics", hf_steal(cli->diagnostics));
    hf_json_set(document, "results", hf_steal(cli->results));
    hf_report_redact(document);
    hf_output_json(document);
}

int hf_cli_main(int argc, char *const *argv)
{
    struct hf_cli cli = {.json = wants_json(argc, argv), .cancel.event_fd = -1};
    if (!standard_descriptors_open())
        return HF_EXIT_FAILED;
    leave_no_core();
    cli.results = json_array();
    if (run(&cli, argc, argv) < 0) {
        cli.exit = hf_exit_of_code(cli.ctx.error.code);
        hf_print_error(cli.ctx.error.text, cli.ctx.error.hint);
    }
    if (cli.json)
        print_document(&cli);
    if (hf_output_end() < 0 && cli.exit == HF_EXIT_OK)
        cli.exit = HF_EXIT_FAILED;
    hf_settings_free(cli.settings);
    hf_cancel_clear(&cli.cancel);
    hf_error_clear(&cli.ctx.error);
    hf_arguments_clear(&cli.arguments);
    json_decref(cli.results);
    json_decref(cli.diagnostics);
    return cli.exit;
}
