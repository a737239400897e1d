/* SPDX-License-Identifier: MIT */
/*
 * The reaper: takes the memory of a victim that does not come to give it back itself.
 *
 *   oom_reap_later ── 2 s ──> mmap_lock free? ── yes ──> private memory goes (mm_reap) ──> MMF_OOM_SKIP
 *                               │ no: 10 times, every 0.1 s                                    ^
 *                               └──────────────────────────────────────────────────────────────┘ with a line in the log
 *
 * A victim usually ends long before. The time is for what threads do with their memory as they end: robust futexes, whose list
 * lies in it. A torn down mm is MMF_OOM_SKIP too (mm_put).
 *
 * Invariants
 *  E1. An mm is queued at most once (MMF_OOM_REAP); the queue holds it by mm_grab, so its areas may be gone, the struct not.
 *
 * Locks: reap_lock guards the queue. mmap_lock is only tried.
 */
#include <lib/string.h>
#include <mm/oom.h>
#include <mm/trace.h>
#include <lib/errno.h>
#include <port/clock.h>
#include <port/log.h>

#define DELAY_NS 2000000000UL
#define RETRY_NS 100000000UL
#define TRIES    10

static spinlock_t reap_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);
static struct list_head queue = {&queue, &queue};
static struct waitq wait;
static u32 state;
enum { RUNNING, STOPPING, ENDED };

void oom_reap_later(const struct oom_task *t)
{
    struct mm *mm = t->mm;
    if (__atomic_fetch_or(&mm->flags, MMF_OOM_REAP, __ATOMIC_ACQ_REL) & MMF_OOM_REAP)
        return; /* E1 */
    mm_grab(mm);
    mm->oom.due = clock_ns() + DELAY_NS;
    mm->oom.pid = t->pid;
    mm->oom.tries = 0;
    str_copy(mm->oom.name, t->name, sizeof(mm->oom.name));
    spin_lock(&reap_lock);
    list_add_tail(&mm->oom.link, &queue);
    spin_unlock(&reap_lock);
    waitq_wake_all(&wait);
}

/* What nobody will want back: true when it is gone, or was before. */
static bool reap(struct mm *mm)
{
    if (READ_ONCE(mm->flags) & MMF_OOM_SKIP)
        return true;
    if (!mm_try_get(mm))
        return false; /* being torn down */
    bool done = mm_try_reap(mm);
    if (done) {
        log_print(LOG_INFO,
                  "oom_reaper: reaped process %d (%s), now anon-rss:%lukB, file-rss:%lukB, "
                  "shmem-rss:%lukB\n",
                  mm->oom.pid, mm->oom.name, rss_sum(mm, RSS_ANON) * (PAGE_SIZE / 1024),
                  rss_sum(mm, RSS_FILE) * (PAGE_SIZE / 1024),
                  rss_sum(mm, RSS_SHMEM) * (PAGE_SIZE / 1024));
        __atomic_fetch_or(&mm->flags, MMF_OOM_SKIP, __ATOMIC_RELEASE);
    }
    mm_put(mm);
    return done;
}

/* The mm that is due, off the queue, or NULL and in *next when one will be. */
static struct mm *take_due(u64 now, u64 *next)
{
    struct mm *mm, *found = NULL;
    *next = U64_MAX;
    spin_lock(&reap_lock);
    list_for_each_entry (mm, &queue, oom.link) {
        if (mm->oom.due <= now) {
            list_unlink(&mm->oom.link);
            found = mm;
            break;
        }
        *next = min(*next, mm->oom.due);
    }
    spin_unlock(&reap_lock);
    return found;
}

static void serve(struct mm *mm)
{
    if (!mm->oom.tries)
        trace_wake_reaper(mm->oom.pid);
    bool done = reap(mm);
    if (!done && ++mm->oom.tries < TRIES) {
        mm->oom.due = clock_ns() + RETRY_NS;
        spin_lock(&reap_lock);
        list_add_tail(&mm->oom.link, &queue);
        spin_unlock(&reap_lock);
        return;
    }
    if (!done) {
        log_print(LOG_INFO, "oom_reaper: unable to reap pid:%d (%s)\n", mm->oom.pid, mm->oom.name);
        __atomic_fetch_or(&mm->flags, MMF_OOM_SKIP, __ATOMIC_RELEASE);
    }
    mm_drop(mm);
}

static u64 first_due(void)
{
    u64 next;
    struct mm *mm = take_due(0, &next);
    ASSERT(!mm);
    return next;
}

static int reaper(void *arg)
{
    for (;;) {
        u64 next;
        struct mm *mm = take_due(clock_ns(), &next);
        if (mm)
            serve(mm);
        else if (next == U64_MAX && load_acquire(&state) == STOPPING)
            break;
        else
            (void)waitq_wait_until(
                &wait, first_due() < next || (next == U64_MAX && load_acquire(&state) == STOPPING),
                next);
    }
    store_release(&state, ENDED);
    waitq_wake_all(&wait);
    return 0;
}

int oom_reaper_boot(void)
{
    waitq_init(&wait);
    state = RUNNING;
    return kthread_start(reaper, NULL, "oom_reaper") ? 0 : -ENOMEM;
}

void oom_reaper_stop(void)
{
    store_release(&state, STOPPING);
    waitq_wake_all(&wait);
    waitq_wait(&wait, load_acquire(&state) == ENDED);
}
