/* output.c - escaped text, JSON, NumPy arrays. */
#include "output.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/base64.h"
#include "base/error.h"
#include "base/utf8.h"

/* The next character of bytes[0..size), size >= 1, as it is shown; returns the bytes it took. */
static size_t escape_next(char shown[16], const char *bytes, size_t size)
{
    uint32_t c;
    size_t n = akin_utf8_decode(bytes, size, &c);
    if (n == 0) {
        snprintf(shown, 16, "\\x%02x", (unsigned char)bytes[0]);
        return 1;
    }
    if (c == '\n' || c == '\t' || c == '\r')
        snprintf(shown, 16, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
    else if (akin_utf8_unseen(c))
        snprintf(shown, 16, c < 0x80 ? "\\x%02x" : "\\u{%x}", (unsigned)c);
    else
        snprintf(shown, 16, "%.*s", (int)n, bytes);
    return n;
}

void out_escaped(FILE *out, const char *bytes, size_t size)
{
    char shown[16];
    for (size_t i = 0; i < size;) {
        i += escape_next(shown, bytes + i, size - i);
        fputs(shown, out);
    }
}

void out_shorten(char *buffer, size_t capacity, const char *bytes, size_t size, size_t shown)
{
    char one[16];
    size_t used = 0, i = 0;
    for (size_t characters = 0; i < size && characters < shown; characters++) {
        size_t took = escape_next(one, bytes + i, size - i);
        if (used + strlen(one) + 4 > capacity)
            break;
        memcpy(buffer + used, one, strlen(one));
        used += strlen(one);
        i += took;
    }
    strcpy(buffer + used, i < size ? "..." : "");
}

/* ---- JSON ----------------------------------------------------------------------------------- */

void out_json_text(FILE *out, const char *bytes, size_t size)
{
    putc('"', out);
    for (size_t i = 0; i < size;) {
        uint32_t c;
        size_t n = akin_utf8_decode(bytes + i, size - i, &c);
        if (n == 0) {
            fputs("\xef\xbf\xbd", out);
            n = 1;
        } else if (c == '"' || c == '\\') {
            fprintf(out, "\\%c", (char)c);
        } else if (akin_utf8_unseen(c)) {
            /* More than JSON asks for: keeps a terminal safe and changes nothing for a parser. */
            fprintf(out, "\\u%04x", (unsigned)c);
        } else {
            fwrite(bytes + i, 1, n, out);
        }
        i += n;
    }
    putc('"', out);
}

static void base64(FILE *out, const char *bytes, size_t size)
{
    char text[1024]; /* of 768 bytes */
    for (size_t i = 0; i < size; i += sizeof text / 4 * 3) {
        size_t n = akin_min(size - i, sizeof text / 4 * 3);
        fwrite(text, 1, akin_base64(bytes + i, n, text), out);
    }
}

void out_json_name(FILE *out, const char *key, const char *bytes, size_t size)
{
    fprintf(out, "\"%s\":", key);
    out_json_text(out, bytes, size);
    if (!akin_utf8_valid(bytes, size, NULL)) {
        fprintf(out, ",\"%s_base64\":\"", key);
        base64(out, bytes, size);
        putc('"', out);
    }
}

void out_json_float(FILE *out, float value)
{
    if (isfinite(value))
        fprintf(out, "%.9g", (double)value);
    else
        fputs("null", out);
}

void out_json_double(FILE *out, double value)
{
    if (isfinite(value))
        fprintf(out, "%.17g", value);
    else
        fputs("null", out);
}

void out_json_floats(FILE *out, const float *values, size_t count)
{
    putc('[', out);
    for (size_t i = 0; i < count; i++) {
        if (i != 0)
            putc(',', out);
        out_json_float(out, values[i]);
    }
    putc(']', out);
}

/* ---- Files ---------------------------------------------------------------------------------- */

akin_status out_open(out_sink *sink, const char *path, akin_error *err)
{
    *sink = (out_sink){ .stream = stdout, .path = path };
    if (path == NULL)
        return AKIN_OK;
    akin_status status = akin_writer_open(&sink->writer, path, err);
    sink->stream = status == AKIN_OK ? sink->writer.stream : NULL;
    return status;
}

akin_status out_flush(out_sink *sink, akin_error *err)
{
    errno = 0;
    if (fflush(sink->stream) == 0 && !ferror(sink->stream))
        return AKIN_OK;
    /* After an earlier failure fflush has nothing to do and errno says nothing. */
    return akin_fail_errno(err, errno != 0 ? errno : EIO, sink->path,
                           sink->path != NULL ? "cannot write" : "cannot write standard output");
}

akin_status out_commit(out_sink *sink, akin_error *err)
{
    akin_status status = out_flush(sink, err);
    if (status == AKIN_OK && sink->path != NULL)
        status = akin_writer_commit(&sink->writer, err);
    return status;
}

void out_abort(out_sink *sink)
{
    if (sink->path != NULL)
        akin_writer_abort(&sink->writer);
    *sink = (out_sink){ 0 };
}

/* Magic, version, length and text: a multiple of 64, padded with blanks. */
enum { NPY_HEADER = 128 };

akin_status out_npy_open(out_npy *npy, const char *path, akin_error *err)
{
    npy->rows = NULL;
    akin_status status = out_open(&npy->sink, path, err);
    if (status != AKIN_OK)
        return status;
    /* A regular file is written in place beside its target; a pipe or /dev/stdout cannot be. */
    npy->rows = npy->sink.writer.temporary != NULL ? npy->sink.stream : tmpfile();
    if (npy->rows == NULL)
        return akin_fail_errno(err, errno, path, "cannot create a temporary file");
    char blank[NPY_HEADER] = { 0 };
    if (fwrite(blank, 1, NPY_HEADER, npy->rows) != NPY_HEADER)
        return akin_fail_errno(err, errno, path, "cannot write");
    return AKIN_OK;
}

akin_status out_npy_add(out_npy *npy, const float *values, size_t count, akin_error *err)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        unsigned char bytes[4] = { (unsigned char)bits, (unsigned char)(bits >> 8),
                                   (unsigned char)(bits >> 16), (unsigned char)(bits >> 24) };
        if (fwrite(bytes, 1, sizeof bytes, npy->rows) != sizeof bytes)
            return akin_fail_errno(err, errno, npy->sink.path, "cannot write");
    }
    return AKIN_OK;
}

