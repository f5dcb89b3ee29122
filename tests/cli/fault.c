/* fault.c - the program with a layer between it and the disk that counts what it writes, stops it
 * at any write, lets any write fail, and tells lies about folders.
 *
 * Linked into akin_faulty, which exports these functions: the dynamic linker then gives them to the
 * shared libraries as well (SQLite writes by pwrite64). What they replace is found by
 * dlsym(RTLD_NEXT): the C library's, or the sanitizer's that stands before it. The C library's own
 * calls do not come here, so that stdio is caught at fwrite, fflush and fclose. Needs /proc and
 * glibc 2.33, in which stat and fstat became functions.
 *
 *   AKIN_FAULT_ROOT=DIR    calls on files at or below DIR are counted: whatever creates, writes,
 *                          cuts, syncs, renames or removes. Paths here have no links in them
 *   AKIN_FAULT_COUNT=FILE  at exit "CALLS SYNCS\n" is written there
 *   AKIN_FAULT_LOG=FILE    a line a call: its number, function and path
 *   AKIN_FAULT_AT=N        what happens at call N (from 1 on; of fsync, at sync N):
 *   AKIN_FAULT_DO=kill         SIGKILL when it is done
 *                 kill-before  SIGKILL instead of it
 *                 stop         SIGSTOP before it
 *                 short        half of the bytes are written, then SIGKILL
 *                 power        instead of it the files are again as they were when they were last
 *                              synced, then SIGKILL. Names stay: of folders nothing is undone
 *                 partial      half of the bytes are written, and the call says so
 *                 enospc, eio  it fails, and nothing is done
 *                 fsync        the Nth fsync or fdatasync fails with EIO
 *   AKIN_FAULT_STICKY=1    what failed goes on to fail for that file; "all": for every file
 *   AKIN_FAULT_EACCES=PATH            it cannot be opened, and nothing below it seen
 *   AKIN_FAULT_DEVICE=PATH=NUMBER     st_dev, and f_fsid, at or below PATH
 *   AKIN_FAULT_FS=PATH=TYPE           f_type there: 0x6969 is NFS
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

/* What -D_FORTIFY_SOURCE makes of open without O_CREAT. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);

#define FUNCTIONS(F)                                                                            \
    F(write) F(pwrite) F(pwrite64) F(writev) F(pwritev) F(pwritev64) F(fwrite) F(fflush)        \
    F(fclose) F(fsync) F(fdatasync) F(ftruncate) F(ftruncate64) F(truncate) F(fallocate)        \
    F(posix_fallocate) F(posix_fallocate64) F(fallocate64) F(copy_file_range) F(rename)         \
    F(renameat) F(renameat2) F(link) F(linkat) F(symlink) F(unlink) F(unlinkat) F(remove)       \
    F(mkdir) F(mkdirat) F(rmdir) F(open) F(open64) F(openat) F(openat64) F(creat)               \
    F(fopen) F(fopen64) F(opendir) F(stat) F(stat64) F(lstat) F(lstat64) F(fstat) F(fstat64)    \
    F(fstatat) F(fstatat64) F(statx) F(statfs) F(statfs64) F(fstatfs) F(fstatfs64)

static struct {
#define F(name) __typeof__(name) *name;
    FUNCTIONS(F)
#undef F
} real;

typedef enum deed { NOTHING, KILL, KILL_BEFORE, STOP, POWER, SHORT, PARTIAL, FAIL, FAIL_SYNC } deed;

static pthread_once_t begun = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root, *count_file, *denied;
static char *device_path, *type_path;
static unsigned long device_number, type_number, fault_at;
static deed fault_deed;
static int fault_errno, log_fd = -1;
static enum { ONCE, THAT_FILE, ALL_FILES } sticky;

/* Under `lock`. */
static unsigned long calls, syncs;
static bool failing;
static char failing_path[PATH_MAX];

static void complain(const char *name)
{
    static const char text[] = "fault: cannot understand AKIN_FAULT_";
    (void)!real.write(2, text, sizeof text - 1);
    (void)!real.write(2, name, strlen(name));
    (void)!real.write(2, "\n", 1);
    _exit(99);
}

