/* SPDX-License-Identifier: MIT */
/* Runs one guest test. */
#ifndef CLI_GUESTTEST_H
#define CLI_GUESTTEST_H

#include "cases.h"

enum { TEST_PASSED = 0, TEST_FAILED = 1, TEST_SKIPPED = 77 };

/* Runs the case under a kernel ("pagoda", "linux"...); why it failed or was skipped goes to the
 * file descriptor `log`. */
int guest_test(const struct guest_case *c, const char *kernel, int log);

#endif
