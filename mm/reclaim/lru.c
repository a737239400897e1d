/* SPDX-License-Identifier: MIT */
/*
 * Membership of the lruvec, and the end of a page.
 *
 *   flags                          list                      gauge
 *   swapbacked          (active)   LRU_INACTIVE_ANON (+1)    NR_INACTIVE_ANON (+1)
 *   not swapbacked      (active)   LRU_INACTIVE_FILE (+1)    NR_INACTIVE_FILE (+1)
 *   unevictable                    LRU_UNEVICTABLE           NR_UNEVICTABLE
 *
 *   last reference dropped ──> off its list ──> free (which clears flags and owner)
 *
 * Invariants
 *  L1. PG_lru is set exactly while the page is on a list, namely the one that its flags name, of the shard that its frame
 *      number names; both change only under that shard's lock.
 *  L2. A page whose references have reached 0 is touched by nobody but the one who dropped the last: finders use
 *      page_try_get(), walkers of the list too.
 *
 * Locks: lru_shard.lock, in runs: 64 consecutive frames share a shard, so a batch takes it once per run.
 */
#include <mm/lru.h>
#include <mm/stat.h>
#include <port/log.h>

BUILD_ASSERT((int)NR_ACTIVE_ANON - (int)NR_INACTIVE_ANON == (int)LRU_ACTIVE_ANON);
BUILD_ASSERT((int)NR_UNEVICTABLE - (int)NR_INACTIVE_ANON == (int)LRU_UNEVICTABLE);

static inline struct lru_shard *shard_of(const struct page *page)
{
    return &nodes[page_node(page)]->lruvec.shard[page_to_pfn(page) / 64 % LRU_SHARDS];
}

static inline enum lru_list list_of(u32 flags)
{
    unsigned active = (flags >> PG_active) & 1;
    if (unlikely(flags & (1u << PG_unevictable)))
        return LRU_UNEVICTABLE;
    return (flags & (1u << PG_swapbacked) ? LRU_INACTIVE_ANON : LRU_INACTIVE_FILE) + active;
}

static inline void count(struct mm_cpu *cpu, const struct page *page, enum lru_list list, s64 n)
{
    cpu->node_stat[page_node(page)][NR_INACTIVE_ANON + list] += n;
}

void lru_add(struct page *page)
{
    struct lru_shard *shard = shard_of(page);
    enum lru_list list = list_of(READ_ONCE(page->flags));
    spin_lock(&shard->lock);
    page_set(page, PG_lru);
    page_list_add(&shard->list[list], page);
    spin_unlock(&shard->lock);
    count(cpu_local(), page, list, 1);
}

void lru_remove(struct page *page)
{
    struct lru_shard *shard = shard_of(page);
    spin_lock(&shard->lock);
    ASSERT(page_test(page, PG_lru));
    enum lru_list list = list_of(READ_ONCE(page->flags));
    page_clear(page, PG_lru);
    page_list_remove(&shard->list[list], page);
    spin_unlock(&shard->lock);
    count(cpu_local(), page, list, -1);
}

static void activate(struct page *page)
{
    struct lru_shard *shard = shard_of(page);
    struct mm_cpu *cpu = cpu_local();
    spin_lock(&shard->lock);
    u32 flags = READ_ONCE(page->flags);
    if ((flags & (1u << PG_lru)) && !(flags & (1u << PG_active | 1u << PG_unevictable))) {
        enum lru_list list = list_of(flags);
        page_list_remove(&shard->list[list], page);
        page_set(page, PG_active);
        page_list_add(&shard->list[list + 1], page);
        count(cpu, page, list, -1);
        count(cpu, page, list + 1, 1);
        cpu->event[PGACTIVATE]++;
    }
    spin_unlock(&shard->lock);
}

void lru_mark_accessed(struct page *page)
{
    u32 flags = READ_ONCE(page->flags);
    if (!(flags & (1u << PG_referenced))) {
        page_set(page, PG_referenced);
    } else if (!(flags & (1u << PG_active | 1u << PG_unevictable)) && (flags & (1u << PG_lru))) {
        activate(page);
        page_clear(page, PG_referenced);
    }
}

void page_free_last(struct page *page)
{
    u32 flags = page->flags;
    ASSERT(!(flags & (1u << PG_locked | 1u << PG_writeback | 1u << PG_slab | 1u << PG_table)));
    if (flags & (1u << PG_lru))
        lru_remove(page);
    free_pages(page, unlikely(flags & (1u << PG_head)) ? page_order(page) : 0);
}

/* Takes a page of no references off its list; *locked is the shard whose lock is held. */
static inline void leave_lru(struct mm_cpu *cpu, struct page *page, u32 flags, struct lru_shard **locked)
{
    struct lru_shard *shard = shard_of(page);
    enum lru_list list = list_of(flags);
    if (shard != *locked) {
        if (*locked)
            spin_unlock(&(*locked)->lock);
        *locked = shard;
        spin_lock(&shard->lock);
    }
    page_list_remove(&shard->list[list], page);
    count(cpu, page, list, -1);
}

void page_put_batch(struct page **pages, unsigned n)
{
    struct mm_cpu *cpu = cpu_local();
    struct lru_shard *locked = NULL;
    unsigned nr = 0;

    for (unsigned i = 0; i < n; i++) {
        struct page *page = pages[i];
        if (__atomic_sub_fetch(&page->refcount, 1, __ATOMIC_ACQ_REL) != 0)
            continue;
        u32 flags = page->flags;
        if (unlikely(flags & (1u << PG_head))) {
            if (locked)
                spin_unlock(&locked->lock);
            locked = NULL;
            page_free_last(page);
            continue;
        }
        if (flags & (1u << PG_lru)) {
            leave_lru(cpu, page, flags, &locked);
            WRITE_ONCE(page->flags, flags & ~(1u << PG_lru)); /* the rest is cleared when it is freed */
        }
        pages[nr++] = page;
    }
    if (locked)
        spin_unlock(&locked->lock);
    if (nr)
        free_page_batch(pages, nr);
}
