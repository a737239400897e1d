/* SPDX-License-Identifier: MIT */
/* Pressure: times by CPU, their sum, averages against the formula, triggers. Time is what the test says it is. */
#include "../../common/machine.h"
#include <lib/errno.h>
#include <math.h>
#include <mm/psi.h>
#include <port/clock.h>

#define SEC      1000000000UL
#define MS       1000000UL
#define MEM_SOME (1u << PSI_MEM_SOME | 1u << PSI_NONIDLE)
#define MEM_BOTH (1u << PSI_MEM_SOME | 1u << PSI_MEM_FULL | 1u << PSI_NONIDLE)
#define BUSY     (1u << PSI_NONIDLE)

static char text[256];

static const char *shown(enum psi_resource r, u64 now)
{
    struct seq s;
    seq_init(&s, text, sizeof(text) - 1);
    psi_show(&s, r, now);
    text[s.len] = 0;
    return text;
}

static void start(unsigned cpus)
{
    machine_up(32, cpus, 1);
    psi_boot(0);
}

static void one_cpu_is_what_it_says(void **state)
{
    start(1);
    assert_string_equal(shown(PSI_MEM, 0), "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
                                           "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
    psi_change(0, MEM_SOME, 100 * MS);
    psi_change(0, MEM_BOTH, 300 * MS);
    psi_change(0, BUSY, 400 * MS);
    psi_change(0, 0, 900 * MS);
    assert_int_equal(psi_total(PSI_MEM_SOME, SEC), 300000);
    assert_int_equal(psi_total(PSI_MEM_FULL, SEC), 100000);
    assert_int_equal(psi_total(PSI_IO_SOME, SEC), 0);
    /* What lasts counts as far as it has come. */
    psi_change(0, MEM_BOTH, SEC);
    assert_int_equal(psi_total(PSI_MEM_SOME, SEC + 50 * MS), 350000);
    assert_int_equal(psi_total(PSI_MEM_SOME, SEC + 80 * MS), 380000);
    machine_down();
}

/* A CPU counts by the time in which it had something to do. */
static void cpus_are_weighted(void **state)
{
    start(4);
    psi_change(0, MEM_BOTH, 0); /* stalled all the time */
    psi_change(1, BUSY, 0);     /* never */
    psi_change(2, MEM_SOME, 0); /* a quarter of the time, then idle */
    psi_change(2, 0, 250 * MS);
    u64 us = psi_total(PSI_MEM_SOME, SEC); /* (1 * 1 + 0 * 1 + .25 * .25) / 2.25 */
    assert_in_range(us, 472000, 472500);
    us = psi_total(PSI_MEM_FULL, SEC); /* 1 / 2.25 */
    assert_in_range(us, 444000, 444600);
    machine_down();
}

static void averages_follow_the_formula(void **state)
{
    static const double keep[3] = {0.8187307, 0.9672161, 0.9933555};
    double want[3] = {0, 0, 0};
    start(1);
    u64 now = 0;
    for (unsigned i = 0; i < 400; i++) {
        unsigned share = i < 100 ? 100 : i < 150 ? 0 : i * 37 % 101; /* percent of this period */
        psi_change(0, MEM_SOME, now);
        psi_change(0, BUSY, now + share * 20 * MS);
        now += 2 * SEC;
        assert_int_equal(psi_run(now), now + 2 * SEC);
        double got[3];
        assert_int_equal(sscanf(shown(PSI_MEM, now), "some avg10=%lf avg60=%lf avg300=%lf", &got[0],
                                &got[1], &got[2]),
                         3);
        for (unsigned a = 0; a < 3; a++) {
            want[a] = want[a] * keep[a] + share * (1 - keep[a]);
            assert_true(fabs(want[a] - got[a]) < (a == 2 ? 1.0 : 0.5));
        }
    }
    machine_down();
}

/* Nobody looked for a while: the periods between count as calm, as nobody would have slept through them with tasks about. */
static void missed_periods_decay(void **state)
{
    double avg10;
    start(1);
    psi_change(0, MEM_SOME, 0);
    psi_run(2 * SEC);
    psi_change(0, 0, 2 * SEC);
    sscanf(shown(PSI_MEM, 2 * SEC), "some avg10=%lf", &avg10);
    assert_true(avg10 > 17.9 && avg10 < 18.4);
    psi_run(22 * SEC); /* ten periods */
    sscanf(shown(PSI_MEM, 22 * SEC), "some avg10=%lf", &avg10);
    assert_true(avg10 > 2.2 && avg10 < 2.7); /* 18.1 / e^2 */
    assert_int_equal(psi_run(1000 * SEC), 1002 * SEC);
    sscanf(shown(PSI_MEM, 1000 * SEC), "some avg10=%lf", &avg10);
    assert_true(avg10 == 0);
    machine_down();
}

static void the_machine_is_never_out_of_cpus(void **state)
{
    start(1);
    psi_change(0, 1u << PSI_CPU_SOME | BUSY, 0);
    assert_string_equal(shown(PSI_CPU, 2 * SEC),
                        "some avg10=18.11 avg60=3.27 avg300=0.68 total=2000000\n"
                        "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
    machine_down();
}

static struct psi_trigger *trigger(const char *words, enum psi_resource r, bool privileged)
{
    struct psi_trigger *t = NULL;
    assert_int_equal(psi_trigger_alloc(words, strlen(words) + 1, r, privileged, &t), 0);
    return t;
}

static void triggers_are_parsed(void **state)
{
    static const struct {
        const char *words;
        int err;
    } cases[] = {
        {"some 150000 1000000", 0},
        {"full 1 500000", 0},
        {"some 1 10000001", -EINVAL},
        {"some 0 1000000", -EINVAL},
        {"some 1001 1000", -EINVAL},
        {"some 1", -EINVAL},
        {"some", -EINVAL},
        {"most 1 1000000", -EINVAL},
        {"some -1 1000000", -EINVAL},
        {"some\t5 1000000", 0},
        {"some5 1000000", 0},
        {"some 5 1000000 and more", 0},
        {"some 4294967297 1000000", 0},
        {"", -EINVAL},
    };
    start(1);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct psi_trigger *t = NULL;
        assert_int_equal(
            psi_trigger_alloc(cases[i].words, strlen(cases[i].words) + 1, PSI_MEM, true, &t),
            cases[i].err);
        if (t)
            psi_trigger_free(t);
    }
    struct psi_trigger *t = NULL;
    assert_int_equal(psi_trigger_alloc("some 1 1000000", 15, PSI_MEM, false, &t), -EINVAL);
    assert_int_equal(psi_trigger_alloc("some 1 2000000", 15, PSI_MEM, false, &t), 0);
    psi_trigger_free(t);
    /* The last byte of what is looked at ends the text, whatever it is. */
    assert_int_equal(psi_trigger_alloc("some 1 1000000", 14, PSI_MEM, true, &t),
                     0); /* a window of 0.1 s */
    psi_trigger_free(t);
    assert_int_equal(psi_trigger_alloc("some", 0, PSI_MEM, true, &t), -EINVAL);
    machine_down();
}

static void nth_failure_of_a_trigger(void **state)
{
    struct psi_trigger *t = NULL;
    start(1);
    host_fail_nth(FAIL_SLAB_ALLOC, 1, false);
    assert_int_equal(psi_trigger_alloc("some 1 1000000", 15, PSI_MEM, true, &t), -ENOMEM);
    host_fail_none();
    assert_int_equal(psi_trigger_alloc("some 1 1000000", 15, PSI_MEM, true, &t), 0);
    psi_trigger_free(t);
    machine_down();
}

/* It fires when so much was lost within the window, and once per window. */
static void a_trigger_fires(void **state)
{
    start(1);
    u64 base = clock_ns(), now = base, fired = 0;
    struct psi_trigger *t = trigger("some 150000 1000000", PSI_MEM, true);
    for (unsigned i = 0; i < 30; i++) { /* 10 % of 3 s: not enough */
        psi_change(0, MEM_SOME, now);
        psi_change(0, BUSY, now + 10 * MS);
        now += 100 * MS;
        psi_run(now);
        assert_false(psi_trigger_take(t));
    }
    for (unsigned i = 0; i < 50; i++) { /* 40 % of 5 s */
        psi_change(0, MEM_SOME, now);
        psi_change(0, BUSY, now + 40 * MS);
        now += 100 * MS;
        assert_true(psi_run(now) <= now + 100 * MS);
        fired += psi_trigger_take(t);
    }
    assert_in_range(fired, 4, 5);
    for (unsigned i = 0; i < 10; i++)
        psi_run(now += 100 * MS);
    (void)psi_trigger_take(t);
    for (unsigned i = 0; i < 30; i++) {
        psi_run(now += 100 * MS);
        assert_false(psi_trigger_take(t));
    }
    psi_trigger_free(t);
    assert_true(psi_run(now) > now + 100 * MS); /* only the averages are left */
    machine_down();
}

static int sleeper(void *arg)
{
    struct psi_trigger *t = arg;
    waitq_wait(psi_trigger_waitq(t), psi_trigger_take(t));
    return 7;
}

static void a_sleeper_is_woken(void **state)
{
    start(2);
    u64 now = clock_ns() + SEC;
    struct psi_trigger *t = trigger("full 1000 1000000", PSI_MEM, true);
    struct host_thread *th = host_thread_start(sleeper, t, "sleeper", 1);
    host_run_until_idle();
    psi_change(0, MEM_BOTH, now);
    psi_run(now + 200 * MS);
    assert_int_equal(host_thread_join(th), 7);
    psi_trigger_free(t);
    machine_down();
}

/* Pairs nest: the thread is stalled until the outer one is left. */
static void memstall_nests(void **state)
{
    u64 outer, inner;
    start(1);
    psi_memstall_enter(&outer);
    psi_memstall_enter(&inner);
    psi_memstall_leave(&inner);
    assert_true(sched_set_memstall(true));
    psi_memstall_leave(&outer);
    assert_false(sched_set_memstall(false));
    psi_disabled = true;
    psi_memstall_enter(&outer);
    assert_false(sched_set_memstall(false));
    psi_memstall_leave(&outer);
    machine_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_cpu_is_what_it_says),
        cmocka_unit_test(cpus_are_weighted),
        cmocka_unit_test(averages_follow_the_formula),
        cmocka_unit_test(missed_periods_decay),
        cmocka_unit_test(the_machine_is_never_out_of_cpus),
        cmocka_unit_test(triggers_are_parsed),
        cmocka_unit_test(nth_failure_of_a_trigger),
        cmocka_unit_test(a_trigger_fires),
        cmocka_unit_test(a_sleeper_is_woken),
        cmocka_unit_test(memstall_nests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
