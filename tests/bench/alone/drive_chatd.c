/*
 * A gateway in front of a chatd: sessions of the world's users, each with one
 * request in flight, as a connection's are. Their tokens are checked first, as
 * a gateway does, since an envelope carries what that tells.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/alone/alone.h"
#include "common/attr.h"
#include "common/calls.h"
#include "common/mem.h"

struct session {
	uint32_t index;
	uint32_t turn;
	struct uuid user;
	struct uuid token;
	struct uuid session;
	uint8_t hash[TOKEN_HASH_LEN];
	uint64_t sent_ns;
};

struct kind {
	const char *name;
	enum msg_kind kind;
	bool of_chat;
	/* Prints the body. */
	void (*body)(struct buf *b, struct session *s, const char *chat);
};

static struct rpc_client *chatd;
static struct session *sessions;
static uint32_t unchecked;
static const struct kind *kind;
static struct buf body; /* of the request being made */

/* ---- what is asked -------------------------------------------------------- */

static void
put_send(struct buf *b, struct session *s, const char *chat)
{
	static struct uuid id;
	static uint64_t count;
	char front[UUID_TEXT_LEN + 1];

	(void)s;
	if (count++ == 0) {
		id = uuid_v4();
	}
	memcpy(&id.b[8], &count, sizeof(count));
	buf_printf(b, "{\"type\":\"send_message\",\"msg\":{\"chat_id\":\"%s\","
	    "\"front_msg_id\":\"%s\",\"format\":\"text\",\"content\":\"", chat,
	    uuid_format(&id, front));
	memset(buf_reserve(b, options.size), 'x', options.size);
	b->len += options.size;
	buf_puts(b, "\"}}");
}

static void
put_of_chat(struct buf *b, struct session *s, const char *chat)
{
	(void)s;
	buf_printf(b, "{\"type\":\"%s\",\"chat_id\":\"%s\"}", kind->name,
	    chat);
}

static void
put_bare(struct buf *b, struct session *s, const char *chat)
{
	(void)s;
	(void)chat;
	buf_printf(b, "{\"type\":\"%s\"}", kind->name);
}

static void
put_hash(struct buf *b, struct session *s, const char *chat)
{
	(void)chat;
	buf_put(b, s->hash, sizeof(s->hash));
}

static void
put_nothing(struct buf *b, struct session *s, const char *chat)
{
	(void)b;
	(void)s;
	(void)chat;
}

static const struct kind kinds[] = {
	{ "send_message", MSG_send_message, true, put_send },
	{ "open_chat", MSG_open_chat, true, put_of_chat },
	{ "get_messages", MSG_get_messages, true, put_of_chat },
	{ "get_contacts", MSG_get_contacts, false, put_bare },
	{ "user_info", CALL_user_info, false, put_nothing },
	{ "check_token", CALL_check_token, false, put_hash },
};

/* ---- asking --------------------------------------------------------------- */

static void ask(struct session *s);

static void
on_answer(void *arg, enum err status, const struct frame *reply)
{
	struct session *s = arg;

	(void)reply;
	drive_answered(s->sent_ns, status, 1);
	if (sending) {
		ask(s);
	}
}

static void
ask(struct session *s)
{
	char chat[UUID_TEXT_LEN + 1];
	uint32_t steps = options.world.chats_each / 2;
	struct rpc_request req = {
		.kind = kind->kind,
		.route = s->user,
		.trace = ++s->turn,
		.user = s->user,
		.session = s->session,
		.token = s->token,
	};

	world_private_chat(options.world.number, s->index, steps == 0 ? 0 :
	    1 + s->turn % steps, chat);
	if (kind->of_chat && uuid_parse(chat, UUID_TEXT_LEN, &req.chat)) {
		req.route = req.chat;
	}
	buf_reset(&body);
	kind->body(&body, s, chat);
	req.body = body.data;
	req.body_len = body.len;
	s->sent_ns = now_ns();
	rpc_call(chatd, &req, on_answer, s);
}

static void
begin(void)
{
	for (uint32_t i = 0; i < options.connections; i++) {
		ask(&sessions[i]);
	}
}

/* ---- making ready --------------------------------------------------------- */

static void
on_checked(void *arg, enum err status, const struct frame *reply)
{
	struct session *s = arg;

	if (status != ERR_OK) {
		fprintf(stderr, "parley-stand-in: chatd does not know the "
		    "world's tokens (status %d): give --database, or the "
		    "--world that was made\n", (int)status);
		exit(1);
	}
	s->user = reply->user;
	s->token = reply->token;
	if (--unchecked == 0) {
		drive_begin();
	}
}

static void
check_token(struct session *s)
{
	char token[WORLD_TOKEN_LEN + 1];
	struct rpc_request req = {
		.kind = CALL_check_token,
		.body = s->hash,
		.body_len = sizeof(s->hash),
	};

	world_token(options.world.number, s->index, token);
	crypto_hash_sha256(s->hash, (const unsigned char *)token,
	    strlen(token));
	memcpy(req.route.b, s->hash, sizeof(req.route.b));
	s->session = uuid_v7();
	req.session = s->session;
	rpc_call(chatd, &req, on_checked, s);
}

static void
prepare(struct rpc_client *peer)
{
	chatd = peer;
	unchecked = options.connections;
	for (uint32_t i = 0; i < options.connections; i++) {
		sessions[i].index = i;
		check_token(&sessions[i]);
	}
}

int
drive_chatd(uv_loop_t *loop)
{
	static const struct drive d = { "gateway-chatd", "chatd", prepare,
		begin };
	int status;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].name, options.request) == 0) {
			kind = &kinds[i];
		}
	}
	if (kind == NULL) {
		fprintf(stderr, "parley-stand-in: no request \"%s\": see "
		    "--help\n", options.request);
		return 2;
	}
	if (options.database != NULL) {
		world_create(&options.world, options.database);
	}
	sessions = mem_zalloc(options.connections * sizeof(*sessions));
	buf_init(&body);
	status = drive_run(loop, &d);
	buf_fini(&body);
	free(sessions);
	return status;
}
