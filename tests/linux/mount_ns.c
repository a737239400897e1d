/* SPDX-License-Identifier: MIT */
/* Mount name spaces: what a process with one of its own changes, nobody else sees. Everything happens below a fresh tmpfs. */
#include "say.h"
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define TOP "/tmp/mount_ns"

static int make(const char *name)
{
    int fd = open(name, O_CREAT | O_RDWR, 0644);
    return fd < 0 ? fd : close(fd);
}

/* Mounts below TOP in /proc/self/mounts, in order. */
static void mounts(const char *who)
{
    char line[1024], dev[256], at[256], type[64];
    FILE *f = fopen("/proc/self/mounts", "r");
    printf("%s:", who);
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "%255s %255s %63s", dev, at, type) == 3 && !strncmp(at, TOP, strlen(TOP)))
            printf(" %s(%s)", at + strlen(TOP), type);
    printf("\n");
    fflush(stdout);
    if (f)
        fclose(f);
}

static void wait_child(pid_t pid)
{
    int status = 0;
    fflush(stdout);
    waitpid(pid, &status, 0);
    printf("child ended with %x\n", status);
}

static int private_now(void)
{
    return mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL);
}

/* ---- scenes; each in a child ---- */

static void own_mounts(int to_child, int to_parent)
{
    char c;
    SAY(unshare(CLONE_NEWNS));
    SAY(private_now());
    mounts("child, copied");
    SAY(mount("mine", "b", "tmpfs", 0, NULL)); /* the working directory is in the copy, too */
    SAY(make("b/inside"));
    SAY(access(TOP "/b/inside", F_OK));
    SAY(umount(TOP "/a"));
    SAY(access(TOP "/a/before", F_OK));
    SAY(mount(TOP "/b", TOP "/c", NULL, MS_BIND, NULL));
    SAY(rmdir(TOP "/b"));
    mounts("child");
    write(to_parent, "", 1);
    read(to_child, &c, 1);
    SAY(access(TOP "/b/inside", F_OK)); /* its mount point is gone */
    SAY(access(TOP "/c/inside", F_OK));
    mounts("child, after");
}

static void both(void)
{
    int down[2], up[2];
    char c;
    if (pipe(down) || pipe(up))
        exit(1);
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        own_mounts(down[0], up[1]);
        fflush(stdout);
        _exit(0);
    }
    read(up[0], &c, 1);
    mounts("parent");
    SAY(access(TOP "/a/before", F_OK));
    SAY(access(TOP "/b/inside", F_OK));
    SAY(rmdir(TOP "/a"));
    SAY(rmdir(TOP "/b")); /* busy only in the other's name space */
    SAY(mkdir(TOP "/b", 0755));
    fflush(stdout);
    write(down[1], "", 1);
    wait_child(pid);
    mounts("parent, after");
}

/* A mount of another name space can't be changed through a descriptor. */
static void by_descriptor(void)
{
    char name[64];
    int fd = open(TOP "/a", O_RDONLY | O_DIRECTORY);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        SAY(unshare(CLONE_NEWNS));
        SAY(private_now());
        SAY(umount(name));
        SAY(mount("x", name, "tmpfs", 0, NULL));
        SAY(mount(name, TOP "/c", NULL, MS_BIND, NULL));
        SAY(mount(NULL, name, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
        SAY(faccessat(fd, "before", F_OK, 0));
        fflush(stdout);
        _exit(0);
    }
    wait_child(pid);
    close(fd);
}

/* The root of a process is carried into its copy; pivot_root there leaves the others alone. */
static void pivot(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        SAY(chroot(TOP));
        SAY(chdir("/"));
        SAY(unshare(CLONE_NEWNS));
        SAY(access("/a/before", F_OK));
        SAY(mount("new", "/c", "tmpfs", 0, NULL));
        SAY(mkdir("/c/old", 0755));
        SAY(syscall(SYS_pivot_root, "/c", "/c/old"));
        SAY(access("/old/a/before", F_OK));
        SAY(umount2("/old", MNT_DETACH));
        SAY(access("/old/a/before", F_OK));
        fflush(stdout);
        _exit(0);
    }
    wait_child(pid);
    SAY(access(TOP "/c/old", F_OK));
    mounts("parent");
}

static void by_clone(void)
{
    fflush(stdout);
    SAY(syscall(SYS_clone, CLONE_NEWNS | CLONE_FS | SIGCHLD, 0, 0, 0, 0));
    fflush(stdout);
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
    if (!pid) {
        SAY(private_now());
        SAY(mount("x", TOP "/c", "tmpfs", 0, NULL));
        mounts("clone's child");
        _exit(0);
    }
    wait_child(pid);
    mounts("parent");
}

static void as_nobody(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        setgid(65534);
        setuid(65534);
        SAY(unshare(CLONE_NEWNS));
        SAY(unshare(CLONE_FS));
        SAY(syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0));
        fflush(stdout);
        _exit(0);
    }
    wait_child(pid);
}

int main(void)
{
    mkdir("/tmp", 0777);
    SAY(mkdir(TOP, 0755));
    SAY(mount("top", TOP, "tmpfs", 0, NULL));
    SAY(private_now());
    chdir(TOP);
    mkdir("a", 0755);
    mkdir("b", 0755);
    mkdir("c", 0755);
    SAY(mount("first", TOP "/a", "tmpfs", 0, NULL));
    SAY(make(TOP "/a/before"));
    both();
    by_descriptor();
    pivot();
    by_clone();
    as_nobody();
    chdir("/");
    SAY(umount(TOP "/a"));
    SAY(umount(TOP));
    SAY(rmdir(TOP));
    return 0;
}
