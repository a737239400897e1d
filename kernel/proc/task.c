/* SPDX-License-Identifier: MIT */
/*
 * Memory of threads and processes, references, credentials, kernel threads.
 *
 * References of a struct task: one while it runs (dropped by the thread that runs after its end), one while it is in the pid
 * table. Of a struct process: one per task, one while it is in the table (until it is reaped).
 * Tasks and processes are freed after a grace period.
 */
#include "proc.h"
#include <arch/trap.h>
#include <kernel/ptrace.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <port/clock.h>
#include <port/log.h>
#include <port/task.h>

static struct slab_cache *task_cache, *process_cache, *sighand_cache;
static size_t task_fpu_off;

#define CAP_ALL ((1UL << 41) - 1)
struct cred root_cred = {
    .refs = 1, .user = &root_user, .cap_effective = CAP_ALL, .cap_permitted = CAP_ALL, .cap_bounding = CAP_ALL};
struct process kernel_process = {
    .refs = 1,
    .threads = LIST_HEAD_INIT(kernel_process.threads),
    .children = LIST_HEAD_INIT(kernel_process.children),
    .signal = {.pending.queue = LIST_HEAD_INIT(kernel_process.signal.pending.queue)}};
struct process *init_process;
static struct sighand kernel_sighand = {.refs = 1, .ignored = ~0UL};

void task_boot(void)
{
    task_fpu_off = ALIGN_UP(sizeof(struct task), 64UL);
    task_cache =
        slab_cache_create("task_struct", task_fpu_off + ALIGN_UP(arch_fpu_size(), 64UL), 64, 0);
    process_cache = slab_cache_create("signal_cache", sizeof(struct process), 64, 0);
    sighand_cache = slab_cache_create("sighand_cache", sizeof(struct sighand), 64, 0);
    if (!task_cache || !process_cache || !sighand_cache)
        panic("no memory for the first thread");
}

static void init_lists(struct task *t)
{
    list_init(&t->signal.pending.queue);
    list_init(&t->thread.run_link);
    list_init(&t->thread_link);
    ptrace_init_task(t);
}

struct task *task_alloc(void)
{
    struct task *t = slab_alloc(task_cache, GFP_KERNEL);
    if (!t)
        return NULL;
    memset(t, 0, sizeof(*t));
    t->refs = 1;
    t->thread.ctx.fpu = (char *)t + task_fpu_off;
    t->thread.ctx.fpu_cpu = U32_MAX;
    init_lists(t);
    return t;
}

void task_free_unstarted(struct task *t)
{
    if (t->thread.kstack)
        kstack_free(t->thread.kstack);
    if (t->cred)
        cred_put(t->cred);
    slab_free(task_cache, t);
}

static void chld_hold(struct sigqueue *q)
{
    process_get(container_of(q, struct process, chld));
}
static void chld_release(struct sigqueue *q)
{
    process_put(container_of(q, struct process, chld));
}

struct process *process_alloc(void)
{
    struct process *p = slab_alloc(process_cache, GFP_KERNEL);
    if (!p)
        return NULL;
    memset(p, 0, offsetof(struct process, exe_path) + 1);
    p->refs = 1;
    p->chld.hold = chld_hold;
    p->chld.release = chld_release;
    list_init(&p->children);
    list_init(&p->sibling);
    list_init(&p->threads);
    list_init(&p->all_link);
    list_init(&p->signal.pending.queue);
    waitq_init(&p->signal.child_wait);
    waitq_init(&p->signal.signalfd_wait);
    waitq_init(&p->signal.group_wait);
    return p;
}

struct process *process_get(struct process *p)
{
    __atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
    return p;
}

static void process_free_rcu(struct rcu_head *h)
{
    struct process *p = container_of(h, struct process, rcu);
    if (p->oom_mm)
        mm_drop(p->oom_mm);
    slab_free(process_cache, p);
}

void process_put(struct process *p)
{
    if (__atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) == 0)
        rcu_call(&p->rcu, process_free_rcu);
}

struct task *task_get(struct task *t)
{
    __atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
    return t;
}

static void task_free_rcu(struct rcu_head *h)
{
    struct task *t = container_of(h, struct task, rcu);
    if (t->sighand)
        sighand_put(t->sighand);
    cred_put(t->cred);
    kfree(t->thread.ctx.debug);
    if (t->process != &kernel_process)
        process_put(t->process);
    slab_free(task_cache, t);
}

void task_put(struct task *t)
{
    if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) == 0)
        rcu_call(&t->rcu, task_free_rcu);
}

struct mm *task_get_mm(struct task *t)
{
    u64 flags =
        spin_lock_irqsave(&t->process->lock); /* task_drop_mm() and exec change t->mm under it */
    struct mm *mm = t->thread.kthread ? NULL : t->mm;
    if (mm && !mm_try_get(mm))
        mm = NULL;
    spin_unlock_irqrestore(&t->process->lock, flags);
    return mm;
}

