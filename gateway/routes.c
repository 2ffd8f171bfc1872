/*
 * The table of what is served under /api. HEAD is served where GET is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/routes.h"

#include <string.h>

#include "common/attr.h"

static const struct http_route routes[] = {
	{ HTTP_GET, "/api/health", BODY_NONE, false, MSG_NONE, LIMIT_NONE,
	    handle_health },
	{ HTTP_GET, "/api/docs", BODY_NONE, false, MSG_NONE, LIMIT_NONE,
	    handle_docs },
	{ HTTP_GET, "/api/docs/ws", BODY_NONE, false, MSG_NONE, LIMIT_NONE,
	    handle_docs_ws },
	{ HTTP_POST, "/api/register", BODY_JSON_OR_FORM, false,
	    MSG_register, LIMIT_NONE, handle_register },
	{ HTTP_POST, "/api/login", BODY_JSON, false, MSG_login, LIMIT_NONE,
	    handle_login },
	{ HTTP_POST, "/api/chats/{id}/members", BODY_JSON, true,
	    MSG_add_chat_members, LIMIT_CHANGES, handle_add_chat_members },
	{ HTTP_DELETE, "/api/chats/{id}/members/{id}", BODY_NONE, true,
	    MSG_remove_chat_member, LIMIT_CHANGES, handle_remove_chat_member },
	{ HTTP_GET, "/api/chats/{id}/search", BODY_NONE, true,
	    MSG_search_messages, LIMIT_SEARCHES, handle_search_messages },
	{ HTTP_POST, "/api/users/me/avatar", BODY_PICTURE, true,
	    MSG_set_user_avatar, LIMIT_UPLOADS, handle_set_avatar },
	{ HTTP_POST, "/api/groups/{id}/avatar", BODY_PICTURE, true,
	    MSG_set_group_avatar, LIMIT_UPLOADS, handle_set_avatar },
	{ HTTP_POST, "/api/chat/upload", BODY_FILE, true, MSG_NONE,
	    LIMIT_UPLOADS,
	    handle_chat_upload },
};

/* Fills ids from the path's segments that stand where the pattern has {id}. */
static bool
path_matches(const char *pattern, const char *path,
    struct uuid ids[HTTP_IDS_MAX])
{
	static const char place[] = "{id}";
	size_t n = 0;

	while (*pattern != '\0') {
		if (strncmp(pattern, place, sizeof(place) - 1) != 0) {
			if (*pattern++ != *path++) {
				return false;
			}
			continue;
		}
		if (strcspn(path, "/") != UUID_TEXT_LEN ||
		    !uuid_parse(path, UUID_TEXT_LEN, &ids[n])) {
			return false;
		}
		n++;
		pattern += sizeof(place) - 1;
		path += UUID_TEXT_LEN;
	}
	return *path == '\0';
}

const struct http_route *
route_find(enum http_method method, const char *path,
    struct uuid ids[HTTP_IDS_MAX], bool *path_known_r)
{
	*path_known_r = false;
	if (method == HTTP_HEAD) {
		method = HTTP_GET;
	}
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (!path_matches(routes[i].path, path, ids)) {
			continue;
		}
		*path_known_r = true;
		if (routes[i].method == method) {
			return &routes[i];
		}
	}
	return NULL;
}
