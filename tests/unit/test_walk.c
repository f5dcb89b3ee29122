/* test_walk.c - rag/walk.c and rag/ignore.c: which files of some folders are taken. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "folder.h"
#include "rag/ignore.h"
#include "rag/walk.h"

/* ---- a folder to walk */

static char top[PATH_MAX];

static int begin(void **state)
{
    (void)state;
    return folder_make(top, sizeof top, "walk");
}

static int end(void **state)
{
    (void)state;
    return folder_remove(top);
}

static const char *at(const char *name)
{
    static char paths[4][2 * PATH_MAX];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s%s%s", top, name[0] != '\0' ? "/" : "", name);
    return path;
}

static void make_folders(const char *path)
{
    char copy[PATH_MAX];
    strcpy(copy, path);
    for (char *slash = copy + strlen(top); slash != NULL; slash = strchr(slash + 1, '/')) {
        if (slash == copy + strlen(top))
            continue;
        *slash = '\0';
        assert_true(mkdir(copy, 0777) == 0 || errno == EEXIST);
        *slash = '/';
    }
}

static void put(const char *name, const void *bytes, size_t size)
{
    const char *path = at(name);
    make_folders(path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static void write_text(const char *name, const char *text) { put(name, text, strlen(text)); }

/* Names with a blank between them; one that ends in '/' is a folder. */
static void make(const char *names)
{
    char copy[4096];
    strcpy(copy, names);
    for (char *name = strtok(copy, " "); name != NULL; name = strtok(NULL, " ")) {
        if (name[strlen(name) - 1] == '/') {
            make_folders(at(name));
            continue;
        }
        write_text(name, "x");
    }
}

static void make_link(const char *name, const char *target)
{
    make_folders(at(name));
    assert_int_equal(symlink(target, at(name)), 0);
}

/* What a walk found, relative to `top`, with a blank between them. */
static const char *names_of(const akin_walk *walk)
{
    static char names[65536];
    names[0] = '\0';
    for (size_t i = 0; i < walk->found_count; i++) {
        assert_memory_equal(walk->found[i].path, top, strlen(top));
        if (i != 0)
            assert_true(strcmp(walk->found[i - 1].path, walk->found[i].path) < 0);
        if (i != 0)
            strcat(names, " ");
        strcat(names, walk->found[i].path + strlen(top) + 1);
    }
    return names;
}

static akin_walk walk_roots(const akin_walk_options *options, const char *first, const char *second)
{
    akin_walk walk;
    akin_error err = { 0 };
    const char *paths[2] = { first, second };
    const akin_walk_options none = { 0 };
    akin_status status = akin_walk_paths(&walk, paths, second != NULL ? 2 : 1,
                                         options != NULL ? options : &none, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(status, AKIN_OK);
    return walk;
}

static void finds(const akin_walk_options *options, const char *first, const char *second,
                  const char *wanted)
{
    akin_walk walk = walk_roots(options, first, second);
    assert_string_equal(names_of(&walk), wanted);
    akin_walk_clear(&walk);
}

static bool covers(const akin_walk *walk, const char *name)
{
    return akin_walk_covers(walk, at(name));
}

/* ---- globs */

static void globs(void **state)
{
    (void)state;
    static const struct {
        const char *glob, *path;
        bool folder, fits;
    } cases[] = {
        { "*.jpg", "a.jpg", false, true },
        { "*.jpg", "b/c/a.jpg", false, true },
        { "*.jpg", "a.jpg.txt", false, false },
        { "*.jpg", ".jpg", false, true },
        { "*.jpg", "a.JPG", false, false },
        { "/*.jpg", "a.jpg", false, true },
        { "/*.jpg", "b/a.jpg", false, false },
        { "b/*.jpg", "b/a.jpg", false, true },
        { "b/*.jpg", "c/b/a.jpg", false, false },
        { "b/*.jpg", "b/c/a.jpg", false, false },
        { "b/**.jpg", "b/c/a.jpg", false, true },
        { "**/a.jpg", "a.jpg", false, true },
        { "**/a.jpg", "b/c/a.jpg", false, true },
        { "**/a.jpg", "ba.jpg", false, false },
        { "b/**/a.jpg", "b/a.jpg", false, true },
        { "b/**/a.jpg", "b/c/d/a.jpg", false, true },
        { "b/**/a.jpg", "bc/a.jpg", false, false },
        { "b/**", "b/c/d", false, true },
        { "b/**", "b", true, false },
        { "**/b/**", "a/b/c", false, true },
        { "**/b/**", "b/c", false, true },
        { "raw/", "raw", true, true },
        { "raw/", "x/raw", true, true },
        { "raw/", "raw", false, false },
        { "x/raw/", "x/raw", true, true },
        { "x/raw/", "y/x/raw", true, false },
        { "/raw/", "x/raw", true, false },
        { "raw", "raw", true, true },
        { "IMG_????.jpg", "IMG_0001.jpg", false, true },
        { "IMG_????.jpg", "IMG_001.jpg", false, false },
        { "a?b", "a/b", false, false },
        { "x/a?b", "x/a/b", false, false },
        { "x/a*b", "x/a/b", false, false },
        { "x/a[/]b", "x/a/b", false, false },
        { "[a-c]x", "bx", false, true },
        { "[a-c]x", "dx", false, false },
        { "[!a-c]x", "dx", false, true },
        { "[^a-c]x", "bx", false, false },
        { "[]a]x", "]x", false, true },
        { "[!]a]x", "]x", false, false },
        { "[a-]x", "-x", false, true },
        { "[\\]]x", "]x", false, true },
        { "[a", "[a", false, true },
        { "a[", "a[", false, true },
        { "\\*x", "*x", false, true },
        { "\\*x", "ax", false, false },
        { "x\\", "x\\", false, true },
        { "*", "anything", false, true },
        { "*", "a/b", false, true },
        { "/*", "a/b", false, false },
        { "***", "a/b", false, true },
        { "a*b*c", "axxbyyc", false, true },
        { "a*b*c", "axxbyy", false, false },
        { "*a/*b", "xa/yb", false, true },
        { "*a/*b", "xa/z/yb", false, false },
        { "**a/*b", "xa/za/yb", false, true },
        { "", "", false, false },
        { "", "a", false, false },
        { "/", "", true, true },
        { "\xff*", "\xff\xfe", false, true },
        { "[\x80-\xff]", "\xc3", false, true },
        { "a\nb", "a\nb", false, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (akin_glob_matches(cases[i].glob, cases[i].path, cases[i].folder) != cases[i].fits)
            fail_msg("'%s' on '%s'", cases[i].glob, cases[i].path);
    char longest[AKIN_GLOB_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[AKIN_GLOB_MAX] = '\0';
    assert_true(akin_glob_matches(longest, longest, false));
    longest[AKIN_GLOB_MAX] = 'a';
    longest[AKIN_GLOB_MAX + 1] = '\0';
    assert_false(akin_glob_matches(longest, longest, false));
}

/* Globs that matching by going back takes years for, against the longest path there may be. */
static void globs_take_no_years(void **state)
{
    (void)state;
    static char path[PATH_MAX], glob[AKIN_GLOB_MAX + 1];
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 2] = 'c';
    path[sizeof path - 1] = 'b';
    path[sizeof path - 1] = '\0';
    static const char *const units[] = { "a*", "a**", "*a", "**a", "**/", "?*", "[a-b]*" };
    const clock_t start = clock();
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        glob[0] = '\0';
        while (strlen(glob) + strlen(units[u]) + 4 <= sizeof glob)
            strcat(glob, units[u]);
        strcat(glob, "[b]");
        assert_false(akin_glob_matches(glob, path, false));
    }
    /* 0.05 s; sanitizers on a busy machine take longer. */
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 20);
}

/* ---- names */

static void names_decide(void **state)
{
    (void)state;
    make("a.jpg a2.JPEG b.Png c.webp d.gif e.bmp f.tiff g.TIF h.heic i.avif j.cr2 k.NEF l.dng");
    make("m.txt n.html o.pdf p q.jpg.bak r. s.mp4 t.mov u.mkv v.jpgx w.m2ts x.zip y.m");
    finds(NULL, top, NULL,
          "a.jpg a2.JPEG b.Png c.webp d.gif e.bmp f.tiff g.TIF h.heic i.avif j.cr2 k.NEF l.dng");
    const akin_walk_options videos = { .videos = true };
    akin_walk walk = walk_roots(&videos, top, NULL);
    size_t count = 0;
    for (size_t i = 0; i < walk.found_count; i++)
        count += walk.found[i].kind == AKIN_FOUND_VIDEO;
    assert_int_equal(count, 4);
    assert_int_equal(walk.found_count, 13 + 4);
    akin_walk_clear(&walk);
}

static void without_an_ending_the_content_decides(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t size;
    } files[] = {
        { "jpeg", "\xff\xd8\xff\xe0", 4 },
        { "png", "\x89PNG\r\n\x1a\n....", 12 },
        { "webp", "RIFF\1\2\3\4WEBP", 12 },
        { "riff", "RIFF\1\2\3\4WAVE", 12 },
        { "gif", "GIF89a", 6 },
        { "bmp", "BM\x46\0\0\0\0\0\0\0\x36\0\0\0", 14 },
        { "bmw", "BMW is a car\n", 13 },
        { "tiff", "II*\0\x08\0\0\0", 8 },
        { "heic", "\0\0\0\x18" "ftypheic", 12 },
        { "mp4", "\0\0\0\x18" "ftypisom", 12 },
        { "text", "no picture", 10 },
        { "cut", "\xff", 1 },
        { "empty", "", 0 },
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        put(files[i].name, files[i].bytes, files[i].size);
    finds(NULL, top, NULL, "bmp gif heic jpeg png tiff webp");
}

static void any_bytes_are_a_name(void **state)
{
    (void)state;
    static const char *const names[] = { "a\nb.jpg", "\x1b[31m.jpg", "\xff\xfe.jpg",
                                         "\xe4\xb8\xad\xe6\x96\x87.jpg", " .jpg", "-rf.jpg",
                                         "a\\b.jpg", "*.jpg" };
    const size_t count = sizeof names / sizeof names[0];
    for (size_t i = 0; i < count; i++)
        write_text(names[i], "x");
    akin_walk walk = walk_roots(NULL, top, NULL);
    assert_int_equal(walk.found_count, count);
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < count && strcmp(walk.found[k].path, at(names[i])) != 0)
            k++;
        assert_true(k < count);
    }
    akin_walk_clear(&walk);
}

static void stamps_say_what_stat_says(void **state)
{
    (void)state;
    write_text("a.jpg", "twelve bytes");
    const struct timespec times[2] = { { 1, 0 }, { -5, 7 } };
    assert_int_equal(utimensat(AT_FDCWD, at("a.jpg"), times, 0), 0);
    akin_walk walk = walk_roots(NULL, top, NULL);
    assert_int_equal(walk.found[0].stamp.size, 12);
    assert_int_equal(walk.found[0].stamp.mtime_ns, -5 * (int64_t)1000000000 + 7);
    assert_int_equal(walk.found[0].stamp.sidecars, 0);
    assert_true(walk.found[0].stamp.ctime_ns > 0);
    assert_false(walk.found[0].named);
    akin_walk_clear(&walk);
}

static int64_t sidecars_of(const char *name)
{
    akin_walk walk = walk_roots(NULL, top, NULL);
    int64_t stamp = -1;
    for (size_t i = 0; i < walk.found_count; i++)
        if (strcmp(walk.found[i].path, at(name)) == 0)
            stamp = walk.found[i].stamp.sidecars;
    akin_walk_clear(&walk);
    return stamp;
}

static void sidecars_are_part_of_the_stamp(void **state)
{
    (void)state;
    make("a.jpg a.b.jpg ab.jpg a-b.txt a.b a.jpg.jpg");
    assert_int_equal(sidecars_of("a.jpg"), 0);
    write_text("a.txt", "1");
    const int64_t one = sidecars_of("a.jpg");
    assert_true(one != 0);
    assert_int_equal(sidecars_of("ab.jpg"), 0);
    assert_int_equal(sidecars_of("a.b.jpg"), 0);
    write_text("a.jpg.json", "{}");
    const int64_t two = sidecars_of("a.jpg");
    assert_true(two != one && two != 0);
    assert_int_equal(sidecars_of("a.jpg"), two);
    write_text("a.txt", "longer");
    assert_true(sidecars_of("a.jpg") != two);
    /* The same when the picture itself is named. */
    akin_walk walk = walk_roots(NULL, at("a.jpg"), NULL);
    assert_int_equal(walk.found[0].stamp.sidecars, sidecars_of("a.jpg"));
    akin_walk_clear(&walk);
    assert_int_equal(unlink(at("a.txt")), 0);
    assert_int_equal(unlink(at("a.jpg.json")), 0);
    assert_int_equal(sidecars_of("a.jpg"), 0);
}

static void raw_beside_a_still_and_live_photographs(void **state)
{
    (void)state;
    const akin_walk_options videos = { .videos = true };
    make("a.CR2 a.JPG b.dng b.heic c.nef c.png d.arw e.f.raf e.jpg g.mov g.HEIC h.mp4 h.jpg i.mov");
    make("j.mkv j.jpg k.mp4 k.png l/l.jpg l.cr2 m.cr2 m.jpg/x");
    finds(&videos, top, NULL,
          "a.JPG b.heic c.nef c.png d.arw e.f.raf e.jpg g.HEIC h.jpg i.mov j.jpg j.mkv k.mp4 k.png "
          "l.cr2 l/l.jpg m.cr2");
    /* One whose JPEG a rule leaves out is all there is. */
    static const char *const no_jpeg[] = { "*.JPG" };
    const akin_walk_options some = { .exclude = no_jpeg, .exclude_count = 1 };
    akin_walk walk = walk_roots(&some, top, NULL);
    assert_string_equal(walk.found[0].path, at("a.CR2"));
    akin_walk_clear(&walk);
    /* Named, it is taken. */
    walk = walk_roots(NULL, at("a.CR2"), top);
    assert_string_equal(walk.found[0].path, at("a.CR2"));
    assert_true(walk.found[0].named);
    assert_string_equal(walk.found[1].path, at("a.JPG"));
    akin_walk_clear(&walk);
}

/* ---- rules */

static void what_everybody_leaves_out(void **state)
{
    (void)state;
    make(".a.jpg .b/b.jpg @eaDir/c.jpg #recycle/d.jpg .thumbnails/e.jpg .Trash-1000/f.jpg");
    make("node_modules/g.jpg lost+found/h.jpg .akin/i.jpg k/.nomedia k/l/m.jpg k/n.jpg o/p.jpg");
    make("@EADIR/q.jpg $Recycle.Bin/r.jpg .akin/images/segments/1.vec");
    write_text("System Volume Information/s.jpg", "x");
    finds(NULL, top, NULL, "o/p.jpg");
    const akin_walk_options hidden = { .include_hidden = true };
    finds(&hidden, top, NULL, ".a.jpg .b/b.jpg o/p.jpg");
    /* Named, each is walked; what is in it follows the rules. */
    make(".b/.c.jpg .b/@eaDir/x.jpg");
    finds(NULL, at(".b"), NULL, ".b/b.jpg");
    finds(NULL, at("k"), NULL, "k/l/m.jpg k/n.jpg");
    finds(NULL, at("@eaDir"), top, "@eaDir/c.jpg o/p.jpg");
    finds(NULL, at(".a.jpg"), NULL, ".a.jpg");
}

static void apple_doubles_are_no_hidden_pictures(void **state)
{
    (void)state;
    const akin_walk_options hidden = { .include_hidden = true };
    put("._a.jpg", "\0\5\x16\7\0\2\0\0", 8);
    write_text("._b.jpg", "\xff\xd8\xff");
    finds(&hidden, top, NULL, "._b.jpg");
}

static void exclude(void **state)
{
    (void)state;
    make("a.jpg a.png b/a.png b/raw/c.jpg raw/d.jpg e/raw f/g/h.jpg");
    static const char *const globs[] = { "*.png", "/raw/", "f/**" };
    const akin_walk_options options = { .exclude = globs, .exclude_count = 3 };
    finds(&options, top, NULL, "a.jpg b/raw/c.jpg");
    finds(&options, at("b"), NULL, ""); /* "/raw/" is below each root */
    finds(&options, at("a.png"), NULL, "a.png");
    finds(&options, at("raw"), NULL, "raw/d.jpg");
    char glob[AKIN_GLOB_MAX + 2];
    memset(glob, 'a', sizeof glob);
    glob[sizeof glob - 1] = '\0';
    const char *const too_long[] = { glob }, *paths[] = { top };
    const akin_walk_options wrong = { .exclude = too_long, .exclude_count = 1 };
    akin_walk walk;
    akin_error err;
    assert_int_equal(akin_walk_paths(&walk, paths, 1, &wrong, &err), AKIN_E_ARGUMENT);
    akin_walk_clear(&walk);
}

static void akinignore(void **state)
{
    (void)state;
    make("a.jpg a.png keep.png private/b.jpg x/private/c.jpg x/y/d.png x/y/keep.png x/e.gif");
    make("z/only.jpg z/other.jpg z/deep/only.jpg blank #hash.jpg !not.jpg");
    write_text("end .gif", "x");
    write_text(".akinignore", "\xef\xbb\xbf# a comment\r\n\n*.png  \n!keep.png\r\n/private/\n"
                              "\\#hash.jpg\n\\!not.jpg\nend\\ .gif");
    write_text("z/.akinignore", "*\n!only.jpg\n");
    finds(NULL, top, NULL,
          "a.jpg keep.png x/e.gif x/private/c.jpg x/y/keep.png z/only.jpg");
    write_text("x/.akinignore", "!d.png\ne.gif\nkeep.png");
    finds(NULL, top, NULL, "a.jpg keep.png x/private/c.jpg x/y/d.png z/only.jpg");
    /* The same pictures when an inner folder is named, which no rule hides. */
    finds(NULL, at("x/y"), NULL, "x/y/d.png");
    finds(NULL, at("private"), top,
          "a.jpg keep.png private/b.jpg x/private/c.jpg x/y/d.png z/only.jpg");
    /* --exclude is over them; '!' does not bring back what is left out everywhere. */
    static const char *const globs[] = { "keep.png" };
    const akin_walk_options options = { .exclude = globs, .exclude_count = 1 };
    write_text(".akinignore", "*\n!*.png\n!*/\n");
    make(".hidden.png");
    finds(&options, top, NULL, "a.png x/y/d.png z/only.jpg");
}

static void akinignore_that_cannot_be_read(void **state)
{
    (void)state;
    static char large[AKIN_IGNORE_BYTES + 2];
    make("a.jpg b/c.jpg d/e.jpg");
    memset(large, '\n', sizeof large);
    put("b/.akinignore", large, sizeof large);
    put("d/.akinignore", "a\0b", 3);
    akin_walk walk = walk_roots(NULL, top, NULL);
    assert_string_equal(names_of(&walk), "a.jpg");
    assert_int_equal(walk.unread_count, 2);
    assert_string_equal(walk.unread[0].path, at("b"));
    assert_int_equal(walk.unread[0].why.code, AKIN_E_LIMIT);
    assert_int_equal(walk.unread[1].why.code, AKIN_E_FORMAT);
    assert_false(covers(&walk, "b/c.jpg"));
    assert_true(covers(&walk, "x.jpg"));
    akin_walk_clear(&walk);
    memset(large, 'a', AKIN_GLOB_MAX + 1);
    put("b/.akinignore", large, AKIN_GLOB_MAX + 1);
    for (size_t i = 0; i <= AKIN_IGNORE_RULES; i++)
        memcpy(large + 2 * i, "a\n", 2);
    put("d/.akinignore", large, 2 * (AKIN_IGNORE_RULES + 1));
    walk = walk_roots(NULL, top, NULL);
    assert_int_equal(walk.unread_count, 2);
    assert_int_equal(walk.unread[0].why.code, AKIN_E_LIMIT);
    assert_int_equal(walk.unread[1].why.code, AKIN_E_LIMIT);
    akin_walk_clear(&walk);
}

static void own_folder(void **state)
{
    (void)state;
    make("a.jpg db/b.jpg");
    make_link("c", "db");
    char own[PATH_MAX];
    strcpy(own, at("db"));
    const akin_walk_options options = { .own = own };
    finds(&options, top, NULL, "a.jpg");
    finds(&options, at("db"), NULL, "");
}

/* ---- roots */

static void roots_that_overlap(void **state)
{
    (void)state;
    make("a/b.jpg a/c/d.jpg e/f.jpg ab/g.jpg");
    make_link("link", "a");
    finds(NULL, at("a"), at("a"), "a/b.jpg a/c/d.jpg");
    finds(NULL, at("a/c"), at("a"), "a/b.jpg a/c/d.jpg");
    finds(NULL, at("a"), at("link"), "a/b.jpg a/c/d.jpg");
    finds(NULL, at("link/c"), NULL, "a/c/d.jpg");
    finds(NULL, at("a/../e//./"), at("a/c/d.jpg"), "a/c/d.jpg e/f.jpg");
    akin_walk walk = walk_roots(NULL, at("a"), at("a/b.jpg"));
    assert_int_equal(walk.found_count, 2);
    assert_true(walk.found[0].named);
    assert_false(walk.found[1].named);
    assert_int_equal(walk.root_count, 2);
    assert_int_equal(walk.roots[0].entries, 2);
    assert_true(walk.roots[0].folder && walk.roots[0].readable);
    assert_false(walk.roots[1].folder);
    assert_true(walk.roots[1].readable);
    akin_walk_clear(&walk);
}

static void named_files_are_taken_whatever_they_are(void **state)
{
    (void)state;
    make("a.txt b.mp4 .c.jpg");
    finds(NULL, at("a.txt"), at(".c.jpg"), ".c.jpg a.txt");
    akin_walk walk = walk_roots(NULL, at("b.mp4"), NULL);
    assert_int_equal(walk.found[0].kind, AKIN_FOUND_VIDEO);
    akin_walk_clear(&walk);
}

static void roots_that_are_not_there(void **state)
{
    (void)state;
    make("a/b.jpg");
    assert_int_equal(mkfifo(at("pipe"), 0600), 0);
    akin_walk walk = walk_roots(NULL, at("none/x"), at("a"));
    assert_string_equal(names_of(&walk), "a/b.jpg");
    assert_int_equal(walk.root_count, 2);
    assert_string_equal(walk.roots[1].path, at("none/x"));
    assert_false(walk.roots[1].readable || walk.roots[1].folder);
    assert_int_equal(walk.roots[1].why->code, AKIN_E_NOT_FOUND);
    assert_int_equal(walk.unread_count, 1);
    assert_false(covers(&walk, "none/x/y.jpg"));
    assert_false(covers(&walk, "none/x"));
    assert_false(covers(&walk, "other.jpg"));
    assert_true(covers(&walk, "a/c.jpg"));
    assert_true(covers(&walk, "a/d/c.jpg"));
    assert_false(covers(&walk, "ab/c.jpg"));
    akin_walk_clear(&walk);
    walk = walk_roots(NULL, at("pipe"), at("a/b.jpg/"));
    assert_int_equal(walk.found_count, 0);
    assert_int_equal(walk.roots[0].why->code, AKIN_E_NOT_FOUND);
    assert_int_equal(walk.roots[1].why->code, AKIN_E_NOT_A_FILE);
    akin_walk_clear(&walk);
    const char *empty[] = { "" };
    akin_error err;
    const akin_walk_options none = { 0 };
    assert_int_equal(akin_walk_paths(&walk, empty, 1, &none, &err), AKIN_E_NOT_FOUND);
    akin_walk_clear(&walk);
}

static void folders_that_cannot_be_read(void **state)
{
    (void)state;
    make("a/b.jpg c/d.jpg c/e/f.jpg");
    const bool root = geteuid() == 0; /* who may read everything */
    if (root && (chmod(top, 0755) != 0 || seteuid(65534) != 0))
        skip();
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(at("c"), 0), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    akin_walk walk = walk_roots(NULL, top, NULL), inner = walk_roots(NULL, at("c"), at("a"));
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(at("c"), 0700), 0);
    assert_string_equal(names_of(&inner), "a/b.jpg");
    assert_true(inner.roots[1].folder && !inner.roots[1].readable);
    assert_int_equal(inner.roots[1].why->code, AKIN_E_PERMISSION);
    assert_false(covers(&inner, "c/d.jpg"));
    akin_walk_clear(&inner);
    assert_string_equal(names_of(&walk), "a/b.jpg");
    assert_int_equal(walk.unread_count, 1);
    assert_int_equal(walk.unread[0].why.code, AKIN_E_PERMISSION);
    assert_false(covers(&walk, "c/e/f.jpg"));
    assert_true(covers(&walk, "a/g.jpg"));
    akin_walk_clear(&walk);
}

