/* exif.c - the orientation tag of EXIF and XMP.
 *
 * Matches Pillow 13.0.0: Image.Exif and TiffImagePlugin.ImageFileDirectory_v2 for the first
 * directory of the EXIF block, Image.getexif for XMP. Where Pillow raises on a block without a TIFF
 * header, this one turns nothing. Only the first directory is read, each entry once and in order,
 * so that a directory that points back at itself costs nothing.
 */
#include "exif.h"

#include <stdbool.h>
#include <string.h>

#include "tiff_fields.h"

enum { TAG_ORIENTATION = 0x0112 };

typedef enum found {
    FOUND_NONE,    /* a readable block without the tag */
    FOUND_TAG,     /* the tag is there, whatever it says */
    FOUND_BROKEN   /* no TIFF header */
} found;

/* The first value of an entry as an orientation; 1 when it is none. Pillow compares whatever number
 * the type gives, and never text or bytes (types 1, 2, 7). */
static int orientation_at(const akin_tiff *t, size_t at, unsigned type)
{
    uint64_t v = 0;
    switch (type) {
    case 3: case 8:
        v = akin_tiff_number(t, at, 2);
        break;
    case 4: case 9: case 13:
        v = akin_tiff_number(t, at, 4);
        break;
    case 6:
        v = t->data[at];
        break;
    case 16:
        v = akin_tiff_number(t, at, 8);
        break;
    case 5: case 10: {
        uint64_t above = akin_tiff_number(t, at, 4), below = akin_tiff_number(t, at + 4, 4);
        if (type == 10 && (above >> 31 || below >> 31)) { /* two minus signs cancel */
            above = above >> 31 ? (1ull << 32) - above : 0;
            below = below >> 31 ? (1ull << 32) - below : 0;
        }
        v = below != 0 && above % below == 0 ? above / below : 0;
        break;
    }
    case 11: case 12: {
        uint64_t bits = akin_tiff_number(t, at, type == 11 ? 4 : 8);
        double d;
        if (type == 11) {
            uint32_t bits32 = (uint32_t)bits;
            float f;
            memcpy(&f, &bits32, sizeof f);
            d = (double)f;
        } else {
            memcpy(&d, &bits, sizeof d);
        }
        for (int i = 2; i <= 8; i++)
            if (d == i)
                v = (uint64_t)i;
        break;
    }
    default:
        break;
    }
    return v >= 1 && v <= 8 ? (int)v : 1;
}

static bool header(akin_tiff *t)
{
    /* The third and fourth are wrong ("MM" with little-endian 42), read by Pillow all the same. The
     * BigTIFF header of big-endian order it reads as a classic one, that of little-endian it
     * cannot. */
    static const char starts[][4] = { "MM\0*", "II*\0", "MM*\0", { 'I', 'I', '\0', '*' }, "MM\0+" };
    if (t->size < 8)
        return false;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        if (memcmp(t->data, starts[i], 4) == 0) {
            t->big_endian = t->data[0] == 'M';
            return true;
        }
    }
    return false;
}

static found exif_orientation(const uint8_t *data, size_t size, int *orientation)
{
    for (int i = 0; i < 2 && size >= 6 && memcmp(data, "Exif\0\0", 6) == 0; i++) {
        data += 6;
        size -= 6;
    }
    if (size == 0)
        return FOUND_NONE;
    akin_tiff t = { data, size, false };
    if (!header(&t))
        return FOUND_BROKEN;
    akin_tiff_directory d;
    if (!akin_tiff_directory_at(&t, akin_tiff_number(&t, 4, 4), &d))
        return FOUND_NONE;
    uint64_t total = 0;
    uint8_t seen[65536 / 8] = { 0 }; /* of several entries of a tag the first with a value counts */
    for (akin_tiff_entry e; akin_tiff_next(&d, &e);) {
        const uint64_t bytes = (uint64_t)e.count * akin_tiff_type_size(e.type);
        if (bytes == 0 || (seen[e.tag / 8] >> e.tag % 8 & 1) != 0)
            continue;
        total += bytes > 4 ? bytes : 0;
        if (bytes > 4 && total > size) /* values larger than the whole block: Pillow skips these, */
            continue;
        size_t at, inside;
        if (!akin_tiff_values(&t, &e, &at, &inside)) /* but gives up at one that lies outside */
            return FOUND_NONE;
        if (e.tag == TAG_ORIENTATION) {
            *orientation = orientation_at(&t, at, e.type);
            return FOUND_TAG;
        }
        seen[e.tag / 8] |= (uint8_t)(1u << e.tag % 8);
    }
    return FOUND_NONE;
}

/* The first match of  tiff:Orientation(="|>)([0-9])  anywhere in the packet. */
static int xmp_orientation(const uint8_t *data, size_t size)
{
    static const char name[] = "tiff:Orientation";
    const uint8_t *end = data + size;
    while ((data = memmem(data, (size_t)(end - data), name, sizeof name - 1)) != NULL) {
        data += sizeof name - 1;
        size_t left = (size_t)(end - data), skip = 0;
        if (left >= 3 && data[0] == '=' && data[1] == '"')
            skip = 2;
        else if (left >= 2 && data[0] == '>')
            skip = 1;
        if (skip != 0 && data[skip] >= '0' && data[skip] <= '9')
            return data[skip] >= '1' && data[skip] <= '8' ? data[skip] - '0' : 1;
    }
    return 1;
}

int akin_orientation_read(const uint8_t *exif, size_t exif_size, const uint8_t *xmp,
                          size_t xmp_size)
{
    int orientation = 1;
    if (exif != NULL && exif_orientation(exif, exif_size, &orientation) != FOUND_NONE)
        return orientation;
    return xmp != NULL ? xmp_orientation(xmp, xmp_size) : 1;
}
