/* SPDX-License-Identifier: MIT */
/* The native form: what comes out has the same counters on every TLB and the same misses under LRU; damage is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../lab/native.h"
#include "../../lab/policy.h"
#include "../../lab/refs.h"
#include "../../lab/tlb.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t seed;
static uint32_t draw(uint32_t n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((seed >> 33) % n);
}

/* Code that stays in its page, data that wanders, references over an edge, other spaces and CPUs now and then. */
static void fill(struct trace_ref *r, size_t n, bool spaces)
{
    uint64_t code = 0x400000, data = 0x7fff0000;
    uint32_t space = 0;
    uint16_t cpu = 0;
    for (size_t i = 0; i < n; i++) {
        if (!draw(30))
            code = 0x400000 + draw(50) * 4096ull;
        if (!draw(6))
            data = 0x7fff0000 + draw(90) * 4096ull;
        if (spaces && !draw(200)) {
            space = draw(3);
            cpu = (uint16_t)draw(4);
        }
        unsigned kind = draw(2) ? REF_FETCH : 1 + draw(3);
        r[i] = (struct trace_ref){.addr = (kind == REF_FETCH ? code : data) + draw(4096), .size = 1 + draw(8), .space = space,
                                  .count = draw(20) ? 1 : 1 + draw(5), .cpu = cpu, .kind = (uint8_t)kind};
        if ((r[i].addr & 4095) + r[i].size > 4096)
            r[i].count = 1;
    }
}

/* Written and read again. The caller frees *bytes. */
static struct trace *round_trip(const struct trace_ref *r, size_t n, char **bytes, size_t *len)
{
    struct native_writer w;
    char why[256];
    FILE *f = open_memstream(bytes, len);
    assert_int_equal(native_begin(&w, f, 12), 0);
    for (size_t i = 0, step; i < n; i += step) {
        step = n - i < 100 ? n - i : 100;
        assert_int_equal(native_write(&w, r + i, step), 0);
    }
    assert_int_equal(native_end(&w), 0);
    fclose(f);
    assert_int_equal(w.bytes, *len);
    struct trace *t = trace_of_bytes("n", *bytes, *len, NULL, why, sizeof(why));
    assert_non_null(t);
    assert_string_equal(trace_form(t), "native");
    return t;
}

static void every_tlb_counts_the_same(void **state)
{
    static struct trace_ref in[20000], out[512];
    static const uint32_t shapes[][3][2] = {
        {{1, 1}, {1, 1}, {1, 1}}, {{2, 1}, {4, 1}, {8, 2}}, {{16, 4}, {8, 8}, {64, 4}}, {{128, 8}, {64, 4}, {1536, 12}}};
    for (seed = 1; seed < 9; seed++) {
        uint64_t keep = seed;
        fill(in, LEN(in), false);
        for (size_t s = 0; s < LEN(shapes); s++) {
            struct tlb_pair a, b;
            char *bytes;
            size_t len;
            assert_int_equal(tlb_pair_init(&a, shapes[s][0], shapes[s][1], shapes[s][2]), 0);
            assert_int_equal(tlb_pair_init(&b, shapes[s][0], shapes[s][1], shapes[s][2]), 0);
            tlb_pair_play(&a, in, LEN(in));
            struct trace *t = round_trip(in, LEN(in), &bytes, &len);
            long n;
            while ((n = trace_read(t, out, LEN(out))) > 0)
                tlb_pair_play(&b, out, (uint64_t)n);
            assert_int_equal(n, 0);
            assert_memory_equal(a.count, b.count, sizeof(a.count));
            trace_close(t);
            free(bytes);
            tlb_pair_free(&a);
            tlb_pair_free(&b);
        }
        seed = keep;
    }
}

static uint64_t lru(const struct refs *r, uint32_t frames)
{
    struct policy *p = policy_new(policy_find("LRU"), frames);
    assert_int_equal(policy_grow(p, r->pages), 0);
    uint64_t m = policy_play(p, r->page, r->n);
    policy_free(p);
    return m;
}

