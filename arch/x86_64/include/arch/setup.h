/* SPDX-License-Identifier: MIT */
/*
 * What the files of arch/x86_64 call in each other while the machine comes up. Not for kernel/.
 */
#ifndef ARCH_SETUP_H
#define ARCH_SETUP_H
#include <port/mem.h>
#include <port/pte.h>
#include <arch/cpu.h>
#include <arch/regs.h>

#define __ro_after_init __attribute__((section(".ro_after_init")))

/* kernel.lds */
extern char image_start[], text_start[], text_end[], rodata_start[], rodata_end[];
extern char ro_after_init_start[], ro_after_init_end[], image_end[];

static inline phys_t image_phys(const void *p)
{
    return (u64)p - KERNEL_IMAGE_BASE;
}

/* ---- boot/memory.c ---- */
void memory_add(phys_t base, u64 size, u32 type);
void memory_limit(u64 bytes);
/* Marks [base, base+size) as in use by the home. Bytes that are no RAM are ignored. */
void memory_reserve(phys_t base, u64 size);
/* RAM that nobody uses yet, from the top of [lo,hi), on `node` if it is not ~0. 0 when there is
 * none. Not cleared. */
phys_t memory_alloc(u64 size, u64 align, phys_t lo, phys_t hi, u32 node);
void memory_set_node(phys_t base, u64 size, u32 node);
bool memory_is_handed_over(void);
/* RAM ranges before hand-over. */
size_t memory_ranges(const struct mem_range **out);
extern phys_t memory_top; /* end of the highest RAM */

/* ---- mm/ ---- */
void paging_init(void);
void paging_seal(void);
/* Maps [va, va+size) with leaves as large as alignment allows; max_level 1..3. 0 or -ENOMEM. */
int paging_map(u64 va, phys_t pa, u64 size, u64 bits, unsigned max_level);
pte_t *paging_walk(u64 va, unsigned level);
void memmap_init(void);
/* A kernel fault at addr inside the memory map: true when the entry was made present. */
bool memmap_fault(u64 addr);

/* ---- boot/ ---- */
void acpi_init(phys_t rsdp);
struct acpi_madt_info {
    unsigned nr_cpus;
    u32 apic_id[NR_CPUS];
    unsigned nr_ioapics;
    struct {
        u32 addr, gsi_base;
    } ioapic[8];
    struct {
        u32 gsi;
        u16 flags;
    } isa[16];
    u64 lapic_addr;
    bool has_8259;
};
extern struct acpi_madt_info madt;
void madt_init(void);
/* Fills `madt` from the MP table; false when there is none. */
bool mptable_init(void);
void srat_init(void);
struct acpi_gas {
    u8 space, bits, offset, access;
    u64 addr;
} __packed_struct;
struct acpi_fadt_info {
    bool present, hw_reduced, has_reset;
    u32 pm1a_cnt, pm1b_cnt, pm_timer; /* ports, 0: none */
    bool pm_timer_32;
    u16 sci;
    struct acpi_gas reset, sleep_control;
    u8 reset_value;
    u8 s5_type;
};
extern struct acpi_fadt_info fadt;
void fadt_init(void);

/* ---- cpu/ ---- */
void cpu_detect(void);
/* Control registers and MSRs of the running CPU, by cpu_feat. */
void cpu_setup(void);
bool gdt_prepare(struct cpu *cpu);
void gdt_load(struct cpu *cpu);
void idt_init(void);
void idt_load(void);
void syscall_setup(void);
/* What RDTSCP and RDPID tell programs: node and CPU. After srat_init(). */
void cpu_set_tsc_aux(void);
void fpu_setup(void);
void alternatives_init(void);

/* ---- irq/, time/ ---- */
void lapic_init(void);  /* boot CPU: finds and maps it */
void lapic_setup(void); /* each CPU */
u32 lapic_id(void);
void lapic_eoi(void);
void lapic_send_ipi(u32 apic_id, u8 vector);
/* The set lies in the online CPUs and does not hold the sender. */
void lapic_send_ipis(cpumask_t set, u8 vector);
void lapic_send_init(u32 apic_id);
void lapic_send_startup(u32 apic_id, u8 page);
void lapic_timer_calibrate(void);
void lapic_timer_setup(void); /* each CPU */
bool lapic_timer_expired(void);
void pic_silence(void);
void ioapic_init(void);
int ioapic_route(unsigned gsi, u8 vector, bool level, bool low);
void irq_dispatch(struct regs *regs, unsigned vector);
void clock_init(void);
void clock_check_cpu(u64 stamp);
bool clock_is_synchronised(void);
void vdso_stop_tsc(void);
void random_init(void);
void extable_init(void);

enum {
    VECTOR_DEVICE_FIRST = 0x30,
    VECTOR_DEVICE_LAST = 0xdf,
    VECTOR_TIMER = 0xec,
    VECTOR_CALL = 0xfb,
    VECTOR_RESCHEDULE = 0xfc,
    VECTOR_FLUSH = 0xfd,
    VECTOR_ERROR = 0xfe,
    VECTOR_SPURIOUS = 0xff,
};

/* ---- smp ---- */
void smp_prepare(void);
void smp_call_service(void);
void mmu_flush_service(void);
/* Around a loop that spins: flush requests are answered by mmu_poll() instead of by interrupt. Nests. */
bool mmu_poll_begin(void);
void mmu_poll(void);
void mmu_poll_end(bool was);

/* ---- early console ---- */
void early_console_init(void);
void early_console_write(const char *s, size_t n);
void log_init(void);
#endif
