/* SPDX-License-Identifier: MIT */
/*
 * A /dev/kvm that opens is no proof: nested or filtered ones exist on which the first guest
 * instruction never returns. So `auto` believes only a guest that has run. The probe is 64 KiB of
 * firmware of our own, no kernel: it enters protected mode with paging, touches a megabyte page by
 * page, sums for some millions of instructions, and says so through isa-debug-exit. It gets
 * PROBE_MS; then QEMU is killed. The answer is cached, with the host's boot id and QEMU's size and
 * time as key, for a machine's KVM changes only with those.
 */
#include "accel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "paths.h"
#include "util.h"
#include "vm.h"

#define PROBE_MS   3000
#define ROM_SIZE   0x10000
#define PROBE_EXIT 0x2b /* what the guest writes; QEMU ends with value * 2 + 1 */

/* The ROM is mapped at 0xf0000 and ends at 1 MiB; the processor starts 16 bytes before its end, in
 * real mode. */
static const unsigned char reset_jump[] = {0xea, 0x00, 0x00, 0x00, 0xf0}; /* ljmp 0xf000:0 */

/* Page directory at 0x10000 maps 4 MiB pages one to one; the GDT lies in the ROM at offset 0x100.
 */
static const unsigned char program[] = {
    0xfa,                                           /* cli */
    0x2e, 0x66, 0x0f, 0x01, 0x16, 0x18, 0x01,       /* lgdtl %cs:0x118 */
    0x0f, 0x20, 0xc0,                               /* mov %cr0,%eax */
    0x66, 0x83, 0xc8, 0x01,                         /* or $1,%eax */
    0x0f, 0x22, 0xc0,                               /* mov %eax,%cr0 */
    0x66, 0xea, 0x20, 0x00, 0x0f, 0x00, 0x08, 0x00, /* ljmpl 8:0xf0020 */
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
    /* 0x20: 32-bit */
    0x66, 0xb8, 0x10, 0x00,                                     /* mov $16,%ax */
    0x8e, 0xd8,                                                 /* mov %ax,%ds */
    0x8e, 0xc0,                                                 /* mov %ax,%es */
    0xc7, 0x05, 0x00, 0x00, 0x01, 0x00, 0x83, 0x00, 0x00, 0x00, /* movl $0x83,0x10000 */
    0xb8, 0x00, 0x00, 0x01, 0x00,                               /* mov $0x10000,%eax */
    0x0f, 0x22, 0xd8,                                           /* mov %eax,%cr3 */
    0x0f, 0x20, 0xe0,                                           /* mov %cr4,%eax */
    0x83, 0xc8, 0x10,                                           /* or $0x10,%eax   4 MiB pages */
    0x0f, 0x22, 0xe0,                                           /* mov %eax,%cr4 */
    0x0f, 0x20, 0xc0,                                           /* mov %cr0,%eax */
    0x0d, 0x00, 0x00, 0x00, 0x80,                               /* or $0x80000000,%eax */
    0x0f, 0x22, 0xc0,                                           /* mov %eax,%cr0 */
    0xbf, 0x00, 0x00, 0x10, 0x00,                               /* mov $0x100000,%edi */
    0xc7, 0x07, 0x55, 0xaa, 0x55, 0xaa,                         /* 1: movl $0xaa55aa55,(%edi) */
    0x81, 0xc7, 0x00, 0x10, 0x00, 0x00,                         /* add $0x1000,%edi */
    0x81, 0xff, 0x00, 0x00, 0x20, 0x00,                         /* cmp $0x200000,%edi */
    0x75, 0xec,                                                 /* jne 1b */
    0xb9, 0x00, 0x00, 0x40, 0x00,                               /* mov $0x400000,%ecx */
    0x01, 0xc8,                                                 /* 2: add %ecx,%eax */
    0xe2, 0xfc,                                                 /* loop 2b */
    0x81, 0x3d, 0x00, 0xf0, 0x1f, 0x00, 0x55, 0xaa, 0x55, 0xaa, /* cmpl $0xaa55aa55,0x1ff000 */
    0x75, 0x07,                                                 /* jne 3f */
    0xb0, PROBE_EXIT,                                           /* mov $..,%al */
    0x66, 0xba, 0xf4, 0x00,                                     /* mov $0xf4,%dx */
    0xee,                                                       /* out %al,(%dx) */
    0xf4,                                                       /* 3: hlt */
    0xeb, 0xfd,                                                 /* jmp 3b */
};

static const unsigned char tables[] = {
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* 0x100: null */
    0xff, 0xff, 0x00, 0x00, 0x00, 0x9b, 0xcf, 0x00, /* flat code */
    0xff, 0xff, 0x00, 0x00, 0x00, 0x93, 0xcf, 0x00, /* flat data */
    0x17, 0x00, 0x00, 0x01, 0x0f, 0x00,             /* 0x118: limit and base of the table */
};

