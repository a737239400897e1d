/* SPDX-License-Identifier: MIT */
/*
 * Port: fail points. Every allocation of the core asks here once; the kernel home answers false at no cost, the
 * hosted home fails the N-th on demand.
 *   bool failpoint_hit(enum failpoint);   inline, from the home
 */
#ifndef PORT_FAILPOINT_H
#define PORT_FAILPOINT_H
#include <lib/types.h>
enum failpoint { FAIL_PAGE_ALLOC, FAIL_SLAB_ALLOC, FAIL_IO };
#include <port_impl/failpoint.h>
#endif
