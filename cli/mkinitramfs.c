/* SPDX-License-Identifier: MIT */
#include "mkinitramfs.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "help.h"
#include "initramfs.h"
#include "util.h"

#define BUSYBOX "/bin/busybox"

static const char init_script[] =
    "#!/bin/sh\n"
    "export PATH=/bin HOME=/ TERM=linux\n"
    "mount -t proc proc /proc\n"
    "mount -t sysfs sysfs /sys\n"
    "mount -t devtmpfs devtmpfs /dev\n"
    "mkdir -p /dev/pts /dev/shm\n"
    "mount -t devpts devpts /dev/pts\n"
    "mount -t tmpfs tmpfs /tmp\n"
    "if [ -f /script ]; then echo; sh /script; else setsid cttyhack sh; fi\n"
    "poweroff -f\n";

/* A busybox that needs no library is the only one of use. */
static int add_busybox(struct initramfs *a)
{
    char *const list_argv[] = {BUSYBOX, "--list", NULL};
    char *applets = NULL, *save = NULL;
    int err = initramfs_file(a, "bin/busybox", 0755, BUSYBOX);

    if (err)
        return err;
    if (run_command(list_argv, &applets)) {
        free(applets);
        return -ENOEXEC;
    }
    for (char *name = strtok_r(applets, "\n", &save); name; name = strtok_r(NULL, "\n", &save)) {
        if (!strcmp(name, "busybox"))
            continue;
        char *path = xasprintf("bin/%s", name);
        initramfs_link(a, path, "busybox");
        free(path);
    }
    free(applets);
    return 0;
}

static void add_skeleton(struct initramfs *a)
{
    static const char *const dirs[] = {"bin", "dev", "proc", "sys", "etc", "root"};

    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        initramfs_dir(a, dirs[i], 0755);
    initramfs_dir(a, "tmp", 01777);
    initramfs_node(a, "dev/console", S_IFCHR | 0600, 5, 1);
}

static int add_script(struct initramfs *a, const char *script)
{
    initramfs_data(a, "init", 0755, init_script, sizeof(init_script) - 1);
    if (script)
        initramfs_data(a, "script", 0644, script, strlen(script));
    return add_busybox(a);
}

int busybox_initramfs(const char *path, const char *script)
{
    struct initramfs a;
    int err;

    initramfs_begin(&a);
    add_skeleton(&a);
    err = add_script(&a, script);
    if (err) {
        free(a.data);
        return err;
    }
    return initramfs_finish(&a, path);
}

/* Folders on the way to `path` that the skeleton lacks. */
static void add_parents(struct initramfs *a, const char *path)
{
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        char *dir = xasprintf("%.*s", (int)(slash - path), path);
        initramfs_dir(a, dir, 0755);
        free(dir);
    }
}

static void add_file(struct initramfs *a, const char *word)
{
    const char *colon = strrchr(word, ':');
    struct stat st;
    int err;

    if (!colon || !colon[1])
        die(EXIT_USAGE, "--add %s: HOST-FILE:PATH", word);
    char *from = xasprintf("%.*s", (int)(colon - word), word);
    const char *to = colon + 1 + strspn(colon + 1, "/");
    err = stat(from, &st) < 0 ? -errno : 0;
    add_parents(a, to);
    if (!err)
        err = initramfs_file(a, to, st.st_mode & 07777, from);
    if (err)
        die(EXIT_FAILED, "%s: %s", from, strerror(-err));
    free(from);
}

int cmd_mkinitramfs(int argc, char **argv)
{
    enum { OPT_SCRIPT = 256, OPT_ADD, OPT_INIT, OPT_BUSYBOX };
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"script", required_argument, NULL, OPT_SCRIPT},
        {"add", required_argument, NULL, OPT_ADD},
        {"init", required_argument, NULL, OPT_INIT},
        {"busybox", no_argument, NULL, OPT_BUSYBOX},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *output = "initramfs.cpio", *script_path = NULL, *init = NULL;
    char *script = NULL;
    struct words add = {0};
    struct initramfs a;
    int c, err;

    optind = 1;
    while ((c = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
        switch (c) {
        case 'o':
            output = optarg;
            break;
        case OPT_SCRIPT:
            script_path = optarg;
            break;
        case OPT_ADD:
            words_add(&add, optarg);
            break;
        case OPT_INIT:
            init = optarg;
            break;
        case OPT_BUSYBOX: /* the default */
            break;
        case 'h':
            fputs(help_mkinitramfs, stdout);
            return EXIT_OK;
        default:
            return EXIT_USAGE;
        }
    }
    if (script_path && !(script = file_read(script_path, NULL)))
        die(EXIT_FAILED, "%s: %s", script_path, strerror(errno));
    initramfs_begin(&a);
    add_skeleton(&a);
    err = init ? initramfs_file(&a, "init", 0755, init) : add_script(&a, script);
    if (err)
        die(EXIT_FAILED, "%s: %s", init ? init : BUSYBOX " (Debian package busybox-static)",
            strerror(-err));
    for (size_t i = 0; i < add.n; i++)
        add_file(&a, add.v[i]);
    size_t n = strlen(output);
    bool gzip = n > 3 && !strcmp(output + n - 3, ".gz");
    char *plain = gzip ? xasprintf("%.*s", (int)n - 3, output) : xstrdup(output);
    err = initramfs_finish(&a, plain);
    if (err)
        die(EXIT_FAILED, "%s: %s", plain, strerror(-err));
    if (gzip) {
        char *const gzip_argv[] = {"gzip", "-9nf", plain, NULL};
        if (run_command(gzip_argv, NULL))
            die(EXIT_FAILED, "gzip failed");
    }
    free(plain);
    free(script);
    return EXIT_OK;
}
