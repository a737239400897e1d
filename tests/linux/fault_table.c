/* SPDX-License-Identifier: MIT */
/*
 * What each kind of access costs and leaves: minor and major faults, kB that RssAnon, RssFile, RssShmem and VmPTE grow by, Pss of the
 * area in kB. Each situation runs in a process of its own. A row with a bound prints whether the count keeps it: the reason stands in
 * the block "faults" of docs/LINUX.md, which tests/docs/test_linux.c compares with the bounds here.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096ul
#define PAGES 64ul
#define LEN   (PAGES * PAGE)
#define MADV_POPULATE_READ_  22
#define MADV_POPULATE_WRITE_ 23

struct now {
    long minor, major, anon, file, shmem, pte;
};

static char text[1 << 16];
static int file_fd;
static char *area; /* whose Pss is shown */
static struct now before;

static long number(const char *name)
{
    const char *at = strstr(text, name);
    return at ? atol(at + strlen(name)) : -1;
}

static void read_status(const char *path)
{
    int fd = open(path, O_RDONLY);
    ssize_t n, len = 0;
    while ((n = read(fd, text + len, sizeof(text) - 1 - (size_t)len)) > 0)
        len += n;
    text[len] = 0;
    close(fd);
}

static struct now measure(void)
{
    struct rusage ru;
    struct now n;
    getrusage(RUSAGE_SELF, &ru);
    n.minor = ru.ru_minflt;
    n.major = ru.ru_majflt;
    read_status("/proc/self/status");
    n.anon = number("RssAnon:");
    n.file = number("RssFile:");
    n.shmem = number("RssShmem:");
    n.pte = number("VmPTE:");
    return n;
}

extern char __executable_start[], etext[];
static volatile char *frame_above;

/* Touches what measuring touches, and the program's code, so that they are not counted. */
static void settle(void)
{
    volatile char below[8 * PAGE];
    for (char *p = __executable_start; p < etext; p += PAGE)
        (void)*(volatile char *)p;
    *frame_above = 1;
    for (unsigned long i = 0; i < sizeof(below); i += 256)
        below[i] = 1;
    memset(text, 1, sizeof(text));
    for (int i = 0; i < 3; i++)
        before = measure();
}

static long pss(void)
{
    char start[32];
    snprintf(start, sizeof(start), "%lx-", (unsigned long)area);
    read_status("/proc/self/smaps");
    char *at = strstr(text, start);
    char *line = at ? strstr(at, "\nPss:") : NULL;
    return line ? atol(line + 5) : -1;
}

static void look(char *p, unsigned long n)
{
    for (unsigned long i = 0; i < n; i++)
        (void)*(volatile char *)(p + i * PAGE);
}
static void touch(char *p, unsigned long n)
{
    for (unsigned long i = 0; i < n; i++)
        *(volatile char *)(p + i * PAGE) = 1;
}
/* In 2 MiB of its own: page tables are counted from nothing. */
static char *map_at(unsigned long len, int flags, int fd, int prot)
{
    static unsigned long next = 0x200000000000ul;
    char *p = mmap((void *)next, len, prot, flags | MAP_FIXED_NOREPLACE, fd, 0);
    next += (len + (4ul << 20)) & ~((2ul << 20) - 1);
    area = p;
    return p;
}
#define RW (PROT_READ | PROT_WRITE)
static char *anon(unsigned long len)
{
    return map_at(len, MAP_PRIVATE | MAP_ANONYMOUS, -1, RW);
}
static void start(void)
{
    settle();
}

