/* SPDX-License-Identifier: MIT */
/*
 * Single values of user memory, inline; ranges: port/uaccess.h. A kernel fault inside is found in
 * the exception table and continues behind the access with -EFAULT.
 *
 *   int get_user(v, u64 addr)   v: an lvalue of 1, 2, 4 or 8 bytes; 0 or -EFAULT (v is then 0)
 *   int put_user(v, u64 addr)   0 or -EFAULT
 */
#ifndef ARCH_UACCESS_H
#define ARCH_UACCESS_H
#include <lib/types.h>
#include <uapi/errno.h>

/* The kernel's half is refused here. A non-canonical address raises #GP, which the exception table
 * catches as well. */
static inline bool user_addr_ok(u64 addr)
{
    return likely((s64)addr >= 0);
}

/* An entry of the exception table: a fault at insn continues at fixup. Sorted by the linker
 * script's order, searched by binary search after a sort at boot. */
struct ex_entry {
    s32 insn, fixup; /* relative to their own addresses */
};
#define EX_TABLE(from, to)                                                                         \
    ".pushsection .ex_table, \"a\"\n .balign 4\n .long " from " - .\n .long " to                   \
    " - .\n .popsection\n"

/* Three bytes of nop that become STAC/CLAC at boot on a CPU with SMAP. */
#define ASM_STAC                                                                                   \
    "771: .byte 0x0f, 0x1f, 0x00\n .pushsection .stac_sites, \"a\"\n .quad 771b\n .popsection\n"
#define ASM_CLAC                                                                                   \
    "772: .byte 0x0f, 0x1f, 0x00\n .pushsection .clac_sites, \"a\"\n .quad 772b\n .popsection\n"

#define UACCESS_LOAD(insn, addr, out, err)                                                         \
    __asm__ volatile(ASM_STAC                                                                      \
                     "1: " insn "\n2:\n" ASM_CLAC                                                  \
                     ".pushsection .text.fixup, \"ax\"\n3: movl %3, %0\n xorl %k1, %k1\n jmp 2b\n" \
                     ".popsection\n" EX_TABLE("1b", "3b")                                          \
                     : "+r"(err), "=&r"(out)                                                       \
                     : "r"(addr), "i"(-EFAULT)                                                     \
                     : "memory")
#define UACCESS_STORE(insn, addr, val, err)                                                        \
    __asm__ volatile(ASM_STAC "1: " insn "\n2:\n" ASM_CLAC                                         \
                              ".pushsection .text.fixup, \"ax\"\n3: movl %3, %0\n jmp 2b\n"        \
                              ".popsection\n" EX_TABLE("1b", "3b")                                 \
                     : "+r"(err)                                                                   \
                     : "r"(val), "r"(addr), "i"(-EFAULT)                                           \
                     : "memory")

static inline int get_user_raw(u64 *out, u64 addr, size_t size)
{
    int err = 0;
    u64 v = 0;
    if (!user_addr_ok(addr))
        err = -EFAULT;
    else if (size == 8)
        UACCESS_LOAD("movq (%2), %1", addr, v, err);
    else if (size == 4)
        UACCESS_LOAD("movl (%2), %k1", addr, v, err);
    else if (size == 2)
        UACCESS_LOAD("movzwl (%2), %k1", addr, v, err);
    else
        UACCESS_LOAD("movzbl (%2), %k1", addr, v, err);
    *out = v;
    return err;
}
static inline int put_user_raw(u64 v, u64 addr, size_t size)
{
    int err = 0;
    if (!user_addr_ok(addr))
        err = -EFAULT;
    else if (size == 8)
        UACCESS_STORE("movq %1, (%2)", addr, v, err);
    else if (size == 4)
        UACCESS_STORE("movl %k1, (%2)", addr, v, err);
    else if (size == 2)
        UACCESS_STORE("movw %w1, (%2)", addr, v, err);
    else
        UACCESS_STORE("movb %b1, (%2)", addr, v, err);
    return err;
}
#define get_user(v, addr)                                                                          \
    ({                                                                                             \
        u64 get_user_v;                                                                            \
        int get_user_e = get_user_raw(&get_user_v, (u64)(addr), sizeof(v));                        \
        (v) = (__typeof__(v))get_user_v;                                                           \
        get_user_e;                                                                                \
    })
#define put_user(v, addr) put_user_raw((u64)(v), (u64)(addr), sizeof(v))

/* Futex operations: an atomic change of an aligned user word. 0 with *old, or -EFAULT. op:
 * FUTEX_OP_* 0 set .. 4 xor. */
int user_futex_op(u64 addr, int op, u32 arg, u32 *old);
#endif
