/* SPDX-License-Identifier: MIT */
/*
 * adjtimex and clock_adjtime. There is no clock discipline: the state is what an unsynchronised Linux clock reports, and of the
 * changes only the one that sets the clock (ADJ_SETOFFSET) has a meaning; the others are refused.
 */
#include "../proc/proc.h"
#include "clock.h"
#include <kernel/syscall.h>
#include <port/uaccess.h>

#define ADJ_SETOFFSET 0x0100u
#define ADJ_OFFSET_SINGLESHOT 0x8001u
#define ADJ_OFFSET_SS_READ    0xa001u
#define ADJ_NANO      0x2000u
#define STA_UNSYNC    0x0040
#define TIME_ERROR    5

struct timex_k {
    u32 modes, pad0;
    s64 offset, freq, maxerror, esterror;
    s32 status, pad1;
    s64 constant, precision, tolerance, sec, usec, tick, ppsfreq, jitter;
    s32 shift, pad2;
    s64 stabil, jitcnt, calcnt, errcnt, stbcnt;
    s32 tai, pad3[11];
};
BUILD_ASSERT(sizeof(struct timex_k) == 208);

static s64 do_adjtime(u64 user)
{
    struct timex_k t;
    if (copy_from_user(&t, user, sizeof(t)))
        return -EFAULT;
    u32 modes = t.modes;
    if (modes == ADJ_OFFSET_SS_READ) /* adjtime(NULL): nothing is left of a slew that never began */
        modes = 0;
    if (modes == ADJ_OFFSET_SINGLESHOT && t.offset == 0 && capable(25 /* CAP_SYS_TIME */))
        modes = 0; /* ends that slew */
    if (modes && !capable(25 /* CAP_SYS_TIME */))
        return -EPERM;
    if (modes & ~(ADJ_SETOFFSET | ADJ_NANO))
        return -EINVAL;
    if (modes & ADJ_SETOFFSET) {
        s64 unit = modes & ADJ_NANO ? 1 : 1000;
        if (t.usec < 0 || t.usec * unit >= NSEC_PER_SEC)
            return -EINVAL;
        realtime_set(realtime_ns() + t.sec * NSEC_PER_SEC + t.usec * unit);
    }
    s64 now = realtime_ns();
    t = (struct timex_k){.modes = modes,
                         .maxerror = 16000000,
                         .esterror = 16000000,
                         .status = STA_UNSYNC,
                         .constant = 2,
                         .precision = 1,
                         .tolerance = 32768000,
                         .sec = now / NSEC_PER_SEC,
                         .usec = now % NSEC_PER_SEC / 1000,
                         .tick = 10000};
    return copy_to_user(user, &t, sizeof(t)) ? -EFAULT : TIME_ERROR;
}

SYSCALL(adjtimex)
{
    return do_adjtime(a0);
}

SYSCALL(clock_adjtime)
{
    if ((s32)a0 != CLOCK_REALTIME)
        return -EOPNOTSUPP;
    return do_adjtime(a1);
}
