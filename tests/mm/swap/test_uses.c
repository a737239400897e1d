/* SPDX-License-Identifier: MIT */
/* What programs and the kernel do with pages that are in swap: every walker of entries meets a swap entry. */
#include "swap_fixture.h"
#include <lib/fmt.h>
#include <mm/obs_mm.h>
#include <mm/pin.h>
#include <mm/shmem.h>

#define N 20

static struct mm *out(u64 pages)
{
    struct mm *mm = swap_start(512);
    scene_map(mm, BASE, pages, RW_FLAGS);
    put_values(mm, BASE, pages, 100);
    swap_out_range(mm, BASE, pages);
    return mm;
}

static void rights_change(void **state)
{
    struct mm *mm = out(N);
    struct vma_fill fill;
    mmap_write_lock(mm);
    assert_int_equal(vma_protect(mm, BASE, BASE + N * PAGE_SIZE, UAPI_PROT_NONE, -1, &fill), 0);
    mmap_write_unlock(mm);
    assert_int_equal(mm_fault(mm, BASE, FAULT_USER), VM_FAULT_ACCERR);
    swap_check();
    struct vma *vma = vma_find(mm, BASE);
    mmap_read_lock(mm);
    assert_int_equal(fault_swap_in(vma, BASE) & VM_FAULT_ERROR, 0); /* as swapoff does */
    mmap_read_unlock(mm);
    assert_true(scene_entry(mm, BASE).v & PTE_PROTNONE);
    swap_check();
    mmap_write_lock(mm);
    assert_int_equal(vma_protect(mm, BASE, BASE + N * PAGE_SIZE, UAPI_PROT_READ, -1, &fill), 0);
    mmap_write_unlock(mm);
    assert_values(mm, BASE, N, 100);
    for (u64 i = 0; i < N; i++)
        assert_false(pte_write(scene_entry(mm, BASE + i * PAGE_SIZE)));
    swap_end(mm);
}

static void pages_move(void **state)
{
    struct mm *mm = out(N);
    for (u64 k = 0; k < 2; k++) {
        u64 to = BASE + (k ? 5 * PMD_SIZE + PAGE_SIZE : 3 * PMD_SIZE), from = k ? BASE + 3 * PMD_SIZE : BASE;
        s64 r = sys_mm_mremap(mm, from, N * PAGE_SIZE, N * PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, to);
        assert_int_equal(r, to);
        swap_check();
        assert_int_equal(rss_sum(mm, RSS_SWAP), N);
    }
    assert_values(mm, BASE + 5 * PMD_SIZE + PAGE_SIZE, N, 100);
    swap_end(mm);
}

static void dirtiness_stays(void **state)
{
    struct mm *mm = out(4);
    assert_true(scene_entry(mm, BASE).v & PTE_SOFT_DIRTY);
    mmap_write_lock(mm);
    struct vma *vma = vma_find(mm, BASE);
    vma_set_flags(mm, BASE, BASE + 4 * PAGE_SIZE, 0, VM_SOFTDIRTY);
    vma = vma_find(mm, BASE);
    pt_clean_range(vma, BASE, BASE + 4 * PAGE_SIZE, true);
    mmap_write_unlock(mm);
    assert_false(scene_entry(mm, BASE).v & PTE_SOFT_DIRTY);
    get_value(mm, BASE);
    assert_false(scene_entry(mm, BASE).v & (PTE_SOFT_DIRTY | PTE_RW));
    put_value(mm, BASE, 1);
    assert_true(scene_entry(mm, BASE).v & PTE_SOFT_DIRTY);
    put_value(mm, BASE + PAGE_SIZE, 1);
    assert_true(scene_entry(mm, BASE + PAGE_SIZE).v & PTE_SOFT_DIRTY);
    swap_end(mm);
}

