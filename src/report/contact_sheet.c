/* contact_sheet.c - hits as one HTML page.
 *
 * Owns the page's form and the escaping of all that comes from outside: the question, file names,
 * captions, the reasons of errors. The page holds its pictures (data: addresses) and its style, has
 * no script, and forbids itself everything else by a content security policy, so that a name or a
 * caption that slipped through could still load and run nothing.
 */
#include "contact_sheet.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/utf8.h"
#include "image/jpeg_write.h"
#include "image/video.h"

#define THUMBNAIL 320 /* longest side by default: sharp at the grid's 10 rem on a dense screen */
#define THUMBNAIL_MOST 4096
#define QUALITY 80
#define JPEG_BYTES ((size_t)64 << 20) /* most that one may take: 4096 x 4096 of noise is 20 MB */

/* auto-fill: as many columns as fit; thumbnails keep their shape inside a square. */
static const char STYLE[] =
    "<style>\n"
    ":root{color-scheme:light dark;--back:#fff;--text:#1a1a1a;--dim:#666;--card:#f2f2f2}\n"
    "@media(prefers-color-scheme:dark)"
    "{:root{--back:#141414;--text:#e8e8e8;--dim:#9a9a9a;--card:#222}}\n"
    "body{margin:1.5rem;background:var(--back);color:var(--text);"
    "font:15px/1.4 system-ui,sans-serif}\n"
    "h1{font-size:1.4rem;margin:0 0 .3rem;overflow-wrap:anywhere}\n"
    "p{margin:0 0 1rem;color:var(--dim)}\n"
    "main{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(14rem,1fr))}\n"
    "figure{margin:0;padding:.6rem;border-radius:.5rem;background:var(--card);min-width:0}\n"
    "figure a,.none{display:flex;aspect-ratio:1;align-items:center;justify-content:center}\n"
    "img{max-width:100%;max-height:100%;width:auto;height:auto;border-radius:.25rem}\n"
    ".none{padding:.5rem;text-align:center;color:var(--dim);border:1px dashed var(--dim);"
    "border-radius:.25rem;overflow-wrap:anywhere;overflow:auto;box-sizing:border-box;width:100%}\n"
    "figcaption{margin-top:.5rem;overflow-wrap:anywhere}\n"
    "strong,small,q{display:block}\n"
    "q{quotes:none;font-style:italic}\n"
    "small{color:var(--dim)}\n"
    "</style>\n";

/* ---- text */

akin_status akin_html_text(const char *bytes, size_t size, akin_buffer *out, akin_error *err)
{
    akin_status status = AKIN_OK;
    for (size_t i = 0, plain; status == AKIN_OK && i < size; i += plain) {
        uint32_t c = 0;
        size_t n = 0;
        for (plain = 0; i + plain < size; plain += n) {
            n = akin_utf8_decode(bytes + i + plain, size - i - plain, &c);
            if (n == 0 || c == '<' || c == '>' || c == '&' || c == '"' || c == '\'' ||
                akin_utf8_unseen(c))
                break;
        }
        status = akin_buffer_add(out, bytes + i, plain, err);
        if (status != AKIN_OK || i + plain == size)
            continue;
        char shown[16];
        if (n == 0)
            strcpy(shown, "\xef\xbf\xbd");
        else if (c == '\n' || c == '\t' || c == '\r')
            snprintf(shown, sizeof shown, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
        else if (akin_utf8_unseen(c))
            snprintf(shown, sizeof shown, c < 0x80 ? "\\x%02x" : "\\u{%x}", (unsigned)c);
        else
            snprintf(shown, sizeof shown, "&#%u;", (unsigned)c);
        status = akin_buffer_add_text(out, shown, err);
        plain += n == 0 ? 1 : n;
    }
    return status;
}

akin_status akin_file_url(const char *path, akin_buffer *out, akin_error *err)
{
    static const char hex[] = "0123456789ABCDEF";
    akin_status status = akin_buffer_add_text(out, "file://", err);
    for (const char *at = path; status == AKIN_OK && *at != '\0'; at++) {
        const unsigned char c = (unsigned char)*at;
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            strchr("-._~/", c) != NULL)
            status = akin_buffer_add(out, at, 1, err);
        else
            status = akin_buffer_add(out, (char[]){ '%', hex[c >> 4], hex[c & 15] }, 3, err);
    }
    return status;
}

