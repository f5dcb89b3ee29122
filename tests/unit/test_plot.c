/* Plots: well-formed by expat, and the points that they draw read back through their own ticks. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <expat.h>

#include "akin.h"
#include "base/file.h"
#include "report/metrics_plot.h"
#include "report/plot.h"

enum { MOST_TICKS = 32, MOST_POINTS = 8192, MOST_LINES = 16 };

/* What a picture says: ticks of the last panel, and all lines. */
typedef struct drawn {
    double x_at[MOST_TICKS], x_value[MOST_TICKS], y_at[MOST_TICKS], y_value[MOST_TICKS];
    size_t x_ticks, y_ticks;
    double x[MOST_LINES][MOST_POINTS], y[MOST_LINES][MOST_POINTS];
    size_t points[MOST_LINES], lines;
    size_t panels;
    char kind; /* of the text that is read: 'x', 'y', else others */
    double at;
    char text[256], all[4096];
} drawn;

static const char *attribute(const char **list, const char *name)
{
    for (; *list != NULL; list += 2)
        if (strcmp(list[0], name) == 0)
            return list[1];
    return NULL;
}

static void on_begin(void *context, const char *name, const char **list)
{
    drawn *d = context;
    assert_true(strcmp(name, "script") != 0);
    for (const char **a = list; *a != NULL; a += 2)
        assert_true(strncmp(a[0], "on", 2) != 0 && strstr(a[0], "href") == NULL);
    d->text[0] = '\0';
    if (strcmp(name, "g") == 0) {
        d->panels++;
        d->x_ticks = d->y_ticks = 0;
    }
    if (strcmp(name, "text") == 0) {
        const char *kind = attribute(list, "class");
        d->kind = kind != NULL ? kind[0] : ' ';
        if (d->kind == 'x' || d->kind == 'y')
            d->at = atof(attribute(list, d->kind == 'x' ? "x" : "y"));
    }
    if (strcmp(name, "polyline") == 0) {
        assert_true(d->lines < MOST_LINES);
        const size_t line = d->lines++;
        const char *p = attribute(list, "points");
        for (char *end; *p != '\0'; p = *end == ' ' ? end + 1 : end) {
            assert_true(d->points[line] < MOST_POINTS);
            d->x[line][d->points[line]] = strtod(p, &end);
            assert_int_equal(*end, ',');
            d->y[line][d->points[line]++] = strtod(end + 1, &end);
            assert_true(*end == ' ' || *end == '\0');
        }
    }
}

static void on_text(void *context, const char *text, int size)
{
    drawn *d = context;
    assert_true(strlen(d->text) + (size_t)size < sizeof d->text ||
                strstr(d->text, "font") != NULL || size > 200);
    if (strlen(d->text) + (size_t)size < sizeof d->text)
        strncat(d->text, text, (size_t)size);
}

static void on_end(void *context, const char *name)
{
    drawn *d = context;
    if (strcmp(name, "text") != 0)
        return;
    if (d->kind == 'x') {
        d->x_at[d->x_ticks] = d->at;
        d->x_value[d->x_ticks++] = atof(d->text);
    } else if (d->kind == 'y') {
        d->y_at[d->y_ticks] = d->at;
        d->y_value[d->y_ticks++] = atof(d->text);
    } else if (strlen(d->all) + strlen(d->text) + 2 < sizeof d->all) {
        strcat(strcat(d->all, d->text), "\n");
    }
    assert_true(d->x_ticks < MOST_TICKS && d->y_ticks < MOST_TICKS);
}

