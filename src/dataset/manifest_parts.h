/* manifest_parts.h - what the readers of the manifest's forms share: rows, and their collector. */
#ifndef AKIN_DATASET_MANIFEST_PARTS_H
#define AKIN_DATASET_MANIFEST_PARTS_H

#include "base/buffer.h"
#include "manifest.h"

enum {
    AKIN_MANIFEST_FIELD = 1 << 20, /* bytes of a text, or of a folder's file of captions */
    AKIN_MANIFEST_PATH = 4095,
    AKIN_MANIFEST_STAGE = 65534,
    AKIN_MANIFEST_COLUMNS = 256
};

/* A string of `size` bytes with a NUL behind it. */
typedef struct akin_piece {
    const char *text;
    size_t size;
} akin_piece;

/* The texts of a row stay where they are as long as the manifest lives, but for the path, which is
 * copied. Size 0: not there. */
typedef struct akin_row {
    akin_piece path, text, language, concept;
    float weight;
    uint16_t stage;
    uint8_t kind;
    bool flip;
    uint32_t line;
} akin_row;

typedef struct akin_manifest_build akin_manifest_build;

/* A row without anything said. */
akin_row akin_row_default(uint32_t line);

/* Adds a row. file: for messages. */
akin_status akin_manifest_add(akin_manifest_build *build, const akin_row *row, const char *file,
                              akin_error *err);

/* `size` bytes and a NUL that live as long as the manifest; NULL when out of memory. */
char *akin_manifest_keep(akin_manifest_build *build, const char *bytes, size_t size);

/* Rows of a file, `bytes` being all of it, which is cut up in place: TSV or CSV with a line of
 * names, or JSON lines. ending: of the file's name, without the point; "" for none. */
akin_status akin_manifest_read_rows(akin_manifest_build *build, char *bytes, size_t size,
                                    const char *ending, const char *file, akin_error *err);

/* All pictures below a folder, by path, with the captions beside them. */
akin_status akin_manifest_read_folder(akin_manifest_build *build, const char *folder,
                                      akin_error *err);

/* AKIN_E_UTF8 with the line when `bytes` are not UTF-8, AKIN_E_FORMAT when they hold a NUL. */
akin_status akin_manifest_check_text(const char *bytes, size_t size, const char *file,
                                     akin_error *err);

#endif
