/* SPDX-License-Identifier: MIT */
/* memfd_create: every flag, vm.memfd_noexec, and every seal against every way to change a file. */
#include "say.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#define MFD_EXEC        16u
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 32
#endif

static int last;
static long make(const char *name, unsigned flags)
{
    if (last > 2)
        close(last);
    last = (int)syscall(SYS_memfd_create, name, flags);
    return last < 0 ? -1 : 0;
}

static void show(const char *what)
{
    struct stat st;
    char link[300] = "";
    char path[64];
    fstat(last, &st);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", last);
    readlink(path, link, sizeof(link) - 1);
    printf("%s: mode %o seals %#x cloexec %d nlink %d %.40s\n", what, st.st_mode, fcntl(last, F_GET_SEALS), fcntl(last, F_GETFD),
           (int)st.st_nlink, link);
}

static void noexec(const char *value)
{
    int fd = open("/proc/sys/vm/memfd_noexec", O_RDWR);
    char now[8] = "";
    errno = 0;
    printf("vm.memfd_noexec <- %s: %s", value, answer(write(fd, value, 1)));
    pread(fd, now, 4, 0);
    printf(", is %.1s\n", now);
    close(fd);
}

static void flags(void)
{
    static char long_name[300];
    for (unsigned f = 0; f < 32; f++) {
        if (f & 4)
            continue; /* hugetlb */
        char text[64];
        errno = 0;
        snprintf(text, sizeof(text), "flags %#x = %s", f, answer(make("name", f)));
        if (last >= 0)
            show(text);
        else
            printf("%s\n", text);
    }
    SAY(make("n", 32));
    SAY(make("n", 0x80000000));
    SAY(make((void *)8, 0));
    SAY(make(NULL, 0));
    memset(long_name, 'a', 249);
    SAY(make(long_name, 0));
    memset(long_name, 'a', 250);
    SAY(make(long_name, 0));
    SAY(make("", 0));
    show("empty name");
    SAY(make("with / and space", 0));
    show("slash");
}

static void knob(void)
{
    for (const char *v = "0123"; *v; v++) {
        char text[2] = {*v, 0};
        noexec(text);
        SAY(make("plain", 0));
        if (last >= 0)
            show("plain");
        SAY(make("sealing", MFD_ALLOW_SEALING));
        if (last >= 0)
            show("sealing");
        SAY(make("exec", MFD_EXEC));
        if (last >= 0)
            show("exec");
        SAY(make("noexec", MFD_NOEXEC_SEAL));
        if (last >= 0)
            show("noexec");
    }
    noexec("0");
}

/* Every way to change the file under one set of seals. */
static void changes(unsigned seals)
{
    char buf[8] = "seal";
    make("sealed", MFD_ALLOW_SEALING);
    ftruncate(last, 4 * PAGE);
    printf("---- seals %#x\n", seals);
    SAY(fcntl(last, F_ADD_SEALS, seals));
    SAY(pwrite(last, buf, 4, 0));
    SAY(pwrite(last, buf, 4, 4 * PAGE));
    SAY(pwrite(last, buf, 4, 4 * PAGE - 2));
    SAY(ftruncate(last, 4 * PAGE));
    SAY(ftruncate(last, 3 * PAGE));
    SAY(ftruncate(last, 5 * PAGE));
    SAY(fallocate(last, 0, 0, PAGE));
    SAY(fallocate(last, 0, 8 * PAGE, PAGE));
    SAY(fallocate(last, FALLOC_FL_KEEP_SIZE, 12 * PAGE, PAGE));
    SAY(fallocate(last, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
    SAY(fchmod(last, 0755));
    SAY(fchmod(last, 0644));
    SAY(fchmod(last, 0600));
    SAY(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, last, 0));
    SAY(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, last, 0));
    char *ro = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, last, 0);
    SAY(ro == MAP_FAILED);
    SAY(mprotect(ro, PAGE, PROT_READ | PROT_WRITE));
    SAY(madvise(ro, PAGE, MADV_REMOVE));
    SAY(fcntl(last, F_ADD_SEALS, F_SEAL_WRITE));
    munmap(ro, PAGE);
    SAY(fcntl(last, F_GET_SEALS));
}

static void seals(void)
{
    for (unsigned s = 0; s < 64; s = s ? s << 1 : 1)
        changes(s);
    changes(F_SEAL_GROW | F_SEAL_SHRINK);
    changes(F_SEAL_WRITE | F_SEAL_SEAL);
    make("plain", 0);
    SAY(fcntl(last, F_ADD_SEALS, F_SEAL_GROW));
    SAY(fcntl(last, F_GET_SEALS));
    make("busy", MFD_ALLOW_SEALING);
    ftruncate(last, 2 * PAGE);
    SAY(fcntl(last, F_ADD_SEALS, 64));
    SAY(fcntl(last, F_ADD_SEALS, ~0u));
    char *w = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, last, 0);
    SAY(fcntl(last, F_ADD_SEALS, F_SEAL_WRITE));
    SAY(mprotect(w, PAGE, PROT_READ));
    SAY(fcntl(last, F_ADD_SEALS, F_SEAL_WRITE));
    SAY(fcntl(last, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    TOUCH(w, 'w');
    SAY(mprotect(w, PAGE, PROT_READ | PROT_WRITE));
    TOUCH(w, 'w');
    munmap(w, PAGE);
    SAY(fcntl(last, F_ADD_SEALS, F_SEAL_WRITE));
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", last);
    int ro = open(path, O_RDONLY);
    SAY(fcntl(ro, F_ADD_SEALS, F_SEAL_GROW));
    SAY(fcntl(ro, F_GET_SEALS));
    SAY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0) == MAP_FAILED);
    close(ro);
    SAY(fcntl(0, F_GET_SEALS));
    ro = open("/tmp", O_RDONLY);
    SAY(fcntl(ro, F_GET_SEALS));
    close(ro);
}

int main(void)
{
    touch_setup();
    flags();
    knob();
    seals();
    return 0;
}
