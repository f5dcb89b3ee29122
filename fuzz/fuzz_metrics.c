/* fuzz_metrics.c - the bytes are a training's metrics: what is drawn is one SVG document of bounded
 * size. */
#include <string.h>

#include "base/buffer.h"
#include "fuzz.h"
#include "report/metrics_plot.h"

static const char *const names[] = { "metrics.jsonl" };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *folder = fuzz_folder(data, size, names, 1);
    char path[4200];
    akin_buffer out;
    akin_error err;
    snprintf(path, sizeof path, "%s/%s", folder, names[0]);
    akin_buffer_init(&out, "plot", 16 << 20);
    if (judged(akin_metrics_plot(path, &out, &err), &err) == AKIN_OK) {
        HOLDS(out.size > 12 && out.size < 1 << 20 && memcmp(out.data, "<svg", 4) == 0);
        HOLDS(strstr(out.data, "nan") == NULL && strstr(out.data, "inf") == NULL);
        HOLDS(memcmp(out.data + out.size - 7, "</svg>\n", 7) == 0);
    }
    akin_buffer_clear(&out);
    return 0;
}
