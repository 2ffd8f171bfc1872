/*
 * Passwords. Never an argument: anybody on the machine may read a command line.
 * Asked for twice at a terminal, else one line of standard input, or made.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_PARLEYCTL_SECRET_H
#define CHATD_PARLEYCTL_SECRET_H

#include "chatd/parleyctl/ctl.h"

#define SECRET_MAX 1024

/* With --generate a new one. CTL_OK: `text` holds it; wipe it (sodium_memzero)
 * when it is done with. */
MUST_CHECK enum ctl_exit secret_get(char text[SECRET_MAX]);

#endif