static void devices(void **state)
{
    (void)state;
    make("a/b.jpg c/");
    akin_walk walk = walk_roots(NULL, at("a"), at("c"));
    assert_int_equal(walk.mounted_count, 2);
    assert_string_equal(walk.mounted[0].path, at("a"));
    assert_true(walk.mounted[0].device != 0);
    assert_true(walk.mounted[0].device == walk.mounted[1].device);
    assert_int_equal(walk.folder_count, 2);
    akin_walk_clear(&walk);
    struct stat root, proc;
    if (stat("/", &root) != 0 || stat("/proc", &proc) != 0 || root.st_dev == proc.st_dev)
        return;
    /* Another file system below a root. */
    static const char *const globs[] = { "/proc/*", "/sys/*", "/dev/*", "/*" };
    const akin_walk_options options = { .exclude = globs + 3, .exclude_count = 1 };
    walk = walk_roots(&options, "/", NULL);
    assert_int_equal(walk.mounted_count, 1);
    assert_string_equal(walk.mounted[0].path, "/");
    assert_int_equal(walk.folder_count, 1);
    akin_walk_clear(&walk);
}

/* ---- links */

static void links_to_folders(void **state)
{
    (void)state;
    make("a/b.jpg .store/2023/c.jpg .store/2023/deep/d.jpg outside/e.jpg a/f/g.jpg");
    make_link("a/self", ".");
    make_link("a/up", "..");
    make_link("a/around/back", "../..");
    make_link("a/out", "../outside");
    make_link("a/2023", "../.store/2023");
    make_link("a/again", "../.store/2023");
    make_link("a/dead", "nowhere");
    /* outside is no root, and neither is the store. */
    finds(NULL, at("a"), NULL, "a/b.jpg a/f/g.jpg");
    finds(NULL, top, NULL, "a/2023/c.jpg a/2023/deep/d.jpg a/b.jpg a/f/g.jpg outside/e.jpg");
    finds(NULL, at("a"), at(".store"),
          ".store/2023/c.jpg .store/2023/deep/d.jpg a/b.jpg a/f/g.jpg");
    static const char *const globs[] = { "2023" };
    const akin_walk_options options = { .exclude = globs, .exclude_count = 1 };
    finds(&options, top, NULL, "a/again/c.jpg a/again/deep/d.jpg a/b.jpg a/f/g.jpg outside/e.jpg");
    akin_walk walk = walk_roots(NULL, top, NULL);
    assert_int_equal(walk.unread_count, 0);
    akin_walk_clear(&walk);
}

