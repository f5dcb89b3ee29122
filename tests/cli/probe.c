/* probe.c - what the command-line tests cannot do in sh: pictures, JSON, NumPy arrays, signals.
 *
 *     probe png WIDTH HEIGHT SEED OUT   writes a picture
 *     probe json FILE [PATH]            the value at PATH ("labels[0].label"); "-": standard input;
 *                                       strings bare, [] and {} as "array N", "object N"
 *     probe lines FILE                  every line is a JSON object: prints how many
 *     probe norm FILE PATH              the length of a vector, with 4 decimals
 *     probe npy FILE                    checks header and size: prints the shape, "2 64"
 *     probe row FILE N                  row N of a 2-D array, as JSON prints it
 *     probe rank VECTORS QUERY HITS     HITS (search --json) against brute force over VECTORS
 *                                       (embed of the whole collection, by absolute paths) for
 *                                       the vector of the first line of QUERY: scores, z, and that none is missed
 *                                       by more than half precision explains. Prints "ok N"
 *     probe signal A [B] -- COMMAND     starts it, reads until the first byte, sends signal A; with
 *                                       B: reads no more, waits, and sends that too. Prints
 *                                       "exit N" or "signal N", then the lines read
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <png.h>

static int die(const char *what, const char *why)
{
    printf("probe: %s: %s\n", what, why);
    return 1;
}

static int write_png(unsigned width, unsigned height, unsigned seed, const char *path)
{
    png_image image = { .version = PNG_IMAGE_VERSION, .width = width, .height = height,
                        .format = PNG_FORMAT_RGB };
    size_t count = 3 * (size_t)width * height;
    unsigned char *pixels = malloc(count);
    if (pixels == NULL)
        return die(path, "out of memory");
    for (size_t i = 0; i < count; i++)
        pixels[i] = (unsigned char)((i * (seed + 1) + i / (3 * width) * 7) & 255);
    int ok = png_image_write_to_file(&image, path, 0, pixels, 0, NULL);
    free(pixels);
    return ok ? 0 : die(path, image.message);
}

static json_t *load(const char *path)
{
    json_error_t why;
    json_t *root = strcmp(path, "-") == 0 ? json_loadf(stdin, JSON_REJECT_DUPLICATES, &why)
                                          : json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (root == NULL)
        die(path, why.text);
    return root;
}

static const json_t *walk(const json_t *at, const char *path)
{
    while (at != NULL && *path != '\0') {
        if (*path == '[') {
            at = json_array_get(at, strtoul(path + 1, NULL, 10));
            path += strcspn(path, "]") + 1;
        } else {
            char key[100];
            path += *path == '.';
            size_t n = strcspn(path, ".[");
            snprintf(key, sizeof key, "%.*s", (int)n, path);
            at = json_object_get(at, key);
            path += n;
        }
    }
    return at;
}

static int show(const char *file, const char *path)
{
    json_t *root = load(file);
    if (root == NULL)
        return 1;
    const json_t *v = walk(root, path);
    if (v == NULL)
        puts("absent");
    else if (json_is_string(v))
        puts(json_string_value(v));
    else if (json_is_array(v))
        printf("array %zu\n", json_array_size(v));
    else if (json_is_object(v))
        printf("object %zu\n", json_object_size(v));
    else if (json_is_integer(v))
        printf("%lld\n", (long long)json_integer_value(v));
    else if (json_is_real(v))
        printf("%.9g\n", json_real_value(v));
    else
        puts(json_is_null(v) ? "null" : json_is_true(v) ? "true" : "false");
    json_decref(root);
    return 0;
}

static int norm(const char *file, const char *path)
{
    json_t *root = load(file);
    if (root == NULL)
        return 1;
    const json_t *v = walk(root, path);
    double sum = 0;
    for (size_t i = 0; i < json_array_size(v); i++)
        sum += pow(json_number_value(json_array_get(v, i)), 2);
    printf("%.4f\n", sqrt(sum));
    json_decref(root);
    return 0;
}

static int count_lines(const char *path)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    if (f == NULL)
        return die(path, strerror(errno));
    char *line = NULL;
    size_t capacity = 0, count = 0;
    json_error_t why;
    while (getline(&line, &capacity, f) > 0) {
        json_t *v = json_loads(line, JSON_REJECT_DUPLICATES, &why);
        if (!json_is_object(v))
            return die(line, "not a JSON object");
        json_decref(v);
        count++;
    }
    free(line);
    fclose(f);
    printf("%zu\n", count);
    return 0;
}

/* The shape of a '<f4' array in C order; returns where its data begin, 0 when anything is wrong. */
static size_t npy_shape(FILE *f, size_t shape[3], int *dimensions)
{
    unsigned char head[10];
    char text[1000] = "";
    if (fread(head, 1, 10, f) != 10 || memcmp(head, "\x93NUMPY\x01\x00", 8) != 0)
        return 0;
    size_t length = head[8] + 256u * head[9];
    if (length >= sizeof text || (length + 10) % 64 != 0 || fread(text, 1, length, f) != length ||
        text[length - 1] != '\n')
        return 0;
    char *p = strstr(text, "'shape': (");
    if (p == NULL || strstr(text, "'descr': '<f4'") == NULL ||
        strstr(text, "'fortran_order': False") == NULL)
        return 0;
    for (p += 10, *dimensions = 0; *p >= '0' && *p <= '9' && *dimensions < 3; p += strspn(p, ", "))
        shape[(*dimensions)++] = strtoul(p, &p, 10);
    return length + 10;
}

