/* metadata_find.c - where a picture file keeps its EXIF block and its XMP packet.
 *
 * Owns the ways through JPEG (APP1, extended XMP), PNG (eXIf, iTXt, profiles in hexadecimal
 * digits), WebP (chunks EXIF and XMP), TIFF and what is TIFF in all but its magic number (DNG, NEF,
 * ARW, CR2, PEF, ORF, RW2), HEIC and AVIF (items, ISO/IEC 23008-12 annex A), CR3 (the boxes CMT1,
 * CMT2 and CMT4) and RAF (the JPEG in it). The file decides by its bytes. Nothing is decoded but
 * deflated text, once a kind. Every walk is one pass; what is cut or contradicts itself is not
 * there.
 */
#include <string.h>

#include "base/arith.h"
#include "boxes.h"
#include "jpeg_segments.h"
#include "metadata_parts.h"
#include "png_text.h"

enum { OWN_EXIF, OWN_XMP };

static akin_block block(const void *data, size_t size) { return (akin_block){ data, size }; }

static bool begins(const uint8_t *data, size_t size, const void *with, size_t n)
{
    return size >= n && memcmp(data, with, n) == 0;
}

/* ---- JPEG */

#define GUID 32 /* hexadecimal digits */

/* Puts together the extension that the packet names by its GUID (XMP specification part 3,
 * 1.1.3.1): segments with GUID, size of the whole, and offset. Writers put them in order; ones out
 * of it are passed over. */
static akin_status jpeg_extension(akin_metadata_blocks *b, const uint8_t *data, size_t size,
                                  akin_error *err)
{
    static const char id[] = "http://ns.adobe.com/xmp/extension/";
    static const char has[] = "HasExtendedXMP";
    akin_status status = AKIN_OK;
    akin_jpeg_walk walk = akin_jpeg_walk_over(data, size);
    akin_buffer *whole = &b->own[OWN_XMP];
    const uint8_t *segment, *guid = NULL;
    uint8_t marker;
    size_t n;
    if (b->xmp.data == NULL || memmem(b->xmp.data, b->xmp.size, has, sizeof has - 1) == NULL)
        return AKIN_OK;
    while (akin_jpeg_next(&walk, &marker, &segment, &n)) {
        if (marker != 0xe1 || n < sizeof id + GUID + 8 || memcmp(segment, id, sizeof id) != 0)
            continue;
        const uint8_t *name = segment + sizeof id;
        if (guid == NULL && memmem(b->xmp.data, b->xmp.size, name, GUID) != NULL)
            guid = name;
        akin_cursor c = akin_cursor_over(name + GUID, 8);
        uint64_t total = 0, offset = 0;
        akin_get_big(&c, 4, &total);
        akin_get_big(&c, 4, &offset);
        const size_t part = n - (sizeof id + GUID + 8);
        if (guid == NULL || memcmp(guid, name, GUID) != 0 || offset != whole->size ||
            total > AKIN_METADATA_BLOCK || part > total - offset)
            continue;
        AKIN_TRY(akin_buffer_add(whole, name + GUID + 8, part, err));
        if (whole->size == total)
            b->xmp_extension = block(whole->data, whole->size);
    }
out:
    return status;
}

static akin_status find_jpeg(akin_metadata_blocks *b, const uint8_t *data, size_t size,
                             akin_error *err)
{
    akin_status status = AKIN_OK;
    akin_jpeg_metadata found;
    b->own[OWN_EXIF].max = size;
    AKIN_TRY(akin_jpeg_metadata_find(&found, data, size, &b->own[OWN_EXIF], err));
    b->exif = block(found.exif, found.exif_size);
    b->xmp = block(found.xmp, found.xmp_size);
    AKIN_TRY(jpeg_extension(b, data, size, err));
out:
    return status;
}

/* ---- PNG */

/* The text, as it is or inflated; for a profile the bytes that its digits say. */
static akin_status png_text(const akin_png_text *t, bool profile, akin_buffer *own,
                            akin_block *out, akin_error *err)
{
    akin_status status = AKIN_OK;
    bool got = true;
    if (t->data == NULL || (!t->deflated && t->size > AKIN_PNG_MAX_TEXT))
        return AKIN_OK;
    if (!t->deflated && !profile) {
        *out = block(t->data, t->size);
        return AKIN_OK;
    }
    if (t->deflated)
        AKIN_TRY(akin_png_text_inflate(t, own, &got, err));
    else
        AKIN_TRY(akin_buffer_add(own, t->data, t->size, err));
    if (!got || own->size == 0 ||
        (profile && !akin_png_profile_decode((uint8_t *)own->data, &own->size)))
        return AKIN_OK;
    *out = block(own->data, own->size);
out:
    return status;
}

