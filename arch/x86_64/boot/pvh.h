/* SPDX-License-Identifier: MIT */
/* Xen's PVH start protocol: what EBX points at on entry. */
#ifndef BOOT_PVH_H
#define BOOT_PVH_H
#include <lib/types.h>

#define HVM_START_MAGIC 0x336ec578u

struct hvm_start_info {
    u32 magic, version;
    u32 flags, nr_modules;
    u64 modlist_paddr;
    u64 cmdline_paddr;
    u64 rsdp_paddr;
    u64 memmap_paddr; /* version 1 on */
    u32 memmap_entries, reserved;
};
struct hvm_modlist_entry {
    u64 paddr, size, cmdline_paddr, reserved;
};
struct hvm_memmap_entry {
    u64 addr, size;
    u32 type, reserved;
};
BUILD_ASSERT(sizeof(struct hvm_start_info) == 56);
BUILD_ASSERT(sizeof(struct hvm_memmap_entry) == 24);
#endif
