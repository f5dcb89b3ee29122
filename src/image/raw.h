/* raw.h - the calls of LibRaw that akin makes, and raw photographs through them.
 *
 * Declared here as libheif's calls are (heif.h): the handle is opaque, and of LibRaw's structs only
 * the small one that a preview comes in is looked into, the same since 0.9. Its large struct, in
 * which every release moves fields, is never touched. */
#ifndef AKIN_IMAGE_RAW_H
#define AKIN_IMAGE_RAW_H

#include <stddef.h>
#include <stdint.h>

#include "decode.h"

#ifndef LIBRAW_MAJOR_VERSION
typedef void libraw_data_t;
typedef struct {
    unsigned type; /* AKIN_RAW_JPEG, AKIN_RAW_BITMAP, or one that akin does not know */
    unsigned short height, width, colors, bits; /* of a bitmap; rows without padding */
    unsigned data_size;
    unsigned char data[1];
} libraw_processed_image_t;
#endif

/* The numbers of LibRaw's enums. */
enum {
    AKIN_RAW_JPEG = 1, /* LibRaw_image_formats */
    AKIN_RAW_BITMAP = 2,
    AKIN_RAW_NO_FILE = -2, /* LibRaw_errors; positive ones are errno's */
    AKIN_RAW_NO_THUMBNAIL = -5,
    AKIN_RAW_UNSUPPORTED_THUMBNAIL = -6,
    AKIN_RAW_NO_SUCH_THUMBNAIL = -9,
    AKIN_RAW_NO_MEMORY = -100007,
    AKIN_RAW_IO = -100009,
    AKIN_RAW_TOO_BIG = -100012
};

/* Each is LibRaw's function of the name libraw_ + member. */
typedef struct akin_raw_calls {
    const char *(*version)(void);
    const char *(*strerror)(int);
    libraw_data_t *(*init)(unsigned flags);
    void (*close)(libraw_data_t *);
    int (*open_buffer)(libraw_data_t *, const void *, size_t); /* not const before 0.21 */
    int (*unpack_thumb)(libraw_data_t *);
    libraw_processed_image_t *(*dcraw_make_mem_thumb)(libraw_data_t *, int *error);
    void (*dcraw_clear_mem)(libraw_processed_image_t *);
} akin_raw_calls;

/* The calls of the installed LibRaw, opened once; NULL when there is none, and *why (static) then
 * says what the system said. Any thread. */
const akin_raw_calls *akin_raw_library(const char **why);

/* akin_raw_decode with these calls. */
akin_status akin_raw_decode_by(const akin_raw_calls *raw, akin_picture *out,
                               const akin_encoded *from, akin_error *err);

#endif
