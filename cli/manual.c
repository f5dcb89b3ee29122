/* manual.c - help, man page and shell completion, all from the table of options.c. */
#include <string.h>

#include "options.h"

enum { WIDTH = 80 };

/* Prints `text` from `column` on, broken at blanks to WIDTH and indented by `indent`. */
static void print_wrapped(FILE *out, const char *text, size_t column, size_t indent)
{
    while (*text != '\0') {
        size_t word = strcspn(text, " \n");
        if (column > indent && column + 1 + word > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", (int)word, text);
        column += word;
        text += word;
        if (*text == '\n') { /* a paragraph ends */
            fprintf(out, "\n\n%*s", (int)indent, "");
            column = indent;
        }
        text += strspn(text, " \n");
    }
    fputc('\n', out);
}

static void print_topics(FILE *out, const char *title, const cli_topic *topics, size_t count)
{
    fprintf(out, "\n%s:\n", title);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "  %-14s", topics[i].name);
        print_wrapped(out, topics[i].text, 16, 16);
    }
}

/* "-o, --output OUT" */
static int option_head(char *buffer, size_t capacity, const cli_option *o)
{
    char letter[8] = "";
    if (o->letter != 0)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    return snprintf(buffer, capacity, "%s--%s%s%s", letter, o->name, o->value != NULL ? " " : "",
                    o->value != NULL ? o->value : "");
}

static void print_options(FILE *out, const char *title, const cli_verb *verb, bool common)
{
    bool any = false;
    for (size_t i = 0; i < cli_option_count; i++) {
        const cli_option *o = &cli_options[i];
        bool is_common = (o->verbs & VERB_WORKING) == VERB_WORKING;
        if (o->help == NULL || (o->verbs & verb->bit) == 0 || is_common != common)
            continue;
        if (!any)
            fprintf(out, "\n%s:\n", title);
        any = true;
        char head[80];
        int length = option_head(head, sizeof head, o);
        fprintf(out, "  %-22s", head);
        if (length > 21)
            fprintf(out, "\n%24s", "");
        print_wrapped(out, o->help, 24, 24);
    }
}

void cli_print_usage(FILE *out)
{
    fprintf(out, "akin %s: text and pictures in one vector space\n\nUsage:\n", akin_version());
    for (size_t i = 0; i < cli_verb_count; i++)
        fprintf(out, "  akin %-12s%s\n", cli_verbs[i].name, cli_verbs[i].summary);
    fputs("  akin --version\n\n'akin VERB --help' tells how a verb is used.\n", out);
}

void cli_print_help(FILE *out, const cli_verb *verb)
{
    if (verb == NULL) {
        cli_print_usage(out);
    } else {
        fprintf(out, "akin %s - %s\n\nUsage: akin %s %s\n\n", verb->name, verb->summary, verb->name,
                verb->arguments);
        print_wrapped(out, verb->description, 0, 0);
        print_options(out, "Options", verb, false);
        print_options(out, "Options of every verb", verb, true);
        fputs("\nExamples:\n", out);
        for (const char *line = verb->examples; *line != '\0'; line += strcspn(line, "\n") + 1)
            fprintf(out, "  %.*s\n", (int)strcspn(line, "\n"), line);
    }
    print_topics(out, "Exit status", cli_exit_statuses, cli_exit_status_count);
    print_topics(out, "Environment", cli_environment, cli_environment_count);
}

/* ---- The man page --------------------------------------------------------------------------- */

/* Text for roff: nothing in it is a request or an escape, and its dashes can be copied. */
static void roff(FILE *out, const char *text, size_t length)
{
    bool line_start = true;
    for (size_t i = 0; i < length; i++) {
        if (line_start && (text[i] == '.' || text[i] == '\''))
            fputs("\\&", out);
        line_start = text[i] == '\n';
        if (text[i] == '-')
            fputs("\\-", out);
        else if (text[i] == '\\')
            fputs("\\e", out);
        else if (text[i] == '\'')
            fputs("\\(aq", out);
        else
            fputc(text[i], out);
    }
}

