/* SPDX-License-Identifier: MIT */
/* Epoll sets: epoll.c (items, events), epoll_wait.c (waiting). */
#ifndef KERNEL_IPC_EPOLL_H
#define KERNEL_IPC_EPOLL_H
#include <kernel/poll.h>

#define EPOLL_CTL_ADD    1
#define EPOLL_CTL_DEL    2
#define EPOLL_CTL_MOD    3
#define EP_PRIVATE       (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define EP_MAX_NEST      5
#define EP_FIRST_BUCKETS 16

struct epoll_event_k {
    u32 events;
    u64 data;
} __packed_struct;
BUILD_ASSERT(sizeof(struct epoll_event_k) == 12);

struct eventpoll {
    s32 refs;
    struct user *user; /* who made it, referenced: pays for its items */
    u32 nr_items, nr_buckets; /* mtx */
    struct mutex mtx;
    struct epitem **buckets;
    spinlock_t lock; /* irqsave: ready, ready_link of items */
    struct list_head ready;
    struct waitq wait;      /* threads in epoll_wait */
    struct waitq poll_wait; /* pollers of the epoll file itself */
    struct epitem *first_buckets[EP_FIRST_BUCKETS];
};

/* One queue of a file that an item listens to. */
struct ephook {
    struct waitq_callback cb;
    struct epitem *item;
    struct ephook *next;
};

struct epitem {
    struct eventpoll *ep;
    struct file *file; /* not counted: E3 in epoll.c */
    struct epitem *hash_next;
    struct list_head ready_link, file_link;
    s32 fd;
    u32 events; /* as asked for, with EPOLLERR and EPOLLHUP; only EP_PRIVATE bits: disabled */
    u64 data;
    bool hooked; /* hook is in use */
    struct ephook hook, *more;
};

struct eventpoll *file_epoll(const struct file *f); /* NULL: another kind */
s64 ep_collect(struct eventpoll *ep, u32 max, int (*put)(void *ctx, const struct epoll_event_k *ev),
               void *ctx);
#endif
