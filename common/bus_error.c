/*
 * Errors of Redis about itself. See bus_error.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/bus_error.h"

#include <hiredis/hiredis.h>
#include <stddef.h>
#include <string.h>

static const struct {
	const char *word;
	enum bus_error error;
} words[] = {
	{ "READONLY ", BUS_ERROR_REPLICA },
	{ "MASTERDOWN ", BUS_ERROR_REPLICA },
	{ "LOADING ", BUS_ERROR_LOADING },
	{ "NOAUTH ", BUS_ERROR_AUTH },
	{ "WRONGPASS ", BUS_ERROR_AUTH },
	{ "NOPERM ", BUS_ERROR_AUTH },
	{ "OOM ", BUS_ERROR_MEMORY },
	{ "MISCONF ", BUS_ERROR_DISK },
	{ "NOREPLICAS ", BUS_ERROR_ALONE },
};

static const struct {
	const char *name;
	const char *remedy;
} meanings[BUS_ERROR_COUNT] = {
	[BUS_ERROR_OTHER] = { "other", "check redis_url" },
	[BUS_ERROR_REPLICA] = { "replica",
		"let redis_url lead to the master; it is tried again" },
	[BUS_ERROR_LOADING] = { "loading",
		"none needed: it is tried again until Redis has loaded" },
	[BUS_ERROR_AUTH] = { "auth",
		"check the account and password in redis_url" },
	[BUS_ERROR_MEMORY] = { "memory",
		"give Redis more memory (maxmemory)" },
	[BUS_ERROR_DISK] = { "disk",
		"Redis cannot save: look into its log, free its disk" },
	[BUS_ERROR_ALONE] = { "alone",
		"see that its replicas run and reach it "
		"(min-replicas-to-write)" },
};

enum bus_error
bus_error(const char *message)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strncmp(message, words[i].word,
		    strlen(words[i].word)) == 0) {
			return words[i].error;
		}
	}
	return BUS_ERROR_OTHER;
}

const char *
bus_error_name(enum bus_error e)
{
	return meanings[e].name;
}

const char *
bus_error_remedy(enum bus_error e)
{
	return meanings[e].remedy;
}

bool
bus_error_is_link_s(enum bus_error e)
{
	return e == BUS_ERROR_REPLICA || e == BUS_ERROR_LOADING ||
	    e == BUS_ERROR_AUTH;
}

bool
bus_is_no_master(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
	    reply->element[0]->type == REDIS_REPLY_STRING &&
	    strcmp(reply->element[0]->str, "master") != 0;
}
