/* SPDX-License-Identifier: MIT */
/* /proc/cpuinfo: CPUID asked anew, in Linux's words. */
#include "pfs.h"
#include <arch/cpu.h>
#include <arch/smp.h>
#include <port/cpu.h>

struct flag {
    u8 bit;
    const char *name;
};
/* CPUID leaves and the names of their bits, in the order in which Linux prints its words. */
static const struct flag f1_edx[] = {
    {0, "fpu"},      {1, "vme"},  {2, "de"},    {3, "pse"},  {4, "tsc"},    {5, "msr"},
    {6, "pae"},      {7, "mce"},  {8, "cx8"},   {9, "apic"}, {11, "sep"},   {12, "mtrr"},
    {13, "pge"},     {14, "mca"}, {15, "cmov"}, {16, "pat"}, {17, "pse36"}, {18, "pn"},
    {19, "clflush"}, {21, "dts"}, {22, "acpi"}, {23, "mmx"}, {24, "fxsr"},  {25, "sse"},
    {26, "sse2"},    {27, "ss"},  {28, "ht"},   {29, "tm"},  {30, "ia64"},  {31, "pbe"}};
static const struct flag f81_edx[] = {
    {11, "syscall"}, {19, "mp"},     {20, "nx"}, {22, "mmxext"},   {25, "fxsr_opt"},
    {26, "pdpe1gb"}, {27, "rdtscp"}, {29, "lm"}, {30, "3dnowext"}, {31, "3dnow"}};
static const struct flag f1_ecx[] = {{0, "pni"},     {1, "pclmulqdq"},
                                     {3, "monitor"}, {5, "vmx"},
                                     {9, "ssse3"},   {12, "fma"},
                                     {13, "cx16"},   {17, "pcid"},
                                     {19, "sse4_1"}, {20, "sse4_2"},
                                     {21, "x2apic"}, {22, "movbe"},
                                     {23, "popcnt"}, {24, "tsc_deadline_timer"},
                                     {25, "aes"},    {26, "xsave"},
                                     {28, "avx"},    {29, "f16c"},
                                     {30, "rdrand"}, {31, "hypervisor"}};
static const struct flag f81_ecx[] = {{0, "lahf_lm"},     {1, "cmp_legacy"},   {2, "svm"},
                                      {4, "cr8_legacy"},  {5, "abm"},          {6, "sse4a"},
                                      {7, "misalignsse"}, {8, "3dnowprefetch"}};
static const struct flag f7_ebx[] = {
    {0, "fsgsbase"}, {1, "tsc_adjust"},  {3, "bmi1"},  {5, "avx2"},     {7, "smep"},    {8, "bmi2"},
    {9, "erms"},     {10, "invpcid"},    {14, "mpx"},  {16, "avx512f"}, {18, "rdseed"}, {19, "adx"},
    {20, "smap"},    {23, "clflushopt"}, {24, "clwb"}, {29, "sha_ni"}};
static const struct flag f13_1_eax[] = {
    {0, "xsaveopt"}, {1, "xsavec"}, {2, "xgetbv1"}, {3, "xsaves"}};
static const struct flag f7_ecx[] = {{1, "avx512vbmi"}, {2, "umip"},  {3, "pku"},
                                     {4, "ospke"},      {9, "vaes"},  {10, "vpclmulqdq"},
                                     {16, "la57"},      {22, "rdpid"}};
static const struct flag f7_edx[] = {{4, "fsrm"}};

static void put_flags(struct seq *s, u32 word, const struct flag *f, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (word >> f[k].bit & 1)
            seq_printf(s, " %s", f[k].name);
}
#define PUT(word, table) put_flags(s, word, table, ARRAY_SIZE(table))

static void put_cpu(struct seq *s, u32 cpu)
{
    struct cpuid one = cpuid(1, 0), seven = cpuid(7, 0), ext = cpuid(0x80000001, 0);
    u64 khz = arch_tsc_khz();
    seq_printf(
        s, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\n",
        cpu, cpu_feat.vendor, cpu_feat.family, cpu_feat.model, cpu_feat.model_name);
    seq_printf(s, "stepping\t: %u\ncpu MHz\t\t: %lu.%03lu\n", cpu_feat.stepping, khz / 1000,
               khz % 1000);
    seq_printf(s,
               "physical id\t: %u\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\napicid\t\t: "
               "%u\ninitial apicid\t: %u\n",
               cpu, cpus[cpu].apic_id, cpus[cpu].apic_id);
    seq_printf(s, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\nflags\t\t:",
               cpuid(0, 0).a);
    PUT(one.d, f1_edx);
    PUT(ext.d, f81_edx);
    PUT(one.c, f1_ecx);
    PUT(ext.c, f81_ecx);
    PUT(seven.b & (cpu_feat.smep ? ~0u : ~(1u << 7)), f7_ebx);
    if (one.c >> 26 & 1)
        PUT(cpuid(13, 1).a, f13_1_eax);
    PUT(seven.c, f7_ecx);
    PUT(seven.d, f7_edx);
    seq_printf(s, "\nbugs\t\t:\nbogomips\t: %lu.%02lu\n", khz / 500, khz / 5 % 100);
    seq_printf(s,
               "clflush size\t: %u\ncache_alignment\t: %u\naddress sizes\t: %u bits physical, %u "
               "bits virtual\npower management:\n\n",
               (one.b >> 8 & 0xff) * 8, (one.b >> 8 & 0xff) * 8, cpu_feat.phys_bits,
               cpu_feat.virt_bits);
}

void proc_cpuinfo_show(struct seq *s, void *arg);
void proc_cpuinfo_show(struct seq *s, void *arg)
{
    u32 cpu;
    for_each_cpu (cpu, cpu_online_mask())
        put_cpu(s, cpu);
}
