/*
 * A chatd that stores nothing: it takes any token, numbers the messages of each
 * chat, and answers at once with frames of the right form and a usual size. The
 * users and chats of a world (bench/load/world.h) it knows by arithmetic; who
 * comes with another token is a user without chats. With --redis a message is
 * published to its chat's members, as chatd does.
 *
 * It reads no more of a frame than what it answers with, and trusts the load
 * client that wrote it, so that little of the core it shares with that one goes
 * into it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sodium.h>
#include <string.h>

#include "bench/alone/alone.h"
#include "bench/alone/serve.h"
#include "common/bus.h"
#include "common/calls.h"
#include "common/clock.h"
#include "common/error_frame.h"
#include "common/json_out.h"
#include "common/map.h"
#include "common/mem.h"

#define DAY_MS INT64_C(86400000)
#define BACKLOG_MAX (64u << 20)
#define AVATAR "http://localhost:8080/default-avatar.svg"

struct chat {
	uint64_t last_seq;
};

static struct map users;  /* by the first half of their token's hash */
static struct map chats;  /* struct chat, made when first written to */
static struct bus *bus;   /* NULL: no --redis */
static struct buf body;   /* of the answer being made */

/* ---- the world ------------------------------------------------------------ */

static struct uuid
half(const uint8_t *bytes)
{
	struct uuid id;

	memcpy(id.b, bytes, sizeof(id.b));
	return id;
}

static void
know_users(void)
{
	uint8_t hash[TOKEN_HASH_LEN];
	char token[WORLD_TOKEN_LEN + 1];

	for (uint32_t i = 0; i < options.world.users; i++) {
		struct uuid key;

		world_token(options.world.number, i, token);
		crypto_hash_sha256(hash, (const unsigned char *)token,
		    strlen(token));
		key = half(hash);
		map_put(&users, &key, (void *)(uintptr_t)(i + 1));
	}
}

static struct chat *
chat_of(const struct uuid *id)
{
	struct chat *chat = map_get(&chats, id);

	if (chat == NULL) {
		chat = mem_zalloc(sizeof(*chat));
		map_put(&chats, id, chat);
	}
	return chat;
}

/* The `i`th chat of a user: those with the next ones, then with the previous
 * ones of the ring. */
static struct uuid
chat_at(uint32_t user, uint32_t i)
{
	uint32_t n = options.world.users, half_count =
	    options.world.chats_each / 2;
	uint32_t step = half_count == 0 ? 0 : 1 + i % half_count;
	uint32_t first = i < half_count || half_count == 0 ? user :
	    (user + n - step) % n;
	char text[UUID_TEXT_LEN + 1];
	struct uuid id = { { 0 } };

	world_private_chat(options.world.number, first, step, text);
	(void)!uuid_parse(text, UUID_TEXT_LEN, &id);
	return id;
}

/* ---- calls ---------------------------------------------------------------- */

static void
on_check_token(struct rpc_in *in)
{
	struct rpc_out out = { .status = ERR_OK };
	struct uuid key;
	uintptr_t number;

	if (in->frame.body_len != TOKEN_HASH_LEN) {
		stand_in_answer(in, ERR_TOKEN_UNKNOWN, NULL);
		return;
	}
	key = half(in->frame.body);
	number = (uintptr_t)map_get(&users, &key);
	out.user = number > 0 ? world_user(options.world.number,
	    (uint32_t)number - 1) : key;
	out.token = half(in->frame.body + sizeof(key.b));
	out.seq = (uint64_t)(clock_unix_ms() + DAY_MS);
	rpc_reply(in, &out);
}

static void
put_chat_face(struct json_out *j, const struct uuid *id)
{
	json_key_uuid(j, "id", id);
	json_key_str(j, "type", "private");
	json_key_str(j, "name", "Bench");
	json_key_str(j, "avatar_url", AVATAR);
	json_key_str(j, "status", "Online");
	json_key_int(j, "unread_messages", 0);
}

static void
put_chat_item(struct json_out *j, const struct uuid *id)
{
	json_obj(j);
	put_chat_face(j, id);
	json_key_uuid(j, "other_user_id", id);
	json_key_null(j, "last_message");
	json_obj_end(j);
}

static void
put_snapshot(struct buf *b, const struct uuid *user, uint32_t index,
    uint32_t count)
{
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	json_key_str(&j, "type", "user_info");
	json_key_obj(&j, "user");
	json_key_uuid(&j, "id", user);
	json_key_str(&j, "username", "bench");
	json_key_str(&j, "name", "Bench");
	json_key_str(&j, "email", "bench@bench.test");
	json_key_str(&j, "avatar_url", AVATAR);
	json_key_null(&j, "last_seen_at");
	json_obj_end(&j);
	json_key_arr(&j, "last_chats");
	for (uint32_t i = 0; i < count; i++) {
		const struct uuid id = chat_at(index, i);

		put_chat_item(&j, &id);
	}
	json_arr_end(&j);
	json_obj_end(&j);
}

