/*
 * Measured messages: printing one and knowing it again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bench/load/load.h"

#define CONTENT "\"content\":\"@"
#define CONTENT_LEN (sizeof(CONTENT) - 1)
#define MARK_LEN (16 + 8 + 8 + 8)
#define HEADS_MAX 200 /* the content is the second key of a message */

static uint32_t run_number;  /* tells this run's messages from older ones */
static uint64_t next_front;

static void
put_hex(char *at, uint64_t v, int digits)
{
	for (int i = digits - 1; i >= 0; i--) {
		at[i] = "0123456789abcdef"[v & 15];
		v >>= 4;
	}
}

static uint64_t
get_hex(const char *at, int digits)
{
	uint64_t v = 0;

	for (int i = 0; i < digits; i++) {
		char c = at[i];

		v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return v;
}

void
message_send(struct client *c, const char *chat, uint64_t due_ns,
    uint32_t number)
{
	static char frame[8192];
	static size_t content_at, front_at, chat_at, len;
	char mark[MARK_LEN + 1];

	if (len == 0) {
		int n;

		if (getrandom(&run_number, sizeof(run_number), 0) < 0) {
			abort();
		}
		n = snprintf(frame, sizeof(frame), "{\"type\":\"send_message\","
		    "\"msg\":{\"chat_id\":\"%36s\",\"front_msg_id\":"
		    "\"%08x-0000-4000-8000-%012x\",\"format\":\"text\","
		    "\"content\":\"@%*s\"}}", "", run_number, 0u,
		    (int)options.size, "");
		len = (size_t)n;
		chat_at = (size_t)(strstr(frame, "chat_id") - frame) + 10;
		front_at = (size_t)(strstr(frame, "front_msg_id") - frame) +
		    15;
		content_at = (size_t)(strstr(frame, CONTENT) - frame) +
		    CONTENT_LEN;
		memset(frame + content_at, 'x', options.size);
	}
	memcpy(frame + chat_at, chat, 36);
	put_hex(frame + front_at + 9, next_front >> 48, 4);
	put_hex(frame + front_at + 24, next_front, 12);
	next_front++;
	put_hex(mark, due_ns, 16);
	put_hex(mark + 16, c->index, 8);
	put_hex(mark + 24, number, 8);
	put_hex(mark + 32, run_number, 8);
	memcpy(frame + content_at, mark, MARK_LEN);
	client_send(c, frame, len);
}

bool
message_mark(const char *json, size_t len, struct mark *m_r)
{
	const char *p;
	size_t heads = len < HEADS_MAX ? len : HEADS_MAX;

	if (len < HEADS_MAX || memcmp(json, "{\"type\":\"new_message\"", 21) !=
	    0) {
		return false;
	}
	p = memmem(json, heads, CONTENT, CONTENT_LEN);
	if (p == NULL || (size_t)(json + len - p) < CONTENT_LEN + MARK_LEN) {
		return false;
	}
	p += CONTENT_LEN;
	if (get_hex(p + 32, 8) != run_number) {
		return false;
	}
	m_r->due_ns = get_hex(p, 16);
	m_r->sender = (uint32_t)get_hex(p + 16, 8);
	m_r->number = (uint32_t)get_hex(p + 24, 8);
	return true;
}
