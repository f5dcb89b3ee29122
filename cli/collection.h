/* collection.h - what the verbs over collections share: finding one, and its model. */
#ifndef AKIN_CLI_COLLECTION_H
#define AKIN_CLI_COLLECTION_H

#include "run.h"

/* Where the command line says that the collection is. */
typedef struct cli_place {
    char db[4096];
    const char *name;
} cli_place;

/* make: a place is found even if nothing is there yet. CLI_DONE, or the exit status of an error
 * that was told. */
int cli_place_find(cli_place *place, const cli_args *args, bool make);

/* Opens what is at the place; NULL in *out and CLI_DONE when nothing is and `optional`. Tells
 * advice about the place. */
int cli_collection_open(akin_collection **out, const cli_place *place, const cli_args *args,
                        bool write, bool optional);

/* The collection's own model (or the same one elsewhere, when --model says where it went), with
 * these parts. */
int cli_collection_engine(cli_engine *engine, akin_collection *collection, const cli_args *args,
                          unsigned parts);

/* mini knows drawings, and this collection of mini's has photographs. */
bool cli_beyond_mini(const akin_collection_info *info);

/* What to do about it: fetches a model for photographs, and gives it to the collection. */
#define CLI_PHOTO_REPOSITORY "laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K"
#define CLI_PHOTO_ADVICE \
    "hf download " CLI_PHOTO_REPOSITORY " && akin reindex --model " CLI_PHOTO_REPOSITORY

/* "1.2 GB". */
const char *cli_bytes(char *buffer, size_t capacity, uint64_t bytes);

#endif
