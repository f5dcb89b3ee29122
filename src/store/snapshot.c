/* snapshot.c - what a search sees: the vectors of live items, ready to be scored, and filters over
 * them.
 *
 * Bitmaps, repeats and counts were made by the commits (store.c), so that a snapshot of a million
 * items is a few rows of table segments and as many mappings; one of a collection that did not
 * change is nothing.
 */
#include "store_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/memory.h"

enum { vanished_tries = 8 };

void akin_store_forget(akin_store *store)
{
    for (size_t i = 0; i < store->segment_count; i++)
        akin_segment_clear(&store->segments[i]);
    free(store->segments);
    free(store->blocks);
    free(store->repeats);
    store->segments = NULL;
    store->blocks = NULL;
    store->repeats = NULL;
    store->segment_count = store->segment_capacity = store->repeat_count = store->live = 0;
    store->vectors = (akin_vectors){ 0 };
    store->data_version = -1;
}

/* Rows of table segments into store->segments; what was mapped of one stays so. */
static akin_status load_segments(akin_store *store, akin_error *err)
{
    akin_segment *old = store->segments;
    const size_t old_count = store->segment_count;
    size_t next = 0;
    akin_status status;
    sqlite3_stmt *s = NULL;
    bool row;
    store->segments = NULL;
    store->segment_count = store->segment_capacity = 0;
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_SEGMENTS, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "i", store->current.id));
    for (;;) {
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        const int64_t number = sqlite3_column_int64(s, 0), rows = sqlite3_column_int64(s, 1);
        size_t size;
        const unsigned char *bytes = akin_db_blob(s, 2, &size);
        akin_segment *grown = akin_grow(store->segments, &store->segment_capacity,
                                        store->segment_count + 1, sizeof *grown);
        unsigned char *live = malloc(AKIN_SEGMENT_ROWS / 8);
        if (grown != NULL)
            store->segments = grown;
        if (grown == NULL || live == NULL) {
            free(live);
            status = akin_fail_nomem(err, "segments", 0);
            goto out;
        }
        if (number < 1 || number > AKIN_SEGMENT_NUMBER_MAX || rows < 0 ||
            rows > AKIN_SEGMENT_ROWS || !akin_bitmap_copy(bytes, size, (size_t)rows, live)) {
            free(live);
            status = akin_fail(err, AKIN_E_CORRUPT, store->database,
                               "the row of segment %" PRId64 " cannot be; run 'akin verify'",
                               number);
            goto out;
        }
        while (next < old_count && old[next].number < number)
            next++;
        akin_segment *segment = &store->segments[store->segment_count++];
        if (next < old_count && old[next].number == number) {
            *segment = old[next];
            free(segment->live);
            old[next] = (akin_segment){ 0 };
            if (segment->rows > (size_t)rows) { /* never, of a file that nobody meddled with */
                segment->live = NULL;
                akin_segment_clear(segment);
            }
        } else {
            *segment = (akin_segment){ 0 };
        }
        segment->number = number;
        segment->rows = (size_t)rows;
        segment->live = live;
    }
out:
    if (s != NULL)
        sqlite3_reset(s);
    for (size_t i = 0; i < old_count; i++)
        akin_segment_clear(&old[i]);
    free(old);
    return status;
}

static size_t count_bits(const unsigned char *bits, size_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t word;
        memcpy(&word, bits + i, 8);
        n += (size_t)__builtin_popcountll(word);
    }
    return n;
}

