/* SPDX-License-Identifier: MIT */
/*
 * userfaultfd, the messages: threads and processes that fault, and a monitor that answers them or lets them wait. The outputs
 * under two kernels must be the same.
 */
#include "uffd.h"

static char *src;
static int fd;

static void say(const char *what, long r)
{
    printf("  %s = %s\n", what, result(r));
}

/* Addresses as page+offset from base. */
static const char *place(uint64_t a)
{
    static char text[4][48];
    static int turn;
    char *t = text[turn++ % 4];
    snprintf(t, 48, "%ld+%ld", (long)(a - (uintptr_t)base) / (long)PAGE, (long)(a % PAGE));
    return t;
}

static void show(const struct msg *m, pid_t tid)
{
    switch (m->event) {
    case 0x12:
        printf("  fault: flags %#lx at %s, thread %s\n", m->a, place(m->b),
               (uint32_t)m->c == 0 ? "none" : (pid_t)m->c == tid ? "right" : "wrong");
        break;
    case 0x13:
        printf("  fork: %s\n", (int32_t)m->a >= 0 ? "a descriptor" : "?");
        break;
    case 0x14:
        printf("  remap: %s to %s, %lu pages\n", place(m->a), place(m->b), m->c / PAGE);
        break;
    default:
        printf("  event %#x: %s to %s\n", m->event, place(m->a), place(m->b));
    }
}

static struct msg next_msg(int u)
{
    struct msg m = {0};
    struct pollfd p = {u, POLLIN, 0};
    if (poll(&p, 1, 20000) != 1 || read(u, &m, sizeof(m)) != sizeof(m)) {
        printf("  no message: %s\n", strerror(errno));
        fflush(stdout);
        _exit(1);
    }
    return m;
}

static void fresh(uint64_t features, int pages, int modes)
{
    if (fd)
        close(fd);
    area(pages);
    fd = uffd_with(features, O_CLOEXEC | O_NONBLOCK);
    if (modes && reg(fd, base, (size_t)pages * PAGE, modes))
        printf("  register: %s\n", result(-1));
}

/* ---- work for another thread ---- */
struct job {
    long (*fn)(void *);
    void *arg;
    volatile pid_t tid;
    long r;
    int err;
    pthread_t thread;
};

static void *run_job(void *arg)
{
    struct job *j = arg;
    j->tid = (pid_t)syscall(SYS_gettid);
    errno = 0;
    j->r = j->fn(j->arg);
    j->err = errno;
    return NULL;
}

static struct job *start(long (*fn)(void *), void *arg)
{
    struct job *j = calloc(1, sizeof(*j));
    j->fn = fn;
    j->arg = arg;
    pthread_create(&j->thread, NULL, run_job, j);
    while (!j->tid)
        usleep(100);
    return j;
}

static void finish(const char *what, struct job *j)
{
    pthread_join(j->thread, NULL);
    errno = j->err;
    say(what, j->r);
    free(j);
}

