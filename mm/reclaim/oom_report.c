/* SPDX-License-Identifier: MIT */
/*
 * What the log says when memory has run out, line for line in the words of Linux 6.12, which people's scripts look for:
 *
 *   NAME invoked oom-killer: gfp_mask=..., order=..., oom_score_adj=...     who asked for what
 *   CPU: ... Comm: NAME ...
 *   Mem-Info: ...                                                            oom_show_mem(): machine, nodes, zones, free blocks
 *   Unreclaimable slab info: ...                                             if that is more than what could be reclaimed
 *   Tasks state (memory values in pages): ...                                oom_dump_tasks
 *   oom-kill:constraint=...,task=NAME,pid=...,uid=...                        oom_report_victim()
 *
 * What features would count that are absent reads 0, as in /proc/meminfo. Nothing is allocated.
 */
#include <mm/obs.h>
#include <mm/oom.h>
#include <mm/phys.h>
#include <mm/reclaim.h>
#include <mm/slab.h>
#include <mm/stat.h>
#include <mm/swap.h>
#include <port/log.h>

#define KB(pages) ((u64)(pages) * (PAGE_SIZE / 1024))

static u64 gauge(enum node_stat s)
{
    return (u64)stat_sum(s);
}

static u64 pcp_all(const struct zone *z)
{
    struct zone_counts c;
    zone_counts(z, &c);
    return c.pcp_pages;
}

/* One line each, though Linux has all eight in one record: so each bears its time. */
static void machine(void)
{
    log_print(LOG_WARN, "active_anon:%lu inactive_anon:%lu isolated_anon:%lu\n",
              gauge(NR_ACTIVE_ANON), gauge(NR_INACTIVE_ANON), gauge(NR_ISOLATED_ANON));
    log_print(LOG_WARN, " active_file:%lu inactive_file:%lu isolated_file:%lu\n",
              gauge(NR_ACTIVE_FILE), gauge(NR_INACTIVE_FILE), gauge(NR_ISOLATED_FILE));
    log_print(LOG_WARN, " unevictable:%lu dirty:%lu writeback:%lu\n", gauge(NR_UNEVICTABLE),
              gauge(NR_FILE_DIRTY), gauge(NR_WRITEBACK));
    log_print(LOG_WARN, " slab_reclaimable:%lu slab_unreclaimable:%lu\n",
              gauge(NR_SLAB_RECLAIMABLE), gauge(NR_SLAB_UNRECLAIMABLE));
    log_print(LOG_WARN, " mapped:%lu shmem:%lu pagetables:%lu\n", gauge(NR_FILE_MAPPED),
              gauge(NR_SHMEM), gauge(NR_PAGETABLE));
    log_print(LOG_WARN, " sec_pagetables:%u bounce:%u\n", 0, 0);
    log_print(LOG_WARN, " kernel_misc_reclaimable:%u\n", 0);
    log_print(LOG_WARN, " free:%lu free_pcp:%lu free_cma:%u\n", phys_free(),
              phys_free_all() - phys_free(), 0);
}

static u64 of_node(unsigned node, enum node_stat s)
{
    return KB(stat_node_sum(node, s));
}

static void node_line(unsigned n)
{
    log_print(LOG_WARN,
              "Node %u active_anon:%lukB inactive_anon:%lukB active_file:%lukB inactive_file:%lukB "
              "unevictable:%lukB "
              "isolated(anon):%lukB isolated(file):%lukB mapped:%lukB dirty:%lukB writeback:%lukB "
              "shmem:%lukB "
              "shmem_thp:%ukB shmem_pmdmapped:%ukB anon_thp:%ukB writeback_tmp:%ukB "
              "kernel_stack:%lukB pagetables:%lukB "
              "sec_pagetables:%ukB all_unreclaimable? %s\n",
              n, of_node(n, NR_ACTIVE_ANON), of_node(n, NR_INACTIVE_ANON),
              of_node(n, NR_ACTIVE_FILE), of_node(n, NR_INACTIVE_FILE), of_node(n, NR_UNEVICTABLE),
              of_node(n, NR_ISOLATED_ANON), of_node(n, NR_ISOLATED_FILE), of_node(n, NR_FILE_MAPPED),
              of_node(n, NR_FILE_DIRTY),
              of_node(n, NR_WRITEBACK), of_node(n, NR_SHMEM), 0, 0, 0, 0,
              (u64)stat_node_sum(n, NR_KERNEL_STACK_KB), of_node(n, NR_PAGETABLE), 0,
              reclaim_node_given_up(n) ? "yes" : "no");
}

