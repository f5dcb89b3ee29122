/* json.c - JSON from untrusted files, through jansson. */
#include "json.h"

#include <math.h>

#include "buffer.h"
#include "file.h"

/* Why the bytes could not be parsed, or what they are instead of JSON. */
static akin_status not_json(const void *bytes, size_t size, const char *path,
                            const json_error_t *why, akin_error *err)
{
    /* jansson does not always say so: a request that failed may leave no text at all. */
    if (json_error_code(why) == json_error_out_of_memory || why->text[0] == '\0')
        return akin_fail_nomem(err, "JSON", 0);
    if (akin_is_lfs_pointer(bytes, size))
        return akin_fail(err, AKIN_E_FORMAT, path, "a Git LFS pointer, not JSON: %s",
                         AKIN_LFS_ADVICE);
    if (size != 0 && *(const char *)bytes == '<')
        return akin_fail(
            err, AKIN_E_FORMAT, path,
            "a web page, not JSON: the download got a log-in or an error instead of the file");
    return akin_fail(err, AKIN_E_FORMAT, path, "not valid JSON: %s at line %d column %d", why->text,
                     why->line, why->column);
}

akin_status akin_json_parse(const void *bytes, size_t size, const char *path, size_t flags,
                            json_t **out, akin_error *err)
{
    json_error_t why;
    *out = json_loadb(bytes, size, JSON_REJECT_DUPLICATES | flags, &why);
    return *out != NULL ? AKIN_OK : not_json(bytes, size, path, &why, err);
}

akin_status akin_json_parse_object(const void *bytes, size_t size, const char *path, size_t flags,
                                   json_t **out, akin_error *err)
{
    akin_status status = akin_json_parse(bytes, size, path, flags, out, err);
    if (status == AKIN_OK && !json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        status = akin_fail(err, AKIN_E_FORMAT, path, "JSON, but not an object at the top level");
    }
    return status;
}

akin_status akin_json_read(const char *path, size_t max, json_t **out, akin_error *err)
{
    akin_buffer text;
    *out = NULL;
    akin_status status = akin_file_read(path, "JSON file", max, &text, err);
    if (status != AKIN_OK)
        return status;
    status = akin_json_parse_object(text.data, text.size, path, 0, out, err);
    akin_buffer_clear(&text);
    return status;
}

/* The value of a field, NULL when it is absent or null. */
static json_t *field_of(const json_t *object, const char *field)
{
    json_t *value = json_object_get(object, field);
    return json_is_null(value) ? NULL : value;
}

static akin_status wrong(akin_error *err, const char *path, const char *where, const char *field,
                         const char *expected)
{
    return akin_fail(err, AKIN_E_CONFIG, path, "field '%s%s%s' must be %s",
                     where != NULL ? where : "", where != NULL ? "." : "", field, expected);
}

akin_status akin_json_int(const json_t *object, const char *path, const char *where,
                          const char *field, int64_t min, int64_t max, int64_t *io, akin_error *err)
{
    const json_t *value = field_of(object, field);
    if (value == NULL)
        return AKIN_OK;
    if (!json_is_integer(value))
        return wrong(err, path, where, field, "an integer");
    int64_t n = json_integer_value(value);
    if (n < min || n > max)
        return akin_fail(err, AKIN_E_CONFIG, path,
                         "field '%s%s%s' is %lld; it must lie between %lld and %lld",
                         where != NULL ? where : "", where != NULL ? "." : "", field, (long long)n,
                         (long long)min, (long long)max);
    *io = n;
    return AKIN_OK;
}

akin_status akin_json_number(const json_t *object, const char *path, const char *where,
                             const char *field, double *io, akin_error *err)
{
    const json_t *value = field_of(object, field);
    if (value == NULL)
        return AKIN_OK;
    if (!json_is_number(value) || !isfinite(json_number_value(value)))
        return wrong(err, path, where, field, "a finite number");
    *io = json_number_value(value);
    return AKIN_OK;
}

akin_status akin_json_bool(const json_t *object, const char *path, const char *where,
                           const char *field, bool *io, akin_error *err)
{
    const json_t *value = field_of(object, field);
    if (value == NULL)
        return AKIN_OK;
    if (!json_is_boolean(value))
        return wrong(err, path, where, field, "true or false");
    *io = json_is_true(value);
    return AKIN_OK;
}

akin_status akin_json_text(const json_t *object, const char *path, const char *where,
                           const char *field, const char **io, akin_error *err)
{
    const json_t *value = field_of(object, field);
    if (value == NULL)
        return AKIN_OK;
    if (!json_is_string(value))
        return wrong(err, path, where, field, "a string");
    *io = json_string_value(value);
    return AKIN_OK;
}

akin_status akin_json_object(const json_t *object, const char *path, const char *where,
                             const char *field, const json_t **io, akin_error *err)
{
    const json_t *value = field_of(object, field);
    if (value == NULL)
        return AKIN_OK;
    if (!json_is_object(value))
        return wrong(err, path, where, field, "an object");
    *io = value;
    return AKIN_OK;
}
