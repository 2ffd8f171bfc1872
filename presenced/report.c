/*
 * report: see report.h.
 *
 * A batch goes where its first user's id leads. The same user's next report is
 * not handed out before this one is answered (or its claim is over), so chatd
 * hears of one user in order although batches go to several of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "presenced/report.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/calls.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/rpc.h"
#include "presenced/store.h"

#define BATCHES_MAX 4
#define PAUSE_MIN_MS 200
#define PAUSE_MAX_MS 5000
#define LOG_EVERY_MS 10000

struct batch {
	struct report *report; /* borrowed */
	size_t n;
	struct presence_change changes[];
};

struct report {
	struct store *store;       /* borrowed */
	struct rpc_client *chatd;  /* borrowed */
	bool stopped;
	bool claiming;             /* a claim is out */
	bool kicked;               /* while it was */
	size_t in_flight;
	struct batch *batches[BATCHES_MAX]; /* owned; with chatd */
	uint64_t not_before_ms;
	uint64_t pause_ms;
	uint64_t logged_ms;
	struct metric *m_online;
	struct metric *m_offline;
	struct metric *m_failed;
};

static void
batch_release(struct batch *b)
{
	struct report *r = b->report;

	for (size_t i = 0; i < BATCHES_MAX; i++) {
		if (r->batches[i] == b) {
			r->batches[i] = NULL;
			r->in_flight--;
		}
	}
	free(b);
}

static void
on_acked(void *arg, enum err e, unsigned newer)
{
	struct report *r = arg;

	/* Not told: the claim runs out and they are sent once more. */
	if (e == ERR_OK && newer > 0) {
		report_kick(r);
	}
}

static void
batch_failed(struct report *r, enum err status)
{
	uint64_t now = clock_mono_ms();

	metric_inc(r->m_failed);
	r->not_before_ms = now + r->pause_ms;
	r->pause_ms = r->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS
	    : r->pause_ms * 2;
	if (r->logged_ms == 0 || now - r->logged_ms >= LOG_EVERY_MS) {
		r->logged_ms = now;
		log_warn("report_failed", "reason=%s; it is repeated until "
		    "chatd takes it", err_reason(status));
	}
}

static void
on_reply(void *arg, enum err status, const struct frame *reply)
{
	struct batch *b = arg;
	struct report *r = b->report;

	(void)reply;
	if (status != ERR_OK) {
		batch_failed(r, status);
		batch_release(b);
		return;
	}
	r->pause_ms = PAUSE_MIN_MS;
	r->not_before_ms = 0;
	for (size_t i = 0; i < b->n; i++) {
		metric_inc(b->changes[i].online ? r->m_online : r->m_offline);
	}
	store_ack(r->store, b->changes, b->n, on_acked, r);
	batch_release(b);
	report_kick(r);
}

static void
batch_send(struct batch *b)
{
	struct report *r = b->report;
	struct buf body = BUF_INIT;
	struct rpc_request req = {
		.kind = CALL_presence_changed,
		.route = b->changes[0].user,
		.user = b->changes[0].user,
	};

	randombytes_buf(&req.trace, sizeof(req.trace));
	log_debug("reported", "changes=%zu req=%016llx", b->n,
	    (unsigned long long)req.trace);
	buf_put_u32(&body, (uint32_t)b->n);
	for (size_t i = 0; i < b->n; i++) {
		put_presence_change(&body, &b->changes[i]);
	}
	req.body = body.data;
	req.body_len = body.len;
	(void)rpc_call(r->chatd, &req, on_reply, b);
	buf_fini(&body);
}

static void
on_claimed(void *arg, enum err e, const struct presence_change *changes,
    size_t n)
{
	struct report *r = arg;
	bool kicked = r->kicked;
	struct batch *b;
	size_t place = 0;

	r->claiming = false;
	r->kicked = false;
	if (e != ERR_OK || r->stopped) {
		return;
	}
	if (n > 0) {
		b = mem_alloc(sizeof(*b) + n * sizeof(*changes));
		b->report = r;
		b->n = n;
		memcpy(b->changes, changes, n * sizeof(*changes));
		while (r->batches[place] != NULL) {
			place++;
		}
		r->batches[place] = b;
		r->in_flight++;
		batch_send(b);
	}
	if (kicked || n == STORE_REPORTS_MAX) {
		report_kick(r);
	}
}

void
report_kick(struct report *r)
{
	if (r->claiming) {
		r->kicked = true;
		return;
	}
	if (r->stopped || r->in_flight == BATCHES_MAX ||
	    !rpc_client_up(r->chatd) || clock_mono_ms() < r->not_before_ms) {
		return;
	}
	r->claiming = true;
	store_claim(r->store, REPORT_CLAIM_MS, on_claimed, r);
}

struct report *
report_new(struct store *s)
{
	struct report *r = mem_zalloc(sizeof(*r));
	static const char name[] = "parley_presence_transitions_total";
	static const char help[] = "Transitions that chatd acknowledged";

	r->store = s;
	r->pause_ms = PAUSE_MIN_MS;
	r->m_online = metric_counter(name, "to=\"online\"", help);
	r->m_offline = metric_counter(name, "to=\"offline\"", help);
	r->m_failed = metric_counter("parley_presence_report_failures_total",
	    NULL, "Batches of transitions that chatd did not acknowledge");
	return r;
}

void
report_free(struct report **rp)
{
	struct report *r = *rp;

	if (r == NULL) {
		return;
	}
	*rp = NULL;
	for (size_t i = 0; i < BATCHES_MAX; i++) {
		free(r->batches[i]);
	}
	free(r);
}

void
report_set_chatd(struct report *r, struct rpc_client *chatd)
{
	r->chatd = chatd;
}

size_t
report_in_flight(const struct report *r)
{
	return r->in_flight + (r->claiming ? 1 : 0);
}

void
report_stop(struct report *r)
{
	r->stopped = true;
}
