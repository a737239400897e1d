/* SPDX-License-Identifier: MIT */
/*
 * ELF64 x86-64 programs: from hostile bytes to a plan of mappings. Pure: no file, no memory, no globals, so that a fuzzer can
 * drive it hosted. Bodies in kernel/exec/elf.c; kernel/exec/exec.c carries the plan out.
 */
#ifndef KERNEL_ELF_H
#define KERNEL_ELF_H
#include <lib/types.h>

#define ELF_MAX_PHDRS    128 /* Linux: 64 KiB worth; real programs have about a dozen */
#define ELF_PHDR_SIZE    56
#define ELF_MAX_SEGMENTS 32
#define ELF_HEAD_SIZE    64

struct elf_head {
    bool dyn; /* ET_DYN, else ET_EXEC */
    u64 entry, phoff;
    u16 phnum;
};

/* One PT_LOAD. [map_start, file_end) comes from the file, [file_end, mem_end) is zero. Addresses without the load bias. */
struct elf_segment {
    u64 vaddr;                   /* as written */
    u64 map_start, map_file_end; /* page aligned span of the file mapping; empty when filesz is 0 */
    u64 map_off;                 /* page aligned file offset of map_start */
    u64 file_end, mem_end, mem_map_end; /* end of file bytes; of memory; page aligned end */
    bool r, w, x;
};

struct elf_plan {
    struct elf_head head;
    u32 nr;
    struct elf_segment seg[ELF_MAX_SEGMENTS];
    u64 lo, hi;                 /* page aligned bounds of all segments */
    u64 align;                  /* largest p_align, a power of two, at least a page */
    u64 phdr_vaddr;             /* where the program headers appear in memory; 0: nowhere */
    u64 interp_off, interp_len; /* of the interpreter's path with its NUL; len 0: none */
    u64 start_code, end_code, start_data, end_data, end_bss;
    bool exec_stack, has_stack_header;
};

/* The first bytes of a file. 0; -ENOEXEC: not an ELF file for this machine, or malformed. */
int elf_parse_head(const void *bytes, size_t n, struct elf_head *out);
/*
 * phdrs: head->phnum * ELF_PHDR_SIZE bytes of the file. max_addr: end of user space. 0, -ENOEXEC (malformed), -EINVAL
 * (a segment that no address space can hold), -ENOMEM (overflowing sizes) as Linux tells them apart.
 */
int elf_make_plan(const struct elf_head *head, const void *phdrs, u64 max_addr,
                  struct elf_plan *out);

/* "#!" line of n bytes: 0 with interpreter and optional single argument (arg "" when none) cut out, or -ENOEXEC. */
int elf_parse_script(const char *line, size_t n, char *interp, char *arg, size_t size);
#endif
