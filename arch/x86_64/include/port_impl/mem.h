/* SPDX-License-Identifier: MIT */
/* Port: physical memory on x86-64. Contract in <port/mem.h>; the kernel's half is drawn in
 * <arch/mmu.h>. */
#ifndef PORT_IMPL_MEM_H
#define PORT_IMPL_MEM_H

#define DIRECT_MAP_BASE   0xffff888000000000UL
#define DIRECT_MAP_END    0xffffc88000000000UL
#define VMALLOC_BASE      0xffffc90000000000UL
#define VMALLOC_END       0xffffcb0000000000UL
#define IOREMAP_BASE      0xffffe80000000000UL /* device mappings, 1 TiB */
#define IOREMAP_END       0xffffe90000000000UL
#define MEMMAP_BASE       0xffffea0000000000UL
#define MEMMAP_END        0xffffeb0000000000UL
#define KERNEL_IMAGE_BASE 0xffffffff80000000UL

#define memmap ((struct page *)MEMMAP_BASE)

static inline void *phys_to_virt(phys_t pa)
{
    return (void *)(pa + DIRECT_MAP_BASE);
}
static inline phys_t virt_to_phys(const void *va)
{
    return (u64)va - DIRECT_MAP_BASE;
}
static inline void mem_poison(const void *p, size_t n)
{
}
static inline void mem_unpoison(const void *p, size_t n)
{
}
static inline void mem_clear_page(void *page)
{
    u64 n = PAGE_SIZE / 8;
    __asm__ volatile("rep stosq" : "+D"(page), "+c"(n) : "a"(0UL) : "memory");
}
#define mem_clear_user_page mem_clear_page
static inline void mem_copy_page(void *dst, const void *src)
{
    u64 n = PAGE_SIZE / 8;
    __asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(n)::"memory");
}
#endif
