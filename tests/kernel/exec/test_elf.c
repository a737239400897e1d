/* SPDX-License-Identifier: MIT */
/*
 * ELF headers: good ones, each field broken, random ones. Whatever comes in, a plan that is accepted keeps elf.c's invariants.
 * With ELF_FUZZ_SECONDS in the environment the random part runs that long, from a new seed, or from that of PAGODA_SEED.
 */
#include "../../lib/test.h"
#include <time.h>
#include "../../../kernel/exec/elf.c"
#include <lib/rand.h>

#define LIMIT ((1UL << 47) - PAGE_SIZE)

struct image {
    u8 b[64 + 8 * ELF_PHDR_SIZE];
};
static void put16(u8 *p, u64 v)
{
    p[0] = (u8)v, p[1] = (u8)(v >> 8);
}
static void put32(u8 *p, u64 v)
{
    put16(p, v), put16(p + 2, v >> 16);
}
static void put64(u8 *p, u64 v)
{
    put32(p, v), put32(p + 4, v >> 32);
}
static void put_phdr(struct image *im, int i, u32 type, u32 flags, u64 off, u64 vaddr, u64 filesz,
                     u64 memsz, u64 align)
{
    u8 *p = im->b + 64 + i * ELF_PHDR_SIZE;
    put32(p, type), put32(p + 4, flags), put64(p + 8, off), put64(p + 16, vaddr),
        put64(p + 24, vaddr);
    put64(p + 32, filesz), put64(p + 40, memsz), put64(p + 48, align);
}

/* Text at 0x400000, data with bss at 0x402e00, as a linker would lay out a small static program. */
static struct image good(void)
{
    struct image im = {{0x7f, 'E', 'L', 'F', 2, 1, 1}};
    put16(im.b + 16, 2), put16(im.b + 18, 62), put32(im.b + 20, 1), put64(im.b + 24, 0x401000),
        put64(im.b + 32, 64);
    put16(im.b + 52, 64), put16(im.b + 54, ELF_PHDR_SIZE), put16(im.b + 56, 3);
    put_phdr(&im, 0, PT_LOAD, PF_R | PF_X, 0, 0x400000, 0x1800, 0x1800, 0x1000);
    put_phdr(&im, 1, PT_LOAD, PF_R | PF_W, 0x1e00, 0x402e00, 0x300, 0x2300, 0x1000);
    put_phdr(&im, 2, PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 16);
    return im;
}

static int plan(const struct image *im, struct elf_plan *p)
{
    struct elf_head h;
    int err = elf_parse_head(im->b, sizeof(im->b), &h);
    if (err)
        return err;
    if (h.phnum > 8 || h.phoff != 64)
        return -ENOEXEC; /* the kernel would read them from the file: not in this image */
    return elf_make_plan(&h, im->b + 64, LIMIT, p);
}

static void check(const struct elf_plan *p)
{
    u64 at = 0;
    assert_in_range(p->nr, 1, ELF_MAX_SEGMENTS);
    assert_true(is_pow2(p->align) && p->align >= PAGE_SIZE);
    for (u32 i = 0; i < p->nr; i++) {
        const struct elf_segment *s = &p->seg[i];
        assert_true(s->map_start <= s->file_end && s->file_end <= s->mem_end &&
                    s->mem_end <= s->mem_map_end);
        assert_true(s->mem_map_end <= LIMIT);
        assert_true(IS_ALIGNED(s->map_start, PAGE_SIZE) && IS_ALIGNED(s->map_file_end, PAGE_SIZE));
        assert_true(IS_ALIGNED(s->map_off, PAGE_SIZE) && IS_ALIGNED(s->mem_map_end, PAGE_SIZE));
        assert_true(s->vaddr >= at);
        assert_true(s->map_start >= p->lo && s->mem_map_end <= p->hi);
        at = s->mem_end;
    }
}

static void a_good_program(void **state)
{
    struct image im = good();
    struct elf_plan p;
    assert_int_equal(plan(&im, &p), 0);
    check(&p);
    assert_int_equal(p.nr, 2);
    assert_int_equal(p.seg[0].map_file_end, 0x402000);
    assert_int_equal(p.seg[1].map_start, 0x402000);
    assert_int_equal(p.seg[1].map_off, 0x1000);
    assert_int_equal(p.seg[1].map_file_end, 0x404000);
    assert_int_equal(p.seg[1].mem_map_end, 0x406000);
    assert_int_equal(p.phdr_vaddr, 0x400040);
    assert_int_equal(p.end_bss, 0x405100);
    assert_true(p.has_stack_header && !p.exec_stack);
}

