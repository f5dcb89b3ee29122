/* library.c - opens the libraries that akin does not link, and names their packages. */
#include "library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

/* dlerror's text lasts until the next call, and may be NULL. */
static const char *problem(void)
{
    const char *text = dlerror();
    return text != NULL ? text : "it cannot be opened";
}

bool akin_library_open(const char *const *sonames, const akin_symbol *symbols, size_t count,
                       void *calls, char *why, size_t size)
{
    void *library = NULL;
    bool told = false;
    for (size_t i = 0; library == NULL && sonames[i] != NULL; i++) {
        /* RTLD_LOCAL: its symbols, and those of the codecs it brings, are no other's business. */
        library = dlopen(sonames[i], RTLD_NOW | RTLD_LOCAL);
        if (library != NULL || told)
            continue;
        /* That one of several names is not there is no news; that one is there and broken, or lacks
         * a library itself, is the reason. */
        const char *text = problem();
        told = strncmp(text, sonames[i], strlen(sonames[i])) != 0 ||
               strstr(text, "No such file") == NULL;
        if (told)
            snprintf(why, size, "%s", text);
        else if (i == 0)
            snprintf(why, size, "not found: %s", sonames[0]);
        else
            snprintf(why, size, "not found: %s to %s", sonames[0], sonames[i]);
    }
    if (library == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        void *found = dlsym(library, symbols[i].name);
        if (found == NULL && !symbols[i].optional) {
            snprintf(why, size, "%s", problem());
            dlclose(library); /* nothing of it has been called */
            return false;
        }
        /* By bytes: ISO C does not convert an object pointer to a function's, POSIX says that their
         * representations are the same. */
        memcpy((char *)calls + symbols[i].offset, &found, sizeof found);
    }
    return true;
}

/* ---- packages */

typedef struct family {
    const char *ids; /* values of ID or ID_LIKE in os-release, each between blanks */
    const char *commands[7];
} family;

static const family FAMILIES[] = {
    { " debian ubuntu ",
      { "apt-get install libheif1", "a newer release of this system has one",
        "apt-get install libheif-plugin-libde265", "apt-get install libheif-plugin-dav1d",
        "apt-get install libraw-dev", /* the library itself is named after its version */
        "apt-get install ffmpeg", /* the same */
        "apt-get install libavformat-dev libavcodec-dev libswscale-dev" } },
    { " fedora rhel centos ",
      { "dnf install libheif", "dnf upgrade libheif",
        "dnf install libheif-freeworld, from RPM Fusion", "dnf install libheif",
        "dnf install LibRaw", "dnf install ffmpeg-free", "dnf install ffmpeg-free-devel" } },
    { " arch ",
      { "pacman -S libheif", "pacman -Syu libheif", "pacman -S libde265", "pacman -S dav1d",
        "pacman -S libraw", "pacman -S ffmpeg", "pacman -S ffmpeg" } },
    { " alpine ",
      { "apk add libheif", "apk upgrade libheif", "apk add libde265", "apk add dav1d",
        "apk add libraw", "apk add ffmpeg-libs", "apk add ffmpeg-dev" } },
};

static const family UNKNOWN = { "",
                                { "install libheif", "install a newer libheif",
                                  "install libheif's HEVC decoder (libde265)",
                                  "install libheif's AV1 decoder (dav1d or aom)",
                                  "install LibRaw", "install FFmpeg",
                                  "install FFmpeg with its headers" } };

/* Whether the line `key`=... of os-release has `word` among its words, quoted or not. */
static bool line_has(const char *text, const char *key, const char *word, size_t word_size)
{
    const size_t key_size = strlen(key);
    while (text != NULL) {
        text += *text == '\n';
        if (strncmp(text, key, key_size) == 0 && text[key_size] == '=') {
            const char *at = text + key_size + 1;
            while (*at != '\0' && *at != '\n') {
                at += strspn(at, " \"'\r");
                size_t n = strcspn(at, " \"'\r\n");
                if (n == word_size && strncmp(at, word, n) == 0)
                    return true;
                at += n;
            }
        }
        text = strchr(text, '\n');
    }
    return false;
}

const char *akin_package_command(akin_package package, const char *os_release)
{
    if (os_release == NULL)
        return UNKNOWN.commands[package];
    if (package == AKIN_PACKAGE_HEIF_NEWER &&
        line_has(os_release, "VERSION_CODENAME", "bookworm", strlen("bookworm")))
        return "apt-get install -t bookworm-backports libheif1";
    for (size_t i = 0; i < sizeof FAMILIES / sizeof FAMILIES[0]; i++) {
        const char *id = FAMILIES[i].ids;
        for (size_t n; *(id += strspn(id, " ")) != '\0'; id += n) {
            n = strcspn(id, " ");
            if (line_has(os_release, "ID", id, n) || line_has(os_release, "ID_LIKE", id, n))
                return FAMILIES[i].commands[package];
        }
    }
    return UNKNOWN.commands[package];
}

const char *akin_package_here(akin_package package)
{
    akin_buffer text;
    bool got = akin_file_read("/etc/os-release", "text", 1 << 16, &text, NULL) == AKIN_OK;
    const char *command = akin_package_command(package, got ? text.data : NULL);
    akin_buffer_clear(&text);
    return command;
}
