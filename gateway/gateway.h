/*
 * The parts of one gateway process and how they find each other. Made by app.c,
 * which also says in which order they start and end; every pointer is borrowed
 * by those who reach it through a connection. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "common/uuid.h"

struct bus;
struct limits;
struct nets;
struct rpc_client;

struct gateway {
	uv_loop_t *loop;
	struct uuid id; /* of this run of this process: presenced's key */
	struct bus *bus;
	struct rpc_client *chatd;
	struct rpc_client *presenced;
	struct limits *limits;
	struct nets *trusted; /* proxies: see remote.h */
	struct fanout *fanout;
	struct receipts *receipts;
	struct presence *presence;
	struct catchup *catchup;
	struct tokens *tokens;
	struct conns *conns;
	struct static_files *files;
	struct media *media;
	struct server *server;
	size_t requests; /* HTTP requests in progress */
	bool draining;
};

#endif
