/* Contact sheets, and what they are made of: escaping, addresses, base64, JPEG, thumbnails. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/file.h"
#include "image/jpeg_write.h"
#include "report/contact_sheet.h"

#define PHOTO "tests/golden/pictures/size-640x480.jpg"

static void base64(void **state)
{
    (void)state;
    /* RFC 4648, section 10. */
    static const char *const pairs[][2] = { { "", "" },           { "f", "Zg==" },
                                            { "fo", "Zm8=" },     { "foo", "Zm9v" },
                                            { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
                                            { "foobar", "Zm9vYmFy" } };
    char out[16];
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const size_t n = strlen(pairs[i][0]);
        assert_int_equal(akin_base64(pairs[i][0], n, out), strlen(pairs[i][1]));
        assert_int_equal(akin_base64_size(n), strlen(pairs[i][1]));
        assert_memory_equal(out, pairs[i][1], strlen(pairs[i][1]));
    }
    assert_int_equal(akin_base64("\xff\xfe\xfb\x00", 4, out), 8);
    assert_memory_equal(out, "//77AA==", 8);
}

static size_t decode_base64(const char *text, uint8_t *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0, bits = 0;
    uint32_t v = 0;
    for (; *text != '"' && *text != '='; text++) {
        const char *digit = strchr(digits, *text);
        assert_non_null(digit);
        v = v << 6 | (uint32_t)(digit - digits);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (uint8_t)(v >> bits);
        }
    }
    return n;
}

/* ---- text */

static void is_html(const char *bytes, size_t size, const char *expected)
{
    akin_buffer out;
    akin_buffer_init(&out, "text", 1000);
    assert_int_equal(akin_html_text(bytes, size, &out, NULL), AKIN_OK);
    assert_int_equal(out.size, strlen(expected));
    assert_string_equal(out.data != NULL ? out.data : "", expected);
    akin_buffer_clear(&out);
}

static void html(void **state)
{
    (void)state;
#define HTML(text, expected) is_html(text, sizeof(text) - 1, expected)
    HTML("", "");
    HTML("a plain name.jpg", "a plain name.jpg");
    HTML("<script>alert(1)</script>", "&#60;script&#62;alert(1)&#60;/script&#62;");
    HTML("\" onerror='x' &amp;", "&#34; onerror=&#39;x&#39; &#38;amp;");
    HTML("\xe7\x8c\xab \xf0\x9f\x90\x88", "\xe7\x8c\xab \xf0\x9f\x90\x88");
    HTML("a\nb\tc\rd\x1b[2Je\0f", "a\\nb\\tc\\rd\\x1b[2Je\\x00f");
    HTML("x\x7f\xc2\x85y", "x\\x7f\\u{85}y");
    HTML("gpj\xe2\x80\xae.exe\xe2\x81\xa6", "gpj\\u{202e}.exe\\u{2066}");
    HTML("\xff", "\xef\xbf\xbd");
    HTML("a\xe7\x8c z", "a\xef\xbf\xbd\xef\xbf\xbd z");
    HTML("\xc0\xbc\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    akin_buffer small;
    akin_buffer_init(&small, "text", 6);
    assert_int_equal(akin_html_text("<<", 2, &small, NULL), AKIN_E_LIMIT);
    akin_buffer_clear(&small);
}

static void addresses(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        { "/a/b-c_d.e~f/9.jpg", "file:///a/b-c_d.e~f/9.jpg" },
        { "/a b/%41?x#y&z", "file:///a%20b/%2541%3Fx%23y%26z" },
        { "/\"'<>\\:@", "file:///%22%27%3C%3E%5C%3A%40" },
        { "/\xff\n\x1b\xe7\x8c\xab", "file:///%FF%0A%1B%E7%8C%AB" },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        akin_buffer out;
        akin_buffer_init(&out, "text", 1000);
        assert_int_equal(akin_file_url(pairs[i][0], &out, NULL), AKIN_OK);
        assert_string_equal(out.data, pairs[i][1]);
        akin_buffer_clear(&out);
    }
}

