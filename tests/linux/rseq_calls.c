/* SPDX-License-Identifier: MIT */
/*
 * rseq: registration and its errors, what the area holds, and when a critical section is aborted: by a signal, by losing the processor,
 * by moving to another, not otherwise; and what a bad section costs.
 */
#include "say.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define SIG 0x53053053

struct area {
    unsigned cpu_start, cpu;
    unsigned long cs;
    unsigned flags, node, mm_cid;
    char rest[36];
} __attribute__((aligned(64)));
struct cs {
    unsigned version, flags;
    unsigned long start, len, abort;
} __attribute__((aligned(32)));

static struct area area, second;

static long rseq(void *p, unsigned len, int flags, unsigned sig)
{
    return syscall(SYS_rseq, p, len, flags, sig);
}

/*
 * A section that stores its description, then spins until *stop or `turns` are over. Returns 0 when it ended by itself, 1 when aborted.
 * The word before the abort address is the signature.
 */
static __attribute__((noinline)) long section(struct area *a, struct cs *d, volatile long *stop, long turns)
{
    long aborted = 0;
    __asm__ volatile("leaq 1f(%%rip), %%rax\n movq %%rax, 8(%[d])\n"
                     "leaq 2f(%%rip), %%rcx\n subq %%rax, %%rcx\n movq %%rcx, 16(%[d])\n"
                     "leaq 4f(%%rip), %%rax\n movq %%rax, 24(%[d])\n"
                     "movq %[d], 8(%[a])\n"
                     "1: decq %[n]\n jz 2f\n cmpq $0, (%[stop])\n je 1b\n"
                     "2: movq $0, 8(%[a])\n jmp 5f\n"
                     ".long 0x53053053\n"
                     "4: movq $1, %[r]\n"
                     "5:\n"
                     : [r] "+r"(aborted), [n] "+r"(turns)
                     : [a] "r"(a), [d] "r"(d), [stop] "r"(stop)
                     : "rax", "rcx", "memory", "cc");
    return aborted;
}

static void nothing(int sig)
{
    (void)sig;
}

static void bad_version(void)
{
    static struct cs d = {.version = 1};
    static volatile long stop;
    struct itimerval t = {{0, 1000}, {0, 1000}}; /* again: the first may come before the section */
    signal(SIGALRM, nothing);
    setitimer(ITIMER_REAL, &t, NULL);
    section(&area, &d, &stop, 1l << 40);
}

static void bad_signature(void)
{
    static struct cs d;
    static volatile long stop;
    struct itimerval t = {{0, 1000}, {0, 1000}}; /* again: the first may come before the section */
    SAY(rseq(&area, 32, 1, SIG));
    SAY(rseq(&area, 32, 0, SIG + 1));
    signal(SIGALRM, nothing);
    setitimer(ITIMER_REAL, &t, NULL);
    section(&area, &d, &stop, 1l << 40);
}

static void bad_pointer(void)
{
    area.cs = 8;
    raise(SIGALRM);
    sched_yield();
    usleep(1000);
    printf("still here\n");
}

static void kernel_pointer(void)
{
    area.cs = 0xffff800000000000;
    usleep(1000);
    printf("still here\n");
}

static void bad_flags(void)
{
    static struct cs d = {.flags = 1};
    static volatile long stop;
    struct itimerval t = {{0, 1000}, {0, 1000}}; /* again: the first may come before the section */
    signal(SIGALRM, nothing);
    setitimer(ITIMER_REAL, &t, NULL);
    section(&area, &d, &stop, 1l << 40);
}

static void area_gone(void)
{
    void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    rseq(&area, 32, 1, SIG);
    SAY(rseq(p, 32, 0, SIG));
    munmap(p, PAGE);
    usleep(2000);
    printf("still here\n");
}

static void forked(void)
{
    SAY(rseq(&area, 32, 0, SIG));
    SAY(rseq(&area, 32, 1, SIG));
}

static void *in_thread(void *arg)
{
    (void)arg;
    SAY(rseq(&second, 32, 1, SIG));
    SAY(rseq(&second, 32, 0, SIG));
    printf("thread: valid %d\n", second.cpu < 1024 && second.cpu == second.cpu_start);
    return NULL;
}