/* PATH=NUMBER of a variable. */
static char *path_and_number(const char *name, unsigned long *number)
{
    const char *value = getenv(name);
    if (value == NULL)
        return NULL;
    const char *equals = strrchr(value, '=');
    char *end;
    if (equals == NULL)
        complain(name + strlen("AKIN_FAULT_"));
    *number = strtoul(equals + 1, &end, 0);
    if (*end != '\0' || end == equals + 1)
        complain(name + strlen("AKIN_FAULT_"));
    return strndup(value, (size_t)(equals - value));
}

static void begin(void)
{
    void *found;
#define F(name)                             \
    found = dlsym(RTLD_NEXT, #name);        \
    memcpy(&real.name, &found, sizeof found);
    FUNCTIONS(F)
#undef F
    root = getenv("AKIN_FAULT_ROOT");
    count_file = getenv("AKIN_FAULT_COUNT");
    denied = getenv("AKIN_FAULT_EACCES");
    device_path = path_and_number("AKIN_FAULT_DEVICE", &device_number);
    type_path = path_and_number("AKIN_FAULT_FS", &type_number);
    const char *log = getenv("AKIN_FAULT_LOG"), *at = getenv("AKIN_FAULT_AT");
    const char *what = getenv("AKIN_FAULT_DO"), *again = getenv("AKIN_FAULT_STICKY");
    if (log != NULL)
        log_fd = real.open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (again != NULL)
        sticky = strcmp(again, "all") == 0 ? ALL_FILES : THAT_FILE;
    if (at == NULL && what == NULL)
        return;
    static const struct {
        const char *name;
        deed deed;
        int error;
    } deeds[] = { { "kill", KILL, 0 },         { "kill-before", KILL_BEFORE, 0 },
                  { "stop", STOP, 0 },         { "power", POWER, 0 },
                  { "short", SHORT, 0 },       { "partial", PARTIAL, 0 },
                  { "enospc", FAIL, ENOSPC },  { "eio", FAIL, EIO },
                  { "fsync", FAIL_SYNC, EIO } };
    char *end = NULL;
    fault_at = at != NULL ? strtoul(at, &end, 10) : 0;
    if (fault_at == 0 || *end != '\0' || root == NULL)
        complain("AT (a number from 1 on, with AKIN_FAULT_ROOT)");
    for (size_t i = 0; what != NULL && i < sizeof deeds / sizeof deeds[0]; i++)
        if (strcmp(what, deeds[i].name) == 0) {
            fault_deed = deeds[i].deed;
            fault_errno = deeds[i].error;
        }
    if (fault_deed == NOTHING)
        complain("DO");
}

static void ready(void) { pthread_once(&begun, begin); }

__attribute__((constructor)) static void start(void) { ready(); }

__attribute__((destructor)) static void tell_count(void)
{
    char text[64];
    ready();
    if (count_file == NULL)
        return;
    int fd = real.open(count_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int size = snprintf(text, sizeof text, "%lu %lu\n", calls, syncs);
    if (fd < 0 || real.write(fd, text, (size_t)size) != size)
        abort();
    close(fd);
}

/* ---- paths */

static bool below(const char *path, const char *folder)
{
    if (path == NULL || folder == NULL)
        return false;
    const size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* The path of an open file, in out[PATH_MAX]; NULL when it has none. */
static const char *path_of(int fd, char *out)
{
    char name[64];
    const int error_number = errno;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    const ssize_t size = readlink(name, out, PATH_MAX - 1);
    errno = error_number;
    if (size <= 0 || out[0] != '/')
        return NULL;
    out[size] = '\0';
    return out;
}

/* A path argument made absolute, in out[PATH_MAX]; "." and links are left as they are. */
static const char *path_at(int dir, const char *path, char *out)
{
    if (path == NULL || path[0] == '/')
        return path;
    const int error_number = errno;
    char folder[PATH_MAX];
    const char *in = dir == AT_FDCWD ? getcwd(folder, sizeof folder) : path_of(dir, folder);
    errno = error_number;
    if (in == NULL)
        return NULL;
    if (path[0] == '\0') {
        strcpy(out, in);
        return out;
    }
    if (snprintf(out, PATH_MAX, "%s/%s", in, path) >= PATH_MAX)
        return NULL;
    return out;
}

static bool exists(const char *path)
{
    const int error_number = errno;
    const bool is = access(path, F_OK) == 0;
    errno = error_number;
    return is;
}

/* ---- what happens */

static void die(void)
{
    kill(getpid(), SIGKILL);
    pause();
}

/* ---- what was not synced */

typedef struct unsynced {
    struct unsynced *next;
    dev_t device;
    ino_t inode;
    int fd;
    size_t size;    /* when it was last synced, or first seen */
    char *bytes;
} unsynced;

static unsynced *all_unsynced; /* under `lock` */

static void out_of_luck(void)
{
    static const char text[] = "fault: cannot remember a file\n";
    (void)!real.write(2, text, sizeof text - 1);
    _exit(99);
}

/* Keeps what is in a file that is about to change, if nothing was kept since its last sync. */
static void remember(int fd)
{
    char name[64];
    struct stat st;
    const int error_number = errno;
    if (fault_deed != POWER || real.fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    pthread_mutex_lock(&lock);
    unsynced *u = all_unsynced;
    while (u != NULL && (u->device != st.st_dev || u->inode != st.st_ino))
        u = u->next;
    if (u == NULL) {
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        u = malloc(sizeof *u);
        if (u == NULL)
            out_of_luck();
        *u = (unsynced){ all_unsynced, st.st_dev, st.st_ino, real.open(name, O_RDWR | O_CLOEXEC),
                         (size_t)st.st_size, malloc((size_t)st.st_size + 1) };
        if (u->fd < 0 || u->bytes == NULL || pread(u->fd, u->bytes, u->size, 0) != st.st_size)
            out_of_luck();
        all_unsynced = u;
    }
    pthread_mutex_unlock(&lock);
    errno = error_number;
}

/* A file was synced. Its descriptor stays open: closing it would give up locks of this process. */
static void forget(int fd)
{
    struct stat st;
    if (fault_deed != POWER || real.fstat(fd, &st) != 0)
        return;
    pthread_mutex_lock(&lock);
    for (unsynced **u = &all_unsynced; *u != NULL; u = &(*u)->next)
        if ((*u)->device == st.st_dev && (*u)->inode == st.st_ino) {
            unsynced *gone = *u;
            *u = gone->next;
            free(gone->bytes);
            free(gone);
            break;
        }
    pthread_mutex_unlock(&lock);
}

static void lose_power(void)
{
    pthread_mutex_lock(&lock); /* and nobody writes any more */
    for (const unsynced *u = all_unsynced; u != NULL; u = u->next)
        if (real.ftruncate(u->fd, 0) != 0 ||
            real.pwrite(u->fd, u->bytes, u->size, 0) != (ssize_t)u->size)
            out_of_luck();
    die();
}

static void remember_path(const char *path)
{
    if (fault_deed != POWER || !below(path, root))
        return;
    const int fd = real.open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        remember(fd); /* and stays open, as above */
}

/* What is to happen to a call on `path`; KILL_BEFORE never comes back, STOP comes back
 * as NOTHING, FAIL has set errno. */
static deed judge(const char *function, const char *path, bool sync)
{
    if (root == NULL || !below(path, root))
        return NOTHING;
    deed what = NOTHING;
    pthread_mutex_lock(&lock);
    calls++;
    syncs += sync;
    if (log_fd >= 0) {
        char line[PATH_MAX + 64];
        int size = snprintf(line, sizeof line, "%lu %s %s\n", calls, function, path);
        (void)!real.write(log_fd, line, (size_t)size);
    }
    const unsigned long number = fault_deed == FAIL_SYNC ? (sync ? syncs : 0) : calls;
    if (fault_at != 0 && number == fault_at) {
        what = fault_deed == FAIL_SYNC ? FAIL : fault_deed;
        failing = what == FAIL && sticky != ONCE;
        snprintf(failing_path, sizeof failing_path, "%s", path);
    } else if (failing && (fault_deed == FAIL || sync) &&
               (sticky == ALL_FILES || strcmp(path, failing_path) == 0)) {
        what = FAIL;
    }
    pthread_mutex_unlock(&lock);
    if (what == KILL_BEFORE)
        die();
    if (what == POWER)
        lose_power();
    if (what == STOP) {
        kill(getpid(), SIGSTOP);
        return NOTHING;
    }
    if (what == FAIL)
        errno = fault_errno;
    return what;
}

/* The same for calls that have no half. */
static deed judge_whole(const char *function, const char *path, bool sync)
{
    const deed what = judge(function, path, sync);
    if (what == SHORT)
        die();
    return what;
}

static deed judge_fd(const char *function, int fd, bool sync)
{
    char path[PATH_MAX];
    if (root == NULL)
        return NOTHING;
    if (!sync && below(path_of(fd, path), root))
        remember(fd);
    return judge_whole(function, path_of(fd, path), sync);
}

/* A call of which nothing but its result is looked at. */
#define WHOLE(what, failed, call)       \
    do {                                \
        const deed how = (what);        \
        if (how == FAIL)                \
            return failed;              \
        __typeof__(call) result = call; \
        if (how == KILL)                \
            die();                      \
        return result;                  \
    } while (0)

/* A call that writes `size` bytes; `half` writes the first `part` of them. */
#define BYTES(function, fd, size, call, half)                                      \
    do {                                                                           \
        char path[PATH_MAX];                                                       \
        if (root != NULL && below(path_of(fd, path), root))                        \
            remember(fd);                                                          \
        const deed how = root == NULL ? NOTHING                                    \
                                      : judge(function, path_of(fd, path), false); \
        if (how == FAIL)                                                           \
            return -1;                                                             \
        if (how == SHORT || how == PARTIAL) {                                      \
            const size_t part = (size) / 2;                                        \
            const ssize_t result = part != 0 || how == PARTIAL ? (half) : 0;       \
            if (how == SHORT)                                                      \
                die();                                                             \
            return result;                                                         \
        }                                                                          \
        const ssize_t result = (call);                                             \
        if (how == KILL)                                                           \
            die();                                                                 \
        return result;                                                             \
    } while (0)

#define SHOWN __attribute__((visibility("default")))

/* ---- bytes */

SHOWN ssize_t write(int fd, const void *bytes, size_t size)
{
    ready();
    BYTES("write", fd, size, real.write(fd, bytes, size), real.write(fd, bytes, part));
}

SHOWN ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    ready();
    BYTES("pwrite", fd, size, real.pwrite(fd, bytes, size, at), real.pwrite(fd, bytes, part, at));
}

SHOWN ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
    ready();
    BYTES("pwrite64", fd, size, real.pwrite64(fd, bytes, size, at),
          real.pwrite64(fd, bytes, part, at));
}

/* Of several pieces half is half of the first. */
SHOWN ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    ready();
    BYTES("writev", fd, count > 0 ? pieces[0].iov_len : 0, real.writev(fd, pieces, count),
          real.write(fd, pieces[0].iov_base, part));
}

SHOWN ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t at)
{
    ready();
    BYTES("pwritev", fd, count > 0 ? pieces[0].iov_len : 0, real.pwritev(fd, pieces, count, at),
          real.pwrite(fd, pieces[0].iov_base, part, at));
}

