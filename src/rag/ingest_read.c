/* ingest_read.c - one file: read whole while it holds still, hashed, its metadata. */
#include "ingest_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "sidecar.h"

enum {
    extra_max = 4 << 20,
    json_max = 8 << 20,
    hash_piece = 1 << 20
};

void akin_outcome_free(akin_outcome *outcome)
{
    if (outcome == NULL)
        return;
    for (size_t i = 0; i < outcome->frame_count; i++)
        free(outcome->frames[i].vector);
    free(outcome->frames);
    akin_metadata_clear(&outcome->metadata);
    akin_buffer_clear(&outcome->extra);
    free(outcome->failure);
    free(outcome->note);
    free(outcome->damage);
    free(outcome);
}

void akin_outcome_fail(akin_outcome *outcome, const char *path, const akin_error *why)
{
    free(outcome->failure);
    outcome->failure = NULL;
    outcome->kind = AKIN_OUTCOME_LEFT;
    if (why->code == AKIN_E_STOPPED)
        return;
    outcome->kind = AKIN_OUTCOME_SKIPPED;
    akin_error *copy = outcome->failure = malloc(sizeof *copy);
    if (copy == NULL)
        return;
    *copy = *why;
    if (copy->path[0] == '\0')
        snprintf(copy->path, sizeof copy->path, "%s", path);
    switch (why->code) {
    case AKIN_E_IO:
    case AKIN_E_NOMEM:
    case AKIN_E_BUSY:
        outcome->momentary = true;
        break;
    default:
        break;
    }
}

akin_status akin_outcome_check(const akin_outcome *outcome, akin_error *err)
{
    return outcome->kind != AKIN_OUTCOME_SKIPPED || outcome->failure != NULL
               ? AKIN_OK
               : akin_fail_nomem(err, "a reason", sizeof *outcome->failure);
}

/* ---- Bytes ---------------------------------------------------------------------------------- */

static bool same_stat(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           akin_nanoseconds(a->st_mtim) == akin_nanoseconds(b->st_mtim);
}

static akin_stamp stamp_from(const struct stat *st)
{
    return (akin_stamp){ st->st_size, akin_nanoseconds(st->st_mtim),
                         akin_nanoseconds(st->st_ctim), 0 };
}

static akin_status still_changing(const char *path, akin_error *err)
{
    return akin_fail(err, AKIN_E_BUSY, path,
                     "changed while it was read; the next run tries it again");
}

akin_status akin_read_still(const char *path, size_t max, akin_buffer *bytes, akin_stamp *stamp,
                            akin_error *err)
{
    akin_buffer_init(bytes, "picture", max);
    for (int attempt = 0; attempt < 2; attempt++) {
        struct stat before, after;
        if (stat(path, &before) != 0)
            return errno == ELOOP
                       ? akin_fail(err, AKIN_E_NOT_A_FILE, path, "is a link that leads to itself")
                       : akin_fail_errno(err, errno, path, "cannot open");
        akin_status status = akin_file_read(path, "picture", max, bytes, err);
        if (status == AKIN_E_LIMIT)
            return akin_fail(err, status, path,
                             "picture of %lld bytes, the limit is %zu: raise it with --max-file",
                             (long long)before.st_size, max);
        if (status != AKIN_OK)
            return status;
        if (stat(path, &after) == 0 && same_stat(&before, &after) &&
            (off_t)bytes->size == after.st_size) {
            *stamp = stamp_from(&after);
            return AKIN_OK;
        }
        akin_buffer_clear(bytes);
    }
    return still_changing(path, err);
}

