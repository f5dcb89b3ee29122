/* metrics_plot.h - a training's metrics as a picture. */
#ifndef AKIN_REPORT_METRICS_PLOT_H
#define AKIN_REPORT_METRICS_PLOT_H

#include "base/buffer.h"
#include "base/error.h"

enum { AKIN_METRICS_BYTES = 1 << 30 };

/* Adds an SVG document: loss and validation_loss, temperature, rate, recall_at_1 over "step", of
 * the JSON objects of a file, one a line; other keys and values that are no numbers are left out. A
 * step that is not above the last one begins again there (a training that was resumed). A last line
 * that has no end yet is left out when it is none. A line without a step, or no line at all, is
 * AKIN_E_FORMAT. */
akin_status akin_metrics_plot(const char *metrics_path, akin_buffer *out, akin_error *err);

#endif
