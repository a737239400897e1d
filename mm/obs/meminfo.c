/* SPDX-License-Identifier: MIT */
/* /proc/meminfo and /sys/devices/system/node/nodeN/meminfo. */
#include <mm/obs.h>
#include <mm/phys.h>
#include <mm/slab.h>
#include <mm/stat.h>
#include <mm/swap.h>
#include <mm/vma.h>
#include <port/mmu.h>
#include <port/pte.h>

#define PAGE_KB (PAGE_SIZE / 1024)

/* "Name:   value kB" with the value ending in column 24, as Linux aligns it. Without a format: programs read this often. */
static void put_kb(struct seq *s, const char *name, u64 kb)
{
    size_t line = s->len;
    seq_puts(s, name);
    seq_pad_to(s, line, 16);
    seq_put_dec_width(s, kb, 8 - (u32)min(s->len - line - 16, 8UL));
    seq_puts(s, " kB\n");
}

static void put_pages(struct seq *s, const char *name, u64 pages)
{
    put_kb(s, name, pages * PAGE_KB);
}

static void put_stat(struct seq *s, const char *name, enum node_stat item)
{
    put_pages(s, name, (u64)stat_sum(item));
}

/*
 * Bytes of the linear map of RAM by size of the leaf, as found in the kernel's own tables: found[level]. Looked for once: it is
 * made at boot and stays.
 */
static void count_direct_map(u64 found[4])
{
    static u64 kept[4];
    if (READ_ONCE(kept[1]) | READ_ONCE(kept[2]) | READ_ONCE(kept[3])) {
        for (unsigned level = 1; level <= 3; level++)
            found[level] = READ_ONCE(kept[level]);
        return;
    }
    const struct mem_range *r;
    size_t n = mem_ranges(&r);
    for (size_t i = 0; i < n; i++) {
        u64 va = (u64)(uptr)phys_to_virt(r[i].base), end = va + r[i].size;
        while (va < end) {
            const pte_t *table = phys_to_virt(mmu_kernel_root());
            unsigned level = pt_levels();
            pte_t e = pte_load(&table[pt_index(va, level)]);
            while (level > 1 && pte_present(e) && !pte_huge(e)) {
                table = phys_to_virt(pte_pfn(e) << PAGE_SHIFT);
                e = pte_load(&table[pt_index(va, --level)]);
            }
            if (pte_present(e) && level <= 3)
                found[level] += min(pt_span(level), end - va);
            va = ALIGN_DOWN(va, pt_span(level)) + pt_span(level);
        }
    }
    for (unsigned level = 1; level <= 3; level++)
        WRITE_ONCE(kept[level], found[level]);
}

/* Memory of the core's per-CPU data. */
static u64 percpu_kb(void)
{
    struct zone *z;
    u64 bytes = cpu_nr_possible() * sizeof(struct mm_cpu);
    for_each_zone (z)
        for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++)
            for (unsigned k = 0; k < NR_PCPS; k++)
                bytes += sizeof(struct pcp) + z->pcp[cpu][k]->high * sizeof(u32);
    return bytes >> 10;
}

static void put_lru(struct seq *s)
{
    u64 anon_a = (u64)stat_sum(NR_ACTIVE_ANON), anon_i = (u64)stat_sum(NR_INACTIVE_ANON);
    u64 file_a = (u64)stat_sum(NR_ACTIVE_FILE), file_i = (u64)stat_sum(NR_INACTIVE_FILE);
    put_pages(s, "Active:", anon_a + file_a);
    put_pages(s, "Inactive:", anon_i + file_i);
    put_pages(s, "Active(anon):", anon_a);
    put_pages(s, "Inactive(anon):", anon_i);
    put_pages(s, "Active(file):", file_a);
    put_pages(s, "Inactive(file):", file_i);
    put_stat(s, "Unevictable:", NR_UNEVICTABLE);
    put_stat(s, "Mlocked:", NR_MLOCK);
}

