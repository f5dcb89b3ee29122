/* api_plot.c - akin.h: pictures of a training's metrics. */
#include "api/handles.h"
#include "base/file.h"
#include "report/metrics_plot.h"

akin_status akin_train_plot(const char *metrics, const char *path, akin_error *err)
{
    enum { PLOT_BYTES = 64 << 20 };
    akin_writer w = { 0 };
    akin_buffer svg;
    akin_status status;
    akin_buffer_init(&svg, "a plot", PLOT_BYTES);
    AKIN_TRY(akin_metrics_plot(metrics, &svg, err));
    AKIN_TRY(akin_writer_open(&w, path, err));
    AKIN_TRY(akin_writer_add(&w, svg.data, svg.size, err));
    AKIN_TRY(akin_writer_commit(&w, err));
out:
    akin_writer_abort(&w);
    akin_buffer_clear(&svg);
    return status;
}