static drawn *read_svg(const akin_buffer *svg)
{
    drawn *d = calloc(1, sizeof *d);
    XML_Parser parser = XML_ParserCreate(NULL);
    assert_non_null(d);
    XML_SetUserData(parser, d);
    XML_SetElementHandler(parser, on_begin, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    if (XML_Parse(parser, svg->data, (int)svg->size, 1) != XML_STATUS_OK)
        fail_msg("line %lu: %s", XML_GetCurrentLineNumber(parser),
                 XML_ErrorString(XML_GetErrorCode(parser)));
    XML_ParserFree(parser);
    return d;
}

static drawn *plot(const char *title, const akin_panel *panels, size_t count)
{
    akin_buffer svg, again;
    akin_buffer_init(&svg, "svg", 1 << 24);
    akin_buffer_init(&again, "svg", 1 << 24);
    assert_int_equal(akin_plot_svg(title, panels, count, &svg, NULL), AKIN_OK);
    assert_int_equal(akin_plot_svg(title, panels, count, &again, NULL), AKIN_OK);
    assert_int_equal(svg.size, again.size);
    assert_memory_equal(svg.data, again.data, svg.size);
    drawn *d = read_svg(&svg);
    akin_buffer_clear(&svg);
    akin_buffer_clear(&again);
    return d;
}

/* The value that a place on an axis stands for, from its outermost ticks. */
static double value_at(const double *at, const double *value, size_t ticks, bool is_log,
                       double place)
{
    assert_true(ticks >= 2);
    const double a = is_log ? log10(value[0]) : value[0];
    const double b = is_log ? log10(value[ticks - 1]) : value[ticks - 1];
    const double v = a + (place - at[0]) / (at[ticks - 1] - at[0]) * (b - a);
    return is_log ? pow(10, v) : v;
}

static void is_line(const drawn *d, size_t line, const double *x, const double *y, size_t count,
                    bool log_x, bool log_y)
{
    assert_int_equal(d->points[line], count);
    for (size_t i = 0; i < count; i++) {
        const double px = value_at(d->x_at, d->x_value, d->x_ticks, log_x, d->x[line][i]);
        const double py = value_at(d->y_at, d->y_value, d->y_ticks, log_y, d->y[line][i]);
        const double wide = log_x ? px * 0.01 : fabs(d->x_value[d->x_ticks - 1] - d->x_value[0]);
        const double high = log_y ? py * 0.01 : fabs(d->y_value[d->y_ticks - 1] - d->y_value[0]);
        if (fabs(px - x[i]) > wide * 1e-3 + 0.002 * fabs(x[i]) * log_x ||
            fabs(py - y[i]) > high * 1e-3 + 0.002 * fabs(y[i]) * log_y)
            fail_msg("line %zu, point %zu: (%g, %g), wanted (%g, %g)", line, i, px, py, x[i], y[i]);
    }
}

static void linear(void **state)
{
    (void)state;
    const double x[] = { 0, 10, 25, 40, 97 }, y[] = { 5.55, 4.1, 3.3, -2.9, 2.2 };
    const double y2[] = { 5.5, 4.4, 3.7, 3.2, 3 };
    const akin_series s[] = { { "training", x, y, 5 }, { "validation", x, y2, 5 } };
    const akin_panel panel = { "loss", "step", false, false, s, 2 };
    drawn *d = plot("run", &panel, 1);
    assert_int_equal(d->lines, 2);
    is_line(d, 0, x, y, 5, false, false);
    is_line(d, 1, x, y2, 5, false, false);
    assert_non_null(strstr(d->all, "loss\n"));
    assert_non_null(strstr(d->all, "validation\n"));
    assert_true(d->x_ticks >= 3 && d->x_ticks <= 11 && d->y_ticks >= 3 && d->y_ticks <= 11);
    free(d);
}

/* Axes of every size have ticks that read back as they stand. */
static void sizes(void **state)
{
    (void)state;
    static const double scales[] = { 1e-9, 3e-5, 0.02, 1, 17, 4000, 8e5, 3e7, 5e8 };
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        for (int shift = 0; shift < 2; shift++) {
            const double x[] = { 0, 1, 2 };
            const double y[] = { scales[i] * (1 + shift), scales[i] * (2.7 + shift),
                                 scales[i] * (1.3 + shift) };
            const akin_series s = { "a", x, y, 3 };
            drawn *d = plot("t", &(akin_panel){ "p", "x", false, false, &s, 1 }, 1);
            is_line(d, 0, x, y, 3, false, false);
            free(d);
        }
}

static void logarithmic(void **state)
{
    (void)state;
    const double x[] = { 1, 10, 1000, 1e6 }, y[] = { 2e-7, 3e-4, 0.5, 1 };
    const akin_series s = { "a", x, y, 4 };
    drawn *d = plot("t", &(akin_panel){ "p", NULL, true, true, &s, 1 }, 1);
    is_line(d, 0, x, y, 4, true, true);
    free(d);
    const double near_x[] = { 3, 4, 8 }, near_y[] = { 20, 30, 25 };
    const akin_series n = { "a", near_x, near_y, 3 };
    d = plot("t", &(akin_panel){ "p", NULL, true, true, &n, 1 }, 1);
    assert_int_equal(d->lines, 1);
    free(d);
}

/* What cannot be drawn interrupts the line; one value and none are pictures too. */
static void gaps(void **state)
{
    (void)state;
    const double x[] = { 0, 1, 2, 3, 4, 5 }, y[] = { 1, 2, NAN, 4, INFINITY, 6 };
    const akin_series s = { "a", x, y, 6 };
    drawn *d = plot("t", &(akin_panel){ "p", NULL, false, false, &s, 1 }, 1);
    assert_int_equal(d->lines, 3);
    assert_int_equal(d->points[0], 2);
    assert_int_equal(d->points[1], 1);
    assert_int_equal(d->points[2], 1);
    free(d);
    const akin_series one = { "a", x, y, 1 };
    d = plot("t", &(akin_panel){ "p", NULL, false, false, &one, 1 }, 1);
    assert_int_equal(d->points[0], 1);
    assert_true(d->y_ticks >= 2);
    free(d);
    const double huge[] = { -1.7e308, 1.7e308, 0, 0, 0, 0 };
    const akin_panel none[] = { { "empty", NULL, false, false, NULL, 0 },
                                { "log", NULL, true, false, &one, 1 },
                                { "huge", NULL, false, false,
                                  &(akin_series){ "h", x, huge, 6 }, 1 } };
    d = plot("t", none, 3);
    assert_int_equal(d->panels, 3);
    assert_int_equal(d->lines, 0);
    assert_non_null(strstr(d->all, "no values"));
    free(d);
}

/* A long line is thinned, and its extremes are kept. */
static void thinned(void **state)
{
    (void)state;
    enum { MANY = 200000 };
    double *x = calloc(MANY, sizeof *x), *y = calloc(MANY, sizeof *y);
    for (size_t i = 0; i < MANY; i++) {
        x[i] = (double)i;
        y[i] = sin((double)i / 9000) + (i == 77777 ? 5 : 0) - (i == 150001 ? 4 : 0);
    }
    const akin_series s = { "a", x, y, MANY };
    drawn *d = plot("t", &(akin_panel){ "p", NULL, false, false, &s, 1 }, 1);
    assert_true(d->points[0] > 400 && d->points[0] < 2000);
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < d->points[0]; i++) {
        const double v = value_at(d->y_at, d->y_value, d->y_ticks, false, d->y[0][i]);
        low = fmin(low, v);
        high = fmax(high, v);
    }
    assert_true(fabs(high - y[77777]) < 0.05 && fabs(low - y[150001]) < 0.05);
    free(d);
    free(x);
    free(y);
}

