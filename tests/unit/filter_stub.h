/* filter_stub.h - filters as where.c makes them, for tests of what uses them: SQL and values given
 * as they are. */
#ifndef AKIN_TESTS_FILTER_STUB_H
#define AKIN_TESTS_FILTER_STUB_H

#include "store/where.h"

struct akin_item_filter {
    const char *sql;
    const akin_value *values;
    size_t count;
};

#endif
