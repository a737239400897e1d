/* SPDX-License-Identifier: MIT */
/*
 * /proc/sys/vm: the knobs of watermarks, write-back, swap and killing, with Linux's defaults, bounds and errors. Those of address
 * spaces (overcommit, layout) are in sysctl.c. Which of them nothing listens to yet is listed in docs/LINUX.md.
 *
 * A number and the one that says the same in another unit (bytes for a ratio) are partners: writing one sets the other to 0.
 */
#include "pfs.h"
#include <mm/oom.h>
#include <mm/phys.h>
#include <mm/reclaim.h>
#include <mm/shrinker.h>
#include <mm/stat.h>
#include <mm/swap.h>
#include <mm/writeback.h>

struct vm_knob {
    const char *name;
    u64 *value, *partner;
    u64 min, max;
};

static u64 dirtytime_expire = 43200, laptop_mode, stat_interval = 1, watermark_boost = 15000,
           page_lock_unfairness = 5, pagelist_high_fraction;

#define INT_MAX 0x7fffffffUL

static const struct vm_knob knobs[] = {
    {"dirty_background_bytes", &sysctl_dirty_background_bytes, &sysctl_dirty_background_ratio, 1, ~0UL},
    {"dirty_background_ratio", &sysctl_dirty_background_ratio, &sysctl_dirty_background_bytes, 0, 100},
    {"dirty_bytes", &sysctl_dirty_bytes, &sysctl_dirty_ratio, 2 * PAGE_SIZE, ~0UL},
    {"dirty_expire_centisecs", &sysctl_dirty_expire_centisecs, NULL, 0, INT_MAX},
    {"dirty_ratio", &sysctl_dirty_ratio, &sysctl_dirty_bytes, 0, 100},
    {"dirty_writeback_centisecs", &sysctl_dirty_writeback_centisecs, NULL, 0, INT_MAX},
    {"dirtytime_expire_seconds", &dirtytime_expire, NULL, 0, INT_MAX},
    {"laptop_mode", &laptop_mode, NULL, 0, INT_MAX},
    {"oom_dump_tasks", &sysctl_oom_dump_tasks, NULL, 0, INT_MAX},
    {"oom_kill_allocating_task", &sysctl_oom_kill_allocating_task, NULL, 0, INT_MAX},
    {"page-cluster", &sysctl_page_cluster, NULL, 0, 31},
    {"page_lock_unfairness", &page_lock_unfairness, NULL, 0, INT_MAX},
    {"panic_on_oom", &sysctl_panic_on_oom, NULL, 0, 2},
    {"stat_interval", &stat_interval, NULL, 0, INT_MAX},
    {"swappiness", &sysctl_swappiness, NULL, 0, 200},
    {"vfs_cache_pressure", &sysctl_vfs_cache_pressure, NULL, 0, INT_MAX},
    {"watermark_boost_factor", &watermark_boost, NULL, 0, INT_MAX},
};

