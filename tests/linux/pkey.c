/* SPDX-License-Identifier: MIT */
/* Protection keys: the calls and their errors, who inherits PKRU, signals, execute-only memory, the kernel's own accesses. */
#include "say.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>

static unsigned rdpkru(void)
{
    unsigned v, d;
    __asm__ volatile(".byte 0x0f,0x01,0xee" : "=a"(v), "=d"(d) : "c"(0));
    return v;
}
static void wrpkru(unsigned v)
{
    __asm__ volatile(".byte 0x0f,0x01,0xef" ::"a"(v), "c"(0), "d"(0) : "memory");
}
static long raw_pkey_alloc(unsigned long flags, unsigned long rights)
{
    return syscall(SYS_pkey_alloc, flags, rights);
}
static long raw_pkey_free(int key)
{
    return syscall(SYS_pkey_free, key);
}
static long raw_pkey_mprotect(void *p, size_t len, long prot, int key)
{
    return syscall(SYS_pkey_mprotect, p, len, prot, key);
}
/* Not the library's, which hide some arguments. */
#define pkey_alloc    raw_pkey_alloc
#define pkey_free     raw_pkey_free
#define pkey_mprotect raw_pkey_mprotect

static char *anon(size_t pages, int prot)
{
    return mmap(NULL, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* What smaps says of the area at p: its key, and its flags. */
static void smaps(const char *what, void *p)
{
    char line[512];
    unsigned long lo, hi;
    char *soft;
    int in = 0;
    FILE *f = fopen("/proc/self/smaps", "r");
    while (fgets(line, sizeof(line), f)) {
        if ((soft = strstr(line, " sd ")) && !strncmp(line, "VmFlags", 7))
            memmove(soft, soft + 3, strlen(soft + 3) + 1);
        if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
            in = (unsigned long)p >= lo && (unsigned long)p < hi;
        else if (in && (!strncmp(line, "ProtectionKey", 13) || !strncmp(line, "VmFlags", 7)))
            printf("%s: %s", what, line);
        if (in && sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
            printf("%s: %lu pages %.4s\n", what, (hi - lo) / PAGE, strchr(line, ' ') + 1);
    }
    fclose(f);
}

static void calls(void)
{
    char *p = anon(4, PROT_READ | PROT_WRITE);
    printf("pkru %#x\n", rdpkru());
    E(EINVAL, pkey_alloc(1, 0));
    E(EINVAL, pkey_alloc(0, 4));
    SAY(pkey_alloc(0, ~0ul));
    E(EINVAL, pkey_free(-1));
    SAY(pkey_free(1));
    E(EINVAL, pkey_free(16));
    E(EINVAL, pkey_mprotect(p, PAGE, PROT_READ, 1));
    SAY(pkey_mprotect(p, PAGE, PROT_READ, 16));
    SAY(pkey_mprotect(p, PAGE, PROT_READ, -2));
    SAY(pkey_mprotect(p, PAGE, PROT_READ, 0));
    SAY(pkey_mprotect(p, PAGE, PROT_READ | PROT_WRITE, -1));
    SAY(pkey_mprotect(p + 1, PAGE, PROT_READ, 1));
    E(EINVAL, pkey_mprotect(p, PAGE, 0x10, 1));
    SAY(pkey_mprotect(p, 0, PROT_READ, 5));
    E(ENOMEM, pkey_mprotect((void *)0x1000, PAGE, PROT_READ, 0));
    SAY(pkey_mprotect(p, PAGE, PROT_READ | PROT_GROWSUP, 0));
    SAY(pkey_mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN, 0));
    SAY(pkey_mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP, 0));
    SAY(pkey_alloc(0, 0));
    printf("pkru %#x\n", rdpkru());
    SAY(pkey_alloc(0, 1));
    printf("pkru %#x\n", rdpkru());
    SAY(pkey_alloc(0, 2));
    SAY(pkey_alloc(0, 3));
    printf("pkru %#x\n", rdpkru());
    for (int i = 5; i < 16; i++)
        SAY(pkey_alloc(0, 3));
    E(ENOSPC, pkey_alloc(0, 3));
    printf("pkru %#x\n", rdpkru());
    for (int i = 2; i < 16; i++)
        pkey_free(i);
    SAY(pkey_free(2));
    printf("pkru %#x\n", rdpkru());
    SAY(pkey_alloc(0, 0));
    SAY(pkey_free(2));
    SAY(pkey_free(0));
    SAY(pkey_alloc(0, 0));
    SAY(pkey_free(0));
    SAY(pkey_mprotect(p, PAGE, PROT_READ, 0));
    SAY(pkey_alloc(0, 0));
    munmap(p, 4 * PAGE);
}

static void faults(void)
{
    char *p = anon(4, PROT_READ | PROT_WRITE), *fresh = anon(2, PROT_READ | PROT_WRITE), *q = anon(1, PROT_READ);
    int key = 1;
    memset(p, 7, 4 * PAGE);
    SAY(pkey_mprotect(p, PAGE, PROT_READ | PROT_WRITE, key));
    SAY(pkey_mprotect(fresh, 2 * PAGE, PROT_READ | PROT_WRITE, key));
    SAY(pkey_mprotect(q, PAGE, PROT_READ, key));
    smaps("keyed", p);
    smaps("rest", p + PAGE);
    for (unsigned rights = 0; rights < 4; rights++) {
        wrpkru((rdpkru() & ~(3u << 2 * key)) | rights << 2 * key);
        printf("rights %u\n", rights);
        TOUCH(p, 'r');
        TOUCH(p, 'w');
        TOUCH(fresh, 'r');
        TOUCH(fresh + PAGE, 'w');
        TOUCH(q, 'r');
        TOUCH(q, 'w');
        TOUCH(p, 'x');
    }
    unsigned char vec[2];
    mincore(fresh, 2 * PAGE, vec);
    printf("resident %d %d\n", vec[0] & 1, vec[1] & 1);
    wrpkru(rdpkru() & ~(3u << 2 * key));
    TOUCH(p, 'r');
    /* Neighbours merge when they agree again. */
    SAY(pkey_mprotect(p, PAGE, PROT_READ | PROT_WRITE, 0));
    smaps("joined", p);
    SAY(pkey_mprotect(p + PAGE, PAGE, PROT_READ, key));
    SAY(mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE));
    smaps("key kept by mprotect", p + PAGE);
    SAY(pkey_mprotect(p + PAGE, PAGE, PROT_NONE, key));
    smaps("none", p + PAGE);
    TOUCH(p + PAGE, 'r');
    wrpkru(rdpkru() | 1u << 2 * key);
    TOUCH(p + PAGE, 'r');
    SAY(mprotect(p + PAGE, PAGE, PROT_READ));
    TOUCH(p + PAGE, 'r');
    wrpkru(rdpkru() & ~(3u << 2 * key));
    char *moved = mremap(p + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, fresh);
    smaps("moved", moved);
    munmap(p, 4 * PAGE);
    munmap(fresh, 2 * PAGE);
    munmap(q, PAGE);
}

