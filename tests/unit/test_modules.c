/* test_modules.c - image/heif.c, raw.c and library.c: HEIC, AVIF and raw photographs against second
 * decoders (tests/golden/modules) where libheif and LibRaw are installed, and with libraries made
 * up here for what an installed one does not do: old versions, missing decoders, odd previews. */
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Before heif.h and raw.h, which then declare nothing that the libraries' headers declare, so that
 * the compiler compares the two (below). */
#ifdef AKIN_HAVE_HEIF_H
#include <libheif/heif.h>
#endif
#ifdef AKIN_HAVE_RAW_H
#include <libraw/libraw.h>
#endif

#include "base/file.h"
#include "base/json.h"
#include "image/heif.h"
#include "image/library.h"
#include "image/picture.h"
#include "image/raw.h"
#include "picture_golden.h"

#define GOLDEN "tests/golden/modules/"

/* ---- our declarations are the libraries' */

#define SAME(table, prefix, member)                                                        \
    _Static_assert(_Generic(&prefix##member, __typeof__(((table *)0)->member): 1,          \
                            default: 0), #prefix #member " is declared otherwise")

#ifdef AKIN_HAVE_HEIF_H
#define SAME_HEIF(member) SAME(akin_heif_calls, heif_, member)
SAME_HEIF(get_version);
SAME_HEIF(get_version_number);
#if LIBHEIF_NUMERIC_VERSION >= 0x010d0000
SAME_HEIF(init);
SAME_HEIF(context_set_max_decoding_threads);
_Static_assert((int)heif_error_Plugin_loading_error == AKIN_HEIF_PLUGIN_LOADING, "since 1.13");
#endif
SAME_HEIF(have_decoder_for_format);
SAME_HEIF(context_alloc);
SAME_HEIF(context_free);
SAME_HEIF(context_read_from_memory_without_copy);
SAME_HEIF(context_set_maximum_image_size_limit);
SAME_HEIF(context_get_primary_image_handle);
SAME_HEIF(image_handle_release);
SAME_HEIF(image_handle_get_width);
SAME_HEIF(image_handle_get_height);
SAME_HEIF(image_handle_get_ispe_width);
SAME_HEIF(image_handle_get_ispe_height);
SAME_HEIF(image_handle_get_luma_bits_per_pixel);
SAME_HEIF(image_handle_has_alpha_channel);
SAME_HEIF(image_handle_is_premultiplied_alpha);
SAME_HEIF(decode_image);
SAME_HEIF(image_get_width);
SAME_HEIF(image_get_height);
SAME_HEIF(image_get_plane_readonly);
SAME_HEIF(image_release);
_Static_assert((int)heif_error_Unsupported_filetype == AKIN_HEIF_UNSUPPORTED_FILE &&
               (int)heif_error_Unsupported_feature == AKIN_HEIF_UNSUPPORTED_FEATURE &&
               (int)heif_error_Memory_allocation_error == AKIN_HEIF_MEMORY &&
               (int)heif_suberror_End_of_data == AKIN_HEIF_END_OF_DATA &&
               (int)heif_suberror_Security_limit_exceeded == AKIN_HEIF_SECURITY_LIMIT &&
               (int)heif_colorspace_RGB == AKIN_HEIF_RGB &&
               (int)heif_chroma_interleaved_RGB == AKIN_HEIF_INTERLEAVED_RGB &&
               (int)heif_chroma_interleaved_RGBA == AKIN_HEIF_INTERLEAVED_RGBA &&
               (int)heif_channel_interleaved == AKIN_HEIF_INTERLEAVED &&
               (int)heif_compression_HEVC == AKIN_HEIF_HEVC &&
               (int)heif_compression_AV1 == AKIN_HEIF_AV1, "libheif's numbers");
_Static_assert(sizeof((struct heif_error){ 0 }.code) == 4 &&
               offsetof(struct heif_error, subcode) == 4 &&
               offsetof(struct heif_error, message) == 8, "libheif's error");
#endif

#ifdef AKIN_HAVE_RAW_H
#define SAME_RAW(member) SAME(akin_raw_calls, libraw_, member)
SAME_RAW(strerror);
SAME_RAW(init);
SAME_RAW(close);
SAME_RAW(unpack_thumb);
SAME_RAW(dcraw_make_mem_thumb);
SAME_RAW(dcraw_clear_mem);
_Static_assert((int)LIBRAW_IMAGE_JPEG == AKIN_RAW_JPEG &&
               (int)LIBRAW_IMAGE_BITMAP == AKIN_RAW_BITMAP &&
               (int)LIBRAW_FILE_UNSUPPORTED == AKIN_RAW_NO_FILE &&
               (int)LIBRAW_NO_THUMBNAIL == AKIN_RAW_NO_THUMBNAIL &&
               (int)LIBRAW_UNSUPPORTED_THUMBNAIL == AKIN_RAW_UNSUPPORTED_THUMBNAIL &&
               (int)LIBRAW_UNSUFFICIENT_MEMORY == AKIN_RAW_NO_MEMORY &&
               (int)LIBRAW_IO_ERROR == AKIN_RAW_IO && (int)LIBRAW_TOO_BIG == AKIN_RAW_TOO_BIG,
               "LibRaw's numbers");
#endif
_Static_assert(offsetof(libraw_processed_image_t, height) == 4 &&
               offsetof(libraw_processed_image_t, width) == 6 &&
               offsetof(libraw_processed_image_t, bits) == 10 &&
               offsetof(libraw_processed_image_t, data_size) == 12 &&
               offsetof(libraw_processed_image_t, data) == 16, "LibRaw's preview");

/* ---- the goldens */

/* The mean difference to the second decoder that is still the same picture. Where the two differ is
 * in how subsampled colours are stretched and in the rounding of the colour conversion: at most
 * 0.71 with libheif 1.15.1 and 1.19.7; the wrong way up is more than 30. */
#define BOUND 1.5

/* `p` as an EXIF orientation turns it, a pixel at a time. */
static akin_picture turn(const akin_picture *p, int orientation)
{
    akin_picture q = *p;
    const int w = p->width, h = p->height;
    q.width = orientation >= 5 ? h : w;
    q.height = orientation >= 5 ? w : h;
    q.pixels = malloc((size_t)w * (size_t)h * 3);
    for (int y = 0; y < q.height; y++)
        for (int x = 0; x < q.width; x++) {
            /* where it comes from, orientations 1 to 8 */
            const int from_x[] = { x, w - 1 - x, w - 1 - x, x, y, y, w - 1 - y, w - 1 - y };
            const int from_y[] = { y, y, h - 1 - y, h - 1 - y, x, h - 1 - x, h - 1 - x, x };
            memcpy(q.pixels + 3 * (y * q.width + x),
                   p->pixels + 3 * (from_y[orientation - 1] * w + from_x[orientation - 1]), 3);
        }
    return q;
}

static double mean_difference(const akin_picture *a, const akin_picture *b)
{
    size_t size = (size_t)a->width * (size_t)a->height * 3;
    double sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += abs(a->pixels[i] - b->pixels[i]);
    return sum / (double)size;
}

/* Why a golden cannot be tried on this machine; NULL: it can. `text` is of 300 bytes. */
static const char *cannot(const char *kind, bool ios18, char *text)
{
    const char *why;
    if (strcmp(kind, "raw") == 0) {
        if (akin_raw_library(&why) != NULL)
            return NULL;
        snprintf(text, 300, "no LibRaw here: %s", why);
        return text;
    }
    const akin_heif_calls *heif = akin_heif_library(&why);
    if (heif == NULL) {
        snprintf(text, 300, "no libheif here: %s", why);
        return text;
    }
    bool av1 = strcmp(kind, "avif") == 0;
    if (!heif->have_decoder_for_format(av1 ? AKIN_HEIF_AV1 : AKIN_HEIF_HEVC))
        snprintf(text, 300, "libheif %s has no %s decoder", heif->get_version(),
                 av1 ? "AV1" : "HEVC");
    else if (ios18 && heif->get_version_number() < (1 << 24 | 18 << 16 | 2 << 8))
        snprintf(text, 300, "libheif %s is older than 1.18.2", heif->get_version());
    else
        return NULL;
    return text;
}

/* Reads the PNG beside a golden. */
static akin_picture second_decoder(const char *file)
{
    char path[256];
    akin_picture p;
    akin_error err = { 0 };
    snprintf(path, sizeof path, GOLDEN "%s.png", file);
    if (akin_picture_read(&p, path, NULL, &err) != AKIN_OK)
        fail_msg("%s: %s", path, err.message);
    return p;
}

/* Those of one kind; each is decoded, or refused by name when it cannot be tried. Skips, with the
 * reason, when none could. */
static void goldens(const char *only, bool ios18)
{
    akin_json *all;
    akin_error err = { 0 };
    assert_int_equal(akin_json_read(GOLDEN "manifest.json", 1 << 20, &all, &err), AKIN_OK);
    size_t i, wrong = 0, tried = 0, skipped = 0;
    double worst = 0;
    char text[300] = "";
    const akin_json *entry;
    for (i = 0; i < akin_json_count(akin_json_get(all, "pictures")); i++) {
        entry = akin_json_at(akin_json_get(all, "pictures"), i);
        char path[256], hash[17];
        const char *file = akin_json_string(akin_json_get(entry, "file"));
        const char *kind = akin_json_string(akin_json_get(entry, "kind"));
        const char *rgb = akin_json_string(akin_json_get(entry, "rgb"));
        if (strcmp(kind, only) != 0 || akin_json_is_true(akin_json_get(entry, "ios18")) != ios18)
            continue;
        const char *why = cannot(kind, ios18, text);
        snprintf(path, sizeof path, GOLDEN "%s", file);
        akin_picture p;
        akin_status status = akin_picture_read(&p, path, NULL, &err);
        if (why != NULL) { /* then it is refused, and by name */
            skipped++;
            if (status != AKIN_E_UNSUPPORTED ||
                (strstr(err.message, "libheif") == NULL && strstr(err.message, "LibRaw") == NULL)) {
                print_error("%s: %s\n", file, status == AKIN_OK ? "decoded" : err.message);
                wrong++;
            }
            akin_picture_clear(&p);
            continue;
        }
        tried++;
        if (strcmp(kind, "raw") == 0 && rgb == NULL) {
            if (status != AKIN_E_UNSUPPORTED || strstr(err.message, "without a preview") == NULL) {
                print_error("%s: %s\n", file, status == AKIN_OK ? "decoded" : err.message);
                wrong++;
            }
        } else if (status != AKIN_OK) {
            print_error("%s: %s\n", file, err.message);
            wrong++;
        } else if (rgb != NULL) { /* our own JPEG decoder: equal */
            size_t size = (size_t)p.width * (size_t)p.height * 3;
            if (p.width != akin_json_integer(akin_json_get(entry, "width")) ||
                p.height != akin_json_integer(akin_json_get(entry, "height")) ||
                strcmp(golden_hash(p.pixels, size, hash), rgb) != 0) {
                print_error("%s: the pixels differ\n", file);
                wrong++;
            }
        } else {
            const akin_json *turned = akin_json_get(entry, "turned");
            akin_picture q = second_decoder(turned != NULL ? akin_json_string(turned) : file);
            if (turned != NULL) {
                akin_picture r =
                    turn(&q, (int)akin_json_integer(akin_json_get(entry, "orientation")));
                akin_picture_clear(&q);
                q = r;
            }
            double d = p.width == q.width && p.height == q.height ? mean_difference(&p, &q) : 255;
            worst = d > worst ? d : worst;
            if (d > BOUND) {
                print_error("%s: %d x %d, mean difference %.2f\n", file, p.width, p.height, d);
                wrong++;
            }
            akin_picture_clear(&q);
        }
        akin_picture_clear(&p);
    }
    akin_json_free(all);
    assert_int_equal(wrong, 0);
    assert_true(tried + skipped >= (ios18 ? 1 : 6));
    print_message("%s: %zu tried, largest mean difference %.2f\n", only, tried, worst);
    if (skipped != 0) {
        print_message("%s\n", text);
        skip();
    }
}

static void heic(void **state)
{
    (void)state;
    goldens("heic", false);
}

static void avif(void **state)
{
    (void)state;
    goldens("avif", false);
}

static void raw(void **state)
{
    (void)state;
    goldens("raw", false);
}

static void ios18(void **state)
{
    (void)state;
    goldens("heic", true);
}

/* ---- files that are cut or changed: an answer, and what a sanitizer has to say */

static akin_buffer load(const char *name)
{
    char path[256];
    akin_buffer file;
    akin_error err = { 0 };
    snprintf(path, sizeof path, GOLDEN "%s", name);
    if (akin_file_read(path, "picture", 1 << 20, &file, &err) != AKIN_OK)
        fail_msg("%s: %s", path, err.message);
    return file;
}

static akin_status decode(const void *data, size_t size, const char *path,
                          const akin_picture_options *options, akin_error *err)
{
    akin_picture p;
    void *copy = malloc(size != 0 ? size : 1);
    memcpy(copy, data, size);
    akin_status status = akin_picture_decode(&p, copy, size, path, options, err);
    assert_true((status == AKIN_OK) == (p.pixels != NULL));
    akin_picture_clear(&p);
    free(copy);
    return status;
}

static void broken(void **state)
{
    (void)state;
    static const char *const files[] = { "heic-grid.heic", "avif-420.avif", "dng-jpeg.dng",
                                         "nikon.nef", "panasonic.rw2" };
    size_t refused = 0;
    for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
        akin_buffer b = load(files[f]);
        for (size_t n = 1; n < b.size; n += 1 + b.size / 40) {
            akin_error err = { 0 };
            akin_status status = decode(b.data, n, "x", NULL, &err);
            assert_true(status == AKIN_OK || err.message[0] != '\0');
            refused += status != AKIN_OK;
        }
        for (size_t i = 0; i < 60; i++) {
            size_t at = ((size_t)golden_byte(f, 2 * i) << 8 | golden_byte(f, 2 * i + 1)) % b.size;
            char was = b.data[at];
            b.data[at] = (char)golden_byte(f + 99, i);
            decode(b.data, b.size, "x", NULL, NULL);
            b.data[at] = was;
        }
        akin_buffer_clear(&b);
    }
    assert_true(refused > 100);
}

