/* SPDX-License-Identifier: MIT */
/* Tracing: rings, lost events, order over CPUs, switches, texts, and buffers that can't be had. */
#include "../../common/machine.h"

#include <lib/errno.h>
#include <mm/slab.h>
#include <mm/trace_read.h>
#include <port/lock.h>
#include "../../../mm/obs/trace_ring.h"

static struct trace_iter it;
static struct trace_record rec;

static void up(u32 cpus)
{
    machine_up(32, cpus, 1);
    trace_boot(NULL);
    memset(&it, 0, sizeof(it));
}

static void down(void)
{
    assert_null(trace_validate());
    trace_shutdown();
    assert_null(trace_validate());
    machine_down();
}

static const char *next_line(void)
{
    static char text[1024];
    struct seq s;
    if (!trace_next(&it, &rec))
        return NULL;
    seq_init(&s, text, sizeof(text) - 1);
    trace_line(&s, &it, &rec);
    text[s.len] = 0;
    return text;
}

static s32 pid_of(const struct trace_record *r)
{
    s32 pid;
    memcpy(&pid, (const u8 *)r->data + 8, 4); /* wake_reaper's only field */
    return pid;
}

static void put_number(struct trace_ring *r, u64 ns, u32 number, u32 len)
{
    u8 record[TRACE_MAX_RECORD] = {0};
    struct trace_entry e = {.ns = ns, .len = len};
    memcpy(record, &number, 4);
    memset(record + 4, (int)number, len - 4);
    trace_ring_put(r, &e, record);
}

/* Records of all lengths go round a small ring many times; what is left is the newest, whole and in order. */
static void oldest_make_room(void **state)
{
    up(1);
    struct trace_ring *r = trace_ring_alloc(4096);
    u8 data[TRACE_MAX_RECORD];
    u64 left = 0;
    for (u32 i = 0; i < 3000; i++) {
        put_number(r, i, i, 4 + i * 7 % (TRACE_MAX_RECORD - 4));
        assert_null(trace_ring_validate(r));
    }
    u64 pos = r->tail, seq = r->tail_seq, missed;
    struct trace_entry e;
    assert_int_equal(r->overrun, r->tail_seq);
    while (trace_ring_peek(r, &pos, &seq, &e, data, &missed)) {
        u32 number;
        memcpy(&number, data, 4);
        assert_int_equal(number, seq);
        assert_int_equal(e.len, 4 + number * 7 % (TRACE_MAX_RECORD - 4));
        for (u32 k = 4; k < e.len; k++)
            assert_int_equal(data[k], (u8)number);
        trace_ring_pass(r, &pos, &seq, &e, false);
        left++;
    }
    assert_int_equal(seq, 3000);
    assert_int_equal(left, r->head_seq - r->tail_seq);
    assert_true(left > 4096 / (TRACE_MAX_RECORD + sizeof(e)) - 2);
    trace_ring_free(r);
    down();
}

/* A reader that fell behind is told how many events it has missed, once; who takes is told of all since the last taken. */
static void lost_are_counted(void **state)
{
    up(1);
    assert_int_equal(trace_set_buffer_kb(4), 0);
    assert_int_equal(trace_event_enable(TRACE_wake_reaper, true), 0);
    trace_wake_reaper(1);
    struct trace_iter taker = {.take = true};
    assert_true(trace_next(&it, &rec));
    assert_true(trace_next(&taker, &rec) && taker.lost == 0 && pid_of(&rec) == 1);
    for (s32 i = 2; i <= 500; i++)
        trace_wake_reaper(i);
    struct trace_counts n;
    trace_count(&n);
    assert_int_equal(n.entries + n.overrun, 499);
    assert_true(n.overrun > 300);
    assert_true(trace_next(&it, &rec));
    assert_int_equal(it.lost, n.overrun);
    assert_int_equal(pid_of(&rec), 2 + (s32)n.overrun);
    assert_true(trace_next(&it, &rec) && it.lost == 0);
    assert_true(trace_next(&taker, &rec));
    assert_int_equal(taker.lost, n.overrun);
    struct trace_counts after;
    trace_count(&after);
    assert_int_equal(after.entries, n.entries - 1); /* taken */
    assert_int_equal(after.overrun, n.overrun);
    while (trace_next(&taker, &rec))
        ;
    assert_int_equal(pid_of(&rec), 500);
    assert_false(trace_pending(&taker));
    trace_count(&after);
    assert_int_equal(after.entries, 0);
    down();
}

#define CPUS   4
#define EVENTS 200

static int writer(void *arg)
{
    for (s32 i = 0; i < EVENTS; i++) {
        trace_wake_reaper((s32)(uptr)arg * EVENTS + i);
        sched_yield_cpu();
    }
    return 0;
}

/* Threads on several CPUs: the reader gets all events by time, each thread's in its order. */
static void order_over_cpus(void **state)
{
    up(CPUS);
    assert_int_equal(trace_event_enable(TRACE_wake_reaper, true), 0);
    struct host_thread *threads[CPUS];
    for (u32 t = 0; t < CPUS; t++)
        threads[t] = host_thread_start(writer, (void *)(uptr)t, "writer", t);
    for (u32 t = 0; t < CPUS; t++)
        assert_int_equal(host_thread_join(threads[t]), 0);
    s32 last[CPUS];
    memset(last, -1, sizeof(last));
    u64 ns = 0, cpus = 0;
    u32 n = 0;
    while (trace_next(&it, &rec)) {
        s32 thread = pid_of(&rec) / EVENTS, number = pid_of(&rec) % EVENTS;
        assert_true(rec.ns >= ns);
        ns = rec.ns;
        assert_int_equal(number, last[thread] + 1);
        last[thread] = number;
        cpus |= BIT(rec.cpu);
        n++;
    }
    assert_int_equal(n, CPUS * EVENTS);
    assert_int_equal(cpus, BIT(CPUS) - 1);
    down();
}

