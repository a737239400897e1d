/* SPDX-License-Identifier: MIT */
/* A virtual machine as the commands describe it, and the QEMU command line that makes it. */
#ifndef CLI_VM_H
#define CLI_VM_H

#include <stdbool.h>

#include "util.h"

struct vm {
    const char *memory; /* QEMU's -m */
    unsigned cpus;
    const char *machine; /* "q35" or "microvm" */
    const char *cpu;     /* QEMU's -cpu; NULL: what the accelerator offers */
    bool kvm;
    bool icount; /* count instructions: guest time is the number of them */
    const char *kernel, *initrd;
    const char *append; /* whole kernel command line */
    int port_fd;        /* connected socket of the port "pagoda", or -1 */
    bool share_root;    /* the host's files over 9p, tag "host" */
    bool share_writable;
    struct words disks; /* raw images: "FILE" or "FILE,ro" */
    struct words extra; /* further QEMU words */
};

/* Words of the whole command, program first. */
void vm_command(const struct vm *vm, struct words *w);
/* Path of QEMU (PAGODA_QEMU or qemu-system-x86_64 in PATH); exits with a message when there is
 * none. */
const char *vm_qemu(void);

#endif