static void links_found_behind_links(void **state)
{
    (void)state;
    make(".x/a.jpg .y/b.jpg c/d.jpg");
    make_link("c/x", "../.x");
    make_link(".x/y", "../.y");
    make_link(".y/x", "../.x");
    finds(NULL, top, NULL, "c/d.jpg c/x/a.jpg c/x/y/b.jpg");
}

static void links_to_files(void **state)
{
    (void)state;
    make("a/b.jpg out/c.jpg out/d.txt out/e .annex/f.jpg");
    make_link("a/b2.jpg", "b.jpg");
    make_link("a/c.jpg", "../out/c.jpg");
    make_link("a/d.jpg", "../out/d.txt");
    make_link("a/dead.jpg", "nowhere.jpg");
    make_link("a/loop.jpg", "loop.jpg");
    make_link("a/loop", "loop");
    make_link("a/null.jpg", "/dev/null");
    finds(NULL, at("a"), NULL, "a/b.jpg a/c.jpg a/d.jpg a/loop.jpg");
    make_link("a/f.jpg", "../.annex/f.jpg");
    /* c.jpg is found at its own place, f.jpg is not. */
    finds(NULL, top, NULL, "a/b.jpg a/d.jpg a/f.jpg a/loop.jpg out/c.jpg");
    /* Named, a link is taken as itself. */
    finds(NULL, at("a/b2.jpg"), NULL, "a/b2.jpg");
}

