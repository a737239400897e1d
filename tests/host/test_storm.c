/* SPDX-License-Identifier: MIT */
/*
 * Storms under the seeded scheduler. PAGODA_SEED=n runs all of them with that seed, as the last line of a failed run says;
 * PAGODA_STORM_SECONDS=n goes on with new seeds for so long (default 10).
 */
#include "../common/storm.h"
#include <time.h>

static u64 first_seed(void)
{
    const char *s = getenv("PAGODA_SEED");
    return s ? strtoul(s, NULL, 0) : 1;
}

static void report(const char *name, struct storm_stats s)
{
    printf("  %s: %lu steps, %lu forks, %lu signals, %lu cut off, %lu out of memory, %lu pages checked", name, s.steps,
           s.forks, s.faults_seen, s.cut_seen, s.oom_seen, s.checks);
    if (s.swapped_out)
        printf(", %lu swapped out, %lu swapoffs", s.swapped_out, s.swapped_off);
    printf("\n");
}

/* One worker, everything validated after each step: finds which step breaks an invariant. */
static void one_worker_validated_at_each_step(void **state)
{
    const struct storm_config cfg = {.seed = first_seed(), .cpus = 1, .ram_mib = 16, .processes = 1, .workers = 1,
                                     .rounds = 1, .steps = 600, .validate_each_step = true};
    report("sequential", storm_run(&cfg));
}

static void many_workers(void **state)
{
    struct storm_config cfg = {.seed = first_seed(), .cpus = 4, .ram_mib = 64, .processes = 3, .workers = 3,
                                     .rounds = 3, .steps = 150, .fork_depth = 2};
    for (u32 i = 0; i < 2; i++) {
        cfg.fork_share = i;
        struct storm_stats s = storm_run(&cfg);
        report(i ? "parallel, tables shared" : "parallel", s);
        assert_true(s.forks > 0 && s.faults_seen > 0 && s.oom_seen == 0);
    }
}

static void wide_spaces(void **state)
{
    struct storm_config cfg = {.seed = first_seed(), .cpus = 4, .ram_mib = 64, .processes = 2, .workers = 3, .rounds = 3,
                               .steps = 150, .fork_depth = 2, .fork_share = 1, .wide = true};
    for (u32 i = 0; i < 2; i++) {
        cfg.fail_permille = i * 30;
        struct storm_stats s = storm_run(&cfg);
        report(i ? "wide, failing" : "wide", s);
        assert_true(s.forks > 0);
    }
}

static void five_levels(void **state)
{
    const struct storm_config cfg = {.seed = first_seed(), .cpus = 2, .ram_mib = 64, .processes = 2, .workers = 2,
                                     .rounds = 1, .steps = 150, .fork_depth = 1, .levels = 5, .fork_share = 1};
    report("five levels", storm_run(&cfg));
}

static void allocations_fail(void **state)
{
    struct storm_config cfg = {.seed = first_seed(), .cpus = 3, .ram_mib = 64, .processes = 2, .workers = 2,
                                     .rounds = 3, .steps = 150, .fork_depth = 2, .fail_permille = 30};
    for (u32 i = 0; i < 2; i++) {
        cfg.fork_share = i;
        struct storm_stats s = storm_run(&cfg);
        report(i ? "failing, tables shared" : "failing", s);
        assert_true(s.oom_seen > 0);
    }
}

static void memory_runs_out(void **state)
{
    const struct storm_config cfg = {.seed = first_seed(), .cpus = 3, .ram_mib = 3, .processes = 3, .workers = 4,
                                     .rounds = 2, .steps = 200, .fork_depth = 2, .tight = true, .fork_share = 1};
    struct storm_stats s = storm_run(&cfg);
    report("tight", s);
    assert_true(s.oom_seen > 0);
}

static void swapping(void **state)
{
    struct storm_config cfg = {.seed = first_seed(), .cpus = 1, .ram_mib = 32, .processes = 1, .workers = 1, .rounds = 1,
                               .steps = 400, .validate_each_step = true, .swap_pages = 512};
    report("swap, sequential", storm_run(&cfg));
    cfg = (struct storm_config){.seed = first_seed(), .cpus = 4, .ram_mib = 64, .processes = 3, .workers = 3, .rounds = 3, .steps = 150,
                                .fork_depth = 2, .swap_pages = 1024};
    for (u32 i = 0; i < 4; i++) {
        cfg.fork_share = i % 2;
        cfg.seed += i;
        cfg.fail_permille = i / 2 * 15;
        struct storm_stats s = storm_run(&cfg);
        report(i % 2 ? "swap, tables shared" : "swap", s);
        assert_true(s.swapped_out > 0 && s.swapped_off > 0);
    }
}

