/* SPDX-License-Identifier: MIT */
#include "help.h"

const char help_main[] =
    "pagoda - the Linux virtual memory system built anew, and a small kernel around it\n"
    "\n"
    "  pagoda run                 a two-minute tour: programs of this machine on Pagoda\n"
    "  pagoda run -- CMD...       run CMD on Pagoda, with this machine's files; status, streams\n"
    "                             and working directory are CMD's\n"
    "  pagoda shell               a shell in there\n"
    "  pagoda test [PATTERN]      every test, or those whose name contains PATTERN\n"
    "  pagoda bench               instructions per operation, beside Linux's\n"
    "  pagoda trace -- CMD        record a program's references, page by page; convert: other forms\n"
    "  pagoda policies TRACE      misses of a dozen replacement policies on a trace, at each size\n"
    "  pagoda replay TRACE        a program's references on the translation buffers of a machine\n"
    "  pagoda build               compile what has changed\n"
    "  pagoda mkinitramfs         a busybox initramfs to boot by hand\n"
    "  pagoda doctor              what this machine has and lacks for all that\n"
    "\n"
    "`pagoda COMMAND --help` explains each. Try:\n"
    "\n"
    "  pagoda run -- sh -c 'cat /proc/version; free -m'\n"
    "  pagoda run --kernel linux -- cat /proc/version      the same under Debian's Linux 6.12\n"
    "  seq 100000 | pagoda run -- sort -rn | head -3\n"
    "\n"
    "Exit codes: those of CMD for run and shell; else 0 done, 1 something failed, 2 wrong usage,\n"
    "124 time is up, 125 pagoda or the guest failed, 126/127 CMD cannot be run / does not exist.\n";

const char help_run[] =
    "Usage: pagoda run [OPTIONS] [--] [CMD [ARG]...]\n"
    "\n"
    "Boots the Pagoda kernel in QEMU and runs CMD there, an unmodified program of this machine.\n"
    "The guest sees this machine's root; what it writes is kept in its memory and gone "
    "afterwards.\n"
    "Without CMD: a tour of at most two minutes.\n"
    "\n"
    "  -m, --memory SIZE      memory of the guest (1G)\n"
    "  -p, --cpus N           its processors (1)\n"
    "      --rw               share the files writable: CMD changes this machine's files\n"
    "      --append WORDS     more words for the kernel command line\n"
    "      --accel WHICH      tcg, kvm, or auto (the default, or $PAGODA_ACCEL): kvm if a probe\n"
    "                         guest has really run on it\n"
    "      --kernel WHICH     pagoda; linux or linux-6.1 (Debian's, fetched once); or a file\n"
    "      --machine TYPE     q35 or microvm;  --cpu MODEL  QEMU's -cpu\n"
    "      --env NAME[=VALUE] pass one more environment variable\n"
    "      --cwd DIR          start in DIR instead of here\n"
    "      --timeout SECONDS  end CMD after that (status 124);  --boot-timeout (120)\n"
    "      --dry-run          print the QEMU command and do nothing\n"
    "      --console          CMD on the serial console, without virtio-serial: for debugging\n"
    "      --disk FILE[,ro]   a raw image as a disk: vda, the next one vdb; may be repeated\n"
    "      --swap SIZE        that much swap, on a temporary disk behind those of --disk\n"
    "      --qemu-arg WORD    one more word for QEMU, may be repeated\n"
    "  -v, --verbose          the QEMU command and the kernel's console on standard error\n"
    "\n"
    "The status is CMD's, 128+n if signal n ended it. 125: QEMU or the guest failed; the last\n"
    "console lines then stand on standard error. On a terminal, Ctrl-] three times ends a guest\n"
    "that no longer listens.\n"
    "\n"
    "  pagoda run -- python3 -c 'print(2**100)'\n"
    "  tar c src | pagoda run -p 2 -- sh -c 'tar t | wc -l'\n"
    "  pagoda run -m 256M --append 'init_on_alloc=1' -- ./my-program\n";

const char help_shell[] =
    "Usage: pagoda shell [OPTIONS]\n"
    "\n"
    "$SHELL (or /bin/sh) on Pagoda, on this terminal. Options as for `pagoda run`.\n"
    "Everything written there is gone when the shell ends, unless --rw.\n";

const char help_build[] =
    "Usage: pagoda build [MAKE-WORD...]\n"
    "\n"
    "Runs make in the source tree: kernel image, guest programs, this command. Words are\n"
    "passed on: `pagoda build clean`, `pagoda build CC=clang B=build-clang`.\n";

const char help_test[] =
    "Usage: pagoda test [--list] [--hosted | --guest] [--kernel WHICH] [PATTERN]\n"
    "       pagoda test --mmfuzz SEEDS [--steps N] [--keep STEPS] [--shrink N] [-j N] [-v]\n"
    "\n"
    "First the hosted tests (`make check`: the core on its software MMU, under ASan and UBSan),\n"
    "then the guest tests of tests/guest/cases, each in a guest of its own. PATTERN keeps the\n"
    "tests whose name contains it. The last line counts passed and failed; status 1 if any "
    "failed.\n"
    "\n"
    "--mmfuzz plays random games of memory calls under Linux and Pagoda and compares them line by\n"
    "line; the first N seeds that differ (3) are shrunk to the steps that matter. SEEDS is as in\n"
    "1-20,35. Linux's answers are kept in ~/.cache/pagoda/mmfuzz. -j 1 lets one guest run at a "
    "time.\n";

const char help_bench[] =
    "Usage: pagoda bench [OPTIONS]\n"
    "\n"
    "One static program times each operation of the memory system in a guest whose clock counts\n"
    "instructions, on Pagoda and on Debian's Linux, from the same initramfs. The table shows\n"
    "instructions per operation, the ratio, and the floor: an empty trap plus the bytes that must\n"
    "be cleared or copied.\n"
    "\n"
    "      --kernel A[,B]     what to compare (pagoda,linux); also linux-6.1 or a file\n"
    "      --rows PATTERN     only rows whose name contains PATTERN\n"
    "      --json, --markdown other forms of the table\n"
    "      --wall             wall-clock time instead of instructions (varies from run to run)\n"
    "      --boot             instead: milliseconds from QEMU's start to /init, 512 MiB and 16 "
    "GiB\n"
    "      --large            also the row that takes 18 GiB of memory and several minutes\n"
    "      --timeout SECONDS  per guest (900)\n"
    "  -v, --verbose          QEMU commands and consoles on standard error\n";

const char help_doctor[] =
    "Usage: pagoda doctor [--json] [--probe]\n"
    "\n"
    "Says which tools are there, which are missing and which Debian package has them; the\n"
    "state of KVM (--probe tries an untried one), the build, and the cache. Status 1 when\n"
    "something needed is missing.\n";

const char help_mkinitramfs[] =
    "Usage: pagoda mkinitramfs [-o FILE] [--script FILE] [--add HOST-FILE:PATH] [--init FILE]\n"
    "\n"
    "Writes an initramfs (newc cpio; gzip if FILE ends in .gz) with busybox and an /init script\n"
    "that mounts /proc, /sys and /dev, runs the script (or a shell) and powers off. Boot it:\n"
    "\n"
    "  qemu-system-x86_64 -M q35 -cpu max -m 512 -nographic -no-reboot -kernel build/pagoda.elf "
    "\\\n"
    "      -initrd FILE -append 'console=ttyS0 quiet panic=-1'\n"
    "\n"
    "      --script FILE      shell script to run instead of an interactive shell\n"
    "      --add FILE:PATH    put a file of this machine at PATH\n"
    "      --init FILE        this program as /init, and no busybox\n";
