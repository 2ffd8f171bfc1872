/*
 * server: libwebsockets on the process's loop. Listening is our own
 * (listener.h): accepted sockets are handed to the library. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_SERVER_H
#define GATEWAY_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct gateway;
struct server;

/* NULL (and a log_error naming cause and remedy) when it cannot serve. */
MUST_CHECK struct server *server_new(struct gateway *gw);
/* Sockets of clients, HTTP and WebSocket. */
size_t server_sockets(const struct server *s);
/* Accepts no more than who is connected, or in the middle of it. */
void server_stop_listening(struct server *s);
/* Whether there may still come somebody. */
bool server_listens(const struct server *s);
/* Closes every socket without a word and gives the library back. Turns the loop
 * until the library has let go. */
void server_free(struct server **s);

#endif
