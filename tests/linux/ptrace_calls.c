/* SPDX-License-Identifier: MIT */
/*
 * ptrace: each request, its errors, the stops and what wait says of them; the outputs under two kernels must be the same.
 * Numbers of processes and addresses are not printed.
 */
#include "trace.h"

/* ---- attaching ---- */

static void stopped_self(void)
{
    SAY(pt(PTRACE_TRACEME, 0, 0, 0));
    SAY(pt(PTRACE_TRACEME, 0, 0, 0));
    fflush(stdout);
    raise(SIGSTOP);
    raise(SIGUSR1);
    _exit(3);
}

static volatile sig_atomic_t chld_code, chld_status;
static void on_chld(int sig, siginfo_t *si, void *uc)
{
    (void)sig, (void)uc;
    chld_code = si->si_code;
    chld_status = si->si_status;
}

static void try_traceme(void)
{
    struct sigaction sa = {.sa_sigaction = on_chld, .sa_flags = SA_SIGINFO | SA_RESTART};
    siginfo_t si;
    sigaction(SIGCHLD, &sa, NULL);
    pid_t pid = spawn(stopped_self);
    await(pid, "traceme");
    printf("SIGCHLD code %d status %d\n", (int)chld_code, (int)chld_status);
    memset(&si, 0, sizeof(si));
    SAY(waitid(P_PID, pid, &si, WSTOPPED | WNOHANG));
    SAY(pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si));
    printf("signo %d code %d own %d\n", si.si_signo, si.si_code, si.si_pid == pid);
    SAY(pt(PTRACE_CONT, pid, 0, 65));
    SAY(pt(PTRACE_CONT, pid, 0, 0));
    SAY(waitid(P_PID, pid, &si, WSTOPPED | WNOWAIT));
    printf("waitid: code %d status %d\n", si.si_code, si.si_status);
    await(pid, "SIGUSR1");
    SAY(pt(PTRACE_CONT, pid, 0, SIGUSR2)); /* another signal instead: ends it */
    await(pid, "SIGUSR2 instead"); /* a changed signal is not shown again */
    SAY(pt(PTRACE_CONT, pid, 0, 0));
    signal(SIGCHLD, SIG_DFL);
}

static void try_attach(void)
{
    unsigned long word;
    pid_t pid = spawn(sleeper);
    SAY(pt(PTRACE_ATTACH, getpid(), 0, 0));
    SAY(pt(PTRACE_ATTACH, 0, 0, 0));
    SAY(pt(PTRACE_ATTACH, -5, 0, 0));
    SAY(pt(PTRACE_SEIZE, pid, 1, 0));
    SAY(pt(PTRACE_SEIZE, pid, 0, 1u << 30));
    SAY(pt(PTRACE_SEIZE, pid, 0, 0x100));
    SAY(pt(PTRACE_PEEKDATA, pid, (unsigned long)&word, (unsigned long)&word));
    SAY(pt(PTRACE_CONT, pid, 0, 0));
    SAY(pt(PTRACE_DETACH, pid, 0, 0));
    SAY(pt(PTRACE_KILL, pid, 0, 0));
    SAY(pt(PTRACE_INTERRUPT, pid, 0, 0));
    SAY(pt(PTRACE_ATTACH, pid, 0, 0));
    SAY(pt(PTRACE_ATTACH, pid, 0, 0));
    await(pid, "attached");
    SAY(pt(PTRACE_INTERRUPT, pid, 0, 0));
    SAY(pt(PTRACE_LISTEN, pid, 0, 0));
    SAY(pt(9999, pid, 0, 0));
    SAY(pt(PTRACE_SETOPTIONS, pid, 0, 0x100));
    SAY(pt(PTRACE_SETOPTIONS, pid, 0, 0xff));
    SAY(pt(PTRACE_DETACH, pid, 0, 99));
    SAY(pt(PTRACE_DETACH, pid, 0, 0));
    SAY(pt(PTRACE_CONT, pid, 0, 0));
    SAY(pt(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD));
    SAY(pt(PTRACE_CONT, pid, 0, 0)); /* it runs */
    SAY(pt(PTRACE_INTERRUPT, pid, 0, 0));
    await(pid, "interrupted");
    kill(pid, SIGTERM);
    SAY(pt(PTRACE_CONT, pid, 0, 0));
    await(pid, "SIGTERM");
    SAY(pt(PTRACE_KILL, pid, 0, 0));
    SAY(waitpid(pid, NULL, 0) == pid);

    pid = spawn(sleeper);
    kill(pid, SIGSTOP);
    int status;
    waitpid(pid, &status, WUNTRACED);
    SAY(pt(PTRACE_ATTACH, pid, 0, 0));
    await(pid, "attached while stopped");
    siginfo_t si;
    SAY(pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si));
    SAY(pt(PTRACE_CONT, pid, 0, 0));
    await(pid, "and its SIGSTOP");
    SAY(pt(PTRACE_DETACH, pid, 0, 0));
    finish(pid);

    pid = spawn(sleeper);
    kill(pid, SIGKILL);
    siginfo_t end;
    waitid(P_PID, pid, &end, WEXITED | WNOWAIT);
    SAY(pt(PTRACE_ATTACH, pid, 0, 0));
    SAY(pt(PTRACE_SEIZE, pid, 0, 0));
    waitpid(pid, NULL, 0);
    SAY(pt(PTRACE_ATTACH, pid, 0, 0));
}

