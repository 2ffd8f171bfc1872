/*
 * The parts of a running chatd, passed to whoever needs them. Made and released
 * by service.c in one order and its reverse; never NULL in between.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_SERVICE_H
#define CHATD_SERVICE_H

#include <stdbool.h>
#include <uv.h>

#include "common/attr.h"

struct service {
	uv_loop_t *loop;               /* borrowed; the rest is owned */
	struct turn *turn;
	struct media_origins *origins; /* where media may be linked to */
	struct db *db;
	struct events *events;
	struct live *live;
	struct presence *presence;
	struct passwords *passwords;
	struct login_guard *login_guard;
	struct gather *token_checks;   /* see openings.h */
	struct gather *user_infos;
	struct writer *writer;
	struct receipts *receipts;
	struct groups *groups;
	struct typing *typing;
	struct search_copy *search_copy;
	struct dispatch *dispatch;
};

MUST_CHECK bool service_init(uv_loop_t *loop);
/* See daemon_spec.check. */
bool service_check(char *why);
void service_reload(void);
void service_drain(void);
void service_fini(void);
void service_dump(void);
/* Migrations, before all else: -1 to go on, else the exit status. */
int service_preflight(void);

#endif
