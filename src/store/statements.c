/* statements.c - the SQL of the statements that a store keeps prepared. Parameters are numbered in
 * the order in which akin_db_bind gives them. */
#include "store_parts.h"

const char *const akin_sql_text[AKIN_SQL_COUNT] = {
    [AKIN_SQL_BEGIN] = "BEGIN",
    [AKIN_SQL_BEGIN_WRITING] = "BEGIN IMMEDIATE",
    [AKIN_SQL_COMMIT] = "COMMIT",
    [AKIN_SQL_ROLLBACK] = "ROLLBACK",
    [AKIN_SQL_DATA_VERSION] = "PRAGMA data_version",
    [AKIN_SQL_SPACES] =
        "SELECT id, state, identity, name, path, form, dimensions, type FROM spaces ORDER BY id",
    [AKIN_SQL_SEGMENTS] =
        "SELECT number, rows, live FROM segments WHERE space = ?1 ORDER BY number",
    [AKIN_SQL_REPEATS] = "SELECT place, items FROM repeats ORDER BY place",

    [AKIN_SQL_SEGMENT] = "SELECT space, rows, open, live FROM segments WHERE number = ?1",
    [AKIN_SQL_SET_SEGMENT] =
        "UPDATE segments SET rows = ?2, open = ?3, live = ?4 WHERE number = ?1",
    [AKIN_SQL_NEW_SEGMENT] =
        "INSERT INTO segments (number, space, rows, open, live) VALUES (?1, ?2, 0, 1, x'')",
    /* Numbers are never used twice, so those of segments that are gone count too. */
    [AKIN_SQL_LAST_SEGMENT] = "SELECT seq FROM sqlite_sequence WHERE name = 'segments'",
    [AKIN_SQL_OPEN_SEGMENT] =
        "SELECT number, rows FROM segments WHERE space = ?1 AND open != 0 ORDER BY number LIMIT 1",
    [AKIN_SQL_LIVE_AT] = "SELECT count(*) FROM items WHERE place = ?1 AND state = 0",
    [AKIN_SQL_SET_REPEAT] = "INSERT OR REPLACE INTO repeats (place, items) VALUES (?1, ?2)",
    [AKIN_SQL_DROP_REPEAT] = "DELETE FROM repeats WHERE place = ?1",

    [AKIN_SQL_ITEM] =
        "SELECT id, path, part, size, mtime, sidecars, state, content, place, taken_at, camera,"
        " width, height, latitude, longitude, metadata FROM items WHERE path = ?1 AND part = ?2",
    [AKIN_SQL_ITEM_ROW] =
        "SELECT id, content, place, state FROM items WHERE path = ?1 AND part = ?2",
    [AKIN_SQL_PARTS_AT] = "SELECT id, part, place FROM items WHERE path = ?1 ORDER BY part",
    [AKIN_SQL_NEW_ITEM] =
        "INSERT INTO items (path, part, size, mtime, sidecars, content, place, ext, taken_at,"
        " width, height, camera, latitude, longitude, metadata, state)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, nullif(?7, 0), ?8, ?9, nullif(?10, 0), nullif(?11, 0),"
        " ?12, ?13, ?14, ?15, 0)",
    [AKIN_SQL_SET_ITEM] =
        "UPDATE items SET size = ?3, mtime = ?4, sidecars = ?5, content = ?6,"
        " place = nullif(?7, 0), ext = ?8, taken_at = ?9, width = nullif(?10, 0),"
        " height = nullif(?11, 0), camera = ?12, latitude = ?13, longitude = ?14, metadata = ?15,"
        " state = 0 WHERE path = ?1 AND part = ?2",
    [AKIN_SQL_SET_STATE] = "UPDATE items SET state = ?2 WHERE path = ?1",
    [AKIN_SQL_SET_STAMP] =
        "UPDATE items SET size = ?2, mtime = ?3, sidecars = ?4 WHERE path = ?1",
    [AKIN_SQL_MOVE] =
        "UPDATE items SET path = ?2, ext = ?3, size = ?4, mtime = ?5, sidecars = ?6, state = 0"
        " WHERE path = ?1",
    [AKIN_SQL_DROP] = "DELETE FROM items WHERE id = ?1",

    [AKIN_SQL_CONTENT] =
        "SELECT c.id, v.place FROM contents c LEFT JOIN vectors v ON v.space = ?3 AND"
        " v.content = c.id WHERE c.hash = ?1 AND c.part = ?2",
    [AKIN_SQL_CONTENT_PLACE] =
        "SELECT v.place, v.crc FROM contents c LEFT JOIN vectors v ON v.space = ?2 AND"
        " v.content = c.id WHERE c.id = ?1",
    [AKIN_SQL_NEW_CONTENT] = "INSERT INTO contents (hash, part) VALUES (?1, ?2)",
    [AKIN_SQL_NEW_VECTOR] =
        "INSERT INTO vectors (space, content, place, crc) VALUES (?1, ?2, ?3, ?4)",
    [AKIN_SQL_ATTACH] = "UPDATE items SET place = ?2 WHERE content = ?1",

    [AKIN_SQL_SKIP] =
        "INSERT OR REPLACE INTO skips (path, size, mtime, ctime, code, reason, settings, time)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [AKIN_SQL_UNSKIP] = "DELETE FROM skips WHERE path = ?1",
    [AKIN_SQL_SET_DEVICE] = "INSERT OR REPLACE INTO devices (folder, device) VALUES (?1, ?2)",
    [AKIN_SQL_DROP_DEVICE] = "DELETE FROM devices WHERE folder = ?1",
    [AKIN_SQL_SET_MODEL] = "UPDATE spaces SET name = ?2, path = ?3 WHERE id = ?1",
};
