/* SPDX-License-Identifier: MIT */
/* System V shared memory: each flag, command and documented error, as root and as uid 1000. */
#include "say.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>

#define KEY 0x5ead
#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif
#ifndef SHM_NORESERVE
#define SHM_NORESERVE 010000
#endif

static int id;

static void get(void)
{
    id = shmget(KEY, 3 * PAGE + 1, IPC_CREAT | IPC_EXCL | 0600);
    printf("made %d\n", id >= 0);
    SAY(shmget(KEY, 0, 0) == id);
    SAY(shmget(KEY, PAGE, 0600) == id);
    E(EEXIST, shmget(KEY, PAGE, IPC_CREAT | IPC_EXCL));
    E(EINVAL, shmget(KEY, 5 * PAGE, 0));
    E(EINVAL, shmget(IPC_PRIVATE, 0, IPC_CREAT));
    E(EINVAL, shmget(IPC_PRIVATE, ~0ul, IPC_CREAT));
    E(ENOENT, shmget(KEY + 1, PAGE, 0));
    E(ENOMEM, shmget(IPC_PRIVATE, 1ul << 44, IPC_CREAT | 0600));
    int big = shmget(IPC_PRIVATE, 1ul << 36, IPC_CREAT | 0600 | SHM_NORESERVE);
    printf("without reserve %d\n", big >= 0);
    shmctl(big, IPC_RMID, NULL);
}

static void attach(void)
{
    char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY), *at = (char *)0x30000000;
    struct shmid_ds d;
    a[0] = 7;
    printf("shared %d\n", b[0]);
    TOUCH(b, 'w');
    E(EINVAL, shmat(id + 1000, NULL, 0));
    E(EINVAL, shmat(-1, NULL, 0));
    E(EINVAL, shmat(id, at + 1, 0));
    E(EINVAL, shmat(id, NULL, SHM_REMAP));
    E(EINVAL, shmat(id, a, 0));
    E(ENOMEM, shmat(id, (void *)(1ul << 57), 0));
    E(EINVAL, shmat(id, (void *)-4096ul, 0));
    printf("rounded %d\n", shmat(id, at + 123, SHM_RND) == at);
    printf("over another %d\n", shmat(id, at, SHM_REMAP) == at);
    SAY(shmdt(at));
    char *x = shmat(id, at, SHM_EXEC);
    printf("to execute %d\n", x == at);
    SAY(mprotect(b, PAGE, PROT_READ | PROT_WRITE));
    SAY(mprotect(b, PAGE, PROT_READ | PROT_EXEC));
    shmctl(id, IPC_STAT, &d);
    printf("size %lu attached %lu\n", d.shm_segsz, d.shm_nattch);
    SAY(munmap(x + PAGE, PAGE));
    shmctl(id, IPC_STAT, &d);
    printf("attached %lu\n", d.shm_nattch);
    SAY(shmdt(x));
    SAY(shmdt(a));
    SAY(shmdt(b));
    E(EINVAL, shmdt(b));
    E(EINVAL, shmdt(b + 1));
    E(EINVAL, shmdt(NULL));
    shmctl(id, IPC_STAT, &d);
    printf("attached %lu\n", d.shm_nattch);
    struct rlimit as = {16 << 20, 16 << 20};
    int big = shmget(IPC_PRIVATE, 32 << 20, IPC_CREAT | 0600);
    setrlimit(RLIMIT_AS, &as);
    E(ENOMEM, shmat(big, NULL, 0));
    shmctl(big, IPC_RMID, NULL);
}