/* ---- memory and registers ---- */

static const unsigned long constant[512] __attribute__((aligned(4096))) = {0x1122334455667788};
static unsigned long variable = 77;

static void holder(void)
{
    pt(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    usleep(100000); /* let the tracer print first */
    printf("in the tracee: constant %lx variable %lu\n", *(volatile const unsigned long *)constant, *(volatile unsigned long *)&variable);
    fflush(stdout);
    _exit((int)(variable & 63));
}

static void try_memory(void)
{
    unsigned long word = 0;
    pid_t pid = spawn(holder);
    await(pid, "holder");
    SAY(pt(PTRACE_PEEKDATA, pid, (unsigned long)&variable, (unsigned long)&word));
    printf("%lu\n", word);
    SAY(pt(PTRACE_PEEKTEXT, pid, (unsigned long)constant, (unsigned long)&word));
    printf("%lx\n", word);
    SAY(pt(PTRACE_PEEKDATA, pid, 8, (unsigned long)&word));
    SAY(pt(PTRACE_PEEKDATA, pid, ~7ul, (unsigned long)&word));
    SAY(pt(PTRACE_PEEKDATA, pid, (unsigned long)&variable, 8));
    SAY(pt(PTRACE_POKEDATA, pid, 8, 1));
    SAY(pt(PTRACE_POKEDATA, pid, (unsigned long)&variable, 37));
    SAY(pt(PTRACE_POKETEXT, pid, (unsigned long)constant, 0xabc)); /* read-only: a copy of its own */
    printf("here: %lx %lu\n", *(volatile const unsigned long *)constant, variable);
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    int fd = open(path, O_RDWR);
    word = 0xdef;
    SAY(pwrite(fd, &word, 8, (off_t)&constant[1]));
    SAY(pread(fd, &word, 8, (off_t)&constant[0]));
    printf("%lx\n", word);
    SAY(pread(fd, &word, 8, 16));
    SAY(pwrite(fd, &word, 8, 16));
    close(fd);
    struct iovec mine = {&word, 8}, theirs = {&variable, 8}, ro = {(void *)constant, 8};
    SAY(process_vm_readv(pid, &mine, 1, &theirs, 1, 0));
    printf("%lu\n", word);
    SAY(process_vm_writev(pid, &mine, 1, &ro, 1, 0));
    SAY(pt(PTRACE_CONT, pid, 0, 0));
    await(pid, "holder");
}

#define OFF(field) offsetof(struct user, field)

static void try_registers(void)
{
    struct user_regs_struct regs, again;
    struct user_fpregs_struct fp, fp2;
    unsigned long word = 0;
    pid_t pid = spawn(holder);
    await(pid, "holder");
    SAY(pt(PTRACE_GETREGS, pid, 0, (unsigned long)&regs));
    printf("orig_rax %ld cs %lx ss %lx ds %lx fs %lx flags-tf %d\n", (long)regs.orig_rax, (long)regs.cs, (long)regs.ss,
           (long)regs.ds, (long)regs.fs, (int)(regs.eflags >> 8 & 1));
    SAY(pt(PTRACE_GETREGS, pid, 0, 8));
    SAY(pt(PTRACE_SETREGS, pid, 0, 8));
    again = regs;
    again.r15 = 0x1515;
    again.eflags |= 0x100000000ul | 1 << 17 | 0x3000 | 1; /* VM, IOPL: left out; CF */
    SAY(pt(PTRACE_SETREGS, pid, 0, (unsigned long)&again));
    SAY(pt(PTRACE_GETREGS, pid, 0, (unsigned long)&again));
    printf("r15 %lx flags changed by %lx\n", (long)again.r15, (long)(again.eflags ^ regs.eflags) & ~1ul);
    SAY(pt(PTRACE_SETREGS, pid, 0, (unsigned long)&regs));
    SAY(pt(PTRACE_PEEKUSER, pid, OFF(regs.rip), (unsigned long)&word));
    printf("rip the same %d\n", word == regs.rip);
    SAY(pt(PTRACE_PEEKUSER, pid, 1, (unsigned long)&word));
    SAY(pt(PTRACE_PEEKUSER, pid, sizeof(struct user), (unsigned long)&word));
    SAY(pt(PTRACE_POKEUSER, pid, sizeof(struct user), 0));
    SAY(pt(PTRACE_PEEKUSER, pid, sizeof(struct user) + 8, (unsigned long)&word));
    SAY(pt(PTRACE_PEEKUSER, pid, sizeof(struct user) + 16, (unsigned long)&word));
    SAY(pt(PTRACE_PEEKUSER, pid, -8, (unsigned long)&word));
    SAY(pt(PTRACE_PEEKUSER, pid, OFF(u_tsize), (unsigned long)&word));
    SAY(pt(PTRACE_POKEUSER, pid, OFF(u_tsize), 1));
    SAY(pt(PTRACE_POKEUSER, pid, OFF(regs.cs), 0));
    SAY(pt(PTRACE_POKEUSER, pid, OFF(regs.cs), 0x10));
    SAY(pt(PTRACE_POKEUSER, pid, OFF(regs.fs), 0x10));
    SAY(pt(PTRACE_POKEUSER, pid, OFF(regs.fs_base), 1ul << 63));
    SAY(pt(PTRACE_POKEUSER, pid, OFF(regs.gs_base), ~0ul));
    SAY(pt(PTRACE_POKEUSER, pid, OFF(regs.gs_base), 0x1000));
    SAY(pt(PTRACE_PEEKUSER, pid, OFF(regs.gs_base), (unsigned long)&word));
    printf("gs base %lx\n", word);
    SAY(pt(PTRACE_POKEUSER, pid, OFF(regs.gs_base), 0));
    for (unsigned i = 0; i < 8; i++) {
        word = 0x5a;
        SAY(pt(PTRACE_PEEKUSER, pid, OFF(u_debugreg) + i * 8, (unsigned long)&word));
        printf("dr%u %lx\n", i, word);
    }
    SAY(pt(PTRACE_POKEUSER, pid, OFF(u_debugreg[4]), 1));
    SAY(pt(PTRACE_POKEUSER, pid, OFF(u_debugreg[5]), 1));
    SAY(pt(PTRACE_POKEUSER, pid, OFF(u_debugreg[0]), ~0ul));
    SAY(pt(PTRACE_POKEUSER, pid, OFF(u_debugreg[0]), (unsigned long)&variable));
    SAY(pt(PTRACE_POKEUSER, pid, OFF(u_debugreg[7]), 1 | 2u << 16)); /* ports */
    SAY(pt(PTRACE_POKEUSER, pid, OFF(u_debugreg[7]), 1 | 4u << 16)); /* execute, two bytes */
    SAY(pt(PTRACE_POKEUSER, pid, OFF(u_debugreg[7]), 1 | 0xdu << 16));
    SAY(pt(PTRACE_PEEKUSER, pid, OFF(u_debugreg[7]), (unsigned long)&word));
    printf("dr7 %lx\n", word);
    SAY(pt(PTRACE_POKEUSER, pid, OFF(u_debugreg[0]), (unsigned long)&variable + 1));
    SAY(pt(PTRACE_POKEUSER, pid, OFF(u_debugreg[7]), 0));
    memset(&fp, 0, sizeof(fp));
    SAY(pt(PTRACE_GETFPREGS, pid, 0, (unsigned long)&fp));
    printf("cwd %x mxcsr %x\n", fp.cwd, fp.mxcsr);
    fp.xmm_space[5] = 0x12345678;
    SAY(pt(PTRACE_SETFPREGS, pid, 0, (unsigned long)&fp));
    SAY(pt(PTRACE_GETFPREGS, pid, 0, (unsigned long)&fp2));
    printf("xmm %x\n", fp2.xmm_space[5]);
    fp.mxcsr = 0xffffffff;
    SAY(pt(PTRACE_SETFPREGS, pid, 0, (unsigned long)&fp));
    finish(pid);
}

static void try_regsets(void)
{
    static unsigned char area[16384];
    struct iovec v = {area, sizeof(area)};
    pid_t pid = spawn(holder);
    await(pid, "holder");
    SAY(pt(PTRACE_GETREGSET, pid, NT_PRSTATUS, (unsigned long)&v));
    printf("%zu bytes\n", v.iov_len);
    v.iov_len = 16;
    SAY(pt(PTRACE_GETREGSET, pid, NT_PRSTATUS, (unsigned long)&v));
    printf("%zu bytes\n", v.iov_len);
    v.iov_len = 15;
    SAY(pt(PTRACE_GETREGSET, pid, NT_PRSTATUS, (unsigned long)&v));
    v.iov_len = sizeof(area);
    SAY(pt(PTRACE_GETREGSET, pid, NT_PRFPREG, (unsigned long)&v));
    printf("%zu bytes\n", v.iov_len);
    SAY(pt(PTRACE_GETREGSET, pid, 0x777, (unsigned long)&v));
    SAY(pt(PTRACE_GETREGSET, pid, NT_PRSTATUS, 8));
    v.iov_len = sizeof(area);
    SAY(pt(PTRACE_GETREGSET, pid, NT_X86_XSTATE, (unsigned long)&v));
    unsigned long xcr0, have;
    memcpy(&xcr0, area + 464, 8);
    memcpy(&have, area + 512, 8);
    printf("x87, SSE, AVX in XCR0: %lx; present only what exists: %d\n", xcr0 & 7, !(have & ~xcr0));
    SAY(pt(PTRACE_SETREGSET, pid, NT_X86_XSTATE, (unsigned long)&v));
    area[512 + 16] = 1;
    SAY(pt(PTRACE_SETREGSET, pid, NT_X86_XSTATE, (unsigned long)&v));
    area[512 + 16] = 0;
    memset(area + 512, 0xff, 8);
    SAY(pt(PTRACE_SETREGSET, pid, NT_X86_XSTATE, (unsigned long)&v));
    v.iov_len = 576;
    SAY(pt(PTRACE_SETREGSET, pid, NT_X86_XSTATE, (unsigned long)&v));
    v.iov_base = (void *)8;
    SAY(pt(PTRACE_GETREGSET, pid, NT_PRSTATUS, (unsigned long)&v));
    finish(pid);
}

/* ---- signals ---- */

static void queue_up(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (int i = 0; i < 3; i++)
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
    for (;;)
        pause();
}

static void try_signals(void)
{
    siginfo_t si[8];
    struct __ptrace_peeksiginfo_args args = {0, 0, 8};
    unsigned long mask;
    pid_t pid = spawn(queue_up);
    usleep(100000);
    pt(PTRACE_SEIZE, pid, 0, 0);
    pt(PTRACE_INTERRUPT, pid, 0, 0);
    await(pid, "seized");
    SAY(pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)si));
    printf("signo %d code %x\n", si[0].si_signo, si[0].si_code);
    SAY(pt(PTRACE_SETSIGINFO, pid, 0, (unsigned long)si));
    SAY(pt(PTRACE_SETSIGINFO, pid, 0, 8));
    SAY(pt(PTRACE_PEEKSIGINFO, pid, (unsigned long)&args, (unsigned long)si));
    printf("own %d\n", si[0].si_signo);
    args.flags = 1;
    SAY(pt(PTRACE_PEEKSIGINFO, pid, (unsigned long)&args, (unsigned long)si));
    printf("shared %d %d\n", si[2].si_signo, si[2].si_value.sival_int);
    args.off = 2;
    SAY(pt(PTRACE_PEEKSIGINFO, pid, (unsigned long)&args, (unsigned long)si));
    args.flags = 2;
    SAY(pt(PTRACE_PEEKSIGINFO, pid, (unsigned long)&args, (unsigned long)si));
    args.flags = 0;
    args.nr = -1;
    SAY(pt(PTRACE_PEEKSIGINFO, pid, (unsigned long)&args, (unsigned long)si));
    SAY(pt(PTRACE_GETSIGMASK, pid, 8, (unsigned long)&mask));
    printf("mask %lx\n", mask);
    SAY(pt(PTRACE_GETSIGMASK, pid, 4, (unsigned long)&mask));
    mask = ~0ul & ~(1ul << (SIGUSR1 - 1));
    SAY(pt(PTRACE_SETSIGMASK, pid, 8, (unsigned long)&mask));
    SAY(pt(PTRACE_GETSIGMASK, pid, 8, (unsigned long)&mask));
    printf("mask %lx\n", mask);
    SAY(pt(PTRACE_CONT, pid, 0, 0));
    await(pid, "unblocked");
    SAY(pt(PTRACE_LISTEN, pid, 0, 0));
    SAY(pt(PTRACE_CONT, pid, 0, SIGUSR1));
    await(pid, "delivered");
}

