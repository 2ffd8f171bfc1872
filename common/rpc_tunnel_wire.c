/*
 * What goes over a link, within TLS: NNG's own form of it, so that the other
 * side may be any NNG.
 *
 *   greeting   0 'S' 'P' 0  u16 protocol  u16 0        once, both ways
 *   message    u64 length   that many bytes
 *
 * Several small messages share a record of TLS.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/rpc_limits.h"
#include "common/rpc_tunnel_int.h"

#define LENGTH_BYTES 8
#define PROTOCOL_REQ 0x30
#define PROTOCOL_REP 0x31

/* ---- queues ------------------------------------------------------------- */

static size_t
msg_bytes(nng_msg *msg)
{
	return nng_msg_header_len(msg) + nng_msg_len(msg);
}

/* The callers keep to the bound; one more than that is never asked for. */
void
tunnel_queue_push(struct tunnel_queue *q, nng_msg *msg)
{
	q->msgs[(q->first + q->len) % ARRAY_LEN(q->msgs)] = msg;
	q->len++;
	q->bytes += msg_bytes(msg);
}

nng_msg *
tunnel_queue_pop(struct tunnel_queue *q)
{
	nng_msg *msg = q->msgs[q->first];

	q->first = (q->first + 1) % ARRAY_LEN(q->msgs);
	q->len--;
	q->bytes -= msg_bytes(msg);
	return msg;
}

/* ---- reading ------------------------------------------------------------ */

static const uint8_t greetings[2][TUNNEL_GREETING] = {
	{ 0, 'S', 'P', 0, 0, PROTOCOL_REQ, 0, 0 }, /* a caller's */
	{ 0, 'S', 'P', 0, 0, PROTOCOL_REP, 0, 0 }, /* a callee's */
};

/* Takes what is staged into head. True when that is complete. */
static bool
take_head(struct tunnel_link *l)
{
	size_t n = l->in.len - l->in.at;

	if (n > sizeof(l->head) - l->head_len) {
		n = sizeof(l->head) - l->head_len;
	}
	memcpy(l->head + l->head_len, l->in.bytes + l->in.at, n);
	l->head_len += n;
	l->in.at += n;
	if (l->head_len < sizeof(l->head)) {
		return false;
	}
	l->head_len = 0;
	return true;
}

static void
take_greeting(struct tunnel_link *l)
{
	if (!take_head(l)) {
		return;
	}
	if (memcmp(l->head, greetings[!l->server], TUNNEL_GREETING) != 0 ||
	    !tunnel_nng_join(l)) {
		tunnel_link_lost(l);
		return;
	}
	l->state = LINK_JOINING;
}

static void
message_begin(struct tunnel_link *l)
{
	uint64_t len = 0;

	if (!take_head(l)) {
		return;
	}
	for (size_t i = 0; i < LENGTH_BYTES; i++) {
		len = len << 8 | l->head[i];
	}
	if (len > RPC_MESSAGE_MAX || nng_msg_alloc(&l->msg, (size_t)len) != 0) {
		log_warn("tls_message_too_large", "bytes=%llu peer=\"%s\" "
		    "remedy=\"run the same release on both sides\"",
		    (unsigned long long)len, l->tls.peer);
		tunnel_link_lost(l);
		return;
	}
	l->msg_len = 0;
}

static void
message_read(struct tunnel_link *l)
{
	size_t n = l->in.len - l->in.at;
	size_t all = nng_msg_len(l->msg);

	if (n > all - l->msg_len) {
		n = all - l->msg_len;
	}
	memcpy((uint8_t *)nng_msg_body(l->msg) + l->msg_len,
	    l->in.bytes + l->in.at, n);
	l->msg_len += n;
	l->in.at += n;
	if (l->msg_len == all) {
		tunnel_queue_push(&l->to_nng, l->msg);
		l->msg = NULL;
		l->served = true;
		tunnel_nng_go_on(l);
	}
}

bool
tunnel_wire_has_room(const struct tunnel_link *l)
{
	return l->state == LINK_GREETING || (l->state == LINK_OPEN &&
	    l->to_nng.len < TUNNEL_IN_MESSAGES &&
	    l->to_nng.bytes < TUNNEL_IN_BYTES);
}

