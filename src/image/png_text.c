/* png_text.c - the text chunks of a PNG file. Matches Pillow 13.0.0 (PngImagePlugin.py) in what
 * counts as text and as a profile in hexadecimal digits. */
#include "png_text.h"

#include <string.h>

#include <zlib.h>

#include "base/arith.h"

bool akin_png_text_of(const char *name, const uint8_t *data, size_t size, const char *keyword,
                      akin_png_text *out)
{
    const bool packed = memcmp(name, "zTXt", 4) == 0, international = memcmp(name, "iTXt", 4) == 0;
    const size_t n = strlen(keyword) + 1;
    if ((!packed && !international && memcmp(name, "tEXt", 4) != 0) || size < n ||
        memcmp(data, keyword, n) != 0)
        return false;
    akin_png_text t = { data + n, size - n, false };
    if (packed) {
        if (t.size == 0 || t.data[0] != 0)
            return false;
        t = (akin_png_text){ t.data + 1, t.size - 1, true };
    } else if (international) {
        if (t.size < 2 || (t.data[0] != 0 && t.data[1] != 0))
            return false;
        t = (akin_png_text){ t.data + 2, t.size - 2, t.data[0] != 0 };
        for (int i = 0; i < 2; i++) { /* language, translated keyword */
            const uint8_t *nul = t.size != 0 ? memchr(t.data, 0, t.size) : NULL;
            if (nul == NULL)
                return false;
            t.size -= (size_t)(nul + 1 - t.data);
            t.data = nul + 1;
        }
    }
    *out = t;
    return true;
}

akin_status akin_png_text_inflate(const akin_png_text *t, akin_buffer *out, bool *got,
                                  akin_error *err)
{
    z_stream z = { 0 };
    *got = false;
    akin_status status = akin_buffer_reserve(out, AKIN_PNG_MAX_TEXT, err);
    if (status != AKIN_OK)
        return status;
    int result = inflateInit(&z);
    if (result == Z_MEM_ERROR)
        return akin_fail_nomem(err, "a PNG text", 0);
    if (result != Z_OK)
        return AKIN_OK;
    z.next_in = (Bytef *)(uintptr_t)t->data;
    z.avail_in = (uInt)akin_min(t->size, UINT32_MAX);
    z.next_out = (Bytef *)out->data;
    z.avail_out = (uInt)AKIN_PNG_MAX_TEXT;
    result = inflate(&z, Z_SYNC_FLUSH);
    out->size = AKIN_PNG_MAX_TEXT - z.avail_out;
    *got = result == Z_STREAM_END ||
           ((result == Z_OK || result == Z_BUF_ERROR) && z.avail_in == 0);
    inflateEnd(&z);
    /* The window, of 32 KiB, is allocated on the way. */
    return result == Z_MEM_ERROR ? akin_fail_nomem(err, "a PNG text", 0) : AKIN_OK;
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool akin_png_profile_decode(uint8_t *text, size_t *size)
{
    size_t in = 0, out = 0, lines = 0;
    while (in < *size && lines < 3)
        lines += text[in++] == '\n';
    int pending = -1;
    for (; in < *size; in++) {
        uint8_t ch = text[in];
        if (ch == '\n')
            continue; /* Pillow joins the lines: a pair of digits may lie across two */
        int digit = hex_digit(ch);
        bool space = ch == ' ' || (ch >= '\t' && ch <= '\r');
        if (digit < 0 && (!space || pending >= 0))
            return false;
        if (digit < 0)
            continue;
        if (pending < 0) {
            pending = digit;
        } else {
            text[out++] = (uint8_t)(pending << 4 | digit);
            pending = -1;
        }
    }
    *size = out;
    return pending < 0;
}