static void what_is_no_file_is_not_opened(void **state)
{
    (void)state;
    make("a.jpg");
    assert_int_equal(mkfifo(at("b.jpg"), 0600), 0);
    assert_int_equal(mkfifo(at("pipe"), 0600), 0); /* opening would wait for ever */
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s", at("c.jpg"));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    make_link("d.jpg", "b.jpg");
    make("e.jpg/f.png");
    finds(NULL, top, NULL, "a.jpg e.jpg/f.png");
    close(fd);
}

/* ---- the rest */

static void paths_that_grow_too_long(void **state)
{
    (void)state;
    char name[201];
    memset(name, 'n', 200);
    name[200] = '\0';
    int depth = 0, dir = open(top, O_RDONLY | O_DIRECTORY);
    for (; depth < 30; depth++) {
        assert_int_equal(mkdirat(dir, name, 0700), 0);
        int next = openat(dir, name, O_RDONLY | O_DIRECTORY);
        close(openat(next, "a.jpg", O_CREAT | O_WRONLY, 0600));
        close(dir);
        dir = next;
    }
    close(dir);
    akin_walk walk = walk_roots(NULL, top, NULL);
    assert_true(walk.found_count > 10 && walk.found_count < 30);
    for (size_t i = 0; i < walk.found_count; i++)
        assert_true(access(walk.found[i].path, R_OK) == 0);
    assert_int_equal(walk.unread_count, 1);
    assert_int_equal(walk.unread[0].why.code, AKIN_E_LIMIT);
    assert_false(akin_walk_covers(&walk, walk.unread[0].path));
    akin_walk_clear(&walk);
    /* nftw cannot take it away again: from the inside out, in place. */
    for (; depth > 0; depth--) {
        dir = open(top, O_RDONLY | O_DIRECTORY);
        for (int i = 1; i < depth; i++) {
            int next = openat(dir, name, O_RDONLY | O_DIRECTORY);
            close(dir);
            dir = next;
        }
        int last = openat(dir, name, O_RDONLY | O_DIRECTORY);
        assert_int_equal(unlinkat(last, "a.jpg", 0), 0);
        close(last);
        assert_int_equal(unlinkat(dir, name, AT_REMOVEDIR), 0);
        close(dir);
    }
}

