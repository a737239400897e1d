/* SPDX-License-Identifier: MIT */
/* The frame of a storm: processes, workers, forks, rounds, and the end at which everything must have come back. */
#include <host/swap.h>
#include <mm/reclaim.h>
#include "storm_internal.h"
#include <mm/pt.h>
#include <port/log.h>
#include <stdarg.h>

struct storm storm;

void storm_fail(const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    panic("storm: %s", text);
}

/* A word in the shared files' pages for a new worker, holding what its last owner wrote; MAX_SLOTS when all are taken. */
static u32 take_slot(void)
{
    u32 slot = 0;
    spin_lock(&storm.lock);
    while (slot < MAX_SLOTS && storm.slot_used[slot])
        slot++;
    if (slot < MAX_SLOTS)
        storm.slot_used[slot] = true;
    spin_unlock(&storm.lock);
    return slot;
}

static void give_slot(u32 slot)
{
    spin_lock(&storm.lock);
    storm.slot_used[slot] = false;
    spin_unlock(&storm.lock);
}

static u32 nr_children(void)
{
    spin_lock(&storm.lock);
    u32 n = storm.nr_children;
    spin_unlock(&storm.lock);
    return n;
}

static int worker_main(void *arg);

/* A child with this worker's slice, and a worker for it. */
static void do_fork(struct worker *w)
{
    int err;
    if (w->depth >= storm.cfg.fork_depth || nr_children() >= ARRAY_SIZE(storm.child) - 64)
        return;
    u32 slot = take_slot();
    if (slot == MAX_SLOTS)
        return;
    struct mm *mm = host_fork(&err);
    if (!storm.cfg.threads)
        log_print(LOG_DEBUG, "worker %u: fork of worker %u: %d", w->slot, slot, err);
    if (!mm) {
        give_slot(slot);
        storm_check(err == -12 && (storm.cfg.fail_permille || storm.cfg.tight), "fork: %d", err);
        return;
    }
    struct worker *c = malloc(sizeof(*c));
    *c = *w;
    c->mm = mm;
    c->slot = slot;
    c->churn = calloc(COMMON_PAGES, sizeof(*c->churn));
    c->depth = w->depth + 1;
    rand_init(&c->rand, rand_next(&w->rand));
    struct host_thread *t = host_user_thread(mm, worker_main, c, "child");
    host_mm_exit(mm); /* the child's thread has its own reference */
    spin_lock(&storm.lock);
    storm.stats.forks++;
    storm.child[storm.nr_children] = t;
    storm.nr_children++;
    spin_unlock(&storm.lock);
}

static int worker_main(void *arg)
{
    struct worker *w = arg;
    bool child = w->depth > 0;
    u32 steps = child ? storm.cfg.steps / (w->depth + 1) : storm.cfg.steps;
    if (child)
        storm_check_slice(w);
    for (u32 i = 0; i < steps; i++) {
        if (!storm_step(w))
            do_fork(w);
        if (storm.cfg.validate_each_step) {
            const char *bad = machine_validate();
            storm_check(!bad, "%s", bad);
        }
    }
    storm_check_slice(w);
    if (child) {
        give_slot(w->slot);
        free(w->churn);
        free(w);
    }
    return 0;
}

static void set_up(const struct storm_config *cfg)
{
    struct host_config machine = {
        .seed = cfg->seed,
        .cpus = cfg->cpus,
        .ram = (u64)cfg->ram_mib << 20,
        .threads = cfg->threads,
        .levels = cfg->levels,
        .switch_permille = cfg->switch_permille ? cfg->switch_permille : 50,
    };
    if (cfg->two_nodes) {
        u64 half = machine.ram / 2;
        machine.nodes = machine.nr_ranges = 2;
        machine.ranges[0] = (struct mem_range){0, half, 0, MEM_FREE};
        machine.ranges[1] = (struct mem_range){3 * half, half, 1, MEM_FREE};
        for (u32 c = 0; c < NR_CPUS; c++)
            machine.cpu_node[c] = c & 1;
    }
    machine_up_config(&machine);
    if (!getenv("PAGODA_FORK_SHARE"))
        sysctl_fork_share = cfg->fork_share;
    memset(&storm, 0, sizeof(storm));
    storm.cfg = *cfg;
    spin_init(&storm.lock, RANK_NONE);
    storm.constant = host_file_new(FILE_PAGES * PAGE_SIZE, false);
    for (u32 i = 0; i < NR_SHARED_FILES; i++)
        storm.shared[i] =
            host_file_new(FILE_PAGES * PAGE_SIZE, i + PK_SHARED_FILE == PK_SHARED_FILE);
    mutex_init(&storm.cut_mutex, RANK_INODE);
    rwsem_init(&storm.swap_lock, RANK_KERNEL);
    if (cfg->swap_pages)
        storm_swap_on();
    for (u32 i = 0; i < FILE_PAGES; i++) {
        u64 word = storm_constant(i);
        memcpy(storm.constant->disk + i * PAGE_SIZE, &word, 8);
        memcpy(storm.constant->disk + (i + 1) * PAGE_SIZE - 8, &word, 8);
    }
}

