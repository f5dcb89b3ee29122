/* file.c - reading, mapping and atomically replacing files. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arith.h"

/* Opens a regular file for reading and tells its size. O_NONBLOCK so that a named pipe is refused
 * instead of waited for; it means nothing to a regular file. */
static akin_status open_regular(const char *path, int *fd, size_t *size, akin_error *err)
{
    if (path[0] == '\0') /* an unset variable; "No such file" after no name tells nobody */
        return akin_fail(err, AKIN_E_NOT_FOUND, path, "the name of the file is empty");
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0)
        return akin_fail_errno(err, errno, path, "cannot open");
    struct stat st;
    akin_status status = AKIN_OK;
    if (fstat(*fd, &st) != 0)
        status = akin_fail_errno(err, errno, path, "cannot stat");
    else if (S_ISDIR(st.st_mode))
        status = akin_fail(err, AKIN_E_NOT_A_FILE, path, "is a directory, not a file");
    else if (!S_ISREG(st.st_mode))
        status = akin_fail(err, AKIN_E_NOT_A_FILE, path, "is not a regular file");
    else
        *size = (size_t)st.st_size;
    if (status != AKIN_OK) {
        close(*fd);
        *fd = -1;
    }
    return status;
}

akin_status akin_file_read(const char *path, const char *what, size_t max, akin_buffer *out,
                           akin_error *err)
{
    akin_buffer_init(out, what, max);
    int fd = -1;
    size_t size = 0;
    akin_status status = open_regular(path, &fd, &size, err);
    if (status != AKIN_OK)
        return status;
    if (size > max) {
        status = akin_fail(err, AKIN_E_LIMIT, path, "%s of %zu bytes; the limit is %zu", what, size,
                           max);
        goto out;
    }
    AKIN_TRY(akin_buffer_reserve(out, size, err));
    /* Reads to the end, not to `size`: the file may have grown or shrunk since. */
    for (;;) {
        if (out->capacity - 1 == out->size)
            AKIN_TRY(akin_buffer_reserve(out, 1, err));
        ssize_t got =
            read(fd, out->data + out->size, akin_min(out->capacity - 1 - out->size, 1u << 30));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            status = akin_fail_errno(err, errno, path, "cannot read");
            goto out;
        }
        if (got == 0)
            break;
        out->size += (size_t)got;
        if (out->size == max) { /* full: only an end of file may follow */
            char extra;
            if (read(fd, &extra, 1) == 1)
                status = akin_fail(err, AKIN_E_LIMIT, path, "%s grew past the limit of %zu bytes",
                                   what, max);
            break;
        }
    }
    out->data[out->size] = '\0';
out:
    close(fd);
    if (status != AKIN_OK)
        akin_buffer_clear(out);
    return status;
}

akin_status akin_file_map(const char *path, akin_mapping *out, akin_error *err)
{
    int fd = -1;
    size_t size = 0;
    *out = (akin_mapping){ (const unsigned char *)"", 0 };
    akin_status status = open_regular(path, &fd, &size, err);
    if (status != AKIN_OK)
        return status;
    if (size != 0) {
        void *data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED)
            status = akin_fail_errno(err, errno, path, "cannot map");
        else
            *out = (akin_mapping){ data, size };
    }
    close(fd);
    return status;
}

void akin_file_unmap(akin_mapping *m)
{
    if (m->size != 0)
        munmap((void *)(uintptr_t)m->data, m->size);
    *m = (akin_mapping){ (const unsigned char *)"", 0 };
}

bool akin_is_lfs_pointer(const void *bytes, size_t size)
{
    static const char begin[] = "version https://git-lfs";
    return size >= sizeof begin - 1 && memcmp(bytes, begin, sizeof begin - 1) == 0;
}

