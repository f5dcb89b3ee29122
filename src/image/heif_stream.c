/* heif_stream.c - the frame sizes that the streams inside a HEIC or AVIF promise.
 *
 * The container states a picture's size and so does the stream inside; decoders believe the stream
 * and allocate before anyone compares. So the boxes are walked here (ISO/IEC 14496-12: meta, iloc,
 * idat, iprp, ipco) to the streams (av1C, hvcC, every item), and these to AV1 sequence headers (AV1
 * specification 5.5) and HEVC parameter sets (ITU-T H.265 7.3.2.2). What cannot be parsed is
 * passed over: the decoder refuses it. What can be read in two ways is read as libheif 1.12 to 1.19
 * reads it. Samples of an image sequence (moov) are not looked at: libheif decodes items.
 */
#include "heif_stream.h"

#include <stdbool.h>

#include "base/buffer.h"
#include "base/cursor.h"
#include "boxes.h"

/* Units, boxes, items and bytes put together, beside four for each byte of the file: at most 0.3 s.
 * Files whose items do not overlap need less than one a byte. */
#define WORK_EXTRA ((uint64_t)1 << 24)

enum {
    OBU_SEQUENCE = 1,
    OBU_FRAME_HEADER = 3,
    OBU_FRAME = 6,
    OBU_FRAME_HEADER_AGAIN = 7,
    NAL_SPS = 33,
    SELECT = 2 /* a tool that each frame chooses */
};

/* What a frame header's first fields depend on. */
typedef struct sequence {
    unsigned width_bits, height_bits;
    unsigned time_bits; /* of a frame's presentation time, 0: there is none */
    unsigned id_bits;   /* of a frame's number, 0: there is none */
    unsigned screen_tools, integer_motion;
    bool known, reduced;
} sequence;

typedef struct finder {
    const uint8_t *file;
    size_t size;
    const char *path;
    akin_error *err;
    uint64_t work; /* left */
    uint32_t width, height;
    akin_cursor meta;
    akin_cursor idat; /* the first of this meta box */
    bool has_idat;
} finder;

static void found(finder *f, uint64_t width, uint64_t height)
{
    /* Both below 2^32. */
    if (width * height > (uint64_t)f->width * f->height) {
        f->width = (uint32_t)width;
        f->height = (uint32_t)height;
    }
}

static akin_status spend(finder *f, uint64_t work)
{
    if (work > f->work)
        return akin_fail(f->err, AKIN_E_LIMIT, f->path, "HEIF whose items overlap too often");
    f->work -= work;
    return AKIN_OK;
}

/* ---- bits */

/* Past the end are zeros, as decoders have it. */
typedef struct bits {
    akin_cursor from;
    bool escaped; /* 00 00 03 stands for 00 00 */
    unsigned zeros, left;
    uint8_t byte;
    bool over;
} bits;

static uint32_t get(bits *b, unsigned count)
{
    uint32_t value = 0;
    for (; count != 0; count--) {
        if (b->left == 0) {
            b->byte = 0;
            bool more = akin_cursor_u8(&b->from, &b->byte);
            if (more && b->escaped && b->zeros >= 2 && b->byte == 3) {
                b->zeros = 0;
                b->byte = 0;
                more = akin_cursor_u8(&b->from, &b->byte);
            }
            b->over = b->over || !more;
            b->zeros = b->byte == 0 ? b->zeros + 1 : 0;
            b->left = 8;
        }
        value = value << 1 | (b->byte >> --b->left & 1);
    }
    return value;
}

/* Both standards' code of a leading run of zeros; false: longer than any value's. */
static bool get_exponential(bits *b, uint32_t *out)
{
    unsigned zeros = 0;
    while (get(b, 1) == 0)
        if (++zeros > 31)
            return false;
    *out = (uint32_t)(((uint64_t)1 << zeros) - 1) + get(b, zeros);
    return true;
}

/* ---- AV1 */

