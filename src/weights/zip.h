/* zip.h - the entries of a ZIP archive in memory. Reads stored (uncompressed) ones only. */
#ifndef AKIN_WEIGHTS_ZIP_H
#define AKIN_WEIGHTS_ZIP_H

#include <stddef.h>

#include "base/error.h"

enum { AKIN_ZIP_MAX_ENTRIES = 1 << 18 };

/* Borrowed from the archive's bytes; the name is not NUL-terminated. */
typedef struct akin_zip_entry {
    const char *name;
    size_t name_size;
    int method; /* 0: stored */
    const unsigned char *data; /* NULL unless stored */
    size_t size;
} akin_zip_entry;

/* Immutable after open. */
typedef struct akin_zip {
    akin_zip_entry *entries; /* sorted by name, bytewise */
    size_t count;
} akin_zip;

/* Checks the whole directory; `path` is for messages. The caller clears *out, after errors too.
 * Compressed entries are listed, so that one can tell what an archive is before refusing it. */
akin_status akin_zip_open(akin_zip *out, const unsigned char *data, size_t size, const char *path,
                          akin_error *err);
void akin_zip_clear(akin_zip *zip);

/* AKIN_E_UNSUPPORTED naming an entry that is compressed, if one is. */
akin_status akin_zip_check_stored(const akin_zip *zip, const char *path, akin_error *err);

/* NULL when there is none. */
const akin_zip_entry *akin_zip_find(const akin_zip *zip, const char *name, size_t name_size);

#endif
