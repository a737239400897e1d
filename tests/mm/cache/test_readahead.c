/* SPDX-License-Identifier: MIT */
/*
 * Which pages are read, and in how many requests, against a second description of the rules: windows as a list of what each call
 * must find in the cache afterwards. (The same pictures on Linux: tests/guest/parts/readahead.c.)
 */
#include <host/failpoint.h>
#include <lib/rand.h>
#include <mm/readahead.h>
#include <uapi/fadvise.h>
#include "../../common/scene.h"

#define PAGES 2048u

static struct scene s;
static struct host_file *f;
static struct file_ra_state ra;
static u8 buf[400 * PAGE_SIZE];

static int up(void **state)
{
    scene_up(&s);
    f = host_file_new(PAGES * PAGE_SIZE, false);
    ra_init(&ra, &f->mapping);
    return 0;
}

static int down(void **state)
{
    host_fail_none();
    assert_null(mapping_validate(&f->mapping));
    host_file_put(f);
    assert_machine_valid();
    scene_down(&s);
    return 0;
}

static void get(u64 page, u64 n)
{
    struct cache_reader r = {.ra = &ra, .end = (page + n) * PAGE_SIZE, .kernel = true};
    u64 want = page >= PAGES ? 0 : min(n, PAGES - page) * PAGE_SIZE;
    assert_int_equal(cache_read_piece(&f->mapping, &r, page * PAGE_SIZE, (u64)buf, n * PAGE_SIZE), want);
}

/* The cache holds exactly these runs: pairs of first and number, ended by 0, 0. */
static void assert_runs(const u64 *run)
{
    static u8 have[PAGES], want[PAGES];
    memset(want, 0, sizeof(want));
    for (; run[1]; run += 2)
        memset(want + run[0], 1, run[1]);
    cache_present(&f->mapping, 0, PAGES, have);
    assert_memory_equal(have, want, PAGES);
}
#define RUNS(...) assert_runs((const u64[]){__VA_ARGS__, 0, 0})

static void fresh(void)
{
    cache_invalidate(&f->mapping, 0, U64_MAX);
    assert_int_equal(f->mapping.nrpages, 0);
    ra_init(&ra, &f->mapping);
    f->reads = f->requests = 0;
}

/* 4, then from its mark on 8, 16, 32, 32 ... each begun one window ahead of the reader. */
static void a_stream_grows(void **state)
{
    static const struct {
        u64 read, cached;
    } step[] = {{0, 4}, {1, 12}, {3, 12}, {4, 28}, {11, 28}, {12, 60}, {27, 60}, {28, 92}, {59, 92}, {60, 124}};
    u64 next = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(step); i++) {
        while (next <= step[i].read)
            get(next++, 1);
        RUNS(0, step[i].cached);
    }
    assert_int_equal(f->requests, 6); /* one for each window */
    assert_int_equal(f->reads, 124);
}

static void who_reads_here_and_there_gets_what_he_asks(void **state)
{
    get(100, 1);
    get(300, 3);
    get(200, 2);
    get(1000, 1);
    RUNS(100, 1, 200, 2, 300, 3, 1000, 1);
    assert_int_equal(f->requests, 4);
    get(102, 1); /* a run of no more than the read itself is no stream */
    RUNS(100, 1, 102, 1, 200, 2, 300, 3, 1000, 1);
}

static void a_large_read_is_one_request(void **state)
{
    get(500, 32);
    assert_int_equal(f->requests, 1);
    fresh();
    get(500, 40); /* more than a window: as a stream */
    RUNS(500, 96);
}

static void two_streams_through_one_file(void **state)
{
    for (u64 i = 0; i < 20; i++) {
        get(i, 1);
        get(1000 + i, 1);
    }
    u8 have[PAGES];
    cache_present(&f->mapping, 0, PAGES, have);
    for (u64 i = 0; i < 20; i++)
        assert_true(have[i] && have[1000 + i]);
    assert_true(f->requests < 24); /* of 40 reads */
}

static void the_end_cuts(void **state)
{
    get(PAGES - 2, 1);
    get(PAGES - 1, 1);
    get(PAGES, 1);
    RUNS(PAGES - 2, 2);
}

static void pages_that_are_there_are_passed_over(void **state)
{
    get(2, 1);
    get(0, 1);
    RUNS(0, 4);
    assert_int_equal(f->requests, 3);
    assert_int_equal(f->reads, 4);
}

