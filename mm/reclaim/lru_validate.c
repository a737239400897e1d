/* SPDX-License-Identifier: MIT */
/* L1 of mm/reclaim/lru.c, for every list of every shard of every node, and the gauges against the lists. */
#include <mm/lru.h>
#include <mm/stat.h>

static const char *check_page(const struct page *page, unsigned node, unsigned shard,
                              enum lru_list list)
{
    u32 flags = page->flags;
    enum lru_list want = LRU_INACTIVE_FILE;
    if (!(flags & (1u << PG_lru)))
        return "page on an LRU list without PG_lru";
    if (page->refcount <= 0)
        return "free page on an LRU list";
    if (page_node(page) != node || lru_shard_of(page, flags) != &nodes[node]->lruvec.shard[shard])
        return "page on the LRU list of another shard";
    if (flags & (1u << PG_swapbacked))
        want = LRU_INACTIVE_ANON;
    if (flags & (1u << PG_active))
        want++;
    if (flags & (1u << PG_unevictable))
        want = LRU_UNEVICTABLE;
    return want == list ? NULL : "page on an LRU list that its flags don't name";
}

static const char *check_list(struct lru_shard *s, unsigned node, unsigned shard,
                              enum lru_list list)
{
    const struct page_list *l = &s->list[list];
    u64 nr = 0;
    u32 prev = 0;
    for (u32 pfn = l->head; pfn; pfn = pfn_to_page(pfn)->next) {
        const struct page *page = pfn_to_page(pfn);
        const char *err = check_page(page, node, shard, list);
        if (err)
            return err;
        if (page->prev != prev || nr == l->nr)
            return "LRU list is badly linked";
        prev = pfn;
        nr++;
    }
    return l->tail == prev && l->nr == nr ? NULL : "LRU list's tail or length is wrong";
}

/* K1 of mm/reclaim/mlock.c */
static u64 count_mlocked(const struct page_list *l)
{
    u64 n = 0;
    for (u32 pfn = l->head; pfn; pfn = pfn_to_page(pfn)->next)
        n += page_test(pfn_to_page(pfn), PG_mlocked);
    return n;
}

const char *lru_validate(void)
{
    for (unsigned n = 0; n < nr_nodes; n++) {
        u64 sum[NR_LRU_LISTS] = {0}, mlocked = 0;
        for (unsigned i = 0; i <= LRU_SHARDS; i++) {
            struct lru_shard *s = &nodes[n]->lruvec.shard[i];
            const char *err = NULL;
            spin_lock(&s->lock);
            for (unsigned l = 0; l < NR_LRU_LISTS && !err; l++) {
                err = check_list(s, n, i, l);
                sum[l] += s->list[l].nr;
                mlocked += err ? 0 : count_mlocked(&s->list[l]);
                if (l != LRU_UNEVICTABLE && count_mlocked(&s->list[l]))
                    err = "K1: a locked page on an evictable list";
            }
            spin_unlock(&s->lock);
            if (err)
                return err;
        }
        if (stat_node_sum(n, NR_MLOCK) != (s64)mlocked)
            return "K1: NR_MLOCK is not the number of locked pages";
        for (unsigned l = 0; l < NR_LRU_LISTS; l++)
            if (stat_node_sum(n, NR_INACTIVE_ANON + l) != (s64)sum[l])
                return "LRU gauge is not the length of its lists";
    }
    return NULL;
}
