/* SPDX-License-Identifier: MIT */
/* vmalloc: areas apart and guarded, reuse, lazy flush, failures at every step. */
#include "../../common/machine.h"

static void memory_is_there_and_apart(void **state)
{
    u64 *p[40];
    machine_up(64, 1, 1);
    for (unsigned i = 0; i < 40; i++) {
        size_t bytes = (i % 13 + 1) * 3000;
        p[i] = vmalloc(bytes);
        assert_non_null(p[i]);
        assert_true(is_vmalloc_addr(p[i]) && is_vmalloc_addr((char *)p[i] + bytes - 1));
        assert_int_equal((uptr)p[i] % PAGE_SIZE, 0);
        for (size_t k = 0; k < bytes / 8; k++)
            p[i][k] = (uptr)&p[i][k];
    }
    assert_null(vmalloc_validate());
    for (unsigned i = 0; i < 40; i++)
        for (size_t k = 0; k < (i % 13 + 1) * 3000 / 8; k++)
            assert_true(p[i][k] == (uptr)&p[i][k]);
    /* The same bytes through the linear map. */
    for (unsigned i = 0; i < 40; i++) {
        struct page *page = vmalloc_to_page(&p[i][100]);
        assert_non_null(page);
        assert_int_equal(*(u64 *)((char *)page_to_virt(page) + 800), (uptr)&p[i][100]);
    }
    for (unsigned i = 0; i < 40; i++)
        vfree(p[i]);
    assert_null(vmalloc_validate());
    assert_null(vmalloc_to_page(p[0]));
    machine_down();
}

struct guard_check {
    u64 prev_end, areas, unpurged;
};

static void check_guard(void *ctx, const struct vmalloc_info *a)
{
    struct guard_check *g = ctx;
    assert_true(a->start >= g->prev_end);
    if (!a->unpurged)
        assert_int_equal(a->end - a->start, (a->pages + 1) * PAGE_SIZE);
    g->prev_end = a->end;
    g->areas++;
    g->unpurged += a->unpurged;
}

static void guard_pages(void **state)
{
    machine_up(64, 1, 1);
    struct guard_check g = {0};
    void *p[10];
    for (unsigned i = 0; i < 10; i++)
        p[i] = vmalloc(5 * PAGE_SIZE);
    vmalloc_for_each(check_guard, &g);
    assert_int_equal(g.areas, 10);
    for (unsigned i = 0; i < 10; i++) {
        assert_non_null(vmalloc_to_page((char *)p[i] + 4 * PAGE_SIZE));
        assert_null(vmalloc_to_page((char *)p[i] + 5 * PAGE_SIZE));
        vfree(p[i]);
    }
    machine_down();
}

static void small_areas_are_kept_for_the_next(void **state)
{
    struct vmalloc_stats s;
    machine_up(64, 1, 1);
    void *p = vmalloc(16384);
    u64 used = phys_free_all();
    vfree(p);
    vmalloc_stats(&s);
    assert_int_equal(s.cached_pages, 4);
    assert_int_equal(phys_free_all(), used);
    assert_ptr_equal(vmalloc(16384), p);
    vmalloc_stats(&s);
    assert_int_equal(s.cached_pages, 0);
    assert_int_equal(s.used_pages, 4);
    vfree(p);
    assert_int_equal(vmalloc_purge(), 4);
    assert_true(phys_free_all() >= used + 4);
    machine_down();
}

/* Addresses of freed areas come back only after the flush. */
static void addresses_wait_for_the_flush(void **state)
{
    struct vmalloc_stats s;
    machine_up(64, 1, 1);
    void *p = vmalloc(100 * PAGE_SIZE);
    vfree(p);
    vmalloc_stats(&s);
    assert_int_equal(s.lazy_pages, 101);
    void *q = vmalloc(100 * PAGE_SIZE);
    assert_ptr_not_equal(p, q);
    vfree(q);
    vmalloc_purge();
    vmalloc_stats(&s);
    assert_int_equal(s.lazy_pages, 0);
    p = vmalloc(100 * PAGE_SIZE);
    memset(p, 1, 100 * PAGE_SIZE);
    vfree(p);
    machine_down();
}

