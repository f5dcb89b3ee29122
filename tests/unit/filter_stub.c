/* filter_stub.c - what items.c asks of a filter. */
#include "filter_stub.h"

const char *akin_filter_sql(const akin_item_filter *filter) { return filter->sql; }

const akin_value *akin_filter_values(const akin_item_filter *filter, size_t *count)
{
    *count = filter->count;
    return filter->values;
}
