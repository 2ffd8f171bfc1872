/*
 * A list of members differs between viewers only in a few nicknames; in a large
 * group it is long, and everyone gets it. It is therefore sent once, with each
 * viewer's nicknames to be put in by the gateways (EVENT_SPREAD).
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/group_news.h"

#include <stdlib.h>
#include <string.h>

#include "chatd/events.h"
#include "chatd/service.h"
#include "chatd/view.h"
#include "common/map.h"
#include "common/mem.h"

/* What one spread carries for its users, about; beyond, another one follows. */
#define SPREAD_BYTES ((size_t)4 << 20)

/* ---- the same to everyone --------------------------------------------------- */

static void
put_frame(struct buf *bytes, const struct group_news *n,
    const struct buf *json)
{
	struct event e = { .kind = EVENT_FRAME, .trace = n->r->frame->trace,
		.version = n->version, .chat = n->chat,
		.skip_session = n->r->frame->session,
		.json = (const char *)json->data, .json_len = json->len };

	buf_reset(bytes);
	put_event(bytes, &e);
}

void
group_news_tell(const struct group_news *n, const struct buf *json,
    const struct db_result *res, unsigned step)
{
	struct buf bytes = BUF_INIT;

	put_frame(&bytes, n, json);
	for (size_t i = 0; i < db_rows(res, step); i++) {
		struct group_called c;

		store_group_called_read(res, step, i, &c);
		events_bytes_to_user(n->r->svc->events, &c.user, &bytes);
	}
	buf_fini(&bytes);
}

/* ---- admins ----------------------------------------------------------------- */

void
group_news_admin(const struct group_news *n, const struct member *m,
    bool online, const struct uuid *giver, const struct db_result *res,
    unsigned step)
{
	struct buf plain = BUF_INIT, named = BUF_INIT, json = BUF_INIT;

	for (size_t i = 0; i < db_rows(res, step); i++) {
		struct member seen = *m;
		struct group_called c;
		struct buf *bytes;

		store_group_called_read(res, step, i, &c);
		seen.person.nickname = c.nickname;
		bytes = c.nickname.len > 0 ? &named : &plain;
		if (bytes == &named || plain.len == 0) {
			buf_reset(&json);
			view_admin_given(&json, &n->chat, &seen, online,
			    giver, NULL);
			put_frame(bytes, n, &json);
		}
		events_bytes_to_user(n->r->svc->events, &c.user, bytes);
	}
	buf_fini(&plain);
	buf_fini(&named);
	buf_fini(&json);
}

/* ---- read, because one has left ---------------------------------------------- */

/* The two who have read least. */
struct least {
	struct group_called first, second;
	size_t count;
};

static void
find_least(struct least *l, const struct db_result *res, unsigned step)
{
	memset(l, 0, sizeof(*l));
	for (size_t i = 0; i < db_rows(res, step); i++) {
		struct group_called c;

		store_group_called_read(res, step, i, &c);
		if (l->count == 0 || c.read_seq < l->first.read_seq) {
			l->second = l->first;
			l->first = c;
		} else if (l->count == 1 ||
		    c.read_seq < l->second.read_seq) {
			l->second = c;
		}
		l->count++;
	}
}

static void
tell_read(const struct group_news *n, const struct uuid *to,
    const struct uuid *reader, int64_t upto)
{
	struct buf json = BUF_INIT;
	struct event e = { .kind = EVENT_RECEIPT,
		.trace = n->r->frame->trace, .chat = n->chat,
		.seq = (uint64_t)upto };

	view_chat_read(&json, &n->chat, reader);
	e.json = (const char *)json.data;
	e.json_len = json.len;
	events_to_user(n->r->svc->events, to, &e);
	buf_fini(&json);
}

/* For each who is left: of all others, who has read least decides now. Alone, it
 * was the one who left. */
void
group_news_read(const struct group_news *n, const struct uuid *left,
    const struct group_removed *removed, const struct db_result *res,
    unsigned step)
{
	struct least l;

	if (removed->last_seq <= removed->read_seq) {
		return;
	}
	find_least(&l, res, step);
	for (size_t i = 0; i < db_rows(res, step); i++) {
		const struct group_called *reader;
		struct group_called c;

		store_group_called_read(res, step, i, &c);
		reader = uuid_eq(&c.user, &l.first.user) ? &l.second :
		    &l.first;
		if (l.count == 1) {
			tell_read(n, &c.user, left, removed->last_seq);
		} else if (reader->read_seq > removed->read_seq) {
			tell_read(n, &c.user, &reader->user,
			    reader->read_seq);
		}
	}
}

/* ---- members ----------------------------------------------------------------- */

struct naming {
	struct uuid owner;
	struct uuid user;
	struct text nickname;
};

static void
naming_read(const struct group_joining *g, size_t row, struct naming *k)
{
	store_group_nickname_read(g->res, g->step, row, &k->owner, &k->user,
	    &k->nickname);
}

/* The first row of the owner (and user) or behind. */
static size_t
naming_find(const struct group_joining *g, const struct uuid *owner,
    const struct uuid *user)
{
	size_t from = 0, to = db_rows(g->res, g->step);

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		struct naming k;
		int order;

		naming_read(g, middle, &k);
		order = uuid_cmp(&k.owner, owner);
		if (order == 0 && user != NULL) {
			order = uuid_cmp(&k.user, user);
		}
		if (order < 0) {
			from = middle + 1;
		} else {
			to = middle;
		}
	}
	return from;
}

