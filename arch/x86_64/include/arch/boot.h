/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader and the firmware left.
 */
#ifndef ARCH_BOOT_H
#define ARCH_BOOT_H
#include <port/page.h>

/* The command line, at most 4,095 bytes, NUL-terminated. */
extern char boot_cmdline[4096];
/* The value of NAME=VALUE (the last one counts), copied; false when NAME= is absent. */
bool cmdline_get(const char *name, char *out, size_t size);
/* NAME stands there as a word of its own. */
bool cmdline_has(const char *name);

/* The initramfs in the direct map, size 0 when there is none. boot_initrd_free() gives its pages to
 * the core, after mm_boot(). */
extern const void *boot_initrd;
extern size_t boot_initrd_size;
void boot_initrd_free(void);

/* An ACPI table by signature ("MCFG", "FACP", "SRAT"...), the n-th of that name from 0; NULL when
 * absent or its checksum is wrong. Its length is the u32 at offset 4. */
const void *acpi_find(const char signature[4], unsigned n);

/* RAM as the firmware reported it (type 1), for /proc/iomem: base, size. Returns the number of
 * entries. */
struct boot_range {
    phys_t base;
    u64 size;
    u32 type; /* E820: 1 RAM, 2 reserved, 3 ACPI, 4 NVS */
};
size_t boot_memory_map(const struct boot_range **out);
#endif
