/*
 * A circular doubly linked list whose links live inside the listed objects
 * (the form of the Linux kernel's list_head). Not thread safe. A link is on one
 * list at a time; list_del leaves it pointing at itself, so that deleting twice
 * and asking list_linked are safe.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_LIST_H
#define COMMON_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct list {
	struct list *next;
	struct list *prev;
};

#define LIST_INIT(name) { &(name), &(name) }

static inline void
list_init(struct list *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool
list_empty(const struct list *head)
{
	return head->next == head;
}

/* Whether this link is on some list (it must have been initialised). */
static inline bool
list_linked(const struct list *link)
{
	return link->next != link;
}

static inline void
list_insert_before(struct list *pos, struct list *link)
{
	link->next = pos;
	link->prev = pos->prev;
	pos->prev->next = link;
	pos->prev = link;
}

static inline void
list_push_back(struct list *head, struct list *link)
{
	list_insert_before(head, link);
}

static inline void
list_push_front(struct list *head, struct list *link)
{
	list_insert_before(head->next, link);
}

static inline void
list_del(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* Takes the first link off the list; NULL when the list is empty. */
static inline struct list *
list_pop_front(struct list *head)
{
	struct list *link = head->next;

	if (link == head) {
		return NULL;
	}
	list_del(link);
	return link;
}

/* Moves all of `from` behind the last of `to`; `from` is empty afterwards. */
static inline void
list_splice_back(struct list *to, struct list *from)
{
	if (list_empty(from)) {
		return;
	}
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define LIST_ENTRY(link, type, member) CONTAINER_OF(link, type, member)

#define LIST_FOREACH(link, head) \
	for (struct list *link = (head)->next; link != (head); \
	    link = link->next)

/* As LIST_FOREACH; the body may delete or free `link`. */
#define LIST_FOREACH_SAFE(link, tmp, head) \
	for (struct list *link = (head)->next, *tmp = link->next; \
	    link != (head); link = tmp, tmp = tmp->next)

#endif