static long do_read(void *p)
{
    return *(volatile char *)p;
}
static long do_write(void *p)
{
    *(volatile char *)p = 9;
    return *(volatile char *)p;
}
static long do_dontneed(void *p)
{
    return madvise(p, 2 * PAGE, MADV_DONTNEED);
}
static long do_munmap(void *p)
{
    return munmap(p, 3 * PAGE);
}
static long do_mmap_over(void *p)
{
    return mmap(p, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0) == p ? 0 : -1;
}
static long do_mremap(void *p)
{
    return mremap(p, 4 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 32 * PAGE) == base + 32 * PAGE ? 0 : -1;
}
static long do_fork(void *p)
{
    pid_t child = fork();
    if (!child) {
        ((volatile char *)p)[PAGE]++; /* a fault of the child's own */
        _exit(((volatile char *)p)[PAGE]);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
static int pipe_fd[2];
static long do_syscall(void *p)
{
    return write(pipe_fd[1], p, 8);
}
static long do_populate(void *p)
{
    return madvise(p, 2 * PAGE, MADV_POPULATE_WRITE);
}

static void answer(int u, const struct msg *m)
{
    long done;
    void *at = (void *)(m->b & ~(PAGE - 1));
    if (m->a & 2)
        request(u, IOC_WRITEPROTECT, at, PAGE, 0, NULL);
    else if (m->a & 4)
        request(u, IOC_CONTINUE, at, PAGE, 0, &done);
    else
        copy_pages(u, IOC_COPY, at, src, PAGE, 0, &done);
}

static void faults(void)
{
    printf("faults\n");
    fresh(FEATURE(F_THREAD_ID), 16, MISSING | WP);
    struct job *j = start(do_read, base + PAGE + 7);
    struct msg m = next_msg(fd);
    show(&m, j->tid);
    answer(fd, &m);
    finish("read", j);
    j = start(do_write, base + 2 * PAGE + 7);
    m = next_msg(fd);
    show(&m, j->tid);
    say("wake alone", request(fd, IOC_WAKE, base + 2 * PAGE, PAGE, 0, NULL));
    m = next_msg(fd); /* and it is there again */
    show(&m, j->tid);
    answer(fd, &m);
    finish("write", j);
    request(fd, IOC_WRITEPROTECT, base + 2 * PAGE, PAGE, 1, NULL);
    j = start(do_write, base + 2 * PAGE + 9);
    m = next_msg(fd);
    show(&m, j->tid);
    answer(fd, &m);
    finish("write to a protected page", j);
    fresh(FEATURE(F_EXACT), 16, MISSING);
    j = start(do_write, base + PAGE + 77);
    m = next_msg(fd);
    show(&m, 0);
    long done;
    say("zeropage, no wake", request(fd, IOC_ZEROPAGE, base + PAGE, PAGE, 1, &done));
    say("wake", request(fd, IOC_WAKE, base + PAGE, PAGE, 0, NULL));
    finish("write", j);
    int mem = memfd_create("m", 0);
    if (ftruncate(mem, 8 * PAGE) || pwrite(mem, "x", 1, PAGE) != 1)
        exit(1);
    fresh(0, 8, 0);
    mmap(base, 8 * PAGE, RW, MAP_SHARED | MAP_FIXED, mem, 0);
    say("register", reg(fd, base, 8 * PAGE, MISSING | MINOR | WP));
    for (int page = 1; page <= 2; page++) {
        j = start(do_write, base + page * PAGE);
        m = next_msg(fd);
        show(&m, 0);
        answer(fd, &m);
        finish("write", j);
    }
    request(fd, IOC_WRITEPROTECT, base, 8 * PAGE, 1, NULL);
    for (int page = 2; page <= 3; page++) {
        j = start(do_write, base + page * PAGE);
        m = next_msg(fd);
        show(&m, 0);
        answer(fd, &m);
        finish("write after protection", j);
    }
    close(mem);
}

static void several(void)
{
    struct msg m[4];
    struct pollfd p = {.events = POLLIN};
    printf("several at once\n");
    fresh(0, 16, MISSING);
    p.fd = fd;
    struct job *j[3];
    for (int i = 0; i < 3; i++) {
        j[i] = start(do_read, base + i * PAGE);
        for (int n = 0; n < 10000; n++) { /* until it is pending */
            unsigned long pending = 0;
            char path[64], line[128];
            snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
            FILE *f = fopen(path, "r");
            while (fgets(line, sizeof(line), f))
                sscanf(line, "pending: %lu", &pending);
            fclose(f);
            if (pending == (unsigned long)i + 1)
                break;
            usleep(1000);
        }
    }
    say("poll", poll(&p, 1, 1000));
    say("read 40 bytes", read(fd, m, 40));
    show(&m[0], 0);
    say("read the rest", read(fd, m, sizeof(m)));
    show(&m[0], 0);
    show(&m[1], 0);
    say("read again", read(fd, m, sizeof(m)));
    say("poll", poll(&p, 1, 0));
    long done;
    say("copy all", copy_pages(fd, IOC_COPY, base, src, 3 * PAGE, 0, &done));
    for (int i = 0; i < 3; i++)
        finish("read", j[i]);
    j[0] = start(do_read, base + 5 * PAGE);
    m[0] = next_msg(fd);
    close(fd);
    fd = 0;
    finish("read, descriptor closed", j[0]);
}

static void on_signal(int sig)
{
    (void)sig;
}

static volatile int handled;
static void on_usr1(int sig)
{
    handled = sig == SIGUSR1;
}

static void kernel_and_signals(void)
{
    printf("kernel accesses and signals\n");
    if (pipe(pipe_fd))
        exit(1);
    fresh(0, 16, MISSING);
    struct job *j = start(do_syscall, base + 3);
    struct msg m = next_msg(fd);
    show(&m, 0);
    answer(fd, &m);
    finish("write from missing memory", j);
    j = start(do_populate, base + PAGE);
    for (int i = 0; i < 2; i++) {
        m = next_msg(fd);
        show(&m, 0);
        answer(fd, &m);
    }
    finish("populate", j);
    signal(SIGUSR1, on_usr1);
    j = start(do_read, base + 4 * PAGE);
    m = next_msg(fd);
    pthread_kill(j->thread, SIGUSR1);
    m = next_msg(fd); /* the handler ran, and the access came again */
    printf("  handled %d\n", handled);
    show(&m, 0);
    answer(fd, &m);
    finish("read", j);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        struct iovec to = {src, 8}, from = {base + 8 * PAGE + 1, 8};
        long r = process_vm_readv(getppid(), &to, 1, &from, 1, 0);
        _exit(r == 8 ? src[1] : 77);
    }
    m = next_msg(fd);
    show(&m, 0);
    answer(fd, &m);
    int status;
    waitpid(child, &status, 0);
    printf("  another process read %d\n", WEXITSTATUS(status));
    child = fork();
    if (!child) {
        int mem;
        char path[64], c;
        snprintf(path, sizeof(path), "/proc/%d/mem", getppid());
        mem = open(path, O_RDONLY);
        _exit(pread(mem, &c, 1, (off_t)(uintptr_t)(base + 9 * PAGE)) == 1 ? 1 : errno);
    }
    waitpid(child, &status, 0);
    printf("  /proc/PID/mem: %s\n", strerrorname_np(WEXITSTATUS(status)) ? strerrorname_np(WEXITSTATUS(status)) : "read");
    close(fd);
    area(4);
    fd = open_uffd(UFFD_USER_MODE_ONLY | O_NONBLOCK);
    struct api a = {0xaa, 0, 0};
    ioctl(fd, IOC_API, &a);
    reg(fd, base, 4 * PAGE, MISSING);
    say("user mode only: write(2)", write(pipe_fd[1], base, 1));
    j = start(do_read, base);
    m = next_msg(fd);
    show(&m, 0);
    answer(fd, &m);
    finish("user mode only: read", j);
    child = fork(); /* a killed thread leaves its fault */
    if (!child) {
        reg(uffd_with(0, 0), base, 4 * PAGE, WP);
        int own = uffd_with(0, 0);
        char *p = mmap(NULL, PAGE, RW, ANON, -1, 0);
        reg(own, p, PAGE, MISSING);
        _exit(*(volatile char *)p);
    }
    usleep(200000);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    printf("  killed by %d\n", WTERMSIG(status));
    close(pipe_fd[0]), close(pipe_fd[1]);
}

static void layout(void)
{
    struct msg m;
    long done;
    printf("layout\n");
    fresh(FEATURE(F_REMOVE) | FEATURE(F_UNMAP) | FEATURE(F_REMAP), 24, MISSING);
    struct job *j = start(do_dontneed, base + PAGE);
    struct pollfd p = {fd, POLLIN, 0};
    poll(&p, 1, 20000);
    say("copy meanwhile", copy_pages(fd, IOC_COPY, base, src, PAGE, 0, &done));
    say("zeropage meanwhile", request(fd, IOC_ZEROPAGE, base, PAGE, 0, &done));
    say("wake meanwhile", request(fd, IOC_WAKE, base, PAGE, 0, NULL));
    m = next_msg(fd);
    show(&m, 0);
    finish("madvise", j);
    say("copy", copy_pages(fd, IOC_COPY, base, src, PAGE, 0, &done));
    j = start(do_munmap, base + 22 * PAGE);
    m = next_msg(fd);
    show(&m, 0);
    finish("munmap", j);
    j = start(do_mmap_over, base + 10 * PAGE);
    m = next_msg(fd);
    show(&m, 0);
    finish("mmap over it", j);
    j = start(do_mremap, base + 4 * PAGE);
    for (int i = 0; i < 3; i++) {
        m = next_msg(fd);
        show(&m, 0);
    }
    finish("mremap, shorter", j);
    j = start(do_read, base + 33 * PAGE);
    m = next_msg(fd);
    show(&m, 0);
    answer(fd, &m);
    finish("read at the new place", j);
}

static void forks(void)
{
    printf("fork\n");
    for (int with = 0; with < 2; with++) {
        fresh(FEATURE(F_THREAD_ID) | (with ? FEATURE(F_FORK) : 0), 8, MISSING | WP);
        long done;
        copy_pages(fd, IOC_COPY, base + PAGE, src, PAGE, 2, &done);
        struct job *j = start(do_fork, base);
        if (with) {
            struct msg m = next_msg(fd);
            show(&m, 0);
            int child = (int)m.a;
            char path[64], link[64] = "";
            snprintf(path, sizeof(path), "/proc/self/fd/%d", child);
            say("link", readlink(path, link, 60));
            printf("  %s, flags %#x %d\n", link, fcntl(child, F_GETFL), fcntl(child, F_GETFD));
            m = next_msg(child);
            show(&m, 0);
            answer(child, &m);
            finish("fork", j);
            close(child);
        } else {
            finish("fork", j);
        }
    }
}

int main(void)
{
    signal(SIGALRM, on_signal);
    src = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);
    for (unsigned i = 0; i < 4 * PAGE; i++)
        src[i] = (char)(i % 101 + 1);
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    faults();
    several();
    kernel_and_signals();
    layout();
    forks();
    return 0;
}