static bool stop_soon(void *context)
{
    return --*(int *)context < 0;
}

static void stops_when_asked(void **state)
{
    (void)state;
    make("a/b.jpg c/d.jpg e/f.jpg");
    for (int n = 0; n < 4; n++) {
        int left = n;
        const akin_walk_options options = { .stop = stop_soon, .context = &left };
        const char *paths[] = { top };
        akin_walk walk;
        akin_error err;
        assert_int_equal(akin_walk_paths(&walk, paths, 1, &options, &err), AKIN_E_STOPPED);
        akin_walk_clear(&walk);
    }
    int many = 1000;
    const akin_walk_options options = { .stop = stop_soon, .context = &many };
    finds(&options, top, NULL, "a/b.jpg c/d.jpg e/f.jpg");
}

static void folders_alone(void **state)
{
    (void)state;
    make("a/b.jpg .c/d.jpg e/f/g.jpg h/.nomedia h/i/j.jpg");
    const akin_walk_options options = { .folders_only = true };
    akin_walk walk = walk_roots(&options, top, NULL);
    assert_int_equal(walk.found_count, 0);
    assert_int_equal(walk.folder_count, 5);
    assert_string_equal(walk.folders[0], top);
    assert_string_equal(walk.folders[1], at("a"));
    assert_string_equal(walk.folders[4], at("h"));
    akin_walk_clear(&walk);
}

