/* SPDX-License-Identifier: MIT */
/* Every kind of fault: what is installed, what is counted, what is refused. */
#include <mm/fault.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <mm/stat.h>
#include <host/failpoint.h>
#include <mm/cache.h>
#include "../../common/scene.h"

static struct scene s;

static int up(void **state)
{
    scene_up(&s);
    return 0;
}

static int down(void **state)
{
    assert_machine_valid();
    scene_down(&s);
    return 0;
}

static pte_t entry(unsigned page)
{
    pte_t *p = pt_find(s.mm, scene_addr(page));
    return p ? pte_load(p) : (pte_t){0};
}

static struct page *page_at(unsigned page)
{
    return pfn_to_page(pte_pfn(entry(page)));
}

static u8 load(unsigned page)
{
    u8 v = 0xee;
    assert_int_equal(host_load_u8(scene_addr(page), &v) & VM_FAULT_ERROR, 0);
    return v;
}

static void store(unsigned page, u8 v)
{
    assert_int_equal(host_store_u8(scene_addr(page), v) & VM_FAULT_ERROR, 0);
}

static void anonymous_read_maps_the_zero_page(void **state)
{
    scene_make(&s, "AA");
    assert_int_equal(load(0), 0);
    assert_true(pte_special(entry(0)));
    assert_int_equal(pte_pfn(entry(0)), zero_pfn);
    assert_false(pte_write(entry(0)));
    assert_int_equal(rss_total(s.mm), 0);
    assert_true(pte_none(entry(1)));
}

static void anonymous_write_takes_a_page(void **state)
{
    u64 faults = stat_event_sum(PGFAULT);
    scene_make(&s, "AA");
    store(0, 5);
    assert_int_equal(stat_event_sum(PGFAULT), faults + 1);
    struct page *page = page_at(0);
    assert_true(page_is_anon(page));
    assert_int_equal(page_refs(page), 1);
    assert_int_equal(page->mapcount, 0);
    assert_true(page_test(page, PG_lru));
    assert_true(pte_write(entry(0)) && pte_dirty(entry(0)));
    assert_int_equal(rss_sum(s.mm, RSS_ANON), 1);
    assert_int_equal(stat_sum(NR_ANON_MAPPED), 1);
}

static void write_after_read_replaces_the_zero_page(void **state)
{
    scene_make(&s, "A");
    load(0);
    store(0, 6);
    assert_false(pte_special(entry(0)));
    assert_int_equal(load(0), 6);
    assert_int_equal(rss_sum(s.mm, RSS_ANON), 1);
}

static void copy_on_write_isolates_and_the_last_one_reuses(void **state)
{
    int err;
    scene_make(&s, "A");
    store(0, 1);
    struct page *shared = page_at(0);
    struct mm *child = host_fork(&err), *parent = s.mm;
    assert_non_null(child);
    assert_int_equal(page_refs(shared), 2);
    assert_false(pte_write(entry(0)));
    host_mm_switch(child);
    s.mm = child;
    assert_int_equal(load(0), 1);
    u64 copies = stat_event_sum(COW_FAULT), reuses = stat_event_sum(COW_REUSE);
    store(0, 2);
    assert_ptr_not_equal(page_at(0), shared);
    assert_int_equal(stat_event_sum(COW_FAULT), copies + 1);
    host_mm_switch(parent);
    s.mm = parent;
    assert_int_equal(load(0), 1);
    store(0, 3);
    assert_ptr_equal(page_at(0), shared); /* the last sharer keeps it */
    assert_int_equal(stat_event_sum(COW_REUSE), reuses + 1);
    host_mm_switch(child);
    s.mm = child;
    assert_int_equal(load(0), 2);
    host_mm_switch(parent);
    s.mm = parent;
    host_mm_exit(child);
}

