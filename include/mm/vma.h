/* SPDX-License-Identifier: MIT */
/*
 * struct vma: one area [start,end) of an address space. Bodies in mm/vma/.
 *
 * The lock of an area: readers (faults) count themselves in `readers`; a writer (holding mmap_lock for writing) sets
 * lock_seq = mm->lock_seq and waits for the readers to leave. mmap_write_unlock() ends all of them by raising
 * mm->lock_seq. A vma that leaves the tree is `detached` and freed after a grace period.
 *
 * Invariants
 *  V1. start < end, both page aligned, inside [0, mm->task_size); areas of one mm do not overlap.
 *  V2. bounds, flags, prot, pgoff change only while write-locked (or before insertion).
 *  V3. two neighbours that vma_can_merge() holds for are merged by whoever made them so.
 *  V4. mapping != NULL exactly for areas over a page cache (files, shmem); then mapping_link is on its i_mmap list.
 */
#ifndef MM_VMA_H
#define MM_VMA_H
#include <mm/mm.h>
#include <port/pte.h>

struct address_space;
struct anon_vma;
struct fault;
struct page;
struct uffd;
struct vma;

/* Linux's bits where programs can see them (smaps VmFlags names in mm/obs). */
#define VM_READ       0x00000001UL
#define VM_WRITE      0x00000002UL
#define VM_EXEC       0x00000004UL
#define VM_SHARED     0x00000008UL
#define VM_MAYREAD    0x00000010UL
#define VM_MAYWRITE   0x00000020UL
#define VM_MAYEXEC    0x00000040UL
#define VM_MAYSHARE   0x00000080UL
#define VM_GROWSDOWN  0x00000100UL
#define VM_UFFD_MISSING 0x00000200UL /* userfaultfd (mm/uffd.h): faults on nothing, */
#define VM_PFNMAP     0x00000400UL
#define VM_UFFD_MINOR 0x00000800UL /* on a page that is in the cache but has no entry, (Linux: bit 38) */
#define VM_UFFD_WP    0x00001000UL /* writes to protected pages */
#define VM_UFFD       (VM_UFFD_MISSING | VM_UFFD_MINOR | VM_UFFD_WP)
#define VM_LOCKED     0x00002000UL
#define VM_IO         0x00004000UL
#define VM_SEQ_READ   0x00008000UL
#define VM_RAND_READ  0x00010000UL
#define VM_DONTCOPY   0x00020000UL
#define VM_DONTEXPAND 0x00040000UL
#define VM_LOCKONFAULT 0x00080000UL
#define VM_ACCOUNT    0x00100000UL
#define VM_NORESERVE  0x00200000UL
#define VM_HUGETLB    0x00400000UL
#define VM_SYNC       0x00800000UL
#define VM_WIPEONFORK 0x02000000UL
#define VM_DONTDUMP   0x04000000UL
#define VM_SOFTDIRTY  0x08000000UL
#define VM_MIXEDMAP   0x10000000UL
#define VM_HUGEPAGE   0x20000000UL
#define VM_NOHUGEPAGE 0x40000000UL
#define VM_MERGEABLE  0x80000000UL
#define VM_PKEY_SHIFT 32                     /* the protection key of the area's entries */
#define VM_PKEY       (15UL << VM_PKEY_SHIFT)
#define VM_DROPPABLE  (1UL << 40)            /* MAP_DROPPABLE: the system may take its pages back at any time */
#define VM_SEALED     (1UL << 63) /* mseal: no unmapping, moving, protecting */
#define VM_ACCESS     (VM_READ | VM_WRITE | VM_EXEC)

