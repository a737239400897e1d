/* SPDX-License-Identifier: MIT */
/* Carrying out a plan: segments become areas of the new mm, which is already the current one. */
#include "../proc/proc.h"
#include "exec.h"
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/sys.h>
#include <port/uaccess.h>
#include <uapi/mman.h>

#define FIXED_PRIVATE (UAPI_MAP_PRIVATE | UAPI_MAP_FIXED)

int exec_script(struct exec_image *im, size_t n)
{
    char *text = kmalloc(3 * EXEC_HEAD, GFP_KERNEL);
    if (!text)
        return -ENOMEM;
    char *interp = text, *arg = text + EXEC_HEAD;
    int err = elf_parse_script((const char *)im->head, n, interp, arg, EXEC_HEAD);
    if (!err)
        err = exec_args_script(im, interp, arg, im->script ? im->script : im->filename);
    if (!err) {
        struct file *f = file_open_exec(AT_FDCWD, interp, 0);
        err = IS_ERR(f) ? (int)PTR_ERR(f) : 1;
        if (err == 1) {
            file_put(im->file);
            im->file = f;
        }
    }
    kfree(im->script);
    im->script = text;
    return err;
}

int exec_read_plan(struct file *f, const void *head, size_t n, u64 limit, struct elf_plan *plan)
{
    struct elf_head h;
    int err = elf_parse_head(head, n, &h);
    if (err)
        return err;
    size_t size = (size_t)h.phnum * ELF_PHDR_SIZE;
    if (h.phoff + size <= n)
        return elf_make_plan(&h, (const u8 *)head + h.phoff, limit, plan);
    void *phdrs = kmalloc(size, GFP_KERNEL);
    if (!phdrs)
        return -ENOMEM;
    ssize_t got = file_read_kernel(f, phdrs, size, h.phoff);
    err = got < 0               ? (int)got
          : (size_t)got != size ? -ENOEXEC
                                : elf_make_plan(&h, phdrs, limit, plan);
    kfree(phdrs);
    return err;
}

static u64 prot_of(const struct elf_segment *s)
{
    return (s->r ? UAPI_PROT_READ : 0u) | (s->w ? UAPI_PROT_WRITE : 0u) |
           (s->x ? UAPI_PROT_EXEC : 0u);
}

static int map_segment(struct mm *mm, struct file *f, const struct elf_segment *s, u64 bias)
{
    u64 prot = prot_of(s);
    if (s->map_file_end > s->map_start) {
        struct map_file mf = {0};
        u64 len = s->map_file_end - s->map_start;
        int err =
            f->ops->mmap ? f->ops->mmap(f, &mf, len, prot, FIXED_PRIVATE, s->map_off) : -ENODEV;
        if (err)
            return err;
        s64 at = sys_mm_mmap(mm, bias + s->map_start, len, prot, FIXED_PRIVATE, &mf, s->map_off);
        if (at < 0)
            return (int)at;
        /* The rest of the last page belongs to the bss, not to whatever follows in the file. */
        if (s->mem_end > s->file_end && s->w && s->map_file_end > s->file_end &&
            clear_user(bias + s->file_end, s->map_file_end - s->file_end))
            return -EFAULT;
    }
    if (s->mem_map_end > s->map_file_end) {
        s64 at = sys_mm_mmap(mm, bias + s->map_file_end, s->mem_map_end - s->map_file_end, prot,
                             FIXED_PRIVATE | UAPI_MAP_ANONYMOUS, NULL, 0);
        if (at < 0)
            return (int)at;
    }
    return 0;
}

static int map_plan(struct mm *mm, struct file *f, const struct elf_plan *p, u64 bias)
{
    for (u32 i = 0; i < p->nr; i++) {
        int err = map_segment(mm, f, &p->seg[i], bias);
        if (err)
            return err;
    }
    return 0;
}

/* A place for a position-independent image: where mmap would put it. */
static s64 find_base(struct mm *mm, const struct elf_plan *p)
{
    u64 len = p->hi - p->lo;
    mmap_write_lock(mm);
    s64 at = vma_find_gap(mm, 0, len + (p->align > PAGE_SIZE ? p->align : 0), 0, 0);
    mmap_write_unlock(mm);
    if (at < 0)
        return at;
    return (s64)(ALIGN_UP((u64)at, p->align) - ALIGN_DOWN(p->lo, p->align));
}

static int place_program(struct exec_image *im)
{
    const struct elf_plan *p = &im->plan;
    im->bias = 0;
    if (!p->head.dyn)
        return 0;
    if (p->interp_len) {
        u64 base = mm_pie_base(im->mm, im->randomize);
        im->bias = ALIGN_DOWN(base, p->align) - page_align_down(p->lo);
        return 0;
    }
    s64 bias = find_base(im->mm, p); /* the interpreter itself, or a static PIE */
    if (bias < 0 && bias > -(s64)MAX_ERRNO)
        return (int)bias;
    im->bias = (u64)bias;
    return 0;
}

static void note_bounds(struct exec_image *im)
{
    struct mm *mm = im->mm;
    const struct elf_plan *p = &im->plan;
    mm->start_code = im->bias + p->start_code;
    mm->end_code = im->bias + p->end_code;
    mm->start_data = im->bias + p->start_data;
    mm->end_data = im->bias + p->end_data;
    u64 brk = page_align_up(im->bias + p->end_bss);
    if (im->randomize && sysctl_randomize_va_space > 1) {
        bool static_pie = p->head.dyn && !p->interp_len; /* it lies among the mappings: brk must not */
        brk = mm_random_brk(static_pie ? mm_pie_base(mm, false) : brk + PAGE_SIZE);
    }
    mm->start_brk = mm->brk = brk;
}

int exec_map_program(struct exec_image *im)
{
    struct mm *mm = current_task()->mm;
    im->mm = mm; /* borrowed: current holds it */
    int err = exec_map_stack(im);
    if (!err)
        err = place_program(im);
    if (!err)
        err = map_plan(mm, im->file, &im->plan, im->bias);
    if (!err) {
        note_bounds(im);
        im->entry = im->start = im->bias + im->plan.head.entry;
        im->phdr = im->plan.phdr_vaddr ? im->bias + im->plan.phdr_vaddr : 0;
    }
    if (!err && current_task()->personality & MMAP_PAGE_ZERO) /* old programs expect it; nobody minds when it fails */
        sys_mm_mmap(mm, 0, PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_EXEC, FIXED_PRIVATE | UAPI_MAP_ANONYMOUS, NULL, 0);
    if (!err && im->interp) {
        const struct elf_plan *p = &im->interp_plan;
        s64 bias = p->head.dyn ? find_base(mm, p) : 0;
        if (bias < 0 && bias > -(s64)MAX_ERRNO)
            err = (int)bias;
        else
            err = map_plan(mm, im->interp, p, (u64)bias);
        im->interp_base = (u64)bias;
        im->start = (u64)bias + p->head.entry;
    }
    if (!err)
        err = exec_map_vdso(mm, im->randomize);
    im->mm = NULL;
    return err;
}
