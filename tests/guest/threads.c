/* SPDX-License-Identifier: MIT */
/* Threads as the C library makes them: many at once, mutexes, conditions, thread-local data, and faults among them. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "check.h"

#define THREADS 32
#define TURNS   2000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned long counter, turn;
static _Thread_local unsigned long mine;
static char *shared;

static void *count(void *arg)
{
    unsigned long me = (unsigned long)arg;

    for (int i = 0; i < TURNS; i++) {
        CHECK(pthread_mutex_lock(&lock) == 0);
        counter++;
        CHECK(pthread_mutex_unlock(&lock) == 0);
        mine += me;
    }
    CHECK(mine == me * TURNS);
    return (void *)mine;
}

/* In turn: each waits for its number, so that every hand-over is a sleep and a wake-up. */
static void *in_turn(void *arg)
{
    unsigned long me = (unsigned long)arg;

    for (unsigned long round = 0; round < 20; round++) {
        CHECK(pthread_mutex_lock(&lock) == 0);
        while (turn != round * THREADS + me)
            CHECK(pthread_cond_wait(&changed, &lock) == 0);
        turn++;
        CHECK(pthread_cond_broadcast(&changed) == 0);
        CHECK(pthread_mutex_unlock(&lock) == 0);
    }
    return NULL;
}

/* All threads touch the same new pages at once: each page must be one page for all. */
static void *touch(void *arg)
{
    unsigned long me = (unsigned long)arg;

    for (unsigned long i = 0; i < 512; i++)
        atomic_fetch_add((_Atomic unsigned long *)(shared + i * PAGE), me + 1);
    return NULL;
}

static void run_all(void *(*work)(void *))
{
    pthread_t t[THREADS];

    for (unsigned long i = 0; i < THREADS; i++)
        CHECK(pthread_create(&t[i], NULL, work, (void *)i) == 0);
    for (unsigned long i = 0; i < THREADS; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
}

int main(void)
{
    run_all(count);
    CHECK(counter == (unsigned long)THREADS * TURNS);
    run_all(in_turn);
    CHECK(turn == 20 * THREADS);
    for (int round = 0; round < 10; round++) {
        shared = mmap(NULL, 512 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(shared != MAP_FAILED);
        run_all(touch);
        for (unsigned long i = 0; i < 512; i++)
            CHECK(*(unsigned long *)(shared + i * PAGE) == THREADS * (THREADS + 1) / 2);
        CHECK(munmap(shared, 512 * PAGE) == 0);
    }
    return 0;
}
