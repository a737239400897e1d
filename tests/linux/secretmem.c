/* SPDX-License-Identifier: MIT */
/* memfd_secret: what its files refuse, whose limit they count against, and that nobody but their mappings can read them. */
#include "say.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

static long secret(unsigned flags)
{
    return syscall(SYS_memfd_secret, flags);
}

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

static void map_line(void *p)
{
    char line[512];
    FILE *f = fopen("/proc/self/smaps", "r");
    int in = 0;
    while (fgets(line, sizeof(line), f)) {
        unsigned long lo, hi;
        char *soft;
        if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2) {
            in = (unsigned long)p == lo;
            if (in)
                printf("%.4s%s", strchr(line, ' ') + 1, strrchr(line, ' ') ? strchr(line, '/') : "?\n");
        } else if (in && !strncmp(line, "VmFlags", 7)) {
            if ((soft = strstr(line, " sd ")))
                memmove(soft, soft + 3, strlen(soft + 3) + 1);
            printf("%s", line);
        } else if (in && (!strncmp(line, "Rss", 3) || !strncmp(line, "Locked", 6)))
            printf("%s", line);
    }
    fclose(f);
}

static int fd;
static char *p, *other;

static void limited(void)
{
    struct rlimit l = {4 * PAGE, 4 * PAGE};
    munmap(p, 4 * PAGE);
    munmap(other, PAGE);
    setresuid(1000, 1000, 1000);
    SAY(setrlimit(RLIMIT_MEMLOCK, &l));
    int f = (int)secret(0);
    SAY(ftruncate(f, 16 * PAGE));
    SAY(mmap(NULL, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0));
    char *q = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
    printf("VmLck %ld\n", status_kb("VmLck:"));
    SAY(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0));
    SAY(munlock(q, PAGE));
    printf("VmLck %ld\n", status_kb("VmLck:"));
    SAY(munmap(q, PAGE));
    SAY(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0));
    SAY(mremap(q + PAGE, 3 * PAGE, 4 * PAGE, MREMAP_MAYMOVE));
}

static void in_the_child(void)
{
    TOUCH(p, 'r');
    printf("the child reads %d, VmLck %ld\n", p[0], status_kb("VmLck:"));
    p[1] = 9;
}

int main(void)
{
    char buf[16] = "x";
    struct stat st;
    touch_setup();
    SAY(secret(1));
    SAY(secret(~0u));
    fd = (int)secret(O_CLOEXEC);
    printf("cloexec %d flags %#x\n", fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
    close(fd);
    fd = (int)secret(0);
    printf("cloexec %d\n", fcntl(fd, F_GETFD));
    fstat(fd, &st);
    printf("mode %o size %ld\n", st.st_mode, (long)st.st_size);
    SAY(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
    p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    printf("mapped %d\n", p != MAP_FAILED);
    TOUCH(p, 'r');
    SAY(ftruncate(fd, -1));
    SAY(ftruncate(fd, 2 * PAGE + 1));
    SAY(ftruncate(fd, 4 * PAGE));
    SAY(ftruncate(fd, 0));
    fstat(fd, &st);
    printf("size %ld\n", (long)st.st_size);
    TOUCH(p, 'r');
    TOUCH(p + PAGE, 'w');
    TOUCH(p + 2 * PAGE, 'w');
    TOUCH(p + 3 * PAGE, 'w');
    p[0] = 42;
    map_line(p);
    printf("VmLck %ld\n", status_kb("VmLck:"));
    SAY(read(fd, buf, 1));
    SAY(write(fd, buf, 1));
    SAY(pread(fd, buf, 1, 0));
    SAY(lseek(fd, 0, SEEK_SET));
    SAY(fallocate(fd, 0, 0, PAGE));
    SAY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
    SAY(fcntl(fd, F_GET_SEALS));
    SAY(fcntl(fd, F_ADD_SEALS, 1));
    SAY(fsync(fd));
    /* The kernel's own ways in. */
    int mem = open("/proc/self/mem", O_RDWR), pipes[2];
    struct iovec local = {buf, 1}, remote = {p, 1};
    pipe(pipes);
    SAY(pread(mem, buf, 1, (off_t)p));
    SAY(pwrite(mem, buf, 1, (off_t)p));
    SAY(process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
    SAY(process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
    SAY(write(pipes[1], p, 1)); /* copies with the program's own rights */
    SAY(syscall(SYS_futex, p, 1, 1, NULL, NULL, 0));
    SAY(syscall(SYS_futex, p, 129, 1, NULL, NULL, 0));
    /* Advice and locks. */
    SAY(madvise(p, PAGE, MADV_DONTNEED));
    SAY(madvise(p, PAGE, MADV_FREE));
    SAY(madvise(p, PAGE, MADV_REMOVE));
    SAY(madvise(p, PAGE, MADV_POPULATE_READ));
    SAY(madvise(p, PAGE, MADV_POPULATE_WRITE));
    SAY(madvise(p, PAGE, MADV_DODUMP));
    SAY(madvise(p, PAGE, MADV_DONTDUMP));
    SAY(mlock(p, PAGE));
    SAY(munlock(p, PAGE));
    SAY(munlockall());
    SAY(msync(p, PAGE, MS_SYNC));
    SAY(msync(p, PAGE, MS_INVALIDATE));
    SAY(mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
    SAY(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
    SAY(mprotect(p + PAGE, PAGE, PROT_READ));
    TOUCH(p + PAGE, 'w');
    SAY(mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE));
    printf("VmLck %ld\n", status_kb("VmLck:"));
    other = mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    unsigned char vec[1];
    mincore(other, PAGE, vec);
    printf("a second view: resident %d reads %d\n", vec[0] & 1, other[0]);
    CHILD(in_the_child);
    printf("after the child %d\n", p[1]);
    CHILD(limited);
    SAY(mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
    /* Its pages come back, clean. */
    close(fd);
    for (int i = 0; i < 50; i++) {
        int f = (int)secret(0);
        ftruncate(f, 64 * PAGE);
        char *q = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
        close(f);
        for (int k = 0; k < 64; k++)
            if (q[k * PAGE])
                printf("not clear\n");
        memset(q, 0x5a, 64 * PAGE);
        munmap(q, 64 * PAGE);
        char *a = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (int k = 0; k < 64; k++)
            if (a[k * PAGE])
                printf("a secret got out\n");
        memset(a, 1, 64 * PAGE);
        munmap(a, 64 * PAGE);
    }
    return 0;
}
