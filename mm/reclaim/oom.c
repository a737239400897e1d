/* SPDX-License-Identifier: MIT */
/*
 * Whom to kill.
 *
 *   out_of_memory ┬ the caller dies already ────────────────────── half of the reserve, once; then its allocation fails
 *                 ├ somebody else is at it (oom_lock) ──────────── wait a little, try again
 *                 ├ there are free pages above the high mark now ─ try again
 *                 ├ the allocation may fail, or is too large ───── it fails
 *                 ├ without GFP_FS ─────────────────────────────── try again: reclaim could do more for others
 *                 ├ panic_on_oom ───────────────────────────────── the machine ends
 *                 └ a victim still ends, or choose() one ───────── kill, try again
 *
 * choose() looks at every process (oom_badness): pages in memory and in swap, pages of tables, and oom_score_adj thousandths of all
 * memory; of equals the youngest goes.
 *
 * Invariants
 *  O1. While a victim lives whose mm is not MMF_OOM_SKIP nobody else is chosen. MMF_OOM_SKIP comes in a bounded time: when the mm is
 *      torn down, or the reaper is through with it or gives up.
 *  O2. The first process, kernel threads and those with OOM_SCORE_ADJ_MIN are never killed, but for the last kind when they share
 *      the mm of a victim.
 *  O3. Whoever shares the mm of a victim is killed with it; else its memory would not come back. If that is the first process
 *      the mm becomes MMF_OOM_SKIP.
 *
 * Locks: oom_lock (mutex), only ever tried by allocations. Nothing is allocated inside.
 */
#include <mm/oom.h>
#include <mm/phys.h>
#include <mm/stat.h>
#include <mm/swap.h>
#include <mm/trace.h>
#include <port/clock.h>
#include <port/log.h>
#include <port/sched.h>

#define COSTLY_ORDER 3 /* larger allocations fail rather than kill */
#define WAIT_NS      4000000UL
#define ENDING_NS    10000000000UL
#define REPORT_EVERY 5000000000UL
#define REPORT_BURST 10

u64 sysctl_panic_on_oom, sysctl_oom_kill_allocating_task, sysctl_oom_dump_tasks = 1;

static const struct oom_ops *ops;
static struct mutex oom_lock;
static struct waitq wait; /* nobody wakes it: callers wait for a time */
static struct {
    u64 since;
    u32 printed;
} reports;
static u64 last_kill; /* clock_ns; oom_lock */

const struct oom_ops *oom_home(void)
{
    return ops;
}

int oom_boot(const struct oom_ops *home)
{
    mutex_init(&oom_lock, RANK_NONE);
    waitq_init(&wait);
    int err = oom_reaper_boot();
    if (!err)
        store_release(&ops, home);
    return err;
}

void oom_stop(void)
{
    store_release(&ops, NULL);
    oom_reaper_stop();
}

/* ---- badness ---- */

u64 oom_total_pages(void)
{
    return phys_managed() + swap_total_pages();
}

s64 oom_badness(const struct oom_task *t, u64 total)
{
    if (!t->mm || t->flags & (OOM_TASK_INIT | OOM_TASK_VFORK) || t->adj == OOM_SCORE_ADJ_MIN ||
        READ_ONCE(t->mm->flags) & MMF_OOM_SKIP)
        return OOM_NEVER;
    s64 pages = (s64)(rss_total(t->mm) + rss_sum(t->mm, RSS_SWAP)) +
                READ_ONCE(t->mm->pgtables_bytes) / (s64)PAGE_SIZE;
    return pages + t->adj * (s64)(total / 1000);
}

u64 oom_score(const struct oom_task *t)
{
    u64 total = oom_total_pages();
    s64 bad = oom_badness(t, total);
    if (bad == OOM_NEVER)
        return 0;
    return (u64)((1000 + bad * 1000 / (s64)total) * 2 / 3);
}

struct choice {
    u64 total;
    bool wait;    /* a victim is about to end */
    bool ending;  /* one's mm is gone, but it has not ended: its files may still give back memory */
    bool by_hand; /* SysRq: do not wait */
    s64 points;
    struct oom_task task; /* held; process NULL: nobody yet */
};

