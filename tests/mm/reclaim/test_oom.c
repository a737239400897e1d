/* SPDX-License-Identifier: MIT */
/*
 * The OOM killer over processes that the test makes up: whom it chooses and whom never, when it waits, what it says, the reaper, and
 * whole games in which threads allocate until they are killed.
 */
#include "../../common/machine.h"
#include <lib/errno.h>
#include <mm/oom.h>
#include <port/clock.h>
#include <port/log.h>
#include <port/sched.h>

#define SEC   1000000000UL
#define PROCS 8

struct proc {
    char name[16];
    struct mm *mm, *victim_mm;
    s16 adj;
    u16 flags;
    bool here, killed;
    struct host_thread *thread;
};
static struct proc procs[PROCS];
static unsigned nr_procs, nr_kills;
static struct page *taken; /* linked by next: frames that the test took so that there are none */

/* ---- the home's side ---- */
static struct oom_task task_of(struct proc *p)
{
    struct oom_task t = {.process = p,
                         .mm = p->mm,
                         .victim_mm = p->victim_mm,
                         .pid = (s32)(100 + (p - procs)),
                         .tgid = (s32)(100 + (p - procs)),
                         .uid = 1000,
                         .adj = p->adj,
                         .flags = p->flags};
    if (p->killed)
        t.flags |= OOM_TASK_DYING;
    memcpy(t.name, p->name, sizeof(t.name));
    return t;
}
static void hold(const struct oom_task *t)
{
    if (t->mm)
        mm_grab(t->mm);
}
static void release(const struct oom_task *t)
{
    if (t->mm)
        mm_drop(t->mm);
}
static void for_each(bool (*fn)(void *, const struct oom_task *), void *ctx)
{
    for (unsigned i = 0; i < nr_procs; i++) {
        if (!procs[i].here)
            continue;
        struct oom_task t = task_of(&procs[i]);
        hold(&t);
        bool stop = fn(ctx, &t);
        release(&t);
        if (stop)
            return;
    }
}
static struct proc *me(void)
{
    for (unsigned i = 0; i < nr_procs; i++)
        if (procs[i].here && procs[i].mm && procs[i].mm == sched_mm())
            return &procs[i];
    return NULL;
}
static bool current(struct oom_task *t)
{
    if (!me())
        return false;
    *t = task_of(me());
    hold(t);
    return true;
}
static void kill(const struct oom_task *t)
{
    struct proc *p = t->process;
    nr_kills++;
    p->killed = true;
    if (p->thread)
        host_thread_kill(p->thread);
}
static void mark(const struct oom_task *t)
{
    struct proc *p = t->process;
    if (!p->victim_mm) {
        p->victim_mm = t->mm;
        mm_grab(t->mm);
    }
}
static bool current_is_victim(void)
{
    return me() && me()->victim_mm;
}
static void describe(struct seq *s, char name[16], s16 *adj)
{
    memcpy(name, "tester", 7);
    *adj = 0;
    seq_puts(s, "CPU: 0 UID: 0 PID: 1 Comm: tester Not tainted");
}
static const struct oom_ops ops = {for_each, current,           hold,    release, kill,
                                   mark,     current_is_victim, describe};

static u64 nothing(unsigned node, gfp_t gfp, unsigned order)
{
    return 0;
}
static const struct reclaim_ops rops = {.reclaim = nothing, .out_of_memory = out_of_memory};

/* ---- scenes ---- */
static void start(void)
{
    machine_up(32, 2, 1);
    memset(procs, 0, sizeof(procs));
    nr_procs = nr_kills = 0;
    taken = NULL;
    assert_int_equal(oom_boot(&ops), 0);
    phys_reclaim_ops = &rops;
}