static void join_children(void)
{
    for (u32 i = 0; i < nr_children(); i++) /* grows while children fork */
        host_thread_join(storm.child[i]);
    storm.nr_children = 0;
}

static void set_failures(bool on)
{
    if (on && storm.cfg.fail_permille) {
        host_fail_chance(FAIL_PAGE_ALLOC, storm.cfg.fail_permille);
        host_fail_chance(FAIL_SLAB_ALLOC, storm.cfg.fail_permille);
    } else {
        host_fail_none();
    }
}

void storm_check_device(u32 slot, u32 file_page)
{
    u64 word, want = storm.slot_value[PK_DISK_FILE - PK_SHARED_FILE][slot][file_page];
    memcpy(&word,
           storm.shared[PK_DISK_FILE - PK_SHARED_FILE]->disk + file_page * PAGE_SIZE + 8 * slot, 8);
    storm_check(word == want, "device page %u slot %u: %#lx, expected %#lx", file_page, slot, word,
                want);
}

/* After a write-back the device holds what the workers wrote. */
static void check_device(void)
{
    struct host_file *f = storm.shared[PK_DISK_FILE - PK_SHARED_FILE];
    assert_int_equal(cache_sync(&f->mapping, 0, FILE_PAGES * PAGE_SIZE - 1), 0);
    for (u32 page = 0; page < FILE_PAGES; page++)
        for (u32 slot = 0; slot < MAX_SLOTS; slot++)
            storm_check_device(slot, page);
}

static void validate_file(struct host_file *f)
{
    const char *bad = mapping_validate(&f->mapping);
    if (bad)
        fail_msg("%s (seed %lu)", bad, storm.cfg.seed);
}

/* Reclaim without need: what can go, goes, at any moment. */
static struct squeezer {
    struct host_thread *thread;
    bool stop;
} squeezer;

static int squeeze(void *arg)
{
    while (!READ_ONCE(squeezer.stop)) {
        host_core_enter();
        phys_reclaim_ops->reclaim(0, GFP_HIGHUSER_MOVABLE, 0);
        host_core_exit();
        for (unsigned i = 0; i < 20 && !READ_ONCE(squeezer.stop); i++)
            sched_yield_cpu();
    }
    return 0;
}

static void squeeze_begin(void)
{
    assert_int_equal(reclaim_start(), 0);
}

static void squeeze_round(bool on)
{
    WRITE_ONCE(squeezer.stop, !on);
    if (on)
        squeezer.thread = host_thread_start(squeeze, NULL, "squeeze", U32_MAX);
    else
        host_thread_join(squeezer.thread);
}

static void squeeze_end(void)
{
    storm.stats.reclaimed = stat_event_sum(PGSTEAL_DIRECT);
    phys_reclaim_ops = NULL;
}

struct storm_stats storm_run(const struct storm_config *cfg)
{
    u32 n = cfg->processes * cfg->workers;
    set_up(cfg);
    if (cfg->squeeze)
        squeeze_begin();
    struct mm **mm = calloc(cfg->processes, sizeof(*mm));
    struct worker **w = calloc(n, sizeof(*w));
    struct host_thread **t = calloc(n, sizeof(*t));
    for (u32 i = 0; i < cfg->processes; i++) {
        mm[i] = host_mm_new();
        assert_non_null(mm[i]);
        host_mm_switch(mm[i]);
        storm_map_common();
        host_mm_switch(NULL);
    }
    for (u32 i = 0; i < n; i++) {
        w[i] = calloc(1, sizeof(**w));
        w[i]->mm = mm[i / cfg->workers];
        w[i]->slice = i % cfg->workers;
        w[i]->churn = w[i]->slice ? w[i - 1]->churn : calloc(COMMON_PAGES, sizeof(struct churn));
        w[i]->slot = take_slot();
        rand_init(&w[i]->rand, cfg->seed * 1000 + i);
    }
    for (u32 round = 0; round < cfg->rounds; round++) {
        set_failures(true);
        if (cfg->squeeze)
            squeeze_round(true);
        for (u32 i = 0; i < n; i++)
            t[i] = host_user_thread(w[i]->mm, worker_main, w[i], "worker");
        for (u32 i = 0; i < n; i++)
            host_thread_join(t[i]);
        join_children();
        if (cfg->squeeze)
            squeeze_round(false);
        set_failures(false);
        assert_machine_valid();
        validate_file(storm.constant);
        for (u32 i = 0; i < NR_SHARED_FILES; i++)
            validate_file(storm.shared[i]);
    }
    for (u32 i = 0; i < cfg->processes; i++)
        host_mm_exit(mm[i]);
    if (cfg->squeeze)
        squeeze_end();
    if (storm.swap.area)
        assert_int_equal(host_swap_off(&storm.swap), 0);
    check_device();
    host_file_put(storm.constant);
    for (u32 i = 0; i < NR_SHARED_FILES; i++)
        host_file_put(storm.shared[i]);
    for (u32 i = 0; i < n; i++) {
        if (!w[i]->slice)
            free(w[i]->churn);
        free(w[i]);
    }
    free(w);
    free(t);
    free(mm);
    machine_down();
    return storm.stats;
}