/* As lackey would write it, for refs_load. */
static struct trace *as_text(const struct trace_ref *r, size_t n, char **bytes)
{
    static const char *const kinds[] = {"I ", " L", " S", " M"};
    char why[256];
    size_t len;
    FILE *f = open_memstream(bytes, &len);
    for (size_t i = 0; i < n; i++)
        for (uint32_t c = 0; c < r[i].count; c++)
            fprintf(f, "%s %llx,%u\n", kinds[r[i].kind], (unsigned long long)r[i].addr, r[i].size);
    fclose(f);
    return trace_of_bytes("l", *bytes, len, NULL, why, sizeof(why));
}

static void lru_misses_the_same(void **state)
{
    static struct trace_ref in[8000];
    for (seed = 20; seed < 26; seed++) {
        uint64_t keep = seed;
        char *native, *text, why[256];
        size_t len;
        struct refs a, b;
        fill(in, LEN(in), false);
        struct trace *t = as_text(in, LEN(in), &text), *n = round_trip(in, LEN(in), &native, &len);
        assert_int_equal(refs_load(&a, t, NULL, why, sizeof(why)), 0);
        assert_int_equal(refs_load(&b, n, NULL, why, sizeof(why)), 0);
        assert_int_equal(a.n, b.n);
        assert_int_equal(a.pages, b.pages);
        assert_memory_equal(a.by_kind, b.by_kind, sizeof(a.by_kind));
        for (uint32_t f = 2; f < 150; f += 7)
            assert_int_equal(lru(&a, f), lru(&b, f));
        assert_true(len * 6 < strlen(text)); /* and it is small */
        refs_free(&a);
        refs_free(&b);
        trace_close(t);
        trace_close(n);
        free(text);
        free(native);
        seed = keep;
    }
}

/* Pages, kinds and owners of what begins a run are kept as they are. */
static void spaces_and_cpus(void **state)
{
    static struct trace_ref in[5000], out[8];
    char *bytes;
    size_t len, i = 0;
    uint64_t uses[3][NR_REF_KINDS] = {{0}};
    seed = 77;
    fill(in, LEN(in), true);
    for (; i < LEN(in); i++)
        uses[in[i].space][in[i].kind] += in[i].count;
    struct trace *t = round_trip(in, LEN(in), &bytes, &len);
    for (long n; (n = trace_read(t, out, LEN(out))) > 0;)
        for (long k = 0; k < n; k++)
            uses[out[k].space][out[k].kind] -= out[k].count;
    for (unsigned s = 0; s < 3; s++)
        for (unsigned k = 0; k < NR_REF_KINDS; k++)
            assert_int_equal(uses[s][k], 0);
    trace_close(t);
    free(bytes);
}

static void damage(void **state)
{
    static struct trace_ref in[300], out[8];
    char *bytes, why[256];
    size_t len;
    seed = 5;
    fill(in, LEN(in), true);
    struct trace *t = round_trip(in, LEN(in), &bytes, &len);
    trace_close(t);
    for (size_t cut = 0; cut < len; cut++) { /* each shorter file ends, or says that it is cut */
        t = trace_of_bytes("cut.pgt", bytes, cut, NULL, why, sizeof(why));
        assert_true(t || cut < NATIVE_HEADER);
        while (t && trace_read(t, out, LEN(out)) > 0)
            ;
        trace_close(t);
    }
    for (unsigned round = 0; round < 20000; round++) {
        size_t at = draw((uint32_t)len);
        char was = bytes[at];
        bytes[at] = (char)draw(256);
        t = trace_of_bytes("bad.pgt", bytes, len, NULL, why, sizeof(why));
        long n = 0;
        while (t && (n = trace_read(t, out, LEN(out))) > 0)
            ;
        if (t && n < 0)
            assert_non_null(strstr(trace_error(t), "bad.pgt: at byte "));
        trace_close(t);
        bytes[at] = was;
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tlb_counts_the_same),
        cmocka_unit_test(lru_misses_the_same),
        cmocka_unit_test(spaces_and_cpus),
        cmocka_unit_test(damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
