/* SPDX-License-Identifier: MIT */
/* personality: what it answers, READ_IMPLIES_EXEC in mmap and mprotect, MMAP_PAGE_ZERO, and layouts without randomisation. */
#include "say.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>

static char *anon(int prot, int flags)
{
    return mmap(NULL, PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

static void show(const char *what, void *p)
{
    char line[512];
    unsigned long lo, hi;
    FILE *f = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "%lx-%lx", &lo, &hi) == 2 && (unsigned long)p >= lo && (unsigned long)p < hi)
            printf("%s: %.4s\n", what, strchr(line, ' ') + 1);
    fclose(f);
}

static void read_implies_exec(void)
{
    char *before = anon(PROT_READ, 0);
    SAY(personality(READ_IMPLIES_EXEC));
    SAY(personality(0xffffffff));
    show("made before", before);
    show("none", anon(PROT_NONE, MAP_SHARED));
    show("none", anon(PROT_NONE, 0));
    show("write", anon(PROT_WRITE, 0));
    show("read", anon(PROT_READ, 0));
    show("shared", mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    int fd = open("/proc/self/exe", O_RDONLY), noexec = open("/proc/self/maps", O_RDONLY);
    show("file", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
    char *p = anon(PROT_NONE, 0);
    SAY(mprotect(p, PAGE, PROT_WRITE));
    show("mprotect write", p);
    SAY(mprotect(p, PAGE, PROT_READ));
    show("mprotect read", p);
    SAY(mprotect(before, PAGE, PROT_READ | PROT_WRITE));
    show("mprotect before", before);
    SAY(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, noexec, 0));
    void *b = sbrk(2 * PAGE);
    show("brk", (char *)b + PAGE);
    SAY(personality(0));
    show("after", anon(PROT_READ, 0));
}

/* Addresses of the regions of a program that was started with this personality. */
static void regions(void)
{
    char line[512], name[256];
    unsigned long lo, hi;
    FILE *f = fopen("/proc/self/maps", "r");
    void *m = anon(PROT_READ, 0);
    while (fgets(line, sizeof(line), f)) {
        name[0] = 0;
        if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %255s", &lo, &hi, name) < 2)
            continue;
        if (!strcmp(name, "[stack]") && personality(0xffffffff) & ADDR_NO_RANDOMIZE)
            printf("stack ends at %lx\n", hi);
        if (!strcmp(name, "[heap]"))
            printf("heap begins at %s\n", lo > 0x7f0000000000 ? "the mappings" : lo > 0x500000000000 ? "the program" : "low");
        if (strstr(name, "personality") || lo < 0x20000)
            printf("%lx %.4s\n", lo, strchr(line, ' ') + 1);
    }
    fclose(f);
    printf("mmap at %s\n", (unsigned long)m > 0x7f0000000000 ? "the top" : (unsigned long)m > 0x2a0000000000 ? "a third" : "low");
    printf("personality %x\n", personality(0xffffffff));
    int fd = open("/proc/self/personality", O_RDONLY);
    char text[32] = "";
    read(fd, text, sizeof(text) - 1);
    printf("file: %s", text);
}

static unsigned long wanted;
static char *self;
static struct rlimit stack = {8 << 20, RLIM_INFINITY};
static void start(void)
{
    setrlimit(RLIMIT_STACK, &stack);
    personality(wanted);
    execl("/proc/self/exe", self, "regions", NULL);
}

static void run(const char *what, unsigned long persona, unsigned long stack_limit)
{
    wanted = persona;
    stack.rlim_cur = stack_limit;
    printf("---- %s, stack %lu: %s\n", what, stack_limit >> 20, in_child(start));
}

int main(int argc, char **argv)
{
    self = argv[0];
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1) {
        regions();
        return 0;
    }
    SAY(personality(0xffffffff));
    SAY(personality(0x1234500));
    SAY(personality(0xffffffff));
    SAY(personality(PER_LINUX));
    SAY(syscall(135, 0x1ffffffffl));
    SAY(syscall(135, 0x100000000l));
    CHILD(read_implies_exec);
    run("no randomization", ADDR_NO_RANDOMIZE, 8 << 20);
    run("no randomization", ADDR_NO_RANDOMIZE, 1 << 20);
    run("no randomization", ADDR_NO_RANDOMIZE, 1ul << 30);
    run("no randomization", ADDR_NO_RANDOMIZE, RLIM_INFINITY);
    run("legacy", ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT, 8 << 20);
    run("page zero", ADDR_NO_RANDOMIZE | MMAP_PAGE_ZERO, 8 << 20);
    run("read implies exec", ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC, 8 << 20);
    run("limits", ADDR_NO_RANDOMIZE | ADDR_LIMIT_32BIT | ADDR_LIMIT_3GB, 8 << 20);
    run("legacy, random", ADDR_COMPAT_LAYOUT, 8 << 20);
    return 0;
}
