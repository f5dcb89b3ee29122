/* json_parse.c - RFC 8259 text to a tree of values.
 *
 * All values of a tree lie in one array, children of a container side by side, and all text in one
 * block: a handful of allocations, however large the file. Nesting costs no stack.
 */
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "utf8.h"

enum {
    MAX_DEPTH = 1000,
    SMALL_OBJECT = 16,    /* members up to which a key is searched in a row */
    MAX_NUMBER = 400      /* bytes of a number that has to go through strtod */
};

struct akin_json {
    uint32_t kind;
    uint32_t count;  /* STRING: bytes; ARRAY, OBJECT: items */
    const char *key; /* of a member, else NULL */
    union {
        int64_t integer;
        double number;
        const char *text;
        size_t first; /* index of the first child, while the array of values still grows */
        const akin_json *items;
    };
    const uint32_t *order; /* OBJECT of more than SMALL_OBJECT members: [count], sorted by key */
};

/* What akin_json_parse gives out: its first member. */
struct tree {
    akin_json root;
    akin_json *nodes;
    size_t node_count, node_capacity;
    uint32_t *order; /* [node_count], or NULL: no object is large. A child's place is its own */
    char *text;
};

/* A container that is open. */
struct level {
    size_t first; /* of its children on the stack */
    const char *key;
    bool object;
};

struct parser {
    const char *start, *at, *end;
    const char *path;
    akin_error *err;
    struct tree *tree;
    char *text; /* where the next string goes */
    akin_json *stack; /* children of open containers */
    size_t stack_count, stack_capacity;
    struct level levels[MAX_DEPTH];
    size_t depth;
    size_t largest; /* members of the largest object that needs an order, 0: none does */
};

static akin_status wrong(const struct parser *p, const char *what)
{
    size_t line = 1;
    const char *begin = p->start;
    for (const char *c = p->start; c < p->at; c++)
        if (*c == '\n') {
            line++;
            begin = c + 1;
        }
    return akin_fail(p->err, AKIN_E_FORMAT, p->path, "not valid JSON: %s at line %zu column %zu",
                     what, line, (size_t)(p->at - begin) + 1);
}

static void skip_space(struct parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t'))
        p->at++;
}

static bool take(struct parser *p, char c)
{
    skip_space(p);
    if (p->at == p->end || *p->at != c)
        return false;
    p->at++;
    return true;
}

/* ---- strings */

static bool hex4(struct parser *p, uint32_t *out)
{
    uint32_t value = 0;
    if (p->end - p->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        const char c = *p->at++;
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            value = value << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return false;
    }
    *out = value;
    return true;
}

/* What follows a backslash, appended to the text. */
static akin_status escape(struct parser *p)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char name = p->at < p->end ? *p->at++ : '\0';
    const char *known = name != '\0' ? strchr(names, name) : NULL;
    uint32_t c, low;
    if (known != NULL) {
        *p->text++ = values[known - names];
        return AKIN_OK;
    }
    if (name != 'u' || !hex4(p, &c))
        return wrong(p, "an unknown escape in a string");
    if (c == 0)
        return wrong(p, "\\u0000 in a string");
    if (c >= 0xd800 && c <= 0xdfff) {
        if (c > 0xdbff || p->end - p->at < 6 || p->at[0] != '\\' || p->at[1] != 'u')
            return wrong(p, "half of a surrogate pair in a string");
        p->at += 2;
        if (!hex4(p, &low) || low < 0xdc00 || low > 0xdfff)
            return wrong(p, "half of a surrogate pair in a string");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    p->text += akin_utf8_encode(c, p->text);
    return AKIN_OK;
}

/* A string whose opening quote is taken. Each takes one byte less in the block of text than it has
 * in the file: two quotes make room for its NUL. */
static akin_status string(struct parser *p, const char **out, uint32_t *size)
{
    char *begin = p->text;
    for (;;) {
        const char *from = p->at;
        while (p->at < p->end && *p->at != '"' && *p->at != '\\' && (unsigned char)*p->at >= 0x20)
            p->at++;
        memcpy(p->text, from, (size_t)(p->at - from));
        p->text += p->at - from;
        if (p->at == p->end)
            return wrong(p, "the end of the text inside a string");
        if ((unsigned char)*p->at < 0x20)
            return wrong(p, "a control character in a string");
        if (*p->at++ == '"')
            break;
        akin_status status = escape(p);
        if (status != AKIN_OK)
            return status;
    }
    *size = (uint32_t)(p->text - begin);
    *p->text++ = '\0';
    *out = begin;
    return AKIN_OK;
}

