/* SPDX-License-Identifier: MIT */
/*
 * `pagoda run`: options, the orders for run-init, the initramfs that carries them, and the session.
 *
 * The initramfs is run-init as /init, ORDERS_PATH, /dev/console and, for a reference kernel, its
 * modules. Everything else the guest sees is the host's own root.
 */
#include "run.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accel.h"
#include "help.h"
#include "initramfs.h"
#include "paths.h"
#include "refkernel.h"
#include "session.h"
#include "swapdisk.h"
#include "util.h"
#include "vm.h"
#include "../user/proto.h"

struct run_opts {
    const char *memory, *append, *accel, *kernel, *machine, *cpu, *cwd;
    unsigned cpus, timeout, boot_timeout;
    bool rw, no_root, dry_run, verbose, console;
    struct words env, disks, qemu;
    uint64_t swap; /* bytes, 0: none */
    char *swap_file;
    char **cmd; /* NULL-terminated */
};

enum {
    OPT_RW = 256,
    OPT_NO_ROOT,
    OPT_APPEND,
    OPT_ACCEL,
    OPT_KERNEL,
    OPT_DRY_RUN,
    OPT_TIMEOUT,
    OPT_BOOT_TIMEOUT,
    OPT_CONSOLE,
    OPT_MACHINE,
    OPT_CPU,
    OPT_ENV,
    OPT_CWD,
    OPT_DISK,
    OPT_SWAP,
    OPT_QEMU
};

static const struct option long_options[] = {
    {"memory", required_argument, NULL, 'm'},
    {"cpus", required_argument, NULL, 'p'},
    {"rw", no_argument, NULL, OPT_RW},
    {"append", required_argument, NULL, OPT_APPEND},
    {"accel", required_argument, NULL, OPT_ACCEL},
    {"kernel", required_argument, NULL, OPT_KERNEL},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"boot-timeout", required_argument, NULL, OPT_BOOT_TIMEOUT},
    {"console", no_argument, NULL, OPT_CONSOLE},
    {"machine", required_argument, NULL, OPT_MACHINE},
    {"cpu", required_argument, NULL, OPT_CPU},
    {"env", required_argument, NULL, OPT_ENV},
    {"cwd", required_argument, NULL, OPT_CWD},
    {"disk", required_argument, NULL, OPT_DISK},
    {"swap", required_argument, NULL, OPT_SWAP},
    {"qemu-arg", required_argument, NULL, OPT_QEMU},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static unsigned number(const char *option, const char *text, unsigned long low, unsigned long high)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (!*text || *end || n < low || n > high)
        die(EXIT_USAGE, "%s %s: a number from %lu to %lu", option, text, low, high);
    return (unsigned)n;
}

/* QEMU's own reading of -m: a number with an optional K, M, G or T; plain numbers are MiB. */
static const char *memory_size(const char *text)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (!n || end == text || (*end && (!strchr("kKmMgGtT", *end) || end[1])))
        die(EXIT_USAGE, "-m %s: a size such as 512M or 4G", text);
    return text;
}

/* NAME takes the value from here, NAME=VALUE brings its own. */
static void add_env(struct words *env, const char *word)
{
    const char *value = strchr(word, '=') ? NULL : getenv(word);

    if (strchr(word, '='))
        words_add(env, word);
    else if (value)
        words_addf(env, "%s=%s", word, value);
}

static void parse(int argc, char **argv, const char *help, struct run_opts *o)
{
    int c;

    *o = (struct run_opts){
        .memory = "1G", .cpus = 1, .kernel = "pagoda", .machine = "q35", .boot_timeout = 120};
    optind = 1;
    while ((c = getopt_long(argc, argv, "+m:p:vh", long_options, NULL)) != -1) {
        switch (c) {
        case 'm':
            o->memory = memory_size(optarg);
            break;
        case 'p':
            o->cpus = number("-p", optarg, 1, 255);
            break;
        case 'v':
            o->verbose = true;
            break;
        case OPT_RW:
            o->rw = true;
            break;
        case OPT_APPEND:
            o->append = optarg;
            break;
        case OPT_ACCEL:
            o->accel = optarg;
            break;
        case OPT_KERNEL:
            o->kernel = optarg;
            break;
        case OPT_DRY_RUN:
            o->dry_run = true;
            break;
        case OPT_TIMEOUT:
            o->timeout = number("--timeout", optarg, 0, 1000000);
            break;
        case OPT_BOOT_TIMEOUT:
            o->boot_timeout = number("--boot-timeout", optarg, 1, 1000000);
            break;
        case OPT_CONSOLE:
            o->console = true;
            break;
        case OPT_MACHINE:
            o->machine = optarg;
            if (strcmp(optarg, "q35") && strcmp(optarg, "microvm"))
                die(EXIT_USAGE, "--machine %s: q35 or microvm", optarg);
            break;
        case OPT_CPU:
            o->cpu = optarg;
            break;
        case OPT_ENV:
            add_env(&o->env, optarg);
            break;
        case OPT_CWD:
            o->cwd = optarg;
            break;
        case OPT_DISK:
            words_add(&o->disks, optarg);
            break;
        case OPT_SWAP:
            o->swap = swap_size(optarg);
            break;
        case OPT_QEMU:
            words_add(&o->qemu, optarg);
            break;
        case 'h':
            fputs(help, stdout);
            exit(EXIT_OK);
        default:
            fprintf(stderr, "Try `pagoda %s --help`.\n", argv[0]);
            exit(EXIT_USAGE);
        }
    }
    o->cmd = argv + optind;
}

