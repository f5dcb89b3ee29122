/* zip.c - the entries of a ZIP archive, as torch writes them.
 *
 * After PKWARE's APPNOTE 6.3.10: end record, ZIP64 end record (optional here; torch always writes
 * it), central directory. Sizes and offsets come from the central directory; torch leaves those in
 * the local headers at zero, so of these only the lengths that lead to the data are used. Refused:
 * encrypted entries, archives of several parts, duplicate names, names that leave their folder; and
 * compressed entries, by akin_zip_check_stored. Checksums are not verified: torch verifies none
 * either, and can be told not to write them.
 */
#include "zip.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/cursor.h"

enum {
    end_size = 22,
    end64_size = 56,
    locator64_size = 20,
    entry_size = 46,
    local_size = 30,
    max_comment = 65535,
    max_name = 1024
};

#define END_SIGNATURE UINT32_C(0x06054b50)
#define END64_SIGNATURE UINT32_C(0x06064b50)
#define LOCATOR64_SIGNATURE UINT32_C(0x07064b50)
#define ENTRY_SIGNATURE UINT32_C(0x02014b50)
#define LOCAL_SIGNATURE UINT32_C(0x04034b50)

struct archive {
    const unsigned char *data;
    size_t size;
    const char *path;
};

struct directory {
    uint64_t count, size, offset;
};

/* The end record sits before a comment that reaches to the end of the file. */
static bool find_end(const struct archive *a, size_t *out)
{
    if (a->size < end_size)
        return false;
    size_t last = a->size - end_size;
    for (size_t comment = 0; comment <= akin_min(last, max_comment); comment++) {
        akin_cursor c = akin_cursor_over(a->data, a->size);
        uint32_t signature = 0;
        uint16_t length = 0;
        akin_cursor_seek(&c, last - comment);
        akin_cursor_u32(&c, &signature);
        akin_cursor_skip(&c, 16);
        akin_cursor_u16(&c, &length);
        if (signature == END_SIGNATURE && length == comment) {
            *out = last - comment;
            return true;
        }
    }
    return false;
}

/* The ZIP64 end record of an archive whose end record is at `end`, if it has one. A field of the
 * end record is all ones when only the ZIP64 record can hold it, else both must say the same. */
static akin_status read_end64(const struct archive *a, size_t end, struct directory *io,
                              akin_error *err)
{
    akin_cursor c = akin_cursor_over(a->data, a->size);
    uint32_t signature = 0, disk = 0, disks = 0, start_disk = 0;
    uint64_t offset = 0, record_size = 0, count_here = 0;
    struct directory big = { 0 };
    if (end < locator64_size)
        return AKIN_OK;
    akin_cursor_seek(&c, end - locator64_size);
    akin_cursor_u32(&c, &signature);
    if (signature != LOCATOR64_SIGNATURE)
        return AKIN_OK;
    akin_cursor_u32(&c, &disk);
    akin_cursor_u64(&c, &offset);
    akin_cursor_u32(&c, &disks);
    if (disk != 0 || disks > 1)
        return akin_fail(err, AKIN_E_UNSUPPORTED, a->path,
                         "a part of a ZIP archive in several files");
    size_t latest = end - locator64_size;
    if (latest < end64_size || offset > latest - end64_size)
        return akin_fail(err, AKIN_E_CORRUPT, a->path,
                         "ZIP: the ZIP64 end record is said to be at byte %" PRIu64 " of %zu",
                         offset, a->size);
    akin_cursor_seek(&c, offset);
    akin_cursor_u32(&c, &signature);
    akin_cursor_u64(&c, &record_size);
    akin_cursor_skip(&c, 4); /* versions */
    akin_cursor_u32(&c, &disk);
    akin_cursor_u32(&c, &start_disk);
    akin_cursor_u64(&c, &count_here);
    akin_cursor_u64(&c, &big.count);
    akin_cursor_u64(&c, &big.size);
    akin_cursor_u64(&c, &big.offset);
    if (signature != END64_SIGNATURE)
        return akin_fail(err, AKIN_E_CORRUPT, a->path, "ZIP: no ZIP64 end record at byte %" PRIu64,
                         offset);
    if (disk != 0 || start_disk != 0 || count_here != big.count)
        return akin_fail(err, AKIN_E_UNSUPPORTED, a->path,
                         "a part of a ZIP archive in several files");
    if ((io->count != UINT16_MAX && io->count != big.count) ||
        (io->size != UINT32_MAX && io->size != big.size) ||
        (io->offset != UINT32_MAX && io->offset != big.offset))
        return akin_fail(err, AKIN_E_CORRUPT, a->path,
                         "ZIP: the two end records contradict each other");
    *io = big;
    return AKIN_OK;
}

