/* SPDX-License-Identifier: MIT */
/* An open hash table that is at most three quarters full; it doubles. */
#include <errno.h>
#include <stdlib.h>

#include "pages.h"

#define FIRST_SIZE 1024u

static uint64_t hash(uint32_t space, uint64_t page)
{
    uint64_t h = (page + (uint64_t)space * 0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93;
    return h ^ h >> 32;
}

int pages_init(struct page_numbers *p, uint32_t limit)
{
    p->slot = calloc(FIRST_SIZE, sizeof(*p->slot));
    p->mask = FIRST_SIZE - 1;
    p->count = 0;
    p->limit = limit;
    return p->slot ? 0 : -ENOMEM;
}

void pages_free(struct page_numbers *p)
{
    free(p->slot);
    p->slot = NULL;
}

static struct page_slot *find(struct page_slot *slots, uint64_t mask, uint32_t space, uint64_t page)
{
    for (uint64_t i = hash(space, page) & mask;; i = (i + 1) & mask)
        if (!slots[i].number || (slots[i].page == page && slots[i].space == space))
            return slots + i;
}

static int grow(struct page_numbers *p)
{
    uint64_t mask = p->mask * 2 + 1;
    struct page_slot *bigger = calloc(mask + 1, sizeof(*bigger));
    if (!bigger)
        return -ENOMEM;
    for (uint64_t i = 0; i <= p->mask; i++)
        if (p->slot[i].number)
            *find(bigger, mask, p->slot[i].space, p->slot[i].page) = p->slot[i];
    free(p->slot);
    p->slot = bigger;
    p->mask = mask;
    return 0;
}

uint32_t pages_number(struct page_numbers *p, uint32_t space, uint64_t page)
{
    struct page_slot *s = find(p->slot, p->mask, space, page);
    if (s->number)
        return s->number - 1;
    if (p->count >= p->limit)
        return UINT32_MAX;
    if ((p->count + 1ul) * 4 > (p->mask + 1) * 3) {
        if (grow(p))
            return UINT32_MAX;
        s = find(p->slot, p->mask, space, page);
    }
    *s = (struct page_slot){page, space, p->count + 1};
    return p->count++;
}
