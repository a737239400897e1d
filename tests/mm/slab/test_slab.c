/* SPDX-License-Identifier: MIT */
/*
 * Slab caches: objects do not overlap, counts agree, memory comes back. Damage: test_slab_damage.c.
 */
#include "../../common/machine.h"
#include <lib/errno.h>
#include <lib/string.h>

struct obj {
    void *p;
    u8 tag;
};

static void check(struct obj o, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((u8 *)o.p)[i] != o.tag)
            fail_msg("object %p was written by somebody else at byte %zu", o.p, i);
}

static void random_steps(u64 seed, size_t size, size_t align, u32 flags)
{
    static struct obj live[700];
    unsigned n = 0;
    struct rand r;
    rand_init(&r, seed);
    machine_up(16, 1, seed);
    struct slab_cache *c = slab_cache_create("test", size, align, flags);
    assert_non_null(c);
    for (unsigned step = 0; step < 1500; step++) {
        /* Long runs of each, so that stacks overflow and slabs fill up and empty. */
        bool grow = (step / 250) % 2 == 0 ? rand_below(&r, 10) < 8 : rand_below(&r, 10) < 2;
        if (grow && n < ARRAY_SIZE(live)) {
            struct obj o = {slab_alloc(c, GFP_KERNEL | (step % 3 ? 0 : GFP_ZERO)), (u8)step};
            assert_non_null(o.p);
            if (align)
                assert_int_equal((uptr)o.p % align, 0);
            if (step % 3 == 0)
                assert_int_equal(mem_find_nonzero(o.p, size), size);
            memset(o.p, o.tag, size);
            live[n++] = o;
        } else if (n) {
            unsigned i = (unsigned)rand_below(&r, n);
            check(live[i], size);
            slab_free(c, live[i].p);
            live[i] = live[--n];
        }
        if (step % 8 == 0) {
            const char *bad = slab_validate();
            if (bad)
                fail_msg("step %u: %s", step, bad);
            assert_int_equal(slab_in_use(c), n);
        }
        if (step % 300 == 0)
            slab_shrink(c);
    }
    if (n)
        assert_int_equal(slab_cache_destroy(c), -EBUSY);
    while (n--) {
        check(live[n], size);
        slab_free(c, live[n].p);
    }
    assert_int_equal(slab_in_use(c), 0);
    assert_int_equal(slab_cache_destroy(c), 0);
    machine_down();
}

static void random_sizes(void **state)
{
    static const struct {
        size_t size, align;
        u32 flags;
    } rows[] = {{1, 0, 0},
                {8, 0, 0},
                {24, 8, 0},
                {56, 0, SLAB_RCU},
                {100, 4, SLAB_ZERO_ON_FREE},
                {192, 64, 0},
                {584, 0, SLAB_RCU},
                {1000, 128, 0},
                {4096, 4096, 0},
                {5000, 0, SLAB_RECLAIM}};
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        random_steps(i + 1, rows[i].size, rows[i].align, rows[i].flags);
}

static void impossible_caches_are_refused(void **state)
{
    machine_up(16, 1, 1);
    assert_null(slab_cache_create("huge", 40000, 0, 0));
    assert_null(slab_cache_create("nothing", 0, 0, 0));
    assert_null(slab_cache_create("odd", 64, 24, 0));
    machine_down();
}

static void numbers_run_out(void **state)
{
    struct slab_cache *c[MAX_SLAB_CACHES];
    unsigned n = 0;
    machine_up(16, 1, 1);
    while (n < MAX_SLAB_CACHES && (c[n] = slab_cache_create("many", 64, 0, 0)))
        n++;
    assert_true(n > 100 && n < MAX_SLAB_CACHES);
    void *p = slab_alloc(c[n - 1], GFP_KERNEL);
    assert_non_null(p);
    slab_free(c[n - 1], p);
    while (n--)
        assert_int_equal(slab_cache_destroy(c[n]), 0);
    machine_down();
}

/* Freed memory goes back to the page allocator, but for a few empty slabs. */
static void empty_slabs_go_back(void **state)
{
    static void *p[5000];
    machine_up(16, 1, 1);
    struct slab_cache *c = slab_cache_create("test", 256, 0, 0);
    s64 before = stat_sum(NR_SLAB_UNRECLAIMABLE);
    for (unsigned i = 0; i < 5000; i++)
        p[i] = slab_alloc(c, GFP_KERNEL);
    assert_true(stat_sum(NR_SLAB_UNRECLAIMABLE) >= before + 312);
    for (unsigned i = 0; i < 5000; i++)
        slab_free(c, p[i]);
    assert_true(stat_sum(NR_SLAB_UNRECLAIMABLE) < before + 20);
    slab_shrink(c);
    assert_true(stat_sum(NR_SLAB_UNRECLAIMABLE) <= before + 2);
    assert_int_equal(slab_cache_destroy(c), 0);
    machine_down();
}