struct mm *process_get_mm(struct process *p)
{
    struct mm *mm = NULL;
    struct task *t;
    u64 flags = spin_lock_irqsave(&p->lock);
    list_for_each_entry (t, &p->threads, thread_link) {
        if (t->mm && !t->thread.kthread && mm_try_get(t->mm)) {
            mm = t->mm;
            break;
        }
    }
    spin_unlock_irqrestore(&p->lock, flags);
    return mm;
}

struct cred *cred_get(struct cred *c)
{
    __atomic_fetch_add(&c->refs, 1, __ATOMIC_RELAXED);
    return c;
}

static void cred_free_rcu(struct rcu_head *h)
{
    struct cred *c = container_of(h, struct cred, rcu);
    user_put(c->user);
    kfree(c);
}

void cred_put(struct cred *c)
{
    if (__atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) == 0)
        rcu_call(&c->rcu, cred_free_rcu);
}

struct cred *cred_copy(const struct cred *c)
{
    struct cred *n = kmalloc(sizeof(*n), GFP_KERNEL);
    if (n) {
        *n = *c;
        n->refs = 1;
        user_get(n->user);
    }
    return n;
}

bool task_capable(int cap)
{
    return capable(cap);
}

u64 task_limit(const struct mm *mm, enum task_limit which)
{
    const struct process *p = current_process();
    (void)mm; /* another's, when it is reached by process_vm_writev or ptrace */
    switch (which) {
    case TASK_LIMIT_AS: return rlimit_cur(p, RLIMIT_AS);
    case TASK_LIMIT_DATA: return rlimit_cur(p, RLIMIT_DATA);
    case TASK_LIMIT_DATA_MAX: return p->rlim[RLIMIT_DATA].max;
    case TASK_LIMIT_STACK: return rlimit_cur(p, RLIMIT_STACK);
    case TASK_LIMIT_MEMLOCK: return rlimit_cur(p, RLIMIT_MEMLOCK);
    }
    return U64_MAX;
}

void task_account_dirtied(u64 bytes)
{
    current_task()->io_write_bytes += bytes;
}

bool task_personality_seen;

bool task_personality_read_exec(void)
{
    return current_task()->personality & READ_IMPLIES_EXEC;
}

bool capable(int cap)
{
    return current_task()->cred->cap_effective >> cap & 1;
}

struct sighand *sighand_alloc(void)
{
    struct sighand *s = slab_alloc(sighand_cache, GFP_KERNEL);
    if (s) {
        memset(s, 0, sizeof(*s));
        s->refs = 1;
        for (int sig = 1; sig <= NSIG; sig++)
            if (sig_is_ignored_default(sig))
                s->ignored |= sig_bit(sig);
    }
    return s;
}

struct sighand *sighand_copy(struct sighand *from)
{
    struct sighand *s = slab_alloc(sighand_cache, GFP_KERNEL);
    if (s) {
        memcpy(s, from, sizeof(*s));
        s->refs = 1;
    }
    return s;
}

void sighand_put(struct sighand *s)
{
    if (s != &kernel_sighand && __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) == 0)
        slab_free(sighand_cache, s);
}

static void kthread_main(void *arg)
{
    struct task *t = arg;
    t->thread.fn(t->thread.arg);
    sched_exit();
}

struct kthread *kthread_start(int (*fn)(void *), void *arg, const char *name)
{
    struct task *t = task_alloc();
    if (!t)
        return NULL;
    t->thread.kstack = kstack_alloc();
    if (!t->thread.kstack) {
        slab_free(task_cache, t);
        return NULL;
    }
    t->thread.ctx.fpu = NULL;
    t->thread.kthread = true;
    t->thread.fn = fn;
    t->thread.arg = arg;
    t->thread.affinity = CPUMASK_ALL;
    t->thread.slice = 4000000;
    t->process = &kernel_process;
    t->cred = cred_get(&root_cred);
    t->sighand = &kernel_sighand;
    t->signal.blocked = ~0UL;
    t->start_ns = clock_ns();
    str_copy(t->comm, name, sizeof(t->comm));
    arch_thread_init(&t->thread.ctx, (u64)t->thread.kstack + THREAD_STACK_SIZE, kthread_main, t);
    sched_start(t);
    return (struct kthread *)t;
}

u32 *sched_mem_flags(void)
{
    return &current_task()->thread.mem_flags;
}

struct mm *sched_mm(void)
{
    return current_task()->mm;
}

s32 sched_thread_id(void)
{
    return current_task()->tid;
}

bool sched_exiting(void)
{
    return current_task()->exiting;
}

bool sched_fatal_signal(void)
{
    return fatal_signal_pending();
}

const char *kernel_thread_name(int *pid)
{
    struct task *t = current_task();
    *pid = t ? t->tid : 0;
    return t ? t->comm : "?";
}
