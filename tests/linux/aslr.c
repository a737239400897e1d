/* SPDX-License-Identifier: MIT */
/*
 * How random each region of an address space is: a few hundred programs are started, and of each region's distance from where it
 * would be without randomisation the bits that ever changed are printed, and whether all distances lie within the range that
 * Linux's formula gives. Also hints beyond 47 bits, MAP_32BIT, the knobs' bounds, the levels of randomize_va_space, and sizes and flags
 * of the areas that every program has.
 */
#include "say.h"
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>

#define ROUNDS 48
#define TOP    0x7ffffffff000ul

enum region { STACK, STACK_BYTES, MMAP, VDSO, HEAP, LOW, PIE, LOADER, PIE_HEAP, NR };
static const char *const names[NR] = {"stack", "stack bytes", "mmap", "vdso", "heap", "MAP_32BIT", "PIE", "loader", "PIE heap"};

struct seen {
    unsigned long first, changed, min, max;
    int n;
} seen[NR];

static void note(enum region r, unsigned long v)
{
    struct seen *s = &seen[r];
    if (!s->n++)
        *s = (struct seen){v, 0, v, v, 1};
    s->changed |= v ^ s->first;
    s->min = v < s->min ? v : s->min;
    s->max = v > s->max ? v : s->max;
}

/* The last line of maps that holds `word`, or the first: its ends. */
static int find(FILE *f, const char *word, int last, unsigned long *lo, unsigned long *hi)
{
    char line[512];
    int found = 0;
    rewind(f);
    while (fgets(line, sizeof(line), f))
        if (strstr(line, word) && (last || !found))
            found = sscanf(line, "%lx-%lx", lo, hi) == 2;
    return found;
}

/* What the static child says of itself. */
static void report(char **argv)
{
    extern char end[];
    char *m = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *low = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    unsigned long lo, hi, bss = ((unsigned long)end + PAGE - 1) & -PAGE;
    FILE *f = fopen("/proc/self/maps", "r");
    unsigned long heap = 0, stack = 0;
    if (find(f, "[heap]", 0, &lo, &hi))
        heap = lo - bss;
    if (find(f, "[stack]", 0, &lo, &hi))
        stack = TOP - hi;
    printf("%lx %lx %lx %lx %lx %lx\n", stack, hi - (unsigned long)(argv - 1), TOP - (unsigned long)m,
           TOP - getauxval(AT_SYSINFO_EHDR), heap, (unsigned long)low - 0x40000000);
}

static FILE *run_in(char *buf, size_t size, char *const argv[])
{
    int pipes[2];
    size_t n = 0;
    ssize_t got;
    pipe(pipes);
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        dup2(pipes[1], 1);
        close(pipes[0]);
        close(pipes[1]);
        execv(argv[0], argv);
        _exit(1);
    }
    close(pipes[1]);
    while ((got = read(pipes[0], buf + n, size - 1 - n)) > 0)
        n += (size_t)got;
    buf[n] = 0;
    close(pipes[0]);
    waitpid(pid, NULL, 0);
    return fmemopen(buf, n ? n : 1, "r");
}

static void measure(int rounds)
{
    static char buf[65536], self[] = "/proc/self/exe", again[] = "report", cat[] = "/bin/cat", maps[] = "/proc/self/maps";
    char *const a[] = {self, again, NULL}, *const b[] = {cat, maps, NULL};
    unsigned long v[6], lo, hi, end;
    memset(seen, 0, sizeof(seen));
    for (int i = 0; i < rounds; i++) {
        FILE *f = run_in(buf, sizeof(buf), a);
        if (fscanf(f, "%lx %lx %lx %lx %lx %lx", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]) == 6) {
            for (int r = 0; r < 4; r++)
                note((enum region)r, v[r]);
            note(HEAP, v[4]);
            note(LOW, v[5]);
        }
        fclose(f);
        f = run_in(buf, sizeof(buf), b);
        if (find(f, "/cat", 0, &lo, &hi))
            note(PIE, lo - 0x555555554000);
        if (find(f, "/ld-linux", 0, &lo, &hi))
            note(LOADER, TOP - lo);
        if (find(f, "/cat", 1, &lo, &end) && find(f, "[heap]", 0, &lo, &hi))
            note(PIE_HEAP, lo - end);
        fclose(f);
    }
}

