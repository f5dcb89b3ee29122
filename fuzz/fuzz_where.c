/* fuzz_where.c - the bytes are an expression of --where, or a date: what compiles, SQLite prepares
 * and runs over a few rows, with as many parameters as there are values.
 *
 * The first byte says: 'd' that the rest is a date for --after, 'r' that there is no base.
 */
#include <sqlite3.h>
#include <string.h>

#include "fuzz.h"
#include "store/store_parts.h"
#include "store/where.h"

static sqlite3 *open_rows(void)
{
    static sqlite3 *db;
    if (db != NULL)
        return db;
    HOLDS(sqlite3_open(":memory:", &db) == SQLITE_OK);
    HOLDS(sqlite3_exec(db, akin_store_schema, NULL, NULL, NULL) == SQLITE_OK);
    HOLDS(sqlite3_exec(db,
                       "INSERT INTO items VALUES"
                       " (1, x'612F622E6A7067', -1, 0, 0, 0, 0, 1, 65536, 'jpg',"
                       " '2023-06-15T14:03:22', 4, 3, 'Canon', 1.5, -2, '{\"a\":[1,\"b\",{}],"
                       "\"c\":{\"d.e\":true,\"f\":null}}'),"
                       " (2, x'2FFF', -1, 0, 0, 0, 0, 2, 65537, '', NULL, NULL, NULL, NULL, NULL,"
                       " NULL, '{}')",
                       NULL, NULL, NULL) == SQLITE_OK);
    return db;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = malloc(size);
    HOLDS(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    akin_filter_options options = { 0 };
    *(data[0] == 'd' ? &options.after : &options.where) = text;
    akin_filter *filter;
    akin_error err;
    akin_status status =
        judged(akin_filter_new(&filter, &options, data[0] == 'r' ? NULL : "/p", &err), &err);
    HOLDS(status == AKIN_OK || status == AKIN_E_ARGUMENT);
    HOLDS((filter != NULL) == (status == AKIN_OK));
    if (filter != NULL) {
        size_t count;
        const akin_value *values = akin_filter_values(filter, &count);
        sqlite3 *db = open_rows();
        sqlite3_stmt *s = NULL;
        char *sql = sqlite3_mprintf("SELECT id FROM items WHERE state = 0 AND (%s)",
                                    akin_filter_sql(filter));
        HOLDS(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK);
        HOLDS(sqlite3_bind_parameter_count(s) == (int)count);
        for (int i = 0; i < (int)count; i++) {
            const akin_value *v = &values[i];
            int bound;
            if (v->type == AKIN_VALUE_INTEGER)
                bound = sqlite3_bind_int64(s, i + 1, v->integer);
            else if (v->type == AKIN_VALUE_REAL)
                bound = sqlite3_bind_double(s, i + 1, v->real);
            else if (v->type == AKIN_VALUE_TEXT)
                bound = sqlite3_bind_text(s, i + 1, v->bytes, (int)v->size, SQLITE_STATIC);
            else
                bound = sqlite3_bind_blob(s, i + 1, v->bytes, (int)v->size, SQLITE_STATIC);
            HOLDS(bound == SQLITE_OK);
        }
        int rows = 0, result;
        while ((result = sqlite3_step(s)) == SQLITE_ROW)
            rows++;
        HOLDS(result == SQLITE_DONE && rows <= 2);
        sqlite3_finalize(s);
        sqlite3_free(sql);
    }
    akin_filter_free(filter);
    free(text);
    return 0;
}
