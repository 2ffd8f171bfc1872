/*
 * At most one write is held by the library at a time: nothing is written while
 * it holds something. What was in it is confirmed by the next flush.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

struct item {
	struct list link;
	struct out_frame *frame; /* one reference */
	struct out_note note;
};

static const struct out_note no_note = { .kind = NOTE_NONE };

/* Frames written in one flush before other connections get their turn. */
#define FLUSH_FRAMES_MAX 128
/* So much does not wait for the end of the turn. */
#define FLUSH_BYTES ((size_t)64 * 1024)

void
outbox_init(struct outbox *o, const struct outbox_io *io, void *arg,
    size_t bytes_max)
{
	memset(o, 0, sizeof(*o));
	o->io = io;
	o->arg = arg;
	o->bytes_max = bytes_max;
	list_init(&o->items);
	list_init(&o->held);
}

static struct item *
item_of(struct list *link)
{
	return LIST_ENTRY(link, struct item, link);
}

static size_t
asked_bytes(const struct item *item)
{
	return item->note.kind == NOTE_ANSWER ||
	    item->note.kind == NOTE_SNAPSHOT ? item->frame->len : 0;
}

static void
drop(struct outbox *o, struct list *items)
{
	struct list *link;

	while ((link = list_pop_front(items)) != NULL) {
		struct item *item = item_of(link);

		o->bytes -= item->frame->len;
		o->asked -= asked_bytes(item);
		out_frame_unref(&item->frame);
		free(item);
	}
}

void
outbox_drop(struct outbox *o)
{
	drop(o, &o->items);
}

void
outbox_fini(struct outbox *o)
{
	drop(o, &o->items);
	drop(o, &o->held);
}

/* The kernel has all of these. */
static void
confirm(struct outbox *o, struct list *items)
{
	LIST_FOREACH(link, items) {
		const struct item *item = item_of(link);

		if (item->note.kind != NOTE_NONE) {
			o->io->sent(o->arg, &item->note);
		}
	}
	drop(o, items);
}

/* Writes the first items, as many as go into one write. */
static enum out_result
write_some(struct outbox *o, size_t max, size_t *count_r)
{
	struct out_frame *frames[OUT_WRITE_FRAMES];
	struct list written;
	size_t bytes = 0;
	size_t n = 0;
	enum out_result r;

	list_init(&written);
	while (n < max && n < OUT_WRITE_FRAMES && !list_empty(&o->items)) {
		struct item *item = item_of(o->items.next);

		bytes += item->frame->len;
		if (n > 0 && bytes > OUT_WRITE_BYTES) {
			break;
		}
		frames[n++] = item->frame;
		list_del(&item->link);
		list_push_back(&written, &item->link);
	}
	r = o->io->write(o->arg, frames, n);
	if (r == OUT_HELD) {
		list_splice_back(&o->held, &written);
	} else if (r == OUT_SENT) {
		confirm(o, &written);
	} else {
		drop(o, &written);
	}
	*count_r = n;
	return r;
}

enum push_result
outbox_push(struct outbox *o, struct out_frame *f, const struct out_note *note,
    enum flush_when when)
{
	struct item *item = mem_alloc(sizeof(*item));

	item->frame = out_frame_ref(f);
	item->note = note != NULL ? *note : no_note;
	if (o->bytes - o->asked > o->bytes_max && asked_bytes(item) == 0) {
		out_frame_unref(&item->frame);
		free(item);
		return PUSH_FULL;
	}
	list_push_back(&o->items, &item->link);
	o->bytes += f->len;
	o->asked += asked_bytes(item);
	if (o->bytes > FLUSH_BYTES && !o->io->held(o->arg)) {
		return outbox_flush(o) ? PUSH_OK : PUSH_DEAD;
	}
	o->io->want_flush(o->arg, when);
	return PUSH_OK;
}

bool
outbox_flush(struct outbox *o)
{
	size_t left = FLUSH_FRAMES_MAX;

	if (o->io->held(o->arg)) {
		o->io->want_writable(o->arg);
		return true;
	}
	confirm(o, &o->held);
	while (!list_empty(&o->items) && list_empty(&o->held) && left > 0) {
		size_t n;

		if (write_some(o, left, &n) == OUT_DEAD) {
			return false;
		}
		left -= n;
	}
	if (!outbox_idle(o)) {
		o->io->want_writable(o->arg);
	}
	return true;
}

bool
outbox_idle(const struct outbox *o)
{
	return list_empty(&o->items) && list_empty(&o->held);
}