static void limits(void **state)
{
    (void)state;
    char text[300];
    size_t tried = 0;
    akin_picture_options tight = akin_picture_default_options();
    tight.memory_bytes = 20000;
    static const struct {
        const char *file, *kind;
    } cases[] = { { "heic-420.heic", "heic" }, { "avif-420.avif", "avif" },
                  { "dng-jpeg.dng", "raw" } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *why = cannot(cases[i].kind, false, text);
        if (why != NULL)
            continue;
        tried++;
        akin_buffer b = load(cases[i].file);
        akin_error err = { 0 };
        assert_int_equal(decode(b.data, b.size, "x", &tight, &err), AKIN_E_LIMIT);
        assert_non_null(strstr(err.message, "--max-memory"));
        assert_int_equal(decode(b.data, b.size, "x", NULL, NULL), AKIN_OK);
        akin_buffer_clear(&b);
    }
    if (tried == 0) {
        print_message("%s\n", text);
        skip();
    }
}

/* ---- which files are whose */

static void kinds(void **state)
{
    (void)state;
#define HEIF(s) akin_is_heif(s, sizeof(s) - 1)
    assert_true(HEIF("\0\0\0\x18" "ftypheic\0\0\0\0mif1heic"));
    assert_true(HEIF("\0\0\0\x18" "ftypavif\0\0\0\0mif1miaf"));
    assert_true(HEIF("\0\0\0\x1c" "ftyptmap\0\0\0\0tmapheicmif1")); /* iOS 18 */
    assert_false(HEIF("\0\0\0\x18" "ftypisom\0\0\0\0mp42avc1"));
    assert_false(HEIF("\0\0\0\x18" "ftypcrx \0\0\0\1crx isom"));
    assert_false(HEIF("\0\0\0\x10" "ftypisom\0\0\0\0heic")); /* behind the box */
    assert_false(HEIF("\0\0\0\x18" "ftyp"));
#undef HEIF
#define RAW(s, path) akin_is_raw(s, sizeof(s) - 1, path)
    assert_true(RAW("\0\0\0\x18" "ftypcrx \0\0\0\1crx isom", NULL));
    assert_true(RAW("FUJIFILMCCD-RAW 0201", NULL));
    assert_true(RAW("IIRO\x08\0\0\0\0\0\0\0\0\0\0\0", NULL));
    assert_true(RAW("IIRS\x08\0\0\0\0\0\0\0\0\0\0\0", NULL));
    assert_true(RAW("MMOR\0\0\0\x08\0\0\0\0\0\0\0\0", NULL));
    assert_true(RAW("IIU\0\x18\0\0\0\0\0\0\0\0\0\0\0", NULL));
    assert_true(RAW("II*\0\x10\0\0\0CR\2\0\0\0\0\0", NULL));
    assert_false(RAW("II*\0\x08\0\0\0\0\0\0\0\0\0\0\0", "x.dng"));
    assert_false(RAW("II*\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0", "x.dng"));
    assert_false(RAW("FUJIFILM", NULL));
    /* One directory: Make, Photometric RGB. A scanner's or a phone's, unless the name says more. */
#define MAKE "\x0f\1\2\0\4\0\0\0AKI\0"
#define RGB_TAG "\6\1\3\0\1\0\0\0\2\0\0\0"
#define TIFF_OF(n, entries) "II*\0\x08\0\0\0" n "\0" entries "\0\0\0\0"
    assert_false(RAW(TIFF_OF("\2", MAKE RGB_TAG), NULL));
    assert_false(RAW(TIFF_OF("\2", MAKE RGB_TAG), "scan.tif"));
    assert_true(RAW(TIFF_OF("\2", MAKE RGB_TAG), "photo.NEF"));
    assert_false(RAW(TIFF_OF("\1", RGB_TAG), "photo.nef"));
    assert_true(RAW(TIFF_OF("\1", "\6\1\3\0\1\0\0\0\x23\x80\0\0"), "x.tif"));   /* filter array */
    assert_true(RAW(TIFF_OF("\1", "\3\1\3\0\1\0\0\0\x99\x87\0\0"), "x.tif"));   /* Nikon's */
    assert_true(RAW(TIFF_OF("\1", "\x12\xc6\1\0\4\0\0\0\1\4\0\0"), "x.tif"));   /* DNGVersion */
    /* A directory that is its own sub-directory and its own successor. */
    assert_false(RAW("II*\0\x08\0\0\0\1\0" "\x4a\1\4\0\1\0\0\0\x08\0\0\0" "\x08\0\0\0", "x.tif"));
#undef RAW
}

