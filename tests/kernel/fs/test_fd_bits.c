/* SPDX-License-Identifier: MIT */
/* The bit sets of descriptor tables: lowest free number, close-on-exec only where taken. */
#include "../../lib/test.h"
#include <kernel/fd_bits.h>
#include <lib/rand.h>

enum { MAX = 200 };

static void against_model(void **state)
{
    u64 open[BITMAP_WORDS(MAX)] = {0}, cloexec[BITMAP_WORDS(MAX)] = {0};
    bool taken[MAX] = {false}, on_exec[MAX] = {false};
    struct rand r;
    rand_init(&r, 11);
    for (int i = 0; i < 50000; i++) {
        u64 fd = rand_below(&r, MAX);
        if (rand_below(&r, 2)) {
            bool e = rand_below(&r, 2);
            fd = bitmap_find_next_zero(open, MAX, fd);
            if (fd < MAX) {
                assert_false(taken[fd]);
                fd_bits_take(open, cloexec, fd, e);
                taken[fd] = true;
                on_exec[fd] = e;
            }
        } else {
            fd_bits_give(open, cloexec, fd);
            taken[fd] = on_exec[fd] = false;
        }
        u64 lowest = 0;
        while (lowest < MAX && taken[lowest])
            lowest++;
        assert_int_equal(bitmap_find_first_zero(open, MAX), lowest);
    }
    for (u64 fd = 0; fd < MAX; fd++) {
        assert_int_equal(test_bit(fd, open), taken[fd]);
        assert_int_equal(test_bit(fd, cloexec), on_exec[fd]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
