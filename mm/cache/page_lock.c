/* SPDX-License-Identifier: MIT */
/*
 * PG_locked and PG_writeback: sleeping for a page. Sleepers share a table of queues by the page's address; PG_waiters says that
 * a wake-up is needed, so that the common unlock is one atomic operation.
 *
 * Locks: none taken but the queue's own.
 */
#include <lib/hash.h>
#include <mm/cache.h>
#include <mm/lru.h>
#include <mm/psi.h>
#include <port/log.h>
#include <port/sched.h>

#define PAGE_WAITQS 256
static struct waitq page_waitq[PAGE_WAITQS];

int page_lock_boot(void);
int page_lock_boot(void)
{
    for (unsigned i = 0; i < PAGE_WAITQS; i++)
        waitq_init(&page_waitq[i]);
    return 0;
}

static struct waitq *queue_of(const struct page *page)
{
    return &page_waitq[page_to_pfn(page) % PAGE_WAITQS];
}

bool page_try_lock(struct page *page)
{
    return !page_test_and_set(page, PG_locked);
}

/* Asks for a wake-up, then looks once more: the unlocker clears PG_locked before it looks at PG_waiters. */
static bool lock_or_ask(struct page *page)
{
    page_set(page, PG_waiters);
    return page_try_lock(page);
}

void page_lock(struct page *page)
{
    if (likely(page_try_lock(page)))
        return;
    /* Who waits for a page that was thrown out while it was in use waits for want of memory. */
    bool thrashes = page_test(page, PG_workingset) && !page_test(page, PG_uptodate), io = sched_set_iowait(true);
    u64 stall = 0;
    if (unlikely(thrashes))
        psi_memstall_enter(&stall);
    waitq_wait(queue_of(page), lock_or_ask(page));
    if (unlikely(thrashes))
        psi_memstall_leave(&stall);
    sched_set_iowait(io);
}

static void wake(struct page *page, u32 before)
{
    if (unlikely(before & (1u << PG_waiters))) {
        page_clear(page, PG_waiters); /* whoever still waits sets it again when woken */
        waitq_wake_all(queue_of(page));
    }
}

void page_unlock(struct page *page)
{
    u32 before = __atomic_fetch_and(&page->flags, ~(1u << PG_locked), __ATOMIC_SEQ_CST);
    ASSERT(before & (1u << PG_locked));
    wake(page, before);
}

static bool written_or_ask(struct page *page)
{
    page_set(page, PG_waiters);
    return !page_test(page, PG_writeback);
}

void page_wait_writeback(struct page *page)
{
    if (likely(!page_test(page, PG_writeback)))
        return;
    bool io = sched_set_iowait(true);
    waitq_wait(queue_of(page), written_or_ask(page));
    sched_set_iowait(io);
}

/* The page may be gone as soon as the bits are clear: its address alone is used behind. Sleepers that wait for the other bit ask
 * again when woken. */
static void end(struct page *page, u32 bits)
{
    struct waitq *wq = queue_of(page);
    u32 before = __atomic_fetch_and(&page->flags, ~(bits | 1u << PG_waiters), __ATOMIC_SEQ_CST);
    if (unlikely(before & (1u << PG_waiters)))
        waitq_wake_all(wq);
}

void page_end_writeback(struct page *page)
{
    bool reclaim = page_test(page, PG_reclaim);
    end(page, 1u << PG_writeback);
    if (unlikely(reclaim))
        lru_rotate_later(page); /* which does not look at what it may be by now */
}

void page_end_read(struct page *page, bool good)
{
    ASSERT(page_test(page, PG_locked));
    if (good)
        page_set(page, PG_uptodate);
    end(page, 1u << PG_locked);
}
