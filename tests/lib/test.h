/* SPDX-License-Identifier: MIT */
/* The C library's headers first (types.h agrees with them), then cmocka. */
#ifndef TESTS_LIB_TEST_H
#define TESTS_LIB_TEST_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>
#include <lib/types.h>

/* For validators, which answer NULL or what is broken. */
#define assert_valid(call)                                                                         \
    do {                                                                                           \
        const char *broken = (call);                                                               \
        if (broken)                                                                                \
            fail_msg("%s", broken);                                                                \
    } while (0)
#endif