static void file_read_brings_the_neighbours(void **state)
{
    s.file->disk[3 * PAGE_SIZE] = 77;
    scene_make(&s, "FFFFFFFF");
    u64 major = stat_event_sum(PGMAJFAULT);
    assert_int_equal(load(0), 0);
    assert_int_equal(stat_event_sum(PGMAJFAULT), major + 1);
    u64 faults = stat_event_sum(PGFAULT);
    for (unsigned i = 1; i < 8; i++)
        assert_int_equal(load(i), i == 3 ? 77 : 0);
    assert_int_equal(stat_event_sum(PGFAULT) - faults, 0); /* mapped with the first, as they came with it */
    assert_int_equal(rss_sum(s.mm, RSS_FILE), 8);
    assert_int_equal(stat_sum(NR_FILE_MAPPED), 8);
    assert_int_equal(stat_event_sum(PGMAJFAULT), major + 1);
}

static void private_file_write_copies(void **state)
{
    s.file->disk[0] = 9;
    scene_make(&s, "FF");
    assert_int_equal(host_mprotect(scene_addr(0), 2 * PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_WRITE), 0);
    assert_int_equal(load(0), 9);
    store(0, 10); /* a mapped page is replaced */
    store(1, 11); /* an unmapped one is copied at once */
    assert_true(page_is_anon(page_at(0)) && page_is_anon(page_at(1)));
    assert_int_equal(rss_sum(s.mm, RSS_ANON), 2);
    u8 cached;
    assert_int_equal(cache_read_kernel(&s.file->mapping, 0, &cached, 1), 1);
    assert_int_equal(cached, 9);
}

static void shared_file_write_is_noticed_and_written_back(void **state)
{
    struct map_file f = host_map_file(s.file);
    s64 at = host_mmap(scene_addr(0), 2 * PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_WRITE, UAPI_MAP_SHARED | UAPI_MAP_FIXED, &f, 0);
    assert_int_equal(at, scene_addr(0));
    load(0);
    assert_false(pte_write(entry(0))); /* write-notify */
    store(0, 4);
    assert_true(pte_write(entry(0)));
    assert_true(page_test(page_at(0), PG_dirty));
    assert_int_equal(s.file->mapping.nrdirty, 1);
    assert_int_equal(stat_sum(NR_FILE_DIRTY), 1);
    assert_int_equal(host_msync(scene_addr(0), PAGE_SIZE, UAPI_MS_SYNC), 0);
    assert_int_equal(s.file->disk[0], 4);
    assert_int_equal(stat_sum(NR_FILE_DIRTY), 0);
    assert_false(pte_write(entry(0)));
    store(0, 5); /* dirty again, and noticed again */
    assert_int_equal(s.file->mapping.nrdirty, 1);
}

static void shared_memory_is_one_page_for_all(void **state)
{
    int err;
    scene_make(&s, "SS");
    store(0, 1);
    struct mm *child = host_fork(&err), *parent = s.mm;
    host_mm_switch(child);
    s.mm = child;
    assert_int_equal(load(0), 1);
    store(0, 2);
    store(1, 3);
    host_mm_switch(parent);
    s.mm = parent;
    assert_int_equal(load(0), 2);
    assert_int_equal(load(1), 3);
    assert_int_equal(rss_sum(s.mm, RSS_SHMEM), 2);
    assert_int_equal(stat_sum(NR_SHMEM), 2);
    host_mm_exit(child);
}

static void beyond_the_end_of_a_file_is_sigbus(void **state)
{
    u8 v;
    scene_make(&s, "SSSS");
    store(3, 1);
    assert_int_equal(cache_truncate(&s.shared->mapping, 2 * PAGE_SIZE), 0);
    assert_true(pte_none(entry(3))); /* truncation empties page tables */
    assert_int_equal(host_load_u8(scene_addr(3), &v) & VM_FAULT_ERROR, VM_FAULT_SIGBUS);
    assert_int_equal(host_load_u8(scene_addr(1), &v) & VM_FAULT_ERROR, 0);
}