static void put_zeros(struct seq *s, const char *const *names, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        put_kb(s, names[i], 0);
}

static void put_huge_and_map(struct seq *s)
{
    static const char *const absent[] = {
        "HardwareCorrupted:", "AnonHugePages:", "ShmemHugePages:", "ShmemPmdMapped:",
        "FileHugePages:",     "FilePmdMapped:", "Unaccepted:"};
    static const char *const pools[] = {
        "HugePages_Total:", "HugePages_Free:", "HugePages_Rsvd:", "HugePages_Surp:"};
    u64 direct[4] = {0};
    for (unsigned i = 0; i < ARRAY_SIZE(absent); i++)
        put_kb(s, absent[i], 0);
    for (unsigned i = 0; i < ARRAY_SIZE(pools); i++)
        seq_printf(s, "%-16s%8u\n", pools[i], 0);
    put_kb(s, "Hugepagesize:", 0); /* what programs take for "there are none" */
    put_kb(s, "Hugetlb:", 0);
    count_direct_map(direct);
    put_kb(s, "DirectMap4k:", direct[1] >> 10);
    put_kb(s, "DirectMap2M:", direct[2] >> 10);
    put_kb(s, "DirectMap1G:", direct[3] >> 10);
}

void proc_text_meminfo(struct seq *s)
{
    static const char *const swap[] = {"Zswap:", "Zswapped:"};
    static const char *const rare[] = {
        "SecPageTables:", "NFS_Unstable:", "Bounce:", "WritebackTmp:"};
    struct vmalloc_stats v;
    u64 slab_r = (u64)stat_sum(NR_SLAB_RECLAIMABLE), slab_u = (u64)stat_sum(NR_SLAB_UNRECLAIMABLE);
    vmalloc_stats(&v);
    put_pages(s, "MemTotal:", phys_managed());
    put_pages(s, "MemFree:", phys_free());
    put_pages(s, "MemAvailable:", phys_available());
    put_stat(s, "Buffers:", NR_BUFFERS);
    put_pages(s, "Cached:", (u64)(stat_sum(NR_FILE_PAGES) - stat_sum(NR_BUFFERS)));
    put_stat(s, "SwapCached:", NR_SWAPCACHE);
    put_lru(s);
    put_pages(s, "SwapTotal:", swap_total_pages());
    put_pages(s, "SwapFree:", (u64)max(swap_free_pages(), 0L));
    put_zeros(s, swap, ARRAY_SIZE(swap));
    put_stat(s, "Dirty:", NR_FILE_DIRTY);
    put_stat(s, "Writeback:", NR_WRITEBACK);
    put_stat(s, "AnonPages:", NR_ANON_MAPPED);
    put_stat(s, "Mapped:", NR_FILE_MAPPED);
    put_stat(s, "Shmem:", NR_SHMEM);
    put_pages(s, "KReclaimable:", slab_r);
    put_pages(s, "Slab:", slab_r + slab_u);
    put_pages(s, "SReclaimable:", slab_r);
    put_pages(s, "SUnreclaim:", slab_u);
    put_kb(s, "KernelStack:", (u64)stat_sum(NR_KERNEL_STACK_KB));
    put_stat(s, "PageTables:", NR_PAGETABLE);
    put_zeros(s, rare, ARRAY_SIZE(rare));
    put_pages(s, "CommitLimit:", commit_limit());
    put_pages(s, "Committed_AS:", (u64)max(commit_total(), 0L));
    seq_printf(s, "VmallocTotal:   %8lu kB\n", (v.total_bytes - 1) >> 10);
    put_pages(s, "VmallocUsed:", v.used_pages + v.cached_pages);
    put_kb(s, "VmallocChunk:", 0);
    put_kb(s, "Percpu:", percpu_kb());
    put_huge_and_map(s);
}

/* One line of a node's text; pages < 0 and kB given as such. */
static void node_kb(struct seq *s, unsigned node, const char *name, u64 kb)
{
    seq_printf(s, "Node %u %-16s%8lu kB\n", node, name, kb);
}

