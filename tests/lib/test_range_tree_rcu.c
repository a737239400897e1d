/* SPDX-License-Identifier: MIT */
/*
 * rt_find_rcu() in real threads while a writer inserts, removes, resizes and replaces. The space is cut into cells; a node
 * stays within its cell all its life, so a reader can tell a wrong answer. Removed nodes are freed after a grace period:
 * AddressSanitizer sees a reader that goes astray, ThreadSanitizer an unordered access.
 */
#include "test.h"
#include "grace.h"
#include <lib/rand.h>
#include <lib/range_tree.h>

enum { CELLS = 512, CELL = 16, OPS = 40000, BATCH = 64 };

struct area {
    struct rt_node node;
    u64 cell;
};

static struct rt_root root;
static struct area *areas[CELLS];
static struct area *removed[BATCH];
static u32 nr_removed;

static void *read_all_the_time(void *arg)
{
    struct reader *me = arg;
    struct rand r;
    rand_init(&r, me->seed);
    while (!load_acquire(&stop_readers)) {
        reader_enter(me);
        for (u32 i = 0; i < 64; i++) {
            u64 addr = rand_below(&r, CELLS * CELL);
            struct rt_node *n = rt_find_rcu(&root, addr);
            if (!n)
                me->misses++;
            else if (container_of(n, struct area, node)->cell == addr / CELL)
                me->hits++;
            else
                me->wrong++;
        }
        reader_leave(me);
    }
    return NULL;
}

static void free_removed(void)
{
    wait_for_readers();
    while (nr_removed)
        free(removed[--nr_removed]);
}

static void free_later(struct area *a)
{
    removed[nr_removed++] = a;
    if (nr_removed == BATCH)
        free_removed();
}

static struct area *new_area(u64 cell, struct rand *r)
{
    struct area *a = malloc(sizeof(*a));
    assert_non_null(a);
    memset(a, 0xa5, sizeof(*a));
    a->cell = cell;
    a->node.start = cell * CELL + rand_below(r, 4);
    a->node.end = a->node.start + 1 + rand_below(r, 12);
    return a;
}

static void change(u64 cell, struct rand *r)
{
    struct area *a = areas[cell];
    if (!a) {
        areas[cell] = new_area(cell, r);
        assert_int_equal(rt_insert(&root, &areas[cell]->node), 0);
        return;
    }
    u64 kind = rand_below(r, 4);
    if (kind < 2) {
        rt_remove(&root, &a->node);
        areas[cell] = NULL;
        free_later(a);
    } else if (kind == 2) {
        u64 start = cell * CELL + rand_below(r, 8);
        rt_resize(&root, &a->node, start, start + 1 + rand_below(r, 8));
    } else {
        areas[cell] = new_area(cell, r);
        rt_replace(&root, &a->node, &areas[cell]->node);
        free_later(a);
    }
}

static void readers_beside_a_writer(void **state)
{
    struct rand r;
    rand_init(&r, 1);
    rt_init(&root);
    start_readers(read_all_the_time);
    for (u32 op = 0; writer_goes_on(op, OPS); op++) {
        /* runs at one place turn the tree most */
        u64 cell = op & 1024 ? op % CELLS : rand_below(&r, CELLS);
        change(cell, &r);
        if (op % 512 == 0)
            assert_valid(rt_validate(&root));
    }
    join_readers();
    free_removed();
    assert_valid(rt_validate(&root));
    for (u32 i = 0; i < CELLS; i++)
        free(areas[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_beside_a_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
