/* main.c - finds the verb and runs it. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "run.h"
#include "verbs.h"

/* Everything that help prints; a full disk is noticed as everywhere. */
static int finish_stdout(const cli_args *args)
{
    akin_error err = { 0 };
    out_sink out;
    if (out_open(&out, NULL, &err) != AKIN_OK || out_commit(&out, &err) != AKIN_OK)
        return cli_report(args, &err);
    return CLI_DONE;
}

int cli_help(const cli_args *args)
{
    const cli_verb *verb = NULL;
    if (args->man) {
        cli_print_man(stdout);
        return finish_stdout(args);
    }
    if (args->completion != NULL) {
        cli_print_completion(stdout, args->completion);
        return finish_stdout(args);
    }
    if (args->files.count > 1)
        return cli_usage_error(args, "help takes one verb");
    if (args->files.count == 1) {
        verb = cli_verb_named(args->files.items[0]);
        if (verb == NULL)
            return cli_usage_error(args, "no help for '%s'; 'akin help' lists the verbs",
                                   args->files.items[0]);
    }
    cli_print_help(stdout, verb);
    return finish_stdout(args);
}

static int run_verb(cli_args *args, int argc, char **argv)
{
    akin_error err = { 0 };
    const char *isa;
    if (cli_args_parse(args, argc, argv, &err) != AKIN_OK)
        return cli_report(args, &err);
    if (args->help) {
        cli_print_help(stdout, args->verb);
        return finish_stdout(args);
    }
    /* Before any work, and before files are opened: AKIN_CPU may name what does not exist here. */
    if (args->verb->bit != VERB_HELP && akin_isa(&isa, &err) != AKIN_OK)
        return cli_report(args, &err);
    return args->verb->run(args);
}

/* A program started with one of the three streams closed would be given its number for the next
 * file it opens, and messages would go into that file. What stands there instead refuses as a
 * closed one does: the null device, opened the wrong way round. */
static bool hold_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    cli_args args = { 0 };
    if (!hold_streams())
        return CLI_FAILED;
    cli_catch_signals();
    if (argc < 2) {
        cli_print_usage(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("akin %s\n", akin_version());
        return finish_stdout(&args);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        cli_print_help(stdout, NULL);
        return finish_stdout(&args);
    }
    int exit_status = run_verb(&args, argc, argv);
    cli_args_clear(&args);
    return exit_status;
}