/* ---- libraries that are not there */

static void absent(void **state)
{
    (void)state;
    static const char *const none[] = { "libakin-none.so.1", "libakin-none.so.2", NULL };
    static const char *const c[] = { "libakin-none.so.1", "libc.so.6", "libc.so", NULL };
    static const akin_symbol lacking[] = { { "getpid", 0, false },
                                           { "akin_no_such_call", sizeof(void *), false } };
    static const akin_symbol optional[] = { { "getpid", 0, false },
                                            { "akin_no_such_call", sizeof(void *), true } };
    char why[256] = "";
    struct {
        int (*getpid)(void);
        void (*missing)(void);
    } calls = { NULL, NULL };
    assert_false(akin_library_open(none, optional, 2, &calls, why, sizeof why));
    assert_non_null(strstr(why, "libakin-none.so.1"));
    assert_false(akin_library_open(none + 1, optional, 2, &calls, why, sizeof why));
    assert_non_null(strstr(why, "libakin-none.so.2"));
    assert_false(akin_library_open(c, lacking, 2, &calls, why, sizeof why));
    assert_non_null(strstr(why, "akin_no_such_call"));
    assert_true(akin_library_open(c, optional, 2, &calls, why, sizeof why));
    assert_true(calls.getpid() > 0);
    assert_null(calls.missing);
}

