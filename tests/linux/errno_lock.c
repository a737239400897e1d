/* SPDX-License-Identifier: MIT */
/* Locking memory and limits: each flag and error, as root and as uid 1000; AS, DATA, STACK and MEMLOCK wherever they bind. */
#include "say.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)

static long status_kb(const char *what)
{
    char line[256];
    long kb = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof(line), f))
        if (!strncmp(line, what, strlen(what)))
            kb = atol(line + strlen(what));
    fclose(f);
    return kb;
}
#define LOCKED() printf("VmLck %ld\n", status_kb("VmLck:"))

static char *anon(size_t pages)
{
    return mmap(NULL, pages * PAGE, RW, ANON, -1, 0);
}
static int limit(int which, unsigned long cur, unsigned long max)
{
    struct rlimit l = {cur, max};
    return setrlimit(which, &l);
}
static void become_user(void)
{
    setresuid(1000, 1000, 1000);
}

static void calls(void)
{
    char *p = anon(8), *hole = anon(4), *none = mmap(NULL, PAGE, PROT_NONE, ANON, -1, 0);
    munmap(hole + PAGE, PAGE);
    SAY(mlock(p, PAGE));
    LOCKED();
    SAY(mlock(p + 1, PAGE));
    LOCKED();
    SAY(mlock2(p + 4 * PAGE, PAGE, MLOCK_ONFAULT));
    SAY(mlock2(p + 4 * PAGE, PAGE, 0));
    LOCKED();
    SAY(munlock(p, PAGE));
    SAY(munlock(p, 8 * PAGE));
    LOCKED();
    SAY(mlock(p, 0));
    SAY(mlock(p, ~0ul));
    E(EINVAL, mlock((void *)~0xffful, 2 * PAGE));
    E(EINVAL, munlock((void *)~0xffful, 2 * PAGE));
    E(ENOMEM, mlock(hole, 3 * PAGE));
    E(ENOMEM, mlock(hole + PAGE, PAGE));
    E(ENOMEM, mlock(none, PAGE));
    E(ENOMEM, munlock(hole, 3 * PAGE));
    E(ENOMEM, munlock(hole + PAGE, PAGE));
    E(EINVAL, mlock2(p, PAGE, 2));
    E(EINVAL, mlock2(p, PAGE, ~0u));
    E(ENOMEM, mlock2(hole + PAGE, PAGE, MLOCK_ONFAULT));
    SAY(munlockall());
    LOCKED();
    SAY(mlockall(MCL_FUTURE));
    SAY(mlockall(MCL_FUTURE | MCL_ONFAULT));
    char *later = anon(2);
    LOCKED();
    SAY(munmap(later, 2 * PAGE));
    SAY(munlockall());
    SAY(mlockall(MCL_CURRENT));
    printf("something is locked: %d\n", status_kb("VmLck:") > 100);
    SAY(mlockall(MCL_CURRENT | MCL_ONFAULT));
    SAY(munlockall());
    LOCKED();
    E(EINVAL, mlockall(0));
    E(EINVAL, mlockall(8));
    E(EINVAL, mlockall(MCL_ONFAULT));
}