/* Off: no buffers, no events. On: only those that are on, only while recording. */
static void switches(void **state)
{
    bool allocated;
    up(1);
    kfree(kmalloc(100, GFP_KERNEL));
    assert_int_equal(trace_buffer_kb(&allocated), TRACE_DEFAULT_KB);
    assert_false(allocated);
    assert_false(trace_next(&it, &rec));
    assert_int_equal(trace_event_enable(TRACE_kmalloc, true), 0);
    trace_buffer_kb(&allocated);
    assert_true(allocated);
    void *p = kmalloc(100, GFP_KERNEL);
    kfree(p);
    const char *line = next_line();
    assert_non_null(line);
    assert_non_null(strstr(line, ": kmalloc: call_site=0x"));
    assert_non_null(strstr(
        line, " bytes_req=100 bytes_alloc=128 gfp_flags=GFP_KERNEL node=-1 accounted=false\n"));
    assert_null(next_line());
    trace_set_recording(false);
    kfree(kmalloc(100, GFP_KERNEL));
    assert_null(next_line());
    trace_set_recording(true);
    assert_int_equal(trace_event_enable(TRACE_kmalloc, false), 0);
    kfree(kmalloc(100, GFP_KERNEL));
    assert_null(next_line());
    trace_clear();
    struct trace_counts n;
    trace_count(&n);
    assert_int_equal(n.entries + n.overrun, 0);
    assert_null(next_line());
    down();
}

static void pages(void **state)
{
    char want[96];
    up(1);
    assert_int_equal(trace_event_enable(TRACE_mm_page_alloc, true), 0);
    assert_int_equal(trace_event_enable(TRACE_mm_page_free, true), 0);
    struct page *page = alloc_pages(GFP_KERNEL | GFP_COMP, 2);
    free_pages(page, 2);
    snprintf(want, sizeof(want),
             " pfn=0x%lx order=2 migratetype=0 gfp_flags=GFP_KERNEL|__GFP_COMP\n",
             (u64)page_to_pfn(page));
    assert_non_null(strstr(next_line(), want));
    snprintf(want, sizeof(want), " pfn=0x%lx order=2\n", (u64)page_to_pfn(page));
    assert_non_null(strstr(next_line(), want));
    down();
}

/* Each event has a format whose fields lie one behind the other, within what a record may be. */
static void formats(void **state)
{
    static char text[16384];
    up(1);
    for (unsigned e = 0; e < NR_TRACE_EVENTS; e++) {
        struct seq s;
        seq_init(&s, text, sizeof(text) - 1);
        trace_format(&s, e);
        assert_false(s.overflow);
        text[s.len] = 0;
        char head[64];
        snprintf(head, sizeof(head), "name: %s\nID: %u\n", trace_event_name(e), trace_event_id(e));
        assert_memory_equal(text, head, strlen(head));
        unsigned end = 0;
        for (const char *p = text; (p = strstr(p, "\toffset:")); p++) {
            unsigned offset, size;
            assert_int_equal(sscanf(p, "\toffset:%u;\tsize:%u;", &offset, &size), 2);
            assert_true(offset >= end && offset + size <= TRACE_MAX_RECORD);
            end = offset + size;
        }
        assert_non_null(strstr(text, "\nprint fmt: \""));
        assert_null(strchr(text, '@'));
    }
    down();
}

/* Without memory for the buffers the event stays off and what there was stays; nothing leaks (machine_down looks). */
static void no_buffers(void **state)
{
    bool allocated;
    up(2);
    u32 failed = 0;
    for (u32 nth = 1;; nth++) {
        host_fail_nth(FAIL_SLAB_ALLOC, nth, false);
        int err = trace_event_enable(TRACE_kfree, true);
        host_fail_none();
        assert_null(trace_validate());
        if (!err)
            break;
        assert_int_equal(err, -ENOMEM);
        assert_false(trace_event_enabled(TRACE_kfree));
        trace_buffer_kb(&allocated);
        assert_false(allocated);
        failed++;
    }
    assert_true(failed >= 1);
    kfree(kmalloc(8, GFP_KERNEL));
    assert_int_equal(trace_set_buffer_kb(1UL << 21), -ENOMEM); /* more than the machine has */
    assert_int_equal(trace_buffer_kb(&allocated), TRACE_DEFAULT_KB);
    assert_non_null(next_line());
    assert_int_equal(trace_set_buffer_kb(0), -EINVAL);
    assert_int_equal(trace_set_buffer_kb(64), 0);
    assert_int_equal(trace_buffer_kb(&allocated), 64);
    down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oldest_make_room),
        cmocka_unit_test(lost_are_counted),
        cmocka_unit_test(order_over_cpus),
        cmocka_unit_test(switches),
        cmocka_unit_test(pages),
        cmocka_unit_test(formats),
        cmocka_unit_test(no_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