struct file_ra_state;
struct vma_ops {
    /* A copy of the area comes to life (fork, split) / an area goes away. May sleep. */
    void (*open)(struct vma *vma);
    void (*close)(struct vma *vma);
    /* Asked before a mapping is split at addr; 0 or -errno. May be NULL. */
    int (*may_split)(struct vma *vma, u64 addr);
    /* The address moved (mremap). May be NULL. */
    int (*mremap)(struct vma *vma);
    /*
     * For areas without a page cache (PFNMAP, special mappings such as the vdso): finds the page for f->pgoff and sets
     * f->page with a reference, or returns VM_FAULT_*. NULL for anonymous and cached areas.
     */
    u32 (*fault)(struct fault *f);
    /* The readahead state of the open file below (mm/readahead.h). NULL: none; never returns NULL. Any context that may sleep. */
    struct file_ra_state *(*readahead)(struct vma *vma);
    /* fsync() of bytes [start,end] of the open file below. NULL: cache_sync() does. 0 or -errno. May sleep. */
    int (*sync)(struct vma *vma, u64 start, u64 end);
    /* May the caller know which pages of the file are cached (mincore)? NULL: yes. */
    bool (*may_look)(struct vma *vma);
    /* Text for /proc/PID/maps when there is no file name ("[vdso]"); may return NULL. */
    const char *(*name)(struct vma *vma);
    bool apart; /* no such area ends by being merged: mm/vma/merge.c */
};

struct vma {
    struct rt_node node; /* start, end, neighbours */
    struct mm *mm;
    u64 flags;   /* VM_* */
    u64 prot;    /* pte bits of a mapped page: PTE_P|PTE_US|PTE_A|PTE_XD...; PTE_RW only for shared writable
                  areas whose file needs no write-notify (shmem); faults add it elsewhere */
    u64 pgoff;   /* pages: offset in the file; start >> 12 at creation for private anonymous areas */
    s32 readers; /* faults inside; see above */
    bool detached;
    u64 lock_seq;
    struct anon_vma *anon_vma;
    struct list_head anon_link;    /* anon_vma->vmas */
    u64 anon_id; /* 0 without anonymous pages; else who may merge: mm/vma/merge.c. Set with anon_vma */
    struct address_space *mapping; /* NULL: anonymous */
    struct list_head mapping_link; /* mapping->i_mmap */
    const struct vma_ops *ops;     /* may be NULL */
    void *file;                    /* the home's struct file, referenced through ops; NULL for most anonymous ones */
    void *priv;
    struct uffd *uffd; /* whose faults these are, or NULL: U1 of mm/uffd.h */
    char *name; /* prctl(PR_SET_VMA_ANON_NAME), kmalloc'd, or NULL */
    struct rcu_head rcu;
};
static inline u64 vma_start(const struct vma *v)
{
    return READ_ONCE(v->node.start);
}
static inline u64 vma_end(const struct vma *v)
{
    return READ_ONCE(v->node.end);
}
static inline u64 vma_pages(const struct vma *v)
{
    return (READ_ONCE(v->node.end) - READ_ONCE(v->node.start)) >> PAGE_SHIFT; /* rmap looks while `end` moves */
}
static inline u64 vma_index(const struct vma *v, u64 addr)
{
    return v->pgoff + ((addr - v->node.start) >> PAGE_SHIFT);
}
static inline unsigned vma_pkey(const struct vma *v)
{
    return (v->flags & VM_PKEY) >> VM_PKEY_SHIFT;
}
/* A private mapping of /dev/zero is, too, though it has a file. */
static inline bool vma_is_anon(const struct vma *v)
{
    return !v->mapping && (!v->ops || !v->ops->fault);
}

/* Memory of tmpfs, memfd or MAP_SHARED|MAP_ANONYMOUS; System V segments are areas of their own kind. */
bool vma_is_shmem(const struct vma *v);