static void packages(void **state)
{
    (void)state;
    static const char bookworm[] = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n"
                                   "VERSION_CODENAME=bookworm\n";
    static const char mint[] = "NAME=\"Linux Mint\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n";
    static const char rocky[] = "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n";
    static const char other[] = "ID=plan9\nVARIANT=debian\nPREID=arch";
    assert_string_equal(akin_package_command(AKIN_PACKAGE_HEIF, bookworm),
                        "apt-get install libheif1");
    assert_string_equal(akin_package_command(AKIN_PACKAGE_HEIF_NEWER, bookworm),
                        "apt-get install -t bookworm-backports libheif1");
    assert_string_equal(akin_package_command(AKIN_PACKAGE_AV1, mint),
                        "apt-get install libheif-plugin-dav1d");
    assert_non_null(strstr(akin_package_command(AKIN_PACKAGE_HEIF_NEWER, mint), "newer"));
    assert_string_equal(akin_package_command(AKIN_PACKAGE_RAW, rocky), "dnf install LibRaw");
    assert_string_equal(akin_package_command(AKIN_PACKAGE_HEVC, "ID=arch\n"), "pacman -S libde265");
    assert_string_equal(akin_package_command(AKIN_PACKAGE_HEIF, other), "install libheif");
    assert_string_equal(akin_package_command(AKIN_PACKAGE_RAW, NULL), "install LibRaw");
    assert_string_equal(akin_package_command(AKIN_PACKAGE_RAW, ""), "install LibRaw");
    assert_string_equal(akin_package_command(AKIN_PACKAGE_FFMPEG, mint), "apt-get install ffmpeg");
    assert_string_equal(akin_package_command(AKIN_PACKAGE_FFMPEG, "ID=alpine\n"),
                        "apk add ffmpeg-libs");
    assert_string_equal(akin_package_command(AKIN_PACKAGE_FFMPEG_BUILD, bookworm),
                        "apt-get install libavformat-dev libavcodec-dev libswscale-dev");
    assert_string_equal(akin_package_command(AKIN_PACKAGE_FFMPEG_BUILD, rocky),
                        "dnf install ffmpeg-free-devel");
    assert_string_equal(akin_package_command(AKIN_PACKAGE_FFMPEG, NULL), "install FFmpeg");
}