/* Blocks of the segments that have anything live. */
static akin_status make_blocks(akin_store *store, akin_error *err)
{
    akin_status status = AKIN_OK;
    akin_block *blocks = calloc(akin_max(store->segment_count, 1), sizeof *blocks);
    size_t count = 0;
    store->live = 0;
    free(store->blocks);
    store->blocks = blocks;
    store->vectors = (akin_vectors){ .type = store->current.model.type,
                                     .dimensions = store->current.model.dimensions,
                                     .blocks = blocks };
    if (blocks == NULL)
        return akin_fail_nomem(err, "blocks of vectors", 0);
    for (size_t i = 0; i < store->segment_count; i++) {
        akin_segment *segment = &store->segments[i];
        const size_t live = count_bits(segment->live, AKIN_SEGMENT_ROWS / 8);
        if (live == 0)
            continue;
        AKIN_TRY(akin_segment_map(store, &store->current, segment, err));
        blocks[count++] = (akin_block){ .rows = segment->rows_map, .count = segment->rows,
                                        .first = (uint64_t)segment->number * AKIN_SEGMENT_ROWS,
                                        .live = segment->live };
        store->live += live;
        store->vectors.rows += segment->rows;
    }
    store->vectors.block_count = count;
out:
    return status;
}

/* The block that has a place, looking first at the one that had the last; NULL: none. */
static const akin_block *block_of(const akin_store *store, uint64_t place, size_t *last)
{
    const akin_block *blocks = store->blocks;
    size_t low = 0, high = store->vectors.block_count;
    if (*last < high && place >= blocks[*last].first &&
        place - blocks[*last].first < blocks[*last].count)
        return &blocks[*last];
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (blocks[middle].first + blocks[middle].count <= place)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == store->vectors.block_count || place < blocks[low].first)
        return NULL;
    *last = low;
    return &blocks[low];
}

static akin_status load_repeats(akin_store *store, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s;
    bool row;
    size_t capacity = 0, last = 0;
    free(store->repeats);
    store->repeats = NULL;
    store->repeat_count = 0;
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_REPEATS, &s, err));
    for (;;) {
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        const int64_t place = sqlite3_column_int64(s, 0), items = sqlite3_column_int64(s, 1);
        const akin_block *block = place > 0 ? block_of(store, (uint64_t)place, &last) : NULL;
        const size_t r = block != NULL ? (size_t)((uint64_t)place - block->first) : 0;
        akin_repeat *grown =
            akin_grow(store->repeats, &capacity, store->repeat_count + 1, sizeof *grown);
        if (grown != NULL)
            store->repeats = grown;
        if (grown == NULL)
            status = akin_fail_nomem(err, "repeats", 0);
        else if (block == NULL || (block->live[r / 8] >> r % 8 & 1) == 0 || items < 2 ||
                 items > UINT32_MAX)
            status = akin_fail(err, AKIN_E_CORRUPT, store->database,
                               "the count of a vector's items cannot be; run 'akin verify'");
        if (status != AKIN_OK) {
            sqlite3_reset(s);
            goto out;
        }
        store->repeats[store->repeat_count++] =
            (akin_repeat){ (uint64_t)place, (uint32_t)items };
        store->live += (size_t)items - 1;
    }
out:
    return status;
}

static akin_status read_version(akin_store *store, int64_t *version, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s;
    bool row;
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_BEGIN, &s, err));
    AKIN_TRY(akin_db_step(s, NULL, err));
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_DATA_VERSION, &s, err));
    AKIN_TRY(akin_db_step(s, &row, err));
    *version = row ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
out:
    return status;
}

static akin_status load_snapshot(akin_store *store, akin_error *err)
{
    akin_status status;
    AKIN_TRY(akin_store_load_spaces(store, err));
    AKIN_TRY(load_segments(store, err));
    AKIN_TRY(make_blocks(store, err));
    AKIN_TRY(load_repeats(store, err));
out:
    return status;
}

static void end_read(akin_store *store)
{
    sqlite3_stmt *s;
    if (akin_db_statement(store, AKIN_SQL_COMMIT, &s, NULL) != AKIN_OK ||
        akin_db_step(s, NULL, NULL) != AKIN_OK)
        akin_store_roll_back(store);
}

