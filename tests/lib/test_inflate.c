/* SPDX-License-Identifier: MIT */
/*
 * The decoder on what the gzip program makes of data of many kinds, and on hostile input: each
 * truncation, and random changes. Inputs lie in blocks of exactly their size, so that
 * AddressSanitizer sees a read beyond the end.
 */
#include "test.h"
#include <lib/crc32.h>
#include <lib/inflate.h>
#include <lib/rand.h>
#include <unistd.h>

struct bytes {
    u8 *data;
    size_t n;
};

struct sink {
    struct bytes got;
    size_t room;
    size_t stop_at; /* answer -ENOSPC when more than this has come; 0: never */
    u32 calls;
};

static u8 window[INFLATE_WINDOW];

static int collect(void *ctx, const u8 *data, size_t n)
{
    struct sink *s = ctx;
    assert_in_range(n, 1, INFLATE_WINDOW);
    s->calls++;
    if (s->stop_at && s->got.n + n > s->stop_at)
        return -ENOSPC;
    if (s->got.n + n > s->room) {
        s->room = (s->got.n + n) * 2;
        s->got.data = realloc(s->got.data, s->room);
        assert_non_null(s->got.data);
    }
    memcpy(s->got.data + s->got.n, data, n);
    s->got.n += n;
    return 0;
}

typedef int decoder_fn(const u8 *in, size_t n, size_t *consumed, inflate_out_fn *out, void *ctx,
                       u8 *win);

/* Decodes the first n bytes of in from a block of that size. */
static int decode(decoder_fn *decoder, const u8 *in, size_t n, size_t *consumed, struct sink *s)
{
    u8 *copy = malloc(n);
    assert_true(copy || n == 0);
    if (n)
        memcpy(copy, in, n);
    size_t used = 0;
    int rc = decoder(copy, n, &used, collect, s, window);
    assert_true(used <= n);
    if (consumed)
        *consumed = used;
    free(copy);
    return rc;
}

static struct bytes read_all(const char *command)
{
    struct bytes b = {malloc(1 << 22), 0};
    FILE *f = popen(command, "r");
    assert_non_null(f);
    b.n = fread(b.data, 1, 1 << 22, f);
    assert_int_equal(pclose(f), 0);
    return b;
}

static struct bytes gzip(const struct bytes *plain, const char *options)
{
    char path[] = "/tmp/test_inflate.XXXXXX", command[128];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, plain->data, plain->n), (ssize_t)plain->n);
    close(fd);
    snprintf(command, sizeof(command), "gzip %s -c %s", options, path);
    struct bytes packed = read_all(command);
    unlink(path);
    return packed;
}

/* ---- data of several kinds
 * ----------------------------------------------------------------------------------------- */

static void fill_text(struct rand *r, u8 *p, size_t n)
{
    static const char *const words[] = {"page ", "fault ", "folio ", "zone ", "the ", "of ", "\n"};
    for (size_t i = 0; i < n;) {
        const char *w = words[rand_below(r, ARRAY_SIZE(words))];
        for (; *w && i < n; w++)
            p[i++] = (u8)*w;
    }
}

static void fill_noise(struct rand *r, u8 *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (u8)rand_next(r);
}

static void fill_zeros(struct rand *r, u8 *p, size_t n)
{
    memset(p, 0, n);
}

/* Noise that comes again from as far back as DEFLATE reaches. */
static void fill_far(struct rand *r, u8 *p, size_t n)
{
    size_t period = 32768 - rand_below(r, 12);
    for (size_t i = 0; i < n; i++)
        p[i] = i < period ? (u8)rand_next(r) : p[i - period];
}

/* Short periods, whose copies overlap themselves. */
static void fill_near(struct rand *r, u8 *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t period = 1 + rand_below(r, 12), run = 1 + rand_below(r, 700);
        for (size_t k = 0; k < run && i < n; k++, i++)
            p[i] = k < period || i < period ? (u8)rand_next(r) : p[i - period];
    }
}

/* Frequencies that fall by a constant factor make the longest codes. */
static void fill_skewed(struct rand *r, u8 *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (u8)(__builtin_ctzl(rand_next(r) | 1UL << 40) * 5);
}