static void absolute(const char *path, const char *wanted)
{
    char *got = NULL;
    akin_error err;
    assert_int_equal(akin_path_absolute(path, &got, &err), AKIN_OK);
    assert_string_equal(got, wanted);
    free(got);
}

static void absolute_paths(void **state)
{
    (void)state;
    make("a/b/c.jpg");
    make_link("l", "a/b");
    make_link("root", "/");
    make_link("a/dead", "nowhere");
    absolute("/", "/");
    absolute("//..//.", "/");
    absolute(at("a/b/c.jpg"), at("a/b/c.jpg"));
    absolute(at("l"), at("l"));
    absolute(at("l/"), at("l"));
    absolute(at("l/c.jpg"), at("a/b/c.jpg"));
    absolute(at("l/.."), at("a"));
    absolute(at("l/../x"), at("a/x"));
    absolute(at("none/.././/y/"), at("y"));
    absolute(at("a/dead/x"), at("a/dead/x"));
    absolute(at("root/tmp"), "/tmp");
    absolute(at("root"), at("root"));
    char here[PATH_MAX];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(at("a")), 0);
    absolute("b", at("a/b"));
    absolute("../l/c.jpg", at("a/b/c.jpg"));
    absolute(".", at("a"));
    finds(NULL, ".", "b/c.jpg", "a/b/c.jpg");
    assert_int_equal(chdir(here), 0);
    char *got;
    akin_error err;
    assert_int_equal(akin_path_absolute("", &got, &err), AKIN_E_NOT_FOUND);
}

