/* SPDX-License-Identifier: MIT */
/* `pagoda doctor`. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

int cmd_doctor(int argc, char **argv);

#endif
