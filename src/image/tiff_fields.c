/* tiff_fields.c - the directories of a TIFF file (TIFF 6.0, section 2). */
#include "tiff_fields.h"

uint64_t akin_tiff_number(const akin_tiff *t, uint64_t at, size_t n)
{
    uint64_t v = 0;
    if (at > t->size || n > t->size - at)
        return 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | t->data[at + (t->big_endian ? i : n - 1 - i)];
    return v;
}

size_t akin_tiff_type_size(unsigned type)
{
    static const uint8_t sizes[] = { 0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8 };
    return type < sizeof sizes ? sizes[type] : 0;
}

bool akin_tiff_directory_at(const akin_tiff *t, uint64_t at, akin_tiff_directory *out)
{
    if (at > t->size || t->size - at < 2)
        return false;
    *out = (akin_tiff_directory){ t, (size_t)at + 2, (uint32_t)akin_tiff_number(t, at, 2) };
    return true;
}

bool akin_tiff_next(akin_tiff_directory *d, akin_tiff_entry *out)
{
    const akin_tiff *t = d->tiff;
    if (d->left == 0 || t->size - d->at < 12)
        return false;
    *out = (akin_tiff_entry){
        .tag = (unsigned)akin_tiff_number(t, d->at, 2),
        .type = (unsigned)akin_tiff_number(t, d->at + 2, 2),
        .count = (uint32_t)akin_tiff_number(t, d->at + 4, 4),
        .field = d->at + 8,
    };
    d->at += 12;
    d->left--;
    return true;
}

bool akin_tiff_values(const akin_tiff *t, const akin_tiff_entry *entry, size_t *at, size_t *bytes)
{
    const uint64_t all = (uint64_t)entry->count * akin_tiff_type_size(entry->type);
    const uint64_t from = all <= 4 ? entry->field : akin_tiff_number(t, entry->field, 4);
    if (all == 0 || from > t->size || t->size - from < all)
        return false;
    *at = (size_t)from;
    *bytes = (size_t)all;
    return true;
}
