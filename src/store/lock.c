/* lock.c - the writer's lock; what kind of file system a folder is on.
 *
 * The lock is the kernel's, on an open file: it ends with the process that holds it, however that
 * ends, so it can not be stale. What is written in the file is for people alone.
 */
#include "store_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* Locks of the open file, not of the process: two stores in one process exclude each other, and
 * closing some other descriptor of the file gives nothing up. flock where they are not known. */
static int try_lock(int fd)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int result;
    do
        result = fcntl(fd, F_OFD_SETLK, &whole);
    while (result != 0 && errno == EINTR);
    if (result == 0)
        return 0;
    if (errno == EACCES || errno == EAGAIN)
        return EAGAIN;
    if (errno != EINVAL && errno != ENOLCK && errno != ENOSYS && errno != EOPNOTSUPP)
        return errno;
    do
        result = flock(fd, LOCK_EX | LOCK_NB);
    while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno == EWOULDBLOCK ? EAGAIN : errno;
}

/* "1234 host 2026-11-23T21:04:05Z". What cannot be written (a full disk) is no reason not to hold
 * the lock: compact must be able to run then. */
static void sign(int fd)
{
    char host[256] = "", text[400], when[40] = "";
    struct tm tm;
    const time_t now = time(NULL);
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')
        strcpy(host, "localhost");
    if (gmtime_r(&now, &tm) != NULL)
        snprintf(when, sizeof when, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    const int n = snprintf(text, sizeof text, "%ld %s %s\n", (long)getpid(), host, when);
    if (n > 0 && (size_t)n < sizeof text && pwrite(fd, text, (size_t)n, 0) == n)
        (void)!ftruncate(fd, n);
}

static akin_status tell_holder(int fd, const char *path, akin_error *err)
{
    char text[400], host[256], when[40];
    long pid;
    const ssize_t got = pread(fd, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    if (sscanf(text, "%ld %255s %39s", &pid, host, when) != 3)
        return akin_fail(err, AKIN_E_BUSY, path,
                         "another process is writing to this collection; wait, or stop it");
    for (char *p = host; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
            *p = '?';
    int y, mo, d, h, mi, s;
    if (sscanf(when, "%4d-%2d-%2dT%2d:%2d:%2dZ", &y, &mo, &d, &h, &mi, &s) == 6)
        snprintf(when, sizeof when, "%04d-%02d-%02d %02d:%02d:%02d UTC", y % 10000, mo % 100,
                 d % 100, h % 100, mi % 100, s % 100);
    else
        strcpy(when, "some time ago");
    return akin_fail(err, AKIN_E_BUSY, path,
                     "process %ld on host %s, since %s, is writing; wait, or stop it", pid, host,
                     when);
}

static double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

akin_status akin_lock_take(const char *folder, double wait_seconds, int *fd, akin_error *err)
{
    char path[AKIN_STORE_PATH];
    *fd = -1;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, AKIN_STORE_LOCK) >= sizeof path)
        return akin_fail(err, AKIN_E_LIMIT, folder, "the path is too long");
    const double end = now_seconds() + (wait_seconds > 0 ? wait_seconds : 0);
    for (;;) {
        const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
        if (file < 0)
            return akin_fail_errno(err, errno, path, "cannot take the writer's lock");
        const int refused = try_lock(file);
        struct stat held, there;
        /* Somebody may have removed the file since it was opened; then the lock is of nothing. */
        if (refused == 0 && fstat(file, &held) == 0 && stat(path, &there) == 0 &&
            held.st_ino == there.st_ino && held.st_dev == there.st_dev) {
            sign(file);
            *fd = file;
            return AKIN_OK;
        }
        akin_status status = AKIN_OK;
        if (refused != 0 && refused != EAGAIN)
            status = akin_fail_errno(err, refused, path, "this file system cannot lock files");
        else if (now_seconds() >= end)
            status = tell_holder(file, path, err);
        close(file);
        if (status != AKIN_OK)
            return status;
        const struct timespec pause = { .tv_nsec = 50 * 1000000 };
        nanosleep(&pause, NULL);
    }
}

void akin_lock_release(int fd)
{
    /* The text stays: removing it would race with the next who takes the lock. */
    if (fd >= 0)
        close(fd);
}

const char *akin_remote_kind(const char *folder)
{
    /* f_type of statfs(2), with the names people know them by. Of FUSE nothing better can be said
     * than that a program answers, which may be sshfs. */
    static const struct { uint32_t type; const char *name; } kinds[] = {
        { 0x6969, "NFS" },          { 0x517b, "SMB" },          { 0xff534d42, "SMB" },
        { 0xfe534d42, "SMB" },      { 0x65735546, "FUSE" },     { 0x01021997, "9p" },
        { 0x5346414f, "AFS" },      { 0x6b414653, "AFS" },      { 0x00c36400, "Ceph" },
        { 0x0bd00bd0, "Lustre" },   { 0x73757245, "Coda" },     { 0x564c, "NCP" },
        { 0x7461636f, "OCFS2" },    { 0x01161970, "GFS2" },     { 0x47504653, "GPFS" },
        { 0xaad7aaea, "PanFS" },    { 0x20030528, "OrangeFS" }, { 0x19830326, "BeeGFS" },
        { 0xbacbacbc, "vmhgfs" },   { 0x786f4256, "vboxsf" },
    };
    struct statfs fs;
    if (statfs(folder, &fs) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if ((uint32_t)fs.f_type == kinds[i].type)
            return kinds[i].name;
    return NULL;
}
