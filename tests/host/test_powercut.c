/* SPDX-License-Identifier: MIT */
/*
 * A log on a bad disk (host/disk.h): after the power was cut at any moment every byte that fsync acknowledged is there; requests that
 * fail are told; nothing hangs when the disk is slow, full or gone. PAGODA_CUTS=N makes N cuts.
 *
 *   page 0: counter of syncs      from page 1 on: the log, appended by writes and by stores through a mapping
 */
#include "../common/scene.h"
#include <host/disk.h>
#include <lib/errseq.h>
#include <lib/hash.h>
#include <stdlib.h>

#define DISK_BYTES (64 * PAGE_SIZE)
#define LOG_BYTES  (DISK_BYTES - PAGE_SIZE)

static struct scene s;
static u8 buf[DISK_BYTES];

static int up(void **state)
{
    scene_up(&s);
    return 0;
}

static int down(void **state)
{
    assert_machine_valid();
    scene_down(&s);
    return 0;
}

static u8 log_byte(u64 life, u64 i)
{
    return (u8)(mix64(life * 1000003 + i / 8) >> (i % 8 * 8));
}

struct writer {
    struct host_disk *disk;
    u64 life;             /* which log: other bytes each time */
    u64 end, syncs;       /* written */
    u64 safe_end, safe_syncs; /* acknowledged */
};

static bool append(struct writer *w, struct rand *r)
{
    u64 n = min(1 + rand_below(r, rand_below(r, 4) ? 700 : 3 * PAGE_SIZE), LOG_BYTES - w->end);
    for (u64 i = 0; i < n; i++)
        buf[i] = log_byte(w->life, w->end + i);
    if (cache_write_kernel(&w->disk->mapping, PAGE_SIZE + w->end, buf, n) != (ssize_t)n)
        return false;
    w->end += n;
    return true;
}

static bool sync_log(struct writer *w)
{
    w->syncs++;
    if (cache_write_kernel(&w->disk->mapping, 0, &w->syncs, 8) != 8 || host_disk_fsync(w->disk))
        return false;
    w->safe_end = w->end;
    w->safe_syncs = w->syncs;
    return true;
}

/* Writes until the power fails, or the log is full. */
static void write_log(struct writer *w, struct rand *r)
{
    bool alive = true;
    while (alive && w->end < LOG_BYTES) {
        switch (rand_below(r, 8)) {
        case 0:
            alive = sync_log(w);
            break;
        case 1: { /* the flusher comes by */
            u64 index = 0;
            cache_write_some(&w->disk->mapping, &index, 1 + rand_below(r, 10));
            break;
        }
        case 2:
            cache_invalidate(&w->disk->mapping, 0, U64_MAX);
            break;
        case 3:
            cache_drop(&w->disk->mapping, rand_below(r, 64), U32_MAX);
            break;
        default:
            alive = append(w, r);
        }
        alive &= !w->disk->off;
    }
}

/* What a program that starts anew reads. Returns how many acknowledged bytes are lost. */
static u64 count_lost(struct writer *w)
{
    struct host_disk *d = w->disk;
    u64 syncs = 0, lost = 0;
    host_disk_open(d);
    assert_int_equal(cache_read_kernel(&d->mapping, 0, &syncs, 8), 8);
    assert_int_equal(cache_read_kernel(&d->mapping, PAGE_SIZE, buf, LOG_BYTES), LOG_BYTES);
    host_disk_close(d);
    for (u64 i = 0; i < w->safe_end; i++)
        lost += buf[i] != log_byte(w->life, i);
    return lost + (syncs < w->safe_syncs) * 8;
}

static u64 cut_once(u64 seed, bool lies)
{
    struct rand r;
    rand_init(&r, seed);
    struct writer w = {.disk = host_disk_new(DISK_BYTES, seed ^ 77), .life = seed};
    w.disk->cut_at = 1 + rand_below(&r, 1 + rand_below(&r, 120));
    w.disk->lies = lies;
    host_disk_open(w.disk);
    write_log(&w, &r);
    host_disk_close(w.disk); /* memory is gone */
    host_disk_restart(w.disk);
    u64 lost = count_lost(&w);
    host_disk_free(w.disk);
    return lost;
}

static void no_acknowledged_byte_is_lost(void **state)
{
    const char *text = getenv("PAGODA_CUTS");
    u64 cuts = text ? (u64)atoll(text) : 10000;
    for (u64 seed = 1; seed <= cuts; seed++) {
        u64 lost = cut_once(seed, false);
        if (lost)
            print_error("seed %lu: %lu bytes are lost\n", seed, lost);
        assert_int_equal(lost, 0);
    }
}

/* The test itself: a disk that says it has flushed and has not is found out. */
static void a_disk_that_lies_is_found_out(void **state)
{
    u64 lost = 0;
    for (u64 seed = 1; seed <= 50; seed++)
        lost += cut_once(seed, true);
    assert_true(lost > 0);
}

