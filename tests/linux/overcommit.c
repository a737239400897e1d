/* SPDX-License-Identifier: MIT */
/* Overcommit 0, 1 and 2: what is promised and to whom, the limit and its knobs, the reserves of root and of the user. */
#include "say.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/shm.h>

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)

static long meminfo(const char *what)
{
    char line[256];
    long kb = -1;
    FILE *f = fopen("/proc/meminfo", "r");
    while (fgets(line, sizeof(line), f))
        if (!strncmp(line, what, strlen(what)))
            kb = atol(line + strlen(what));
    fclose(f);
    return kb;
}
static long committed(void)
{
    return meminfo("Committed_AS:");
}

static int knob(const char *name, const char *value)
{
    char path[128];
    snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
    int fd = open(path, O_WRONLY);
    int r = fd < 0 ? -1 : (int)write(fd, value, strlen(value));
    if (fd >= 0)
        close(fd);
    return r < 0 ? -1 : 0;
}
static long get(const char *name)
{
    char path[128], text[32] = "";
    snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
    int fd = open(path, O_RDONLY);
    read(fd, text, sizeof(text) - 1);
    close(fd);
    return atol(text);
}

/* How much the charge rises, in MiB, to the nearest: others run beside us. */
static long charge;
static void begin(void)
{
    charge = committed();
}
static void ended(const char *what)
{
    printf("%s: %ld MiB\n", what, (committed() - charge + 512 + (1 << 20)) / 1024 - 1024);
}
#define CHARGE(call)                                                                               \
    do {                                                                                           \
        begin();                                                                                   \
        void *got = (void *)(long)(call);                                                                \
        ended(got == MAP_FAILED ? #call " failed" : #call);                                        \
    } while (0)

static void charges(void)
{
    size_t m = 64 << 20;
    char *p;
    CHARGE(p = mmap(NULL, m, RW, ANON, -1, 0));
    CHARGE(mprotect(p, m / 2, PROT_READ));
    CHARGE(mprotect(p, m / 2, RW));
    memset(p, 1, PAGE);
    CHARGE(mprotect(p, m / 2, PROT_READ));
    CHARGE(mprotect(p, m, PROT_NONE));
    CHARGE(munmap(p, m));
    CHARGE(p = mmap(NULL, m, PROT_READ, ANON, -1, 0));
    CHARGE(mprotect(p, m, RW));
    CHARGE(p = mremap(p, m, 2 * m, MREMAP_MAYMOVE));
    CHARGE(p = mremap(p, 2 * m, m, MREMAP_MAYMOVE));
    CHARGE(munmap(p, m));
    CHARGE(p = mmap(NULL, m, RW, ANON | MAP_NORESERVE, -1, 0));
    CHARGE(munmap(p, m));
    CHARGE(p = mmap(NULL, m, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    CHARGE(mprotect(p, m, PROT_READ));
    CHARGE(munmap(p, m));
    CHARGE(p = mmap(NULL, m, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    CHARGE(munmap(p, m));
    int fd = open("/proc/self/exe", O_RDONLY);
    CHARGE(p = mmap(NULL, m, PROT_READ, MAP_PRIVATE, fd, 0));
    CHARGE(munmap(p, m));
    CHARGE(p = mmap(NULL, m, RW, MAP_PRIVATE, fd, 0));
    CHARGE(munmap(p, m));
    int id = -1;
    begin();
    id = shmget(IPC_PRIVATE, m, 0600);
    ended("shmget");
    begin();
    p = shmat(id, NULL, 0);
    ended("shmat");
    shmdt(p);
    begin();
    shmctl(id, IPC_RMID, NULL);
    ended("removed");
    begin();
    id = shmget(IPC_PRIVATE, m, 0600 | 010000 /* SHM_NORESERVE */);
    ended("shmget without reserve");
    shmctl(id, IPC_RMID, NULL);
    begin();
    sbrk(m);
    ended("brk");
    begin();
    sbrk(-(long)m);
    ended("brk back");
    p = mmap(NULL, m, RW, ANON, -1, 0);
    begin();
    pid_t pid = fork();
    if (!pid) {
        pause();
        _exit(0);
    }
    usleep(20000);
    printf("fork charges at least: %d\n", committed() - charge >= 64 << 10);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    munmap(p, m);
}

static const char *fits(size_t bytes, int flags)
{
    char *p = mmap(NULL, bytes, RW, ANON | flags, -1, 0);
    if (p == MAP_FAILED)
        return answer(-1);
    munmap(p, bytes);
    return "fits";
}

static size_t ram;
static void heuristic(void)
{
    printf("half of RAM: %s\n", fits(ram / 2, 0));
    printf("twice RAM: %s\n", fits(2 * ram, 0));
    printf("twice RAM without reserve: %s\n", fits(2 * ram, MAP_NORESERVE));
    char *p = mmap(NULL, 2 * ram, PROT_READ, ANON, -1, 0);
    SAY(mprotect(p, 2 * ram, RW));
    SAY(mmap(NULL, 2 * ram, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    SAY(sbrk((long)(2 * ram)));
}

/* What is left under the limit, measured by a mapping that just fits, against the formula. */
static void headroom(void)
{
    long limit = meminfo("CommitLimit:"), used = committed(), low = 0, high = limit * 2;
    while (high - low > 64) {
        long mid = (low + high) / 2;
        if (!strcmp(fits((size_t)mid << 10, 0), "fits"))
            low = mid;
        else
            high = mid;
    }
    long reserve = limit - used - low;
    printf("kept back: %ld MiB\n", (reserve + 512) / 1024);
}

static void as_user(void)
{
    setresuid(1000, 1000, 1000);
    headroom();
}
static void big_as_user(void)
{
    setresuid(1000, 1000, 1000);
    mmap(NULL, 1ul << 32, PROT_NONE, ANON, -1, 0); /* 1/32 of it is 128 MiB */
    headroom();
}

static void strict(void)
{
    printf("limit is the ratio: %d\n", labs(meminfo("CommitLimit:") - meminfo("MemTotal:") * get("overcommit_ratio") / 100) < 16);
    SAY(knob("admin_reserve_kbytes", "0"));
    SAY(knob("user_reserve_kbytes", "0"));
    headroom();
    CHILD(as_user);
    SAY(knob("admin_reserve_kbytes", "20480"));
    headroom();
    CHILD(as_user);
    SAY(knob("user_reserve_kbytes", "40960"));
    headroom();
    CHILD(big_as_user);
    printf("without reserve: %s\n", fits(2 * ram, MAP_NORESERVE));
    SAY(shmget(IPC_PRIVATE, 2 * ram, 0600 | 010000) >= 0);
    SAY(mmap(NULL, 2 * ram, PROT_READ, ANON, -1, 0));
    SAY(mmap(NULL, 2 * ram, RW, ANON, -1, 0));
    SAY(mmap(NULL, 2 * ram, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    SAY(brk((char *)sbrk(0) + 2 * ram));
    SAY(knob("overcommit_kbytes", "409600"));
    printf("ratio %ld kbytes %ld limit %ld\n", get("overcommit_ratio"), get("overcommit_kbytes"), meminfo("CommitLimit:"));
    SAY(knob("overcommit_ratio", "70"));
    printf("ratio %ld kbytes %ld\n", get("overcommit_ratio"), get("overcommit_kbytes"));
    printf("limit is the ratio: %d\n", labs(meminfo("CommitLimit:") - meminfo("MemTotal:") * get("overcommit_ratio") / 100) < 16);
    SAY(knob("overcommit_ratio", "50"));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    ram = (size_t)meminfo("MemTotal:") << 10;
    printf("defaults %ld %ld %ld\n", get("overcommit_memory"), get("overcommit_ratio"), get("overcommit_kbytes"));
    printf("admin reserve %ld, user reserve a 32nd: %d\n", get("admin_reserve_kbytes"),
           labs(get("user_reserve_kbytes") * 32 - meminfo("MemTotal:")) < meminfo("MemTotal:") / 8);
    SAY(knob("overcommit_memory", "3"));
    SAY(knob("overcommit_memory", "-1"));
    charges();
    CHILD(heuristic);
    SAY(knob("overcommit_memory", "1"));
    printf("twice RAM: %s\n", fits(2 * ram, 0));
    SAY(knob("overcommit_memory", "2"));
    CHILD(strict);
    SAY(knob("overcommit_memory", "0"));
    return 0;
}