static akin_status hash_file(const char *path, int fd, void *piece, bool (*stop)(void *context),
                             void *context, uint8_t hash[AKIN_HASH_BYTES], akin_error *err)
{
    akin_hasher *hasher = NULL;
    akin_status status = akin_hasher_new(&hasher, err);
    while (status == AKIN_OK) {
        if (stop != NULL && stop(context)) {
            status = akin_fail(err, AKIN_E_STOPPED, path, "stopped");
            break;
        }
        const ssize_t got = read(fd, piece, hash_piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = akin_fail_errno(err, errno, path, "cannot read");
        else if (got == 0)
            break;
        else
            status = akin_hasher_add(hasher, piece, (size_t)got, err);
    }
    if (status == AKIN_OK)
        status = akin_hasher_end(hasher, hash, err);
    akin_hasher_free(hasher);
    return status;
}

akin_status akin_hash_still(const char *path, bool (*stop)(void *context), void *context,
                            uint8_t hash[AKIN_HASH_BYTES], akin_stamp *stamp, akin_error *err)
{
    akin_status status = AKIN_OK;
    struct stat before, after;
    void *piece = NULL;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return akin_fail_errno(err, errno, path, "cannot open");
    if (fstat(fd, &before) != 0) {
        status = akin_fail_errno(err, errno, path, "cannot stat");
        goto out;
    }
    if (!S_ISREG(before.st_mode)) {
        status = akin_fail(err, AKIN_E_NOT_A_FILE, path, "is not a regular file");
        goto out;
    }
    piece = malloc(hash_piece);
    if (piece == NULL) {
        status = akin_fail_nomem(err, "file", hash_piece);
        goto out;
    }
    AKIN_TRY(hash_file(path, fd, piece, stop, context, hash, err));
    if (stat(path, &after) != 0 || !same_stat(&before, &after)) {
        status = still_changing(path, err);
        goto out;
    }
    *stamp = stamp_from(&after);
out:
    free(piece);
    close(fd);
    return status;
}

/* ---- Words ---------------------------------------------------------------------------------- */

akin_status akin_read_metadata(akin_outcome *outcome, const char *path, bool sidecars,
                               const void *bytes, size_t size, akin_error *err)
{
    akin_status status = AKIN_OK;
    akin_error why = { 0 };
    akin_buffer_clear(&outcome->extra);
    akin_buffer_init(&outcome->extra, "sidecar", extra_max);
    if (bytes != NULL) {
        akin_metadata_clear(&outcome->metadata);
        AKIN_TRY(akin_metadata_read(&outcome->metadata, bytes, size, err));
    }
    if (!sidecars)
        return AKIN_OK;
    AKIN_TRY(akin_sidecar_read(path, &outcome->metadata, &outcome->extra, &why, err));
    if (why.code != AKIN_OK) {
        outcome->note = malloc(sizeof why);
        if (outcome->note == NULL)
            return akin_fail_nomem(err, "note", sizeof why);
        *outcome->note = why;
    }
out:
    return status;
}

/* "video":{"seconds":12.5,"interval":10,"duration":60.2}, with what a sidecar said behind it. */
static akin_status video_extra(const akin_outcome *outcome, int64_t part, akin_buffer *out,
                               akin_error *err)
{
    /* Whole numbers, so that no locale can put a comma into them. */
    const long long interval = (long long)(outcome->interval * 1000 + 0.5);
    const long long duration = (long long)(outcome->duration * 1000 + 0.5);
    const bool more = outcome->extra.size != 0;
    char text[256];
    snprintf(text, sizeof text,
             "\"video\":{\"seconds\":%lld.%03lld,\"interval\":%lld.%03lld,"
             "\"duration\":%lld.%03lld}%s",
             (long long)(part / 1000), (long long)(part % 1000), interval / 1000, interval % 1000,
             duration / 1000, duration % 1000, more ? "," : "");
    akin_status status = akin_buffer_add_text(out, text, err);
    if (status == AKIN_OK && more)
        status = akin_buffer_add(out, outcome->extra.data, outcome->extra.size, err);
    return status;
}

akin_status akin_outcome_facts(const akin_outcome *outcome, int64_t part, akin_buffer *json,
                               akin_item_facts *facts, akin_error *err)
{
    akin_status status = AKIN_OK;
    const akin_metadata *m = &outcome->metadata;
    akin_buffer extra;
    akin_buffer_init(&extra, "metadata", json_max);
    akin_buffer_init(json, "metadata", json_max);
    if (part >= 0)
        AKIN_TRY(video_extra(outcome, part, &extra, err));
    else if (outcome->extra.size != 0)
        AKIN_TRY(akin_buffer_add(&extra, outcome->extra.data, outcome->extra.size, err));
    AKIN_TRY(akin_metadata_json(m, outcome->width, outcome->height,
                                extra.data != NULL ? extra.data : "", json, err));
    *facts = (akin_item_facts){
        .taken_at = m->taken_at[0] != '\0' ? m->taken_at : NULL,
        .camera = m->camera[0] != '\0' ? m->camera : NULL,
        .width = outcome->width,
        .height = outcome->height,
        .has_position = m->has_position,
        .latitude = m->latitude,
        .longitude = m->longitude,
        .metadata = json->data,
    };
out:
    akin_buffer_clear(&extra);
    return status;
}

double akin_video_interval(const char *metadata, double fallback)
{
    akin_json *root = NULL;
    if (metadata == NULL ||
        akin_json_parse_object(metadata, strlen(metadata), "", &root, NULL) != AKIN_OK)
        return fallback;
    const double interval =
        akin_json_double(akin_json_get(akin_json_get(root, "video"), "interval"));
    akin_json_free(root);
    return interval > 0 ? interval : fallback;
}
