/* SPDX-License-Identifier: MIT */
/* Each flag and documented error of the calls on other processes' memory, of memfd_create, memfd_secret, prctl and the rest. */
#include "say.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)
#ifndef PR_SET_MDWE
#define PR_SET_MDWE            65
#define PR_GET_MDWE            66
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#define PR_MDWE_NO_INHERIT     2
#endif

static char *p;
static pid_t other;

static int pidfd_open(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}
static long process_madvise_(int fd, struct iovec *v, size_t n, int advice, unsigned flags)
{
    return syscall(SYS_process_madvise, fd, v, n, advice, flags);
}
#define process_madvise process_madvise_
static long process_mrelease_(int fd, unsigned flags)
{
    return syscall(SYS_process_mrelease, fd, flags);
}
#define process_mrelease process_mrelease_
static long memfd_secret_(unsigned flags)
{
    return syscall(SYS_memfd_secret, flags);
}
#define memfd_secret memfd_secret_

static void vm_calls(void)
{
    char buf[64] = "";
    struct iovec l = {buf, 8}, r = {p, 8}, bad = {(void *)8, 8}, neg = {buf, ~0ul}, v[2] = {{buf, 8}, {(void *)8, 8}};
    SAY(process_vm_readv(other, &l, 1, &r, 1, 0));
    SAY(process_vm_writev(other, &l, 1, &r, 1, 0));
    SAY(process_vm_readv(other, &l, 1, v, 2, 0));
    SAY(process_vm_readv(other, &l, 0, &r, 1, 0));
    SAY(process_vm_readv(other, &l, 1, &r, 0, 0));
    E(EINVAL, process_vm_readv(other, &l, 1, &r, 1, 1));
    E(EINVAL, process_vm_readv(other, &l, 1025, &r, 1, 0));
    E(EINVAL, process_vm_readv(other, &l, 1, &r, 1025, 0));
    E(EINVAL, process_vm_readv(other, &neg, 1, &r, 1, 0));
    E(EINVAL, process_vm_writev(other, &l, 1, &r, 1, 1));
    E(EFAULT, process_vm_readv(other, &l, 1, &bad, 1, 0));
    E(EFAULT, process_vm_readv(other, &bad, 1, &r, 1, 0));
    E(EFAULT, process_vm_readv(other, (void *)8, 1, &r, 1, 0));
    E(EFAULT, process_vm_readv(other, &l, 1, (void *)8, 1, 0));
    E(EFAULT, process_vm_writev(other, &l, 1, &bad, 1, 0));
    E(ESRCH, process_vm_readv(999999, &l, 1, &r, 1, 0));
    E(ESRCH, process_vm_writev(999999, &l, 1, &r, 1, 0));
    setresuid(1000, 1000, 1000);
    E(EPERM, process_vm_readv(other, &l, 1, &r, 1, 0));
    E(EPERM, process_vm_writev(other, &l, 1, &r, 1, 0));
}

static void advice(void)
{
    int fd = pidfd_open(other), dead, devnull = open("/dev/null", O_RDONLY);
    struct iovec v = {p, PAGE}, off = {p + 1, PAGE}, hole = {(void *)0x20000000, PAGE};
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    dead = pidfd_open(pid);
    waitpid(pid, NULL, 0);
    SAY(process_madvise(fd, &v, 1, MADV_COLD, 0));
    SAY(process_madvise(fd, &v, 1, MADV_PAGEOUT, 0));
    SAY(process_madvise(fd, &v, 1, MADV_WILLNEED, 0));
    E(EINVAL, process_madvise(fd, &v, 1, MADV_DONTNEED, 0));
    E(EINVAL, process_madvise(fd, &v, 1, MADV_COLD, 1));
    E(EINVAL, process_madvise(fd, &off, 1, MADV_COLD, 0));
    E(EINVAL, process_madvise(fd, &v, 1025, MADV_COLD, 0));
    E(ENOMEM, process_madvise(fd, &hole, 1, MADV_COLD, 0));
    E(EFAULT, process_madvise(fd, (void *)8, 1, MADV_COLD, 0));
    E(EBADF, process_madvise(-1, &v, 1, MADV_COLD, 0));
    E(EBADF, process_madvise(devnull, &v, 1, MADV_COLD, 0));
    E(ESRCH, process_madvise(dead, &v, 1, MADV_COLD, 0));
    E(EINVAL, process_mrelease(fd, 1));
    E(EINVAL, process_mrelease(fd, 0));
    E(EBADF, process_mrelease(-1, 0));
    E(EBADF, process_mrelease(devnull, 0));
    E(ESRCH, process_mrelease(dead, 0));
    setresuid(1000, 1000, 1000);
    E(EACCES, process_madvise(fd, &v, 1, MADV_COLD, 0));
}

