/* pickle.c - a Python pickle as a tree of plain values.
 *
 * The opcodes and their meaning are those of CPython's Lib/pickletools.py (3.11), the set of them
 * is what torch.save (1.6 to 2.13) writes for a state dict. Unpickling proper is running a program
 * of the file's author. Here the program is only read: a call becomes a value that holds its
 * arguments, for globals of a table, and everything else is refused by name. A TorchScript archive
 * (torch/csrc/jit/serialization/pickler.cpp) adds objects of its own classes, `__torch__...`: each
 * becomes the dict of its attributes.
 */
#include "pickle.h"

#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/cursor.h"
#include "base/memory.h"

enum opcode {
    OP_MARK = '(',
    OP_STOP = '.',
    OP_BINFLOAT = 'G',
    OP_BININT = 'J',
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_NONE = 'N',
    OP_BINPERSID = 'Q',
    OP_REDUCE = 'R',
    OP_BINUNICODE = 'X',
    OP_EMPTY_LIST = ']',
    OP_APPEND = 'a',
    OP_BUILD = 'b',
    OP_GLOBAL = 'c',
    OP_APPENDS = 'e',
    OP_BINGET = 'h',
    OP_LONG_BINGET = 'j',
    OP_BINPUT = 'q',
    OP_LONG_BINPUT = 'r',
    OP_SETITEM = 's',
    OP_TUPLE = 't',
    OP_SETITEMS = 'u',
    OP_EMPTY_DICT = '}',
    OP_EMPTY_TUPLE = ')',
    OP_PROTO = 0x80,
    OP_NEWOBJ = 0x81,
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,
    OP_LONG1 = 0x8a,
    OP_SHORT_BINUNICODE = 0x8c,
    OP_BINUNICODE8 = 0x8d,
    OP_STACK_GLOBAL = 0x93,
    OP_MEMOIZE = 0x94,
    OP_FRAME = 0x95
};

/* The opcodes that are refused, to do it by name. `unsafe`: makes objects or calls. */
static const struct refused {
    unsigned char opcode;
    bool unsafe;
    const char *name;
} refused_opcodes[] = {
    { '0', false, "POP" }, { '1', false, "POP_MARK" }, { '2', false, "DUP" },
    { 'F', false, "FLOAT" }, { 'I', false, "INT" }, { 'L', false, "LONG" },
    { 'P', true, "PERSID" }, { 'S', false, "STRING" }, { 'T', false, "BINSTRING" },
    { 'U', false, "SHORT_BINSTRING" }, { 'V', false, "UNICODE" }, { 'd', false, "DICT" },
    { 'l', false, "LIST" }, { 'g', false, "GET" }, { 'p', false, "PUT" },
    { 'i', true, "INST" }, { 'o', true, "OBJ" }, { 'B', false, "BINBYTES" },
    { 'C', false, "SHORT_BINBYTES" }, { 0x81, true, "NEWOBJ" }, { 0x82, true, "EXT1" },
    { 0x83, true, "EXT2" }, { 0x84, true, "EXT4" }, { 0x8b, false, "LONG4" },
    { 0x8e, false, "BINBYTES8" }, { 0x8f, false, "EMPTY_SET" }, { 0x90, false, "ADDITEMS" },
    { 0x91, false, "FROZENSET" }, { 0x92, true, "NEWOBJ_EX" }, { 0x96, false, "BYTEARRAY8" },
    { 0x97, true, "NEXT_BUFFER" }, { 0x98, true, "READONLY_BUFFER" },
};

static const char advice[] =
    "if you trust the file, load it in Python and save the bare state dict "
    "(torch.save(model.state_dict(), ...)), or better as safetensors";

enum { values_per_slab = 512, ordered_dict = -1, script_class = -2 };

struct reader {
    akin_cursor c;
    const char *path;
    const akin_pickle_global *globals;
    int global_count;
    bool script; /* classes of TorchScript are let through */
    akin_arena *arena;
    akin_error *err;

