/* SPDX-License-Identifier: MIT */
/* What an actor is in the guest: real system calls, real loads and stores with their signals caught; fuzz.h, guest.h. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static sigjmp_buf on_fault;
static volatile sig_atomic_t expecting;
static struct home_fault fault;
static char alt_stack[64 << 10];
static char scratch[FUZZ_SCRATCH] __attribute__((aligned(4096)));

static void caught(int sig, siginfo_t *info, void *context)
{
    (void)context;
    if (!expecting) {
        signal(sig, SIG_DFL);
        return;
    }
    expecting = 0;
    fault = (struct home_fault){sig, info->si_code, (uint64_t)info->si_addr};
    siglongjmp(on_fault, 1);
}

void guest_catch_signals(void)
{
    const stack_t st = {.ss_sp = alt_stack, .ss_size = sizeof(alt_stack)};
    struct sigaction sa = {.sa_sigaction = caught,
                           .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

    sigaltstack(&st, NULL);
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
    sigaction(SIGILL, &sa, NULL);
    signal(SIGXFSZ, SIG_IGN);
}

int64_t home_call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t g)
{
    long r = syscall(nr, a, b, c, d, e, g);

    return r == -1 ? -errno : r;
}

static void copy(volatile char *to, const volatile char *from, size_t n)
{
    while (n--)
        *to++ = *from++;
}

/* Whole words, for pages. */
static void copy_page(uint64_t *to, const volatile uint64_t *from)
{
    for (size_t i = 0; i < FUZZ_PAGE / 8; i++)
        to[i] = from[i];
}

static bool guarded(uint64_t to, uint64_t from, size_t n, struct home_fault *why)
{
    expecting = 1;
    if (sigsetjmp(on_fault, 0)) {
        *why = fault;
        return false;
    }
    if (n == FUZZ_PAGE)
        copy_page((uint64_t *)to, (const uint64_t *)from);
    else
        copy((char *)to, (const char *)from, n);
    expecting = 0;
    return true;
}

bool home_read(uint64_t at, void *to, size_t n, struct home_fault *why)
{
    return guarded((uint64_t)to, at, n, why);
}

bool home_write(uint64_t at, const void *from, size_t n, struct home_fault *why)
{
    return guarded(at, (uint64_t)from, n, why);
}

bool home_run(uint64_t at, struct home_fault *why)
{
    expecting = 1;
    if (sigsetjmp(on_fault, 0)) {
        *why = fault;
        return false;
    }
    ((void (*)(void))at)();
    expecting = 0;
    return true;
}

uint64_t home_scratch(void)
{
    return (uint64_t)scratch;
}

void home_put(uint64_t at, const void *from, size_t n)
{
    memcpy((void *)at, from, n);
}

void home_get(void *to, uint64_t at, size_t n)
{
    memcpy(to, (void *)at, n);
}

size_t home_text(enum home_text what, char *buf, size_t room)
{
    static const char *const names[] = {[HOME_MAPS] = "/proc/self/maps",
                                        [HOME_SMAPS] = "/proc/self/smaps",
                                        [HOME_STATUS] = "/proc/self/status"};
    int fd = open(names[what], O_RDONLY | O_CLOEXEC);
    size_t n = 0;

    for (ssize_t got = 1; fd >= 0 && got > 0 && n<room; n += got> 0 ? (size_t)got : 0)
        got = read(fd, buf + n, room - n);
    if (fd >= 0)
        close(fd);
    return n;
}

/* Emptying a page empties the lists of pages that wait on this CPU, the only one that a Linux which plays has. */
void home_settle(void)
{
    static char page[FUZZ_PAGE] __attribute__((aligned(4096)));

    syscall(SYS_madvise, page, FUZZ_PAGE, 24 /* MADV_DONTNEED_LOCKED */);
}

int home_fd(unsigned file)
{
    return ctl->fd[file];
}

int home_pid(unsigned actor)
{
    return ctl->pid[actor];
}

void guest_futex_wait(unsigned *word, unsigned value, unsigned ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000l};

    syscall(SYS_futex, word, FUTEX_WAIT, value, ms ? &t : NULL, NULL, 0);
}

void guest_futex_wake(unsigned *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 100, NULL, NULL, 0);
}

void guest_pass_turn(unsigned to)
{
    __atomic_store_n(&ctl->turn, to, __ATOMIC_RELEASE);
    guest_futex_wake(&ctl->turn);
}

static void wait_turn(unsigned me)
{
    for (;;) {
        unsigned now = __atomic_load_n(&ctl->turn, __ATOMIC_ACQUIRE);
        if (now == me)
            return;
        guest_futex_wait(&ctl->turn, now, 0);
    }
}

int home_fork(struct fuzz *f)
{
    unsigned who = 1, began = ctl->ready;

    while (who < FUZZ_ACTORS && ctl->pid[who] >= 0)
        who++;
    if (who == FUZZ_ACTORS)
        return -EUSERS;
    long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, NULL, NULL, 0);
    if (pid < 0)
        return -errno;
    if (!pid) {
        f->actor = who;
        ctl->pid[who] = (int)syscall(SYS_getpid);
        __atomic_store_n(&ctl->ready, began + 1, __ATOMIC_RELEASE);
        guest_futex_wake(&ctl->ready);
        guest_act(f);
    }
    while (__atomic_load_n(&ctl->ready, __ATOMIC_ACQUIRE) == began)
        guest_futex_wait(&ctl->ready, began, 0);
    return (int)who;
}

int home_end(struct fuzz *f, unsigned actor)
{
    if (actor == f->actor || ctl->pid[actor] < 0)
        return -ESRCH;
    ctl->requester = f->actor;
    ctl->request = actor + 1;
    guest_pass_turn(SERVER);
    wait_turn(f->actor);
    return 0;
}

static unsigned owner(unsigned step)
{
    unsigned who = fuzz_actor_of(ctl->seed, step);

    return ctl->pid[who] >= 0 ? who : 0;
}

void guest_act(struct fuzz *f)
{
    for (;;) {
        wait_turn(f->actor);
        if (ctl->ending) {
            fuzz_end(f);
            guest_pass_turn(SERVER);
            pause();
        }
        while (ctl->next < ctl->count && (!ctl->keep[ctl->next] || owner(ctl->next) == f->actor)) {
            if (ctl->keep[ctl->next])
                fuzz_play(f, ctl->next);
            ctl->next++;
        }
        guest_pass_turn(ctl->next < ctl->count ? owner(ctl->next) : SERVER);
    }
}
