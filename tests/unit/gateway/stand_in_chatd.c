/*
 * A stand-in for chatd, and for presenced, on the real envelope and the real
 * bus, for tests of the gateway alone: `stand_in_chatd CHATD_URL PRESENCED_URL
 * REDIS_URL`. It keeps everything in memory, knows two people and one chat,
 * prints what presenced is told and who asks what he missed in which time, and
 * makes faults on demand. A message's
 * content says which:
 *
 *   lose     stored and answered, but its event is never published
 *   double   its event is published twice
 *   late     its event is published after the next message's
 *   mute     stored and published, but never answered
 *   early    its receipt is published before its answer is sent
 *   flood    1000 events of 1 KiB follow to everyone
 *   secret   from now on nobody is answered who asks what he missed
 *
 * Tokens: token-ann, token-bob; token-old has expired; all others are unknown.
 *
 * SPDX-License-Identifier: MIT
 */
#include <json-c/json.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/bus.h"
#include "common/calls.h"
#include "common/clock.h"
#include "common/contract.h"
#include "common/error_frame.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/rpc.h"

#define MESSAGES_MAX 100000

struct person {
	const char *name;
	const char *token_text;
	struct uuid id;
	struct uuid token;
	uint8_t hash[TOKEN_HASH_LEN];
	uint64_t delivered;
	bool logged_out;
};

struct message {
	struct uuid id;
	struct uuid front;
	int sender;
	char *content;
};

static struct person people[2] = {
	{ .name = "ann", .token_text = "token-ann" },
	{ .name = "bob", .token_text = "token-bob" },
};
static struct message messages[MESSAGES_MAX];
static uint64_t last_seq;
static struct uuid chat;
static struct uuid new_chat;
static bool new_chat_made;
static struct bus *bus;
static struct buf delayed; /* the event of a `late` message, for bob */
static int delayed_for = -1;
static bool is_secret;

static struct uuid
fixed_uuid(uint8_t n)
{
	struct uuid id = { { 0x01, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80 } };

	id.b[15] = n;
	return id;
}

static int
person_of(const struct uuid *id)
{
	for (int i = 0; i < 2; i++) {
		if (uuid_eq(&people[i].id, id)) {
			return i;
		}
	}
	return -1;
}

/* ---- frames ------------------------------------------------------------- */

static void
put_message(struct buf *b, uint64_t seq, int viewer, bool catch_up)
{
	const struct message *m = &messages[seq - 1];
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	json_key_str(&j, "type", "new_message");
	json_key_obj(&j, "message");
	json_key_uuid(&j, "id", &m->id);
	json_key_uuid(&j, "chat_id", &chat);
	json_key_int(&j, "seq", (int64_t)seq);
	json_key_str(&j, "content", m->content);
	json_key_str(&j, "type", viewer == m->sender ? "outgoing" : "incoming");
	json_key_uuid(&j, "front_msg_id", viewer == m->sender ? &m->front
	    : NULL);
	json_obj_end(&j);
	if (catch_up) {
		json_key_bool(&j, "catch_up", true);
	}
	json_obj_end(&j);
}

static void
publish(int who, const struct event *e)
{
	char topic[EVENT_TOPIC_USER_LEN + 1];
	struct buf b = BUF_INIT;

	put_event(&b, e);
	bus_publish(bus, event_topic_user(&people[who].id, topic), b.data,
	    b.len, NULL, NULL);
	buf_fini(&b);
}

static void
publish_text(int who, enum event_kind kind, const char *json, uint64_t seq)
{
	const struct event e = {
		.kind = kind,
		.chat = chat,
		.seq = seq,
		.json = json,
		.json_len = strlen(json),
	};

	publish(who, &e);
}

static void
publish_message(uint64_t seq, int who, const struct uuid *skip)
{
	struct buf b = BUF_INIT;
	struct event e = { .kind = EVENT_MESSAGE, .seq = seq, .chat = chat };

	put_message(&b, seq, who, false);
	e.skip_session = *skip;
	e.json = (const char *)b.data;
	e.json_len = b.len;
	publish(who, &e);
	buf_fini(&b);
}

