/* SPDX-License-Identifier: MIT */
/* The flusher and the brake: age, number, pace, errors, files that end. Times are virtual. */
#include <host/failpoint.h>
#include <host/thread.h>
#include <mm/stat.h>
#include <mm/writeback.h>
#include <port/clock.h>
#include "../../common/scene.h"

#define SEC   1000000000UL
#define PAGES 4096u

static struct scene s;
static struct backing_dev dev;
static struct host_file *f;
static u8 page[PAGE_SIZE];

static int up(void **state)
{
    scene_up(&s);
    backing_dev_init(&dev, "disk");
    f = host_file_new(PAGES * PAGE_SIZE, false);
    f->mapping.bdi = &dev;
    return 0;
}

static int down(void **state)
{
    host_fail_none();
    cache_sync(&f->mapping, 0, U64_MAX);
    host_file_put(f);
    assert_machine_valid();
    scene_down(&s);
    return 0;
}

static void wait_ns(u64 ns)
{
    struct waitq nobody;
    waitq_init(&nobody);
    assert_int_equal(waitq_wait_until(&nobody, false, clock_ns() + ns), -ETIMEDOUT);
}

static void write_at(u64 index, u64 n)
{
    for (u64 i = index; i < index + n; i++) {
        memset(page, (int)(i + 1), PAGE_SIZE);
        assert_int_equal(cache_write_kernel(&f->mapping, i * PAGE_SIZE, page, PAGE_SIZE), PAGE_SIZE);
    }
}

static void assert_on_device(u64 index, u64 n)
{
    for (u64 i = index; i < index + n; i++) {
        memset(page, (int)(i + 1), PAGE_SIZE);
        assert_memory_equal(f->disk + i * PAGE_SIZE, page, PAGE_SIZE);
    }
}

static void what_is_old_goes_by_itself(void **state)
{
    assert_int_equal(backing_dev_start(&dev), 0);
    write_at(0, 5);
    write_at(100, 3);
    wait_ns(20 * SEC);
    assert_int_equal(f->mapping.nrdirty, 8);
    assert_int_equal(f->writes, 0);
    write_at(200, 1); /* the mapping is as old as its oldest page */
    wait_ns(20 * SEC);
    assert_int_equal(f->mapping.nrdirty, 0);
    assert_int_equal(f->writes, 9);
    assert_on_device(0, 5);
    assert_on_device(100, 3);
    assert_on_device(200, 1);
    write_at(0, 1); /* a new age begins */
    wait_ns(20 * SEC);
    assert_int_equal(f->mapping.nrdirty, 1);
    wait_ns(20 * SEC);
    assert_int_equal(f->mapping.nrdirty, 0);
}

static void what_is_too_much_goes_at_once(void **state)
{
    assert_int_equal(backing_dev_start(&dev), 0);
    sysctl_dirty_background_bytes = 512 * PAGE_SIZE;
    write_at(0, 400);
    wait_ns(SEC);
    assert_int_equal(f->writes, 0);
    write_at(400, 400);
    wait_ns(SEC);
    assert_true(f->mapping.nrdirty <= 512);
    assert_true(f->writes >= 288);
}

/* A pass comes to each mapping once, oldest first, and leaves young ones alone. */
static void a_pass_knows_ages(void **state)
{
    struct host_file *g = host_file_new(16 * PAGE_SIZE, false);
    g->mapping.bdi = &dev;
    write_at(0, 1500);
    wait_ns(SEC);
    u64 between = clock_ns();
    assert_int_equal(cache_write_kernel(&g->mapping, 0, page, PAGE_SIZE), PAGE_SIZE);
    assert_int_equal(backing_dev_flush(&dev, between), 1024); /* a stretch */
    assert_int_equal(f->mapping.nrdirty, 1500 - 1024);
    assert_int_equal(g->mapping.nrdirty, 1);
    assert_int_equal(backing_dev_flush(&dev, between), 1500 - 1024);
    assert_int_equal(backing_dev_flush(&dev, between), 0);
    assert_int_equal(backing_dev_flush(&dev, U64_MAX), 1);
    assert_true(list_empty(&dev.dirty));
    assert_int_equal(cache_write_kernel(&g->mapping, 0, page, PAGE_SIZE), PAGE_SIZE);
    host_file_put(g); /* ends with a dirty page */
    assert_true(list_empty(&dev.dirty));
}

/* A writer at full speed before a device of a thousand pages a second. */
static void the_brake_holds(void **state)
{
    assert_int_equal(backing_dev_start(&dev), 0);
    f->page_ns = SEC / 1000;
    sysctl_dirty_background_bytes = 200 * PAGE_SIZE;
    sysctl_dirty_bytes = 400 * PAGE_SIZE;
    u64 begin = clock_ns(), most = 0;
    for (u64 i = 0; i < 3000; i++) {
        write_at(i, 1);
        most = max(most, (u64)(stat_sum(NR_FILE_DIRTY) + stat_sum(NR_WRITEBACK)));
    }
    u64 ms = (clock_ns() - begin) / 1000000;
    assert_true(most <= 400 + 64);     /* the limit, and what one look at it lets through on two CPUs */
    assert_in_range(ms, 2400, 3600);   /* neither faster than the device nor waiting for nothing */
    assert_in_range(dev.rate, 700, 1100);
}