static void
on_user_info(struct rpc_in *in)
{
	uint32_t index = 0;
	uint32_t count = world_user_index(options.world.number,
	    &in->frame.user, &index) ? options.world.chats_each : 0;
	struct buf json = BUF_INIT;

	buf_put_u32(&body, count);
	for (uint32_t i = 0; i < count; i++) {
		struct chat_mark m = { .chat = chat_at(index, i) };

		m.last_seq = m.delivered_seq = chat_of(&m.chat)->last_seq;
		put_chat_mark(&body, &m);
	}
	put_snapshot(&json, &in->frame.user, index, count);
	buf_put_blob(&body, json.data, json.len);
	buf_fini(&json);
	stand_in_answer(in, ERR_OK, &body);
}

static void
on_catch_up(struct rpc_in *in)
{
	buf_put_u8(&body, 0);
	buf_put_u32(&body, 0);
	stand_in_answer(in, ERR_OK, &body);
}

static void
on_check_held(struct rpc_in *in)
{
	struct rd r;
	uint32_t count;

	rd_init(&r, in->frame.body, in->frame.body_len);
	count = rd_u32(&r);
	buf_put_u32(&body, count);
	while (count-- > 0) {
		buf_put_u64(&body, (uint64_t)(clock_unix_ms() + DAY_MS));
	}
	stand_in_answer(in, ERR_OK, &body);
}

/* ---- messages ------------------------------------------------------------- */

struct text {
	const char *p;
	size_t len;
};

/* What stands between the quotes behind `key`, as it is in the frame. */
static struct text
find_text(const struct frame *f, const char *key)
{
	const char *end = (const char *)f->body + f->body_len;
	const char *p = memmem(f->body, f->body_len, key, strlen(key));
	const char *quote;

	if (p == NULL) {
		return (struct text){ NULL, 0 };
	}
	p += strlen(key);
	quote = p;
	while (quote < end && *quote != '"') {
		quote += *quote == '\\' ? 2 : 1;
	}
	return quote < end ? (struct text){ p, (size_t)(quote - p) } :
	    (struct text){ NULL, 0 };
}

struct sent {
	struct uuid id;
	struct uuid chat;
	uint64_t seq;
	struct text content;
	struct text front;
};

static void
put_quoted(struct json_out *j, const char *key, struct text t)
{
	json_key(j, key);
	json_raw(j, t.p - 1, t.len + 2); /* with its quotes */
}

static void
put_message(struct buf *b, const struct sent *m, const struct uuid *sender,
    bool own)
{
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	json_key_str(&j, "type", "new_message");
	json_key_obj(&j, "message");
	json_key_uuid(&j, "id", &m->id);
	put_quoted(&j, "content", m->content);
	json_key_uuid(&j, "user_id", sender);
	json_key_uuid(&j, "chat_id", &m->chat);
	json_key_str(&j, "state", "sent");
	json_key_str(&j, "format", "text");
	json_key_null(&j, "filename");
	json_key_null(&j, "deleted_at");
	json_key_time(&j, "time", clock_unix_ms());
	json_key_str(&j, "avatar_url", AVATAR);
	json_key_str(&j, "type", own ? "outgoing" : "incoming");
	json_key_str(&j, "sender_name", "Bench");
	json_key_int(&j, "seq", (int64_t)m->seq);
	json_key_null(&j, "updated_at");
	if (own) {
		put_quoted(&j, "front_msg_id", m->front);
	} else {
		json_key_null(&j, "front_msg_id");
	}
	json_obj_end(&j);
	json_obj_end(&j);
}

static void
publish(const struct rpc_in *in, const struct sent *m, const struct uuid *to)
{
	bool own = uuid_eq(to, &in->frame.user);
	char topic[EVENT_TOPIC_USER_LEN + 1];
	struct buf json = BUF_INIT, event = BUF_INIT;
	struct event e = {
		.kind = EVENT_MESSAGE,
		.trace = in->frame.trace,
		.seq = m->seq,
		.chat = m->chat,
	};

	if (own) {
		e.skip_session = in->frame.session;
	}
	put_message(&json, m, &in->frame.user, own);
	e.json = (const char *)json.data;
	e.json_len = json.len;
	put_event(&event, &e);
	bus_publish(bus, event_topic_user(to, topic), event.data, event.len,
	    NULL, NULL);
	buf_fini(&json);
	buf_fini(&event);
}

static void
publish_to_members(const struct rpc_in *in, const struct sent *m)
{
	struct uuid members[2];

	if (world_members(&options.world, &m->chat, members)) {
		publish(in, m, &members[0]);
		publish(in, m, &members[1]);
	}
}

static void
answer_error(struct rpc_in *in, const char *request, enum err reason)
{
	const struct error_frame e = { .request = request, .reason = reason };

	error_frame_put(&body, &e);
	stand_in_answer(in, reason, &body);
}