SHOWN ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t at)
{
    ready();
    BYTES("pwritev64", fd, count > 0 ? pieces[0].iov_len : 0,
          real.pwritev64(fd, pieces, count, at), real.pwrite(fd, pieces[0].iov_base, part, at));
}

SHOWN ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t size,
                              unsigned flags)
{
    ready();
    BYTES("copy_file_range", to, size,
          real.copy_file_range(from, from_at, to, to_at, size, flags),
          real.copy_file_range(from, from_at, to, to_at, part, flags));
}

/* On to the disk at once: what stdio writes later would not come by here. */
static ssize_t put(FILE *stream, const void *bytes, size_t size)
{
    const size_t put = real.fwrite(bytes, 1, size, stream);
    return real.fflush(stream) == 0 && put == size ? (ssize_t)size : -1;
}

static ssize_t stream_write(FILE *stream, const void *bytes, size_t size)
{
    BYTES("fwrite", fileno(stream), size, put(stream, bytes, size), put(stream, bytes, part));
}

SHOWN size_t fwrite(const void *bytes, size_t size, size_t count, FILE *stream)
{
    char path[PATH_MAX];
    ready();
    if (root == NULL || size == 0 || count == 0 || !below(path_of(fileno(stream), path), root))
        return real.fwrite(bytes, size, count, stream);
    const ssize_t done = stream_write(stream, bytes, size * count);
    if (done >= 0 && (size_t)done < size * count)
        errno = ENOSPC;
    return done < 0 ? 0 : (size_t)done / size;
}