/* The same by stores through a mapping: each is a fault, as pages are written back and protected behind it. */
static void faults_are_braked(void **state)
{
    struct map_file map = host_map_file(f);
    s64 at = host_mmap(SCENE_BASE, 2000 * PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_WRITE, UAPI_MAP_SHARED | UAPI_MAP_FIXED, &map, 0);
    assert_int_equal(at, SCENE_BASE);
    assert_int_equal(backing_dev_start(&dev), 0);
    f->page_ns = SEC / 1000;
    sysctl_dirty_background_bytes = 200 * PAGE_SIZE;
    sysctl_dirty_bytes = 400 * PAGE_SIZE;
    u64 begin = clock_ns(), most = 0, word = 7;
    for (u64 i = 0; i < 2000; i++) {
        assert_int_equal(host_store(SCENE_BASE + i * PAGE_SIZE, &word, 8), 0);
        most = max(most, (u64)(stat_sum(NR_FILE_DIRTY) + stat_sum(NR_WRITEBACK)));
    }
    assert_true(most <= 400 + 64);
    assert_in_range((clock_ns() - begin) / 1000000, 1400, 2600);
    assert_int_equal(host_munmap(SCENE_BASE, 2000 * PAGE_SIZE), 0);
}

/* A device ends: its flusher is gone afterwards, with what it held. */
static void a_device_ends(void **state)
{
    struct backing_dev other;
    backing_dev_init(&other, "other");
    backing_dev_stop(&other); /* never started */
    backing_dev_init(&other, "other");
    assert_int_equal(backing_dev_start(&other), 0);
    struct host_file *g = host_file_new(64 * PAGE_SIZE, false);
    g->mapping.bdi = &other;
    g->page_ns = SEC / 100;
    for (u64 i = 0; i < 64; i++)
        assert_int_equal(cache_write_kernel(&g->mapping, i * PAGE_SIZE, page, PAGE_SIZE), PAGE_SIZE);
    backing_dev_kick_all(&other);
    wait_ns(SEC / 20);  /* in the middle of it */
    host_file_put(g);   /* the flusher's is the last reference */
    backing_dev_stop(&other);
    assert_int_equal(other.users, 0);
    assert_true(list_empty(&other.dirty));
}

static void without_a_device_nobody_waits(void **state)
{
    f->mapping.bdi = NULL;
    sysctl_dirty_background_bytes = sysctl_dirty_bytes = 100 * PAGE_SIZE;
    u64 begin = clock_ns();
    write_at(0, 1000);
    assert_true(clock_ns() - begin < SEC / 10);
    f->mapping.bdi = &dev;
    assert_int_equal(cache_sync(&f->mapping, 0, U64_MAX), 0);
}

static void an_error_reaches_each_opener_once(void **state)
{
    errseq_t a = errseq_sample(&f->mapping.wb_err), b = a;
    write_at(0, 3);
    host_fail_nth(FAIL_IO, 2, false);
    assert_int_equal(backing_dev_flush(&dev, U64_MAX), 3); /* what was in vain counts: the page is clean, its bytes are lost */
    host_fail_none();
    assert_int_equal(errseq_check(&f->mapping.wb_err, &a), -EIO);
    assert_int_equal(errseq_check(&f->mapping.wb_err, &a), 0);
    assert_int_equal(errseq_check(&f->mapping.wb_err, &b), -EIO);
    assert_on_device(0, 1);
    assert_on_device(2, 1);
}

/* Stores through a mapping while the flusher writes: whatever was stored last is on the device in the end. */
static void mapped_pages_become_dirty_again(void **state)
{
    struct map_file map = host_map_file(f);
    s64 at = host_mmap(SCENE_BASE, 8 * PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_WRITE, UAPI_MAP_SHARED | UAPI_MAP_FIXED, &map, 0);
    assert_int_equal(at, SCENE_BASE);
    for (u64 round = 1; round < 50; round++) {
        u64 word = round * 77;
        assert_int_equal(host_store(SCENE_BASE + round % 8 * PAGE_SIZE, &word, 8), 0);
        if (round % 3 == 0)
            backing_dev_flush(&dev, U64_MAX);
    }
    backing_dev_flush(&dev, U64_MAX);
    for (u64 round = 42; round < 50; round++) {
        u64 word;
        memcpy(&word, f->disk + round % 8 * PAGE_SIZE, 8);
        assert_int_equal(word, round * 77);
    }
    assert_int_equal(host_munmap(SCENE_BASE, 8 * PAGE_SIZE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_old_goes_by_itself, up, down),
        cmocka_unit_test_setup_teardown(what_is_too_much_goes_at_once, up, down),
        cmocka_unit_test_setup_teardown(a_pass_knows_ages, up, down),
        cmocka_unit_test_setup_teardown(the_brake_holds, up, down),
        cmocka_unit_test_setup_teardown(faults_are_braked, up, down),
        cmocka_unit_test_setup_teardown(a_device_ends, up, down),
        cmocka_unit_test_setup_teardown(without_a_device_nobody_waits, up, down),
        cmocka_unit_test_setup_teardown(an_error_reaches_each_opener_once, up, down),
        cmocka_unit_test_setup_teardown(mapped_pages_become_dirty_again, up, down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
