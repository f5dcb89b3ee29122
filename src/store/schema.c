/* schema.c - the tables of a collection, format 1. Never edited once released: a new format is a
 * new number and a step that leads there. */
#include "store_parts.h"

const char akin_store_schema[] =
    /* uuid BLOB, created TEXT, base BLOB (absent: none; empty: the folder two above) */
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;"

    /* A model's vectors. state 0: current, 1: being built. type: akin_vector_type. */
    "CREATE TABLE spaces (id INTEGER PRIMARY KEY AUTOINCREMENT, state INTEGER NOT NULL,"
    " identity TEXT NOT NULL, name TEXT NOT NULL, path TEXT NOT NULL, form TEXT NOT NULL,"
    " dimensions INTEGER NOT NULL, type INTEGER NOT NULL);"

    /* rows: how many count. live: a bit a row, set when a live item has it (current space). open 0:
     * nothing is appended any more. */
    "CREATE TABLE segments (number INTEGER PRIMARY KEY AUTOINCREMENT, space INTEGER NOT NULL,"
    " rows INTEGER NOT NULL, open INTEGER NOT NULL, live BLOB NOT NULL);"

    /* The bytes of a file; of a video, the frame at `part` milliseconds. */
    "CREATE TABLE contents (id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL,"
    " part INTEGER NOT NULL, UNIQUE (hash, part));"

    /* place: segment * 65536 + row. crc: CRC-32 of the row's bytes. */
    "CREATE TABLE vectors (space INTEGER NOT NULL, content INTEGER NOT NULL,"
    " place INTEGER NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (space, content)) WITHOUT ROWID;"

    /* path: bytes, relative to the base or beginning with '/'. part: -1, or as in contents. times
     * in nanoseconds. state: akin_item_state. place: of its content in the current space. */
    "CREATE TABLE items (id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL,"
    " part INTEGER NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,"
    " sidecars INTEGER NOT NULL, state INTEGER NOT NULL, content INTEGER NOT NULL, place INTEGER,"
    " ext TEXT NOT NULL, taken_at TEXT, width INTEGER, height INTEGER,"
    " camera TEXT COLLATE NOCASE, latitude REAL, longitude REAL, metadata TEXT NOT NULL,"
    " UNIQUE (path, part));"
    "CREATE INDEX items_content ON items (content);"
    "CREATE INDEX items_place ON items (place, id);"
    /* Each answers a filter alone, without a look at the row. `state`, always 0 there, is in them
     * because SQLite 3.40 looks rows up for it otherwise, and walks any of them. */
    "CREATE INDEX items_path ON items (path, place, state) WHERE state = 0;"
    "CREATE INDEX items_ext ON items (ext, place, state) WHERE state = 0;"
    "CREATE INDEX items_taken_at ON items (taken_at, place, state) WHERE state = 0;"
    "CREATE INDEX items_width ON items (width, place, state) WHERE state = 0;"
    "CREATE INDEX items_height ON items (height, place, state) WHERE state = 0;"
    "CREATE INDEX items_camera ON items (camera, place, state) WHERE state = 0;"
    "CREATE INDEX items_latitude ON items (latitude, place, state) WHERE state = 0;"
    "CREATE INDEX items_longitude ON items (longitude, place, state) WHERE state = 0;"

    /* Places with more than one live item. */
    "CREATE TABLE repeats (place INTEGER PRIMARY KEY, items INTEGER NOT NULL);"

    "CREATE TABLE skips (path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime INTEGER NOT NULL,"
    " ctime INTEGER NOT NULL, code INTEGER NOT NULL, reason TEXT NOT NULL,"
    " settings TEXT NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID;"

    "CREATE TABLE devices (folder BLOB PRIMARY KEY, device INTEGER NOT NULL) WITHOUT ROWID;";