static akin_status find_png(akin_metadata_blocks *b, const uint8_t *data, size_t size,
                            akin_error *err)
{
    akin_status status = AKIN_OK;
    akin_cursor c = akin_cursor_over(data, size);
    akin_png_text exif = { NULL, 0, false }, xmp = exif, xmp_profile = exif;
    uint64_t length, name;
    const uint8_t *payload;
    akin_cursor_skip(&c, 8);
    while (akin_get_big(&c, 4, &length)) {
        const char *word = (const char *)c.data + c.pos;
        if (!akin_get_big(&c, 4, &name) || !akin_cursor_bytes(&c, length, &payload))
            break;
        akin_png_text t;
        const size_t n = (size_t)length;
        if (memcmp(word, "eXIf", 4) == 0)
            b->exif = block(payload, n);
        else if (akin_png_text_of(word, payload, n, "Raw profile type exif", &t))
            exif = t;
        else if (akin_png_text_of(word, payload, n, "XML:com.adobe.xmp", &t))
            xmp = t;
        else if (akin_png_text_of(word, payload, n, "Raw profile type xmp", &t))
            xmp_profile = t;
        if (!akin_cursor_skip(&c, 4))
            break;
    }
    if (b->exif.data == NULL)
        AKIN_TRY(png_text(&exif, true, &b->own[OWN_EXIF], &b->exif, err));
    AKIN_TRY(png_text(&xmp, false, &b->own[OWN_XMP], &b->xmp, err));
    if (b->xmp.data == NULL && b->own[OWN_XMP].size == 0)
        AKIN_TRY(png_text(&xmp_profile, true, &b->own[OWN_XMP], &b->xmp, err));
out:
    return status;
}

/* ---- WebP */

static void find_webp(akin_metadata_blocks *b, const uint8_t *data, size_t size)
{
    akin_cursor c = akin_cursor_over(data, size);
    const uint8_t *name, *payload;
    uint32_t length;
    akin_cursor_skip(&c, 12);
    while (akin_cursor_bytes(&c, 4, &name) && akin_cursor_u32(&c, &length) &&
           akin_cursor_bytes(&c, length, &payload)) {
        if (memcmp(name, "EXIF", 4) == 0 && b->exif.data == NULL)
            b->exif = block(payload, length);
        else if (memcmp(name, "XMP ", 4) == 0 && b->xmp.data == NULL)
            b->xmp = block(payload, length);
        akin_cursor_skip(&c, length & 1);
    }
}

/* ---- HEIC, AVIF, CR3 */

typedef struct wanted {
    uint64_t id; /* of an item */
    bool known, done;
} wanted;

/* iinf: the first item of each kind. */
static void item_kinds(akin_cursor c, wanted *exif, wanted *xmp)
{
    uint64_t version, count, id;
    uint32_t type;
    akin_cursor entry;
    if (!akin_get_big(&c, 1, &version) || !akin_cursor_skip(&c, 3) ||
        !akin_get_big(&c, version == 0 ? 2 : 4, &count))
        return;
    while (akin_next_box(&c, &type, &entry)) {
        static const char rdf[] = "application/rdf+xml";
        uint64_t kind;
        if (type != AKIN_BOX('i', 'n', 'f', 'e') || !akin_get_big(&entry, 1, &version) ||
            version < 2 || !akin_cursor_skip(&entry, 3) ||
            !akin_get_big(&entry, version == 2 ? 2 : 4, &id) || !akin_cursor_skip(&entry, 2) ||
            !akin_get_big(&entry, 4, &kind))
            continue;
        wanted *is = NULL;
        if (kind == AKIN_BOX('E', 'x', 'i', 'f')) {
            is = exif;
        } else if (kind == AKIN_BOX('m', 'i', 'm', 'e')) {
            const uint8_t *text = entry.data + entry.pos;
            const size_t left = akin_cursor_left(&entry);
            const uint8_t *nul = left != 0 ? memchr(text, 0, left) : NULL; /* the item's name */
            const size_t skip = nul != NULL ? (size_t)(nul + 1 - text) : left;
            if (begins(text + skip, left - skip, rdf, sizeof rdf - 1))
                is = xmp;
        }
        if (is != NULL && !is->known)
            *is = (wanted){ id, true, false };
    }
}

/* The width of a field of iloc: others than these are read as nothing. */
static unsigned field(uint64_t nibble) { return nibble == 4 || nibble == 8 ? (unsigned)nibble : 0; }