static void the_kernel_reads_and_writes(void **state)
{
    struct mm *mm = out(N);
    u64 v = 0;
    assert_int_equal(access_remote(mm, BASE, &v, 8, 0), 8);
    assert_int_equal(v, 100);
    /* Read back, so clean and writable; then written through the kernel's own map. */
    assert_true(page_test(page_at(mm, BASE), PG_swapcache));
    v = 321;
    assert_int_equal(access_remote(mm, BASE, &v, 8, FAULT_WRITE), 8);
    struct page *page = page_at(mm, BASE);
    page_get(page);
    page_lock(page);
    if (!page_test(page, PG_swapcache))
        assert_int_equal(swap_add(page), 0);
    rmap_unmap(page);
    assert_int_equal(swap_write(page, NULL), 0);
    page_unlock(page);
    assert_true(swap_release_page(page));
    assert_int_equal(get_value(mm, BASE), 321);
    swap_end(mm);
}

static void a_pinned_page_stays(void **state)
{
    struct mm *mm = out(2);
    struct page *page;
    assert_int_equal(pin_user_pages(mm, BASE, 1, FAULT_WRITE, &page), 1);
    assert_false(swap_out(mm, BASE));
    assert_ptr_equal(page_at(mm, BASE), page);
    swap_check();
    unpin_user_pages(&page, 1, true);
    swap_end(mm);
}

static void locking_brings_in(void **state)
{
    struct mm *mm = out(N);
    mm->rlimit.memlock = U64_MAX;
    assert_int_equal(sys_mm_mlock(mm, BASE, N * PAGE_SIZE, 0), 0);
    assert_int_equal(rss_sum(mm, RSS_SWAP), 0);
    assert_int_equal(stat_sum(NR_MLOCK), N);
    assert_int_equal(swap_free_pages(), 512);
    assert_values(mm, BASE, N, 100);
    swap_end(mm);
}

static void pageout_and_willneed(void **state)
{
    struct mm *mm = swap_start(512), *child;
    scene_map(mm, BASE, N, RW_FLAGS);
    put_values(mm, BASE, N, 100);
    assert_int_equal(mm_fork(mm, &child), 0);
    put_values(mm, BASE, N / 2, 500); /* the other half is shared: passed over */
    assert_int_equal(sys_mm_madvise(mm, BASE, N * PAGE_SIZE, UAPI_MADV_PAGEOUT), 0);
    assert_int_equal(rss_sum(mm, RSS_SWAP), N / 2);
    swap_check();
    assert_int_equal(sys_mm_madvise(mm, BASE, N * PAGE_SIZE, UAPI_MADV_WILLNEED), 0);
    assert_int_equal(stat_sum(NR_SWAPCACHE), N / 2);
    u64 major = stat_event_sum(PGMAJFAULT);
    assert_values(mm, BASE, N / 2, 500);
    assert_int_equal(stat_event_sum(PGMAJFAULT), major);
    assert_values(child, BASE, N, 100);
    host_mm_unload_all(child);
    mm_put(child);
    machine_settle();
    swap_end(mm);
}

