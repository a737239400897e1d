/* SPDX-License-Identifier: MIT */
/* Port: time. clock_ns(): nanoseconds since boot, monotonic, never goes back on any CPU; callable anywhere. */
#ifndef PORT_CLOCK_H
#define PORT_CLOCK_H
#include <lib/types.h>
u64 clock_ns(void);
#endif
