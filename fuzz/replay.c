/* replay.c - runs a fuzz target over the files of the folders and files given, as one TAP test. */
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

/* The input at hand: named when it ends the process. */
static const char *at_hand = "";

static void on_end(int signal_number)
{
    static const char words[] = "replay: this input: ";
    if (write(STDERR_FILENO, words, sizeof words - 1) > 0 &&
        write(STDERR_FILENO, at_hand, strlen(at_hand)) > 0 && write(STDERR_FILENO, "\n", 1) > 0)
        signal(signal_number, SIG_DFL);
    else
        _exit(1);
    raise(signal_number);
}

static int replay_file(const char *path)
{
    at_hand = path;
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return -1;
    fseek(f, 0, SEEK_END);
    long end = ftell(f);
    rewind(f);
    size_t size = end < 0 ? 0 : (size_t)end;
    /* Of exactly this size, so that a sanitizer sees a byte read past the end. */
    uint8_t *bytes = malloc(size != 0 ? size : 1);
    int result = -1;
    if (bytes != NULL && fread(bytes, 1, size, f) == size) {
        LLVMFuzzerTestOneInput(bytes, size);
        result = 1;
    }
    free(bytes);
    fclose(f);
    return result;
}

/* How many inputs were run; -1 when one could not be read. */
static int replay(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL)
        return replay_file(path);
    int total = 0;
    for (struct dirent *entry; total >= 0 && (entry = readdir(dir)) != NULL;) {
        char name[PATH_MAX];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        int n = replay_file(name);
        total = n < 0 ? -1 : total + n;
    }
    closedir(dir);
    return total;
}

int main(int argc, char **argv)
{
    int total = 0;
    signal(SIGABRT, on_end);
    for (int i = 1; i < argc && total >= 0; i++) {
        int n = replay(argv[i]);
        if (n < 0)
            fprintf(stderr, "replay: cannot read %s\n", argv[i]);
        total = n < 0 ? -1 : total + n;
    }
    printf("1..1\n%sok 1 - %d inputs\n", total > 0 ? "" : "not ", total);
    return total > 0 ? 0 : 1;
}
