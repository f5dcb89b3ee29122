/* xmp.c - the words, dates, camera and position of an XMP packet, by expat.
 *
 * Owns the part of XMP (ISO 16684-1) that akin_metadata has fields for: properties of the top-level
 * rdf:Description, as elements or as attributes, plain or as the items of an Alt, Bag or Seq. Names
 * are told by namespace, never by prefix. Refuses whatever is not well-formed, a document type (so
 * there are no entities but the five), depth beyond MAX_DEPTH and encodings that expat does not
 * bring along. What follows the root element is not looked at: packets end in padding.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "base/arith.h"
#include "metadata_parts.h"

enum {
    MAX_DEPTH = 64,
    MAX_VALUE = 4 * AKIN_METADATA_TEXT /* of one value before it is cleaned; more is left out */
};

/* A newline between namespace and name: neither can have one. */
#define RDF "http://www.w3.org/1999/02/22-rdf-syntax-ns#\n"
#define DC "http://purl.org/dc/elements/1.1/\n"
#define EXIF "http://ns.adobe.com/exif/1.0/\n"
#define TIFF "http://ns.adobe.com/tiff/1.0/\n"
#define LANG "http://www.w3.org/XML/1998/namespace\nlang"

typedef enum property {
    DESCRIPTION, TITLE, DATE_ORIGINAL, DATE_CREATED, CREATE_DATE, MAKE, MODEL, LATITUDE, LONGITUDE,
    VALUES, /* the ones before have one value; of several the default language's, else the first */
    SUBJECT = VALUES, HIERARCHY,
    PROPERTIES
} property;

static const char *const NAMES[PROPERTIES] = {
    [DESCRIPTION] = DC "description",
    [TITLE] = DC "title",
    [DATE_ORIGINAL] = EXIF "DateTimeOriginal",
    [DATE_CREATED] = "http://ns.adobe.com/photoshop/1.0/\nDateCreated",
    [CREATE_DATE] = "http://ns.adobe.com/xap/1.0/\nCreateDate",
    [MAKE] = TIFF "Make",
    [MODEL] = TIFF "Model",
    [LATITUDE] = EXIF "GPSLatitude",
    [LONGITUDE] = EXIF "GPSLongitude",
    [SUBJECT] = DC "subject",
    [HIERARCHY] = "http://ns.adobe.com/lightroom/1.0/\nhierarchicalSubject",
};

typedef struct reading {
    XML_Parser parser;
    akin_status status;
    akin_error *err;
    const char *refused; /* why */
    bool whole;          /* the root element has ended */
    unsigned depth;      /* of the element we are in, the root's is 1 */
    unsigned rdf;        /* that of rdf:RDF, 0: not in it */
    bool described;      /* in an rdf:Description right below it */
    int property;        /* PROPERTIES: none that we want */
    bool list, item, items; /* in an Alt, Bag or Seq of it; in an rdf:li; there was one */
    bool preferred;      /* this rdf:li is the default language's */
    akin_buffer text;
    char *values[VALUES];
    bool settled[VALUES];        /* by the default language */
    akin_metadata tags, leaves;  /* only their tags */
} reading;

static void stop(reading *r, const char *why, akin_status status)
{
    r->status = status;
    r->refused = why;
    XML_StopParser(r->parser, XML_FALSE);
}

static int property_of(const char *name)
{
    int i = 0;
    while (i < PROPERTIES && strcmp(NAMES[i], name) != 0)
        i++;
    return i;
}

static void take(reading *r, int which, const char *text, size_t size, bool preferred)
{
    akin_status status = AKIN_OK;
    if (which == SUBJECT) {
        status = akin_metadata_add_tag(&r->tags, text, size, r->err);
    } else if (which == HIERARCHY) {
        const char *bar = memrchr(text, '|', size);
        const size_t skip = bar != NULL ? (size_t)(bar + 1 - text) : 0;
        status = akin_metadata_add_tag(&r->leaves, text + skip, size - skip, r->err);
    } else if (r->values[which] == NULL || (preferred && !r->settled[which])) {
        char *value;
        status = akin_metadata_text(text, size, AKIN_METADATA_TEXT, which == DESCRIPTION, &value,
                                    r->err);
        if (status == AKIN_OK && value != NULL) {
            free(r->values[which]);
            r->values[which] = value;
            r->settled[which] = preferred;
        }
    }
    if (status != AKIN_OK)
        stop(r, NULL, status);
}

/* ---- what expat calls */