static void
publish_delivered(uint64_t seq)
{
	struct buf b = BUF_INIT;
	struct json_out j;

	json_out_init(&j, &b);
	json_obj(&j);
	json_key_str(&j, "type", "messages_delivered");
	json_key_arr(&j, "message_ids");
	json_uuid(&j, &messages[seq - 1].id);
	json_arr_end(&j);
	json_obj_end(&j);
	buf_put_u8(&b, 0);
	publish_text(messages[seq - 1].sender, EVENT_RECEIPT,
	    (const char *)b.data, seq);
	buf_fini(&b);
}

static void
answer(struct rpc_in *in, enum err status, const struct buf *body,
    const struct uuid *about, uint64_t seq)
{
	struct rpc_out out = { .status = status, .seq = seq };

	if (about != NULL) {
		out.chat = *about;
	}
	if (body != NULL) {
		out.body = body->data;
		out.body_len = body->len;
	}
	rpc_reply(in, &out);
}

static void
answer_text(struct rpc_in *in, enum err status, const char *json)
{
	struct buf b = BUF_INIT;

	buf_puts(&b, json);
	answer(in, status, &b, NULL, 0);
	buf_fini(&b);
}

/* ---- calls -------------------------------------------------------------- */

static void
on_check_token(struct rpc_in *in)
{
	struct rpc_out out = { .status = ERR_TOKEN_UNKNOWN };
	uint8_t expired[TOKEN_HASH_LEN];

	crypto_hash_sha256(expired, (const unsigned char *)"token-old", 9);
	for (int i = 0; i < 2; i++) {
		if (memcmp(in->frame.body, people[i].hash, TOKEN_HASH_LEN) ==
		    0 && !people[i].logged_out) {
			out.status = ERR_OK;
			out.user = people[i].id;
			out.token = people[i].token;
			out.seq = (uint64_t)(clock_unix_ms() + 3600 * 1000);
		}
	}
	if (memcmp(in->frame.body, expired, TOKEN_HASH_LEN) == 0) {
		out.status = ERR_TOKEN_EXPIRED;
	}
	rpc_reply(in, &out);
}

static void
on_user_info(struct rpc_in *in)
{
	int who = person_of(&in->frame.user);
	struct chat_mark m = { .chat = chat, .last_seq = last_seq };
	struct buf b = BUF_INIT;
	char json[256];

	m.delivered_seq = people[who].delivered;
	buf_put_u32(&b, new_chat_made ? 2 : 1);
	put_chat_mark(&b, &m);
	if (new_chat_made) {
		m = (struct chat_mark){ .chat = new_chat };
		put_chat_mark(&b, &m);
	}
	snprintf(json, sizeof(json), "{\"type\":\"user_info\",\"user\":"
	    "{\"username\":\"%s\"},\"last_seq\":%llu}", people[who].name,
	    (unsigned long long)last_seq);
	buf_put_blob(&b, json, strlen(json));
	answer(in, ERR_OK, &b, NULL, 0);
	buf_fini(&b);
}

static void
put_missed(struct buf *b, uint64_t after, int viewer, uint32_t *count)
{
	for (uint64_t seq = after + 1; seq <= last_seq && *count < 100;
	    seq++) {
		struct buf json = BUF_INIT;
		struct catch_up_part part = { .kind = PART_MESSAGE,
			.chat = chat, .seq = seq };

		put_message(&json, seq, viewer, true);
		part.json = (const char *)json.data;
		part.json_len = json.len;
		put_catch_up_part(b, &part);
		buf_fini(&json);
		(*count)++;
	}
}

static void
put_gained(struct buf *b, uint32_t *count)
{
	char id[UUID_TEXT_LEN + 1];
	char json[256];
	struct catch_up_part part = { .kind = PART_CHAT_ADDED,
		.chat = new_chat };

	snprintf(json, sizeof(json), "{\"type\":\"private_chat_created\","
	    "\"chat\":null,\"chat_item\":{\"id\":\"%s\"}}",
	    uuid_format(&new_chat, id));
	part.json = json;
	part.json_len = strlen(json);
	put_catch_up_part(b, &part);
	(*count)++;
}

