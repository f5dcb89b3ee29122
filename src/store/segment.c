/* segment.c - segment files: header, append, sync, map.
 *
 * Rows are appended and never changed, files are never cut, so that a reader may map them while a
 * writer goes on. What a writer that died left behind the rows that count stays there: the file is
 * sealed and the next begun. The same after a write or a sync that failed: what of it reached the
 * disk nobody can say, and a second fsync would answer "done" without doing anything.
 */
#include "store_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/arith.h"
#include "base/cursor.h"
#include "base/half.h"

enum {
    wait_bytes = 256 << 10, /* rows are written this much at a time */
    used_header = 52,
    byte_order = 0x01020304
};
static const char magic[8] = { 'A', 'K', 'I', 'N', 'V', 'E', 'C', '\n' };

uint32_t akin_crc32(const void *bytes, size_t size)
{
    return (uint32_t)crc32_z(0, bytes, size);
}

size_t akin_space_row_bytes(const akin_space *space)
{
    return space->model.dimensions * akin_vector_bytes(space->model.type);
}

akin_status akin_segment_path(const akin_store *store, int64_t number, char *out, size_t capacity,
                              akin_error *err)
{
    const int n = snprintf(out, capacity, "%s/" AKIN_STORE_SEGMENTS "/%08" PRId64 ".vec",
                           store->folder, number);
    if (n < 0 || (size_t)n >= capacity)
        return akin_fail(err, AKIN_E_LIMIT, store->folder, "the path is too long");
    return AKIN_OK;
}

akin_status akin_folder_sync(const char *folder, akin_error *err)
{
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return akin_fail_errno(err, errno, folder, "cannot open the folder");
    int result;
    do
        result = fsync(fd);
    while (result != 0 && errno == EINTR);
    const int error_number = errno;
    close(fd);
    if (result != 0 && error_number != EINVAL) /* some network ones have nothing better */
        return akin_fail_errno(err, error_number, folder, "cannot sync the folder");
    return AKIN_OK;
}