static void anon_read(void) { char *p = anon(LEN); start(); look(p, PAGES); }
static void anon_write(void) { char *p = anon(LEN); start(); touch(p, PAGES); }
static void zero_then_write(void) { char *p = anon(LEN); look(p, PAGES); start(); touch(p, PAGES); }
static void write_again(void) { char *p = anon(LEN); touch(p, PAGES); start(); touch(p, PAGES); }
static void populate(void) { settle(); map_at(LEN, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, RW); }
static void populate_shared(void) { settle(); map_at(LEN, MAP_SHARED | MAP_POPULATE, file_fd, RW); }
static void populate_read(void) { char *p = anon(LEN); start(); madvise(p, LEN, MADV_POPULATE_READ_); }
static void populate_write(void) { char *p = anon(LEN); start(); madvise(p, LEN, MADV_POPULATE_WRITE_); }
static void after_populate(void) { char *p = map_at(LEN, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, RW); start(); touch(p, PAGES); }
static void private_read(void) { char *p = map_at(LEN, MAP_PRIVATE, file_fd, RW); start(); look(p, PAGES); }
static void private_write(void) { char *p = map_at(LEN, MAP_PRIVATE, file_fd, RW); start(); touch(p, PAGES); }
static void private_read_write(void) { char *p = map_at(LEN, MAP_PRIVATE, file_fd, RW); look(p, PAGES); start(); touch(p, PAGES); }
static void shared_read(void) { char *p = map_at(LEN, MAP_SHARED, file_fd, RW); start(); look(p, PAGES); }
static void shared_write(void) { char *p = map_at(LEN, MAP_SHARED, file_fd, RW); start(); touch(p, PAGES); }
static void shared_read_write(void) { char *p = map_at(LEN, MAP_SHARED, file_fd, RW); look(p, PAGES); start(); touch(p, PAGES); }
static void one_of_a_window(void) { char *p = map_at(LEN, MAP_SHARED, file_fd, PROT_READ); start(); look(p + 20 * PAGE, 1); }
static void random_advice(void) { char *p = map_at(LEN, MAP_SHARED, file_fd, PROT_READ); madvise(p, LEN, MADV_RANDOM); start(); look(p, PAGES); }
static void memfd_write(void)
{
    int fd = memfd_create("fault_table", 0);
    if (ftruncate(fd, LEN))
        _exit(1);
    char *p = map_at(LEN, MAP_SHARED, fd, RW);
    start();
    touch(p, PAGES);
}
static void memfd_read_hole(void)
{
    int fd = memfd_create("fault_table", 0);
    if (ftruncate(fd, LEN))
        _exit(1);
    char *p = map_at(LEN, MAP_SHARED, fd, RW);
    start();
    look(p, PAGES);
}
static void shared_anon(void) { char *p = map_at(LEN, MAP_SHARED | MAP_ANONYMOUS, -1, RW); start(); touch(p, PAGES); }
static void dontneed(void) { char *p = anon(LEN); touch(p, PAGES); start(); madvise(p, LEN, MADV_DONTNEED); touch(p, PAGES / 2); }
static void dontneed_file(void) { char *p = map_at(LEN, MAP_SHARED, file_fd, RW); look(p, PAGES); start(); madvise(p, LEN, MADV_DONTNEED); }
static void unmap_half(void) { char *p = anon(LEN); touch(p, PAGES); start(); munmap(p, LEN / 2); }
static void unmap_all(void) { char *p = anon(LEN); touch(p, PAGES); start(); munmap(p, LEN); }
static void protect(void)
{
    char *p = anon(LEN);
    touch(p, PAGES);
    start();
    mprotect(p, LEN, PROT_READ);
    look(p, PAGES);
    mprotect(p, LEN, RW);
    touch(p, PAGES);
}
static void move(void)
{
    char *p = anon(LEN), *q = anon(LEN);
    touch(p, PAGES);
    start();
    mremap(p, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, q);
    touch(q, PAGES);
}
static void grow(void)
{
    char *p = anon(LEN);
    touch(p, PAGES);
    start();
    area = mremap(p, LEN, 2 * LEN, MREMAP_MAYMOVE);
    touch(area, 2 * PAGES);
}
static void heap(void) { char *p = sbrk(0); start(); sbrk(LEN); touch((char *)(((unsigned long)p + PAGE - 1) & ~(PAGE - 1)), PAGES - 1); }
static __attribute__((noinline)) void deep(unsigned long n)
{
    volatile char frame[PAGE];
    frame[0] = 1;
    if (n)
        deep(n - 1);
    frame[PAGE - 1] = frame[0];
}
static void stack(void) { start(); deep(60); }
static void straddle(void) { char *p = anon(LEN); start(); for (unsigned long i = 1; i < PAGES; i += 2) *(volatile long *)(p + i * PAGE - 4) = 1; }
static void partial_file(void)
{
    int fd = memfd_create("fault_table", 0);
    if (pwrite(fd, "x", 1, (off_t)(3 * PAGE + 5)) != 1)
        _exit(1);
    char *p = map_at(LEN, MAP_PRIVATE, fd, RW);
    start();
    look(p, 4);
    touch(p + 3 * PAGE, 1);
}
static void lock(void) { char *p = anon(LEN); touch(p, PAGES / 2); start(); mlock(p, LEN); }
static void lock_on_fault(void) { char *p = anon(LEN); start(); mlock2(p, LEN, MLOCK_ONFAULT); touch(p, PAGES / 2); }
static void two_tables(void) { char *p = anon(8ul << 20); start(); for (unsigned long i = 0; i < 8; i++) p[i << 20] = 1; }
static void sparse(void) { char *p = anon(4ul << 30); start(); for (unsigned long i = 0; i < 4; i++) p[i << 30] = 1; }

