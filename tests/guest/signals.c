/* SPDX-License-Identifier: MIT */
/* Signals: actions and masks, queues, restarted calls, stacks, frames, waiting for signals, timers that send them. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

#include "check.h"

static volatile sig_atomic_t hits, order[16];
/* volatile: the C library declares raise() a leaf, that is, one that calls nothing here. */
static volatile siginfo_t last;
static volatile unsigned long last_sp;

static void note(int sig, siginfo_t *info, void *uc)
{
    int here;
    if (hits < 16)
        order[hits] = sig;
    hits++;
    last = *info;
    last_sp = (unsigned long)&here;
    (void)uc;
}

static void catch (int sig, int flags)
{
    struct sigaction a = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | flags};
    CHECK(sigaction(sig, &a, NULL) == 0);
    hits = 0;
}

static void actions(void)
{
    struct sigaction a;
    sigset_t set;
    catch (SIGUSR1, SA_RESETHAND);
    CHECK(raise(SIGUSR1) == 0 && hits == 1);
    CHECK(last.si_signo == SIGUSR1 && last.si_code == SI_TKILL && last.si_pid == getpid());
    CHECK(sigaction(SIGUSR1, NULL, &a) == 0 && a.sa_handler == SIG_DFL);
    CHECK(sigaction(SIGKILL, &a, NULL) == -1 && errno == EINVAL);
    CHECK(sigaction(SIGKILL, NULL, &a) == 0);
    CHECK(kill(getpid(), 65) == -1 && errno == EINVAL);
    CHECK(kill(0x7ffffff, 0) == -1 && errno == ESRCH);
    /* An ignored signal leaves nothing pending, a blocked one stays. */
    signal(SIGUSR1, SIG_IGN);
    CHECK(raise(SIGUSR1) == 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    catch (SIGUSR2, 0);
    CHECK(raise(SIGUSR2) == 0 && hits == 0);
    CHECK(sigpending(&set) == 0 && sigismember(&set, SIGUSR2) && !sigismember(&set, SIGUSR1));
    sigemptyset(&set);
    CHECK(sigprocmask(SIG_SETMASK, &set, NULL) == 0 && hits == 1);
}

static void queues(void)
{
    sigset_t set, old;
    siginfo_t info;
    union sigval v;
    struct timespec soon = {0, 20000000};
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGRTMIN + 1);
    sigaddset(&set, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    for (int i = 0; i < 3; i++) {
        v.sival_int = i;
        CHECK(sigqueue(getpid(), SIGRTMIN + 1, v) == 0);
        CHECK(sigqueue(getpid(), SIGRTMIN, v) == 0);
        CHECK(sigqueue(getpid(), SIGUSR1, v) == 0); /* a standard one is kept once */
    }
    CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_value.sival_int == 0 &&
          info.si_code == SI_QUEUE);
    for (int i = 0; i < 3; i++)
        CHECK(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_value.sival_int == i);
    for (int i = 0; i < 3; i++)
        CHECK(sigtimedwait(&set, &info, &soon) == SIGRTMIN + 1 && info.si_value.sival_int == i);
    CHECK(sigtimedwait(&set, &info, &soon) == -1 && errno == EAGAIN);
    /* signalfd reads the same queue. */
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    struct signalfd_siginfo r;
    CHECK(fd >= 0 && read(fd, &r, sizeof(r)) == -1 && errno == EAGAIN);
    v.sival_int = 77;
    CHECK(sigqueue(getpid(), SIGRTMIN, v) == 0);
    CHECK(read(fd, &r, sizeof(r)) == sizeof(r) && r.ssi_signo == (unsigned)SIGRTMIN &&
          r.ssi_int == 77);
    close(fd);
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
}

static void alarm_in(int usec)
{
    struct itimerval t = {.it_value = {0, usec}};
    CHECK(setitimer(ITIMER_REAL, &t, NULL) == 0);
}

static void restarts(void)
{
    int p[2];
    char c;
    CHECK(pipe(p) == 0);
    catch (SIGALRM, 0);
    alarm_in(30000);
    CHECK(read(p[0], &c, 1) == -1 && errno == EINTR && hits == 1);
    catch (SIGALRM, SA_RESTART);
    pid_t child = fork();
    if (child == 0) {
        usleep(100000);
        _exit(write(p[1], "x", 1) != 1);
    }
    alarm_in(20000);
    CHECK(read(p[0], &c, 1) == 1 && c == 'x' && hits == 1);
    CHECK(waitpid(child, NULL, 0) == child);
    /* Sleeping is not restarted under a handler, and tells what was left. */
    struct timespec want = {5, 0}, left = {0, 0};
    catch (SIGALRM, SA_RESTART);
    alarm_in(20000);
    CHECK(nanosleep(&want, &left) == -1 && errno == EINTR && left.tv_sec == 4);
    /* pause and sigsuspend end with every handler, and the mask comes back. */
    catch (SIGALRM, SA_RESTART);
    alarm_in(20000);
    CHECK(pause() == -1 && errno == EINTR && hits == 1);
    sigset_t block, old, now;
    sigemptyset(&block);
    sigaddset(&block, SIGALRM);
    CHECK(sigprocmask(SIG_BLOCK, &block, &old) == 0);
    alarm_in(1000);
    usleep(10000);
    CHECK(hits == 1 && sigsuspend(&old) == -1 && errno == EINTR && hits == 2);
    CHECK(sigprocmask(SIG_SETMASK, &old, &now) == 0 && sigismember(&now, SIGALRM));
    close(p[0]);
    close(p[1]);
}

