/* SPDX-License-Identifier: MIT */
/*
 * Threads of the hosted machine as pthreads, for ThreadSanitizer. A thread runs while it owns its virtual CPU; the
 * scheduler grants CPUs under one mutex, and threads without a CPU sleep on their own condition variable.
 */
#include <host/sanitizer.h>
#include <host/sched_internal.h>
#include <port/log.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

struct host_context {
    pthread_t id;
    pthread_cond_t granted;
};

static pthread_mutex_t sched_mutex = PTHREAD_MUTEX_INITIALIZER;

void host_sched_lock(void)
{
    if (host_machine.cfg.threads)
        pthread_mutex_lock(&sched_mutex);
}

void host_sched_unlock(void)
{
    if (host_machine.cfg.threads)
        pthread_mutex_unlock(&sched_mutex);
}

static void wait_grant(struct host_thread *t)
{
    while (t->state != HT_RUNNING)
        pthread_cond_wait(&t->ctx->granted, &sched_mutex);
    host_this_cpu = t->cpu;
}

void pth_wait_grant(struct host_thread *t)
{
    wait_grant(t);
}

void pth_grant(struct host_thread *t)
{
    pthread_cond_signal(&t->ctx->granted);
}

static void *entry(void *arg)
{
    struct host_thread *t = arg;
    host_current = t;
    host_sched_lock();
    wait_grant(t);
    host_sched_unlock();
    host_thread_main(t);
    return NULL;
}

void pth_create(struct host_thread *t)
{
    t->ctx = calloc(1, sizeof(*t->ctx));
    if (!t->ctx)
        panic("no memory for a thread");
    pthread_cond_init(&t->ctx->granted, NULL);
    t->state = HT_READY; /* before the thread looks; it is queued by the caller */
    if (pthread_create(&t->ctx->id, NULL, entry, t))
        panic("pthread_create failed");
}

void pth_adopt_main(struct host_thread *t)
{
    t->ctx = calloc(1, sizeof(*t->ctx));
    if (!t->ctx)
        panic("no memory for a thread");
    pthread_cond_init(&t->ctx->granted, NULL);
}

void pth_join(struct host_thread *t)
{
    pthread_join(t->ctx->id, NULL);
}

void pth_destroy(struct host_thread *t)
{
    pthread_cond_destroy(&t->ctx->granted);
    free(t->ctx);
    t->ctx = NULL;
}

void pth_pause(void)
{
    usleep(100);
}

void pth_yield(void)
{
    sched_yield();
}

/*
 * Races that are meant, for ThreadSanitizer: a reader without the lock looks at a number that writers change under it with
 * plain instructions, because an atomic store would cost the hot path two instructions; any value, old or new, will do.
 *
 *   next_table, pt_next  the count of used entries: an empty table may be skipped; entries are looked at again under the lock
 *   free_below     the count of used entries of an upper table: at 0 nothing is left to free; neighbours only add
 *   watermark_ok   free pages of a zone: a hint whether to try
 *   cache_sync     dirty pages of a file: nothing to do when there are none
 *   pick_shard     lengths of the shards' lists: only how much is taken from which depends on them
 *   stat_zone_lru, stat_node_sum  other CPUs' shares of the gauges: who adds them up wants a sum of about now
 *   run_join       links of the lruvec: whether they are those of a page on the locked list; see mm/reclaim/lru.c
 */
#include <host/sanitizer.h>
#ifdef HOST_TSAN
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race_top:next_table\n"
           "race_top:pt_next\n"
           "race_top:free_below\n"
           "race_top:watermark_ok\n"
           "race_top:cache_sync\n"
           "race_top:pick_shard\n"
           "race_top:stat_zone_lru\n"
           "race_top:stat_node_sum\n"
           "race_top:run_join\n";
}
#endif
