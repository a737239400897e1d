/* SPDX-License-Identifier: MIT */
/* Replays through the core: TLB counters as without it, one fault a page, spaces apart, clear errors, the same twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../lab/replay.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static char why[512];
static uint64_t seed;
static uint32_t draw(uint32_t n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((seed >> 33) % n);
}

static struct machine small(const char *memory)
{
    struct machine m;
    char set[64];
    machine_default(&m);
    snprintf(set, sizeof(set), "machine.memory=%s", memory);
    assert_int_equal(machine_set(&m, set, why, sizeof(why)), 0);
    return m;
}

static struct replay_counts play(const struct machine *m, const struct trace_ref *r, size_t n)
{
    struct replay_counts c;
    assert_int_equal(replay_begin(m, why, sizeof(why)), 0);
    if (replay_play(r, n, why, sizeof(why)))
        fail_msg("%s", why);
    replay_read(&c);
    replay_end();
    return c;
}

static void fill(struct trace_ref *r, size_t n, uint32_t pages, uint32_t spaces)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t size = 1 + draw(16);
        uint64_t page = draw(3) ? draw(1 + pages / 8) : draw(pages);
        r[i] = (struct trace_ref){.addr = 0x400000 + page * 4096 + draw(draw(50) ? 4080 : 4096), .size = size, .count = 1,
                                  .space = spaces ? draw(spaces) * 1000 : 0, .kind = (uint8_t)draw(NR_REF_KINDS)};
    }
}

static void tlbs_count_as_alone(void **state)
{
    static struct trace_ref r[40000];
    for (seed = 1; seed < 4; seed++) {
        uint64_t keep = seed;
        struct machine m = small("32M");
        struct tlb_pair alone;
        fill(r, LEN(r), 3000, 0);
        assert_int_equal(tlb_pair_init(&alone, m.fetch, m.data, m.shared), 0);
        tlb_pair_play(&alone, r, LEN(r));
        struct replay_counts c = play(&m, r, LEN(r));
        assert_memory_equal(c.tlb, alone.count, sizeof(alone.count));
        tlb_pair_free(&alone);
        seed = keep;
    }
}

static void a_fault_for_each_page(void **state)
{
    static struct trace_ref r[4000];
    struct machine m = small("64M");
    for (uint32_t i = 0; i < LEN(r); i++)
        r[i] = (struct trace_ref){.addr = 0x7f0000000000 + i / 2 * 4096ul, .size = 8, .count = 5, .kind = REF_LOAD + (i & 1)};
    struct replay_counts c = play(&m, r, LEN(r));
    assert_int_equal(c.minor_faults, 2000);
    assert_int_equal(c.major_faults, 0);
    assert_int_equal(c.pages, 2000);
    assert_int_equal(c.peak_pages, 2000);
    assert_int_equal(c.tlb[TLB_LOADS], 10000);
    assert_int_equal(c.tlb[TLB_STORES], 10000);
    assert_in_range(c.table_bytes, 4 * 4096, 10 * 4096);
}

static void spaces_are_apart(void **state)
{
    static struct trace_ref r[3000];
    struct machine m = small("64M");
    bool seen[5][200] = {{false}};
    uint64_t pages = 0;
    seed = 9;
    fill(r, LEN(r), 200, 5);
    for (size_t i = 0; i < LEN(r); i++)
        for (uint64_t p = (r[i].addr - 0x400000) >> 12; p <= (r[i].addr + r[i].size - 1 - 0x400000) >> 12 && p < 200; p++) {
            pages += !seen[r[i].space / 1000][p];
            seen[r[i].space / 1000][p] = true;
        }
    struct replay_counts c = play(&m, r, LEN(r));
    assert_int_equal(c.spaces, 5);
    assert_in_range(c.minor_faults, pages, pages + 5); /* a last reference may reach beyond page 199 */
}

static void the_same_twice(void **state)
{
    static struct trace_ref r[20000];
    struct machine m = small("64M");
    seed = 33;
    fill(r, LEN(r), 2000, 3);
    struct replay_counts a = play(&m, r, LEN(r)), b = play(&m, r, LEN(r));
    assert_memory_equal(&a, &b, sizeof(a));
}

/* Without randomization a stack begins at the very end. */
static void the_last_page(void **state)
{
    struct machine m = small("32M");
    struct trace_ref r = {.addr = 0x7fffffffefff, .size = 1, .count = 1, .kind = REF_STORE};
    assert_int_equal(play(&m, &r, 1).pages, 1);
}

static void what_cannot_be_played(void **state)
{
    static const struct {
        uint64_t addr;
        const char *says;
    } bad[] = {{0x800000000000, "beyond the 47 bits"}, {0xffffffffff600000, "beyond the 47 bits"}, {0x7ffffffff000, "which ends at 0x7ffffffff000"}, {0x100, "no area can be mapped"}};
    struct machine m = small("32M");
    for (size_t i = 0; i < LEN(bad); i++) {
        struct trace_ref r = {.addr = bad[i].addr, .size = 1, .count = 1, .kind = REF_LOAD};
        assert_int_equal(replay_begin(&m, why, sizeof(why)), 0);
        assert_int_equal(replay_play(&r, 1, why, sizeof(why)), -1);
        if (!strstr(why, bad[i].says))
            fail_msg("'%s' does not say '%s'", why, bad[i].says);
        replay_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tlbs_count_as_alone),
        cmocka_unit_test(a_fault_for_each_page),
        cmocka_unit_test(spaces_are_apart),
        cmocka_unit_test(the_same_twice),
        cmocka_unit_test(the_last_page),
        cmocka_unit_test(what_cannot_be_played),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
