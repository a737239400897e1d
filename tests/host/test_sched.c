/* SPDX-License-Identifier: MIT */
/* The scheduler of fibers: threads share a CPU only when they sleep, move, are preempted as user code, wake in order. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <host/machine.h>
#include <host/thread.h>

static u32 inside, seen_cpus, order[64], nr_order;
static struct waitq wq;
static bool go;

static void up(u32 cpus, u64 seed)
{
    const struct host_config cfg = {.cpus = cpus, .seed = seed, .switch_permille = 300};
    host_machine_start(&cfg);
    waitq_init(&wq);
    inside = seen_cpus = nr_order = 0;
    go = false;
}

/* Not a lock: what the core relies on for its per-CPU data. */
static int alone_on_the_cpu(void *arg)
{
    for (int i = 0; i < 100; i++) {
        if (inside++)
            return 1;
        for (int j = 0; j < 5; j++)
            host_point();
        inside--;
        sched_cond();
        if (i % 7 == 0)
            sched_yield_cpu();
    }
    return 0;
}

static void one_thread_of_a_cpu_at_a_time(void **state)
{
    struct host_thread *t[4];
    up(3, 1);
    for (int i = 0; i < 4; i++)
        t[i] = host_thread_start(alone_on_the_cpu, NULL, "alone", 2);
    for (int i = 0; i < 4; i++)
        assert_int_equal(host_thread_join(t[i]), 0);
    host_machine_stop();
}

static int wander(void *arg)
{
    for (int i = 0; i < 4000; i++) {
        seen_cpus |= 1u << cpu_id();
        host_user_point();
    }
    return 0;
}

static int stay(void *arg)
{
    u32 cpu = cpu_id();
    for (int i = 0; i < 200; i++) {
        host_user_point();
        if (cpu_id() != cpu)
            return 1;
    }
    return 0;
}

static void user_code_moves_unless_pinned(void **state)
{
    up(4, 2);
    struct host_thread *a = host_thread_start(wander, NULL, "wanderer", U32_MAX);
    struct host_thread *b = host_thread_start(stay, NULL, "pinned", 3);
    assert_int_equal(host_thread_join(a), 0);
    assert_int_equal(host_thread_join(b), 0);
    assert_int_equal(seen_cpus, 15);
    host_thread_move(2);
    assert_int_equal(cpu_id(), 2);
    host_thread_move(0);
    assert_int_equal(cpu_id(), 0);
    host_machine_stop();
}

static int wait_for_turn(void *arg)
{
    waitq_wait(&wq, go);
    order[nr_order++] = (u32)(uintptr_t)arg;
    go = false;
    return 0;
}

static void wake_one_wakes_the_longest_sleeper(void **state)
{
    struct host_thread *t[5];
    up(1, 3);
    for (uintptr_t i = 0; i < 5; i++) {
        t[i] = host_thread_start(wait_for_turn, (void *)i, "waiter", U32_MAX);
        host_run_until_idle();
    }
    for (u32 i = 0; i < 5; i++) {
        go = true;
        waitq_wake_one(&wq);
        host_run_until_idle();
        assert_int_equal(nr_order, i + 1);
        assert_int_equal(order[i], i);
    }
    for (int i = 0; i < 5; i++)
        host_thread_join(t[i]);
    host_machine_stop();
}

static int wait_killable(void *arg)
{
    return waitq_wait_killable(&wq, false);
}

static int count_up(void *arg)
{
    ++*(u32 *)arg;
    return 0;
}

static void kernel_threads_run_and_waits_are_killed(void **state)
{
    u32 ran = 0;
    up(2, 4);
    assert_non_null(kthread_start(count_up, &ran, "kthread"));
    host_run_until_idle();
    assert_int_equal(ran, 1);
    struct host_thread *t = host_thread_start(wait_killable, NULL, "victim", U32_MAX);
    host_run_until_idle();
    host_thread_kill(t);
    assert_int_equal(host_thread_join(t), -4);
    host_machine_stop();
}

static u32 deep(u32 n)
{
    volatile char room[1000];
    room[n % 1000] = (char)n;
    return n ? deep(n - 1) + (u32)(room[n % 1000] != (char)n) : 0;
}

static int use_the_stack(void *arg)
{
    return (int)deep(60);
}

static void stacks_are_large_enough_and_many(void **state)
{
    struct host_thread *t[300];
    up(64, 5);
    for (int i = 0; i < 300; i++)
        t[i] = host_thread_start(use_the_stack, NULL, "deep", U32_MAX);
    for (int i = 0; i < 300; i++)
        assert_int_equal(host_thread_join(t[i]), 0);
    host_machine_stop();
}

static int never_ends(void *arg)
{
    waitq_wait(&wq, false);
    return 0;
}

static void stop_early(void *arg)
{
    host_thread_start(never_ends, NULL, "forgotten", U32_MAX);
    host_run_until_idle();
    host_machine_stop();
}

static void a_forgotten_thread_is_noticed(void **state)
{
    up(1, 6);
    const char *text = host_catch_panic(stop_early, NULL);
    assert_non_null(text);
    assert_non_null(strstr(text, "forgotten"));
    host_machine_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_of_a_cpu_at_a_time),
        cmocka_unit_test(user_code_moves_unless_pinned),
        cmocka_unit_test(wake_one_wakes_the_longest_sleeper),
        cmocka_unit_test(kernel_threads_run_and_waits_are_killed),
        cmocka_unit_test(stacks_are_large_enough_and_many),
        cmocka_unit_test(a_forgotten_thread_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
