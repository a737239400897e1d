/* SPDX-License-Identifier: MIT */
/*
 * Eight threads change the same few names in the same few directories at once. Afterwards everything can be removed, and a
 * file's link count is the number of names it has. The output is the same under every kernel.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { THREADS = 8, ROUNDS = 1500, DIRS = 3, NAMES = 4 };

static uint64_t next(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static void name(char *buf, uint64_t r)
{
    sprintf(buf, "d%d/n%d", (int)(r % DIRS), (int)(r / DIRS % NAMES));
}

static void *work(void *arg)
{
    uint64_t s = 88172645463325252ull * ((uintptr_t)arg + 3);
    char a[32], b[32], buf[1024];
    struct stat st;
    for (int i = 0; i < ROUNDS; i++) {
        name(a, next(&s));
        name(b, next(&s));
        int fd;
        switch (next(&s) % 12) {
        case 0:
            fd = open(a, O_CREAT | O_RDWR, 0644);
            if (fd >= 0) {
                if (write(fd, a, 5) != 5)
                    puts("short write");
                close(fd);
            }
            break;
        case 1:
            unlink(a);
            break;
        case 2:
            rename(a, b);
            break;
        case 3:
            link(a, b);
            break;
        case 4:
            mkdir(a, 0755);
            break;
        case 5:
            rmdir(a);
            break;
        case 6:
            symlink(b, a);
            break;
        case 7:
            syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2);
            break;
        case 8:
            fd = open(a, O_RDONLY);
            if (fd >= 0) {
                if (fstat(fd, &st))
                    puts("fstat of an open file failed");
                else if (S_ISREG(st.st_mode) && read(fd, buf, sizeof(buf)) < 0)
                    puts("read of an open file failed");
                close(fd);
            }
            break;
        case 9:
            a[2] = 0;
            fd = open(a, O_RDONLY | O_DIRECTORY);
            while (fd >= 0 && syscall(SYS_getdents64, fd, buf, sizeof(buf)) > 0)
                ;
            close(fd);
            break;
        case 10:
            strcat(a, "/sub");
            mkdir(a, 0755);
            break;
        default:
            lstat(a, &st);
            truncate(b, next(&s) % 10000);
            break;
        }
    }
    return NULL;
}

/* Names below dir are counted by inode; then all go. */
static int check(const char *dir)
{
    struct {
        ino_t ino;
        nlink_t links, seen;
    } f[DIRS * NAMES * 2];
    int n = 0, bad = 0;
    char path[600];
    for (int d = 0; d < DIRS; d++) {
        sprintf(path, "%s/d%d", dir, d);
        DIR *dp = opendir(path);
        for (struct dirent *e; dp && (e = readdir(dp));) {
            struct stat st;
            sprintf(path, "%s/d%d/%s", dir, d, e->d_name);
            if (e->d_name[0] == '.')
                continue;
            if (lstat(path, &st)) {
                printf("%s is listed but not there\n", path);
                bad++;
                continue;
            }
            if (!S_ISREG(st.st_mode))
                continue;
            int k = 0;
            while (k < n && f[k].ino != st.st_ino)
                k++;
            if (k == n) {
                f[n].ino = st.st_ino;
                f[n].links = st.st_nlink;
                f[n++].seen = 0;
            }
            f[k].seen++;
        }
        if (dp)
            closedir(dp);
    }
    for (int k = 0; k < n; k++) {
        if (f[k].links != f[k].seen) {
            printf("a file with %ld names says %ld\n", (long)f[k].seen, (long)f[k].links);
            bad++;
        }
    }
    return bad;
}

static void storm(const char *dir)
{
    char path[100];
    pthread_t t[THREADS];
    if (chdir(dir))
        return;
    for (int d = 0; d < DIRS; d++) {
        sprintf(path, "d%d", d);
        mkdir(path, 0755);
    }
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    int bad = check(".");
    printf("%d broken\n", bad);
    if (system("rm -rf d0 d1 d2"))
        puts("rm failed");
    DIR *dp = opendir(".");
    for (struct dirent *e; (e = readdir(dp));)
        if (e->d_name[0] != '.')
            printf("left: %s\n", e->d_name);
    closedir(dp);
    if (chdir("/"))
        puts("chdir failed");
}

int main(int argc, char **argv)
{
    const char *dir = "/tmp/fs_race";
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1) { /* a directory of any file system */
        storm(argv[1]);
        return 0;
    }
    mkdir("/tmp", 01777);
    mkdir(dir, 0755);
    if (mount("none", dir, "tmpfs", 0, NULL)) {
        printf("no tmpfs: %s\n", strerrorname_np(errno));
        return 1;
    }
    storm(dir);
    printf("umount: %s\n", umount(dir) ? strerrorname_np(errno) : "well");
    rmdir(dir);
    return 0;
}
