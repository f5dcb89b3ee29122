/* torchzip.c - a state dict saved by torch.save (torch 1.6 to 2.13, torch/serialization.py).
 *
 * Entries <root>/data.pkl, <root>/data/<key>, <root>/byteorder; the root's name is arbitrary. What
 * data.pkl may name is the table below. Refused: big-endian files, state dicts that hold something
 * else than tensors and plain scalars. Of a TorchScript archive (torch.jit.save; OpenAI's original
 * .pt files), which has code beside the tensors, only the tensors are read, named as its
 * state_dict() names them.
 */
#include "torchzip.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arith.h"
#include "weights/pickle.h"
#include "weights/zip.h"

/* torch.save allows any key for a storage; it writes "0", "1", ... */
enum { max_key = 64, max_path = 1024 + max_key };

/* A tensor's name; and of a TorchScript archive, objects inside objects and objects in all. */
enum { max_name = 4096, max_nesting = 64, max_objects = 1 << 16 };

enum role { STORAGE, UNTYPED, DTYPE, REBUILD_V2, REBUILD_V3, PARAMETER, HARMLESS };

/* All that a state dict may name. `detail` is the akin_dtype of a storage class or dtype. */
static const akin_pickle_global globals[] = {
    { "torch", "FloatStorage", false, STORAGE, AKIN_F32 },
    { "torch", "HalfStorage", false, STORAGE, AKIN_F16 },
    { "torch", "BFloat16Storage", false, STORAGE, AKIN_BF16 },
    { "torch", "DoubleStorage", false, STORAGE, AKIN_F64 },
    { "torch", "LongStorage", false, STORAGE, AKIN_I64 },
    { "torch", "IntStorage", false, STORAGE, AKIN_I32 },
    { "torch", "ShortStorage", false, STORAGE, AKIN_I16 },
    { "torch", "CharStorage", false, STORAGE, AKIN_I8 },
    { "torch", "ByteStorage", false, STORAGE, AKIN_U8 },
    { "torch", "BoolStorage", false, STORAGE, AKIN_BOOL },
    { "torch.storage", "UntypedStorage", false, UNTYPED, AKIN_U8 },
    { "torch", "float32", false, DTYPE, AKIN_F32 },
    { "torch", "float16", false, DTYPE, AKIN_F16 },
    { "torch", "bfloat16", false, DTYPE, AKIN_BF16 },
    { "torch", "float64", false, DTYPE, AKIN_F64 },
    { "torch", "int64", false, DTYPE, AKIN_I64 },
    { "torch", "int32", false, DTYPE, AKIN_I32 },
    { "torch", "int16", false, DTYPE, AKIN_I16 },
    { "torch", "int8", false, DTYPE, AKIN_I8 },
    { "torch", "uint64", false, DTYPE, AKIN_U64 },
    { "torch", "uint32", false, DTYPE, AKIN_U32 },
    { "torch", "uint16", false, DTYPE, AKIN_U16 },
    { "torch", "uint8", false, DTYPE, AKIN_U8 },
    { "torch", "bool", false, DTYPE, AKIN_BOOL },
    { "torch._utils", "_rebuild_tensor_v2", true, REBUILD_V2, 0 },
    { "torch._utils", "_rebuild_tensor_v3", true, REBUILD_V3, 0 },
    { "torch._utils", "_rebuild_parameter", true, PARAMETER, 0 },
    { "torch", "Size", true, HARMLESS, 0 },
    { "torch", "device", true, HARMLESS, 0 },
    { "torch.jit._pickle", "build_intlist", true, HARMLESS, 0 },
    { "torch.jit._pickle", "build_doublelist", true, HARMLESS, 0 },
    { "torch.jit._pickle", "build_boollist", true, HARMLESS, 0 },
};
enum { global_count = sizeof globals / sizeof *globals };

struct reader {
    akin_zip zip;
    const char *root; /* borrowed from the archive, no slash at its end */
    size_t root_size;
    const char *path;
    akin_tensor_list *list;
    akin_error *err;
    const char *name; /* of the tensor at hand, for messages */
    int name_size;
    bool script;
    size_t objects; /* visited */
};