/* First use by many threads at once. */
static void *first_use(void *file)
{
    akin_buffer *b = file;
    akin_picture p;
    akin_status status = akin_picture_decode(&p, b->data, b->size, "x", NULL, NULL);
    akin_picture_clear(&p);
    return status == AKIN_OK || status == AKIN_E_UNSUPPORTED ? file : NULL;
}

static void threads(void **state)
{
    (void)state;
    akin_buffer files[2] = { load("heic-420.heic"), load("dng-jpeg.dng") };
    pthread_t thread[8];
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, first_use, &files[i % 2]), 0);
    for (size_t i = 0; i < 8; i++) {
        void *result;
        assert_int_equal(pthread_join(thread[i], &result), 0);
        assert_non_null(result);
    }
    akin_buffer_clear(&files[0]);
    akin_buffer_clear(&files[1]);
}

/* ---- a libheif made up here */

static struct {
    uint32_t version;
    struct heif_error read, decode;
    int decoders; /* bit AKIN_HEIF_..: has one */
    int width, height, coded, alpha, premultiplied;
    int got_width, got_height, stride; /* of the decoded plane */
    int live;                          /* objects not yet released */
    uint8_t plane[64 * 64 * 4];
} fake;

#define FAKE_OBJECT(type) ((struct type *)(void *)&fake)

static const char *fake_version(void) { return "9.8.7"; }
static uint32_t fake_number(void) { return fake.version; }
static int fake_have(unsigned format) { return fake.decoders >> format & 1; }
static struct heif_context *fake_alloc(void)
{
    fake.live++;
    return FAKE_OBJECT(heif_context);
}
static void fake_free(struct heif_context *c)
{
    (void)c;
    fake.live--;
}
static struct heif_error fake_read(struct heif_context *c, const void *data, size_t size,
                                   const struct heif_reading_options *o)
{
    (void)c, (void)data, (void)size, (void)o;
    return fake.read;
}
static void fake_limit(struct heif_context *c, int n) { (void)c, (void)n; }
static struct heif_error fake_primary(struct heif_context *c, struct heif_image_handle **h)
{
    (void)c;
    fake.live++;
    *h = FAKE_OBJECT(heif_image_handle);
    return (struct heif_error){ 0 };
}
static void fake_release_handle(const struct heif_image_handle *h)
{
    (void)h;
    fake.live--;
}
static int fake_width(const struct heif_image_handle *h) { return (void)h, fake.width; }
static int fake_height(const struct heif_image_handle *h) { return (void)h, fake.height; }
static int fake_coded(const struct heif_image_handle *h) { return (void)h, fake.coded; }
static int fake_bits(const struct heif_image_handle *h) { return (void)h, 8; }
static int fake_alpha(const struct heif_image_handle *h) { return (void)h, fake.alpha; }
static int fake_premultiplied(const struct heif_image_handle *h)
{
    return (void)h, fake.premultiplied;
}
static struct heif_error fake_decode(const struct heif_image_handle *h, struct heif_image **image,
                                     unsigned colorspace, unsigned chroma,
                                     const struct heif_decoding_options *o)
{
    (void)h, (void)o;
    assert_int_equal(colorspace, AKIN_HEIF_RGB);
    assert_int_equal(chroma, fake.alpha ? AKIN_HEIF_INTERLEAVED_RGBA : AKIN_HEIF_INTERLEAVED_RGB);
    if (fake.decode.code == 0) {
        fake.live++;
        *image = FAKE_OBJECT(heif_image);
    }
    return fake.decode;
}
static int fake_got_width(const struct heif_image *i, unsigned c)
{
    return (void)i, c == AKIN_HEIF_INTERLEAVED ? fake.got_width : -1;
}
static int fake_got_height(const struct heif_image *i, unsigned c)
{
    return (void)i, c == AKIN_HEIF_INTERLEAVED ? fake.got_height : -1;
}
static const uint8_t *fake_plane(const struct heif_image *i, unsigned c, int *stride)
{
    (void)i, (void)c;
    *stride = fake.stride;
    return fake.plane;
}
static void fake_release(const struct heif_image *i)
{
    (void)i;
    fake.live--;
}