    akin_pickle_value *slab; /* values are taken from here */
    size_t slab_left, values;
    akin_pickle_value **stack;
    size_t depth, stack_capacity;
    size_t marks[AKIN_PICKLE_MAX_MARKS]; /* stack depths */
    size_t mark_count;
    akin_pickle_value **memo; /* by number; NULL where nothing was put */
    size_t memo_capacity, memo_count;
};

static akin_status fail_limit(struct reader *r, const char *what, int limit)
{
    return akin_fail(r->err, AKIN_E_LIMIT, r->path, "pickle: more than %d %s", limit, what);
}

static akin_status fail_cut(struct reader *r)
{
    return akin_fail(r->err, AKIN_E_TRUNCATED, r->path,
                     "pickle: ends at byte %zu, in the middle of an opcode", r->c.size);
}

static akin_status fail_broken(struct reader *r, const char *what)
{
    return akin_fail(r->err, AKIN_E_CORRUPT, r->path, "pickle: %s before byte %zu", what, r->c.pos);
}

/* Makes room for `need` pointers, the new ones NULL. */
static bool grow(akin_pickle_value ***items, size_t *capacity, size_t need)
{
    const size_t before = *capacity;
    akin_pickle_value **more = akin_grow(*items, capacity, need, sizeof **items);
    if (more == NULL)
        return false;
    if (*capacity > before)
        memset(more + before, 0, (*capacity - before) * sizeof **items);
    *items = more;
    return true;
}

static akin_status push(struct reader *r, akin_pickle_value *value)
{
    if (r->depth == AKIN_PICKLE_MAX_STACK)
        return fail_limit(r, "values on the stack", AKIN_PICKLE_MAX_STACK);
    if (!grow(&r->stack, &r->stack_capacity, r->depth + 1))
        return akin_fail_nomem(r->err, "pickle stack", 0);
    r->stack[r->depth++] = value;
    return AKIN_OK;
}

/* A new value on the stack. */
static akin_status push_new(struct reader *r, akin_pickle_kind kind, akin_pickle_value **out)
{
    *out = NULL;
    if (r->slab_left == 0) {
        if (r->values >= AKIN_PICKLE_MAX_VALUES)
            return fail_limit(r, "values", AKIN_PICKLE_MAX_VALUES);
        r->slab = akin_arena_take(r->arena, values_per_slab, sizeof *r->slab);
        if (r->slab == NULL)
            return akin_fail_nomem(r->err, "pickle values", values_per_slab * sizeof *r->slab);
        r->slab_left = values_per_slab;
        r->values += values_per_slab;
    }
    akin_pickle_value *value = r->slab++;
    r->slab_left--;
    memset(value, 0, sizeof *value);
    value->kind = kind;
    *out = value;
    return push(r, value);
}

/* Values above the last mark, or all of them. */
static size_t available(const struct reader *r)
{
    return r->depth - (r->mark_count != 0 ? r->marks[r->mark_count - 1] : 0);
}

static akin_status need(struct reader *r, size_t count)
{
    return available(r) >= count ? AKIN_OK : fail_broken(r, "too few values on the stack");
}

/* Removes the last mark; *count values lie above it, on top of the stack. */
static akin_status pop_mark(struct reader *r, size_t *count)
{
    *count = 0;
    if (r->mark_count == 0)
        return fail_broken(r, "no mark on the stack");
    *count = available(r);
    r->mark_count--;
    return AKIN_OK;
}

static akin_status push_int(struct reader *r, int64_t integer)
{
    akin_pickle_value *value;
    akin_status status = push_new(r, AKIN_PICKLE_INT, &value);
    if (status == AKIN_OK)
        value->integer = integer;
    return status;
}

