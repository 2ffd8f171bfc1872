/*
 * Forms as browsers send them. Beyond not crashing: however the body is cut into
 * chunks, the same parts come out; a body made of known parts gives back exactly
 * these; texts and files keep their bounds.
 *
 *   first byte  odd: parts, each ended by 0xff, are written and read again;
 *               even: up to the first newline the Content-Type, then the body
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "common/buf.h"
#include "gateway/form.h"
#include "gateway/multipart.h"

#define FILE_MAX 300
#define PARTS_MAX 16
#define BOUNDARY "xYz"
#define NAME_MAX_LEN 64

/* What the handler was told, as bytes: b name 0 is_file, d data, e. */
struct seen {
	struct buf told;
	unsigned parts;
	bool open;
};

static bool
on_begin(void *arg, const char *name, bool is_file)
{
	struct seen *s = arg;

	CHECK(!s->open && strlen(name) <= NAME_MAX_LEN);
	s->open = true;
	s->parts++;
	buf_put(&s->told, "b", 1);
	buf_put(&s->told, name, strlen(name) + 1);
	buf_put_u8(&s->told, is_file);
	return true;
}

static bool
on_data(void *arg, const void *data, size_t len)
{
	struct seen *s = arg;

	CHECK(s->open && len > 0);
	buf_put(&s->told, data, len);
	return true;
}

static bool
on_end(void *arg)
{
	struct seen *s = arg;

	CHECK(s->open);
	s->open = false;
	buf_put(&s->told, "e", 1);
	return true;
}

/* Feeds it in steps of `step` bytes. */
static bool
parse(const char *type, const uint8_t *body, size_t len, size_t step,
    struct seen *s)
{
	static const struct multipart_handler handler = {
		.begin = on_begin,
		.data = on_data,
		.end = on_end,
	};
	struct multipart *mp = multipart_new(type, &handler, s);
	bool good = true;

	memset(s, 0, sizeof(*s));
	if (mp == NULL) {
		return false;
	}
	for (size_t at = 0; good && at < len; at += step) {
		good = multipart_feed(mp, body + at,
		    len - at < step ? len - at : step);
	}
	CHECK(!good || !multipart_done(mp) || !s->open);
	good = good && multipart_done(mp);
	multipart_free(&mp);
	return good;
}

/* ---- as a form ----------------------------------------------------------- */

static void
on_file(void *arg, const void *data, size_t len)
{
	buf_put(arg, data, len);
}

static void
try_form(const char *type, const uint8_t *body, size_t len, size_t step)
{
	static const char *const names[] = { "username", "password", NULL };
	struct buf got = BUF_INIT;
	const struct form_file file = { "avatar", FILE_MAX, on_file, &got };
	struct form *f = form_new(type, names, &file);

	if (f == NULL) {
		return;
	}
	for (size_t at = 0; at < len; at += step) {
		if (!form_feed(f, body + at,
		    len - at < step ? len - at : step)) {
			break;
		}
	}
	CHECK(got.len <= FILE_MAX && got.len == f->file_len);
	for (size_t i = 0; i < f->fields_len; i++) {
		CHECK(f->fields[i].text.len <= FORM_TEXT_MAX);
	}
	form_free(&f);
	CHECK(f == NULL);
	buf_fini(&got);
}

/* ---- any body ------------------------------------------------------------ */

static void
try_body(const uint8_t *data, size_t len, size_t step)
{
	const uint8_t *end = memchr(data, '\n', len);
	struct seen whole, cut;
	char type[256];
	size_t n;
	bool good;

	if (end == NULL || (size_t)(end - data) >= sizeof(type)) {
		return;
	}
	n = (size_t)(end - data);
	memcpy(type, data, n);
	type[n] = '\0';
	data = end + 1;
	len -= n + 1;
	good = parse(type, data, len, len > 0 ? len : 1, &whole);
	CHECK(good == parse(type, data, len, step, &cut));
	CHECK(whole.parts == cut.parts && whole.told.len == cut.told.len);
	CHECK(whole.told.len == 0 || memcmp(whole.told.data, cut.told.data,
	    cut.told.len) == 0);
	buf_fini(&whole.told);
	buf_fini(&cut.told);
	try_form(type, data, len, step);
}

/* ---- known parts ---------------------------------------------------------- */

/* Writes a part into the body, and what must come of it into `wanted`. */
static void
write_part(struct buf *body, struct buf *wanted, const uint8_t *data,
    size_t len, unsigned i)
{
	bool is_file = i % 2 == 1;

	buf_printf(body, "--" BOUNDARY "\r\n"
	    "Content-Disposition: form-data; name=\"part %u\"%s\r\n\r\n", i,
	    is_file ? "; filename=\"f\"" : "");
	buf_put(body, data, len);
	buf_puts(body, "\r\n");
	buf_printf(wanted, "bpart %u", i);
	buf_put_u8(wanted, 0);
	buf_put_u8(wanted, is_file);
	buf_put(wanted, data, len);
	buf_put(wanted, "e", 1);
}

static void
try_parts(const uint8_t *data, size_t len, size_t step)
{
	struct buf body = BUF_INIT, wanted = BUF_INIT;
	struct seen seen;
	unsigned i = 0;

	/* What holds the delimiter is two parts by right. */
	if (memmem(data, len, "--" BOUNDARY, 5) != NULL) {
		return;
	}
	while (i < PARTS_MAX) {
		const uint8_t *end = memchr(data, 0xff, len);
		size_t n = end != NULL ? (size_t)(end - data) : len;

		write_part(&body, &wanted, data, n, i++);
		if (end == NULL) {
			break;
		}
		data += n + 1;
		len -= n + 1;
	}
	buf_puts(&body, "--" BOUNDARY "--\r\n");
	CHECK(parse("multipart/form-data; boundary=" BOUNDARY, body.data,
	    body.len, step, &seen));
	CHECK(seen.parts == i && seen.told.len == wanted.len);
	CHECK(memcmp(seen.told.data, wanted.data, wanted.len) == 0);
	buf_fini(&seen.told);
	buf_fini(&body);
	buf_fini(&wanted);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t step;

	if (len < 1) {
		return 0;
	}
	step = 1 + (data[0] >> 1) % 64;
	if (data[0] % 2 == 1) {
		try_parts(data + 1, len - 1, step);
	} else {
		try_body(data + 1, len - 1, step);
	}
	return 0;
}
