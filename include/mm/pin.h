/* SPDX-License-Identifier: MIT */
/*
 * Pins: pages of a program that the kernel or a device reads and writes for longer than one call. Body in mm/fault/gup.c.
 *
 *   gup()               a reference: the page stays, but copy-on-write may give the program another one
 *   pin_user_pages()    the program keeps exactly this page as long as it maps the address
 *
 * A pin is PIN_BIAS references. Who pins an anonymous page gets one that only the mm maps, sharing ends first; and fork copies
 * pinned pages for the child at once. So a pinned page is never shared, and a write to it never copies:
 *
 * Invariants
 *  N1. A page with PG_pinned and at least PIN_BIAS references is anonymous and mapped at most once, in a table of the mm's own.
 *  N2. PG_pinned stays when the last pin goes; fork takes it away when it shares the page. So many plain references make
 *      a page look pinned only while it is not shared, and then nothing is lost.
 *  N3. An mm that ever pinned has MMF_HAS_PINNED; its tables are not shared by fork.
 */
#ifndef MM_PIN_H
#define MM_PIN_H
#include <mm/fault.h>
#include <mm/page.h>

#define PIN_BIAS  1024
#define PG_pinned PG_workingset /* of an anonymous page */

/* gup_flags: FAULT_WRITE, FAULT_FORCE, and */
#define PIN_LONGTERM 1024u /* for as long as the user likes: a private area gets its own page even if only read */

/*
 * Pins the pages of [addr, ...): returns how many, or when none -EFAULT, -ENOMEM, -EINTR. A long pin for writing on a shared
 * mapping of a file that must be told of writes is refused (-EFAULT). May sleep.
 */
s64 pin_user_pages(struct mm *mm, u64 addr, u64 n, u32 gup_flags, struct page **out);
/* dirty: they were written. Never sleeps. */
void unpin_user_pages(struct page **pages, u64 n, bool dirty);

static inline bool page_pinned(const struct page *page)
{
    return page_test(page, PG_pinned) && page_refs(page) >= PIN_BIAS;
}
/* The one mapping of this anonymous page, whose pt_lock is held, is all there is: it may be written without a copy. */
static inline bool page_exclusive(const struct page *page)
{
    return page_refs(page) == 1 || unlikely(page_pinned(page));
}
#endif
