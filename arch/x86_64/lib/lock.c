/* SPDX-License-Identifier: MIT */
/* Port: the contended spinlock. */
#include <port/lock.h>

void spin_lock_slow(spinlock_t *lock)
{
    do {
        while (READ_ONCE(lock->v))
            cpu_pause();
    } while (__atomic_exchange_n(&lock->v, 1, __ATOMIC_ACQUIRE));
}
