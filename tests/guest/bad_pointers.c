/* SPDX-License-Identifier: MIT */
/*
 * A wild pointer in every argument of every system call. Each call number has a child of its own, which may die or hang
 * (an alarm ends it); the kernel must go on, and a plain program must work afterwards.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

#define LAST_CALL 462
#define NR_WILD   12
#define NR_FAULTS 10 /* of them are no memory of the process, wherever it reads or writes */

static unsigned long wild[NR_WILD];

/* Calls that need their other arguments right: they would end the machine, reach other processes, set the clock, or make
 * processes that go on with the loop. W marks where wild values go, SELF is the caller's id. */
#define W    0xdead0001ul
#define SELF 0xdead0002ul

static const struct careful {
    long nr;
    unsigned long a[6];
} careful[] = {
    {SYS_reboot, {0xfee1dead, 672274793, 0xa1b2c3d4 /* RESTART2 */, W}},
    {SYS_kill, {SELF, W}},
    {SYS_kill, {W, 0}},
    {SYS_tkill, {SELF, W}},
    {SYS_tkill, {W, 0}},
    {SYS_tgkill, {SELF, SELF, W}},
    {SYS_tgkill, {W, W, 0}},
    {SYS_rt_sigqueueinfo, {SELF, SIGUSR1, W}},
    {SYS_rt_tgsigqueueinfo, {SELF, SELF, SIGUSR1, W}},
    {SYS_fork, {0}},
    {SYS_vfork, {0}},
    {SYS_clone, {W}},
    {SYS_clone, {SIGCHLD, W}},
    {SYS_clone, {SIGCHLD | CLONE_PARENT_SETTID, 0, W}},
    {SYS_clone, {SIGCHLD | CLONE_PIDFD, 0, W}},
    {SYS_clone, {SIGCHLD | CLONE_CHILD_SETTID, 0, 0, W}},
    {SYS_clone, {SIGCHLD | CLONE_CHILD_CLEARTID, 0, 0, W}},
    {SYS_clone, {SIGCHLD | CLONE_SETTLS, 0, 0, 0, W}},
    {SYS_clone3, {W, 88}},
    {SYS_clone3, {W, W}},
    {SYS_settimeofday, {W, 0}},
    {SYS_settimeofday, {0, W}},
    {SYS_clock_settime, {0, W}},
    {SYS_clock_settime, {W, W}},
    {SYS_adjtimex, {W}},
    {SYS_clock_adjtime, {0, W}},
    {SYS_kexec_load, {W, 1, W, 0}},
    {SYS_kexec_file_load, {W, W, 8, W, 0}},
    {SYS_sched_setscheduler, {SELF, 0, W}},
    {SYS_sched_setparam, {SELF, W}},
    {SYS_sched_setattr, {SELF, W, 0}},
    {SYS_ptrace, {PTRACE_PEEKDATA, SELF, W, W}},
    {SYS_ptrace, {PTRACE_GETREGS, SELF, 0, W}},
    {SYS_ptrace, {W, SELF, W, W}},
};

static bool left_out(long nr)
{
    return nr == SYS_vhangup; /* no arguments; it would hang up the console */
}

static bool needs_care(long nr)
{
    for (size_t i = 0; i < sizeof(careful) / sizeof(careful[0]); i++) {
        if (careful[i].nr == nr)
            return true;
    }
    return false;
}

/* A process or thread that the call made ends at once, without a look at its stack. */
static long raw_call(long nr, const unsigned long *a, bool makes)
{
    register unsigned long r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4],
                               r9 __asm__("r9") = a[5];
    long ret;

    __asm__ volatile("syscall\n"
                     "test %%rax, %%rax\n"
                     "jnz 1f\n"
                     "test %%ebx, %%ebx\n"
                     "jz 1f\n"
                     "xor %%edi, %%edi\n"
                     "mov $60, %%eax\n"
                     "syscall\n"
                     "1:"
                     : "=a"(ret)
                     : "a"(nr), "b"((int)makes), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8),
                       "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}

static void try_careful(const struct careful *c, char *valid)
{
    bool makes =
        c->nr == SYS_fork || c->nr == SYS_vfork || c->nr == SYS_clone || c->nr == SYS_clone3;

    for (size_t w = 0; w < NR_FAULTS; w++) {
        unsigned long a[6];
        for (size_t i = 0; i < 6; i++)
            a[i] = c->a[i] == W ? wild[w] : c->a[i] == SELF ? (unsigned long)getpid() : c->a[i];
        raw_call(c->nr, a, makes);
    }
    /* clone3 takes its arguments by a structure: eleven of them */
    for (size_t w = 0; c->nr == SYS_clone3 && c->a[1] == 88 && w < NR_WILD; w++) {
        static const unsigned long flags[] = {0, CLONE_PIDFD | CLONE_PARENT_SETTID |
                                                     CLONE_CHILD_SETTID | CLONE_SETTLS};
        for (size_t field = 0; field < 22; field++) {
            unsigned long *args = (unsigned long *)valid, a[6] = {(unsigned long)valid, 88};
            memset(args, 0, 88);
            args[0] = flags[field / 11];
            args[4] = SIGCHLD;
            args[field % 11] = wild[w];
            raw_call(c->nr, a, true);
        }
    }
}

static void try_call(long nr, char *valid)
{
    for (size_t i = 0; i < sizeof(careful) / sizeof(careful[0]); i++) {
        if (careful[i].nr == nr)
            try_careful(&careful[i], valid);
    }
    if (needs_care(nr))
        return;
    for (size_t at = 0; at < 6; at++) {
        for (size_t w = 0; w < NR_WILD; w++) {
            unsigned long a[6];
            for (size_t i = 0; i < 6; i++)
                a[i] = i == at ? wild[w] : (w + i) % 3 ? (unsigned long)valid : 8;
            raw_call(nr, a, false);
        }
    }
}

static void child(long nr, char *valid)
{
    int null = open("/dev/null", O_RDWR);
    struct rlimit one_second = {2, 2};

    setsid();
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    setrlimit(RLIMIT_CPU, &one_second);
    alarm(3);
    try_call(nr, valid);
    _exit(0);
}

int main(void)
{
    char *valid = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *read_only = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int status, died = 0, tried = 0;

    CHECK(valid != MAP_FAILED && read_only != MAP_FAILED && munmap(read_only + PAGE, PAGE) == 0);
    const unsigned long values[NR_WILD] = {0,
                                           1,
                                           0x1000,
                                           0x00007ffffffff000ul,
                                           0x00007ffffffffff8ul,
                                           0x0000800000000000ul,
                                           0x8000000000000000ul,
                                           0xffff888000001000ul,
                                           0xffffffff81000000ul,
                                           0xfffffffffffffff8ul,
                                           (unsigned long)read_only,
                                           (unsigned long)read_only + PAGE - 3};
    memcpy(wild, values, sizeof(wild));
    CHECK(chdir("/tmp") == 0);
    for (long nr = 0; nr <= LAST_CALL; nr++) {
        if (left_out(nr))
            continue;
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (!pid)
            child(nr, valid);
        /* A kernel on which the alarm does not end a call must not hang the test for ever. */
        for (int tries = 0; waitpid(pid, &status, WNOHANG) == 0; tries++) {
            usleep(tries < 50 ? 1000 : 20000);
            if (tries == 400)
                kill(pid, SIGKILL);
            CHECK(tries < 800);
        }
        died += WIFSIGNALED(status);
        tried++;
    }
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(127);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    printf("%d calls tried, %d children died\n", tried, died);
    return 0;
}