/* Finding. vma_find: first area that ends above addr; mmap_lock held. */
static inline struct vma *vma_find(struct mm *mm, u64 addr)
{
    struct rt_node *n = rt_find(&mm->vmas, addr);
    return n ? container_of(n, struct vma, node) : NULL;
}
static inline struct vma *vma_next(const struct vma *v)
{
    return v->node.next ? container_of(v->node.next, struct vma, node) : NULL;
}
static inline struct vma *vma_prev(const struct vma *v)
{
    return v->node.prev ? container_of(v->node.prev, struct vma, node) : NULL;
}
static inline struct vma *vma_first(const struct mm *mm)
{
    return mm->vmas.first ? container_of(mm->vmas.first, struct vma, node) : NULL;
}
/* Finds the area that holds addr and read-locks it without mmap_lock; NULL when there is none or a writer is about. */
struct vma *vma_lock_find(struct mm *mm, u64 addr);
void vma_read_unlock(struct vma *vma);
/* mmap_lock held for writing; may sleep until the readers have left. */
void vma_write_lock(struct vma *vma);

/* What a new mapping is made of. addr, len page aligned (sys/ rounds). */
struct vma_request {
    u64 addr, len;
    u64 flags; /* VM_* */
    u64 pgoff;
    struct address_space *mapping;
    const struct vma_ops *ops;
    void *file;
    void *priv;
    bool fixed;      /* replaces what is there */
    bool noreplace;  /* with fixed: -EEXIST instead */
    bool placed;     /* vma_place() was asked */
    bool apart;      /* not joined to a neighbour */
    u32 how;         /* VMA_GAP_* */
    bool populate;
};
/*
 * Maps, merging with neighbours. mmap_lock held for writing. Returns the address or -errno: -ENOMEM (no gap, too many areas,
 * limits), -EEXIST. ops->open is called on the new area (not when merged away).
 */
s64 vma_map(struct mm *mm, struct vma_request *req);
/* Decides req->addr ahead of vma_map(), for callers that must know the address before they check the rest. 0, -ENOMEM, -EPERM, -EEXIST. */
int vma_place(struct mm *mm, struct vma_request *req);
/* Unmaps [start, start+len); holes are fine. 0, -ENOMEM (split impossible), -EPERM (sealed): nothing changed. mmap_lock for writing. */
int vma_unmap(struct mm *mm, u64 start, u64 len);
/* Does a sealed area lie in [start,end)? mmap_lock held. */
bool vma_range_sealed(struct mm *mm, u64 start, u64 end);
/*
 * Gives [start,end) the rights UAPI_PROT_*; pkey: a key allocated in mm, or -1 for mprotect's rules. mmap_lock for writing.
 * 0, -EACCES, -ENOMEM, -EPERM; areas before the one that refused stay changed.
 * fill: the parts in which locked private memory became writable, and its pages are to be had.
 */
struct vma_fill {
    unsigned n;
    struct {
        u64 from, to;
    } part[8]; /* ascending, apart; the last one may hold more than became writable */
};
int vma_protect(struct mm *mm, u64 start, u64 end, u64 prot, int pkey, struct vma_fill *fill);
/* Splits so that an area begins at addr, if one straddles it. */
int vma_split(struct mm *mm, struct vma *vma, u64 addr);
/* Sets flag bits on [start,end) (madvise, mlock): splits and merges; -ENOMEM on holes after doing the rest. */
int vma_set_flags(struct mm *mm, u64 start, u64 end, u64 set, u64 clear);
/*
 * Gives [start,end), which has no hole, to a context in the modes of VM_UFFD, or to none: splits and merges. Protections of
 * userfaultfd end where VM_UFFD_WP does. 0, -ENOMEM. mmap_lock for writing.
 */