static const akin_heif_calls FAKE_HEIF = {
    .get_version = fake_version, .get_version_number = fake_number,
    .have_decoder_for_format = fake_have, .context_alloc = fake_alloc,
    .context_free = fake_free, .context_read_from_memory_without_copy = fake_read,
    .context_set_maximum_image_size_limit = fake_limit,
    .context_get_primary_image_handle = fake_primary, .image_handle_release = fake_release_handle,
    .image_handle_get_width = fake_width, .image_handle_get_height = fake_height,
    .image_handle_get_ispe_width = fake_coded, .image_handle_get_ispe_height = fake_coded,
    .image_handle_get_luma_bits_per_pixel = fake_bits,
    .image_handle_has_alpha_channel = fake_alpha,
    .image_handle_is_premultiplied_alpha = fake_premultiplied, .decode_image = fake_decode,
    .image_get_width = fake_got_width, .image_get_height = fake_got_height,
    .image_get_plane_readonly = fake_plane, .image_release = fake_release,
};

static void fake_reset(void)
{
    memset(&fake, 0, sizeof fake);
    fake.version = 1 << 24 | 15 << 16 | 1 << 8;
    fake.decoders = 1 << AKIN_HEIF_HEVC | 1 << AKIN_HEIF_AV1;
    fake.width = fake.got_width = 5;
    fake.height = fake.got_height = 3;
    fake.coded = 5;
    fake.stride = 32;
    for (size_t i = 0; i < sizeof fake.plane; i++)
        fake.plane[i] = (uint8_t)i;
}

static void expect_heif(const char *bytes, size_t size, akin_status want, const char *part)
{
    akin_encoded from = { .data = (const uint8_t *)bytes, .size = size, .path = "x",
                          .memory_bytes = 64 << 20 };
    akin_picture p = { 0 };
    akin_error err = { 0 };
    akin_status status = akin_heif_decode_by(&FAKE_HEIF, &p, &from, &err);
    if (status != want || (status != AKIN_OK && strstr(err.message, part) == NULL))
        fail_msg("expected '%s', got %d: %s", part, (int)status, err.message);
    assert_int_equal(fake.live, 0);
    akin_picture_clear(&p);
}

static void heif_refusals(void **state)
{
    (void)state;
    static const char *const said[] = { "Invalid input: Unspecified: Too many auxiliary image "
                                         "references",
                                         "Invalid input: Unspecified: Metadata not correctly "
                                         "assigned to image",
                                         "Invalid input: Non-existing item ID referenced: "
                                         "Non-existing depth image referenced" };
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        fake_reset();
        fake.read = (struct heif_error){ .code = 2, .message = said[i] };
        expect_heif("x", 1, AKIN_E_UNSUPPORTED,
                    "libheif 9.8.7 cannot read pictures of iOS 18, 1.18.2 and later can: ");
        fake.version = 1 << 24 | 18 << 16 | 1 << 8;
        expect_heif("x", 1, AKIN_E_UNSUPPORTED, "iOS 18");
        fake.version = 1 << 24 | 18 << 16 | 2 << 8; /* then it is the file */
        expect_heif("x", 1, AKIN_E_CORRUPT, said[i]);
    }
    fake_reset();
    fake.decode = (struct heif_error){ .code = 4, .subcode = 3000, .message = "Unsupported codec" };
    fake.decoders = 1 << AKIN_HEIF_AV1;
    expect_heif("....hvcC", 8, AKIN_E_UNSUPPORTED, "has no HEVC decoder, which HEIC needs: ");
    expect_heif("....av1C", 8, AKIN_E_UNSUPPORTED, "cannot read it: Unsupported codec");
    fake.decoders = 1 << AKIN_HEIF_HEVC;
    expect_heif("....av1C", 8, AKIN_E_UNSUPPORTED, "has no AV1 decoder, which AVIF needs: ");

    static const struct {
        int code, subcode;
        akin_status want;
    } codes[] = { { 2, 0, AKIN_E_CORRUPT },      { 2, 100, AKIN_E_TRUNCATED },
                  { 3, 0, AKIN_E_UNSUPPORTED },  { 6, 0, AKIN_E_NOMEM },
                  { 6, 1000, AKIN_E_LIMIT },     { 7, 0, AKIN_E_CORRUPT },
                  { 11, 0, AKIN_E_UNSUPPORTED }, { 999, 999, AKIN_E_CORRUPT } };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        fake_reset();
        memcpy(&fake.decode.code, &codes[i].code, sizeof codes[i].code);
        memcpy(&fake.decode.subcode, &codes[i].subcode, sizeof codes[i].subcode);
        expect_heif("x", 1, codes[i].want, "libheif 9.8.7 cannot read it: no reason given");
    }
    fake_reset();
    fake.width = 0;
    expect_heif("x", 1, AKIN_E_CORRUPT, "0 x 3");
    fake_reset();
    fake.coded = 100000; /* a crop of something huge */
    expect_heif("x", 1, AKIN_E_LIMIT, "--max-memory");
    fake_reset();
    fake.width = fake.height = 2147483647;
    expect_heif("x", 1, AKIN_E_LIMIT, "--max-memory");
    fake_reset();
    fake.stride = 14; /* less than a row */
    expect_heif("x", 1, AKIN_E_CORRUPT, "decoded nothing");
    fake_reset();
    fake.got_height = -1;
    expect_heif("x", 1, AKIN_E_CORRUPT, "decoded nothing");
    fake_reset();
    expect_heif("x", 1, AKIN_OK, "");
}

