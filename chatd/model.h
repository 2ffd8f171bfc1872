/*
 * Rows as chatd's own structs: what stores read and views print. Texts are
 * borrowed from the database result they were read from.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_MODEL_H
#define CHATD_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "chatd/text.h"
#include "common/contract.h"
#include "common/uuid.h"

/* Someone as one viewer sees them. */
struct person {
	struct uuid id;
	struct text username;
	struct text name;
	struct text avatar_url;
	struct text nickname;  /* the viewer's for them */
	bool is_contact;       /* of the viewer */
	int64_t added_at;      /* to the viewer's contacts */
	int64_t last_seen_at;  /* -1: never */
};

enum member_role {
	ROLE_MEMBER = 0,
	ROLE_ADMIN = 1,
};

struct member {
	struct person person;
	enum member_role role;
	int64_t last_read_at;  /* -1: never */
	int64_t delivered_seq;
	int64_t read_seq;
};

struct message {
	struct uuid id;
	struct uuid chat_id;
	struct uuid sender_id;
	struct uuid front_msg_id;
	int64_t seq;
	enum message_format format;
	struct text content;
	struct text filename;
	int64_t created_at;
	int64_t updated_at;    /* -1: never */
	int64_t deleted_at;    /* -1: not */
	struct person sender;  /* as the viewer sees them; no id, no times */
};

enum message_state {
	STATE_SENT = 0, /* as chat_items tells them */
	STATE_DELIVERED = 1,
	STATE_READ = 2,
};

enum chat_kind {
	CHAT_PRIVATE = 0,
	CHAT_GROUP = 1,
};

/* A chat in one member's list. */
struct chat_item {
	struct uuid id;
	enum chat_kind kind;
	struct text name;        /* groups */
	struct text description; /* groups */
	struct text avatar_url;  /* groups */
	int64_t active_at;       /* the last message, or the chat's making */
	int64_t last_seq;
	int64_t joined_seq;      /* this member's marks */
	int64_t delivered_seq;
	int64_t read_seq;
	int64_t own_unread;
	struct person other;     /* private chats: the other, or oneself */
	bool founder;            /* in it since it was made */
	uint32_t version;        /* groups: changes so far */
	bool has_last;
	struct message last;     /* content cut */
	enum message_state last_state;
};

/* What of the chat the member has not read; own messages never count. */
static inline int64_t
chat_item_unread(const struct chat_item *c)
{
	int64_t n = c->last_seq - c->read_seq - c->own_unread;

	return n > 0 ? n : 0;
}

/* What the viewer calls them: own nickname, else name, else username. */
static inline struct text
person_display(const struct person *p)
{
	if (p->nickname.len > 0) {
		return p->nickname;
	}
	return p->name.len > 0 ? p->name : p->username;
}

#endif
