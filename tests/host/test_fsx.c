/* SPDX-License-Identifier: MIT */
/* tests/common/fsx.h on the hosted machine's cache: a file on a device, and one in memory. PAGODA_FSX_SECONDS plays new seeds as long. */
#include "../common/fsx.h"
#include "../common/scene.h"
#include <mm/cache.h>
#include <mm/stat.h>
#include <time.h>

static struct scene s;
static struct host_file *f;
static bool shmem;
static time_t until;

static void begin(void)
{
    f = host_file_new(FSX_MAX, shmem);
    assert_int_equal(host_file_truncate(f, 0), 0);
}

static void end(void)
{
    assert_null(mapping_validate(&f->mapping));
    cache_sync(&f->mapping, 0, U64_MAX);
    host_file_put(f);
}

static long get(uint64_t pos, void *buf, uint64_t n)
{
    return cache_read_kernel(&f->mapping, pos, buf, n);
}

static long put(uint64_t pos, const void *buf, uint64_t n)
{
    return cache_write_kernel(&f->mapping, pos, buf, n);
}

static long mapped(uint64_t pos, void *in, const void *out, uint64_t n)
{
    struct map_file map = host_map_file(f);
    u64 base = page_align_down(pos);
    s64 at = host_mmap(SCENE_BASE, pos - base + n, UAPI_PROT_READ | UAPI_PROT_WRITE,
                       UAPI_MAP_SHARED | UAPI_MAP_FIXED, &map, base);
    assert_int_equal(at, SCENE_BASE);
    int err = in ? host_load(SCENE_BASE + (pos - base), in, n)
                 : host_store(SCENE_BASE + (pos - base), out, n);
    assert_int_equal(host_munmap(SCENE_BASE, pos - base + n), 0);
    return err ? -1 : (long)n;
}

static long map_read(uint64_t pos, void *buf, uint64_t n)
{
    return mapped(pos, buf, NULL, n);
}

static long map_write(uint64_t pos, const void *buf, uint64_t n)
{
    return mapped(pos, NULL, buf, n);
}

static int cut(uint64_t size)
{
    return host_file_truncate(f, size);
}

static int punch(uint64_t pos, uint64_t n)
{
    return cache_punch(&f->mapping, pos, pos + n);
}

static int sync_some(unsigned how)
{
    return how & 1
               ? cache_sync(&f->mapping, 0, U64_MAX)
               : (cache_start_sync(&f->mapping, 0, U64_MAX), cache_drop(&f->mapping, 0, U64_MAX));
}

static void drop(void)
{
    cache_sync(&f->mapping, 0, U64_MAX);
    cache_invalidate(&f->mapping, 0, U64_MAX);
}

static bool stop(void)
{
    return until && time(NULL) >= until;
}

static void play(bool in_memory)
{
    struct fsx_home home = {.begin = begin,
                            .end = end,
                            .read = get,
                            .write = put,
                            .map_read = map_read,
                            .map_write = map_write,
                            .truncate = cut,
                            .punch = in_memory ? punch : NULL,
                            .sync = sync_some,
                            .drop = drop,
                            .stop = stop};
    const char *seconds = getenv("PAGODA_FSX_SECONDS"), *seed = getenv("PAGODA_SEED");
    if (in_memory)
        home.sync = NULL;
    until = seconds ? time(NULL) + atoi(seconds) : 0;
    shmem = in_memory;
    scene_up(&s);
    assert_int_equal(
        fsx_games(&home, seed ? (uint64_t)atoll(seed) : 1, seconds ? 1u << 30 : 60, 200), 0);
    assert_machine_valid();
    scene_down(&s);
}

static void a_file_on_a_device(void **state)
{
    play(false);
}

static void a_file_in_memory(void **state)
{
    play(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_file_on_a_device),
                                       cmocka_unit_test(a_file_in_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