bool akin_path_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool akin_path_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool akin_path_is_link(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

akin_status akin_folder_make(const char *path, unsigned mode, akin_error *err)
{
    char *part = strdup(path);
    akin_status status = AKIN_OK;
    if (part == NULL)
        return akin_fail_nomem(err, "path", 0);
    for (size_t i = 1; status == AKIN_OK; i++) {
        const char end = part[i];
        if (end != '/' && end != '\0')
            continue;
        part[i] = '\0';
        const int error = mkdir(part, end == '\0' ? mode : 0777) != 0 ? errno : 0;
        /* A system may say why it would not make one that is there: a medium that is read-only. */
        if (error != 0 && error != EEXIST && !akin_path_is_dir(part))
            status = akin_fail_errno(err, error, part, "cannot make the folder");
        part[i] = end;
        if (end == '\0')
            break;
    }
    if (status == AKIN_OK && !akin_path_is_dir(path))
        status = akin_fail(err, AKIN_E_NOT_A_FILE, path, "is not a folder");
    free(part);
    return status;
}

char *akin_path_join(const char *dir, const char *name)
{
    size_t d = strlen(dir), n = strlen(name);
    char *path = malloc(d + n + 2);
    if (path == NULL)
        return NULL;
    memcpy(path, dir, d);
    if (d != 0 && dir[d - 1] != '/')
        path[d++] = '/';
    memcpy(path + d, name, n + 1);
    return path;
}

/* What lies below /dev and /proc is written to, not replaced: /dev/stdout leads to whatever
 * standard output is, often a regular file that somebody else holds open. */
static bool is_device_path(const char *path)
{
    return (strncmp(path, "/dev/", 5) == 0 && strncmp(path, "/dev/shm/", 9) != 0) ||
           strncmp(path, "/proc/", 6) == 0;
}

akin_status akin_writer_open(akin_writer *w, const char *path, akin_error *err)
{
    *w = (akin_writer){ 0 };
    akin_status status = AKIN_OK;
    struct stat st;
    bool exists = stat(path, &st) == 0;
    if (exists && S_ISDIR(st.st_mode))
        return akin_fail(err, AKIN_E_NOT_A_FILE, path,
                         "is a directory, cannot be replaced by a file");
    if (is_device_path(path) || (exists && !S_ISREG(st.st_mode))) {
        w->path = strdup(path);
        w->stream = fopen(path, "we");
        if (w->path == NULL || w->stream == NULL)
            status = akin_fail_errno(err, errno, path, "cannot open for writing");
        goto out;
    }
    /* A link stays a link: what it leads to is replaced. */
    w->path = exists ? realpath(path, NULL) : strdup(path);
    if (w->path == NULL) {
        status = akin_fail_errno(err, errno, path, "cannot find what it leads to");
        goto out;
    }
    path = w->path;
    /* Not mkstemp: that makes the file 0600, and asking for the umask means changing it for a
     * moment, which a library in a threaded program must not. */
    size_t capacity = strlen(path) + 32;
    w->temporary = malloc(capacity);
    if (w->temporary == NULL) {
        status = akin_fail_nomem(err, "path", 0);
        goto out;
    }
    int fd = -1;
    for (unsigned attempt = 0; fd < 0 && attempt < 100; attempt++) {
        snprintf(w->temporary, capacity, "%s.%ld-%u.tmp", path, (long)getpid(), attempt);
        fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd < 0) {
        status = akin_fail_errno(err, errno, path, "cannot create a file beside it");
        free(w->temporary);
        w->temporary = NULL;
        goto out;
    }
    if ((exists && fchmod(fd, st.st_mode & 07777) != 0) || (w->stream = fdopen(fd, "w")) == NULL) {
        status = akin_fail_errno(err, errno, path, "cannot prepare a file beside it");
        close(fd);
    }
out:
    if (status != AKIN_OK)
        akin_writer_abort(w);
    return status;
}

akin_status akin_writer_add(akin_writer *w, const void *bytes, size_t count, akin_error *err)
{
    if (count != 0 && fwrite(bytes, 1, count, w->stream) != count)
        return akin_fail_errno(err, errno, w->path, "cannot write");
    return AKIN_OK;
}

/* A rename is durable only when the folder that holds it is. */
static int sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder =
        slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (folder == NULL)
        return ENOMEM;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0)
        return errno;
    /* EINVAL: a file system that cannot sync folders (some network ones) has nothing better. */
    int result = fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
    close(fd);
    return result;
}

akin_status akin_writer_commit(akin_writer *w, akin_error *err)
{
    akin_status status = AKIN_OK;
    if (fflush(w->stream) != 0 || (w->temporary != NULL && fsync(fileno(w->stream)) != 0)) {
        status = akin_fail_errno(err, errno, w->path, "cannot write");
        goto out;
    }
    int closed = fclose(w->stream);
    w->stream = NULL;
    if (closed != 0) {
        status = akin_fail_errno(err, errno, w->path, "cannot write");
        goto out;
    }
    if (w->temporary != NULL) {
        if (rename(w->temporary, w->path) != 0) {
            status = akin_fail_errno(err, errno, w->path, "cannot replace");
            goto out;
        }
        free(w->temporary);
        w->temporary = NULL;
        int error_number = sync_folder_of(w->path);
        if (error_number != 0)
            status = akin_fail_errno(err, error_number, w->path, "cannot sync its folder");
    }
out:
    akin_writer_abort(w);
    return status;
}

void akin_writer_abort(akin_writer *w)
{
    if (w->stream != NULL)
        fclose(w->stream);
    if (w->temporary != NULL) {
        unlink(w->temporary);
        free(w->temporary);
    }
    free(w->path);
    *w = (akin_writer){ 0 };
}