/* ---- numbers */

/* Correctly rounded: digits that fit a double exactly, times or over a power of ten that does
 * (Clinger 1990); the rest, which is rare, by strtod, which wants the locale's decimal point. */
static akin_status real(struct parser *p, const char *from, uint64_t digits, int dropped,
                        int exponent, double *out)
{
    static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    const bool negative = *from == '-';
    if (dropped == 0 && digits <= (uint64_t)1 << 53 && exponent >= -22 && exponent <= 22) {
        const double d = (double)digits;
        const double value = exponent < 0 ? d / powers[-exponent] : d * powers[exponent];
        *out = negative ? -value : value;
        return AKIN_OK;
    }
    char copy[MAX_NUMBER + 16];
    const char *point = localeconv()->decimal_point;
    const size_t length = (size_t)(p->at - from), point_length = strlen(point);
    if (length > MAX_NUMBER || point_length > 8)
        return wrong(p, "a number of too many digits");
    char *to = copy;
    for (const char *c = from; c < p->at; c++) {
        if (*c == '.') {
            memcpy(to, point, point_length);
            to += point_length;
        } else {
            *to++ = *c;
        }
    }
    *to = '\0';
    *out = strtod(copy, NULL);
    return isfinite(*out) ? AKIN_OK : wrong(p, "a number out of range");
}

static bool is_digit(const struct parser *p)
{
    return p->at < p->end && *p->at >= '0' && *p->at <= '9';
}

static akin_status number(struct parser *p, akin_json *out)
{
    const char *from = p->at;
    uint64_t digits = 0;     /* the first 19 significant ones */
    int kept = 0, dropped = 0, exponent = 0; /* value: digits * 10^exponent, when none is dropped */
    bool integer = true;
    const bool negative = *p->at == '-';
    p->at += negative;
    if (!is_digit(p))
        return wrong(p, "a value is expected, not this");
    if (*p->at == '0' && p->at + 1 < p->end && p->at[1] >= '0' && p->at[1] <= '9')
        return wrong(p, "a number with a leading zero");
    for (bool fraction = false;; p->at++) {
        if (p->at < p->end && *p->at == '.' && !fraction) {
            fraction = true;
            integer = false;
            p->at++;
            if (!is_digit(p))
                return wrong(p, "a number without digits after the point");
        }
        if (!is_digit(p))
            break;
        if (kept < 19) {
            digits = digits * 10 + (uint64_t)(*p->at - '0');
            kept += digits != 0;
            exponent -= fraction;
        } else {
            dropped++;
        }
    }
    if (p->at < p->end && (*p->at == 'e' || *p->at == 'E')) {
        int value = 0;
        integer = false;
        p->at++;
        const bool minus = p->at < p->end && *p->at == '-';
        p->at += p->at < p->end && (*p->at == '-' || *p->at == '+');
        if (!is_digit(p))
            return wrong(p, "a number without digits in its exponent");
        for (; is_digit(p); p->at++)
            if (value < 100000)
                value = value * 10 + (*p->at - '0');
        exponent += minus ? -value : value;
    }
    if (integer && dropped == 0 && digits <= (uint64_t)INT64_MAX + negative) {
        out->kind = AKIN_JSON_INTEGER;
        out->integer = (int64_t)(negative ? 0 - digits : digits);
        return AKIN_OK;
    }
    out->kind = AKIN_JSON_REAL;
    return real(p, from, digits, dropped, exponent, &out->number);
}

/* ---- containers */

static akin_status too_many(const struct parser *p)
{
    return akin_fail(p->err, AKIN_E_LIMIT, p->path, "JSON of more than %d values",
                     AKIN_JSON_MAX_VALUES);
}

static akin_status push(struct parser *p, const akin_json *value)
{
    if (p->stack_count == AKIN_JSON_MAX_VALUES)
        return too_many(p);
    akin_json *grown =
        akin_grow(p->stack, &p->stack_capacity, p->stack_count + 1, sizeof *p->stack);
    if (grown == NULL)
        return akin_fail_nomem(p->err, "JSON", p->stack_count * sizeof *p->stack);
    p->stack = grown;
    p->stack[p->stack_count++] = *value;
    return AKIN_OK;
}

