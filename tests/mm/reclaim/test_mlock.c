/* SPDX-License-Identifier: MIT */
/* Pages of locked areas: how many there are, on which list, after each call that locks, unlocks, maps and unmaps. */
#include "../../common/machine.h"

#define N 24u

static u64 at;

static u64 mlocked(void)
{
    assert_int_equal(stat_sum(NR_MLOCK), stat_sum(NR_UNEVICTABLE));
    return (u64)stat_sum(NR_MLOCK);
}

static struct mm *start(void)
{
    machine_up(64, 2, 1);
    sysctl_fork_share = 1;
    struct mm *mm = host_mm_new();
    host_mm_switch(mm);
    return mm;
}

static void finish(struct mm *mm)
{
    assert_machine_valid();
    host_mm_exit(mm);
    assert_int_equal(mlocked(), 0);
    machine_down();
}

static void store_all(void)
{
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(host_store_u8(at + i * PAGE_SIZE, 1), 0);
}

static void anonymous(void **state)
{
    struct mm *mm = start();
    at = (u64)host_mmap_anon(N * PAGE_SIZE);
    for (unsigned i = 0; i < N / 2; i++)
        assert_int_equal(host_store_u8(at + i * PAGE_SIZE, 1), 0);
    assert_int_equal(host_mlock(at, N * PAGE_SIZE, 0), 0);
    assert_int_equal(mlocked(), N); /* those there were, and those it brought in */
    assert_machine_valid();
    assert_int_equal(host_mlock(at, N * PAGE_SIZE, 0), 0);
    assert_int_equal(mlocked(), N);
    assert_int_equal(host_munlock(at, 4 * PAGE_SIZE), 0);
    assert_int_equal(mlocked(), N - 4);
    assert_int_equal(host_munmap(at + 4 * PAGE_SIZE, 4 * PAGE_SIZE), 0);
    assert_int_equal(mlocked(), N - 8);
    s64 to = host_mremap(at + 8 * PAGE_SIZE, 4 * PAGE_SIZE, 8 * PAGE_SIZE, UAPI_MREMAP_MAYMOVE, 0);
    assert_true(to > 0);
    assert_true(mlocked() >= N - 8);
    finish(mm);
}

/* Locked private memory has its own pages from when it may be written; what is not locked, or filled on fault, has not. */
static void rights(void **state)
{
    struct mm *mm = start();
    at = (u64)host_mmap_anon(N * PAGE_SIZE);
    assert_int_equal(host_mprotect(at, N * PAGE_SIZE, 0), 0);
    host_mlock(at + 2 * PAGE_SIZE, 4 * PAGE_SIZE, 0);
    host_mlock(at + 8 * PAGE_SIZE, 4 * PAGE_SIZE, UAPI_MLOCK_ONFAULT);
    assert_int_equal(mlocked(), 0); /* there is nothing to be read */
    assert_int_equal(host_mprotect(at, N * PAGE_SIZE, UAPI_PROT_READ), 0);
    assert_int_equal(mlocked(), 0);
    assert_int_equal(host_mprotect(at + 3 * PAGE_SIZE, (N - 3) * PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_WRITE), 0);
    assert_int_equal(mlocked(), 3);
    finish(mm);
}

/* What may be dropped is filled under MCL_FUTURE, but not locked. */
static void droppable(void **state)
{
    struct mm *mm = start();
    assert_int_equal(host_mlockall(UAPI_MCL_FUTURE), 0);
    at = (u64)host_mmap(0, N * PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_WRITE, UAPI_MAP_DROPPABLE | UAPI_MAP_ANONYMOUS, NULL, 0);
    assert_int_equal(mlocked(), 0);
    assert_int_equal(mm->locked_vm, 0);
    assert_true(pte_mapped(pte_load(pt_find(mm, at + (N - 1) * PAGE_SIZE))));
    finish(mm);
}