static u64 of_zone(const struct zone *z, enum node_stat s)
{
    return KB(stat_zone_lru((unsigned)z->node * MAX_ZONES + z->index, s));
}

/* Write-back and locked memory are counted by node: the last zone with memory stands for them. */
static bool stands_for_node(const struct zone *z)
{
    for (unsigned k = z->index + 1u; k < MAX_ZONES; k++)
        if (nodes[z->node]->zone[k].managed)
            return false;
    return true;
}

static void zone_lines(const struct zone *z)
{
    char reserve[96];
    struct seq s;
    u64 pending = 0, mlocked = 0, local = 0;
    if (stands_for_node(z)) {
        pending = of_node(z->node, NR_FILE_DIRTY) + of_node(z->node, NR_WRITEBACK);
        mlocked = of_node(z->node, NR_MLOCK);
    }
    for (unsigned k = 0; k < NR_PCPS; k++)
        local += READ_ONCE(z->pcp[cpu_id()][k]->count);
    log_print(
        LOG_WARN,
        "Node %u %s free:%lukB boost:%ukB min:%lukB low:%lukB high:%lukB reserved_highatomic:%uKB "
        "active_anon:%lukB "
        "inactive_anon:%lukB active_file:%lukB inactive_file:%lukB unevictable:%lukB "
        "writepending:%lukB present:%lukB "
        "managed:%lukB mlocked:%lukB bounce:%ukB free_pcp:%lukB local_pcp:%lukB free_cma:%ukB\n",
        (unsigned)z->node, zone_name(z->index), KB(READ_ONCE(z->nr_free)), 0,
        KB(z->watermark[WMARK_MIN]), KB(z->watermark[WMARK_LOW]), KB(z->watermark[WMARK_HIGH]), 0,
        of_zone(z, NR_ACTIVE_ANON), of_zone(z, NR_INACTIVE_ANON), of_zone(z, NR_ACTIVE_FILE),
        of_zone(z, NR_INACTIVE_FILE), of_zone(z, NR_UNEVICTABLE), pending, KB(z->present),
        KB(z->managed), mlocked, 0, KB(pcp_all(z)), KB(local), 0);
    seq_init(&s, reserve, sizeof(reserve));
    for (unsigned j = 0; j < MAX_ZONES; j++)
        seq_put_dec(&s, " ", z->lowmem_reserve[j]);
    seq_put_dec(&s, " ",
                z->lowmem_reserve[MAX_ZONES - 1]); /* as /proc/zoneinfo: a zone of device memory */
    log_print(LOG_WARN, "lowmem_reserve[]:%.*s\n", (int)s.len, reserve);
}

static void free_blocks(struct zone *z)
{
    static const char letters[NR_MIGRATE_TYPES] = {
        [MIGRATE_UNMOVABLE] = 'U', [MIGRATE_MOVABLE] = 'M', [MIGRATE_RECLAIMABLE] = 'E'};
    char line[360];
    struct seq s;
    u64 pages = 0;
    seq_init(&s, line, sizeof(line));
    for (unsigned order = 0; order <= MAX_ORDER; order++) {
        char types[NR_MIGRATE_TYPES + 1] = "";
        unsigned nr_types = 0;
        u64 blocks = 0;
        for (unsigned t = 0; t < NR_MIGRATE_TYPES; t++) {
            u64 n = zone_free_blocks(z, order, t);
            blocks += n;
            if (n)
                types[nr_types++] = letters[t];
        }
        pages += blocks << order;
        seq_printf(&s, "%lu*%lukB ", blocks, KB(1UL << order));
        if (blocks)
            seq_printf(&s, "(%s) ", types);
    }
    log_print(LOG_WARN, "Node %u %s: %.*s= %lukB\n", (unsigned)z->node, zone_name(z->index),
              (int)s.len, line, KB(pages));
}