static bool ends_with(const akin_zip_entry *entry, const char *text)
{
    size_t size = strlen(text);
    return entry->name_size >= size &&
           memcmp(entry->name + entry->name_size - size, text, size) == 0;
}

/* The entry <root>/<name>, or NULL. */
static const akin_zip_entry *entry_of(const struct reader *r, const char *name, size_t name_size)
{
    char full[max_path + 16];
    size_t size = r->root_size + 1 + name_size;
    if (size > sizeof full)
        return NULL;
    memcpy(full, r->root, r->root_size);
    full[r->root_size] = '/';
    memcpy(full + r->root_size + 1, name, name_size);
    return akin_zip_find(&r->zip, full, size);
}

static bool has_code(const struct reader *r)
{
    for (size_t i = 0; i < r->zip.count; i++) {
        const akin_zip_entry *entry = &r->zip.entries[i];
        if (entry->name_size > r->root_size + 6 &&
            memcmp(entry->name, r->root, r->root_size) == 0 &&
            memcmp(entry->name + r->root_size, "/code/", 6) == 0)
            return true;
    }
    return entry_of(r, "constants.pkl", 13) != NULL;
}

/* Finds the root by its data.pkl, which is returned. */
static akin_status find_pickle(struct reader *r, const akin_zip_entry **out)
{
    static const char name[] = "/data.pkl";
    *out = NULL;
    for (size_t i = 0; i < r->zip.count; i++) {
        const akin_zip_entry *entry = &r->zip.entries[i];
        if (!ends_with(entry, name))
            continue;
        if (*out != NULL)
            return akin_fail(r->err, AKIN_E_CORRUPT, r->path, "two pickles, '%.*s' and '%.*s'",
                             (int)(*out)->name_size, (*out)->name, (int)entry->name_size,
                             entry->name);
        *out = entry;
    }
    if (*out == NULL)
        return akin_fail(r->err, AKIN_E_FORMAT, r->path,
                         "a ZIP archive without a data.pkl: not a checkpoint saved by torch.save");
    r->root = (*out)->name;
    r->root_size = (*out)->name_size - (sizeof name - 1);
    r->script = has_code(r);
    /* torch.jit.save packs the code, which is not read; torch.save packs nothing. */
    akin_status status = r->script ? AKIN_OK : akin_zip_check_stored(&r->zip, r->path, r->err);
    if (status != AKIN_OK)
        return status;
    const akin_zip_entry *order = entry_of(r, "byteorder", 9);
    if (order != NULL && (order->size != 6 || memcmp(order->data, "little", 6) != 0))
        return akin_fail(
            r->err, AKIN_E_UNSUPPORTED, r->path,
            "written on a big-endian machine: load it in Python and save it again on a "
            "little-endian one");
    return AKIN_OK;
}

static akin_status fail_tensor(const struct reader *r, akin_status code, const char *what)
{
    return akin_fail(r->err, code, r->path, "tensor '%.*s': %s", r->name_size, r->name, what);
}

/* What a GLOBAL or CALL names, when it is of this kind and one of the table. */
static const akin_pickle_global *global_of(const akin_pickle_value *value, akin_pickle_kind kind)
{
    if (value->kind != kind || value->global < 0)
        return NULL;
    return &globals[value->global];
}

/* The ints of a tuple or torch.Size, each >= 0. */
static akin_status read_dims(const struct reader *r, const akin_pickle_value *value, int64_t *out,
                             int *dims)
{
    if (value->kind == AKIN_PICKLE_CALL && value->inside->count == 1)
        value = value->inside->items[0]; /* torch.Size((2, 3)) */
    if (value->kind != AKIN_PICKLE_TUPLE)
        return fail_tensor(r, AKIN_E_CORRUPT, "its shape or stride is not a tuple");
    if (value->count > AKIN_MAX_DIMS)
        return akin_fail(r->err, AKIN_E_LIMIT, r->path,
                         "tensor '%.*s' has %zu dimensions; the limit is %d", r->name_size, r->name,
                         value->count, AKIN_MAX_DIMS);
    for (size_t i = 0; i < value->count; i++) {
        if (value->items[i]->kind != AKIN_PICKLE_INT || value->items[i]->integer < 0)
            return fail_tensor(r, AKIN_E_CORRUPT,
                               "its shape or stride is not made of numbers of 0 or more");
        out[i] = value->items[i]->integer;
    }
    *dims = (int)value->count;
    return AKIN_OK;
}