static void
on_catch_up(struct rpc_in *in)
{
	int who = person_of(&in->frame.user);
	struct catch_up_head head;
	struct buf b = BUF_INIT;
	struct rd r;
	uint32_t asked, count = 0;
	bool knows_new = false;

	rd_init(&r, in->frame.body, in->frame.body_len);
	get_catch_up_head(&r, &head);
	printf("catch_up %s %u\n", people[who].name, (unsigned)head.away_ms);
	fflush(stdout);
	if (is_secret) {
		return;
	}
	asked = rd_u32(&r);
	buf_put_u8(&b, 0);
	buf_put_u32(&b, 0);
	while (asked-- > 0) {
		struct chat_known k;

		get_chat_known(&r, &k);
		if (uuid_eq(&k.chat, &chat)) {
			put_missed(&b, k.after_seq, who, &count);
		} else if (uuid_eq(&k.chat, &new_chat) && k.known) {
			knows_new = true;
		} else if (uuid_eq(&k.chat, &new_chat)) {
			knows_new = true;
			put_gained(&b, &count);
		}
	}
	if (head.all_chats && new_chat_made && !knows_new) {
		put_gained(&b, &count);
	}
	b.data[0] = count >= 100;
	buf_set_u32(&b, 1, count);
	answer(in, ERR_OK, &b, NULL, 0);
	buf_fini(&b);
}

static void
on_report_delivered(struct rpc_in *in)
{
	uint32_t count;
	struct rd r;

	rd_init(&r, in->frame.body, in->frame.body_len);
	count = rd_u32(&r);
	while (count-- > 0) {
		struct delivered_mark m;
		int who;

		get_delivered_mark(&r, &m);
		who = person_of(&m.user);
		while (who >= 0 && people[who].delivered < m.upto) {
			uint64_t seq = ++people[who].delivered;

			if (messages[seq - 1].sender != who) {
				publish_delivered(seq);
			}
		}
	}
	answer(in, ERR_OK, NULL, NULL, 0);
}

static void
on_check_held(struct rpc_in *in)
{
	struct buf b = BUF_INIT;
	uint32_t count;
	struct rd r;

	rd_init(&r, in->frame.body, in->frame.body_len);
	count = rd_u32(&r);
	buf_put_u32(&b, count);
	while (count-- > 0) {
		struct uuid token = rd_uuid(&r);
		uint64_t expiry = 0;

		for (int i = 0; i < 2; i++) {
			if (uuid_eq(&people[i].token, &token) &&
			    !people[i].logged_out) {
				expiry = (uint64_t)clock_unix_ms() + 3600000;
			}
		}
		buf_put_u64(&b, expiry);
	}
	answer(in, ERR_OK, &b, NULL, 0);
	buf_fini(&b);
}

/* ---- presenced ---------------------------------------------------------- */

/* What presenced forgets when it is told to (SIGUSR1: heartbeats find out). */
static bool knows_gateway;
/* From SIGUSR2 on: takes nothing but a complete registration. */
static bool wants_all;

static void
on_sessions_changed(struct rpc_in *in)
{
	static const char *const ops[] = { "", "up", "down", "logged_out" };
	struct session_head head;
	uint32_t count;
	struct rd r;

	rd_init(&r, in->frame.body, in->frame.body_len);
	get_session_head(&r, &head);
	if (wants_all && !head.complete) {
		answer(in, ERR_NOT_FOUND, NULL, NULL, 0);
		return;
	}
	wants_all = false;
	count = rd_u32(&r);
	while (count-- > 0) {
		struct session_change c;
		int who;

		get_session_change(&r, &c);
		who = person_of(&c.user);
		printf("%s %s%s\n", ops[c.op], who < 0 ? "?" :
		    people[who].name, head.complete ? " complete" : "");
	}
	fflush(stdout);
	knows_gateway = true;
	answer(in, ERR_OK, NULL, NULL, 0);
}

static void
on_presence_frame(void *arg, struct rpc_in *in)
{
	(void)arg;
	if (in->frame.kind == CALL_sessions_changed) {
		on_sessions_changed(in);
	} else {
		answer(in, knows_gateway ? ERR_OK : ERR_NOT_FOUND, NULL, NULL,
		    0);
	}
}

static void
on_forget(uv_signal_t *handle, int signum)
{
	(void)handle;
	if (signum == SIGUSR2) {
		wants_all = true;
		printf("wants_all\n");
		fflush(stdout);
	} else {
		knows_gateway = false;
	}
}

