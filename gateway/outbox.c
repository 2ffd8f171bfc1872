/*
 * At most one write is held by the library at a time: outbox_flush and the fast
 * path of outbox_push only write while nothing is held. So one pending note is
 * enough, and it is confirmed by the next flush.
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

/* Frames written in one flush before other connections get their turn. */
#define FLUSH_FRAMES_MAX 64

static const struct out_note no_note = { .kind = NOTE_NONE };

void
outbox_init(struct outbox *o, const struct outbox_io *io, void *arg,
    size_t bytes_max)
{
	memset(o, 0, sizeof(*o));
	o->io = io;
	o->arg = arg;
	o->bytes_max = bytes_max;
	list_init(&o->items);
}

static void
item_free(struct item *item)
{
	out_frame_unref(&item->frame);
	free(item);
}

void
outbox_drop(struct outbox *o)
{
	struct list *link;

	while ((link = list_pop_front(&o->items)) != NULL) {
		struct item *item = LIST_ENTRY(link, struct item, link);

		o->bytes -= item->frame->len;
		item_free(item);
	}
}

void
outbox_fini(struct outbox *o)
{
	outbox_drop(o);
	o->bytes = 0;
	o->held_bytes = 0;
	o->held_note = no_note;
}

static void
confirm(struct outbox *o, const struct out_note *note)
{
	if (note->kind != NOTE_NONE) {
		o->io->sent(o->arg, note);
	}
}

/* Writes one frame that counts in o->bytes. */
static enum out_result
write_one(struct outbox *o, struct out_frame *f, const struct out_note *note)
{
	enum out_result r = o->io->write(o->arg, f);

	if (r == OUT_HELD) {
		o->held_bytes = f->len;
		o->held_note = *note;
	} else {
		o->bytes -= f->len;
	}
	if (r == OUT_SENT) {
		confirm(o, note);
	}
	return r;
}

enum push_result
outbox_push(struct outbox *o, struct out_frame *f, const struct out_note *note)
{
	struct item *item;

	if (note == NULL) {
		note = &no_note;
	}
	if (o->bytes > o->bytes_max) {
		return PUSH_FULL;
	}
	o->bytes += f->len;
	if (list_empty(&o->items) && o->held_bytes == 0 &&
	    !o->io->held(o->arg)) {
		if (write_one(o, f, note) == OUT_DEAD) {
			return PUSH_DEAD;
		}
		if (o->held_bytes > 0) {
			o->io->want_writable(o->arg);
		}
		return PUSH_OK;
	}
	item = mem_alloc(sizeof(*item));
	item->frame = out_frame_ref(f);
	item->note = *note;
	list_push_back(&o->items, &item->link);
	o->io->want_writable(o->arg);
	return PUSH_OK;
}

bool
outbox_flush(struct outbox *o)
{
	struct list *link;
	int budget = FLUSH_FRAMES_MAX;

	if (o->io->held(o->arg)) {
		o->io->want_writable(o->arg);
		return true;
	}
	if (o->held_bytes > 0) {
		struct out_note note = o->held_note;

		o->bytes -= o->held_bytes;
		o->held_bytes = 0;
		o->held_note = no_note;
		confirm(o, &note);
	}
	while (o->held_bytes == 0 && budget-- > 0 &&
	    (link = list_pop_front(&o->items)) != NULL) {
		struct item *item = LIST_ENTRY(link, struct item, link);
		enum out_result r = write_one(o, item->frame, &item->note);

		item_free(item);
		if (r == OUT_DEAD) {
			return false;
		}
	}
	if (!outbox_idle(o)) {
		o->io->want_writable(o->arg);
	}
	return true;
}

bool
outbox_idle(const struct outbox *o)
{
	return list_empty(&o->items) && o->held_bytes == 0;
}