/* The storage behind ('storage', class, key, location, elements). */
static akin_status find_storage(const struct reader *r, const akin_pickle_value *value,
                                akin_dtype *dtype, bool *untyped, const akin_zip_entry **out)
{
    const akin_pickle_value *id = value->kind == AKIN_PICKLE_PERSISTENT ? value->inside : NULL;
    if (id == NULL || id->kind != AKIN_PICKLE_TUPLE || id->count != 5 ||
        !akin_pickle_is_text(id->items[0], "storage") || id->items[2]->kind != AKIN_PICKLE_TEXT ||
        id->items[4]->kind != AKIN_PICKLE_INT)
        return fail_tensor(r, AKIN_E_CORRUPT, "its storage is not described as torch does");
    const akin_pickle_global *class = global_of(id->items[1], AKIN_PICKLE_GLOBAL);
    if (class == NULL || (class->role != STORAGE && class->role != UNTYPED))
        return fail_tensor(r, AKIN_E_CORRUPT, "its storage is of no storage class");
    *dtype = (akin_dtype)class->detail;
    *untyped = class->role == UNTYPED;

    const akin_pickle_value *key = id->items[2];
    char name[5 + max_key];
    if (key->count > max_key)
        return fail_tensor(r, AKIN_E_LIMIT, "the key of its storage is longer than 64 bytes");
    memcpy(name, "data/", 5);
    memcpy(name + 5, key->text, key->count);
    *out = entry_of(r, name, 5 + key->count);
    if (*out == NULL)
        return akin_fail(r->err, AKIN_E_CORRUPT, r->path,
                         "tensor '%.*s': its storage '%.*s' is not in the archive", r->name_size,
                         r->name, (int)(5 + key->count), name);
    if ((*out)->method != 0)
        return fail_tensor(r, AKIN_E_UNSUPPORTED, "its storage is compressed in the archive");
    int64_t elements = id->items[4]->integer;
    uint64_t bytes;
    if (elements < 0 ||
        __builtin_mul_overflow((uint64_t)elements, akin_dtype_size(*dtype), &bytes) ||
        bytes != (*out)->size)
        return akin_fail(r->err, AKIN_E_CORRUPT, r->path,
                         "tensor '%.*s': its storage has %zu bytes, not the %" PRId64
                         " elements of %s "
                         "announced",
                         r->name_size, r->name, (*out)->size, elements, akin_dtype_name(*dtype));
    return AKIN_OK;
}

/* One past the last element that a view touches, counted from the storage's begin; false when that
 * does not fit in an int64. For views that have elements. */
static bool view_end(const akin_tensor *tensor, int64_t offset, int64_t *out)
{
    int64_t last = offset, reach;
    for (int i = 0; i < tensor->dims; i++)
        if (__builtin_mul_overflow(tensor->shape[i] - 1, tensor->stride[i], &reach) ||
            __builtin_add_overflow(last, reach, &last))
            return false;
    return !__builtin_add_overflow(last, 1, out);
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata]) and
 * _rebuild_tensor_v3(..., hooks, dtype[, metadata]), whose storage is untyped bytes. */