int vma_set_uffd(struct mm *mm, u64 start, u64 end, struct uffd *uffd, u64 modes);
/* Names the anonymous areas of [start,end); NULL takes the name away. -EBADF (a file), -ENOMEM (hole), -EAGAIN (no memory). */
int vma_set_name(struct mm *mm, u64 start, u64 end, const char *name);
/* Address for len bytes: hint, top-down or bottom-up search. -ENOMEM. */
#define VMA_GAP_32BIT   1u /* MAP_32BIT */
#define VMA_GAP_ABOVE4G 2u /* MAP_ABOVE4G */
#define VMA_GAP_LOW_HINT 4u /* the hint may lie below mmap_min_addr: the caller asks vma_may_map_at() */
s64 vma_find_gap(struct mm *mm, u64 hint, u64 len, u64 vm_flags, u32 how);
/* 0, or -EPERM: addr lies below mmap_min_addr, and the thread has not CAP_SYS_RAWIO. */
int vma_may_map_at(u64 addr);
/* Grows the stack area so that it holds addr. mmap_lock for writing. 0, -ENOMEM (limit, guard gap), -EAGAIN (no memory for
 * the kernel). */
int vma_grow_stack(struct vma *vma, u64 addr);
#define STACK_GUARD_GAP (256UL << PAGE_SHIFT)

/*
 * For mremap and its like; mmap_lock held for writing.
 * vma_dup: a linked, opened copy for [start,end), not inserted, or NULL. vma_insert: into the tree and the counters.
 * vma_set_bounds: new bounds within the neighbours, pgoff follows start. vma_merge: joins a changed area with agreeing neighbours, returns the
 * area that holds vma's addresses now. vma_may_expand: RLIMIT_AS and RLIMIT_DATA allow `pages` more.
 * vma_start_gap: where an area below vma must end: a stack keeps its guard gap.
 */
struct vma *vma_dup(struct vma *vma, struct mm *mm, u64 start, u64 end);
/* Ends a copy that never entered the tree. */
void vma_discard(struct vma *copy);
void vma_insert(struct mm *mm, struct vma *vma);
void vma_set_bounds(struct vma *vma, u64 start, u64 end);
struct vma *vma_merge(struct vma *vma);
/* The same for an area that is new at its place, but not with areas that reach into [start, end). */
struct vma *vma_merge_new(struct vma *vma, u64 start, u64 end);
void vma_merge_next(struct vma *vma); /* with the one behind only */
bool vma_may_expand(const struct mm *mm, u64 flags, u64 pages);
/* RLIMIT_MEMLOCK, or CAP_IPC_LOCK, allows `pages` more of an area with these flags; true for those without VM_LOCKED. */
bool vma_may_lock(const struct mm *mm, u64 flags, u64 pages);
u64 vma_start_gap(const struct vma *vma);
/* pte bits for vm_flags (protection table of x86-64). Without VM_ACCESS: PTE_PROTNONE and no PTE_P (port/pte.h). */
u64 vma_prot_bits(u64 vm_flags);
/* vma->prot for flags and backing: vma_prot_bits, and PTE_RW for shared writable memory that needs no write-notify. */
u64 vma_page_prot(u64 vm_flags, const struct address_space *mapping);
/* Overcommit (mm/vma/overcommit.c): reserves pages of commit charge; 0 or -ENOMEM. */
int commit_charge(struct mm *mm, u64 pages);
void commit_uncharge(u64 pages);
s64 commit_total(void);
u64 commit_limit(void);

/* Knobs under /proc/sys/vm and /proc/sys/kernel. */
extern u64 sysctl_max_map_count, sysctl_mmap_min_addr, sysctl_overcommit_memory, sysctl_overcommit_ratio;
extern u64 sysctl_randomize_va_space, sysctl_stack_guard_gap;
/* kB; overcommit_kbytes 0: the ratio counts. The reserves are set by vma_boot() to 1/32 of free memory at most. */
extern u64 sysctl_overcommit_kbytes, sysctl_admin_reserve_kbytes, sysctl_user_reserve_kbytes;
extern u64 sysctl_legacy_va_layout, sysctl_mmap_rnd_compat_bits;

int vma_boot(void);

/* NULL or the text of the broken invariant; mmap_lock held. */
const char *vma_validate(struct mm *mm);
#endif
