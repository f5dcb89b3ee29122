/* model_form.c - which of its forms a model's folder is read in. */
#include <stdlib.h>
#include <string.h>

#include "api/handles.h"
#include "base/file.h"
#include "base/json.h"

static akin_status is_file(const char *folder, const char *name, bool *out, akin_error *err)
{
    char *path = akin_path_join(folder, name);
    if (path == NULL)
        return akin_fail_nomem(err, "path", 0);
    *out = akin_path_is_file(path);
    free(path);
    return AKIN_OK;
}

/* Whether config.json says that this is CLIP; what cannot be read does not. (Out of memory is no
 * answer: it must not choose a form.) */
static akin_status says_clip(const char *folder, bool *out, akin_error *err)
{
    enum { CONFIG_BYTES = 1 << 20 };
    char *path = akin_path_join(folder, "config.json");
    akin_json *root = NULL;
    const char *type = NULL;
    if (path == NULL)
        return akin_fail_nomem(err, "path", 0);
    akin_status status = akin_json_read(path, CONFIG_BYTES, &root, NULL);
    *out = status == AKIN_OK &&
           akin_json_text_field(root, path, NULL, "model_type", &type, NULL) == AKIN_OK &&
           type != NULL && strcmp(type, "clip") == 0;
    if (status == AKIN_OK)
        akin_json_free(root);
    free(path);
    return status == AKIN_E_NOMEM ? akin_fail_nomem(err, "config.json", 0) : AKIN_OK;
}

akin_status akin_form_of(akin_form *out, const char *folder, const char *asked, akin_error *err)
{
    *out = AKIN_FORM_HF;
    if (asked != NULL) {
        if (strcmp(asked, "open_clip") == 0)
            *out = AKIN_FORM_OPEN_CLIP;
        else if (strcmp(asked, "hf") != 0)
            return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                             "form is '%s'; it must be hf or open_clip", asked);
        return AKIN_OK;
    }
    bool open_clip = false, clip = false, weights = false;
    akin_status status;
    AKIN_TRY(is_file(folder, "open_clip_config.json", &open_clip, err));
    if (open_clip) {
        AKIN_TRY(says_clip(folder, &clip, err));
        AKIN_TRY(akin_checkpoint_exists(folder, AKIN_FORM_HF, &weights, err));
        *out = clip && weights ? AKIN_FORM_HF : AKIN_FORM_OPEN_CLIP;
    }
out:
    return status;
}