static bool look_at(void *ctx, const struct oom_task *t)
{
    struct choice *c = ctx;
    if (t->flags & OOM_TASK_INIT)
        return false;
    if (!c->by_hand && t->victim_mm) {
        if (READ_ONCE(t->victim_mm->flags) & MMF_OOM_SKIP) {
            c->ending |= !t->mm;
            return false;
        }
        c->wait = true; /* O1 */
        return true;
    }
    s64 points = oom_badness(t, c->total);
    if (points == OOM_NEVER || points < c->points)
        return false;
    if (c->task.process)
        ops->release(&c->task);
    ops->hold(t);
    c->task = *t;
    c->points = points;
    return false;
}

/* ---- killing ---- */

struct sharers {
    const struct oom_task *of;
    bool all_die;
    bool first; /* the machine's first process is one */
};

static bool other_sharer(const struct sharers *s, const struct oom_task *t)
{
    return t->mm == s->of->mm && t->process != s->of->process;
}

static bool look_for_survivor(void *ctx, const struct oom_task *t)
{
    struct sharers *s = ctx;
    if (other_sharer(s, t) && !(t->flags & OOM_TASK_DYING))
        s->all_die = false;
    return !s->all_die;
}

/* Will its memory come back without our doing? */
static bool ends_anyway(const struct oom_task *t)
{
    struct sharers s = {.of = t, .all_die = true};
    if (!t->mm || !(t->flags & OOM_TASK_DYING) || READ_ONCE(t->mm->flags) & MMF_OOM_SKIP)
        return false;
    if (READ_ONCE(t->mm->users) > 1)
        ops->for_each(look_for_survivor, &s);
    return s.all_die;
}

static void help_to_end(const struct oom_task *t)
{
    trace_mark_victim(t);
    ops->mark(t);
    oom_reap_later(t);
}

static bool kill_sharer(void *ctx, const struct oom_task *t)
{
    struct sharers *s = ctx;
    if (!other_sharer(s, t))
        return false;
    if (t->flags & OOM_TASK_INIT) {
        s->first = true;
        log_print(LOG_INFO, "oom killer %d (%s) has mm pinned by %d (%s)\n", s->of->pid,
                  s->of->name, t->pid, t->name);
        return false;
    }
    ops->kill(t);
    return false;
}

static void kill_victim(const struct oom_task *t, const char *why)
{
    struct mm *mm = t->mm;
    struct sharers s = {.of = t};
    stat_event(OOM_KILL);
    last_kill = clock_ns();
    trace_mark_victim(t);
    ops->mark(t);
    ops->kill(t);
    log_print(LOG_ERR,
              "%s: Killed process %d (%s) total-vm:%lukB, anon-rss:%lukB, file-rss:%lukB, "
              "shmem-rss:%lukB, UID:%u "
              "pgtables:%lukB oom_score_adj:%d\n",
              why, t->pid, t->name, mm->total_vm * (PAGE_SIZE / 1024),
              rss_sum(mm, RSS_ANON) * (PAGE_SIZE / 1024),
              rss_sum(mm, RSS_FILE) * (PAGE_SIZE / 1024),
              rss_sum(mm, RSS_SHMEM) * (PAGE_SIZE / 1024), t->uid,
              (u64)READ_ONCE(mm->pgtables_bytes) >> 10, t->adj);
    ops->for_each(kill_sharer, &s); /* O3 */
    if (s.first)
        __atomic_fetch_or(&mm->flags, MMF_OOM_SKIP, __ATOMIC_RELAXED);
    else
        oom_reap_later(t);
}

/* At most so many reports in a time; what is killed is said always. */
static bool may_report(void)
{
    u64 now = clock_ns();
    if (now - reports.since > REPORT_EVERY || !reports.since) {
        reports.since = now;
        reports.printed = 0;
    }
    return reports.printed++ < REPORT_BURST;
}

static void kill_reported(const struct oom_task *t, gfp_t gfp, s32 order, const char *why)
{
    if (ends_anyway(t)) {
        help_to_end(t);
        return;
    }
    if (may_report()) {
        oom_report(gfp, order);
        oom_report_victim(t);
    }
    kill_victim(t, why);
}

