/* SPDX-License-Identifier: MIT */
/*
 * Physical memory: one array of bytes, backed by a memfd so that a frame can be seen at a second address.
 *
 *   host_arena  [RAM][hole, no access][RAM]...     frame pfn lies at host_arena + (pfn << 12)
 *   memmap      reserved for every frame, no access until mem_memmap_populate()
 *   window      kernel addresses of vmalloc: nothing is accessible at first. A touch ends in SIGSEGV, whose handler walks the
 *               kernel page table as an MMU would and maps the frame of the memfd there; mmu_flush_kernel() takes such
 *               mappings away. So the window behaves as a TLB that keeps what it has seen until it is flushed.
 *
 * The first page of the first range is the home's own: the root of the kernel's page table.
 */
#define _GNU_SOURCE
#include <host/poison.h>
#include <host/sched_internal.h>
#include <port/log.h>
#include <port/mmu.h>
#include <port/pte.h>
#include <mm/page.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define WINDOW_SIZE (16UL << 30)

u8 *host_arena;
struct page *memmap;
static int arena_fd = -1;
static u8 *hidden; /* a byte for each frame: out of the linear map */
static u8 *alias;  /* the second view, through which programs reach hidden frames */
static u64 arena_size, memmap_size;
static u8 *window;
static struct sigaction old_segv;

static void fail(const char *what)
{
    perror(what);
    exit(99);
}

static void *reserve(u64 size)
{
    void *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        fail("mmap");
    return p;
}

/* The last entry for a kernel address, 0 when there is none. */
static u64 kernel_entry(u64 va)
{
    phys_t table = host_machine.kernel_root;
    for (unsigned level = pt_levels();; level--) {
        pte_t e = pte_load((pte_t *)phys_to_virt(table) + pt_index(va, level));
        if (!pte_present(e))
            return 0;
        if (level == 1)
            return e.v;
        if (pte_huge(e))
            panic("huge entry in the vmalloc window at %#lx", va);
        table = pte_pfn(e) << PAGE_SHIFT;
    }
}

static void on_segv(int sig, siginfo_t *info, void *uc)
{
    u64 va = (u64)info->si_addr;
    if (window && va >= (u64)window && va < (u64)window + WINDOW_SIZE) {
        u64 e = kernel_entry(va);
        if (e) {
            int prot = PROT_READ | ((e & PTE_RW) ? PROT_WRITE : 0);
            void *at = (void *)page_align_down(va);
            /* A write to what is already there and read-only is the program's fault: fall through the second time. */
            static __thread void *last;
            static __thread int last_prot;
            bool again = last == at && last_prot == prot && !(prot & PROT_WRITE);
            last = at;
            last_prot = prot;
            if (!again && mmap(at, PAGE_SIZE, prot, MAP_SHARED | MAP_FIXED, arena_fd,
                               (off_t)(pte_pfn((pte_t){e}) << PAGE_SHIFT)) != MAP_FAILED)
                return;
        }
        fprintf(stderr, "access to unmapped kernel address %#lx\n", va);
    }
    if (old_segv.sa_flags & SA_SIGINFO && old_segv.sa_sigaction) {
        old_segv.sa_sigaction(sig, info, uc);
        return;
    }
    signal(SIGSEGV, SIG_DFL); /* the access repeats and ends the process */
}

