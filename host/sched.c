/* SPDX-License-Identifier: MIT */
/*
 * The scheduler of the hosted machine: which thread owns which CPU and, on fibers, which CPU executes.
 *
 * On fibers all is decided by the generator seeded in the configuration:
 *   host_point()      maybe another CPU goes on; this one's thread stays RUNNING
 *   host_block()      the CPU is given up until host_unblock(); nobody left to run is a deadlock and is reported
 *   host_spin_wait()  like a point, but another CPU must run: the caller spins
 * With pthreads a thread that owns a CPU just runs, and one without waits for pth_grant(). The CPU is what the core's per-CPU
 * data hang on, so two threads of one CPU never run at once in either mode.
 *
 * Invariants H1 and H2: host/thread.h. Entry points there and in host/sched_internal.h.
 */
#include <host/explore.h>
#include <host/sched_internal.h>
#include <port/log.h>
#include <port/clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_NS  10 /* virtual time of one scheduling point */
#define MAX_RELAX 20000000u
#define MAX_JUMPS 100000u /* timers alone that go on for so long are a deadlock of the others */

__thread u32 host_this_cpu;
__thread struct host_thread *host_current;
struct mm_cpu *host_cpu_local[NR_CPUS];
u32 host_nr_cpus = 1;
struct host_cpu host_cpus[NR_CPUS];
struct list_head host_threads;
static u32 next_id;
static u32 relaxed; /* spins since something else happened */
static u32 jumps;   /* in time, since a thread without a deadline ran */

static bool threads_mode(void)
{
    return host_machine.cfg.threads;
}

/* ---- CPUs ---- */

/* CPUs other than `except` on which something can go on. Fibers only. */
static u32 runnable_cpus(u32 except, u8 *out)
{
    u32 n = 0;
    for (u32 c = 0; c < host_nr_cpus; c++) {
        struct host_cpu *cpu = &host_cpus[c];
        if (c == except || (!cpu->cur && list_empty(&cpu->ready)))
            continue;
        const u32 *spin = cpu->cur ? cpu->cur->spin_word : NULL;
        if (spin && (READ_ONCE(*spin) & 0xffffffu))
            continue;
        out[n++] = (u8)c;
    }
    return n;
}

/* Makes the first ready thread of the CPU its owner. */
static struct host_thread *dispatch(u32 c)
{
    struct host_cpu *cpu = &host_cpus[c];
    struct host_thread *t = list_first_entry(&cpu->ready, struct host_thread, link);
    list_del(&t->link);
    t->cpu = c;
    t->state = HT_RUNNING;
    cpu->cur = t;
    host_mmu_dispatch(c, t);
    return t;
}

static void go_to_cpu(u32 c)
{
    struct host_thread *self = host_current;
    struct host_thread *t = host_cpus[c].cur ? host_cpus[c].cur : dispatch(c);
    if (t != self)
        fiber_switch(self, t);
    else
        host_this_cpu = self->cpu;
}

static void report_deadlock(void)
{
    static char text[4096];
    size_t n = 0;
    struct list_head *l;
    for (l = host_threads.next; l != &host_threads && n + 200 < sizeof(text); l = l->next) {
        struct host_thread *t = container_of(l, struct host_thread, all);
        if (t->state == HT_DONE || t->daemon)
            continue;
        n += (size_t)snprintf(text + n, sizeof(text) - n, "\n  thread %u (%s) cpu %u: %s %p", t->id,
                              t->name, t->cpu,
                              t->spin_word   ? "spins on"
                              : t->wait_what ? t->wait_what
                                             : "runs",
                              t->spin_word ? (const void *)t->spin_word : t->wait_obj);
        for (u32 i = 0; i < t->nr_held && n + 60 < sizeof(text); i++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, ", holds %p (rank %u)",
                                  t->held[i].lock, t->held[i].rank);
    }
    panic("deadlock: no thread can run%s", text);
}

static void make_ready(struct host_thread *t);