static void two_nodes_and_many_cpus(void **state)
{
    const struct storm_config cfg = {.seed = first_seed(), .cpus = 64, .ram_mib = 64, .processes = 4, .workers = 8,
                                     .rounds = 1, .steps = 60, .fork_depth = 1, .two_nodes = true, .fork_share = 16};
    report("64 cpus", storm_run(&cfg));
}

static void seeds(void **state)
{
    const char *s = getenv("PAGODA_STORM_SECONDS");
    time_t end = time(NULL) + (s ? atol(s) : 10);
    u64 seed = first_seed();
    struct storm_stats sum = {0};
    u64 runs = 0;
    do {
        u64 r = seed * 0x9e3779b97f4a7c15UL >> 32;
        struct storm_config cfg = {
            .seed = seed, .cpus = 1 + r % 6, .ram_mib = 64, .processes = 1 + r / 7 % 3, .workers = 1 + r / 31 % 4,
            .rounds = 2, .steps = 60, .fork_depth = r / 127 % 3, .fail_permille = r / 511 % 3 == 0 ? 15 : 0,
            .levels = 4 + r / 2047 % 2, .two_nodes = r / 4099 % 4 == 0, .switch_permille = 1u << r / 16411 % 10, 
            .focus = r / 65537 % 3, .tight = r / 8191 % 8 == 0,
            .fork_share = (const u32[]){0, 1, 1, 16}[r / 131101 % 4],
            .squeeze = r / 1048583 % 4 == 0, .wide = r / 262147 % 3 == 0, .swap_pages = (const u32[]){0, 0, 64, 1024}[r / 524309 % 4]};
        if (cfg.focus) { /* looked at more often: what is wrong may be put right by the next call */
            cfg.rounds = 8;
            cfg.steps = 20;
        }
        if (cfg.tight)
            cfg.ram_mib = 3 + r % 2;
        struct storm_stats one = storm_run(&cfg);
        sum.steps += one.steps;
        sum.forks += one.forks;
        sum.faults_seen += one.faults_seen;
        sum.oom_seen += one.oom_seen;
        sum.cut_seen += one.cut_seen;
        sum.checks += one.checks;
        sum.swapped_out += one.swapped_out;
        sum.swapped_off += one.swapped_off;
        runs++;
        seed++;
    } while (time(NULL) < end);
    printf("  %lu seeds before %lu\n", runs, seed);
    report("seeds", sum);
}

static void reclaiming(const char *name, const struct storm_config *cfg)
{
    struct storm_stats s = storm_run(cfg);
    report(name, s);
    assert_true(s.reclaimed > 0);
}

/* Pages vanish from under everybody all the time: clean ones, dirty ones, anonymous ones by way of swap. */
static void reclaim_all_the_time(void **state)
{
    struct storm_config cfg = {.seed = first_seed(), .cpus = 1, .ram_mib = 16, .processes = 1, .workers = 1,
                               .rounds = 3, .steps = 200, .squeeze = true, .swap_pages = 16384};
    reclaiming("with reclaim, alone", &cfg);
    cfg.cpus = 4;
    cfg.ram_mib = 64;
    cfg.processes = 2;
    cfg.workers = 3;
    cfg.fork_depth = 2;
    for (cfg.fork_share = 0; cfg.fork_share <= 1; cfg.fork_share++)
        reclaiming("with reclaim", &cfg);
    cfg.fail_permille = 20;
    reclaiming("with reclaim, failing", &cfg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reclaim_all_the_time),
        cmocka_unit_test(one_worker_validated_at_each_step),
        cmocka_unit_test(many_workers),
        cmocka_unit_test(wide_spaces),
        cmocka_unit_test(five_levels),
        cmocka_unit_test(allocations_fail),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(swapping),
        cmocka_unit_test(two_nodes_and_many_cpus),
        cmocka_unit_test(seeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
