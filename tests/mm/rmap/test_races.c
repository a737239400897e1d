/* SPDX-License-Identifier: MIT */
/*
 * Areas are cut, joined and moved while other CPUs fault in them for the first time: each anonymous page must end up in the
 * anon_vma of the area that holds its address.
 */
#include "../pt/pt_fixture.h"
#include <host/process.h>

#define PAGES 12
static struct mm *mm;
static u64 base;

static int toucher(void *arg)
{
    unsigned me = (unsigned)(uptr)arg;
    for (unsigned i = 0; i < PAGES; i++)
        host_store_u8(base + (i * 5 + me * 3) % PAGES * PAGE_SIZE, 1);
    return 0;
}

static int cutter(void *arg)
{
    for (unsigned i = 1; i + 1 < PAGES; i += 2)
        host_mprotect(base + i * PAGE_SIZE, PAGE_SIZE, UAPI_PROT_READ);
    for (unsigned i = 1; i + 1 < PAGES; i += 2)
        host_mprotect(base + i * PAGE_SIZE, PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_WRITE);
    return 0;
}

static int joiner(void *arg)
{
    for (unsigned i = 1; i + 1 < PAGES; i += 2)
        host_mprotect(base + i * PAGE_SIZE, PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_WRITE);
    return 0;
}

static int mover(void *arg)
{
    u64 to = base + (64UL << 20);
    for (unsigned i = 0; i < 2; i++)
        for (unsigned k = 0; k < PAGES; k += 4) {
            u64 a = base + k * PAGE_SIZE, b = to + k * PAGE_SIZE;
            host_mremap(i ? b : a, 4 * PAGE_SIZE, 4 * PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED,
                        i ? a : b);
        }
    return 0;
}

static void race(int (*changer)(void *), bool cut_first)
{
    for (u64 seed = 1; seed <= 150; seed++) {
        struct host_config cfg = {.seed = seed, .cpus = 3, .switch_permille = 250};
        machine_up_config(&cfg);
        mm = host_mm_new();
        host_mm_switch(mm);
        base = (u64)host_mmap_anon(PAGES * PAGE_SIZE);
        if (cut_first)
            for (unsigned i = 1; i + 1 < PAGES; i += 2)
                host_mprotect(base + i * PAGE_SIZE, PAGE_SIZE, UAPI_PROT_READ);
        struct host_thread *t[] = {host_user_thread(mm, changer, NULL, "changer"),
                                   host_user_thread(mm, toucher, (void *)0, "toucher"),
                                   host_user_thread(mm, toucher, (void *)1, "toucher")};
        for (unsigned i = 0; i < 3; i++)
            host_thread_join(t[i]);
        assert_machine_valid();
        host_mm_exit(mm);
        machine_down();
    }
}

static void first_faults_beside_cuts(void **state)
{
    race(cutter, false);
}

static void first_faults_beside_joins(void **state)
{
    race(joiner, true);
}

static void first_faults_beside_moves(void **state)
{
    race(mover, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_faults_beside_cuts),
        cmocka_unit_test(first_faults_beside_joins),
        cmocka_unit_test(first_faults_beside_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
