/* SPDX-License-Identifier: MIT */
/* System V shared memory, semaphores, message queues. */
#include <signal.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"

static void wait_good(pid_t pid)
{
    int status;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
          WEXITSTATUS(status) == 0);
}

static void shared_memory(void)
{
    struct shmid_ds ds;
    key_t key = 0x50414701;
    int id = shmget(key, 10000, IPC_CREAT | IPC_EXCL | 0600);
    CHECK(id >= 0);
    CHECK(shmget(key, 10000, IPC_CREAT | IPC_EXCL | 0600) == -1 && errno == EEXIST);
    CHECK(shmget(key, 5000, 0) == id && shmget(key, 20000, 0) == -1 && errno == EINVAL);
    CHECK(shmget(key + 1, 10, 0) == -1 && errno == ENOENT);
    CHECK(shmget(IPC_PRIVATE, 0, 0600) == -1 && errno == EINVAL);
    char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY);
    CHECK(a != (void *)-1 && b != (void *)-1 && a != b);
    strcpy(a, "shared");
    CHECK(!strcmp(b, "shared"));
    CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_nattch == 2 && ds.shm_segsz == 10000 &&
          ds.shm_cpid == getpid());
    pid_t pid = fork();
    if (!pid) {
        CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_nattch == 4);
        strcpy(a + 9000, "child");
        _exit(0);
    }
    wait_good(pid);
    CHECK(!strcmp(b + 9000, "child"));
    CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_nattch == 2);
    CHECK(shmdt(b) == 0 && shmdt(b) == -1 && errno == EINVAL);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
    CHECK(shmget(key, 10000, 0) == -1 && errno == ENOENT); /* the key goes at once */
    CHECK(!strcmp(a, "shared"));                           /* the memory with the last attachment */
    CHECK(shmctl(id, IPC_STAT, &ds) == 0 && (ds.shm_perm.mode & SHM_DEST));
    CHECK(shmdt(a) == 0 && shmctl(id, IPC_STAT, &ds) == -1 && errno == EINVAL);
    puts("ok shared memory");
}

static int value(int id, int n)
{
    return semctl(id, n, GETVAL);
}

static void semaphores(void)
{
    int id = semget(IPC_PRIVATE, 3, 0600);
    unsigned short all[3] = {1, 0, 5};
    CHECK(id >= 0 && semctl(id, 0, SETALL, all) == 0 && value(id, 2) == 5);
    struct sembuf two[2] = {{2, -2, 0}, {0, -2, IPC_NOWAIT}};
    CHECK(semop(id, two, 2) == -1 && errno == EAGAIN && value(id, 2) == 5 &&
          value(id, 0) == 1); /* all or nothing */
    two[1].sem_op = -1;
    CHECK(semop(id, two, 2) == 0 && value(id, 2) == 3 && value(id, 0) == 0 &&
          semctl(id, 0, GETPID) == getpid());
    struct sembuf big = {5, 1, 0};
    CHECK(semop(id, &big, 1) == -1 && errno == EFBIG);
    struct sembuf over = {2, 32767, 0};
    CHECK(semop(id, &over, 1) == -1 && errno == ERANGE);
    struct sembuf down = {1, -1, 0}, up = {1, 1, 0}, zero = {1, 0, 0};
    struct timespec ts = {0, 30000000};
    CHECK(semtimedop(id, &down, 1, &ts) == -1 && errno == EAGAIN);
    pid_t pid = fork();
    if (!pid) {
        CHECK(semop(id, &down, 1) == 0);
        _exit(0);
    }
    while (semctl(id, 1, GETNCNT) != 1)
        usleep(1000);
    CHECK(semop(id, &up, 1) == 0);
    wait_good(pid);
    CHECK(value(id, 1) == 0 && semop(id, &zero, 1) == 0);
    /* undo at exit */
    pid = fork();
    if (!pid) {
        struct sembuf u = {2, -3, SEM_UNDO};
        CHECK(semop(id, &u, 1) == 0 && value(id, 2) == 0);
        _exit(0);
    }
    wait_good(pid);
    CHECK(value(id, 2) == 3);
    /* removal wakes who waits */
    pid = fork();
    if (!pid) {
        CHECK(semop(id, &down, 1) == -1 && errno == EIDRM);
        _exit(0);
    }
    while (semctl(id, 1, GETNCNT) != 1)
        usleep(1000);
    CHECK(semctl(id, 0, IPC_RMID) == 0);
    wait_good(pid);
    CHECK(semctl(id, 0, GETVAL) == -1 && errno == EINVAL);
    puts("ok semaphores");
}

struct text {
    long type;
    char text[100];
};

static void messages(void)
{
    struct text m = {3, "three"}, r;
    struct msqid_ds ds;
    int id = msgget(IPC_PRIVATE, 0600);
    CHECK(id >= 0 && msgsnd(id, &m, 6, 0) == 0);
    m = (struct text){1, "one"};
    CHECK(msgsnd(id, &m, 4, 0) == 0);
    m = (struct text){2, "two"};
    CHECK(msgsnd(id, &m, 4, 0) == 0);
    CHECK(msgctl(id, IPC_STAT, &ds) == 0 && ds.msg_qnum == 3 && ds.msg_lspid == getpid());
    CHECK(msgrcv(id, &r, 100, 2, 0) == 4 && r.type == 2 && !strcmp(r.text, "two"));
    CHECK(msgrcv(id, &r, 100, -3, 0) == 4 && r.type == 1);
    CHECK(msgrcv(id, &r, 2, 0, 0) == -1 && errno == E2BIG);
    CHECK(msgrcv(id, &r, 2, 0, MSG_NOERROR) == 2 && r.type == 3 && r.text[1] == 'h');
    CHECK(msgrcv(id, &r, 100, 0, IPC_NOWAIT) == -1 && errno == ENOMSG);
    m.type = 0;
    CHECK(msgsnd(id, &m, 1, 0) == -1 && errno == EINVAL);
    m.type = 9;
    int n = 0;
    while (msgsnd(id, &m, 100, IPC_NOWAIT) == 0)
        n++;
    CHECK(errno == EAGAIN && n == 163); /* 16384 bytes */
    pid_t pid = fork();
    if (!pid) {
        CHECK(msgsnd(id, &m, 100, 0) == 0);
        for (;;)
            if (msgrcv(id, &r, 100, 77, 0) == -1)
                _exit(errno != EIDRM);
    }
    usleep(20000);
    CHECK(msgrcv(id, &r, 100, 0, 0) == 100);
    usleep(20000);
    CHECK(msgctl(id, IPC_STAT, &ds) == 0 && ds.msg_qnum == 163);
    CHECK(msgctl(id, IPC_RMID, NULL) == 0);
    wait_good(pid);
    puts("ok messages");
}

int main(void)
{
    shared_memory();
    semaphores();
    messages();
    return 0;
}