static akin_status rebuild(const struct reader *r, const akin_pickle_value *call,
                           akin_tensor *tensor)
{
    const akin_pickle_value *arguments = call->inside;
    bool v3 = globals[call->global].role == REBUILD_V3, untyped = false;
    size_t least = v3 ? 7 : 6;
    if (arguments->count < least || arguments->count > least + 1 ||
        arguments->items[1]->kind != AKIN_PICKLE_INT)
        return fail_tensor(r, AKIN_E_CORRUPT, "it is not rebuilt from the arguments torch uses");
    const akin_zip_entry *storage = NULL;
    int stride_dims = 0;
    akin_status status = find_storage(r, arguments->items[0], &tensor->dtype, &untyped, &storage);
    if (status == AKIN_OK)
        status = read_dims(r, arguments->items[2], tensor->shape, &tensor->dims);
    if (status == AKIN_OK)
        status = read_dims(r, arguments->items[3], tensor->stride, &stride_dims);
    if (status != AKIN_OK)
        return status;
    if (stride_dims != tensor->dims)
        return fail_tensor(r, AKIN_E_CORRUPT, "its shape and stride differ in length");
    if (untyped != v3)
        return fail_tensor(r, AKIN_E_CORRUPT, "its storage is of the wrong class");
    if (v3) {
        const akin_pickle_global *dtype = global_of(arguments->items[6], AKIN_PICKLE_GLOBAL);
        if (dtype == NULL || dtype->role != DTYPE)
            return fail_tensor(r, AKIN_E_CORRUPT, "its dtype is none");
        tensor->dtype = (akin_dtype)dtype->detail;
    }

    int64_t offset = arguments->items[1]->integer, count, end = 0;
    char shape[200];
    size_t item = akin_dtype_size(tensor->dtype);
    if (!akin_shape_count(tensor->shape, tensor->dims, &count))
        return akin_fail(r->err, AKIN_E_CORRUPT, r->path, "tensor '%.*s': shape %s is too large",
                         r->name_size, r->name,
                         akin_shape_text(tensor->shape, tensor->dims, shape, sizeof shape));
    if (offset < 0 || (count != 0 && !view_end(tensor, offset, &end)) ||
        (uint64_t)end > storage->size / item)
        return akin_fail(r->err, AKIN_E_CORRUPT, r->path,
                         "tensor '%.*s': %s of shape %s from element %" PRId64
                         " reaches past its storage "
                         "of %zu elements",
                         r->name_size, r->name, akin_dtype_name(tensor->dtype),
                         akin_shape_text(tensor->shape, tensor->dims, shape, sizeof shape), offset,
                         storage->size / item);
    tensor->data = count != 0 ? storage->data + (size_t)offset * item : storage->data;
    return AKIN_OK;
}

static akin_status read_value(struct reader *r, const akin_pickle_value *value)
{
    const akin_pickle_global *call = global_of(value, AKIN_PICKLE_CALL);
    /* A Parameter wraps its tensor. Calls nest only as deep as they were built: no cycles. */
    while (call != NULL && call->role == PARAMETER) {
        if (value->inside->count == 0)
            return fail_tensor(r, AKIN_E_CORRUPT, "a parameter of nothing");
        value = value->inside->items[0];
        call = global_of(value, AKIN_PICKLE_CALL);
        if (call == NULL || call->role == HARMLESS)
            return fail_tensor(r, AKIN_E_CORRUPT, "a parameter of no tensor");
    }
    if (call != NULL && call->role != HARMLESS) {
        akin_tensor tensor = { .file = r->path };
        akin_status status = rebuild(r, value, &tensor);
        if (status == AKIN_OK)
            status = akin_tensor_list_add(r->list, &tensor, r->name, (size_t)r->name_size, r->err);
        return status;
    }
    switch (value->kind) {
    case AKIN_PICKLE_TUPLE:
    case AKIN_PICKLE_LIST:
    case AKIN_PICKLE_DICT:
    case AKIN_PICKLE_PERSISTENT:
        /* Tensors might hide in there, and would be missed without a word. */
        return akin_fail(r->err, AKIN_E_UNSUPPORTED, r->path,
                         "entry '%.*s' is %s, not a tensor: save the bare state dict, "
                         "torch.save(model.state_dict(), OUT)",
                         r->name_size, r->name, akin_pickle_kind_name(value->kind));
    default: return AKIN_OK; /* an epoch, a resolution, a name */
    }
}

