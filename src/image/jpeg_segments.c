/* jpeg_segments.c - the segments of a JPEG file before its first scan. */
#include "jpeg_segments.h"

akin_jpeg_walk akin_jpeg_walk_over(const uint8_t *data, size_t size)
{
    akin_jpeg_walk walk = { .at = akin_cursor_over(data, size) };
    akin_cursor_skip(&walk.at, 3);
    return walk;
}

bool akin_jpeg_next(akin_jpeg_walk *walk, uint8_t *marker, const uint8_t **payload, size_t *size)
{
    akin_cursor *c = &walk->at;
    for (;;) {
        uint8_t byte = 0xff, high, low;
        if (walk->begun && !akin_cursor_u8(c, &byte))
            return false;
        walk->begun = true;
        if (byte != 0xff)
            continue;
        do {
            if (!akin_cursor_u8(c, marker))
                return false;
        } while (*marker == 0xff);
        if (*marker == 0x00)
            continue;
        if (*marker < 0xc0 || *marker == 0xda)
            return false;
        if (*marker == 0xc8 || (*marker >= 0xd0 && *marker <= 0xd9) ||
            (*marker >= 0xf0 && *marker <= 0xfd))
            continue; /* a bare marker */
        if (!akin_cursor_u8(c, &high) || !akin_cursor_u8(c, &low))
            return false;
        size_t n = (size_t)high << 8 | low;
        *size = n < 2 ? 0 : n - 2;
        return akin_cursor_bytes(c, *size, payload);
    }
}

akin_status akin_jpeg_metadata_find(akin_jpeg_metadata *out, const uint8_t *data, size_t size,
                                    akin_buffer *joined, akin_error *err)
{
    static const char exif_id[] = "Exif\0"; /* with the NUL that ends it: 6 bytes */
    static const char xmp_id[] = "http://ns.adobe.com/xap/1.0/";
    akin_status status = AKIN_OK;
    akin_jpeg_walk walk = akin_jpeg_walk_over(data, size);
    const uint8_t *segment;
    uint8_t marker;
    size_t n;
    *out = (akin_jpeg_metadata){ NULL, NULL, 0, 0 };
    while (akin_jpeg_next(&walk, &marker, &segment, &n)) {
        if (marker != 0xe1)
            continue;
        if (n >= sizeof exif_id && memcmp(segment, exif_id, sizeof exif_id) == 0) {
            if (out->exif == NULL) {
                out->exif = segment;
                out->exif_size = n;
            } else {
                if (joined->size == 0)
                    AKIN_TRY(akin_buffer_add(joined, out->exif, out->exif_size, err));
                AKIN_TRY(akin_buffer_add(joined, segment + sizeof exif_id, n - sizeof exif_id,
                                         err));
            }
        } else if (n >= sizeof xmp_id && memcmp(segment, xmp_id, sizeof xmp_id) == 0) {
            out->xmp = segment + sizeof xmp_id;
            out->xmp_size = n - sizeof xmp_id;
        }
    }
    if (joined->size != 0) {
        out->exif = (const uint8_t *)joined->data;
        out->exif_size = joined->size;
    }
out:
    return status;
}