/* `bits` random bits from bit `low` on: which of them changed, and do the distances fill most of the range, and not more? */
static void print_region(enum region r, int low, int bits, unsigned long range)
{
    const struct seen *s = &seen[r];
    if (!s->changed) {
        printf("%s: fixed at %#lx\n", names[r], s->first);
        return;
    }
    unsigned long mask = ((1ul << bits) - 1) << low;
    printf("%s: %d of %d bits change, lowest %d; spread over %s of the range, %s it\n", names[r],
           __builtin_popcountl(s->changed & mask), bits, __builtin_ctzl(s->changed),
           (s->max - s->min) * 10 > range * 6 ? "most" : "little", s->max - s->min < range ? "within" : "beyond");
}

#define STACK_RANGE ((1ul << 34) + 2 * PAGE)
static void all_regions(void)
{
    print_region(STACK, 12, 22, STACK_RANGE);
    print_region(MMAP, 12, 28, (1ul << 40) + STACK_RANGE);
    print_region(HEAP, 12, 18, 1ul << 30);
    print_region(LOW, 12, 13, 1ul << 25);
    print_region(PIE, 12, 28, 1ul << 40);
    print_region(LOADER, 12, 28, (1ul << 40) + STACK_RANGE);
    print_region(PIE_HEAP, 12, 18, 1ul << 30);
    printf("stack bytes: aligned %d, change %d\n", !(seen[STACK_BYTES].first & 15), !!(seen[STACK_BYTES].changed & 0xff0));
    printf("vdso: changes %d, lowest bit %d\n", !!seen[VDSO].changed, seen[VDSO].changed ? __builtin_ctzl(seen[VDSO].changed) : 0);
}

static int knob(const char *name, const char *value)
{
    char path[128];
    snprintf(path, sizeof(path), "/proc/sys/%s", name);
    int fd = open(path, O_WRONLY);
    int r = fd < 0 ? -1 : (int)write(fd, value, strlen(value));
    if (fd >= 0)
        close(fd);
    return r < 0 ? -1 : 0;
}

static void *at(unsigned long hint, size_t len, int flags)
{
    return mmap((void *)hint, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
}

static const char *where(void *p)
{
    static char text[64];
    unsigned long v = (unsigned long)p;
    if (p == MAP_FAILED)
        return answer(-1);
    snprintf(text, sizeof(text), "%s", v >= 1ul << 47 ? "upper half" : v >= 1ul << 46 ? "high" : v >= 1ul << 32 ? "middle" : v >= 1ul << 31 ? "2..4 GiB" : "below 2 GiB");
    return text;
}
#define WHERE(call) printf("%s: %s\n", #call, where(call))
#define EXACT(hint, len, flags) printf("hint %#lx, %#lx bytes, flags %#x: %s\n", (unsigned long)(hint), (unsigned long)(len), flags, \
                                       at(hint, len, flags) == (void *)(hint) ? "taken" : where(at(hint, len, flags)))