static void escaped(void **state)
{
    (void)state;
    const double x[] = { 1, 2 };
    const akin_series s[] = { { "</text><script>", x, x, 2 }, { "a & \"b\"\x01\xff", x, x, 2 } };
    drawn *d = plot("<svg onload='x'>", &(akin_panel){ "p<q", "&amp;", false, false, s, 2 }, 1);
    assert_non_null(strstr(d->all, "<svg onload='x'>\n"));
    assert_non_null(strstr(d->all, "</text><script>\n"));
    assert_non_null(strstr(d->all, "&amp;\n"));
    free(d);
    akin_series many[AKIN_PANEL_SERIES + 1] = { { "a", x, x, 2 } };
    akin_buffer out;
    akin_buffer_init(&out, "svg", 1000);
    const akin_panel wide = { "p", NULL, false, false, many, AKIN_PANEL_SERIES + 1 };
    assert_int_equal(akin_plot_svg("t", &wide, 1, &out, NULL), AKIN_E_ARGUMENT);
    assert_int_equal(akin_plot_svg("t", &(akin_panel){ "p", NULL, false, false, s, 2 }, 1, &out,
                                   NULL), AKIN_E_LIMIT);
    akin_buffer_clear(&out);
}

/* ---- metrics -------------------------------------------------------------------------------- */

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/akin-plot.XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/m.jsonl", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/m.svg", folder);
    unlink(path);
    return rmdir(folder);
}