static volatile sig_atomic_t usr1;
static void on_usr1(int sig)
{
    usr1 += sig;
}
static void stopper(void)
{
    signal(SIGUSR1, on_usr1);
    for (;;)
        pause();
}

static void try_group_stop(bool seize)
{
    siginfo_t si;
    printf("-- group stop, %s\n", seize ? "seized" : "attached");
    pid_t pid = spawn(stopper);
    usleep(50000);
    SAY(pt(seize ? PTRACE_SEIZE : PTRACE_ATTACH, pid, 0, 0));
    if (!seize) {
        await(pid, "attached");
        SAY(pt(PTRACE_CONT, pid, 0, 0));
    }
    kill(pid, SIGSTOP);
    await(pid, "SIGSTOP is shown");
    SAY(pt(PTRACE_CONT, pid, 0, SIGSTOP));
    await(pid, "the stop");
    SAY(pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si));
    SAY(pt(PTRACE_LISTEN, pid, 0, 0));
    if (seize) {
        unsigned long word;
        SAY(pt(PTRACE_PEEKDATA, pid, (unsigned long)&variable, (unsigned long)&word));
        SAY(waitpid(pid, NULL, WNOHANG | __WALL));
        kill(pid, SIGCONT);
        await(pid, "the stop ends");
        SAY(pt(PTRACE_CONT, pid, 0, 0));
        await(pid, "SIGCONT");
        SAY(pt(PTRACE_CONT, pid, 0, SIGCONT));
    } else {
        SAY(pt(PTRACE_CONT, pid, 0, 0));
        kill(pid, SIGCONT);
        await(pid, "SIGCONT");
        SAY(pt(PTRACE_CONT, pid, 0, SIGCONT));
    }
    kill(pid, SIGUSR1);
    await(pid, "SIGUSR1");
    SAY(pt(PTRACE_DETACH, pid, 0, SIGUSR1));
    SAY(waitpid(pid, NULL, WNOHANG | WUNTRACED | __WALL));
    finish(pid);
}

