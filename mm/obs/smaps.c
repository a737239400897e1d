/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/smaps and smaps_rollup: what of each area is in memory, by a walk over its entries.
 *
 * Pss counts a page that n address spaces share as 1/n (mm/rmap/count.c), in units of 2^-12 bytes so that sums of many shares stay exact enough.
 */
#include <mm/obs_mm.h>
#include <mm/page.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <mm/swap.h>
#include <mm/vma.h>

#define PSS_SHIFT 12

struct sizes { /* bytes; pss: bytes << PSS_SHIFT */
    struct vma *vma;
    struct map_counter counter;
    u64 rss, shared_clean, shared_dirty, private_clean, private_dirty, referenced, anonymous,
        lazyfree, swap;
    u64 pss, pss_anon, pss_file, pss_shmem, pss_dirty, pss_locked, swap_pss;
};

static void count_page(struct sizes *z, struct page *page, u64 addr, pte_t e, u64 size)
{
    u32 mapcount = map_count(&z->counter, z->vma, addr, page, U32_MAX);
    bool dirty = pte_dirty(e) || page_test(page, PG_dirty), anon = page_is_anon(page);
    u64 pss = size << PSS_SHIFT;
    z->rss += size;
    if (anon) {
        z->anonymous += size;
        if (!page_test(page, PG_swapbacked) && !dirty)
            z->lazyfree += size;
    }
    if (pte_young(e) || page_test(page, PG_referenced))
        z->referenced += size;
    if (mapcount > 1)
        pss /= mapcount;
    z->pss += pss;
    *(anon ? &z->pss_anon : page_test(page, PG_swapbacked) ? &z->pss_shmem : &z->pss_file) += pss;
    if (dirty)
        z->pss_dirty += pss;
    if (z->vma->flags & VM_LOCKED)
        z->pss_locked += pss;
    if (mapcount > 1)
        *(dirty ? &z->shared_dirty : &z->shared_clean) += size;
    else
        *(dirty ? &z->private_dirty : &z->private_clean) += size;
}

/* An entry in a shared table is one for each of its sharers. */
static void count_swap(struct sizes *z, swp_entry_t e, u64 addr, u64 size)
{
    u32 entries = max(swap_entries(e), 1u), sharers = z->vma->mm->shares_tables ? pt_sharers(z->vma, addr) : 1;
    z->swap += size;
    z->swap_pss += (size << PSS_SHIFT) / (entries - 1 + sharers);
}

/* What of shared memory is in swap, in the part that the area shows. */
static void count_shmem_swap(struct sizes *z, const struct vma *vma)
{
    struct address_space *m = vma->mapping;
    if (!m || !m->nrswapped || !(m->flags & AS_SHMEM))
        return;
    u64 first = vma->pgoff, last = first + vma_pages(vma) - 1, pages = 0, index;
    void *entry;
    rcu_read_lock();
    xa_for_each_range(&m->pages, index, entry, first, last)
        pages += xa_is_value(entry);
    rcu_read_unlock();
    z->swap += pages << PAGE_SHIFT;
}

static int count_entry(void *ctx, u64 addr, unsigned level, pte_t e)
{
    struct sizes *z = ctx;
    if (pte_swap(e))
        count_swap(z, pte_to_swp(e), addr, pt_span(level));
    if (!pte_mapped(e) || pte_special(e) || (z->vma->flags & VM_PFNMAP))
        return 0;
    count_page(z, pfn_to_page(pte_pfn(e)), addr, e, pt_span(level));
    return 0;
}

static void count_vma(struct sizes *z, struct vma *vma)
{
    z->vma = vma;
    count_shmem_swap(z, vma);
    pt_for_each(vma->mm, vma_start(vma), vma_end(vma), count_entry, z);
}

static void put_kb(struct seq *s, const char *label, u64 bytes)
{
    size_t line = s->len;
    seq_puts(s, label);
    seq_pad_to(s, line, 15);
    seq_putc(s, ' ');
    seq_put_dec_width(s, bytes >> 10, 8);
    seq_puts(s, " kB\n");
}

