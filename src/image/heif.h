/* heif.h - the calls of libheif that akin makes, and HEIC and AVIF through them.
 *
 * Declared here and not by libheif's own header, so that akin is built the same with and without
 * it: everything is behind opaque pointers except one struct, which is returned by value and has
 * not changed since libheif 1.0. tests/unit/test_modules.c lets the compiler compare all of it with
 * libheif's header where that is installed. */
#ifndef AKIN_IMAGE_HEIF_H
#define AKIN_IMAGE_HEIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decode.h"

#ifndef LIBHEIF_HEIF_H
struct heif_error {
    unsigned code, subcode;
    const char *message;
};
struct heif_context;
struct heif_image_handle;
struct heif_image;
struct heif_reading_options;
struct heif_decoding_options;
#endif
struct heif_init_params; /* which libheif's own header has since 1.13 */

/* The numbers of libheif's enums. */
enum {
    AKIN_HEIF_OK = 0,
    AKIN_HEIF_UNSUPPORTED_FILE = 3,    /* heif_error_code */
    AKIN_HEIF_UNSUPPORTED_FEATURE = 4,
    AKIN_HEIF_MEMORY = 6,
    AKIN_HEIF_PLUGIN_LOADING = 11,
    AKIN_HEIF_END_OF_DATA = 100,       /* heif_suberror_code */
    AKIN_HEIF_SECURITY_LIMIT = 1000,
    AKIN_HEIF_RGB = 1,                 /* heif_colorspace */
    AKIN_HEIF_INTERLEAVED_RGB = 10,    /* heif_chroma */
    AKIN_HEIF_INTERLEAVED_RGBA = 11,
    AKIN_HEIF_INTERLEAVED = 10,        /* heif_channel */
    AKIN_HEIF_HEVC = 1,                /* heif_compression_format */
    AKIN_HEIF_AV1 = 4
};

/* Each is libheif's function of the name heif_ + member. */
typedef struct akin_heif_calls {
    const char *(*get_version)(void);
    uint32_t (*get_version_number)(void); /* a byte each: major, minor, patch, 0 */
    struct heif_error (*init)(struct heif_init_params *); /* optional, since 1.13 */
    int (*have_decoder_for_format)(unsigned format);
    struct heif_context *(*context_alloc)(void);
    void (*context_free)(struct heif_context *);
    struct heif_error (*context_read_from_memory_without_copy)(struct heif_context *, const void *,
                                                               size_t,
                                                               const struct heif_reading_options *);
    void (*context_set_maximum_image_size_limit)(struct heif_context *, int);
    void (*context_set_max_decoding_threads)(struct heif_context *, int); /* optional, 1.13 */
    struct heif_error (*context_get_primary_image_handle)(struct heif_context *,
                                                          struct heif_image_handle **);
    void (*image_handle_release)(const struct heif_image_handle *);
    int (*image_handle_get_width)(const struct heif_image_handle *);
    int (*image_handle_get_height)(const struct heif_image_handle *);
    int (*image_handle_get_ispe_width)(const struct heif_image_handle *);
    int (*image_handle_get_ispe_height)(const struct heif_image_handle *);
    int (*image_handle_get_luma_bits_per_pixel)(const struct heif_image_handle *); /* -1: unknown */
    int (*image_handle_has_alpha_channel)(const struct heif_image_handle *);
    int (*image_handle_is_premultiplied_alpha)(const struct heif_image_handle *); /* optional */
    struct heif_error (*decode_image)(const struct heif_image_handle *, struct heif_image **,
                                      unsigned colorspace, unsigned chroma,
                                      const struct heif_decoding_options *);
    int (*image_get_width)(const struct heif_image *, unsigned channel);
    int (*image_get_height)(const struct heif_image *, unsigned channel);
    const uint8_t *(*image_get_plane_readonly)(const struct heif_image *, unsigned channel,
                                               int *stride);
    void (*image_release)(const struct heif_image *);
} akin_heif_calls;

/* The calls of the installed libheif, opened once; NULL when there is none, and *why (static) then
 * says what the system said. Any thread. */
const akin_heif_calls *akin_heif_library(const char **why);

/* akin_heif_decode with these calls. */
akin_status akin_heif_decode_by(const akin_heif_calls *heif, akin_picture *out,
                                const akin_encoded *from, akin_error *err);

#endif