/* A process of that many pages. */
static struct proc *proc(const char *name, unsigned pages, int adj)
{
    struct proc *p = &procs[nr_procs++];
    struct mm *before = sched_mm();
    *p = (struct proc){.adj = (s16)adj, .here = true, .mm = host_mm_new()};
    snprintf(p->name, sizeof(p->name), "%s", name);
    host_mm_switch(p->mm);
    u64 at = (u64)host_mmap_anon((pages + 1) * PAGE_SIZE);
    for (unsigned i = 0; i < pages; i++)
        assert_int_equal(host_store_u8(at + i * PAGE_SIZE, 1), 0);
    host_mm_switch(before);
    return p;
}

static void exits(struct proc *p)
{
    struct mm *mm = p->mm;
    p->mm = NULL;
    if (mm)
        host_mm_exit(mm);
}

static void is_reaped(struct proc *p)
{
    exits(p);
    p->here = false;
    if (p->victim_mm)
        mm_drop(p->victim_mm);
    p->victim_mm = NULL;
}

static void take_all(void)
{
    struct page *page;
    const struct reclaim_ops *was = phys_reclaim_ops;
    phys_reclaim_ops = NULL;
    while ((page = alloc_page(GFP_NOWAIT | GFP_NOWARN | GFP_MEMALLOC))) {
        page->index = taken ? (u32)page_to_pfn(taken) : 0;
        taken = page;
    }
    phys_reclaim_ops = was;
}
static void give_back(void)
{
    while (taken) {
        struct page *page = taken;
        taken = page->index ? pfn_to_page(page->index) : NULL;
        page->index = 0;
        page_put(page);
    }
}

static void stop(void)
{
    give_back();
    for (unsigned i = 0; i < nr_procs; i++)
        is_reaped(&procs[i]);
    oom_stop();
    phys_reclaim_ops = NULL;
    assert_machine_valid();
    machine_down();
}

static void pass(u64 ns)
{
    static struct waitq q;
    waitq_init(&q);
    (void)waitq_wait_until(&q, false, clock_ns() + ns);
}

/* What the log says since. */
static void log_mark(void)
{
    log_print(LOG_INFO, "-- mark\n");
}
static bool logged(const char *what)
{
    const char *at = host_log_text(), *next;
    while ((next = strstr(at, "-- mark\n")))
        at = next + 8;
    return strstr(at, what);
}

/* ---- badness ---- */
static void badness_is_linux(void **state)
{
    start();
    u64 total = oom_total_pages();
    assert_int_equal(total, phys_managed()); /* there is no swap */
    struct proc *p = proc("p", 100, 0);
    struct oom_task t = task_of(p);
    s64 pages = (s64)rss_total(p->mm) + p->mm->pgtables_bytes / 4096;
    assert_true(pages >= 100);
    assert_int_equal(oom_badness(&t, total), pages);
    t.adj = 500;
    assert_int_equal(oom_badness(&t, total), pages + 500 * (s64)(total / 1000));
    t.adj = -999;
    assert_int_equal(oom_badness(&t, total), pages - 999 * (s64)(total / 1000));
    t.adj = -1000;
    assert_true(oom_badness(&t, total) == OOM_NEVER);
    assert_int_equal(oom_score(&t), 0);
    t.adj = 0;
    t.flags = OOM_TASK_INIT;
    assert_true(oom_badness(&t, total) == OOM_NEVER);
    t.flags = OOM_TASK_VFORK;
    assert_true(oom_badness(&t, total) == OOM_NEVER);
    t.flags = 0;
    t.mm = NULL;
    assert_true(oom_badness(&t, total) == OOM_NEVER);
    struct proc *none = proc("none", 0, 0);
    t = task_of(none);
    assert_in_range(oom_score(&t), 666, 668);
    t.adj = 1000;
    assert_in_range(oom_score(&t), 1310, 1336);
    t.adj = -999;
    assert_in_range(oom_score(&t), 0, 20);
    p->mm->flags |= MMF_OOM_SKIP;
    t = task_of(p);
    assert_true(oom_badness(&t, total) == OOM_NEVER);
    stop();
}

