/* SPDX-License-Identifier: MIT */
/* Lists of pages linked by 32-bit frame numbers. The caller holds the lock of the list. 0 = no page. */
#ifndef MM_PAGE_LIST_H
#define MM_PAGE_LIST_H
#include <mm/page.h>

struct page_list {
    u32 head, tail; /* pfn */
    u64 nr;
};

static inline void page_list_init(struct page_list *l)
{
    l->head = l->tail = 0;
    l->nr = 0;
}
static inline bool page_list_empty(const struct page_list *l)
{
    return l->head == 0;
}
static inline struct page *page_list_first(const struct page_list *l)
{
    return l->head ? pfn_to_page(l->head) : NULL;
}
static inline struct page *page_list_last(const struct page_list *l)
{
    return l->tail ? pfn_to_page(l->tail) : NULL;
}
static inline void page_list_add(struct page_list *l, struct page *page)
{
    u32 pfn = (u32)page_to_pfn(page), old = l->head;
    page->next = old;
    page->prev = 0;
    l->head = pfn;
    if (old)
        pfn_to_page(old)->prev = pfn;
    else
        l->tail = pfn;
    l->nr++;
}
static inline void page_list_add_tail(struct page_list *l, struct page *page)
{
    u32 pfn = (u32)page_to_pfn(page), old = l->tail;
    page->prev = old;
    page->next = 0;
    l->tail = pfn;
    if (old)
        pfn_to_page(old)->next = pfn;
    else
        l->head = pfn;
    l->nr++;
}
static inline void page_list_remove(struct page_list *l, struct page *page)
{
    u32 n = page->next, p = page->prev;
    if (p)
        pfn_to_page(p)->next = n;
    else
        l->head = n;
    if (n)
        pfn_to_page(n)->prev = p;
    else
        l->tail = p;
    l->nr--;
}
#endif
