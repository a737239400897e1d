/* SPDX-License-Identifier: MIT */
/*
 * The devices, and why: a serial console for the log; one virtio-serial port for CMD's streams;
 * virtio-9p for the host's files; virtio-rng so that the first getrandom() does not wait. On
 * microvm the same devices sit on virtio-mmio.
 */
#include "vm.h"

#include <stdlib.h>
#include <string.h>

const char *vm_qemu(void)
{
    static char *found;
    const char *chosen = getenv("PAGODA_QEMU");

    if (!found)
        found = find_program(chosen && *chosen ? chosen : "qemu-system-x86_64");
    if (!found)
        die(EXIT_PAGODA,
            "%s is not installed (Debian package qemu-system-x86); see `pagoda doctor`",
            chosen && *chosen ? chosen : "qemu-system-x86_64");
    return found;
}

static void add_pair(struct words *w, const char *option, const char *value)
{
    words_add(w, option);
    words_add(w, value);
}

static void add_devices(const struct vm *vm, struct words *w)
{
    const char *bus = strcmp(vm->machine, "microvm") ? "pci" : "device";

    if (vm->port_fd >= 0) {
        words_add(w, "-chardev");
        words_addf(w, "socket,id=port,fd=%d", vm->port_fd);
        words_add(w, "-device");
        /* An interrupt vector for each queue of the few ports. */
        words_addf(w, "virtio-serial-%s,max_ports=2%s", bus, *bus == 'p' ? ",vectors=8" : "");
        add_pair(w, "-device", "virtserialport,chardev=port,name=pagoda");
    }
    if (vm->share_root) {
        words_add(w, "-fsdev");
        words_addf(w, "local,id=root,path=/,security_model=none,multidevs=remap%s",
                   vm->share_writable ? "" : ",readonly=on");
        words_add(w, "-device");
        words_addf(w, "virtio-9p-%s,fsdev=root,mount_tag=host", bus);
        words_add(w, "-device");
        words_addf(w, "virtio-rng-%s", bus);
    }
}

/* FILE or FILE,ro: vda, vdb, ... in the order given. QEMU wants commas in names doubled. */
static void add_disk(const struct vm *vm, struct words *w, size_t i)
{
    const char *spec = vm->disks.v[i], *bus = strcmp(vm->machine, "microvm") ? "pci" : "device";
    size_t n = strlen(spec), out = 0;
    bool ro = n > 3 && !strcmp(spec + n - 3, ",ro");
    char *file = xrealloc(NULL, 2 * n + 1);

    for (size_t k = 0; k < (ro ? n - 3 : n); k++) {
        if (spec[k] == ',')
            file[out++] = ',';
        file[out++] = spec[k];
    }
    file[out] = '\0';
    words_add(w, "-drive");
    words_addf(w, "file=%s,if=none,id=disk%zu,format=raw,discard=unmap%s", file, i, ro ? ",readonly=on" : "");
    words_add(w, "-device");
    words_addf(w, "virtio-blk-%s,drive=disk%zu,num-queues=%u", bus, i, vm->cpus < 16 ? vm->cpus : 16);
    free(file);
}

/* The command line, and on microvm where its devices are: with ACPI on, QEMU tells that only in ACPI's byte code. */
static void add_append(const struct vm *vm, struct words *w)
{
    char *text = xstrdup(vm->append);

    for (int i = 0; !strcmp(vm->machine, "microvm") && i < 24; i++) {
        char *longer = xasprintf("%s virtio_mmio.device=512@%#x:%d", text, 0xfeb00000u + 512 * (unsigned)i, 24 + i);
        free(text);
        text = longer;
    }
    add_pair(w, "-append", text);
    free(text);
}

void vm_command(const struct vm *vm, struct words *w)
{
    bool micro = !strcmp(vm->machine, "microvm");

    words_add(w, vm_qemu());
    words_add(w, "-M");
    words_addf(w, "%s%s", vm->machine, micro ? ",acpi=on,rtc=on,pcie=off" : "");
    add_pair(w, "-accel", vm->kvm ? "kvm" : "tcg");
    if (vm->icount)
        add_pair(w, "-icount", "shift=0,sleep=off");
    add_pair(w, "-cpu", vm->cpu ? vm->cpu : vm->kvm ? "host" : "max");
    add_pair(w, "-m", vm->memory);
    words_add(w, "-smp");
    words_addf(w, "%u", vm->cpus);
    words_add(w, "-nodefaults");
    words_add(w, "-no-user-config");
    words_add(w, "-no-reboot");
    add_pair(w, "-display", "none");
    add_pair(w, "-chardev", "stdio,id=console,signal=off");
    add_pair(w, "-serial", "chardev:console");
    add_devices(vm, w);
    for (size_t i = 0; i < vm->disks.n; i++)
        add_disk(vm, w, i);
    for (size_t i = 0; i < vm->extra.n; i++)
        words_add(w, vm->extra.v[i]);
    add_pair(w, "-kernel", vm->kernel);
    add_pair(w, "-initrd", vm->initrd);
    add_append(vm, w);
}
