/* SPDX-License-Identifier: MIT */
/*
 * Puts the core's variables back to what they were when the process started. The build gathers the data and bss of lib/
 * and mm/ in the sections core_data and core_bss, so that each machine starts on a core that has never run.
 */
#include <host/machine.h>
#include <stdlib.h>

extern u8 __start_core_data[] __attribute__((weak)), __stop_core_data[] __attribute__((weak));
extern u8 __start_core_bss[] __attribute__((weak)), __stop_core_bss[] __attribute__((weak));

/* The sanitizers' red zones between variables are copied too: this code must not be checked. */
__attribute__((no_sanitize("address", "thread", "undefined"), noinline)) static void
copy_raw(u8 *to, const u8 *from, size_t n)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

__attribute__((no_sanitize("address", "thread", "undefined"), noinline)) static void
clear_raw(u8 *to, size_t n)
{
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0) : "memory");
}

void host_state_reset(void)
{
    static u8 *pristine;
    size_t n = (size_t)(__stop_core_data - __start_core_data);
    if (!pristine) {
        pristine = malloc(n + 1);
        if (!pristine)
            abort();
        copy_raw(pristine, __start_core_data, n);
        return;
    }
    copy_raw(__start_core_data, pristine, n);
    clear_raw(__start_core_bss, (size_t)(__stop_core_bss - __start_core_bss));
}