static akin_status push_bool(struct reader *r, bool truth)
{
    akin_pickle_value *value;
    akin_status status = push_new(r, AKIN_PICKLE_BOOL, &value);
    if (status == AKIN_OK)
        value->integer = truth;
    return status;
}

static akin_status push_text(struct reader *r, uint64_t size)
{
    const uint8_t *bytes;
    if (!akin_cursor_bytes(&r->c, size, &bytes))
        return fail_cut(r);
    akin_pickle_value *value;
    akin_status status = push_new(r, AKIN_PICKLE_TEXT, &value);
    if (status == AKIN_OK) {
        value->text = (const char *)bytes;
        value->count = (size_t)size;
    }
    return status;
}

/* Two's complement, little-endian, of any length; a state dict has none of more than 64 bits. */
static akin_status push_long(struct reader *r)
{
    uint8_t size;
    const uint8_t *bytes;
    if (!akin_cursor_u8(&r->c, &size) || !akin_cursor_bytes(&r->c, size, &bytes))
        return fail_cut(r);
    if (size > 8)
        return akin_fail(r->err, AKIN_E_LIMIT, r->path,
                         "pickle: an integer of %d bytes; the limit is 8", size);
    uint64_t bits = size != 0 && bytes[size - 1] >= 0x80 ? UINT64_MAX : 0;
    for (int i = size; i-- > 0;)
        bits = bits << 8 | bytes[i];
    return push_int(r, (int64_t)bits);
}

static akin_status push_float(struct reader *r)
{
    const uint8_t *bytes;
    if (!akin_cursor_bytes(&r->c, 8, &bytes))
        return fail_cut(r);
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | bytes[i];
    akin_pickle_value *value;
    akin_status status = push_new(r, AKIN_PICKLE_FLOAT, &value);
    if (status == AKIN_OK)
        memcpy(&value->number, &bits, sizeof bits);
    return status;
}

/* Replaces the `count` values on top by a tuple of them. */
static akin_status make_tuple(struct reader *r, size_t count)
{
    akin_pickle_value **items = NULL, *tuple;
    if (count != 0) {
        items = akin_arena_take(r->arena, count, sizeof *items);
        if (items == NULL)
            return akin_fail_nomem(r->err, "pickle tuple", count * sizeof *items);
        r->depth -= count;
        memcpy(items, r->stack + r->depth, count * sizeof *items);
    }
    akin_status status = push_new(r, AKIN_PICKLE_TUPLE, &tuple);
    if (status == AKIN_OK) {
        tuple->items = items;
        tuple->count = count;
    }
    return status;
}

/* Moves the `count` pointers on top of the stack into the list or dict below them. */
static akin_status add_items(struct reader *r, akin_pickle_kind kind, size_t count)
{
    akin_status status = need(r, count + 1);
    if (status != AKIN_OK)
        return status;
    akin_pickle_value *to = r->stack[r->depth - count - 1];
    size_t per_item = kind == AKIN_PICKLE_DICT ? 2 : 1, used = to->count * per_item;
    if (to->kind != kind || count % per_item != 0)
        return fail_broken(r, kind == AKIN_PICKLE_DICT
                                  ? "items are set on what is no dict, or a key has no value"
                                  : "items are appended to what is no list");
    if (used + count > to->capacity) {
        /* The outgrown array stays in the arena: at most as much again as the one in use. */
        size_t capacity = akin_max(akin_max(8, to->capacity * 2), used + count);
        akin_pickle_value **items = akin_arena_take(r->arena, capacity, sizeof *items);
        if (items == NULL)
            return akin_fail_nomem(r->err, "pickle items", capacity * sizeof *items);
        if (used != 0)
            memcpy(items, to->items, used * sizeof *items);
        to->items = items;
        to->capacity = capacity;
    }
    r->depth -= count;
    if (count != 0)
        memcpy(to->items + used, r->stack + r->depth, count * sizeof *to->items);
    to->count += count / per_item;
    return AKIN_OK;
}

