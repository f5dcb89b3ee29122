/* where.h - which items a search may show: filters and the language of --where, compiled to SQL
 * whose values are bound, never spliced in.
 *
 *     expression := term { "or" term }          fields: path, ext, taken_at, width, height, camera,
 *     term       := factor { "and" factor }             latitude, longitude; any other name, and
 *     factor     := "not" factor                        every name in quotes, is a member of the
 *                 | "(" expression ")" | test           metadata, a dotted path (video.title,
 *     test       := field operator value                video."my title")
 *                 | field "in" "(" value { "," value } ")"
 *     operator   := "=" | "!=" | "<" | "<=" | ">" | ">=" | "prefix" | "contains"
 *     value      := number | 'text' | "text" | word     ('' and "" double a quote inside)
 *
 * A word is anything up to a blank, a quote, a parenthesis, a comma or one of = < > !. The words
 * of the language and the eight fields are case-insensitive.
 *
 * Logic has three values, as in SQL: a test of a field that an item lacks is neither true nor
 * false, and neither is "not" of it, so that no test takes such an item, != and "not" included. An
 * item without an extension does not lack one: it is ''.
 *
 *     path       absolute. =, != and "in" take it without doubled slashes, or one at the end; all
 *                but "contains" go by bytes
 *     ext        lower case without the dot; values may have both
 *     taken_at   values are dates of any precision: 2023, 2023-06, 2023-06-15T14:03. "= 2023-06"
 *                is within that month, "<= 2023-06" before its end. prefix and contains take text
 *     camera     without regard to the case of ASCII letters
 *     numbers    width, height, latitude and longitude take numbers, and no prefix and contains
 *     metadata   a number is compared with numbers by value, and by =, != and "in" with texts as it
 *                is spelled; a text with texts, by bytes, and true and false with those. What has
 *                another type lacks. Of an array one element must pass ("tags = beach"), with !=
 *                none may be equal. prefix and contains disregard the case of ASCII letters
 *
 * Errors are AKIN_E_ARGUMENT and say what was expected at which byte, the first being 0.
 */
#ifndef AKIN_STORE_WHERE_H
#define AKIN_STORE_WHERE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store.h"

typedef struct akin_filter_options {
    const char *after, *before; /* "2023", "2023-06", "2023-06-15", "2023-06-15T14:03[:22]": taken
                                   at or after its beginning; before its beginning. NULL: not asked.
                                   A picture without a date passes neither */
    const char *const *folders; /* absolute paths: the item's path is one of them or below it */
    size_t folder_count;        /* 0: everywhere */
    const char *const *exts;    /* "jpg" or ".JPG" */
    size_t ext_count;           /* 0: all */
    const char *where;          /* NULL: none */
} akin_filter_options;

/* What is more is AKIN_E_ARGUMENT. SQLite's parser has a stack of 100 entries, which bounds the
 * depth; its expressions have at most 1000 levels, which bounds the tests, and statements 32766
 * values. */
enum {
    AKIN_WHERE_BYTES = 65536,
    AKIN_WHERE_DEPTH = 8,     /* of parentheses */
    AKIN_WHERE_TESTS = 400,   /* a folder is one too, and each date of "in" */
    AKIN_WHERE_VALUES = 16384,
    AKIN_WHERE_NAMES = 8      /* of a dotted path */
};

/* AKIN_E_ARGUMENT for what cannot be read, naming the option. *out is NULL when nothing is asked.
 * base: the store's base, since stored paths may be relative; NULL: none. A filter is immutable. */
akin_status akin_filter_new(akin_item_filter **out, const akin_filter_options *options,
                            const char *base, akin_error *err);
void akin_filter_free(akin_item_filter *filter);

/* For items.c: a condition over the columns of table `items` ("(width >= ?1) AND ..."), and its
 * values in order of their numbers from 1 on. To be used as
 *
 *     SELECT place FROM items WHERE state = 0 AND (<condition>)
 *
 * which for a filter on one column the index of that column answers alone. No table but `items`,
 * not renamed, may be in scope. */
typedef enum akin_value_type { AKIN_VALUE_INTEGER, AKIN_VALUE_REAL, AKIN_VALUE_TEXT,
                               AKIN_VALUE_BYTES } akin_value_type;
typedef struct akin_value {
    akin_value_type type;
    int64_t integer;
    double real;
    const char *bytes; /* never NULL for text and bytes */
    size_t size;
} akin_value;
const char *akin_filter_sql(const akin_item_filter *filter);
const akin_value *akin_filter_values(const akin_item_filter *filter, size_t *count);

#endif
