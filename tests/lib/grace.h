/* SPDX-License-Identifier: MIT */
/*
 * A small RCU for tests with real threads: each reader counts up when it enters and when it leaves its section, so it is
 * inside while its count is odd. wait_for_readers() returns when every reader that was inside has left.
 */
#ifndef TESTS_LIB_GRACE_H
#define TESTS_LIB_GRACE_H
#include <pthread.h>
#include <sched.h>
#include <lib/types.h>

enum { READERS = 2 };

struct reader {
    u64 count;
    u64 seed;
    u64 hits, misses, wrong;
    pthread_t thread;
} __aligned_to(128);

static struct reader readers[READERS];
static u32 stop_readers;

static inline void reader_enter(struct reader *r)
{
    __atomic_add_fetch(&r->count, 1, __ATOMIC_SEQ_CST);
}

static inline void reader_leave(struct reader *r)
{
    __atomic_add_fetch(&r->count, 1, __ATOMIC_SEQ_CST);
}

static void wait_for_readers(void)
{
    static u32 fence; /* an exchange orders as a fence does, and ThreadSanitizer understands it */
    __atomic_exchange_n(&fence, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < READERS; i++) {
        u64 was = __atomic_load_n(&readers[i].count, __ATOMIC_SEQ_CST);
        while (was % 2 && __atomic_load_n(&readers[i].count, __ATOMIC_SEQ_CST) == was)
            sched_yield();
    }
}

static void start_readers(void *(*run)(void *))
{
    stop_readers = 0;
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.seed = 100 + (u64)i};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, run, &readers[i]), 0);
    }
}

/*
 * Is step `op` of a writer's loop to be taken? There are `ops`, and more until each reader has been through some sections
 * since the middle: on a busy machine a reader may not have run at all by then.
 */
static bool writer_goes_on(u32 op, u32 ops)
{
    static u64 middle[READERS];
    bool on = op < ops;
    for (int i = 0; i < READERS; i++) {
        u64 now = __atomic_load_n(&readers[i].count, __ATOMIC_SEQ_CST);
        if (op == ops / 2)
            middle[i] = now;
        on |= now < middle[i] + 40;
    }
    if (op >= ops)
        sched_yield();
    return on;
}

/* Ends the readers; they must have seen something, and nothing wrong. */
static void join_readers(void)
{
    store_release(&stop_readers, 1);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].wrong, 0);
        assert_true(readers[i].hits > 0 && readers[i].misses > 0);
    }
}
#endif
