/* SPDX-License-Identifier: MIT */
/* What a careless or hostile user of slab does is noticed and named. */
#include "../../common/machine.h"

static void free_twice(void *arg)
{
    void *p = kmalloc(64, GFP_KERNEL);
    kfree(p);
    kfree(p);
}

static void free_twice_later(void *arg)
{
    void *p = kmalloc(64, GFP_KERNEL), *q = kmalloc(64, GFP_KERNEL);
    kfree(p);
    kfree(q);
    kfree(p);
    slab_shrink_all();
}

static void free_inside(void *arg)
{
    kfree((char *)kmalloc(64, GFP_KERNEL) + 8);
    slab_shrink_all();
}

static void free_to_another_cache(void *arg)
{
    slab_free(kmalloc_caches[2], kmalloc(64, GFP_KERNEL));
    slab_shrink_all();
}

/* Writes over free objects, where their links are. */
static void write_after_free(void *arg)
{
    static void *p[200];
    for (unsigned i = 0; i < 200; i++)
        p[i] = kmalloc(64, GFP_KERNEL);
    for (unsigned i = 0; i < 200; i++)
        if (i % 8)
            kfree(p[i]);
    slab_shrink(kmalloc_caches[3]);
    for (unsigned i = 0; i < 200; i++)
        if (i % 8) {
            mem_unpoison(p[i], 64); /* as in the kernel, where nobody watches */
            memset(p[i], 0x41, 64);
        }
    for (unsigned i = 0; i < 400; i++)
        kmalloc(64, GFP_KERNEL);
}

static void free_of_no_allocation(void *arg)
{
    struct page *page = alloc_page(GFP_KERNEL);
    kfree(page_to_virt(page));
}

static void damage_is_noticed(void **state)
{
    static const struct {
        void (*fn)(void *);
        const char *says;
    } rows[] = {{free_twice, "free already"},
                {free_twice_later, "free already"},
                {free_inside, "no object begins there"},
                {free_to_another_cache, "not of this cache"},
                {write_after_free, "corrupted"},
                {free_of_no_allocation, "no allocation"}};
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        machine_up(16, 1, 1);
        const char *text = host_catch_panic(rows[i].fn, NULL);
        if (!text || !strstr(text, rows[i].says))
            fail_msg("case %u: expected '%s', got '%s'", i, rows[i].says, text ? text : "nothing");
        machine_abandon();
    }
}

/* No free object holds the address of another. */
static void links_are_hidden(void **state)
{
    static u64 *p[300];
    machine_up(16, 1, 1);
    for (unsigned i = 0; i < 300; i++) {
        p[i] = kmalloc(32, GFP_KERNEL);
        memset(p[i], 0, 32);
    }
    for (unsigned i = 0; i < 300; i++)
        kfree(p[i]);
    for (unsigned i = 0; i < 300; i++)
        mem_unpoison(p[i], 32);
    for (unsigned i = 0; i < 300; i++)
        for (unsigned w = 0; w < 4; w++)
            for (unsigned j = 0; j < 300; j++)
                assert_true(p[i][w] != (u64)(uptr)p[j]);
    machine_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(links_are_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
