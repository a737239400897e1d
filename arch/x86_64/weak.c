/* SPDX-License-Identifier: MIT */
/* Stand-ins for kernel/ and mm/, so that the machine part boots and is tested by itself. */
#include <arch/boot.h>
#include <arch/io.h>
#include <arch/mmu.h>
#include <arch/power.h>
#include <arch/setup.h>
#include <arch/smp.h>
#include <arch/thread.h>
#include <arch/timer.h>
#include <arch/trap.h>
#include <arch/uaccess.h>
#include <mm/fault.h>
#include <mm/phys.h>
#include <port/clock.h>
#include <port/cpu.h>
#include <port/log.h>
#include <port/random.h>
#include <port/uaccess.h>
#define WEAK __attribute__((weak))

static u64 ticks;
static struct thread_ctx idle[NR_CPUS], other;
static char stacks[NR_CPUS][8192] __aligned_to(16);
static char other_stack[16384] __aligned_to(16);
static u64 called;

WEAK long kernel_syscall(struct regs *regs)
{
    static u64 t0, n0;
    switch (regs->orig_rax) {
    case 0: return 7;
    case 1: log_print(LOG_INFO, "user says %lx %lx rsp %lx rip %lx fl %lx fs %lx", regs->rdi, regs->rsi, regs->rsp, regs->rip, regs->rflags, thread_fs_base(cpu_thread())); return 0;
    case 2: thread_set_work(cpu_thread(), ARCH_WORK_IRET); return 0;
    case 3: thread_set_work(cpu_thread(), ARCH_WORK_SIGNAL); return 0;
    case 4: return thread_set_fs_base(cpu_thread(), regs->rdi);
    case 5: regs->rip = 0x800000000000; thread_set_work(cpu_thread(), ARCH_WORK_IRET); return 0;
    case 6: return arch_fpu_save_user(regs->rdi);
    case 7: return arch_fpu_restore_user(regs->rdi);
    case 8: { char b[64]; long r = strncpy_from_user(b, regs->rdi, 64); log_print(LOG_INFO, "str %ld '%s'", r, b); return copy_to_user(regs->rsi, b, 13); }
    case 9: if (!t0) { t0 = clock_ns(); n0 = regs->rdi; return 0; } log_print(LOG_INFO, "%lu ns each, minflt %lu", (clock_ns() - t0) / (n0 - regs->rdi), cpu_thread()->min_flt); t0 = 0; return 0;
    default: log_print(LOG_INFO, "done"); arch_poweroff();
    }
    return -38;
}
WEAK void kernel_user_fault(struct regs *regs, u64 addr, u32 vm_fault, u64 error_code) { log_print(LOG_INFO, "user fault at %lx: %x err %lx rip %lx", addr, vm_fault, error_code, regs->rip); regs->rip = regs->rbx; }
WEAK void kernel_user_trap(struct regs *regs, int trapnr, u64 error_code, u64 status) { log_print(LOG_INFO, "user trap %d err %lx status %lx rip %lx", trapnr, error_code, status, regs->rip); regs->rip = regs->rbx; regs->rflags &= ~RFLAGS_TF; }
WEAK void kernel_exit_to_user(struct regs *regs) { thread_clear_work(cpu_thread(), ARCH_WORK_SIGNAL); log_print(LOG_INFO, "exit work"); }
WEAK void kernel_timer_tick(bool user) { ticks++; }
WEAK void kernel_reschedule_ipi(void) {}
WEAK void kernel_switch_tail(struct thread_ctx *prev) { log_print(LOG_INFO, "tail of %p", prev); }
WEAK void kernel_oops_exit(struct regs *regs) { panic("oops"); }
WEAK const char *kernel_thread_name(int *pid) { *pid = 0; return "boot"; }
WEAK void kernel_ap_main(unsigned cpu)
{
    irq_enable();
    for (;;)
        cpu_halt();
}
static u64 prepare(unsigned cpu)
{
    cpus[cpu].thread = &idle[cpu];
    idle[cpu].stack_top = (u64)stacks[cpu] + 8192;
    return idle[cpu].stack_top;
}
static void count(void *arg) { __atomic_fetch_add(&called, 1, __ATOMIC_SEQ_CST); }
static void other_fn(void *arg)
{
    log_print(LOG_INFO, "other thread, arg %p, irqs %d", arg, irq_enabled());
    irq_disable();
    arch_switch(&other, cpus[0].thread == &other ? &idle[0] : NULL);
}
extern char ucode[], ucode_end[];
__asm__(".section .rodata\nucode:\n"
    "mov $0x1234567, %edi; mov %esp, %esi; mov $1, %eax; syscall\n"
    "mov $1000, %edi; mov $9, %eax; syscall; mov $1000, %r12d; 1: xor %eax, %eax; syscall; dec %r12d; jnz 1b; xor %edi, %edi; mov $9, %eax; syscall\n"
    "mov $1000, %edi; mov $9, %eax; syscall; mov $1000, %r12d; mov $0x500000, %r13d; 1: movb $1, (%r13); add $4096, %r13; dec %r12d; jnz 1b; xor %edi, %edi; mov $9, %eax; syscall\n"
    "mov $0x500008, %edi; movabs $0x6f77206f6c6c6568, %rax; mov %rax, (%rdi); movl $0x646c72, 8(%rdi); mov $0x900ff8, %esi; mov $8, %eax; syscall; mov %rax, %rdi; mov $1, %eax; syscall\n"
    "mov $3, %eax; syscall; mov $2, %eax; syscall\n"
    "lea 1f(%rip), %rbx; movb $1, 0x10; 1: lea 1f(%rip), %rbx; ud2; 1: lea 1f(%rip), %rbx; int3; nop; 1: lea 1f(%rip), %rbx; xor %edx,%edx; xor %ecx,%ecx; div %ecx; 1: lea 1f(%rip), %rbx; mov $0x8000000000000000, %rax; movb $1, (%rax); 1:\n"
    "lea 1f(%rip), %rbx; mov $5, %eax; syscall; 1: lea 1f(%rip), %rbx; pushf; orl $0x100, (%rsp); popf; nop; 1: nop; lea 1f(%rip), %rbx; mov $0x400000, %ecx; movb $1, (%rcx); 1: std; movb $1, 0x8ff000; cld\n"
    "lea 1f(%rip), %rbx; hlt; 1: mov $0x12345000, %edi; mov $4, %eax; syscall; mov $1, %eax; syscall\n"
    "mov $0x11, %eax; movd %eax, %xmm3; mov $0x8f0000, %edi; mov $6, %eax; syscall; mov %rax, %rdi; mov $1, %eax; syscall; pxor %xmm3, %xmm3; mov $0x8f0000, %edi; mov $7, %eax; syscall; mov %rax, %rdi; movd %xmm3, %esi; mov $1, %eax; syscall\n"
    "mov $99, %eax; syscall; ucode_end:\n.previous\n");