/* What an extent says, 0 bytes when it is not all there. */
static akin_block extent(const akin_cursor *in, uint64_t offset, uint64_t length)
{
    akin_cursor c = *in;
    const uint8_t *data;
    if (!akin_cursor_seek(&c, offset))
        return block(NULL, 0);
    if (length == 0)
        length = akin_cursor_left(&c);
    return akin_cursor_bytes(&c, length, &data) ? block(data, (size_t)length) : block(NULL, 0);
}

/* One item's bytes: of one extent borrowed, of several put together. */
static akin_status item_bytes(akin_cursor *c, const akin_cursor *in, uint64_t base,
                              uint64_t extents, const unsigned widths[3], akin_buffer *own,
                              akin_block *out, akin_error *err)
{
    akin_status status = AKIN_OK;
    akin_block got = block(NULL, 0);
    for (uint64_t i = 0; i < extents; i++) {
        uint64_t index, offset, length;
        if (!akin_get_big(c, widths[0], &index) || !akin_get_big(c, widths[1], &offset) ||
            !akin_get_big(c, widths[2], &length) || offset > UINT64_MAX - base)
            return AKIN_OK;
        got = extent(in, base + offset, length);
        if (got.data == NULL || (extents > 1 && got.size > own->max - own->size))
            return AKIN_OK;
        if (extents > 1)
            AKIN_TRY(akin_buffer_add(own, got.data, got.size, err));
    }
    *out = extents > 1 ? block(own->data, own->size) : got;
out:
    return status;
}

static akin_status item_places(akin_metadata_blocks *b, akin_cursor c, const akin_cursor *file,
                               const akin_cursor *idat, wanted *exif, wanted *xmp,
                               akin_error *err)
{
    akin_status status = AKIN_OK;
    uint64_t version, sizes, count;
    if (!akin_get_big(&c, 1, &version) || version > 2 || !akin_cursor_skip(&c, 3) ||
        !akin_get_big(&c, 2, &sizes) || !akin_get_big(&c, version < 2 ? 2 : 4, &count))
        return AKIN_OK;
    const unsigned base_size = field(sizes >> 4 & 15);
    const unsigned widths[3] = { version == 0 ? 0 : field(sizes & 15), field(sizes >> 12),
                                 field(sizes >> 8 & 15) };
    for (; count != 0; count--) {
        uint64_t id, method = 0, reference, base, extents;
        if (!akin_get_big(&c, version < 2 ? 2 : 4, &id) ||
            (version != 0 && !akin_get_big(&c, 2, &method)) ||
            !akin_get_big(&c, 2, &reference) || !akin_get_big(&c, base_size, &base) ||
            !akin_get_big(&c, 2, &extents))
            break;
        wanted *is = exif->known && exif->id == id ? exif
                     : xmp->known && xmp->id == id ? xmp : NULL;
        const akin_cursor *in = (method & 15) == 0 ? file : (method & 15) == 1 ? idat : NULL;
        akin_cursor here = c;
        if (is != NULL && !is->done && in != NULL) {
            is->done = true;
            AKIN_TRY(item_bytes(&here, in, base, extents, widths,
                                &b->own[is == exif ? OWN_EXIF : OWN_XMP],
                                is == exif ? &b->exif : &b->xmp, err));
        }
        if (!akin_cursor_skip(&c, extents * (widths[0] + widths[1] + widths[2])))
            break;
    }
out:
    return status;
}

static akin_status read_meta(akin_metadata_blocks *b, akin_cursor meta, const akin_cursor *file,
                             akin_error *err)
{
    akin_status status = AKIN_OK;
    wanted exif = { 0, false, false }, xmp = exif;
    akin_cursor at = meta, box, idat = akin_cursor_over(NULL, 0);
    uint32_t type;
    while (akin_next_box(&at, &type, &box)) {
        if (type == AKIN_BOX('i', 'i', 'n', 'f'))
            item_kinds(box, &exif, &xmp);
        else if (type == AKIN_BOX('i', 'd', 'a', 't'))
            idat = box;
    }
    for (at = meta; akin_next_box(&at, &type, &box);)
        if (type == AKIN_BOX('i', 'l', 'o', 'c'))
            AKIN_TRY(item_places(b, box, file, &idat, &exif, &xmp, err));
    /* An Exif item begins with the offset of its TIFF header behind these four bytes. */
    akin_cursor c = akin_cursor_over(b->exif.data, b->exif.size);
    uint64_t skip;
    if (b->exif.data != NULL)
        b->exif = akin_get_big(&c, 4, &skip) && akin_cursor_skip(&c, skip)
                      ? block(c.data + c.pos, akin_cursor_left(&c)) : block(NULL, 0);
out:
    return status;
}