static void stop_does_not_end_a_sleep(void)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct timespec t = {0, 200000000};
        _exit(nanosleep(&t, NULL) ? 1 : 0);
    }
    usleep(30000);
    CHECK(kill(child, SIGSTOP) == 0);
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) &&
          WSTOPSIG(status) == SIGSTOP);
    CHECK(waitpid(child, &status, WUNTRACED | WNOHANG) == 0);
    CHECK(kill(child, SIGCONT) == 0);
    CHECK(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void alternate_stack(void)
{
    static char area[65536];
    stack_t s = {.ss_sp = area, .ss_size = sizeof(area)}, old;
    CHECK(sigaltstack(&s, NULL) == 0);
    catch (SIGUSR1, SA_ONSTACK);
    CHECK(raise(SIGUSR1) == 0 && last_sp - (unsigned long)area < sizeof(area));
    catch (SIGUSR1, 0);
    CHECK(raise(SIGUSR1) == 0 && last_sp - (unsigned long)area >= sizeof(area));
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == area && old.ss_flags == 0);
    s.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&s, NULL) == 0);
    s = (stack_t){.ss_sp = area, .ss_size = 100};
    CHECK(sigaltstack(&s, NULL) == -1 && errno == ENOMEM);
}

/* The handler repairs the cause: the instruction is run again; registers and XMM state survive. */
static char *page;
static void repair(int sig, siginfo_t *info, void *ctx)
{
    ucontext_t *uc = ctx;
    CHECK(sig == SIGSEGV && info->si_addr == page + 5);
    CHECK(uc->uc_mcontext.gregs[REG_TRAPNO] == 14 &&
          (char *)uc->uc_mcontext.gregs[REG_CR2] == page + 5);
    __asm__ volatile("pxor %%xmm3, %%xmm3" ::: "xmm3");
    hits++;
    last = *info;
    CHECK(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0);
}
static void frames(void)
{
    struct sigaction a = {.sa_sigaction = repair, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGSEGV, &a, NULL) == 0);
    page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    hits = 0;
    unsigned long v = 0x1234567890abcdef, got;
    __asm__ volatile("movq %1, %%xmm3\n movb $7, (%2)\n movq %%xmm3, %0"
                     : "=r"(got)
                     : "r"(v), "r"(page + 5)
                     : "xmm3", "memory");
    CHECK(hits == 1 && got == v && page[5] == 7 && last.si_code == SEGV_ACCERR);
    signal(SIGSEGV, SIG_DFL);
}

static void blocked_fault_kills(void)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        volatile int *volatile nowhere = (volatile int *)8;
        *nowhere = 1;
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
          WTERMSIG(status) == SIGSEGV);
}

static void timers(void)
{
    timer_t t;
    struct sigevent ev = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 9};
    struct itimerspec its = {.it_value = {0, 1000000}, .it_interval = {0, 1000000}};
    sigset_t set, old;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &ev, &t) == 0 && timer_settime(t, 0, &its, NULL) == 0);
    usleep(20000);
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_code == SI_TIMER &&
          info.si_value.sival_int == 9);
    CHECK(info.si_overrun >= 15 && timer_getoverrun(t) == info.si_overrun);
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN);
    CHECK(timer_delete(t) == 0 && timer_delete(t) == -1 && errno == EINVAL);
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);

    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    unsigned long n;
    CHECK(fd >= 0 && timerfd_settime(fd, 0, &its, NULL) == 0);
    usleep(20000);
    CHECK(read(fd, &n, 8) == 8 && n >= 15);
    CHECK(read(fd, &n, 8) == 8 && n >= 1);
    close(fd);
}

/* Signals to a thread reach that thread; signals to the process one that does not block them. */
static pthread_t helper;
static atomic_int helper_ready;
static volatile int got_in_helper;
static void in_helper(int sig)
{
    got_in_helper = pthread_equal(pthread_self(), helper) ? sig : -sig;
}
static void *helper_main(void *arg)
{
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    helper_ready = 1;
    while (helper_ready == 1)
        usleep(1000);
    return arg;
}
static void threads(void)
{
    sigset_t set;
    signal(SIGUSR1, in_helper);
    signal(SIGUSR2, in_helper);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    CHECK(pthread_create(&helper, NULL, helper_main, NULL) == 0);
    while (!helper_ready)
        usleep(1000);
    CHECK(pthread_kill(helper, SIGUSR1) == 0);
    while (!got_in_helper)
        usleep(1000);
    CHECK(got_in_helper == SIGUSR1);
    got_in_helper = 0;
    CHECK(kill(getpid(), SIGUSR2) == 0);
    while (!got_in_helper)
        usleep(1000);
    CHECK(got_in_helper == SIGUSR2);
    helper_ready = 2;
    CHECK(pthread_join(helper, NULL) == 0);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int main(void)
{
    actions();
    queues();
    restarts();
    stop_does_not_end_a_sleep();
    alternate_stack();
    frames();
    blocked_fault_kills();
    timers();
    threads();
    puts("signals: ok");
    return 0;
}