static void each_broken_field(void **state)
{
    static const struct {
        int off, size;
        u64 value;
        int err;
    } cases[] = {
        {0, 1, 0, -ENOEXEC},                  /* magic */
        {4, 1, 1, -ENOEXEC},                  /* 32-bit */
        {5, 1, 2, -ENOEXEC},                  /* big endian */
        {16, 2, 1, -ENOEXEC},                 /* a relocatable file */
        {18, 2, 183, -ENOEXEC},               /* for another machine */
        {24, 8, ~0UL, -EINVAL},               /* entry in the kernel's half */
        {54, 2, 32, -ENOEXEC},                /* size of a program header */
        {56, 2, 0, -ENOEXEC},                 /* none */
        {56, 2, 0xffff, -ENOEXEC},            /* too many */
        {64 + 16, 8, ~0UL, -EINVAL},          /* address */
        {64 + 40, 8, ~0UL, -EINVAL},          /* memory size */
        {64 + 40, 8, 0x10, -EINVAL},          /* less memory than file */
        {64 + 8, 8, 0x123, -EINVAL},          /* offset and address disagree in the page */
        {64 + 8, 8, ~0UL - 0xfff, -EINVAL},   /* offset */
        {64 + 32, 8, ~0UL, -EINVAL},          /* file size */
        {64 + 56 + 16, 8, 0x400e00, -EINVAL}, /* overlaps the first */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct image im = good();
        struct elf_plan p;
        for (int k = 0; k < cases[i].size; k++)
            im.b[cases[i].off + k] = (u8)(cases[i].value >> (8 * k));
        if (plan(&im, &p) != cases[i].err)
            fail_msg("case %zu: %d instead of %d", i, plan(&im, &p), cases[i].err);
    }
}

static void truncated_at_every_byte(void **state)
{
    struct image im = good();
    struct elf_head h;
    for (size_t n = 0; n < ELF_HEAD_SIZE; n++)
        assert_int_equal(elf_parse_head(im.b, n, &h), -ENOEXEC);
    assert_int_equal(elf_parse_head(im.b, ELF_HEAD_SIZE, &h), 0);
}

static void random_headers(void **state)
{
    const char *secs = getenv("ELF_FUZZ_SECONDS");
    time_t end = time(NULL) + (secs ? atoi(secs) : 1);
    const char *given = getenv("PAGODA_SEED");
    u64 seed = given ? strtoull(given, NULL, 0) : secs ? (u64)end : 4711;
    struct rand r;
    rand_init(&r, seed);
    u64 accepted = 0, tried = 0;
    print_message("seed %lu\n", (unsigned long)seed);
    while (time(NULL) < end || tried < 200000) {
        struct image im = good();
        struct elf_plan p;
        u64 changes = 1 + rand_below(&r, 6);
        while (changes--) {
            u64 off = rand_below(&r, sizeof(im.b));
            switch (rand_below(&r, 4)) {
            case 0:
                im.b[off] = (u8)rand_next(&r);
                break;
            case 1:
                im.b[off] ^= (u8)(1u << rand_below(&r, 8));
                break;
            case 2:
                put64(im.b + min(off & ~7UL, sizeof(im.b) - 8),
                      rand_next(&r) >> rand_below(&r, 64));
                break;
            default:
                put64(im.b + min(off & ~7UL, sizeof(im.b) - 8),
                      (rand_next(&r) >> rand_below(&r, 64)) << 12);
                break;
            }
        }
        tried++;
        if (plan(&im, &p) == 0) {
            check(&p);
            accepted++;
        }
    }
    print_message("%lu headers, %lu accepted\n", (unsigned long)tried, (unsigned long)accepted);
    assert_true(accepted > 0 && accepted < tried);
}

static void scripts(void **state)
{
    char i[64], a[64];
#define PARSE(text) elf_parse_script(text, sizeof(text) - 1, i, a, sizeof(i))
    assert_int_equal(PARSE("#!/bin/sh\n"), 0);
    assert_string_equal(i, "/bin/sh");
    assert_string_equal(a, "");
    assert_int_equal(PARSE("#! \t/usr/bin/env  python3 -u \nrest"), 0);
    assert_string_equal(i, "/usr/bin/env");
    assert_string_equal(a, "python3 -u");
    assert_int_equal(PARSE("#!\n/bin/sh"), -ENOEXEC);
    assert_int_equal(PARSE("#!   "), -ENOEXEC);
    assert_int_equal(PARSE("#!/cut/off"), -ENOEXEC);
    assert_int_equal(PARSE("#!/cut arg"), 0);
    assert_int_equal(PARSE("#x/bin/sh\n"), -ENOEXEC);
    assert_int_equal(
        PARSE("#!/0123456789012345678901234567890123456789012345678901234567890123456789\n"),
        -ENOEXEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_program),
        cmocka_unit_test(each_broken_field),
        cmocka_unit_test(truncated_at_every_byte),
        cmocka_unit_test(random_headers),
        cmocka_unit_test(scripts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
