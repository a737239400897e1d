/* SPDX-License-Identifier: MIT */
/* Forms of traces: what each line or record means, how forms are told apart, and what is said of damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <cmocka.h>

#include "../../lab/refs.h"
#include "../../lab/trace.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static char why[512];

static struct trace *open_bytes(const char *name, const void *b, size_t n, const struct trace_options *o)
{
    struct trace *t = trace_of_bytes(name, b, n, o, why, sizeof(why));
    if (!t)
        print_message("%s\n", why);
    assert_non_null(t);
    return t;
}

static struct trace *open_text(const char *name, const char *text)
{
    return open_bytes(name, text, strlen(text), NULL);
}

static void expect(struct trace *t, uint64_t addr, unsigned size, enum ref_kind kind)
{
    struct trace_ref r;
    assert_int_equal(trace_read(t, &r, 1), 1);
    assert_int_equal(r.addr, addr);
    assert_int_equal(r.size, size);
    assert_int_equal(r.kind, kind);
    assert_int_equal(r.count, 1);
}

static void expect_end(struct trace *t)
{
    struct trace_ref r;
    assert_int_equal(trace_read(t, &r, 1), 0);
    trace_close(t);
}

static const char lackey[] = "==7== Lackey, an example Valgrind tool\n==7== \nI  04001090,3\n L 1ffeffe7e,8\n S 10,1\n M fff,4\n--7-- warning\nI  1,2";

static void lackeys_lines(void **state)
{
    struct trace *t = open_text("x.txt", lackey); /* what it says is stronger than its name */
    assert_string_equal(trace_form(t), "lackey");
    expect(t, 0x4001090, 3, REF_FETCH);
    expect(t, 0x1ffeffe7e, 8, REF_LOAD);
    expect(t, 0x10, 1, REF_STORE);
    expect(t, 0xfff, 4, REF_MODIFY);
    expect(t, 1, 2, REF_FETCH);
    expect_end(t);
}

static void numbers(void **state)
{
    struct trace *t = open_text("a.txt", "7\n\n 18446744073709551615 \n# no\n0x10\n");
    assert_string_equal(trace_form(t), "txt");
    assert_int_equal(trace_page_shift(t), 0);
    expect(t, 7, 1, REF_LOAD);
    expect(t, UINT64_MAX, 1, REF_LOAD);
    expect(t, 16, 1, REF_LOAD);
    expect_end(t);
    t = open_text("a.lirs", "3\n*\n4\n");
    expect(t, 3, 1, REF_LOAD);
    expect(t, 4, 1, REF_LOAD);
    expect_end(t);
}

static void a_range_is_pages(void **state)
{
    struct trace *t = open_text("p.lis", "7 10 0 1\n100 1 0 2\n"); /* blocks of 512: bytes 3584..8704 */
    expect(t, 3584, 512, REF_LOAD);
    expect(t, 4096, 4096, REF_LOAD);
    expect(t, 8192, 512, REF_LOAD);
    expect(t, 51200, 512, REF_LOAD);
    expect_end(t);
    t = open_text("msr.csv", "128166372003061629,hm,1,Read,383496192,4096,413\n128166372016382155,hm,1,Write,2822144000,5000,400\n");
    assert_string_equal(trace_form(t), "msr");
    expect(t, 383496192, 4096, REF_LOAD);
    expect(t, 2822144000, 4096, REF_STORE);
    expect(t, 2822148096, 904, REF_STORE);
    expect_end(t);
}

static void columns(void **state)
{
    struct trace *t = open_text("a.csv", "time,obj_id,size\n1,42,100\n2,abc,5\n3,42,100\n");
    struct trace_ref r[4];
    assert_int_equal(trace_read(t, r, 4), 3);
    assert_int_equal(r[0].addr, 42);
    assert_true(r[1].addr != 42 && r[2].addr == 42);
    expect_end(t);
    t = open_text("a.csv", "size;op;key\n9;set;5\n9;get;6\n");
    expect(t, 5, 1, REF_STORE);
    expect(t, 6, 1, REF_LOAD);
    expect_end(t);
    struct trace_options o = {.format = "csv", .id_column = 3, .header = -1};
    t = open_bytes("x", "1,2,3\n4,5,6\n", 12, &o);
    expect(t, 3, 1, REF_LOAD);
    expect(t, 6, 1, REF_LOAD);
    expect_end(t);
}