static int write_rom(const char *path)
{
    static unsigned char rom[ROM_SIZE];

    memcpy(rom, program, sizeof(program));
    memcpy(rom + 0x100, tables, sizeof(tables));
    memcpy(rom + ROM_SIZE - 16, reset_jump, sizeof(reset_jump));
    return file_write(path, rom, sizeof(rom));
}

/* Runs QEMU on the ROM; true when the guest said its word in time. */
static bool probe_guest(const char *accel)
{
    char *rom = path_cache("probe.rom");
    struct words w = {0};
    int status = 0;
    bool ran = false;

    if (write_rom(rom)) {
        free(rom);
        return false;
    }
    words_add(&w, vm_qemu());
    static const char *const fixed[] = {"-M",
                                        "pc,acpi=off",
                                        "-m",
                                        "16",
                                        "-nodefaults",
                                        "-no-user-config",
                                        "-no-reboot",
                                        "-display",
                                        "none",
                                        "-net",
                                        "none",
                                        "-device",
                                        "isa-debug-exit,iobase=0xf4,iosize=1",
                                        "-accel"};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        words_add(&w, fixed[i]);
    words_add(&w, accel);
    words_add(&w, "-bios");
    words_add(&w, rom);
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execv(w.v[0], w.v);
        _exit(127);
    }
    if (pid > 0) {
        int64_t until = now_ms() + PROBE_MS;
        pid_t got;
        while ((got = waitpid(pid, &status, WNOHANG)) == 0 && now_ms() < until)
            poll(NULL, 0, 10);
        if (got == 0) {
            kill(pid, SIGKILL);
            /* A QEMU stuck inside the KVM driver may outlive its kill: don't wait for it for ever.
             */
            for (int i = 0; i < 100 && waitpid(pid, &status, WNOHANG) == 0; i++)
                poll(NULL, 0, 10);
        } else {
            ran = got == pid && WIFEXITED(status) && WEXITSTATUS(status) == PROBE_EXIT * 2 + 1;
        }
    }
    unlink(rom);
    free(rom);
    return ran;
}

/* What the answer depends on. */
static char *probe_key(void)
{
    struct stat st = {0};
    char *boot = file_read("/proc/sys/kernel/random/boot_id", NULL);

    stat(vm_qemu(), &st);
    char *key = xasprintf("%.36s %s %lld %lld", boot ? boot : "?", vm_qemu(), (long long)st.st_size,
                          (long long)st.st_mtime);
    free(boot);
    return key;
}

enum kvm_state accel_kvm_state(bool probe, const char **why)
{
    enum kvm_state state = KVM_UNTRIED;
    char *path, *key, *known;

    if (!file_exists("/dev/kvm")) {
        *why = "there is no /dev/kvm";
        return KVM_ABSENT;
    }
    if (access("/dev/kvm", R_OK | W_OK) < 0) {
        *why = "/dev/kvm may not be opened (is the user in the group kvm?)";
        return KVM_FORBIDDEN;
    }
    path = path_cache("kvm-probe");
    key = probe_key();
    known = file_read(path, NULL);
    if (known && strlen(known) > 2 && !strcmp(known + 2, key))
        state = *known == 'y' ? KVM_WORKS : KVM_BROKEN;
    if (state == KVM_UNTRIED && probe) {
        state = probe_guest("kvm") ? KVM_WORKS : KVM_BROKEN;
        char *text = xasprintf("%c %s", state == KVM_WORKS ? 'y' : 'n', key);
        file_write(path, text, strlen(text));
        free(text);
    }
    *why = state == KVM_WORKS    ? "a probe guest ran"
           : state == KVM_BROKEN ? "a probe guest did not run to its end"
                                 : "not tried yet";
    free(path);
    free(key);
    free(known);
    return state;
}

bool accel_is_kvm(const char *word)
{
    const char *why;

    if (!word || !*word)
        word = getenv("PAGODA_ACCEL");
    if (!word || !*word)
        word = "auto";
    if (!strcmp(word, "tcg"))
        return false;
    if (!strcmp(word, "auto"))
        return accel_kvm_state(true, &why) == KVM_WORKS;
    if (strcmp(word, "kvm"))
        die(EXIT_USAGE, "--accel %s: tcg, kvm or auto", word);
    enum kvm_state state = accel_kvm_state(false, &why);
    if (state == KVM_ABSENT || state == KVM_FORBIDDEN)
        die(EXIT_PAGODA, "--accel kvm: %s", why);
    return true;
}
