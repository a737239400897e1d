/* SPDX-License-Identifier: MIT */
/* Wrong instructions and wrong accesses: which signal, which code, which address. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

static sigjmp_buf back;
static volatile sig_atomic_t got_signal, got_code;
static void *volatile got_address;

static void note(int sig, siginfo_t *info, void *context)
{
    (void)context;
    got_signal = sig;
    got_code = info->si_code;
    got_address = info->si_addr;
    siglongjmp(back, 1);
}

static void catch_all(void)
{
    static char stack[65536];
    stack_t alt = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction sa = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};

    CHECK(sigaltstack(&alt, NULL) == 0);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        CHECK(sigaction(signals[i], &sa, NULL) == 0);
}

#define EXPECT(action, sig, code, address)                                                         \
    do {                                                                                           \
        got_signal = 0;                                                                            \
        if (!sigsetjmp(back, 1)) {                                                                 \
            action;                                                                                \
        }                                                                                          \
        if (got_signal != (sig) || got_code != (code) || got_address != (void *)(address)) {       \
            printf("%s: signal %d code %d address %p, expected %d %d %p\n", #action, got_signal,   \
                   got_code, got_address, sig, code, (void *)(address));                           \
            failed = 1;                                                                            \
        }                                                                                          \
    } while (0)

static volatile int sink;
static volatile int never; /* what the compiler cannot know */
static int failed;
static char *page;

static __attribute__((noinline)) void read_at(uintptr_t address)
{
    __asm__("" : "+r"(address)); /* the compiler must not know it */
    sink = *(volatile char *)address;
}

static __attribute__((noinline)) void write_at(uintptr_t address)
{
    __asm__("" : "+r"(address)); /* the compiler must not know it */
    *(volatile char *)address = 1;
}

static __attribute__((noinline)) void call_at(uintptr_t address)
{
    __asm__("" : "+r"(address)); /* the compiler must not know it */
    ((void (*)(void))address)();
}

static __attribute__((noinline)) int deep(volatile char *above)
{
    volatile char here[4096];

    here[0] = above ? above[0] : 1;
    if (never)
        return 0;
    return deep(here) + here[0];
}

static void overflow(void)
{
    deep(NULL);
}

int main(void)
{
    int fd;
    volatile int zero = 0;
    char code[16] __attribute__((aligned(16))) = {(char)0xc3};

    catch_all();
    page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    page[0] = (char)0xc3;
    EXPECT(read_at(0), SIGSEGV, SEGV_MAPERR, 0);
    EXPECT(write_at(8), SIGSEGV, SEGV_MAPERR, 8);
    EXPECT(call_at(0), SIGSEGV, SEGV_MAPERR, 0);
    EXPECT(call_at((uintptr_t)page), SIGSEGV, SEGV_ACCERR, page);
    EXPECT(call_at((uintptr_t)code), SIGSEGV, SEGV_ACCERR, code);
    CHECK(mprotect(page, PAGE, PROT_READ) == 0);
    EXPECT(write_at((uintptr_t)page + 5), SIGSEGV, SEGV_ACCERR, page + 5);
    CHECK(mprotect(page, PAGE, PROT_NONE) == 0);
    EXPECT(read_at((uintptr_t)page + 7), SIGSEGV, SEGV_ACCERR, page + 7);
    CHECK(munmap(page, PAGE) == 0);
    EXPECT(read_at((uintptr_t)page), SIGSEGV, SEGV_MAPERR, page);
    EXPECT(read_at(0xffff888000000000ul), SIGSEGV, SEGV_MAPERR, 0xffff888000000000ul);
    EXPECT(write_at(0xffffffff81000000ul), SIGSEGV, SEGV_MAPERR, 0xffffffff81000000ul);
    EXPECT(read_at(0x8000000000000000ul), SIGSEGV, SI_KERNEL, 0);
    EXPECT(sink = 7 / zero, SIGFPE, FPE_INTDIV, got_address);
    EXPECT(__asm__ volatile("ud2"), SIGILL, ILL_ILLOPN, got_address);
    EXPECT(__asm__ volatile("int3"), SIGTRAP, SI_KERNEL, 0);
    EXPECT(__asm__ volatile("hlt"), SIGSEGV, SI_KERNEL, 0);
    EXPECT(__asm__ volatile("movq %%rax, %%cr3" : : : "memory"), SIGSEGV, SI_KERNEL, 0);
    EXPECT(overflow(), SIGSEGV, SEGV_MAPERR, got_address);

    fd = open("/tmp/traps.file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, PAGE) == 0);
    page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(page != MAP_FAILED);
    page[0] = 'x';
    EXPECT(read_at((uintptr_t)page + PAGE + 3), SIGBUS, BUS_ADRERR, page + PAGE + 3);
    CHECK(ftruncate(fd, 0) == 0);
    EXPECT(read_at((uintptr_t)page), SIGBUS, BUS_ADRERR, page);
    unlink("/tmp/traps.file");

    /* Uncaught: the process ends with the signal. */
    static const int expect_death[] = {SIGSEGV, SIGFPE, SIGILL};
    for (int i = 0; i < 3; i++) {
        int status;
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (!pid) {
            signal(expect_death[i], SIG_DFL);
            if (i == 0)
                read_at(0);
            else if (i == 1)
                sink = 7 / zero;
            else
                __asm__ volatile("ud2");
            _exit(0);
        }
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == expect_death[i]);
    }
    return failed;
}