/* oom_lock held. Has somebody been killed, or will end? */
static bool choose_and_kill(gfp_t gfp, s32 order, bool by_hand)
{
    struct choice c = {.total = oom_total_pages(), .by_hand = by_hand, .points = OOM_NEVER};
    ops->for_each(look_at, &c);
    if (!c.task.process && c.ending && clock_ns() - last_kill < ENDING_NS)
        c.wait = true; /* nobody is left but who ends */
    if (!c.wait && c.task.process) {
        kill_reported(&c.task, gfp, order, "Out of memory");
    } else if (!c.wait) {
        oom_report(gfp, order);
        log_print(LOG_WARN, "Out of memory and no killable processes...\n");
        if (!by_hand)
            panic("System is deadlocked on memory");
    }
    if (c.task.process)
        ops->release(&c.task);
    return c.wait || c.task.process;
}

static void check_panic(gfp_t gfp, unsigned order)
{
    if (likely(!READ_ONCE(sysctl_panic_on_oom)))
        return;
    oom_report(gfp, (s32)order);
    panic("Out of memory: %s panic_on_oom is enabled",
          READ_ONCE(sysctl_panic_on_oom) == 2 ? "compulsory" : "system-wide");
}

/* oom_lock held. */
static bool kill_somebody(gfp_t gfp, unsigned order)
{
    struct oom_task me;
    bool have = ops->current(&me);
    bool ends = have && ends_anyway(&me);
    if (ends) {
        help_to_end(&me);
    } else if (!(gfp & GFP_FS)) {
        ends = true; /* others may reclaim what this caller can't */
    } else {
        check_panic(gfp, order);
        if (READ_ONCE(sysctl_oom_kill_allocating_task) && have && !(me.flags & OOM_TASK_INIT) &&
            me.adj != OOM_SCORE_ADJ_MIN) {
            kill_reported(&me, gfp, (s32)order, "Out of memory (oom_kill_allocating_task)");
            ends = true;
        }
    }
    if (have)
        ops->release(&me);
    return ends || choose_and_kill(gfp, (s32)order, false);
}

/* Has memory come back while the caller was on its way here? */
static bool have_free_pages(gfp_t gfp, unsigned order)
{
    struct zone *z;
    enum zone_type asked = gfp_zone(gfp);
    for_each_zone (z)
        if (z->index <= asked && z->managed &&
            watermark_ok(z, order, READ_ONCE(z->watermark[WMARK_HIGH]), asked, gfp & ~GFP_MEMALLOC))
            return true;
    return false;
}

/* The caller is a victim: what it needs to end may come from the reserve, once. */
static bool use_reserve(void)
{
    u32 *flags = sched_mem_flags();
    if (*flags & THREAD_OOM_VICTIM)
        return false;
    *flags |= THREAD_OOM_VICTIM;
    return true;
}

bool out_of_memory(gfp_t gfp, unsigned order)
{
    if (!load_acquire(&ops) || order > COSTLY_ORDER || gfp & (GFP_THISNODE | GFP_NORETRY) ||
        gfp & (GFP_DMA_ZONE | GFP_DMA32_ZONE))
        return false;
    if (ops->current_is_victim())
        return use_reserve();
    if (!mutex_trylock(&oom_lock)) {
        (void)waitq_wait_until(&wait, false, clock_ns() + WAIT_NS);
        return true;
    }
    bool again = have_free_pages(gfp, order) || kill_somebody(gfp, order);
    mutex_unlock(&oom_lock);
    if (again && ops->current_is_victim())
        return use_reserve();
    if (again && !sched_fatal_signal()) /* let the victim run */
        (void)waitq_wait_until(&wait, false, clock_ns() + WAIT_NS);
    return again;
}

void oom_kill_now(void)
{
    if (!load_acquire(&ops))
        return;
    mutex_lock(&oom_lock);
    if (!choose_and_kill(GFP_KERNEL, -1, true))
        log_print(LOG_INFO, "OOM request ignored. No task eligible\n");
    mutex_unlock(&oom_lock);
}