static akin_status read_end(const struct archive *a, struct directory *out, akin_error *err)
{
    size_t end;
    if (!find_end(a, &end))
        return akin_fail(
            err, AKIN_E_TRUNCATED, a->path,
            "a ZIP archive without its end record: it was cut short; download it again");
    akin_cursor c = akin_cursor_over(a->data, a->size);
    uint16_t disk = 0, start_disk = 0, count_here = 0, count = 0;
    uint32_t size = 0, offset = 0;
    akin_cursor_seek(&c, end + 4);
    akin_cursor_u16(&c, &disk);
    akin_cursor_u16(&c, &start_disk);
    akin_cursor_u16(&c, &count_here);
    akin_cursor_u16(&c, &count);
    akin_cursor_u32(&c, &size);
    akin_cursor_u32(&c, &offset);
    if (disk != 0 || start_disk != 0 || count_here != count)
        return akin_fail(err, AKIN_E_UNSUPPORTED, a->path,
                         "a part of a ZIP archive in several files");
    *out = (struct directory){ count, size, offset };
    akin_status status = read_end64(a, end, out, err);
    if (status != AKIN_OK)
        return status;
    if (out->offset > end || out->size > end - out->offset)
        return akin_fail(err, AKIN_E_CORRUPT, a->path,
                         "ZIP: a directory of %" PRIu64 " bytes at byte %" PRIu64 " of %zu",
                         out->size, out->offset, a->size);
    if (out->count > AKIN_ZIP_MAX_ENTRIES)
        return akin_fail(err, AKIN_E_LIMIT, a->path,
                         "ZIP archive of %" PRIu64 " entries; the limit is %d", out->count,
                         AKIN_ZIP_MAX_ENTRIES);
    if (out->count > out->size / entry_size)
        return akin_fail(err, AKIN_E_CORRUPT, a->path,
                         "ZIP: %" PRIu64 " entries in a directory of %" PRIu64 " bytes", out->count,
                         out->size);
    return AKIN_OK;
}

static akin_status check_name(const struct archive *a, const char *name, size_t size,
                              akin_error *err)
{
    if (size == 0 || size > max_name || memchr(name, '\0', size) != NULL)
        return akin_fail(err, AKIN_E_CORRUPT, a->path,
                         "ZIP: an entry's name is empty, longer than %d bytes or holds a NUL",
                         max_name);
    bool leaves = name[0] == '/' || memchr(name, '\\', size) != NULL;
    for (size_t begin = 0, i = 0; i <= size; i++) {
        if (i < size && name[i] != '/')
            continue;
        leaves |= i - begin == 2 && memcmp(name + begin, "..", 2) == 0;
        begin = i + 1;
    }
    if (leaves)
        return akin_fail(err, AKIN_E_UNSAFE, a->path,
                         "ZIP: entry '%.*s' names a place outside its archive", (int)size, name);
    return AKIN_OK;
}

