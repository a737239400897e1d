/* SPDX-License-Identifier: MIT */
/*
 * userfaultfd, the calls: each request with good and bad arguments, what it leaves in entries and areas, and the faults that need
 * no second thread. The outputs under two kernels must be the same.
 */
#include "uffd.h"

#define SAY(call)                                                                                  \
    do {                                                                                           \
        errno = 0;                                                                                 \
        printf("  %s = %s\n", #call, result((long)(call)));                                        \
    } while (0)
/* Requests that leave a count: result and count. */
#define SAY_DONE(call)                                                                             \
    do {                                                                                           \
        long done = 0;                                                                             \
        errno = 0;                                                                                 \
        long r = (call);                                                                           \
        printf("  %s = %s, done %ld\n", #call, result(r), done);                                   \
    } while (0)

static char *src;
static int fd;

#define FILLS(cmd, at, n, mode)   request(fd, IOC_##cmd, base + (at) * PAGE, (n) * PAGE, mode, &done)
#define COPIES(cmd, at, from, n, mode) copy_pages(fd, IOC_##cmd, base + (at) * PAGE, from, (n) * PAGE, mode, &done)

static void fresh(uint64_t features, int pages, int modes)
{
    if (fd)
        close(fd);
    area(pages);
    fd = uffd_with(features, O_CLOEXEC | O_NONBLOCK);
    if (modes && reg(fd, base, (size_t)pages * PAGE, modes))
        printf("  register: %s\n", result(-1));
}

/* The areas from base on, with their um, uw, ui. */
static void show_areas(const char *when)
{
    unsigned long a, b;
    char line[512], perms[8];
    bool ours = false;
    FILE *f = fopen("/proc/self/smaps", "r");
    printf("  %s:", when);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%lx-%lx %7s", &a, &b, perms) == 3 && strlen(perms) == 4) {
            ours = a >= (unsigned long)base && a < (unsigned long)base + 256 * PAGE;
            if (ours)
                printf(" %lu-%lu:%s", (a - (unsigned long)base) / PAGE, (b - (unsigned long)base) / PAGE, perms);
        } else if (ours && !strncmp(line, "VmFlags:", 8)) {
            for (char *w = strtok(line + 8, " \n"); w; w = strtok(NULL, " \n"))
                if (w[0] == 'u')
                    printf(",%s", w);
        }
    }
    printf("\n");
    fclose(f);
}

/* For each page: . nothing, z present without contents of ours, p present, m marker; then w if protected. */
static void show_pages(const char *when, int n)
{
    uint64_t e[64];
    int pm = open("/proc/self/pagemap", O_RDONLY);
    if (pread(pm, e, (size_t)n * 8, (off_t)((uintptr_t)base / PAGE * 8)) != n * 8)
        printf("  pagemap: %s\n", result(-1));
    close(pm);
    printf("  %s:", when);
    for (int i = 0; i < n; i++)
        printf(" %s%s", e[i] >> 63 ? "p" : e[i] >> 62 & 1 ? "m" : ".", e[i] >> 57 & 1 ? "w" : "");
    printf("\n");
}

/* ---- faults that end in a signal ---- */
static sigjmp_buf jump;
static siginfo_t seen;

static void on_fault(int sig, siginfo_t *info, void *ctx)
{
    (void)sig, (void)ctx;
    seen = *info;
    siglongjmp(jump, 1);
}

static void touch(const char *what, int page, bool write)
{
    volatile char *p = base + page * PAGE + 5;
    if (sigsetjmp(jump, 1)) {
        printf("  %s page %d: signal %d code %d lsb %d at +%ld\n", what, page, seen.si_signo, seen.si_code,
               seen.si_code == 4 ? seen.si_addr_lsb : 0, (long)((char *)seen.si_addr - base - page * (long)PAGE));
        return;
    }
    if (write)
        *p = 7;
    else
        (void)*p;
    printf("  %s page %d: %d\n", what, page, *p);
}