static void sequence_header(finder *f, bits *b, sequence *s)
{
    bool decoder_model = false, equal_interval = false, delays = false;
    unsigned delay_bits = 0, time_bits = 0;
    uint32_t ignored;
    *s = (sequence){ .known = true };
    get(b, 4); /* profile, still picture */
    s->reduced = get(b, 1);
    if (s->reduced) {
        get(b, 5); /* level */
    } else {
        if (get(b, 1)) { /* timing */
            get(b, 32);
            get(b, 32);
            equal_interval = get(b, 1);
            if (equal_interval && !get_exponential(b, &ignored))
                return;
            decoder_model = get(b, 1);
            if (decoder_model) {
                delay_bits = get(b, 5) + 1;
                get(b, 32);
                get(b, 5);
                time_bits = get(b, 5) + 1;
            }
        }
        delays = get(b, 1);
        for (unsigned points = get(b, 5) + 1; points != 0; points--) {
            get(b, 12);
            if (get(b, 5) > 7)
                get(b, 1); /* tier */
            if (decoder_model && get(b, 1)) {
                get(b, delay_bits);
                get(b, delay_bits);
                get(b, 1);
            }
            if (delays && get(b, 1))
                get(b, 4);
        }
    }
    s->time_bits = equal_interval ? 0 : time_bits;
    s->width_bits = get(b, 4) + 1;
    s->height_bits = get(b, 4) + 1;
    uint64_t width = (uint64_t)get(b, s->width_bits) + 1;
    found(f, width, (uint64_t)get(b, s->height_bits) + 1);
    if (s->reduced)
        return;
    if (get(b, 1)) /* frames have numbers */
        s->id_bits = get(b, 4) + get(b, 3) + 3;
    get(b, 7); /* block size, filters, four tools of inter frames */
    bool order = get(b, 1);
    if (order)
        get(b, 2);
    s->screen_tools = get(b, 1) ? SELECT : get(b, 1);
    s->integer_motion = SELECT;
    if (s->screen_tools != 0)
        s->integer_motion = get(b, 1) ? SELECT : get(b, 1);
}

/* A frame may state a size of its own. The specification forbids more than the sequence header's,
 * but decoders do not look: what its fields can hold counts. */
static void frame_header(finder *f, bits *b, const sequence *s)
{
    if (!s->known || s->reduced || get(b, 1)) /* one that is shown again */
        return;
    unsigned type = get(b, 2);
    const unsigned key = 0, changed = 3;
    bool shown = get(b, 1);
    if (shown)
        get(b, s->time_bits);
    else
        get(b, 1);
    if (type != changed && !(type == key && shown))
        get(b, 1); /* resilient */
    get(b, 1);     /* adaptation */
    unsigned screen_tools = s->screen_tools == SELECT ? get(b, 1) : s->screen_tools;
    if (screen_tools != 0 && s->integer_motion == SELECT)
        get(b, 1);
    get(b, s->id_bits);
    if (type == changed || get(b, 1))
        found(f, (uint64_t)1 << s->width_bits, (uint64_t)1 << s->height_bits);
}

/* Units one behind the other, each with its size or with the rest. *cut: the last is not whole. */
static akin_status walk_obus(finder *f, akin_cursor c, sequence *s, bool *cut)
{
    akin_status status = AKIN_OK;
    *cut = false;
    while (akin_cursor_left(&c) != 0) {
        AKIN_TRY(spend(f, 1));
        uint8_t header, byte = 0x80;
        const uint8_t *payload;
        uint64_t size = 0;
        akin_cursor_u8(&c, &header);
        if ((header & 4) != 0 && !akin_cursor_skip(&c, 1))
            *cut = true;
        if ((header & 2) != 0) {
            for (unsigned i = 0; i < 8 && (byte & 0x80) != 0; i++) {
                if (!akin_cursor_u8(&c, &byte)) {
                    *cut = true;
                    break;
                }
                size |= (uint64_t)(byte & 0x7f) << (7 * i);
            }
        } else {
            size = akin_cursor_left(&c);
        }
        if (size > akin_cursor_left(&c)) {
            *cut = true;
            size = akin_cursor_left(&c);
        }
        akin_cursor_bytes(&c, size, &payload);
        bits b = { .from = akin_cursor_over(payload, (size_t)size) };
        unsigned type = header >> 3 & 15;
        if (type == OBU_SEQUENCE)
            sequence_header(f, &b, s);
        else if (type == OBU_FRAME_HEADER || type == OBU_FRAME || type == OBU_FRAME_HEADER_AGAIN)
            frame_header(f, &b, s);
        *cut = *cut || b.over;
    }
out:
    return status;
}

/* ---- HEVC */

static void parameter_set(finder *f, akin_cursor c)
{
    bits b = { .from = c, .escaped = true };
    uint32_t id, chroma, width, height;
    if ((get(&b, 16) >> 3 & 63) != 0) /* of a second layer: decoders pass it over */
        return;
    get(&b, 4);
    unsigned layers = get(&b, 3), present = 0;
    get(&b, 1 + 32 + 32 + 32); /* nesting; profile, tier and level */
    for (unsigned i = 0; i < layers; i++)
        present |= get(&b, 2) << (2 * i);
    if (layers != 0)
        get(&b, 2 * (8 - layers));
    for (unsigned i = 0; i < layers; i++, present >>= 2) {
        if ((present & 2) != 0)
            get(&b, 88);
        if ((present & 1) != 0)
            get(&b, 8);
    }
    if (!get_exponential(&b, &id) || !get_exponential(&b, &chroma))
        return;
    if (chroma == 3)
        get(&b, 1);
    if (get_exponential(&b, &width) && get_exponential(&b, &height))
        found(f, width, height);
}

