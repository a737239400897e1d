/* SPDX-License-Identifier: MIT */
/* What the rows of the benchmark share: the stop watch, memory, children. user/bench.c says what a row is. */
#ifndef USER_BENCH_BENCH_H
#define USER_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE 4096ul
#define MIB  (1ul << 20)
#define BIG  (16 * MIB) /* most rows of faults walk this much */

/* Parts of a floor, in instructions; user/bench.c says where they come from. */
#define TRAP    36
#define CALL    20
#define PAGEFUL 512
#define ENTRY   1

struct row {
    const char *name;           /* NULL ends a list */
    unsigned long (*run)(void); /* one pass; returns how many operations it timed */
    unsigned floor;
};
/* A row that touches more memory than the others' guest has. */
struct large_row {
    struct row row;
    unsigned mib;
};

extern const struct row fault_rows[], map_rows[], process_rows[];
extern const struct large_row large_rows[];

extern char bench_self[256];         /* what the fork+exec row executes */
extern const char *const bench_file; /* where rows put their file */
extern uint64_t bench_total_ns, bench_started;

uint64_t now_ns(void);

static inline void start(void)
{
    bench_started = now_ns();
}

static inline void stop(void)
{
    bench_total_ns += now_ns() - bench_started;
}

/* The row ends here with `what` and errno as its reason. */
__attribute__((noreturn)) void fail(const char *what);

#define CHECK(call)                                                                                \
    do {                                                                                           \
        if ((long)(call) == -1)                                                                    \
            fail(#call);                                                                           \
    } while (0)

char *map(size_t len, int flags, int fd); /* readable and writable, anywhere */
char *map_anon(size_t len);

static inline void write_pages(char *p, size_t len)
{
    for (char *end = p + len; p < end; p += PAGE)
        *(volatile char *)p = 1;
}

static inline void read_pages(char *p, size_t len)
{
    for (char *end = p + len; p < end; p += PAGE)
        (void)*(volatile char *)p;
}

pid_t raw_fork(void);     /* the system call alone, without the library's handlers */
void wait_for(pid_t pid); /* which must end with 0 */
int cached_file(void);    /* a file of BIG bytes, all of it in the page cache */

#endif