/* ---- JPEG */

/* Smooth colours with an edge: what a photograph is to a coder. */
static akin_picture drawn(int width, int height)
{
    akin_picture p = { .width = width, .height = height, .stored_height = height,
                       .layout = AKIN_RGB };
    p.pixels = malloc((size_t)width * (size_t)height * 3);
    assert_non_null(p.pixels);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *to = p.pixels + 3 * ((size_t)y * (size_t)width + (size_t)x);
            to[0] = (uint8_t)(x * 255 / width);
            to[1] = (uint8_t)(y * 255 / height);
            to[2] = x > width / 2 ? 200 : 40;
        }
    return p;
}

static double mean_difference(const akin_picture *a, const akin_picture *b)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    const size_t n = (size_t)a->width * (size_t)a->height * 3;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += abs(a->pixels[i] - b->pixels[i]);
    return sum / (double)n;
}

static void jpeg(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 1, 1 }, { 7, 3 }, { 16, 16 }, { 161, 97 }, { 640, 480 } };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        akin_picture p = drawn(sizes[i][0], sizes[i][1]), back;
        akin_buffer out;
        akin_buffer_init(&out, "JPEG", 1 << 20);
        assert_int_equal(akin_buffer_add_text(&out, "head", NULL), AKIN_OK);
        assert_int_equal(akin_jpeg_write(&p, 95, &out, NULL), AKIN_OK);
        assert_memory_equal(out.data, "head\xff\xd8\xff\xe0", 8);
        assert_int_equal(out.data[out.size], 0);
        assert_int_equal(akin_picture_decode(&back, out.data + 4, out.size - 4, "x", NULL, NULL),
                         AKIN_OK);
        assert_true(mean_difference(&p, &back) < (p.width < 97 ? 20 : 2)); /* half the chroma */
        akin_picture_clear(&back);
        /* No room: nothing is added. */
        out.max = out.size - 1;
        out.size = 4;
        akin_error err = { 0 };
        if (out.max < 16384) {
            assert_int_equal(akin_jpeg_write(&p, 95, &out, &err), AKIN_E_LIMIT);
            assert_int_equal(out.size, 4);
            assert_string_equal(out.data, "head");
        }
        akin_buffer_clear(&out);
        akin_picture_clear(&p);
    }
    akin_picture p = drawn(64, 64);
    akin_buffer good, bad;
    akin_buffer_init(&good, "JPEG", 1 << 20);
    akin_buffer_init(&bad, "JPEG", 1 << 20);
    assert_int_equal(akin_jpeg_write(&p, 100, &good, NULL), AKIN_OK);
    assert_int_equal(akin_jpeg_write(&p, 1, &bad, NULL), AKIN_OK);
    assert_true(bad.size * 2 < good.size);
    assert_int_equal(akin_jpeg_write(&p, 0, &bad, NULL), AKIN_E_ARGUMENT);
    assert_int_equal(akin_jpeg_write(&p, 101, &bad, NULL), AKIN_E_ARGUMENT);
    p.layout = AKIN_RGBA;
    assert_int_equal(akin_jpeg_write(&p, 90, &bad, NULL), AKIN_E_ARGUMENT);
    p.layout = AKIN_RGB;
    p.width = 65501;
    assert_int_equal(akin_jpeg_write(&p, 90, &bad, NULL), AKIN_E_UNSUPPORTED);
    akin_buffer_clear(&good);
    akin_buffer_clear(&bad);
    akin_picture_clear(&p);
}