static akin_status memo_put(struct reader *r, size_t index)
{
    akin_status status = need(r, 1);
    if (status != AKIN_OK)
        return status;
    if (index >= AKIN_PICKLE_MAX_MEMO)
        return fail_limit(r, "memo entries", AKIN_PICKLE_MAX_MEMO);
    if (!grow(&r->memo, &r->memo_capacity, index + 1))
        return akin_fail_nomem(r->err, "pickle memo", 0);
    if (r->memo[index] == NULL)
        r->memo_count++;
    r->memo[index] = r->stack[r->depth - 1];
    return AKIN_OK;
}

static akin_status memo_get(struct reader *r, size_t index)
{
    if (index >= r->memo_capacity || r->memo[index] == NULL)
        return fail_broken(r, "a memo entry that was never put");
    return push(r, r->memo[index]);
}

static bool same(const char *text, const char *bytes, size_t size)
{
    return strlen(text) == size && memcmp(text, bytes, size) == 0;
}

static akin_status push_global(struct reader *r, const char *module, size_t module_size,
                               const char *name, size_t name_size)
{
    int found = ordered_dict;
    if (r->script && module_size >= 9 && memcmp(module, "__torch__", 9) == 0) {
        found = script_class;
    } else if (!same("collections", module, module_size) || !same("OrderedDict", name, name_size)) {
        for (found = 0; found < r->global_count; found++)
            if (same(r->globals[found].module, module, module_size) &&
                same(r->globals[found].name, name, name_size))
                break;
        if (found == r->global_count)
            return akin_fail(
                r->err, AKIN_E_UNSAFE, r->path,
                "the pickle asks for Python's '%.*s.%.*s', which no state dict needs; akin "
                "runs no code from a file: %s",
                (int)akin_min(module_size, 100), module, (int)akin_min(name_size, 100), name,
                advice);
    }
    akin_pickle_value *value;
    akin_status status = push_new(r, AKIN_PICKLE_GLOBAL, &value);
    if (status == AKIN_OK)
        value->global = found;
    return status;
}

/* Up to the next newline, which is skipped. */
static bool read_line(akin_cursor *c, const char **text, size_t *size)
{
    const uint8_t *end = memchr(c->data + c->pos, '\n', akin_cursor_left(c));
    if (end == NULL)
        return false;
    *text = (const char *)c->data + c->pos;
    *size = (size_t)(end - (c->data + c->pos));
    c->pos += *size + 1;
    return true;
}

static akin_status op_global(struct reader *r)
{
    const char *module, *name;
    size_t module_size, name_size;
    if (!read_line(&r->c, &module, &module_size) || !read_line(&r->c, &name, &name_size))
        return fail_cut(r);
    return push_global(r, module, module_size, name, name_size);
}

static akin_status op_stack_global(struct reader *r)
{
    akin_status status = need(r, 2);
    if (status != AKIN_OK)
        return status;
    r->depth -= 2;
    const akin_pickle_value *module = r->stack[r->depth], *name = r->stack[r->depth + 1];
    if (module->kind != AKIN_PICKLE_TEXT || name->kind != AKIN_PICKLE_TEXT)
        return fail_broken(r, "a global whose name is no text");
    return push_global(r, module->text, module->count, name->text, name->count);
}

