/* where.c - filters to SQL: a parser of --where, and a generator for each kind of field.
 *
 * The text of a condition is made of fixed pieces and the numbers of parameters, nothing else. What
 * is refused, and why the limits are what they are: where.h.
 */
#include "where.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

struct akin_item_filter {
    akin_buffer sql, bytes; /* bytes: of all values, one behind the other */
    akin_value *values;     /* until the end `integer` of text and bytes is their place in bytes */
    size_t count, capacity;
};

enum field_kind { PATH, EXT, DATE, CAMERA, NUMBER, MEMBER };

static const struct column {
    const char *name;
    enum field_kind kind;
} columns[] = {
    { "path", PATH },     { "ext", EXT },       { "taken_at", DATE },   { "camera", CAMERA },
    { "width", NUMBER },  { "height", NUMBER }, { "latitude", NUMBER }, { "longitude", NUMBER },
};

enum op { EQ, NE, LT, LE, GT, GE, PREFIX, CONTAINS, IN };
static const char *const op_text[] = { "=", "!=", "<", "<=", ">", ">=", "prefix", "contains",
                                       "in" };

struct slice {
    size_t at, size; /* bytes of compiler.scratch */
};

struct operand {
    struct slice text;
    size_t offset; /* in the expression, for messages */
    bool number;   /* not quoted, and spelled as JSON spells numbers */
};

struct test {
    enum field_kind kind;
    const char *column;                   /* NULL: a member */
    struct slice names[AKIN_WHERE_NAMES]; /* of the member */
    size_t name_count;
    enum op op;
    struct operand *operands; /* owned */
    size_t count, capacity;
};

struct compiler {
    akin_item_filter *filter;
    const char *option;  /* that is being compiled, for messages */
    const char *text;    /* of it */
    size_t size, pos;
    int depth;
    size_t tests;
    char *base;          /* plain and with a slash at its end; NULL: none */
    size_t base_size;    /* with that slash */
    struct test test;    /* that is being compiled */
    akin_buffer scratch; /* its texts */
    akin_status failed;  /* while SQL was made: told at the end of a test */
    akin_error *err;
};

/* ---- Making SQL ----------------------------------------------------------------------------- */

static __attribute__((format(printf, 2, 3))) void put(struct compiler *c, const char *format, ...)
{
    char piece[256]; /* formats are short, and so are their arguments */
    va_list args;
    va_start(args, format);
    const int size = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    if (c->failed == AKIN_OK)
        c->failed = akin_buffer_add(&c->filter->sql, piece, (size_t)size, c->err);
}

/* A parameter's number. */
static size_t bind(struct compiler *c, akin_value value)
{
    akin_item_filter *f = c->filter;
    if (c->failed != AKIN_OK)
        return 0;
    if (f->count == AKIN_WHERE_VALUES) {
        c->failed = akin_fail(c->err, AKIN_E_ARGUMENT, NULL, "%s: more than %d values", c->option,
                              AKIN_WHERE_VALUES);
        return 0;
    }
    akin_value *grown = akin_grow(f->values, &f->capacity, f->count + 1, sizeof *grown);
    if (grown == NULL) {
        c->failed = akin_fail_nomem(c->err, "the values of a filter", 0);
        return 0;
    }
    f->values = grown;
    f->values[f->count++] = value;
    return f->count;
}

/* The bytes and one more, when `more` is not negative. */
static size_t bind_joined(struct compiler *c, akin_value_type type, const char *bytes, size_t size,
                          int more)
{
    akin_buffer *all = &c->filter->bytes;
    const size_t at = all->size;
    const char end = (char)more;
    if (c->failed == AKIN_OK)
        c->failed = akin_buffer_add(all, bytes, size, c->err);
    if (c->failed == AKIN_OK && more >= 0)
        c->failed = akin_buffer_add(all, &end, 1, c->err);
    if (more >= 0)
        size++;
    return bind(c, (akin_value){ .type = type, .integer = (int64_t)at, .size = size });
}

static size_t bind_bytes(struct compiler *c, akin_value_type type, const char *bytes, size_t size)
{
    return bind_joined(c, type, bytes, size, -1);
}

/* The first that is behind everything that begins with these bytes; 0 when there is none. nocase:
 * in an order that takes capital letters for small ones, as the bytes are. */
static size_t bind_end(struct compiler *c, akin_value_type type, const char *bytes, size_t size,
                       bool nocase)
{
    while (size > 0 && (unsigned char)bytes[size - 1] == 0xff)
        size--;
    if (size == 0)
        return 0;
    int last = (unsigned char)bytes[size - 1] + 1;
    if (nocase && last == 'A')
        last = '['; /* follows '@' where 'A' is 'a' */
    return bind_joined(c, type, bytes, size - 1, last);
}

/* "column begins with", so that an index answers it. */
static void put_range(struct compiler *c, const char *column, akin_value_type type,
                      const char *bytes, size_t size, bool nocase)
{
    put(c, "%s >= ?%zu", column, bind_bytes(c, type, bytes, size));
    const size_t end = bind_end(c, type, bytes, size, nocase);
    if (end != 0)
        put(c, " AND %s < ?%zu", column, end);
}

