/* plot.c - axes, ticks, lines.
 *
 * Ticks are at 1, 2 or 5 times a power of ten, some five of them; on a logarithmic axis at powers
 * of ten, with 2 and 5 between when there are less than two. A line has at most four points a
 * pixel's column (its first, lowest, highest, last), so that a million steps are a small file that
 * looks the same.
 */
#include "plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "contact_sheet.h"

enum {
    WIDTH = 470, HEIGHT = 290, /* of a panel with what stands around it */
    LEFT = 58, RIGHT = 14, TOP = 34, BOTTOM = 40, HEAD = 44,
    TICKS = 24 /* most that are ever made */
};

static const char *const COLOURS[AKIN_PANEL_SERIES] = {
    "#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4b5563"
};

static const char STYLE[] =
    "<style>text{font:12px system-ui,sans-serif;fill:#444}.h{font-size:17px;font-weight:600;"
    "fill:#111}.t{font-size:13px;font-weight:600;fill:#111}.g{stroke:#e5e7eb;fill:none}"
    ".f{stroke:#9ca3af;fill:none}.l{fill:none;stroke-width:1.6;stroke-linejoin:round}</style>\n";

typedef struct axis {
    bool log;
    double low, high; /* as drawn: log10 of them on a logarithmic axis */
    double step;      /* of ticks on a linear one */
    double begin, length; /* in pixels; length < 0: upwards */
} axis;

typedef struct drawing {
    akin_buffer *out;
    akin_error *err;
    akin_status status;
} drawing;

static void put(drawing *d, const char *text)
{
    if (d->status == AKIN_OK)
        d->status = akin_buffer_add_text(d->out, text, d->err);
}

static void put_text(drawing *d, const char *text)
{
    if (d->status == AKIN_OK && text != NULL)
        d->status = akin_html_text(text, strlen(text), d->out, d->err);
}

static void put_number(drawing *d, double value)
{
    char number[48];
    akin_decimal(number, sizeof number, value, 2);
    put(d, number);
}

/* ' NAME="VALUE"' */
static void put_place(drawing *d, const char *name, double value)
{
    put(d, " ");
    put(d, name);
    put(d, "=\"");
    put_number(d, value);
    put(d, "\"");
}

/* ---- axes ----------------------------------------------------------------------------------- */

static bool shown(const akin_panel *p, double x, double y)
{
    return isfinite(x) && isfinite(y) && (!p->log_x || x > 0) && (!p->log_y || y > 0);
}

static double on_axis(const axis *a, double value)
{
    const double v = a->log ? log10(value) : value;
    return a->begin + (v - a->low) / (a->high - a->low) * a->length;
}

/* The ends of an axis around [low, high], and its step: 1, 2 or 5 times a power of ten. */
static void settle(axis *a, double low, double high)
{
    if (a->log) {
        low = log10(low);
        high = log10(high);
        if (high - low < 0.3) {
            low -= 0.15;
            high += 0.15;
        }
        a->low = low;
        a->high = high;
        return;
    }
    const double size = fmax(fabs(low), fabs(high));
    if (high - low <= size * 1e-9) { /* one value, or so near that doubles end */
        low -= size > 0 ? size * 0.1 : 1;
        high += size > 0 ? size * 0.1 : 1;
    }
    const double raw = (high - low) / 5, unit = pow(10, floor(log10(raw)));
    const double part = raw / unit;
    a->step = unit * (part <= 1.0001 ? 1 : part <= 2.0001 ? 2 : part <= 5.0001 ? 5 : 10);
    a->low = floor(low / a->step + 1e-9) * a->step;
    a->high = ceil(high / a->step - 1e-9) * a->step;
}

static size_t ticks(const axis *a, double *out)
{
    size_t count = 0;
    if (!a->log) {
        const double first = ceil(a->low / a->step - 1e-9), last = floor(a->high / a->step + 1e-9);
        for (double i = first; i <= last && count < TICKS; i++)
            out[count++] = i * a->step;
        return count;
    }
    const double decades = a->high - a->low;
    const double every = ceil(decades / 8); /* of powers */
    for (double e = floor(a->low); e <= a->high && count < TICKS; e += fmax(every, 1))
        for (int k = 0; k < 3; k++) {
            const double v = (k == 0 ? 1 : k == 1 ? 2 : 5) * pow(10, e);
            if ((k == 0 || decades < 2) && log10(v) >= a->low - 1e-9 &&
                log10(v) <= a->high + 1e-9 && count < TICKS)
                out[count++] = v;
        }
    return count;
}

