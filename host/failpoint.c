/* SPDX-License-Identifier: MIT */
/* Fail points: each kind counts its hits; one of them, or all from one on, fail on demand. See host/failpoint.h. */
#include <host/failpoint.h>
#include <host/machine.h>
#include <lib/hash.h>

static struct {
    u64 hits, fail_at;
    bool for_good;
    u32 chance; /* of 2^20, by a hash of the seed and the hit's number */
} points[HOST_NR_FAILPOINTS];

bool failpoint_hit(enum failpoint point)
{
    u64 n = __atomic_add_fetch(&points[point].hits, 1, __ATOMIC_RELAXED);
    u64 at = points[point].fail_at;
    if (unlikely(points[point].chance))
        return (mix64(host_machine.cfg.seed ^ (n << 8) ^ point) & 0xfffff) < points[point].chance;
    return at && (points[point].for_good ? n >= at : n == at);
}

void host_fail_nth(enum failpoint point, u64 n, bool for_good)
{
    points[point].hits = 0;
    points[point].fail_at = n;
    points[point].for_good = for_good;
    points[point].chance = 0;
}

void host_fail_chance(enum failpoint point, u32 permille)
{
    host_fail_nth(point, 0, false);
    points[point].chance = permille * 1049;
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
