/* SPDX-License-Identifier: MIT */
/*
 * The vDSO: a whole ELF shared object laid out by hand, in one page, mapped into every program
 * VVAR_PAGES behind the data page ("[vvar]", struct vdso_data in vdso.c). Programs find it
 * through AT_SYSINFO_EHDR.
 *
 *   0 ELF header · program headers · dynamic section · symbols · strings · hash · versions · note
 *   · code
 */
#define VVAR_BASE   (vdso_image - 4 * 4096)
#define VVAR_MULT   (vdso_image - 4 * 4096 + 8)
#define VVAR_WALL   (vdso_image - 4 * 4096 + 16)
#define VVAR_FLAGS  (vdso_image - 4 * 4096 + 24)
#define FLAG_TSC    1       /* the TSC may be read instead of asking the kernel */
#define FLAG_CPU    2       /* RDTSCP tells CPU and node */
#define NSEC        1000000000

#define SYS_gettimeofday  96
#define SYS_time          201
#define SYS_clock_gettime 228
#define SYS_getcpu        309

    .section .rodata
    .balign 4096
    .globl vdso_image, vdso_image_end
vdso_image:
    .byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0
    .word 3, 62                         /* shared object, x86-64 */
    .long 1
    .quad 0, headers - vdso_image, 0    /* entry, program headers, no section headers */
    .long 0
    .word 64, 56, 3, 64, 0, 0

headers:
    .long 1, 5                          /* PT_LOAD, R-X: the page */
    .quad 0, 0, 0, vdso_image_end - vdso_image, vdso_image_end - vdso_image, 4096
    .long 2, 4                          /* PT_DYNAMIC */
    .quad dynamic - vdso_image, dynamic - vdso_image, dynamic - vdso_image
    .quad dynamic_end - dynamic, dynamic_end - dynamic, 8
    .long 4, 4                          /* PT_NOTE */
    .quad note - vdso_image, note - vdso_image, note - vdso_image, note_end - note, note_end - note, 4

dynamic:
    .quad 14, str_soname - strings      /* DT_SONAME */
    .quad 4, hash - vdso_image          /* DT_HASH */
    .quad 5, strings - vdso_image       /* DT_STRTAB */
    .quad 6, symbols - vdso_image       /* DT_SYMTAB */
    .quad 10, strings_end - strings     /* DT_STRSZ */
    .quad 11, 24                        /* DT_SYMENT */
    .quad 0x6ffffff0, versions - vdso_image     /* DT_VERSYM */
    .quad 0x6ffffffc, version_defs - vdso_image /* DT_VERDEF */
    .quad 0x6ffffffd, 2                 /* DT_VERDEFNUM */
    .quad 0, 0
dynamic_end:

.macro SYMBOL name, code, end
    .long \name - strings
    .byte 0x12, 0                       /* global function */
    .word 1                             /* any defined section */
    .quad \code - vdso_image, \end - \code
.endm
    .balign 8
symbols:
    .fill 24, 1, 0
    SYMBOL str_clock_gettime, clock_gettime, clock_gettime_end
    SYMBOL str_gettimeofday, gettimeofday, gettimeofday_end
    SYMBOL str_time, time, time_end
    SYMBOL str_getcpu, getcpu, getcpu_end
strings:
    .byte 0
str_soname:        .asciz "linux-vdso.so.1"
str_version:       .asciz "LINUX_2.6"
str_clock_gettime: .asciz "__vdso_clock_gettime"
str_gettimeofday:  .asciz "__vdso_gettimeofday"
str_time:          .asciz "__vdso_time"
str_getcpu:        .asciz "__vdso_getcpu"
strings_end:

/* One bucket: the chain goes through all symbols. */
    .balign 8
hash:
    .long 1, 5, 1, 0, 2, 3, 4, 0

    .balign 2
versions:
    .word 0, 2, 2, 2, 2
    .balign 8
