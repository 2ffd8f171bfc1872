/*
 * Sends and receipts. Both go as arrays: a batch is the same few statements
 * whether it holds one row or hundreds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/store_messages.h"

#include <stdlib.h>
#include <string.h>

#include "chatd/store_chats.h"
#include "common/mem.h"

/* Seqs of one chat looked at for announcing, in one transaction. */
#define ANNOUNCE_MAX 5000

enum send_step {
	SEND_LOCK,
	SEND_STORED,
	SEND_RECIPIENTS,
	SEND_NICKNAMES,
};

/* ---- sends --------------------------------------------------------------- */

/* The columns of a batch. */
struct send_columns {
	size_t n;
	struct uuid *id, *chat, *sender, *front;
	int16_t *format;
	struct text *content, *filename;
};

static void
columns_init(struct send_columns *c, const struct send_row *rows, size_t n)
{
	c->n = n;
	c->id = mem_alloc(n * sizeof(*c->id));
	c->chat = mem_alloc(n * sizeof(*c->chat));
	c->sender = mem_alloc(n * sizeof(*c->sender));
	c->front = mem_alloc(n * sizeof(*c->front));
	c->format = mem_alloc(n * sizeof(*c->format));
	c->content = mem_alloc(n * sizeof(*c->content));
	c->filename = mem_alloc(n * sizeof(*c->filename));
	for (size_t i = 0; i < n; i++) {
		c->id[i] = rows[i].id;
		c->chat[i] = rows[i].chat_id;
		c->sender[i] = rows[i].sender_id;
		c->front[i] = rows[i].front_msg_id;
		c->format[i] = (int16_t)rows[i].format;
		c->content[i] = rows[i].content;
		c->filename[i] = rows[i].filename;
	}
}

static void
columns_fini(struct send_columns *c)
{
	free(c->id);
	free(c->chat);
	free(c->sender);
	free(c->front);
	free(c->format);
	free(c->content);
	free(c->filename);
}

static void
insert_step(struct db_unit *u, const struct send_columns *c)
{
	db_step(u, SQL_messages_insert);
	db_put_uuids(u, c->id, c->n);
	db_put_uuids(u, c->chat, c->n);
	db_put_uuids(u, c->sender, c->n);
	db_put_uuids(u, c->front, c->n);
	db_put_i16s(u, c->format, c->n);
	db_put_texts(u, c->content, c->n);
	db_put_texts(u, c->filename, c->n);
}

void
store_send_steps(struct db_unit *u, const struct send_row *rows, size_t n)
{
	struct send_columns c;
	struct uuid *chats = mem_alloc(n * sizeof(*chats));
	size_t chat_count;

	columns_init(&c, rows, n);
	memcpy(chats, c.chat, n * sizeof(*chats));
	chat_count = uuid_distinct(chats, n);
	store_chats_lock_step(u, chats, chat_count);
	insert_step(u, &c);
	db_step(u, SQL_messages_recipients);
	db_put_uuids(u, chats, chat_count);
	db_step(u, SQL_messages_nicknames);
	db_put_uuids(u, c.chat, n);
	db_put_uuids(u, c.sender, n);
	columns_fini(&c);
	free(chats);
}

size_t
store_stored_count(const struct db_result *r)
{
	return db_rows(r, SEND_STORED);
}

void
store_stored_read(const struct db_result *r, size_t i,
    const struct send_row *sends, struct stored_row *s)
{
	struct db_row row = db_row(r, SEND_STORED, i);
	struct message *m = &s->message;
	const struct send_row *send;

	memset(s, 0, sizeof(*s));
	s->send = (size_t)db_get_int(&row) - 1;
	send = &sends[s->send];
	s->fresh = db_get_bool(&row);
	m->id = db_get_uuid(&row);
	m->chat_id = db_get_uuid(&row);
	m->sender_id = send->sender_id;
	m->front_msg_id = send->front_msg_id;
	m->seq = db_get_int(&row);
	m->created_at = db_get_time(&row);
	m->updated_at = db_get_time(&row);
	m->deleted_at = db_get_time(&row);
	m->format = (enum message_format)db_get_int(&row);
	m->content = db_get_text(&row);
	if (s->fresh) {
		m->content = send->content;
	}
	m->filename = db_get_text(&row);
	m->sender.username = db_get_text(&row);
	m->sender.name = db_get_text(&row);
	m->sender.avatar_url = db_get_text(&row);
}

