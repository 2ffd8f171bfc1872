/*
 * What may be sent as a form, and with which words it is refused: pictures are
 * never answered with 413, as the contract has 400 for them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/http_form.h"

#include <string.h>

#include "gateway/form.h"
#include "gateway/http.h"
#include "gateway/media_upload.h"
#include "gateway/routes.h"
#include "gateway/settings.h"

static const char *const register_texts[] = {
	"username",
	"password",
	"name",
	"email",
	NULL,
};

static const char *const no_texts[] = {
	NULL,
};

static bool
is_picture(const struct http *h)
{
	return h->route->body != BODY_FILE;
}

bool
http_form_wanted(const struct http *h)
{
	switch (h->route->body) {
	case BODY_PICTURE:
	case BODY_FILE:
		return true;
	case BODY_JSON_OR_FORM:
		return multipart_is(h->content_type);
	default:
		return false;
	}
}

static void
on_file_data(void *arg, const void *data, size_t len)
{
	media_upload_data(arg, data, len);
}

static void
refuse_size(struct http *h)
{
	if (is_picture(h)) {
		http_answer_error(h, 400, "Avatar too large");
	} else {
		http_answer_error(h, 413, "File too large");
	}
}

bool
http_form_begin(struct http *h)
{
	const struct form_file file = {
		.name = is_picture(h) ? "avatar" : "file",
		.max = (size_t)(is_picture(h) ? settings.avatar_max
		    : settings.file_max),
		.data = on_file_data,
		.arg = h,
	};

	h->form = form_new(h->content_type,
	    h->route->body == BODY_JSON_OR_FORM ? register_texts : no_texts,
	    &file);
	if (h->form == NULL) {
		http_answer_error(h, 400, "Invalid multipart data");
		return false;
	}
	if (h->body_len > file.max + HTTP_FORM_MORE) {
		refuse_size(h);
		return false;
	}
	if (!media_upload_begin(h)) {
		http_answer_error(h, 503, "Service unavailable");
		return false;
	}
	return true;
}

void
http_form_store(struct http *h, void (*next)(struct http *h, const char *url))
{
	const struct form *f = h->form;

	if (!form_complete(f)) {
		http_answer_error(h, 400, "Invalid multipart data");
	} else if (f->file_too_large) {
		refuse_size(h);
	} else if (!f->has_file || (is_picture(h) && f->file_len == 0)) {
		http_answer_error(h, 400, is_picture(h) ? "Invalid avatar"
		    : "Bad request");
	} else if (is_picture(h) && !media_upload_kind(h)->picture) {
		http_answer_error(h, 400, "Invalid avatar type");
	} else {
		media_upload_store(h, next);
	}
}
