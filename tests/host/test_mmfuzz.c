/* SPDX-License-Identifier: MIT */
/*
 * The games of tests/linux/mmfuzz on the core itself: the steps go through its entry points, every validator runs after each
 * step, and at the end everything must be given back.
 *
 *   kind of a seed   0  as in a guest: one actor at a time, nothing else
 *                    1  besides, a thread of each actor touches the window on another CPU all the time
 *                    2  allocations fail now and then
 *
 * PAGODA_FUZZ_SECONDS=3600 plays new seeds for an hour, from PAGODA_SEED on; without it a few are played.
 */
#include "../common/fuzz_host.h"
#include <time.h>

static void play(u64 seed)
{
    static u64 shown;
    if (seed >= shown) {
        print_message("seed %lu\n", seed);
        shown = seed + 100;
    }
    fuzz_host_game(seed, (enum fuzz_kind)(seed % 3), 500);
}

static void games(void **state)
{
    const char *seconds = getenv("PAGODA_FUZZ_SECONDS"), *first = getenv("PAGODA_SEED");
    u64 seed = first ? strtoul(first, NULL, 0) : 1, from = seed;
    time_t end = time(NULL) + (seconds ? strtol(seconds, NULL, 0) : 0);
    u64 least = first && !seconds ? 1 : 6;

    while (seed < from + least || time(NULL) < end)
        play(seed++);
    print_message("%lu games\n", seed - from);
}

/* The same seed gives the same text: a failure can be repeated. */
static void a_game_is_a_function_of_its_seed(void **state)
{
    u64 sum = fuzz_host_game(3, FUZZ_ALONE, 200);
    assert_int_equal(fuzz_host_game(3, FUZZ_ALONE, 200), sum);
    assert_int_not_equal(fuzz_host_game(6, FUZZ_ALONE, 200), sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_game_is_a_function_of_its_seed),
        cmocka_unit_test(games),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
