/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic of record locks: conflict, cutting and joining of one owner's ranges. Pure.
 *
 *   before  RRRRRRRR      want   WWW        after  RR WWW RRR        (up to two more nodes than before)
 *
 * L1. Ranges of one (kind, owner) do not overlap; touching ranges of one type are one range.
 */
#include <kernel/lock_range.h>

static bool same_owner(const struct lock_range *a, const struct lock_range *b)
{
    return a->kind == b->kind && a->owner == b->owner;
}

struct lock_range *lock_conflict(struct lock_range *list, const struct lock_range *want)
{
    for (struct lock_range *l = list; l; l = l->next) {
        if ((l->kind == LOCK_FLOCK) != (want->kind == LOCK_FLOCK) || same_owner(l, want))
            continue;
        if (l->start >= want->end || want->start >= l->end)
            continue;
        if (l->type == F_WRLCK || want->type == F_WRLCK)
            return l;
    }
    return NULL;
}

static struct lock_range *take_spare(struct lock_range *spare[2])
{
    struct lock_range *s = spare[0] ? spare[0] : spare[1];
    spare[spare[0] ? 0 : 1] = NULL;
    return s;
}

void lock_apply(struct lock_range **list, const struct lock_range *want,
                struct lock_range *spare[2], struct lock_range **garbage)
{
    struct lock_range w = *want, **pp = list;
    while (*pp) {
        struct lock_range *l = *pp;
        bool touches = l->start <= w.end && w.start <= l->end,
             overlaps = l->start < w.end && w.start < l->end;
        if (!same_owner(l, &w) || !touches || (!overlaps && l->type != w.type)) {
            pp = &l->next;
            continue;
        }
        if (l->type == w.type) { /* joined into w */
            w.start = l->start < w.start ? l->start : w.start;
            w.end = l->end > w.end ? l->end : w.end;
        } else if (l->start < w.start && l->end > w.end) { /* w cuts a hole */
            struct lock_range *tail = take_spare(spare);
            *tail = *l;
            tail->start = w.end;
            l->end = w.start;
            tail->next = l->next;
            l->next = tail;
            pp = &tail->next;
            continue;
        } else if (l->start < w.start) {
            l->end = w.start;
            pp = &l->next;
            continue;
        } else if (l->end > w.end) {
            l->start = w.end;
            pp = &l->next;
            continue;
        }
        *pp = l->next;
        l->next = *garbage;
        *garbage = l;
    }
    if (w.type == F_UNLCK)
        return;
    struct lock_range *n = *garbage;
    if (n)
        *garbage = n->next;
    else
        n = take_spare(spare);
    *n = w;
    n->next = *list;
    *list = n;
}