/* Bytes that came by fprintf and the like. */
SHOWN int fflush(FILE *stream)
{
    ready();
    if (root == NULL || stream == NULL || __fpending(stream) == 0)
        return real.fflush(stream);
    WHOLE(judge_fd("fflush", fileno(stream), false), EOF, real.fflush(stream));
}

SHOWN int fclose(FILE *stream)
{
    ready();
    if (root == NULL || __fpending(stream) == 0)
        return real.fclose(stream);
    const deed how = judge_fd("fclose", fileno(stream), false);
    if (how == FAIL) {
        const int error_number = errno;
        __fpurge(stream);
        real.fclose(stream);
        errno = error_number;
        return EOF;
    }
    const int result = real.fclose(stream);
    if (how == KILL)
        die();
    return result;
}

/* ---- open files */

static int synced(int fd, int result)
{
    if (result == 0)
        forget(fd);
    return result;
}

SHOWN int fsync(int fd)
{
    ready();
    WHOLE(judge_fd("fsync", fd, true), -1, synced(fd, real.fsync(fd)));
}

SHOWN int fdatasync(int fd)
{
    ready();
    WHOLE(judge_fd("fdatasync", fd, true), -1, synced(fd, real.fdatasync(fd)));
}

SHOWN int ftruncate(int fd, off_t size)
{
    ready();
    WHOLE(judge_fd("ftruncate", fd, false), -1, real.ftruncate(fd, size));
}