static void roff_text(FILE *out, const char *text) { roff(out, text, strlen(text)); }

static void man_options(FILE *out, unsigned bits, bool common)
{
    for (size_t i = 0; i < cli_option_count; i++) {
        const cli_option *o = &cli_options[i];
        bool is_common = (o->verbs & VERB_WORKING) == VERB_WORKING;
        if (o->help == NULL || (o->verbs & bits) == 0 || is_common != common)
            continue;
        char head[80];
        option_head(head, sizeof head, o);
        fputs(".TP\n.B ", out);
        roff_text(out, head);
        fputc('\n', out);
        roff_text(out, o->help);
        fputc('\n', out);
    }
}

static void man_topics(FILE *out, const char *title, const cli_topic *topics, size_t count)
{
    fprintf(out, ".SH %s\n", title);
    for (size_t i = 0; i < count; i++) {
        fputs(".TP\n.B ", out);
        roff_text(out, topics[i].name);
        fputc('\n', out);
        roff_text(out, topics[i].text);
        fputc('\n', out);
    }
}

void cli_print_man(FILE *out)
{
    /* No date: the page of a version is the same whenever it is built. */
    fprintf(out, ".TH AKIN 1 \"\" \"akin %s\" \"User Commands\"\n", akin_version());
    fputs(".SH NAME\nakin \\- text and pictures in one vector space\n.SH SYNOPSIS\n", out);
    for (size_t i = 0; i < cli_verb_count; i++) {
        fprintf(out, ".B akin %s\n", cli_verbs[i].name);
        roff_text(out, cli_verbs[i].arguments);
        fputs(i + 1 < cli_verb_count ? "\n.br\n" : "\n", out);
    }
    fputs(".SH DESCRIPTION\n", out);
    roff_text(out,
              "akin places texts and pictures in one vector space with a published model, with the "
              "numbers of its reference implementation. Data is printed on standard output, "
              "everything else on standard error. An option takes its next argument whatever it "
              "looks like; -- ends the options. Nothing is sent over a network.\n");
    for (size_t i = 0; i < cli_verb_count; i++) {
        const cli_verb *verb = &cli_verbs[i];
        fputs(".SH AKIN ", out);
        for (const char *p = verb->name; *p != '\0'; p++)
            fputc(*p - 'a' + 'A', out);
        fputc('\n', out);
        for (const char *p = verb->description; *p != '\0';) {
            size_t line = strcspn(p, "\n");
            roff(out, p, line);
            p += line;
            fputs(*p != '\0' ? "\n.PP\n" : "\n", out);
            p += strspn(p, "\n");
        }
        man_options(out, verb->bit, false);
        fputs(".PP\n.nf\n", out);
        roff_text(out, verb->examples);
        fputs(".fi\n", out);
    }
    fputs(".SH OPTIONS OF EVERY VERB\n", out);
    man_options(out, VERB_WORKING, true);
    man_topics(out, "EXIT STATUS", cli_exit_statuses, cli_exit_status_count);
    man_topics(out, "ENVIRONMENT", cli_environment, cli_environment_count);
}

/* ---- Completion ----------------------------------------------------------------------------- */

static void print_choices(FILE *out, const char *choices)
{
    for (; *choices != '\0'; choices++)
        fputc(*choices == '|' ? ' ' : *choices, out);
}

static bool takes_file(const cli_option *o)
{
    return o->kind == KIND_VALUE && strcmp(o->value, "A,B,C") != 0;
}