/* callable, arguments -> what the call would give. */
static akin_status op_reduce(struct reader *r)
{
    akin_status status = need(r, 2);
    if (status != AKIN_OK)
        return status;
    r->depth -= 2;
    const akin_pickle_value *callable = r->stack[r->depth], *arguments = r->stack[r->depth + 1];
    if (callable->kind != AKIN_PICKLE_GLOBAL || arguments->kind != AKIN_PICKLE_TUPLE)
        return akin_fail(r->err, AKIN_E_UNSAFE, r->path, "pickle: REDUCE calls %s with %s: refused",
                         akin_pickle_kind_name(callable->kind),
                         akin_pickle_kind_name(arguments->kind));
    akin_pickle_value *value;
    if (callable->global == script_class)
        return akin_fail(r->err, AKIN_E_UNSAFE, r->path, "pickle: REDUCE calls a class: refused");
    if (callable->global == ordered_dict) {
        if (arguments->count != 0)
            return akin_fail(r->err, AKIN_E_UNSUPPORTED, r->path,
                             "pickle: an OrderedDict made by Python 2: %s", advice);
        status = push_new(r, AKIN_PICKLE_DICT, &value);
        if (status == AKIN_OK)
            value->ordered = true;
        return status;
    }
    const akin_pickle_global *global = &r->globals[callable->global];
    if (!global->callable)
        return akin_fail(r->err, AKIN_E_UNSAFE, r->path,
                         "pickle: REDUCE calls '%s.%s', a type: refused", global->module,
                         global->name);
    status = push_new(r, AKIN_PICKLE_CALL, &value);
    if (status == AKIN_OK) {
        value->global = callable->global;
        value->inside = arguments;
    }
    return status;
}

/* class, () -> an object, which is the dict of its attributes once BUILD has set them. */
static akin_status op_newobj(struct reader *r)
{
    akin_status status = need(r, 2);
    if (status != AKIN_OK)
        return status;
    r->depth -= 2;
    const akin_pickle_value *class = r->stack[r->depth], *arguments = r->stack[r->depth + 1];
    if (class->kind != AKIN_PICKLE_GLOBAL || class->global != script_class ||
        arguments->kind != AKIN_PICKLE_TUPLE || arguments->count != 0)
        return fail_broken(r, "NEWOBJ of something else than a class of TorchScript");
    akin_pickle_value *value;
    status = push_new(r, AKIN_PICKLE_DICT, &value);
    if (status == AKIN_OK)
        value->global = script_class;
    return status;
}

/* BUILD sets attributes. A module's state dict carries its `_metadata` (versions of its layers) so,
 * which says nothing about the tensors; nothing else is let through. */
static akin_status op_build(struct reader *r)
{
    akin_status status = need(r, 2);
    if (status != AKIN_OK)
        return status;
    const akin_pickle_value *state = r->stack[--r->depth];
    akin_pickle_value *object = r->stack[r->depth - 1];
    if (object->kind == AKIN_PICKLE_DICT && object->global == script_class) {
        if (state->kind != AKIN_PICKLE_DICT || object->count != 0)
            return fail_broken(r, "an object whose attributes are no dict, or are set twice");
        object->items = state->items;
        object->count = state->count;
        object->capacity = 0; /* the array is the state's: what is added later gets a new one */
        return AKIN_OK;
    }
    bool plain =
        object->kind == AKIN_PICKLE_DICT && object->ordered && state->kind == AKIN_PICKLE_DICT;
    for (size_t i = 0; plain && i < state->count; i++)
        plain = akin_pickle_is_text(state->items[2 * i], "_metadata");
    if (!plain)
        return akin_fail(
            r->err, AKIN_E_UNSAFE, r->path,
            "pickle: BUILD sets attributes of %s other than a state dict's _metadata: %s",
            akin_pickle_kind_name(object->kind), advice);
    return AKIN_OK;
}

static akin_status op_persistent(struct reader *r)
{
    akin_status status = need(r, 1);
    if (status != AKIN_OK)
        return status;
    const akin_pickle_value *id = r->stack[--r->depth];
    akin_pickle_value *value;
    status = push_new(r, AKIN_PICKLE_PERSISTENT, &value);
    if (status == AKIN_OK)
        value->inside = id;
    return status;
}

