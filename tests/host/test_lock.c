/* SPDX-License-Identifier: MIT */
/* Locks and wait queues of the hosted machine: exclusion under every schedule tried, and each check that must fire. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <host/machine.h>
#include <host/thread.h>

#define ROUNDS 200

static spinlock_t lock_a = SPINLOCK_INIT(RANK_PT), lock_b = SPINLOCK_INIT(RANK_ZONE);
static struct mutex mutex;
static struct rwsem sem;
static u64 counter, readers, max_readers;
static struct waitq wq;

static int add_under_spinlock(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        spin_lock(&lock_a);
        u64 seen = counter;
        spin_lock(&lock_b); /* a point at which others run */
        spin_unlock(&lock_b);
        counter = seen + 1;
        spin_unlock(&lock_a);
    }
    return 0;
}

static int add_under_mutex(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        mutex_lock(&mutex);
        u64 seen = counter;
        sched_yield_cpu();
        counter = seen + 1;
        mutex_unlock(&mutex);
    }
    return 0;
}

static int read_and_write(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        if ((i + (uintptr_t)arg) % 4 == 0) {
            down_write(&sem);
            u64 seen = counter;
            sched_yield_cpu();
            if (__atomic_load_n(&readers, __ATOMIC_SEQ_CST))
                return 1;
            counter = seen + 1;
            if (i % 8 == 0) {
                downgrade_write(&sem);
                sched_yield_cpu();
                if (counter != seen + 1)
                    return 2;
                up_read(&sem);
            } else {
                up_write(&sem);
            }
        } else {
            down_read(&sem);
            u64 n = __atomic_add_fetch(&readers, 1, __ATOMIC_SEQ_CST);
            if (n > __atomic_load_n(&max_readers, __ATOMIC_SEQ_CST))
                __atomic_store_n(&max_readers, n, __ATOMIC_SEQ_CST);
            sched_yield_cpu();
            __atomic_sub_fetch(&readers, 1, __ATOMIC_SEQ_CST);
            up_read(&sem);
        }
    }
    return 0;
}

/* 6 threads on 4 CPUs run fn under a few seeds; the counter must reach `want`. */
static void run_on_four(int (*fn)(void *), u64 want)
{
    for (u64 seed = 1; seed <= 5; seed++) {
        struct host_config cfg = {.seed = seed, .cpus = 4, .switch_permille = 300};
        struct host_thread *t[6];
        host_machine_start(&cfg);
        counter = readers = max_readers = 0;
        mutex_init(&mutex, RANK_KERNEL);
        rwsem_init(&sem, RANK_MMAP);
        for (uintptr_t i = 0; i < 6; i++)
            t[i] = host_thread_start(fn, (void *)i, "adder", U32_MAX);
        for (int i = 0; i < 6; i++)
            assert_int_equal(host_thread_join(t[i]), 0);
        assert_int_equal(counter, want);
        host_machine_stop();
    }
}

static void spinlock_excludes(void **state)
{
    run_on_four(add_under_spinlock, 6 * ROUNDS);
}

static void mutex_excludes(void **state)
{
    run_on_four(add_under_mutex, 6 * ROUNDS);
}

static void rwsem_excludes_and_shares(void **state)
{
    run_on_four(read_and_write, 6 * ROUNDS / 4);
    assert_true(max_readers > 1);
}

static int killed_in_down_write(void *arg)
{
    return down_write_killable(&sem);
}

static void kill_ends_a_killable_wait(void **state)
{
    struct host_config cfg = {.seed = 7, .cpus = 2};
    host_machine_start(&cfg);
    rwsem_init(&sem, RANK_MMAP);
    down_write(&sem);
    struct host_thread *t = host_thread_start(killed_in_down_write, NULL, "victim", 1);
    host_run_until_idle();
    assert_int_equal(t->state, HT_BLOCKED);
    host_thread_kill(t);
    assert_int_equal(host_thread_join(t), -4);
    up_write(&sem);
    down_read(&sem);
    up_read(&sem);
    host_machine_stop();
}