/* AKIN_WALK_FILES=100000: how long it takes. */
static void many_files(void **state)
{
    (void)state;
    const char *wish = getenv("AKIN_WALK_FILES");
    const size_t count = wish != NULL ? strtoul(wish, NULL, 10) : 3000;
    char name[64];
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%03zu/IMG_%05zu.jpg", i / 100, i);
        if (i % 100 == 0)
            make_folders(at(name));
        close(open(at(name), O_CREAT | O_WRONLY, 0600));
    }
    for (int turn = 0; turn < 3; turn++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        akin_walk walk = walk_roots(NULL, top, NULL);
        clock_gettime(CLOCK_MONOTONIC, &b);
        assert_int_equal(walk.found_count, count);
        akin_walk_clear(&walk);
        if (wish != NULL)
            print_message("%zu files: %.3f s\n", count,
                          (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
    }
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globs),
        cmocka_unit_test(globs_take_no_years),
        TEST(names_decide),
        TEST(without_an_ending_the_content_decides),
        TEST(any_bytes_are_a_name),
        TEST(stamps_say_what_stat_says),
        TEST(sidecars_are_part_of_the_stamp),
        TEST(raw_beside_a_still_and_live_photographs),
        TEST(what_everybody_leaves_out),
        TEST(apple_doubles_are_no_hidden_pictures),
        TEST(exclude),
        TEST(akinignore),
        TEST(akinignore_that_cannot_be_read),
        TEST(own_folder),
        TEST(roots_that_overlap),
        TEST(named_files_are_taken_whatever_they_are),
        TEST(roots_that_are_not_there),
        TEST(folders_that_cannot_be_read),
        TEST(devices),
        TEST(links_to_folders),
        TEST(links_found_behind_links),
        TEST(links_to_files),
        TEST(what_is_no_file_is_not_opened),
        TEST(paths_that_grow_too_long),
        TEST(stops_when_asked),
        TEST(folders_alone),
        TEST(absolute_paths),
        TEST(many_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
