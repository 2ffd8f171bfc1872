/*
 * Bodies of calls and events: one put and one get each, in the same order of
 * fields. See calls.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "common/calls.h"

#define EVENT_VERSION 2

void
put_chat_mark(struct buf *b, const struct chat_mark *m)
{
	buf_put_uuid(b, &m->chat);
	buf_put_u64(b, m->last_seq);
	buf_put_u64(b, m->delivered_seq);
	buf_put_u32(b, m->version);
}

void
get_chat_mark(struct rd *r, struct chat_mark *m)
{
	m->chat = rd_uuid(r);
	m->last_seq = rd_u64(r);
	m->delivered_seq = rd_u64(r);
	m->version = rd_u32(r);
}

void
put_catch_up_head(struct buf *b, const struct catch_up_head *h)
{
	buf_put_u8(b, h->all_chats);
	buf_put_u32(b, h->away_ms);
}

void
get_catch_up_head(struct rd *r, struct catch_up_head *h)
{
	h->all_chats = rd_u8(r) != 0;
	h->away_ms = rd_u32(r);
}

void
put_chat_known(struct buf *b, const struct chat_known *k)
{
	buf_put_uuid(b, &k->chat);
	buf_put_u64(b, k->after_seq);
	buf_put_u32(b, k->version);
	buf_put_u8(b, k->known);
}

void
get_chat_known(struct rd *r, struct chat_known *k)
{
	k->chat = rd_uuid(r);
	k->after_seq = rd_u64(r);
	k->version = rd_u32(r);
	k->known = rd_u8(r) != 0;
}

void
put_catch_up_part(struct buf *b, const struct catch_up_part *p)
{
	buf_put_u8(b, (uint8_t)p->kind);
	buf_put_uuid(b, &p->chat);
	buf_put_u64(b, p->seq);
	buf_put_u32(b, p->version);
	buf_put_blob(b, p->json, p->json_len);
}

void
get_catch_up_part(struct rd *r, struct catch_up_part *p)
{
	p->kind = (enum catch_up_kind)rd_u8(r);
	p->chat = rd_uuid(r);
	p->seq = rd_u64(r);
	p->version = rd_u32(r);
	p->json = (const char *)rd_blob(r, &p->json_len);
}

void
put_delivered_mark(struct buf *b, const struct delivered_mark *m)
{
	buf_put_uuid(b, &m->user);
	buf_put_u64(b, m->upto);
}

void
get_delivered_mark(struct rd *r, struct delivered_mark *m)
{
	m->user = rd_uuid(r);
	m->upto = rd_u64(r);
}

void
put_session_head(struct buf *b, const struct session_head *h)
{
	buf_put_uuid(b, &h->gateway);
	buf_put_u8(b, h->complete);
}

void
get_session_head(struct rd *r, struct session_head *h)
{
	h->gateway = rd_uuid(r);
	h->complete = rd_u8(r) != 0;
}

void
put_session_change(struct buf *b, const struct session_change *c)
{
	buf_put_u8(b, (uint8_t)c->op);
	buf_put_uuid(b, &c->user);
	buf_put_uuid(b, &c->session);
}

void
get_session_change(struct rd *r, struct session_change *c)
{
	c->op = (enum session_op)rd_u8(r);
	c->user = rd_uuid(r);
	c->session = rd_uuid(r);
}

void
put_presence_change(struct buf *b, const struct presence_change *c)
{
	buf_put_uuid(b, &c->user);
	buf_put_u8(b, c->online);
	buf_put_u64(b, (uint64_t)c->at_ms);
	buf_put_u64(b, c->version);
}

void
get_presence_change(struct rd *r, struct presence_change *c)
{
	c->user = rd_uuid(r);
	c->online = rd_u8(r) != 0;
	c->at_ms = (int64_t)rd_u64(r);
	c->version = rd_u64(r);
}

char *
event_topic_user(const struct uuid *user, char topic[EVENT_TOPIC_USER_LEN + 1])
{
	memcpy(topic, "user:", 5);
	uuid_format(user, topic + 5);
	return topic;
}

char *
event_topic_answers(const struct uuid *asker,
    char topic[EVENT_TOPIC_ANSWERS_LEN + 1])
{
	memcpy(topic, "answers:", 8);
	uuid_format(asker, topic + 8);
	return topic;
}

bool
event_topic_parse(const char *topic, size_t len, struct uuid *user_r)
{
	return len == EVENT_TOPIC_USER_LEN && memcmp(topic, "user:", 5) == 0 &&
	    uuid_parse(topic + 5, UUID_TEXT_LEN, user_r);
}

void
put_spread_to(struct buf *b, const struct spread_to *s)
{
	buf_put_uuid(b, &s->user);
	buf_put_u32(b, s->splices);
}

void
get_spread_to(struct rd *r, struct spread_to *s)
{
	s->user = rd_uuid(r);
	s->splices = rd_u32(r);
}

void
put_splice(struct buf *b, const struct splice *s)
{
	buf_put_u32(b, s->at);
	buf_put_u32(b, s->len);
	buf_put_blob(b, s->text, s->text_len);
}

void
get_splice(struct rd *r, struct splice *s)
{
	s->at = rd_u32(r);
	s->len = rd_u32(r);
	s->text = (const char *)rd_blob(r, &s->text_len);
}

bool
event_is_spread(enum event_kind kind)
{
	return kind == EVENT_SPREAD || kind == EVENT_MESSAGE_SPREAD;
}

void
put_event(struct buf *b, const struct event *e)
{
	buf_put_u8(b, EVENT_VERSION);
	buf_put_u8(b, (uint8_t)e->kind);
	buf_put_u64(b, e->trace);
	buf_put_u64(b, e->seq);
	buf_put_u32(b, e->version);
	buf_put_uuid(b, &e->chat);
	buf_put_uuid(b, &e->skip_session);
	buf_put_uuid(b, &e->token);
	buf_put_blob(b, e->json, e->json_len);
	if (event_is_spread(e->kind)) {
		buf_put_blob(b, e->spread, e->spread_len);
	}
}

bool
get_event(const void *data, size_t len, struct event *e)
{
	struct rd r;
	unsigned version;
	unsigned kind;

	rd_init(&r, data, len);
	version = rd_u8(&r);
	kind = rd_u8(&r);
	e->kind = (enum event_kind)kind;
	e->trace = rd_u64(&r);
	e->seq = rd_u64(&r);
	e->version = rd_u32(&r);
	e->chat = rd_uuid(&r);
	e->skip_session = rd_uuid(&r);
	e->token = rd_uuid(&r);
	e->json = (const char *)rd_blob(&r, &e->json_len);
	e->spread = NULL;
	e->spread_len = 0;
	if (event_is_spread(e->kind)) {
		e->spread = rd_blob(&r, &e->spread_len);
	}
	return rd_done(&r) && version == EVENT_VERSION &&
	    kind >= EVENT_FRAME && kind <= EVENT_MESSAGE_SPREAD;
}
