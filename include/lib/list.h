/* SPDX-License-Identifier: MIT */
/*
 * Intrusive doubly linked circular list. A head is a node that holds no entry; an empty head points
 * at itself.
 *
 *      +--> head <--> a.node <--> b.node <--+
 *      +------------------------------------+
 *
 * Invariant 1: n->next->prev == n and n->prev->next == n for every node on a list.
 * Locks: the caller's. No function allocates or sleeps.
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H
#include <lib/types.h>

struct list_head {
    struct list_head *next, *prev;
};

/* What list_del() leaves behind: non-canonical addresses, so that a use after removal faults. */
#define LIST_POISON_NEXT ((struct list_head *)0xdead000000000100UL)
#define LIST_POISON_PREV ((struct list_head *)0xdead000000000200UL)

#define LIST_HEAD_INIT(name)                                                                       \
    {                                                                                              \
        &(name), &(name)                                                                           \
    }
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)

static inline void list_init(struct list_head *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
    return head->next == head;
}

/* One entry exactly. */
static inline bool list_is_singular(const struct list_head *head)
{
    return head->next != head && head->next == head->prev;
}

/* Puts node between two neighbours that are next to each other. */
static inline void list_insert_between(struct list_head *node, struct list_head *prev,
                                       struct list_head *next)
{
    next->prev = node;
    node->next = next;
    node->prev = prev;
    prev->next = node;
}

/* Inserts node right after head (as the first entry). node may be uninitialised. */
static inline void list_add(struct list_head *node, struct list_head *head)
{
    list_insert_between(node, head, head->next);
}

/* Inserts node right before head (as the last entry). */
static inline void list_add_tail(struct list_head *node, struct list_head *head)
{
    list_insert_between(node, head->prev, head);
}

/* Joins the neighbours of node; node keeps its stale pointers. */
static inline void list_unlink(struct list_head *node)
{
    node->next->prev = node->prev;
    node->prev->next = node->next;
}

/* Removes node and poisons it. */
static inline void list_del(struct list_head *node)
{
    list_unlink(node);
    node->next = LIST_POISON_NEXT;
    node->prev = LIST_POISON_PREV;
}

/* Removes node and leaves it empty: list_empty(node) holds, a second list_del_init() is harmless.
 */
static inline void list_del_init(struct list_head *node)
{
    list_unlink(node);
    list_init(node);
}

static inline void list_move(struct list_head *node, struct list_head *head)
{
    list_unlink(node);
    list_add(node, head);
}

static inline void list_move_tail(struct list_head *node, struct list_head *head)
{
    list_unlink(node);
    list_add_tail(node, head);
}

/* Puts fresh in the place of old; old keeps its stale pointers. */
static inline void list_replace(struct list_head *old, struct list_head *fresh)
{
    list_insert_between(fresh, old->prev, old->next);
}

/* Moves all entries of list to the front of head; list is empty afterwards. */
static inline void list_splice_init(struct list_head *list, struct list_head *head)
{
    if (list_empty(list))
        return;
    list->prev->next = head->next;
    head->next->prev = list->prev;
    list->next->prev = head;
    head->next = list->next;
    list_init(list);
}

/* Moves all entries of list to the end of head; list is empty afterwards. */
static inline void list_splice_tail_init(struct list_head *list, struct list_head *head)
{
    list_splice_init(list, head->prev);
}

/* Moves the first entry to the end. */
static inline void list_rotate(struct list_head *head)
{
    if (!list_empty(head))
        list_move_tail(head->next, head);
}

#define list_entry(node, type, member)       container_of(node, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member)  list_entry((head)->prev, type, member)
/* NULL when the list is empty */
#define list_first_entry_or_null(head, type, member)                                               \
    (list_empty(head) ? NULL : list_first_entry(head, type, member))
#define list_next_entry(pos, member)          list_entry((pos)->member.next, __typeof__(*(pos)), member)
#define list_prev_entry(pos, member)          list_entry((pos)->member.prev, __typeof__(*(pos)), member)
#define list_entry_is_head(pos, head, member) (&(pos)->member == (head))

#define list_for_each(pos, head) for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)

#define list_for_each_entry(pos, head, member)                                                     \
    for ((pos) = list_first_entry(head, __typeof__(*(pos)), member);                               \
         !list_entry_is_head(pos, head, member); (pos) = list_next_entry(pos, member))

#define list_for_each_entry_reverse(pos, head, member)                                             \
    for ((pos) = list_last_entry(head, __typeof__(*(pos)), member);                                \
         !list_entry_is_head(pos, head, member); (pos) = list_prev_entry(pos, member))

/* pos may be removed (and freed) inside the loop; tmp is another cursor of pos's type. */
#define list_for_each_entry_safe(pos, tmp, head, member)                                           \
    for ((pos) = list_first_entry(head, __typeof__(*(pos)), member),                               \
        (tmp) = list_next_entry(pos, member);                                                      \
         !list_entry_is_head(pos, head, member);                                                   \
         (pos) = (tmp), (tmp) = list_next_entry(tmp, member))
#endif