/* moov of a CR3: in a box of Canon's, TIFF blocks of a directory each. */
static void read_canon(akin_metadata_blocks *b, akin_cursor moov)
{
    static const uint8_t canon[16] = { 0x85, 0xc0, 0xb6, 0x87, 0x82, 0x0f, 0x11, 0xe0,
                                       0x81, 0x11, 0xf4, 0xce, 0x46, 0x2b, 0x6a, 0x48 };
    akin_cursor box, inner;
    uint32_t type;
    const uint8_t *name;
    while (akin_next_box(&moov, &type, &box)) {
        if (type != AKIN_BOX('u', 'u', 'i', 'd') || !akin_cursor_bytes(&box, 16, &name) ||
            memcmp(name, canon, 16) != 0)
            continue;
        while (akin_next_box(&box, &type, &inner)) {
            const akin_block here = block(inner.data, inner.size);
            if (type == AKIN_BOX('C', 'M', 'T', '1'))
                b->exif = here;
            else if (type == AKIN_BOX('C', 'M', 'T', '2'))
                b->fields = here;
            else if (type == AKIN_BOX('C', 'M', 'T', '4'))
                b->gps = here;
        }
    }
}

static akin_status find_boxes(akin_metadata_blocks *b, const uint8_t *data, size_t size,
                              akin_error *err)
{
    static const uint8_t xmp[16] = { 0xbe, 0x7a, 0xcf, 0xcb, 0x97, 0xa9, 0x42, 0xe8,
                                     0x9c, 0x71, 0x99, 0x94, 0x91, 0xe3, 0xaf, 0xac };
    akin_status status = AKIN_OK;
    const akin_cursor file = akin_cursor_over(data, size);
    akin_cursor at = file, box;
    uint32_t type;
    const uint8_t *name;
    bool meta = false;
    while (akin_next_box(&at, &type, &box)) {
        if (type == AKIN_BOX('m', 'e', 't', 'a') && !meta && akin_cursor_skip(&box, 4)) {
            meta = true;
            const uint8_t *inside;
            const size_t n = akin_cursor_left(&box);
            akin_cursor_bytes(&box, n, &inside);
            AKIN_TRY(read_meta(b, akin_cursor_over(inside, n), &file, err));
        } else if (type == AKIN_BOX('m', 'o', 'o', 'v')) {
            read_canon(b, box);
        } else if (type == AKIN_BOX('u', 'u', 'i', 'd') && b->xmp.data == NULL &&
                   akin_cursor_bytes(&box, 16, &name) && memcmp(name, xmp, 16) == 0) {
            b->xmp = block(box.data + 16, akin_cursor_left(&box));
        }
    }
out:
    return status;
}

/* ---- which */

akin_status akin_metadata_find(akin_metadata_blocks *b, const uint8_t *data, size_t size,
                               akin_error *err)
{
    *b = (akin_metadata_blocks){ 0 };
    akin_buffer_init(&b->own[OWN_EXIF], "EXIF", AKIN_METADATA_BLOCK);
    akin_buffer_init(&b->own[OWN_XMP], "XMP", AKIN_METADATA_BLOCK);
    if (size < 16)
        return AKIN_OK;
    if (begins(data, size, "FUJIFILMCCD-RAW", 15)) {
        akin_cursor c = akin_cursor_over(data, size);
        uint64_t at, length;
        if (!akin_cursor_seek(&c, 84) || !akin_get_big(&c, 4, &at) ||
            !akin_get_big(&c, 4, &length) || at > size)
            return AKIN_OK;
        data += at;
        size = akin_min(size - (size_t)at, (size_t)length);
    }
    if (begins(data, size, "\xff\xd8\xff", 3))
        return find_jpeg(b, data, size, err);
    if (begins(data, size, "\x89PNG\r\n\x1a\n", 8))
        return find_png(b, data, size, err);
    if (begins(data, size, "RIFF", 4) && size >= 12 && memcmp(data + 8, "WEBP", 4) == 0)
        find_webp(b, data, size);
    else if (size >= 8 && memcmp(data + 4, "ftyp", 4) == 0)
        return find_boxes(b, data, size, err);
    else if (begins(data, size, "II", 2) || begins(data, size, "MM", 2))
        b->exif = block(data, size);
    return AKIN_OK;
}

void akin_metadata_blocks_clear(akin_metadata_blocks *blocks)
{
    akin_buffer_clear(&blocks->own[OWN_EXIF]);
    akin_buffer_clear(&blocks->own[OWN_XMP]);
}