static void silly_sizes(void **state)
{
    machine_up(16, 1, 1);
    assert_null(vmalloc(0));
    assert_null(vmalloc(1UL << 62));
    assert_null(vmalloc((size_t)-1));
    assert_null(vmalloc(64 << 20));
    vfree(NULL);
    assert_null(vmalloc_validate());
    machine_down();
}

/* Memory ends in the middle: all that was taken comes back. */
static void memory_runs_out(void **state)
{
    machine_up(16, 1, 1);
    u64 free = phys_free_all();
    assert_null(vmalloc(15900 << 10));
    machine_settle();
    assert_in_range(phys_free_all(), free - 40, free + 40);
    assert_null(vmalloc_validate());
    machine_down();
}

static void nth_failure(void **state)
{
    machine_up(16, 1, 1);
    for (unsigned point = FAIL_PAGE_ALLOC; point <= FAIL_SLAB_ALLOC; point++) {
        for (unsigned nth = 1; nth < 30; nth++) {
            host_fail_nth(point, nth, true);
            void *p = vmalloc(20 * PAGE_SIZE);
            host_fail_none();
            const char *bad = vmalloc_validate();
            if (bad)
                fail_msg("point %u, failure %u: %s", point, nth, bad);
            if (p) {
                memset(p, 3, 20 * PAGE_SIZE);
                vfree(p);
            }
            p = vmalloc(20 * PAGE_SIZE);
            assert_non_null(p);
            memset(p, 3, 20 * PAGE_SIZE);
            vfree(p);
            machine_settle();
        }
    }
    machine_down();
}

static void random_steps(void **state)
{
    static struct {
        u8 *p;
        size_t size;
        u8 tag;
    } live[40];
    for (u64 seed = 1; seed <= 4; seed++) {
        unsigned n = 0;
        struct rand r;
        rand_init(&r, seed);
        machine_up(32, 1, seed);
        for (unsigned step = 0; step < 600; step++) {
            if (n < ARRAY_SIZE(live) && rand_below(&r, 100) < 55) {
                size_t size = rand_range(&r, 1, rand_below(&r, 4) ? 30000 : 150000);
                u8 *p = vmalloc(size);
                assert_non_null(p);
                memset(p, (int)step, size);
                live[n].p = p;
                live[n].size = size;
                live[n++].tag = (u8)step;
            } else if (n) {
                unsigned i = (unsigned)rand_below(&r, n);
                for (size_t k = 0; k < live[i].size; k += 61)
                    assert_int_equal(live[i].p[k], live[i].tag);
                vfree(live[i].p);
                live[i] = live[--n];
            }
            const char *bad = vmalloc_validate();
            if (bad)
                fail_msg("step %u: %s", step, bad);
            if (step % 50 == 0) {
                vmalloc_purge();
                assert_null(phys_validate());
            }
        }
        while (n--)
            vfree(live[n].p);
        machine_settle();
        assert_machine_valid();
        machine_abandon(); /* more of the window's tables may be there than at the start */
    }
}

static void free_twice(void *arg)
{
    void *p = vmalloc(16384);
    vfree(p);
    vfree(p);
}

static void free_the_middle(void *arg)
{
    vfree((char *)vmalloc(16384) + PAGE_SIZE);
}

static void damage_is_noticed(void **state)
{
    void (*const cases[])(void *) = {free_twice, free_the_middle};
    for (unsigned i = 0; i < 2; i++) {
        machine_up(16, 1, 1);
        const char *text = host_catch_panic(cases[i], NULL);
        assert_non_null(text);
        assert_non_null(strstr(text, "is no allocation"));
        machine_abandon();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_there_and_apart),
        cmocka_unit_test(guard_pages),
        cmocka_unit_test(small_areas_are_kept_for_the_next),
        cmocka_unit_test(addresses_wait_for_the_flush),
        cmocka_unit_test(silly_sizes),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(nth_failure),
        cmocka_unit_test(random_steps),
        cmocka_unit_test(damage_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
