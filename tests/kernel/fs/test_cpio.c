/* SPDX-License-Identifier: MIT */
/* The cpio reader: whole, in pieces of every size, truncated at every byte, and with every byte broken. */
#include "../../lib/test.h"
#include <kernel/cpio.h>
#include <lib/rand.h>

struct archive {
    u8 bytes[8192];
    size_t n;
};

static void put(struct archive *a, const void *p, size_t n)
{
    assert_true(a->n + n <= sizeof(a->bytes));
    memcpy(a->bytes + a->n, p, n);
    a->n += n;
}
static void pad(struct archive *a)
{
    while (a->n & 3)
        put(a, "", 1);
}
static void member(struct archive *a, const char *name, u32 mode, const char *body)
{
    char h[111];
    snprintf(h, sizeof(h), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1, mode, 2,
             3, 1, 4, (u32)strlen(body), 5, 6, 7, 8, (u32)strlen(name) + 1, 0);
    put(a, h, 110);
    put(a, name, strlen(name) + 1);
    pad(a);
    put(a, body, strlen(body));
    pad(a);
}
static void trailer(struct archive *a)
{
    member(a, "TRAILER!!!", 0, "");
}

/* What was read, as text. */
struct out {
    char text[4096];
    size_t n;
    int stop_at; /* begin returns -5 for this entry */
};
static int begin(void *ctx, const struct cpio_entry *e)
{
    struct out *o = ctx;
    if (o->stop_at && --o->stop_at == 0)
        return -5;
    o->n += (size_t)snprintf(o->text + o->n, sizeof(o->text) - o->n, "%s %o %u.%u [", e->name,
                             e->mode, e->uid, e->gid);
    return 0;
}
static int data(void *ctx, const u8 *p, size_t n)
{
    struct out *o = ctx;
    if (o->n + n < sizeof(o->text)) {
        memcpy(o->text + o->n, p, n);
        o->n += n;
    }
    return 0;
}
static int end(void *ctx, const struct cpio_entry *e)
{
    struct out *o = ctx;
    o->n += (size_t)snprintf(o->text + o->n, sizeof(o->text) - o->n, "]\n");
    return 0;
}
static void seen_trailer(void *ctx)
{
    struct out *o = ctx;
    o->n += (size_t)snprintf(o->text + o->n, sizeof(o->text) - o->n, ".\n");
}
static const struct cpio_ops ops = {begin, data, end, seen_trailer};

static const char expected[] = "dir 40755 2.3 []\nf 100644 2.3 [hello]\nempty 100600 2.3 "
                               "[]\nlong/name 120777 2.3 [target]\n.\n";
static void sample(struct archive *a)
{
    a->n = 0;
    member(a, "dir", 040755, "");
    member(a, "f", 0100644, "hello");
    member(a, "empty", 0100600, "");
    member(a, "long/name", 0120777, "target");
    trailer(a);
}

static void in_pieces(void **state)
{
    struct archive a;
    struct cpio *c = malloc(sizeof(*c));
    sample(&a);
    for (size_t piece = 1; piece <= a.n; piece++) {
        struct out o = {.n = 0};
        cpio_init(c, &ops, &o);
        for (size_t at = 0; at < a.n; at += piece)
            assert_int_equal(cpio_feed(c, a.bytes + at, piece < a.n - at ? piece : a.n - at), 0);
        assert_true(cpio_complete(c));
        assert_string_equal(o.text, expected);
    }
    free(c);
}

static void two_archives(void **state)
{
    struct archive a;
    struct out o = {.n = 0};
    struct cpio *c = malloc(sizeof(*c));
    sample(&a);
    size_t first = a.n;
    put(&a, "\0\0\0\0\0\0\0\0", 8);
    size_t second = a.n;
    member(&a, "g", 0100644, "two");
    trailer(&a);
    cpio_init(c, &ops, &o);
    assert_int_equal(cpio_feed(c, a.bytes, a.n), 0);
    assert_non_null(strstr(o.text, ".\ng 100644 2.3 [two]\n.\n"));
    assert_true(cpio_complete(c));

    struct out one = {.n = 0}; /* stops where the second begins */
    cpio_init(c, &ops, &one);
    c->one_archive = true;
    assert_int_equal(cpio_feed(c, a.bytes, a.n), 0);
    assert_true(c->fed >= first && c->fed <= second);
    assert_string_equal(one.text, expected);
    free(c);
}

static void truncated(void **state)
{
    struct archive a;
    struct cpio *c = malloc(sizeof(*c));
    sample(&a);
    for (size_t n = 0; n < a.n; n++) {
        struct out o = {.n = 0};
        u8 *exact = malloc(n ? n : 1); /* the sanitizer sees a read past the end */
        memcpy(exact, a.bytes, n);
        cpio_init(c, &ops, &o);
        assert_int_equal(cpio_feed(c, exact, n), 0);
        if (cpio_complete(c) && n)
            assert_true(strncmp(o.text, expected, strlen(o.text)) == 0);
        free(exact);
    }
    free(c);
}

static void hostile(void **state)
{
    struct archive a;
    struct cpio *c = malloc(sizeof(*c));
    struct rand r;
    rand_init(&r, 3);
    for (int i = 0; i < 20000; i++) {
        struct out o = {.n = 0};
        sample(&a);
        for (u64 k = rand_range(&r, 1, 4); k; k--)
            a.bytes[rand_below(&r, a.n)] = (u8)rand_next(&r);
        cpio_init(c, &ops, &o);
        int err = cpio_feed(c, a.bytes, a.n);
        assert_true(err == 0 || (err == -EINVAL && c->error));
        if (err)
            assert_int_equal(cpio_feed(c, a.bytes, a.n), -EINVAL); /* stays failed */
    }
    free(c);
}

static void refusals(void **state)
{
    struct archive a;
    struct out o = {.n = 0};
    struct cpio *c = malloc(sizeof(*c));
    cpio_init(c, &ops, &o);
    assert_int_equal(cpio_feed(c, (const u8 *)"070707", 6), 0); /* too short to tell */
    sample(&a);
    memcpy(a.bytes, "070707", 6);
    cpio_init(c, &ops, &o);
    assert_int_equal(cpio_feed(c, a.bytes, a.n), -EINVAL);
    assert_string_equal(c->error, "incorrect cpio method used: use -H newc option");
    memcpy(a.bytes,
           "\x7f"
           "ELF..",
           6);
    cpio_init(c, &ops, &o);
    assert_int_equal(cpio_feed(c, a.bytes, a.n), -EINVAL);
    assert_string_equal(c->error, "no cpio magic");
    sample(&a);
    memcpy(a.bytes + 94, "00002000", 8); /* name of 8 KiB */
    cpio_init(c, &ops, &o);
    assert_int_equal(cpio_feed(c, a.bytes, a.n), -EINVAL);
    sample(&a);
    struct out stop = {.stop_at = 2};
    cpio_init(c, &ops, &stop);
    assert_int_equal(cpio_feed(c, a.bytes, a.n), -5);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(in_pieces), cmocka_unit_test(two_archives),
                                       cmocka_unit_test(truncated), cmocka_unit_test(hostile),
                                       cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