/* ---- the descriptor ---- */
static void as_nobody(void)
{
    fflush(stdout);
    if (fork() == 0) {
        struct api a = {0xaa, FEATURE(F_FORK), 0};
        if (setuid(65534))
            _exit(1);
        SAY(open_uffd(0) >= 0);
        SAY(open_uffd(UFFD_USER_MODE_ONLY) >= 0);
        SAY(ioctl(open_uffd(UFFD_USER_MODE_ONLY), IOC_API, &a));
        SAY(a.api + a.features + a.ioctls);
        SAY(open("/dev/userfaultfd", O_RDWR));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

static void knob(const char *value)
{
    char text[16] = "";
    int k = open("/proc/sys/vm/unprivileged_userfaultfd", O_RDWR);
    if (value)
        SAY(write(k, value, strlen(value)));
    SAY(pread(k, text, 15, 0));
    printf("  unprivileged_userfaultfd: %s", text);
    close(k);
}

static void descriptor(void)
{
    char link[64] = "", text[256];
    struct api a = {0xaa, 0, 0};
    struct pollfd p = {.events = POLLIN};
    printf("descriptor\n");
    SAY(open_uffd(2));
    SAY(open_uffd(O_APPEND));
    int u = open_uffd(O_CLOEXEC), v = open_uffd(O_NONBLOCK | UFFD_USER_MODE_ONLY);
    SAY(fcntl(u, F_GETFL));
    SAY(fcntl(u, F_GETFD));
    SAY(fcntl(v, F_GETFL));
    SAY(fcntl(v, F_GETFD));
    snprintf(text, sizeof(text), "/proc/self/fd/%d", u);
    SAY(readlink(text, link, 60));
    printf("  %s\n", link);
    p.fd = v;
    SAY(read(u, text, 32));
    SAY(write(u, text, 32));
    SAY(poll(&p, 1, 0));
    printf("  revents %#x\n", p.revents);
    SAY(reg(u, src, PAGE, MISSING));
    SAY(ioctl(u, 0xaa77, 0));
    SAY(ioctl(u, IOC_API, NULL));
    a.api = 1;
    SAY(ioctl(u, IOC_API, &a));
    printf("  %#lx %#lx %#lx\n", a.api, a.features, a.ioctls);
    a = (struct api){0xaa, 1ul << 20, 0};
    SAY(ioctl(u, IOC_API, &a));
    printf("  %#lx %#lx %#lx\n", a.api, a.features, a.ioctls);
    a = (struct api){0xaa, FEATURE(F_WP_ASYNC), 0};
    SAY(ioctl(u, IOC_API, &a));
    printf("  %#lx %#lx %#lx\n", a.api, a.features, a.ioctls);
    SAY(ioctl(u, IOC_API, &a));
    a = (struct api){0xaa, 0, 0};
    SAY(ioctl(v, IOC_API, &a));
    SAY(ioctl(u, 0xaa77, 0));
    SAY(read(v, text, 31));
    SAY(read(v, text, 32));
    SAY(poll(&p, 1, 0));
    p.fd = u;
    SAY(poll(&p, 1, 0));
    printf("  revents %#x\n", p.revents);
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof(text), "/proc/self/fdinfo/%d", i ? v : u);
        FILE *f = fopen(text, "r");
        while (fgets(text, sizeof(text), f))
            if (strncmp(text, "ino", 3) && strncmp(text, "mnt_id", 6))
                printf("  %s", text);
        fclose(f);
    }
    close(u);
    close(v);
    int dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    SAY(dev >= 0);
    SAY(ioctl(dev, 0xaa00, O_CLOEXEC) >= 0);
    SAY(ioctl(dev, 0xaa00, 2));
    SAY(ioctl(dev, 0xaa01, 0));
    close(dev);
    knob(NULL);
    as_nobody();
    knob("1");
    as_nobody();
    knob("2");
    knob("0");
}

/* ---- register ---- */
static void try_modes(const char *what, void *at, size_t len)
{
    for (unsigned mode = 1; mode < 8; mode++) {
        long ioctls;
        int u = uffd_with(mode == 2 ? FEATURE(F_WP_ASYNC) : 0, 0);
        errno = 0;
        long r = request(u, IOC_REGISTER, at, len, mode, &ioctls);
        printf("  %s mode %u = %s, ioctls %#lx\n", what, mode, result(r), ioctls);
        close(u);
    }
}

