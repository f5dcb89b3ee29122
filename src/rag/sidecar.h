/* sidecar.h - the words beside a picture, and an item's metadata as the JSON that search prints.
 *
 * Of photo.jpg: photo.xmp, photo.jpg.xmp; photo.json, photo.jpg.json (an object: "caption",
 * "title", "tags", and anything else, kept), photo.jpg.supplemental-metadata.json (of Google
 * Takeout, also cut to the 46 bytes that it allows); photo.txt, photo.jpg.txt (a caption). In this
 * order, so that a .txt has the last word, and photo.jpg.txt over photo.txt. Endings in small
 * letters, capitals, or with one capital. docs/metadata.md has the rules.
 */
#ifndef AKIN_RAG_SIDECAR_H
#define AKIN_RAG_SIDECAR_H

#include "base/buffer.h"
#include "image/metadata.h"

/* Largest sidecar that is read. */
#define AKIN_SIDECAR_BYTES ((size_t)1 << 20)

/* Whether a name is one a sidecar may have: ends in .txt, .json or .xmp, whatever the case. */
bool akin_sidecar_name(const char *name);

/* Whether `sidecar` (a name) belongs to `picture` (a name in the same folder). */
bool akin_sidecar_belongs(const char *sidecar, const char *picture);

/* Reads the sidecars of a picture file into m (their words win over m's, see metadata.h) and, of
 * a .json, all members into `extra` as the inside of a JSON object ("" when there are none; those
 * that akin_metadata_json writes itself, and "video", left out). `extra` is initialised and empty.
 * A sidecar that cannot be read, is larger than AKIN_SIDECAR_BYTES or not UTF-8 adds nothing and is
 * told in `why` (its path and reason; of several the first; code AKIN_OK when all went well).
 * Errors: AKIN_E_NOMEM. */
akin_status akin_sidecar_read(const char *picture, akin_metadata *m, akin_buffer *extra,
                              akin_error *why, akin_error *err);

/* An object: "width", "height", "taken_at", "offset", "camera", "latitude", "longitude", "title",
 * "caption", "tags", then `extra`; members that are unknown are left out. Errors: AKIN_E_NOMEM;
 * AKIN_E_LIMIT by the maximum of `out`. */
akin_status akin_metadata_json(const akin_metadata *m, int width, int height, const char *extra,
                               akin_buffer *out, akin_error *err);

#endif
