/* output.h - what akin prints: escaped text, JSON, NumPy arrays.
 *
 * Names and texts come from anywhere. In plain output, control characters, ESC and characters that
 * change the direction of writing are shown escaped, terminal or not, so that a file name cannot
 * forge a line or drive the terminal. JSON carries names whole: one that is not UTF-8 as KEY (with
 * U+FFFD for each wrong byte) and KEY_base64. This program never calls setlocale, so that printf
 * writes numbers with a point everywhere.
 */
#ifndef AKIN_CLI_OUTPUT_H
#define AKIN_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "akin.h"
#include "base/file.h"

/* Plain text: \n, \t, \x1b, \u{202e} for what is not shown as it is, \xff for a byte that is not
 * UTF-8. */
void out_escaped(FILE *out, const char *bytes, size_t size);

/* The same into buffer (always terminated), shortened with "..." to at most `shown` characters. */
void out_shorten(char *buffer, size_t capacity, const char *bytes, size_t size, size_t shown);

/* A JSON string with its quotes; U+FFFD stands for each byte that is not UTF-8. */
void out_json_text(FILE *out, const char *bytes, size_t size);

/* "key":"..." and, when the bytes are not UTF-8, ,"key_base64":"...". */
void out_json_name(FILE *out, const char *key, const char *bytes, size_t size);

/* A number that reads back as the same float or double; null when it is not finite. */
void out_json_float(FILE *out, float value);
void out_json_double(FILE *out, double value);
void out_json_floats(FILE *out, const float *values, size_t count); /* [...] */

/* Where data goes: standard output; or a file that is replaced whole at the end (through symbolic
 * links, which stay); or, below /dev and /proc, whatever is there. */
typedef struct out_sink {
    FILE *stream;
    const char *path;  /* for messages: the file, or NULL for standard output */
    akin_writer writer;
} out_sink;

akin_status out_open(out_sink *sink, const char *path, akin_error *err); /* NULL: standard output */
akin_status out_flush(out_sink *sink, akin_error *err); /* notices a full disk */
akin_status out_commit(out_sink *sink, akin_error *err);
void out_abort(out_sink *sink); /* after a commit: nothing */

/* A NumPy array (version 1.0, '<f4', C order) whose number of rows is known at the end. Nothing is
 * seen of it before the commit, even on standard output: rows wait in a file. */
typedef struct out_npy {
    out_sink sink;
    FILE *rows;   /* the sink's own stream when that can be rewound, else a temporary file */
} out_npy;

akin_status out_npy_open(out_npy *npy, const char *path, akin_error *err);
akin_status out_npy_add(out_npy *npy, const float *values, size_t count, akin_error *err);
akin_status out_npy_commit(out_npy *npy, const size_t *shape, int dimensions, akin_error *err);
void out_npy_abort(out_npy *npy);

#endif