/* As many digits as the ticks' step has; powers of ten far from 1 as 2e-5. */
static void tick_text(const axis *a, double value, char *out, size_t capacity)
{
    const double size = a->log ? fabs(value) : fmax(fabs(a->low), fabs(a->high));
    const double step = a->log ? fabs(value) : a->step;
    const int power = value != 0 ? (int)floor(log10(fabs(value)) + 1e-9) : 0;
    if (value != 0 && (size >= 1e6 || size < 1e-3)) {
        char mantissa[48];
        const double m = value / pow(10, power);
        const double fine = a->log ? 1 : step / pow(10, power);
        int digits = fine < 0.9999 ? (int)ceil(-log10(fine) - 1e-9) : 0;
        akin_decimal(mantissa, sizeof mantissa, m, digits > 6 ? 6 : digits);
        snprintf(out, capacity, "%se%d", mantissa, power);
        return;
    }
    int digits = step < 0.9999 ? (int)ceil(-log10(step) - 1e-9) : 0;
    akin_decimal(out, capacity, value, digits > 6 ? 6 : digits);
}

static void put_axes(drawing *d, const axis *x, const axis *y)
{
    double at[TICKS];
    char text[64];
    const size_t across = ticks(x, at);
    for (size_t i = 0; i < across; i++) {
        const double place = on_axis(x, at[i]);
        put(d, "<path class=\"g\" d=\"M");
        put_number(d, place);
        put(d, " ");
        put_number(d, y->begin);
        put(d, "V");
        put_number(d, y->begin + y->length);
        put(d, "\"/><text class=\"x\" text-anchor=\"middle\"");
        put_place(d, "x", place);
        put_place(d, "y", y->begin + 16);
        put(d, ">");
        tick_text(x, at[i], text, sizeof text);
        put(d, text);
        put(d, "</text>\n");
    }
    const size_t up = ticks(y, at);
    for (size_t i = 0; i < up; i++) {
        const double place = on_axis(y, at[i]);
        put(d, "<path class=\"g\" d=\"M");
        put_number(d, x->begin);
        put(d, " ");
        put_number(d, place);
        put(d, "H");
        put_number(d, x->begin + x->length);
        put(d, "\"/><text class=\"y\" text-anchor=\"end\" dy=\".35em\"");
        put_place(d, "x", x->begin - 6);
        put_place(d, "y", place);
        put(d, ">");
        tick_text(y, at[i], text, sizeof text);
        put(d, text);
        put(d, "</text>\n");
    }
    put(d, "<path class=\"f\" d=\"M");
    put_number(d, x->begin);
    put(d, " ");
    put_number(d, y->begin + y->length);
    put(d, "V");
    put_number(d, y->begin);
    put(d, "H");
    put_number(d, x->begin + x->length);
    put(d, "\"/>\n");
}

/* ---- lines ---------------------------------------------------------------------------------- */

typedef struct pen {
    drawing *d;
    const char *colour;
    bool down; /* a line has begun */
} pen;

static void pen_up(pen *p)
{
    if (p->down)
        put(p->d, "\"/>\n");
    p->down = false;
}

static void pen_to(pen *p, double x, double y)
{
    if (!p->down) {
        put(p->d, "<polyline class=\"l\" stroke=\"");
        put(p->d, p->colour);
        put(p->d, "\" points=\"");
    } else {
        put(p->d, " ");
    }
    p->down = true;
    put_number(p->d, x);
    put(p->d, ",");
    put_number(p->d, y);
}

/* The points of one pixel's column, which are drawn as four. */
typedef struct column {
    size_t count;
    double first_x, first, last_x, last, low_x, low, high_x, high;
} column;

static void column_end(pen *p, column *c)
{
    if (c->count > 0)
        pen_to(p, c->first_x, c->first);
    if (c->count > 2) {
        const bool low_first = c->low_x <= c->high_x;
        pen_to(p, low_first ? c->low_x : c->high_x, low_first ? c->low : c->high);
        pen_to(p, low_first ? c->high_x : c->low_x, low_first ? c->high : c->low);
    }
    if (c->count > 1)
        pen_to(p, c->last_x, c->last);
    c->count = 0;
}

static void column_add(column *c, double x, double y)
{
    if (c->count++ == 0)
        *c = (column){ 1, x, y, x, y, x, y, x, y };
    if (y < c->low) {
        c->low = y;
        c->low_x = x;
    }
    if (y > c->high) {
        c->high = y;
        c->high_x = x;
    }
    c->last = y;
    c->last_x = x;
}

static void put_line(drawing *d, const akin_panel *panel, const akin_series *s, const axis *ax,
                     const axis *ay, const char *colour)
{
    pen p = { d, colour, false };
    column c = { 0 };
    const bool thin = s->count > 4 * (size_t)WIDTH;
    for (size_t i = 0; i < s->count; i++) {
        if (!shown(panel, s->x[i], s->y[i])) {
            column_end(&p, &c);
            pen_up(&p);
            continue;
        }
        const double x = on_axis(ax, s->x[i]), y = on_axis(ay, s->y[i]);
        if (c.count > 0 && (!thin || floor(x) != floor(c.first_x)))
            column_end(&p, &c);
        column_add(&c, x, y);
    }
    column_end(&p, &c);
    pen_up(&p);
}