static void memfds(void)
{
    char name[300];
    struct rlimit files = {8, 8};
    memset(name, 'n', sizeof(name));
    name[250] = 0;
    SAY(close(memfd_create("a", MFD_CLOEXEC | MFD_ALLOW_SEALING)));
    SAY(close(memfd_create("a", 8 /* MFD_NOEXEC_SEAL */)));
    SAY(close(memfd_create("a", 16 /* MFD_EXEC */)));
    E(EINVAL, memfd_create("a", 32));
    E(EINVAL, memfd_create("a", 8 | 16));
    E(EINVAL, memfd_create(name, 0));
    E(EFAULT, memfd_create((char *)8, 0));
    E(EINVAL, memfd_secret(1));
    int f = memfd_create("sealed", 0);
    E(EPERM, fcntl(f, F_ADD_SEALS, F_SEAL_SEAL));
    f = memfd_create("sealing", MFD_ALLOW_SEALING);
    ftruncate(f, PAGE);
    E(EINVAL, fcntl(f, F_ADD_SEALS, 1 << 20));
    E(EINVAL, fcntl(0, F_GET_SEALS));
    char *w = mmap(NULL, PAGE, RW, MAP_SHARED, f, 0);
    E(EBUSY, fcntl(f, F_ADD_SEALS, F_SEAL_WRITE));
    munmap(w, PAGE);
    SAY(fcntl(f, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
    E(EPERM, ftruncate(f, 2 * PAGE));
    E(EPERM, ftruncate(f, 0));
    SAY(fcntl(f, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL));
    E(EPERM, mmap(NULL, PAGE, RW, MAP_SHARED, f, 0));
    E(EPERM, write(f, "x", 1));
    FILE *k = fopen("/proc/sys/vm/memfd_noexec", "w");
    fputs("2", k);
    fclose(k);
    E(EACCES, memfd_create("a", 16 /* MFD_EXEC */));
    k = fopen("/proc/sys/vm/memfd_noexec", "w");
    fputs("0", k);
    fclose(k);
    setrlimit(RLIMIT_NOFILE, &files);
    while (dup(0) >= 0)
        ;
    E(EMFILE, memfd_create("a", 0));
    E(EMFILE, memfd_secret(0));
}

static void prctls(void)
{
    SAY(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
    SAY(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
    SAY(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
    E(EINVAL, prctl(PR_SET_THP_DISABLE, 1, 1, 0, 0));
    E(EINVAL, prctl(PR_SET_THP_DISABLE, 0, 0, 0, 1));
    E(EINVAL, prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0));
    pid_t pid = fork();
    if (!pid) {
        SAY(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    E(EINVAL, prctl(PR_GET_MDWE, 1, 0, 0, 0));
    E(EINVAL, prctl(PR_SET_MDWE, PR_MDWE_NO_INHERIT, 0, 0, 0));
    E(EINVAL, prctl(PR_SET_MDWE, 4, 0, 0, 0));
    SAY(prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0));
    E(EPERM, prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN | PR_MDWE_NO_INHERIT, 0, 0, 0));
    E(EPERM, prctl(PR_SET_MDWE, 0, 0, 0, 0));
    E(EACCES, mmap(NULL, PAGE, RW | PROT_EXEC, ANON, -1, 0));
    E(EACCES, mprotect(p, PAGE, PROT_READ | PROT_EXEC));
    E(EINVAL, prctl(0x7fffffff, 0, 0, 0, 0));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    p = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);
    memset(p, 1, 4 * PAGE);
    other = fork();
    if (!other) {
        pause();
        _exit(0);
    }
    CHILD(vm_calls);
    CHILD(advice);
    CHILD(memfds);
    CHILD(prctls);
    kill(other, SIGKILL);
    return say_failed;
}