/* All of it, at an offset; errno's value or 0. */
static int write_whole(int fd, const unsigned char *bytes, size_t size, off_t at)
{
    while (size != 0) {
        const ssize_t n = pwrite(fd, bytes, size, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return ENOSPC;
        bytes += n;
        size -= (size_t)n;
        at += n;
    }
    return 0;
}

/* All of it; errno's value, or -1 when the file ends before. */
static int read_whole(int fd, unsigned char *bytes, size_t size, off_t at)
{
    while (size != 0) {
        const ssize_t n = pread(fd, bytes, akin_min(size, 1u << 30), at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return -1;
        bytes += n;
        size -= (size_t)n;
        at += n;
    }
    return 0;
}

static int sync_data(int fd)
{
    int result;
    do
        result = fdatasync(fd);
    while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

/* ---- Header --------------------------------------------------------------------------------- */

static void put(unsigned char *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        out[i] = (unsigned char)(value >> 8 * i);
}

static void make_header(const akin_store *store, const akin_space *space, int64_t number,
                        unsigned char out[used_header])
{
    memcpy(out, magic, sizeof magic);
    put(out + 8, AKIN_STORE_FORMAT, 4);
    const uint32_t order = byte_order;
    memcpy(out + 12, &order, 4);
    put(out + 16, (uint64_t)space->model.type, 4);
    put(out + 20, space->model.dimensions, 4);
    put(out + 24, (uint64_t)number, 8);
    memcpy(out + 32, store->uuid, 16);
    put(out + 48, akin_crc32(out, 48), 4);
}

/* Whether the header of an open file is that of this segment. */
static akin_status check_header(const akin_store *store, const akin_space *space, int64_t number,
                                int fd, const char *path, akin_error *err)
{
    unsigned char header[used_header];
    const int result = read_whole(fd, header, sizeof header, 0);
    if (result > 0)
        return akin_fail_errno(err, result, path, "cannot read");
    if (result < 0)
        return akin_fail(err, AKIN_E_CORRUPT, path,
                         "ends within its header; run 'akin verify'");
    akin_cursor c = akin_cursor_over(header, sizeof header);
    const uint8_t *bytes, *uuid, *order;
    uint32_t format = 0, type = 0, dimensions = 0, crc = 0;
    uint64_t its_number = 0;
    if (!akin_cursor_bytes(&c, 8, &bytes) || !akin_cursor_u32(&c, &format) ||
        !akin_cursor_bytes(&c, 4, &order) || !akin_cursor_u32(&c, &type) ||
        !akin_cursor_u32(&c, &dimensions) || !akin_cursor_u64(&c, &its_number) ||
        !akin_cursor_bytes(&c, 16, &uuid) || !akin_cursor_u32(&c, &crc) ||
        memcmp(bytes, magic, sizeof magic) != 0)
        return akin_fail(err, AKIN_E_CORRUPT, path, "is no segment of vectors");
    if (crc != akin_crc32(header, 48))
        return akin_fail(err, AKIN_E_CORRUPT, path,
                         "its header's checksum is wrong; run 'akin verify'");
    if (format > AKIN_STORE_FORMAT)
        return akin_fail(err, AKIN_E_UNSUPPORTED, path,
                         "is of format %" PRIu32 "; this akin reads up to %d: use a newer one",
                         format, AKIN_STORE_FORMAT);
    const uint32_t ours = byte_order;
    if (format != AKIN_STORE_FORMAT || memcmp(order, &ours, 4) != 0)
        return akin_fail(err, AKIN_E_UNSUPPORTED, path,
                         format == 0 ? "is of format 0, which there is not"
                                     : "was written on a machine of the other byte order");
    if (memcmp(uuid, store->uuid, 16) != 0 || its_number != (uint64_t)number ||
        type != (uint32_t)space->model.type || dimensions != space->model.dimensions)
        return akin_fail(err, AKIN_E_CORRUPT, path,
                         "belongs to another collection or place (segment %" PRIu64 ", type %"
                         PRIu32 ", %" PRIu32 " dimensions); run 'akin verify'",
                         its_number, type, dimensions);
    return AKIN_OK;
}

akin_status akin_segment_create(akin_store *store, const akin_space *space, int64_t number, int *fd,
                                akin_error *err)
{
    char path[AKIN_STORE_PATH], folder[AKIN_STORE_PATH];
    akin_status status;
    unsigned char *header = NULL;
    *fd = -1;
    AKIN_TRY(akin_segment_path(store, number, path, sizeof path, err));
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    header = calloc(1, AKIN_SEGMENT_HEADER);
    if (header == NULL) {
        status = akin_fail_nomem(err, "a segment's header", 0);
        goto out;
    }
    enum { FLAGS = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW };
    *fd = open(path, FLAGS, 0666);
    if (*fd < 0 && errno == ENOENT && mkdir(folder, 0777) == 0) { /* lost with all that was in it */
        AKIN_TRY(akin_folder_sync(store->folder, err));
        *fd = open(path, FLAGS, 0666);
    }
    if (*fd < 0) {
        /* AKIN_E_CAPACITY: the number is taken; the caller tries the next. */
        status = errno == EEXIST ? akin_fail(err, AKIN_E_CAPACITY, path, "is there already")
                                 : akin_fail_errno(err, errno, path, "cannot create");
        goto out;
    }
    make_header(store, space, number, header);
    int failed = write_whole(*fd, header, AKIN_SEGMENT_HEADER, 0);
    if (failed == 0)
        failed = sync_data(*fd);
    if (failed != 0)
        status = akin_fail_errno(err, failed, path, "cannot write");
    else
        status = akin_folder_sync(folder, err);
out:
    if (status != AKIN_OK && *fd >= 0) {
        close(*fd);
        *fd = -1;
        unlink(path); /* named by no row; were it to stay, it would only be in the way */
    }
    free(header);
    return status;
}

/* ---- Reading -------------------------------------------------------------------------------- */

void akin_segment_clear(akin_segment *segment)
{
    if (segment->map != NULL)
        munmap(segment->map, segment->map_size);
    free(segment->copy);
    free(segment->live);
    *segment = (akin_segment){ 0 };
}

static akin_status open_segment(const akin_store *store, const akin_space *space, int64_t number,
                                size_t rows, char path[AKIN_STORE_PATH], int *fd, akin_error *err)
{
    akin_status status;
    *fd = -1;
    AKIN_TRY(akin_segment_path(store, number, path, AKIN_STORE_PATH, err));
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0)
        return akin_fail_errno(err, errno, path, "cannot open");
    struct stat st;
    if (fstat(*fd, &st) != 0) {
        status = akin_fail_errno(err, errno, path, "cannot stat");
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        status = akin_fail(err, AKIN_E_CORRUPT, path, "is not a regular file");
        goto out;
    }
    AKIN_TRY(check_header(store, space, number, *fd, path, err));
    const uint64_t need = AKIN_SEGMENT_HEADER + (uint64_t)rows * akin_space_row_bytes(space);
    if ((uint64_t)st.st_size < need)
        status = akin_fail(err, AKIN_E_CORRUPT, path,
                           "has %" PRId64 " bytes, its %zu vectors take %" PRIu64
                           "; run 'akin verify'",
                           (int64_t)st.st_size, rows, need);
out:
    if (status != AKIN_OK && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return status;
}

akin_status akin_segment_map(akin_store *store, const akin_space *space, akin_segment *segment,
                             akin_error *err)
{
    const size_t row_bytes = akin_space_row_bytes(space);
    const size_t size = AKIN_SEGMENT_HEADER + segment->rows * row_bytes;
    if (segment->rows_map != NULL && size <= segment->map_size)
        return AKIN_OK;
    char path[AKIN_STORE_PATH];
    int fd = -1;
    akin_status status = open_segment(store, space, segment->number, segment->rows, path, &fd, err);
    if (status != AKIN_OK)
        return status;
    void *map = MAP_FAILED;
    /* A mapped file that a server cuts or cannot deliver kills the process; there it is read. */
    if (store->remote == NULL)
        map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED) {
        if (segment->map != NULL)
            munmap(segment->map, segment->map_size);
        segment->map = map;
        segment->rows_map = (const unsigned char *)map + AKIN_SEGMENT_HEADER;
    } else {
        const size_t had = segment->copy != NULL ? segment->map_size - AKIN_SEGMENT_HEADER : 0;
        const size_t bytes = segment->rows * row_bytes;
        unsigned char *copy = realloc(segment->copy, akin_max(bytes, 1));
        if (copy == NULL) {
            status = akin_fail_nomem(err, "vectors of a segment", bytes);
            goto out;
        }
        segment->copy = copy;
        segment->rows_map = copy;
        const int failed = read_whole(fd, copy + had, bytes - had,
                                      (off_t)(AKIN_SEGMENT_HEADER + had));
        if (failed != 0) {
            segment->rows_map = NULL;
            status = failed > 0 ? akin_fail_errno(err, failed, path, "cannot read")
                                : akin_fail(err, AKIN_E_CORRUPT, path, "became shorter");
            free(segment->copy);
            segment->copy = NULL;
            goto out;
        }
    }
    segment->map_size = size;
out:
    close(fd);
    return status;
}

akin_status akin_row_read(akin_store *store, const akin_space *space, uint64_t place, void *out,
                          akin_error *err)
{
    const size_t row_bytes = akin_space_row_bytes(space);
    const int64_t number = (int64_t)(place / AKIN_SEGMENT_ROWS);
    const size_t row = place % AKIN_SEGMENT_ROWS;
    const akin_appender *a = &space->appender;
    if (a->fd >= 0 && a->number == number && row < a->rows && row >= a->rows - a->waiting) {
        memcpy(out, a->wait + (row - (a->rows - a->waiting)) * row_bytes, row_bytes);
        return AKIN_OK;
    }
    /* In a snapshot the file may be gone: compact removed it. What is mapped stays. */
    for (size_t i = 0; store->in_snapshot && i < store->segment_count; i++) {
        const akin_segment *segment = &store->segments[i];
        if (space == &store->current && segment->number == number && row < segment->rows &&
            segment->rows_map != NULL) {
            memcpy(out, segment->rows_map + row * row_bytes, row_bytes);
            return AKIN_OK;
        }
    }
    char path[AKIN_STORE_PATH];
    int fd = -1;
    akin_status status = open_segment(store, space, number, row + 1, path, &fd, err);
    if (status != AKIN_OK)
        return status;
    const int failed =
        read_whole(fd, out, row_bytes, (off_t)(AKIN_SEGMENT_HEADER + row * row_bytes));
    if (failed != 0)
        status = failed > 0 ? akin_fail_errno(err, failed, path, "cannot read")
                            : akin_fail(err, AKIN_E_CORRUPT, path, "became shorter");
    close(fd);
    return status;
}

void akin_row_to_floats(const akin_space *space, const void *row, float *out)
{
    const unsigned char *p = row;
    for (size_t i = 0; i < space->model.dimensions; i++) {
        if (space->model.type == AKIN_VECTOR_F16) {
            out[i] = akin_half_to_float((uint16_t)(p[2 * i] | p[2 * i + 1] << 8));
        } else {
            const uint32_t bits = (uint32_t)p[4 * i] | (uint32_t)p[4 * i + 1] << 8 |
                                  (uint32_t)p[4 * i + 2] << 16 | (uint32_t)p[4 * i + 3] << 24;
            memcpy(&out[i], &bits, 4);
        }
    }
}

/* ---- Appending ------------------------------------------------------------------------------ */

void akin_append_drop(akin_space *space)
{
    akin_appender *a = &space->appender;
    if (a->fd >= 0)
        close(a->fd);
    free(a->wait);
    *a = (akin_appender){ .fd = -1 };
}

/* Writes what waits. */
static akin_status write_waiting(akin_store *store, akin_space *space, akin_error *err)
{
    akin_appender *a = &space->appender;
    if (a->waiting == 0)
        return AKIN_OK;
    const size_t row_bytes = akin_space_row_bytes(space);
    const int failed = write_whole(
        a->fd, a->wait, a->waiting * row_bytes,
        (off_t)(AKIN_SEGMENT_HEADER + (a->rows - a->waiting) * row_bytes));
    if (failed == 0) {
        a->waiting = 0;
        return AKIN_OK;
    }
    char path[AKIN_STORE_PATH];
    a->failed = true;
    akin_status status = akin_segment_path(store, a->number, path, sizeof path, err);
    if (status == AKIN_OK)
        status = akin_fail_errno(err, failed, path, "cannot write");
    return akin_store_spoil(store, status, err);
}

akin_status akin_append_sync(akin_store *store, akin_space *space, akin_error *err)
{
    akin_appender *a = &space->appender;
    if (space->id == 0 || a->fd < 0 || a->rows == a->committed)
        return AKIN_OK;
    akin_status status;
    int64_t owner;
    size_t rows;
    bool open;
    uint8_t live[AKIN_SEGMENT_ROWS / 8];
    AKIN_TRY(write_waiting(store, space, err));
    const int failed = sync_data(a->fd);
    if (failed != 0) {
        char path[AKIN_STORE_PATH];
        a->failed = true;
        AKIN_TRY(akin_segment_path(store, a->number, path, sizeof path, err));
        status = akin_fail_errno(err, failed, path, "cannot sync");
        goto out;
    }
    AKIN_TRY(akin_segment_load(store, a->number, &owner, &rows, &open, live, err));
    AKIN_TRY(akin_segment_save(store, a->number, a->rows, true, live, err));
    a->committed = a->rows; /* or the transaction fails, and the store with it */
out:
    return status == AKIN_OK ? AKIN_OK : akin_store_spoil(store, status, err);
}

akin_status akin_append_seal(akin_store *store, akin_space *space, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *statement;
    bool row;
    AKIN_TRY(akin_append_sync(store, space, err));
    akin_append_drop(space);
    /* Whether or not it is open in this process. */
    for (;;) {
        int64_t owner;
        size_t rows;
        bool open;
        uint8_t live[AKIN_SEGMENT_ROWS / 8];
        AKIN_TRY(akin_db_statement(store, AKIN_SQL_OPEN_SEGMENT, &statement, err));
        AKIN_TRY(akin_db_bind(statement, err, "i", space->id));
        AKIN_TRY(akin_db_step(statement, &row, err));
        if (!row)
            break;
        const int64_t number = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
        AKIN_TRY(akin_segment_load(store, number, &owner, &rows, &open, live, err));
        AKIN_TRY(akin_segment_save(store, number, rows, false, live, err));
    }
out:
    return status;
}

/* Goes on with the segment that is open, when its file is exactly what is committed of it. A
 * longer one was left by a writer that died; that, or one that is wrong in any other way, is not
 * appended to. */
static akin_status resume(akin_store *store, akin_space *space, bool *found, akin_error *err)
{
    akin_appender *a = &space->appender;
    sqlite3_stmt *statement;
    akin_status status;
    bool row;
    *found = false;
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_OPEN_SEGMENT, &statement, err));
    AKIN_TRY(akin_db_bind(statement, err, "i", space->id));
    AKIN_TRY(akin_db_step(statement, &row, err));
    if (!row)
        return AKIN_OK;
    const int64_t number = sqlite3_column_int64(statement, 0);
    const int64_t rows = sqlite3_column_int64(statement, 1);
    sqlite3_reset(statement);
    if (rows >= 0 && rows < AKIN_SEGMENT_ROWS) {
        char path[AKIN_STORE_PATH];
        struct stat st;
        AKIN_TRY(akin_segment_path(store, number, path, sizeof path, err));
        const int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        const uint64_t size =
            AKIN_SEGMENT_HEADER + (uint64_t)rows * akin_space_row_bytes(space);
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
            (uint64_t)st.st_size == size &&
            check_header(store, space, number, fd, path, NULL) == AKIN_OK) {
            a->fd = fd;
            a->number = number;
            a->rows = a->committed = (size_t)rows;
            *found = true;
            return AKIN_OK;
        }
        if (fd >= 0)
            close(fd);
    }
    status = akin_append_seal(store, space, err);