void akin_decimal(char *out, size_t capacity, double value, int digits)
{
    static const long long units[] = { 1, 10, 100, 1000, 10000, 100000, 1000000 };
    if (!(fabs(value) < 1e9)) {
        snprintf(out, capacity, "?");
        return;
    }
    const long long whole = llround(fabs(value) * (double)units[digits]);
    if (digits == 0) {
        snprintf(out, capacity, "%s%lld", value < 0 && whole != 0 ? "-" : "", whole);
        return;
    }
    snprintf(out, capacity, "%s%lld.%0*lld", value < 0 && whole != 0 ? "-" : "",
             whole / units[digits], digits, whole % units[digits]);
}

static akin_status add_text(const char *text, akin_buffer *out, akin_error *err)
{
    return akin_html_text(text, strlen(text), out, err);
}

/* ---- one hit */

static akin_status read_one(const char *path, int64_t part, const akin_picture_options *limits,
                            akin_picture *out, akin_error *err)
{
    if (part < 0)
        return akin_picture_read(out, path, limits, err);
    *out = (akin_picture){ 0 };
    akin_video *video = NULL;
    akin_status status = akin_video_open(&video, path, limits, err);
    if (status == AKIN_OK)
        status = akin_video_frame(video, part, out, err);
    akin_video_close(video);
    return status;
}

/* The picture as a small JPEG. Its failure is the reason that its box shows. */
static akin_status make_thumbnail(const char *path, int64_t part, int longest,
                                  const akin_picture_options *limits, akin_picture *small,
                                  akin_buffer *jpeg, akin_error *err)
{
    akin_picture whole = { 0 };
    akin_status status;
    AKIN_TRY(read_one(path, part, limits, &whole, err));
    AKIN_TRY(akin_thumbnail(&whole, longest, small, err));
    AKIN_TRY(akin_jpeg_write(small, QUALITY, jpeg, err));
out:
    akin_picture_clear(&whole);
    return status;
}

akin_status akin_html_picture(const char *path, int64_t part, int longest,
                              const akin_picture_options *limits, const char *name,
                              akin_buffer *out, akin_error *err)
{
    akin_status status;
    akin_picture small = { 0 };
    akin_buffer jpeg;
    akin_error why = { 0 };
    char text[96];
    akin_buffer_init(&jpeg, "thumbnail", JPEG_BYTES);
    const akin_status made = make_thumbnail(path, part, longest, limits, &small, &jpeg, &why);
    if (made != AKIN_OK) {
        AKIN_TRY(akin_buffer_add_text(out, "<div class=\"none\" dir=\"auto\">", err));
        AKIN_TRY(add_text(why.message, out, err));
        AKIN_TRY(akin_buffer_add_text(out, "</div>", err));
        goto out;
    }
    /* width and height: the grid does not move while the page loads. */
    snprintf(text, sizeof text, "<img width=\"%d\" height=\"%d\" loading=\"lazy\" alt=\"",
             small.width, small.height);
    AKIN_TRY(akin_buffer_add_text(out, text, err));
    AKIN_TRY(add_text(name, out, err));
    AKIN_TRY(akin_buffer_add_text(out, "\" src=\"data:image/jpeg;base64,", err));
    AKIN_TRY(akin_buffer_reserve(out, akin_base64_size(jpeg.size), err));
    out->size += akin_base64(jpeg.data, jpeg.size, out->data + out->size);
    AKIN_TRY(akin_buffer_add_text(out, "\">", err));
out:
    akin_buffer_clear(&jpeg);
    akin_picture_clear(&small);
    return status;
}