struct text
group_joining_nickname(const struct group_joining *g,
    const struct uuid *viewer, const struct uuid *user)
{
	size_t row = naming_find(g, viewer, user);
	struct naming k;

	if (row >= db_rows(g->res, g->step)) {
		return TEXT_NULL;
	}
	naming_read(g, row, &k);
	return uuid_eq(&k.owner, viewer) && uuid_eq(&k.user, user) ?
	    k.nickname : TEXT_NULL;
}

/* The frame without nicknames, and where they belong. */
struct spread {
	const struct group_news *n;
	const struct group_joining *g;
	struct buf json;
	uint32_t *nickname_at;   /* owned; of each member */
	struct map places;       /* user -> place among members, plus one */
	struct buf to;           /* list of spread_to, its count first */
	uint32_t to_count;
};

static int
by_place(const void *a, const void *b)
{
	const struct splice *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static void
put_quoted(struct buf *b, struct text t)
{
	struct json_out j;

	json_out_init(&j, b);
	json_strn(&j, t.p, t.len);
}

/* What this viewer calls the members. Splices borrow from `texts`. */
static size_t
collect(struct spread *s, const struct uuid *viewer, struct splice *splices,
    struct buf *texts)
{
	size_t n = 0, at = 0;
	size_t rows = db_rows(s->g->res, s->g->step);

	buf_reset(texts);
	for (size_t i = naming_find(s->g, viewer, NULL); i < rows; i++) {
		struct naming k;
		size_t place;

		naming_read(s->g, i, &k);
		if (!uuid_eq(&k.owner, viewer)) {
			break;
		}
		place = (size_t)(uintptr_t)map_get(&s->places, &k.user);
		if (place > 0) {
			put_quoted(texts, k.nickname);
			splices[n++] = (struct splice){
				.at = s->nickname_at[place - 1],
				.len = VIEW_NULL_LEN,
				.text_len = texts->len - at };
			at = texts->len;
		}
	}
	at = 0;
	for (size_t i = 0; i < n; i++) {
		splices[i].text = (const char *)texts->data + at;
		at += splices[i].text_len;
	}
	if (n > 0) {
		qsort(splices, n, sizeof(*splices), by_place);
	}
	return n;
}

static void
flush(struct spread *s)
{
	struct event e = { .kind = EVENT_SPREAD,
		.trace = s->n->r->frame->trace,
		.version = s->n->version, .chat = s->n->chat,
		.skip_session = s->n->r->frame->session,
		.json = (const char *)s->json.data,
		.json_len = s->json.len };

	if (s->to_count > 0) {
		buf_set_u32(&s->to, 0, s->to_count);
		e.spread = s->to.data;
		e.spread_len = s->to.len;
		events_spread(s->n->r->svc->events, &e);
	}
	buf_reset(&s->to);
	buf_put_u32(&s->to, 0);
	s->to_count = 0;
}

static int
by_id(const void *a, const void *b)
{
	return uuid_cmp(a, b);
}

static void
spread_all(struct spread *s)
{
	const struct chat_page *page = s->g->page;
	struct splice *splices = mem_alloc((page->member_count + 1) *
	    sizeof(*splices));
	struct buf texts = BUF_INIT;

	for (size_t i = 0; i < page->member_count; i++) {
		struct spread_to to = {
			.user = page->members[i].person.id };

		if (s->g->added_count > 0 && bsearch(&to.user, s->g->added,
		    s->g->added_count, sizeof(to.user), by_id) != NULL) {
			continue;
		}
		to.splices = (uint32_t)collect(s, &to.user, splices, &texts);
		put_spread_to(&s->to, &to);
		for (uint32_t k = 0; k < to.splices; k++) {
			put_splice(&s->to, &splices[k]);
		}
		s->to_count++;
		if (s->to.len > SPREAD_BYTES) {
			flush(s);
		}
	}
	flush(s);
	free(splices);
	buf_fini(&texts);
}

void
group_news_joined(const struct group_news *n, const struct group_joining *g)
{
	const struct chat_page *page = g->page;
	struct spread s = { .n = n, .g = g };
	struct member *plain = mem_alloc((page->member_count + 1) *
	    sizeof(*plain));
	struct members_view view = { .chat = &n->chat, .members = plain,
		.online = page->online, .member_count = page->member_count,
		.added = g->added, .added_count = g->added_count };

	buf_init(&s.json);
	buf_init(&s.to);
	buf_put_u32(&s.to, 0);
	map_init(&s.places);
	s.nickname_at = mem_alloc((page->member_count + 1) *
	    sizeof(*s.nickname_at));
	for (size_t i = 0; i < page->member_count; i++) {
		plain[i] = page->members[i];
		plain[i].person.nickname = TEXT_NULL;
		map_put(&s.places, &plain[i].person.id,
		    (void *)(uintptr_t)(i + 1));
	}
	view_members_added(&s.json, &view, s.nickname_at, NULL);
	spread_all(&s);
	free(plain);
	free(s.nickname_at);
	map_fini(&s.places);
	buf_fini(&s.json);
	buf_fini(&s.to);
}
