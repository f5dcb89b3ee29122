/* contact_sheet.h - hits as one HTML page with thumbnails inside: opens from the disk, loads
 * nothing, runs nothing. */
#ifndef AKIN_REPORT_CONTACT_SHEET_H
#define AKIN_REPORT_CONTACT_SHEET_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "image/picture.h"

typedef struct akin_sheet_entry {
    const char *path;       /* absolute bytes; linked to as file:// */
    int64_t part;           /* >= 0: the frame of a video at this many milliseconds */
    float score;
    double z;               /* NaN: not shown */
    const char *caption;    /* NULL: none */
    const char *taken_at;   /* NULL: none */
} akin_sheet_entry;

typedef struct akin_sheet {
    const char *title;      /* the question */
    const char *note;       /* a line below it ("no clear match"), NULL: none */
    const akin_sheet_entry *entries;
    size_t count;
    int thumbnail;          /* longest side in pixels; 0: 320 */
    akin_picture_options limits;
} akin_sheet;

/* Adds the page to out. A picture that cannot be read has a box with the reason in its place. It
 * begins with AKIN_SHEET_MARK, by which index leaves such pages alone. One picture is decoded at a
 * time, within `limits`; the page itself takes some 20 KB a hit, and past the buffer's maximum is
 * AKIN_E_LIMIT. */
#define AKIN_SHEET_MARK  \
    "<!doctype html>\n"    \
    "<meta name=\"generator\" content=\"akin contact sheet\">\n"
akin_status akin_sheet_write(const akin_sheet *sheet, akin_buffer *out, akin_error *err);

/* Adds bytes as HTML text, safe in elements and quoted attributes; a byte that is not UTF-8 as
 * U+FFFD, control and bidi characters shown as \x1b, \u{202e}. */
akin_status akin_html_text(const char *bytes, size_t size, akin_buffer *out, akin_error *err);

/* Adds the file:// address of an absolute path: every byte that is not unreserved (RFC 3986) or '/'
 * is percent-encoded. */
akin_status akin_file_url(const char *path, akin_buffer *out, akin_error *err);

/* Adds a picture (part as in akin_sheet_entry) as an <img> with its bytes inside, at most `longest`
 * pixels on a side; or, when it cannot be read, <div class="none"> with the reason. */
akin_status akin_html_picture(const char *path, int64_t part, int longest,
                              const akin_picture_options *limits, const char *name,
                              akin_buffer *out, akin_error *err);

/* A number with `digits` (0 to 6) decimals, "?" when it is not below 1e9; by hand, since printf's
 * point is the locale's. */
void akin_decimal(char *out, size_t capacity, double value, int digits);

#endif