/* Nobody can run: the sleeper whose time comes first is made ready. False: nobody sleeps for a time. Fibers only. */
static bool jump_in_time(void)
{
    struct host_thread *first = NULL;
    for (struct list_head *l = host_threads.next; l != &host_threads; l = l->next) {
        struct host_thread *t = container_of(l, struct host_thread, all);
        if (t->state == HT_BLOCKED && t->deadline != U64_MAX && (!first || t->deadline < first->deadline))
            first = t;
    }
    if (!first || ++jumps > MAX_JUMPS)
        return false;
    host_machine.clock = max(host_machine.clock, first->deadline);
    make_ready(first);
    return true;
}

/* The caller has given up its CPU or spins: somebody else must run. */
static void go_elsewhere(u32 except)
{
    u8 cpus[NR_CPUS];
    u32 n = runnable_cpus(except, cpus);
    while (n == 0) {
        if (!jump_in_time())
            report_deadlock();
        n = runnable_cpus(except, cpus);
    }
    go_to_cpu(host_exploring ? host_explore_must(cpus, n)
                             : cpus[rand_below(&host_machine.rand, n)]);
}

/* ---- scheduling points ---- */

/* While schedules are enumerated: host/explore.c says whether another CPU runs. */
static void explored_point(const void *obj, bool write)
{
    u8 cpus[NR_CPUS];
    if (!host_explore_wants(obj, write))
        return;
    u32 n = runnable_cpus(host_current->cpu, cpus);
    u32 cpu = n ? host_explore_may(cpus, n, obj, write) : HOST_STAY;
    if (cpu != HOST_STAY)
        go_to_cpu(cpu);
}

void host_point(void)
{
    host_point_at(NULL, true);
}

void host_point_at(const void *obj, bool write)
{
    struct host_machine *m = &host_machine;
    if (!m->up)
        return;
    if (threads_mode()) {
        __atomic_fetch_add(&m->clock, EVENT_NS, __ATOMIC_RELAXED);
        return;
    }
    m->clock += EVENT_NS;
    m->events++;
    relaxed = 0;
    if (unlikely(host_exploring)) {
        explored_point(obj, write);
        return;
    }
    if (host_nr_cpus == 1 || m->cfg.never_switch || !host_chance(m->cfg.switch_permille))
        return;
    u8 cpus[NR_CPUS];
    u32 n = runnable_cpus(host_current->cpu, cpus);
    if (n)
        go_to_cpu(cpus[rand_below(&m->rand, n)]);
}

void host_spin_wait(const u32 *word)
{
    struct host_thread *self = host_current;
    if (threads_mode()) {
        pth_yield();
        return;
    }
    host_machine.clock += EVENT_NS;
    self->spin_word = word;
    if (word) {
        go_elsewhere(self->cpu);
    } else {
        u8 cpus[NR_CPUS];
        u32 n = runnable_cpus(self->cpu, cpus);
        if (++relaxed > MAX_RELAX)
            report_deadlock();
        if (n)
            go_to_cpu(host_exploring ? host_explore_must(cpus, n)
                                     : cpus[rand_below(&host_machine.rand, n)]);
    }
    self->spin_word = NULL;
}

void cpu_relax(void)
{
    host_spin_wait(NULL);
}

bool host_chance(u32 permille)
{
    return !host_exploring && rand_below(&host_machine.rand, 1000) < permille;
}

/* ---- sleeping ---- */

void host_check_may_sleep(const char *what)
{
    struct host_thread *t = host_current;
    if (t->nr_spin) {
        const struct host_held *h = &t->held[t->nr_held - 1];
        panic("%s: thread %u (%s) sleeps with spinlock %p (rank %u) held", what, t->id, t->name,
              h->lock, h->rank);
    }
    if (t->rcu_nest)
        panic("%s: thread %u (%s) sleeps inside rcu_read_lock()", what, t->id, t->name);
    if (t->nosleep)
        panic("%s: thread %u (%s) sleeps in a callback that may not", what, t->id, t->name);
}

/* The CPU on which a thread that becomes ready queues up. */
static u32 choose_cpu(struct host_thread *t)
{
    if (t->pinned || threads_mode() || !host_chance(250))
        return t->cpu;
    return (u32)rand_below(&host_machine.rand, host_nr_cpus);
}

