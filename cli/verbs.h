/* verbs.h - one function a verb: does it and returns the exit status. Each in a file of its own,
 * verb_NAME.c. */
#ifndef AKIN_CLI_VERBS_H
#define AKIN_CLI_VERBS_H

#include "options.h"

int cli_embed(const cli_args *args);
int cli_classify(const cli_args *args);
int cli_eval(const cli_args *args);
int cli_tokenize(const cli_args *args);
int cli_preprocess(const cli_args *args);
int cli_bench(const cli_args *args);
int cli_model(const cli_args *args);
int cli_index(const cli_args *args);
int cli_reindex(const cli_args *args);
int cli_search(const cli_args *args);
int cli_info(const cli_args *args);
int cli_verify(const cli_args *args);
int cli_compact(const cli_args *args);
int cli_copy(const cli_args *args);
int cli_export(const cli_args *args);
int cli_import(const cli_args *args);
int cli_train(const cli_args *args);
int cli_help(const cli_args *args);

#endif