static void forked(void (*parent_does)(char *), void (*child_does)(char *), unsigned long pages)
{
    char *p = anon(pages * PAGE);
    int ready[2], done[2];
    char c;
    touch(p, pages);
    if (pipe(ready) || pipe(done))
        _exit(1);
    pid_t pid = fork();
    if (!pid) {
        if (child_does) {
            start();
            child_does(p);
            return; /* the child's are shown; the parent waits */
        }
        (void)!write(ready[1], "x", 1);
        (void)!read(done[0], &c, 1);
        _exit(0);
    }
    if (child_does) {
        int status;
        waitpid(pid, &status, 0);
        _exit(0);
    }
    (void)!read(ready[0], &c, 1);
    start();
    parent_does(p);
}
static void one(char *p) { touch(p, 1); }
static void all(char *p) { touch(p, PAGES); }
static void many(char *p) { touch(p, 512); }
static void reads(char *p) { look(p, PAGES); }
static void nothing(char *p) { (void)p; }
static void fork_parent_one(void) { forked(one, NULL, PAGES); }
static void fork_parent_all(void) { forked(all, NULL, PAGES); }
static void fork_child_reads(void) { forked(NULL, reads, PAGES); }
static void fork_child_one(void) { forked(NULL, one, PAGES); }
static void fork_child_all(void) { forked(NULL, all, PAGES); }
static void fork_child_2m(void) { forked(NULL, many, 512); }
static void fork_child_idle(void) { forked(NULL, nothing, PAGES); }
static void fork_gone(void)
{
    char *p = anon(LEN);
    touch(p, PAGES);
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    waitpid(pid, NULL, 0);
    start();
    touch(p, PAGES);
}
static void fork_file(void)
{
    char *p = map_at(LEN, MAP_SHARED, file_fd, RW);
    touch(p, PAGES);
    fflush(stdout);
    pid_t pid = fork();
    if (pid) {
        waitpid(pid, NULL, 0);
        _exit(0);
    }
    start();
    look(p, PAGES);
}
static void *thread(void *arg)
{
    deep(10);
    return arg;
}
static void thread_stack(void)
{
    pthread_t t;
    pthread_attr_t attr;
    char *p = anon(1ul << 20);
    pthread_attr_init(&attr);
    pthread_attr_setstack(&attr, p, 1ul << 20);
    start();
    pthread_create(&t, &attr, thread, NULL);
    pthread_join(t, NULL);
}

