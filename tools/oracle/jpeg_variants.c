/* jpeg_variants.c - writes JPEG files of kinds that Pillow cannot write; input maker of
 * pictures.py.
 *
 *     cc jpeg_variants.c -ljpeg -o jpeg_variants
 *     jpeg_variants OUT WIDTH HEIGHT SPACE SAMPLING QUALITY [OPTION...] < samples
 *
 * SPACE: grey, ycc, rgb, cmyk, ycck (of CMYK samples). SAMPLING: 2x1,1x1,1x1. OPTION: arithmetic,
 * progressive, nojfif, noadobe, separate (a scan a component), restart=N (in MCUs).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

int main(int argc, char **argv)
{
    if (argc < 7)
        return 2;
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    FILE *out = fopen(argv[1], "wb");
    if (out == NULL)
        return 1;
    const char *space = argv[4];
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_stdio_dest(&c, out);
    c.image_width = (JDIMENSION)atoi(argv[2]);
    c.image_height = (JDIMENSION)atoi(argv[3]);
    int grey = strcmp(space, "grey") == 0;
    int four = strcmp(space, "cmyk") == 0 || strcmp(space, "ycck") == 0;
    c.input_components = grey ? 1 : four ? 4 : 3;
    c.in_color_space = grey ? JCS_GRAYSCALE : four ? JCS_CMYK : JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_colorspace(&c, grey ? JCS_GRAYSCALE
                            : strcmp(space, "rgb") == 0  ? JCS_RGB
                            : strcmp(space, "cmyk") == 0 ? JCS_CMYK
                            : strcmp(space, "ycck") == 0 ? JCS_YCCK
                                                         : JCS_YCbCr);
    jpeg_set_quality(&c, atoi(argv[6]), TRUE);
    const char *sampling = argv[5];
    for (int i = 0; i < c.num_components && sampling != NULL; i++) {
        sscanf(sampling, "%dx%d", &c.comp_info[i].h_samp_factor, &c.comp_info[i].v_samp_factor);
        sampling = strchr(sampling, ',');
        sampling = sampling != NULL ? sampling + 1 : NULL;
    }
    static jpeg_scan_info scans[4];
    for (int i = 7; i < argc; i++) {
        if (strcmp(argv[i], "arithmetic") == 0)
            c.arith_code = TRUE;
        else if (strcmp(argv[i], "progressive") == 0)
            jpeg_simple_progression(&c);
        else if (strcmp(argv[i], "nojfif") == 0)
            c.write_JFIF_header = FALSE;
        else if (strcmp(argv[i], "noadobe") == 0)
            c.write_Adobe_marker = FALSE;
        else if (strcmp(argv[i], "adobe") == 0)
            c.write_Adobe_marker = TRUE;
        else if (strncmp(argv[i], "restart=", 8) == 0)
            c.restart_interval = (unsigned)atoi(argv[i] + 8);
        else if (strcmp(argv[i], "separate") == 0) {
            for (int k = 0; k < c.num_components; k++)
                scans[k] =
                    (jpeg_scan_info){ .comps_in_scan = 1, .component_index = { k }, .Se = 63 };
            c.scan_info = scans;
            c.num_scans = c.num_components;
        }
    }
    jpeg_start_compress(&c, TRUE);
    size_t pitch = (size_t)c.image_width * (size_t)c.input_components;
    JSAMPLE *row = malloc(pitch);
    if (row == NULL)
        return 1;
    while (c.next_scanline < c.image_height) {
        if (fread(row, 1, pitch, stdin) != pitch)
            return 1;
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    free(row);
    return fclose(out) == 0 ? 0 : 1;
}