static void hints(void)
{
    WHERE(at(0, PAGE, 0));
    EXACT(0x10000000ul, PAGE, 0);
    EXACT(0x1234567ul << 12, PAGE, 0);
    WHERE(at(0x123, PAGE, 0));
    WHERE(at(0x1000, PAGE, 0));
    EXACT(TOP - PAGE, PAGE, 0);
    EXACT(TOP, PAGE, 0);
    EXACT(TOP + PAGE, PAGE, 0);
    EXACT(1ul << 47, PAGE, 0);
    EXACT(1ul << 50, PAGE, 0);
    EXACT(1ul << 55, PAGE, 0);
    EXACT((1ul << 56) - 2 * PAGE, PAGE, 0);
    WHERE(at((1ul << 56) - PAGE, PAGE, 0));
    WHERE(at(1ul << 56, PAGE, 0));
    WHERE(at(~0xffful, PAGE, 0));
    EXACT(TOP - PAGE, 4 * PAGE, 0);
    EXACT(1ul << 47, 1ul << 48, 0);
    WHERE(at(0, 1ul << 48, 0));
    WHERE(at(0, 1ul << 47, 0));
    WHERE(at(0, (1ul << 46) + PAGE, 0)); /* no multiple of a huge page, which Linux would align */
    WHERE(at(1ul << 50, 1ul << 55, MAP_FIXED));
    WHERE(at(1ul << 56, PAGE, MAP_FIXED));
    WHERE(at((1ul << 56) - PAGE, PAGE, MAP_FIXED));
    WHERE(at(1ul << 54, PAGE, MAP_FIXED_NOREPLACE));
    WHERE(at(0, PAGE, MAP_32BIT));
    WHERE(at(0x20000000, PAGE, MAP_32BIT));
    WHERE(at(0x90000000ul, PAGE, MAP_32BIT));
    WHERE(at(1ul << 50, PAGE, MAP_32BIT));
    WHERE(at(0, 1ul << 31, MAP_32BIT));
    WHERE(at(0, PAGE, 0x80));
    WHERE(at(0x20000000, PAGE, 0x80));
    void *p = at(0, PAGE, 0);
    WHERE(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    p = at(1ul << 51, PAGE, 0);
    WHERE(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    WHERE(mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (1ul << 52)));
}

/* What smaps says of an area's size and flags. */
static void area(const char *name)
{
    char line[512];
    bool in = false;
    FILE *f = fopen("/proc/self/smaps", "r");
    printf("%s:", name);
    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = 0;
        if (strchr(line, '-') && line[0] >= '0' && line[0] <= 'f' && (line[0] <= '9' || line[0] >= 'a'))
            in = strstr(line, name) != NULL;
        else if (in && (!strncmp(line, "Size:", 5) || !strncmp(line, "VmFlags:", 8)))
            printf(" %s", line);
    }
    printf("\n");
    if (f)
        fclose(f);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        report(argv);
        return 0;
    }
    CHILD(hints);
    area("[vvar]");
    area("[vdso]");
    area("[stack]");
    measure(ROUNDS);
    all_regions();
    SAY(knob("vm/mmap_rnd_bits", "27"));
    SAY(knob("vm/mmap_rnd_bits", "33"));
    SAY(knob("vm/mmap_rnd_compat_bits", "7"));
    SAY(knob("vm/mmap_rnd_compat_bits", "17"));
    SAY(knob("kernel/randomize_va_space", "3"));
    SAY(knob("vm/mmap_rnd_bits", "32"));
    measure(24);
    print_region(PIE, 12, 32, 1ul << 44);
    print_region(LOADER, 12, 32, (1ul << 44) + STACK_RANGE);
    SAY(knob("vm/mmap_rnd_bits", "28"));
    printf("randomize_va_space 1\n");
    SAY(knob("kernel/randomize_va_space", "1"));
    measure(24);
    all_regions();
    printf("randomize_va_space 0\n");
    SAY(knob("kernel/randomize_va_space", "0"));
    measure(3);
    print_region(STACK, 0, 1, 1);
    print_region(STACK_BYTES, 0, 1, 1);
    print_region(HEAP, 0, 1, 1);
    print_region(LOW, 0, 1, 1);
    print_region(PIE, 0, 1, 1);
    print_region(PIE_HEAP, 0, 1, 1);
    SAY(knob("kernel/randomize_va_space", "2"));
    SAY(knob("vm/legacy_va_layout", "-1"));
    SAY(knob("vm/legacy_va_layout", "1"));
    measure(6);
    printf("legacy: mmap %s\n", seen[MMAP].min > 1ul << 45 ? "a third of the way" : "at the top");
    SAY(knob("vm/legacy_va_layout", "0"));
    return 0;
}