static void exec_only(void)
{
    char *p = anon(2, PROT_READ | PROT_WRITE);
    memset(p, 0xc3, 2 * PAGE);
    SAY(mprotect(p, PAGE, PROT_EXEC));
    smaps("execute-only", p);
    printf("pkru %#x\n", rdpkru());
    TOUCH(p, 'x');
    TOUCH(p, 'r');
    TOUCH(p, 'w');
    SAY(pkey_mprotect(p + PAGE, PAGE, PROT_READ, 2));
    SAY(pkey_free(2));
    char *m = anon(1, PROT_EXEC);
    smaps("mapped execute-only", m);
    TOUCH(m, 'r');
    munmap(m, PAGE);
    m = anon(1, PROT_EXEC | 8);
    smaps("mapped with PROT_SEM", m);
    munmap(m, PAGE);
    SAY(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
    smaps("and back", p);
    TOUCH(p, 'r');
    wrpkru(rdpkru() & ~(3u << 4));
    SAY(mprotect(p, PAGE, PROT_EXEC));
    printf("pkru %#x\n", rdpkru());
    TOUCH(p, 'r');
    SAY(pkey_mprotect(p, PAGE, PROT_EXEC, 0));
    smaps("key 0 asked for", p);
    TOUCH(p, 'r');
    SAY(pkey_alloc(0, 0));
    SAY(pkey_free(3));
    munmap(p, 2 * PAGE);
}

static void *thread(void *arg)
{
    unsigned mine = rdpkru();
    wrpkru(0x55555550);
    *(unsigned *)arg = mine;
    return NULL;
}

static char handler_text[256];
static char *shut;
static void handler(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    unsigned *sw = (unsigned *)((char *)uc->uc_mcontext.fpregs + 464);
    unsigned long *header = (unsigned long *)((char *)uc->uc_mcontext.fpregs + 512);
    unsigned *saved = (unsigned *)((char *)uc->uc_mcontext.fpregs + 2688);
    snprintf(handler_text, sizeof(handler_text), "%d code %d pkru %#x frame %#x in use %lu known %u err %llx", sig, info->si_code,
             rdpkru(), *saved, *header >> 9 & 1, sw[2] >> 9 & 1, sig == SIGSEGV ? uc->uc_mcontext.gregs[REG_ERR] : 0);
    *saved &= ~(3u << 2);
}

static void signals(void)
{
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    shut = anon(1, PROT_READ | PROT_WRITE);
    pkey_mprotect(shut, PAGE, PROT_READ | PROT_WRITE, 1);
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGUSR1, &sa, NULL);
    wrpkru(0x5555555c);
    raise(SIGUSR1);
    printf("%s\nafter: pkru %#x\n", handler_text, rdpkru());
    wrpkru(0x5555555c);
    *(volatile char *)shut = 1;
    printf("%s\nafter: pkru %#x\n", handler_text, rdpkru());
    wrpkru(0x55555558);
    *(volatile char *)shut = 2;
    printf("%s\nafter: pkru %#x\n", handler_text, rdpkru());
    /* A signal stack that the program itself may not touch at that moment. */
    char *stack = anon(16, PROT_READ | PROT_WRITE);
    stack_t ss = {.ss_sp = stack, .ss_size = 16 * PAGE};
    sa.sa_flags |= SA_ONSTACK;
    sigaction(SIGUSR1, &sa, NULL);
    sigaltstack(&ss, NULL);
    wrpkru(0x55555554);
    raise(SIGUSR1);
    printf("%s\n", handler_text);
    unsigned seen = 0;
    pthread_t t;
    wrpkru(0x55555510);
    pthread_create(&t, NULL, thread, &seen);
    pthread_join(t, NULL);
    printf("thread began with %#x, ours %#x\n", seen, rdpkru());
    touch_setup();
}

