/* SPDX-License-Identifier: MIT */
/* Port: randomness. 64 unpredictable bits (hosted: a function of the seed). Callable anywhere, never sleeps. */
#ifndef PORT_RANDOM_H
#define PORT_RANDOM_H
#include <lib/types.h>
u64 random_u64(void);
#endif
