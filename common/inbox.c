/*
 * inbox: the one way for other threads into a loop's thread. The wake-up is
 * sent under the lock, so that the loop cannot close the async handle between a
 * poster's look at `closed` and its uv_async_send.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/inbox.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/mem.h"

struct inbox {
	uv_async_t async;
	pthread_mutex_t lock; /* guards items and closed */
	struct list items;
	bool closed;
	/* The loop's thread alone: */
	struct list batch; /* taken off items, not yet delivered */
	inbox_fn *fn;
	void *arg;         /* borrowed */
	bool handle_gone;  /* uv is done with async */
	bool freed;        /* inbox_free was called */
};

static void
release_if_done(struct inbox *in)
{
	if (in->handle_gone && in->freed) {
		pthread_mutex_destroy(&in->lock);
		free(in);
	}
}

static void
on_closed(uv_handle_t *handle)
{
	struct inbox *in = handle->data;

	in->handle_gone = true;
	release_if_done(in);
}

/* Delivers what is listed now; what is posted meanwhile wakes the loop anew, so
 * that posters cannot keep the loop here. */
static void
deliver(struct inbox *in)
{
	struct list *link;

	while ((link = list_pop_front(&in->batch)) != NULL) {
		in->fn(in->arg, LIST_ENTRY(link, struct inbox_item, link));
	}
}

static void
on_async(uv_async_t *async)
{
	struct inbox *in = async->data;

	pthread_mutex_lock(&in->lock);
	list_splice_back(&in->batch, &in->items);
	pthread_mutex_unlock(&in->lock);
	deliver(in);
}

struct inbox *
inbox_new(uv_loop_t *loop, inbox_fn *fn, void *arg)
{
	struct inbox *in = mem_zalloc(sizeof(*in));
	int rc = uv_async_init(loop, &in->async, on_async);

	/* Fails only without descriptors, at start: nothing can run then. */
	if (rc != 0) {
		free(in);
		return NULL;
	}
	in->async.data = in;
	pthread_mutex_init(&in->lock, NULL);
	list_init(&in->items);
	list_init(&in->batch);
	in->fn = fn;
	in->arg = arg;
	return in;
}

bool
inbox_post(struct inbox *in, struct inbox_item *item)
{
	bool open;

	pthread_mutex_lock(&in->lock);
	open = !in->closed;
	if (open) {
		bool was_empty = list_empty(&in->items);

		list_push_back(&in->items, &item->link);
		if (was_empty) {
			uv_async_send(&in->async);
		}
	}
	pthread_mutex_unlock(&in->lock);
	return open;
}

void
inbox_close(struct inbox *in)
{
	bool was_closed;

	pthread_mutex_lock(&in->lock);
	was_closed = in->closed;
	in->closed = true;
	list_splice_back(&in->batch, &in->items);
	pthread_mutex_unlock(&in->lock);
	deliver(in);
	if (!was_closed) {
		uv_close((uv_handle_t *)&in->async, on_closed);
	}
}

void
inbox_free(struct inbox **in)
{
	if (*in == NULL) {
		return;
	}
	assert((*in)->closed);
	(*in)->freed = true;
	release_if_done(*in);
	*in = NULL;
}