static void node_stat(struct seq *s, unsigned node, const char *name, enum node_stat item)
{
    node_kb(s, node, name, (u64)stat_node_sum(node, item) * PAGE_KB);
}

void sys_text_node_meminfo(struct seq *s, unsigned node)
{
    static const char *const rare[] = {
        "SecPageTables:", "NFS_Unstable:", "Bounce:", "WritebackTmp:"};
    static const char *const huge[] = {"AnonHugePages:", "ShmemHugePages:", "ShmemPmdMapped:",
                                       "FileHugePages:", "FilePmdMapped:",  "Unaccepted:"};
    static const char *const pools[] = {"HugePages_Total:", "HugePages_Free:", "HugePages_Surp:"};
    u64 total = 0, free = 0;
    s64 anon_a = stat_node_sum(node, NR_ACTIVE_ANON),
        anon_i = stat_node_sum(node, NR_INACTIVE_ANON);
    s64 file_a = stat_node_sum(node, NR_ACTIVE_FILE),
        file_i = stat_node_sum(node, NR_INACTIVE_FILE);
    s64 slab_r = stat_node_sum(node, NR_SLAB_RECLAIMABLE),
        slab_u = stat_node_sum(node, NR_SLAB_UNRECLAIMABLE);
    for (unsigned k = 0; k < MAX_ZONES; k++) {
        total += nodes[node]->zone[k].managed;
        free += READ_ONCE(nodes[node]->zone[k].nr_free);
    }
    node_kb(s, node, "MemTotal:", total * PAGE_KB);
    node_kb(s, node, "MemFree:", free * PAGE_KB);
    node_kb(s, node, "MemUsed:", (total - free) * PAGE_KB);
    node_stat(s, node, "SwapCached:", NR_SWAPCACHE);
    node_kb(s, node, "Active:", (u64)(anon_a + file_a) * PAGE_KB);
    node_kb(s, node, "Inactive:", (u64)(anon_i + file_i) * PAGE_KB);
    node_kb(s, node, "Active(anon):", (u64)anon_a * PAGE_KB);
    node_kb(s, node, "Inactive(anon):", (u64)anon_i * PAGE_KB);
    node_kb(s, node, "Active(file):", (u64)file_a * PAGE_KB);
    node_kb(s, node, "Inactive(file):", (u64)file_i * PAGE_KB);
    node_stat(s, node, "Unevictable:", NR_UNEVICTABLE);
    node_stat(s, node, "Mlocked:", NR_MLOCK);
    node_stat(s, node, "Dirty:", NR_FILE_DIRTY);
    node_stat(s, node, "Writeback:", NR_WRITEBACK);
    node_stat(s, node, "FilePages:", NR_FILE_PAGES);
    node_stat(s, node, "Mapped:", NR_FILE_MAPPED);
    node_stat(s, node, "AnonPages:", NR_ANON_MAPPED);
    node_stat(s, node, "Shmem:", NR_SHMEM);
    node_kb(s, node, "KernelStack:", (u64)stat_node_sum(node, NR_KERNEL_STACK_KB));
    node_stat(s, node, "PageTables:", NR_PAGETABLE);
    for (unsigned i = 0; i < ARRAY_SIZE(rare); i++)
        node_kb(s, node, rare[i], 0);
    node_kb(s, node, "KReclaimable:", (u64)slab_r * PAGE_KB);
    node_kb(s, node, "Slab:", (u64)(slab_r + slab_u) * PAGE_KB);
    node_kb(s, node, "SReclaimable:", (u64)slab_r * PAGE_KB);
    node_kb(s, node, "SUnreclaim:", (u64)slab_u * PAGE_KB);
    for (unsigned i = 0; i < ARRAY_SIZE(huge); i++)
        node_kb(s, node, huge[i], 0);
    for (unsigned i = 0; i < ARRAY_SIZE(pools); i++)
        seq_printf(s, "Node %u %-16s%6u\n", node, pools[i], 0);
}