static void nothing_mapped_and_not_allowed(void **state)
{
    u8 v;
    scene_make(&s, "R.N");
    assert_int_equal(host_store_u8(scene_addr(0), 1) & VM_FAULT_ERROR, VM_FAULT_ACCERR);
    assert_int_equal(host_load_u8(scene_addr(1), &v) & VM_FAULT_ERROR, VM_FAULT_MAPERR);
    assert_int_equal(host_load_u8(scene_addr(2), &v) & VM_FAULT_ERROR, VM_FAULT_ACCERR);
    assert_int_equal(host_exec(scene_addr(0)) & VM_FAULT_ERROR, VM_FAULT_ACCERR);
    assert_int_equal(host_load_u8(s.mm->task_size + PAGE_SIZE, &v) & VM_FAULT_ERROR, VM_FAULT_MAPERR);
}

static void dontneed_drops_and_reads_zero_again(void **state)
{
    scene_make(&s, "AAAA");
    for (unsigned i = 0; i < 4; i++)
        store(i, 1);
    assert_int_equal(host_madvise(scene_addr(1), 2 * PAGE_SIZE, UAPI_MADV_DONTNEED), 0);
    assert_int_equal(rss_sum(s.mm, RSS_ANON), 2);
    assert_int_equal(load(1), 0);
    assert_int_equal(load(3), 1);
}

static void wipe_on_fork(void **state)
{
    int err;
    scene_make(&s, "AA");
    store(0, 1);
    store(1, 2);
    assert_int_equal(host_madvise(scene_addr(1), PAGE_SIZE, UAPI_MADV_WIPEONFORK), 0);
    struct mm *child = host_fork(&err), *parent = s.mm;
    host_mm_switch(child);
    s.mm = child;
    assert_int_equal(load(0), 1);
    assert_int_equal(load(1), 0);
    store(1, 7);
    host_mm_switch(parent);
    s.mm = parent;
    assert_int_equal(load(1), 2);
    host_mm_exit(child);
}

static void out_of_memory_is_an_answer(void **state)
{
    scene_make(&s, "AA");
    store(0, 1);
    host_fail_nth(FAIL_PAGE_ALLOC, 1, true);
    assert_int_equal(host_store_u8(scene_addr(1), 1) & VM_FAULT_ERROR, VM_FAULT_OOM);
    host_fail_nth(FAIL_PAGE_ALLOC, 0, false);
    store(1, 1);
}

static void remote_access_and_forced_writes(void **state)
{
    u8 v = 0, w = 42;
    scene_make(&s, "A|R");
    store(0, 3);
    assert_int_equal(access_remote(s.mm, scene_addr(0), &v, 1, 0), 1);
    assert_int_equal(v, 3);
    assert_int_equal(access_remote(s.mm, scene_addr(1), &w, 1, FAULT_WRITE), 0);
    assert_int_equal(access_remote(s.mm, scene_addr(1), &w, 1, FAULT_WRITE | FAULT_FORCE), 1);
    assert_int_equal(load(1), 42);
    assert_false(pte_write(entry(1)));
    assert_int_equal(host_store_u8(scene_addr(1), 1) & VM_FAULT_ERROR, VM_FAULT_ACCERR);
    assert_int_equal(access_remote(s.mm, scene_addr(2), &v, 1, 0), 0);
}

/* What a core dump takes: pages that were written; nothing is allocated for the others. */
static void only_touched_pages_are_dumped(void **state)
{
    struct page *page;
    scene_make(&s, "AA");
    store(0, 9);
    assert_int_equal(gup_touched(s.mm, scene_addr(0), &page), 0);
    assert_non_null(page);
    assert_int_equal(*(u8 *)page_to_virt(page), 9);
    page_put(page);
    assert_int_equal(gup_touched(s.mm, scene_addr(1), &page), 0);
    assert_null(page);
    assert_true(pte_none(entry(1)));
    assert_int_equal(load(1), 0); /* now the page of zeros is mapped */
    assert_int_equal(gup_touched(s.mm, scene_addr(1), &page), 0);
    assert_null(page);
    assert_int_equal(gup_touched(s.mm, scene_addr(2), &page), 0);
    assert_null(page);
    assert_int_equal(rss_sum(s.mm, RSS_ANON), 1);
}