static void oracle_general(void **state)
{
    static const unsigned char b[48] = {1, 0, 0, 0, 0x34, 0x12, [12] = 9, [24] = 2, [28] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct trace *t = open_bytes("w.oracleGeneral.bin", b, sizeof(b), NULL);
    expect(t, 0x1234, 1, REF_LOAD);
    expect(t, UINT64_MAX, 1, REF_LOAD);
    expect_end(t);
}

/* ---- tracers ---- */

static size_t dr(unsigned char *b, unsigned type, unsigned size, uint64_t addr)
{
    b[0] = (unsigned char)type, b[1] = 0;
    b[2] = (unsigned char)size, b[3] = (unsigned char)(size >> 8);
    for (int i = 0; i < 8; i++)
        b[4 + i] = (unsigned char)(addr >> 8 * i);
    return 12;
}

static void dynamorio(void **state)
{
    unsigned char b[400];
    size_t n = 0;
    n += dr(b + n, 25, 0, 4);               /* header */
    n += dr(b + n, 22, 4, 99);              /* thread */
    n += dr(b + n, 24, 4, 77);              /* process */
    n += dr(b + n, 28, 2, 5);               /* marker */
    n += dr(b + n, 47, 3, 0x112233);        /* encoding */
    n += dr(b + n, 10, 3, 0x401000);        /* instruction */
    n += dr(b + n, 0, 8, 0x7ffe0010);       /* read */
    n += dr(b + n, 17, 2, 0x0205);          /* bundle: 5 and 2 bytes */
    n += dr(b + n, 1, 4, 0x7ffe0020);       /* write */
    n += dr(b + n, 3, 64, 0x9000);          /* prefetch: no reference */
    n += dr(b + n, 30, 2, 0x402000);        /* a string instruction, twice */
    n += dr(b + n, 0, 1, 0x500000);
    n += dr(b + n, 30, 2, 0x402000);
    n += dr(b + n, 0, 1, 0x500001);
    n += dr(b + n, 26, 0, 0);               /* footer */
    struct trace *t = open_bytes("x", b, n, NULL);
    assert_string_equal(trace_form(t), "drmemtrace");
    static const struct trace_ref want[] = {
        {.addr = 0x401000, .size = 3, .kind = REF_FETCH}, {.addr = 0x7ffe0010, .size = 8, .kind = REF_LOAD},
        {.addr = 0x401003, .size = 5, .kind = REF_FETCH}, {.addr = 0x401008, .size = 2, .kind = REF_FETCH},
        {.addr = 0x7ffe0020, .size = 4, .kind = REF_STORE}, {.addr = 0x402000, .size = 2, .kind = REF_FETCH},
        {.addr = 0x500000, .size = 1, .kind = REF_LOAD}, {.addr = 0x500001, .size = 1, .kind = REF_LOAD}};
    struct trace_ref r[32];
    assert_int_equal(trace_read(t, r, 32), LEN(want));
    for (size_t i = 0; i < LEN(want); i++) {
        assert_int_equal(r[i].addr, want[i].addr);
        assert_int_equal(r[i].size, want[i].size);
        assert_int_equal(r[i].kind, want[i].kind);
        assert_int_equal(r[i].space, 77);
    }
    expect_end(t);
}

static void perf_script(void **state)
{
    struct trace *t = open_text("p", "# a comment\n"
                                     "ls  1234 [001]  5.678901: exceptions:page_fault_user: address=0x7f001000 ip=0x7f000000 error_code=0x6\n"
                                     "\t7f00 frame (libc)\n"
                                     "a b 77/78 [000] 5.7: exceptions:page_fault_user: address=0x1000 ip=f error_code=0x14\n"
                                     "ls  1234 5.8:          1 page-faults:u:     55aa3000\n"
                                     "ls  1234 5.8:          1 sched:sched_switch: prev_comm=a\n"
                                     "ls  9 [1] 6.0: filemap:mm_filemap_add_to_page_cache: dev 8:1 ino 3f pfn=0x1 ofs=8192 order=0\n");
    assert_string_equal(trace_form(t), "perf");
    expect(t, 0x7f001000, 1, REF_STORE);
    expect(t, 0x1000, 1, REF_FETCH);
    expect(t, 0x55aa3000, 1, REF_LOAD);
    expect(t, 8192, 1, REF_LOAD);
    expect_end(t);
}

/* ---- packing ---- */

static size_t gzip(const void *in, size_t n, unsigned char *out, size_t room)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)in;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