/* ---- what must be noticed ---- */

static void expect_panic(void (*fn)(void *), const char *part)
{
    struct host_config cfg = {.seed = 1, .cpus = 2};
    host_machine_start(&cfg);
    spin_init(&lock_a, RANK_PT);
    spin_init(&lock_b, RANK_ZONE);
    mutex_init(&mutex, RANK_KERNEL);
    rwsem_init(&sem, RANK_MMAP);
    waitq_init(&wq);
    const char *text = host_catch_panic(fn, NULL);
    assert_non_null(text);
    if (!strstr(text, part))
        fail_msg("panic says \"%s\", not \"%s\"", text, part);
    host_machine_stop();
}

static void wrong_order(void *arg)
{
    spin_lock(&lock_b);
    spin_lock(&lock_a);
}

static void same_rank(void *arg)
{
    spinlock_t other = SPINLOCK_INIT(RANK_PT);
    spin_lock(&lock_a);
    spin_lock_nested(&other);
    spin_unlock(&other);
    spin_lock(&other);
}

static void sleep_with_spinlock(void *arg)
{
    spin_lock(&lock_a);
    mutex_lock(&mutex);
}

static void sleep_in_rcu(void *arg)
{
    rcu_read_lock();
    down_read(&sem);
}

static void lock_twice(void *arg)
{
    spin_lock(&lock_a);
    spin_lock(&lock_a);
}

static void release_unheld(void *arg)
{
    up_read(&sem);
}

static void wait_for_ever(void *arg)
{
    waitq_wait(&wq, false);
}

static int take_sem_then_mutex(void *arg)
{
    mutex_lock(&mutex);
    waitq_wait(&wq, rwsem_is_write_locked(&sem));
    struct rwsem *s = &sem;
    s->rank = RANK_NONE;
    down_write(s);
    return 0;
}

static void deadly_embrace(void *arg)
{
    host_thread_start(take_sem_then_mutex, NULL, "other", 1);
    host_run_until_idle();
    sem.rank = RANK_NONE;
    mutex.rank = RANK_NONE;
    down_write(&sem);
    waitq_wake_all(&wq);
    mutex_lock(&mutex);
}

static int panic_elsewhere(void *arg)
{
    release_unheld(NULL);
    return 0;
}

static void on_another_fiber(void *arg)
{
    host_thread_join(host_thread_start(panic_elsewhere, NULL, "other", 1));
}

static void checks_fire(void **state)
{
    expect_panic(wrong_order, "lock order");
    expect_panic(same_rank, "lock order");
    expect_panic(sleep_with_spinlock, "with spinlock");
    expect_panic(sleep_in_rcu, "inside rcu_read_lock");
    expect_panic(lock_twice, "twice");
    expect_panic(release_unheld, "does not hold");
    expect_panic(wait_for_ever, "deadlock");
    expect_panic(deadly_embrace, "(other) cpu 1: waits to write");
    expect_panic(on_another_fiber, "does not hold");
}

/* ---- the same seed is the same run ---- */

static u64 trace_of(u64 seed)
{
    struct host_config cfg = {.seed = seed, .cpus = 4, .switch_permille = 300};
    struct host_thread *t[4];
    host_machine_start(&cfg);
    counter = 0;
    for (int i = 0; i < 4; i++)
        t[i] = host_thread_start(add_under_spinlock, NULL, "adder", U32_MAX);
    for (int i = 0; i < 4; i++)
        host_thread_join(t[i]);
    u64 trace = host_machine.events * 1000003 + host_machine.clock;
    host_machine_stop();
    return trace;
}

static void seed_decides(void **state)
{
    assert_int_equal(trace_of(42), trace_of(42));
    assert_int_not_equal(trace_of(42), trace_of(43));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spinlock_excludes),
        cmocka_unit_test(mutex_excludes),
        cmocka_unit_test(rwsem_excludes_and_shares),
        cmocka_unit_test(kill_ends_a_killable_wait),
        cmocka_unit_test(checks_fire),
        cmocka_unit_test(seed_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