void
tunnel_wire_read(struct tunnel_link *l)
{
	while (tunnel_wire_has_room(l)) {
		if (l->in.at == l->in.len) {
			enum tunnel_io io;

			l->in.at = l->in.len = 0;
			io = tunnel_tls_read(&l->tls, l->in.bytes,
			    sizeof(l->in.bytes), &l->in.len);
			if (io == IO_ENDED) {
				tunnel_link_lost(l);
			}
			if (io != IO_DONE) {
				return;
			}
		}
		if (l->state == LINK_GREETING) {
			take_greeting(l);
		} else if (l->msg == NULL) {
			message_begin(l);
		}
		if (l->msg != NULL) {
			message_read(l);
		}
	}
}

/* ---- writing ------------------------------------------------------------ */

void
tunnel_wire_greet(struct tunnel_link *l)
{
	memcpy(l->out.bytes, greetings[l->server], TUNNEL_GREETING);
	l->out.len = TUNNEL_GREETING;
}

/* What of a message comes `at` bytes from the beginning of its length; until
 * where it is in one piece. */
static const uint8_t *
piece(const struct tunnel_link *l, nng_msg *msg, size_t at, uint8_t *length,
    size_t *len_r)
{
	size_t own = tunnel_nng_own(l);
	size_t head = nng_msg_header_len(msg) - own;
	size_t all = head + nng_msg_len(msg);

	if (at < LENGTH_BYTES) {
		for (size_t i = 0; i < LENGTH_BYTES; i++) {
			length[i] = (uint8_t)(all >> 8 * (LENGTH_BYTES - 1 - i));
		}
		*len_r = LENGTH_BYTES - at;
		return length + at;
	}
	at -= LENGTH_BYTES;
	if (at < head) {
		*len_r = head - at;
		return (const uint8_t *)nng_msg_header(msg) + own + at;
	}
	at -= head;
	*len_r = nng_msg_len(msg) - at;
	return (const uint8_t *)nng_msg_body(msg) + at;
}

static void
stage_out(struct tunnel_link *l)
{
	uint8_t length[LENGTH_BYTES];

	l->out.at = l->out.len = 0;
	while (l->to_wire.len > 0 && l->out.len < sizeof(l->out.bytes)) {
		nng_msg *msg = l->to_wire.msgs[l->to_wire.first];
		size_t room = sizeof(l->out.bytes) - l->out.len;
		const uint8_t *from;
		size_t n;

		from = piece(l, msg, l->sent, length, &n);
		if (n > room) {
			n = room;
		}
		memcpy(l->out.bytes + l->out.len, from, n);
		l->out.len += n;
		l->sent += n;
		if (l->sent == LENGTH_BYTES + msg_bytes(msg) -
		    tunnel_nng_own(l)) {
			nng_msg_free(tunnel_queue_pop(&l->to_wire));
			l->sent = 0;
		}
	}
}

bool
tunnel_wire_owes(const struct tunnel_link *l)
{
	return l->out.at < l->out.len || l->to_wire.len > 0;
}

void
tunnel_wire_write(struct tunnel_link *l)
{
	l->wants_write = false;
	l->write_wants_read = false;
	while (tunnel_wire_owes(l)) {
		enum tunnel_io io;
		size_t n = 0;

		if (l->out.at == l->out.len) {
			stage_out(l);
		}
		io = tunnel_tls_write(&l->tls, l->out.bytes + l->out.at,
		    l->out.len - l->out.at, &n);
		if (io != IO_DONE) {
			l->wants_write = io == IO_WANTS_WRITE;
			l->write_wants_read = io == IO_WANTS_READ;
			if (io == IO_ENDED) {
				tunnel_link_lost(l);
			}
			return;
		}
		l->out.at += n;
	}
}

void
tunnel_wire_fini(struct tunnel_link *l)
{
	while (l->to_nng.len > 0) {
		nng_msg_free(tunnel_queue_pop(&l->to_nng));
	}
	while (l->to_wire.len > 0) {
		nng_msg_free(tunnel_queue_pop(&l->to_wire));
	}
	if (l->msg != NULL) {
		nng_msg_free(l->msg);
		l->msg = NULL;
	}
}
