/* SPDX-License-Identifier: MIT */
/*
 * Floating point and vector state. One format, XSAVE's standard (not compacted) one, because a
 * signal frame shows it to programs; FXSAVE on a CPU without XSAVE.
 *
 *   0        512       576                 xsave_size
 *   | legacy | header  | AVX, AVX-512, ... |   in a signal frame followed by FP_XSTATE_MAGIC2 (4
 *                      bytes);
 *     ^ 464..511 are software's: in a signal frame magic1, sizes and features
 *
 * Invariants
 *  1. The kernel never uses these registers, so while a user thread runs, and through kernel
 *     threads after it, they hold the state of cpu->fpu_owner if that thread's fpu_cpu names this
 *     CPU.
 *  2. Bytes 8..63 of an area's header are zero.
 */
#include <arch/setup.h>
#include <arch/thread.h>
#include <arch/uaccess.h>
#include <port/log.h>
#include <port/mmu.h>
#include <port/uaccess.h>
#include "fpu.h"

#define LEGACY_SIZE 512
#define HEADER_SIZE 64
#define SW_RESERVED 464
#define MXCSR_RESET 0x1f80
#define FCW_RESET   0x37f

#define FP_XSTATE_MAGIC1 0x46505853u
#define FP_XSTATE_MAGIC2 0x46505845u

/* x87, SSE, AVX, AVX-512 (opmask, upper halves, upper registers), protection keys: what programs
 * may use without asking. */
#define WANTED_FEATURES (BIT(0) | BIT(1) | BIT(2) | BIT(5) | BIT(6) | BIT(7) | FEATURE_PKRU)
#define FEATURE_PKRU    BIT(9)

struct fpu_sw_bytes {
    u32 magic1, extended_size;
    u64 xfeatures;
    u32 xstate_size, padding[7];
};
BUILD_ASSERT(sizeof(struct fpu_sw_bytes) == 48);

u64 fpu_features __ro_after_init;
bool fpu_opt __ro_after_init;
static size_t area_size __ro_after_init = LEGACY_SIZE;
/* Where each component up to that of the keys ends in the area. */
#define LAST_COMPONENT 9
static u32 component_end[LAST_COMPONENT + 1] __ro_after_init;
u32 fpu_mxcsr_mask __ro_after_init = 0xffbf;
static u32 pkru_offset __ro_after_init; /* in an area; 0: no protection keys */
/* What a program starts with, and every signal handler. A whole area, to be loaded as it is. */
static u8 initial[PAGE_SIZE] __aligned_to(64);

/* Each CPU; the boot CPU also decides sizes. */
void fpu_setup(void)
{
    if (cpu_feat.xsave) {
        u64 want = WANTED_FEATURES & (cpuid(0xd, 0).a | (u64)cpuid(0xd, 0).d << 32);
        if ((want & (BIT(5) | BIT(6) | BIT(7))) != (BIT(5) | BIT(6) | BIT(7)) || !(want & BIT(2)))
            want &= ~(BIT(5) | BIT(6) | BIT(7));
        if (!pt_pkeys)
            want &= ~FEATURE_PKRU;
        __asm__ volatile("xsetbv" ::"c"(0), "a"((u32)want), "d"((u32)(want >> 32)));
        if (this_cpu()->id == 0) {
            fpu_features = want;
            fpu_opt = cpu_feat.xsaveopt;
            area_size = cpuid(0xd, 0).b;
            for (u32 i = 2; i <= LAST_COMPONENT; i++)
                if (want & BIT(i))
                    component_end[i] = cpuid(0xd, i).a + cpuid(0xd, i).b;
            pkru_offset = want & FEATURE_PKRU ? cpuid(0xd, 9).b : 0;
            ASSERT(area_size <= sizeof(initial));
        }
    }
    __asm__ volatile("fninit");
    u32 mxcsr = MXCSR_RESET;
    __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
    if (this_cpu()->id == 0) {
        __asm__ volatile("fxsave64 %0" : "=m"(initial));
        if (*(u32 *)(initial + 28))
            fpu_mxcsr_mask = *(u32 *)(initial + 28);
        memset(initial, 0, sizeof(initial));
        *(u16 *)initial = FCW_RESET;
        *(u32 *)(initial + 24) = MXCSR_RESET;
        if (pkru_offset) {
            *(u64 *)(initial + LEGACY_SIZE) = FEATURE_PKRU;
            *(u32 *)(initial + pkru_offset) = PKRU_INIT;
        }
    }
}