out:
    return status;
}

static akin_status begin_segment(akin_store *store, akin_space *space, akin_error *err)
{
    akin_appender *a = &space->appender;
    akin_status status;
    sqlite3_stmt *statement;
    bool row;
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_LAST_SEGMENT, &statement, err));
    AKIN_TRY(akin_db_step(statement, &row, err));
    int64_t number = row ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    /* Files that are there already were made by a writer that died before it named them. */
    do {
        number++;
        if (number < 1 || number > AKIN_SEGMENT_NUMBER_MAX) {
            status =
                akin_fail(err, AKIN_E_LIMIT, store->folder, "has no number for a segment left");
            goto out;
        }
        status = akin_segment_create(store, space, number, &a->fd, err);
    } while (status == AKIN_E_CAPACITY);
    if (status != AKIN_OK)
        goto out;
    a->number = number;
    a->rows = a->committed = 0;
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_NEW_SEGMENT, &statement, err));
    AKIN_TRY(akin_db_bind(statement, err, "ii", number, space->id));
    AKIN_TRY(akin_db_step(statement, NULL, err));
out:
    return status;
}

/* Room for one more row: a->fd is open and a->wait there. */
static akin_status prepare(akin_store *store, akin_space *space, akin_error *err)
{
    akin_appender *a = &space->appender;
    const size_t row_bytes = akin_space_row_bytes(space);
    const size_t capacity = akin_max(wait_bytes / row_bytes, 1);
    akin_status status = AKIN_OK;
    if (a->fd >= 0 && a->rows == AKIN_SEGMENT_ROWS)
        AKIN_TRY(akin_append_seal(store, space, err));
    if (a->fd < 0) {
        bool found;
        AKIN_TRY(resume(store, space, &found, err));
        if (!found)
            AKIN_TRY(begin_segment(store, space, err));
    }
    if (a->waiting == capacity)
        AKIN_TRY(write_waiting(store, space, err));
    if (a->wait == NULL && (a->wait = malloc(capacity * row_bytes)) == NULL)
        status = akin_fail_nomem(err, "vectors to be written", capacity * row_bytes);
out:
    return status;
}

