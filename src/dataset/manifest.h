/* manifest.h - what a training or an evaluation is made of: pictures, texts, and which belong
 * together.
 *
 * Reads TSV with a line of column names, JSON lines, open_clip's CSV (`filepath`, `title`), and a
 * folder of pictures with captions beside them (photo.jpg, photo.txt: a line a caption; the concept
 * is the picture's path). Columns, in any order, others ignored: path (filepath), text (title,
 * caption), language, concept, weight, stage, kind, flip (docs/training.md). Refused, with file and
 * line: a row without picture and text, a weight that is no number or negative, unknown kinds,
 * invalid UTF-8, files past the named limits.
 */
#ifndef AKIN_DATASET_MANIFEST_H
#define AKIN_DATASET_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* How a picture may be changed: augment.h. */
typedef enum akin_kind {
    AKIN_KIND_ART,   /* on a transparent ground: gets a background, mild changes of colour */
    AKIN_KIND_ICON,  /* of a single colour, which means nothing: gets others */
    AKIN_KIND_SCENE, /* its text names colours and places: they stay */
    AKIN_KIND_PHOTO,
    AKIN_KIND_WORD   /* rendered words: never mirrored */
} akin_kind;

typedef struct akin_manifest_picture {
    const char *path;  /* as it can be opened */
    uint32_t concept;  /* [0, concept_count) */
    float weight;
    uint16_t stage;
    uint8_t kind;      /* akin_kind */
    bool flip;         /* may be mirrored */
    uint32_t line;     /* of the manifest; of a folder: 0 */
} akin_manifest_picture;

typedef struct akin_manifest_text {
    const char *text;  /* UTF-8, NUL-terminated */
    uint32_t concept;
    uint32_t language; /* [0, language_count) */
    float weight;
    uint16_t stage;
    uint32_t line;
} akin_manifest_text;

/* Immutable after open: share freely. A row with path and text is a picture and a text of one
 * concept. Rows with the same concept make one concept; a row without one is its own. Equal paths
 * of one concept are one picture (its weight the first row's). */
typedef struct akin_manifest {
    char *path;  /* of the file or folder; owned */
    size_t picture_count, text_count, concept_count, language_count;
    akin_manifest_picture *pictures;
    akin_manifest_text *texts;
    const char **concepts;  /* [concept_count]: as written; "" for a row that is its own */
    const char **languages; /* [language_count]: as written; "" when unknown */
    /* Texts of concept c: text_order[text_starts[c] .. text_starts[c + 1]), pictures likewise; in
     * the order of the file. */
    uint32_t *text_starts, *text_order;       /* [concept_count + 1], [text_count] */
    uint32_t *picture_starts, *picture_order; /* [concept_count + 1], [picture_count] */
    uint16_t stages; /* the largest stage of a picture, plus 1 */
    void *memory;    /* what the strings lie in */
} akin_manifest;

enum {
    AKIN_MANIFEST_BYTES = 1 << 30,
    AKIN_MANIFEST_ROWS = 1 << 26
};

akin_status akin_manifest_open(akin_manifest **out, const char *path, akin_error *err);
void akin_manifest_close(akin_manifest *manifest); /* takes NULL */

/* One of the two parts that a manifest falls into when `share` of its concepts are held out: chosen
 * by a hash of the concept's name (of a row that is its own, its picture's path), so that they are
 * the same ones in every run, and in a manifest that has grown. Numbers of concepts and languages
 * stay; strings are borrowed from `whole`, which must outlive it. */
akin_status akin_manifest_part(akin_manifest **out, const akin_manifest *whole, double share,
                               bool held, akin_error *err);

/* "art", "icon", ... */
const char *akin_kind_name(akin_kind kind);

#endif
