/* model_name.h - the folder of the model that a person names. Nothing is fetched.
 *
 * Reference: the cache layout of huggingface_hub 2.4; the names of open_clip 3.3.0 and of OpenAI's
 * clip package.
 */
#ifndef AKIN_HUB_MODEL_NAME_H
#define AKIN_HUB_MODEL_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Sets *out (allocated, the caller's) to a folder, or to the file that `name` is. Blanks around a
 * name are forgiven, and case in all but paths. Tried in this order:
 *   "mini", the model that comes with akin: models/mini in akin_home_folder, then, of the program
 *     that runs, ../share/akin/models/mini and ../models/mini
 *   a folder; in it 0_CLIPModel (sentence-transformers), or the snapshot when it is a repository of
 *     the cache; a file; "local-dir:FOLDER"
 *   OpenAI's names: "ViT-B/32", "RN50", "ViT-L/14@336px"
 *   open_clip's: "ViT-B-32/laion2b_s34b_b79k", also with "__" (Immich) or a blank between
 *   a repository of the hub's cache: "org/name", "hf-hub:org/name", with "@revision" behind; a name
 *     without its organisation when only one repository there is called so
 * AKIN_E_NOT_FOUND says what was looked for and where; AKIN_E_ARGUMENT: several fit, or an
 * open_clip name lacks its tag (the message lists them). */
akin_status akin_model_find(char **out, const char *name, akin_error *err);

/* The model when none is named. */
#define AKIN_MODEL_DEFAULT "mini"

/* Where akin keeps what makes it faster, and models of its own: AKIN_HOME, else akin in
 * XDG_CACHE_HOME or ~/.cache. False when none can be named, or it does not fit. */
bool akin_home_folder(char *out, size_t capacity);

/* The folder of the hub's cache: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub,
 * XDG_CACHE_HOME/huggingface/hub, ~/.cache/huggingface/hub. Allocated; NULL when out of memory. */
char *akin_hub_cache(void);

#endif