/* ---- system calls ---- */

static void caller(void)
{
    pt(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    syscall(SYS_getppid);
    long r = syscall(SYS_close, -1);
    _exit(r == -1 ? errno : (int)r);
}

static void show_call(pid_t pid)
{
    struct {
        unsigned char op, pad[3];
        unsigned arch;
        unsigned long ip, sp, v[8];
    } info;
    memset(&info, 0, sizeof(info));
    long n = pt(0x420e, pid, sizeof(info), (unsigned long)&info);
    printf("info of %ld bytes: op %d arch %x", n, info.op, info.arch);
    if (info.op == 1)
        printf(" nr %ld first %ld", (long)info.v[0], info.v[0] == SYS_close || info.v[0] == SYS_exit_group ? (long)(int)info.v[1] : 0);
    if (info.op == 2)
        printf(" result %ld error %d", info.v[1] & 0xff ? (long)info.v[0] : 0, (int)(info.v[1] & 0xff));
    printf("\n");
}

static void try_syscalls(void)
{
    struct user_regs_struct regs;
    pid_t pid = spawn(caller);
    await(pid, "caller");
    SAY(pt(0x420e, pid, 0, 0));
    show_call(pid);
    SAY(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
    for (int i = 0; i < 6; i++) {
        SAY(pt(PTRACE_SYSCALL, pid, 0, 0));
        await(pid, "call");
        show_call(pid);
        SAY(pt(PTRACE_GETREGS, pid, 0, (unsigned long)&regs));
        printf("orig_rax %ld rax %s\n", (long)regs.orig_rax, (long)regs.rax < 0 ? strerrorname_np(-(int)regs.rax) : "fine");
        if (regs.orig_rax == SYS_close && (long)regs.rax == -ENOSYS) { /* left out: the answer is ours */
            regs.orig_rax = -1;
            regs.rax = 7;
            SAY(pt(PTRACE_SETREGS, pid, 0, (unsigned long)&regs));
        }
    }
    SAY(pt(PTRACE_CONT, pid, 0, 0));
    await(pid, "caller");

    pid = spawn(caller);
    await(pid, "emulated");
    for (int i = 0; i < 3; i++) {
        SAY(pt(31 /* SYSEMU */, pid, 0, 0));
        if (WIFEXITED(await(pid, "emulated")))
            break;
        SAY(pt(PTRACE_GETREGS, pid, 0, (unsigned long)&regs));
        printf("nr %ld\n", (long)regs.orig_rax);
        regs.rax = 5;
        SAY(pt(PTRACE_SETREGS, pid, 0, (unsigned long)&regs));
    }
    finish(pid);
}

static void stepper(void)
{
    pt(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    long r;
    __asm__ volatile(".globl step_begin\nstep_begin: nop\n nop\n movl $39, %%eax\n syscall\n.globl step_after\nstep_after: nop\n nop\n"
                     : "=a"(r)::"rcx", "r11", "memory");
    __asm__ volatile("int3\n");
    _exit(r == getpid() ? 9 : 1);
}
extern char step_begin[], step_after[];

static void try_step(void)
{
    unsigned long rip, flags;
    siginfo_t si;
    pid_t pid = spawn(stepper);
    await(pid, "stepper");
    /* A breakpoint at the beginning, by hardware: execute. */
    SAY(pt(PTRACE_POKEUSER, pid, OFF(u_debugreg[1]), (unsigned long)step_begin));
    SAY(pt(PTRACE_POKEUSER, pid, OFF(u_debugreg[7]), 4));
    SAY(pt(PTRACE_CONT, pid, 0, 0));
    await(pid, "breakpoint");
    pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si);
    pt(PTRACE_PEEKUSER, pid, OFF(regs.rip), (unsigned long)&rip);
    printf("code %d at +%ld\n", si.si_code, (long)(rip - (unsigned long)step_begin));
    pt(PTRACE_PEEKUSER, pid, OFF(u_debugreg[6]), (unsigned long)&flags);
    printf("dr6 %lx\n", flags);
    for (int i = 0; i < 7; i++) {
        SAY(pt(PTRACE_SINGLESTEP, pid, 0, 0));
        await(pid, "step");
        pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si);
        pt(PTRACE_PEEKUSER, pid, OFF(regs.rip), (unsigned long)&rip);
        pt(PTRACE_PEEKUSER, pid, OFF(regs.eflags), (unsigned long)&flags);
        printf("code %d at +%ld address right %d TF %d\n", si.si_code, (long)(rip - (unsigned long)step_begin),
               (unsigned long)si.si_addr == rip, (int)(flags >> 8 & 1));
    }
    SAY(pt(PTRACE_CONT, pid, 0, 0));
    await(pid, "int3");
    pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si);
    printf("code %d\n", si.si_code);
    SAY(pt(PTRACE_CONT, pid, 0, 0));
    await(pid, "stepper");
}

