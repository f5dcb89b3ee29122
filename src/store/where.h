/* where.h - which items a search may show: filters and the language of --where, compiled to SQL whose
 * values are bound, never spliced in.
 *
 *     expression := term { "or" term }          fields: path, ext, taken_at, width, height, camera,
 *     term       := factor { "and" factor }             latitude, longitude; any other name is a
 *     factor     := "not" factor | "(" expression ")" | test    member of the metadata, a dotted
 *     test       := field "=" value | "!=" | "<" | "<=" | ">" | ">="       path ("video.title")
 *                 | field "prefix" value | field "contains" value
 *                 | field "in" "(" value { "," value } ")"
 *     value      := number | 'text' | "text" | word       ('' and "" double a quote inside)
 *
 * Words are case-insensitive; so are ext, camera, prefix-free text comparison is by bytes. A field
 * that an item lacks makes every test of it false, != included. Errors give the byte offset and what
 * was expected there.
 */
#ifndef AKIN_STORE_WHERE_H
#define AKIN_STORE_WHERE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store.h"

typedef struct akin_filter_options {
    const char *after, *before; /* "2023", "2023-06", "2023-06-15", "2023-06-15T14:03[:22]": taken at
                                   or after its beginning; before its beginning. NULL: not asked. A
                                   picture without a date passes neither */
    const char *const *folders; /* absolute paths: the item's path is one of them or below it */
    size_t folder_count;        /* 0: everywhere */
    const char *const *exts;    /* "jpg" or ".JPG" */
    size_t ext_count;           /* 0: all */
    const char *where;          /* NULL: none */
} akin_filter_options;

/* AKIN_E_ARGUMENT for what cannot be read, naming the option. *out is NULL when nothing is asked.
 * base: the store's base, since stored paths may be relative; NULL: none. */
akin_status akin_filter_new(akin_item_filter **out, const akin_filter_options *options, const char *base,
                            akin_error *err);
void akin_filter_free(akin_item_filter *filter);

/* For items.c: a condition over the columns of table `items` ("(width >= ?1) AND ..."), and its
 * values in order of their numbers from 1 on. */
typedef enum akin_value_type { AKIN_VALUE_INTEGER, AKIN_VALUE_REAL, AKIN_VALUE_TEXT,
                               AKIN_VALUE_BYTES } akin_value_type;
typedef struct akin_value {
    akin_value_type type;
    int64_t integer;
    double real;
    const char *bytes;
    size_t size;
} akin_value;
const char *akin_filter_sql(const akin_item_filter *filter);
const akin_value *akin_filter_values(const akin_item_filter *filter, size_t *count);

#endif
