/* clip_merges.c - makes the vocabulary of CLIP out of its merge list, clip_merges.txt.
 *
 * Reference: open_clip 3.3.0 SimpleTokenizer.__init__. The list is OpenAI's, MIT licence, Copyright
 * (c) 2021 OpenAI; its file says so. The assembler puts the file into the object as it is: as a C
 * array it would take the compiler longer than the rest of this folder, and no tool of the build
 * machine has to run.
 */
#include "clip_merges.h"

#include <string.h>

#include "base/utf8.h"

#define END_OF_WORD "</w>"

/* AKIN_CLIP_MERGES_FILE is the path, from CMakeLists.txt; nothing of it stays in the object. */
#ifdef __APPLE__
#define SYMBOL(name) "_" name
#define SECTION ".const_data\n"
#define HIDDEN ".private_extern "
#define BACK ".text\n"
#else
#define SYMBOL(name) name
#define SECTION ".pushsection .rodata,\"a\"\n"
#define HIDDEN ".hidden "
#define BACK ".popsection\n"
#endif

__asm__(SECTION
        ".globl " SYMBOL("akin_clip_merges_text") "\n"
        HIDDEN SYMBOL("akin_clip_merges_text") "\n"
        SYMBOL("akin_clip_merges_text") ":\n"
        ".incbin \"" AKIN_CLIP_MERGES_FILE "\"\n"
        ".globl " SYMBOL("akin_clip_merges_end") "\n"
        HIDDEN SYMBOL("akin_clip_merges_end") "\n"
        SYMBOL("akin_clip_merges_end") ":\n"
        ".byte 0\n"
        BACK);

extern const char akin_clip_merges_text[], akin_clip_merges_end[]
    __attribute__((visibility("hidden")));

struct builder {
    akin_bpe *bpe;
    int32_t next; /* id */
    akin_error *err;
};

static akin_status add(struct builder *b, const char *token, size_t size)
{
    return akin_bpe_add_token(b->bpe, token, size, b->next++, NULL, b->err);
}

/* The bytes that print stand for themselves and come first, then the others as U+0100 on. */
static akin_status add_bytes(struct builder *b, const char *suffix)
{
    uint32_t next = 0x100;
    akin_status status = AKIN_OK;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t byte = 0; byte < 256 && status == AKIN_OK; byte++) {
            bool prints = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
            char symbol[4 + sizeof END_OF_WORD];
            if (prints != (pass == 0))
                continue;
            size_t size = akin_utf8_encode(prints ? byte : next++, symbol);
            memcpy(symbol + size, suffix, strlen(suffix));
            status = add(b, symbol, size + strlen(suffix));
        }
    }
    return status;
}

/* A line of the list, "left right". */
struct pair {
    const char *left, *right, *end;
};

static const char *first_line(void)
{
    const char *line = akin_clip_merges_text;
    while (*line == '#' && line[1] != ' ') /* the header; merges of "#" exist */
        line = strchr(line, '\n') + 1;
    return line;
}

static struct pair split(const char *line)
{
    struct pair p = { line, strchr(line, ' ') + 1, NULL };
    p.end = strchr(p.right, '\n');
    return p;
}

akin_status akin_clip_vocabulary(akin_bpe **out, const char *const specials[2], akin_error *err)
{
    struct builder b = { .err = err };
    *out = NULL;
    akin_status status = akin_bpe_new(&b.bpe, 512 + AKIN_CLIP_MERGES + 2, AKIN_CLIP_MERGES, err);
    if (status != AKIN_OK)
        return status;
    AKIN_TRY(add_bytes(&b, ""));
    AKIN_TRY(add_bytes(&b, END_OF_WORD));
    for (const char *at = first_line(); at < akin_clip_merges_end;) {
        struct pair p = split(at);
        char joined[AKIN_SYMBOL_MAX];
        size_t left = (size_t)(p.right - 1 - p.left), right = (size_t)(p.end - p.right);
        memcpy(joined, p.left, left);
        memcpy(joined + left, p.right, right);
        AKIN_TRY(add(&b, joined, left + right));
        at = p.end + 1;
    }
    for (int i = 0; i < 2; i++)
        if (specials[i] != NULL)
            AKIN_TRY(add(&b, specials[i], strlen(specials[i])));
    AKIN_TRY(akin_bpe_seal(b.bpe, "", NULL, err));
    size_t number = 1;
    for (const char *at = first_line(); at < akin_clip_merges_end; number++) {
        struct pair p = split(at);
        AKIN_TRY(akin_bpe_add_merge(b.bpe, p.left, (size_t)(p.right - 1 - p.left), p.right,
                                    (size_t)(p.end - p.right), "merge", number, NULL, err));
        at = p.end + 1;
    }
    *out = b.bpe;
    b.bpe = NULL;
out:
    akin_bpe_free(b.bpe);
    return status;
}
