/* SPDX-License-Identifier: MIT */
/* What the calls about files answer, in a fresh tmpfs; the outputs under two kernels must be the same. */
#define SAY_VALUE say_plain
#include "say.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static void show(const char *name)
{
    struct stat st;
    if (lstat(name, &st)) {
        printf("  %s: %s\n", name, strerrorname_np(errno));
        return;
    }
    printf("  %s: %o links %lu size %ld blocks %ld rdev %x,%x uid %u\n", name, st.st_mode,
           (unsigned long)st.st_nlink, (long)st.st_size, (long)st.st_blocks, major(st.st_rdev),
           minor(st.st_rdev), st.st_uid);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *dir)
{
    char *names[100];
    int n = 0;
    DIR *d = opendir(dir);
    if (!d) {
        printf("  list %s: %s\n", dir, strerrorname_np(errno));
        return;
    }
    for (struct dirent *e; (e = readdir(d)) && n < 100;) {
        char buf[300];
        snprintf(buf, sizeof(buf), "%s:%d", e->d_name, e->d_type);
        names[n++] = strdup(buf);
    }
    closedir(d);
    qsort(names, n, sizeof(*names), by_name);
    printf("  %s holds", dir);
    for (int i = 0; i < n; i++)
        printf(" %s", names[i]);
    printf("\n");
}

static void opening(void)
{
    int fd;
    SAY(open("nothing", O_RDONLY));
    SAY(open("", O_RDONLY));
    SAY(open("f/", O_CREAT | O_RDWR, 0644));
    SAY(close(fd = open("f", O_CREAT | O_RDWR, 0666)));
    show("f");
    SAY(open("f", O_CREAT | O_EXCL | O_RDWR, 0644));
    SAY(open("f/", O_RDONLY));
    SAY(open("f/x", O_RDONLY));
    SAY(open("f", O_RDONLY | O_DIRECTORY));
    void *volatile past = (void *)(1ul << 57);
    fd = open("f", O_RDWR);
    SAY(read(fd, past, 10)); /* at the end of the file */
    SAY(read(fd, past, 0));
    SAY(write(fd, past, 0));
    SAY(pread(fd, past, 10, 5));
    SAY(close(fd));
    SAY(mkdir("d", 0777));
    SAY(open("d", O_WRONLY));
    SAY(open("d", O_RDWR | O_CREAT, 0644));
    SAY(open("d", O_CREAT | O_DIRECTORY, 0644));
    SAY(close(open("d", O_RDONLY)));
    SAY(close(open("d/", O_RDONLY)));
    SAY(close(open("d/.", O_RDONLY)));
    SAY(close(open("d/..", O_RDONLY)));
    SAY(close(open("d/../f", O_RDONLY)));
    SAY(open("d/.", O_RDONLY | O_CREAT, 0644));
    SAY(open(".", O_TMPFILE | O_RDONLY, 0600));
    SAY(open("f", O_TMPFILE | O_RDWR, 0600));
    fd = open(".", O_TMPFILE | O_RDWR, 0600);
    SAY(fd >= 0);
    SAY(write(fd, "tmp", 3));
    SAY(linkat(AT_FDCWD, "/proc/self/fd/99", AT_FDCWD, "fromtmp", AT_SYMLINK_FOLLOW));
    char self[64];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    SAY(linkat(AT_FDCWD, self, AT_FDCWD, "fromtmp", AT_SYMLINK_FOLLOW));
    show("fromtmp");
    close(fd);
    SAY(unlink("fromtmp"));
    char name[PATH_MAX + 8];
    memset(name, 'x', sizeof(name));
    name[256] = 0;
    SAY(open(name, O_RDONLY | O_CREAT, 0644));
    name[255] = 0;
    SAY(close(open(name, O_RDONLY | O_CREAT, 0644)));
    SAY(unlink(name));
    name[255] = 'x';
    name[PATH_MAX] = 0;
    SAY(open(name, O_RDONLY));
    SAY(syscall(SYS_open, 8, O_RDONLY));
    SAY(symlink("loop", "loop"));
    SAY(open("loop", O_RDONLY));
    SAY(open("loop", O_RDONLY | O_NOFOLLOW));
    SAY(close(open("loop", O_PATH | O_NOFOLLOW)));
    SAY(open("loop", O_CREAT | O_EXCL | O_RDWR, 0644));
    SAY(symlink("made", "dangling"));
    SAY(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0644));
    SAY(close(open("dangling", O_CREAT | O_RDWR, 0600)));
    show("made");
    SAY(symlink("d/", "slash"));
    SAY(close(open("slash", O_RDONLY)));
    SAY(symlink("f/", "badslash"));
    SAY(open("badslash", O_RDONLY));
    SAY(symlink("", "empty"));
    fd = open("f", O_PATH);
    SAY(read(fd, name, 1));
    SAY(fchmod(fd, 0600));
    SAY(fcntl(fd, F_GETFL));
    SAY(dup2(fd, 100));
    SAY(close(100));
    SAY(ioctl(fd, FIONREAD, name));
    close(fd);
    list(".");
    for (const char *n = "f\0made\0dangling\0slash\0badslash\0loop\0"; *n; n += strlen(n) + 1)
        unlink(n);
    rmdir("d");
}

