/* arena.c - scratch memory taken and given back in stack order. */
#include "arena.h"

#include <stdint.h>
#include <stdlib.h>

#include "arith.h"
#include "memory.h"

enum { alignment = 64, smallest_block = 1 << 20 };

struct akin_arena_block {
    struct akin_arena_block *below;
    size_t capacity; /* bytes after the header, which takes `alignment` bytes */
    size_t used;
};

void akin_arena_init(akin_arena *arena)
{
    *arena = (akin_arena){ 0 };
}

static void free_list(struct akin_arena_block *block)
{
    while (block != NULL) {
        struct akin_arena_block *below = block->below;
        free(block);
        block = below;
    }
}

void akin_arena_clear(akin_arena *arena)
{
    free_list(arena->current);
    free_list(arena->spare);
    akin_arena_init(arena);
}

/* A block of at least `bytes`: the smallest spare one that is large enough, else a new one in place
 * of the largest spare one. Sizes repeat, so the set settles after the first passes. Freeing every
 * spare block that was too small never settles where a small one is taken before a larger one. */
static struct akin_arena_block *block_for(akin_arena *arena, size_t bytes)
{
    struct akin_arena_block **best = NULL, **largest = NULL;
    for (struct akin_arena_block **at = &arena->spare; *at != NULL; at = &(*at)->below) {
        if ((*at)->capacity >= bytes && (best == NULL || (*at)->capacity < (*best)->capacity))
            best = at;
        if (largest == NULL || (*at)->capacity > (*largest)->capacity)
            largest = at;
    }
    struct akin_arena_block **found = best != NULL ? best : largest;
    if (found != NULL) {
        struct akin_arena_block *block = *found;
        *found = block->below;
        if (best != NULL)
            return block;
        free(block);
    }
    size_t capacity = akin_max(bytes, smallest_block), total;
    if (!akin_add(capacity, alignment, &total))
        return NULL;
    struct akin_arena_block *block = akin_large_alloc(total);
    if (block != NULL)
        block->capacity = capacity;
    return block;
}

void *akin_arena_take(akin_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (!akin_mul(count, size, &bytes) || bytes > SIZE_MAX - 2 * alignment)
        return NULL;
    bytes = akin_round_up(akin_max(bytes, 1), alignment);
    struct akin_arena_block *block = arena->current;
    if (block == NULL || bytes > block->capacity - block->used) {
        block = block_for(arena, bytes);
        if (block == NULL)
            return NULL;
        block->used = 0;
        block->below = arena->current;
        arena->current = block;
    }
    void *out = (char *)block + alignment + block->used;
    block->used += bytes;
    return out;
}

akin_arena_mark akin_arena_now(const akin_arena *arena)
{
    struct akin_arena_block *block = arena->current;
    return (akin_arena_mark){ block, block != NULL ? block->used : 0 };
}

void akin_arena_release(akin_arena *arena, akin_arena_mark mark)
{
    while (arena->current != mark.block) {
        struct akin_arena_block *block = arena->current;
        arena->current = block->below;
        block->below = arena->spare;
        arena->spare = block;
    }
    if (arena->current != NULL)
        arena->current->used = mark.used;
}