static int show_npy(const char *path, const char *row)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return die(path, strerror(errno));
    size_t shape[3] = { 1, 1, 1 };
    int dimensions;
    size_t start = npy_shape(f, shape, &dimensions);
    if (start == 0)
        return die(path, "not the array header that NumPy reads");
    fseek(f, 0, SEEK_END);
    if ((size_t)ftell(f) != start + 4 * shape[0] * shape[1] * shape[2])
        return die(path, "size and shape differ");
    for (int i = 0; row == NULL && i < dimensions; i++)
        printf(i == 0 ? "%zu" : " %zu", shape[i]);
    if (row != NULL) {
        fseek(f, (long)(start + 4 * shape[1] * strtoul(row, NULL, 10)), SEEK_SET);
        for (size_t i = 0; i < shape[1]; i++) {
            float value; /* the tests run on little-endian machines */
            if (fread(&value, 4, 1, f) != 1)
                return die(path, "short");
            printf(i == 0 ? "[%.9g" : ",%.9g", (double)value);
        }
        putchar(']');
    }
    putchar('\n');
    fclose(f);
    return 0;
}

/* One line of embed's output, or NULL at the end. */
static json_t *next_line(FILE *f)
{
    char *line = NULL;
    size_t capacity = 0;
    json_error_t why;
    json_t *v = getline(&line, &capacity, f) > 0 ? json_loads(line, 0, &why) : NULL;
    free(line);
    return v;
}

static double product(const json_t *a, const json_t *b)
{
    double sum = 0;
    for (size_t i = 0; i < json_array_size(a); i++)
        sum += json_number_value(json_array_get(a, i)) * json_number_value(json_array_get(b, i));
    return sum;
}

