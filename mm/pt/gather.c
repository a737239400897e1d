/* SPDX-License-Identifier: MIT */
/*
 * The gather: pages and tables whose entries are gone, kept until no CPU can use a translation to them.
 *
 *   entries emptied ──> pages[120] -> chunk of 511 -> chunk ...   ──> flush ──> references dropped, tables freed
 *                       tables, linked by page->next
 *   shared table unlinked ──> shared[32]                        ──> flush ──> reference dropped: as long as we hold it no
 *                                                                             other sharer frees what our CPUs still see
 *
 * Invariants
 *  G1. Between an entry's end and the release of its page lies a flush of its address.
 *  G2. The newest array is the one that next and limit point into; the older ones are full.
 *
 * Locks: none of its own. It may flush under pt_lock or i_mmap_lock; it never sleeps.
 */
#include "pt_internal.h"
#include <mm/lru.h>
#include <port/log.h>

struct gather_chunk {
    struct gather_chunk *older;
    struct page *pages[PAGE_SIZE / sizeof(void *) - 1];
};
BUILD_ASSERT(sizeof(struct gather_chunk) == PAGE_SIZE);
#define CHUNK_PAGES ARRAY_SIZE(((struct gather_chunk *)0)->pages)

static void reset(struct gather *g)
{
    g->start = U64_MAX;
    g->end = 0;
    g->freed_tables = false;
    g->nr_chunks = g->nr_shared = 0;
    g->next = g->pages;
    g->limit = g->pages + GATHER_BATCH;
    g->chunks = NULL;
    g->tables = NULL;
}

void gather_begin(struct gather *g, struct mm *mm, bool full_mm)
{
    g->mm = mm;
    g->full_mm = full_mm;
    g->floor = full_mm ? 0 : U64_MAX;
    g->ceiling = full_mm ? U64_MAX : 0;
    reset(g);
}

void gather_more(struct gather *g)
{
    struct page *page = NULL;
    if (g->nr_chunks < GATHER_CHUNKS)
        page = alloc_page(GFP_NOWAIT | GFP_NOWARN);
    if (!page) {
        gather_flush(g);
        return;
    }
    struct gather_chunk *chunk = page_to_virt(page);
    chunk->older = g->chunks;
    g->chunks = chunk;
    g->nr_chunks++;
    g->next = chunk->pages;
    g->limit = chunk->pages + CHUNK_PAGES;
}

void gather_table(struct gather *g, struct page *table)
{
    ASSERT(table->mapcount == 0);
    table->next = g->tables ? (u32)page_to_pfn(g->tables) : 0;
    g->tables = table;
    g->freed_tables = true;
}

void gather_shared(struct gather *g, struct page *table, u64 base, u64 span)
{
    g->shared[g->nr_shared++] = table;
    g->freed_tables = true;
    gather_range(g, base, base + span);
    if (g->nr_shared == GATHER_SHARED)
        gather_flush(g);
}

static void flush_tlb(struct gather *g)
{
    if (g->full_mm)
        tlb_flush_tables(g->mm, 0, U64_MAX);
    else if (g->freed_tables)
        tlb_flush_tables(g->mm, g->start, g->end);
    else
        tlb_flush_range(g->mm, g->start, g->end);
}

static void release_pages(struct gather *g)
{
    struct gather_chunk *chunk;
    while ((chunk = g->chunks)) {
        g->chunks = chunk->older;
        page_put_batch(chunk->pages, (unsigned)(g->next - chunk->pages));
        free_pages(virt_to_page(chunk), 0);
        /* The next older array is full. */
        g->next = g->chunks ? g->chunks->pages + CHUNK_PAGES : g->pages + GATHER_BATCH;
    }
    if (g->next != g->pages)
        page_put_batch(g->pages, (unsigned)(g->next - g->pages));
}

static void release_tables(struct gather *g)
{
    struct page *table, *next;
    for (table = g->tables; table; table = next) {
        next = table->next ? pfn_to_page(table->next) : NULL;
        pt_table_free(g->mm, table);
    }
    for (unsigned i = 0; i < g->nr_shared; i++)
        pt_table_put(g->shared[i]);
}

void gather_flush(struct gather *g)
{
    if (g->start < g->end)
        flush_tlb(g);
    release_pages(g);
    release_tables(g);
    reset(g);
}

void gather_end(struct gather *g)
{
    gather_flush(g);
}