static void registering(void)
{
    char path[64];
    printf("register\n");
    fresh(0, 16, 0);
    SAY(reg(fd, base, PAGE, 0));
    SAY(reg(fd, base, PAGE, 8));
    SAY(reg(fd, base + 1, PAGE, MISSING));
    SAY(reg(fd, base, 100, MISSING));
    SAY(reg(fd, base, 0, MISSING));
    SAY(reg(fd, NULL, PAGE, MISSING));
    SAY(reg(fd, (void *)(1ul << 47), PAGE, MISSING));
    SAY(reg(fd, (void *)-PAGE, PAGE, MISSING));
    SAY(reg(fd, base + 32 * PAGE, PAGE, MISSING));
    SAY(ioctl(fd, IOC_REGISTER, NULL));
    SAY(ioctl(fd, IOC_UNREGISTER, NULL));
    try_modes("anon", base, 4 * PAGE);
    SAY(reg(fd, base + 2 * PAGE, 2 * PAGE, MISSING));
    show_areas("two pages");
    SAY(reg(fd, base + 3 * PAGE, 20 * PAGE, WP));
    show_areas("from the second on, over the end");
    SAY(reg(fd, base, 16 * PAGE, MISSING | WP));
    show_areas("all");
    int other = uffd_with(0, 0);
    SAY(reg(other, base + 4 * PAGE, PAGE, MISSING));
    SAY(request(fd, IOC_UNREGISTER, base + 4 * PAGE, 2 * PAGE, 0, NULL));
    SAY(reg(other, base + 4 * PAGE, PAGE, MISSING | WP));
    show_areas("one of another");
    SAY(mprotect(base + 6 * PAGE, 2 * PAGE, PROT_READ));
    show_areas("read-only");
    SAY(mprotect(base + 6 * PAGE, 2 * PAGE, RW));
    show_areas("and back");
    SAY(munmap(base + 10 * PAGE, PAGE));
    SAY(request(fd, IOC_UNREGISTER, base + 8 * PAGE, 16 * PAGE, 0, NULL));
    show_areas("half");
    close(other);
    show_areas("the other closed");
    SAY(request(fd, IOC_UNREGISTER, base + 32 * PAGE, PAGE, 0, NULL));
    SAY(request(fd, IOC_UNREGISTER, base + 1, PAGE, 0, NULL));
    close(fd);
    fd = 0;
    show_areas("closed");
    area(4);
    mmap(base, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    try_modes("shared", base, PAGE);
    int m = memfd_create("m", 0);
    if (ftruncate(m, 4 * PAGE))
        exit(1);
    mmap(base, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, m, 0);
    try_modes("memfd", base, 2 * PAGE);
    mmap(base, 2 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, m, 0);
    try_modes("memfd private", base, 2 * PAGE);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", m);
    int ro = open(path, O_RDONLY);
    mmap(base, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, ro, 0);
    try_modes("memfd read-only", base, PAGE);
    mmap(base, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, ro, 0);
    try_modes("memfd private read-only", base, PAGE);
    int exe = open("/proc/self/exe", O_RDONLY);
    mmap(base, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, exe, 0);
    try_modes("file", base, PAGE);
    int id = shmget(IPC_PRIVATE, PAGE, 0600);
    void *s = shmat(id, base, SHM_REMAP);
    shmctl(id, IPC_RMID, NULL);
    try_modes("System V", s, PAGE);
    shmdt(s);
    close(ro), close(m), close(exe);
}

/* ---- filling ---- */
static void filling(void)
{
    printf("copy, zeropage\n");
    fresh(0, 16, MISSING | WP);
    SAY_DONE(COPIES(COPY, 0, src, 1, 0));
    SAY_DONE(COPIES(COPY, 0, src, 1, 0));
    SAY_DONE(COPIES(COPY, 1, src + 123, 2, 0));
    SAY_DONE(COPIES(COPY, 3, src, 1, 2));
    SAY_DONE(COPIES(COPY, 4, src, 1, 3));
    SAY_DONE(COPIES(COPY, 5, src, 1, 4));
    SAY_DONE(COPIES(COPY, 5, NULL, 1, 0));
    SAY_DONE(COPIES(COPY, 5, (char *)(1ul << 47), 1, 0));
    SAY_DONE(COPIES(COPY, 5, base + 100 * PAGE, 1, 0));
    SAY_DONE(COPIES(COPY, 14, src, 4, 0));
    SAY_DONE(COPIES(COPY, 40, src, 1, 0));
    SAY_DONE(COPIES(COPY, 40, base + 100 * PAGE, 1, 0));
    SAY_DONE(COPIES(COPY, 5, src, 0, 0));
    SAY_DONE(copy_pages(fd, IOC_COPY, base + 5, src, PAGE, 0, &done));
    SAY_DONE(copy_pages(fd, IOC_COPY, base + 5 * PAGE, src, 5, 0, &done));
    SAY(ioctl(fd, IOC_COPY, NULL));
    SAY_DONE(FILLS(ZEROPAGE, 6, 1, 0));
    SAY_DONE(FILLS(ZEROPAGE, 6, 1, 0));
    SAY_DONE(FILLS(ZEROPAGE, 5, 3, 0));
    SAY_DONE(FILLS(ZEROPAGE, 7, 1, 1));
    SAY_DONE(FILLS(ZEROPAGE, 8, 1, 2));
    SAY_DONE(FILLS(ZEROPAGE, 15, 2, 0));
    SAY_DONE(FILLS(CONTINUE, 8, 1, 0));
    SAY_DONE(FILLS(WAKE, 0, 16, 0));
    SAY_DONE(FILLS(WAKE, 0, 0, 0));
    SAY(ioctl(fd, IOC_ZEROPAGE, NULL));
    show_pages("pages", 16);
    touch("read", 0, false);
    touch("read", 1, false);
    SAY(request(fd, IOC_UNREGISTER, base, 16 * PAGE, 0, NULL));
    touch("write", 3, true);
    touch("write", 6, true);
    fresh(0, 4, MISSING);
    SAY_DONE(COPIES(COPY, 0, src, 1, 2));
    mprotect(base, 2 * PAGE, PROT_READ);
    SAY_DONE(COPIES(COPY, 0, src, 2, 0));
    touch("read", 0, false);
    touch("write", 0, true);
    mprotect(base, 4 * PAGE, PROT_NONE);
    SAY_DONE(COPIES(COPY, 2, src, 1, 0));
    touch("read", 2, false);
    mprotect(base, 4 * PAGE, RW);
    touch("read", 2, false);
}

static void filling_shared(void)
{
    printf("shared memory\n");
    int m = memfd_create("m", 0);
    if (ftruncate(m, 6 * PAGE))
        exit(1);
    for (int private = 0; private < 2; private++) {
        fresh(0, 8, 0);
        mmap(base, 8 * PAGE, RW, (private ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED, m, private ? PAGE : 0);
        SAY(reg(fd, base, 8 * PAGE, MISSING | WP | MINOR));
        SAY_DONE(COPIES(COPY, 0, src, 2, 0));
        SAY_DONE(FILLS(ZEROPAGE, 2, 1, 0));
        SAY_DONE(COPIES(COPY, 2, src, 1, 0));
        SAY_DONE(FILLS(CONTINUE, 4, 1, 0));
        if (pwrite(m, "file", 4, (private ? 5 : 4) * (off_t)PAGE + 5) != 4)
            exit(1);
        SAY_DONE(FILLS(CONTINUE, 4, 1, 2));
        SAY_DONE(FILLS(CONTINUE, 4, 1, 0));
        SAY_DONE(FILLS(CONTINUE, 3, 1, 4));
        SAY_DONE(FILLS(CONTINUE, 7, 1, 0));
        SAY_DONE(COPIES(COPY, 4, src, 1, 0));
        SAY_DONE(COPIES(COPY, 6, src, 1, 0));
        SAY_DONE(COPIES(COPY, 3, src, 1, 2));
        SAY_DONE(FILLS(POISON, 6, 1, 0));
        SAY_DONE(FILLS(ZEROPAGE, 7, 1, 0));
        show_pages("pages", 8);
        touch("read", 0, false);
        touch("write", 1, true);
        touch("read", 2, false);
        touch("read", 4, false);
        SAY(request(fd, IOC_WRITEPROTECT, base, 8 * PAGE, 0, NULL));
        touch("write", 4, true);
        char c[5] = "";
        SAY(pread(m, c, 4, (private ? 5 : 4) * (off_t)PAGE + 5));
        printf("  the file: %02x%02x\n", c[0], c[1]);
        SAY(request(fd, IOC_WRITEPROTECT, base, 8 * PAGE, 1, NULL));
        show_pages("protected", 8);
        SAY(madvise(base, 5 * PAGE, MADV_DONTNEED));
        show_pages("dropped", 8);
        if (!private)
            SAY(madvise(base, PAGE, MADV_REMOVE));
        show_pages("removed", 8);
        SAY(request(fd, IOC_UNREGISTER, base, 8 * PAGE, 0, NULL));
        show_pages("unregistered", 8);
    }
    SAY(ftruncate(m, PAGE));
    touch("read", 3, false);
    close(m);
}

static void poisoning(void)
{
    printf("poison\n");
    int p[2];
    fresh(0, 8, MISSING | WP);
    SAY_DONE(FILLS(POISON, 0, 3, 0));
    SAY_DONE(FILLS(POISON, 0, 1, 0));
    SAY_DONE(FILLS(POISON, 3, 1, 2));
    SAY_DONE(FILLS(ZEROPAGE, 0, 1, 0));
    SAY_DONE(COPIES(COPY, 1, src, 1, 0));
    SAY_DONE(COPIES(MOVE, 2, src, 1, 0));
    SAY(request(fd, IOC_WRITEPROTECT, base, 3 * PAGE, 1, NULL));
    show_pages("pages", 4);
    touch("read", 0, false);
    touch("write", 2, true);
    touch("read", 1, false);
    if (pipe(p))
        exit(1);
    SAY(write(p[1], base, 10));
    SAY(madvise(base, PAGE, MADV_POPULATE_READ));
    SAY(madvise(base, PAGE, MADV_POPULATE_WRITE));
    SAY(mlock(base, PAGE));
    fflush(stdout);
    if (fork() == 0) {
        touch("child reads", 0, false);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    close(fd);
    fd = 0;
    touch("read", 0, false);
    char *to = mremap(base, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 20 * PAGE);
    printf("  moved: %d\n", to == base + 20 * PAGE);
    touch("read", 20, false);
    SAY(madvise(base + 20 * PAGE, PAGE, MADV_DONTNEED));
    touch("read", 20, false);
    close(p[0]), close(p[1]);
}

static void moving(void)
{
    printf("move\n");
    fresh(0, 8, MISSING);
    char *from = mmap(base + 16 * PAGE, 8 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
    for (int i = 0; i < 8; i++)
        if (i != 3)
            from[i * PAGE + 5] = (char)(i + 1);
    SAY_DONE(COPIES(MOVE, 0, from, 2, 0));
    SAY_DONE(COPIES(MOVE, 1, from + 2 * PAGE, 1, 0));
    SAY_DONE(COPIES(MOVE, 2, from + 2 * PAGE, 3, 0));
    SAY_DONE(COPIES(MOVE, 3, from + 3 * PAGE, 2, 2));
    SAY_DONE(COPIES(MOVE, 5, from + 5 * PAGE, 1, 4));
    SAY_DONE(COPIES(MOVE, 5, from + 5 * PAGE, 1, 1));
    SAY_DONE(COPIES(MOVE, 7, from + 6 * PAGE, 2, 0));
    SAY_DONE(COPIES(MOVE, 6, from + 7 * PAGE, 2, 0));
    SAY_DONE(COPIES(MOVE, 40, from + 6 * PAGE, 1, 0));
    SAY_DONE(COPIES(MOVE, 6, base + 60 * PAGE, 1, 0));
    SAY_DONE(COPIES(MOVE, 16, base, 1, 0));
    SAY_DONE(copy_pages(fd, IOC_MOVE, base + 6 * PAGE, from + 1, PAGE, 0, &done));
    mprotect(from + 6 * PAGE, PAGE, PROT_READ);
    SAY_DONE(COPIES(MOVE, 6, from + 6 * PAGE, 1, 0));
    mprotect(from + 6 * PAGE, PAGE, RW);
    mlock(from + 6 * PAGE, PAGE);
    SAY_DONE(COPIES(MOVE, 6, from + 6 * PAGE, 1, 0));
    munlock(from + 6 * PAGE, PAGE);
    mmap(base + 30 * PAGE, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    base[30 * PAGE] = 1;
    SAY_DONE(COPIES(MOVE, 6, base + 30 * PAGE, 1, 0));
    show_pages("pages", 24);
    touch("read", 0, false);
    touch("read", 2, false);
    touch("write", 5, true);
    touch("read", 16, false);
    pid_t child = fork();
    if (!child) {
        pause();
        _exit(0);
    }
    SAY_DONE(COPIES(MOVE, 6, from + 6 * PAGE, 1, 0));
    kill(child, SIGKILL);
    wait(NULL);
    fflush(stdout);
    if (fork() == 0) {
        SAY_DONE(COPIES(MOVE, 6, from + 6 * PAGE, 1, 0));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

/* ---- protection without a monitor ---- */
static void protecting(void)
{
    printf("writeprotect\n");
    fresh(0, 8, WP);
    base[5] = 1, base[PAGE + 5] = 2;
    (void)*(volatile char *)(base + 2 * PAGE);
    SAY(request(fd, IOC_WRITEPROTECT, base, 8 * PAGE, 3, NULL));
    SAY(request(fd, IOC_WRITEPROTECT, base, 8 * PAGE, 4, NULL));
    SAY(request(fd, IOC_WRITEPROTECT, base, 0, 1, NULL));
    SAY(request(fd, IOC_WRITEPROTECT, base + 3, PAGE, 1, NULL));
    SAY(request(fd, IOC_WRITEPROTECT, base + 40 * PAGE, PAGE, 1, NULL));
    SAY(request(fd, IOC_WRITEPROTECT, base, 20 * PAGE, 1, NULL));
    SAY(ioctl(fd, IOC_WRITEPROTECT, NULL));
    show_pages("protected", 8);
    SAY(request(fd, IOC_WRITEPROTECT, base, PAGE, 2, NULL));
    SAY(mprotect(base, 8 * PAGE, PROT_READ));
    SAY(mprotect(base, 8 * PAGE, RW));
    show_pages("one freed", 8);
    touch("write", 0, true);
    touch("write", 3, true);
    SAY(madvise(base + PAGE, PAGE, MADV_DONTNEED));
    show_pages("dropped", 8);
    mmap(base + 8 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
    SAY(request(fd, IOC_WRITEPROTECT, base + 7 * PAGE, 2 * PAGE, 1, NULL));
    SAY(reg(fd, base, PAGE, MISSING));
    SAY(request(fd, IOC_WRITEPROTECT, base, PAGE, 1, NULL));
    printf("unpopulated, asynchronous\n");
    fresh(FEATURE(F_WP_ASYNC), 8, WP);
    base[5] = 1;
    (void)*(volatile char *)(base + PAGE);
    SAY(request(fd, IOC_WRITEPROTECT, base, 8 * PAGE, 1, NULL));
    show_pages("protected", 8);
    touch("write", 0, true);
    touch("write", 1, true);
    touch("write", 2, true);
    touch("read", 3, false);
    show_pages("touched", 8);
    fflush(stdout);
    if (fork() == 0) {
        show_pages("child", 8);
        show_areas("child");
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    show_pages("after fork", 8);
    SAY(madvise(base + 3 * PAGE, 2 * PAGE, MADV_DONTNEED));
    show_pages("dropped", 8);
    char *to = mremap(base + 4 * PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 20 * PAGE);
    printf("  moved: %d\n", to == base + 20 * PAGE);
    show_areas("moved");
    show_pages("moved", 24);
    SAY(request(fd, IOC_WRITEPROTECT, base, 4 * PAGE, 0, NULL));
    show_pages("resolved", 8);
}

static void bus_errors(void)
{
    printf("sigbus\n");
    int p[2];
    if (pipe(p))
        exit(1);
    fresh(FEATURE(F_SIGBUS) | FEATURE(F_WP_UNPOPULATED), 4, MISSING | WP);
    touch("read", 0, false);
    touch("write", 1, true);
    SAY(write(p[1], base, 10));
    SAY(madvise(base, PAGE, MADV_POPULATE_READ));
    SAY(madvise(base, PAGE, MADV_POPULATE_WRITE));
    SAY(mlock(base, PAGE));
    SAY(munlock(base, PAGE));
    SAY_DONE(COPIES(COPY, 0, src, 1, 2));
    touch("read", 0, false);
    touch("write", 0, true);
    SAY(write(p[1], src, 4));
    SAY(read(p[0], base + 2 * PAGE, 4));
    struct iovec local = {src, 8}, remote = {base + PAGE, 8};
    SAY(process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
    close(p[0]), close(p[1]);
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &sa, NULL);
    sigaction(SIGSEGV, &sa, NULL);
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    src = mmap(NULL, 8 * PAGE, RW, ANON, -1, 0);
    for (unsigned i = 0; i < 8 * PAGE; i++)
        src[i] = (char)(i % 251);
    descriptor();
    registering();
    filling();
    filling_shared();
    poisoning();
    moving();
    protecting();
    bus_errors();
    return 0;
}