static akin_status add_hit(const akin_sheet *sheet, const akin_sheet_entry *entry, akin_buffer *out,
                           akin_error *err)
{
    akin_status status;
    const char *slash = strrchr(entry->path, '/');
    const char *name = slash != NULL && slash[1] != '\0' ? slash + 1 : entry->path;
    char text[96], number[48];
    const bool linked = entry->path[0] == '/'; /* else relative to who knows what */

    AKIN_TRY(akin_buffer_add_text(out, "<figure>", err));
    if (linked) {
        AKIN_TRY(akin_buffer_add_text(out, "<a href=\"", err));
        AKIN_TRY(akin_file_url(entry->path, out, err));
        if (entry->part >= 0) { /* where a browser starts to play */
            akin_decimal(number, sizeof number, (double)entry->part / 1000, 3);
            snprintf(text, sizeof text, "#t=%s", number);
            AKIN_TRY(akin_buffer_add_text(out, text, err));
        }
        AKIN_TRY(akin_buffer_add_text(out, "\">", err));
    }
    AKIN_TRY(akin_html_picture(entry->path, entry->part,
                               sheet->thumbnail > 0 ? sheet->thumbnail : THUMBNAIL,
                               &sheet->limits, name, out, err));
    AKIN_TRY(akin_buffer_add_text(out, linked ? "</a>\n" : "\n", err));

    AKIN_TRY(akin_buffer_add_text(out, "<figcaption><strong dir=\"auto\">", err));
    AKIN_TRY(add_text(name, out, err));
    AKIN_TRY(akin_buffer_add_text(out, "</strong>", err));
    if (name != entry->path) {
        AKIN_TRY(akin_buffer_add_text(out, "<small dir=\"auto\">", err));
        AKIN_TRY(akin_html_text(entry->path, name - entry->path > 1
                                                 ? (size_t)(name - entry->path) - 1 : 1,
                                out, err));
        AKIN_TRY(akin_buffer_add_text(out, "</small>", err));
    }
    if (entry->caption != NULL && entry->caption[0] != '\0') {
        AKIN_TRY(akin_buffer_add_text(out, "<q dir=\"auto\">", err));
        AKIN_TRY(add_text(entry->caption, out, err));
        AKIN_TRY(akin_buffer_add_text(out, "</q>", err));
    }
    akin_decimal(number, sizeof number, (double)entry->score, 3);
    snprintf(text, sizeof text, "<small>score %s", number);
    AKIN_TRY(akin_buffer_add_text(out, text, err));
    if (isfinite(entry->z)) {
        akin_decimal(number, sizeof number, entry->z, 1);
        snprintf(text, sizeof text, " &middot; z %s", number);
        AKIN_TRY(akin_buffer_add_text(out, text, err));
    }
    if (entry->part >= 0) {
        const long long second = (long long)(entry->part / 1000);
        snprintf(text, sizeof text, " &middot; at %lld:%02lld:%02lld", second / 3600,
                 second / 60 % 60, second % 60);
        AKIN_TRY(akin_buffer_add_text(out, text, err));
    }
    if (entry->taken_at != NULL && entry->taken_at[0] != '\0') {
        AKIN_TRY(akin_buffer_add_text(out, " &middot; ", err));
        AKIN_TRY(add_text(entry->taken_at, out, err));
    }
    AKIN_TRY(akin_buffer_add_text(out, "</small></figcaption></figure>\n", err));
out:
    return status;
}

akin_status akin_sheet_write(const akin_sheet *sheet, akin_buffer *out, akin_error *err)
{
    akin_status status;
    if (sheet->thumbnail < 0 || sheet->thumbnail > THUMBNAIL_MOST)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "thumbnails of %d pixels: 1 to %d can be made",
                         sheet->thumbnail, THUMBNAIL_MOST);
    const char *title = sheet->title != NULL ? sheet->title : "";
    AKIN_TRY(akin_buffer_add_text(
        out,
        AKIN_SHEET_MARK
        "<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
        "img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
        "<meta name=\"referrer\" content=\"no-referrer\">\n"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
        "<title>",
        err));
    AKIN_TRY(add_text(title, out, err));
    AKIN_TRY(akin_buffer_add_text(out, "</title>\n", err));
    AKIN_TRY(akin_buffer_add_text(out, STYLE, err));
    AKIN_TRY(akin_buffer_add_text(out, "<h1 dir=\"auto\">", err));
    AKIN_TRY(add_text(title, out, err));
    AKIN_TRY(akin_buffer_add_text(out, "</h1>\n", err));
    if (sheet->note != NULL && sheet->note[0] != '\0') {
        AKIN_TRY(akin_buffer_add_text(out, "<p dir=\"auto\">", err));
        AKIN_TRY(add_text(sheet->note, out, err));
        AKIN_TRY(akin_buffer_add_text(out, "</p>\n", err));
    }
    AKIN_TRY(akin_buffer_add_text(out, "<main>\n", err));
    for (size_t i = 0; i < sheet->count; i++)
        AKIN_TRY(add_hit(sheet, &sheet->entries[i], out, err));
    AKIN_TRY(akin_buffer_add_text(out, "</main>\n", err));
out:
    return status;
}