static void control(void)
{
    struct shmid_ds d;
    struct shminfo info;
    struct shm_info sum;
    SAY(shmctl(id, IPC_STAT, &d));
    d.shm_perm.mode = 0640;
    SAY(shmctl(id, IPC_SET, &d));
    SAY(shmctl(id, IPC_STAT, &d));
    printf("mode %o key %x\n", d.shm_perm.mode, d.shm_perm.__key);
    SAY(shmctl(0, IPC_INFO, (void *)&info));
    printf("max %lx min %lu segments %lu all %lx\n", info.shmmax, info.shmmin, info.shmmni, info.shmall);
    SAY(shmctl(0, SHM_INFO, (void *)&sum));
    printf("segments %d pages %lu\n", sum.used_ids, sum.shm_tot);
    SAY(shmctl(id % 32768, SHM_STAT, &d) == id);
    SAY(shmctl(id % 32768, SHM_STAT_ANY, &d) == id);
    SAY(shmctl(id, SHM_LOCK, NULL));
    SAY(shmctl(id, IPC_STAT, &d));
    printf("mode %o\n", d.shm_perm.mode);
    SAY(shmctl(id, SHM_LOCK, NULL));
    SAY(shmctl(id, SHM_UNLOCK, NULL));
    SAY(shmctl(id, IPC_STAT, &d));
    printf("mode %o\n", d.shm_perm.mode);
    E(EINVAL, shmctl(id, 99, NULL));
    E(EINVAL, shmctl(id + 1000, IPC_STAT, &d));
    E(EINVAL, shmctl(-1, IPC_STAT, &d));
    E(EINVAL, shmctl(50, SHM_STAT, &d));
    E(EINVAL, shmctl(id + 1000, SHM_LOCK, NULL));
    E(EFAULT, shmctl(id, IPC_STAT, (void *)8));
    E(EFAULT, shmctl(id, IPC_SET, (void *)8));
    E(EFAULT, shmctl(0, IPC_INFO, (void *)8));
    E(EFAULT, shmctl(0, SHM_INFO, (void *)8));
}

static void as_another(void)
{
    struct shmid_ds d = {.shm_perm.mode = 0600};
    setresgid(1000, 1000, 1000);
    setresuid(1000, 1000, 1000);
    E(EACCES, shmget(KEY, PAGE, 0600));
    SAY(shmget(KEY, PAGE, 0) == id);
    E(EACCES, shmat(id, NULL, 0));
    E(EACCES, shmat(id, NULL, SHM_RDONLY));
    E(EACCES, shmctl(id, IPC_STAT, &d));
    E(EACCES, shmctl(id % 32768, SHM_STAT, &d));
    SAY(shmctl(id % 32768, SHM_STAT_ANY, &d) == id);
    E(EPERM, shmctl(id, IPC_SET, &d));
    E(EPERM, shmctl(id, IPC_RMID, NULL));
    E(EPERM, shmctl(id, SHM_LOCK, NULL));
    E(EPERM, shmctl(id, SHM_UNLOCK, NULL));
    int own = shmget(IPC_PRIVATE, 4 * PAGE, IPC_CREAT | 0600);
    struct rlimit l = {2 * PAGE, 2 * PAGE};
    setrlimit(RLIMIT_MEMLOCK, &l);
    E(ENOMEM, shmctl(own, SHM_LOCK, NULL));
    SAY(shmctl(own, SHM_UNLOCK, NULL));
    l.rlim_cur = l.rlim_max = 0;
    setrlimit(RLIMIT_MEMLOCK, &l);
    E(EPERM, shmctl(own, SHM_LOCK, NULL));
    SAY(shmctl(own, IPC_RMID, NULL));
}

static void removal(void)
{
    struct shmid_ds d;
    char *a = shmat(id, NULL, 0);
    SAY(shmctl(id, IPC_RMID, NULL));
    SAY(shmctl(id, IPC_STAT, &d));
    printf("mode %o key %x\n", d.shm_perm.mode, d.shm_perm.__key);
    E(ENOENT, shmget(KEY, PAGE, 0));
    SAY(shmat(id, NULL, 0) != (void *)-1);
    SAY(shmdt(a));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    touch_setup();
    get();
    CHILD(attach);
    control();
    CHILD(as_another);
    CHILD(removal);
    E(EINVAL, shmctl(id, IPC_RMID, NULL));
    return say_failed;
}
