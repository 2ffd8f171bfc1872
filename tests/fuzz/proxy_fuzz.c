/*
 * What decides who a client is: a PROXY header, an X-Forwarded-For, a list of
 * networks, and a rate's text. Beyond not crashing: a header read in pieces says
 * what it says whole, asks for no byte behind its end and never more than its
 * bound; a proxy speaks for nobody when it is not trusted; what was read is
 * written and read again as the same; and a rate never lets more through than
 * its burst at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "common/address.h"
#include "common/rate.h"
#include "gateway/proxy_header.h"

#define TEXT_MAX 2048

/* Feeds what is asked for, at most `step` bytes at a time. */
static enum proxy_result
feed(const uint8_t *data, size_t len, size_t step, size_t *used_r,
    struct address *client)
{
	enum proxy_result result;
	size_t used = 0, need;

	while ((result = proxy_header_read(data, used, &need, client)) ==
	    PROXY_MORE) {
		CHECK(need > 0);
		CHECK(used + need <= PROXY_HEADER_MAX);
		need = need < step ? need : step;
		if (need > len - used) {
			break;
		}
		used += need;
	}
	*used_r = used;
	return result;
}

static void
check_address(const struct address *a)
{
	char text[ADDRESS_TEXT_LEN + 1];
	struct address again;

	address_format(a, text);
	CHECK(address_parse(text, strlen(text), &again));
	CHECK(address_eq(a, &again));
}

static void
try_header(const uint8_t *data, size_t len)
{
	struct address whole = { { 0 } }, pieces = { { 0 } };
	size_t whole_used, pieces_used;
	enum proxy_result a = feed(data, len, PROXY_HEADER_MAX, &whole_used,
	    &whole);
	enum proxy_result b = feed(data, len, 1, &pieces_used, &pieces);

	if (a == PROXY_CLIENT || a == PROXY_SELF) {
		CHECK(a == b && whole_used == pieces_used);
	}
	if (a == PROXY_CLIENT) {
		CHECK(address_eq(&whole, &pieces));
		check_address(&whole);
	}
}

static void
try_forwarded(const char *text)
{
	static const char *const lists[] = { "", "10.0.0.0/8, ::1", "::/0" };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		char *bad = NULL;
		struct nets *trusted = nets_new(lists[i], &bad);
		struct address peer, client;

		CHECK(trusted != NULL);
		CHECK(address_parse("10.1.2.3", 8, &peer));
		client = address_forwarded(trusted, &peer, text);
		check_address(&client);
		if (i == 0) {
			CHECK(address_eq(&client, &peer));
		}
		nets_free(&trusted);
	}
}

static void
try_nets(const char *text)
{
	char *bad = NULL;
	struct nets *n = nets_new(text, &bad);
	struct address a = { { 0x20, 1 } };

	CHECK((n == NULL) == (bad != NULL));
	(void)nets_have(n, &a);
	free(bad);
	nets_free(&n);
}

static void
try_rate(const char *text)
{
	const uint64_t now = UINT64_C(1) << 62;
	rate_bucket bucket = 0;
	struct rate r;
	double each;

	if (!rate_parse(text, &r) || r.count == 0) {
		return;
	}
	each = (double)r.period_ms * 1e6 / (double)r.count;
	CHECK(r.count > 0 && r.burst > 0 && r.period_ms > 0);
	for (int64_t i = 0; i < 64; i++) {
		uint64_t wait = rate_take(&r, &bucket, now, 1);

		CHECK(wait == 0 || bucket > now);
		/* Exact where one costs more than some microseconds, and the
		 * burst less than some years. */
		if (each > 1e4 && each * (double)r.burst < 0x1p59) {
			CHECK((wait == 0) == (i < r.burst));
		}
	}
	rate_give_back(&r, &bucket, 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char text[TEXT_MAX + 1];
	size_t n = len < TEXT_MAX ? len : TEXT_MAX;

	if (len > 0) {
		memcpy(text, data, n);
	}
	text[n] = '\0';
	try_header(data, len);
	try_forwarded(text);
	try_nets(text);
	try_rate(text);
	return 0;
}