void oom_show_mem(void)
{
    struct zone *z;
    log_print(LOG_WARN, "Mem-Info:\n");
    machine();
    for (unsigned n = 0; n < nr_nodes; n++) {
        node_line(n);
        for (unsigned k = 0; k < MAX_ZONES; k++)
            if (nodes[n]->zone[k].managed)
                zone_lines(&nodes[n]->zone[k]);
    }
    for_each_zone (z)
        if (z->managed)
            free_blocks(z);
    for (unsigned n = 0; n < nr_nodes; n++)
        for (unsigned long kb = 1UL << 20; kb >= 1UL << 11; kb >>= 9)
            log_print(LOG_WARN,
                      "Node %u hugepages_total=%u hugepages_free=%u hugepages_surp=%u "
                      "hugepages_size=%lukB\n",
                      n, 0, 0, 0, kb);
    log_print(LOG_WARN, "%lu total pagecache pages\n", gauge(NR_FILE_PAGES));
    log_print(LOG_WARN, "%lu pages in swap cache\n", gauge(NR_SWAPCACHE));
    log_print(LOG_WARN, "Free swap  = %lukB\n", KB(max(swap_free_pages(), 0L)));
    log_print(LOG_WARN, "Total swap = %lukB\n", KB(swap_total_pages()));
    u64 present = phys_present(), movable = 0;
    for_each_zone (z)
        if (z->index == ZONE_MOVABLE)
            movable += z->present;
    log_print(LOG_WARN, "%lu pages RAM\n", present);
    log_print(LOG_WARN, "%lu pages HighMem/MovableOnly\n", movable);
    log_print(LOG_WARN, "%lu pages reserved\n", present - phys_managed());
    log_print(LOG_WARN, "%u pages hwpoisoned\n", 0);
}

static void slab_line(void *ctx, const struct slab_info *i)
{
    if (i->num_objs)
        log_print(LOG_INFO, "%-17s %10luKB %10luKB\n", i->name,
                  (i->active_objs * i->obj_size) >> 10, (i->num_objs * i->obj_size) >> 10);
}

static void slabs(void)
{
    u64 lru = gauge(NR_ACTIVE_ANON) + gauge(NR_INACTIVE_ANON) + gauge(NR_ACTIVE_FILE) +
              gauge(NR_INACTIVE_FILE) + gauge(NR_ISOLATED_ANON) + gauge(NR_ISOLATED_FILE) +
              gauge(NR_UNEVICTABLE);
    if (gauge(NR_SLAB_UNRECLAIMABLE) <= lru)
        return;
    log_print(LOG_INFO, "Unreclaimable slab info:\n");
    log_print(LOG_INFO, "Name                      Used          Total\n");
    slab_for_each(slab_line, NULL);
}

static bool task_line(void *ctx, const struct oom_task *t)
{
    const struct mm *mm = t->mm;
    if (!mm || t->flags & OOM_TASK_INIT)
        return false;
    log_print(LOG_INFO, "[%7d] %5u %5d %8lu %8lu %8lu %8lu %9lu %8ld %8lu         %5d %s\n", t->pid,
              t->uid, t->tgid, mm->total_vm, rss_total(mm), rss_sum(mm, RSS_ANON),
              rss_sum(mm, RSS_FILE), rss_sum(mm, RSS_SHMEM), READ_ONCE(mm->pgtables_bytes),
              rss_sum(mm, RSS_SWAP), t->adj, t->name);
    return false;
}

static void tasks(void)
{
    log_print(LOG_INFO, "Tasks state (memory values in pages):\n");
    log_print(LOG_INFO, "[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem "
                        "pgtables_bytes swapents "
                        "oom_score_adj name\n");
    oom_home()->for_each(task_line, NULL);
}

void oom_report(gfp_t gfp, s32 order)
{
    char who[200], name[16], mode[200];
    struct seq s;
    s16 adj = 0;
    seq_init(&s, who, sizeof(who));
    oom_home()->describe_current(&s, name, &adj);
    gfp_text(gfp, mode, sizeof(mode));
    log_print(LOG_WARN, "%s invoked oom-killer: gfp_mask=%#x(%s), order=%d, oom_score_adj=%d\n",
              name, gfp_linux(gfp), mode, order, adj);
    log_print(LOG_WARN, "%.*s\n", (int)s.len, who);
    oom_show_mem();
    slabs();
    if (READ_ONCE(sysctl_oom_dump_tasks))
        tasks();
}

void oom_report_victim(const struct oom_task *t)
{
    char nodes_allowed[16];
    if (nr_nodes > 1)
        fmt_print(nodes_allowed, sizeof(nodes_allowed), "0-%u", nr_nodes - 1);
    else
        fmt_print(nodes_allowed, sizeof(nodes_allowed), "0");
    log_print(LOG_INFO,
              "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/"
              ",mems_allowed=%s,global_oom,task_memcg=/,task=%s,pid=%d,"
              "uid=%u\n",
              nodes_allowed, t->name, t->pid, t->uid);
}
