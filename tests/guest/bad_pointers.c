/* SPDX-License-Identifier: MIT */
/*
 * A wild pointer in every argument of every system call. Each call number has a child of its own, which may die or hang
 * (an alarm ends it); the kernel must go on, and a plain program must work afterwards.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

#define LAST_CALL 462

/* Calls that end the machine, reach other processes, or make processes that would go on with this loop. */
static bool left_out(long nr)
{
    static const long out[] = {SYS_reboot,
                               SYS_kill,
                               SYS_tkill,
                               SYS_tgkill,
                               SYS_rt_sigqueueinfo,
                               SYS_rt_tgsigqueueinfo,
                               SYS_fork,
                               SYS_vfork,
                               SYS_clone,
                               435 /* clone3 */,
                               SYS_vhangup,
                               SYS_settimeofday,
                               SYS_clock_settime,
                               SYS_adjtimex,
                               SYS_clock_adjtime,
                               SYS_kexec_load,
                               320 /* kexec_file_load */,
                               SYS_sched_setscheduler,
                               SYS_sched_setattr,
                               SYS_sched_setparam,
                               SYS_ptrace};

    for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++) {
        if (out[i] == nr)
            return true;
    }
    return false;
}

static void try_call(long nr, char *valid, char *read_only)
{
    const unsigned long wild[] = {0,
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

    for (size_t at = 0; at < 6; at++) {
        for (size_t w = 0; w < sizeof(wild) / sizeof(wild[0]); w++) {
            unsigned long a[6];
            for (size_t i = 0; i < 6; i++)
                a[i] = i == at ? wild[w] : (w + i) % 3 ? (unsigned long)valid : 8;
            syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        }
    }
}

static void child(long nr, char *valid, char *read_only)
{
    int null = open("/dev/null", O_RDWR);
    struct rlimit one_second = {2, 2};

    setsid();
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    setrlimit(RLIMIT_CPU, &one_second);
    alarm(3);
    try_call(nr, valid, read_only);
    _exit(0);
}

int main(void)
{
    char *valid = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int status, died = 0;

    CHECK(valid != MAP_FAILED && read_only != MAP_FAILED);
    CHECK(chdir("/tmp") == 0);
    for (long nr = 0; nr <= LAST_CALL; nr++) {
        if (left_out(nr))
            continue;
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (!pid)
            child(nr, valid, read_only);
        /* A kernel on which the alarm does not end a call must not hang the test for ever. */
        for (int tries = 0; waitpid(pid, &status, WNOHANG) == 0; tries++) {
            usleep(tries < 50 ? 1000 : 20000);
            if (tries == 400)
                kill(pid, SIGKILL);
            CHECK(tries < 800);
        }
        died += WIFSIGNALED(status);
    }
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(127);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    printf("%d calls tried, %d children died\n", LAST_CALL + 1, died);
    return 0;
}