static void print_bash(FILE *out)
{
    fputs("# bash completion of akin, made by 'akin help --completion bash'\n"
          "_akin()\n{\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} options=\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        COMPREPLY=($(compgen -W '", out);
    for (size_t i = 0; i < cli_verb_count; i++)
        fprintf(out, "%s ", cli_verbs[i].name);
    fputs("--help --version' -- \"$word\"))\n        return\n    fi\n    case $previous in\n", out);
    for (size_t i = 0; i < cli_option_count; i++) {
        const cli_option *o = &cli_options[i];
        if (o->help == NULL || o->kind == KIND_FLAG || takes_file(o))
            continue;
        fprintf(out, "    --%s) COMPREPLY=(", o->name);
        if (o->kind == KIND_CHOICE) {
            fputs("$(compgen -W '", out);
            print_choices(out, o->value);
            fputs("' -- \"$word\")", out);
        }
        fputs("); return ;;\n", out);
    }
    fputs("    esac\n    case ${COMP_WORDS[1]} in\n", out);
    for (size_t i = 0; i < cli_verb_count; i++) {
        fprintf(out, "    %s) options='", cli_verbs[i].name);
        for (size_t k = 0; k < cli_option_count; k++)
            if (cli_options[k].help != NULL && (cli_options[k].verbs & cli_verbs[i].bit) != 0)
                fprintf(out, "--%s ", cli_options[k].name);
        fputs("' ;;\n", out);
    }
    fputs("    esac\n"
          "    case $word in\n"
          "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
          "    *) [ \"${COMP_WORDS[1]} $COMP_CWORD\" = 'model 2' ] && COMPREPLY=($(compgen -W info "
          "-- \"$word\")) ;;\n"
          "    esac\n"
          "}\n"
          "complete -o default -F _akin akin\n",
          out);
}

/* Text inside '...[...]' of _arguments. */
static void zsh_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("[]:\\", *text) != NULL)
            fputc('\\', out);
        if (*text == '\'')
            fputs("'\\''", out);
        else
            fputc(*text, out);
    }
}

static void print_zsh(FILE *out)
{
    fputs("#compdef akin\n# made by 'akin help --completion zsh'\n"
          "_akin() {\n"
          "  local -a verbs\n  verbs=(\n", out);
    for (size_t i = 0; i < cli_verb_count; i++)
        fprintf(out, "    '%s:%s'\n", cli_verbs[i].name, cli_verbs[i].summary);
    fputs("  )\n"
          "  if (( CURRENT == 2 )); then\n    _describe verb verbs\n    return\n  fi\n"
          "  local verb=$words[2]\n"
          "  shift words\n  (( CURRENT-- ))\n"
          "  case $verb in\n", out);
    for (size_t i = 0; i < cli_verb_count; i++) {
        const cli_verb *verb = &cli_verbs[i];
        fprintf(out, "  %s) _arguments", verb->name);
        for (size_t k = 0; k < cli_option_count; k++) {
            const cli_option *o = &cli_options[k];
            if (o->help == NULL || (o->verbs & verb->bit) == 0)
                continue;
            if (o->letter != 0)
                fprintf(out, " \\\n    '(-%c --%s)'{-%c,--%s}'[", o->letter, o->name, o->letter,
                        o->name);
            else
                fprintf(out, " \\\n    '%s--%s[", o->kind == KIND_LIST ? "*" : "", o->name);
            zsh_text(out, o->help);
            fputc(']', out);
            if (o->kind != KIND_FLAG) {
                fprintf(out, ":%s:", o->kind == KIND_CHOICE ? "choice" : o->value);
                if (o->kind == KIND_CHOICE) {
                    fputc('(', out);
                    print_choices(out, o->value);
                    fputc(')', out);
                } else if (takes_file(o)) {
                    fputs("_files", out);
                }
            }
            fputc('\'', out);
        }
        if (verb->bit == VERB_HELP)
            fputs(" \\\n    '1:verb:->verb' && return\n    _describe verb verbs ;;\n", out);
        else if (verb->bit == VERB_MODEL)
            fputs(" \\\n    '1:what:(info)' '2:folder:_files -/' ;;\n", out);
        else
            fputs(" \\\n    '*:file:_files' ;;\n", out);
    }
    fputs("  esac\n}\n_akin \"$@\"\n", out);
}

bool cli_print_completion(FILE *out, const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        print_bash(out);
    else if (strcmp(shell, "zsh") == 0)
        print_zsh(out);
    else
        return false;
    return true;
}
