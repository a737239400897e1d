/* SPDX-License-Identifier: MIT */
/* mmfuzz's home on the hosted machine: tests/linux/mmfuzz/fuzz.h says what a home is. */
#ifndef TESTS_COMMON_FUZZ_HOST_H
#define TESTS_COMMON_FUZZ_HOST_H
#include "machine.h"

enum fuzz_kind { FUZZ_ALONE, FUZZ_TOUCHED, FUZZ_FAILING };

/* Plays a game on a machine of its own; what is wrong fails the test. The sum of its text. */
u64 fuzz_host_game(u64 seed, enum fuzz_kind kind, unsigned steps);
#endif
