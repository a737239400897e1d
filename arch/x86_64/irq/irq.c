/* SPDX-License-Identifier: MIT */
/*
 * Interrupts by vector.
 *
 *   0x20..0x2f  leftovers of the 8259, ignored      0xec timer
 *   0x30..0xdf  devices: IOAPIC lines and MSIs      0xfb..0xff IPIs, error, spurious
 *
 * Locks: lock guards the table against registrations; irq_dispatch() reads lists that only grow.
 */
#include <arch/irq.h>
#include <arch/setup.h>
#include <arch/trap.h>
#include <lib/errno.h>
#include <port/cpu.h>
#include <port/lock.h>
#include <port/log.h>

#define NR_VECTORS  (VECTOR_DEVICE_LAST - VECTOR_DEVICE_FIRST + 1)
#define MAX_ACTIONS 192
#define GSI_MSI     ~0u

struct irq_action {
    irq_handler_t fn;
    void *arg;
    struct irq_action *next;
};

struct irq_line {
    struct irq_action *actions;
    u32 gsi;
    bool used;
    u64 count; /* plain: all device interrupts go to the boot CPU */
};

static struct irq_line lines[NR_VECTORS];
static struct irq_action actions[MAX_ACTIONS];
static unsigned nr_actions;
static spinlock_t lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);

static struct irq_action *action_new(irq_handler_t fn, void *arg)
{
    if (nr_actions == MAX_ACTIONS)
        return NULL;
    struct irq_action *a = &actions[nr_actions++];
    *a = (struct irq_action){fn, arg, NULL};
    return a;
}

static void action_add(struct irq_line *line, struct irq_action *a)
{
    struct irq_action **at = &line->actions;
    while (*at)
        at = &(*at)->next;
    store_release(at, a);
}

static int vector_free(void)
{
    for (int i = 0; i < NR_VECTORS; i++)
        if (!lines[i].used)
            return i;
    return -EBUSY;
}

static struct irq_line *line_of_gsi(u32 gsi)
{
    for (int i = 0; i < NR_VECTORS; i++)
        if (lines[i].used && lines[i].gsi == gsi)
            return &lines[i];
    return NULL;
}

/* ISA lines: edge and active high unless an override says otherwise (bits 0..1 polarity, 2..3
 * trigger). */
static void isa_line(unsigned *gsi, unsigned *flags)
{
    unsigned isa = *gsi;
    *flags = IRQ_EDGE;
    if (isa >= ARRAY_SIZE(madt.isa))
        return;
    *gsi = madt.isa[isa].gsi;
    if ((madt.isa[isa].flags & 3) == 3)
        *flags |= IRQ_ACTIVE_LOW;
    if ((madt.isa[isa].flags & 12) == 12)
        *flags |= IRQ_LEVEL;
}

static int register_locked(unsigned gsi, unsigned flags, irq_handler_t fn, void *arg)
{
    struct irq_line *line = line_of_gsi(gsi);
    int index = line ? (int)(line - lines) : vector_free();
    if (index < 0)
        return index;
    struct irq_action *a = action_new(fn, arg);
    if (!a)
        return -ENOMEM;
    action_add(&lines[index], a);
    if (line)
        return 0;
    int err = ioapic_route(gsi, (u8)(VECTOR_DEVICE_FIRST + index), flags & IRQ_LEVEL,
                           flags & IRQ_ACTIVE_LOW);
    if (err) {
        lines[index].actions = NULL;
        nr_actions--;
        return err;
    }
    lines[index].gsi = gsi;
    lines[index].used = true;
    return 0;
}

int irq_register(unsigned gsi, unsigned flags, irq_handler_t fn, void *arg)
{
    if (flags & IRQ_ISA)
        isa_line(&gsi, &flags);
    u64 irq = spin_lock_irqsave(&lock);
    int err = register_locked(gsi, flags, fn, arg);
    spin_unlock_irqrestore(&lock, irq);
    return err;
}

int irq_alloc_msi(irq_handler_t fn, void *arg, u64 *msg_addr, u32 *msg_data)
{
    u64 irq = spin_lock_irqsave(&lock);
    int index = vector_free();
    struct irq_action *a = index >= 0 ? action_new(fn, arg) : NULL;
    if (a) {
        lines[index].gsi = GSI_MSI;
        lines[index].used = true;
        action_add(&lines[index], a);
    }
    spin_unlock_irqrestore(&lock, irq);
    if (!a)
        return -EBUSY;
    *msg_addr = 0xfee00000 | (u64)(cpus[0].apic_id & 0xff) << 12;
    *msg_data = (u32)(VECTOR_DEVICE_FIRST + index);
    return 0;
}

size_t irq_list(struct irq_info *out, size_t max)
{
    size_t n = 0;
    for (int i = 0; i < NR_VECTORS && n < max; i++)
        if (lines[i].used)
            out[n++] = (struct irq_info){lines[i].gsi, (u8)(VECTOR_DEVICE_FIRST + i),
                                         READ_ONCE(lines[i].count)};
    return n;
}

static void device_irq(unsigned vector)
{
    struct irq_line *line = &lines[vector - VECTOR_DEVICE_FIRST];
    line->count++;
    for (struct irq_action *a = load_acquire(&line->actions); a; a = load_acquire(&a->next))
        a->fn(a->arg);
}

void irq_dispatch(struct regs *regs, unsigned vector)
{
    struct cpu *cpu = this_cpu();
    cpu->irq_depth++;
    switch (vector) {
    case VECTOR_TIMER:
        cpu->nr_ticks++;
        lapic_eoi();
        if (lapic_timer_expired())
            kernel_timer_tick(regs_user(regs));
        break;
    case VECTOR_FLUSH:
        cpu->nr_ipis++;
        mmu_flush_service();
        lapic_eoi();
        break;
    case VECTOR_RESCHEDULE:
        cpu->nr_ipis++;
        lapic_eoi();
        kernel_reschedule_ipi();
        break;
    case VECTOR_CALL:
        cpu->nr_ipis++;
        lapic_eoi();
        smp_call_service();
        break;
    case VECTOR_SPURIOUS:
        break;
    default:
        cpu->nr_irqs++;
        if (vector >= VECTOR_DEVICE_FIRST && vector <= VECTOR_DEVICE_LAST)
            device_irq(vector);
        lapic_eoi();
        break;
    }
    cpu->irq_depth--;
}
