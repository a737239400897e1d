/* SPDX-License-Identifier: MIT */
/*
 * The saved floating point state of a thread as debuggers see it: complete, in the standard format. The area itself may hold
 * stale bytes for features in their initial state (XSAVE leaves them alone), so reading fills those in.
 *
 *   0 control words, x87 | 160 XMM | 416 | 464 software: XCR0 | 512 header: features present | 576 AVX, ...
 */
#include <arch/setup.h>
#include <arch/thread.h>
#include <lib/errno.h>
#include "fpu.h"

#define LEGACY_SIZE   512
#define HEADER_SIZE   64
#define FEATURE_X87   BIT(0)
#define FEATURE_SSE   BIT(1)
#define OFF_MXCSR     24
#define OFF_ST        32
#define OFF_XMM       160
#define OFF_PADDING   416
#define OFF_SOFTWARE  464
#define FCW_RESET     0x37f
#define NR_FEATURES   63

static u64 present(const u8 *area)
{
    u64 v = FEATURE_X87 | FEATURE_SSE;
    if (fpu_features)
        memcpy(&v, area + LEGACY_SIZE, 8);
    return v;
}

void arch_fpu_get_legacy(const struct thread_ctx *t, void *out)
{
    u8 *to = out;
    const u8 *area = t->fpu;
    u64 have = present(area);
    memcpy(to, area, LEGACY_SIZE);
    if (!(have & FEATURE_X87)) {
        u16 fcw = FCW_RESET;
        memset(to, 0, OFF_MXCSR);
        memcpy(to, &fcw, 2);
        memset(to + OFF_ST, 0, OFF_XMM - OFF_ST);
    }
    if (!(have & FEATURE_SSE))
        memset(to + OFF_XMM, 0, OFF_PADDING - OFF_XMM);
    memcpy(to + OFF_MXCSR + 4, &fpu_mxcsr_mask, 4);
    memset(to + OFF_PADDING, 0, LEGACY_SIZE - OFF_PADDING);
}

static void changed(struct thread_ctx *t)
{
    t->fpu_cpu = ~0u; /* no CPU's registers hold it */
}

static bool mxcsr_ok(const u8 *fx)
{
    u32 mxcsr;
    memcpy(&mxcsr, fx + OFF_MXCSR, 4);
    return !(mxcsr & ~fpu_mxcsr_mask);
}

int arch_fpu_set_legacy(struct thread_ctx *t, const void *in)
{
    u8 *area = t->fpu;
    if (!mxcsr_ok(in))
        return -EINVAL;
    memcpy(area, in, OFF_PADDING);
    if (fpu_features) {
        u64 have = present(area) | FEATURE_X87 | FEATURE_SSE;
        memcpy(area + LEGACY_SIZE, &have, 8);
    }
    changed(t);
    return 0;
}

void arch_fpu_get_extended(const struct thread_ctx *t, void *out)
{
    u8 *to = out;
    const u8 *area = t->fpu;
    u64 have = present(area) & fpu_features;
    memset(to, 0, arch_fpu_size());
    arch_fpu_get_legacy(t, to);
    memcpy(to + OFF_SOFTWARE, &fpu_features, 8);
    memcpy(to + LEGACY_SIZE, &have, 8);
    for (unsigned i = 2; i < NR_FEATURES; i++) {
        u32 off, size;
        if (have >> i & 1 && arch_fpu_component(i, &off, &size))
            memcpy(to + off, area + off, size);
    }
}

int arch_fpu_set_extended(struct thread_ctx *t, const void *in)
{
    const u8 *from = in;
    u8 *area = t->fpu;
    u64 header[HEADER_SIZE / 8];
    memcpy(header, from + LEGACY_SIZE, sizeof(header));
    if (header[0] & ~fpu_features)
        return -EINVAL;
    for (unsigned i = 1; i < ARRAY_SIZE(header); i++)
        if (header[i])
            return -EINVAL;
    if (header[0] & (FEATURE_SSE | BIT(2)) && !mxcsr_ok(from))
        return -EINVAL;
    memcpy(area, from, OFF_PADDING);
    memcpy(area + LEGACY_SIZE, header, sizeof(header));
    for (unsigned i = 2; i < NR_FEATURES; i++) {
        u32 off, size;
        if (header[0] >> i & 1 && arch_fpu_component(i, &off, &size))
            memcpy(area + off, from + off, size);
    }
    if (!(header[0] & (FEATURE_SSE | BIT(2)))) {
        u32 mxcsr = 0x1f80;
        memcpy(area + OFF_MXCSR, &mxcsr, 4);
    }
    changed(t);
    return 0;
}

bool arch_fpu_component(unsigned feature, u32 *off, u32 *size)
{
    if (!(fpu_features >> feature & 1) || feature < 2)
        return false;
    struct cpuid c = cpuid(0xd, feature);
    *off = c.b;
    *size = c.a;
    return c.a && (u64)c.a + c.b <= arch_fpu_size();
}
