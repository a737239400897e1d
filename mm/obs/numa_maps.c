/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/numa_maps: one line for each area, the pages of it that are mapped and the nodes they are on. There is one policy,
 * "default".
 *
 *   start default [file=PATH|heap|stack] [anon= dirty= mapped= mapmax= active= writeback= N0= ... kernelpagesize_kB=4]
 */
#include <mm/obs_mm.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <mm/vma.h>

struct gathered {
    struct vma *vma;
    struct map_counter counter;
    u64 pages, anon, dirty, active, writeback, mapcount_max;
    u64 node[MAX_NODES];
};

static int gather_entry(void *ctx, u64 addr, unsigned level, pte_t e)
{
    struct gathered *g = ctx;
    if (!pte_mapped(e) || pte_special(e) || g->vma->flags & VM_PFNMAP)
        return 0;
    struct page *page = pfn_to_page(pte_pfn(e));
    if (!page_is_anon(page) && !page_mapping(page))
        return 0; /* the kernel's own, such as the vdso's */
    u64 count = map_count(&g->counter, g->vma, addr, page, U32_MAX);
    g->pages++;
    g->anon += page_is_anon(page);
    g->dirty += pte_dirty(e) || page_test(page, PG_dirty);
    g->active += page_test(page, PG_active) || page_test(page, PG_unevictable);
    g->writeback += page_test(page, PG_writeback);
    g->mapcount_max = max(g->mapcount_max, count);
    g->node[page_node(page)]++;
    return 0;
}

static void put_counts(struct seq *s, const struct gathered *g)
{
    if (g->anon)
        seq_put_dec(s, " anon=", g->anon);
    if (g->dirty)
        seq_put_dec(s, " dirty=", g->dirty);
    if (g->pages != g->anon && g->pages != g->dirty)
        seq_put_dec(s, " mapped=", g->pages);
    if (g->mapcount_max > 1)
        seq_put_dec(s, " mapmax=", g->mapcount_max);
    if (g->active < g->pages)
        seq_put_dec(s, " active=", g->active);
    if (g->writeback)
        seq_put_dec(s, " writeback=", g->writeback);
    for (unsigned n = 0; n < MAX_NODES; n++) {
        if (!g->node[n])
            continue;
        seq_put_dec(s, " N", n);
        seq_put_dec(s, "=", g->node[n]);
    }
    seq_put_dec(s, " kernelpagesize_kB=", PAGE_SIZE >> 10);
}

/* The name that begins at from loses its blanks, tabs and equals signs to "\\040" and the like, as the line is made of words. */
static void escape(struct seq *s, size_t from)
{
    size_t n = 0, len = s->len;
    for (size_t i = from; i < len; i++)
        n += s->buf[i] == ' ' || s->buf[i] == '\t' || s->buf[i] == '=';
    if (s->overflow || len + 3 * n > s->size) {
        s->overflow = true;
        return;
    }
    s->len = len + 3 * n;
    for (size_t i = len; n && i-- > from;) {
        u8 c = (u8)s->buf[i];
        char *to = &s->buf[i + 3 * n];
        if (c == ' ' || c == '\t' || c == '=') {
            n--;
            to -= 3;
            *to++ = '\\';
            *to++ = '0';
            *to++ = (char)('0' + (c >> 3));
            c = (u8)('0' + (c & 7));
        }
        *to = (char)c;
    }
}

static void put_backing(struct seq *s, const struct vma *v, const struct obs_files *files)
{
    const struct mm *mm = v->mm;
    if (v->file) {
        seq_puts(s, " file=");
        size_t from = s->len;
        files->name(s, v);
        escape(s, from);
    } else if (v->mapping && v->ops && v->ops->name) {
        seq_puts(s, " file=");
        size_t from = s->len;
        seq_puts(s, v->ops->name((struct vma *)v));
        escape(s, from);
    } else if (vma_start(v) < mm->brk && vma_end(v) > mm->start_brk) {
        seq_puts(s, " heap");
    } else if (vma_start(v) <= mm->start_stack && vma_end(v) >= mm->start_stack) {
        seq_puts(s, " stack");
    }
}

void obs_numa_maps(struct seq *s, struct mm *mm, const struct obs_files *files)
{
    mmap_read_lock(mm);
    for (struct vma *v = vma_find(mm, s->cursor); v; v = vma_next(v)) {
        struct gathered g = {.vma = v};
        pt_for_each(mm, vma_start(v), vma_end(v), gather_entry, &g);
        seq_put_hex(s, vma_start(v), 8);
        seq_puts(s, " default");
        put_backing(s, v, files);
        if (g.pages)
            put_counts(s, &g);
        seq_putc(s, '\n');
        if (!seq_record(s, vma_end(v)))
            break;
    }
    mmap_read_unlock(mm);
}
