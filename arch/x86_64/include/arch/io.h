/* SPDX-License-Identifier: MIT */
/* Ports and device registers. */
#ifndef ARCH_IO_H
#define ARCH_IO_H
#include <lib/types.h>

static inline void outb(u16 port, u8 v)
{
    __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port) : "memory");
}
static inline void outw(u16 port, u16 v)
{
    __asm__ volatile("outw %0, %1" ::"a"(v), "Nd"(port) : "memory");
}
static inline void outl(u16 port, u32 v)
{
    __asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port) : "memory");
}
static inline u8 inb(u16 port)
{
    u8 v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}
static inline u16 inw(u16 port)
{
    u16 v;
    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}
static inline u32 inl(u16 port)
{
    u32 v;
    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

/* Plain mov's of exactly the width asked for, in program order. */
static inline u8 mmio_read8(const volatile void *p)
{
    return *(const volatile u8 *)p;
}
static inline u16 mmio_read16(const volatile void *p)
{
    return *(const volatile u16 *)p;
}
static inline u32 mmio_read32(const volatile void *p)
{
    return *(const volatile u32 *)p;
}
static inline u64 mmio_read64(const volatile void *p)
{
    return *(const volatile u64 *)p;
}
static inline void mmio_write8(volatile void *p, u8 v)
{
    *(volatile u8 *)p = v;
}
static inline void mmio_write16(volatile void *p, u16 v)
{
    *(volatile u16 *)p = v;
}
static inline void mmio_write32(volatile void *p, u32 v)
{
    *(volatile u32 *)p = v;
}
static inline void mmio_write64(volatile void *p, u64 v)
{
    *(volatile u64 *)p = v;
}
#endif