static int rank(const char *vectors, const char *query, const char *hits)
{
    const double near = 1e-3; /* half precision of 512 numbers adds some 2e-5; of 16, 2e-4 */
    FILE *f = fopen(vectors, "r"), *q = fopen(query, "r");
    json_t *found = load(hits), *asked = q != NULL ? next_line(q) : NULL, *line;
    json_t *scores = json_object();
    double sum = 0, squares = 0, last = 2;
    size_t n = 0, shown = json_array_size(found), better = 0;
    if (f == NULL || asked == NULL || found == NULL)
        return die(vectors, "cannot be read");
    while ((line = next_line(f)) != NULL) {
        const double s = product(json_object_get(line, "embedding"),
                                 json_object_get(asked, "embedding"));
        json_object_set_new(scores, json_string_value(json_object_get(line, "input")),
                            json_real(s));
        sum += s;
        squares += s * s;
        n++;
        json_decref(line);
    }
    const double mean = sum / (double)n, deviation = sqrt(squares / (double)n - mean * mean);
    for (size_t i = 0; i < shown; i++) {
        const json_t *hit = json_array_get(found, i);
        const char *path = json_string_value(json_object_get(hit, "path"));
        const json_t *own = json_object_get(scores, path);
        const double s = json_number_value(json_object_get(hit, "score"));
        const double z = json_number_value(json_object_get(hit, "z"));
        if (own == NULL)
            return die(path, "was not embedded, or is there twice");
        if (fabs(s - json_number_value(own)) > near || s > last)
            return die(path, "has another score, or stands in the wrong place");
        if (fabs(z - (s - mean) / deviation) > 0.05 + near / deviation)
            return die(path, "has another z");
        last = s;
        json_object_del(scores, path);
    }
    const char *path;
    json_t *s;
    json_object_foreach(scores, path, s)
        better += json_number_value(s) > last + near;
    if (better > 0)
        return die(hits, "better ones are missing");
    printf("ok %zu\n", shown);
    json_decref(scores);
    json_decref(found);
    json_decref(asked);
    fclose(f);
    fclose(q);
    return 0;
}

static void nap(long milliseconds)
{
    struct timespec t = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
    nanosleep(&t, NULL);
}

static int signal_command(int first, int second, char **command)
{
    int fds[2], status;
    size_t lines = 0;
    char block[4096];
    ssize_t got;
    if (pipe(fds) != 0)
        return die("pipe", strerror(errno));
    pid_t child = fork();
    if (child == 0) {
        signal(SIGINT, SIG_DFL); /* sh starts background commands with it ignored */
        signal(SIGTERM, SIG_DFL);
        dup2(fds[1], 1);
        close(fds[0]);
        close(fds[1]);
        execvp(command[0], command);
        _exit(127);
    }
    close(fds[1]);
    got = read(fds[0], block, 1);
    lines += got == 1 && block[0] == '\n';
    /* The pipe is full, and the program waits in write, when nothing was added for half a second.
     */
    for (int still = 0, last = -1, waits = 0; second != 0 && still < 5 && waits < 200; waits++) {
        int waiting = 0;
        nap(100);
        ioctl(fds[0], FIONREAD, &waiting);
        still = waiting == last && waiting > 0 ? still + 1 : 0;
        last = waiting;
    }
    kill(child, first);
    if (second != 0) {
        nap(300);
        if (waitpid(child, &status, WNOHANG) != 0)
            return die(command[0], "ended at the first signal");
        kill(child, second);
    } else {
        while ((got = read(fds[0], block, sizeof block)) > 0)
            for (ssize_t i = 0; i < got; i++)
                lines += block[i] == '\n';
    }
    waitpid(child, &status, 0);
    if (WIFEXITED(status))
        printf("exit %d\n%zu\n", WEXITSTATUS(status), lines);
    else
        printf("signal %d\n%zu\n", WTERMSIG(status), lines);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    if (strcmp(what, "png") == 0 && argc == 6)
        return write_png((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]),
                         argv[5]);
    if (strcmp(what, "json") == 0)
        return show(argv[2], argc > 3 ? argv[3] : "");
    if (strcmp(what, "lines") == 0)
        return count_lines(argv[2]);
    if (strcmp(what, "norm") == 0 && argc == 4)
        return norm(argv[2], argv[3]);
    if (strcmp(what, "npy") == 0)
        return show_npy(argv[2], NULL);
    if (strcmp(what, "row") == 0 && argc == 4)
        return show_npy(argv[2], argv[3]);
    if (strcmp(what, "rank") == 0 && argc == 5)
        return rank(argv[2], argv[3], argv[4]);
    if (strcmp(what, "signal") == 0 && argc > 4) {
        int two = strcmp(argv[3], "--") != 0;
        return signal_command(atoi(argv[2]), two ? atoi(argv[3]) : 0, argv + (two ? 5 : 4));
    }
    return die("wrong arguments", what);
}