static void put_list(struct compiler *c, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(c, "%s?%zu", i == 0 ? " IN (" : ",", first + i);
    put(c, ")");
}

static char *text_of(const struct compiler *c, struct slice s)
{
    return c->scratch.data + s.at;
}

/* ASCII alone, whatever the locale: as SQLite's lower() and NOCASE. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void make_lower(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        text[i] = lower(text[i]);
}

/* ---- Messages ------------------------------------------------------------------------------- */

enum { SHOWN = 64 };

/* The beginning of a text, in quotes. */
static void show(const char *text, size_t size, char out[SHOWN])
{
    size_t n = size < 40 ? size : 40;
    while (n < size && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--; /* not half a character */
    snprintf(out, SHOWN, "'%.*s%s'", (int)n, text, n < size ? "..." : "");
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool in_word(char c)
{
    return !is_blank(c) && strchr("'\"(),=<>!", c) == NULL;
}

static void skip_blanks(struct compiler *c)
{
    while (c->pos < c->size && is_blank(c->text[c->pos]))
        c->pos++;
}

/* Bytes of the word that begins at pos; 0: none does. */
static size_t word_here(const struct compiler *c)
{
    size_t n = 0;
    while (c->pos + n < c->size && in_word(c->text[c->pos + n]))
        n++;
    return n;
}

static akin_status expected(struct compiler *c, const char *what)
{
    char found[SHOWN] = "the end";
    skip_blanks(c);
    const size_t word = word_here(c);
    if (c->pos < c->size)
        show(c->text + c->pos, word > 0 ? word : 1, found);
    return akin_fail(c->err, AKIN_E_ARGUMENT, NULL, "%s: at byte %zu: expected %s, found %s",
                     c->option, c->pos, what, found);
}

static akin_status refuse(struct compiler *c, const struct operand *o, const char *what)
{
    char found[SHOWN];
    show(text_of(c, o->text), o->text.size, found);
    return akin_fail(c->err, AKIN_E_ARGUMENT, NULL, "%s: at byte %zu: %s, not %s", c->option,
                     o->offset, what, found);
}

static akin_status count_tests(struct compiler *c, size_t more)
{
    c->tests += more;
    if (c->tests > AKIN_WHERE_TESTS)
        return akin_fail(c->err, AKIN_E_ARGUMENT, NULL,
                         "%s: more than %d tests; 'in' takes many values", c->option,
                         AKIN_WHERE_TESTS);
    return AKIN_OK;
}

/* ---- Paths ---------------------------------------------------------------------------------- */

/* They are stored relative to the base when they are below it, else absolute: the base itself is
 * ".", and no relative path begins with a slash. */

static bool begins(const char *text, size_t size, const char *with, size_t with_size)
{
    return size >= with_size && memcmp(text, with, with_size) == 0;
}

static bool below_base(const struct compiler *c, const char *path, size_t size)
{
    return c->base != NULL && size > c->base_size && begins(path, size, c->base, c->base_size);
}

/* In place: "//" becomes "/"; with `whole` also no slash at the end, so that "/" becomes "". */
static size_t make_plain(char *path, size_t size, bool whole)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++)
        if (path[i] != '/' || n == 0 || path[n - 1] != '/')
            path[n++] = path[i];
    return whole && n > 0 && path[n - 1] == '/' ? n - 1 : n;
}

/* '0' follows '/'. With NOT, so that SQLite walks the index once: with two ranges it goes through
 * each and keeps a set of what it has seen, which takes twice as long. */
static void put_relative(struct compiler *c)
{
    put(c, "NOT (path >= x'2F' AND path < x'30')");
}

/* folder: plain and absolute; "" is "/". */
static void put_folder(struct compiler *c, const char *folder, size_t size)
{
    if (size == 0) {
        put(c, "(1)");
        return;
    }
    put(c, "(");
    if (below_base(c, folder, size)) {
        folder += c->base_size;
        size -= c->base_size;
    } else if (c->base != NULL && begins(c->base, c->base_size, folder, size) &&
               c->base[size] == '/') {
        put_relative(c);
        put(c, " OR ");
    }
    const size_t itself = bind_bytes(c, AKIN_VALUE_BYTES, folder, size);
    const size_t low = bind_joined(c, AKIN_VALUE_BYTES, folder, size, '/');
    const size_t high = bind_joined(c, AKIN_VALUE_BYTES, folder, size, '0');
    put(c, "path = ?%zu OR path >= ?%zu AND path < ?%zu)", itself, low, high);
}

static void put_path_prefix(struct compiler *c, const char *prefix, size_t size)
{
    const bool relative = c->base != NULL && begins(prefix, size, c->base, c->base_size);
    if (relative && size > c->base_size) {
        put_range(c, "path", AKIN_VALUE_BYTES, prefix + c->base_size, size - c->base_size, false);
        return;
    }
    const bool above = c->base != NULL && begins(c->base, c->base_size, prefix, size);
    if (relative || above) {
        put_relative(c);
        put(c, " OR ");
    }
    put_range(c, "path", AKIN_VALUE_BYTES, prefix, size, false);
}