static void packed_is_as_plain(void **state)
{
    enum { LINES = 200000 };
    char *text = malloc(LINES * 12);
    unsigned char *packed = malloc(LINES * 12 + 1000);
    size_t n = 0;
    for (unsigned i = 0; i < LINES; i++)
        n += (size_t)sprintf(text + n, "%u\n", i * 7919u % 100000);
    for (int zstd = 0; zstd < 2; zstd++) {
        size_t k = zstd ? ZSTD_compress(packed, LINES * 12, text, n, 3) : gzip(text, n, packed, LINES * 12);
        struct trace *t = open_bytes("n.txt.gz", packed, k, NULL);
        struct trace_ref r[1000];
        for (unsigned i = 0; i < LINES; i += 1000) {
            assert_int_equal(trace_read(t, r, 1000), 1000);
            for (unsigned j = 0; j < 1000; j++)
                assert_int_equal(r[j].addr, (i + j) * 7919u % 100000);
        }
        expect_end(t);
        t = open_bytes("n.txt.gz", packed, k / 2, NULL); /* cut */
        long got;
        while ((got = trace_read(t, r, 1000)) > 0)
            ;
        assert_int_equal(got, -1);
        assert_non_null(strstr(trace_error(t), "ends too early"));
        trace_close(t);
    }
    free(text);
    free(packed);
}

/* ---- damage ---- */

static void damage_is_named(void **state)
{
    static const struct {
        const char *name, *text, *says;
    } bad[] = {
        {"l", "I  1000,4\nhello\n", "l: at byte 10: 'hello' is no line of lackey's"},
        {"l", "I  1000,4\n L 10,0\n", "at byte 10"},
        {"l", "I  1000,4\n L ffffffffffffffff,8\n", "at byte 10"},
        {"l", "I  1000,4\n L 11111111111111111,8\n", "at byte 10"},
        {"t.txt", "12\nab cd\n", "at byte 3"},
        {"a.lis", "12\n", "at byte 0"},
        {"a.lis", "99999999999999999 1 0 0\n1 0 0 0\n", "at byte 0: blocks"},
        {"a.lirs", "1\nx\n", "at byte 2: 'x' is no block number"},
        {"a.csv", "1,2\n1\n", "at byte 4"},
        {"a.perf", "ls 12 5.5: page_fault_user: address=0x10 error_code=0\nnonsense\n", "at byte 54: 'nonsense'"},
        {"a.perf", "ls 12 5.5: page_fault_user: ip=0\n", "at byte 0"},
        {"a.oracleGeneral", "0123456789", "ends in the middle of a record"},
    };
    for (size_t i = 0; i < LEN(bad); i++) {
        struct trace *t = open_text(bad[i].name, bad[i].text);
        struct trace_ref r;
        long k;
        for (int n = 0; (k = trace_read(t, &r, 1)) > 0; n++)
            assert_in_range(n, 0, 10);
        assert_int_equal(k, -1);
        if (!strstr(trace_error(t), bad[i].says))
            fail_msg("'%s' does not say '%s'", trace_error(t), bad[i].says);
        assert_int_equal(trace_read(t, &r, 1), -1); /* and stays so */
        trace_close(t);
    }
    assert_null(trace_of_bytes("q", "\1\2\3", 3, NULL, why, sizeof(why)));
    assert_non_null(strstr(why, "--format"));
    struct trace_options o = {.format = "nonsense"};
    assert_null(trace_of_bytes("q", "1\n", 2, &o, why, sizeof(why)));
    assert_non_null(strstr(why, "no format 'nonsense'"));
    assert_null(trace_open("/nonexistent/trace", NULL, why, sizeof(why)));
    assert_non_null(strstr(why, "/nonexistent/trace: cannot be opened: No such file"));
    assert_null(trace_open("/", NULL, why, sizeof(why)));
}