/*
 * An object of an RCU cache keeps its contents (all but what its next user writes) until a grace
 * period has passed.
 */
static void rcu_objects_stay_readable(void **state)
{
    static u8 *p[600];
    machine_up(16, 1, 1);
    struct slab_cache *c = slab_cache_create("test", 64, 0, SLAB_RCU);
    for (unsigned i = 0; i < 600; i++) {
        p[i] = slab_alloc(c, GFP_KERNEL);
        memset(p[i], 0x5a, 64);
    }
    rcu_read_lock();
    for (unsigned i = 0; i < 600; i++)
        slab_free(c, p[i]);
    for (unsigned i = 0; i < 600; i++)
        for (unsigned k = 0; k < 64; k++)
            assert_int_equal(p[i][k], 0x5a);
    u64 used = machine_pages_used();
    rcu_read_unlock();
    rcu_barrier();
    assert_true(machine_pages_used() < used);
    assert_int_equal(slab_cache_destroy(c), 0);
    machine_down();
}

static void zero_on_free(void **state)
{
    machine_up(16, 1, 1);
    struct slab_cache *c = slab_cache_create("secret", 128, 0, SLAB_ZERO_ON_FREE);
    u8 *p = slab_alloc(c, GFP_KERNEL);
    memset(p, 0x77, 128);
    slab_free(c, p);
    mem_unpoison(p, 128); /* looked at though it is free */
    assert_int_equal(mem_find_nonzero(p, 128), 128);
    assert_int_equal(slab_cache_destroy(c), 0);
    machine_down();
}

/* The N-th page, the N-th object fails; each time all is as before. */
static void nth_failure(void **state)
{
    machine_up(16, 1, 1);
    struct slab_cache *c = slab_cache_create("test", 1024, 0, 0);
    for (unsigned point = FAIL_PAGE_ALLOC; point <= FAIL_SLAB_ALLOC; point++) {
        for (unsigned nth = 1; nth < 40; nth++) {
            void *p[60];
            unsigned failed = 0;
            host_fail_nth(point, nth, nth % 2);
            for (unsigned i = 0; i < 60; i++) {
                p[i] = slab_alloc(c, GFP_KERNEL | GFP_NOWARN);
                failed += !p[i];
            }
            host_fail_none();
            if (point == FAIL_SLAB_ALLOC && nth % 2)
                assert_true(failed > 0);
            assert_machine_valid();
            assert_int_equal(slab_in_use(c), 60 - failed);
            for (unsigned i = 0; i < 60; i++)
                if (p[i])
                    slab_free(c, p[i]);
            slab_shrink(c);
        }
    }
    assert_int_equal(slab_cache_destroy(c), 0);
    machine_down();
}

/* Large slabs fall back to small ones when memory is in pieces. */
static void fragmented_memory(void **state)
{
    static struct page *page[4096];
    unsigned n = 0;
    machine_up(16, 1, 1);
    struct slab_cache *c = slab_cache_create("test", 2048, 0, 0);
    while (n < 4096 && (page[n] = alloc_page(GFP_MEMALLOC | GFP_NOWARN)))
        n++;
    for (unsigned i = 0; i < n; i++) {
        if (page_to_pfn(page[i]) % 2) {
            free_pages(page[i], 0);
            page[i] = NULL;
        }
    }
    pcp_drain_all();
    assert_null(alloc_pages(GFP_KERNEL | GFP_NOWARN, 1));
    void *p[10];
    for (unsigned i = 0; i < 10; i++)
        assert_non_null(p[i] = slab_alloc(c, GFP_KERNEL));
    assert_null(slab_validate());
    assert_null(phys_validate());
    for (unsigned i = 0; i < 10; i++)
        slab_free(c, p[i]);
    for (unsigned i = 0; i < n; i++)
        if (page[i])
            free_pages(page[i], 0);
    assert_int_equal(slab_cache_destroy(c), 0);
    machine_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_sizes),
        cmocka_unit_test(impossible_caches_are_refused),
        cmocka_unit_test(numbers_run_out),
        cmocka_unit_test(empty_slabs_go_back),
        cmocka_unit_test(rcu_objects_stay_readable),
        cmocka_unit_test(zero_on_free),
        cmocka_unit_test(nth_failure),
        cmocka_unit_test(fragmented_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
