/* SPDX-License-Identifier: MIT */
/* Inside of exec: one program on its way into memory. */
#ifndef KERNEL_EXEC_EXEC_H
#define KERNEL_EXEC_EXEC_H
#include <arch/mmu.h>
#include <kernel/elf.h>
#include <kernel/file.h>
#include <lib/fmt.h>
#include <mm/vma.h>

#define EXEC_HEAD      256
#define EXEC_MAX_PAGES 1536 /* 6 MiB of arguments at most, whatever the stack's limit */

struct exec_image {
    struct file *file, *interp;
    const char *filename; /* AT_EXECFN and a script's argument */
    char *script;         /* interpreter and argument of the last "#!" line, kmalloc'd */
    struct mm *mm;
    u64 task_size;
    bool randomize;
    struct elf_plan plan, interp_plan;
    u8 head[EXEC_HEAD];
    /* Argument strings one after another, see args.c. */
    u64 args_len, args_limit; /* bytes */
    u32 nr_pages, argc, envc; /* argc: without the prefix */
    u64 argv_skip;            /* bytes of the argv[0] that a script's prefix replaces */
    u64 exec_off;             /* of the file name */
    char *prefix;             /* kmalloc'd */
    size_t prefix_len;
    u32 prefix_argc;
    /* Results. */
    u64 bias, interp_base, entry, start, phdr, sp;
    char *page[EXEC_MAX_PAGES]; /* last: not cleared */
};

/* args.c */
int exec_args_copy(struct exec_image *im, u64 uargv, u64 uenvp, const char *const *kargv,
                   const char *const *kenvp);
/* A script: drops argv[0], puts interpreter, argument and the script's name in front. */
int exec_args_script(struct exec_image *im, const char *interp, const char *arg, const char *name);
void exec_args_free(struct exec_image *im);
int exec_map_stack(struct exec_image *im);
int exec_build_stack(struct exec_image *im);
/* load.c */
int exec_script(struct exec_image *im, size_t n);
int exec_read_plan(struct file *f, const void *head, size_t n, u64 limit, struct elf_plan *plan);
int exec_map_program(struct exec_image *im);
/* vdso.c: maps the vDSO and sets mm->vdso (0 when there is none). 0 or -ENOMEM. */
int exec_map_vdso(struct mm *mm, bool randomize);
#endif
