/* embed.c - how near a text and a picture are.
 *
 *     cc embed.c $(pkg-config --cflags --libs akin) -o embed
 *     ./embed clip-vit-base-patch32 "a red car" car.jpg
 */
#include <stdio.h>
#include <stdlib.h>

#include <akin.h>

int main(int argc, char **argv)
{
    akin_error err = { 0 };
    akin_model *model = NULL;
    akin_session *session = NULL;
    akin_model_info info = AKIN_MODEL_INFO_INIT;
    float *text = NULL, *picture = NULL;
    int failed = 1;

    if (argc != 4) {
        fprintf(stderr, "usage: embed MODEL TEXT PICTURE\n");
        return 2;
    }
    if (akin_model_open(&model, argv[1], NULL, &err) != AKIN_OK ||
        akin_model_describe(model, &info, &err) != AKIN_OK ||
        akin_session_new(&session, model, NULL, &err) != AKIN_OK)
        goto out;

    size_t d = (size_t)info.dimensions;
    const char *texts[] = { argv[2] };
    akin_picture_input pictures[] = { { .path = argv[3] } };
    text = calloc(d, sizeof *text);
    picture = calloc(d, sizeof *picture);
    if (text == NULL || picture == NULL ||
        akin_embed_texts(session, texts, NULL, 1, 0, text, d, &err) != AKIN_OK ||
        akin_embed_pictures(session, pictures, 1, 0, picture, d, NULL, &err) != AKIN_OK)
        goto out;

    double cosine = 0; /* of vectors of length 1: their product */
    for (size_t i = 0; i < d; i++)
        cosine += (double)text[i] * (double)picture[i];
    printf("cosine %.6f\n", cosine);
    failed = 0;
out:
    if (failed)
        fprintf(stderr, "embed: %s%s%s\n", err.path, err.path[0] != '\0' ? ": " : "", err.message);
    free(picture);
    free(text);
    akin_session_free(session);
    akin_model_close(model);
    return failed;
}
