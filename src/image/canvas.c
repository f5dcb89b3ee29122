/* canvas.c - decoded rows into a picture that is the right way up.
 *
 * Matches Pillow 13.0.0's ImageOps.exif_transpose. Turning happens while rows arrive, a strip at a
 * time: no second copy of the picture, and a quarter turn writes runs of AKIN_STRIP_ROWS pixels
 * instead of one pixel a cache line.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "decode.h"

/* Where stored pixel (0, 0) goes, and how far right one moves for a step in stored x and y: all in
 * pixels of the turned picture. */
typedef struct route {
    ptrdiff_t origin, x_step, y_step;
} route;

static route route_of(const akin_canvas *c)
{
    ptrdiff_t w = c->width, h = c->height;
    switch (c->orientation) {
    case 2: return (route){ w - 1, -1, w };               /* mirrored left to right */
    case 3: return (route){ w * h - 1, -1, -w };          /* half a turn */
    case 4: return (route){ w * (h - 1), 1, -w };         /* mirrored top to bottom */
    case 5: return (route){ 0, h, 1 };                    /* along the main diagonal */
    case 6: return (route){ h - 1, h, -1 };               /* a quarter turn clockwise */
    case 7: return (route){ w * h - 1, -h, -1 };          /* along the other diagonal */
    case 8: return (route){ h * (w - 1), -h, 1 };         /* a quarter turn counter-clockwise */
    default: return (route){ 0, 1, w };
    }
}

akin_status akin_canvas_init(akin_canvas *canvas, int width, int height, akin_layout layout,
                             int orientation, size_t extra, const akin_encoded *from,
                             akin_error *err)
{
    *canvas = (akin_canvas){ .width = width, .height = height, .orientation = orientation,
                             .pixel = (size_t)akin_layout_bytes(layout) };
    size_t row, pixels = 0, strip = 0, need = 0;
    bool counts = akin_mul((size_t)width, canvas->pixel, &row) &&
                  akin_mul(row, (size_t)height, &pixels) &&
                  akin_mul(row, orientation == 1 ? 0 : AKIN_STRIP_ROWS, &strip) &&
                  akin_add(strip, 1, &strip) && /* akin_canvas_done reads pixels as four bytes */
                  akin_add(pixels, strip, &need) && akin_add(need, extra, &need) &&
                  need <= PTRDIFF_MAX;
    if (!counts)
        need = SIZE_MAX;
    if (!counts || need > from->memory_bytes)
        return akin_fail(
            err, AKIN_E_LIMIT, from->path,
            "a picture of %d x %d pixels needs %zu bytes of memory, the limit is %zu: raise "
            "it with --max-memory",
            width, height, need, from->memory_bytes);
    canvas->picture.pixels = malloc(pixels);
    canvas->strip = malloc(strip);
    if (canvas->picture.pixels == NULL || canvas->strip == NULL) {
        akin_canvas_clear(canvas);
        return akin_fail_nomem(err, "a picture", need);
    }
    canvas->picture.layout = layout;
    canvas->picture.stored_height = height;
    canvas->picture.width = orientation >= 5 ? height : width;
    canvas->picture.height = orientation >= 5 ? width : height;
    return AKIN_OK;
}

void akin_canvas_clear(akin_canvas *canvas)
{
    free(canvas->strip);
    canvas->strip = NULL;
    akin_picture_clear(&canvas->picture);
}

uint8_t *akin_canvas_rows(akin_canvas *canvas, int y)
{
    if (canvas->orientation == 1)
        return canvas->picture.pixels + (size_t)y * (size_t)canvas->width * canvas->pixel;
    return canvas->strip;
}

void akin_canvas_done(akin_canvas *canvas, int y, int count)
{
    if (canvas->orientation == 1)
        return;
    route r = route_of(canvas);
    ptrdiff_t at = r.origin + y * r.y_step, w = canvas->width, n = (ptrdiff_t)canvas->pixel;
    const uint8_t *strip = canvas->strip;
    uint8_t *pixels = canvas->picture.pixels;
    if (canvas->orientation < 5) {
        for (int i = 0; i < count; i++)
            akin_canvas_scatter(canvas, 0, y + i, 1, strip + i * w * n, (int)w);
        return;
    }
    /* Each stored column becomes a run, written upwards, four bytes a pixel: the fourth is
     * overwritten by the next pixel, and the last pixel writes its own. Of 12 megapixels that takes
     * 25 ms where single bytes took 36. */
    ptrdiff_t first = r.y_step > 0 ? 0 : count - 1, pitch = w * n;
    for (ptrdiff_t x = 0; x < w; x++) {
        uint8_t *to = pixels + (at + x * r.x_step + first * r.y_step) * n;
        const uint8_t *in = strip + x * n + first * pitch;
        for (int i = 1; i < count; i++, to += n, in += r.y_step * pitch)
            memcpy(to, in, 4);
        memcpy(to, in, (size_t)n);
    }
}

void akin_canvas_scatter(akin_canvas *canvas, int x, int y, int step, const uint8_t *in, int count)
{
    route r = route_of(canvas);
    ptrdiff_t at = r.origin + x * r.x_step + y * r.y_step, stride = step * r.x_step;
    ptrdiff_t n = (ptrdiff_t)canvas->pixel;
    uint8_t *pixels = canvas->picture.pixels;
    for (int i = 0; i < count; i++, in += n) {
        uint8_t *to = pixels + (at + i * stride) * n;
        to[0] = in[0];
        to[1] = in[1];
        to[2] = in[2];
        if (n == 4)
            to[3] = in[3];
    }
}

void akin_canvas_take(akin_canvas *canvas, const akin_encoded *from, akin_picture *out)
{
    akin_picture p = canvas->picture;
    canvas->picture = (akin_picture){ 0 };
    *out = p;
    if (from->as_stored)
        return;
    out->layout = AKIN_RGB;
    if (p.layout == AKIN_RGB || p.layout == AKIN_RGB_NEAREST)
        return;
    /* In place, front to back: three bytes never overtake four. */
    const size_t count = (size_t)p.width * (size_t)p.height;
    const uint8_t *in = p.pixels;
    uint8_t *rgb = p.pixels;
    for (size_t i = 0; i < count; i++, in += 4, rgb += 3) {
        const unsigned a = in[3];
        for (int c = 0; c < 3; c++)
            rgb[c] = p.layout == AKIN_CMYK ? akin_ink_to_light(in[c], a)
                     : a == 255            ? in[c]
                                           : akin_over_white(in[c], a);
    }
    uint8_t *smaller = realloc(p.pixels, 3 * count);
    if (smaller != NULL)
        out->pixels = smaller;
}
