/* SPDX-License-Identifier: MIT */
/*
 * PROCMAP_QUERY, an ioctl of /proc/PID/maps: one area as numbers, without the text.
 *
 *   address, filter ──► first area that fits ──► bounds, rights, origin, name, build id of its file
 *
 * The area is found under mmap_lock; names and the file are read there, too, and copied out behind it.
 */
#include "pfs.h"
#include <arch/uaccess.h>
#include <mm/mm.h>
#include <mm/obs_mm.h>
#include <mm/vma.h>
#include <port/uaccess.h>

#define PROCMAP_QUERY 0xc0686611u

enum {
    QUERY_READ = 1,
    QUERY_WRITE = 2,
    QUERY_EXEC = 4,
    QUERY_SHARED = 8,
    QUERY_OR_NEXT = 16,
    QUERY_FILE = 32,
    QUERY_ALL = 63,
};

struct query {
    u64 size, flags, addr;                            /* from the program */
    u64 start, end, rights, page_size, offset, inode; /* to it */
    u32 major, minor, name_size, build_id_size;       /* sizes both ways */
    u64 name_addr, build_id_addr;
};
BUILD_ASSERT(sizeof(struct query) == 104);
#define QUERY_MIN __builtin_offsetof(struct query, start)

#define BUILD_ID_MAX 20

static u32 rights_of(const struct vma *v)
{
    return (v->flags & VM_READ ? QUERY_READ : 0) | (v->flags & VM_WRITE ? QUERY_WRITE : 0) |
           (v->flags & VM_EXEC ? QUERY_EXEC : 0) | (v->flags & VM_MAYSHARE ? QUERY_SHARED : 0);
}

static struct vma *find_area(struct mm *mm, u64 addr, u64 flags)
{
    u32 want = flags & (QUERY_READ | QUERY_WRITE | QUERY_EXEC | QUERY_SHARED);
    for (struct vma *v = vma_find(mm, addr); v; v = vma_next(v)) {
        if (vma_start(v) > addr && !(flags & QUERY_OR_NEXT))
            return NULL;
        bool file = v->file || v->mapping;
        if ((rights_of(v) & want) == want && (file || !(flags & QUERY_FILE)))
            return v;
        if (!(flags & QUERY_OR_NEXT))
            return NULL;
    }
    return NULL;
}

/* The note "GNU", type 3, among n bytes of notes. Returns its length, 0: none. */
static u32 find_note(const u8 *notes, size_t n, u8 *id)
{
    u32 head[3];
    for (size_t at = 0; at + sizeof(head) <= n;) {
        memcpy(head, notes + at, sizeof(head));
        size_t name = at + sizeof(head), desc = name + ALIGN_UP((size_t)head[0], 4UL);
        if (desc > n || head[1] > n - desc)
            return 0;
        if (head[2] == 3 && head[0] == 4 && !memcmp(notes + name, "GNU", 4) && head[1] && head[1] <= BUILD_ID_MAX) {
            memcpy(id, notes + desc, head[1]);
            return head[1];
        }
        at = desc + ALIGN_UP((size_t)head[1], 4UL);
    }
    return 0;
}

/* From the notes in the first page of an ELF file, where linkers put them. */
static u32 read_build_id(struct file *f, u8 *id)
{
    struct {
        u32 type, flags;
        u64 offset, vaddr, paddr, filesz, memsz, align;
    } ph;
    u8 *page = kmalloc(PAGE_SIZE, GFP_KERNEL);
    u64 at;
    u16 count;
    u32 len = 0;
    ssize_t n = page ? file_read_kernel(f, page, PAGE_SIZE, 0) : 0;
    if (n >= 64 && !memcmp(page, "\177ELF\2", 5)) {
        memcpy(&at, page + 32, sizeof(at));
        memcpy(&count, page + 56, sizeof(count));
        for (; count && !len && at <= (u64)n - sizeof(ph); count--, at += sizeof(ph)) {
            memcpy(&ph, page + at, sizeof(ph));
            if (ph.type == 4 && ph.offset < (u64)n && ph.filesz <= (u64)n - ph.offset)
                len = find_note(page + ph.offset, ph.filesz, id);
        }
    }
    kfree(page);
    return len;
}

/* mmap_lock held. name: a buffer of PATH_MAX. */
static s64 describe(const struct vma *v, struct query *q, struct seq *name, u8 *id)
{
    struct obs_last last = {0};
    struct obs_origin o;
    obs_vma_origin(v, &pid_obs_files, &last, &o);
    q->start = vma_start(v);
    q->end = vma_end(v);
    q->rights = rights_of(v);
    q->page_size = PAGE_SIZE;
    q->offset = o.offset;
    q->inode = o.ino;
    q->major = o.major;
    q->minor = o.minor;
    if (q->build_id_size) {
        u32 len = v->file ? read_build_id(v->file, id) : 0;
        if (len > q->build_id_size)
            return -ENAMETOOLONG;
        q->build_id_size = len;
    }
    if (q->name_size) {
        obs_vma_name(name, v, &pid_obs_files, &last);
        if (name->len)
            seq_putc(name, 0);
        if (name->overflow || name->len > q->name_size)
            return -ENAMETOOLONG;
        q->name_size = (u32)name->len;
    }
    return 0;
}

static s64 query(struct pid_inode *pi, u64 arg, struct query *q, char *buf)
{
    u8 id[BUILD_ID_MAX];
    struct seq name;
    struct mm *mm = pid_get_mm(pi);
    if (!mm)
        return -ESRCH;
    seq_init(&name, buf, PATH_MAX);
    mmap_read_lock(mm);
    struct vma *v = find_area(mm, q->addr, q->flags);
    s64 err = v ? describe(v, q, &name, id) : -ENOENT;
    mmap_read_unlock(mm);
    mm_put(mm);
    if (err)
        return err;
    if (q->name_size && copy_to_user(q->name_addr, buf, q->name_size))
        return -EFAULT;
    if (q->build_id_size && copy_to_user(q->build_id_addr, id, q->build_id_size))
        return -EFAULT;
    return copy_to_user(arg, q, min(q->size, sizeof(*q))) ? -EFAULT : 0;
}

s64 pid_maps_ioctl(struct pid_inode *pi, u32 cmd, u64 arg)
{
    struct query q = {0};
    u64 size;
    if (cmd != PROCMAP_QUERY)
        return -ENOTTY;
    if (get_user(size, arg))
        return -EFAULT;
    if (size > PAGE_SIZE)
        return -E2BIG;
    if (size < QUERY_MIN)
        return -EINVAL;
    if (copy_from_user(&q, arg, min(size, sizeof(q))))
        return -EFAULT;
    for (u64 at = sizeof(q); at < size; at++) { /* from a newer program: must be zero */
        u8 rest;
        if (get_user(rest, arg + at))
            return -EFAULT;
        if (rest)
            return -E2BIG;
    }
    q.size = size;
    if (q.flags & ~(u64)QUERY_ALL || !q.name_size != !q.name_addr || !q.build_id_size != !q.build_id_addr)
        return -EINVAL;
    char *buf = kmalloc(PATH_MAX, GFP_KERNEL);
    if (!buf)
        return -ENOMEM;
    s64 err = query(pi, arg, &q, buf);
    kfree(buf);
    return err;
}
