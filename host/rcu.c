/* SPDX-License-Identifier: MIT */
/*
 * RCU. A thread notes the number of the current grace period when it enters its outermost read section. The RCU thread takes
 * all callbacks queued so far, begins a new period and waits until no thread is left inside a section that began before; then
 * it runs them, in the order in which they came. So memory is given back as early as the contract allows, and a reader that
 * forgot rcu_read_lock() meets freed memory soon.
 */
#include <host/sched_internal.h>
#include <port/log.h>

static struct rcu_head *queue_head, **queue_tail;
static struct waitq rcu_wq;
static struct host_thread *rcu_thread;
static u64 period;
static bool stopping, waiting_for_readers;

void rcu_read_lock(void)
{
    struct host_thread *t = host_current;
    if (t->rcu_nest++ == 0)
        __atomic_store_n(&t->rcu_seen, __atomic_load_n(&period, __ATOMIC_SEQ_CST),
                         __ATOMIC_SEQ_CST);
    host_point();
}

void rcu_read_unlock(void)
{
    struct host_thread *t = host_current;
    if (t->rcu_nest == 0)
        panic("rcu_read_unlock() without rcu_read_lock()");
    if (--t->rcu_nest == 0) {
        __atomic_store_n(&t->rcu_seen, 0, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&waiting_for_readers, __ATOMIC_SEQ_CST))
            waitq_wake_all(&rcu_wq);
    }
    host_point();
}

void rcu_call(struct rcu_head *head, void (*fn)(struct rcu_head *))
{
    head->next = NULL;
    head->fn = fn;
    host_sched_lock();
    *queue_tail = head;
    queue_tail = &head->next;
    host_sched_unlock();
    waitq_wake_all(&rcu_wq);
}

/* No thread is inside a section that began before the period. */
static bool readers_gone(void)
{
    struct host_thread *t;
    bool gone = true;
    host_sched_lock();
    list_for_each_entry (t, &host_threads, all) {
        u64 seen = __atomic_load_n(&t->rcu_seen, __ATOMIC_SEQ_CST);
        gone &= seen == 0 || seen >= period;
    }
    host_sched_unlock();
    return gone;
}

static bool something_queued(void)
{
    host_sched_lock();
    bool any = queue_head || stopping;
    host_sched_unlock();
    return any;
}

static int rcu_main(void *arg)
{
    for (;;) {
        waitq_wait(&rcu_wq, something_queued());
        host_sched_lock();
        struct rcu_head *head = queue_head;
        queue_head = NULL;
        queue_tail = &queue_head;
        host_sched_unlock();
        if (!head)
            return 0; /* stopping, and nothing is left */
        __atomic_fetch_add(&period, 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(&waiting_for_readers, true, __ATOMIC_SEQ_CST);
        waitq_wait(&rcu_wq, readers_gone());
        __atomic_store_n(&waiting_for_readers, false, __ATOMIC_SEQ_CST);
        host_current->nosleep = true;
        while (head) {
            struct rcu_head *next = head->next;
            head->fn(head);
            head = next;
        }
        host_current->nosleep = false;
    }
}

struct rcu_wait {
    struct rcu_head head;
    struct waitq wq;
    bool done;
};

static void wait_done(struct rcu_head *head)
{
    struct rcu_wait *w = container_of(head, struct rcu_wait, head);
    host_sched_lock(); /* the waiter's stack may go once `done` is seen: nothing touches it after the wake-up */
    __atomic_store_n(&w->done, true, __ATOMIC_SEQ_CST);
    host_wake_locked(&w->wq);
    host_sched_unlock();
}

static bool wait_is_done(struct rcu_wait *w)
{
    host_sched_lock();
    bool done = w->done;
    host_sched_unlock();
    return done;
}

/* Callbacks run in order, so one of our own marks both the end of a grace period and the end of all queued before. */
void rcu_barrier(void)
{
    struct rcu_wait w = {.done = false};
    host_check_may_sleep("rcu_synchronize");
    waitq_init(&w.wq);
    rcu_call(&w.head, wait_done);
    waitq_wait(&w.wq, wait_is_done(&w));
}

void rcu_synchronize(void)
{
    rcu_barrier();
}

void host_rcu_start(void)
{
    queue_head = NULL;
    queue_tail = &queue_head;
    waitq_init(&rcu_wq);
    period = 1;
    stopping = waiting_for_readers = false;
    /* Where schedules are enumerated it shares the CPU of the main thread, which then waits. */
    rcu_thread = host_thread_start(rcu_main, NULL, "rcu", host_machine.cfg.never_switch ? 0 : U32_MAX);
    rcu_thread->daemon = true;
}

void host_rcu_stop(void)
{
    rcu_barrier();
    host_sched_lock();
    stopping = true;
    host_wake_locked(&rcu_wq);
    host_sched_unlock();
    host_thread_join(rcu_thread);
}