/* What is equal to an absolute path, as it is stored. */
static size_t bind_path(struct compiler *c, struct slice s)
{
    char *path = text_of(c, s);
    const size_t size = make_plain(path, s.size, true);
    if (size == 0)
        return bind_bytes(c, AKIN_VALUE_BYTES, "/", 1);
    if (c->base != NULL && size + 1 == c->base_size && begins(c->base, c->base_size, path, size))
        return bind_bytes(c, AKIN_VALUE_BYTES, ".", 1);
    const size_t skip = below_base(c, path, size) ? c->base_size : 0;
    return bind_bytes(c, AKIN_VALUE_BYTES, path + skip, size - skip);
}

/* The absolute path, as text: in a UTF-8 database casts between text and BLOB change no byte. */
static void put_absolute(struct compiler *c)
{
    if (c->base == NULL) {
        put(c, "CAST(path AS TEXT)");
        return;
    }
    put(c, "CASE WHEN path >= x'2F' AND path < x'30' THEN '' ELSE ?%zu END || CAST(path AS TEXT)",
        bind_bytes(c, AKIN_VALUE_TEXT, c->base, c->base_size));
}

static akin_status put_path_test(struct compiler *c)
{
    const struct test *t = &c->test;
    for (size_t i = 0; i < t->count; i++) {
        const struct operand *o = &t->operands[i];
        if (o->number)
            return refuse(c, o, "path is text, which a number must be quoted to be");
        if (t->op != CONTAINS && (o->text.size == 0 || text_of(c, o->text)[0] != '/'))
            return refuse(c, o, "expected an absolute path");
    }
    struct slice s = t->operands[0].text;
    switch (t->op) {
    case PREFIX:
        put_path_prefix(c, text_of(c, s), make_plain(text_of(c, s), s.size, false));
        break;
    case CONTAINS: /* as BLOBs, since instr() of text skips half characters */
        make_lower(text_of(c, s), s.size);
        put(c, "instr(CAST(lower(");
        put_absolute(c);
        put(c, ") AS BLOB), ?%zu) > 0", bind_bytes(c, AKIN_VALUE_BYTES, text_of(c, s), s.size));
        break;
    case LT: case LE: case GT: case GE:
        put(c, "CAST(");
        put_absolute(c);
        put(c, " AS BLOB) %s ?%zu", op_text[t->op],
            bind_bytes(c, AKIN_VALUE_BYTES, text_of(c, s), s.size));
        break;
    default: {
        const size_t first = bind_path(c, s);
        for (size_t i = 1; i < t->count; i++)
            bind_path(c, t->operands[i].text);
        put(c, t->op == NE ? "NOT path" : "path");
        put_list(c, first, t->count);
    }
    }
    return AKIN_OK;
}

/* ---- Dates ---------------------------------------------------------------------------------- */

/* Two digits at text[at]. */
static bool two_digits(const char *text, size_t at, int max, int *out)
{
    const char a = text[at], b = text[at + 1];
    if (a < '0' || a > '9' || b < '0' || b > '9')
        return false;
    *out = (a - '0') * 10 + (b - '0');
    return *out <= max;
}

/* Whether text is a date of some precision that exists. In place: ' ' and 't' before the time
 * become 'T', as in the column. Of two such texts the order of bytes is that of their
 * beginnings. */
static bool make_date(char *text, size_t size)
{
    static const char shape[] = "0000-00-00T00:00:00";
    static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int century, year, month = 1, day = 1, part;
    if (size != 4 && size != 7 && size != 10 && size != 16 && size != 19)
        return false;
    if (size > 10 && (text[10] == ' ' || text[10] == 't'))
        text[10] = 'T';
    for (size_t i = 0; i < size; i++)
        if (shape[i] != '0' && text[i] != shape[i])
            return false;
    if (!two_digits(text, 0, 99, &century) || !two_digits(text, 2, 99, &year))
        return false;
    if (size > 4 && (!two_digits(text, 5, 12, &month) || month == 0))
        return false;
    if (size > 7 && (!two_digits(text, 8, days[month - 1], &day) || day == 0))
        return false;
    const bool leap = year != 0 ? year % 4 == 0 : century % 4 == 0;
    if (month == 2 && day == 29 && !leap)
        return false;
    return (size <= 10 || (two_digits(text, 11, 23, &part) && two_digits(text, 14, 59, &part))) &&
           (size <= 16 || two_digits(text, 17, 60, &part));
}

#define DATE_FORMS "2023, 2023-06, 2023-06-15 or 2023-06-15T14:03"