size_t
store_recipient_count(const struct db_result *r)
{
	return db_rows(r, SEND_RECIPIENTS);
}

void
store_recipient_read(const struct db_result *r, size_t i,
    struct recipient *x)
{
	struct db_row row = db_row(r, SEND_RECIPIENTS, i);

	x->chat_id = db_get_uuid(&row);
	x->user_id = db_get_uuid(&row);
	x->joined_seq = db_get_int(&row);
	x->delivered_seq = db_get_int(&row);
	x->read_seq = db_get_int(&row);
}

size_t
store_nickname_count(const struct db_result *r)
{
	return db_rows(r, SEND_NICKNAMES);
}

void
store_nickname_read(const struct db_result *r, size_t i, struct nickname *k)
{
	struct db_row row = db_row(r, SEND_NICKNAMES, i);

	k->owner_id = db_get_uuid(&row);
	k->user_id = db_get_uuid(&row);
	k->nickname = db_get_text(&row);
}

/* ---- receipts ------------------------------------------------------------ */

void
store_announce_step(struct db_unit *u, const struct uuid *chats, size_t n)
{
	db_step(u, SQL_receipts_announce);
	db_put_uuids(u, chats, n);
	db_put_i64(u, ANNOUNCE_MAX);
}

void
store_receipt_steps(struct db_unit *u, const struct receipt_row *rows,
    size_t n)
{
	struct uuid *chats = mem_alloc(n * sizeof(*chats));
	struct uuid *users = mem_alloc(n * sizeof(*users));
	int64_t *upto = mem_alloc(n * sizeof(*upto));
	struct uuid *each = mem_alloc(n * sizeof(*each));
	size_t each_n;

	for (size_t i = 0; i < n; i++) {
		chats[i] = rows[i].chat_id;
		users[i] = rows[i].user_id;
		upto[i] = rows[i].upto;
	}
	memcpy(each, chats, n * sizeof(*each));
	each_n = uuid_distinct(each, n);
	store_chats_lock_step(u, each, each_n);
	db_step(u, SQL_receipts_apply);
	db_put_uuids(u, chats, n);
	db_put_uuids(u, users, n);
	db_put_i64s(u, upto, n);
	store_announce_step(u, each, each_n);
	free(chats);
	free(users);
	free(upto);
	free(each);
}

void
store_announced_row(const struct db_result *r, unsigned step, size_t i,
    struct announced *a)
{
	struct db_row row = db_row(r, step, i);

	a->chat_id = db_get_uuid(&row);
	a->more = db_get_bool(&row);
	a->sender_id = db_get_uuid(&row);
	a->seq = db_get_int(&row);
	a->id = db_get_uuid(&row);
}

/* ---- reads --------------------------------------------------------------- */

void
store_read_steps(struct db_unit *u, const struct uuid *chat,
    const struct uuid *reader, int64_t upto)
{
	store_chats_lock_step(u, chat, 1);
	db_step(u, SQL_chat_read_apply);
	db_put_uuid(u, chat);
	db_put_uuid(u, reader);
	db_put_i64(u, upto);
	store_announce_step(u, chat, 1);
	db_step(u, SQL_chat_others);
	db_put_uuid(u, chat);
	db_put_uuid(u, reader);
}

bool
store_read_moved(const struct db_result *r, struct read_moved *m)
{
	struct db_row row;

	if (db_rows(r, STORE_READ_MOVED) == 0) {
		return false;
	}
	row = db_row(r, STORE_READ_MOVED, 0);
	m->upto = db_get_int(&row);
	m->unread_before = db_get_int(&row);
	m->unread_after = db_get_int(&row);
	return true;
}

struct uuid
store_other_read(const struct db_result *r, size_t i)
{
	struct db_row row = db_row(r, STORE_READ_OTHERS, i);

	return db_get_uuid(&row);
}
