/* SPDX-License-Identifier: MIT */
/*
 * Hosted home: locks. Every acquire and release is a scheduling point; ranks, owners, sleeping and recursion are always
 * checked (host/lock.c). A spinlock_t keeps its rank in bits 24..31 and its holder's thread number + 1 in bits 0..23.
 */
#ifndef PORT_IMPL_LOCK_H
#define PORT_IMPL_LOCK_H
#include <lib/list.h>

typedef struct {
    u32 v;
} spinlock_t;
#define SPINLOCK_INIT(rank)                                                                        \
    {                                                                                              \
        (u32)(rank) << 24                                                                          \
    }

struct mutex {
    u32 owner;   /* thread number + 1, 0 = free */
    u32 waiting; /* sleepers on the list */
    u32 rank;
    struct list_head waiters;
};
struct rwsem {
    s32 state; /* readers, or -1 while written */
    u32 waiting, writers_waiting;
    u32 rank;
    u32 owner; /* the writer's thread number + 1 */
    struct list_head waiters;
};

void spin_init(spinlock_t *lock, enum lock_rank rank);
void spin_lock(spinlock_t *lock);
void spin_lock_nested(spinlock_t *lock);
bool spin_trylock(spinlock_t *lock);
void spin_unlock(spinlock_t *lock);
bool spin_is_locked(const spinlock_t *lock);

void mutex_init(struct mutex *m, enum lock_rank rank);
void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);

void rwsem_init(struct rwsem *s, enum lock_rank rank);
void down_read(struct rwsem *s);
void up_read(struct rwsem *s);
void down_write(struct rwsem *s);
/* For a second lock of the same rank, whose order the caller vouches for (fork: the child's after the parent's). */
void down_write_nested(struct rwsem *s);
void up_write(struct rwsem *s);
bool down_read_trylock(struct rwsem *s);
bool down_write_trylock(struct rwsem *s);
int down_write_killable(struct rwsem *s);
int down_read_killable(struct rwsem *s);
void downgrade_write(struct rwsem *s);
bool rwsem_is_write_locked(const struct rwsem *s);

void rcu_read_lock(void);
void rcu_read_unlock(void);
void rcu_call(struct rcu_head *head, void (*fn)(struct rcu_head *));
void rcu_synchronize(void);
void rcu_barrier(void);
#endif