static akin_status read_state_dict(struct reader *r, const akin_pickle_value *top)
{
    if (top->kind != AKIN_PICKLE_DICT)
        return akin_fail(r->err, AKIN_E_UNSUPPORTED, r->path, "holds %s, not a state dict",
                         global_of(top, AKIN_PICKLE_CALL) != NULL
                             ? "a single tensor or object"
                             : akin_pickle_kind_name(top->kind));
    const akin_pickle_value *inner = akin_pickle_get(top, "state_dict");
    if (inner != NULL && inner->kind == AKIN_PICKLE_DICT)
        top = inner;
    for (size_t i = 0; i < top->count; i++) {
        const akin_pickle_value *key = top->items[2 * i];
        if (key->kind != AKIN_PICKLE_TEXT)
            return akin_fail(r->err, AKIN_E_FORMAT, r->path,
                             "not a state dict: a key is %s, not a name",
                             akin_pickle_kind_name(key->kind));
        if (key->count > 4096)
            return akin_fail(r->err, AKIN_E_LIMIT, r->path,
                             "a tensor's name of %zu bytes; the limit is 4096", key->count);
        r->name = key->text;
        r->name_size = (int)key->count;
        akin_status status = read_value(r, top->items[2 * i + 1]);
        if (status != AKIN_OK)
            return status;
    }
    return AKIN_OK;
}

/* The tensors among an object's attributes, and those of the objects among them: their names are
 * behind `prefix`, which is r->name's first bytes. Other attributes say how the code runs. */
static akin_status read_object(struct reader *r, const akin_pickle_value *object, char *name,
                               size_t prefix, int nesting)
{
    if (nesting == max_nesting || ++r->objects > max_objects)
        return akin_fail(r->err, AKIN_E_LIMIT, r->path,
                         "a TorchScript archive of more than %d objects, or %d inside each other",
                         max_objects, max_nesting);
    for (size_t i = 0; i < object->count; i++) {
        const akin_pickle_value *key = object->items[2 * i], *value = object->items[2 * i + 1];
        const akin_pickle_global *call = global_of(value, AKIN_PICKLE_CALL);
        const bool tensor = call != NULL && call->role != HARMLESS;
        if (!tensor && value->kind != AKIN_PICKLE_DICT)
            continue;
        if (key->kind != AKIN_PICKLE_TEXT || key->count > max_name - prefix - 1)
            return akin_fail(r->err, AKIN_E_FORMAT, r->path,
                             "an attribute whose name is no text, or longer than %d bytes",
                             max_name);
        memcpy(name + prefix, key->text, key->count);
        const size_t size = prefix + key->count;
        name[size] = '.';
        r->name = name;
        r->name_size = (int)size;
        akin_status status =
            tensor ? read_value(r, value) : read_object(r, value, name, size + 1, nesting + 1);
        if (status != AKIN_OK)
            return status;
    }
    return AKIN_OK;
}

akin_status akin_torchzip_read(const unsigned char *data, size_t size, const char *path,
                               akin_tensor_list *out, akin_error *err)
{
    struct reader r = { .path = path, .list = out, .err = err };
    size_t first = out->count;
    const akin_zip_entry *pickle;
    const akin_pickle_value *top;
    akin_arena arena;
    akin_arena_init(&arena);
    akin_status status;
    AKIN_TRY(akin_zip_open(&r.zip, data, size, path, err));
    AKIN_TRY(find_pickle(&r, &pickle));
    if (pickle->method != 0) {
        status = akin_fail(err, AKIN_E_UNSUPPORTED, path, "its data.pkl is compressed");
        goto out;
    }
    AKIN_TRY(akin_pickle_read(pickle->data, pickle->size, path, globals, global_count, r.script,
                              &arena, &top, err));
    if (!r.script) {
        AKIN_TRY(read_state_dict(&r, top));
    } else if (top->kind == AKIN_PICKLE_DICT) {
        char name[max_name + 1];
        AKIN_TRY(read_object(&r, top, name, 0, 0));
    } else {
        status = akin_fail(err, AKIN_E_FORMAT, path, "a TorchScript archive that holds %s",
                           akin_pickle_kind_name(top->kind));
        goto out;
    }
    status = akin_tensor_list_sort(out, first, err);
out:
    akin_arena_clear(&arena);
    akin_zip_clear(&r.zip);
    return status;
}
