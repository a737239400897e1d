/* SPDX-License-Identifier: MIT */
/*
 * A context over the caller's address space and a monitor: a thread that reads messages and answers them. What it puts into a
 * missing page is the low byte of the page's number.
 */
#ifndef TESTS_UFFD_FIXTURE_H
#define TESTS_UFFD_FIXTURE_H
#include "../../common/machine.h"
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/sys.h>
#include <mm/uffd.h>
#include <port/sched.h>
#include <port/uaccess.h>

#define R_W (UAPI_PROT_READ | UAPI_PROT_WRITE)
#define MISSING VM_UFFD_MISSING
#define WP      VM_UFFD_WP
#define MINOR   VM_UFFD_MINOR

/* A call of the core by user code. */
#define CORE(expr)                                                                                 \
    ({                                                                                             \
        host_core_enter();                                                                         \
        __typeof__(expr) core_result_ = (expr);                                                    \
        host_core_exit();                                                                          \
        core_result_;                                                                              \
    })

static inline struct uffd *uffd_up(struct mm *mm, u64 features)
{
    struct uffd *u = CORE(uffd_alloc(mm, 0));
    assert_non_null(u);
    u->features = (u32)features | UFFD_INITIALIZED;
    return u;
}
static inline void uffd_down(struct uffd *u)
{
    host_core_enter();
    uffd_release(u);
    host_core_exit();
}
static inline u8 page_byte(u64 addr)
{
    return (u8)((addr >> PAGE_SHIFT) | 1);
}

#define MAX_FORKED 4
struct monitor {
    struct uffd *u;
    struct host_thread *thread;
    u64 buf;      /* a page of its own, from which it copies */
    bool stop;
    bool keep_wp; /* answers write-protection by nothing but a wake-up */
    struct uffd *forked[MAX_FORKED];
    unsigned nr_forked;
    unsigned missing, wp, minor, events[8]; /* by event - PAGEFAULT */
    struct uapi_uffd_msg last;              /* not a fault */
};

static inline void monitor_answer(struct monitor *m, struct uffd *u, const struct uapi_uffd_msg *msg)
{
    u64 addr = msg->pagefault.address & PAGE_MASK;
    s64 r;
    if (msg->pagefault.flags & UAPI_UFFD_PAGEFAULT_WP) {
        m->wp++;
        r = uffd_write_protect(u, addr, PAGE_SIZE, false);
    } else if (msg->pagefault.flags & UAPI_UFFD_PAGEFAULT_MINOR) {
        m->minor++;
        r = uffd_fill(u, UFFD_FILL_CONTINUE, addr, 0, PAGE_SIZE, false);
    } else {
        m->missing++;
        u8 b = page_byte(addr);
        copy_to_user(m->buf, &b, 1);
        r = uffd_fill(u, UFFD_FILL_COPY, addr, m->buf, PAGE_SIZE, false);
    }
    (void)r; /* the area may be gone, or an event be waiting behind this message: the fault comes again */
    uffd_wake(u, addr, PAGE_SIZE);
}

static inline bool monitor_one(struct monitor *m, struct uffd *u)
{
    struct uapi_uffd_msg msg;
    struct uffd_wait *event;
    if (uffd_read(u, &msg, &event))
        return false;
    if (msg.event == UAPI_UFFD_EVENT_PAGEFAULT) {
        monitor_answer(m, u, &msg);
        return true;
    }
    m->events[msg.event - UAPI_UFFD_EVENT_PAGEFAULT]++;
    m->last = msg;
    if (event) {
        bool room = m->nr_forked < MAX_FORKED;
        if (room)
            m->forked[m->nr_forked++] = event->forked;
        uffd_read_done(u, event, room);
    }
    return true;
}

static inline bool monitor_work(struct monitor *m)
{
    bool any = monitor_one(m, m->u);
    for (unsigned i = 0; i < m->nr_forked; i++)
        any |= monitor_one(m, m->forked[i]);
    return any;
}

static inline bool monitor_wanted(struct monitor *m)
{
    bool any = READ_ONCE(m->stop) || uffd_readable(m->u);
    for (unsigned i = 0; i < m->nr_forked; i++)
        any |= uffd_readable(m->forked[i]);
    return any;
}

static inline int monitor_main(void *arg)
{
    struct monitor *m = arg;
    host_core_enter();
    for (;;) {
        if (monitor_work(m))
            continue;
        if (READ_ONCE(m->stop))
            break;
        if (m->nr_forked) { /* several queues: look at them in turn */
            sched_yield_cpu();
            continue;
        }
        waitq_wait(&m->u->readers, monitor_wanted(m));
    }
    host_core_exit();
    return 0;
}

static inline void monitor_up(struct monitor *m, struct mm *mm, struct uffd *u)
{
    *m = (struct monitor){.u = u};
    m->buf = (u64)host_mmap_anon(PAGE_SIZE);
    assert_int_equal(host_store_u8(m->buf, 0), 0);
    m->thread = host_user_thread(mm, monitor_main, m, "monitor");
}

static inline void monitor_down(struct monitor *m)
{
    WRITE_ONCE(m->stop, true);
    waitq_wake_all(&m->u->readers);
    host_thread_join(m->thread);
    for (unsigned i = 0; i < m->nr_forked; i++)
        uffd_down(m->forked[i]);
}
#endif
