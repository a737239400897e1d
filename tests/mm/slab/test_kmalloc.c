/* SPDX-License-Identifier: MIT */
/* kmalloc: classes, alignment, large sizes, krealloc, kvmalloc, freeing by RCU. */
#include "../../common/machine.h"
#include <lib/string.h>

static void every_size(void **state)
{
    machine_up(64, 1, 1);
    for (size_t size = 1; size <= 9000; size += size < 300 ? 1 : 97) {
        u8 *p = kmalloc(size, GFP_KERNEL);
        assert_non_null(p);
        assert_true(ksize(p) >= size);
        if (size <= 8192)
            assert_true(ksize(p) <= size * 2 || ksize(p) == 8);
        assert_int_equal((uptr)p % 8, 0);
        memset(p, 1, ksize(p));
        kfree(p);
    }
    for (size_t size = 8; size <= 4 << 20; size *= 2) {
        void *p = kmalloc(size, GFP_KERNEL);
        assert_non_null(p);
        assert_int_equal(ksize(p), size);
        assert_int_equal(virt_to_phys(p) % size, 0);
        kfree(p);
    }
    assert_null(kmalloc((4 << 20) + 1, GFP_KERNEL));
    machine_down();
}

static void nothing(void **state)
{
    machine_up(16, 1, 1);
    kfree(NULL);
    void *p = kmalloc(0, GFP_KERNEL);
    assert_non_null(p);
    assert_int_equal(ksize(p), 0);
    kfree(p);
    machine_down();
}

static void zeroed(void **state)
{
    static const size_t sizes[] = {7, 100, 192, 4096, 20000};
    machine_up(16, 1, 1);
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        u8 *p = kmalloc(sizes[i], GFP_KERNEL);
        memset(p, 0xee, sizes[i]);
        kfree(p);
        p = kzalloc(sizes[i], GFP_KERNEL);
        assert_int_equal(mem_find_nonzero(p, sizes[i]), sizes[i]);
        kfree(p);
    }
    machine_down();
}

static void realloc_keeps_contents(void **state)
{
    machine_up(16, 1, 1);
    u8 *p = NULL;
    size_t old = 0;
    for (size_t size = 5; size < 30000; size = size * 3 / 2) {
        p = krealloc(p, size, GFP_KERNEL);
        assert_non_null(p);
        for (size_t i = 0; i < old; i++)
            assert_int_equal(p[i], (u8)(i * 7));
        for (size_t i = 0; i < size; i++)
            p[i] = (u8)(i * 7);
        old = size;
    }
    assert_ptr_equal(krealloc(p, 10, GFP_KERNEL), p);
    host_fail_nth(FAIL_PAGE_ALLOC, 1, true);
    assert_null(krealloc(p, 100000, GFP_KERNEL | GFP_NOWARN));
    host_fail_none();
    assert_int_equal(p[4], 28);
    p = krealloc(p, 0, GFP_KERNEL);
    kfree(p);
    char *s = kstrdup("a line of text", GFP_KERNEL);
    assert_string_equal(s, "a line of text");
    kfree(s);
    machine_down();
}

struct thing {
    u64 value[5];
    struct rcu_head rcu;
};

static void freed_after_a_grace_period(void **state)
{
    struct thing *t[50];
    machine_up(16, 1, 1);
    for (unsigned i = 0; i < 50; i++) {
        t[i] = kmalloc(sizeof(*t[i]), GFP_KERNEL);
        t[i]->value[0] = i;
    }
    u8 *large = kmalloc(20000, GFP_KERNEL);
    rcu_read_lock();
    for (unsigned i = 0; i < 50; i++)
        kfree_rcu_head(&t[i]->rcu, offsetof(struct thing, rcu));
    kfree_rcu_head((struct rcu_head *)(large + 64), 64);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(t[i]->value[0], i);
    rcu_read_unlock();
    machine_down(); /* finds what was not freed */
}

static void kvmalloc_goes_to_pages_when_it_must(void **state)
{
    static struct page *page[4096];
    unsigned n = 0;
    machine_up(16, 1, 1);
    void *p = kvmalloc(100, GFP_KERNEL), *q = kvmalloc(100000, GFP_KERNEL);
    assert_false(is_vmalloc_addr(p) || is_vmalloc_addr(q));
    kvfree(p);
    kvfree(q);
    while (n < 4096 && (page[n] = alloc_page(GFP_MEMALLOC | GFP_NOWARN)))
        n++;
    for (unsigned i = 0; i < n; i++) {
        if (page_to_pfn(page[i]) % 2) {
            free_pages(page[i], 0);
            page[i] = NULL;
        }
    }
    pcp_drain_all();
    p = kvmalloc(100000, GFP_KERNEL);
    assert_non_null(p);
    assert_true(is_vmalloc_addr(p));
    kvfree(p);
    kvfree(NULL);
    for (unsigned i = 0; i < n; i++)
        if (page[i])
            free_pages(page[i], 0);
    machine_down();
}

static void large_sizes_are_counted(void **state)
{
    machine_up(16, 1, 1);
    s64 before = stat_sum(NR_SLAB_UNRECLAIMABLE);
    void *p = kmalloc(60000, GFP_KERNEL);
    assert_int_equal(stat_sum(NR_SLAB_UNRECLAIMABLE), before + 16);
    kfree(p);
    assert_int_equal(stat_sum(NR_SLAB_UNRECLAIMABLE), before);
    machine_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size),
        cmocka_unit_test(nothing),
        cmocka_unit_test(zeroed),
        cmocka_unit_test(realloc_keeps_contents),
        cmocka_unit_test(freed_after_a_grace_period),
        cmocka_unit_test(kvmalloc_goes_to_pages_when_it_must),
        cmocka_unit_test(large_sizes_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
