/* SPDX-License-Identifier: MIT */
/* The first program of a guest whose boot is timed (`pagoda bench --boot`): says that it has started, and powers off. */
#include <sys/reboot.h>
#include <unistd.h>

int main(void)
{
    static const char line[] = "@up\n";

    if (write(1, line, sizeof(line) - 1) < 0)
        return 1;
    reboot(RB_POWER_OFF);
    return 0;
}
