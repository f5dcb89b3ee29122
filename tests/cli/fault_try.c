/* fault_try.c - small things to do to files, for fault.sh to see what fault.c makes of them.
 *
 *   fault_try write FILE     writes "0123456789" by write to FILE.new, syncs it, renames it to FILE
 *   fault_try stdio FILE     the same bytes by fwrite, and "end\n" by fprintf
 *   fault_try sqlite FILE    two rows into a database in WAL mode
 *   fault_try look PATH      "st_dev f_fsid f_type", the same by name and by handle
 * A line for what failed, and exit 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <sqlite3.h>

static void check(int failed, const char *what)
{
    if (!failed)
        return;
    printf("%s: %s\n", what, strerror(errno));
    exit(1);
}

static void write_file(const char *path)
{
    char name[4096];
    snprintf(name, sizeof name, "%s.new", path);
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    check(fd < 0, "open");
    for (size_t done = 0; done < 10;) {
        ssize_t size = write(fd, &"0123456789"[done], 10 - done);
        check(size <= 0, "write");
        done += (size_t)size;
    }
    check(fsync(fd) != 0, "fsync");
    check(fdatasync(fd) != 0, "fdatasync");
    check(close(fd) != 0, "close");
    check(rename(name, path) != 0, "rename");
}

static void write_stream(const char *path)
{
    FILE *f = fopen(path, "w");
    check(f == NULL, "fopen");
    check(fwrite("0123456789", 1, 10, f) != 10, "fwrite");
    check(fprintf(f, "end\n") < 0, "fprintf");
    check(fclose(f) != 0, "fclose");
}

static int run_sqlite(const char *path)
{
    sqlite3 *db = NULL;
    int code = sqlite3_open(path, &db);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db,
                            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                            "CREATE TABLE IF NOT EXISTS t(a);"
                            "INSERT INTO t VALUES(1); INSERT INTO t VALUES(2);",
                            NULL, NULL, NULL);
    if (code != SQLITE_OK)
        printf("sqlite: %s\n", sqlite3_errmsg(db));
    sqlite3_close(db);
    return code != SQLITE_OK;
}

static uint64_t id_of(const struct statfs *fs)
{
    uint32_t parts[2];
    memcpy(parts, &fs->f_fsid, sizeof parts);
    return (uint64_t)parts[1] << 32 | parts[0];
}

static int look(const char *path)
{
    struct stat by_name, by_link, at, open_one;
    struct statfs fs, open_fs;
    check(lstat(path, &by_link) != 0, "lstat");
    check(stat(path, &by_name) != 0, "stat");
    check(fstatat(AT_FDCWD, path, &at, 0) != 0, "fstatat");
    check(statfs(path, &fs) != 0, "statfs");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    check(fd < 0, "open");
    check(fstat(fd, &open_one) != 0, "fstat");
    check(fstatfs(fd, &open_fs) != 0, "fstatfs");
    close(fd);
    struct statx more;
    check(statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, &more) != 0, "statx");
    if (by_name.st_dev != by_link.st_dev || by_name.st_dev != at.st_dev ||
        by_name.st_dev != open_one.st_dev || id_of(&fs) != id_of(&open_fs) ||
        fs.f_type != open_fs.f_type) {
        printf("by name and by handle they differ\n");
        return 1;
    }
    printf("%llu %llu 0x%llx\n", (unsigned long long)by_name.st_dev,
           (unsigned long long)id_of(&fs), (unsigned long long)fs.f_type);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    if (strcmp(argv[1], "sqlite") == 0)
        return run_sqlite(argv[2]);
    if (strcmp(argv[1], "look") == 0)
        return look(argv[2]);
    if (strcmp(argv[1], "write") == 0)
        write_file(argv[2]);
    else
        write_stream(argv[2]);
    return 0;
}