static void shared_memory(void **state)
{
    struct mm *mm = swap_start(512), *child;
    s64 at = sys_mm_mmap(mm, BASE, N * PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_WRITE, UAPI_MAP_SHARED | UAPI_MAP_ANONYMOUS | UAPI_MAP_FIXED,
                         NULL, 0);
    assert_int_equal(at, BASE);
    put_values(mm, BASE, N, 100);
    assert_int_equal(mm_fork(mm, &child), 0);
    assert_values(child, BASE, N, 100);
    swap_out_range(mm, BASE, N); /* out of both */
    struct address_space *m = vma_find(mm, BASE)->mapping;
    assert_int_equal(m->nrpages, 0);
    assert_int_equal(m->nrswapped, N);
    assert_int_equal(stat_sum(NR_SHMEM), 0);
    assert_int_equal(rss_sum(mm, RSS_SHMEM) + rss_sum(child, RSS_SHMEM), 0);
    assert_null_text(mapping_validate(m));
    swap_check();
    assert_values(child, BASE, N / 2, 100);
    put_value(child, BASE, 999);
    assert_int_equal(get_value(mm, BASE), 999);
    assert_int_equal(m->nrswapped + m->nrpages, N);
    assert_null_text(mapping_validate(m));
    assert_int_equal(cache_punch(m, (N - 2) * PAGE_SIZE, N * PAGE_SIZE), 0);
    assert_int_equal(get_value(mm, BASE + (N - 1) * PAGE_SIZE), 0);
    assert_int_equal(host_swap_off(&disk), 0);
    assert_int_equal(m->nrswapped, 0);
    assert_values(mm, BASE + PAGE_SIZE, N - 3, 101);
    assert_int_equal(host_swap_on(&disk, &(struct host_swap_config){.pages = 30, .prio = -1}), 0);
    host_mm_unload_all(child);
    mm_put(child);
    for (u64 i = 0; i < N - 2; i++)
        assert_true(swap_out(mm, BASE + i * PAGE_SIZE));
    swap_end(mm); /* frees the slots of what nobody brought back */
}

static void a_private_copy_outlives_its_file(void **state)
{
    struct mm *mm = swap_start(64);
    struct host_file *f = host_file_new(8 * PAGE_SIZE, false);
    struct vma *vma = scene_map_file(mm, BASE, 8, RW_FLAGS, &f->mapping, 0);
    put_values(mm, BASE, 8, 100);
    swap_out_range(mm, BASE, 8);
    assert_int_equal(cache_punch(&f->mapping, 0, 4 * PAGE_SIZE), 0);
    assert_values(mm, BASE, 8, 100);
    swap_out_range(mm, BASE, 4);
    assert_int_equal(cache_truncate(&f->mapping, 2 * PAGE_SIZE), 0);
    swap_check();
    assert_values(mm, BASE, 2, 100);
    assert_int_equal(mm_fault(mm, BASE + 3 * PAGE_SIZE, FAULT_USER), VM_FAULT_SIGBUS);
    assert_ptr_equal(vma->mapping, &f->mapping);
    scene_unmap(mm, BASE, 8);
    host_file_put(f);
    swap_end(mm);
}

static void what_is_shown(void **state)
{
    struct mm *mm = out(N), *child;
    u64 words[N];
    char buf[8192];
    struct seq s;
    obs_pagemap(mm, BASE, N, true, words);
    assert_int_equal(words[1] >> 62, 1);
    assert_int_equal(words[1] & 31, disk.area->type);
    assert_int_equal((words[1] & ((1UL << 55) - 1)) >> 5, swp_offset(pte_to_swp(scene_entry(mm, BASE + PAGE_SIZE))));
    obs_pagemap(mm, BASE, N, false, words);
    assert_int_equal(words[1] & ((1UL << 55) - 1), 0);
    for (u64 share = 0; share < 2; share++) {
        sysctl_fork_share = share;
        assert_int_equal(mm_fork(mm, &child), 0);
        seq_init(&s, buf, sizeof(buf));
        obs_smaps_rollup(&s, mm);
        buf[s.len] = 0;
        assert_non_null(strstr(buf, "Swap:                 80 kB\nSwapPss:              40 kB\n"));
        host_mm_unload_all(child);
        mm_put(child);
        machine_settle();
    }
    swap_end(mm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rights_change),
        cmocka_unit_test(pages_move),
        cmocka_unit_test(dirtiness_stays),
        cmocka_unit_test(the_kernel_reads_and_writes),
        cmocka_unit_test(a_pinned_page_stays),
        cmocka_unit_test(locking_brings_in),
        cmocka_unit_test(pageout_and_willneed),
        cmocka_unit_test(shared_memory),
        cmocka_unit_test(a_private_copy_outlives_its_file),
        cmocka_unit_test(what_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