static void a_line_without_end(void **state)
{
    char *text = malloc(1 << 20);
    memset(text, '7', 1 << 20);
    struct trace_options o = {.format = "txt"};
    struct trace *t = open_bytes("long", text, 1 << 20, &o);
    struct trace_ref r;
    assert_int_equal(trace_read(t, &r, 1), -1);
    assert_non_null(strstr(trace_error(t), "more than 4095 bytes"));
    trace_close(t);
    free(text);
}

/* Any bytes in any form: an end or an error, in bounded steps. */
static void anything(void **state)
{
    unsigned char b[600];
    uint64_t x = 1;
    for (unsigned round = 0; round < 4000; round++) {
        size_t n = round % sizeof(b);
        for (size_t i = 0; i < n; i++) {
            x = x * 6364136223846793005ull + 1442695040888963407ull;
            b[i] = round & 1 ? (unsigned char)(x >> 56) : (unsigned char)" \n0123456789,ILSMabcdef=-"[(x >> 33) % 25];
        }
        if (round % 8 == 7 && n > 4)
            memcpy(b, round & 8 ? "\x1f\x8b\x08\0" : "\x28\xb5\x2f\xfd", 4);
        for (unsigned f = 0; trace_format_name(f); f++) {
            struct trace_options o = {.format = trace_format_name(f), .header = -1};
            struct trace *t = trace_of_bytes("noise", b, n, &o, why, sizeof(why));
            struct trace_ref r[16];
            long k = 0;
            for (unsigned calls = 0; t && calls < 1000 && (k = trace_read(t, r, 16)) > 0; calls++)
                for (long i = 0; i < k; i++)
                    assert_true(r[i].kind < NR_REF_KINDS && r[i].size && r[i].count && r[i].addr + r[i].size - 1 >= r[i].addr);
            trace_close(t);
        }
    }
}

static void all_of_a_trace(void **state)
{
    struct refs r;
    struct trace *t = open_text("l", lackey);
    assert_int_equal(refs_load(&r, t, NULL, why, sizeof(why)), 0);
    trace_close(t);
    static const uint32_t pages[] = {0, 1, 2, 2, 3, 2}; /* 4001 1ffef 0 0+1 0 */
    assert_int_equal(r.n, LEN(pages));
    assert_int_equal(r.pages, 4);
    assert_memory_equal(r.page, pages, sizeof(pages));
    assert_int_equal(r.by_kind[REF_FETCH], 2);
    refs_free(&r);
    t = open_text("l.txt", "1\nx y\n");
    assert_int_equal(refs_load(&r, t, NULL, why, sizeof(why)), -1);
    assert_non_null(strstr(why, "l.txt: at byte 2"));
    trace_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lackeys_lines),
        cmocka_unit_test(numbers),
        cmocka_unit_test(a_range_is_pages),
        cmocka_unit_test(columns),
        cmocka_unit_test(oracle_general),
        cmocka_unit_test(dynamorio),
        cmocka_unit_test(perf_script),
        cmocka_unit_test(packed_is_as_plain),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(a_line_without_end),
        cmocka_unit_test(anything),
        cmocka_unit_test(all_of_a_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