static void XMLCALL on_start(void *context, const XML_Char *name, const XML_Char **attributes)
{
    reading *r = context;
    if (++r->depth > MAX_DEPTH) {
        stop(r, "nested too deeply", AKIN_E_LIMIT);
        return;
    }
    if (r->rdf == 0) {
        if (strcmp(name, RDF "RDF") == 0)
            r->rdf = r->depth;
        return;
    }
    switch (r->depth - r->rdf) {
    case 1:
        r->described = strcmp(name, RDF "Description") == 0;
        for (; r->described && attributes[0] != NULL; attributes += 2) {
            const int which = property_of(attributes[0]);
            if (which != PROPERTIES && r->status == AKIN_OK)
                take(r, which, attributes[1], strlen(attributes[1]), false);
        }
        break;
    case 2:
        r->property = r->described ? property_of(name) : PROPERTIES;
        r->list = r->items = false;
        r->text.size = 0;
        break;
    case 3:
        r->list = strcmp(name, RDF "Alt") == 0 || strcmp(name, RDF "Bag") == 0 ||
                  strcmp(name, RDF "Seq") == 0;
        r->items = true; /* the text around an element is none */
        break;
    case 4:
        r->item = r->list && strcmp(name, RDF "li") == 0;
        r->preferred = false;
        for (; attributes[0] != NULL; attributes += 2)
            if (strcmp(attributes[0], LANG) == 0)
                r->preferred = strcmp(attributes[1], "x-default") == 0;
        r->text.size = 0;
        break;
    default:
        break;
    }
}

static void XMLCALL on_text(void *context, const XML_Char *text, int size)
{
    reading *r = context;
    const unsigned below = r->rdf != 0 ? r->depth - r->rdf : 0;
    if (r->status != AKIN_OK || r->property == PROPERTIES ||
        !((below == 2 && !r->items) || (below == 4 && r->item)))
        return;
    /* Cut between characters; what follows the cut is left out too. */
    const size_t room = r->text.max - r->text.size;
    size_t n = akin_min((size_t)size, room);
    while (n != 0 && n < (size_t)size && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    akin_status status = akin_buffer_add(&r->text, text, n, r->err);
    if (n < (size_t)size)
        r->text.max = r->text.size;
    if (status != AKIN_OK)
        stop(r, NULL, status);
}

static void XMLCALL on_end(void *context, const XML_Char *name)
{
    reading *r = context;
    (void)name;
    const unsigned below = r->rdf != 0 ? r->depth - r->rdf : UINT32_MAX;
    if (r->status != AKIN_OK)
        return;
    if (r->property != PROPERTIES && ((below == 2 && !r->items) || (below == 4 && r->item))) {
        if (r->text.size != 0)
            take(r, r->property, r->text.data, r->text.size, r->preferred);
        r->text.size = 0;
    }
    r->text.max = MAX_VALUE;
    if (below == 4)
        r->item = r->preferred = false;
    if (below == 3)
        r->list = false;
    if (below == 2)
        r->property = PROPERTIES;
    if (below == 1)
        r->described = false;
    if (below == 0)
        r->rdf = 0;
    if (--r->depth == 0 && r->status == AKIN_OK) {
        r->whole = true;
        XML_StopParser(r->parser, XML_FALSE);
    }
}

static void XMLCALL on_doctype(void *context, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public, int internal)
{
    (void)name, (void)system, (void)public, (void)internal;
    stop(context, "it has a document type, which XMP has not", AKIN_E_UNSAFE);
}

/* ---- values */

/* A decimal number, whatever the locale; *p moves behind it. */
static bool decimal(const char **p, double *out)
{
    double digits = 0, scale = 1;
    int count = 0;
    bool point = false;
    for (; (**p >= '0' && **p <= '9') || (**p == '.' && !point); ++*p) {
        if (**p == '.') {
            point = true;
            continue;
        }
        if (++count > 15) { /* digits that a double has no room for */
            if (!point)
                return false;
            continue;
        }
        digits = digits * 10 + (**p - '0');
        scale *= point ? 10 : 1;
    }
    *out = digits / scale;
    return count != 0;
}

/* "47,23.5N" or "47,23,30N" (XMP's GPSCoordinate). */
static bool coordinate(const char *p, char positive, char negative, double *out)
{
    double part, unit = 1;
    *out = 0;
    if (p == NULL)
        return false;
    for (int i = 0; i < 3; i++, unit *= 60) {
        if (!decimal(&p, &part))
            return false;
        *out += part / unit;
        if (*p != ',')
            break;
        p++;
    }
    if (*p == negative)
        *out = -*out;
    return (*p == positive || *p == negative) && p[1] == '\0';
}

static void give(char **to, char **from)
{
    if (*from == NULL)
        return;
    free(*to);
    *to = *from;
    *from = NULL;
}

/* The tags of the packet, then those that m had. */
static akin_status give_tags(akin_metadata *m, reading *r)
{
    akin_status status = AKIN_OK;
    akin_metadata *const more[] = { &r->leaves, m };
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < more[k]->tag_count; i++)
            AKIN_TRY(akin_metadata_add_tag(&r->tags, more[k]->tags[i], strlen(more[k]->tags[i]),
                                           r->err));
    char **tags = m->tags;
    const size_t count = m->tag_count;
    m->tags = r->tags.tags;
    m->tag_count = r->tags.tag_count;
    r->tags.tags = tags;
    r->tags.tag_count = count;
out:
    return status;
}