version_defs:
    .word 1, 1, 1, 1                    /* the object itself */
    .long 0x0a0f5c81, 20, 28            /* hash of "linux-vdso.so.1" is not looked at */
    .long str_soname - strings, 0
    .word 1, 0, 2, 1
    .long 0x03ae75f6, 20, 0             /* hash of "LINUX_2.6" */
    .long str_version - strings, 0

    .balign 4
note:
    .long 6, 4, 0                       /* name "Linux", type 0: the kernel version it was made for */
    .asciz "Linux\0\0"
    .long 0x060c00
note_end:

/* RAX = nanoseconds since boot. Clobbers RDX. */
.macro READ_CLOCK
    lfence
    rdtsc
    shlq $32, %rdx
    orq %rdx, %rax
    subq VVAR_BASE(%rip), %rax
    mulq VVAR_MULT(%rip)
    shrdq $32, %rdx, %rax
.endm

    .balign 16
clock_gettime:                          /* (EDI = clock, RSI = struct timespec *) */
    testl $FLAG_TSC, VVAR_FLAGS(%rip)
    jz 3f
    cmpl $7, %edi
    ja 3f
    movl $0xf3, %eax                    /* REALTIME MONOTONIC MONOTONIC_RAW, both COARSE, BOOTTIME */
    btl %edi, %eax
    jnc 3f
    READ_CLOCK
    testl %edi, %edi                    /* REALTIME is 0, its COARSE twin 5 */
    jz 1f
    cmpl $5, %edi
    jne 2f
1:  addq VVAR_WALL(%rip), %rax
2:  xorl %edx, %edx
    movl $NSEC, %ecx
    divq %rcx
    movq %rax, (%rsi)
    movq %rdx, 8(%rsi)
    xorl %eax, %eax
    ret
3:  movl $SYS_clock_gettime, %eax
    syscall
    ret
clock_gettime_end:

    .balign 16
gettimeofday:                           /* (RDI = struct timeval *, RSI = struct timezone *) */
    testl $FLAG_TSC, VVAR_FLAGS(%rip)
    jz 3f
    testq %rdi, %rdi
    jz 1f
    READ_CLOCK
    addq VVAR_WALL(%rip), %rax
    xorl %edx, %edx
    movl $NSEC, %ecx
    divq %rcx
    movq %rax, (%rdi)
    movl %edx, %eax
    xorl %edx, %edx
    movl $1000, %ecx
    divl %ecx
    movq %rax, 8(%rdi)
1:  testq %rsi, %rsi
    jz 2f
    movq $0, (%rsi)
2:  xorl %eax, %eax
    ret
3:  movl $SYS_gettimeofday, %eax
    syscall
    ret
gettimeofday_end:

    .balign 16
time:                                   /* (RDI = time_t *) */
    testl $FLAG_TSC, VVAR_FLAGS(%rip)
    jz 2f
    READ_CLOCK
    addq VVAR_WALL(%rip), %rax
    xorl %edx, %edx
    movl $NSEC, %ecx
    divq %rcx
    testq %rdi, %rdi
    jz 1f
    movq %rax, (%rdi)
1:  ret
2:  movl $SYS_time, %eax
    syscall
    ret
time_end:

    .balign 16
getcpu:                                 /* (RDI = unsigned *cpu, RSI = unsigned *node) */
    testl $FLAG_CPU, VVAR_FLAGS(%rip)
    jz 3f
    rdtscp
    movl %ecx, %eax
    andl $0xfff, %eax
    shrl $12, %ecx
    testq %rdi, %rdi
    jz 1f
    movl %eax, (%rdi)
1:  testq %rsi, %rsi
    jz 2f
    movl %ecx, (%rsi)
2:  xorl %eax, %eax
    ret
3:  movl $SYS_getcpu, %eax
    syscall
    ret
getcpu_end:
vdso_image_end:
    .org vdso_image + 4096, 0           /* refused by the assembler when the page is full */
    .section .note.GNU-stack, "", @progbits