static void watched(void)
{
    pt(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    *(volatile unsigned long *)&variable = 1;
    raise(SIGCONT);
    *(volatile unsigned long *)&variable = 2;
    _exit(0);
}

static void try_watch(void)
{
    unsigned long dr6, word;
    siginfo_t si;
    pid_t pid = spawn(watched);
    await(pid, "watched");
    SAY(pt(PTRACE_POKEUSER, pid, OFF(u_debugreg[2]), (unsigned long)&variable));
    SAY(pt(PTRACE_POKEUSER, pid, OFF(u_debugreg[7]), 0x10 | 9ul << 24)); /* write, 8 bytes */
    for (int i = 0; i < 4; i++) {
        SAY(pt(PTRACE_CONT, pid, 0, 0));
        if (WIFEXITED(await(pid, "watched")))
            break;
        pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si);
        pt(PTRACE_PEEKUSER, pid, OFF(u_debugreg[6]), (unsigned long)&dr6);
        pt(PTRACE_PEEKDATA, pid, (unsigned long)&variable, (unsigned long)&word);
        printf("code %d dr6 %lx value %lu\n", si.si_code, dr6 & 15, word);
    }
}

static void handler_step(void)
{
    signal(SIGUSR1, on_usr1);
    pt(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGUSR1);
    _exit((int)usr1);
}

static void try_handler_step(void)
{
    unsigned long rip;
    siginfo_t si;
    pid_t pid = spawn(handler_step);
    await(pid, "raised");
    SAY(pt(PTRACE_SINGLESTEP, pid, 0, SIGUSR1));
    await(pid, "in the handler");
    pt(PTRACE_PEEKUSER, pid, OFF(regs.rip), (unsigned long)&rip);
    SAY(pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si));
    printf("code %d at its beginning %d\n", si.si_code, rip == (unsigned long)on_usr1);
    SAY(pt(PTRACE_CONT, pid, 0, 0));
    await(pid, "raised");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 4096);
    try_traceme();
    try_attach();
    try_memory();
    try_registers();
    try_regsets();
    try_signals();
    try_group_stop(false);
    try_group_stop(true);
    try_syscalls();
    try_step();
    try_watch();
    try_handler_step();
    return 0;
}