static void put_sizes(struct seq *s, const struct sizes *z, bool rollup)
{
    put_kb(s, "Rss:", z->rss);
    put_kb(s, "Pss:", z->pss >> PSS_SHIFT);
    put_kb(s, "Pss_Dirty:", z->pss_dirty >> PSS_SHIFT);
    if (rollup) {
        put_kb(s, "Pss_Anon:", z->pss_anon >> PSS_SHIFT);
        put_kb(s, "Pss_File:", z->pss_file >> PSS_SHIFT);
        put_kb(s, "Pss_Shmem:", z->pss_shmem >> PSS_SHIFT);
    }
    put_kb(s, "Shared_Clean:", z->shared_clean);
    put_kb(s, "Shared_Dirty:", z->shared_dirty);
    put_kb(s, "Private_Clean:", z->private_clean);
    put_kb(s, "Private_Dirty:", z->private_dirty);
    put_kb(s, "Referenced:", z->referenced);
    put_kb(s, "Anonymous:", z->anonymous);
    put_kb(s, "KSM:", 0);
    put_kb(s, "LazyFree:", z->lazyfree);
    put_kb(s, "AnonHugePages:", 0);
    put_kb(s, "ShmemPmdMapped:", 0);
    put_kb(s, "FilePmdMapped:", 0);
    put_kb(s, "Shared_Hugetlb:", 0);
    seq_puts(s, "Private_Hugetlb:       0 kB\n");
    put_kb(s, "Swap:", z->swap);
    put_kb(s, "SwapPss:", z->swap_pss >> PSS_SHIFT);
    put_kb(s, "Locked:", z->pss_locked >> PSS_SHIFT);
}

static void put_vm_flags(struct seq *s, u64 flags)
{
    static const struct {
        u64 bit;
        const char name[3];
    } names[] = {
        {VM_READ, "rd"},        {VM_WRITE, "wr"},      {VM_EXEC, "ex"},       {VM_SHARED, "sh"},
        {VM_MAYREAD, "mr"},     {VM_MAYWRITE, "mw"},   {VM_MAYEXEC, "me"},    {VM_MAYSHARE, "ms"},
        {VM_GROWSDOWN, "gd"},   {VM_UFFD_MISSING, "um"}, {VM_PFNMAP, "pf"},   {VM_UFFD_WP, "uw"},
        {VM_LOCKED, "lo"},      {VM_IO, "io"},
        {VM_SEQ_READ, "sr"},    {VM_RAND_READ, "rr"},  {VM_DONTCOPY, "dc"},   {VM_DONTEXPAND, "de"},
        {VM_LOCKONFAULT, "lf"}, {VM_ACCOUNT, "ac"},    {VM_NORESERVE, "nr"},  {VM_HUGETLB, "ht"},
        {VM_SYNC, "sf"},        {VM_WIPEONFORK, "wf"}, {VM_DONTDUMP, "dd"},   {VM_SOFTDIRTY, "sd"},
        {VM_MIXEDMAP, "mm"},    {VM_HUGEPAGE, "hg"},   {VM_NOHUGEPAGE, "nh"}, {VM_MERGEABLE, "mg"},
        {VM_UFFD_MINOR, "ui"},  {VM_DROPPABLE, "dp"},  {VM_SEALED, "sl"},
    };
    seq_puts(s, "VmFlags: ");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (flags & names[i].bit) {
            seq_puts(s, names[i].name);
            seq_putc(s, ' ');
        }
    }
    seq_putc(s, '\n');
}

void obs_smaps(struct seq *s, struct mm *mm, const struct obs_files *files)
{
    struct obs_last last = {0};
    mmap_read_lock(mm);
    for (struct vma *v = vma_find(mm, s->cursor); v; v = vma_next(v)) {
        struct sizes z = {0};
        count_vma(&z, v);
        obs_vma_line(s, v, files, &last);
        put_kb(s, "Size:", vma_end(v) - vma_start(v));
        put_kb(s, "KernelPageSize:", PAGE_SIZE);
        put_kb(s, "MMUPageSize:", PAGE_SIZE);
        put_sizes(s, &z, false);
        seq_puts(s, "THPeligible:           0\n");
        if (pt_has_pkeys())
            seq_printf(s, "ProtectionKey:  %8u\n", vma_pkey(v));
        put_vm_flags(s, v->flags);
        if (!seq_record(s, vma_end(v)))
            break;
    }
    mmap_read_unlock(mm);
}

void obs_smaps_rollup(struct seq *s, struct mm *mm)
{
    struct sizes z = {0};
    u64 first = 0, last = 0;
    mmap_read_lock(mm);
    for (struct vma *v = vma_first(mm); v; v = vma_next(v)) {
        if (!last)
            first = vma_start(v);
        last = vma_end(v);
        count_vma(&z, v);
    }
    mmap_read_unlock(mm);
    size_t line = s->len;
    seq_put_hex(s, first, 8);
    seq_putc(s, '-');
    seq_put_hex(s, last, 8);
    seq_puts(s, " ---p 00000000 00:00 0 ");
    seq_pad_to(s, line, 72);
    seq_puts(s, " [rollup]\n");
    put_sizes(s, &z, true);
}