/* ---- who goes ---- */
static void the_largest_goes(void **state)
{
    start();
    struct proc *a = proc("small", 20, 0), *b = proc("large", 200, 0), *c = proc("middle", 100, 0);
    take_all();
    assert_true(out_of_memory(GFP_KERNEL, 0));
    assert_true(b->killed && !a->killed && !c->killed);
    assert_non_null(strstr(
        host_log_text(),
        "tester invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"));
    assert_non_null(
        strstr(host_log_text(),
               "Out of memory: Killed process 101 (large) total-vm:804kB, anon-rss:800kB, "
               "file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:"));
    assert_int_equal(stat_event_sum(OOM_KILL), 1);
    stop();
}

/* O1: nobody else until its memory is back. */
static void one_at_a_time(void **state)
{
    start();
    struct proc *a = proc("first", 200, 0), *b = proc("second", 100, 0);
    take_all();
    for (unsigned i = 0; i < 5; i++)
        assert_true(out_of_memory(GFP_KERNEL, 0));
    assert_true(a->killed && !b->killed && nr_kills == 1);
    exits(a); /* but is not waited for: its number stays */
    assert_true(procs[0].victim_mm->flags & MMF_OOM_SKIP);
    take_all();
    assert_true(out_of_memory(GFP_KERNEL, 0));
    assert_true(b->killed && nr_kills == 2);
    stop();
}

static void of_equals_the_youngest(void **state)
{
    start();
    proc("a", 50, 0);
    struct proc *b = proc("b", 50, 0);
    take_all();
    assert_true(out_of_memory(GFP_KERNEL, 0));
    assert_true(b->killed && nr_kills == 1);
    stop();
}

static void the_adjustment_decides(void **state)
{
    static const struct {
        int small, large;
        bool small_goes;
    } cases[] = {{0, 0, false},     {1000, 0, true},      {0, -1000, true},
                 {-1000, 0, false}, {-1000, -999, false}, {900, 1000, false},
                 {100, 0, true},    {0, -100, true},      {10, 0, false}};
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        start();
        struct proc *s = proc("small", 20, cases[i].small), *l = proc("large", 400, cases[i].large);
        take_all();
        assert_true(out_of_memory(GFP_KERNEL, 0));
        assert_int_equal(s->killed, cases[i].small_goes);
        assert_int_equal(l->killed, !cases[i].small_goes);
        stop();
    }
}

/* Pages of tables count as pages in memory do. */
static void tables_count(void **state)
{
    start();
    struct proc *a = proc("flat", 60, 0), *b = proc("sparse", 0, 0);
    host_mm_switch(b->mm);
    u64 at = (u64)host_mmap(0, 256UL << 20, UAPI_PROT_READ,
                            UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | UAPI_MAP_NORESERVE, NULL, 0);
    u8 v;
    for (unsigned i = 0; i < 128; i++)
        assert_int_equal(host_load_u8(at + (u64)i * (2UL << 20), &v), 0);
    host_mm_switch(NULL);
    assert_int_equal(rss_total(b->mm), 0);
    take_all();
    assert_true(out_of_memory(GFP_KERNEL, 0));
    assert_true(b->killed && !a->killed);
    stop();
}

/* ---- when nobody goes ---- */
static void not_while_there_is_memory(void **state)
{
    start();
    struct proc *a = proc("a", 50, 0);
    assert_true(out_of_memory(GFP_KERNEL, 0));
    assert_false(a->killed);
    stop();
}

static void not_for_everything(void **state)
{
    static const struct {
        gfp_t gfp;
        unsigned order;
        bool again;
    } cases[] = {{GFP_KERNEL, 4, false},
                 {GFP_KERNEL | GFP_NORETRY, 0, false},
                 {GFP_KERNEL | GFP_THISNODE, 0, false},
                 {GFP_KERNEL | GFP_DMA32_ZONE, 0, false},
                 {GFP_NOFS, 0, true},
                 {GFP_RECLAIM, 0, true}};
    start();
    struct proc *a = proc("a", 50, 0);
    take_all();
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(out_of_memory(cases[i].gfp, cases[i].order), cases[i].again);
        assert_false(a->killed);
    }
    assert_true(out_of_memory(GFP_KERNEL, 3));
    assert_true(a->killed);
    stop();
}

