/* SPDX-License-Identifier: MIT */
/*
 * The core file.
 *
 *   0 ELF header | program headers: PT_NOTE, a PT_LOAD for each area | notes | page aligned: memory of the areas, one after
 *   another; an area's PT_LOAD says how much of it is there (p_filesz) and how much there was (p_memsz)
 *
 * Pages that were never touched become holes, and nothing is allocated for them.
 */
#include "coredump.h"
#include <kernel/elf.h>
#include <mm/fault.h>
#include <mm/mm.h>
#include <mm/phys.h>
#include <port/log.h>
#include <port/uaccess.h>

#define ET_CORE   4
#define EM_X86_64 62
#define PT_LOAD   1
#define PT_NOTE   4
#define MAX_AREAS 65000u /* e_phnum has 16 bits */

enum { FILTER_ANON_PRIVATE, FILTER_ANON_SHARED, FILTER_FILE_PRIVATE, FILTER_FILE_SHARED, FILTER_ELF_HEADERS };

struct ehdr {
    u8 ident[16];
    u16 type, machine;
    u32 version;
    u64 entry, phoff, shoff;
    u32 flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct phdr {
    u32 type, flags;
    u64 offset, vaddr, paddr, filesz, memsz, align;
};
BUILD_ASSERT(sizeof(struct ehdr) == 64 && sizeof(struct phdr) == ELF_PHDR_SIZE);

/* ---- which memory ---- */

static bool begins_elf(u64 addr)
{
    u32 word;
    return !copy_from_user(&word, addr, sizeof(word)) && word == 0x464c457f;
}

/* How many bytes of the area go into the file. ELF_HEADERS is answered with a page: see fix_headers(). */
static u64 dump_size(const struct vma *vma, u64 filter)
{
    struct file *f = vma->file;
    u64 whole = vma_end(vma) - vma_start(vma);
#define WANTED(bit) (filter >> (bit) & 1)
    if (vma->ops && !vma->mapping && !f)
        return whole; /* the vDSO: no file has it */
    if (vma->flags & (VM_DONTDUMP | VM_IO))
        return 0;
    if (vma->flags & VM_SHARED)
        return WANTED(!f || f->inode->nlink == 0 ? FILTER_ANON_SHARED : FILTER_FILE_SHARED) ? whole : 0;
    if (vma->anon_vma && WANTED(FILTER_ANON_PRIVATE))
        return whole;
    if (!f)
        return 0;
    if (WANTED(FILTER_FILE_PRIVATE))
        return whole;
    return WANTED(FILTER_ELF_HEADERS) && vma->pgoff == 0 && vma->flags & VM_READ ? PAGE_SIZE : 0;
#undef WANTED
}

static void note_area(struct core_vma *c, struct vma *vma, u64 filter)
{
    *c = (struct core_vma){.start = vma_start(vma),
                           .end = vma_end(vma),
                           .flags = vma->flags,
                           .pgoff = vma->pgoff,
                           .dump = dump_size(vma, filter),
                           .file = vma->file ? file_get(vma->file) : NULL,
                           .name = !vma->file && vma->mapping && vma->ops && vma->ops->name ? vma->ops->name(vma) : NULL};
}

/* A first page alone is worth it only where a program or library begins. User memory is read: no lock held. */
static void fix_headers(struct core_dump *d, u64 filter)
{
    for (u32 i = 0; i < d->nr_vmas; i++) {
        struct core_vma *c = &d->vma[i];
        bool header = c->dump == PAGE_SIZE && c->file && !(c->flags & VM_SHARED) && !(filter >> FILTER_FILE_PRIVATE & 1);
        if (header && c->end - c->start > PAGE_SIZE && !(c->file->inode->mode & 0111) && !begins_elf(c->start))
            c->dump = 0;
    }
}

static bool snapshot(struct core_dump *d)
{
    struct mm *mm = current_task()->mm;
    u64 filter = mm_dump_filter(mm);
    mmap_read_lock(mm);
    u32 most = (u32)min(mm->map_count, (u64)MAX_AREAS);
    bool fits = mm->map_count <= MAX_AREAS;
    d->vma = fits ? kvmalloc(max(most, 1u) * sizeof(*d->vma), GFP_KERNEL) : NULL;
    for (struct vma *v = d->vma ? vma_first(mm) : NULL; v && d->nr_vmas < most; v = vma_next(v))
        note_area(&d->vma[d->nr_vmas++], v, filter);
    mmap_read_unlock(mm);
    fix_headers(d, filter);
    return d->vma;
}

static void forget(struct core_dump *d)
{
    for (u32 i = 0; i < d->nr_vmas; i++)
        if (d->vma[i].file)
            file_put(d->vma[i].file);
    kvfree(d->vma);
}

/* ---- writing ---- */

static bool write_header(struct core_dump *d)
{
    struct ehdr h = {.ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
                     .type = ET_CORE,
                     .machine = EM_X86_64,
                     .version = 1,
                     .phoff = sizeof(h),
                     .ehsize = sizeof(h),
                     .phentsize = sizeof(struct phdr),
                     .phnum = (u16)(d->nr_vmas + 1)};
    return core_emit(d, &h, sizeof(h));
}

static bool write_phdrs(struct core_dump *d, size_t notes, u64 data)
{
    struct phdr n = {.type = PT_NOTE,
                     .offset = sizeof(struct ehdr) + (d->nr_vmas + 1UL) * sizeof(struct phdr),
                     .filesz = notes,
                     .align = 4};
    if (!core_emit(d, &n, sizeof(n)))
        return false;
    for (u32 i = 0; i < d->nr_vmas; i++) {
        const struct core_vma *c = &d->vma[i];
        struct phdr p = {.type = PT_LOAD,
                         .flags = (c->flags & VM_READ ? 4u : 0) | (c->flags & VM_WRITE ? 2u : 0) |
                                  (c->flags & VM_EXEC ? 1u : 0),
                         .offset = data,
                         .vaddr = c->start,
                         .filesz = c->dump,
                         .memsz = c->end - c->start,
                         .align = PAGE_SIZE};
        if (!core_emit(d, &p, sizeof(p)))
            return false;
        data += c->dump;
    }
    return true;
}

static bool write_area(struct core_dump *d, const struct core_vma *c)
{
    struct mm *mm = current_task()->mm;
    for (u64 at = c->start; at < c->start + c->dump; at += PAGE_SIZE) {
        struct page *page;
        if (gup_touched(mm, at, &page))
            return false;
        bool ok = page ? core_emit(d, page_to_virt(page), PAGE_SIZE) : core_skip(d, PAGE_SIZE);
        if (page)
            page_put(page);
        if (!ok || fatal_signal_pending())
            return false;
        sched_cond();
    }
    return true;
}

static bool write_all(struct core_dump *d, const void *notes, size_t size)
{
    u64 data = ALIGN_UP(sizeof(struct ehdr) + (d->nr_vmas + 1UL) * sizeof(struct phdr) + size, PAGE_SIZE);
    if (!write_header(d) || !write_phdrs(d, size, data) || !core_emit(d, notes, size) || !core_skip(d, data - d->pos))
        return false;
    u64 end = data;
    for (u32 i = 0; i < d->nr_vmas; i++) {
        if (!write_area(d, &d->vma[i]))
            return false;
        end += d->vma[i].dump;
    }
    ASSERT(d->pos == end);
    return core_end(d);
}

bool core_write_elf(struct core_dump *d)
{
    void *notes = NULL;
    size_t size = 0;
    bool ok = snapshot(d) && !core_notes(d, &notes, &size);
    if (ok)
        write_all(d, notes, size); /* C2 in coredump.c */
    kvfree(notes);
    forget(d);
    return ok;
}