static akin_status give_all(akin_metadata *m, reading *r)
{
    akin_status status = AKIN_OK;
    double latitude, longitude;
    AKIN_TRY(give_tags(m, r));
    for (int i = DATE_ORIGINAL; i <= CREATE_DATE && m->taken_at[0] == '\0'; i++)
        if (r->values[i] != NULL)
            akin_metadata_date(r->values[i], m->taken_at, m->offset);
    if (m->camera[0] == '\0')
        akin_metadata_camera(r->values[MAKE], r->values[MODEL], m->camera);
    if (!m->has_position && coordinate(r->values[LATITUDE], 'N', 'S', &latitude) &&
        coordinate(r->values[LONGITUDE], 'E', 'W', &longitude))
        akin_metadata_set_position(m, latitude, longitude);
    if (r->values[DESCRIPTION] != NULL && !akin_metadata_is_junk(r->values[DESCRIPTION]))
        give(&m->caption, &r->values[DESCRIPTION]);
    give(&m->title, &r->values[TITLE]);
out:
    return status;
}

/* Where an error is, from 1. 2.9 calls the older functions deprecated; 2.4 has no others. */
#if XML_MAJOR_VERSION > 2 || XML_MINOR_VERSION >= 9
#define POSITION(what) XML_GetCurrent##what##Number64
#else
#define POSITION(what) XML_GetCurrent##what##Number
#endif
static unsigned long line_of(XML_Parser p) { return (unsigned long)POSITION(Line)(p); }
static unsigned long column_of(XML_Parser p) { return (unsigned long)POSITION(Column)(p) + 1; }

akin_status akin_metadata_parse_xmp(akin_metadata *m, const void *bytes, size_t size,
                                    akin_error *err)
{
    akin_status status = AKIN_OK;
    reading r = { .err = err, .property = PROPERTIES };
    const char *text = bytes;
    akin_buffer_init(&r.text, "XMP", MAX_VALUE);
    while (size != 0 && (*text == '\0' || *text == ' ' || *text == '\n' || *text == '\r' ||
                         *text == '\t')) {
        text++;
        size--;
    }
    if (size == 0)
        return akin_fail(err, AKIN_E_FORMAT, NULL, "not XML: it is empty");
    if (size > AKIN_METADATA_BLOCK)
        return akin_fail(err, AKIN_E_LIMIT, NULL, "XMP of %zu bytes; the limit is %zu", size,
                         AKIN_METADATA_BLOCK);
    r.parser = XML_ParserCreateNS(NULL, '\n');
    if (r.parser == NULL)
        return akin_fail_nomem(err, "an XMP reader", 0);
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
    errno = 0; /* expat has other words for some requests that fail: malloc's own stays here */
    XML_Parse(r.parser, text, (int)size, XML_TRUE);
    const bool no_memory = errno == ENOMEM;
    const enum XML_Error code = XML_GetErrorCode(r.parser);
    if (r.status != AKIN_OK && r.refused != NULL)
        status = akin_fail(err, r.status, NULL, "XMP refused: %s", r.refused);
    else if (r.status != AKIN_OK)
        status = r.status;
    else if (!r.whole && (no_memory || code == XML_ERROR_NO_MEMORY))
        status = akin_fail_nomem(err, "an XMP reader", 0);
    else if (!r.whole)
        status = akin_fail(err, AKIN_E_FORMAT, NULL, "not XML: line %lu, column %lu: %s",
                           line_of(r.parser), column_of(r.parser), XML_ErrorString(code));
    else
        status = give_all(m, &r);
    XML_ParserFree(r.parser);
    akin_buffer_clear(&r.text);
    for (size_t i = 0; i < VALUES; i++)
        free(r.values[i]);
    akin_metadata_clear(&r.tags);
    akin_metadata_clear(&r.leaves);
    return status;
}
