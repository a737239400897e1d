/* SPDX-License-Identifier: MIT */
/* Fail points: each kind counts its hits; one of them, or all from one on, fail on demand. See host/failpoint.h. */
#include <host/failpoint.h>

static struct {
    u64 hits, fail_at;
    bool for_good;
} points[HOST_NR_FAILPOINTS];

bool failpoint_hit(enum failpoint point)
{
    u64 n = __atomic_add_fetch(&points[point].hits, 1, __ATOMIC_RELAXED);
    u64 at = points[point].fail_at;
    return at && (points[point].for_good ? n >= at : n == at);
}

void host_fail_nth(enum failpoint point, u64 n, bool for_good)
{
    points[point].hits = 0;
    points[point].fail_at = n;
    points[point].for_good = for_good;
}

u64 host_fail_hits(enum failpoint point)
{
    return points[point].hits;
}

void host_fail_none(void)
{
    for (int i = 0; i < HOST_NR_FAILPOINTS; i++)
        host_fail_nth((enum failpoint)i, 0, false);
}