/* A write that fails is told by each opener's next sync, once; what was clean, and what is written again, is there. */
static void a_failed_write_is_told_once(void **state)
{
    for (u64 n = 1; n < 12; n++) {
        struct host_disk *d = host_disk_new(DISK_BYTES, n);
        host_disk_open(d);
        struct address_space *m = &d->mapping;
        memset(buf, 1, 4 * PAGE_SIZE);
        assert_int_equal(cache_write_kernel(m, 0, buf, 4 * PAGE_SIZE), 4 * PAGE_SIZE);
        assert_int_equal(host_disk_fsync(d), 0);
        errseq_t a = errseq_sample(&m->wb_err), b = a;
        memset(buf, 2, PAGE_SIZE);
        for (u64 i = 0; i < 8; i++)
            assert_int_equal(cache_write_kernel(m, (8 + 2 * i) * PAGE_SIZE, buf, PAGE_SIZE), PAGE_SIZE);
        d->fail_at = d->requests + n;
        int err = host_disk_fsync(d);
        bool lost = n <= 8; /* the ninth is the flush */
        assert_int_equal(err, n <= 9 ? -EIO : 0);
        assert_int_equal(errseq_check(&m->wb_err, &a), lost ? -EIO : 0);
        assert_int_equal(errseq_check(&m->wb_err, &a), 0);
        assert_int_equal(errseq_check(&m->wb_err, &b), lost ? -EIO : 0);
        d->fail_at = 0;
        for (u64 i = 0; i < 8; i++)
            assert_int_equal(cache_write_kernel(m, (8 + 2 * i) * PAGE_SIZE, buf, PAGE_SIZE), PAGE_SIZE);
        assert_int_equal(host_disk_fsync(d), 0);
        host_disk_close(d);
        host_disk_restart(d);
        for (u64 i = 0; i < 4 * PAGE_SIZE; i++)
            assert_int_equal(d->stable[i], 1);
        for (u64 i = 0; i < 8; i++)
            assert_int_equal(d->stable[(8 + 2 * i) * PAGE_SIZE + 100], 2);
        host_disk_free(d);
    }
}

static void a_full_or_vanished_disk_is_told(void **state)
{
    struct host_disk *d = host_disk_new(DISK_BYTES, 1);
    host_disk_open(d);
    struct address_space *m = &d->mapping;
    d->room = 20;
    memset(buf, 3, 16 * PAGE_SIZE);
    assert_int_equal(cache_write_kernel(m, 0, buf, 16 * PAGE_SIZE), 16 * PAGE_SIZE);
    assert_int_equal(host_disk_fsync(d), -ENOSPC);
    d->room = U64_MAX;
    d->off = true;
    assert_int_equal(cache_read_kernel(m, 40 * PAGE_SIZE, buf, 1), -EIO);
    assert_int_equal(cache_read_kernel(m, 0, buf, PAGE_SIZE), PAGE_SIZE); /* what is cached still reads */
    assert_int_equal(cache_write_kernel(m, 0, buf, PAGE_SIZE), PAGE_SIZE);
    assert_int_equal(host_disk_fsync(d), -EIO);
    assert_int_equal(m->nrdirty, 0);
    host_disk_close(d);
    host_disk_free(d);
}

static void a_slow_disk_is_waited_for(void **state)
{
    struct rand r;
    rand_init(&r, 5);
    struct writer w = {.disk = host_disk_new(DISK_BYTES, 5), .life = 5};
    w.disk->request_ns = 20000000;
    w.disk->fail_every = 7;
    host_disk_open(w.disk);
    for (unsigned i = 0; i < 60 && w.end < LOG_BYTES; i++) {
        append(&w, &r);
        if (i % 5 == 4)
            sync_log(&w);
    }
    w.disk->fail_every = 0;
    for (u64 i = 0; i < w.end; i++)
        buf[i] = log_byte(w.life, i);
    assert_int_equal(cache_write_kernel(&w.disk->mapping, PAGE_SIZE, buf, w.end), w.end); /* told, the program writes again */
    assert_true(sync_log(&w));
    host_disk_close(w.disk);
    host_disk_restart(w.disk);
    assert_int_equal(count_lost(&w), 0);
    host_disk_free(w.disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_acknowledged_byte_is_lost, up, down),
        cmocka_unit_test_setup_teardown(a_disk_that_lies_is_found_out, up, down),
        cmocka_unit_test_setup_teardown(a_failed_write_is_told_once, up, down),
        cmocka_unit_test_setup_teardown(a_full_or_vanished_disk_is_told, up, down),
        cmocka_unit_test_setup_teardown(a_slow_disk_is_waited_for, up, down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