static akin_status open_level(struct parser *p, const char *key, bool object)
{
    if (p->depth == MAX_DEPTH)
        return wrong(p, "nesting past a depth of 1,000");
    p->levels[p->depth++] = (struct level){ p->stack_count, key, object };
    return AKIN_OK;
}

/* Moves the children of the innermost container to the array and puts the container in their
 * place. */
static akin_status close_level(struct parser *p)
{
    struct tree *t = p->tree;
    const struct level *level = &p->levels[--p->depth];
    const size_t count = p->stack_count - level->first;
    if (t->node_count + count > AKIN_JSON_MAX_VALUES)
        return too_many(p);
    akin_json *grown =
        akin_grow(t->nodes, &t->node_capacity, t->node_count + count + 1, sizeof *t->nodes);
    if (grown == NULL)
        return akin_fail_nomem(p->err, "JSON", (t->node_count + count) * sizeof *t->nodes);
    t->nodes = grown;
    if (count != 0)
        memcpy(t->nodes + t->node_count, p->stack + level->first, count * sizeof *t->nodes);
    p->stack_count = level->first;
    const akin_json value = { .kind = level->object ? AKIN_JSON_OBJECT : AKIN_JSON_ARRAY,
                              .count = (uint32_t)count, .key = level->key,
                              .first = t->node_count };
    t->node_count += count;
    if (level->object && count > SMALL_OBJECT)
        p->largest = akin_max(p->largest, count);
    return push(p, &value);
}

/* The literal that stands here. */
static akin_status literal(struct parser *p, akin_json *out)
{
    static const struct {
        const char *text;
        akin_json_kind kind;
    } literals[] = { { "null", AKIN_JSON_NULL },
                     { "true", AKIN_JSON_TRUE },
                     { "false", AKIN_JSON_FALSE } };
    for (size_t i = 0; i < sizeof literals / sizeof *literals; i++) {
        const size_t n = strlen(literals[i].text);
        if ((size_t)(p->end - p->at) >= n && memcmp(p->at, literals[i].text, n) == 0) {
            p->at += n;
            out->kind = literals[i].kind;
            return AKIN_OK;
        }
    }
    return wrong(p, "a value is expected, not this");
}

static akin_status parse(struct parser *p)
{
    akin_status status = AKIN_OK;
    for (;;) {
        /* A value, behind its key. */
        const char *key = NULL;
        uint32_t size;
        if (p->depth != 0 && p->levels[p->depth - 1].object) {
            if (!take(p, '"'))
                return wrong(p, "a key in quotes is expected");
            AKIN_TRY(string(p, &key, &size));
            if (!take(p, ':'))
                return wrong(p, "':' is expected");
        }
        skip_space(p);
        if (p->at == p->end)
            return wrong(p, "the end of the text where a value is expected");
        const bool object = *p->at == '{';
        if (object || *p->at == '[') {
            AKIN_TRY(open_level(p, key, object));
            p->at++;
            if (!take(p, object ? '}' : ']'))
                continue;
            AKIN_TRY(close_level(p));
        } else {
            akin_json value = { .key = key };
            if (*p->at == '"') {
                p->at++;
                value.kind = AKIN_JSON_STRING;
                AKIN_TRY(string(p, &value.text, &value.count));
            } else if (*p->at == '-' || (*p->at >= '0' && *p->at <= '9')) {
                AKIN_TRY(number(p, &value));
            } else {
                AKIN_TRY(literal(p, &value));
            }
            AKIN_TRY(push(p, &value));
        }
        /* What it ends. */
        for (;;) {
            if (p->depth == 0) {
                skip_space(p);
                return p->at == p->end ? AKIN_OK : wrong(p, "something follows the end");
            }
            if (take(p, ','))
                break;
            if (!take(p, p->levels[p->depth - 1].object ? '}' : ']'))
                return wrong(p, p->levels[p->depth - 1].object ? "',' or '}' is expected"
                                                               : "',' or ']' is expected");
            AKIN_TRY(close_level(p));
        }
    }
out:
    return status;
}

/* ---- keys */

/* A member while it is sorted: the first bytes of its key decide nearly always. */
struct ranked {
    uint64_t prefix;
    uint32_t member;
};

