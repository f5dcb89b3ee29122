/* metrics_plot.c - JSON lines to series, series to panels. */
#include "metrics_plot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "plot.h"

enum { LOSS, VALIDATION_LOSS, TEMPERATURE, RATE, RECALL, KEYS };
static const char *const KEY[KEYS] = { "loss", "validation_loss", "temperature", "rate",
                                       "recall_at_1" };

typedef struct track {
    double *x, *y;
    size_t count, x_capacity, y_capacity;
} track;

static akin_status track_add(track *t, double x, double y, akin_error *err)
{
    double *xs = akin_grow(t->x, &t->x_capacity, t->count + 1, sizeof *xs);
    if (xs != NULL)
        t->x = xs;
    double *ys = akin_grow(t->y, &t->y_capacity, t->count + 1, sizeof *ys);
    if (ys != NULL)
        t->y = ys;
    if (xs == NULL || ys == NULL)
        return akin_fail_nomem(err, "metrics", t->count * sizeof *xs);
    t->x[t->count] = x;
    t->y[t->count++] = y;
    return AKIN_OK;
}

static akin_status take_line(track *tracks, const char *line, size_t size, size_t number,
                             const char *path, akin_error *err)
{
    akin_json *root = NULL;
    akin_error why = { 0 };
    akin_status status = akin_json_parse_object(line, size, path, &root, &why);
    if (status != AKIN_OK)
        return akin_fail(err, status, path, "line %zu: %s", number, why.message);
    const akin_json *step = akin_json_get(root, "step");
    if (!akin_json_is_number(step)) {
        status = akin_fail(err, AKIN_E_FORMAT, path, "line %zu has no \"step\": no metrics of a "
                           "training", number);
        goto out;
    }
    const double x = akin_json_double(step);
    for (int k = 0; k < KEYS; k++) {
        track *t = &tracks[k];
        const akin_json *value = akin_json_get(root, KEY[k]);
        while (t->count > 0 && t->x[t->count - 1] > x)
            t->count--;
        if (!akin_json_is_number(value))
            continue;
        if (t->count > 0 && t->x[t->count - 1] == x)
            t->count--;
        AKIN_TRY(track_add(t, x, akin_json_double(value), err));
    }
out:
    akin_json_free(root);
    return status;
}

static akin_status read_tracks(track *tracks, const char *path, akin_error *err)
{
    akin_buffer bytes;
    size_t lines = 0, number = 0;
    akin_status status = akin_file_read(path, "metrics", AKIN_METRICS_BYTES, &bytes, err);
    for (size_t at = 0; status == AKIN_OK && at < bytes.size;) {
        const char *line = bytes.data + at, *end = memchr(line, '\n', bytes.size - at);
        const size_t size = end != NULL ? (size_t)(end - line) : bytes.size - at;
        at += size + 1;
        number++;
        if (size == 0 || (size == 1 && line[0] == '\r'))
            continue;
        akin_error why = { 0 };
        status = take_line(tracks, line, size, number, path, &why);
        if (status == AKIN_E_FORMAT && end == NULL && lines != 0) {
            status = AKIN_OK; /* the trainer is just writing it */
            break;
        }
        if (status != AKIN_OK && err != NULL)
            *err = why;
        lines++;
    }
    if (status == AKIN_OK && lines == 0)
        status = akin_fail(err, AKIN_E_FORMAT, path, "no metrics: the file has no line");
    akin_buffer_clear(&bytes);
    return status;
}

static akin_series series_of(const track *t, const char *name)
{
    return (akin_series){ name, t->x, t->y, t->count };
}

akin_status akin_metrics_plot(const char *metrics_path, akin_buffer *out, akin_error *err)
{
    track tracks[KEYS] = { 0 };
    akin_status status;
    AKIN_TRY(read_tracks(tracks, metrics_path, err));
    const akin_series loss[] = { series_of(&tracks[LOSS], "training"),
                                 series_of(&tracks[VALIDATION_LOSS], "validation") };
    const akin_series temperature = series_of(&tracks[TEMPERATURE], "temperature");
    const akin_series rate = series_of(&tracks[RATE], "rate");
    const akin_series recall = series_of(&tracks[RECALL], "recall at 1");
    akin_panel panels[4] = { { "loss", "step", false, false, loss,
                               tracks[VALIDATION_LOSS].count != 0 ? 2 : 1 } };
    size_t count = 1;
    if (temperature.count != 0)
        panels[count++] = (akin_panel){ "temperature", "step", false, false, &temperature, 1 };
    if (rate.count != 0)
        panels[count++] = (akin_panel){ "learning rate", "step", false, false, &rate, 1 };
    if (recall.count != 0)
        panels[count++] = (akin_panel){ "recall at 1", "step", false, false, &recall, 1 };
    const char *slash = strrchr(metrics_path, '/');
    AKIN_TRY(akin_plot_svg(slash != NULL ? slash + 1 : metrics_path, panels, count, out, err));
out:
    for (int k = 0; k < KEYS; k++) {
        free(tracks[k].x);
        free(tracks[k].y);
    }
    return status;
}
