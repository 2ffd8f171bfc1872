/*
 * Signatures of the formats that browsers show or play, and of two that people
 * send often. HTML, SVG, scripts and all else that a browser could run have no
 * entry on purpose: they are plain bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/media_kind.h"

#include <string.h>

#include "common/attr.h"

#define BYTES(text) text, sizeof(text) - 1

enum {
	KIND_BYTES,
	KIND_MATROSKA,
	KIND_WEBM,
};

static const struct media_kind plain[] = {
	[KIND_BYTES] = { "bin", "application/octet-stream", false, false },
	[KIND_MATROSKA] = { "mkv", "video/x-matroska", false, false },
	[KIND_WEBM] = { "webm", "video/webm", false, true },
};

static const struct {
	struct media_kind kind;
	size_t at;
	const char *bytes;
	size_t len;
	size_t more_at;        /* a second signature; its len 0: none */
	const char *more;
	size_t more_len;
} kinds[] = {
	{ { "jpg", "image/jpeg", true, true },
	    0, BYTES("\xff\xd8\xff"), 0, NULL, 0 },
	{ { "png", "image/png", true, true },
	    0, BYTES("\x89PNG\r\n\x1a\n"), 0, NULL, 0 },
	{ { "webp", "image/webp", true, true },
	    0, BYTES("RIFF"), 8, BYTES("WEBPVP8") },
	{ { "gif", "image/gif", false, true },
	    0, BYTES("GIF87a"), 0, NULL, 0 },
	{ { "gif", "image/gif", false, true },
	    0, BYTES("GIF89a"), 0, NULL, 0 },
	{ { "avif", "image/avif", false, true },
	    4, BYTES("ftypavif"), 0, NULL, 0 },
	{ { "m4a", "audio/mp4", false, true },
	    4, BYTES("ftypM4A "), 0, NULL, 0 },
	{ { "mov", "video/quicktime", false, true },
	    4, BYTES("ftypqt  "), 0, NULL, 0 },
	{ { "mp4", "video/mp4", false, true },
	    4, BYTES("ftypiso"), 0, NULL, 0 },
	{ { "mp4", "video/mp4", false, true },
	    4, BYTES("ftypmp4"), 0, NULL, 0 },
	{ { "mp4", "video/mp4", false, true },
	    4, BYTES("ftypM4V"), 0, NULL, 0 },
	{ { "mp4", "video/mp4", false, true },
	    4, BYTES("ftypavc1"), 0, NULL, 0 },
	{ { "wav", "audio/wav", false, true },
	    0, BYTES("RIFF"), 8, BYTES("WAVE") },
	{ { "ogg", "audio/ogg", false, true },
	    0, BYTES("OggS"), 0, NULL, 0 },
	{ { "flac", "audio/flac", false, true },
	    0, BYTES("fLaC"), 0, NULL, 0 },
	{ { "mp3", "audio/mpeg", false, true },
	    0, BYTES("ID3"), 0, NULL, 0 },
	{ { "mp3", "audio/mpeg", false, true },
	    0, BYTES("\xff\xfb"), 0, NULL, 0 },
	{ { "pdf", "application/pdf", false, false },
	    0, BYTES("%PDF-"), 0, NULL, 0 },
	{ { "zip", "application/zip", false, false },
	    0, BYTES("PK\x03\x04"), 0, NULL, 0 },
};

static bool
has(const char *data, size_t len, size_t at, const char *bytes, size_t n)
{
	return len >= at + n && memcmp(data + at, bytes, n) == 0;
}

/* Matroska and WebM differ only in a name that stands a little behind. */
static const struct media_kind *
ebml_kind(const char *data, size_t len)
{
	return memmem(data, len, "webm", 4) != NULL ? &plain[KIND_WEBM]
	    : &plain[KIND_MATROSKA];
}

const struct media_kind *
media_kind_of_content(const void *data, size_t len)
{
	const char *p = data;

	if (len > MEDIA_HEAD_MAX) {
		len = MEDIA_HEAD_MAX;
	}
	if (has(p, len, 0, BYTES("\x1a\x45\xdf\xa3"))) {
		return ebml_kind(p, len);
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (has(p, len, kinds[i].at, kinds[i].bytes, kinds[i].len) &&
		    has(p, len, kinds[i].more_at, kinds[i].more != NULL
		    ? kinds[i].more : "", kinds[i].more_len)) {
			return &kinds[i].kind;
		}
	}
	return &plain[KIND_BYTES];
}

const struct media_kind *
media_kind_of_name(const char *name)
{
	struct uuid id;
	const char *ext;

	if (strlen(name) < UUID_TEXT_LEN + 2 ||
	    strlen(name) > MEDIA_NAME_MAX ||
	    !uuid_parse(name, UUID_TEXT_LEN, &id) ||
	    name[UUID_TEXT_LEN] != '.') {
		return NULL;
	}
	ext = name + UUID_TEXT_LEN + 1;
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		if (strcmp(ext, plain[i].ext) == 0) {
			return &plain[i];
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(ext, kinds[i].kind.ext) == 0) {
			return &kinds[i].kind;
		}
	}
	return NULL;
}
