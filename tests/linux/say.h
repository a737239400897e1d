/* SPDX-License-Identifier: MIT */
/*
 * For the programs of tests/linux: a call and its answer as one line, "CALL = VALUE" or "CALL = ERRNO". Values above 4,096 are
 * addresses, which differ, unless the program defines SAY_VALUE as say_plain before.
 */
#ifndef TESTS_LINUX_SAY_H
#define TESTS_LINUX_SAY_H
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul

#ifndef SAY_VALUE
#define SAY_VALUE answer
#endif

static inline const char *say_plain(long r)
{
    static char text[32];
    if (r == -1)
        return strerrorname_np(errno) ? strerrorname_np(errno) : "?";
    snprintf(text, sizeof(text), "%ld", r);
    return text;
}
static inline const char *answer(long r)
{
    return r > 4096 ? "address" : say_plain(r);
}

#define SAY(call)                                                                                  \
    do {                                                                                           \
        errno = 0;                                                                                 \
        long say_result = (long)(call);                                                            \
        printf("%s = %s\n", #call, SAY_VALUE(say_result));                                         \
    } while (0)

/* A call that must fail with this error, on every kernel; main returns say_failed. The table of docs/TESTING.md counts on these. */
static int say_failed;
static inline void say_error(const char *call, const char *want, int number, long result)
{
    int as_wanted = result == -1 && errno == number;
    printf("%s = %s%s%s\n", call, answer(result), as_wanted ? "" : ", not ", as_wanted ? "" : want);
    say_failed |= !as_wanted;
}
#define E(want, call)                                                                              \
    do {                                                                                           \
        errno = 0;                                                                                 \
        long say_result = (long)(call);                                                            \
        say_error(#call, #want, want, say_result);                                                 \
    } while (0)

/* ---- faults: touch(p, 'r'), 'w', 'x'; prints nothing, returns 0 or signal * 100 + si_code ---- */
static sigjmp_buf touch_back;
static volatile int touch_result;
static volatile unsigned touch_pkey;
static void *volatile touch_addr;

static inline void touch_signal(int sig, siginfo_t *info, void *context)
{
    (void)context;
    touch_result = sig * 100 + info->si_code;
    touch_addr = info->si_addr;
    touch_pkey = info->si_code == 4 ? info->si_pkey : 0;
    siglongjmp(touch_back, 1);
}

static inline void touch_setup(void)
{
    struct sigaction sa = {.sa_sigaction = touch_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
}

static inline int touch(volatile void *p, char how)
{
    touch_result = 0;
    if (!sigsetjmp(touch_back, 1)) {
        if (how == 'r')
            (void)*(volatile char *)p;
        else if (how == 'w')
            *(volatile char *)p = 1;
        else
            ((void (*)(void))p)();
    }
    return touch_result;
}

/* "ok", or the signal, its code, and whether the address is right. */
static inline const char *touch_text(volatile void *p, char how)
{
    static char text[64];
    int r = touch(p, how);
    if (!r)
        return "ok";
    snprintf(text, sizeof(text), "%s code %d%s pkey %u", r / 100 == SIGSEGV ? "SEGV" : "BUS", r % 100,
             touch_addr == p ? "" : " elsewhere", touch_pkey);
    return text;
}
#define TOUCH(p, how) printf("%s %c: %s\n", #p, how, touch_text(p, how))

/* Runs fn in a child; "exit N" or "signal N". */
static inline const char *in_child(void (*fn)(void))
{
    static char text[32];
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        fn();
        fflush(stdout);
        _exit(say_failed);
    }
    waitpid(pid, &status, 0);
    say_failed |= WIFEXITED(status) && WEXITSTATUS(status);
    snprintf(text, sizeof(text), WIFSIGNALED(status) ? "signal %d" : "exit %d",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return text;
}
#define CHILD(fn) printf("%s: %s\n", #fn, in_child(fn))
#endif
