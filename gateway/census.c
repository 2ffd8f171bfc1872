/*
 * Answers to EVENT_ASK.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/census.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/bus.h"
#include "common/calls.h"
#include "common/clock.h"
#include "common/daemon.h"
#include "common/json_out.h"
#include "common/list.h"
#include "gateway/conn.h"
#include "gateway/fanout.h"
#include "gateway/settings.h"

#define HOST_LEN 256

/* As people write it; of IPv6 the network that limits count. */
static void
put_address(struct json_out *j, const struct caller *caller)
{
	char text[ADDRESS_TEXT_LEN + 1], shown[ADDRESS_TEXT_LEN + 8];
	struct address a;

	if (caller == NULL || uuid_is_nil(&caller->entry.key)) {
		json_key_null(j, "address");
		return;
	}
	memcpy(a.b, caller->entry.key.b, sizeof(a.b));
	snprintf(shown, sizeof(shown), "%s%s", address_format(&a, text),
	    address_is_v4(&a) ? "" : "/64");
	json_key_str(j, "address", shown);
}

static void
put_conn(struct json_out *j, const struct conn *c)
{
	int64_t age = (int64_t)(clock_mono_ms() - c->opened_ms);

	json_obj(j);
	json_key_uuid(j, "connection", &c->session);
	json_key_uuid(j, "session", &c->token);
	json_key_time(j, "since", clock_unix_ms() - age);
	put_address(j, c->caller);
	json_obj_end(j);
}

static void
put_list(struct json_out *j, const struct list *conns)
{
	unsigned n = 0;

	json_key_arr(j, "list");
	LIST_FOREACH(link, conns) {
		const struct conn *c = LIST_ENTRY(link, struct conn, fan_link);

		if (n++ == CENSUS_LIST_MAX) {
			break;
		}
		put_conn(j, c);
	}
	json_arr_end(j);
}

static void
put_census(struct buf *b, const struct gateway *gw, const struct list *conns)
{
	char host[HOST_LEN] = "";
	struct json_out j;

	(void)gethostname(host, sizeof(host) - 1);
	json_out_init(&j, b);
	json_obj(&j);
	json_key_uuid(&j, "gateway", &gw->id);
	json_key_str(&j, "host", host);
	json_key_int(&j, "pid", getpid());
	json_key_str(&j, "listen", settings.listen);
	json_key_str(&j, "version", daemon_version());
	json_key_int(&j, "connections", (int64_t)gw->conns->count);
	json_key_int(&j, "sessions", (int64_t)gw->conns->live);
	json_key_int(&j, "users", (int64_t)fanout_users(gw->fanout));
	if (conns != NULL) {
		put_list(&j, conns);
	}
	json_obj_end(&j);
}

void
census_answer(struct gateway *gw, const struct event *asked,
    const struct list *conns)
{
	char topic[EVENT_TOPIC_ANSWERS_LEN + 1];
	struct buf json = BUF_INIT, bytes = BUF_INIT;

	put_census(&json, gw, conns);
	buf_put_u64(&bytes, asked->seq);
	buf_put_blob(&bytes, json.data, json.len);
	bus_publish(gw->bus, event_topic_answers(&asked->chat, topic),
	    bytes.data, bytes.len, NULL, NULL);
	buf_fini(&json);
	buf_fini(&bytes);
}
