/* SPDX-License-Identifier: MIT */
/* Hosted home: sleeping and kernel threads, on fibers or pthreads (host/sched.c, host/waitq.c). */
#ifndef PORT_IMPL_SCHED_H
#define PORT_IMPL_SCHED_H

struct host_thread;
struct kthread;

struct waitq {
    struct list_head waiters; /* host_waiter.link, oldest first */
    u32 waiting;
};
struct host_waiter {
    struct list_head link;
    struct waitq *wq;
    struct host_thread *thread;
    bool queued, woken;
};

void waitq_init(struct waitq *wq);
void waitq_wake_all(struct waitq *wq);
void waitq_wake_one(struct waitq *wq);
void host_waitq_begin(struct host_waiter *w, struct waitq *wq);
/* Arms the waiter: wake-ups from here on are not lost. */
void host_waitq_prepare(struct host_waiter *w);
/* Sleeps until woken after the last prepare. */
void host_waitq_sleep(struct host_waiter *w);
/* The same, but no longer than until a fatal signal is pending, or the virtual clock shows deadline: then false. U64_MAX: never. */
bool host_waitq_sleep_until(struct host_waiter *w, u64 deadline);
void host_waitq_end(struct host_waiter *w);

bool sched_fatal_signal(void);
/* Simulated threads have no resource usage. */
static inline void sched_count_fault(bool major)
{
    (void)major;
}

#define waitq_wait(wq_, cond_)                                                                     \
    do {                                                                                           \
        struct host_waiter waiter_;                                                                \
        host_waitq_begin(&waiter_, (wq_));                                                         \
        for (;;) {                                                                                 \
            host_waitq_prepare(&waiter_);                                                          \
            if (cond_)                                                                             \
                break;                                                                             \
            host_waitq_sleep(&waiter_);                                                            \
        }                                                                                          \
        host_waitq_end(&waiter_);                                                                  \
    } while (0)

#define waitq_wait_until(wq_, cond_, deadline_)                                                    \
    ({                                                                                             \
        struct host_waiter waiter_;                                                                \
        u64 waiter_deadline_ = (deadline_);                                                        \
        int waiter_err_ = 0;                                                                       \
        host_waitq_begin(&waiter_, (wq_));                                                         \
        for (;;) {                                                                                 \
            host_waitq_prepare(&waiter_);                                                          \
            if (cond_)                                                                             \
                break;                                                                             \
            if (sched_fatal_signal()) {                                                            \
                waiter_err_ = -4; /* -EINTR */                                                     \
                break;                                                                             \
            }                                                                                      \
            if (!host_waitq_sleep_until(&waiter_, waiter_deadline_)) {                             \
                waiter_err_ = -110; /* -ETIMEDOUT */                                               \
                break;                                                                             \
            }                                                                                      \
        }                                                                                          \
        host_waitq_end(&waiter_);                                                                  \
        waiter_err_;                                                                               \
    })
#define waitq_wait_interruptible waitq_wait_killable /* there are no other signals */

#define waitq_wait_killable(wq_, cond_) waitq_wait_until(wq_, cond_, U64_MAX)

struct kthread *kthread_start(int (*fn)(void *), void *arg, const char *name);
void sched_yield_cpu(void);
void sched_cond(void);
s32 sched_thread_id(void);
bool sched_exiting(void);
bool sched_set_memstall(bool on);
bool sched_set_iowait(bool on);
u32 *sched_mem_flags(void);
struct mm *sched_mm(void);
#endif