static void npy_header(char header[NPY_HEADER], const size_t *shape, int dimensions)
{
    char text[NPY_HEADER];
    int n = snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < dimensions; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, i == 0 ? "%zu" : ", %zu", shape[i]);
    n += snprintf(text + n, sizeof text - (size_t)n, dimensions == 1 ? ",), }" : "), }");
    memset(header, ' ', NPY_HEADER);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)((NPY_HEADER - 10) & 0xff);
    header[9] = (char)((NPY_HEADER - 10) >> 8);
    memcpy(header + 10, text, (size_t)n); /* at most 3 dimensions of 20 digits: fits */
    header[NPY_HEADER - 1] = '\n';
}

akin_status out_npy_commit(out_npy *npy, const size_t *shape, int dimensions, akin_error *err)
{
    akin_status status = AKIN_OK;
    char block[1 << 16];
    npy_header(block, shape, dimensions);
    if (fseek(npy->rows, 0, SEEK_SET) != 0 ||
        fwrite(block, 1, NPY_HEADER, npy->rows) != NPY_HEADER || fflush(npy->rows) != 0) {
        status = akin_fail_errno(err, errno, npy->sink.path, "cannot write");
        goto out;
    }
    if (npy->rows != npy->sink.stream) {
        size_t got;
        rewind(npy->rows);
        while ((got = fread(block, 1, sizeof block, npy->rows)) != 0)
            if (fwrite(block, 1, got, npy->sink.stream) != got) {
                status = akin_fail_errno(err, errno, npy->sink.path, "cannot write");
                goto out;
            }
        if (ferror(npy->rows)) {
            status = akin_fail_errno(err, errno, npy->sink.path, "cannot read a temporary file");
            goto out;
        }
    }
    AKIN_TRY(out_commit(&npy->sink, err));
out:
    out_npy_abort(npy);
    return status;
}

void out_npy_abort(out_npy *npy)
{
    if (npy->rows != NULL && npy->rows != npy->sink.stream)
        fclose(npy->rows);
    npy->rows = NULL;
    out_abort(&npy->sink);
}
