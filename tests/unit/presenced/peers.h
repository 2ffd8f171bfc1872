/*
 * Stand-ins for presenced's neighbours, on the real envelope: a gateway that
 * holds sessions, beats and registers again when told to, and a chatd that
 * takes transitions (or does not). And presenced itself, as a process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_PRESENCED_PEERS_H
#define TESTS_PRESENCED_PEERS_H

#include "common/calls.h"
#include "common/rpc.h"
#include "unit/presenced/harness.h"

#define SESSIONS_MAX 4096
#define TOLD_MAX 8192

/* ---- presenced ----------------------------------------------------------- */

/* Number 1 or 2 listens at ipc://p<n>.sock. */
void presenced_start(unsigned n, const char *lease, const char *grace);
void presenced_signal(unsigned n, int signal_number);
/* Returns waitpid's status. */
int presenced_end(unsigned n, int signal_number);
/* Waits until the admin port says ready. */
void presenced_ready(unsigned n);

/* ---- a gateway ----------------------------------------------------------- */

struct gateway {
	struct uuid id;
	struct rpc_client *client;  /* owned */
	uv_timer_t beat;
	bool beat_out;
	bool registering;           /* parts are out */
	unsigned parts_out;
	bool part_failed;
	unsigned registrations;     /* made because we were asked to */
	unsigned beats_ok;
	unsigned changes_out;
	unsigned changes_failed;
	struct session_change sessions[SESSIONS_MAX]; /* those open */
	size_t sessions_len;
};

void gateway_open(struct gateway *g, unsigned n, const char *addresses);
/* No more heartbeats, as if it had died. */
void gateway_die(struct gateway *g);
void gateway_close(struct gateway *g);
/* Tells presenced of `n` users' sessions, numbers first .. first + n - 1, and
 * waits for the answer. */
void gateway_change(struct gateway *g, enum session_op op, unsigned first,
    unsigned n);
/* Forgets sessions without a word: they end while presenced is not looking. */
void gateway_forget(struct gateway *g, unsigned first, unsigned n);

/* ---- a chatd ------------------------------------------------------------- */

struct chatd {
	struct rpc_server *server;  /* owned */
	struct rpc_client *client;  /* owned; asks who is online */
	enum err answer;            /* to presence_changed */
	unsigned calls;
	struct presence_change told[TOLD_MAX]; /* in the order they came */
	size_t told_len;
};

void chatd_open(struct chatd *c, const char *presenceds);
/* Listens at ipc://c.sock; chatd_open does it. */
void chatd_listen(struct chatd *c);
void chatd_close(struct chatd *c);
/* ERR_OK and who_is_online's answer for one user. */
enum err chatd_ask(struct chatd *c, unsigned user, bool *online_r);
/* Is the last thing said of this user `online`? False if nothing was. */
bool chatd_heard(const struct chatd *c, unsigned user, bool online,
    struct presence_change *change_r);
/* Forgets what was told. */
void chatd_reset(struct chatd *c);

/* A call of any body; the answer's status. */
enum err call_raw(struct rpc_client *client, enum msg_kind kind,
    const void *body, size_t len);

#endif