static akin_status plot_metrics(const char *text, drawn **out, akin_error *err)
{
    char path[128], to[128];
    snprintf(path, sizeof path, "%s/m.jsonl", folder);
    snprintf(to, sizeof to, "%s/m.svg", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    *out = NULL;
    const akin_status status = akin_train_plot(path, to, err);
    if (status != AKIN_OK)
        return status;
    akin_buffer svg;
    assert_int_equal(akin_file_read(to, "svg", 1 << 24, &svg, NULL), AKIN_OK);
    *out = read_svg(&svg);
    akin_buffer_clear(&svg);
    return AKIN_OK;
}

static void metrics(void **state)
{
    (void)state;
    drawn *d;
    akin_error err;
    assert_int_equal(plot_metrics(
        "{\"step\":1,\"loss\":5.5,\"temperature\":14.3,\"rate\":0.0001,\"pairs_per_second\":90}\n"
        "{\"step\":2,\"loss\":5.1,\"temperature\":14.4,\"rate\":0.0002,\"new\":[1]}\n"
        "\n"
        "{\"step\":3,\"loss\":null,\"temperature\":14.6,\"rate\":0.0003,\"recall_at_1\":0.1,"
        "\"validation_loss\":5}\n"
        "{\"step\":4,\"loss\":4.2,\"temperature\":14.9,\"rate\":0.0004,\"recall_at_1\":0.3,"
        "\"validation_loss\":4.8}\n"
        "{\"step\":5,\"lo", &d, &err), AKIN_OK); /* being written */
    assert_int_equal(d->panels, 4);
    assert_int_equal(d->lines, 5); /* loss, validation, temperature, rate, recall */
    assert_int_equal(d->points[0], 3);
    assert_int_equal(d->points[1], 2);
    assert_int_equal(d->points[2], 4);
    is_line(d, 4, (double[]){ 3, 4 }, (double[]){ .1, .3 }, 2, false, false);
    free(d);

    /* Resumed at step 2: what came after it the first time is not drawn. */
    assert_int_equal(plot_metrics("{\"step\":1,\"loss\":5}\n{\"step\":2,\"loss\":4}\n"
                                  "{\"step\":3,\"loss\":9}\n{\"step\":4,\"loss\":9}\n"
                                  "{\"step\":3,\"loss\":3}\n{\"step\":4,\"loss\":2}\n", &d, &err),
                     AKIN_OK);
    assert_int_equal(d->panels, 1);
    is_line(d, 0, (double[]){ 1, 2, 3, 4 }, (double[]){ 5, 4, 3, 2 }, 4, false, false);
    free(d);
}

static void wrong_metrics(void **state)
{
    (void)state;
    drawn *d;
    akin_error err;
    assert_int_equal(plot_metrics("", &d, &err), AKIN_E_FORMAT);
    assert_int_equal(plot_metrics("{\"loss\":1}\n", &d, &err), AKIN_E_FORMAT);
    assert_non_null(strstr(err.message, "line 1"));
    assert_int_equal(plot_metrics("{\"step\":1,\"loss\":1}\n{\"step\":2,\n{\"step\":3}\n", &d,
                                  &err), AKIN_E_FORMAT);
    assert_non_null(strstr(err.message, "line 2"));
    assert_int_equal(akin_train_plot("/nonexistent/m.jsonl", "/tmp/x.svg", &err),
                     AKIN_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear),   cmocka_unit_test(sizes),   cmocka_unit_test(logarithmic),
        cmocka_unit_test(gaps),     cmocka_unit_test(thinned), cmocka_unit_test(escaped),
        cmocka_unit_test(metrics),  cmocka_unit_test(wrong_metrics),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