static void heif_pixels(void **state)
{
    (void)state;
    akin_encoded from = { .data = (const uint8_t *)"x", .size = 1, .path = "x",
                          .memory_bytes = 64 << 20 };
    akin_picture p;
    fake_reset();
    fake.got_width = 4; /* other than stated */
    assert_int_equal(akin_heif_decode_by(&FAKE_HEIF, &p, &from, NULL), AKIN_OK);
    assert_true(p.width == 4 && p.height == 3 && p.layout == AKIN_RGB);
    assert_memory_equal(p.pixels + 12, fake.plane + 32, 12);
    akin_picture_clear(&p);

    fake_reset();
    fake.alpha = 1;
    memcpy(fake.plane, (uint8_t[]){ 10, 20, 30, 255, 10, 20, 30, 0, 40, 60, 80, 128 }, 12);
    from.as_stored = true;
    assert_int_equal(akin_heif_decode_by(&FAKE_HEIF, &p, &from, NULL), AKIN_OK);
    assert_int_equal(p.layout, AKIN_RGBA);
    assert_memory_equal(p.pixels, fake.plane, 20);
    akin_picture_clear(&p);
    fake.premultiplied = 1;
    assert_int_equal(akin_heif_decode_by(&FAKE_HEIF, &p, &from, NULL), AKIN_OK);
    assert_memory_equal(p.pixels + 8, ((uint8_t[]){ 80, 120, 159, 128 }), 4);
    akin_picture_clear(&p);
    from.as_stored = false;
    assert_int_equal(akin_heif_decode_by(&FAKE_HEIF, &p, &from, NULL), AKIN_OK);
    assert_int_equal(p.layout, AKIN_RGB);
    assert_memory_equal(p.pixels, ((uint8_t[]){ 10, 20, 30, 255, 255, 255, 167, 187, 207 }), 9);
    akin_picture_clear(&p);
    assert_int_equal(fake.live, 0);
}

/* ---- a LibRaw made up here */

static struct {
    int open, unpack, make;
    libraw_processed_image_t *preview; /* NULL: none; handed over */
    int live;
} raw_fake;

static const char *raw_version(void) { return "9.9"; }
static const char *raw_strerror(int code) { return code == -1 ? "Unspecified error" : "other"; }
static libraw_data_t *raw_init(unsigned flags)
{
    (void)flags;
    raw_fake.live++;
    return (libraw_data_t *)(void *)&raw_fake;
}
static void raw_close(libraw_data_t *l)
{
    (void)l;
    raw_fake.live--;
}
static int raw_open(libraw_data_t *l, const void *data, size_t size)
{
    (void)l, (void)data, (void)size;
    return raw_fake.open;
}
static int raw_unpack(libraw_data_t *l) { return (void)l, raw_fake.unpack; }
static libraw_processed_image_t *raw_make(libraw_data_t *l, int *error)
{
    (void)l;
    *error = raw_fake.make;
    return raw_fake.preview;
}
static void raw_clear(libraw_processed_image_t *p) { free(p); }

static const akin_raw_calls FAKE_RAW = { raw_version, raw_strerror, raw_init,  raw_close,
                                         raw_open,    raw_unpack,   raw_make, raw_clear };

static libraw_processed_image_t *preview_of(int type, int width, int height, int colors, int bits,
                                            const void *data, size_t size)
{
    libraw_processed_image_t *p = calloc(1, sizeof *p + size);
    memcpy(&p->type, &type, sizeof type);
    p->width = (unsigned short)width;
    p->height = (unsigned short)height;
    p->colors = (unsigned short)colors;
    p->bits = (unsigned short)bits;
    p->data_size = (unsigned)size;
    memcpy(p->data, data, size);
    return p;
}