/* RLIMIT_MEMLOCK of four pages. */
static void four_pages(void)
{
    char *p = anon(16);
    int id = shmget(IPC_PRIVATE, 8 * PAGE, 0600);
    limit(RLIMIT_MEMLOCK, 4 * PAGE, RLIM_INFINITY);
    SAY(mlock(p, 4 * PAGE));
    SAY(mlock(p, 4 * PAGE));
    SAY(mlock(p + 2 * PAGE, 2 * PAGE));
    SAY(mlock(p + 2 * PAGE, 4 * PAGE));
    LOCKED();
    SAY(munlock(p, 8 * PAGE));
    SAY(mlock(p, 5 * PAGE));
    SAY(mlock2(p, 5 * PAGE, MLOCK_ONFAULT));
    SAY(munlockall());
    SAY(mlockall(MCL_CURRENT));
    SAY(mlockall(MCL_CURRENT | MCL_ONFAULT));
    SAY(munlockall());
    SAY(mlockall(MCL_FUTURE));
    SAY(mmap(NULL, 5 * PAGE, RW, ANON, -1, 0));
    SAY(mmap(NULL, 4 * PAGE, RW, ANON, -1, 0));
    SAY(brk((char *)sbrk(0) + PAGE));
    char *s = shmat(id, NULL, 0);
    printf("shmat: %s\n", s == (void *)-1 ? answer(-1) : "attached");
    SAY(munlockall());
    LOCKED();
    SAY(shmctl(id, SHM_LOCK, NULL));
    SAY(shmctl(id, SHM_UNLOCK, NULL));
    SAY(shmctl(id, IPC_RMID, NULL));
    limit(RLIMIT_MEMLOCK, 0, RLIM_INFINITY);
    SAY(mlock(p, PAGE));
    SAY(mlock(p, 0));
    SAY(mlockall(MCL_CURRENT | MCL_ONFAULT));
    SAY(munlock(p, PAGE));
    SAY(mmap(NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0));
    SAY(munlockall());
}
static void four_pages_as_user(void)
{
    become_user();
    four_pages();
}
static void errors_as_user(void)
{
    char *p = anon(4);
    become_user();
    limit(RLIMIT_MEMLOCK, PAGE, PAGE);
    E(ENOMEM, mlock(p, 2 * PAGE));
    E(ENOMEM, mlockall(MCL_CURRENT));
    limit(RLIMIT_MEMLOCK, 0, 0);
    E(EPERM, mlock(p, PAGE));
    E(EPERM, mlock2(p, PAGE, MLOCK_ONFAULT));
    E(EPERM, mlockall(MCL_CURRENT));
}

