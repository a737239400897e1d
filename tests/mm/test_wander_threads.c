/* SPDX-License-Identifier: MIT */
/*
 * Pages, objects and stacks that are taken on one CPU and given back on another, while somebody
 * empties everybody's lists: under many schedules on fibers, and on real threads for
 * ThreadSanitizer.
 */
#include "../common/machine.h"

/* Threads on all CPUs take, pass on and free pages, while one drains everybody's lists. */
#define WORKERS 4
#define MAILBOX 64
static struct page *mailbox[MAILBOX];

static int page_worker(void *arg)
{
    struct rand r;
    rand_init(&r, (u64)(uptr)arg + 1);
    for (unsigned i = 0; i < 400; i++) {
        struct page *page = alloc_page(rand_below(&r, 2) ? GFP_KERNEL : GFP_HIGHUSER_MOVABLE);
        if (!page)
            return 1;
        memset(page_to_virt(page), (int)(uptr)arg, 64);
        struct page *other =
            __atomic_exchange_n(&mailbox[rand_below(&r, MAILBOX)], page, __ATOMIC_ACQ_REL);
        if (other)
            page_put(other);
        if (rand_below(&r, 20) == 0)
            sched_yield_cpu();
    }
    return 0;
}

static int drainer(void *arg)
{
    for (unsigned i = 0; i < 20; i++) {
        pcp_drain_all();
        sched_yield_cpu();
    }
    return 0;
}

static void pages_wander(u64 seeds, bool threads)
{
    for (u64 seed = 1; seed <= seeds; seed++) {
        struct host_thread *t[WORKERS + 1];
        const struct host_config cfg = {
            .seed = seed, .cpus = WORKERS, .ram = 32 << 20, .threads = threads};
        machine_up_config(&cfg);
        for (uptr i = 0; i < WORKERS; i++)
            t[i] = host_thread_start(page_worker, (void *)i, "worker", (u32)i);
        t[WORKERS] = host_thread_start(drainer, NULL, "drainer", U32_MAX);
        for (unsigned i = 0; i <= WORKERS; i++)
            assert_int_equal(host_thread_join(t[i]), 0);
        for (unsigned i = 0; i < MAILBOX; i++) {
            if (mailbox[i])
                page_put(mailbox[i]);
            mailbox[i] = NULL;
        }
        machine_down();
    }
}

static void pages_wander_between_cpus(void **state)
{
    pages_wander(10, false);
}

static void pages_wander_between_threads(void **state)
{
    pages_wander(1, true);
}

#define BOX 128
static void *box[BOX];
static struct slab_cache *shared;

/* Objects made on one CPU and freed on another. */
static int object_worker(void *arg)
{
    struct rand r;
    rand_init(&r, (u64)(uptr)arg + 10);
    for (unsigned i = 0; i < 500; i++) {
        u64 *o = slab_alloc(shared, GFP_KERNEL);
        if (!o)
            return 1;
        o[0] = o[20] = (u64)(uptr)o;
        u64 *other = __atomic_exchange_n(&box[rand_below(&r, BOX)], o, __ATOMIC_ACQ_REL);
        if (other) {
            if (other[0] != (u64)(uptr)other || other[20] != (u64)(uptr)other)
                return 2;
            slab_free(shared, other);
        }
        if (rand_below(&r, 30) == 0)
            sched_yield_cpu();
    }
    return 0;
}

static int shrinker(void *arg)
{
    for (unsigned i = 0; i < 20; i++) {
        slab_shrink_all();
        if (slab_validate())
            return 3;
        sched_yield_cpu();
    }
    return 0;
}

static void objects_wander(u64 seeds, bool threads)
{
    for (u64 seed = 1; seed <= seeds; seed++) {
        struct host_thread *t[WORKERS + 1];
        struct host_config cfg = {
            .seed = seed, .cpus = WORKERS, .nodes = 2, .nr_ranges = 2, .threads = threads};
        cfg.ranges[0] = (struct mem_range){0, 8 << 20, 0, MEM_FREE};
        cfg.ranges[1] = (struct mem_range){8 << 20, 8 << 20, 1, MEM_FREE};
        cfg.cpu_node[1] = cfg.cpu_node[3] = 1;
        machine_up_config(&cfg);
        shared = slab_cache_create("shared", 200, 0, 0);
        for (uptr i = 0; i < WORKERS; i++)
            t[i] = host_thread_start(object_worker, (void *)i, "worker", (u32)i);
        t[WORKERS] = host_thread_start(shrinker, NULL, "shrinker", U32_MAX);
        for (unsigned i = 0; i <= WORKERS; i++)
            assert_int_equal(host_thread_join(t[i]), 0);
        for (unsigned i = 0; i < BOX; i++) {
            if (box[i])
                slab_free(shared, box[i]);
            box[i] = NULL;
        }
        assert_int_equal(slab_cache_destroy(shared), 0);
        machine_down();
    }
}

static void objects_wander_between_cpus(void **state)
{
    objects_wander(8, false);
}

static void objects_wander_between_threads(void **state)
{
    objects_wander(1, true);
}

static int stack_user(void *arg)
{
    for (unsigned i = 0; i < 100; i++) {
        u64 *p = vmalloc(16384);
        if (!p)
            return 1;
        p[0] = p[2047] = (u64)(uptr)arg;
        sched_yield_cpu();
        if (p[0] != (u64)(uptr)arg || p[2047] != (u64)(uptr)arg)
            return 2;
        vfree(p);
        if (i % 20 == (u64)(uptr)arg)
            vmalloc_purge();
    }
    return 0;
}

static void stack_users(u64 seeds, bool threads)
{
    for (u64 seed = 1; seed <= seeds; seed++) {
        struct host_thread *t[4];
        const struct host_config cfg = {
            .seed = seed, .cpus = 4, .ram = 32 << 20, .threads = threads};
        machine_up_config(&cfg);
        for (uptr i = 0; i < 4; i++)
            t[i] = host_thread_start(stack_user, (void *)i, "user", (u32)i);
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(host_thread_join(t[i]), 0);
        assert_null(vmalloc_validate());
        machine_down();
    }
}

static void many_cpus(void **state)
{
    stack_users(5, false);
}

static void many_threads(void **state)
{
    stack_users(1, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_wander_between_cpus),
        cmocka_unit_test(pages_wander_between_threads),
        cmocka_unit_test(objects_wander_between_cpus),
        cmocka_unit_test(objects_wander_between_threads),
        cmocka_unit_test(many_cpus),
        cmocka_unit_test(many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
