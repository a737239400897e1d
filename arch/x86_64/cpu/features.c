/* SPDX-License-Identifier: MIT */
/*
 * What the CPU can do (CPUID), and the control registers of each CPU. The boot CPU decides for
 * all: an other CPU gets the same bits.
 */
#include <arch/asm.h>
#include <arch/setup.h>
#include <lib/string.h>
#include <port/log.h>

struct cpu_features cpu_feat __ro_after_init;

static void detect_names(void)
{
    struct cpuid r = cpuid(0, 0);
    memcpy(cpu_feat.vendor, &r.b, 4);
    memcpy(cpu_feat.vendor + 4, &r.d, 4);
    memcpy(cpu_feat.vendor + 8, &r.c, 4);
    struct cpuid s = cpuid(1, 0);
    cpu_feat.cap_1_edx = s.d;
    cpu_feat.family = (s.a >> 8) & 15;
    cpu_feat.model = (s.a >> 4) & 15;
    cpu_feat.stepping = s.a & 15;
    if (cpu_feat.family == 15)
        cpu_feat.family += (s.a >> 20) & 255;
    if (cpu_feat.family == 6 || cpu_feat.family >= 15)
        cpu_feat.model += ((s.a >> 16) & 15) << 4;
    if (cpuid(0x80000000, 0).a < 0x80000004)
        return;
    for (u32 i = 0; i < 3; i++) {
        struct cpuid part = cpuid(0x80000002 + i, 0);
        memcpy(cpu_feat.model_name + 16 * i, &part, 16);
    }
}

static void detect_extended(void)
{
    u32 top = cpuid(0x80000000, 0).a;
    struct cpuid e = cpuid(0x80000001, 0);
    cpu_feat.nx = e.d & BIT(20);
    cpu_feat.gb_pages = e.d & BIT(26);
    cpu_feat.rdtscp = e.d & BIT(27);
    if (top >= 0x80000007)
        cpu_feat.tsc_invariant = cpuid(0x80000007, 0).d & BIT(8);
    cpu_feat.phys_bits = 36;
    cpu_feat.virt_bits = 48;
    if (top >= 0x80000008) {
        u32 a = cpuid(0x80000008, 0).a;
        cpu_feat.phys_bits = a & 255;
        cpu_feat.virt_bits = (a >> 8) & 255;
    }
}

void cpu_detect(void)
{
    u32 top = cpuid(0, 0).a;
    struct cpuid f = cpuid(1, 0);
    detect_names();
    detect_extended();
    cpu_feat.pge = f.d & BIT(13);
    cpu_feat.pat = f.d & BIT(16);
    cpu_feat.pcid = f.c & BIT(17);
    cpu_feat.x2apic = f.c & BIT(21);
    cpu_feat.tsc_deadline = f.c & BIT(24);
    cpu_feat.xsave = f.c & BIT(26);
    cpu_feat.rdrand = f.c & BIT(30);
    cpu_feat.hypervisor = f.c & BIT(31);
    if (top >= 7) {
        struct cpuid s = cpuid(7, 0);
        cpu_feat.fsgsbase = s.b & BIT(0);
        cpu_feat.smep = s.b & BIT(7);
        cpu_feat.erms = s.b & BIT(9);
        cpu_feat.invpcid = s.b & BIT(10);
        cpu_feat.rdseed = s.b & BIT(18);
        cpu_feat.smap = s.b & BIT(20);
        cpu_feat.umip = s.c & BIT(2);
        cpu_feat.pku = s.c & BIT(3);
        cpu_feat.la57 = s.c & BIT(16);
    }
    if (cpu_feat.xsave && top >= 0xd) {
        struct cpuid x = cpuid(0xd, 1);
        cpu_feat.xsaveopt = x.a & BIT(0);
        cpu_feat.xsavec = x.a & BIT(1);
    }
    u64 cr4;
    __asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
    pt_nr_levels = cr4 & CR4_LA57 ? 5 : 4;
    pt_xd_bit = cpu_feat.nx ? PTE_XD : 0;
    pt_global_bit = cpu_feat.pge ? PTE_G : 0;
    pt_gb_pages = cpu_feat.gb_pages;
    pt_pkeys = cpu_feat.pku && cpu_feat.xsave && cpuid(0xd, 0).a & BIT(9);
}

void cpu_setup(void)
{
    u64 cr0, cr4;
    __asm__ volatile("movq %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
    cr0 &= ~(u64)(CR0_EM | CR0_TS);
    cr0 |= CR0_MP | CR0_NE | CR0_WP | CR0_AM;
    cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_MCE;
    cr4 |= cpu_feat.pge ? CR4_PGE : 0;
    cr4 |= cpu_feat.umip ? CR4_UMIP : 0;
    cr4 |= cpu_feat.fsgsbase ? CR4_FSGSBASE : 0;
    cr4 |= cpu_feat.xsave ? CR4_OSXSAVE : 0;
    cr4 |= cpu_feat.smep ? CR4_SMEP : 0;
    cr4 |= cpu_feat.smap ? CR4_SMAP : 0;
    cr4 |= pt_pkeys ? CR4_PKE : 0;
    __asm__ volatile("movq %0, %%cr0" ::"r"(cr0) : "memory");
    __asm__ volatile("movq %0, %%cr4" ::"r"(cr4) : "memory");
    syscall_setup();
}

void cpu_set_tsc_aux(void)
{
    u32 id = this_cpu()->id;
    if (cpu_feat.rdtscp)
        wrmsr(MSR_TSC_AUX, (u64)mem_cpu_node(id) << 12 | id);
}

u64 arch_hwcap2(void)
{
    return cpu_feat.fsgsbase ? BIT(1) : 0;
}