/* A program's own faults from its first instruction to main, and on the way there the kernel's for it. */
static void exec_self(void)
{
    char before_exec[32];
    struct rusage ru;
    getrusage(RUSAGE_SELF, &ru);
    snprintf(before_exec, sizeof(before_exec), "%ld", ru.ru_minflt);
    execl("/proc/self/exe", "fault_table", before_exec, (char *)NULL);
    _exit(1);
}

/* Bounds: what Linux has; -1: equal. Of minor faults, and of kB of page tables. */
static const struct situation {
    const char *name;
    void (*run)(void);
    long minor_bound, pte_bound;
} situations[] = {
#define EQUAL(f) {#f, f, -1, -1}
#define BOUND(f, minor, pte) {#f, f, minor, pte}
    EQUAL(anon_read), EQUAL(anon_write), EQUAL(zero_then_write), EQUAL(write_again), EQUAL(populate), EQUAL(populate_shared),
    EQUAL(populate_read), EQUAL(populate_write), EQUAL(after_populate), EQUAL(private_read), EQUAL(private_write),
    EQUAL(private_read_write), EQUAL(shared_read), EQUAL(shared_write), EQUAL(shared_read_write), EQUAL(one_of_a_window),
    EQUAL(random_advice), EQUAL(memfd_write), EQUAL(memfd_read_hole), EQUAL(shared_anon), EQUAL(dontneed), EQUAL(dontneed_file),
    EQUAL(unmap_half), EQUAL(unmap_all), EQUAL(protect), EQUAL(move), EQUAL(grow), EQUAL(heap), EQUAL(stack), EQUAL(straddle),
    EQUAL(partial_file), EQUAL(lock), EQUAL(lock_on_fault), EQUAL(two_tables), EQUAL(sparse), EQUAL(fork_parent_one),
    EQUAL(fork_parent_all), EQUAL(fork_child_reads), EQUAL(fork_child_one), EQUAL(fork_child_all), EQUAL(fork_child_2m),
    EQUAL(fork_child_idle), BOUND(fork_gone, 64, -1), EQUAL(fork_file), EQUAL(thread_stack), EQUAL(exec_self),
};

static void put(const char *name, long value, long bound)
{
    if (bound >= 0)
        printf(" %s %s%ld", name, value <= bound ? "<=" : "EXCEEDS ", value <= bound ? bound : value);
    else
        printf(" %s %ld", name, value);
}

static void run(const struct situation *s)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid) {
        waitpid(pid, NULL, 0);
        return;
    }
    volatile char here = 0;
    frame_above = &here;
    s->run();
    struct now n = measure();
    printf("%-20s", s->name);
    put("minor", n.minor - before.minor, s->minor_bound);
    put("major", n.major - before.major, -1);
    printf(" anon %ld file %ld shmem %ld", n.anon - before.anon, n.file - before.file, n.shmem - before.shmem);
    put("pte", n.pte - before.pte, s->pte_bound);
    printf(" pss %ld\n", pss());
    fflush(stdout);
    _exit(0);
}

int main(int argc, char **argv)
{
    static char block[LEN];
    if (argc > 1) {
        struct rusage ru;
        getrusage(RUSAGE_SELF, &ru);
        printf("exec_self            minor %ld major %ld\n", ru.ru_minflt - atol(argv[1]), ru.ru_majflt);
        fflush(stdout);
        return 0;
    }
    /* Where the heap lies decides whether it needs a table of its own. */
    if (!(personality(0xffffffff) & ADDR_NO_RANDOMIZE)) {
        personality(ADDR_NO_RANDOMIZE);
        execl("/proc/self/exe", "fault_table", (char *)NULL);
        return 1;
    }
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    file_fd = open("/dev/shm/fault_table.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
    unlink("/dev/shm/fault_table.data");
    memset(block, 1, sizeof(block));
    if (file_fd < 0 || write(file_fd, block, LEN) != (ssize_t)LEN)
        return 1;
    for (unsigned i = 0; i < sizeof(situations) / sizeof(situations[0]); i++)
        run(&situations[i]);
    return 0;
}