size_t arch_fpu_size(void)
{
    return area_size;
}

u64 arch_xfeatures(void)
{
    return fpu_features;
}

static size_t initial_size(void)
{
    return fpu_features ? LEGACY_SIZE + HEADER_SIZE : LEGACY_SIZE;
}

void arch_fpu_init(struct thread_ctx *t)
{
    memcpy(t->fpu, initial, initial_size());
    if (pkru_offset)
        memcpy((u8 *)t->fpu + pkru_offset, initial + pkru_offset, sizeof(u32));
    t->fpu_cpu = ~0u;
}

/* exec on the current thread; interrupts off. */
void fpu_reset(struct thread_ctx *t)
{
    arch_fpu_init(t);
    fpu_load(t->fpu);
    t->fpu_cpu = this_cpu()->id;
    this_cpu()->fpu_owner = t;
}

/* XSAVEOPT would leave out what it believes the area to hold, true only where XRSTOR read from
 * it. */
static void fpu_store_all(void *area)
{
    u32 lo = (u32)fpu_features, hi = (u32)(fpu_features >> 32);
    if (fpu_features)
        __asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(lo), "d"(hi) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

/* The current thread's registers into the child's area. Interrupts off. */
void fpu_fork(struct thread_ctx *child)
{
    if (!child->fpu)
        return;
    if (!cpu_thread()->fpu) { /* a kernel thread's child: registers hold somebody else's state */
        arch_fpu_init(child);
        return;
    }
    if (fpu_features)
        memset((char *)child->fpu + LEGACY_SIZE, 0, HEADER_SIZE);
    fpu_store_all(child->fpu);
    child->fpu_cpu = ~0u;
}

void arch_fpu_sync(struct thread_ctx *t)
{
    u64 flags = irq_save();
    if (t == cpu_thread() && t->fpu)
        fpu_store(t->fpu);
    irq_restore(flags);
}

/* ---- signal frames ---- */
size_t arch_fpu_frame_size(void)
{
    return fpu_features ? area_size + sizeof(u32) : LEGACY_SIZE;
}

/* The instruction on user memory; it may fault in pages and is then repeated. 0 or -EFAULT. */
static int xsave_user(u64 buf)
{
    int err = 0;
    u32 lo = (u32)fpu_features, hi = (u32)(fpu_features >> 32);
    if (fpu_features)
        __asm__ volatile(ASM_STAC "1: xsave64 (%1)\n2:\n" ASM_CLAC
                                  ".pushsection .text.fixup, \"ax\"\n3: movl %4, %0\n jmp 2b\n"
                                  ".popsection\n" EX_TABLE("1b", "3b")
                         : "+r"(err)
                         : "r"(buf), "a"(lo), "d"(hi), "i"(-EFAULT)
                         : "memory");
    else
        __asm__ volatile(ASM_STAC "1: fxsave64 (%1)\n2:\n" ASM_CLAC
                                  ".pushsection .text.fixup, \"ax\"\n3: movl %2, %0\n jmp 2b\n"
                                  ".popsection\n" EX_TABLE("1b", "3b")
                         : "+r"(err)
                         : "r"(buf), "i"(-EFAULT)
                         : "memory");
    return err;
}

/* XSAVE has seen the open PKRU of the moment: the program's own goes into the frame by hand. */
static int put_pkru(u64 buf, u32 pkru)
{
    u64 saved;
    return get_user(saved, buf + LEGACY_SIZE) || put_user(saved | FEATURE_PKRU, buf + LEGACY_SIZE) ||
                   put_user(pkru, buf + pkru_offset)
               ? -EFAULT
               : 0;
}

void arch_fpu_handler_state(void)
{
    fpu_load(initial);
}

static int save_user(u64 buf)
{
    if (!fpu_features)
        return xsave_user(buf);
    const struct fpu_sw_bytes sw = {
        .magic1 = FP_XSTATE_MAGIC1,
        .extended_size = (u32)arch_fpu_frame_size(),
        .xfeatures = fpu_features,
        .xstate_size = (u32)area_size,
    };
    /* XSAVE leaves the rest of the header alone, and XRSTOR wants zeros there. */
    if (clear_user(buf + LEGACY_SIZE, HEADER_SIZE) || xsave_user(buf) ||
        copy_to_user(buf + SW_RESERVED, &sw, sizeof(sw)) ||
        put_user((u32)FP_XSTATE_MAGIC2, buf + area_size))
        return -EFAULT;
    return 0;
}

int arch_fpu_save_user(u64 buf)
{
    if (!user_addr_ok(buf) || buf & 63)
        return -EFAULT;
    if (!pkru_offset)
        return save_user(buf);
    u32 pkru = mmu_pkru();
    mmu_set_pkru(0); /* the signal stack may have a key that the program keeps closed */
    int err = save_user(buf);
    if (!err)
        err = put_pkru(buf, pkru);
    if (err)
        mmu_set_pkru(pkru);
    return err;
}

/* What sw_reserved claims: the features to restore, or those of the legacy area when it is no
 * extended frame. */
static int frame_features(u64 buf, u64 *features)
{
    struct fpu_sw_bytes sw;
    u32 magic2;
    *features = BIT(0) | BIT(1);
    if (copy_from_user(&sw, buf + SW_RESERVED, sizeof(sw)))
        return -EFAULT;
    if (sw.magic1 != FP_XSTATE_MAGIC1 || sw.xstate_size < LEGACY_SIZE + HEADER_SIZE ||
        sw.xstate_size > area_size || sw.xstate_size > sw.extended_size)
        return 0;
    if (get_user(magic2, buf + sw.xstate_size))
        return -EFAULT;
    if (magic2 == FP_XSTATE_MAGIC2)
        *features = sw.xfeatures & fpu_features;
    return 0;
}

/* The copy is checked, not the user's memory, which another thread may change under our hands. */
static int restore_copy(u8 *area, u64 features, bool extended)
{
    u32 mxcsr;
    memcpy(&mxcsr, area + 24, 4);
    if (mxcsr & ~fpu_mxcsr_mask)
        return -EINVAL;
    if (fpu_features) {
        u64 *header = (u64 *)(area + LEGACY_SIZE);
        header[0] = extended ? header[0] & features : features & (BIT(0) | BIT(1));
        memset(header + 1, 0, HEADER_SIZE - 8);
    }
    return 0;
}

/* Copies what the header says is in use; the keys lie far behind the rest. 0 or -EFAULT. */
static int copy_area(u8 *area, u64 buf, u64 features, bool extended)
{
    size_t done = extended ? LEGACY_SIZE + HEADER_SIZE : LEGACY_SIZE, end = done;
    if (copy_from_user(area, buf, done))
        return -EFAULT;
    if (!extended)
        return 0;
    u64 used = *(u64 *)(area + LEGACY_SIZE) & features;
    if (used >> (LAST_COMPONENT + 1))
        end = area_size;
    for (u32 i = 2; i < LAST_COMPONENT; i++)
        if (used & BIT(i) && component_end[i] > end)
            end = component_end[i];
    if (end > done && copy_from_user(area + done, buf + done, end - done))
        return -EFAULT;
    if (used & FEATURE_PKRU && pkru_offset >= end && copy_from_user(area + pkru_offset, buf + pkru_offset, 8))
        return -EFAULT;
    return 0;
}

int arch_fpu_restore_user(u64 buf)
{
    struct thread_ctx *t = cpu_thread();
    u64 features = 0, flags;
    int err = 0;
    if (buf && (!user_addr_ok(buf) || buf & 63))
        return -EFAULT;
    if (buf && fpu_features)
        err = frame_features(buf, &features);
    if (err)
        return err;
    bool extended = features & ~(BIT(0) | BIT(1));
    /* While the copy may sleep a switch would write the registers over the area: nothing of them
     * is wanted any more, so the area is taken away from the switch. */
    void *area = t->fpu;
    WRITE_ONCE(t->fpu, NULL);
    barrier();
    if (buf &&
        ((err = copy_area(area, buf, features, extended)) || (err = restore_copy(area, features, extended)))) {
        buf = 0;
    }
    flags = irq_save();
    t->fpu = area;
    if (!buf)
        arch_fpu_init(t);
    fpu_load(area);
    t->fpu_cpu = this_cpu()->id;
    this_cpu()->fpu_owner = t;
    irq_restore(flags);
    return err;
}