/* ---- orders and initramfs
 * ---------------------------------------------------------------------------------------- */

static const char *const passed_env[] = {
    "PATH",    "HOME",     "TERM", "LANG",       "LANGUAGE",       "USER",
    "LOGNAME", "SHELL",    "TZ",   "COLORTERM",  "EDITOR",         "VISUAL",
    "PAGER",   "NO_COLOR", "LESS", "PYTHONPATH", "LD_LIBRARY_PATH"};

static void add_orders(struct initramfs *a, const struct run_opts *o,
                       const struct kernel_image *kernel, unsigned tty)
{
    extern char **environ;
    unsigned short rows = 0, cols = 0;
    struct words orders = {0}, env = {0};
    char *text = NULL;
    size_t len = 0;

    for (size_t i = 0; i < sizeof(passed_env) / sizeof(passed_env[0]); i++)
        add_env(&env, passed_env[i]);
    for (char **e = environ; *e; e++) {
        if (!strncmp(*e, "LC_", 3))
            words_add(&env, *e);
    }
    for (size_t i = 0; i < o->env.n; i++)
        words_add(&env, o->env.v[i]);

    for (size_t i = 0; i < kernel->modules.n; i++)
        words_addf(&orders, "module=/modules/%zu.ko", i);
    words_addf(&orders, "root=%s", o->rw ? "rw" : "ro");
    words_add(&orders, "host=pagoda");
    words_addf(&orders, "cwd=%s", o->cwd);
    words_addf(&orders, "tty=%u", tty);
    for (int fd = 0; fd < STREAM_COUNT; fd++) {
        if (tty & 1u << fd && term_size(fd, &rows, &cols))
            break;
    }
    words_addf(&orders, "rows=%u", rows);
    words_addf(&orders, "cols=%u", cols);
    if (o->swap)
        words_addf(&orders, "swap=/dev/vd%c", (char)('a' + o->disks.n - 1));
    if (o->console)
        words_add(&orders, "console=1");
    for (size_t i = 0; i < env.n; i++)
        words_addf(&orders, "env=%s", env.v[i]);
    for (char **arg = o->cmd; *arg; arg++)
        words_addf(&orders, "arg=%s", *arg);
    for (size_t i = 0; i < orders.n; i++) {
        size_t n = strlen(orders.v[i]) + 1;
        text = xrealloc(text, len + n);
        memcpy(text + len, orders.v[i], n);
        len += n;
    }
    initramfs_data(a, &ORDERS_PATH[1], 0600, text, len);
    free(text);
}

static void write_initramfs(const char *path, const struct run_opts *o,
                            const struct kernel_image *kernel, unsigned tty)
{
    struct initramfs a;
    char *init = path_build("user/init");
    int err;

    initramfs_begin(&a);
    initramfs_dir(&a, "dev", 0755);
    initramfs_node(&a, "dev/console", S_IFCHR | 0600, 5, 1);
    err = initramfs_file(&a, "init", 0755, init);
    if (err)
        die(EXIT_PAGODA, "%s: %s; `pagoda build` makes it", init, strerror(-err));
    initramfs_dir(&a, "modules", 0755);
    for (size_t i = 0; i < kernel->modules.n; i++) {
        char *name = xasprintf("modules/%zu.ko", i);
        err = initramfs_file(&a, name, 0644, kernel->modules.v[i]);
        if (err)
            die(EXIT_PAGODA, "%s: %s", kernel->modules.v[i], strerror(-err));
        free(name);
    }
    add_orders(&a, o, kernel, tty);
    err = initramfs_finish(&a, path);
    if (err)
        die(EXIT_PAGODA, "%s: %s", path, strerror(-err));
    free(init);
}