static uint64_t prefix_of(const char *key)
{
    uint64_t prefix = 0;
    int shift = 64;
    while (*key != '\0' && shift > 0)
        prefix |= (uint64_t)(unsigned char)*key++ << (shift -= 8);
    return prefix;
}

static int compare_keys(const akin_json *members, const struct ranked *a, const struct ranked *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    return strcmp(members[a->member].key, members[b->member].key);
}

/* Sorts `count` items by key; [0..count) of both arrays is used, the answer is in the one returned.
 * A hash would be faster still, but its worst case can be asked for. */
static struct ranked *sort_keys(const akin_json *members, struct ranked *items,
                                struct ranked *scratch, size_t count)
{
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t begin = 0; begin < count; begin += 2 * width) {
            const size_t middle = akin_min(begin + width, count);
            const size_t end = akin_min(begin + 2 * width, count);
            size_t a = begin, b = middle;
            for (size_t i = begin; i < end; i++) {
                const bool left =
                    b == end || (a < middle && compare_keys(members, &items[a], &items[b]) <= 0);
                scratch[i] = items[left ? a++ : b++];
            }
        }
        struct ranked *sorted = scratch;
        scratch = items;
        items = sorted;
    }
    return items;
}

static akin_status duplicate(const struct parser *p, const char *key)
{
    return akin_fail(p->err, AKIN_E_FORMAT, p->path,
                     "not valid JSON: duplicate object key '%.60s'", key);
}

/* Turns indices into pointers, sorts the keys of large objects and finds those that are there
 * twice. */
static akin_status finish(struct parser *p)
{
    struct tree *t = p->tree;
    struct ranked *ranked = NULL;
    akin_status status = AKIN_OK;
    if (p->largest != 0) {
        t->order = malloc(t->node_count * sizeof *t->order);
        ranked = malloc(p->largest * 2 * sizeof *ranked);
        if (t->order == NULL || ranked == NULL) {
            status = akin_fail_nomem(p->err, "JSON", p->largest * 2 * sizeof *ranked);
            goto out;
        }
    }
    t->root = p->stack[0];
    for (size_t i = 0; i <= t->node_count; i++) {
        akin_json *value = i < t->node_count ? &t->nodes[i] : &t->root;
        if (value->kind != AKIN_JSON_ARRAY && value->kind != AKIN_JSON_OBJECT)
            continue;
        const size_t first = value->first, count = value->count;
        value->items = t->nodes + first;
        if (value->kind == AKIN_JSON_ARRAY)
            continue;
        if (count <= SMALL_OBJECT) {
            for (size_t a = 1; a < count; a++)
                for (size_t b = 0; b < a; b++)
                    if (strcmp(value->items[a].key, value->items[b].key) == 0) {
                        status = duplicate(p, value->items[a].key);
                        goto out;
                    }
            continue;
        }
        for (size_t k = 0; k < count; k++)
            ranked[k] = (struct ranked){ prefix_of(value->items[k].key), (uint32_t)k };
        const struct ranked *sorted = sort_keys(value->items, ranked, ranked + p->largest, count);
        for (size_t k = 1; k < count; k++)
            if (compare_keys(value->items, &sorted[k - 1], &sorted[k]) == 0) {
                status = duplicate(p, value->items[sorted[k].member].key);
                goto out;
            }
        uint32_t *order = t->order + first;
        for (size_t k = 0; k < count; k++)
            order[k] = sorted[k].member;
        value->order = order;
    }
out:
    free(ranked);
    return status;
}

/* What people have in the place of JSON. */
static akin_status lookalike(const char *text, size_t size, const char *path, akin_error *err)
{
    if (akin_is_lfs_pointer(text, size))
        return akin_fail(err, AKIN_E_FORMAT, path, "a Git LFS pointer, not JSON: %s",
                         AKIN_LFS_ADVICE);
    if (size != 0 && *text == '<')
        return akin_fail(
            err, AKIN_E_FORMAT, path,
            "a web page, not JSON: the download got a log-in or an error instead of the file");
    return AKIN_OK;
}