static void
on_send_message(struct rpc_in *in)
{
	struct sent m = {
		.id = uuid_v7(),
		.chat = in->frame.chat,
		.content = find_text(&in->frame, "\"content\":\""),
		.front = find_text(&in->frame, "\"front_msg_id\":\""),
	};
	struct rpc_out out = { .status = ERR_OK, .chat = in->frame.chat };

	if (m.content.p == NULL || m.front.p == NULL) {
		answer_error(in, "send_message", ERR_INVALID_FIELD);
		return;
	}
	out.seq = m.seq = ++chat_of(&m.chat)->last_seq;
	if (bus != NULL) {
		publish_to_members(in, &m);
	}
	put_message(&body, &m, &in->frame.user, true);
	out.body = body.data;
	out.body_len = body.len;
	rpc_reply(in, &out);
}

/* ---- other requests ------------------------------------------------------- */

static void
put_pages(struct json_out *j, const char *type)
{
	json_obj(j);
	json_key_str(j, "type", type);
}

static void
on_open_chat(struct rpc_in *in)
{
	struct rpc_out out = { .status = ERR_OK, .chat = in->frame.chat };
	struct json_out j;

	out.seq = chat_of(&in->frame.chat)->last_seq;
	json_out_init(&j, &body);
	put_pages(&j, "chat_info");
	json_key_obj(&j, "chat");
	put_chat_face(&j, &in->frame.chat);
	json_key_arr(&j, "messages");
	json_arr_end(&j);
	json_key_arr(&j, "members");
	json_arr_end(&j);
	json_key_int(&j, "last_seq", (int64_t)out.seq);
	json_key_bool(&j, "has_more", false);
	json_obj_end(&j);
	json_obj_end(&j);
	out.body = body.data;
	out.body_len = body.len;
	rpc_reply(in, &out);
}

static void
on_get_messages(struct rpc_in *in)
{
	struct json_out j;

	json_out_init(&j, &body);
	put_pages(&j, "chat_messages");
	json_key_uuid(&j, "chat_id", &in->frame.chat);
	json_key_arr(&j, "messages");
	json_arr_end(&j);
	json_key_bool(&j, "has_more", false);
	json_obj_end(&j);
	stand_in_answer(in, ERR_OK, &body);
}

static void
on_read(struct rpc_in *in)
{
	struct json_out j;

	json_out_init(&j, &body);
	put_pages(&j, "unread_changed");
	json_key_uuid(&j, "chat_id", &in->frame.chat);
	json_key_int(&j, "unread_messages", 0);
	json_obj_end(&j);
	stand_in_answer(in, ERR_OK, &body);
}

/* An answer that is an empty list under a key of its own name. */
static void
answer_none(struct rpc_in *in, const char *type)
{
	struct json_out j;

	json_out_init(&j, &body);
	put_pages(&j, type);
	json_key_arr(&j, type);
	json_arr_end(&j);
	json_obj_end(&j);
	stand_in_answer(in, ERR_OK, &body);
}

static void
on_request(struct rpc_in *in)
{
	const struct contract_row *row = contract_row(in->frame.kind);

	switch (in->frame.kind) {
	case MSG_send_message:
		on_send_message(in);
		break;
	case MSG_open_chat:
		on_open_chat(in);
		break;
	case MSG_get_messages:
		on_get_messages(in);
		break;
	case MSG_chat_messages_read:
		on_read(in);
		break;
	case MSG_get_contacts:
		answer_none(in, "contacts");
		break;
	case MSG_search_people:
		answer_none(in, "search_people_results");
		break;
	case MSG_typing:
	case MSG_sync:
		buf_put_u32(&body, 0); /* no frames */
		stand_in_answer(in, ERR_OK, &body);
		break;
	default:
		answer_error(in, row != NULL ? row->name : NULL,
		    ERR_NOT_FOUND);
		break;
	}
}

static void
on_frame(void *arg, struct rpc_in *in)
{
	(void)arg;
	buf_reset(&body);
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
	case CALL_check_held_tokens:
		on_check_held(in);
		break;
	case CALL_report_delivered:
	case CALL_presence_changed:
	case MSG_logout:
		stand_in_answer(in, ERR_OK, NULL);
		break;
	default:
		on_request(in);
		break;
	}
}

int
serve_chatd(uv_loop_t *loop)
{
	const struct bus_conf conf = {
		.url = setup.redis,
		.name = "parley-stand-in",
		.backlog_max = BACKLOG_MAX,
	};
	struct chat *chat;
	size_t cursor = 0;
	int status;

	map_init(&users);
	map_init(&chats);
	buf_init(&body);
	know_users();
	if (setup.redis != NULL) {
		bus = bus_new(loop, &conf);
		if (bus == NULL) {
			return 1;
		}
	}
	status = stand_in_serve(loop, setup.address, on_frame);
	bus_free(&bus);
	while ((chat = map_next(&chats, &cursor, NULL)) != NULL) {
		free(chat);
	}
	map_fini(&chats);
	map_fini(&users);
	buf_fini(&body);
	return status;
}
