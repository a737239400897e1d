/* SPDX-License-Identifier: MIT */
/*
 * What the debugger's cases look at: a few threads that sleep and count, or a crash far down a stack.
 *
 *   debugged run        calls step_on() three times and ends
 *   debugged threads    three threads count for ever
 *   debugged crash      three threads sleep, and the first writes to address 0x10
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int step_on(int by);
int fall(int depth);
volatile int counter, secret = 4711;
static volatile unsigned long wild = 0x10;

__attribute__((noipa)) int step_on(int by)
{
    counter += by;
    return counter;
}

static void *count(void *arg)
{
    for (;;) {
        step_on(1);
        usleep(20000);
    }
    return arg;
}

static void *rest(void *arg)
{
    for (;;)
        pause();
    return arg;
}

__attribute__((noipa)) int fall(int depth)
{
    if (!depth)
        return *(volatile int *)wild = 1;
    int below = fall(depth - 1);
    __asm__ volatile("" : "+r"(below)); /* a call each time, not a loop */
    return below + 1;
}

static void start(void *(*fn)(void *))
{
    pthread_t t;
    for (int i = 0; i < 2; i++)
        pthread_create(&t, NULL, fn, NULL);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "threads")) {
        start(count);
        count(NULL);
    }
    if (argc > 1 && !strcmp(argv[1], "crash")) {
        start(rest);
        usleep(200000);
        return fall(3);
    }
    for (int i = 1; i < 4; i++)
        printf("%d\n", step_on(i));
    return 0;
}
