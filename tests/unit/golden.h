/* golden.h - reading the golden files of tests/golden: "key value" lines, JSON strings. */
#ifndef AKIN_TESTS_GOLDEN_H
#define AKIN_TESTS_GOLDEN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

typedef struct golden {
    FILE *file;
    char *line; /* without its newline */
    size_t capacity;
} golden;

static inline golden golden_open(const char *path)
{
    golden g = { fopen(path, "r"), NULL, 0 };
    if (g.file == NULL)
        fail_msg("%s: cannot open", path);
    return g;
}

static inline bool golden_next(golden *g)
{
    ssize_t n = getline(&g->line, &g->capacity, g->file);
    if (n > 0 && g->line[n - 1] == '\n')
        g->line[n - 1] = '\0';
    return n >= 0;
}

static inline void golden_close(golden *g)
{
    fclose(g->file);
    free(g->line);
}

/* What follows "key " when the line begins so, else NULL. */
static inline const char *golden_value(const golden *g, const char *key)
{
    size_t n = strlen(key);
    return strncmp(g->line, key, n) == 0 && g->line[n] == ' ' ? g->line + n + 1 : NULL;
}

/* The JSON string at value, allocated. */
static inline char *golden_text(const char *value)
{
    json_t *json = json_loads(value, JSON_DECODE_ANY, NULL);
    if (!json_is_string(json))
        fail_msg("not a JSON string: %s", value);
    char *text = strdup(json_string_value(json));
    json_decref(json);
    return text;
}

/* Up to `capacity` numbers; returns how many there are. */
static inline size_t golden_numbers(const char *value, double *out, size_t capacity)
{
    size_t count = 0;
    for (char *end;; value = end, count++) {
        double x = strtod(value, &end);
        if (end == value)
            return count;
        if (count < capacity)
            out[count] = x;
    }
}

#endif
