/* tiff_fields.h - the directories of a TIFF file, or of an EXIF block, which is one. Allocates
 * nothing, never fails: what lies outside is not there. */
#ifndef AKIN_IMAGE_TIFF_FIELDS_H
#define AKIN_IMAGE_TIFF_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed bytes; the caller has read the header. */
typedef struct akin_tiff {
    const uint8_t *data;
    size_t size;
    bool big_endian;
} akin_tiff;

/* A number of n bytes (8 at most) at `at`, 0 past the end. */
uint64_t akin_tiff_number(const akin_tiff *t, uint64_t at, size_t n);

/* Bytes of one value of a TIFF type, 0 for the types that there are not. */
size_t akin_tiff_type_size(unsigned type);

typedef struct akin_tiff_entry {
    unsigned tag, type;
    uint32_t count; /* of values */
    size_t field;   /* where the four bytes are that hold the value or its offset */
} akin_tiff_entry;

/* A directory on the way from its first entry to its last. `at`: the next entry, or behind the
 * last the offset of the next directory. */
typedef struct akin_tiff_directory {
    const akin_tiff *tiff;
    size_t at;
    uint32_t left;
} akin_tiff_directory;

/* The directory at an offset; false when not even its count lies inside. */
bool akin_tiff_directory_at(const akin_tiff *t, uint64_t at, akin_tiff_directory *out);

/* The next entry; false behind the last, and where the block ends. */
bool akin_tiff_next(akin_tiff_directory *d, akin_tiff_entry *out);

/* Where an entry's values are; false when there are none, or not all of them are inside. */
bool akin_tiff_values(const akin_tiff *t, const akin_tiff_entry *entry, size_t *at, size_t *bytes);

#endif
