/* SPDX-License-Identifier: MIT */
/*
 * An error that is to be reported once to each of several observers who come and go (a file's write-back error and its openers).
 *
 *   bits 0..11 errno, bit 12 SEEN, from bit 13 a count: an error recorded again after it was seen is a new one
 *
 * All functions are lockless and may run at once.
 */
#ifndef LIB_ERRSEQ_H
#define LIB_ERRSEQ_H
#include <lib/types.h>

typedef u32 errseq_t; /* 0: no error ever */

#define ERRSEQ_ERRNO 0xfffu
#define ERRSEQ_SEEN  0x1000u
#define ERRSEQ_ONE   0x2000u

/* Records err (-errno). */
static inline void errseq_set(errseq_t *e, int err)
{
    errseq_t old = __atomic_load_n(e, __ATOMIC_RELAXED), next;
    do {
        next = (old & ~(ERRSEQ_ERRNO | ERRSEQ_SEEN)) | ((u32)-err & ERRSEQ_ERRNO);
        if (old & ERRSEQ_SEEN)
            next += ERRSEQ_ONE;
    } while (!__atomic_compare_exchange_n(e, &old, next, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

/* Where a new observer begins: an error that nobody has seen yet will be reported to it too. */
static inline errseq_t errseq_sample(const errseq_t *e)
{
    errseq_t now = __atomic_load_n(e, __ATOMIC_ACQUIRE);
    return now & ERRSEQ_SEEN ? now : 0;
}

/* What was recorded since *since: 0 or -errno, each only once, whoever of those that share since asks first. */
static inline int errseq_check(errseq_t *e, errseq_t *since)
{
    errseq_t now = __atomic_load_n(e, __ATOMIC_ACQUIRE), before = __atomic_load_n(since, __ATOMIC_ACQUIRE);
    if (now == before)
        return 0;
    while (!(now & ERRSEQ_SEEN) &&
           !__atomic_compare_exchange_n(e, &now, now | ERRSEQ_SEEN, true, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        ;
    now |= ERRSEQ_SEEN;
    bool fresh = now != before &&
                 __atomic_compare_exchange_n(since, &before, now, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    return fresh ? -(int)(now & ERRSEQ_ERRNO) : 0;
}
#endif
