/* SPDX-License-Identifier: MIT */
/* Hosted home: physical memory is one array of bytes, the arena (host/arena.c). */
#ifndef PORT_IMPL_MEM_H
#define PORT_IMPL_MEM_H

extern u8 *host_arena;
extern struct page *memmap;

static inline void *phys_to_virt(phys_t pa)
{
    return host_arena + pa;
}
static inline phys_t virt_to_phys(const void *va)
{
    return (phys_t)((const u8 *)va - host_arena);
}
/* host/poison.c */
void mem_poison(const void *p, size_t n);
void mem_unpoison(const void *p, size_t n);
static inline void mem_clear_page(void *page)
{
    memset(page, 0, PAGE_SIZE);
}
extern bool host_no_contents; /* host_config.no_contents */
static inline void mem_clear_user_page(void *page)
{
    if (!host_no_contents)
        memset(page, 0, PAGE_SIZE);
}
static inline void mem_copy_page(void *dst, const void *src)
{
    if (!host_no_contents)
        memcpy(dst, src, PAGE_SIZE);
}
#endif