/* ---- requests ----------------------------------------------------------- */

static uint64_t
store(int sender, const struct uuid *front, const char *content)
{
	struct message *m;

	for (uint64_t seq = 1; seq <= last_seq; seq++) {
		if (uuid_eq(&messages[seq - 1].front, front)) {
			return seq;
		}
	}
	m = &messages[last_seq++];
	m->id = uuid_v7();
	m->front = *front;
	m->sender = sender;
	m->content = mem_strdup(content);
	return last_seq;
}

static void
flood(void)
{
	char json[1200];

	snprintf(json, sizeof(json), "{\"type\":\"flood\",\"x\":\"%01000d\"}",
	    0);
	for (int i = 0; i < 1000; i++) {
		publish_text(0, EVENT_FRAME, json, 0);
		publish_text(1, EVENT_FRAME, json, 0);
	}
}

static void
publish_delayed(void)
{
	char topic[EVENT_TOPIC_USER_LEN + 1];

	if (delayed_for >= 0) {
		bus_publish(bus, event_topic_user(&people[delayed_for].id,
		    topic), delayed.data, delayed.len, NULL, NULL);
		buf_fini(&delayed);
		delayed_for = -1;
	}
}

static void
delay(uint64_t seq, int who)
{
	struct buf b = BUF_INIT;
	struct event e = { .kind = EVENT_MESSAGE, .seq = seq, .chat = chat };

	put_message(&b, seq, who, false);
	e.json = (const char *)b.data;
	e.json_len = b.len;
	put_event(&delayed, &e);
	delayed_for = who;
	buf_fini(&b);
}

static void
tell_message(const struct frame *f, int sender, uint64_t seq)
{
	const char *content = messages[seq - 1].content;
	const struct uuid nobody = { { 0 } };

	if (strcmp(content, "late") == 0) {
		delay(seq, 1 - sender);
	} else if (strcmp(content, "lose") != 0) {
		publish_message(seq, sender, &f->session);
		publish_message(seq, 1 - sender, &nobody);
		publish_delayed();
	}
	if (strcmp(content, "double") == 0) {
		publish_message(seq, 1 - sender, &nobody);
	}
	if (strcmp(content, "early") == 0) {
		publish_delivered(seq);
	}
	if (strcmp(content, "flood") == 0) {
		flood();
	}
}

static uv_timer_t early_timer;
static struct rpc_in *early_in;
static uint64_t early_seq;

static void
answer_message(struct rpc_in *in, uint64_t seq)
{
	struct buf b = BUF_INIT;

	put_message(&b, seq, messages[seq - 1].sender, false);
	answer(in, ERR_OK, &b, &chat, seq);
	buf_fini(&b);
}

static void
on_early(uv_timer_t *timer)
{
	(void)timer;
	answer_message(early_in, early_seq);
}

static void
on_send_message(struct rpc_in *in, struct json_object *obj)
{
	struct json_object *msg = NULL, *v = NULL;
	int sender = person_of(&in->frame.user);
	struct uuid front;
	const char *content;
	uint64_t seq;

	if (!json_object_object_get_ex(obj, "msg", &msg) ||
	    !json_object_object_get_ex(msg, "front_msg_id", &v) ||
	    !uuid_parse(json_object_get_string(v),
	    strlen(json_object_get_string(v)), &front)) {
		answer_text(in, ERR_INVALID_FIELD, "{\"type\":\"error\","
		    "\"reason\":\"invalid_field\"}");
		return;
	}
	json_object_object_get_ex(msg, "content", &v);
	content = json_object_get_string(v);
	seq = store(sender, &front, content);
	tell_message(&in->frame, sender, seq);
	is_secret = is_secret || strcmp(content, "secret") == 0;
	if (strcmp(content, "mute") == 0) {
		return;
	}
	if (strcmp(content, "early") == 0) {
		early_in = in;
		early_seq = seq;
		uv_timer_start(&early_timer, on_early, 100, 0);
		return;
	}
	answer_message(in, seq);
}