static void nal(finder *f, const uint8_t *data, size_t size)
{
    if (size >= 2 && (data[0] >> 1 & 63) == NAL_SPS)
        parameter_set(f, akin_cursor_over(data, size));
}

/* Units one behind the other, each with its size before it; the last may be cut. */
static akin_status walk_nals(finder *f, akin_cursor c, unsigned length)
{
    akin_status status = AKIN_OK;
    uint64_t size;
    while (akin_get_big(&c, length, &size)) {
        const uint8_t *data = NULL;
        AKIN_TRY(spend(f, 1));
        size = size < akin_cursor_left(&c) ? size : akin_cursor_left(&c);
        akin_cursor_bytes(&c, size, &data);
        nal(f, data, (size_t)size);
    }
out:
    return status;
}

/* hvcC's arrays of units; *length: of a unit's size in the items. */
static akin_status hevc_record(finder *f, akin_cursor c, unsigned *length)
{
    akin_status status = AKIN_OK;
    uint64_t sizes, arrays, count, size;
    const uint8_t *data = NULL;
    *length = 4;
    if (!akin_cursor_skip(&c, 21) || !akin_get_big(&c, 1, &sizes) || !akin_get_big(&c, 1, &arrays))
        return AKIN_OK;
    *length = (unsigned)(sizes & 3) + 1;
    for (; arrays != 0 && akin_cursor_skip(&c, 1) && akin_get_big(&c, 2, &count); arrays--)
        for (; count != 0; count--) {
            if (!akin_get_big(&c, 2, &size) || !akin_cursor_bytes(&c, size, &data))
                goto out;
            AKIN_TRY(spend(f, 1));
            nal(f, data, (size_t)size);
        }
out:
    return status;
}

/* ---- boxes */

typedef akin_status visitor(finder *f, uint32_t type, akin_cursor box, const akin_cursor *item);

/* Each box in `c`, and in what iprp and ipco hold: `depth` boxes down. */
static akin_status each_box(finder *f, akin_cursor c, unsigned depth, visitor *visit,
                            const akin_cursor *item)
{
    akin_status status = AKIN_OK;
    uint32_t type;
    akin_cursor box;
    while (akin_next_box(&c, &type, &box)) {
        AKIN_TRY(spend(f, 1));
        if (type != AKIN_BOX('i', 'p', 'r', 'p') && type != AKIN_BOX('i', 'p', 'c', 'o'))
            AKIN_TRY(visit(f, type, box, item));
        else if (depth != 0)
            AKIN_TRY(each_box(f, box, depth - 1, visit, item));
    }
out:
    return status;
}

/* A configuration record, and an item (NULL: none) that it may belong to: whose record it is does
 * not matter for what may be found. */
static akin_status record(finder *f, uint32_t type, akin_cursor box, const akin_cursor *item)
{
    akin_status status = AKIN_OK;
    sequence s = { .known = false };
    unsigned length;
    bool cut;
    if (type == AKIN_BOX('a', 'v', '1', 'C') && akin_cursor_skip(&box, 4)) {
        const uint8_t *units;
        size_t size = akin_cursor_left(&box);
        akin_cursor_bytes(&box, size, &units);
        AKIN_TRY(walk_obus(f, akin_cursor_over(units, size), &s, &cut));
        /* libheif puts record and item together, the item would then be read as its end. */
        if (cut)
            return akin_fail(f->err, AKIN_E_CORRUPT, f->path,
                             "an AV1 configuration record that ends inside a unit");
        if (item != NULL)
            AKIN_TRY(walk_obus(f, *item, &s, &cut));
    } else if (type == AKIN_BOX('h', 'v', 'c', 'C')) {
        AKIN_TRY(hevc_record(f, box, &length));
        if (item != NULL && length != 4)
            AKIN_TRY(walk_nals(f, *item, length));
    }
out:
    return status;
}

static akin_status walk_item(finder *f, const uint8_t *data, size_t size)
{
    akin_status status = AKIN_OK;
    sequence s = { .known = false };
    bool cut;
    akin_cursor item = akin_cursor_over(data, size);
    AKIN_TRY(walk_obus(f, item, &s, &cut));
    AKIN_TRY(walk_nals(f, item, 4));
    AKIN_TRY(each_box(f, f->meta, 2, record, &item));
out:
    return status;
}

