/* SPDX-License-Identifier: MIT */
/* The port on real pthreads (built with SAN=thread, ThreadSanitizer watches): exclusion, wake-ups, RCU, per-CPU data. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <host/machine.h>
#include <host/thread.h>

#define ROUNDS  300
#define THREADS 6

static spinlock_t lock = SPINLOCK_INIT(RANK_PT);
static struct mutex mutex;
static struct rwsem sem;
static struct waitq wq;
static u64 counter, turn, per_cpu[NR_CPUS];
static u64 *shared;

static int add_under_two_locks(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        mutex_lock(&mutex);
        turn++;
        mutex_unlock(&mutex);
        spin_lock(&lock);
        counter++;
        spin_unlock(&lock);
    }
    return 0;
}

static int one_lock_each(void *arg)
{
    u64 plain = 0;
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 3 == 0) {
            down_write(&sem);
            counter++;
            if (i % 2)
                downgrade_write(&sem);
            else {
                up_write(&sem);
                continue;
            }
            plain += counter;
            up_read(&sem);
        } else {
            down_read(&sem);
            plain += counter;
            up_read(&sem);
        }
        if (i % 16 == 0)
            sched_yield_cpu();
    }
    return plain == 0;
}

static int count_on_cpu(void *arg)
{
    for (int i = 0; i < ROUNDS * 10; i++) {
        per_cpu[cpu_id()]++; /* plain: a CPU runs one thread at a time */
        if (i % 50 == 0)
            sched_yield_cpu();
    }
    return 0;
}

static int take_turns(void *arg)
{
    u64 me = (u64)arg;
    for (int i = 0; i < ROUNDS; i++) {
        waitq_wait(&wq, __atomic_load_n(&turn, __ATOMIC_SEQ_CST) % THREADS == me);
        counter++;
        __atomic_add_fetch(&turn, 1, __ATOMIC_SEQ_CST);
        waitq_wake_all(&wq);
    }
    return 0;
}

struct box {
    struct rcu_head rcu;
    u64 value;
};

static void free_box(struct rcu_head *head)
{
    free(container_of(head, struct box, rcu));
}

static int read_or_replace(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (arg) {
            struct box *fresh = malloc(sizeof(*fresh));
            fresh->value = 1;
            u64 *old = __atomic_exchange_n(&shared, &fresh->value, __ATOMIC_ACQ_REL);
            rcu_call(&container_of(old, struct box, value)->rcu, free_box);
            continue;
        }
        rcu_read_lock();
        u64 v = *load_acquire(&shared);
        rcu_read_unlock();
        if (v != 1)
            return 1;
    }
    return 0;
}

static void run(int (*fn)(void *), bool (*odd)(u64))
{
    struct host_config cfg = {.seed = 1, .cpus = 3, .threads = true};
    struct host_thread *t[THREADS];
    host_machine_start(&cfg);
    counter = turn = 0;
    mutex_init(&mutex, RANK_KERNEL);
    rwsem_init(&sem, RANK_MMAP);
    waitq_init(&wq);
    for (u64 i = 0; i < THREADS; i++)
        t[i] = host_thread_start(fn, (void *)(odd ? odd(i) : i), "worker", U32_MAX);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(host_thread_join(t[i]), 0);
    host_machine_stop();
}

static bool is_first(u64 i)
{
    return i == 0;
}

static void mutex_and_spinlock_with_threads(void **state)
{
    run(add_under_two_locks, NULL);
    assert_int_equal(counter, THREADS * ROUNDS);
    assert_int_equal(turn, THREADS * ROUNDS);
}

static void rwsem_with_threads(void **state)
{
    run(one_lock_each, NULL);
    assert_int_equal(counter, THREADS * ROUNDS / 3);
}

static void per_cpu_data_need_no_lock(void **state)
{
    u64 sum = 0;
    for (int c = 0; c < NR_CPUS; c++)
        per_cpu[c] = 0;
    run(count_on_cpu, NULL);
    for (int c = 0; c < NR_CPUS; c++)
        sum += per_cpu[c];
    assert_int_equal(sum, THREADS * ROUNDS * 10);
}

static void no_wake_up_is_lost(void **state)
{
    run(take_turns, NULL);
    assert_int_equal(counter, THREADS * ROUNDS);
}

static void rcu_with_threads(void **state)
{
    struct box *first = malloc(sizeof(*first));
    first->value = 1;
    shared = &first->value;
    run(read_or_replace, is_first);
    free(container_of(shared, struct box, value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutex_and_spinlock_with_threads),
        cmocka_unit_test(rwsem_with_threads),
        cmocka_unit_test(per_cpu_data_need_no_lock),
        cmocka_unit_test(no_wake_up_is_lost),
        cmocka_unit_test(rcu_with_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
