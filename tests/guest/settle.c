/* SPDX-License-Identifier: MIT */
/*
 * Nothing stays behind: processes of nobody that make random calls, several rounds of them; after each round all end, caches
 * are dropped, and what the kernel holds is compared with what it held after the first: objects of each slab cache, kernel
 * stacks, page tables, free memory. A call that leaks an object shows as a cache that grows with the rounds.
 *
 *   settle [ROUNDS] [SEED] [FROM TO]     only calls FROM to TO of the table below: to find out which one it is
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN 24
#define CALLS    400
#define WINDOW   0x10000000ul
#define PAGE     4096ul

static uint64_t state;
static uint64_t any(uint64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % n;
}

/* ---- load ---- */

static const short calls[] = {
    SYS_mmap, SYS_mmap, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_madvise, SYS_msync, SYS_mlock, SYS_mlock2,
    SYS_munlock, SYS_mlockall, SYS_munlockall, SYS_brk, SYS_mincore, SYS_remap_file_pages, SYS_memfd_create, SYS_ftruncate,
    SYS_fallocate, SYS_shmget, SYS_shmat, SYS_shmdt, SYS_shmctl, SYS_userfaultfd, SYS_pkey_alloc, SYS_pkey_free,
    SYS_pkey_mprotect, SYS_process_vm_readv, SYS_process_madvise, 462 /* mseal */, SYS_memfd_secret, SYS_pipe2, SYS_dup,
    SYS_close, SYS_eventfd2, SYS_epoll_create1, SYS_epoll_ctl, SYS_timerfd_create, SYS_timerfd_settime, SYS_signalfd4,
    SYS_inotify_init1, SYS_inotify_add_watch, SYS_socketpair, SYS_socket, SYS_bind, SYS_sendmsg, SYS_write, SYS_read,
    SYS_splice, SYS_tee, SYS_vmsplice, SYS_sendfile, SYS_open, SYS_openat, SYS_mkdir, SYS_rename, SYS_link, SYS_symlink,
    SYS_unlink, SYS_chdir, SYS_fcntl, SYS_flock, SYS_setrlimit, SYS_prlimit64, SYS_prctl, SYS_personality, SYS_futex,
    SYS_set_robust_list, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_sigaltstack, SYS_rt_sigqueueinfo, SYS_timer_create,
    SYS_timer_settime, SYS_timer_delete, SYS_setitimer, SYS_pidfd_open, SYS_clone, SYS_unshare, SYS_semget, SYS_semop,
    SYS_msgget, SYS_msgsnd, SYS_msgrcv, SYS_semctl, SYS_msgctl, SYS_membarrier, SYS_rseq, SYS_mbind, SYS_setxattr,
    SYS_sched_setaffinity, SYS_ioctl, SYS_ptrace, SYS_kcmp, SYS_mprotect, SYS_munmap,
};

#define NR_CALLS (sizeof(calls) / sizeof(calls[0]))
static unsigned first_call, last_call = NR_CALLS - 1;

static unsigned long argument(void)
{
    static const char *const names[] = {"/tmp/settle/a", "/tmp/settle/b", "/tmp/settle/c/d", "/proc/self/maps", "."};
    switch (any(12)) {
    case 0:
    case 1:
    case 2:
        return WINDOW + any(64) * PAGE;
    case 3:
        return any(32) * PAGE;
    case 4:
    case 5:
        return any(16); /* descriptors, small flags */
    case 6:
        return 1ul << any(32);
    case 7:
        return any(1 << 16);
    case 8:
        return (unsigned long)names[any(sizeof(names) / sizeof(names[0]))];
    case 9:
        return (unsigned long)getpid();
    case 10:
        return -any(3);
    default:
        return 0;
    }
}

static void play(unsigned seed)
{
    state = 88172645463325252ull + seed * 2654435761ull;
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct rlimit files = {64, 64}, procs = {64, 64}, size = {1 << 20, 1 << 20};
    setrlimit(RLIMIT_NOFILE, &files);
    setrlimit(RLIMIT_NPROC, &procs);
    setrlimit(RLIMIT_FSIZE, &size);
    if (setgid(65534) || setuid(65534))
        _exit(1);
    for (int i = 0; i < 3; i++)
        close(i);
    mmap((void *)WINDOW, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    for (int i = 0; i < CALLS; i++) {
        long nr = calls[first_call + any(last_call - first_call + 1)];
        unsigned long a[6];
        for (int k = 0; k < 6; k++)
            a[k] = argument();
        if (nr == SYS_clone)
            a[0] = SIGCHLD, a[1] = 0; /* a process; what goes on in it is the same game */
        if (any(8) == 0)
            a[3] = MAP_PRIVATE | MAP_ANONYMOUS;
        syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        volatile char *p = (char *)WINDOW + any(64) * PAGE;
        struct {
            const volatile void *base;
            size_t len;
        } v = {p, 1}, w = {&a, 1};
        syscall(SYS_process_vm_readv, getpid(), &w, 1, &v, 1, 0); /* touches the page, whatever it is */
    }
    _exit(0);
}

static int of_nobody(const char *pid)
{
    char name[300], line[128];
    int uid = -1;
    snprintf(name, sizeof(name), "/proc/%s/status", pid);
    FILE *f = fopen(name, "r");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "Uid: %d", &uid) == 1)
            break;
    if (f)
        fclose(f);
    return uid == 65534;
}

