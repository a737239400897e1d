/* SPDX-License-Identifier: MIT */
/* Pages of a trace get numbers 0, 1, 2 ... in the order of their first use: policies then need arrays only. 21 to 43 bytes a page. */
#ifndef LAB_PAGES_H
#define LAB_PAGES_H
#include <stdint.h>

struct page_slot {
    uint64_t page;
    uint32_t space, number; /* number + 1, 0: free */
};
struct page_numbers {
    struct page_slot *slot;
    uint64_t mask;
    uint32_t count, limit; /* pages seen; more than limit is an error */
};
#define PAGES_MAX (1u << 31)

/* limit <= PAGES_MAX. 0 or -ENOMEM. */
int pages_init(struct page_numbers *p, uint32_t limit);
void pages_free(struct page_numbers *p);
/* The page's number, a new one if need be. UINT32_MAX: limit is reached or memory is out. */
uint32_t pages_number(struct page_numbers *p, uint32_t space, uint64_t page);
#endif