static void round_trips(void **state)
{
    void (*const kinds[])(struct rand *, u8 *, size_t) = {fill_text, fill_noise, fill_zeros,
                                                          fill_far,  fill_near,  fill_skewed};
    static const size_t sizes[] = {0, 1, 10, 1000, 32767, 32768, 32769, 65536, 300000};
    static const char *const levels[] = {"-1", "-6", "-9"};
    struct rand r;
    rand_init(&r, 4);
    for (u32 kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
        for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
            struct bytes plain = {malloc(sizes[i] + 1), sizes[i]};
            kinds[kind](&r, plain.data, plain.n);
            struct bytes packed = gzip(&plain, levels[(i + kind) % 3]);
            struct sink s = {0};
            size_t used;
            assert_int_equal(decode(inflate_gzip, packed.data, packed.n, &used, &s), 0);
            assert_int_equal(used, packed.n);
            assert_int_equal(s.got.n, plain.n);
            assert_true(plain.n == 0 || memcmp(s.got.data, plain.data, plain.n) == 0);
            free(s.got.data);
            free(packed.data);
            free(plain.data);
        }
    }
}

/* ---- small streams
 * --------------------------------------------------------------------------------------------------
 */

static void expect(decoder_fn *decoder, const void *in, size_t n, const char *want)
{
    struct sink s = {0};
    size_t used;
    assert_int_equal(decode(decoder, in, n, &used, &s), 0);
    assert_int_equal(used, n);
    assert_int_equal(s.got.n, strlen(want));
    assert_memory_equal(s.got.data, want, s.got.n);
    free(s.got.data);
    for (size_t cut = 0; cut < n; cut++) {
        s = (struct sink){0};
        assert_int_equal(decode(decoder, in, cut, NULL, &s), -EIO);
        free(s.got.data);
    }
}

static int expect_error(decoder_fn *decoder, const void *in, size_t n)
{
    struct sink s = {0};
    int rc = decode(decoder, in, n, NULL, &s);
    free(s.got.data);
    return rc;
}

static const u8 zlib_stream[] = {0x78, 0xda, 0x4b, 0x54, 0xa8, 0xca, 0xc9, 0x4c, 0x52,
                                 0x28, 0x2e, 0x29, 0x4a, 0x4d, 0xcc, 0xd5, 0x51, 0x48,
                                 0x44, 0xe6, 0x02, 0x00, 0x8e, 0xb2, 0x0a, 0x09};
static const u8 stored_stream[] = {0x01, 0x06, 0x00, 0xf9, 0xff, 0x73,
                                   0x74, 0x6f, 0x72, 0x65, 0x64};
static const u8 fixed_stream[] = {0x4b, 0xcb, 0xac, 0x48, 0x4d, 0x51, 0x48, 0x43, 0x27, 0x01};

static void zlib_and_raw(void **state)
{
    expect(inflate_zlib, zlib_stream, sizeof(zlib_stream), "a zlib stream, a zlib stream");
    expect(inflate_raw, stored_stream, sizeof(stored_stream), "stored");
    expect(inflate_raw, fixed_stream, sizeof(fixed_stream), "fixed fixed fixed fixed");
    u8 bad[sizeof(zlib_stream)];
    memcpy(bad, zlib_stream, sizeof(bad));
    bad[sizeof(bad) - 1] ^= 1;
    assert_int_equal(expect_error(inflate_zlib, bad, sizeof(bad)), -EIO);
    memcpy(bad, zlib_stream, sizeof(bad));
    bad[1] ^= 1;
    assert_int_equal(expect_error(inflate_zlib, bad, sizeof(bad)), -EINVAL);
}

/* Every optional field of the header, the header's checksum, and bytes behind the member. */
static void gzip_header(void **state)
{
    u8 member[128];
    static const u8 head[] = "\x1f\x8b\x08\x1e\1\2\3\4\0\3"
                             "\5\0extra"
                             "name\0"
                             "comment";
    size_t n = sizeof(head); /* with the comment's NUL */
    memcpy(member, head, n);
    u32 crc = crc32_update(0, member, n);
    member[n++] = (u8)crc;
    member[n++] = (u8)(crc >> 8);
    memcpy(member + n, stored_stream, sizeof(stored_stream));
    n += sizeof(stored_stream);
    u32 trailer[2] = {crc32_update(0, "stored", 6), 6};
    memcpy(member + n, trailer, 8);
    n += 8;
    expect(inflate_gzip, member, n, "stored");
    memset(member + n, 0, 8);
    struct sink s = {0};
    size_t used;
    assert_int_equal(decode(inflate_gzip, member, n + 8, &used, &s), 0);
    assert_int_equal(used, n);
    free(s.got.data);

    const struct {
        size_t at;
        int rc;
    } flips[] = {{0, -EINVAL},  {1, -EINVAL},  {2, -EINVAL},  {5, -EIO},
                 {n - 1, -EIO}, {n - 5, -EIO}, {n - 9, -EIO}, {sizeof(head), -EIO}};
    for (u32 i = 0; i < ARRAY_SIZE(flips); i++) {
        member[flips[i].at] ^= 0x40;
        assert_int_equal(expect_error(inflate_gzip, member, n), flips[i].rc);
        member[flips[i].at] ^= 0x40;
    }
    member[3] |= 0x80;
    assert_int_equal(expect_error(inflate_gzip, member, n), -EINVAL);
}

