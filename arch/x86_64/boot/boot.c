/* SPDX-License-Identifier: MIT */
/*
 * boot_main(): from the loader's hvm_start_info to kernel_main(), on the boot CPU, interrupts off.
 *
 *   console · features · memory map · page tables · ACPI · memory map of the core · traps · clock
 *   · interrupts
 *
 * Everything that the loader left is read or copied here, but for the initramfs, which stays
 * where it is, reserved.
 */
#include <arch/boot.h>
#include <arch/setup.h>
#include <arch/trap.h>
#include <arch/thread.h>
#include <lib/string.h>
#include <mm/phys.h>
#include <port/cpu.h>
#include <port/log.h>
#include "pvh.h"

const void *boot_initrd;
size_t boot_initrd_size;
static struct thread_ctx boot_thread;

/* The boot tables map the first GiB only. */
static const void *early_ptr(phys_t pa, u64 size)
{
    if (!pa || pa + size > PUD_SIZE)
        panic("boot data at %#lx lies above 1 GiB", pa);
    return phys_to_virt(pa);
}

static void read_cmdline(const struct hvm_start_info *si)
{
    if (si->cmdline_paddr)
        str_copy(boot_cmdline, early_ptr(si->cmdline_paddr, sizeof(boot_cmdline)),
                 sizeof(boot_cmdline));
}

static void read_memory(const struct hvm_start_info *si)
{
    char value[32];
    u64 limit;
    if (si->version < 1 || !si->memmap_entries)
        panic("the boot loader gave no memory map");
    const struct hvm_memmap_entry *e = early_ptr(si->memmap_paddr, si->memmap_entries * sizeof(*e));
    for (u32 i = 0; i < si->memmap_entries; i++)
        memory_add(e[i].addr, e[i].size, e[i].type);
    if (cmdline_get("mem", value, sizeof(value)) && str_parse_size(value, &limit, NULL) == 0)
        memory_limit(limit);
    /* Frame 0 means "none" in the core's lists; firmware data lies beside it. */
    memory_reserve(0, PAGE_SIZE);
    memory_reserve(image_phys(image_start), image_end - image_start);
    if (!memory_top)
        panic("no usable memory");
}

/* mem= cut off the place where the loader put it: it moves below, as far as the boot tables reach. 0: it cannot. */
static phys_t move_initrd(phys_t from, u64 size)
{
    if (from + size > PUD_SIZE)
        return 0;
    phys_t to =
        memory_alloc(page_align_up(size), PAGE_SIZE, 1 << 20, min(memory_top, PUD_SIZE), ~0u);
    if (to)
        memcpy(phys_to_virt(to), phys_to_virt(from), size);
    return to;
}

static void read_modules(const struct hvm_start_info *si)
{
    if (!si->nr_modules)
        return;
    const struct hvm_modlist_entry *m = early_ptr(si->modlist_paddr, sizeof(*m));
    if (!m->size)
        return;
    phys_t at = m->paddr;
    if (at + m->size > memory_top)
        at = move_initrd(at, m->size);
    if (!at) {
        log_print(LOG_ERR, "initrd extends beyond end of memory (%#lx > %#lx)", m->paddr + m->size,
                  memory_top);
        return;
    }
    memory_reserve(at, m->size);
    boot_initrd = phys_to_virt(at);
    boot_initrd_size = m->size;
}

void boot_initrd_free(void)
{
    if (!boot_initrd_size)
        return;
    phys_t lo = virt_to_phys(boot_initrd);
    phys_give(lo >> PAGE_SHIFT, page_align_up(lo + boot_initrd_size) >> PAGE_SHIFT);
    boot_initrd = NULL;
    boot_initrd_size = 0;
}

static void print_memory(void)
{
    static const char *const kinds[] = {"?",         "usable",   "reserved",
                                        "ACPI data", "ACPI NVS", "unusable"};
    const struct boot_range *map;
    size_t n = boot_memory_map(&map);
    log_print(LOG_INFO, "Command line: %s", boot_cmdline);
    log_print(LOG_INFO, "BIOS-provided physical RAM map:");
    for (size_t i = 0; i < n; i++)
        log_print(LOG_INFO, "BIOS-e820: [mem 0x%016lx-0x%016lx] %s", map[i].base,
                  map[i].base + map[i].size - 1,
                  kinds[map[i].type < ARRAY_SIZE(kinds) ? map[i].type : 0]);
}

void boot_main(phys_t start_info);

void boot_main(phys_t start_info)
{
    struct cpu *cpu = &cpus[0];
    cpu->self = cpu;
    cpu->thread = &boot_thread;
    boot_thread.stack_top = 0;
    early_console_init();
    gdt_prepare(cpu);
    gdt_load(cpu);
    idt_init();
    idt_load();

    const struct hvm_start_info *si = early_ptr(start_info, sizeof(*si));
    if (si->magic != HVM_START_MAGIC)
        panic("not started by the PVH protocol: magic %#x", si->magic);
    read_cmdline(si);
    log_init();
    cpu_detect();
    log_print(LOG_NOTICE, "Pagoda, %u-level page tables, CPU %s", pt_levels(), cpu_feat.model_name);
    read_memory(si);
    read_modules(si);
    print_memory();
    phys_t rsdp = si->rsdp_paddr;

    alternatives_init();
    extable_init();
    paging_init();
    cpu_setup();
    fpu_setup();
    acpi_init(rsdp);
    madt_init();
    fadt_init();
    srat_init();
    cpu_set_tsc_aux();
    smp_prepare();
    memmap_init();
    pic_silence();
    clock_init();
    random_init();
    lapic_init();
    lapic_setup();
    ioapic_init();
    lapic_timer_calibrate();
    lapic_timer_setup();
    cpu->apic_id = lapic_id();
    cpu->online = true;
    cpumask_set_atomic(&cpu_online, 0);
    kernel_main();
}