static akin_status put_date_test(struct compiler *c)
{
    const struct test *t = &c->test;
    struct slice s = t->operands[0].text;
    if (t->op == PREFIX) {
        put_range(c, t->column, AKIN_VALUE_TEXT, text_of(c, s), s.size, false);
        return AKIN_OK;
    }
    if (t->op == CONTAINS) {
        put(c, "instr(%s, ?%zu) > 0", t->column,
            bind_bytes(c, AKIN_VALUE_TEXT, text_of(c, s), s.size));
        return AKIN_OK;
    }
    for (size_t i = 0; i < t->count; i++)
        if (!make_date(text_of(c, t->operands[i].text), t->operands[i].text.size))
            return refuse(c, &t->operands[i], "taken_at is a date: expected " DATE_FORMS);
    switch (t->op) {
    case LT: case GE:
        put(c, "%s %s ?%zu", t->column, op_text[t->op],
            bind_bytes(c, AKIN_VALUE_TEXT, text_of(c, s), s.size));
        return AKIN_OK;
    case LE: case GT: /* a date is as long as its precision */
        put(c, "%s %s ?%zu", t->column, t->op == LE ? "<" : ">=",
            bind_end(c, AKIN_VALUE_TEXT, text_of(c, s), s.size, false));
        return AKIN_OK;
    default:
        if (t->op == NE)
            put(c, "NOT (");
        for (size_t i = 0; i < t->count; i++) {
            s = t->operands[i].text;
            if (i != 0)
                put(c, " OR ");
            put_range(c, t->column, AKIN_VALUE_TEXT, text_of(c, s), s.size, false);
        }
        if (t->op == NE)
            put(c, ")");
        return count_tests(c, t->count - 1);
    }
}

/* ---- Numbers -------------------------------------------------------------------------------- */

static size_t digits_at(const char *text, size_t size, size_t at)
{
    size_t n = 0;
    while (at + n < size && text[at + n] >= '0' && text[at + n] <= '9')
        n++;
    return n;
}

/* As JSON spells them: 2023-06, 007 and 3fr are words. */
static bool is_number(const char *text, size_t size)
{
    size_t at = size > 0 && text[0] == '-', n = digits_at(text, size, at);
    if (n == 0 || (n > 1 && text[at] == '0'))
        return false;
    at += n;
    if (at < size && text[at] == '.') {
        if ((n = digits_at(text, size, ++at)) == 0)
            return false;
        at += n;
    }
    if (at < size && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        at += at < size && (text[at] == '+' || text[at] == '-');
        if ((n = digits_at(text, size, at)) == 0)
            return false;
        at += n;
    }
    return at == size;
}

static akin_status bind_number(struct compiler *c, const struct operand *o)
{
    akin_json *json = NULL;
    akin_status status = akin_json_parse(text_of(c, o->text), o->text.size, NULL, &json, c->err);
    if (status != AKIN_OK)
        return status == AKIN_E_NOMEM ? status : refuse(c, o, "expected a number of 64 bits");
    if (akin_json_is_integer(json))
        bind(c, (akin_value){ .type = AKIN_VALUE_INTEGER, .integer = akin_json_integer(json) });
    else
        bind(c, (akin_value){ .type = AKIN_VALUE_REAL, .real = akin_json_double(json) });
    akin_json_free(json);
    return AKIN_OK;
}

static akin_status put_number_test(struct compiler *c)
{
    const struct test *t = &c->test;
    const size_t first = c->filter->count + 1;
    for (size_t i = 0; i < t->count; i++) {
        char what[64];
        snprintf(what, sizeof what, "%s is a number: expected one, without quotes", t->column);
        if (!t->operands[i].number)
            return refuse(c, &t->operands[i], what);
        const akin_status status = bind_number(c, &t->operands[i]);
        if (status != AKIN_OK)
            return status;
    }
    if (t->op == IN) {
        put(c, "%s", t->column);
        put_list(c, first, t->count);
    } else {
        put(c, "%s %s ?%zu", t->column, op_text[t->op], first);
    }
    return AKIN_OK;
}

/* ---- Texts: ext and camera ------------------------------------------------------------------ */

static akin_status put_text_test(struct compiler *c)
{
    const struct test *t = &c->test;
    const size_t first = c->filter->count + 1;
    for (size_t i = 0; i < t->count; i++) {
        char what[64];
        struct slice s = t->operands[i].text;
        snprintf(what, sizeof what, "%s is text, which a number must be quoted to be", t->column);
        if (t->operands[i].number)
            return refuse(c, &t->operands[i], what);
        char *text = text_of(c, s);
        make_lower(text, s.size);
        const size_t dot = t->kind == EXT && s.size > 0 && text[0] == '.';
        if (t->op == PREFIX)
            put_range(c, t->column, AKIN_VALUE_TEXT, text + dot, s.size - dot, t->kind == CAMERA);
        else
            bind_bytes(c, AKIN_VALUE_TEXT, text + dot, s.size - dot);
    }
    if (t->op == CONTAINS) {
        put(c, "instr(lower(%s), ?%zu) > 0", t->column, first);
    } else if (t->op == IN) {
        put(c, "%s", t->column);
        put_list(c, first, t->count);
    } else if (t->op != PREFIX) {
        put(c, "%s %s ?%zu", t->column, op_text[t->op], first);
    }
    return AKIN_OK;
}

/* ---- Members of the metadata ---------------------------------------------------------------- */

struct numbers {
    size_t first, count; /* of parameters */
};

static void put_comparison(struct compiler *c, const char *x, struct numbers n)
{
    switch (c->test.op) {
    case PREFIX:
        put(c, "substr(lower(%s), 1, length(?%zu)) = ?%zu", x, n.first, n.first);
        break;
    case CONTAINS:
        put(c, "instr(lower(%s), ?%zu) > 0", x, n.first);
        break;
    case EQ: case NE: case IN:
        put(c, "%s", x);
        put_list(c, n.first, n.count);
        break;
    default:
        put(c, "%s %s ?%zu", x, op_text[c->test.op], n.first);
    }
}