static void take(akin_appender *a, size_t row_bytes, const unsigned char *row, uint64_t *place,
                 uint32_t *crc)
{
    *crc = akin_crc32(row, row_bytes);
    *place = (uint64_t)a->number * AKIN_SEGMENT_ROWS + a->rows;
    a->rows++;
    a->waiting++;
}

akin_status akin_append_row(akin_store *store, akin_space *space, const void *row, uint64_t *place,
                            uint32_t *crc, akin_error *err)
{
    akin_appender *a = &space->appender;
    const size_t row_bytes = akin_space_row_bytes(space);
    const akin_status status = prepare(store, space, err);
    if (status != AKIN_OK)
        return akin_store_spoil(store, status, err);
    unsigned char *to = a->wait + a->waiting * row_bytes;
    memcpy(to, row, row_bytes);
    take(a, row_bytes, to, place, crc);
    return AKIN_OK;
}

akin_status akin_append(akin_store *store, akin_space *space, const float *vector, uint64_t *place,
                        uint32_t *crc, akin_error *err)
{
    akin_appender *a = &space->appender;
    const size_t row_bytes = akin_space_row_bytes(space);
    const akin_status status = prepare(store, space, err);
    if (status != AKIN_OK)
        return akin_store_spoil(store, status, err);
    unsigned char *to = a->wait + a->waiting * row_bytes;
    for (size_t i = 0; i < space->model.dimensions; i++) {
        if (space->model.type == AKIN_VECTOR_F16) {
            put(to + 2 * i, akin_float_to_half(vector[i]), 2);
        } else {
            uint32_t bits;
            memcpy(&bits, &vector[i], 4);
            put(to + 4 * i, bits, 4);
        }
    }
    take(a, row_bytes, to, place, crc);
    return AKIN_OK;
}
