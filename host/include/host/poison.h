/* SPDX-License-Identifier: MIT */
/* Use after free: host/poison.c. */
#ifndef HOST_POISON_H
#define HOST_POISON_H
#include <lib/types.h>

void host_poison_start(void);
void host_poison_stop(void);
#ifdef HOST_POINTS
/* Panics when the byte at p may not be touched. */
void host_poison_check(const void *p);
#else
static inline void host_poison_check(const void *p)
{
}
#endif
#endif