/* Somebody ends anyway: nobody is killed for it, and it is helped. */
static void the_dying_are_waited_for(void **state)
{
    start();
    struct proc *a = proc("dying", 50, 0), *b = proc("other", 20, 0);
    a->killed = true;
    take_all();
    assert_true(out_of_memory(GFP_KERNEL, 0));
    assert_int_equal(nr_kills, 0);
    assert_ptr_equal(a->victim_mm, a->mm);
    assert_true(a->mm->flags & MMF_OOM_REAP);
    assert_true(out_of_memory(GFP_KERNEL, 0));
    assert_false(b->killed);
    stop();
}

static void try_kill(void *arg)
{
    (void)out_of_memory(GFP_KERNEL, 0);
}

static void panics(void **state)
{
    static const struct {
        u64 knob;
        int adj;
        const char *says;
    } cases[] = {{1, 0, "Out of memory: system-wide panic_on_oom is enabled"},
                 {2, 0, "Out of memory: compulsory panic_on_oom is enabled"},
                 {0, -1000, "System is deadlocked on memory"}};
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        start();
        proc("p", 50, cases[i].adj);
        sysctl_panic_on_oom = cases[i].knob;
        take_all();
        assert_string_equal(host_catch_panic(try_kill, NULL), cases[i].says);
        assert_int_equal(nr_kills, 0);
        if (!cases[i].knob)
            assert_non_null(
                strstr(host_log_text(), "Out of memory and no killable processes...\n"));
        machine_abandon();
    }
}

/* A victim whose mm is gone still closes its files: nobody panics while that may help. */
static void the_end_of_the_last_is_waited_for(void **state)
{
    start();
    struct proc *a = proc("last", 50, 0);
    take_all();
    assert_true(out_of_memory(GFP_KERNEL, 0));
    exits(a);
    take_all();
    assert_true(out_of_memory(GFP_KERNEL, 0));
    assert_true(out_of_memory(GFP_KERNEL, 0));
    pass(11 * SEC);
    assert_string_equal(host_catch_panic(try_kill, NULL), "System is deadlocked on memory");
    machine_abandon();
}

static void by_hand(void **state)
{
    start();
    struct proc *a = proc("a", 50, 0);
    proc("b", 20, -1000);
    oom_kill_now();
    assert_true(a->killed);
    assert_non_null(strstr(host_log_text(), "gfp_mask=0xcc0(GFP_KERNEL), order=-1,"));
    is_reaped(a);
    oom_kill_now(); /* nobody is left: no panic */
    assert_non_null(strstr(host_log_text(), "OOM request ignored. No task eligible\n"));
    stop();
}

/* ---- memory that several share ---- */
static void sharers_die_together(void **state)
{
    start();
    struct proc *a = proc("a", 100, 0), *b = &procs[nr_procs++];
    *b = (struct proc){.here = true, .mm = a->mm, .name = "sharer", .adj = -1000};
    mm_get(a->mm);
    take_all();
    assert_true(out_of_memory(GFP_KERNEL, 0));
    assert_true(a->killed && b->killed); /* also who could not have been chosen */
    assert_int_equal(stat_event_sum(OOM_KILL), 1);
    stop();
}

static void what_the_first_process_shares_stays(void **state)
{
    start();
    struct proc *init = proc("init", 100, 0), *b = &procs[nr_procs++];
    init->flags = OOM_TASK_INIT;
    *b = (struct proc){.here = true, .mm = init->mm, .name = "sharer"};
    mm_get(init->mm);
    take_all();
    assert_true(out_of_memory(GFP_KERNEL, 0));
    assert_true(b->killed && !init->killed);
    assert_true(init->mm->flags & MMF_OOM_SKIP);
    assert_false(init->mm->flags & MMF_OOM_REAP);
    assert_non_null(
        strstr(host_log_text(), "oom killer 101 (sharer) has mm pinned by 100 (init)\n"));
    stop();
}

