/* pickle.h - a Python pickle as a tree of plain values. Nothing is ever imported or called. */
#ifndef AKIN_WEIGHTS_PICKLE_H
#define AKIN_WEIGHTS_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

enum {
    AKIN_PICKLE_MAX_BYTES = 16 << 20,  /* some 100,000 tensors */
    AKIN_PICKLE_MAX_VALUES = 4 << 20,  /* 40 bytes each */
    AKIN_PICKLE_MAX_STACK = 1 << 18,
    AKIN_PICKLE_MAX_MARKS = 1 << 12,
    AKIN_PICKLE_MAX_MEMO = 1 << 21
};

typedef enum akin_pickle_kind {
    AKIN_PICKLE_NONE,
    AKIN_PICKLE_BOOL,
    AKIN_PICKLE_INT,
    AKIN_PICKLE_FLOAT,
    AKIN_PICKLE_TEXT,
    AKIN_PICKLE_TUPLE,
    AKIN_PICKLE_LIST,
    AKIN_PICKLE_DICT,
    AKIN_PICKLE_GLOBAL,    /* a class or function by name */
    AKIN_PICKLE_CALL,      /* what calling one would give: its arguments, untouched */
    AKIN_PICKLE_PERSISTENT /* an object kept outside the pickle, by its id */
} akin_pickle_kind;

/* Values may be shared, and a list or dict may contain itself: do not walk one to the end. */
typedef struct akin_pickle_value akin_pickle_value;
struct akin_pickle_value {
    akin_pickle_kind kind;
    bool ordered;         /* DICT: a collections.OrderedDict */
    int global;           /* GLOBAL, CALL: index in the caller's table */
    size_t count;         /* TEXT: bytes; TUPLE, LIST: items; DICT: pairs */
    union {
        int64_t integer;                 /* BOOL, INT */
        double number;                   /* FLOAT */
        const char *text;                /* TEXT: in the pickle, without NUL */
        akin_pickle_value **items;       /* TUPLE, LIST; DICT: key, value, key, value */
        const akin_pickle_value *inside; /* CALL: the argument tuple; PERSISTENT: the id */
    };
    size_t capacity;      /* LIST, DICT: room in items */
};

/* A global that a pickle may name besides collections.OrderedDict. */
typedef struct akin_pickle_global {
    const char *module, *name;
    bool callable;    /* whether REDUCE may have it as the function */
    int role, detail; /* the caller's own: not read here */
} akin_pickle_global;

/* Interprets a pickle of protocol 2 to 5. The values live in `arena`, the text in `data`. A global
 * that is not in the table, and an opcode that imports, builds or calls anything else, is
 * AKIN_E_UNSAFE naming it; other opcodes that a state dict does not need are AKIN_E_UNSUPPORTED.
 * script: objects of TorchScript's classes become the dicts of their attributes. */
akin_status akin_pickle_read(const unsigned char *data, size_t size, const char *path,
                             const akin_pickle_global *globals, int global_count, bool script,
                             akin_arena *arena, const akin_pickle_value **out, akin_error *err);

/* "a list", "an integer": for messages. */
const char *akin_pickle_kind_name(akin_pickle_kind kind);

/* Whether a value is this text. */
bool akin_pickle_is_text(const akin_pickle_value *value, const char *text);

/* The value of a text key of a DICT (the last one, as in Python), or NULL. */
const akin_pickle_value *akin_pickle_get(const akin_pickle_value *dict, const char *key);

#endif
