/* ignore.h - rules that leave files and folders out of a walk: names that are left out everywhere,
 * and .akinignore files.
 */
#ifndef AKIN_RAG_IGNORE_H
#define AKIN_RAG_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define AKIN_IGNORE_FILE ".akinignore"

enum {
    AKIN_GLOB_MAX = 1000,       /* bytes of one glob */
    AKIN_IGNORE_BYTES = 1 << 20, /* of one .akinignore */
    AKIN_IGNORE_RULES = 10000    /* in one */
};

/* Whether a name is left out wherever it is: dot-names unless `include_hidden`, and what NAS,
 * desktops, npm and akin keep for themselves in any case. */
bool akin_name_left_out(const char *name, bool include_hidden);

/* The rules of one folder's .akinignore over those of the folders above it. Immutable. */
typedef struct akin_ignore {
    const struct akin_ignore *outer; /* borrowed; NULL: none */
    size_t below;                    /* where a path below this folder goes on behind it */
    char *text;
    char **rules; /* in the order of the file, "!" kept */
    size_t count;
} akin_ignore;

/* Reads folder/.akinignore. AKIN_E_LIMIT for one that is too large, has too many rules or too long
 * ones; AKIN_E_NOT_FOUND when there is none. The caller frees it, after all that have it as
 * outer. */
akin_status akin_ignore_read(akin_ignore **out, const char *folder, const akin_ignore *outer,
                             akin_error *err);
void akin_ignore_free(akin_ignore *ignore);

/* Whether the rules leave `path` out: absolute, below the folder of `ignore` (NULL: never). As with
 * git the last rule that fits decides, an inner file over an outer one; "!" takes back. */
bool akin_ignore_hides(const akin_ignore *ignore, const char *path, bool folder);

#endif
