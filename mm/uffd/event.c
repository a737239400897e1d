/* SPDX-License-Identifier: MIT */
/*
 * What happens to registered areas is told to their monitor, if it asked for that.
 *
 *   mmap_lock held for writing      post: kmalloc'd, on mm->uffd_events; mmap_changing + 1 (U4)
 *   mmap_write_unlock               takes the list, releases the lock, delivers
 *   deliver                         one after another: sleep until the monitor has read it; mmap_changing - 1
 *
 * fork, mremap, munmap, mmap(MAP_FIXED) and brk come this way. madvise holds mmap_lock for reading only, so it releases it,
 * waits, and finds its area anew (uffd_remove).
 *
 * Locks: as said above; changing_lock for a moment inside mmap_lock.
 */
#include <mm/slab.h>
#include <mm/pt.h>
#include <port/sched.h>
#include "uffd_internal.h"

struct uffd_event {
    struct uffd_event *next;
    struct uffd *u;      /* referenced */
    struct uffd *forked; /* FORK: its first reference */
    struct uapi_uffd_msg msg;
};

static void change_begins(struct uffd *u)
{
    down_write(&u->changing_lock);
    __atomic_fetch_add(&u->mmap_changing, 1, __ATOMIC_SEQ_CST);
    up_write(&u->changing_lock);
}

static void change_ends(struct uffd *u)
{
    s32 left = __atomic_sub_fetch(&u->mmap_changing, 1, __ATOMIC_SEQ_CST);
    ASSERT(left >= 0);
    uffd_put(u);
}

static struct uffd_event *event_new(struct uffd *u, u8 type)
{
    struct uffd_event *e = kzalloc(sizeof(*e), GFP_KERNEL);
    if (!e)
        return NULL;
    e->u = u;
    e->msg.event = type;
    uffd_get(u);
    change_begins(u);
    return e;
}

static void event_free(struct uffd_event *e)
{
    change_ends(e->u);
    kfree(e);
}

struct uffd_event **uffd_events_mark(struct mm *mm)
{
    struct uffd_event **p = &mm->uffd_events;
    while (*p)
        p = &(*p)->next;
    return p;
}

static void post(struct uffd_event **mark, struct uffd_event *e)
{
    e->next = *mark;
    *mark = e;
}

void uffd_deliver(struct uffd_event *e)
{
    while (e) {
        struct uffd_event *next = e->next;
        uffd_wait_event(e->u, &e->msg, e->forked);
        event_free(e);
        e = next;
    }
}

/* ---- fork ---- */

static struct uffd_event *event_of_fork(struct mm *parent, const struct uffd *u)
{
    for (struct uffd_event *e = parent->uffd_events; e; e = e->next)
        if (e->u == u && e->forked)
            return e;
    return NULL;
}

void uffd_forget_area(struct vma *vma)
{
    vma_write_lock(vma);
    if (vma->flags & VM_UFFD_WP)
        pt_wp_resolve(vma, vma_start(vma), vma_end(vma));
    WRITE_ONCE(vma->flags, vma->flags & ~VM_UFFD);
    vma->prot = vma_page_prot(vma->flags, vma->mapping);
    vma->uffd = NULL;
}

int uffd_fork_area(struct vma *vma, struct mm *parent)
{
    struct uffd *u = vma->uffd;
    if (!uffd_has(u, UAPI_UFFD_FEATURE_EVENT_FORK)) {
        uffd_forget_area(vma);
        return 0;
    }
    struct uffd_event *e = event_of_fork(parent, u);
    if (!e) {
        struct uffd *forked = uffd_alloc(vma->mm, u->flags);
        e = forked ? event_new(u, UAPI_UFFD_EVENT_FORK) : NULL;
        if (!e) {
            if (forked)
                uffd_put(forked);
            uffd_forget_area(vma); /* it is the parent's context */
            return -ENOMEM;
        }
        forked->features = u->features;
        vma->mm->has_uffd = true;
        e->forked = forked;
        post(uffd_events_mark(parent), e);
    }
    vma->uffd = e->forked;
    return 0;
}

void uffd_fork_failed(struct mm *parent)
{
    struct uffd_event *e;
    while ((e = parent->uffd_events)) {
        parent->uffd_events = e->next;
        uffd_put(e->forked);
        event_free(e);
    }
}

/* ---- munmap, mremap, madvise ---- */

static bool unmap_posted(const struct mm *mm, const struct uffd *u, u64 start, u64 end)
{
    for (const struct uffd_event *e = mm->uffd_events; e; e = e->next)
        if (e->u == u && e->msg.event == UAPI_UFFD_EVENT_UNMAP && e->msg.remove.start == start && e->msg.remove.end == end)
            return true;
    return false;
}

int uffd_unmap_prepare(struct mm *mm, u64 start, u64 end)
{
    for (struct vma *v = vma_find(mm, start); v && vma_start(v) < end; v = vma_next(v)) {
        struct uffd *u = v->uffd;
        if (!u || !uffd_has(u, UAPI_UFFD_FEATURE_EVENT_UNMAP) || unmap_posted(mm, u, start, end))
            continue;
        struct uffd_event *e = event_new(u, UAPI_UFFD_EVENT_UNMAP);
        if (!e)
            return -ENOMEM;
        e->msg.remove.start = start;
        e->msg.remove.end = end;
        post(uffd_events_mark(mm), e);
    }
    return 0;
}

struct uffd_event *uffd_remap_prepare(const struct vma *vma, int *err)
{
    struct uffd_event *e = NULL;
    *err = 0;
    if (vma->uffd && uffd_has(vma->uffd, UAPI_UFFD_FEATURE_EVENT_REMAP)) {
        e = event_new(vma->uffd, UAPI_UFFD_EVENT_REMAP);
        *err = e ? 0 : -ENOMEM;
    }
    return e;
}

void uffd_remap_done(struct uffd_event *e, struct uffd_event **mark, u64 from, u64 to, u64 len)
{
    e->msg.remap.from = from;
    e->msg.remap.to = to;
    e->msg.remap.len = len;
    post(mark, e);
}

void uffd_remap_failed(struct uffd_event *e)
{
    if (e)
        event_free(e);
}

bool uffd_remove(struct vma *vma, u64 start, u64 end)
{
    struct uffd *u = vma->uffd;
    if (!u || !uffd_has(u, UAPI_UFFD_FEATURE_EVENT_REMOVE))
        return true;
    struct uapi_uffd_msg msg = {.event = UAPI_UFFD_EVENT_REMOVE};
    msg.remove.start = start;
    msg.remove.end = end;
    uffd_get(u);
    change_begins(u);
    mmap_read_unlock(vma->mm);
    uffd_wait_event(u, &msg, NULL);
    change_ends(u);
    return false;
}