/* "CASE type WHEN ..." without END: NULL for types that no value can be compared with. */
static void put_cases(struct compiler *c, const char *type, const char *x, struct numbers texts,
                      struct numbers numbers)
{
    const enum op op = c->test.op;
    put(c, "CASE %s", type);
    for (int real = 0; real < 2 && numbers.count > 0; real++) {
        put(c, " WHEN '%s' THEN ", real ? "real" : "integer");
        put_comparison(c, x, numbers);
    }
    if (texts.count > 0) {
        put(c, " WHEN 'text' THEN ");
        put_comparison(c, x, texts);
    }
    for (int yes = 0; yes < 2 && texts.count > 0 && (op == EQ || op == NE || op == IN); yes++) {
        put(c, " WHEN '%s' THEN ", yes ? "true" : "false");
        put_comparison(c, yes ? "'true'" : "'false'", texts);
    }
}

/* Names that are spelled alike in a JSON path, in any JSON text and in any version of SQLite: that
 * of Debian 12 compares paths with what stands between the quotes, escapes and all. */
static bool plain_name(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const char a = name[i];
        if (!((a >= 'a' && a <= 'z') || (a >= 'A' && a <= 'Z') || (a >= '0' && a <= '9') ||
              a == '_' || a == '-' || a == ' '))
            return false;
    }
    return size > 0;
}

/* A chain of steps: from the metadata, or the object found so far, a path of plain names leads to
 * an object; when another name follows, its members m0, m1, ... are gone through to find it. */
static void put_member(struct compiler *c, struct numbers texts, struct numbers numbers)
{
    const struct test *t = &c->test;
    size_t keys[AKIN_WHERE_NAMES], paths[AKIN_WHERE_NAMES + 1], steps = 0;
    akin_buffer path;
    bool ends_plain = false;
    akin_buffer_init(&path, "a path in the metadata", 2 * AKIN_WHERE_BYTES);
    for (size_t i = 0; i <= t->name_count && c->failed == AKIN_OK; i++) {
        const struct slice s = i < t->name_count ? t->names[i] : (struct slice){ 0, 0 };
        if (path.size == 0)
            c->failed = akin_buffer_add_text(&path, "$", c->err);
        if (i < t->name_count && plain_name(text_of(c, s), s.size)) {
            ends_plain = true;
            if (c->failed == AKIN_OK)
                c->failed = akin_buffer_add_text(&path, ".\"", c->err);
            if (c->failed == AKIN_OK)
                c->failed = akin_buffer_add(&path, text_of(c, s), s.size, c->err);
            if (c->failed == AKIN_OK)
                c->failed = akin_buffer_add_text(&path, "\"", c->err);
            continue;
        }
        if (i == t->name_count && !ends_plain)
            break;
        if (c->failed == AKIN_OK)
            paths[steps] = bind_bytes(c, AKIN_VALUE_TEXT, path.data, path.size);
        if (i == t->name_count)
            break;
        keys[steps++] = bind_bytes(c, AKIN_VALUE_TEXT, text_of(c, s), s.size);
        ends_plain = false;
        path.size = 0;
    }
    akin_buffer_clear(&path);
    if (c->failed != AKIN_OK)
        return;

    char object[96] = "metadata", type[160], x[160], elements[160];
    const size_t last = steps - 1; /* used when there is one */
    if (steps > 0)
        snprintf(object, sizeof object, "CASE m%zu.type WHEN 'object' THEN m%zu.value END", last,
                 last);
    if (ends_plain) {
        snprintf(type, sizeof type, "json_type(%s, ?%zu)", object, paths[steps]);
        snprintf(x, sizeof x, "json_extract(%s, ?%zu)", object, paths[steps]);
        snprintf(elements, sizeof elements, "json_each(%s, ?%zu)", object, paths[steps]);
    } else {
        snprintf(type, sizeof type, "m%zu.type", last);
        snprintf(x, sizeof x, "m%zu.value", last);
        snprintf(elements, sizeof elements, "json_each(m%zu.value)", last);
    }
    if (t->op == NE)
        put(c, "NOT ");
    put(c, steps > 0 ? "(SELECT " : "(");
    put_cases(c, type, x, texts, numbers);
    put(c, " WHEN 'array' THEN (SELECT max("); /* of nothing, and of NULLs, it is NULL */
    put_cases(c, "e.type", "e.value", texts, numbers);
    put(c, " END) FROM %s AS e) END", elements);
    for (size_t i = 0; i < steps; i++) {
        if (i == 0)
            put(c, " FROM json_each(metadata, ?%zu) AS m0", paths[0]);
        else
            put(c,
                ", json_each(CASE m%zu.type WHEN 'object' THEN m%zu.value END, ?%zu) AS m%zu",
                i - 1, i - 1, paths[i], i);
    }
    for (size_t i = 0; i < steps; i++)
        put(c, " %s m%zu.key = ?%zu", i == 0 ? "WHERE" : "AND", i, keys[i]);
    put(c, ")");
}