void mmu_flush_kernel(u64 start, u64 end)
{
    u64 lo = max(page_align_down(start), (u64)window);
    u64 hi = min(end > U64_MAX - PAGE_SIZE ? end : page_align_up(end), (u64)window + WINDOW_SIZE);
    if (lo < hi &&
        mmap((void *)lo, hi - lo, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
        panic("cannot flush the vmalloc window");
    host_point();
}

void mem_vmalloc_range(u64 *start, u64 *end)
{
    *start = (u64)window;
    *end = (u64)window + WINDOW_SIZE;
}

int mem_hide_page(pfn_t pfn)
{
    if (hidden[pfn] || mprotect(phys_to_virt(pfn << PAGE_SHIFT), PAGE_SIZE, PROT_NONE))
        panic("frame %#lx cannot be hidden", pfn);
    hidden[pfn] = 1;
    return 0;
}

void mem_show_page(pfn_t pfn)
{
    if (!hidden[pfn] || mprotect(phys_to_virt(pfn << PAGE_SHIFT), PAGE_SIZE, PROT_READ | PROT_WRITE))
        panic("frame %#lx was not hidden", pfn);
    hidden[pfn] = 0;
}

u8 *host_frame(pfn_t pfn)
{
    return hidden[pfn] ? alias + (pfn << PAGE_SHIFT) : phys_to_virt(pfn << PAGE_SHIFT);
}

size_t mem_ranges(const struct mem_range **out)
{
    *out = host_machine.ranges;
    return host_machine.nr_ranges;
}

unsigned mem_nr_nodes(void)
{
    return host_machine.cfg.nodes;
}

unsigned mem_node_distance(unsigned from, unsigned to)
{
    unsigned d = host_machine.cfg.distance[from][to];
    return d ? d : from == to ? 10 : 20;
}

unsigned mem_cpu_node(unsigned cpu)
{
    return host_machine.cfg.cpu_node[cpu];
}

int mem_memmap_populate(pfn_t lo, pfn_t hi)
{
    u64 first = page_align_down(memmap + lo), last = page_align_up(memmap + hi);
    last = min(last, (u64)memmap + memmap_size);
    if (first < last && mprotect((void *)first, last - first, PROT_READ | PROT_WRITE))
        return -ENOMEM;
    return 0;
}

phys_t mmu_kernel_root(void)
{
    return host_machine.kernel_root;
}

void mmu_init_root(void *root_table)
{
    pte_t *to = root_table, *from = phys_to_virt(host_machine.kernel_root);
    memcpy(to + PT_ENTRIES / 2, from + PT_ENTRIES / 2, PAGE_SIZE / 2);
}

/* Splits the home's page off the first range. */
static void lay_out_ranges(void)
{
    struct host_machine *m = &host_machine;
    const struct mem_range *in = m->cfg.ranges;
    m->ranges[0] = (struct mem_range){in[0].base, PAGE_SIZE, in[0].node, MEM_RESERVED};
    if (in[0].base == 0) /* frame 0 is nobody's */
        m->ranges[0].size = 2 * PAGE_SIZE;
    m->kernel_root = in[0].base ? in[0].base : PAGE_SIZE;
    for (u32 i = 0; i < m->cfg.nr_ranges; i++)
        m->ranges[i + 1] = in[i];
    m->ranges[1].base += m->ranges[0].size;
    m->ranges[1].size -= m->ranges[0].size;
    m->nr_ranges = m->cfg.nr_ranges + 1;
    const struct mem_range *last = &m->ranges[m->nr_ranges - 1];
    m->max_pfn = (last->base + last->size) >> PAGE_SHIFT;
}

void host_arena_start(void)
{
    lay_out_ranges();
    arena_size = host_machine.max_pfn << PAGE_SHIFT;
    arena_fd = memfd_create("arena", MFD_CLOEXEC);
    if (arena_fd < 0 || ftruncate(arena_fd, (off_t)arena_size))
        fail("memfd");
    host_arena = reserve(arena_size);
    for (u32 i = 0; i < host_machine.nr_ranges; i++) {
        const struct mem_range *r = &host_machine.ranges[i];
        if (mmap(host_arena + r->base, r->size, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, arena_fd, (off_t)r->base) == MAP_FAILED)
            fail("mmap arena");
    }
    hidden = calloc(host_machine.max_pfn, 1);
    alias = mmap(NULL, arena_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, arena_fd, 0);
    if (!hidden || alias == MAP_FAILED)
        fail("mmap alias");
    /* As in the kernel, its half of each root is not empty: one entry that leads nowhere. */
    ((u64 *)(host_arena + host_machine.kernel_root))[PT_ENTRIES - 1] = PTE_SPECIAL;
    memmap_size = page_align_up(host_machine.max_pfn * sizeof(struct page));
    memmap = reserve(memmap_size);
    window = reserve(WINDOW_SIZE);
    host_poison_start();
    struct sigaction sa = {.sa_sigaction = on_segv,
                           .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    sigaction(SIGSEGV, &sa, &old_segv);
}

void host_arena_stop(void)
{
    sigaction(SIGSEGV, &old_segv, NULL);
    for (pfn_t pfn = 0; pfn < host_machine.max_pfn && !host_machine.crashed; pfn++)
        if (hidden[pfn])
            panic("frame %#lx is still out of the linear map", pfn);
    munmap(alias, arena_size);
    free(hidden);
    host_poison_stop();
    munmap(host_arena, arena_size);
    munmap(memmap, memmap_size);
    munmap(window, WINDOW_SIZE);
    close(arena_fd);
    host_arena = NULL;
    memmap = NULL;
    window = NULL;
    arena_fd = -1;
}
