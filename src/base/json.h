/* json.h - JSON from untrusted files (jansson), with limits and errors that name file and field. */
#ifndef AKIN_BASE_JSON_H
#define AKIN_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"

/* Parses `size` bytes; the caller json_decref()s. Duplicate keys, trailing bytes, NUL in strings,
 * invalid UTF-8 and nesting deeper than 2,048 (jansson's limit) are AKIN_E_FORMAT with line and
 * column. `path` is for messages. */
akin_status akin_json_parse(const void *bytes, size_t size, const char *path, json_t **out,
                            akin_error *err);

/* The failure of a caller's own json_loadb() of these bytes: AKIN_E_FORMAT with line and column, or
 * with what the file is instead when it is a Git LFS pointer or a web page. */
akin_status akin_json_fail(const void *bytes, size_t size, const char *path,
                           const json_error_t *why, akin_error *err);

/* Reads a file of at most `max` bytes whose top level is an object. A parsed tree takes up to about
 * 60 times its text ("[],[],..."), so `max` is also the bound on memory. */
akin_status akin_json_read(const char *path, size_t max, json_t **out, akin_error *err);

/* A field of `object`, when it is there and not null: then its type and range are checked, else *io
 * keeps its value (a default, set by the caller). `where` names the object in messages
 * ("vision_config"; NULL for the top level). Strings and objects are borrowed from `object`. */
akin_status akin_json_int(const json_t *object, const char *path, const char *where,
                          const char *field, int64_t min, int64_t max, int64_t *io,
                          akin_error *err);
akin_status akin_json_number(const json_t *object, const char *path, const char *where,
                             const char *field, double *io, akin_error *err);
akin_status akin_json_bool(const json_t *object, const char *path, const char *where,
                           const char *field, bool *io, akin_error *err);
akin_status akin_json_text(const json_t *object, const char *path, const char *where,
                           const char *field, const char **io, akin_error *err);
akin_status akin_json_object(const json_t *object, const char *path, const char *where,
                             const char *field, const json_t **io, akin_error *err);

#endif