/* Streams that no compressor makes; bits are given from the first on. */
static void malformed(void **state)
{
    static const struct {
        u8 in[16];
        size_t n;
    } cases[] = {
        {{0x07}, 8},                         /* block type 3 */
        {{0x01, 5, 0, 0xfb, 0xff ^ 1}, 8},   /* length and its complement disagree */
        {{0x03, 0x02, 0x00, 0x00}, 8},       /* fixed block: a pair before any output */
        {{0x05, 0xff, 0xff, 0xff, 0xff}, 8}, /* dynamic: 288 literal codes */
        {{0x05, 0x00, 0x00, 0x00, 0x00}, 8}, /* dynamic: no code for the lengths */
        {{0x05, 0x00, 0xfe, 0xff, 0xff}, 8}, /* dynamic: more codes of a length than there are */
        {{0x1b, 0x03, 0x00, 0x00}, 8},       /* fixed block: symbol 286 */
    };
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(expect_error(inflate_raw, cases[i].in, cases[i].n), -EINVAL);
}

/* ---- hostile input
 * --------------------------------------------------------------------------------------------------
 */

static void every_truncation(void **state)
{
    struct rand r;
    struct bytes plain = {malloc(3000), 3000};
    rand_init(&r, 6);
    fill_text(&r, plain.data, 2000);
    fill_skewed(&r, plain.data + 2000, 1000);
    struct bytes packed = gzip(&plain, "-9");
    for (size_t n = 0; n < packed.n; n++) {
        struct sink s = {0};
        assert_int_equal(decode(inflate_gzip, packed.data, n, NULL, &s), -EIO);
        assert_true(s.got.n <= plain.n && memcmp(s.got.data ? s.got.data : window,
                                                 s.got.data ? plain.data : window, s.got.n) == 0);
        free(s.got.data);
    }
    free(packed.data);
    free(plain.data);
}

static void random_changes(void **state)
{
    struct rand r;
    struct bytes plain = {malloc(40000), 40000};
    u32 survived = 0;
    rand_init(&r, 8);
    fill_near(&r, plain.data, 20000);
    fill_text(&r, plain.data + 20000, 20000);
    struct bytes packed = gzip(&plain, "-9");
    u8 *bad = malloc(packed.n);
    for (u32 round = 0; round < 3000; round++) {
        struct sink s = {.stop_at = 1 << 20};
        memcpy(bad, packed.data, packed.n);
        u64 changes = 1 + rand_below(&r, 4), reach = rand_below(&r, 2) ? packed.n : 200;
        while (changes--)
            bad[rand_below(&r, min(reach, (u64)packed.n))] ^= (u8)(1 << rand_below(&r, 8));
        int rc = decode(inflate_gzip, bad, packed.n, NULL, &s);
        assert_true(rc == 0 || rc == -EINVAL || rc == -EIO || rc == -ENOSPC);
        if (rc == 0) { /* time stamp, name and the like */
            assert_int_equal(s.got.n, plain.n);
            assert_memory_equal(s.got.data, plain.data, plain.n);
            survived++;
        }
        free(s.got.data);
    }
    assert_true(survived < 600);
    free(bad);
    free(packed.data);
    free(plain.data);
}

static void noise_as_input(void **state)
{
    struct rand r;
    rand_init(&r, 12);
    for (u32 round = 0; round < 20000; round++) {
        u8 in[300];
        struct sink s = {.stop_at = 1 << 20};
        size_t n = rand_below(&r, sizeof(in) + 1);
        fill_noise(&r, in, n);
        if (n)
            in[0] = (u8)((in[0] & ~7) | 1 | (round % 3) << 1);
        decode(inflate_raw, in, n, NULL, &s);
        free(s.got.data);
    }
}

static void receiver_stops(void **state)
{
    struct rand r;
    struct bytes plain = {calloc(1, 200000), 200000};
    fill_text((rand_init(&r, 2), &r), plain.data, plain.n);
    struct bytes packed = gzip(&plain, "-6");
    struct sink s = {.stop_at = 40000};
    assert_int_equal(decode(inflate_gzip, packed.data, packed.n, NULL, &s), -ENOSPC);
    assert_int_equal(s.calls, 2);
    assert_int_equal(s.got.n, INFLATE_WINDOW);
    free(s.got.data);
    free(packed.data);
    free(plain.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),      cmocka_unit_test(zlib_and_raw),
        cmocka_unit_test(gzip_header),      cmocka_unit_test(malformed),
        cmocka_unit_test(every_truncation), cmocka_unit_test(random_changes),
        cmocka_unit_test(noise_as_input),   cmocka_unit_test(receiver_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
