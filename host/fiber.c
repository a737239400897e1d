/* SPDX-License-Identifier: MIT */
/*
 * Fibers: threads of the hosted machine as stacks within one thread of the host. The switch saves what the ABI says a callee
 * must keep; everything else is dead across the call. The sanitizers are told of each switch.
 */
#define _GNU_SOURCE
#include <host/sched_internal.h>
#include <host/sanitizer.h>
#include <port/log.h>
#include <stdlib.h>
#include <sys/mman.h>

struct host_context {
    void *sp;
    void *stack; /* lowest byte, after the guard page; NULL for the main thread */
    size_t size;
    void *fake_stack; /* AddressSanitizer's */
    void *tsan;
};

void host_fiber_swap(void **save_sp, void *load_sp);
void host_fiber_entry(void);
__asm__(".text\n"
        ".globl host_fiber_swap\n"
        ".type host_fiber_swap, @function\n"
        "host_fiber_swap:\n"
        "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
        "  mov %rsp, (%rdi)\n"
        "  mov %rsi, %rsp\n"
        "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n"
        "  ret\n"
        ".size host_fiber_swap, . - host_fiber_swap\n");

/* The thread that was left behind by the last switch: what finish_switch reports about goes to it. */
static struct host_thread *switched_from;

static void after_switch(struct host_thread *self)
{
    const void *bottom = NULL;
    size_t size = 0;
    san_finish_switch(self->ctx->fake_stack, &bottom, &size);
    if (switched_from && switched_from->ctx && !switched_from->ctx->stack) {
        switched_from->ctx->stack = (void *)bottom; /* the main stack's bounds, learned here */
        switched_from->ctx->size = size;
    }
}

static void first_step(void)
{
    struct host_thread *self = host_current;
    after_switch(self);
    host_thread_main(self);
    __builtin_unreachable();
}

void fiber_create(struct host_thread *t)
{
    struct host_context *c = calloc(1, sizeof(*c));
    size_t guard = 4096;
    char *base = mmap(NULL, HOST_STACK_SIZE + guard, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!c || base == MAP_FAILED || mprotect(base, guard, PROT_NONE))
        panic("no memory for a fiber");
    c->stack = base + guard;
    c->size = HOST_STACK_SIZE;
    u64 *sp = (u64 *)((char *)c->stack + c->size);
    *--sp = 0; /* return address of first_step: none. rsp % 16 is 8 at its entry, as after a call */
    *--sp = (u64)first_step;
    for (int i = 0; i < 6; i++)
        *--sp = 0;
    c->sp = sp;
    c->tsan = san_create_fiber();
    t->ctx = c;
}

void fiber_adopt_main(struct host_thread *t)
{
    t->ctx = calloc(1, sizeof(*t->ctx));
    t->ctx->tsan = san_current_fiber();
}

void fiber_switch(struct host_thread *from, struct host_thread *to)
{
    bool dying = from->state == HT_DONE;
    switched_from = from;
    host_current = to;
    host_this_cpu = to->cpu;
    san_start_switch(dying ? NULL : &from->ctx->fake_stack, to->ctx->stack, to->ctx->size,
                     to->ctx->tsan);
    host_fiber_swap(&from->ctx->sp, to->ctx->sp);
    after_switch(from);
    if (unlikely(host_machine.crashed))
        host_panic_resume();
}

void fiber_destroy(struct host_thread *t)
{
    if (t->id != 0) {
        san_destroy_fiber(t->ctx->tsan);
        san_unpoison(t->ctx->stack, t->ctx->size);
        munmap((char *)t->ctx->stack - 4096, t->ctx->size + 4096);
    }
    free(t->ctx);
    t->ctx = NULL;
}