static void populate_fills_all(void **state)
{
    u64 flags = UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | UAPI_MAP_POPULATE, rw = UAPI_PROT_READ | UAPI_PROT_WRITE;
    assert_true(host_mmap(0, 700 * PAGE_SIZE, rw, flags, NULL, 0) > 0);
    assert_int_equal(rss_sum(s.mm, RSS_ANON), 700);
    scene_make(&s, "AAA");
    assert_int_equal(host_madvise(scene_addr(0), 2 * PAGE_SIZE, UAPI_MADV_POPULATE_WRITE), 0);
    assert_int_equal(rss_sum(s.mm, RSS_ANON), 702);
    assert_int_equal(host_madvise(scene_addr(2), 2 * PAGE_SIZE, UAPI_MADV_POPULATE_READ), -ENOMEM);
}

/* A read made the entry writable; what was populated for writing is dirty all the same. */
static void populate_write_makes_dirty(void **state)
{
    u8 v;
    scene_make(&s, "SS");
    host_load_u8(scene_addr(0), &v);
    host_load_u8(scene_addr(1), &v);
    assert_int_equal(host_madvise(scene_addr(0), PAGE_SIZE, UAPI_MADV_POPULATE_WRITE), 0);
    assert_int_equal(host_madvise(scene_addr(1), PAGE_SIZE, UAPI_MADV_POPULATE_READ), 0);
    for (unsigned i = 0; i < 2; i++) {
        struct page *page = cache_find(&s.shared->mapping, i);
        assert_non_null(page);
        assert_int_equal(page_test(page, PG_dirty), i == 0);
        page_put(page);
    }
}

static void mincore_tells_what_is_there(void **state)
{
    u8 vec[4];
    scene_make(&s, "AAAA|R");
    store(1, 1);
    load(2);
    store(3, 1); /* the answer lands in page 3 */
    assert_int_equal(host_mincore(scene_addr(0), 3 * PAGE_SIZE, scene_addr(3)), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(host_load_u8(scene_addr(3) + i, &vec[i]), 0);
    assert_int_equal(vec[0], 0);
    assert_int_equal(vec[1], 1);
    assert_int_equal(vec[2], 1);
    assert_int_equal(host_mincore(scene_addr(4), 2 * PAGE_SIZE, scene_addr(3)), -ENOMEM);
    assert_int_equal(host_mincore(scene_addr(0), PAGE_SIZE, scene_addr(9)), -EFAULT);
}

#define SCENE_TEST(fn) cmocka_unit_test_setup_teardown(fn, up, down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(anonymous_read_maps_the_zero_page),
        SCENE_TEST(anonymous_write_takes_a_page),
        SCENE_TEST(write_after_read_replaces_the_zero_page),
        SCENE_TEST(copy_on_write_isolates_and_the_last_one_reuses),
        SCENE_TEST(file_read_brings_the_neighbours),
        SCENE_TEST(private_file_write_copies),
        SCENE_TEST(shared_file_write_is_noticed_and_written_back),
        SCENE_TEST(shared_memory_is_one_page_for_all),
        SCENE_TEST(beyond_the_end_of_a_file_is_sigbus),
        SCENE_TEST(nothing_mapped_and_not_allowed),
        SCENE_TEST(dontneed_drops_and_reads_zero_again),
        SCENE_TEST(wipe_on_fork),
        SCENE_TEST(out_of_memory_is_an_answer),
        SCENE_TEST(remote_access_and_forced_writes),
        SCENE_TEST(only_touched_pages_are_dumped),
        SCENE_TEST(populate_fills_all),
        SCENE_TEST(populate_write_makes_dirty),
        SCENE_TEST(mincore_tells_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