static akin_status put_member_test(struct compiler *c)
{
    const struct test *t = &c->test;
    const bool words = t->op == PREFIX || t->op == CONTAINS;
    const bool equality = t->op == EQ || t->op == NE || t->op == IN;
    struct numbers texts = { c->filter->count + 1, 0 };
    for (size_t i = 0; i < t->count; i++) {
        const struct operand *o = &t->operands[i];
        if (o->number && !equality && !words)
            continue;
        if (words)
            make_lower(text_of(c, o->text), o->text.size);
        bind_bytes(c, AKIN_VALUE_TEXT, text_of(c, o->text), o->text.size);
        texts.count++;
    }
    struct numbers numbers = { c->filter->count + 1, 0 };
    for (size_t i = 0; i < t->count && !words; i++) {
        if (!t->operands[i].number)
            continue;
        const akin_status status = bind_number(c, &t->operands[i]);
        if (status != AKIN_OK)
            return status;
        numbers.count++;
    }
    put_member(c, texts, numbers);
    return AKIN_OK;
}

/* ---- Parsing -------------------------------------------------------------------------------- */

/* Whether text is `word`, which is in small letters, in any case. */
static bool same_word(const char *text, size_t size, const char *word)
{
    if (size != strlen(word))
        return false;
    for (size_t i = 0; i < size; i++)
        if (lower(text[i]) != word[i])
            return false;
    return true;
}

/* The word at pos, in any case; then pos is behind it. */
static bool take_word(struct compiler *c, const char *word)
{
    skip_blanks(c);
    if (!same_word(c->text + c->pos, word_here(c), word))
        return false;
    c->pos += strlen(word);
    return true;
}

static bool take(struct compiler *c, char byte)
{
    skip_blanks(c);
    if (c->pos == c->size || c->text[c->pos] != byte)
        return false;
    c->pos++;
    return true;
}

static bool quote_here(const struct compiler *c)
{
    return c->pos < c->size && (c->text[c->pos] == '\'' || c->text[c->pos] == '"');
}

static akin_status keep(struct compiler *c, size_t size, struct slice *out)
{
    *out = (struct slice){ c->scratch.size, size };
    const akin_status status = akin_buffer_add(&c->scratch, c->text + c->pos, size, c->err);
    c->pos += size;
    return status;
}

static akin_status keep_quoted(struct compiler *c, struct slice *out)
{
    const size_t begin = c->pos;
    const char quote = c->text[c->pos++];
    *out = (struct slice){ c->scratch.size, 0 };
    for (;;) {
        struct slice piece;
        size_t n = 0;
        while (c->pos + n < c->size && c->text[c->pos + n] != quote)
            n++;
        if (c->pos + n == c->size)
            return akin_fail(c->err, AKIN_E_ARGUMENT, NULL,
                             "%s: at byte %zu: this quote has no end", c->option, begin);
        const bool doubled = c->pos + n + 1 < c->size && c->text[c->pos + n + 1] == quote;
        const akin_status status = keep(c, n + doubled, &piece);
        if (status != AKIN_OK)
            return status;
        out->size += piece.size;
        c->pos++;
        if (!doubled)
            return AKIN_OK;
    }
}

static akin_status parse_field(struct compiler *c)
{
    static const char what[] = "a field (path, ext, taken_at, width, height, camera, latitude, "
                               "longitude or a member of the metadata)";
    struct test *t = &c->test;
    skip_blanks(c);
    const size_t begin = c->pos;
    t->kind = MEMBER;
    t->column = NULL;
    t->name_count = 0;
    bool quoted = false;
    do {
        struct slice *name = &t->names[t->name_count];
        akin_status status;
        if (t->name_count == AKIN_WHERE_NAMES)
            return akin_fail(c->err, AKIN_E_ARGUMENT, NULL,
                             "%s: at byte %zu: a field of more than %d names", c->option, begin,
                             AKIN_WHERE_NAMES);
        if (quote_here(c)) {
            quoted = true;
            status = keep_quoted(c, name);
        } else {
            size_t n = 0;
            while (c->pos + n < c->size && in_word(c->text[c->pos + n]) &&
                   c->text[c->pos + n] != '.')
                n++;
            if (n == 0)
                return expected(c, what);
            status = keep(c, n, name);
        }
        if (status != AKIN_OK)
            return status;
        t->name_count++;
    } while (c->pos < c->size && c->text[c->pos] == '.' && ++c->pos);
    if (quoted || t->name_count != 1)
        return AKIN_OK;
    const char *name = text_of(c, t->names[0]);
    const size_t size = t->names[0].size;
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (same_word(name, size, columns[i].name)) {
            t->kind = columns[i].kind;
            t->column = columns[i].name;
            return AKIN_OK;
        }
    if (same_word(name, size, "and") || same_word(name, size, "or")) {
        c->pos = begin;
        return expected(c, what);
    }
    return AKIN_OK;
}

static akin_status parse_op(struct compiler *c)
{
    static const enum op longest_first[] = { NE, LE, GE, EQ, LT, GT };
    struct test *t = &c->test;
    skip_blanks(c);
    const size_t begin = c->pos;
    for (size_t i = 0; i < sizeof longest_first / sizeof *longest_first; i++) {
        const char *op = op_text[longest_first[i]];
        if (begins(c->text + c->pos, c->size - c->pos, op, strlen(op))) {
            c->pos += strlen(op);
            t->op = longest_first[i];
            return AKIN_OK;
        }
    }
    for (enum op op = PREFIX; op <= IN; op++)
        if (take_word(c, op_text[op])) {
            t->op = op;
            if (t->kind == NUMBER && op != IN) {
                c->pos = begin;
                return expected(c, "=, !=, <, <=, >, >= or in, since the field is a number");
            }
            return AKIN_OK;
        }
    return expected(c, "=, !=, <, <=, >, >=, prefix, contains or in");
}

