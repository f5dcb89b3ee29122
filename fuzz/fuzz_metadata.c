/* fuzz_metadata.c - the bytes are a picture, and an XMP document; or, beginning with "#### ", the
 * sidecars of one. */
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "rag/sidecar.h"

static const char *const names[] = { "p.json", "p.jpg.json", "p.xmp", "p.txt", "p.jpg.txt" };

static void check_text(const char *text, size_t max, bool lines)
{
    const size_t size = strlen(text);
    HOLDS(size != 0 && size <= max && akin_utf8_valid(text, size, NULL));
    HOLDS(text[0] != ' ' && text[0] != '\n' && text[size - 1] != ' ' && text[size - 1] != '\n');
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)text[i], next = (unsigned char)text[i + 1];
        HOLDS((c >= 0x20 && c != 0x7f) || (lines && c == '\n'));
        HOLDS(c != 0xc2 || next >= 0xa0);
    }
}

/* What the header promises, and that it can be written and read back. */
static void check(const akin_metadata *m, const char *extra)
{
    akin_error err;
    HOLDS(m->taken_at[0] == '\0' || strlen(m->taken_at) == 19);
    HOLDS(m->offset[0] == '\0' || (strlen(m->offset) == 6 && m->taken_at[0] != '\0'));
    if (m->camera[0] != '\0')
        check_text(m->camera, sizeof m->camera - 1, false);
    if (m->caption != NULL)
        check_text(m->caption, AKIN_METADATA_TEXT, true);
    if (m->title != NULL)
        check_text(m->title, AKIN_METADATA_TEXT, false);
    HOLDS(m->tag_count <= AKIN_METADATA_TAGS);
    for (size_t i = 0; i < m->tag_count; i++)
        check_text(m->tags[i], AKIN_METADATA_TAG, false);
    if (m->has_position) {
        HOLDS(m->latitude >= -90 && m->latitude <= 90);
        HOLDS(m->longitude >= -180 && m->longitude <= 180);
    }
    akin_buffer text;
    akin_json *root = NULL;
    akin_buffer_init(&text, "metadata", 16 << 20);
    HOLDS(judged(akin_metadata_json(m, 3, 4, extra, &text, &err), &err) == AKIN_OK);
    /* Refuses keys that are there twice. */
    HOLDS(judged(akin_json_parse_object(text.data, text.size, "", &root, &err), &err) == AKIN_OK);
    const akin_json *caption = akin_json_get(root, "caption");
    HOLDS((caption != NULL) == (m->caption != NULL));
    if (caption != NULL)
        HOLDS(strcmp(akin_json_string(caption), m->caption) == 0);
    HOLDS(akin_json_count(akin_json_get(root, "tags")) == m->tag_count);
    if (m->has_position) {
        HOLDS(akin_json_double(akin_json_get(root, "latitude")) == m->latitude);
        HOLDS(akin_json_double(akin_json_get(root, "longitude")) == m->longitude);
    }
    akin_json_free(root);
    akin_buffer_clear(&text);
}

static void sidecars(const uint8_t *data, size_t size)
{
    char path[4200];
    akin_error err, why;
    akin_metadata m = { .taken_at = "" };
    akin_buffer extra;
    const char *folder = fuzz_folder(data, size, names, sizeof names / sizeof *names);
    snprintf(path, sizeof path, "%s/p.jpg", folder);
    akin_buffer_init(&extra, "extra", 8 << 20);
    HOLDS(judged(akin_sidecar_read(path, &m, &extra, &why, &err), &err) == AKIN_OK);
    HOLDS(why.code == AKIN_OK || (why.message[0] != '\0' && why.path[0] == '/'));
    check(&m, extra.data);
    akin_metadata_clear(&m);
    akin_buffer_clear(&extra);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    akin_error err;
    akin_metadata m;
    if (size >= 5 && memcmp(data, "#### ", 5) == 0) {
        sidecars(data, size);
        return 0;
    }
    HOLDS(judged(akin_metadata_read(&m, data, size, &err), &err) == AKIN_OK);
    check(&m, "");
    judged(akin_metadata_parse_xmp(&m, data, size, &err), &err);
    check(&m, "\"x\":1");
    akin_metadata_clear(&m);
    return 0;
}