/* ---- the report ---- */
static void the_report(void **state)
{
    static const char *const lines[] = {
        "Mem-Info:\n",
        "active_anon:",
        " free:",
        "Node 0 active_anon:",
        "Node 0 DMA free:",
        "lowmem_reserve[]: ",
        "Node 0 DMA: ",
        "Node 0 hugepages_total=0 hugepages_free=0 hugepages_surp=0 hugepages_size=1048576kB\n",
        " total pagecache pages\n",
        " pages in swap cache\n",
        "Free swap  = ",
        "Total swap = ",
        " pages RAM\n",
        "0 pages HighMem/MovableOnly\n",
        " pages reserved\n",
        "Tasks state (memory values in pages):\n",
        "[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes "
        "swapents oom_score_adj name\n",
        "[    100]  1000   100       51       50       50        0         0 ",
        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/"
        ",mems_allowed=0,global_oom,task_memcg=/,task=prog,pid=100,"
        "uid=1000\n"};
    start();
    proc("prog", 50, 7);
    take_all();
    assert_true(out_of_memory(GFP_KERNEL, 0));
    const char *at = host_log_text();
    for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
        const char *found = strstr(at, lines[i]);
        if (!found)
            fail_msg("the report lacks, or has in another place: %s", lines[i]);
        at = found;
    }
    stop();
    start();
    sysctl_oom_dump_tasks = 0;
    proc("prog", 50, 7);
    take_all();
    log_mark();
    assert_true(out_of_memory(GFP_KERNEL, 0));
    assert_true(logged("Mem-Info:") && logged("task=prog") && !logged("Tasks state"));
    stop();
}

/* Ten in five seconds; kills are said always. */
static void reports_are_few(void **state)
{
    start();
    unsigned reports = 0;
    for (unsigned i = 0; i < 15; i++) {
        nr_procs = 0;
        struct proc *p = proc("p", 30, 0);
        take_all();
        log_mark();
        assert_true(out_of_memory(GFP_KERNEL, 0));
        assert_true(logged("Killed process"));
        reports += logged("invoked oom-killer");
        is_reaped(p);
        give_back();
    }
    assert_int_equal(reports, 10);
    stop();
}

/* ---- the reaper ---- */
static void the_reaper_takes_what_is_not_given(void **state)
{
    start();
    struct proc *p = proc("stuck", 300, 0);
    take_all();
    assert_true(out_of_memory(GFP_KERNEL, 0));
    pass(SEC);
    assert_int_equal(rss_sum(p->mm, RSS_ANON), 300);
    pass(2 * SEC);
    assert_int_equal(rss_sum(p->mm, RSS_ANON), 0);
    assert_true(p->mm->flags & MMF_OOM_SKIP && p->mm->flags & MMF_UNSTABLE);
    assert_non_null(strstr(
        host_log_text(),
        "oom_reaper: reaped process 100 (stuck), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB\n"));
    stop();
}

static void the_reaper_gives_up(void **state)
{
    start();
    struct proc *p = proc("locked", 300, 0), *other = proc("other", 10, 0);
    take_all();
    assert_true(out_of_memory(GFP_KERNEL, 0));
    mmap_write_lock(p->mm);
    pass(5 * SEC);
    assert_int_equal(rss_sum(p->mm, RSS_ANON), 300);
    assert_true(p->mm->flags & MMF_OOM_SKIP);
    assert_non_null(strstr(host_log_text(), "oom_reaper: unable to reap pid:100 (locked)\n"));
    assert_true(out_of_memory(GFP_KERNEL, 0)); /* so somebody else has to go */
    assert_true(other->killed);
    mmap_write_unlock(p->mm);
    stop();
}

static void the_reaper_comes_again(void **state)
{
    start();
    struct proc *p = proc("busy", 300, 0);
    take_all();
    assert_true(out_of_memory(GFP_KERNEL, 0));
    mmap_write_lock(p->mm);
    pass(2 * SEC + SEC / 2);
    mmap_write_unlock(p->mm);
    pass(SEC / 2);
    assert_int_equal(rss_sum(p->mm, RSS_ANON), 0);
    stop();
}