/* ---- running
 * -----------------------------------------------------------------------------------------------------
 */

static int run_session(const struct run_opts *o, struct vm *vm, unsigned tty)
{
    struct words command = {0};
    int pair[2];
    struct session s = {.tty = tty,
                        .verbose = o->verbose,
                        .boot_ms = (int)o->boot_timeout * 1000,
                        .limit_ms = (int)o->timeout * 1000};

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        die(EXIT_PAGODA, "socketpair: %s", strerror(errno));
    s.port_fd = pair[0];
    s.guest_fd = vm->port_fd = pair[1];
    vm_command(vm, &command);
    if (o->verbose)
        words_print(2, &command);
    s.command = &command;
    return session_run(&s);
}

static int run(struct run_opts *o)
{
    struct kernel_image kernel;
    unsigned tty = 0;
    char *cwd = getcwd(NULL, 0), *initrd, *append;
    int status;

    if (!o->cwd)
        o->cwd = cwd ? cwd : "/";
    kernel_find(o->kernel, USE_RUN, &kernel);
    if (!kernel.is_pagoda && !strcmp(o->machine, "microvm") && !accel_is_kvm(o->accel))
        die(EXIT_USAGE, "--machine microvm --kernel %s: under TCG it finds no timer there; use q35", o->kernel);
    for (int fd = 0; fd < STREAM_COUNT; fd++)
        tty |= isatty(fd) && !o->console ? 1u << fd : 0;
    append =
        xasprintf("console=ttyS0 quiet panic=-1%s%s%s", kernel.is_pagoda ? "" : " mitigations=off no_timer_check",
                  o->append ? " " : "", o->append ? o->append : "");
    if (o->dry_run) {
        initrd = path_cache("dry-run.cpio");
    } else {
        const char *tmp = getenv("TMPDIR");
        initrd = xasprintf("%s/pagoda.%d.cpio", tmp && *tmp ? tmp : "/tmp", (int)getpid());
    }
    if (o->swap) {
        o->swap_file = xasprintf("%s.swap", initrd);
        words_add(&o->disks, o->swap_file);
        int err = o->dry_run ? 0 : swap_disk_make(o->swap_file, o->swap);
        if (err)
            die(EXIT_PAGODA, "%s: %s", o->swap_file, strerror(-err));
    }
    write_initramfs(initrd, o, &kernel, tty);
    struct vm vm = {.memory = o->memory,
                    .cpus = o->cpus,
                    .machine = o->machine,
                    .cpu = o->cpu,
                    .kvm = accel_is_kvm(o->accel),
                    .kernel = kernel.path,
                    .initrd = initrd,
                    .append = append,
                    .port_fd = -1,
                    .share_root = true,
                    .share_writable = o->rw,
                    .disks = o->disks,
                    .extra = o->qemu};
    if (o->dry_run || o->console) {
        struct words command = {0};
        if (o->dry_run && !o->console)
            vm.port_fd = 3;
        vm_command(&vm, &command);
        if (o->dry_run || o->verbose)
            words_print(o->dry_run ? 1 : 2, &command);
        status = 0;
        if (!o->dry_run) {
            execv(command.v[0], command.v);
            die(EXIT_PAGODA, "%s: %s", command.v[0], strerror(errno));
        }
        return status;
    }
    status = run_session(o, &vm, tty);
    unlink(initrd);
    if (o->swap_file)
        unlink(o->swap_file);
    free(initrd);
    free(append);
    free(cwd);
    return status;
}

int cmd_run(int argc, char **argv)
{
    struct run_opts o;
    char *tour[2] = {NULL, NULL};

    parse(argc, argv, help_run, &o);
    if (!*o.cmd) {
        tour[0] = path_build("user/tour");
        o.cmd = tour;
        if (!o.timeout)
            o.timeout = 300;
    }
    return run(&o);
}

int cmd_shell(int argc, char **argv)
{
    struct run_opts o;
    const char *shell = getenv("SHELL");
    char *interactive[] = {xstrdup(shell && *shell == '/' ? shell : "/bin/sh"), NULL};

    parse(argc, argv, help_shell, &o);
    if (*o.cmd)
        die(EXIT_USAGE, "`pagoda shell` takes no program; `pagoda run -- CMD` does");
    o.cmd = interactive;
    return run(&o);
}
