/* json.c - the typed fields of a configuration file. */
#include "json.h"

#include "buffer.h"
#include "file.h"

akin_status akin_json_parse_object(const void *bytes, size_t size, const char *path,
                                   akin_json **out, akin_error *err)
{
    akin_status status = akin_json_parse(bytes, size, path, out, err);
    if (status == AKIN_OK && !akin_json_is_object(*out)) {
        akin_json_free(*out);
        *out = NULL;
        status = akin_fail(err, AKIN_E_FORMAT, path, "JSON, but not an object at the top level");
    }
    return status;
}

akin_status akin_json_read(const char *path, size_t max, akin_json **out, akin_error *err)
{
    akin_buffer text;
    *out = NULL;
    akin_status status = akin_file_read(path, "JSON file", max, &text, err);
    if (status != AKIN_OK)
        return status;
    status = akin_json_parse_object(text.data, text.size, path, out, err);
    akin_buffer_clear(&text);
    return status;
}

/* The value of a field, NULL when it is absent or null. */
static const akin_json *field_of(const akin_json *object, const char *field)
{
    const akin_json *value = akin_json_get(object, field);
    return akin_json_is_null(value) ? NULL : value;
}

static akin_status wrong(akin_error *err, const char *path, const char *where, const char *field,
                         const char *expected)
{
    return akin_fail(err, AKIN_E_CONFIG, path, "field '%s%s%s' must be %s",
                     where != NULL ? where : "", where != NULL ? "." : "", field, expected);
}

akin_status akin_json_int_field(const akin_json *object, const char *path, const char *where,
                                const char *field, int64_t min, int64_t max, int64_t *io,
                                akin_error *err)
{
    const akin_json *value = field_of(object, field);
    if (value == NULL)
        return AKIN_OK;
    if (!akin_json_is_integer(value))
        return wrong(err, path, where, field, "an integer");
    int64_t n = akin_json_integer(value);
    if (n < min || n > max)
        return akin_fail(err, AKIN_E_CONFIG, path,
                         "field '%s%s%s' is %lld; it must lie between %lld and %lld",
                         where != NULL ? where : "", where != NULL ? "." : "", field, (long long)n,
                         (long long)min, (long long)max);
    *io = n;
    return AKIN_OK;
}

akin_status akin_json_number_field(const akin_json *object, const char *path, const char *where,
                                   const char *field, double *io, akin_error *err)
{
    const akin_json *value = field_of(object, field);
    if (value == NULL)
        return AKIN_OK;
    if (!akin_json_is_number(value))
        return wrong(err, path, where, field, "a finite number");
    *io = akin_json_double(value);
    return AKIN_OK;
}

akin_status akin_json_bool_field(const akin_json *object, const char *path, const char *where,
                                 const char *field, bool *io, akin_error *err)
{
    const akin_json *value = field_of(object, field);
    if (value == NULL)
        return AKIN_OK;
    if (!akin_json_is_bool(value))
        return wrong(err, path, where, field, "true or false");
    *io = akin_json_is_true(value);
    return AKIN_OK;
}

akin_status akin_json_text_field(const akin_json *object, const char *path, const char *where,
                                 const char *field, const char **io, akin_error *err)
{
    const akin_json *value = field_of(object, field);
    if (value == NULL)
        return AKIN_OK;
    if (!akin_json_is_string(value))
        return wrong(err, path, where, field, "a string");
    *io = akin_json_string(value);
    return AKIN_OK;
}

akin_status akin_json_object_field(const akin_json *object, const char *path, const char *where,
                                   const char *field, const akin_json **io, akin_error *err)
{
    const akin_json *value = field_of(object, field);
    if (value == NULL)
        return AKIN_OK;
    if (!akin_json_is_object(value))
        return wrong(err, path, where, field, "an object");
    *io = value;
    return AKIN_OK;
}