akin_status akin_json_parse(const void *bytes, size_t size, const char *path, akin_json **out,
                            akin_error *err)
{
    *out = NULL;
    akin_status status = lookalike(bytes, size, path, err);
    size_t offset;
    if (status != AKIN_OK)
        return status;
    struct tree *t = calloc(1, sizeof *t);
    struct parser *p = malloc(sizeof *p);
    if (t == NULL || p == NULL || size >= UINT32_MAX ||
        (t->text = malloc(size + 1)) == NULL) {
        free(p);
        free(t);
        return akin_fail_nomem(err, "JSON", size);
    }
    p->start = p->at = bytes;
    p->end = p->start + size;
    p->path = path;
    p->err = err;
    p->tree = t;
    p->text = t->text;
    p->stack = NULL;
    p->stack_count = p->stack_capacity = p->depth = p->largest = 0;
    if (!akin_utf8_valid(bytes, size, &offset)) {
        p->at += offset;
        status = wrong(p, "bytes that are not UTF-8");
        goto out;
    }
    AKIN_TRY(parse(p));
    status = finish(p);
out:
    free(p->stack);
    free(p);
    if (status == AKIN_OK)
        *out = &t->root;
    else
        akin_json_free(&t->root);
    return status;
}

void akin_json_free(akin_json *root)
{
    if (root == NULL)
        return;
    struct tree *t = (struct tree *)root;
    free(t->nodes);
    free(t->order);
    free(t->text);
    free(t);
}

/* ---- looking */

akin_json_kind akin_json_kind_of(const akin_json *value)
{
    return value != NULL ? (akin_json_kind)value->kind : AKIN_JSON_NULL;
}

static bool is(const akin_json *value, akin_json_kind kind)
{
    return value != NULL && value->kind == (uint32_t)kind;
}

bool akin_json_is_null(const akin_json *value) { return is(value, AKIN_JSON_NULL); }
bool akin_json_is_true(const akin_json *value) { return is(value, AKIN_JSON_TRUE); }
bool akin_json_is_false(const akin_json *value) { return is(value, AKIN_JSON_FALSE); }
bool akin_json_is_integer(const akin_json *value) { return is(value, AKIN_JSON_INTEGER); }
bool akin_json_is_string(const akin_json *value) { return is(value, AKIN_JSON_STRING); }
bool akin_json_is_array(const akin_json *value) { return is(value, AKIN_JSON_ARRAY); }
bool akin_json_is_object(const akin_json *value) { return is(value, AKIN_JSON_OBJECT); }

bool akin_json_is_bool(const akin_json *value)
{
    return akin_json_is_true(value) || akin_json_is_false(value);
}

bool akin_json_is_number(const akin_json *value)
{
    return is(value, AKIN_JSON_INTEGER) || is(value, AKIN_JSON_REAL);
}

int64_t akin_json_integer(const akin_json *value)
{
    return akin_json_is_integer(value) ? value->integer : 0;
}

double akin_json_double(const akin_json *value)
{
    return is(value, AKIN_JSON_REAL) ? value->number : (double)akin_json_integer(value);
}

const char *akin_json_string(const akin_json *value)
{
    return akin_json_is_string(value) ? value->text : NULL;
}

size_t akin_json_string_size(const akin_json *value)
{
    return akin_json_is_string(value) ? value->count : 0;
}

size_t akin_json_count(const akin_json *array)
{
    return akin_json_is_array(array) ? array->count : 0;
}

const akin_json *akin_json_at(const akin_json *array, size_t i)
{
    return i < akin_json_count(array) ? &array->items[i] : NULL;
}

size_t akin_json_members(const akin_json *object)
{
    return akin_json_is_object(object) ? object->count : 0;
}

const akin_json *akin_json_member(const akin_json *object, size_t i)
{
    return i < akin_json_members(object) ? &object->items[i] : NULL;
}

const char *akin_json_key(const akin_json *object, size_t i)
{
    return i < akin_json_members(object) ? object->items[i].key : NULL;
}

const akin_json *akin_json_get(const akin_json *object, const char *key)
{
    if (!akin_json_is_object(object))
        return NULL;
    if (object->order == NULL) {
        for (size_t i = 0; i < object->count; i++)
            if (strcmp(object->items[i].key, key) == 0)
                return &object->items[i];
        return NULL;
    }
    size_t low = 0, high = object->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const akin_json *member = &object->items[object->order[middle]];
        const int order = strcmp(member->key, key);
        if (order == 0)
            return member;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