/* Replaces the fields that are all ones by those of the ZIP64 extra field, in its fixed order. */
static bool read_extra64(akin_cursor extra, uint64_t *size, uint64_t *stored, uint64_t *offset)
{
    if (*size != UINT32_MAX && *stored != UINT32_MAX && *offset != UINT32_MAX)
        return true;
    uint16_t id, length;
    const uint8_t *bytes;
    while (akin_cursor_u16(&extra, &id) && akin_cursor_u16(&extra, &length) &&
           akin_cursor_bytes(&extra, length, &bytes)) {
        if (id != 1)
            continue;
        akin_cursor c = akin_cursor_over(bytes, length);
        return (*size != UINT32_MAX || akin_cursor_u64(&c, size)) &&
               (*stored != UINT32_MAX || akin_cursor_u64(&c, stored)) &&
               (*offset != UINT32_MAX || akin_cursor_u64(&c, offset));
    }
    return false;
}

/* Finds the data behind the local header at `offset`; data ends before `limit`. */
static akin_status locate(const struct archive *a, uint64_t offset, uint64_t limit,
                          akin_zip_entry *entry, akin_error *err)
{
    akin_cursor c = akin_cursor_over(a->data, (size_t)limit);
    uint32_t signature;
    uint16_t name_size, extra_size;
    const uint8_t *name;
    if (!akin_cursor_seek(&c, offset) || !akin_cursor_u32(&c, &signature) ||
        signature != LOCAL_SIGNATURE || !akin_cursor_skip(&c, local_size - 8) ||
        !akin_cursor_u16(&c, &name_size) || !akin_cursor_u16(&c, &extra_size) ||
        !akin_cursor_bytes(&c, name_size, &name) || name_size != entry->name_size ||
        memcmp(name, entry->name, name_size) != 0)
        return akin_fail(err, AKIN_E_CORRUPT, a->path,
                         "ZIP: entry '%.*s' is not at byte %" PRIu64
                         ", where the directory puts it",
                         (int)entry->name_size, entry->name, offset);
    if (!akin_cursor_skip(&c, extra_size) || !akin_cursor_bytes(&c, entry->size, &entry->data))
        return akin_fail(err, AKIN_E_CORRUPT, a->path,
                         "ZIP: entry '%.*s' of %zu bytes reaches past the archive's data",
                         (int)entry->name_size, entry->name, entry->size);
    return AKIN_OK;
}

static akin_status read_entry(const struct archive *a, akin_cursor *c, uint64_t limit,
                              akin_zip_entry *entry, akin_error *err)
{
    uint32_t signature = 0, size32 = 0, stored32 = 0, offset32 = 0;
    uint16_t flags = 0, method = 0, name_size = 0, extra_size = 0, comment_size = 0, disk = 0;
    const uint8_t *name, *extra;
    akin_cursor_u32(c, &signature);
    akin_cursor_skip(c, 4); /* versions */
    akin_cursor_u16(c, &flags);
    akin_cursor_u16(c, &method);
    akin_cursor_skip(c, 8); /* time, date, checksum */
    akin_cursor_u32(c, &stored32);
    akin_cursor_u32(c, &size32);
    akin_cursor_u16(c, &name_size);
    akin_cursor_u16(c, &extra_size);
    akin_cursor_u16(c, &comment_size);
    akin_cursor_u16(c, &disk);
    akin_cursor_skip(c, 6); /* attributes */
    if (!akin_cursor_u32(c, &offset32) || signature != ENTRY_SIGNATURE ||
        !akin_cursor_bytes(c, name_size, &name) || !akin_cursor_bytes(c, extra_size, &extra) ||
        !akin_cursor_skip(c, comment_size))
        return akin_fail(err, AKIN_E_CORRUPT, a->path, "ZIP: the directory is broken");
    entry->name = (const char *)name;
    entry->name_size = name_size;
    akin_status status = check_name(a, entry->name, name_size, err);
    if (status != AKIN_OK)
        return status;

    uint64_t size = size32, stored = stored32, offset = offset32;
    if (!read_extra64(akin_cursor_over(extra, extra_size), &size, &stored, &offset) ||
        size > SIZE_MAX)
        return akin_fail(err, AKIN_E_CORRUPT, a->path, "ZIP: entry '%.*s' lacks its ZIP64 sizes",
                         name_size, entry->name);
    if ((flags & 0x2041) != 0)
        return akin_fail(err, AKIN_E_UNSUPPORTED, a->path, "ZIP: entry '%.*s' is encrypted",
                         name_size, entry->name);
    entry->method = method;
    if (method != 0)
        return AKIN_OK;
    if (stored != size || disk != 0)
        return akin_fail(err, AKIN_E_CORRUPT, a->path,
                         "ZIP: entry '%.*s' has %" PRIu64 " bytes stored as %" PRIu64, name_size,
                         entry->name, size, stored);
    entry->size = (size_t)size;
    return locate(a, offset, limit, entry, err);
}

