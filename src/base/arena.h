/* arena.h - scratch memory taken and given back in stack order.
 *
 * It grows on first use and keeps what it grew to, so that the second forward pass of the same size
 * allocates nothing. One thread at a time.
 */
#ifndef AKIN_BASE_ARENA_H
#define AKIN_BASE_ARENA_H

#include <stddef.h>

struct akin_arena_block;

typedef struct akin_arena {
    struct akin_arena_block *current; /* newest in use; its `below` are older */
    struct akin_arena_block *spare;   /* kept for reuse */
} akin_arena;

typedef struct akin_arena_mark {
    struct akin_arena_block *block;
    size_t used;
} akin_arena_mark;

void akin_arena_init(akin_arena *arena);
void akin_arena_clear(akin_arena *arena); /* frees everything */

/* count * size bytes, uninitialised, aligned to 64 bytes; NULL when out of memory or on
 * overflow. */
void *akin_arena_take(akin_arena *arena, size_t count, size_t size);

/* Gives back everything taken since the mark. */
akin_arena_mark akin_arena_now(const akin_arena *arena);
void akin_arena_release(akin_arena *arena, akin_arena_mark mark);

#endif
