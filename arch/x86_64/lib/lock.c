/* SPDX-License-Identifier: MIT */
/* Port: the contended spinlock. */
#include <arch/setup.h>
#include <port/lock.h>

void spin_lock_slow(spinlock_t *lock)
{
    bool was = mmu_poll_begin();
    do {
        while (READ_ONCE(lock->v)) {
            mmu_poll();
            cpu_pause();
        }
    } while (__atomic_exchange_n(&lock->v, 1, __ATOMIC_ACQUIRE));
    mmu_poll_end(was);
}
