/* SPDX-License-Identifier: MIT */
/*
 * A forgotten TLB flush is a failing test: scenes in which the core must flush are run with their 1st, 2nd, 3rd ... flush
 * lost on purpose. Each loss must be noticed when the stale entry is used; with all flushes in place nothing is.
 */
#include "../common/machine.h"

#define RW    (UAPI_PROT_READ | UAPI_PROT_WRITE)
#define BASE  0x7f0000000000UL
#define PAGES 4UL
#define LEN   (PAGES * PAGE_SIZE)

static struct mm *space, *child;
static struct host_file *file;

/* Every page into the TLB, readable and writable where it is. Faults do not matter. */
static void use_all(u64 at)
{
    for (u64 a = at; a < at + LEN; a += PAGE_SIZE) {
        u8 b;
        if (host_load_u8(a, &b) == 0)
            host_store_u8(a, (u8)(b + 1));
    }
    for (u64 a = at; a < at + LEN; a += PAGE_SIZE) { /* a store that faulted took its entry along */
        u8 b;
        host_load_u8(a, &b);
    }
}

static void map(u64 at, u64 prot)
{
    host_mmap(at, LEN, prot, UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | UAPI_MAP_FIXED, NULL, 0);
    use_all(at);
}

static void unmap_scene(void)
{
    map(BASE, RW);
    host_munmap(BASE, LEN);
    use_all(BASE);
}

static void map_over_scene(void)
{
    map(BASE, RW);
    map(BASE, RW);
}

static void protect_scene(void)
{
    map(BASE, RW);
    host_mprotect(BASE, LEN, UAPI_PROT_READ);
    use_all(BASE);
    host_mprotect(BASE, LEN, UAPI_PROT_NONE);
    use_all(BASE);
}

static void dontneed_scene(void)
{
    map(BASE, RW);
    host_madvise(BASE, LEN, UAPI_MADV_DONTNEED);
    use_all(BASE);
}

static void move_scene(void)
{
    map(BASE, RW);
    host_mremap(BASE, LEN, LEN, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, BASE + 64 * LEN);
    use_all(BASE);
}

/* The parent's entries lose their write permission; then each write makes a copy. */
static void fork_scene(void)
{
    int err;
    map(BASE, RW);
    child = host_fork(&err);
    use_all(BASE);
}

static void truncate_scene(void)
{
    file = host_file_new(LEN, false);
    struct map_file mf = host_map_file(file);
    host_mmap(BASE, LEN, RW, UAPI_MAP_SHARED | UAPI_MAP_FIXED, &mf, 0);
    use_all(BASE);
    cache_truncate(&file->mapping, PAGE_SIZE);
    use_all(BASE);
}

/* After write-back the next write must be seen again. */
static void write_back_scene(void)
{
    file = host_file_new(LEN, false);
    struct map_file mf = host_map_file(file);
    host_mmap(BASE, LEN, RW, UAPI_MAP_SHARED | UAPI_MAP_FIXED, &mf, 0);
    use_all(BASE);
    host_msync(BASE, LEN, UAPI_MS_SYNC);
    use_all(BASE);
}

static void brk_scene(void)
{
    u64 start = space->start_brk;
    host_brk(start + LEN);
    use_all(start);
    host_brk(start);
    use_all(start);
}

/* Another CPU reads the pages, this one changes them, the other reads again. */
static volatile u32 phase;

static void read_all(void)
{
    for (u64 a = BASE; a < BASE + LEN; a += PAGE_SIZE) {
        u8 b;
        host_load_u8(a, &b);
    }
}

static int other_cpu(void *arg)
{
    host_mm_load(space);
    read_all();
    phase = 1;
    while (phase != 2)
        cpu_relax();
    read_all();
    host_mm_load(NULL);
    return 0;
}

static void unmap_all(void)
{
    host_munmap(BASE, LEN);
}

static void write_all(void)
{
    use_all(BASE);
}

static void with_another_cpu(void (*change)(void))
{
    phase = 0;
    struct host_thread *t = host_thread_start(other_cpu, NULL, "other", 1);
    while (phase != 1)
        cpu_relax();
    change();
    phase = 2;
    host_thread_join(t);
}

static void shootdown_scene(void)
{
    map(BASE, RW);
    with_another_cpu(unmap_all);
}

/* The other's entries are for the file's page, the zero page, the page shared with a child; the write puts a copy there. */
static void cow_scene(void)
{
    file = host_file_new(LEN, false);
    struct map_file mf = host_map_file(file);
    host_mmap(BASE, LEN, RW, UAPI_MAP_PRIVATE | UAPI_MAP_FIXED, &mf, 0);
    with_another_cpu(write_all);
}

static void zero_page_scene(void)
{
    host_mmap(BASE, LEN, RW, UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | UAPI_MAP_FIXED, NULL, 0);
    with_another_cpu(write_all);
}

static void fork_cow_scene(void)
{
    int err;
    map(BASE, RW);
    child = host_fork(&err);
    with_another_cpu(write_all);
}

static const struct scene {
    const char *name;
    void (*run)(void);
} scenes[] = {
    {"munmap", unmap_scene},
    {"mmap over", map_over_scene},
    {"mprotect", protect_scene},
    {"dontneed", dontneed_scene},
    {"mremap", move_scene},
    {"fork", fork_scene},
    {"copy on write", cow_scene},
    {"zero page", zero_page_scene},
    {"truncate", truncate_scene},
    {"write-back", write_back_scene},
    {"brk", brk_scene},
    {"shootdown", shootdown_scene},
    {"copy after fork", fork_cow_scene},
};

static void run_scene(void *arg)
{
    const struct scene *s = arg;
    space = host_mm_new();
    child = NULL;
    file = NULL;
    host_mm_switch(space);
    s->run();
}

static void tear_down(void)
{
    if (child)
        host_mm_exit(child);
    host_mm_exit(space);
    if (file)
        host_file_put(file);
    machine_down();
}

static void each_lost_flush_is_noticed(void **state)
{
    const struct scene *s = *state;
    u64 n;
    for (n = 1; n < 1000; n++) {
        const struct host_config cfg = {
            .seed = 1, .cpus = 2, .ram = 32UL << 20, .drop_flush_nth = n};
        machine_up_config(&cfg);
        const char *text = host_catch_panic(run_scene, (void *)s);
        bool lost = host_mmu_stats.flushes_that_drop >= n;
        if (!lost) {
            if (text)
                fail_msg("%s: %s, though no flush was lost", s->name, text);
            tear_down();
            break;
        }
        if (!text)
            fail_msg("%s: flush %lu was lost and nobody noticed", s->name, n);
        if (!strstr(text, "stale TLB entry"))
            fail_msg("%s: flush %lu was lost: %s", s->name, n, text);
        machine_abandon();
        if (file)
            host_file_forget(file);
    }
    printf("  %lu flushes\n", n - 1);
    assert_true(n > 1); /* a scene that never flushes proves nothing */
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_SIZE(scenes)];
    for (size_t i = 0; i < ARRAY_SIZE(scenes); i++)
        tests[i] = (struct CMUnitTest){scenes[i].name, each_lost_flush_is_noticed, NULL, NULL,
                                       (void *)&scenes[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
