/*
 * Bare publishing: a pipeline of PUBLISH to a channel that another process is
 * subscribed to.
 *
 * SPDX-License-Identifier: MIT
 */
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/ceiling/ceiling.h"
#include "common/mem.h"

static redisContext *
open_link(const char *address)
{
	const char *colon = strrchr(address, ':');
	redisContext *c;

	if (address[0] == '/' || colon == NULL) {
		c = redisConnectUnix(address);
	} else {
		char *host = mem_strndup(address, (size_t)(colon - address));

		c = redisConnect(host, atoi(colon + 1));
		free(host);
	}
	if (c == NULL || c->err != 0) {
		fprintf(stderr, "parley-ceiling: no Redis at %s\n", address);
		exit(1);
	}
	return c;
}

static void
listen_for_ever(const char *address)
{
	redisContext *c = open_link(address);
	void *reply = redisCommand(c, "SUBSCRIBE parley-ceiling");

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (reply != NULL) {
		freeReplyObject(reply);
		if (redisGetReply(c, &reply) != REDIS_OK) {
			break;
		}
	}
	_exit(0);
}

double
ceiling_redis(double seconds, const char *address, uint32_t batch,
    uint32_t size)
{
	char *data = mem_zalloc(size);
	uint64_t published = 0;
	double began, took;
	redisContext *c;
	pid_t listener = fork();

	if (listener == 0) {
		listen_for_ever(address);
	}
	c = open_link(address);
	usleep(200000);
	began = ceiling_now();
	do {
		for (uint32_t i = 0; i < batch; i++) {
			redisAppendCommand(c, "PUBLISH parley-ceiling %b",
			    data, (size_t)size);
		}
		for (uint32_t i = 0; i < batch; i++) {
			void *reply;

			if (redisGetReply(c, &reply) != REDIS_OK) {
				fprintf(stderr, "parley-ceiling: Redis: %s\n",
				    c->errstr);
				exit(1);
			}
			freeReplyObject(reply);
		}
		published += batch;
		took = ceiling_now() - began;
	} while (took < seconds);
	kill(listener, SIGKILL);
	waitpid(listener, NULL, 0);
	redisFree(c);
	free(data);
	return (double)published / took;
}
