/* SPDX-License-Identifier: MIT */
/* The storm on real threads: not repeatable, but ThreadSanitizer sees every pair of accesses that nothing orders. */
#include "../common/storm.h"

static void storm_on_threads(void **state)
{
    const struct storm_config cfg = {.seed = 1, .cpus = 4, .ram_mib = 64, .processes = 2, .workers = 3, .rounds = 2,
                                     .steps = 150, .fork_depth = 2, .threads = true, .fork_share = 1};
    struct storm_stats s = storm_run(&cfg);
    printf("  %lu steps, %lu forks, %lu pages checked\n", s.steps, s.forks, s.checks);
    assert_true(s.forks > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(storm_on_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