/* ---- RLIMIT_AS, DATA, STACK ---- */
static void address_space(void)
{
    char *p = anon(4);
    struct rlimit l = {64 << 20, 64 << 20};
    SAY(setrlimit(RLIMIT_AS, &l));
    SAY(mmap(NULL, 65 << 20, PROT_NONE, ANON, -1, 0));
    SAY(mmap(NULL, 65 << 20, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    SAY(mmap(NULL, 32 << 20, PROT_NONE, ANON, -1, 0));
    SAY(mmap(NULL, 32 << 20, PROT_NONE, ANON, -1, 0));
    SAY(mremap(p, 4 * PAGE, 64 << 20, MREMAP_MAYMOVE));
    SAY(brk((char *)sbrk(0) + (64 << 20)));
    int id = shmget(IPC_PRIVATE, 40 << 20, 0600);
    SAY(shmat(id, NULL, 0));
    SAY(shmctl(id, IPC_RMID, NULL));
    SAY(mmap(p, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
}

static void data(void)
{
    struct rlimit l = {8 << 20, 8 << 20};
    char *ro = mmap(NULL, 16 << 20, PROT_READ, ANON, -1, 0);
    SAY(setrlimit(RLIMIT_DATA, &l));
    SAY(mmap(NULL, 9 << 20, RW, ANON, -1, 0));
    SAY(mmap(NULL, 9 << 20, PROT_READ, ANON, -1, 0));
    SAY(mmap(NULL, 9 << 20, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    SAY(mprotect(ro, 16 << 20, RW));
    SAY(mprotect(ro, PAGE, RW));
    SAY(brk((char *)sbrk(0) + (9 << 20)));
    SAY(mremap(mmap(NULL, PAGE, RW, ANON, -1, 0), PAGE, 9 << 20, MREMAP_MAYMOVE));
    l.rlim_cur = 0;
    SAY(setrlimit(RLIMIT_DATA, &l));
    SAY(mmap(NULL, PAGE, RW, ANON, -1, 0));
    SAY(brk((char *)sbrk(0) + PAGE));
    SAY(mmap(NULL, 9 << 20, RW, ANON, -1, 0));
}

static void __attribute__((noinline)) deep(int n)
{
    volatile char frame[64 << 10] __attribute__((unused));
    frame[0] = 1;
    if (n)
        deep(n - 1);
    frame[1] = 1;
}
static void shallow_stack(void)
{
    SAY(limit(RLIMIT_STACK, 2 << 20, 2 << 20));
    deep(20);
    printf("deep enough\n");
    fflush(stdout);
    signal(SIGSEGV, SIG_DFL);
    deep(40);
}
static void stack_grows_anew(void)
{
    limit(RLIMIT_STACK, 1 << 20, RLIM_INFINITY);
    limit(RLIMIT_STACK, 4 << 20, RLIM_INFINITY);
    deep(40);
    printf("grown\n");
}
static void stack_and_address_space(void)
{
    limit(RLIMIT_AS, 8 << 20, 8 << 20);
    limit(RLIMIT_STACK, RLIM_INFINITY, RLIM_INFINITY);
    signal(SIGSEGV, SIG_DFL);
    deep(200);
}
static void locked_stack(void)
{
    limit(RLIMIT_MEMLOCK, 1 << 20, 1 << 20);
    become_user();
    SAY(mlockall(MCL_FUTURE | MCL_ONFAULT));
    char *p = mmap(NULL, PAGE, RW, ANON | MAP_GROWSDOWN, -1, 0);
    TOUCH(p - PAGE, 'w');
    TOUCH(p - 64 * PAGE, 'w');
    TOUCH(p - 300 * PAGE, 'w');
}

/* ---- the calls themselves ---- */
static void rlimit_calls(void)
{
    struct rlimit l;
    for (int r = 0; r < RLIM_NLIMITS; r++)
        if (r != RLIMIT_NPROC && r != RLIMIT_SIGPENDING && r != RLIMIT_NOFILE) {
            getrlimit((__rlimit_resource_t)r, &l);
            printf("limit %d: %lx %lx\n", r, (unsigned long)l.rlim_cur, (unsigned long)l.rlim_max);
        }
    E(EINVAL, getrlimit((__rlimit_resource_t)16, &l));
    E(EINVAL, syscall(SYS_getrlimit, -1, &l));
    E(EFAULT, syscall(SYS_getrlimit, RLIMIT_AS, 8));
    E(EFAULT, syscall(SYS_setrlimit, RLIMIT_AS, 8));
    E(EINVAL, syscall(SYS_setrlimit, 16, &l));
    l = (struct rlimit){2, 1};
    E(EINVAL, setrlimit(RLIMIT_AS, &l));
    l = (struct rlimit){1 << 20, 1 << 20};
    E(EPERM, setrlimit(RLIMIT_NOFILE, &(struct rlimit){2 << 20, 2 << 20}));
    E(ESRCH, prlimit(999999, RLIMIT_AS, NULL, &l));
    E(EINVAL, prlimit(0, (__rlimit_resource_t)16, NULL, &l));
    E(EFAULT, syscall(SYS_prlimit64, 0, RLIMIT_AS, 8, NULL));
    E(EFAULT, syscall(SYS_prlimit64, 0, RLIMIT_AS, NULL, 8));
    pid_t pid = fork();
    if (!pid) {
        pause();
        _exit(0);
    }
    struct rlimit old, new = {123456 << 10, 1 << 30};
    SAY(prlimit(pid, RLIMIT_DATA, &new, &old));
    SAY(prlimit(pid, RLIMIT_DATA, NULL, &old));
    printf("%lu %lu\n", old.rlim_cur, old.rlim_max);
    SAY(prlimit(1, RLIMIT_DATA, NULL, &old));
    become_user();
    E(EPERM, prlimit(1, RLIMIT_DATA, NULL, &old));
    E(EPERM, prlimit(pid, RLIMIT_DATA, NULL, &old));
    l = (struct rlimit){1 << 20, 1 << 20};
    SAY(setrlimit(RLIMIT_AS, &(struct rlimit){1 << 30, 1 << 30}));
    E(EPERM, setrlimit(RLIMIT_AS, &(struct rlimit){1 << 30, 2ul << 30}));
    E(EPERM, prlimit(0, RLIMIT_AS, &(struct rlimit){1 << 30, RLIM_INFINITY}, NULL));
    struct rusage u;
    SAY(getrusage(RUSAGE_SELF, &u));
    SAY(getrusage(RUSAGE_CHILDREN, &u));
    SAY(getrusage(RUSAGE_THREAD, &u));
    E(EINVAL, getrusage((__rusage_who_t)5, &u));
    E(EFAULT, syscall(SYS_getrusage, RUSAGE_SELF, 8));
    fflush(stdout);
}

/* mmap_min_addr: the knob, and who may go below it. */
static void low_addresses(void)
{
    SAY(mmap((void *)PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0));
    SAY(mmap((void *)(15 * PAGE), PAGE, RW, ANON, -1, 0) == (void *)(16 * PAGE));
    SAY(mremap(anon(1), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 4 * PAGE));
    int f = open("/proc/sys/vm/mmap_min_addr", O_RDWR);
    SAY(write(f, "0", 1));
    SAY(mmap(NULL, PAGE, RW, ANON | MAP_FIXED, -1, 0) == NULL);
    pid_t pid = fork();
    if (!pid) {
        become_user();
        SAY(mmap((void *)(2 * PAGE), PAGE, RW, ANON | MAP_FIXED, -1, 0));
        SAY(mmap((void *)(3 * PAGE), PAGE, RW, ANON, -1, 0) == (void *)(16 * PAGE));
        SAY(write(f, "4096", 4));
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    SAY(pwrite(f, "65536", 5, 0));
    fflush(stdout);
    become_user();
    SAY(mmap((void *)PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0));
    SAY(mmap((void *)(15 * PAGE), PAGE, RW, ANON, -1, 0) == (void *)(16 * PAGE));
}

/* Two processes in one address space have each their own limits: vfork's child sets one. */
static void shared_space(void)
{
    static volatile long in_child_small, in_child_large;
    struct rlimit one = {1 << 20, 1 << 20}, got;
    fflush(stdout);
    pid_t pid = vfork();
    if (!pid) {
        setrlimit(RLIMIT_DATA, &one);
        in_child_small = mmap(NULL, 8 * 1024 * PAGE, PROT_READ, ANON, -1, 0) != MAP_FAILED;
        in_child_large = mmap(NULL, 8 * 1024 * PAGE, RW, ANON, -1, 0) != MAP_FAILED;
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    printf("child: %ld %ld\n", in_child_small, in_child_large);
    SAY(anon(8 * 1024) != MAP_FAILED);
    SAY(getrlimit(RLIMIT_DATA, &got));
    SAY(got.rlim_cur == RLIM_INFINITY);
    struct rlimit two = {1 << 20, RLIM_INFINITY};
    SAY(setrlimit(RLIMIT_DATA, &two));
    pid = vfork();
    if (!pid) {
        two.rlim_cur = RLIM_INFINITY;
        in_child_large = !setrlimit(RLIMIT_DATA, &two) && mmap(NULL, 8 * 1024 * PAGE, RW, ANON, -1, 0) != MAP_FAILED;
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    printf("child: %ld\n", in_child_large);
    SAY(anon(8 * 1024) != MAP_FAILED);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    touch_setup();
    CHILD(calls);
    CHILD(four_pages);
    CHILD(four_pages_as_user);
    CHILD(errors_as_user);
    CHILD(address_space);
    CHILD(data);
    printf("stack: %s\n", in_child(shallow_stack));
    CHILD(stack_grows_anew);
    printf("stack and address space: %s\n", in_child(stack_and_address_space));
    CHILD(locked_stack);
    CHILD(rlimit_calls);
    CHILD(low_addresses);
    CHILD(shared_space);
    return say_failed;
}