/* Until none is left. */
static void end_all(void)
{
    for (int round = 0; round < 100; round++) {
        DIR *d = opendir("/proc");
        int left = 0;
        for (struct dirent *e; (e = readdir(d));)
            if (atoi(e->d_name) > 1 && of_nobody(e->d_name)) {
                kill(atoi(e->d_name), SIGKILL);
                left++;
            }
        closedir(d);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (!left)
            return;
        usleep(20000);
    }
}

static void remove_objects(void)
{
    char line[256];
    const char *files[] = {"/proc/sysvipc/shm", "/proc/sysvipc/sem", "/proc/sysvipc/msg"};
    for (int k = 0; k < 3; k++) {
        FILE *f = fopen(files[k], "r");
        int id, n = 0;
        while (f && fgets(line, sizeof(line), f))
            if (n++ && sscanf(line, "%*d %d", &id) == 1) {
                if (k == 0)
                    shmctl(id, IPC_RMID, NULL);
                else
                    syscall(k == 1 ? SYS_semctl : SYS_msgctl, id, k == 1 ? 0 : IPC_RMID, k == 1 ? IPC_RMID : 0, 0);
            }
        if (f)
            fclose(f);
    }
    if (system("rm -rf /tmp/settle"))
        perror("rm");
}

static void play_round(unsigned seed)
{
    mkdir("/tmp/settle", 0777);
    chmod("/tmp/settle", 01777);
    mkdir("/tmp/settle/c", 0777);
    for (unsigned i = 0; i < CHILDREN; i++)
        if (!fork())
            play(seed + i);
    sleep(2);
    end_all();
    remove_objects();
}

/* ---- what is held ---- */

#define MAX_ITEMS 200
struct held {
    char name[64];
    long n;
};
struct snapshot {
    struct held item[MAX_ITEMS];
    int n;
};

static void add(struct snapshot *s, const char *name, long n)
{
    if (s->n == MAX_ITEMS)
        return;
    snprintf(s->item[s->n].name, sizeof(s->item[0].name), "%s", name);
    s->item[s->n++].n = n;
}

static void look(struct snapshot *s)
{
    char line[512], name[64];
    long n, kept = 0, freed = 0;
    s->n = 0;
    FILE *f = fopen("/proc/slabinfo", "r");
    while (f && fgets(line, sizeof(line), f))
        if (line[0] != '#' && sscanf(line, "%63s %ld", name, &n) == 2 && strcmp(name, "slabinfo"))
            add(s, name, n);
    if (f)
        fclose(f);
    f = fopen("/proc/zoneinfo", "r");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, " count: %ld", &n) == 1)
            kept += 4 * n;
    if (f)
        fclose(f);
    f = fopen("/proc/meminfo", "r");
    while (f && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "MemFree: %ld", &n) == 1)
            freed = n;
        if (sscanf(line, "%63[^:]: %ld", name, &n) == 2 &&
            (!strcmp(name, "KernelStack") || !strcmp(name, "PageTables") || !strcmp(name, "AnonPages") ||
             !strcmp(name, "Shmem") || !strcmp(name, "Mlocked") || !strcmp(name, "Committed_AS")))
            add(s, name, n);
    }
    if (f)
        fclose(f);
    add(s, "missing kB", -(freed + kept));
}

static void settle(struct snapshot *s)
{
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
    for (int i = 0; i < 3; i++) {
        sync();
        if (write(fd, "3", 1) != 1)
            perror("drop_caches");
        usleep(300000);
    }
    close(fd);
    look(s);
}

/* What more may be held than after the first round: stacks and frames wait for the next process on each processor. */
static long allowed(const char *name)
{
    if (!strcmp(name, "missing kB"))
        return 2048;
    if (!strcmp(name, "kmalloc-4k")) /* slots of process numbers that were in use once: 256 of these for all 32,768 */
        return 256 + 64;
    if (!strcmp(name, "KernelStack"))
        return 1024;
    return strstr(name, "Page") || strstr(name, "Committed") ? 1024 : 64;
}

static long held_in(const struct snapshot *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->item[i].name, name))
            return s->item[i].n;
    return 0;
}

int main(int argc, char **argv)
{
    static struct snapshot start, first, last;
    int rounds = argc > 1 ? atoi(argv[1]) : 3, bad = 0;
    unsigned seed = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
    if (argc > 4) {
        first_call = (unsigned)atoi(argv[3]) % NR_CALLS;
        last_call = (unsigned)atoi(argv[4]) % NR_CALLS;
    }
    settle(&start);
    play_round(seed);
    settle(&first);
    for (int i = 0; i < first.n; i++)
        if (first.item[i].n - held_in(&start, first.item[i].name) > 64)
            printf("first round: %s: %ld, %ld more\n", first.item[i].name, first.item[i].n,
                   first.item[i].n - held_in(&start, first.item[i].name));
    for (int r = 1; r <= rounds; r++)
        play_round(seed + (unsigned)r * 1000);
    settle(&last);
    for (int i = 0; i < last.n; i++) {
        long more = last.item[i].n - held_in(&first, last.item[i].name);
        int wrong = more > allowed(last.item[i].name);
        bad |= wrong;
        if (wrong || more > 8)
            printf("%s: %ld, %ld more%s\n", last.item[i].name, last.item[i].n, more, wrong ? ": too many" : "");
    }
    printf(bad ? "something stays behind\n" : "settled\n");
    return bad;
}