akin_status akin_store_begin(akin_store *store, akin_error *err)
{
    akin_status status;
    int64_t version = -1, last = -1;
    AKIN_TRY(akin_store_usable(store, err));
    if (store->in_snapshot || store->in_transaction)
        return akin_fail(err, AKIN_E_ARGUMENT, store->folder,
                         store->in_snapshot ? "a snapshot is open already"
                                            : "there are changes: akin_store_commit comes first");
    if (store->immutable && akin_db_replaced(store)) {
        akin_db_close(store);
        akin_store_forget(store);
        status = akin_store_reload(store, err);
        if (status != AKIN_OK)
            return akin_store_spoil(store, status, err);
    }
    for (int i = 0; i < vanished_tries; i++) {
        status = read_version(store, &version, err);
        if (status == AKIN_OK && version != store->data_version)
            status = load_snapshot(store, err);
        if (status == AKIN_OK) {
            store->data_version = version;
            store->in_snapshot = true;
            return AKIN_OK;
        }
        if (!sqlite3_get_autocommit(store->db))
            end_read(store);
        akin_store_forget(store);
        /* A file that is gone was removed by compact after this snapshot was taken: look again;
         * but not when nothing was committed meanwhile. */
        if (status != AKIN_E_NOT_FOUND || version == last)
            break;
        last = version;
    }
    if (status == AKIN_E_NOT_FOUND) {
        status = AKIN_E_CORRUPT;
        if (err != NULL) { /* its path stays */
            err->code = status;
            snprintf(err->message, sizeof err->message,
                     "vectors that the collection names are not there; run 'akin verify'");
        }
    }
out:
    return status;
}

void akin_store_end(akin_store *store)
{
    if (!store->in_snapshot)
        return;
    end_read(store);
    store->in_snapshot = false;
}

bool akin_store_in_snapshot(const akin_store *store) { return store->in_snapshot; }

const akin_vectors *akin_store_vectors(const akin_store *store) { return &store->vectors; }

const akin_repeat *akin_store_repeats(const akin_store *store, size_t *count)
{
    *count = store->repeat_count;
    return store->repeats;
}

size_t akin_store_live(const akin_store *store) { return store->live; }

/* Places that a statement yields, as bits over the rows of all blocks. */
static akin_status mark_rows(akin_store *store, sqlite3_stmt *s, uint8_t *allowed, akin_error *err)
{
    akin_status status = AKIN_OK;
    const size_t count = store->vectors.block_count;
    size_t last = 0, sum = 0;
    size_t *before = malloc(akin_max(count, 1) * sizeof *before); /* rows of the blocks before */
    if (before == NULL)
        return akin_fail_nomem(err, "rows", 0);
    for (size_t i = 0; i < count; i++) {
        before[i] = sum;
        sum += store->blocks[i].count;
    }
    for (;;) {
        bool more;
        AKIN_TRY(akin_db_step(s, &more, err));
        if (!more)
            break;
        const uint64_t place = (uint64_t)sqlite3_column_int64(s, 0); /* NULL is 0: no block's */
        const akin_block *block = block_of(store, place, &last);
        if (block == NULL)
            continue;
        const size_t row = before[last] + (size_t)(place - block->first);
        allowed[row / 8] |= (uint8_t)(1u << row % 8);
    }
out:
    free(before);
    return status;
}

static void mark_live(const akin_store *store, uint8_t *allowed)
{
    size_t row = 0;
    for (size_t b = 0; b < store->vectors.block_count; b++) {
        const akin_block *block = &store->blocks[b];
        for (size_t i = 0; i < block->count; i++, row++)
            if ((block->live[i / 8] >> i % 8 & 1) != 0)
                allowed[row / 8] |= (uint8_t)(1u << row % 8);
    }
}

akin_status akin_store_filter_rows(akin_store *store, const akin_item_filter *filter,
                                   uint8_t *allowed, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    AKIN_TRY(akin_store_usable(store, err));
    if (!store->in_snapshot)
        return akin_fail(err, AKIN_E_ARGUMENT, store->folder, "no snapshot is open");
    memset(allowed, 0, akin_ceil_div(store->vectors.rows, 8));
    if (filter == NULL) {
        mark_live(store, allowed);
        return AKIN_OK;
    }
    AKIN_TRY(akin_filter_prepare(store, filter, "SELECT place FROM items", NULL, &s, err));
    AKIN_TRY(mark_rows(store, s, allowed, err));
out:
    sqlite3_finalize(s);
    return status;
}
