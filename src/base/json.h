/* json.h - JSON from untrusted files (jansson), with limits and errors that name file and field. */
#ifndef AKIN_BASE_JSON_H
#define AKIN_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"

/* Parses `size` bytes; the caller json_decref()s. Duplicate keys, trailing bytes, NUL in strings,
 * invalid UTF-8 and nesting deeper than 2,048 (jansson's limit) are AKIN_E_FORMAT with line and
 * column; a Git LFS pointer or a web page is called that. `path` is for messages. flags: jansson's,
 * JSON_DECODE_INT_AS_REAL for files whose integers do not fit in 64 bits, else 0. */
akin_status akin_json_parse(const void *bytes, size_t size, const char *path, size_t flags,
                            json_t **out, akin_error *err);

/* The same, for text whose top level must be an object. */
akin_status akin_json_parse_object(const void *bytes, size_t size, const char *path, size_t flags,
                                   json_t **out, akin_error *err);

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