static void thumbnails(void **state)
{
    (void)state;
    static const int cases[][5] = {
        { 640, 480, 320, 320, 240 }, { 480, 640, 320, 240, 320 }, { 1000, 1, 100, 100, 1 },
        { 1, 1000, 10, 1, 10 },      { 320, 200, 320, 320, 200 }, { 5, 4, 320, 5, 4 },
        { 333, 222, 100, 100, 67 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        akin_picture p = drawn(cases[i][0], cases[i][1]), small;
        assert_int_equal(akin_thumbnail(&p, cases[i][2], &small, NULL), AKIN_OK);
        assert_int_equal(small.width, cases[i][3]);
        assert_int_equal(small.height, cases[i][4]);
        if (small.width >= 100 && small.height >= 60) {
            akin_picture expected = drawn(small.width, small.height);
            assert_true(mean_difference(&small, &expected) < 3);
            akin_picture_clear(&expected);
        }
        akin_picture_clear(&small);
        akin_picture_clear(&p);
    }
    akin_picture nothing = { 0 }, out;
    assert_int_equal(akin_thumbnail(&nothing, 10, &out, NULL), AKIN_E_ARGUMENT);
    assert_null(out.pixels);
}

/* ---- the page */

static size_t occurrences(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
        n++;
    return n;
}

static void page(void **state)
{
    (void)state;
    const akin_sheet_entry entries[] = {
        { .path = PHOTO, .part = -1, .score = 0.31249f, .z = 4.25,
          .taken_at = "2023-06-15T14:03:22" },
        { .path = "/nowhere/<b>\"x\" \xff\n.jpg", .part = -1, .score = -0.0004f, .z = (double)NAN,
          .caption = "a \xe2\x80\xae<i>cat</i>" },
        { .path = "README.md", .part = -1, .score = 1, .z = -0.5 },
        { .path = "/nowhere/a b.mp4", .part = 3723500, .score = 0.2f, .z = 0 },
    };
    akin_sheet sheet = { .title = "cats & </title><script>", .note = "no clear match <", .count = 4,
                         .entries = entries, .thumbnail = 64,
                         .limits = akin_picture_default_options() };
    akin_buffer out;
    akin_buffer_init(&out, "page", 1 << 20);
    assert_int_equal(akin_sheet_write(&sheet, &out, NULL), AKIN_OK);
    const char *text = out.data;
    assert_int_equal(strncmp(text, AKIN_SHEET_MARK, strlen(AKIN_SHEET_MARK)), 0);
    assert_non_null(strstr(text, "<meta charset=\"utf-8\">"));
    assert_non_null(strstr(text, "default-src 'none'; img-src data:; style-src 'unsafe-inline'"));
    assert_int_equal(occurrences(text, "<figure>"), 4);
    assert_int_equal(occurrences(text, "</figure>"), 4);
    assert_int_equal(occurrences(text, "<script"), 0);
    assert_int_equal(occurrences(text, "http:"), 0);
    assert_int_equal(occurrences(text, "https:"), 0);
    assert_int_equal(occurrences(text, "url("), 0);
    assert_int_equal(occurrences(text, "\xe2\x80\xae"), 0);
    assert_int_equal(occurrences(text, "\x1b"), 0);
    assert_int_equal(occurrences(text, "<b>"), 0);
    assert_int_equal(occurrences(text, "<i>"), 0);
    assert_int_equal(occurrences(text, "<a "), 2);
    assert_non_null(strstr(text, "<title>cats &#38; &#60;/title&#62;&#60;script&#62;</title>"));
    assert_non_null(strstr(text, "<p dir=\"auto\">no clear match &#60;</p>"));
    assert_non_null(strstr(text, "score 0.312 &middot; z 4.3 &middot; 2023-06-15T14:03:22<"));
    assert_non_null(strstr(text, "<strong dir=\"auto\">size-640x480.jpg</strong>"
                                 "<small dir=\"auto\">tests/golden/pictures</small>"));
    assert_non_null(strstr(text, "href=\"file:///nowhere/%3Cb%3E%22x%22%20%FF%0A.jpg\">"));
    assert_non_null(strstr(text, "&#60;b&#62;&#34;x&#34; \xef\xbf\xbd\\n.jpg"));
    assert_non_null(strstr(text, "score 0.000<"));
    assert_non_null(strstr(text, "score 1.000 &middot; z -0.5<"));
    assert_non_null(strstr(text, "file:///nowhere/a%20b.mp4#t=3723.500\">"));
    assert_non_null(strstr(text, " &middot; at 1:02:03<"));
    assert_int_equal(occurrences(text, "class=\"none\""), 3);

    /* The one picture in it is the thumbnail. */
    static const char data[] = "src=\"data:image/jpeg;base64,";
    assert_int_equal(occurrences(text, data), 1);
    uint8_t *bytes = malloc(out.size);
    akin_picture whole, small, shown;
    assert_non_null(bytes);
    const size_t n = decode_base64(strstr(text, data) + strlen(data), bytes);
    assert_int_equal(akin_picture_decode(&shown, bytes, n, "x", NULL, NULL), AKIN_OK);
    assert_int_equal(akin_picture_read(&whole, PHOTO, NULL, NULL), AKIN_OK);
    assert_int_equal(akin_thumbnail(&whole, 64, &small, NULL), AKIN_OK);
    assert_true(mean_difference(&small, &shown) < 12); /* measured: 8.9 of noise */
    assert_true(n < 8192);
    assert_null(memmem(bytes, n, "Exif", 4));
    akin_picture_clear(&whole);
    akin_picture_clear(&small);
    akin_picture_clear(&shown);
    free(bytes);

    /* A limit is the picture's reason; the page's own limit is an error. */
    sheet.limits.memory_bytes = 1000;
    sheet.count = 1;
    out.size = 0;
    assert_int_equal(akin_sheet_write(&sheet, &out, NULL), AKIN_OK);
    assert_int_equal(occurrences(out.data, "class=\"none\""), 1);
    assert_non_null(strstr(out.data, "--max-memory"));
    out.size = 0;
    sheet.limits = akin_picture_default_options();
    assert_int_equal(akin_sheet_write(&sheet, &out, NULL), AKIN_OK);
    akin_error err = { 0 };
    for (out.max = out.size - 1; out.max > 100; out.max /= 2) {
        out.size = 0;
        assert_int_equal(akin_sheet_write(&sheet, &out, &err), AKIN_E_LIMIT);
    }
    sheet.thumbnail = 5000;
    assert_int_equal(akin_sheet_write(&sheet, &out, &err), AKIN_E_ARGUMENT);
    akin_buffer_clear(&out);

    /* None is a page too. */
    sheet = (akin_sheet){ .title = "nothing", .limits = akin_picture_default_options() };
    akin_buffer_init(&out, "page", 1 << 20);
    assert_int_equal(akin_sheet_write(&sheet, &out, NULL), AKIN_OK);
    assert_non_null(strstr(out.data, "<main>\n</main>\n"));
    assert_null(strstr(out.data, "<p "));
    akin_buffer_clear(&out);
}

/* The frame of a video, or in a build without FFmpeg what to install. */
static void frame(void **state)
{
    (void)state;
    const akin_sheet_entry entry = { .path = "tests/golden/video/plain.mp4", .part = 1000 };
    const akin_sheet sheet = { .title = "a frame", .count = 1, .entries = &entry,
                               .limits = akin_picture_default_options() };
    akin_buffer out;
    akin_buffer_init(&out, "page", 1 << 20);
    assert_int_equal(akin_sheet_write(&sheet, &out, NULL), AKIN_OK);
    const bool needs = strstr(out.data, "videos need FFmpeg: ") != NULL;
    assert_int_equal(occurrences(out.data, "class=\"none\""), needs);
    assert_int_equal(occurrences(out.data, "<img width=\"64\" height=\"48\""), !needs);
    assert_non_null(strstr(out.data, " &middot; at 0:00:01<"));
    akin_buffer_clear(&out);
    if (needs) {
        print_message("skipped: no akin_video.so\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64), cmocka_unit_test(html),       cmocka_unit_test(addresses),
        cmocka_unit_test(jpeg),   cmocka_unit_test(thumbnails), cmocka_unit_test(page),
        cmocka_unit_test(frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