static void reading(void)
{
    char buf[100] = {0};
    int fd = open("r", O_CREAT | O_RDWR, 0644), wr = open("r", O_WRONLY), rd = open("r", O_RDONLY),
        ap = open("r", O_WRONLY | O_APPEND);
    SAY(write(fd, "0123456789", 10));
    SAY(read(fd, buf, 5));
    SAY(lseek(fd, 0, SEEK_SET));
    SAY(read(fd, buf, 4));
    SAY(lseek(fd, 0, SEEK_CUR));
    SAY(lseek(fd, -5, SEEK_SET));
    SAY(lseek(fd, -3, SEEK_END));
    SAY(lseek(fd, 5, 9));
    SAY(lseek(fd, 2, SEEK_HOLE));
    SAY(lseek(fd, 2, SEEK_DATA));
    SAY(lseek(fd, 10, SEEK_DATA));
    SAY(read(wr, buf, 1));
    SAY(write(rd, buf, 1));
    SAY(read(99, buf, 1));
    SAY(syscall(SYS_read, fd, 8, 1));
    SAY(syscall(SYS_read, fd, buf, -1));
    SAY(pread(fd, buf, 5, 8));
    SAY(pread(fd, buf, 5, -1));
    SAY(pwrite(fd, "ab", 2, 20));
    SAY(pread(fd, buf, 100, 0));
    SAY(buf[15]);
    SAY(write(ap, "END", 3));
    SAY(lseek(ap, 0, SEEK_CUR));
    SAY(pwrite(ap, "zz", 2, 0));
    show("r");
    struct iovec v[3] = {{"one", 3}, {NULL, 0}, {"three", 5}}, in[2] = {{buf, 2}, {buf + 50, 4}};
    SAY(pwritev(fd, v, 3, 0));
    SAY(preadv(fd, in, 2, 1));
    SAY(memcmp(buf, "ne", 2) || memcmp(buf + 50, "thre", 4));
    SAY(syscall(SYS_writev, fd, v, -1));
    SAY(syscall(SYS_writev, fd, v, 2000));
    SAY(writev(fd, v, 0));
    SAY(ftruncate(fd, 3));
    SAY(ftruncate(fd, 5000));
    SAY(ftruncate(rd, 1));
    SAY(ftruncate(fd, -1));
    show("r");
    SAY(truncate("r", 2));
    SAY(truncate("nothing", 2));
    SAY(truncate(".", 2));
    SAY(fallocate(fd, 0, 0, 8192));
    show("r");
    SAY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 16384));
    show("r");
    SAY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096));
    show("r");
    SAY(lseek(fd, 0, SEEK_HOLE));
    SAY(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4096));
    SAY(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096));
    SAY(fallocate(fd, 0, 0, 0));
    SAY(fallocate(fd, 0, -1, 1));
    SAY(fallocate(rd, 0, 0, 1));
    SAY(fsync(fd));
    SAY(fdatasync(rd));
    SAY(posix_fadvise(fd, 0, 0, 77));
    int n = 7;
    lseek(fd, 100, SEEK_SET);
    SAY(ioctl(fd, FIONREAD, &n));
    SAY(n);
    SAY(ioctl(fd, 0x5401, buf));
    int out = open("s", O_CREAT | O_RDWR | O_TRUNC, 0644);
    off_t at = 0;
    pwrite(fd, "abcdefgh", 8, 0);
    SAY(sendfile(out, fd, &at, 5));
    SAY(at);
    SAY(copy_file_range(fd, &at, out, NULL, 3, 0));
    SAY(pread(out, buf, 20, 0));
    SAY(memcmp(buf, "abcdefgh", 8));
    SAY(copy_file_range(fd, NULL, ap, NULL, 3, 0));
    SAY(sendfile(rd, fd, NULL, 5));
    SAY(unlink("r") || unlink("s"));
    SAY(pread(out, buf, 20, 0));
    struct stat st;
    SAY(fstat(out, &st));
    SAY(st.st_nlink);
    char link[64], to[200];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", out);
    ssize_t len = readlink(link, to, sizeof(to) - 1);
    printf("  fd link: %.*s\n", (int)(len > 0 ? len : 0), to);
    SAY(close(open(link, O_RDONLY)));
    for (int k = 3; k < 12; k++)
        close(k);
}

