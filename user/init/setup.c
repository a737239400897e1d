/* SPDX-License-Identifier: MIT */
/* run-init's way from the initramfs into the host's root: orders, modules, mounts, and the port. */
#include "init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct orders orders;

/* ---- orders
 * ---------------------------------------------------------------------------------------------------
 */

static char *read_file(const char *path, size_t *len)
{
    struct stat st;
    size_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0)
        return NULL;
    char *buf = malloc((size_t)st.st_size + 1);
    while (buf && got < (size_t)st.st_size) {
        ssize_t n = read(fd, buf + got, (size_t)st.st_size - got);
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    close(fd);
    if (buf)
        buf[got] = '\0';
    *len = got;
    return buf;
}

static char **append(char **list, char *word)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    list = realloc(list, (n + 2) * sizeof(*list));
    if (!list)
        fail("out of memory");
    list[n] = word;
    list[n + 1] = NULL;
    return list;
}

void read_orders(void)
{
    size_t len = 0;
    char *text = read_file(ORDERS_PATH, &len);

    if (!text)
        fail("%s: %s", ORDERS_PATH, strerror(errno));
    for (char *p = text; p < text + len; p += strlen(p) + 1) {
        char *value = strchr(p, '=');
        if (!value)
            continue;
        size_t key = (size_t)(value++ - p);
#define IS(word) (key == sizeof(word) - 1 && !memcmp(p, word, key))
        if (IS("arg"))
            orders.args = append(orders.args, value);
        else if (IS("env"))
            orders.env = append(orders.env, value);
        else if (IS("module"))
            orders.modules = append(orders.modules, value);
        else if (IS("cwd"))
            orders.cwd = value;
        else if (IS("root"))
            orders.root = value;
        else if (IS("host"))
            orders.host = value;
        else if (IS("swap"))
            orders.swap = value;
        else if (IS("tty"))
            orders.tty = (unsigned)atoi(value);
        else if (IS("rows"))
            orders.rows = (unsigned)atoi(value);
        else if (IS("cols"))
            orders.cols = (unsigned)atoi(value);
        else if (IS("console"))
            orders.console = true;
#undef IS
        p = value;
    }
    if (!orders.args)
        fail("the orders name no program");
}

void swap_on(void)
{
    if (orders.swap && syscall(SYS_swapon, orders.swap, 0) < 0)
        fail("swapon %s: %s", orders.swap, strerror(errno));
}

void load_modules(void)
{
    for (char **m = orders.modules; m && *m; m++) {
        size_t len = 0;
        char *image = read_file(*m, &len);

        if (!image)
            fail("%s: %s", *m, strerror(errno));
        if (syscall(SYS_init_module, image, len, "") < 0 && errno != EEXIST)
            dprintf(2, "run-init: %s: %s\n", *m, strerror(errno));
        free(image);
    }
}

/* ---- mounts
 * ---------------------------------------------------------------------------------------------------
 */

static void must_mount(const char *what, const char *where, const char *type, unsigned long flags,
                       const char *options)
{
    mkdir(where, 0755);
    if (mount(what, where, type, flags, options) < 0)
        fail("mount %s on %s (%s): %s", type, where, options ? options : "", strerror(errno));
}

static void may_mount(const char *what, const char *where, const char *type, unsigned long flags,
                      const char *options)
{
    mkdir(where, 0755);
    if (mount(what, where, type, flags, options) < 0)
        dprintf(2, "run-init: mount %s on %s: %s\n", type, where, strerror(errno));
}

/* The host's files become /root9p; with root=ro a tmpfs takes the writes. The result is the new
 * root. */
static void mount_root(void)
{
    static const char options[] = "trans=virtio,version=9p2000.L,msize=262144,";
    char with_cache[128];
    bool ro = strcmp(orders.root, "ro") == 0;

    snprintf(with_cache, sizeof(with_cache), "%scache=%s", options, ro ? "loose" : "mmap");
    must_mount("host", "/host", "9p", ro ? MS_RDONLY : 0, with_cache);
    if (!ro) {
        if (chdir("/host") < 0)
            fail("chdir /host: %s", strerror(errno));
        return;
    }
    must_mount("tmpfs", "/over", "tmpfs", 0, "mode=755,size=80%");
    mkdir("/over/upper", 0755);
    mkdir("/over/work", 0755);
    must_mount("overlay", "/new", "overlay", 0,
               "lowerdir=/host,upperdir=/over/upper,workdir=/over/work");
    if (chdir("/new") < 0)
        fail("chdir /new: %s", strerror(errno));
}

void enter_root(void)
{
    if (strcmp(orders.root, "none") != 0)
        mount_root();
    must_mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    may_mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    may_mount("tracefs", "sys/kernel/tracing", "tracefs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    must_mount("devtmpfs", "dev", "devtmpfs", MS_NOSUID, "mode=755");
    may_mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "mode=620,ptmxmode=666");
    may_mount("tmpfs", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
    may_mount("tmpfs", "run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
    symlink("/proc/self/fd", "dev/fd");
    symlink("/proc/self/fd/0", "dev/stdin");
    symlink("/proc/self/fd/1", "dev/stdout");
    symlink("/proc/self/fd/2", "dev/stderr");
    if (strcmp(orders.root, "none") == 0)
        return;
    mount(".", "/", NULL, MS_MOVE, NULL); /* without it the chroot alone does */
    if (chroot(".") < 0 || chdir("/") < 0)
        fail("chroot: %s", strerror(errno));
}

void loopback_up(void)
{
    struct ifreq ifr = {.ifr_name = "lo"};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (s < 0)
        return;
    ifr.ifr_flags = IFF_UP | IFF_RUNNING;
    ioctl(s, SIOCSIFFLAGS, &ifr);
    close(s);
}

/* The port appears a moment after the boot, as its driver finds the device. */
int open_port(void)
{
    struct timespec pause = {.tv_nsec = 5000000};

    for (int tries = 0; tries < 2000; tries++) {
        DIR *d = opendir("/dev");
        for (struct dirent *e; d && (e = readdir(d));) {
            char path[300];
            if (strncmp(e->d_name, "vport", 5) != 0)
                continue;
            snprintf(path, sizeof(path), "/dev/%s", e->d_name);
            int fd = open(path, O_RDWR | O_CLOEXEC);
            if (fd >= 0) {
                closedir(d);
                return fd;
            }
        }
        if (d)
            closedir(d);
        nanosleep(&pause, NULL);
    }
    return -1;
}