SHOWN int ftruncate64(int fd, off64_t size)
{
    ready();
    WHOLE(judge_fd("ftruncate64", fd, false), -1, real.ftruncate64(fd, size));
}

SHOWN int fallocate(int fd, int mode, off_t at, off_t size)
{
    ready();
    WHOLE(judge_fd("fallocate", fd, false), -1, real.fallocate(fd, mode, at, size));
}

SHOWN int fallocate64(int fd, int mode, off64_t at, off64_t size)
{
    ready();
    WHOLE(judge_fd("fallocate64", fd, false), -1, real.fallocate64(fd, mode, at, size));
}

SHOWN int posix_fallocate(int fd, off_t at, off_t size)
{
    ready();
    WHOLE(judge_fd("posix_fallocate", fd, false), fault_errno, real.posix_fallocate(fd, at, size));
}

SHOWN int posix_fallocate64(int fd, off64_t at, off64_t size)
{
    ready();
    WHOLE(judge_fd("posix_fallocate64", fd, false), fault_errno,
          real.posix_fallocate64(fd, at, size));
}

/* ---- names */

static deed judge_path(const char *function, int dir, const char *path)
{
    char whole[PATH_MAX];
    if (root == NULL)
        return NOTHING;
    return judge_whole(function, path_at(dir, path, whole), false);
}

SHOWN int truncate(const char *path, off_t size)
{
    ready();
    WHOLE(judge_path("truncate", AT_FDCWD, path), -1, real.truncate(path, size));
}

SHOWN int rename(const char *from, const char *to)
{
    ready();
    WHOLE(judge_path("rename", AT_FDCWD, to), -1, real.rename(from, to));
}

SHOWN int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    ready();
    WHOLE(judge_path("renameat", to_dir, to), -1, real.renameat(from_dir, from, to_dir, to));
}

SHOWN int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    ready();
    WHOLE(judge_path("renameat2", to_dir, to), -1,
          real.renameat2(from_dir, from, to_dir, to, flags));
}