static void advice_decides(void **state)
{
    struct address_space *m = &f->mapping;
    assert_int_equal(cache_advise(m, &ra, 0, 0, POSIX_FADV_RANDOM), 0);
    get(0, 1);
    get(1, 1);
    RUNS(0, 2);
    fresh();
    assert_int_equal(cache_advise(m, &ra, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
    assert_int_equal(ra.ra_pages, 2 * RA_PAGES_DEFAULT);
    assert_int_equal(cache_advise(m, &ra, 0, 0, POSIX_FADV_NORMAL), 0);
    assert_int_equal(ra.ra_pages, RA_PAGES_DEFAULT);
    assert_int_equal(cache_advise(m, &ra, 3 * PAGE_SIZE + 5, PAGE_SIZE, POSIX_FADV_WILLNEED), 0);
    RUNS(3, 2);
    assert_int_equal(cache_advise(m, &ra, 0, 0, POSIX_FADV_WILLNEED), 0);
    RUNS(0, 32); /* what one request of this device takes */
    assert_int_equal(cache_advise(m, &ra, 100, 2 * PAGE_SIZE, POSIX_FADV_DONTNEED), 0);
    RUNS(0, 1, 2, 30); /* whole pages only */
    assert_int_equal(cache_advise(m, &ra, 0, 0, POSIX_FADV_DONTNEED), 0);
    assert_int_equal(m->nrpages, 0);
    assert_int_equal(cache_advise(m, &ra, 0, -1, POSIX_FADV_NORMAL), -EINVAL);
    assert_int_equal(cache_advise(m, &ra, 0, 0, 6), -EINVAL);
    assert_int_equal(cache_advise(&s.shared->mapping, &ra, 0, 0, 6), -EINVAL);
    assert_int_equal(cache_advise(&s.shared->mapping, &ra, 0, 0, POSIX_FADV_WILLNEED), 0);
}

static void faults_read_around(void **state)
{
    struct address_space *m = &f->mapping;
    bool major = false;
    struct page *p = ra_fault(m, &ra, 1000, RA_ACCESS_NORMAL, &major);
    page_put(p);
    assert_true(major);
    RUNS(984, 32);
    major = false;
    page_put(ra_fault(m, &ra, 1001, RA_ACCESS_NORMAL, &major));
    assert_false(major);
    page_put(ra_fault(m, &ra, 1008, RA_ACCESS_NORMAL, &major)); /* the mark */
    assert_false(major);
    RUNS(984, 64);
    page_put(ra_fault(m, &ra, 5, RA_ACCESS_RANDOM, &major));
    assert_true(major);
    page_put(ra_fault(m, &ra, 100, RA_ACCESS_SEQUENTIAL, &major));
    RUNS(5, 1, 100, 32, 984, 64);
    page_put(ra_fault(m, NULL, 200, RA_ACCESS_NORMAL, &major));
    RUNS(5, 1, 100, 32, 200, 1, 984, 64);
    ra.mmap_miss = 100;
    page_put(ra_fault(m, &ra, 300, RA_ACCESS_NORMAL, &major)); /* one miss too many */
    RUNS(5, 1, 100, 32, 200, 1, 300, 1, 984, 64);
    ra_fault_hits(&ra, 1);
    assert_int_equal(ra.mmap_miss, 100);
    ra_fault_hits(&ra, 500);
    assert_int_equal(ra.mmap_miss, 0);
}

/* A device that reads by itself: who can't wait is told, the pages come, and what failed is tried again by who wants it. */
static void nobody_waits(void **state)
{
    struct cache_reader r = {.ra = &ra, .end = PAGE_SIZE, .kernel = true, .nowait = true};
    f->delayed = true;
    assert_int_equal(cache_read_piece(&f->mapping, &r, 0, (u64)buf, PAGE_SIZE), -EAGAIN);
    assert_int_equal(f->nr_awaited, 4);
    assert_int_equal(cache_read_piece(&f->mapping, &r, 0, (u64)buf, PAGE_SIZE), -EAGAIN);
    host_file_deliver(f, true);
    assert_int_equal(cache_read_piece(&f->mapping, &r, 0, (u64)buf, PAGE_SIZE), PAGE_SIZE);
    r.end = 3 * PAGE_SIZE;
    assert_int_equal(cache_read_piece(&f->mapping, &r, PAGE_SIZE, (u64)buf, 2 * PAGE_SIZE), 2 * PAGE_SIZE);
    assert_int_equal(f->nr_awaited, 8); /* the mark at 1 */
    host_file_deliver(f, false);
    assert_int_equal(f->mapping.nrpages, 12);
    RUNS(0, 4);
    f->delayed = false;
    f->disk[6 * PAGE_SIZE] = 7;
    get(6, 1);
    assert_int_equal(buf[0], 7);
    RUNS(0, 4, 6, 1);
    memset(buf, 9, PAGE_SIZE);
    assert_int_equal(cache_write_kernel(&f->mapping, 7 * PAGE_SIZE, buf, PAGE_SIZE), PAGE_SIZE); /* over one that failed */
    get(7, 1);
    assert_int_equal(buf[0], 9);
}

/* Any allocation or request that fails once leaves right bytes or an error, and nothing locked. */
static void each_failure_once(void **state)
{
    static const enum failpoint point[] = {FAIL_PAGE_ALLOC, FAIL_SLAB_ALLOC, FAIL_IO};
    for (unsigned k = 0; k < ARRAY_SIZE(point); k++)
        for (u64 n = 1; n < 40; n++) {
            fresh();
            host_fail_nth(point[k], n, false);
            for (u64 i = 0; i < 20; i++) {
                struct cache_reader r = {.ra = &ra, .end = (i + 1) * PAGE_SIZE, .kernel = true};
                ssize_t got = cache_read_piece(&f->mapping, &r, i * PAGE_SIZE, (u64)buf, PAGE_SIZE);
                assert_true(got == (ssize_t)PAGE_SIZE || got == -EIO || got == -ENOMEM);
            }
            host_fail_none();
            assert_null(mapping_validate(&f->mapping));
            get(0, 40);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stream_grows, up, down),
        cmocka_unit_test_setup_teardown(who_reads_here_and_there_gets_what_he_asks, up, down),
        cmocka_unit_test_setup_teardown(a_large_read_is_one_request, up, down),
        cmocka_unit_test_setup_teardown(two_streams_through_one_file, up, down),
        cmocka_unit_test_setup_teardown(the_end_cuts, up, down),
        cmocka_unit_test_setup_teardown(pages_that_are_there_are_passed_over, up, down),
        cmocka_unit_test_setup_teardown(advice_decides, up, down),
        cmocka_unit_test_setup_teardown(faults_read_around, up, down),
        cmocka_unit_test_setup_teardown(nobody_waits, up, down),
        cmocka_unit_test_setup_teardown(each_failure_once, up, down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