static struct thread_ctx user_thread;
static char user_stack[16384] __aligned_to(16);
static char fpu_area[8192] __aligned_to(64);
static void user_test(void)
{
    u64 t0 = clock_ns();
    int e = mm_boot();
    log_print(LOG_INFO, "mm_boot %d %lu us, free %lu of %lu", e, (clock_ns() - t0) / 1000, phys_free_all(), phys_managed());
    struct mm *mm = mm_alloc();
    struct mm_layout_request lr = {0, 0, 8 << 20};
    mm->rlimit = (struct mm_rlimits){U64_MAX, U64_MAX, U64_MAX, U64_MAX};
    mm_set_layout(mm, &lr);
    struct vma_request a = {.addr = 0x400000, .len = 0x1000, .flags = VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC, .fixed = true, .pgoff = 0x400};
    struct vma_request b = {.addr = 0x500000, .len = 0x401000, .flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE, .fixed = true, .pgoff = 0x500};
    mmap_write_lock(mm);
    s64 r = vma_map(mm, &a), r2 = vma_map(mm, &b);
    mmap_write_unlock(mm);
    r2 |= access_remote(mm, 0x400000, ucode, ucode_end - ucode, FAULT_WRITE | FAULT_FORCE);
    log_print(LOG_INFO, "mapped %lx %lx", r, r2);
    user_thread.fpu = fpu_area;
    arch_thread_init(&user_thread, (u64)user_stack + 16384, NULL, NULL);
    thread_regs(&user_thread)->rip = 0x400000;
    thread_regs(&user_thread)->rsp = 0x900000;
    irq_disable();
    mmu_switch(&mm->mmu);
    arch_switch(&idle[0], &user_thread);
}
WEAK void kernel_main(void)
{
    const struct mem_range *r;
    size_t n = mem_ranges(&r);
    for (size_t i = 0; i < n; i++)
        log_print(LOG_INFO, "range %#lx-%#lx node %u %s", r[i].base, r[i].base + r[i].size, r[i].node, r[i].kind ? "reserved" : "free");
    log_print(LOG_INFO, "initrd %p %lu", boot_initrd, boot_initrd_size);
    idle[0] = *cpu_thread();
    this_cpu()->thread = &idle[0];
    idle[0].stack_top = (u64)stacks[0] + 8192;
    irq_enable();
    u64 t0 = clock_ns();
    n = smp_boot_cpus(prepare);
    log_print(LOG_INFO, "%lu CPUs in %lu us", n, (clock_ns() - t0) / 1000);
    smp_call(CPUMASK_ALL, count, NULL);
    log_print(LOG_INFO, "%lu CPUs called", called);
    t0 = clock_ns();
    for (int i = 0; i < 1000; i++)
        mmu_flush_kernel(VMALLOC_BASE, VMALLOC_BASE + 4096);
    log_print(LOG_INFO, "flush: %lu ns", (clock_ns() - t0) / 1000);
    t0 = clock_ns();
    arch_timer_program(t0 + 2000000);
    while (!ticks) { irq_disable(); if (!ticks) cpu_halt(); }
    log_print(LOG_INFO, "tick after %lu us", (clock_ns() - t0) / 1000);
    log_print(LOG_INFO, "memmap[mid].refcount %d", memmap[memory_top >> 13].refcount);
    u64 v = 1;
    int e1 = get_user(v, 0x1000), e2 = put_user(1, 0x8000000000000UL), e3 = get_user(v, 0xffff888000000000);
    log_print(LOG_INFO, "get_user %d put_user %d kernel %d", e1, e2, e3);
    irq_disable();
    arch_thread_init(&other, (u64)other_stack + 16384, other_fn, (void *)42);
    struct thread_ctx *prev = arch_switch(&idle[0], &other);
    log_print(LOG_INFO, "back from %p %p", prev, &other);
    irq_enable();
    log_print(LOG_INFO, "random %lx %lx wall %lu", random_u64(), random_u64(), arch_boot_wall_ns() / 1000000000);
    if (cmdline_has("user"))
        user_test();
    if (cmdline_has("oops"))
        *(volatile int *)(clock_ns() & 8) = 1;
    if (cmdline_has("wx"))
        *(volatile char *)text_start = 1;
    if (cmdline_has("wxalias"))
        *(volatile char *)phys_to_virt(image_phys(text_start)) = 1;
    if (cmdline_has("reboot"))
        arch_reboot();
    arch_poweroff();
}