/* What there is of an extent. */
static void clip(akin_cursor *c, uint64_t offset, uint64_t length, const uint8_t **data,
                 size_t *size)
{
    *size = 0;
    *data = NULL;
    if (!akin_cursor_seek(c, offset))
        return;
    if (length == 0 || length > akin_cursor_left(c)) /* 0: the rest */
        length = akin_cursor_left(c);
    *size = (size_t)length;
    akin_cursor_bytes(c, length, data);
}

/* The width of a field of iloc: others than these are read as nothing. */
static unsigned field(uint64_t nibble) { return nibble == 4 || nibble == 8 ? (unsigned)nibble : 0; }

/* Where the items' bytes are: in the file (method 0) or in idat (1). */
static akin_status item_locations(finder *f, akin_cursor c)
{
    akin_status status = AKIN_OK;
    uint64_t version, flags, sizes, count;
    akin_buffer whole;
    akin_buffer_init(&whole, "a HEIF item", f->size);
    if (!akin_get_big(&c, 1, &version) || version > 2 || !akin_get_big(&c, 3, &flags) ||
        !akin_get_big(&c, 2, &sizes) || !akin_get_big(&c, version < 2 ? 2 : 4, &count))
        return AKIN_OK;
    const unsigned offset_size = field(sizes >> 12), length_size = field(sizes >> 8 & 15);
    const unsigned base_size = field(sizes >> 4 & 15);
    const unsigned index_size = version == 0 ? 0 : field(sizes & 15);
    for (; count != 0; count--) {
        uint64_t id, method = 0, reference, base, extents;
        AKIN_TRY(spend(f, 1));
        if (!akin_get_big(&c, version < 2 ? 2 : 4, &id) ||
            (version != 0 && !akin_get_big(&c, 2, &method)) ||
            !akin_get_big(&c, 2, &reference) || !akin_get_big(&c, base_size, &base) ||
            !akin_get_big(&c, 2, &extents))
            break;
        method &= 15;
        const uint8_t *data = NULL;
        size_t size = 0;
        whole.size = 0;
        for (uint64_t i = 0; i < extents; i++) {
            uint64_t index, offset, length;
            AKIN_TRY(spend(f, 1));
            if (!akin_get_big(&c, index_size, &index) || !akin_get_big(&c, offset_size, &offset) ||
                !akin_get_big(&c, length_size, &length))
                break;
            akin_cursor in = akin_cursor_over(f->file, f->size);
            if (method == 1 && f->has_idat)
                in = f->idat;
            clip(&in, base + offset, length, &data, &size); /* wraps, in libheif too */
            if (extents > 1 && size != 0) {
                AKIN_TRY(spend(f, size));
                AKIN_TRY(akin_buffer_add(&whole, data, size, f->err));
            }
        }
        if (extents > 1) {
            data = (const uint8_t *)whole.data;
            size = whole.size;
        }
        if (size != 0 && (method == 0 || (method == 1 && f->has_idat)))
            AKIN_TRY(walk_item(f, data, size));
    }
out:
    akin_buffer_clear(&whole);
    return status;
}

static akin_status locations(finder *f, uint32_t type, akin_cursor box, const akin_cursor *item)
{
    (void)item;
    return type == AKIN_BOX('i', 'l', 'o', 'c') ? item_locations(f, box) : AKIN_OK;
}

akin_status akin_heif_largest(const uint8_t *data, size_t size, const char *path, uint32_t *width,
                              uint32_t *height, akin_error *err)
{
    akin_status status = AKIN_OK;
    finder f = { .file = data, .size = size, .path = path, .err = err,
                 .work = WORK_EXTRA + 4 * (uint64_t)size };
    akin_cursor file = akin_cursor_over(data, size), box, child;
    uint32_t type;
    while (akin_next_box(&file, &type, &box)) {
        AKIN_TRY(spend(&f, 1));
        if (type != AKIN_BOX('m', 'e', 't', 'a') || !akin_cursor_skip(&box, 4))
            continue;
        f.meta = box;
        f.has_idat = false;
        while (!f.has_idat && akin_next_box(&box, &type, &child))
            if (type == AKIN_BOX('i', 'd', 'a', 't')) {
                f.has_idat = true;
                f.idat = child;
            }
        AKIN_TRY(each_box(&f, f.meta, 2, record, NULL));
        AKIN_TRY(each_box(&f, f.meta, 2, locations, NULL));
    }
out:
    *width = f.width;
    *height = f.height;
    return status;
}
