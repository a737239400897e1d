/* SPDX-License-Identifier: MIT */
/*
 * What the CPU holds for a thread survives system calls, switches, faults and signals: general registers, vector
 * registers, FS and GS base; and what a program must not set by sigreturn ends it, not the kernel.
 */
#include <asm/prctl.h>
#include <cpuid.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

#include "check.h"

#define ROUNDS  2000
#define THREADS 6

static int has_avx;

/* Fills vector and callee-saved registers from seed, lets the kernel work, and says whether all came back. */
static int registers_survive(uint64_t seed, long nr, long arg)
{
    static const uint64_t golden = 0x9e3779b97f4a7c15ul;
    uint64_t in[16][4], out[16][4], general[6];

    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 4; j++)
            in[i][j] = seed = seed * golden + 1;
    memset(out, 0, sizeof(out));
#define LOAD(n)  "vmovdqu " #n "*32(%[in]), %%ymm" #n "\n"
#define STORE(n) "vmovdqu %%ymm" #n ", " #n "*32(%[out])\n"
#define LOADX(n)  "movdqu " #n "*32(%[in]), %%xmm" #n "\n"
#define STOREX(n) "movdqu %%xmm" #n ", " #n "*32(%[out])\n"
#define ALL(x) x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) x(14) x(15)
#define BODY(load, store)                                                                          \
    __asm__ volatile(ALL(load) "movq (%[in]), %%r8\n movq 8(%[in]), %%r9\n movq 16(%[in]), %%r10\n" \
                     "movq 24(%[in]), %%r12\n movq 32(%[in]), %%r13\n movq 40(%[in]), %%r14\n"     \
                     "syscall\n" ALL(store)                                                        \
                     "movq %%r8, (%[g])\n movq %%r9, 8(%[g])\n movq %%r10, 16(%[g])\n"             \
                     "movq %%r12, 24(%[g])\n movq %%r13, 32(%[g])\n movq %%r14, 40(%[g])\n"        \
                     : "+a"(nr)                                                                    \
                     : [in] "b"(in), [out] "S"(out), [g] "d"(general), "D"(arg)                    \
                     : "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "memory", "cc")
    if (has_avx)
        BODY(LOAD, STORE);
    else
        BODY(LOADX, STOREX);
    for (int i = 0; i < 16; i++)
        if (memcmp(in[i], out[i], has_avx ? 32 : 16))
            return 0;
    return memcmp(in, general, 48) == 0;
}

static void *hammer(void *arg)
{
    for (uint64_t i = 0; i < ROUNDS; i++)
        if (!registers_survive((uintptr_t)arg * 1000003 + i, i & 1 ? SYS_sched_yield : SYS_getppid, 0))
            return "registers changed";
    return NULL;
}

/* A handler that ruins every vector register. */
static volatile sig_atomic_t signals_seen;
static void scribble(int sig)
{
    (void)sig;
    signals_seen++;
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n movdqa %%xmm0, %%xmm1\n movdqa %%xmm0, %%xmm7\n"
                     "movdqa %%xmm0, %%xmm15\n fninit" : : : "xmm0", "xmm1", "xmm7", "xmm15");
    errno = 12345;
}

static void test_switches_and_signals(void)
{
    pthread_t threads[THREADS];
    struct itimerval tick = {{0, 1000}, {0, 1000}}, off = {{0, 0}, {0, 0}};

    signal(SIGALRM, scribble);
    CHECK(setitimer(ITIMER_REAL, &tick, NULL) == 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, hammer, (void *)(i + 1)) == 0);
    for (int i = 0; i < THREADS; i++) {
        void *what;
        CHECK(pthread_join(threads[i], &what) == 0);
        CHECK(what == NULL);
    }
    for (uint64_t i = 0; i < 200000 && signals_seen < 5; i++)
        CHECK(registers_survive(i, SYS_getppid, 0));
    CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
    CHECK(signals_seen > 0);
}

static void test_bases(void)
{
    unsigned long base = 0, value = 0;
    static unsigned long there[4] = {11, 22, 33, 44};

    CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, there) == 0);
    CHECK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base) == 0 && base == (unsigned long)there);
    for (int i = 0; i < 50; i++) {
        sched_yield();
        __asm__ volatile("movq %%gs:16, %0" : "=r"(value));
        CHECK(value == 33);
    }
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        __asm__ volatile("movq %%gs:24, %0" : "=r"(value));
        _exit(value == 44 ? 0 : 1);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(syscall(SYS_arch_prctl, ARCH_GET_FS, &base) == 0 && base != 0);
    CHECK(syscall(SYS_arch_prctl, ARCH_SET_FS, 0xffff888000000000ul) == -1 && errno == EPERM);
    CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, 1ul << 63) == -1 && errno == EPERM);
    if (getauxval(AT_HWCAP2) & 2) { /* FSGSBASE */
        __asm__ volatile("wrgsbase %0" : : "r"(there + 1));
        sched_yield();
        __asm__ volatile("movq %%gs:0, %0" : "=r"(value));
        CHECK(value == 22);
        CHECK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base) == 0 && base == (unsigned long)(there + 1));
    }
}

