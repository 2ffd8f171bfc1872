/*
 * Words to the supervisor that started us, in systemd's protocol: one datagram
 * to the socket that NOTIFY_SOCKET names. For daemon.c alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_SUPERVISOR_H
#define COMMON_SUPERVISOR_H

/* "READY=1", "STOPPING=1". Nobody listens: nothing happens. */
void supervisor_notify(const char *text);

#endif