static void put_legend(drawing *d, const akin_panel *panel, double right, double top)
{
    for (size_t i = 0; i < panel->series_count; i++) {
        const double y = top + 14 + 16 * (double)i;
        put(d, "<path class=\"l\" stroke=\"");
        put(d, COLOURS[i]);
        put(d, "\" d=\"M");
        put_number(d, right - 22);
        put(d, " ");
        put_number(d, y - 4);
        put(d, "h16\"/><text text-anchor=\"end\"");
        put_place(d, "x", right - 28);
        put_place(d, "y", y);
        put(d, ">");
        put_text(d, panel->series[i].name);
        put(d, "</text>\n");
    }
}

static void put_panel(drawing *d, const akin_panel *panel, double left, double top)
{
    axis x = { .log = panel->log_x, .begin = left + LEFT, .length = WIDTH - LEFT - RIGHT };
    axis y = { .log = panel->log_y, .begin = top + HEIGHT - BOTTOM,
               .length = -(HEIGHT - TOP - BOTTOM) };
    double low_x = INFINITY, high_x = -INFINITY, low_y = INFINITY, high_y = -INFINITY;
    for (size_t k = 0; k < panel->series_count; k++)
        for (size_t i = 0; i < panel->series[k].count; i++) {
            const double px = panel->series[k].x[i], py = panel->series[k].y[i];
            if (!shown(panel, px, py))
                continue;
            low_x = fmin(low_x, px);
            high_x = fmax(high_x, px);
            low_y = fmin(low_y, py);
            high_y = fmax(high_y, py);
        }
    put(d, "<g>\n<text class=\"t\"");
    put_place(d, "x", left + LEFT);
    put_place(d, "y", top + 20);
    put(d, ">");
    put_text(d, panel->title);
    put(d, "</text>\n");
    if (!(low_x <= high_x) || !(high_x - low_x < 1e300) || !(high_y - low_y < 1e300)) {
        put(d, "<text text-anchor=\"middle\"");
        put_place(d, "x", left + WIDTH / 2.0);
        put_place(d, "y", top + HEIGHT / 2.0);
        put(d, ">no values</text>\n</g>\n");
        return;
    }
    settle(&x, low_x, high_x);
    if (!x.log && low_x < high_x) { /* steps end where they end; heights end at a tick */
        x.low = low_x;
        x.high = high_x;
    }
    settle(&y, low_y, high_y);
    put_axes(d, &x, &y);
    for (size_t k = 0; k < panel->series_count; k++)
        put_line(d, panel, &panel->series[k], &x, &y, COLOURS[k]);
    if (panel->series_count > 1)
        put_legend(d, panel, left + WIDTH - RIGHT, top + TOP);
    if (panel->x_title != NULL) {
        put(d, "<text text-anchor=\"end\"");
        put_place(d, "x", left + WIDTH - RIGHT);
        put_place(d, "y", top + HEIGHT - 6);
        put(d, ">");
        put_text(d, panel->x_title);
        put(d, "</text>\n");
    }
    put(d, "</g>\n");
}

akin_status akin_plot_svg(const char *title, const akin_panel *panels, size_t panel_count,
                          akin_buffer *out, akin_error *err)
{
    drawing d = { out, err, AKIN_OK };
    char text[192];
    if (panel_count > AKIN_PLOT_PANELS)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "%zu panels: a plot has at most %d",
                         panel_count, AKIN_PLOT_PANELS);
    for (size_t i = 0; i < panel_count; i++)
        if (panels[i].series_count > AKIN_PANEL_SERIES)
            return akin_fail(err, AKIN_E_ARGUMENT, NULL, "%zu lines: a panel has at most %d",
                             panels[i].series_count, AKIN_PANEL_SERIES);
    const int columns = panel_count > 1 ? 2 : 1;
    const int width = columns * WIDTH, rows = (int)(panel_count + 1) / 2;
    const int height = HEAD + (columns == 1 ? (int)panel_count : rows) * HEIGHT;
    snprintf(text, sizeof text,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
             "viewBox=\"0 0 %d %d\">\n<title>", width, height, width, height);
    put(&d, text);
    put_text(&d, title);
    put(&d, "</title>\n");
    put(&d, STYLE);
    snprintf(text, sizeof text, "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", width,
             height);
    put(&d, text);
    put(&d, "<text class=\"h\" x=\"16\" y=\"28\">");
    put_text(&d, title);
    put(&d, "</text>\n");
    for (size_t i = 0; i < panel_count; i++)
        put_panel(&d, &panels[i], (double)(i % (size_t)columns) * WIDTH,
                  HEAD + (double)(i / (size_t)columns) * HEIGHT);
    put(&d, "</svg>\n");
    return d.status;
}
