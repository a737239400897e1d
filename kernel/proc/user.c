/* SPDX-License-Identifier: MIT */
/*
 * What a user has in use, over all of its processes: threads (RLIMIT_NPROC) and queued signals (RLIMIT_SIGPENDING). Counted
 * for the real uid; each struct cred holds a reference to its user's struct.
 *
 * U1. A user is in the table while somebody holds a reference.
 * Lock: user_lock (irqsave, a leaf) guards the table; the counts are atomic.
 */
#include "proc.h"

#define BUCKETS 64

struct user root_user = {.refs = 1, .link = LIST_HEAD_INIT(root_user.link)};
static struct list_head buckets[BUCKETS];
static spinlock_t user_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);

static struct list_head *bucket_of(u32 uid)
{
    struct list_head *b = &buckets[(uid * 0x9e3779b1u) >> 26];
    if (!b->next)
        list_init(b);
    return b;
}

static struct user *find_locked(u32 uid)
{
    struct user *u;
    list_for_each_entry (u, bucket_of(uid), link)
        if (u->uid == uid)
            return u;
    return NULL;
}

struct user *user_get(struct user *u)
{
    __atomic_fetch_add(&u->refs, 1, __ATOMIC_RELAXED);
    return u;
}

struct user *user_of(u32 uid)
{
    if (uid == 0)
        return user_get(&root_user);
    struct user *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL), *u;
    if (!fresh)
        return NULL;
    u64 flags = spin_lock_irqsave(&user_lock);
    u = find_locked(uid);
    if (u) {
        user_get(u);
    } else {
        *fresh = (struct user){.uid = uid, .refs = 1};
        list_add(&fresh->link, bucket_of(uid));
        u = fresh;
        fresh = NULL;
    }
    spin_unlock_irqrestore(&user_lock, flags);
    kfree(fresh);
    return u;
}

static void free_rcu(struct rcu_head *h)
{
    kfree(container_of(h, struct user, rcu));
}

void user_put(struct user *u)
{
    u64 flags = spin_lock_irqsave(&user_lock); /* against user_of() */
    bool last = __atomic_sub_fetch(&u->refs, 1, __ATOMIC_ACQ_REL) == 0;
    if (last)
        list_unlink(&u->link);
    spin_unlock_irqrestore(&user_lock, flags);
    if (last)
        rcu_call(&u->rcu, free_rcu);
}

bool user_over_nproc(const struct user *u, u64 more)
{
    return u != &root_user && (u64)READ_ONCE(u->nproc) + more > rlimit_cur(current_process(), RLIMIT_NPROC);
}
