/* metrics.c - metrics.jsonl: appended to line by line, rewritten only when a training goes on. */
#include "train/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"

enum { METRICS_BYTES = 1 << 30 };

struct akin_metrics {
    FILE *stream;
    char *path;
};

/* The step that a line is about; 0 when it is none of ours. AKIN_E_NOMEM passes. */
static akin_status step_of(const char *line, size_t size, uint64_t *out, akin_error *err)
{
    akin_json *root;
    *out = 0;
    const akin_status status = akin_json_parse_object(line, size, NULL, &root, err);
    if (status != AKIN_OK)
        return status == AKIN_E_NOMEM ? status : AKIN_OK;
    const int64_t step = akin_json_integer(akin_json_get(root, "step"));
    akin_json_free(root);
    *out = step > 0 ? (uint64_t)step : 0;
    return AKIN_OK;
}

/* Leaves the lines of steps 1 to `step`. */
static akin_status keep_until(const char *path, uint64_t step, akin_error *err)
{
    akin_buffer text;
    akin_writer writer = { 0 };
    akin_status status = akin_file_read(path, "metrics", METRICS_BYTES, &text, err);
    if (status != AKIN_OK) {
        akin_buffer_clear(&text);
        return status;
    }
    AKIN_TRY(akin_writer_open(&writer, path, err));
    for (const char *line = text.data, *end = text.data + text.size; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (stop == NULL)
            break; /* cut off when the process was killed */
        uint64_t at;
        AKIN_TRY(step_of(line, (size_t)(stop - line), &at, err));
        if (at > 0 && at <= step)
            AKIN_TRY(akin_writer_add(&writer, line, (size_t)(stop - line) + 1, err));
        line = stop + 1;
    }
    AKIN_TRY(akin_writer_commit(&writer, err));
out:
    akin_writer_abort(&writer);
    akin_buffer_clear(&text);
    return status;
}

akin_status akin_metrics_open(akin_metrics **out, const char *folder, uint64_t step,
                              akin_error *err)
{
    akin_metrics *m = calloc(1, sizeof *m);
    akin_status status = AKIN_OK;
    *out = m;
    if (m == NULL || (m->path = akin_path_join(folder, "metrics.jsonl")) == NULL)
        return akin_fail_nomem(err, "metrics", 0);
    if (step > 0 && akin_path_is_file(m->path))
        AKIN_TRY(keep_until(m->path, step, err));
    m->stream = fopen(m->path, step > 0 ? "ae" : "we");
    if (m->stream == NULL)
        status = akin_fail_errno(err, errno, m->path, "cannot open");
out:
    return status;
}

static akin_status check(akin_metrics *m, bool good, akin_error *err)
{
    return good ? AKIN_OK : akin_fail_errno(err, errno, m->path, "cannot write");
}

akin_status akin_metrics_add(akin_metrics *m, const akin_train_step *s, akin_error *err)
{
    FILE *f = m->stream;
    fprintf(f,
            "{\"step\":%" PRIu64 ",\"loss\":%.9g,\"pair_loss\":%.9g,\"concept_loss\":%.9g,"
            "\"correct\":%.6g,\"temperature\":%.9g,\"rate\":%.9g,\"gradient_norm\":%.9g,"
            "\"pairs_per_second\":%.6g,\"waited\":%.4g,\"seconds\":%.3f",
            s->step, s->loss, s->pair_loss, s->concept_loss, s->correct, 1.0 / s->scale, s->rate,
            s->norm, s->pairs_per_second, s->waited, s->seconds);
    if (s->measured)
        fprintf(f,
                ",\"recall_at_1\":%.6g,\"text_to_picture\":[%.6g,%.6g,%.6g],"
                "\"picture_to_text\":[%.6g,%.6g,%.6g]",
                (s->text_to_picture[0] + s->picture_to_text[0]) / 2, s->text_to_picture[0],
                s->text_to_picture[1], s->text_to_picture[2], s->picture_to_text[0],
                s->picture_to_text[1], s->picture_to_text[2]);
    fputs("}\n", f);
    return check(m, fflush(f) == 0, err);
}

akin_status akin_metrics_sync(akin_metrics *m, akin_error *err)
{
    return check(m, fflush(m->stream) == 0 && fsync(fileno(m->stream)) == 0, err);
}

void akin_metrics_close(akin_metrics *m)
{
    if (m == NULL)
        return;
    if (m->stream != NULL)
        fclose(m->stream);
    free(m->path);
    free(m);
}
