/* SPDX-License-Identifier: MIT */
/* Watermarks and reserves against the numbers that Linux 6.12 shows for the same zones. */
#include "../../common/machine.h"

/* Zones of a Linux guest with 512 MiB: managed pages as /proc/zoneinfo gave them. */
static void numbers_of_a_512_mib_linux(void **state)
{
    machine_up(512, 1, 1);
    struct zone *dma = &nodes[0]->zone[ZONE_DMA], *dma32 = &nodes[0]->zone[ZONE_DMA32],
                *movable = &nodes[0]->zone[ZONE_MOVABLE];
    u64 keep[2] = {dma->managed, dma32->managed};
    dma->managed = 3840;
    dma32->managed = 114846;
    watermark_setup(2728);
    assert_int_equal(dma->watermark[WMARK_MIN], 22);
    assert_int_equal(dma->watermark[WMARK_LOW], 27);
    assert_int_equal(dma->watermark[WMARK_HIGH], 32);
    assert_int_equal(dma32->watermark[WMARK_MIN], 659);
    assert_int_equal(dma32->watermark[WMARK_LOW], 823);
    assert_int_equal(dma32->watermark[WMARK_HIGH], 987);
    assert_int_equal(movable->watermark[WMARK_MIN], 32);
    assert_int_equal(movable->watermark[WMARK_HIGH], 32);
    assert_int_equal(dma->lowmem_reserve[ZONE_DMA], 0);
    assert_int_equal(dma->lowmem_reserve[ZONE_DMA32], 114846 / 256);
    assert_int_equal(dma->lowmem_reserve[ZONE_NORMAL], 114846 / 256);
    assert_int_equal(dma->lowmem_reserve[ZONE_MOVABLE], 114846 / 256);
    assert_int_equal(dma32->lowmem_reserve[ZONE_MOVABLE], 0);
    dma->managed = keep[0];
    dma32->managed = keep[1];
    watermark_setup(watermark_default_kbytes());
    machine_down();
}

static void default_follows_the_root_of_memory(void **state)
{
    static const struct {
        u32 mib;
        u64 lo, hi; /* 4 * sqrt(kB), less what boot took */
    } rows[] = {{4, 220, 257}, {64, 980, 1025}, {512, 2860, 2897}, {4096, 8000, 8193}};
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        machine_up(rows[i].mib, 1, 1);
        assert_in_range(sysctl_min_free_kbytes, rows[i].lo, rows[i].hi);
        machine_down();
    }
}

static void order_of_marks(void **state)
{
    const struct host_config cfg = {.seed = 1, .cpus = 2, .ram = 5UL << 30};
    host_machine_start(&cfg);
    host_machine_boot();
    struct zone *z;
    u64 min_sum = 0;
    for_each_zone (z) {
        assert_true(z->watermark[WMARK_MIN] < z->watermark[WMARK_LOW]);
        assert_true(z->watermark[WMARK_LOW] < z->watermark[WMARK_HIGH]);
        min_sum += z->watermark[WMARK_MIN];
    }
    assert_in_range(min_sum, sysctl_min_free_kbytes / 4 - 3, sysctl_min_free_kbytes / 4);
    assert_true(nodes[0]->zone[ZONE_NORMAL].managed > 0);
    assert_int_equal(nodes[0]->zone[ZONE_DMA32].lowmem_reserve[ZONE_NORMAL],
                     nodes[0]->zone[ZONE_NORMAL].managed / 256);
    assert_true(watermark_reserve() > 0 && watermark_reserve() < phys_managed() / 4);
    assert_true(phys_available() > phys_free() * 3 / 4 && phys_available() < phys_free());
    assert_null(phys_validate());
    host_machine_stop();
}

static void gfp_decides_how_deep_one_may_go(void **state)
{
    machine_up(64, 1, 1);
    struct zone z = {.nr_free = 100, .nr_virgin_pages = 0};
    z.lowmem_reserve[ZONE_NORMAL] = 40;
    assert_true(watermark_ok(&z, 0, 59, ZONE_DMA, GFP_KERNEL));
    assert_true(watermark_ok(&z, 0, 59, ZONE_NORMAL, GFP_KERNEL));
    assert_false(watermark_ok(&z, 0, 60, ZONE_NORMAL, GFP_KERNEL));
    assert_true(watermark_ok(&z, 0, 60, ZONE_NORMAL, GFP_ATOMIC));
    assert_false(watermark_ok(&z, 0, 130, ZONE_NORMAL, GFP_ATOMIC));
    assert_true(watermark_ok(&z, 0, 130, ZONE_NORMAL, GFP_MEMALLOC));
    z.nr_free = 0;
    assert_false(watermark_ok(&z, 0, 0, ZONE_NORMAL, GFP_MEMALLOC));
    z.nr_free = 100; /* but no block of that order is on a list */
    assert_false(watermark_ok(&z, 3, 10, ZONE_DMA, GFP_KERNEL));
    z.free[4][MIGRATE_MOVABLE].head = 16;
    assert_true(watermark_ok(&z, 3, 10, ZONE_DMA, GFP_KERNEL));
    machine_down();
}

/* Low zones keep their reserve when allocations that could live higher fall back to them. */
static void low_zones_are_spared(void **state)
{
    struct host_config cfg = {.seed = 1, .cpus = 1, .ram = 64 << 20};
    struct page *list = NULL, *page;
    machine_up_config(&cfg);
    sysctl_lowmem_reserve_ratio[ZONE_DMA] = 8;
    watermark_setup(sysctl_min_free_kbytes);
    struct zone *dma = &nodes[0]->zone[ZONE_DMA];
    u64 reserve = dma->lowmem_reserve[ZONE_NORMAL];
    assert_true(reserve > 1000);
    while ((page = alloc_page(GFP_KERNEL | GFP_NOWARN))) {
        page->owner = (u64)(uptr)list;
        list = page;
    }
    assert_true(dma->nr_free + 64 >= reserve);
    page = alloc_page(GFP_KERNEL | GFP_DMA_ZONE);
    assert_non_null(page);
    free_pages(page, 0);
    while (list) {
        page = list;
        list = (struct page *)(uptr)page->owner;
        free_pages(page, 0);
    }
    machine_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_a_512_mib_linux),
        cmocka_unit_test(default_follows_the_root_of_memory),
        cmocka_unit_test(order_of_marks),
        cmocka_unit_test(gfp_decides_how_deep_one_may_go),
        cmocka_unit_test(low_zones_are_spared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