static void on_fault(void **state)
{
    struct mm *mm = start();
    at = (u64)host_mmap_anon(N * PAGE_SIZE);
    assert_int_equal(host_mlock(at, N * PAGE_SIZE, UAPI_MLOCK_ONFAULT), 0);
    assert_int_equal(mlocked(), 0);
    assert_int_equal(host_store_u8(at, 1), 0);
    assert_int_equal(mlocked(), 1);
    u8 v;
    assert_int_equal(host_load_u8(at + PAGE_SIZE, &v), 0); /* the zero page is nobody's */
    assert_int_equal(mlocked(), 1);
    assert_int_equal(host_munlockall(), 0);
    assert_int_equal(mlocked(), 0);
    finish(mm);
}

static void forks(void **state)
{
    struct mm *mm = start();
    int err;
    at = (u64)host_mmap_anon(N * PAGE_SIZE);
    assert_int_equal(host_mlock(at, N * PAGE_SIZE, 0), 0);
    struct mm *child = host_fork(&err);
    assert_int_equal(mlocked(), N);
    assert_int_equal(host_store_u8(at, 2), 0); /* a copy for the parent; the child's is locked by nobody */
    assert_int_equal(mlocked(), N);
    host_mm_switch(child);
    assert_int_equal(host_mlock(at + PAGE_SIZE, PAGE_SIZE, 0), 0);
    assert_int_equal(mlocked(), N + 1); /* mlock makes private pages its own */
    host_mm_switch(mm);
    assert_int_equal(host_munlock(at, N * PAGE_SIZE), 0);
    assert_int_equal(mlocked(), 1);
    host_mm_exit(child);
    finish(mm);
}

/* A page of a file that two areas lock is locked until the last of them goes. */
static void files(void **state)
{
    struct mm *mm = start();
    struct host_file *f = host_file_new(N * PAGE_SIZE, true);
    struct map_file mf = host_map_file(f);
    u64 rw = UAPI_PROT_READ | UAPI_PROT_WRITE;
    at = (u64)host_mmap(0, N * PAGE_SIZE, rw, UAPI_MAP_SHARED, &mf, 0);
    u64 second = (u64)host_mmap(0, N * PAGE_SIZE, rw, UAPI_MAP_SHARED, &mf, 0);
    store_all();
    assert_int_equal(host_mlock(at, N * PAGE_SIZE, 0), 0);
    assert_int_equal(host_mlock(second, N * PAGE_SIZE, 0), 0);
    assert_int_equal(mlocked(), N);
    assert_int_equal(host_munmap(at, N * PAGE_SIZE), 0);
    assert_int_equal(mlocked(), N);
    assert_int_equal(host_munlock(second, 8 * PAGE_SIZE), 0);
    assert_int_equal(mlocked(), N - 8);
    assert_int_equal(host_file_truncate(f, 16 * PAGE_SIZE), 0);
    assert_int_equal(mlocked(), 8);
    assert_int_equal(host_munmap(second, N * PAGE_SIZE), 0);
    assert_int_equal(mlocked(), 0);
    assert_int_equal(stat_event_sum(UNEVICTABLE_PGMLOCKED),
                     stat_event_sum(UNEVICTABLE_PGMUNLOCKED) + stat_event_sum(UNEVICTABLE_PGCLEARED));
    host_file_put(f);
    finish(mm);
}

static void everything(void **state)
{
    struct mm *mm = start();
    at = (u64)host_mmap_anon(N * PAGE_SIZE);
    store_all();
    assert_int_equal(host_mlockall(UAPI_MCL_CURRENT | UAPI_MCL_FUTURE), 0);
    assert_int_equal(mlocked(), N);
    u64 more = (u64)host_mmap_anon(N * PAGE_SIZE);
    assert_true(more);
    assert_int_equal(mlocked(), 2 * N);
    assert_int_equal(host_madvise(at, 4 * PAGE_SIZE, UAPI_MADV_DONTNEED_LOCKED), 0);
    assert_int_equal(mlocked(), 2 * N - 4);
    finish(mm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(anonymous), cmocka_unit_test(rights), cmocka_unit_test(droppable),
                                       cmocka_unit_test(on_fault), cmocka_unit_test(forks),
                                       cmocka_unit_test(files), cmocka_unit_test(everything)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