static akin_status refuse(struct reader *r, uint8_t opcode)
{
    for (size_t i = 0; i < sizeof refused_opcodes / sizeof *refused_opcodes; i++) {
        const struct refused *op = &refused_opcodes[i];
        if (op->opcode == opcode)
            return akin_fail(r->err, op->unsafe ? AKIN_E_UNSAFE : AKIN_E_UNSUPPORTED, r->path,
                             "pickle: opcode %s, which no state dict needs: %s", op->name, advice);
    }
    return akin_fail(r->err, AKIN_E_CORRUPT, r->path, "pickle: byte 0x%02x is no opcode", opcode);
}

/* One opcode other than STOP. */
static akin_status step(struct reader *r, uint8_t opcode)
{
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    size_t count;
    akin_pickle_value *value;
    akin_status status;
    switch (opcode) {
    case OP_FRAME: /* a hint to read ahead; its bytes are ordinary opcodes */
        if (!akin_cursor_u64(&r->c, &u64) || u64 > akin_cursor_left(&r->c))
            return fail_cut(r);
        return AKIN_OK;
    case OP_MARK:
        if (r->mark_count == AKIN_PICKLE_MAX_MARKS)
            return fail_limit(r, "open marks", AKIN_PICKLE_MAX_MARKS);
        r->marks[r->mark_count++] = r->depth;
        return AKIN_OK;
    case OP_NONE: return push_new(r, AKIN_PICKLE_NONE, &value);
    case OP_NEWTRUE: return push_bool(r, true);
    case OP_NEWFALSE: return push_bool(r, false);
    case OP_BININT1: return akin_cursor_u8(&r->c, &u8) ? push_int(r, u8) : fail_cut(r);
    case OP_BININT2: return akin_cursor_u16(&r->c, &u16) ? push_int(r, u16) : fail_cut(r);
    case OP_BININT: return akin_cursor_u32(&r->c, &u32) ? push_int(r, (int32_t)u32) : fail_cut(r);
    case OP_LONG1: return push_long(r);
    case OP_BINFLOAT: return push_float(r);
    case OP_SHORT_BINUNICODE: return akin_cursor_u8(&r->c, &u8) ? push_text(r, u8) : fail_cut(r);
    case OP_BINUNICODE: return akin_cursor_u32(&r->c, &u32) ? push_text(r, u32) : fail_cut(r);
    case OP_BINUNICODE8: return akin_cursor_u64(&r->c, &u64) ? push_text(r, u64) : fail_cut(r);
    case OP_EMPTY_LIST: return push_new(r, AKIN_PICKLE_LIST, &value);
    case OP_EMPTY_DICT: return push_new(r, AKIN_PICKLE_DICT, &value);
    case OP_EMPTY_TUPLE: return make_tuple(r, 0);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3:
        count = (size_t)(opcode - OP_TUPLE1 + 1);
        status = need(r, count);
        return status == AKIN_OK ? make_tuple(r, count) : status;
    case OP_TUPLE:
        status = pop_mark(r, &count);
        return status == AKIN_OK ? make_tuple(r, count) : status;
    case OP_APPEND: return add_items(r, AKIN_PICKLE_LIST, 1);
    case OP_SETITEM: return add_items(r, AKIN_PICKLE_DICT, 2);
    case OP_APPENDS:
        status = pop_mark(r, &count);
        return status == AKIN_OK ? add_items(r, AKIN_PICKLE_LIST, count) : status;
    case OP_SETITEMS:
        status = pop_mark(r, &count);
        return status == AKIN_OK ? add_items(r, AKIN_PICKLE_DICT, count) : status;
    case OP_BINPUT: return akin_cursor_u8(&r->c, &u8) ? memo_put(r, u8) : fail_cut(r);
    case OP_LONG_BINPUT: return akin_cursor_u32(&r->c, &u32) ? memo_put(r, u32) : fail_cut(r);
    case OP_MEMOIZE: return memo_put(r, r->memo_count);
    case OP_BINGET: return akin_cursor_u8(&r->c, &u8) ? memo_get(r, u8) : fail_cut(r);
    case OP_LONG_BINGET: return akin_cursor_u32(&r->c, &u32) ? memo_get(r, u32) : fail_cut(r);
    case OP_GLOBAL: return op_global(r);
    case OP_STACK_GLOBAL: return op_stack_global(r);
    case OP_REDUCE: return op_reduce(r);
    case OP_NEWOBJ:
        return r->script ? op_newobj(r) : refuse(r, opcode);
    case OP_BUILD: return op_build(r);
    case OP_BINPERSID: return op_persistent(r);
    default: return refuse(r, opcode);
    }
}