static void child_keys(void)
{
    printf("child pkru %#x\n", rdpkru());
    SAY(pkey_alloc(0, 0));
    SAY(pkey_free(1));
    TOUCH(shut, 'r');
    wrpkru(rdpkru() | 4);
    TOUCH(shut, 'r');
    SAY(pkey_mprotect(shut, PAGE, PROT_READ, 1));
}

static void kernel_accesses(void)
{
    char *p = anon(1, PROT_READ | PROT_WRITE), *open_page = anon(1, PROT_READ | PROT_WRITE), c = 1;
    int pipes[2], zero = open("/dev/zero", O_RDONLY), mem = open("/proc/self/mem", O_RDWR);
    struct iovec local = {open_page, 1}, remote = {p, 1};
    *p = 1;
    pipe(pipes);
    pkey_mprotect(p, PAGE, PROT_READ | PROT_WRITE, 1);
    for (unsigned rights = 0; rights < 4; rights++) {
        wrpkru((rdpkru() & ~0xcu) | rights << 2);
        printf("rights %u\n", rights);
        SAY(read(zero, p, 1));
        SAY(write(pipes[1], p, 1));
        SAY(pread(mem, &c, 1, (off_t)p));
        SAY(pwrite(mem, &c, 1, (off_t)p));
        SAY(process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
        SAY(process_vm_readv(getpid(), &remote, 1, &local, 1, 0));
        SAY(syscall(SYS_futex, p, 1, 1, NULL, NULL, 0));
        SAY(syscall(SYS_futex, p, 0, 5, NULL, NULL, 0));
        SAY(madvise(p, PAGE, MADV_POPULATE_READ));
        SAY(madvise(p, PAGE, MADV_POPULATE_WRITE));
        SAY(madvise(p, PAGE, MADV_DONTNEED));
        SAY(mlock(p, PAGE));
        SAY(munlock(p, PAGE));
    }
    wrpkru(rdpkru() & ~0xcu);
    munmap(p, PAGE);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) { /* the program that was executed */
        printf("after exec: pkru %#x\n", rdpkru());
        SAY(pkey_alloc(0, 0));
        return 0;
    }
    touch_setup();
    if (pkey_alloc(0, 0) < 0) {
        SAY(pkey_alloc(0, 0));
        SAY(pkey_alloc(1, 0));
        SAY(pkey_alloc(0, 4));
        SAY(pkey_free(0));
        SAY(pkey_mprotect(anon(1, PROT_READ), PAGE, PROT_READ, 0));
        SAY(pkey_mprotect(anon(1, PROT_READ), PAGE, PROT_READ, -1));
        SAY(pkey_mprotect(anon(1, PROT_READ), PAGE, PROT_READ, 1));
        return 0;
    }
    pkey_free(1);
    wrpkru(0x55555554);
    calls();
    faults();
    exec_only();
    signals();
    CHILD(child_keys);
    kernel_accesses();
    fflush(stdout);
    wrpkru(0);
    execl("/proc/self/exe", "pkey", "again", NULL);
    return 1;
}