/* ---- a victim's own allocations ---- */
static int asks_as_victim(void *arg)
{
    struct proc *p = arg;
    host_mm_switch(p->mm);
    bool first = out_of_memory(GFP_KERNEL, 0), second = out_of_memory(GFP_KERNEL, 0);
    host_mm_switch(NULL);
    return first * 2 + second;
}

/* It may use the reserve once; then it fails, and its thread ends. */
static void a_victim_fails_fast(void **state)
{
    start();
    struct proc *p = proc("victim", 50, 0);
    take_all();
    assert_true(out_of_memory(GFP_KERNEL, 0));
    struct host_thread *t = host_thread_start(asks_as_victim, p, "victim", 1);
    assert_int_equal(host_thread_join(t), 2);
    stop();
}

/* ---- games ---- */
struct hog {
    struct proc *p;
    unsigned pages; /* touched before the end */
};

/* Touches memory until a fault fails: which only who is killed sees. */
static int hog_main(void *arg)
{
    struct hog *h = arg;
    for (;;) {
        s64 at = host_mmap(0, 1UL << 20, UAPI_PROT_READ | UAPI_PROT_WRITE,
                           UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | UAPI_MAP_NORESERVE, NULL, 0);
        if (at < 0)
            break;
        for (unsigned i = 0; i < 256; i++) {
            if (host_store_u8((u64)at + i * PAGE_SIZE, 1) || READ_ONCE(h->p->killed))
                goto out;
            h->pages++;
        }
    }
out:
    assert_true(h->p->killed);
    h->p->mm = NULL;
    return 1;
}

static void games(unsigned hogs, u64 seed)
{
    static struct hog h[PROCS];
    machine_up(32, 4, seed);
    memset(procs, 0, sizeof(procs));
    nr_procs = nr_kills = 0;
    taken = NULL;
    assert_int_equal(oom_boot(&ops), 0);
    phys_reclaim_ops = &rops;
    sysctl_overcommit_memory = 1;
    struct proc *calm = proc("calm", 20, 0);
    for (unsigned i = 0; i < hogs; i++) {
        struct proc *p = proc("hog", 0, 0);
        h[i] = (struct hog){.p = p};
        struct mm *mm = p->mm;
        p->thread = host_user_thread(mm, hog_main, &h[i], "hog");
        mm_put(mm); /* the thread's is the last */
    }
    for (unsigned i = 0; i < hogs; i++)
        assert_int_equal(host_thread_join(h[i].p->thread), 1);
    assert_false(calm->killed);
    assert_true(nr_kills >= hogs);
    assert_true(h[hogs - 1].pages + h[0].pages > 1000);
    stop();
}

static void one_hog(void **state)
{
    for (u64 seed = 1; seed < 6; seed++)
        games(1, seed);
}
static void several_hogs(void **state)
{
    for (u64 seed = 1; seed < 12; seed++)
        games(2 + seed % 5, seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(badness_is_linux),
        cmocka_unit_test(the_largest_goes),
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(of_equals_the_youngest),
        cmocka_unit_test(the_adjustment_decides),
        cmocka_unit_test(tables_count),
        cmocka_unit_test(not_while_there_is_memory),
        cmocka_unit_test(not_for_everything),
        cmocka_unit_test(the_dying_are_waited_for),
        cmocka_unit_test(panics), cmocka_unit_test(the_end_of_the_last_is_waited_for),
        cmocka_unit_test(by_hand),
        cmocka_unit_test(sharers_die_together),
        cmocka_unit_test(what_the_first_process_shares_stays),
        cmocka_unit_test(the_report),
        cmocka_unit_test(reports_are_few),
        cmocka_unit_test(the_reaper_takes_what_is_not_given),
        cmocka_unit_test(the_reaper_gives_up),
        cmocka_unit_test(the_reaper_comes_again),
        cmocka_unit_test(a_victim_fails_fast),
        cmocka_unit_test(one_hog),
        cmocka_unit_test(several_hogs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
