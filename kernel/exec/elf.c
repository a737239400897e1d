/* SPDX-License-Identifier: MIT */
/*
 * ELF headers to a plan of mappings. Every field is hostile until checked here.
 *
 *    file   |ehdr|phdrs|....text....|..data..|
 *    memory      [map_start .. map_file_end) from the file, [file_end .. mem_end) zero
 *
 * E1. In a plan, seg[i].map_start <= seg[i].file_end <= seg[i].mem_end <= seg[i].mem_map_end <= max_addr.
 * E2. Segments ascend and don't overlap in pages, but that a segment may begin in the page where the one before ends.
 */
#include <kernel/elf.h>
#include <lib/bits.h>
#include <lib/errno.h>
#include <port/page.h>

enum { PT_LOAD = 1, PT_INTERP = 3, PT_PHDR = 6, PT_GNU_STACK = 0x6474e551 };
enum { PF_X = 1, PF_W = 2, PF_R = 4 };
#define PATH_LIMIT 4096

static u16 get16(const u8 *p)
{
    return (u16)(p[0] | p[1] << 8);
}
static u32 get32(const u8 *p)
{
    return get16(p) | (u32)get16(p + 2) << 16;
}
static u64 get64(const u8 *p)
{
    return get32(p) | (u64)get32(p + 4) << 32;
}

int elf_parse_head(const void *bytes, size_t n, struct elf_head *out)
{
    const u8 *b = bytes;
    if (n < ELF_HEAD_SIZE)
        return -ENOEXEC;
    if (get32(b) != 0x464c457f || b[4] != 2 /* 64-bit */ || b[5] != 1 /* little endian */)
        return -ENOEXEC;
    u16 type = get16(b + 16);
    if ((type != 2 && type != 3) || get16(b + 18) != 62 /* x86-64 */)
        return -ENOEXEC;
    out->dyn = type == 3;
    out->entry = get64(b + 24);
    out->phoff = get64(b + 32);
    out->phnum = get16(b + 56);
    if (get16(b + 54) != ELF_PHDR_SIZE || out->phnum == 0 || out->phnum > ELF_MAX_PHDRS)
        return -ENOEXEC;
    if (out->phoff > (u64)1 << 62)
        return -ENOEXEC;
    return 0;
}

static int add_load(struct elf_plan *p, const u8 *ph, u64 max_addr)
{
    u32 flags = get32(ph + 4);
    u64 off = get64(ph + 8), vaddr = get64(ph + 16), filesz = get64(ph + 32),
        memsz = get64(ph + 40);
    u64 align = get64(ph + 48);

    if (memsz == 0)
        return 0;
    if (filesz > memsz || vaddr >= max_addr || memsz > max_addr || vaddr > max_addr - memsz)
        return -EINVAL;
    if (off > (u64)1 << 62 || filesz > ((u64)1 << 62) - off)
        return -EINVAL;
    if (filesz && ((vaddr ^ off) & (PAGE_SIZE - 1)))
        return -EINVAL;
    if (p->nr == ELF_MAX_SEGMENTS)
        return -ENOEXEC;
    if (page_align_up(vaddr + memsz) > max_addr)
        return -EINVAL;

    struct elf_segment *s = &p->seg[p->nr];
    u64 lead = vaddr & (PAGE_SIZE - 1);
    s->vaddr = vaddr;
    s->map_start = vaddr - lead;
    s->map_off = filesz ? off - lead : 0;
    s->file_end = vaddr + filesz;
    s->map_file_end = filesz ? page_align_up(s->file_end) : s->map_start;
    s->mem_end = vaddr + memsz;
    s->mem_map_end = page_align_up(s->mem_end);
    s->r = flags & PF_R;
    s->w = flags & PF_W;
    s->x = flags & PF_X;
    if (p->nr && s->map_start < p->seg[p->nr - 1].mem_map_end &&
        (s->vaddr < p->seg[p->nr - 1].mem_end ||
         s->map_start < p->seg[p->nr - 1].mem_map_end - PAGE_SIZE))
        return -EINVAL; /* E2 */
    p->nr++;

    if (is_pow2(align) && align > p->align && align <= (u64)1 << 40)
        p->align = align;
    p->hi = max(p->hi, s->mem_map_end);
    p->lo = min(p->lo, s->map_start);
    if (s->x) {
        p->start_code = min(p->start_code, vaddr);
        p->end_code = max(p->end_code, s->file_end);
    }
    p->start_data = max(p->start_data, vaddr);
    p->end_data = max(p->end_data, s->file_end);
    p->end_bss = max(p->end_bss, s->mem_end);
    /* The program headers lie in this segment's file bytes. */
    u64 ph_end = p->head.phoff + (u64)p->head.phnum * ELF_PHDR_SIZE;
    if (!p->phdr_vaddr && filesz && off <= p->head.phoff && ph_end <= off + filesz)
        p->phdr_vaddr = p->head.phoff - off + vaddr;
    return 0;
}

int elf_make_plan(const struct elf_head *head, const void *phdrs, u64 max_addr, struct elf_plan *p)
{
    __builtin_memset(p, 0, sizeof(*p));
    p->head = *head;
    p->lo = U64_MAX;
    p->align = PAGE_SIZE;
    p->start_code = U64_MAX;
    max_addr = page_align_down(max_addr);

    for (u32 i = 0; i < head->phnum; i++) {
        const u8 *ph = (const u8 *)phdrs + i * ELF_PHDR_SIZE;
        u32 type = get32(ph);
        if (type == PT_LOAD) {
            int err = add_load(p, ph, max_addr);
            if (err)
                return err;
        } else if (type == PT_INTERP && !p->interp_len) {
            p->interp_off = get64(ph + 8);
            p->interp_len = get64(ph + 32);
            if (p->interp_len < 2 || p->interp_len > PATH_LIMIT || p->interp_off > (u64)1 << 62)
                return -ENOEXEC;
        } else if (type == PT_GNU_STACK) {
            p->has_stack_header = true;
            p->exec_stack = get32(ph + 4) & PF_X;
        }
    }
    if (p->nr == 0)
        return -ENOEXEC;
    if (p->start_code == U64_MAX)
        p->start_code = p->lo;
    /* The entry must be an address that the program could own; what is there is the program's affair. */
    if (head->entry >= max_addr)
        return -EINVAL;
    if (head->dyn && p->hi - p->lo > max_addr / 2)
        return -ENOMEM;
    return 0;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

int elf_parse_script(const char *line, size_t n, char *interp, char *arg, size_t size)
{
    if (n < 3 || line[0] != '#' || line[1] != '!')
        return -ENOEXEC;
    size_t i = 2, end = 2;
    while (end < n && line[end] != '\n' && line[end] != '\0')
        end++;
    bool cut = end == n; /* no end of line seen: the path must at least be complete */
    while (i < end && blank(line[i]))
        i++;
    size_t start = i;
    while (i < end && !blank(line[i]))
        i++;
    if (i == start || i - start >= size || (cut && i == end))
        return -ENOEXEC;
    memcpy(interp, line + start, i - start);
    interp[i - start] = '\0';
    while (i < end && blank(line[i]))
        i++;
    while (end > i && blank(line[end - 1]))
        end--;
    if (end - i >= size)
        return -ENOEXEC;
    memcpy(arg, line + i, end - i);
    arg[end - i] = '\0';
    return 0;
}