SHOWN int link(const char *from, const char *to)
{
    ready();
    WHOLE(judge_path("link", AT_FDCWD, to), -1, real.link(from, to));
}

SHOWN int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    ready();
    WHOLE(judge_path("linkat", to_dir, to), -1, real.linkat(from_dir, from, to_dir, to, flags));
}

SHOWN int symlink(const char *target, const char *path)
{
    ready();
    WHOLE(judge_path("symlink", AT_FDCWD, path), -1, real.symlink(target, path));
}

SHOWN int unlink(const char *path)
{
    ready();
    WHOLE(judge_path("unlink", AT_FDCWD, path), -1, real.unlink(path));
}

SHOWN int unlinkat(int dir, const char *path, int flags)
{
    ready();
    WHOLE(judge_path("unlinkat", dir, path), -1, real.unlinkat(dir, path, flags));
}

SHOWN int remove(const char *path)
{
    ready();
    WHOLE(judge_path("remove", AT_FDCWD, path), -1, real.remove(path));
}

SHOWN int mkdir(const char *path, mode_t mode)
{
    ready();
    if (exists(path))
        return real.mkdir(path, mode);
    WHOLE(judge_path("mkdir", AT_FDCWD, path), -1, real.mkdir(path, mode));
}

SHOWN int mkdirat(int dir, const char *path, mode_t mode)
{
    ready();
    WHOLE(judge_path("mkdirat", dir, path), -1, real.mkdirat(dir, path, mode));
}

SHOWN int rmdir(const char *path)
{
    ready();
    WHOLE(judge_path("rmdir", AT_FDCWD, path), -1, real.rmdir(path));
}

/* ---- opening */

/* Whether a path may not be used: opened, or, of what is below, seen at all. */
static bool is_denied(const char *path, bool opened)
{
    if (denied == NULL || path == NULL || !below(path, denied) ||
        (!opened && strcmp(path, denied) == 0))
        return false;
    errno = EACCES;
    return true;
}

/* Opening counts when it makes a file or cuts one. */
static int open_it(const char *function, int dir, const char *path, int flags, mode_t mode)
{
    char whole[PATH_MAX];
    ready();
    const char *it = path_at(dir, path, whole);
    if (is_denied(it, true))
        return -1;
    const bool makes = (flags & O_CREAT) != 0 && it != NULL && !exists(it);
    const bool cuts = (flags & O_TRUNC) != 0 && (flags & O_ACCMODE) != O_RDONLY;
    if (!makes && !cuts && (flags & O_TMPFILE) != O_TMPFILE)
        return real.openat(dir, path, flags, mode);
    if (cuts && !makes)
        remember_path(it);
    WHOLE(judge_whole(function, it, false), -1, real.openat(dir, path, flags, mode));
}

static mode_t mode_of(int flags, va_list args)
{
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t) : 0;
}

#define OPEN(name, dir)                          \
    va_list args;                                \
    va_start(args, flags);                       \
    const mode_t mode = mode_of(flags, args);    \
    va_end(args);                                \
    return open_it(name, dir, path, flags, mode);

SHOWN int open(const char *path, int flags, ...) { OPEN("open", AT_FDCWD) }
SHOWN int open64(const char *path, int flags, ...) { OPEN("open64", AT_FDCWD) }
SHOWN int openat(int dir, const char *path, int flags, ...) { OPEN("openat", dir) }
SHOWN int openat64(int dir, const char *path, int flags, ...) { OPEN("openat64", dir) }

SHOWN int __open_2(const char *path, int flags)
{
    return open_it("open", AT_FDCWD, path, flags, 0);
}

SHOWN int __open64_2(const char *path, int flags)
{
    return open_it("open64", AT_FDCWD, path, flags, 0);
}

SHOWN int __openat_2(int dir, const char *path, int flags)
{
    return open_it("openat", dir, path, flags, 0);
}

SHOWN int __openat64_2(int dir, const char *path, int flags)
{
    return open_it("openat64", dir, path, flags, 0);
}

