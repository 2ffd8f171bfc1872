/*
 * routes: which handler answers which HTTP request. Constant data.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_ROUTES_H
#define GATEWAY_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/contract.h"
#include "gateway/http.h"

enum body_kind {
	BODY_NONE,
	BODY_JSON,          /* bounded by body_max */
	BODY_JSON_OR_FORM,  /* the same, or a form with a picture */
	BODY_PICTURE,       /* multipart/form-data with `avatar` */
	BODY_FILE,          /* multipart/form-data with `file` */
};

/* A form: its texts and what stands around the file. */
#define HTTP_FORM_MORE (128u * 1024)

struct http_route {
	enum http_method method;
	const char *path;   /* `{id}` stands for a UUID */
	enum body_kind body;
	bool bearer;        /* handled only for whom a token names */
	enum msg_kind kind; /* MSG_NONE: answered here */
	enum limit limit;   /* of the user's rates, where `bearer` is */
	/* The request is complete. Leads to exactly one http_answer. */
	void (*handle)(struct http *h);
};

/* NULL: none. *path_known_r tells a wrong method from an unknown path. `ids`
 * gets the UUIDs of the path. */
const struct http_route *route_find(enum http_method method,
    const char *path, struct uuid ids[HTTP_IDS_MAX], bool *path_known_r);

void handle_add_chat_members(struct http *h);
void handle_docs(struct http *h);
void handle_docs_ws(struct http *h);
void handle_chat_upload(struct http *h);
void handle_health(struct http *h);
void handle_login(struct http *h);
void handle_register(struct http *h);
void handle_remove_chat_member(struct http *h);
void handle_search_messages(struct http *h);
void handle_set_avatar(struct http *h);

#endif