static int compare(const char *a, size_t a_size, const char *b, size_t b_size)
{
    int order = memcmp(a, b, akin_min(a_size, b_size));
    return order != 0 ? order : a_size < b_size ? -1 : a_size > b_size;
}

static int by_name(const void *a, const void *b)
{
    const akin_zip_entry *x = a, *y = b;
    return compare(x->name, x->name_size, y->name, y->name_size);
}

akin_status akin_zip_open(akin_zip *out, const unsigned char *data, size_t size, const char *path,
                          akin_error *err)
{
    struct archive a = { data, size, path };
    struct directory directory = { 0 };
    *out = (akin_zip){ 0 };
    akin_status status = read_end(&a, &directory, err);
    if (status != AKIN_OK || directory.count == 0)
        return status;
    size_t count = (size_t)directory.count;
    out->entries = calloc(count, sizeof *out->entries);
    if (out->entries == NULL)
        return akin_fail_nomem(err, "ZIP directory", count * sizeof *out->entries);
    akin_cursor c = akin_cursor_over(data + directory.offset, (size_t)directory.size);
    for (size_t i = 0; i < count; i++) {
        status = read_entry(&a, &c, directory.offset, &out->entries[i], err);
        if (status != AKIN_OK)
            return status;
    }
    out->count = count;
    if (akin_cursor_left(&c) != 0)
        return akin_fail(err, AKIN_E_CORRUPT, path,
                         "ZIP: the directory holds more than its %zu entries", count);
    qsort(out->entries, count, sizeof *out->entries, by_name);
    for (size_t i = 1; i < count; i++)
        if (by_name(&out->entries[i - 1], &out->entries[i]) == 0)
            return akin_fail(err, AKIN_E_CORRUPT, path, "ZIP: entry '%.*s' is there twice",
                             (int)out->entries[i].name_size, out->entries[i].name);
    return AKIN_OK;
}

void akin_zip_clear(akin_zip *zip)
{
    free(zip->entries);
    *zip = (akin_zip){ 0 };
}

akin_status akin_zip_check_stored(const akin_zip *zip, const char *path, akin_error *err)
{
    for (size_t i = 0; i < zip->count; i++) {
        const akin_zip_entry *entry = &zip->entries[i];
        if (entry->method != 0)
            return akin_fail(
                err, AKIN_E_UNSUPPORTED, path,
                "ZIP: entry '%.*s' is compressed (method %d); torch stores its checkpoints "
                "uncompressed: was this archive made by another program?",
                (int)entry->name_size, entry->name, entry->method);
    }
    return AKIN_OK;
}

const akin_zip_entry *akin_zip_find(const akin_zip *zip, const char *name, size_t name_size)
{
    if (zip->count == 0)
        return NULL;
    akin_zip_entry key = { .name = name, .name_size = name_size };
    return bsearch(&key, zip->entries, zip->count, sizeof *zip->entries, by_name);
}