static akin_status run(struct reader *r, const akin_pickle_value **out)
{
    uint8_t opcode, protocol;
    if (!akin_cursor_u8(&r->c, &opcode) || !akin_cursor_u8(&r->c, &protocol))
        return fail_cut(r);
    if (opcode != OP_PROTO || protocol < 2 || protocol > 5)
        return akin_fail(r->err, AKIN_E_UNSUPPORTED, r->path, "not a pickle of protocol 2 to 5");
    for (;;) {
        if (!akin_cursor_u8(&r->c, &opcode))
            return fail_cut(r);
        if (opcode == OP_STOP)
            break;
        akin_status status = step(r, opcode);
        if (status != AKIN_OK)
            return status;
    }
    if (r->depth != 1 || r->mark_count != 0)
        return fail_broken(r, "not one value on the stack at the end");
    if (akin_cursor_left(&r->c) != 0)
        return akin_fail(r->err, AKIN_E_CORRUPT, r->path, "pickle: %zu bytes follow its end",
                         akin_cursor_left(&r->c));
    *out = r->stack[0];
    return AKIN_OK;
}

akin_status akin_pickle_read(const unsigned char *data, size_t size, const char *path,
                             const akin_pickle_global *globals, int global_count, bool script,
                             akin_arena *arena, const akin_pickle_value **out, akin_error *err)
{
    if (size > AKIN_PICKLE_MAX_BYTES)
        return akin_fail(err, AKIN_E_LIMIT, path, "pickle of %zu bytes; the limit is %d", size,
                         AKIN_PICKLE_MAX_BYTES);
    struct reader *r = calloc(1, sizeof *r); /* the marks are too many for the stack of a thread */
    if (r == NULL)
        return akin_fail_nomem(err, "pickle reader", sizeof *r);
    r->c = akin_cursor_over(data, size);
    r->path = path;
    r->globals = globals;
    r->global_count = global_count;
    r->script = script;
    r->arena = arena;
    r->err = err;
    akin_status status = run(r, out);
    free(r->stack);
    free(r->memo);
    free(r);
    return status;
}

const char *akin_pickle_kind_name(akin_pickle_kind kind)
{
    switch (kind) {
    case AKIN_PICKLE_NONE: return "None";
    case AKIN_PICKLE_BOOL: return "a boolean";
    case AKIN_PICKLE_INT: return "an integer";
    case AKIN_PICKLE_FLOAT: return "a float";
    case AKIN_PICKLE_TEXT: return "a string";
    case AKIN_PICKLE_TUPLE: return "a tuple";
    case AKIN_PICKLE_LIST: return "a list";
    case AKIN_PICKLE_DICT: return "a dict";
    case AKIN_PICKLE_GLOBAL: return "a type or function";
    case AKIN_PICKLE_CALL: return "an object";
    case AKIN_PICKLE_PERSISTENT: return "a storage";
    }
    return "an unknown value";
}

bool akin_pickle_is_text(const akin_pickle_value *value, const char *text)
{
    return value->kind == AKIN_PICKLE_TEXT && same(text, value->text, value->count);
}

const akin_pickle_value *akin_pickle_get(const akin_pickle_value *dict, const char *key)
{
    for (size_t i = dict->count; i-- > 0;)
        if (akin_pickle_is_text(dict->items[2 * i], key))
            return dict->items[2 * i + 1];
    return NULL;
}