static akin_status parse_value(struct compiler *c)
{
    struct test *t = &c->test;
    akin_status status;
    skip_blanks(c);
    struct operand o = { .offset = c->pos };
    const size_t word = word_here(c);
    if (quote_here(c)) {
        status = keep_quoted(c, &o.text);
    } else if (word > 0) {
        status = keep(c, word, &o.text);
        o.number = status == AKIN_OK && is_number(text_of(c, o.text), word);
    } else {
        return expected(c, "a value (a number, a word or a text in quotes)");
    }
    if (status != AKIN_OK)
        return status;
    struct operand *grown = akin_grow(t->operands, &t->capacity, t->count + 1, sizeof *grown);
    if (grown == NULL)
        return akin_fail_nomem(c->err, "the values of a filter", 0);
    t->operands = grown;
    t->operands[t->count++] = o;
    return AKIN_OK;
}

static akin_status put_test(struct compiler *c)
{
    switch (c->test.kind) {
    case PATH: return put_path_test(c);
    case DATE: return put_date_test(c);
    case NUMBER: return put_number_test(c);
    case MEMBER: return put_member_test(c);
    default: return put_text_test(c);
    }
}

static akin_status parse_test(struct compiler *c)
{
    akin_status status;
    c->scratch.size = c->test.count = 0;
    AKIN_TRY(count_tests(c, 1));
    AKIN_TRY(parse_field(c));
    AKIN_TRY(parse_op(c));
    if (c->test.op == IN) {
        if (!take(c, '('))
            return expected(c, "'(' and the values behind 'in'");
        do
            AKIN_TRY(parse_value(c));
        while (take(c, ','));
        if (!take(c, ')'))
            return expected(c, "',' or ')'");
    } else {
        AKIN_TRY(parse_value(c));
    }
    put(c, "(");
    AKIN_TRY(put_test(c));
    put(c, ")");
    AKIN_TRY(c->failed);
out:
    return status;
}

static akin_status parse_expression(struct compiler *c);

static akin_status parse_factor(struct compiler *c)
{
    bool negated = false;
    akin_status status;
    while (take_word(c, "not")) /* what is unknown stays so */
        negated = !negated;
    if (negated)
        put(c, "NOT ");
    if (!take(c, '('))
        return parse_test(c);
    if (c->depth == AKIN_WHERE_DEPTH)
        return akin_fail(c->err, AKIN_E_ARGUMENT, NULL,
                         "%s: at byte %zu: more than %d parentheses inside each other", c->option,
                         c->pos - 1, AKIN_WHERE_DEPTH);
    c->depth++;
    put(c, "(");
    AKIN_TRY(parse_expression(c));
    put(c, ")");
    if (!take(c, ')'))
        return expected(c, "'and', 'or' or ')'");
    c->depth--;
out:
    return status;
}

static akin_status parse_expression(struct compiler *c)
{
    akin_status status;
    AKIN_TRY(parse_factor(c));
    for (;;) { /* SQL too binds AND closer than OR */
        if (take_word(c, "and"))
            put(c, " AND ");
        else if (take_word(c, "or"))
            put(c, " OR ");
        else
            return AKIN_OK;
        AKIN_TRY(parse_factor(c));
    }
out:
    return status;
}

/* ---- Options -------------------------------------------------------------------------------- */

static void begin_option(struct compiler *c, const char *option)
{
    if (c->filter->sql.size > 0)
        put(c, " AND ");
    c->option = option;
}

static akin_status compile_where(struct compiler *c, const char *where)
{
    akin_status status;
    begin_option(c, "where");
    c->text = where;
    c->size = strnlen(where, AKIN_WHERE_BYTES + 1);
    c->pos = 0;
    if (c->size > AKIN_WHERE_BYTES)
        return akin_fail(c->err, AKIN_E_ARGUMENT, NULL, "where: longer than %d bytes",
                         AKIN_WHERE_BYTES);
    put(c, "(");
    AKIN_TRY(parse_expression(c));
    put(c, ")");
    skip_blanks(c);
    if (c->pos != c->size)
        return expected(c, "'and', 'or' or the end");
out:
    return status;
}

/* An option's text, which may be changed, in scratch. */
static akin_status keep_option(struct compiler *c, const char *text, struct slice *out)
{
    c->scratch.size = 0;
    *out = (struct slice){ 0, strnlen(text, AKIN_WHERE_BYTES + 1) };
    if (out->size > AKIN_WHERE_BYTES)
        return akin_fail(c->err, AKIN_E_ARGUMENT, NULL, "%s: longer than %d bytes", c->option,
                         AKIN_WHERE_BYTES);
    return akin_buffer_add(&c->scratch, text, out->size, c->err);
}

