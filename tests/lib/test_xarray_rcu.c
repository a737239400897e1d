/* SPDX-License-Identifier: MIT */
/*
 * Look-ups in real threads while a writer stores, erases and marks. An entry tells its index, so a reader can tell a wrong
 * answer. Nodes are freed after a grace period.
 */
#include "test.h"
#include "grace.h"
#include <lib/rand.h>
#include <lib/xarray.h>

enum { OPS = 40000, BATCH = 32 };

static void *removed[BATCH];
static u32 nr_removed;

static void free_removed(void)
{
    wait_for_readers();
    while (nr_removed)
        free(removed[--nr_removed]);
}

static void *node_alloc(void)
{
    void *p = aligned_alloc(8, sizeof(struct xa_node));
    assert_non_null(p);
    return p;
}

static void node_free(void *node)
{
    ((u64 *)node)[0] = ((u64 *)node)[1] = U64_MAX; /* what free_rcu may write at once */
    if (nr_removed == BATCH)
        free_removed();
    removed[nr_removed++] = node;
}

static const struct xa_ops ops = {.alloc = node_alloc, .free_rcu = node_free};
static struct xarray xa = XA_INIT(&ops);

/* Small indexes most often, so that the tree changes its height; large ones at times. */
static u64 some_index(struct rand *r)
{
    switch (rand_below(r, 8)) {
    case 0:
        return 0;
    case 1:
        return 4000 + rand_below(r, 300);
    case 2:
        return (1UL << 30) + rand_below(r, 4);
    default:
        return rand_below(r, 130);
    }
}

static void *entry(u64 index)
{
    return (void *)(index * 8 + 0x10000);
}

static void note(struct reader *me, u64 index, const void *e)
{
    if (!e)
        me->misses++;
    else if (e == entry(index))
        me->hits++;
    else
        me->wrong++;
}

static void *read_all_the_time(void *arg)
{
    struct reader *me = arg;
    struct rand r;
    void *batch[100];
    rand_init(&r, me->seed);
    while (!load_acquire(&stop_readers)) {
        reader_enter(me);
        for (u32 i = 0; i < 16; i++) {
            u64 index = some_index(&r);
            note(me, index, xa_load(&xa, index));
            void *e = xa_find(&xa, &index, U64_MAX);
            note(me, index, e);
            index = some_index(&r);
            e = xa_find_marked(&xa, &index, U64_MAX, XA_MARK_1);
            note(me, index, e);
            index = some_index(&r);
            xa_load_batch(&xa, index, batch, ARRAY_SIZE(batch));
            for (u32 k = 0; k < ARRAY_SIZE(batch); k++)
                note(me, index + k, batch[k]);
        }
        reader_leave(me);
    }
    return NULL;
}

static void readers_beside_a_writer(void **state)
{
    struct rand r;
    rand_init(&r, 1);
    start_readers(read_all_the_time);
    for (u32 op = 0; writer_goes_on(op, OPS); op++) {
        u64 index = some_index(&r), kind = rand_below(&r, 10), grow = op & 2048 ? 2 : 5;
        if (kind < grow)
            assert_int_equal(xa_store(&xa, index, entry(index), NULL), 0);
        else if (kind < 8)
            xa_erase(&xa, index);
        else if (kind == 8)
            xa_set_mark(&xa, index, XA_MARK_1);
        else
            xa_clear_mark(&xa, index, XA_MARK_1);
        if (op % 512 == 0)
            assert_valid(xa_validate(&xa));
    }
    join_readers();
    assert_valid(xa_validate(&xa));
    xa_destroy(&xa);
    free_removed();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_beside_a_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
