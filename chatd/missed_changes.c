/*
 * Bounded by groups and by people; when cut, `more` is told and the gateway asks
 * again, with the versions it has been told by then.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/missed_changes.h"

#include <stdlib.h>

#include "chatd/view.h"
#include "common/mem.h"

#define GROUPS_MAX 8
/* As many as presenced is asked about at a time; one group's always. */
#define PEOPLE_MAX 1900

void
missed_changes_steps(struct db_unit *u, const struct uuid *user,
    const struct chat_known *known, size_t n)
{
	store_changes_steps(u, user, known, n, GROUPS_MAX);
}

/* Members of the chat from row `from` on. */
static size_t
members_of(const struct missed_changes *m, const struct uuid *chat,
    size_t from)
{
	size_t rows = db_rows(m->res, m->step + 1);
	size_t n = 0;

	while (from + n < rows) {
		struct uuid id = store_changed_member_chat(m->res, m->step + 1,
		    from + n);

		if (!uuid_eq(&id, chat)) {
			break;
		}
		n++;
	}
	return n;
}

/* A group's members stand before what else of it has changed. */
void
missed_changes_read(struct missed_changes *m, const struct db_result *res,
    unsigned step)
{
	size_t rows = db_rows(res, step);
	struct uuid last = { { 0 } };
	size_t groups = 0;

	*m = (struct missed_changes){ .res = res, .step = step };
	for (; m->count < rows; m->count++) {
		struct group_changed c;
		size_t people = 0;

		store_changed_read(res, step, m->count, &c);
		if (c.part == GROUP_MEMBERS) {
			people = members_of(m, &c.chat, m->people_count);
		}
		if (m->people_count > 0 &&
		    m->people_count + people > PEOPLE_MAX) {
			m->more = true;
			return;
		}
		m->people_count += people;
		groups += !uuid_eq(&last, &c.chat);
		last = c.chat;
	}
	m->more = groups == GROUPS_MAX;
}

void
missed_changes_people(const struct missed_changes *m, struct uuid *ids)
{
	for (size_t i = 0; i < m->people_count; i++) {
		struct member member;

		store_member_read(m->res, m->step + 1, i, &member);
		ids[i] = member.person.id;
	}
}

/* Where the members of change `i` begin. */
static size_t
first_member(const struct missed_changes *m, size_t i)
{
	size_t at = 0;

	for (size_t k = 0; k < i; k++) {
		struct group_changed c;

		store_changed_read(m->res, m->step, k, &c);
		if (c.part == GROUP_MEMBERS) {
			at += members_of(m, &c.chat, at);
		}
	}
	return at;
}

static void
put_members(const struct missed_changes *m, size_t i,
    const struct group_changed *c, const struct uuid *viewer,
    const bool *online, struct buf *json)
{
	size_t from = first_member(m, i);
	size_t n = members_of(m, &c->chat, from);
	struct member *members = mem_alloc((n + 1) * sizeof(*members));
	bool *status = mem_alloc((n + 1) * sizeof(*status));
	struct members_view view = { .chat = &c->chat, .members = members,
		.online = status, .member_count = n };

	for (size_t k = 0; k < n; k++) {
		store_member_read(m->res, m->step + 1, from + k, &members[k]);
		/* Who asks is online, whether presenced knows it or not. */
		status[k] = online[from + k] ||
		    uuid_eq(&members[k].person.id, viewer);
	}
	view_members_added(json, &view, NULL, NULL);
	free(members);
	free(status);
}

struct group_changed
missed_changes_put(const struct missed_changes *m, size_t i,
    const struct uuid *viewer, const bool *online, struct buf *json)
{
	struct group_changed c;

	store_changed_read(m->res, m->step, i, &c);
	switch (c.part) {
	case GROUP_NAME:
	case GROUP_DESCRIPTION:
		view_group_text(json, c.part == GROUP_NAME, &c.chat, c.text,
		    &c.changer, NULL);
		break;
	case GROUP_AVATAR:
		view_group_avatar(json, &c.chat, c.text);
		break;
	case GROUP_MEMBERS:
		put_members(m, i, &c, viewer, online, json);
		break;
	}
	return c;
}