static void show_knob(struct seq *s, void *arg)
{
    const struct vm_knob *k = arg;
    seq_put_dec(s, NULL, READ_ONCE(*k->value));
    seq_putc(s, '\n');
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next number of *text, which is left behind it. 0 or -EINVAL. */
static int next_number(const char **text, u64 *v)
{
    const char *end;
    while (is_space(**text))
        (*text)++;
    if (str_parse_u64(*text, 0, v, &end) || (*end && !is_space(*end)))
        return -EINVAL;
    *text = end;
    return 0;
}

/* 0, -EINVAL, or 1: nothing was written, nothing happens. */
static int number_within(const char *text, size_t n, u64 min, u64 max, u64 *v)
{
    if (!n)
        return 1;
    int err = next_number(&text, v);
    return err ? err : *v < min || *v > max ? -EINVAL : 0;
}

static int store_knob(const char *text, size_t n, void *arg)
{
    const struct vm_knob *k = arg;
    u64 v, old = *k->value;
    int err = number_within(text, n, k->min, k->max, &v);
    if (err)
        return min(err, 0);
    WRITE_ONCE(*k->value, v);
    if (k->partner && v != old)
        WRITE_ONCE(*k->partner, 0);
    return 0;
}

/* ---- watermarks ---- */
static int store_min_free(const char *text, size_t n, void *arg)
{
    u64 v;
    int err = number_within(text, n, 0, INT_MAX, &v);
    if (!err)
        watermark_setup(v);
    return min(err, 0);
}

static int store_scale_factor(const char *text, size_t n, void *arg)
{
    u64 v;
    int err = number_within(text, n, 1, 3000, &v);
    if (!err) {
        sysctl_watermark_scale_factor = v;
        watermark_setup(sysctl_min_free_kbytes);
    }
    return min(err, 0);
}

/* 0: the lists' own size; else a share of the zone, an eighth at most. */
static int store_high_fraction(const char *text, size_t n, void *arg)
{
    u64 v;
    int err = number_within(text, n, 0, INT_MAX, &v);
    if (!err && v && v < 8)
        err = -EINVAL;
    if (!err)
        pagelist_high_fraction = v;
    return min(err, 0);
}

static void show_number(struct seq *s, void *arg)
{
    seq_put_dec(s, NULL, READ_ONCE(*(u64 *)arg));
    seq_putc(s, '\n');
}

/* One for each zone; the last, of device memory, is always 0. */
static void show_reserve(struct seq *s, void *arg)
{
    for (unsigned k = 0; k < MAX_ZONES; k++) {
        seq_put_dec(s, NULL, sysctl_lowmem_reserve_ratio[k]);
        seq_putc(s, '\t');
    }
    seq_puts(s, "0\n");
}

static int store_reserve(const char *text, size_t n, void *arg)
{
    u64 v[MAX_ZONES];
    unsigned given = 0;
    while (given < MAX_ZONES) {
        while (is_space(*text))
            text++;
        if (!*text && given)
            break;
        if (next_number(&text, &v[given]) || v[given] > INT_MAX) {
            if (!given)
                return -EINVAL;
            break; /* those before it count */
        }
        given++;
    }
    for (unsigned k = 0; k < given; k++)
        sysctl_lowmem_reserve_ratio[k] = v[k];
    watermark_setup(sysctl_min_free_kbytes);
    return 0;
}

/* ---- actions ---- */
static int drop_caches(const char *text, size_t n, void *arg)
{
    u64 what;
    struct superblock *sb;
    int err = number_within(text, n, 1, 4, &what);
    if (err)
        return min(err, 0);
    if (what & 1) {
        mutex_lock(&sb_list_lock);
        list_for_each_entry (sb, &sb_list, link) {
            sb_drop_clean_pages(sb);
        }
        mutex_unlock(&sb_list_lock);
        stat_event(DROP_PAGECACHE);
    }
    if (what & 2) {
        shrinkers_drop_all();
        stat_event(DROP_SLAB);
    }
    return 0;
}

/* Counters are sums of what each CPU has at the moment: there is nothing to bring up to date. */
static void show_refresh(struct seq *s, void *arg)
{
}
static int store_refresh(const char *text, size_t n, void *arg)
{
    return 0;
}

void proc_sysctl_vm_register(void)
{
    static const struct proc_file files[] = {
        {"/proc/sys/vm/drop_caches", 0200, NULL, drop_caches, NULL},
        {"/proc/sys/vm/lowmem_reserve_ratio", 0644, show_reserve, store_reserve, NULL},
        {"/proc/sys/vm/min_free_kbytes", 0644, show_number, store_min_free, &sysctl_min_free_kbytes},
        {"/proc/sys/vm/percpu_pagelist_high_fraction", 0644, show_number, store_high_fraction, &pagelist_high_fraction},
        {"/proc/sys/vm/stat_refresh", 0600, show_refresh, store_refresh, NULL},
        {"/proc/sys/vm/watermark_scale_factor", 0644, show_number, store_scale_factor, &sysctl_watermark_scale_factor},
    };
    static char paths[ARRAY_SIZE(knobs)][64];
    for (size_t k = 0; k < ARRAY_SIZE(knobs); k++) {
        fmt_print(paths[k], sizeof(paths[k]), "/proc/sys/vm/%s", knobs[k].name);
        struct proc_file f = {paths[k], 0644, show_knob, store_knob, (void *)&knobs[k]};
        proc_register(&f);
    }
    for (size_t k = 0; k < ARRAY_SIZE(files); k++)
        proc_register(&files[k]);
}
