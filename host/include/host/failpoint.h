/* SPDX-License-Identifier: MIT */
/* Fail points of the hosted machine. */
#ifndef HOST_FAILPOINT_H
#define HOST_FAILPOINT_H
#include <port/failpoint.h>

#define HOST_NR_FAILPOINTS (FAIL_IO + 1)

/* The n-th hit from now on fails (n = 0: none), alone or with all that follow. Sets the count of hits to 0. */
void host_fail_nth(enum failpoint point, u64 n, bool for_good);
/* From now on each hit fails with this chance of 1000, decided by the machine's seed and the number of the hit. */
void host_fail_chance(enum failpoint point, u32 permille);
/* Hits since the last host_fail_nth(). */
u64 host_fail_hits(enum failpoint point);
/* Nothing fails any more, of any kind. */
void host_fail_none(void);
#endif
