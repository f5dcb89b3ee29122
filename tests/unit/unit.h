/* unit.h - cmocka with the headers it wants before it. */
#ifndef AKIN_TESTS_UNIT_H
#define AKIN_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
