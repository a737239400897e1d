/* SPDX-License-Identifier: MIT */
/*
 * Port: waiting and kernel threads on x86-64. Contract in <port/sched.h>; bodies in kernel/sched/.
 *
 *   sleeper  waitq_begin (on the queue, state "about to sleep") · cond? · waitq_sleep · ... ·
 * waitq_end waker    makes cond true · waitq_wake_* waitq_begin marks the thread before cond is
 * looked at, so a wake-up in between makes waitq_sleep return at once.
 */
#ifndef PORT_IMPL_SCHED_H
#define PORT_IMPL_SCHED_H
#include <port_impl/lock.h>

enum wait_mode {
    WAIT_DEEP,          /* nothing but a wake-up ends it */
    WAIT_KILLABLE,      /* also a fatal signal */
    WAIT_INTERRUPTIBLE, /* also any signal */
};

struct waitq_entry {
    struct list_head link; /* waitq.sleepers */
    void *thread;          /* who sleeps */
    bool exclusive;        /* one of these per waitq_wake_one() */
};

static inline void waitq_init(struct waitq *wq)
{
    wq->lock.v = 0;
    list_init(&wq->sleepers);
}
/* Puts the current thread on the queue (again, if it was taken off by a wake-up) and marks it as
 * about to sleep. */
void waitq_begin(struct waitq *wq, struct waitq_entry *e, enum wait_mode mode);
/* Sleeps unless woken since waitq_begin(). 0, or -EINTR when the mode's kind of signal is pending.
 */
int waitq_sleep(struct waitq *wq, struct waitq_entry *e);
/* As above, but not beyond clock_ns() == deadline: then -ETIMEDOUT. */
int waitq_sleep_until(struct waitq *wq, struct waitq_entry *e, u64 deadline_ns);
/* Takes the entry off; the thread runs. */
void waitq_end(struct waitq *wq, struct waitq_entry *e);
void waitq_wake_all_slow(struct waitq *wq);
void waitq_wake_one_slow(struct waitq *wq);

#define waitq_wait_mode(wq, cond, mode) waitq_wait_mode_until(wq, cond, mode, U64_MAX)
#define waitq_wait_mode_until(wq, cond, mode, deadline)                                            \
    ({                                                                                             \
        int waitq_err = 0;                                                                         \
        if (!(cond)) {                                                                             \
            struct waitq *waitq_q = (wq);                                                          \
            struct waitq_entry waitq_e = {{&waitq_e.link, &waitq_e.link}, NULL, false};            \
            for (;;) {                                                                             \
                waitq_begin(waitq_q, &waitq_e, (mode));                                            \
                if (cond)                                                                          \
                    break;                                                                         \
                waitq_err = waitq_sleep_until(waitq_q, &waitq_e, (deadline));                      \
                if (waitq_err)                                                                     \
                    break;                                                                         \
            }                                                                                      \
            waitq_end(waitq_q, &waitq_e);                                                          \
        }                                                                                          \
        waitq_err;                                                                                 \
    })
#define waitq_wait(wq, cond)               ((void)waitq_wait_mode(wq, cond, WAIT_DEEP))
#define waitq_wait_killable(wq, cond)      waitq_wait_mode(wq, cond, WAIT_KILLABLE)
#define waitq_wait_until(wq, cond, deadline)                                                       \
    waitq_wait_mode_until(wq, cond, WAIT_KILLABLE, deadline)
#define waitq_wait_interruptible(wq, cond) waitq_wait_mode(wq, cond, WAIT_INTERRUPTIBLE)

/* The full fence orders the waker's store to cond before the look at the queue; the sleeper's
 * counterpart is the lock taken in waitq_begin(). */
static inline bool waitq_active(struct waitq *wq)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return READ_ONCE(wq->sleepers.next) != &wq->sleepers;
}
static inline void waitq_wake_all(struct waitq *wq)
{
    if (waitq_active(wq))
        waitq_wake_all_slow(wq);
}
static inline void waitq_wake_one(struct waitq *wq)
{
    if (waitq_active(wq))
        waitq_wake_one_slow(wq);
}

struct kthread;
struct kthread *kthread_start(int (*fn)(void *), void *arg, const char *name);
void sched_yield_cpu(void);
void sched_cond(void);
bool sched_fatal_signal(void);
void sched_count_fault(bool major);
s32 sched_thread_id(void);
bool sched_exiting(void);
bool sched_set_memstall(bool on);
bool sched_set_iowait(bool on);
u32 *sched_mem_flags(void);
struct mm *sched_mm(void);
#endif
