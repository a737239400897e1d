/* SPDX-License-Identifier: MIT */
/* The heap of timers against a plain array: insert, remove anywhere, take the earliest. */
#include "../../lib/test.h"
#include "../../../kernel/time/heap.h"
#include <lib/rand.h>

enum { N = 200 };
static struct timer t[N];
static struct timer *root;

static size_t walk(struct timer *n, struct timer *prev, u64 floor)
{
    size_t count = 0;
    while (n) {
        assert_ptr_equal(n->prev, prev);
        assert_true(n->deadline >= floor);
        count += 1 + walk(n->child, n, n->deadline);
        prev = n;
        n = n->sibling;
    }
    return count;
}

static void against_an_array(void **state)
{
    struct rand r;
    size_t queued = 0;
    rand_init(&r, 5);
    for (int step = 0; step < 200000; step++) {
        struct timer *x = &t[rand_below(&r, N)];
        if (x->queued) {
            heap_remove(&root, x);
            x->queued = false;
            queued--;
        } else {
            x->deadline = rand_below(&r, 1000);
            heap_insert(&root, x);
            x->queued = true;
            queued++;
        }
        if (step % 64 == 0)
            assert_int_equal(walk(root, NULL, 0), queued);
        u64 least = U64_MAX;
        for (int i = 0; i < N; i++)
            if (t[i].queued && t[i].deadline < least)
                least = t[i].deadline;
        assert_true(root ? root->deadline == least : queued == 0);
    }
    u64 last = 0;
    while (root) {
        struct timer *first = root;
        assert_true(first->deadline >= last);
        last = first->deadline;
        heap_remove(&root, first);
        queued--;
    }
    assert_int_equal(queued, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_an_array)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