SHOWN int creat(const char *path, mode_t mode)
{
    return open_it("creat", AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

static FILE *open_stream(const char *path, const char *mode)
{
    char whole[PATH_MAX];
    const char *it = path_at(AT_FDCWD, path, whole);
    if (is_denied(it, true))
        return NULL;
    if (mode[0] == 'r')
        return real.fopen(path, mode);
    remember_path(it);
    WHOLE(judge_whole("fopen", it, false), NULL, real.fopen(path, mode));
}

SHOWN FILE *fopen(const char *path, const char *mode)
{
    ready();
    return open_stream(path, mode);
}

SHOWN FILE *fopen64(const char *path, const char *mode)
{
    ready();
    return open_stream(path, mode);
}

SHOWN DIR *opendir(const char *path)
{
    char whole[PATH_MAX];
    ready();
    return is_denied(path_at(AT_FDCWD, path, whole), true) ? NULL : real.opendir(path);
}

/* ---- lies */

static bool is_elsewhere(const char *path) { return below(path, device_path); }

#define STAT(dir, path, call)                          \
    do {                                               \
        char whole[PATH_MAX];                          \
        ready();                                       \
        const char *it = path_at(dir, path, whole);    \
        if (is_denied(it, false))                      \
            return -1;                                 \
        const int result = (call);                     \
        if (result == 0 && is_elsewhere(it))           \
            st->st_dev = device_number;                \
        return result;                                 \
    } while (0)

SHOWN int stat(const char *path, struct stat *st) { STAT(AT_FDCWD, path, real.stat(path, st)); }
SHOWN int lstat(const char *path, struct stat *st) { STAT(AT_FDCWD, path, real.lstat(path, st)); }

SHOWN int stat64(const char *path, struct stat64 *st)
{
    STAT(AT_FDCWD, path, real.stat64(path, st));
}

SHOWN int lstat64(const char *path, struct stat64 *st)
{
    STAT(AT_FDCWD, path, real.lstat64(path, st));
}

SHOWN int fstat(int fd, struct stat *st) { STAT(fd, "", real.fstat(fd, st)); }
SHOWN int fstat64(int fd, struct stat64 *st) { STAT(fd, "", real.fstat64(fd, st)); }

SHOWN int fstatat(int dir, const char *path, struct stat *st, int flags)
{
    STAT(dir, path, real.fstatat(dir, path, st, flags));
}

SHOWN int fstatat64(int dir, const char *path, struct stat64 *st, int flags)
{
    STAT(dir, path, real.fstatat64(dir, path, st, flags));
}

SHOWN int statx(int dir, const char *path, int flags, unsigned mask, struct statx *st)
{
    char whole[PATH_MAX];
    ready();
    const char *it = path_at(dir, path, whole);
    if (is_denied(it, false))
        return -1;
    const int result = real.statx(dir, path, flags, mask, st);
    if (result == 0 && is_elsewhere(it)) {
        st->stx_dev_major = (uint32_t)major(device_number);
        st->stx_dev_minor = (uint32_t)minor(device_number);
    }
    return result;
}

#define STATFS(dir, path, call)                                   \
    do {                                                          \
        char whole[PATH_MAX];                                     \
        ready();                                                  \
        const char *it = path_at(dir, path, whole);               \
        if (is_denied(it, false))                                 \
            return -1;                                            \
        const int result = (call);                                \
        if (result == 0 && is_elsewhere(it)) {                    \
            const int id[2] = { (int)device_number, 0 };          \
            memcpy(&fs->f_fsid, id, sizeof fs->f_fsid);           \
        }                                                         \
        if (result == 0 && below(it, type_path))                  \
            fs->f_type = (__typeof__(fs->f_type))type_number;     \
        return result;                                            \
    } while (0)

SHOWN int statfs(const char *path, struct statfs *fs)
{
    STATFS(AT_FDCWD, path, real.statfs(path, fs));
}

SHOWN int statfs64(const char *path, struct statfs64 *fs)
{
    STATFS(AT_FDCWD, path, real.statfs64(path, fs));
}

SHOWN int fstatfs(int fd, struct statfs *fs) { STATFS(fd, "", real.fstatfs(fd, fs)); }
SHOWN int fstatfs64(int fd, struct statfs64 *fs) { STATFS(fd, "", real.fstatfs64(fd, fs)); }
