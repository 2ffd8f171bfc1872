/*
 * Sends and receipts in the database.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_STORE_MESSAGES_H
#define CHATD_STORE_MESSAGES_H

#include "chatd/db.h"
#include "chatd/model.h"

/* ---- a batch of sends ---------------------------------------------------- */

struct send_row {
	struct uuid id;        /* the message's, made beforehand */
	struct uuid chat_id;
	struct uuid sender_id;
	struct uuid front_msg_id;
	enum message_format format;
	struct text content;
	struct text filename;
};

/* What became of a send. */
struct stored_row {
	size_t send;           /* its place in the batch */
	bool fresh;            /* false: repeated; the first message */
	struct message message; /* if fresh: the send's content */
};

struct recipient {
	struct uuid chat_id;
	struct uuid user_id;
	int64_t joined_seq;
	int64_t delivered_seq;
	int64_t read_seq;
};

struct nickname {
	struct uuid owner_id;
	struct uuid user_id;
	struct text nickname;
};

/* All the steps of a batch, the chats' locks first. */
void store_send_steps(struct db_unit *u, const struct send_row *rows,
    size_t n);
/* Of a send that is not among them the sender is no member. */
size_t store_stored_count(const struct db_result *r);
void store_stored_read(const struct db_result *r, size_t row,
    const struct send_row *sends, struct stored_row *s_r);
/* By chat and user. */
size_t store_recipient_count(const struct db_result *r);
void store_recipient_read(const struct db_result *r, size_t row,
    struct recipient *x_r);
/* By owner and user. */
size_t store_nickname_count(const struct db_result *r);
void store_nickname_read(const struct db_result *r, size_t row,
    struct nickname *k_r);

/* ---- receipts ------------------------------------------------------------ */

struct receipt_row {
	struct uuid chat_id;
	struct uuid user_id; /* nil: only see what is to be announced */
	int64_t upto;
};

/* A message that has become delivered. */
struct announced {
	struct uuid chat_id;
	bool more;             /* of this chat not all was looked at yet */
	struct uuid sender_id;
	int64_t seq;
	struct uuid id;        /* nil: none of this chat */
};

/* Finds what has become delivered in these chats (their locks are held). */
void store_announce_step(struct db_unit *u, const struct uuid *chats,
    size_t n);
void store_receipt_steps(struct db_unit *u, const struct receipt_row *rows,
    size_t n);
/* The last of store_receipt_steps' steps. */
#define STORE_RECEIPT_ANNOUNCED 2
/* By chat, sender and seq. */
void store_announced_row(const struct db_result *r, unsigned step, size_t row,
    struct announced *a_r);

/* A read of one chat: locks, moves the reader's marks, finds what thereby
 * became delivered, and who else is in the chat. */
void store_read_steps(struct db_unit *u, const struct uuid *chat,
    const struct uuid *reader, int64_t upto);
enum store_read_step {
	STORE_READ_LOCK,
	STORE_READ_MOVED,
	STORE_READ_ANNOUNCED, /* rows of store_announced_row */
	STORE_READ_OTHERS,    /* rows of store_other_read */
};
struct read_moved {
	int64_t upto;
	int64_t unread_before;
	int64_t unread_after;
};
/* False: no member. */
bool store_read_moved(const struct db_result *r, struct read_moved *m_r);
struct uuid store_other_read(const struct db_result *r, size_t row);

#endif
