/*
 * backend: a client's requests, one after another, to chatd and back.
 *
 *   conn.in -> request_parse -> rpc_call(chatd) -> answer -> conn_send -> next
 *
 * One request of a connection is in flight at a time, or one group of sends to
 * one chat: requests of one connection are handled and answered in the order they
 * were sent. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_BACKEND_H
#define GATEWAY_BACKEND_H

struct conn;

/* Takes up what waits, as far as it may; resumes reading. Safe to call at any
 * time on a live connection. */
void backend_pump(struct conn *c);
/* No answer of a call in flight will come. */
void backend_cancel(struct conn *c);

#endif
