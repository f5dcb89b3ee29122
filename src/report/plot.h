/* plot.h - lines over one axis as an SVG picture: no scripts, no fonts of its own, the same bytes
 * for the same numbers. */
#ifndef AKIN_REPORT_PLOT_H
#define AKIN_REPORT_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/* A line through (x[i], y[i]) in their order. A point that is not finite, or not above 0 on a
 * logarithmic axis, interrupts it. */
typedef struct akin_series {
    const char *name; /* UTF-8, of the legend */
    const double *x, *y;
    size_t count;
} akin_series;

typedef struct akin_panel {
    const char *title, *x_title; /* NULL: none */
    bool log_x, log_y;
    const akin_series *series;
    size_t series_count; /* from the second on a legend tells them apart */
} akin_panel;

enum { AKIN_PANEL_SERIES = 8, AKIN_PLOT_PANELS = 64 };

/* Adds a whole SVG document: panels in rows of two. A panel without a point says so. More panels or
 * series than the limits are AKIN_E_ARGUMENT. */
akin_status akin_plot_svg(const char *title, const akin_panel *panels, size_t panel_count,
                          akin_buffer *out, akin_error *err);

#endif