static void make_ready(struct host_thread *t)
{
    u32 c = choose_cpu(t);
    t->state = HT_READY;
    list_add_tail(&t->link, &host_cpus[c].ready);
    if (threads_mode() && !host_cpus[c].cur)
        pth_grant(dispatch(c));
}

/* The caller's CPU goes to the next; then, when `self` does not end, back to it some day. */
static void leave_cpu(struct host_thread *self)
{
    u32 c = self->cpu;
    host_cpus[c].cur = NULL;
    if (threads_mode()) {
        if (!list_empty(&host_cpus[c].ready))
            pth_grant(dispatch(c));
        if (self->state != HT_DONE)
            pth_wait_grant(self);
    } else {
        go_elsewhere(U32_MAX);
    }
}

void host_block(const char *what, const void *obj)
{
    struct host_thread *self = host_current;
    host_machine.events++;
    self->wait_what = what;
    self->wait_obj = obj;
    self->state = HT_BLOCKED;
    leave_cpu(self);
    self->wait_what = NULL;
    if (self->deadline == U64_MAX)
        jumps = 0;
}

bool host_block_until(const char *what, const void *obj, u64 deadline)
{
    struct host_thread *self = host_current;
    if (deadline == U64_MAX) {
        host_block(what, obj);
        return true;
    }
    if (__atomic_load_n(&host_machine.clock, __ATOMIC_RELAXED) >= deadline)
        return false;
    if (threads_mode()) { /* virtual time follows the real one in steps of 100 us */
        host_sched_unlock();
        pth_pause();
        __atomic_fetch_add(&host_machine.clock, 100000, __ATOMIC_RELAXED);
        host_sched_lock();
        make_ready(self); /* the others of this CPU first */
        leave_cpu(self);
        return true;
    }
    self->deadline = deadline;
    host_block(what, obj);
    self->deadline = U64_MAX;
    return true;
}

void host_unblock(struct host_thread *t)
{
    if (t->state == HT_BLOCKED)
        make_ready(t);
}

void sched_yield_cpu(void)
{
    struct host_thread *self = host_current;
    host_check_may_sleep("sched_yield_cpu");
    host_point_at(HOST_ANYTHING, true);
    if (host_exploring)
        return; /* to give way is a choice like others */
    host_sched_lock();
    make_ready(self); /* queued behind the others of some CPU */
    leave_cpu(self);
    host_sched_unlock();
}

void sched_cond(void)
{
    host_check_may_sleep("sched_cond");
    if (!threads_mode() && host_chance(50))
        sched_yield_cpu();
    else
        host_point();
}

void host_user_point(void)
{
    host_point_at(HOST_ANYTHING, true);
    if (!threads_mode() && host_chance(30))
        sched_yield_cpu();
}

void host_thread_move(u32 cpu)
{
    struct host_thread *self = host_current;
    host_check_may_sleep("host_thread_move");
    if (self->cpu == cpu)
        return;
    host_sched_lock();
    self->state = HT_READY;
    list_add_tail(&self->link, &host_cpus[cpu].ready);
    if (threads_mode() && !host_cpus[cpu].cur)
        panic("host_thread_move: fibers only");
    leave_cpu(self);
    host_sched_unlock();
}

bool sched_fatal_signal(void)
{
    return READ_ONCE(host_current->killed);
}

s32 sched_thread_id(void)
{
    return (s32)host_current->id;
}

bool sched_exiting(void)
{
    return false;
}

bool sched_set_memstall(bool on)
{
    bool was = host_current->memstall;
    host_current->memstall = on;
    return was;
}

bool sched_set_iowait(bool on)
{
    bool was = host_current->iowait;
    host_current->iowait = on;
    return was;
}

u32 *sched_mem_flags(void)
{
    return &host_current->mem_flags;
}

struct mm *sched_mm(void)
{
    return host_current->mm;
}

/* ---- threads ---- */