static void names(void)
{
    SAY(mkdir("a", 0755));
    SAY(mkdir("a", 0755));
    SAY(mkdir("a/", 0755));
    SAY(mkdir("b/", 01777));
    SAY(mkdir("no/b", 0755));
    SAY(mkdir(".", 0755));
    SAY(mkdir("a/..", 0755));
    SAY(mkdir("/", 0755));
    show("a");
    show("b");
    SAY(close(creat("a/f", 0640)));
    SAY(rmdir("a"));
    SAY(rmdir("a/f"));
    SAY(rmdir("a/."));
    SAY(rmdir("a/.."));
    SAY(rmdir("/"));
    SAY(unlink("a"));
    SAY(unlink("a/f/"));
    SAY(unlink("a/."));
    SAY(unlink("nothing"));
    SAY(link("a/f", "g"));
    SAY(link("a/f", "g"));
    SAY(link("a", "h"));
    SAY(link("nothing", "h"));
    SAY(link("a/f", "h/"));
    show("g");
    SAY(symlink("a/f", "l"));
    SAY(symlink("x", "l"));
    SAY(link("l", "l2"));
    show("l2");
    SAY(linkat(AT_FDCWD, "l", AT_FDCWD, "l3", AT_SYMLINK_FOLLOW));
    show("l3");
    char buf[20];
    SAY(readlink("l", buf, 2));
    SAY(readlink("l", buf, 20));
    SAY(readlink("l", buf, 0));
    SAY(readlink("g", buf, 20));
    SAY(rename("nothing", "x"));
    SAY(rename("g", "a"));
    SAY(rename("a", "g"));
    SAY(rename("a", "a/sub"));
    SAY(rename("a/f", "g"));
    show("a/f");
    SAY(rename("g", "g2"));
    show("g");
    SAY(mkdir("c", 0700));
    SAY(rename("a", "c"));
    SAY(mkdir("c/inner", 0700));
    SAY(mkdir("e", 0700));
    SAY(rename("e", "c"));
    SAY(rename("e/.", "x"));
    SAY(rename("e", "x/."));
    SAY(rename("e", "e2/"));
    SAY(rename("g2", "g3/"));
    SAY(syscall(SYS_renameat2, AT_FDCWD, "g2", AT_FDCWD, "l", RENAME_NOREPLACE));
    SAY(syscall(SYS_renameat2, AT_FDCWD, "g2", AT_FDCWD, "e2", RENAME_EXCHANGE));
    show("g2");
    show("e2");
    SAY(syscall(SYS_renameat2, AT_FDCWD, "g2", AT_FDCWD, "none", RENAME_EXCHANGE));
    SAY(syscall(SYS_renameat2, AT_FDCWD, "g2", AT_FDCWD, "none", 99));
    SAY(syscall(SYS_renameat2, AT_FDCWD, "g2", AT_FDCWD, "none",
                RENAME_EXCHANGE | RENAME_NOREPLACE));
    SAY(mknod("fifo", S_IFIFO | 0666, 0));
    SAY(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
    SAY(mknod("big", S_IFCHR | 0600, makedev(300, 70000)));
    SAY(mknod("nodev", S_IFBLK | 0600, makedev(299, 1)));
    SAY(mknod("sock", S_IFSOCK | 0600, 0));
    SAY(mknod("reg", 0600, 0));
    SAY(mknod("dir", S_IFDIR | 0600, 0));
    SAY(mknod("odd", 0170000, 0));
    show("big");
    show("fifo");
    SAY(open("nodev", O_RDONLY));
    SAY(open("sock", O_RDONLY));
    SAY(open("fifo", O_WRONLY | O_NONBLOCK));
    int fd = open("null", O_RDWR);
    SAY(write(fd, "x", 1));
    SAY(read(fd, buf, 1));
    SAY(lseek(fd, 10, SEEK_SET));
    close(fd);
    list(".");
    list("c");
    SAY(system("rm -rf ./* 2>/dev/null; true"));
    list(".");
}

static void attributes(void)
{
    struct stat st;
    int fd = open("t", O_CREAT | O_RDWR, 0644);
    SAY(chmod("t", 07777));
    show("t");
    SAY(write(fd, "x", 1));
    show("t");
    SAY(chmod("t", 04755));
    SAY(chown("t", 1000, 1000));
    show("t");
    SAY(chown("t", -1, -1));
    SAY(fchown(fd, 0, 0));
    SAY(fchmod(99, 0));
    SAY(chmod("nothing", 0));
    SAY(fchmodat(AT_FDCWD, "t", 0600, 0x8000));
    SAY(access("t", R_OK | W_OK));
    SAY(access("t", X_OK));
    SAY(chmod("t", 0600));
    SAY(access("t", X_OK));
    SAY(access("t", 8));
    struct timespec ts[2] = {{1000, 5}, {2000, 7}};
    SAY(utimensat(AT_FDCWD, "t", ts, 0));
    stat("t", &st);
    printf("  times %ld.%ld %ld.%ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
           (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    ts[0].tv_nsec = UTIME_OMIT;
    ts[1].tv_nsec = 9;
    SAY(utimensat(AT_FDCWD, "t", ts, 0));
    stat("t", &st);
    printf("  times %ld.%ld %ld.%ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
           (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    ts[1].tv_nsec = 1000000000;
    SAY(utimensat(AT_FDCWD, "t", ts, 0));
    SAY(utimensat(AT_FDCWD, "t", NULL, 0x4000));
    SAY(setxattr("t", "user.a", "value", 5, 0));
    SAY(setxattr("t", "user.a", "v", 1, XATTR_CREATE));
    SAY(setxattr("t", "user.b", "v", 1, XATTR_REPLACE));
    SAY(setxattr("t", "odd.b", "v", 1, 0));
    char buf[100];
    SAY(getxattr("t", "user.a", buf, 100));
    SAY(getxattr("t", "user.a", buf, 2));
    SAY(getxattr("t", "user.a", NULL, 0));
    SAY(getxattr("t", "user.none", buf, 100));
    SAY(listxattr("t", buf, 100));
    SAY(removexattr("t", "user.a"));
    SAY(removexattr("t", "user.a"));
    SAY(listxattr("t", buf, 100));
    umask(077);
    SAY(close(open("u", O_CREAT | O_RDWR, 0666)));
    show("u");
    SAY(umask(022));
    struct statfs sf;
    SAY(statfs(".", &sf));
    printf("  type %lx bsize %ld namelen %ld\n", (long)sf.f_type, (long)sf.f_bsize,
           (long)sf.f_namelen);
    SAY(statfs("/proc", &sf));
    printf("  type %lx bsize %ld\n", (long)sf.f_type, (long)sf.f_bsize);
    struct statx sx;
    SAY(statx(AT_FDCWD, "t", 0, STATX_ALL, &sx));
    printf("  statx %o %lu mask %x\n", sx.stx_mode, (unsigned long)sx.stx_size,
           sx.stx_mask & 0xfff);
    SAY(statx(AT_FDCWD, "t", 0x6000, STATX_ALL, &sx));
    SAY(statx(fd, "", AT_EMPTY_PATH, STATX_ALL, &sx));
    SAY(statx(fd, "", 0, STATX_ALL, &sx));
    SAY(fstatat(fd, "", &st, AT_EMPTY_PATH));
    SAY(fstatat(fd, "x", &st, 0));
    SAY(fstatat(99, "x", &st, 0));
    close(fd);
    unlink("t");
    unlink("u");
}

static void places(void)
{
    char cwd[PATH_MAX], *p;
    mkdir("w", 0755);
    SAY(chdir("w"));
    p = getcwd(cwd, sizeof(cwd));
    printf("  cwd ends in %s\n", p ? strrchr(p, '/') : strerrorname_np(errno));
    SAY(syscall(SYS_getcwd, cwd, 2));
    SAY(rmdir("../w"));
    SAY(syscall(SYS_getcwd, cwd, sizeof(cwd)));
    SAY(open("x", O_CREAT | O_RDWR, 0644));
    SAY(mkdir("x", 0755));
    SAY(close(open(".", O_RDONLY)));
    SAY(chdir(".."));
    SAY(chdir("nothing"));
    SAY(close(creat("file", 0644)));
    SAY(chdir("file"));
    int fd = open(".", O_RDONLY);
    SAY(fchdir(fd));
    SAY(fchdir(99));
    SAY(openat(fd, "nothing", O_RDONLY));
    SAY(close(openat(fd, "file", O_RDONLY)));
    SAY(close(openat(99, "/proc", O_RDONLY)));
    SAY(openat(99, "proc", O_RDONLY));
    struct {
        unsigned long flags, mode, resolve;
    } how = {O_RDONLY, 0, 8};
    SAY(syscall(SYS_openat2, fd, "../x", &how, sizeof(how)));
    SAY(syscall(SYS_openat2, fd, "/file", &how, sizeof(how)));
    how.resolve = 16;
    SAY(close(syscall(SYS_openat2, fd, "/../file", &how, sizeof(how))));
    how.resolve = 4;
    SAY(symlink("file", "sl"));
    SAY(syscall(SYS_openat2, fd, "sl", &how, sizeof(how)));
    how.resolve = 64;
    SAY(syscall(SYS_openat2, fd, "sl", &how, sizeof(how)));
    how.resolve = 0;
    how.mode = 1;
    SAY(syscall(SYS_openat2, fd, "sl", &how, sizeof(how)));
    SAY(syscall(SYS_openat2, fd, "sl", &how, 8));
    close(fd);
    unlink("sl");
    unlink("file");
    mkdir("r", 0755);
    if (fork() == 0) {
        SAY(chroot("r"));
        SAY(chdir("/"));
        SAY(mkdir("/inside", 0755));
        SAY(chdir("../../.."));
        list(".");
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    list("r");
    rmdir("r/inside");
    rmdir("r");
}

static void mounts(void)
{
    mkdir("m", 0755);
    mkdir("n", 0755);
    SAY(mount("none", "m", "tmpfs", 0, "size=64k,nr_inodes=8"));
    SAY(mount("none", "m", "nonsense", 0, NULL));
    SAY(mount("none", "missing", "tmpfs", 0, NULL));
    SAY(mount("none", "n", "tmpfs", 0, "bogus=1"));
    int fd = open("m/big", O_CREAT | O_RDWR, 0644);
    char buf[4096] = {1};
    int k;
    for (k = 0; k < 100 && write(fd, buf, sizeof(buf)) == sizeof(buf); k++)
        ;
    printf("  %d pages, then %s\n", k, strerrorname_np(errno));
    show("m/big");
    SAY(umount("m"));
    SAY(close(fd));
    for (k = 0; k < 20; k++) {
        snprintf(buf, sizeof(buf), "m/i%d", k);
        fd = creat(buf, 0644);
        if (fd < 0)
            break;
        close(fd);
    }
    printf("  %d files, then %s\n", k, strerrorname_np(errno));
    SAY(rmdir("m"));
    SAY(rename("m", "m2"));
    SAY(link("m/big", "out"));
    SAY(rename("m/big", "out"));
    SAY(mount("m", "n", NULL, MS_BIND, NULL));
    show("n/big");
    SAY(mount(NULL, "n", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
    SAY(creat("n/new", 0644));
    SAY(unlink("n/big"));
    SAY(open("n/big", O_RDWR));
    SAY(mkdir("n/d", 0755));
    SAY(chmod("n/big", 0600));
    SAY(access("n/big", W_OK));
    SAY(umount("n"));
    SAY(umount("n"));
    SAY(umount2("m", MNT_DETACH));
    list("m");
    rmdir("m");
    rmdir("n");
}

static void descriptors(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    SAY(fcntl(fd, F_GETFD));
    SAY(fcntl(fd, F_SETFD, 0));
    SAY(fcntl(fd, F_GETFD));
    SAY(fcntl(fd, F_GETFL) & 0xfff);
    SAY(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_WRONLY));
    SAY(fcntl(fd, F_GETFL));
    SAY(fcntl(fd, F_DUPFD, 50));
    SAY(fcntl(fd, F_DUPFD_CLOEXEC, 50));
    SAY(fcntl(51, F_GETFD));
    SAY(fcntl(fd, F_DUPFD, 1 << 30));
    SAY(dup2(fd, fd));
    SAY(dup2(99, 3));
    SAY(dup2(99, 99));
    SAY(dup2(fd, -1));
    SAY(dup3(fd, fd, 0));
    SAY(dup3(fd, 60, 1));
    SAY(dup3(fd, 60, O_CLOEXEC));
    SAY(syscall(SYS_close_range, 50, 60, 0));
    SAY(fcntl(60, F_GETFD));
    SAY(syscall(SYS_close_range, 60, 50, 0));
    SAY(fcntl(fd, 999));
    SAY(fcntl(fd, F_GETOWN));
    SAY(close(fd));
    SAY(close(fd));
    int m = memfd_create("name", MFD_ALLOW_SEALING);
    char link[64], to[100];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", m);
    ssize_t n = readlink(link, to, sizeof(to) - 1);
    printf("  memfd is %.*s\n", (int)n, to);
    SAY(ftruncate(m, 8192));
    SAY(fcntl(m, F_GET_SEALS));
    SAY(fcntl(m, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
    SAY(ftruncate(m, 4096));
    SAY(ftruncate(m, 9000));
    SAY(pwrite(m, "x", 1, 0));
    SAY(pwrite(m, "x", 1, 8192));
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0);
    SAY(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
    SAY(munmap(p, 4096));
    SAY(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
    SAY(pwrite(m, "x", 1, 0));
    SAY(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0) == MAP_FAILED);
    SAY(munmap(mmap(NULL, 4096, PROT_READ, MAP_SHARED, m, 0), 4096));
    SAY(fcntl(m, F_ADD_SEALS, F_SEAL_SEAL));
    SAY(fcntl(m, F_ADD_SEALS, F_SEAL_SEAL));
    SAY(close(m));
    SAY(memfd_create("x", 0x1000));
    m = memfd_create("x", 0);
    SAY(fcntl(m, F_GET_SEALS));
    close(m);
}

static void locks(void)
{
    int fd = open("lock", O_CREAT | O_RDWR, 0644), other = open("lock", O_RDWR);
    struct flock w = {.l_type = F_WRLCK, .l_start = 10, .l_len = 10}, q = {.l_type = F_WRLCK},
                 r = {.l_type = F_RDLCK, .l_len = 5};
    SAY(fcntl(fd, F_SETLK, &w));
    SAY(fcntl(other, F_SETLK, &w));
    fflush(stdout);
    if (fork() == 0) {
        SAY(fcntl(other, F_SETLK, &w));
        SAY(fcntl(other, F_GETLK, &q));
        printf("  held: type %d %ld+%ld by the parent %d\n", q.l_type, (long)q.l_start,
               (long)q.l_len, q.l_pid == getppid());
        SAY(fcntl(other, F_SETLK, &r));
        r.l_start = 15;
        SAY(fcntl(other, F_SETLK, &r));
        SAY(flock(other, LOCK_EX | LOCK_NB));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    SAY(flock(other, LOCK_UN));
    SAY(flock(fd, LOCK_EX));
    SAY(flock(other, LOCK_SH | LOCK_NB));
    SAY(flock(fd, LOCK_SH));
    SAY(flock(other, LOCK_SH | LOCK_NB));
    SAY(flock(fd, 77));
    w.l_start = 12;
    w.l_len = 2;
    w.l_type = F_UNLCK;
    SAY(fcntl(fd, F_SETLK, &w));
    fflush(stdout);
    if (fork() == 0) {
        struct flock t = {.l_type = F_WRLCK, .l_start = 12, .l_len = 2};
        SAY(fcntl(fd, F_SETLK, &t));
        t.l_len = 3;
        SAY(fcntl(fd, F_SETLK, &t));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    SAY(close(other)); /* drops every lock of the process on it */
    fflush(stdout);
    if (fork() == 0) {
        struct flock t = {.l_type = F_WRLCK};
        SAY(fcntl(fd, F_SETLK, &t));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    w.l_type = 9;
    SAY(fcntl(fd, F_SETLK, &w));
    w = (struct flock){.l_type = F_WRLCK, .l_start = -5};
    SAY(fcntl(fd, F_SETLK, &w));
    w = (struct flock){.l_type = F_WRLCK};
    SAY(fcntl(fd, 37, &w));
    other = open("lock", O_RDWR);
    SAY(fcntl(other, 37, &w));
    SAY(fcntl(other, F_SETLK, &w));
    close(fd);
    SAY(fcntl(other, 37, &w));
    close(other);
    unlink("lock");
}

static void watching(void)
{
    char buf[4096] __attribute__((aligned(8)));
    int in = inotify_init1(IN_NONBLOCK);
    mkdir("w", 0755);
    SAY(inotify_add_watch(in, "w", IN_ALL_EVENTS));
    SAY(inotify_add_watch(in, "nothing", IN_ALL_EVENTS));
    SAY(inotify_add_watch(in, "w", 0));
    SAY(read(in, buf, sizeof(buf)));
    int fd = open("w/f", O_CREAT | O_RDWR, 0644);
    write(fd, "x", 1);
    write(fd, "x", 1);
    close(fd);
    chmod("w/f", 0600);
    rename("w/f", "w/g");
    unlink("w/g");
    mkdir("w/d", 0755);
    rmdir("w/d");
    rmdir("w");
    ssize_t n = read(in, buf, sizeof(buf));
    for (ssize_t at = 0; at < n;) {
        struct inotify_event *e = (struct inotify_event *)(buf + at);
        printf("  event %x %s%s\n", e->mask, e->len ? e->name : "-", e->cookie ? " cookie" : "");
        at += sizeof(*e) + e->len;
    }
    SAY(inotify_rm_watch(in, 1));
    close(in);
}

int main(void)
{
    const char *dir = "/tmp/fs_calls";
    setvbuf(stdout, NULL, _IOLBF, 0);
    umask(022);
    mkdir("/tmp", 01777);
    mkdir(dir, 0755);
    if (mount("none", dir, "tmpfs", 0, NULL) || chdir(dir)) {
        printf("no tmpfs: %s\n", strerrorname_np(errno));
        return 1;
    }
    opening();
    reading();
    names();
    attributes();
    places();
    mounts();
    descriptors();
    locks();
    watching();
    SAY(chdir("/"));
    SAY(umount(dir));
    SAY(rmdir(dir));
    return 0;
}
