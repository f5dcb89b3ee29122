/* json.h - JSON from untrusted files, with limits and errors that name file and field.
 *
 * Our own reader, of RFC 8259, strictly: jansson, which was here before, ends the process when
 * memory runs out inside a string (an assert in its lexer), takes a heap object for each value (60
 * times the text; 80 ms for CLIP's tokenizer.json), and refuses the integer 10^30 that transformers
 * writes.
 */
#ifndef AKIN_BASE_JSON_H
#define AKIN_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

typedef enum akin_json_kind {
    AKIN_JSON_NULL,
    AKIN_JSON_FALSE,
    AKIN_JSON_TRUE,
    AKIN_JSON_INTEGER, /* written without fraction and exponent, and fits an int64 */
    AKIN_JSON_REAL,    /* every other number; finite */
    AKIN_JSON_STRING,
    AKIN_JSON_ARRAY,
    AKIN_JSON_OBJECT
} akin_json_kind;

/* A value; borrowed from the tree it is part of, which is immutable. Every function below takes
 * NULL, the value that is not there, and says no, 0 or NULL. */
typedef struct akin_json akin_json;

/* Values of one tree, 32 bytes each. The largest tokenizers have 1.5 million. */
enum { AKIN_JSON_MAX_VALUES = 1 << 22 };

/* Parses `size` bytes; *out is the caller's, who calls akin_json_free. Duplicate keys, trailing
 * bytes, NUL in strings, half surrogate pairs, invalid UTF-8 and nesting deeper than 1,000 are
 * AKIN_E_FORMAT with line and column; a Git LFS pointer or a web page is called that. `path` is for
 * messages. More than AKIN_JSON_MAX_VALUES are AKIN_E_LIMIT. Takes a byte for each byte of text and
 * 32 for each value, three times that while it grows. */
akin_status akin_json_parse(const void *bytes, size_t size, const char *path, akin_json **out,
                            akin_error *err);

/* The same, for text whose top level must be an object. */
akin_status akin_json_parse_object(const void *bytes, size_t size, const char *path,
                                   akin_json **out, akin_error *err);

/* Reads a file of at most `max` bytes whose top level is an object. */
akin_status akin_json_read(const char *path, size_t max, akin_json **out, akin_error *err);

/* Frees a whole tree, given what parse or read made; takes NULL. */
void akin_json_free(akin_json *root);

akin_json_kind akin_json_kind_of(const akin_json *value); /* of NULL: AKIN_JSON_NULL */
bool akin_json_is_null(const akin_json *value);           /* there, and null */
bool akin_json_is_bool(const akin_json *value);
bool akin_json_is_true(const akin_json *value);
bool akin_json_is_false(const akin_json *value);
bool akin_json_is_integer(const akin_json *value);
bool akin_json_is_number(const akin_json *value);
bool akin_json_is_string(const akin_json *value);
bool akin_json_is_array(const akin_json *value);
bool akin_json_is_object(const akin_json *value);

int64_t akin_json_integer(const akin_json *value);    /* of an INTEGER, else 0 */
double akin_json_double(const akin_json *value);      /* of a number, else 0 */
const char *akin_json_string(const akin_json *value); /* of a STRING, NUL-terminated, else NULL */
size_t akin_json_string_size(const akin_json *value); /* its bytes */

/* Items of an array. */
size_t akin_json_count(const akin_json *array);
const akin_json *akin_json_at(const akin_json *array, size_t i); /* NULL past the end */

/* Members of an object: by key, or in the order of the file. */
const akin_json *akin_json_get(const akin_json *object, const char *key);
size_t akin_json_members(const akin_json *object);
const char *akin_json_key(const akin_json *object, size_t i);
const akin_json *akin_json_member(const akin_json *object, size_t i);

/* A field of `object`, when it is there and not null: then its type and range are checked, else *io
 * keeps its value (a default, set by the caller). `where` names the object in messages
 * ("vision_config"; NULL for the top level). Strings and objects are borrowed from `object`. */
akin_status akin_json_int_field(const akin_json *object, const char *path, const char *where,
                                const char *field, int64_t min, int64_t max, int64_t *io,
                                akin_error *err);
akin_status akin_json_number_field(const akin_json *object, const char *path, const char *where,
                                   const char *field, double *io, akin_error *err);
akin_status akin_json_bool_field(const akin_json *object, const char *path, const char *where,
                                 const char *field, bool *io, akin_error *err);
akin_status akin_json_text_field(const akin_json *object, const char *path, const char *where,
                                 const char *field, const char **io, akin_error *err);
akin_status akin_json_object_field(const akin_json *object, const char *path, const char *where,
                                   const char *field, const akin_json **io, akin_error *err);

#endif