static struct host_thread *new_thread(const char *name)
{
    struct host_thread *t = calloc(1, sizeof(*t));
    if (!t)
        panic("no memory for a thread");
    snprintf(t->name, sizeof(t->name), "%s", name);
    waitq_init(&t->done_wq);
    t->deadline = U64_MAX;
    host_sched_lock();
    t->id = next_id++;
    list_add_tail(&t->all, &host_threads);
    host_sched_unlock();
    return t;
}

static void free_thread(struct host_thread *t)
{
    if (threads_mode())
        pth_destroy(t);
    else
        fiber_destroy(t);
    free(t);
}

struct host_thread *host_thread_start(int (*fn)(void *), void *arg, const char *name, u32 cpu)
{
    struct host_thread *t = new_thread(name);
    t->fn = fn;
    t->arg = arg;
    t->pkru = host_current->pkru;
    t->pinned = cpu != U32_MAX;
    t->cpu = t->pinned ? cpu : t->id % host_nr_cpus;
    if (threads_mode())
        pth_create(t);
    else
        fiber_create(t);
    host_sched_lock();
    make_ready(t);
    host_sched_unlock();
    host_point();
    return t;
}

/* Marks t ended, wakes who joins it and leaves its CPU for good. */
static void finish(struct host_thread *t)
{
    host_sched_lock();
    WRITE_ONCE(t->state, HT_DONE);
    host_wake_locked(&t->done_wq);
    leave_cpu(t);
    host_sched_unlock();
}

void host_thread_main(struct host_thread *t)
{
    t->result = t->fn(t->arg);
    if (t->nr_held || t->rcu_nest)
        panic("thread %u (%s) ends with a lock held", t->id, t->name);
    finish(t);
}

int host_thread_join(struct host_thread *t)
{
    waitq_wait(&t->done_wq, READ_ONCE(t->state) == HT_DONE);
    int result = t->result;
    if (threads_mode())
        pth_join(t);
    host_sched_lock();
    list_del(&t->all);
    host_sched_unlock();
    free_thread(t);
    return result;
}

/* The core has no call that ends a kernel thread: the machine does when it stops (host_sched_stop). */
struct kthread *kthread_start(int (*fn)(void *), void *arg, const char *name)
{
    struct host_thread *t = host_thread_start(fn, arg, name, U32_MAX);
    t->daemon = true;
    return (struct kthread *)t;
}

void host_thread_kill(struct host_thread *t)
{
    WRITE_ONCE(t->killed, true);
    host_sched_lock();
    host_unblock(t);
    host_sched_unlock();
}

void host_run_until_idle(void)
{
    struct host_thread *self = host_current;
    for (;;) {
        bool busy = false;
        for (u32 c = 0; c < host_nr_cpus; c++)
            busy |=
                (host_cpus[c].cur && host_cpus[c].cur != self) || !list_empty(&host_cpus[c].ready);
        if (!busy)
            return;
        sched_yield_cpu();
    }
}

void host_sched_start(void)
{
    list_init(&host_threads);
    host_nr_cpus = host_machine.cfg.cpus;
    for (u32 c = 0; c < NR_CPUS; c++) {
        host_cpus[c].cur = NULL;
        list_init(&host_cpus[c].ready);
        host_cpu_local[c] = NULL;
    }
    next_id = 0;
    relaxed = 0;
    jumps = 0;
    host_this_cpu = 0;
    struct host_thread *t = new_thread("main");
    t->pinned = true;
    t->state = HT_RUNNING;
    host_cpus[0].cur = t;
    host_current = t;
    if (threads_mode())
        pth_adopt_main(t);
    else
        fiber_adopt_main(t);
}

void host_sched_check_ended(void)
{
    struct host_thread *t;
    list_for_each_entry (t, &host_threads, all)
        if (t != host_current && t->state != HT_DONE && !t->daemon)
            panic("machine stopped while thread %u (%s) is alive", t->id, t->name);
}

void host_sched_stop(void)
{
    struct list_head *l, *next;
    for (l = host_threads.next; l != &host_threads; l = next) {
        next = l->next;
        struct host_thread *t = container_of(l, struct host_thread, all);
        free_thread(t);
    }
    host_current = NULL;
    host_this_cpu = 0;
}