static void
on_create(struct rpc_in *in)
{
	const struct uuid *id = &new_chat;
	char text[UUID_TEXT_LEN + 1];
	struct buf b = BUF_INIT;

	new_chat_made = true;
	buf_printf(&b, "{\"type\":\"private_chat_created\",\"chat\":"
	    "{\"id\":\"%s\"}}", uuid_format(id, text));
	answer(in, ERR_OK, &b, id, 0);
	buf_fini(&b);
}

static void
on_read(struct rpc_in *in)
{
	char json[128];

	snprintf(json, sizeof(json), "{\"type\":\"unread_changed\","
	    "\"unread_messages\":0,\"read_upto\":%llu}",
	    (unsigned long long)in->frame.seq);
	answer_text(in, ERR_OK, json);
}

static void
on_logout(struct rpc_in *in)
{
	int who = person_of(&in->frame.user);
	const struct event e = {
		.kind = EVENT_TOKEN_ENDED,
		.token = people[who].token,
		.skip_session = in->frame.session,
	};

	people[who].logged_out = true;
	publish(who, &e);
	answer(in, ERR_OK, NULL, NULL, 0);
}

static void
on_request(struct rpc_in *in)
{
	struct json_object *obj = json_in_parse((const char *)in->frame.body,
	    in->frame.body_len);

	switch (in->frame.kind) {
	case MSG_send_message:
		on_send_message(in, obj);
		break;
	case MSG_create_private_chat:
		on_create(in);
		break;
	case MSG_chat_messages_read:
		on_read(in);
		break;
	case MSG_logout:
		on_logout(in);
		break;
	case MSG_open_chat:
		answer_text(in, ERR_INVALID_FIELD, "{\"type\":\"error\","
		    "\"reason\":\"invalid_field\"}");
		break;
	case MSG_search_people:
		answer_text(in, ERR_OK, "{\"type\":\"search_people_results\","
		    "\"search_people_results\":[]}");
		break;
	case MSG_register:
	case MSG_login:
		answer_text(in, ERR_OK, "{\"token\":\"token-ann\"}");
		break;
	default:
		answer_text(in, ERR_NOT_FOUND,
		    "{\"type\":\"error\",\"reason\":\"not_found\"}");
		break;
	}
	json_object_put(obj);
}

static void
on_frame(void *arg, struct rpc_in *in)
{
	(void)arg;
	switch (in->frame.kind) {
	case CALL_check_token:
		on_check_token(in);
		break;
	case CALL_user_info:
		on_user_info(in);
		break;
	case CALL_catch_up:
		on_catch_up(in);
		break;
	case CALL_report_delivered:
		on_report_delivered(in);
		break;
	case CALL_check_held_tokens:
		on_check_held(in);
		break;
	default:
		on_request(in);
		break;
	}
}

int
main(int argc, char **argv)
{
	uv_loop_t *loop = uv_default_loop();
	struct bus_conf conf = { .name = "stand-in", .backlog_max = 1 << 24 };
	uv_signal_t forget, refuse;

	if (argc != 4 || sodium_init() < 0) {
		fprintf(stderr,
		    "usage: stand_in_chatd CHATD PRESENCED REDIS\n");
		return 2;
	}
	chat = fixed_uuid(1);
	new_chat = fixed_uuid(2);
	for (int i = 0; i < 2; i++) {
		struct person *p = &people[i];

		p->id = fixed_uuid((uint8_t)(10 + i));
		p->token = fixed_uuid((uint8_t)(20 + i));
		crypto_hash_sha256(p->hash,
		    (const unsigned char *)p->token_text,
		    strlen(p->token_text));
	}
	uv_timer_init(loop, &early_timer);
	uv_signal_init(loop, &forget);
	uv_signal_start(&forget, on_forget, SIGUSR1);
	uv_signal_init(loop, &refuse);
	uv_signal_start(&refuse, on_forget, SIGUSR2);
	conf.url = argv[3];
	bus = bus_new(loop, &conf);
	if (bus == NULL ||
	    rpc_server_new(loop, argv[1], 10000, on_frame, NULL) == NULL ||
	    rpc_server_new(loop, argv[2], 10000, on_presence_frame, NULL) ==
	    NULL) {
		return 1;
	}
	return uv_run(loop, UV_RUN_DEFAULT);
}
