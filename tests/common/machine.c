/* SPDX-License-Identifier: MIT */
/* See machine.h. */
#include "machine.h"
#include <mm/pt.h>
#include <mm/validate.h>

#define MAX_CACHES 192
#define LEFT_SIZE  160

static u64 pages_at_start;
static s64 commit_at_start;
static struct {
    const char *name;
    u64 objs;
} cache_at_start[MAX_CACHES];
static u32 nr_caches;

static void note_cache(void *ctx, const struct slab_info *info)
{
    if (nr_caches < MAX_CACHES) {
        cache_at_start[nr_caches].name = info->name;
        cache_at_start[nr_caches++].objs = info->active_objs;
    }
}

static void check_cache(void *ctx, const struct slab_info *info)
{
    char *wrong = ctx;
    u64 before = 0;
    if (!strncmp(info->name, "slab_stack", 10))
        return; /* the caches' own per-CPU stacks: made when first needed, kept */
    for (u32 i = 0; i < nr_caches; i++)
        if (!strcmp(cache_at_start[i].name, info->name))
            before = cache_at_start[i].objs;
    if (info->active_objs != before)
        snprintf(wrong, LEFT_SIZE, "slab %s: %lu objects in use, %lu at the start", info->name,
                 info->active_objs, before);
}

u64 machine_pages_used(void)
{
    s64 slab = stat_sum(NR_SLAB_RECLAIMABLE) + stat_sum(NR_SLAB_UNRECLAIMABLE);
    return phys_managed() - phys_free_all() - (u64)slab;
}

void machine_settle(void)
{
    rcu_barrier();
    rcu_barrier(); /* callbacks of callbacks: slabs that SLAB_RCU emptied */
    vmalloc_purge();
    slab_shrink_all(); /* the per-CPU stacks themselves are objects, too */
    rcu_barrier();
}

void machine_up_config(const struct host_config *cfg)
{
    if (host_machine.up) { /* an earlier test failed half-way */
        host_machine.crashed = true;
        host_machine_stop();
    }
    host_machine_start(cfg);
    host_machine_boot();
    const char *share = getenv("PAGODA_FORK_SHARE");
    if (share)
        sysctl_fork_share = strtoul(share, NULL, 0);
    vfree(vmalloc(1)); /* the kernel's page tables of the window's first 2 MiB, which stay */
    machine_settle();
    pages_at_start = machine_pages_used();
    commit_at_start = commit_total();
    nr_caches = 0;
    slab_for_each(note_cache, NULL);
    assert_machine_valid();
}

void machine_up(u32 mib, u32 cpus, u64 seed)
{
    const struct host_config cfg = {.seed = seed, .cpus = cpus, .ram = (u64)mib << 20};
    machine_up_config(&cfg);
}

const char *machine_validate(void)
{
    return mm_validate_all();
}

void assert_machine_valid(void)
{
    const char *bad = machine_validate();
    if (bad)
        fail_msg("%s (seed %lu, event %lu)", bad, host_machine.cfg.seed, host_machine.events);
}

const char *machine_left(void)
{
    static char text[LEFT_SIZE];
    host_fail_none();
    machine_settle();
    if (!list_empty(&mm_list))
        return "an address space is left";
    const char *bad = machine_validate();
    if (bad)
        return bad;
    machine_settle(); /* validators take memory, too */
    text[0] = 0;
    slab_for_each(check_cache, text);
    if (!text[0] && machine_pages_used() != pages_at_start)
        snprintf(text, sizeof(text), "%lu pages in use, %lu at the start", machine_pages_used(),
                 pages_at_start);
    if (!text[0] && commit_total() != commit_at_start)
        snprintf(text, sizeof(text), "%ld pages of commit charge, %ld at the start", commit_total(),
                 commit_at_start);
    return text[0] ? text : NULL;
}

void machine_down(void)
{
    const char *bad = machine_left();
    if (bad)
        fail_msg("%s (seed %lu, event %lu)", bad, host_machine.cfg.seed, host_machine.events);
    host_machine_stop();
}

void machine_abandon(void)
{
    host_machine_stop();
}