static akin_status compile_date(struct compiler *c, const char *option, const char *op,
                                const char *date)
{
    struct slice s;
    begin_option(c, option);
    const akin_status status = keep_option(c, date, &s);
    if (status != AKIN_OK)
        return status;
    if (!make_date(text_of(c, s), s.size)) {
        char found[SHOWN];
        show(text_of(c, s), s.size, found);
        return akin_fail(c->err, AKIN_E_ARGUMENT, NULL,
                         "%s: expected a date (" DATE_FORMS "), not %s", option, found);
    }
    put(c, "(taken_at %s ?%zu)", op, bind_bytes(c, AKIN_VALUE_TEXT, text_of(c, s), s.size));
    return c->failed;
}

static akin_status compile_folders(struct compiler *c, const char *const *folders, size_t count)
{
    akin_status status = AKIN_OK;
    begin_option(c, "in");
    for (size_t i = 0; i < count; i++) {
        struct slice s;
        put(c, i == 0 ? "(" : " OR ");
        AKIN_TRY(count_tests(c, 1));
        AKIN_TRY(keep_option(c, folders[i], &s));
        char *folder = text_of(c, s);
        if (folder[0] != '/') {
            char found[SHOWN];
            show(folder, s.size, found);
            return akin_fail(c->err, AKIN_E_ARGUMENT, NULL,
                             "in: expected an absolute path, not %s", found);
        }
        put_folder(c, folder, make_plain(folder, s.size, true));
        AKIN_TRY(c->failed);
    }
    put(c, ")");
out:
    return status;
}

static akin_status compile_exts(struct compiler *c, const char *const *exts, size_t count)
{
    const size_t first = c->filter->count + 1;
    begin_option(c, "ext");
    for (size_t i = 0; i < count; i++) {
        struct slice s;
        const akin_status status = keep_option(c, exts[i], &s);
        if (status != AKIN_OK)
            return status;
        char *ext = text_of(c, s);
        const size_t dot = ext[0] == '.';
        make_lower(ext, s.size);
        bind_bytes(c, AKIN_VALUE_TEXT, ext + dot, s.size - dot);
    }
    put(c, "(ext");
    put_list(c, first, count);
    put(c, ")");
    return c->failed;
}

static akin_status compile(struct compiler *c, const akin_filter_options *o)
{
    akin_status status = AKIN_OK;
    if (o->after != NULL)
        AKIN_TRY(compile_date(c, "after", ">=", o->after));
    if (o->before != NULL)
        AKIN_TRY(compile_date(c, "before", "<", o->before));
    if (o->folder_count > 0)
        AKIN_TRY(compile_folders(c, o->folders, o->folder_count));
    if (o->ext_count > 0)
        AKIN_TRY(compile_exts(c, o->exts, o->ext_count));
    if (o->where != NULL)
        AKIN_TRY(compile_where(c, o->where));
    AKIN_TRY(c->failed);
out:
    return status;
}

akin_status akin_filter_new(akin_item_filter **out, const akin_filter_options *options, const char *base,
                            akin_error *err)
{
    akin_status status = AKIN_OK;
    *out = NULL;
    if (options->after == NULL && options->before == NULL && options->folder_count == 0 &&
        options->ext_count == 0 && options->where == NULL)
        return AKIN_OK;
    struct compiler c = { .err = err };
    akin_buffer_init(&c.scratch, "a filter", 2 * AKIN_WHERE_BYTES);
    akin_item_filter *filter = c.filter = calloc(1, sizeof *filter);
    if (filter == NULL)
        return akin_fail_nomem(err, "a filter", sizeof *filter);
    akin_buffer_init(&filter->sql, "a filter's SQL", 2 << 20);
    akin_buffer_init(&filter->bytes, "a filter's values", 64 << 20);
    if (base != NULL) {
        const size_t size = strlen(base);
        c.base = malloc(size + 2);
        if (c.base == NULL) {
            status = akin_fail_nomem(err, "a filter", size + 2);
            goto out;
        }
        memcpy(c.base, base, size);
        c.base_size = make_plain(c.base, size, true);
        c.base[c.base_size++] = '/';
    }
    AKIN_TRY(compile(&c, options));
    /* data is NULL while every value is empty or a number. */
    AKIN_TRY(akin_buffer_add(&filter->bytes, "", 1, err));
    for (size_t i = 0; i < filter->count; i++) {
        akin_value *v = &filter->values[i];
        if (v->type == AKIN_VALUE_TEXT || v->type == AKIN_VALUE_BYTES) {
            v->bytes = filter->bytes.data + v->integer;
            v->integer = 0;
        }
    }
    *out = filter;
    filter = NULL;
out:
    akin_filter_free(filter);
    akin_buffer_clear(&c.scratch);
    free(c.test.operands);
    free(c.base);
    return status;
}

void akin_filter_free(akin_item_filter *filter)
{
    if (filter == NULL)
        return;
    akin_buffer_clear(&filter->sql);
    akin_buffer_clear(&filter->bytes);
    free(filter->values);
    free(filter);
}

const char *akin_filter_sql(const akin_item_filter *filter)
{
    return filter->sql.data;
}

const akin_value *akin_filter_values(const akin_item_filter *filter, size_t *count)
{
    *count = filter->count;
    return filter->values;
}
