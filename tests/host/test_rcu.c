/* SPDX-License-Identifier: MIT */
/* RCU of the hosted machine: callbacks wait for the readers that were inside, and for no others; they run in order. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <host/machine.h>
#include <host/thread.h>

struct object {
    struct rcu_head rcu;
    u64 magic;
};
#define ALIVE 0x600df00d

static struct object *shared;
static u64 freed, order_broken, last_freed;
static bool reader_in, let_go;

static void free_object(struct rcu_head *head)
{
    struct object *o = container_of(head, struct object, rcu);
    freed++;
    o->magic = 0;
    free(o);
}

static struct object *new_object(void)
{
    struct object *o = malloc(sizeof(*o));
    o->magic = ALIVE;
    return o;
}

static int reader(void *arg)
{
    for (int i = 0; i < 500; i++) {
        rcu_read_lock();
        struct object *o = load_acquire(&shared);
        for (int j = 0; j < 3; j++) {
            if (o->magic != ALIVE)
                return 1;
            host_point();
        }
        rcu_read_lock(); /* nested sections are one */
        rcu_read_unlock();
        if (o->magic != ALIVE)
            return 2;
        rcu_read_unlock();
        host_point();
    }
    return 0;
}

static int writer(void *arg)
{
    for (int i = 0; i < 200; i++) {
        struct object *fresh = new_object();
        struct object *old = __atomic_exchange_n(&shared, fresh, __ATOMIC_ACQ_REL);
        if (i % 5) {
            rcu_call(&old->rcu, free_object);
        } else {
            rcu_synchronize();
            free_object(&old->rcu);
        }
        host_point();
    }
    return 0;
}

static void readers_see_live_objects(void **state)
{
    for (u64 seed = 1; seed <= 10; seed++) {
        struct host_config cfg = {.seed = seed, .cpus = 4, .switch_permille = 300};
        host_machine_start(&cfg);
        shared = new_object();
        freed = 0;
        struct host_thread *t[5];
        for (int i = 0; i < 4; i++)
            t[i] = host_thread_start(reader, NULL, "reader", U32_MAX);
        t[4] = host_thread_start(writer, NULL, "writer", U32_MAX);
        for (int i = 0; i < 5; i++)
            assert_int_equal(host_thread_join(t[i]), 0);
        rcu_barrier();
        assert_int_equal(freed, 200);
        free(shared);
        host_machine_stop();
    }
}

static int stay_inside(void *arg)
{
    rcu_read_lock();
    reader_in = true;
    while (!let_go)
        cpu_relax();
    rcu_read_unlock();
    return 0;
}

static void a_reader_holds_callbacks_back(void **state)
{
    struct host_config cfg = {.seed = 3, .cpus = 3};
    host_machine_start(&cfg);
    freed = 0;
    reader_in = let_go = false;
    struct host_thread *t = host_thread_start(stay_inside, NULL, "reader", 1);
    while (!reader_in)
        cpu_relax();
    struct object *o = new_object();
    rcu_call(&o->rcu, free_object);
    for (int i = 0; i < 1000; i++)
        cpu_relax();
    assert_int_equal(freed, 0);
    let_go = true;
    host_thread_join(t);
    rcu_barrier();
    assert_int_equal(freed, 1);
    host_machine_stop();
}

struct numbered {
    struct rcu_head rcu;
    u64 number;
};

static void note_order(struct rcu_head *head)
{
    struct numbered *n = container_of(head, struct numbered, rcu);
    order_broken += n->number != last_freed + 1;
    last_freed = n->number;
    free(n);
}

static void callbacks_run_in_order(void **state)
{
    struct host_config cfg = {.seed = 4, .cpus = 2};
    host_machine_start(&cfg);
    last_freed = order_broken = 0;
    for (u64 i = 1; i <= 300; i++) {
        struct numbered *n = malloc(sizeof(*n));
        n->number = i;
        rcu_call(&n->rcu, note_order);
    }
    rcu_barrier();
    assert_int_equal(last_freed, 300);
    assert_int_equal(order_broken, 0);
    host_machine_stop();
}

static void sleeping_callback(struct rcu_head *head)
{
    sched_yield_cpu();
}

static void call_sleeper(void *arg)
{
    struct rcu_head head;
    rcu_call(&head, sleeping_callback);
    rcu_barrier();
}

static void a_callback_may_not_sleep(void **state)
{
    struct host_config cfg = {.seed = 5, .cpus = 2};
    host_machine_start(&cfg);
    assert_non_null(host_catch_panic(call_sleeper, NULL));
    host_machine_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_live_objects),
        cmocka_unit_test(a_reader_holds_callbacks_back),
        cmocka_unit_test(callbacks_run_in_order),
        cmocka_unit_test(a_callback_may_not_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
