/* metadata.c - what a picture file says of itself: EXIF first, then what XMP says better. */
#include "metadata.h"

#include <stdlib.h>
#include <string.h>

#include "metadata_parts.h"

akin_status akin_metadata_add_xmp(akin_metadata *m, const void *bytes, size_t size,
                                  akin_error *err)
{
    akin_status status = akin_metadata_parse_xmp(m, bytes, size, err);
    return status == AKIN_E_NOMEM ? status : AKIN_OK;
}

akin_status akin_metadata_read(akin_metadata *out, const void *bytes, size_t size, akin_error *err)
{
    akin_status status = AKIN_OK;
    akin_metadata_blocks blocks;
    akin_block packet;
    *out = (akin_metadata){ 0 };
    AKIN_TRY(akin_metadata_find(&blocks, bytes, size, err));
    AKIN_TRY(akin_exif_fields(out, &blocks, &packet, err));
    if (blocks.xmp.data != NULL)
        packet = blocks.xmp;
    /* The packet last: its words win. */
    if (blocks.xmp_extension.data != NULL)
        AKIN_TRY(akin_metadata_add_xmp(out, blocks.xmp_extension.data, blocks.xmp_extension.size,
                                       err));
    if (packet.data != NULL)
        AKIN_TRY(akin_metadata_add_xmp(out, packet.data, packet.size, err));
out:
    akin_metadata_blocks_clear(&blocks);
    return status;
}

void akin_metadata_clear(akin_metadata *m)
{
    free(m->caption);
    free(m->title);
    for (size_t i = 0; i < m->tag_count; i++)
        free(m->tags[i]);
    free(m->tags);
    *m = (akin_metadata){ 0 };
}