/* ---- frames that sigreturn must refuse or tame ---- */
static void (*spoil)(ucontext_t *);
static void spoiler(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)info;
    spoil(context);
}
static void bad_rip(ucontext_t *u)
{
    u->uc_mcontext.gregs[REG_RIP] = (long)0x8000000000001000ul;
}
static void bad_cs(ucontext_t *u)
{
    u->uc_mcontext.gregs[REG_CSGSFS] = (u->uc_mcontext.gregs[REG_CSGSFS] & ~0xffffll) | 0x10;
}
static void bad_mxcsr(ucontext_t *u)
{
    u->uc_mcontext.fpregs->mxcsr = 0xffffffff;
}
static void bad_fpstate(ucontext_t *u)
{
    u->uc_mcontext.fpregs = (void *)0x10;
}
static void bad_header(ucontext_t *u)
{
    memset((char *)u->uc_mcontext.fpregs + 512, 0xff, 64);
}
static void all_flags(ucontext_t *u)
{
    u->uc_mcontext.gregs[REG_EFL] |= 0x3f7000; /* IOPL, NT, VM and the rest */
}

static int death_by(void (*how)(ucontext_t *))
{
    int status;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        struct sigaction sa = {.sa_sigaction = spoiler, .sa_flags = SA_SIGINFO};
        spoil = how;
        sigaction(SIGUSR1, &sa, NULL);
        raise(SIGUSR1);
        _exit(registers_survive(5, SYS_getppid, 0) ? 42 : 1);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- single step ---- */
static volatile sig_atomic_t steps;
static void step(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    ucontext_t *u = context;
    if (info->si_code != TRAP_TRACE)
        _exit(9);
    if (++steps == 5)
        u->uc_mcontext.gregs[REG_EFL] &= ~0x100l;
}

static void test_single_step(void)
{
    struct sigaction sa = {.sa_sigaction = step, .sa_flags = SA_SIGINFO};
    long r = SYS_getppid;
    CHECK(sigaction(SIGTRAP, &sa, NULL) == 0);
    __asm__ volatile("pushfq\n orq $0x100, (%%rsp)\n popfq\n nop\n nop\n syscall\n nop\n nop\n nop\n nop\n nop"
                     : "+a"(r) : : "rcx", "r11", "memory", "cc");
    CHECK(steps == 5 && r == getppid());
}

static void test_vdso(void)
{
    struct timespec a, b, c;
    unsigned cpu = 99;
    for (int i = 0; i < 1000; i++) {
        CHECK(clock_gettime(CLOCK_MONOTONIC, &a) == 0);
        CHECK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &b) == 0);
        CHECK(clock_gettime(CLOCK_MONOTONIC, &c) == 0);
        CHECK(a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec <= b.tv_nsec));
        CHECK(b.tv_sec < c.tv_sec || (b.tv_sec == c.tv_sec && b.tv_nsec <= c.tv_nsec));
    }
    CHECK(clock_gettime(CLOCK_REALTIME, &a) == 0 && syscall(SYS_clock_gettime, CLOCK_REALTIME, &b) == 0);
    CHECK(b.tv_sec - a.tv_sec <= 1 && time(NULL) - b.tv_sec <= 1);
    CHECK((cpu = (unsigned)sched_getcpu()) < 4096);
}

int main(void)
{
    has_avx = __builtin_cpu_supports("avx");
    test_switches_and_signals();
    test_bases();
    test_single_step();
    test_vdso();
    CHECK(death_by(bad_rip) == -SIGSEGV);
    CHECK(death_by(bad_cs) == -SIGSEGV || death_by(bad_cs) == 42);
    CHECK(death_by(bad_mxcsr) == -SIGSEGV);
    CHECK(death_by(bad_fpstate) == -SIGSEGV);
    CHECK(death_by(bad_header) == -SIGSEGV || death_by(bad_header) == 42);
    CHECK(death_by(all_flags) == 42);
    printf("registers: ok, %d signals\n", (int)signals_seen);
    return 0;
}