static void sections(void)
{
    static struct cs d;
    static volatile long stop;
    long aborted;
    struct itimerval t = {{0, 20000}, {0, 20000}}, none = {0};
    printf("undisturbed: aborted %ld cs %lx\n", section(&area, &d, &stop, 10), area.cs);
    signal(SIGALRM, nothing);
    setitimer(ITIMER_REAL, &t, NULL);
    aborted = section(&area, &d, &stop, 1l << 40);
    setitimer(ITIMER_REAL, &none, NULL);
    printf("signal: aborted %ld cs %lx\n", aborted, area.cs);
    /* Two of us on one processor: sooner or later the other one runs. */
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof(one), &one);
    printf("on processor %u %u\n", area.cpu, area.cpu_start);
    pid_t pid = fork();
    if (!pid) {
        for (;;)
            ;
    }
    aborted = section(&area, &d, &stop, 1l << 40);
    printf("preempted: aborted %ld cs %lx\n", aborted, area.cs);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    CPU_ZERO(&one);
    CPU_SET(1, &one);
    sched_setaffinity(0, sizeof(one), &one);
    printf("on processor %u %u\n", area.cpu, area.cpu_start);
}

int main(int argc, char **argv)
{
    pthread_t t;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1) {
        printf("after exec\n");
        SAY(rseq(&area, 32, 1, SIG));
        SAY(rseq(&area, 32, 0, SIG));
        return 0;
    }
    if (!getenv("GLIBC_TUNABLES")) { /* the library has its own otherwise */
        setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
        execv("/proc/self/exe", argv);
    }
    printf("feature size %lu align %lu\n", getauxval(27), getauxval(28));
    E(EINVAL, rseq(&area, 31, 0, SIG));
    SAY(rseq(&area, 0, 0, SIG));
    SAY(rseq(&area, 33, 0, SIG));
    SAY(rseq(&area, 32, 1, SIG));
    SAY(rseq(&area, 33, 1, SIG));
    E(EINVAL, rseq((char *)&area + 4, 32, 0, SIG));
    SAY(rseq((char *)&area + 8, 33, 0, SIG));
    E(EINVAL, rseq(&area, 32, 2, SIG));
    E(EINVAL, rseq(&area, 32, 3, SIG));
    SAY(rseq(&area, 32, 1, SIG));
    E(EFAULT, rseq((void *)0xffff800000000000, 32, 0, SIG));
    SAY(rseq((void *)0x7fffffffffe0, 32, 0, SIG));
    E(EFAULT, rseq(NULL, 32, 0, SIG));
    area.cpu = area.cpu_start = ~0u;
    SAY(rseq(&area, 32, 0, SIG));
    printf("valid %d, the same %d, node %u\n", area.cpu < 1024, area.cpu == area.cpu_start, area.node);
    E(EBUSY, rseq(&area, 32, 0, SIG));
    E(EPERM, rseq(&area, 32, 0, SIG + 1));
    E(EINVAL, rseq(&area, 64, 0, SIG));
    SAY(rseq(&second, 32, 0, SIG));
    SAY(rseq(&second, 32, 1, SIG));
    SAY(rseq(&area, 64, 1, SIG));
    SAY(rseq(&area, 32, 1, SIG + 1));
    SAY(rseq(&area, 32, 3, SIG));
    SAY(rseq(&area, 32, 1, SIG));
    printf("cpu %d %d\n", (int)area.cpu_start, (int)area.cpu);
    SAY(rseq(&area, 32, 1, SIG));
    SAY(rseq(&area, 32, 0, SIG));
    pthread_create(&t, NULL, in_thread, NULL);
    pthread_join(t, NULL);
    sections();
    CHILD(forked);
    CHILD(bad_version);
    CHILD(bad_signature);
    CHILD(bad_pointer);
    CHILD(kernel_pointer);
    CHILD(bad_flags);
    CHILD(area_gone);
    execl("/proc/self/exe", argv[0], "again", NULL);
    return 1;
}