static void expect_raw(akin_status want, const char *part)
{
    akin_encoded from = { .data = (const uint8_t *)"x\xff\xd8\xff\xe0", .size = 5, .path = "x",
                          .memory_bytes = 1 << 20 };
    akin_picture p = { 0 };
    akin_error err = { 0 };
    akin_status status = akin_raw_decode_by(&FAKE_RAW, &p, &from, &err);
    if (status != want || (status != AKIN_OK && strstr(err.message, part) == NULL))
        fail_msg("expected '%s', got %d: %s", part, (int)status, err.message);
    assert_int_equal(raw_fake.live, 0);
    akin_picture_clear(&p);
}

static void raw_refusals(void **state)
{
    (void)state;
    static const struct {
        int open, unpack, make;
        akin_status want;
        const char *part;
    } codes[] = {
        { -2, 0, 0, AKIN_E_UNSUPPORTED, "LibRaw 9.9 does not know" },
        { 0, -5, 0, AKIN_E_UNSUPPORTED, "without a preview" },
        { 0, -9, 0, AKIN_E_UNSUPPORTED, "without a preview" },
        { 0, -6, 0, AKIN_E_UNSUPPORTED, "LibRaw 9.9 cannot read it: other" },
        { -1, 0, 0, AKIN_E_CORRUPT, "Unspecified error" },
        { -100009, 0, 0, AKIN_E_TRUNCATED, "other" },
        { -100007, 0, 0, AKIN_E_NOMEM, "" },
        { 0, -100012, 0, AKIN_E_LIMIT, "other" },
        { 0, 0, 22, AKIN_E_CORRUPT, "Invalid argument" },
        { 0, 0, 0, AKIN_E_UNSUPPORTED, "without a preview" }, /* says well, gives nothing */
    };
    raw_fake.preview = NULL;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        raw_fake.open = codes[i].open;
        raw_fake.unpack = codes[i].unpack;
        raw_fake.make = codes[i].make;
        expect_raw(codes[i].want, codes[i].part);
    }
    raw_fake.preview = preview_of(AKIN_RAW_JPEG, 0, 0, 0, 0, "GIF89a", 6);
    expect_raw(AKIN_E_CORRUPT, "not the JPEG");
    raw_fake.preview = preview_of(AKIN_RAW_JPEG, 0, 0, 0, 0, "\xff\xd8\xff\xe0", 4);
    expect_raw(AKIN_E_TRUNCATED, "JPEG ends");
    raw_fake.preview = preview_of(AKIN_RAW_JPEG, 0, 0, 0, 0, "\xff\xd8\xff\xe0\0", 5);
    expect_raw(AKIN_E_TRUNCATED, "a raw photograph that ends inside its preview");
    static const char large[(1 << 20) + 1];
    raw_fake.preview = preview_of(AKIN_RAW_JPEG, 0, 0, 0, 0, large, sizeof large);
    expect_raw(AKIN_E_LIMIT, "--max-memory");
    raw_fake.preview = preview_of(4, 0, 0, 0, 0, "....", 4); /* H.265 of newer ones */
    expect_raw(AKIN_E_UNSUPPORTED, "neither JPEG nor plain pixels");
    raw_fake.preview = preview_of(AKIN_RAW_BITMAP, 2, 2, 3, 16, large, 24);
    expect_raw(AKIN_E_UNSUPPORTED, "3 colours of 16 bits");
    raw_fake.preview = preview_of(AKIN_RAW_BITMAP, 2, 2, 3, 8, large, 11);
    expect_raw(AKIN_E_CORRUPT, "2 x 2 pixels has 11 bytes");
    raw_fake.preview = preview_of(AKIN_RAW_BITMAP, 0, 2, 3, 8, large, 12);
    expect_raw(AKIN_E_CORRUPT, "0 x 2");
    raw_fake.preview = preview_of(AKIN_RAW_BITMAP, 2, 2, 1, 8, large, 4);
    expect_raw(AKIN_OK, "");
}

static void raw_bitmap(void **state)
{
    (void)state;
    /* A first directory of one entry: Orientation 6. */
    static const char file[] = "II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0";
    akin_encoded from = { .data = (const uint8_t *)file, .size = sizeof file - 1, .path = "x",
                          .memory_bytes = 1 << 20 };
    akin_picture p;
    raw_fake.preview = preview_of(AKIN_RAW_BITMAP, 3, 2, 1, 8, "\1\2\3\4\5\6", 6);
    assert_int_equal(akin_raw_decode_by(&FAKE_RAW, &p, &from, NULL), AKIN_OK);
    assert_true(p.width == 2 && p.height == 3);
    assert_memory_equal(p.pixels, "\4\4\4\1\1\1\5\5\5\2\2\2\6\6\6\3\3\3", 18);
    akin_picture_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads), /* first: nothing is open yet */
        cmocka_unit_test(heic),        cmocka_unit_test(avif),
        cmocka_unit_test(raw),         cmocka_unit_test(ios18),
        cmocka_unit_test(broken),
        cmocka_unit_test(limits),      cmocka_unit_test(kinds),
        cmocka_unit_test(absent),      cmocka_unit_test(packages),
        cmocka_unit_test(heif_refusals), cmocka_unit_test(heif_pixels),
        cmocka_unit_test(raw_refusals), cmocka_unit_test(raw_bitmap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
