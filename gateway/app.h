/*
 * app: makes the parts of a gateway, joins them, and ends them in reverse. Main
 * thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_APP_H
#define GATEWAY_APP_H

#include <stdbool.h>
#include <uv.h>

/* As struct daemon_spec wants them. */
bool app_init(uv_loop_t *loop);
/* See daemon_spec.check. */
bool app_check(char *why);
void app_drain(void);
void app_fini(void);
void app_reload(void);
void app_dump(void);

#endif
