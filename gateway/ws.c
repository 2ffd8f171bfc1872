/*
 * The library's WebSocket events. The handshake is checked here as well: the
 * library takes any method, any version of HTTP and any path.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/ws.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/json_in.h"
#include "common/mem.h"
#include "gateway/auth.h"
#include "gateway/conn.h"
#include "gateway/conn_io.h"
#include "gateway/gateway.h"
#include "gateway/http.h"
#include "gateway/linger.h"
#include "gateway/opening.h"
#include "gateway/remote.h"

/* No header can be longer: see max_http_header_data in server.c. */
#define HEADER_MAX 8192

/* ---- the handshake ------------------------------------------------------ */

static bool
key_valid(struct lws *wsi)
{
	char key[64];
	unsigned char raw[32];
	size_t raw_len;

	/* By the byte: the library hashes it so, spaces behind it as well. */
	return lws_hdr_copy(wsi, key, sizeof(key), WSI_TOKEN_KEY) > 0 &&
	    sodium_base642bin(raw, sizeof(raw), key, strlen(key), NULL,
	    &raw_len, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
	    raw_len == 16;
}

static bool
has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list != '\0') {
		list += strspn(list, ", \t");
		if (strncasecmp(list, word, len) == 0 &&
		    strchr(", \t", list[len]) != NULL) {
			return true;
		}
		list += strcspn(list, ",");
	}
	return false;
}

/* Bytes behind the head would be read as frames. */
static bool
has_body(struct lws *wsi)
{
	char length[8];

	return lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) >
	    0 || (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) >
	    0 && strcmp(http_header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH,
	    length, sizeof(length)), "0") != 0);
}

/* 0: go on; -1: refused and answered. */
static int
confirm_upgrade(struct lws *wsi)
{
	char text[256];

	/* Not what the callback is handed: to an upgrade that it does not know the
	 * library has answered already, and has given the headers back. */
	http_header(wsi, WSI_TOKEN_UPGRADE, text, sizeof(text));
	if (strcasecmp(text, "websocket") != 0) {
		if (strcasecmp(text, "h2c") == 0) {
			http_refuse_upgrade(wsi, 400,
			    "Only websocket is offered");
		}
		return -1;
	}
	http_header(wsi, WSI_TOKEN_GET_URI, text, sizeof(text));
	if (strcmp(text, "/ws") != 0) {
		http_refuse_upgrade(wsi, 404, "Not found");
		return -1;
	}
	http_header(wsi, WSI_TOKEN_VERSION, text, sizeof(text));
	if (strcmp(text, "13") != 0) {
		http_refuse_upgrade(wsi, 426, "WebSocket version 13 expected");
		return -1;
	}
	http_header(wsi, WSI_TOKEN_CONNECTION, text, sizeof(text));
	if (!has_word(text, "upgrade") || !key_valid(wsi) || has_body(wsi) ||
	    lws_hdr_total_length(wsi, WSI_TOKEN_HOST) <= 0) {
		http_refuse_upgrade(wsi, 400, "Bad WebSocket handshake");
		return -1;
	}
	http_header(wsi, WSI_TOKEN_HTTP, text, sizeof(text));
	if (strcmp(text, "HTTP/1.1") != 0) {
		http_refuse_upgrade(wsi, 400, "HTTP/1.1 expected");
		return -1;
	}
	return 0;
}

/* ---- the token ---------------------------------------------------------- */

/* A page of a foreign origin must not ride on the cookie of its visitor. */
static bool
cookie_counts(struct lws *wsi)
{
	char origin[256];

	http_header(wsi, WSI_TOKEN_ORIGIN, origin, sizeof(origin));
	return origin[0] == '\0' || http_origin_allowed(wsi, origin);
}

/* The first that is found. Points into `text`. */
static const char *
find_token(struct lws *wsi, char *text, size_t max, size_t *len_r)
{
	const char *token = lws_get_urlarg_by_name(wsi, "token=", text,
	    (int)max);

	if (token != NULL && *token != '\0') {
		*len_r = strlen(token);
		return token;
	}
	token = auth_bearer(http_header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION,
	    text, max), len_r);
	if (token == NULL && cookie_counts(wsi)) {
		token = auth_cookie(http_header(wsi, WSI_TOKEN_HTTP_COOKIE,
		    text, max), len_r);
	}
	return token;
}

/* Counts the session as its client's. False: it is refused, and closing. */
static bool
admit(struct conn *c, struct remote *remote, struct lws *wsi)
{
	struct address client = remote_client(remote, wsi);
	const char *why;

	remote_arrived(remote);
	c->caller = remote_become(remote, &client);
	why = remote_refused(remote);
	if (why == NULL &&
	    limits_caller(c->gw->limits, c->caller, CALLER_REQUESTS) > 0) {
		why = "Connecting too often";
	}
	if (why != NULL) {
		conn_close(c, 1013, why);
	}
	return why == NULL;
}

static int
established(struct gateway *gw, struct lws *wsi, struct socket *s)
{
	struct remote *remote = lws_get_opaque_user_data(wsi);
	char *text;
	const char *token;
	size_t len = 0;

	if (remote == NULL) {
		return -1; /* not accepted by us: there is none */
	}
	s->conn = conn_new(gw, wsi);
	if (!admit(s->conn, remote, wsi)) {
		return 0;
	}
	text = mem_zalloc(HEADER_MAX);
	token = find_token(wsi, text, HEADER_MAX, &len);
	opening_start(s->conn, token, len);
	sodium_memzero(text, HEADER_MAX);
	free(text);
	return 0;
}

/* ---- messages ----------------------------------------------------------- */

static int
receive(struct lws *wsi, struct conn *c, const void *in, size_t len)
{
	if (c == NULL) {
		return -1;
	}
	conn_receive(c, in, len, lws_remaining_packet_payload(wsi),
	    lws_is_final_fragment(wsi) != 0, lws_frame_is_binary(wsi) != 0);
	return 0;
}

/* ---- the end ------------------------------------------------------------ */

/* What may stand in a close frame: RFC 6455, 7.4, and IANA's registry. */
static bool
close_code_valid(int code)
{
	return (code >= 1000 && code <= 1003) ||
	    (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/* What the client's close frame is answered with; 0: an empty one. */
static int
answer_to_close(struct conn *c, const uint8_t *in, size_t len)
{
	int code = len >= 2 ? in[0] << 8 | in[1] : 0;

	if (len == 1 || (len >= 2 && !close_code_valid(code))) {
		code = 1002;
		conn_ends(c, code, "Bad close frame");
	} else if (len > 2 && !utf8_valid((const char *)in + 2, len - 2)) {
		code = 1007;
		conn_ends(c, code, "Not UTF-8");
	} else {
		conn_ends(c, 0, "gone");
	}
	return code;
}

/* Answered here and now: the library would echo whatever has come, and read on
 * behind it. */
static int
client_closes(struct conn *c, const uint8_t *in, size_t len)
{
	if (c != NULL) {
		conn_write_close(c, answer_to_close(c, in, len), "");
	}
	return -1;
}

static bool
socket_ended(struct lws *wsi)
{
	char byte;
	ssize_t n = recv(lws_get_socket_fd(wsi), &byte, 1,
	    MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* The library lets go of the connection. If neither we nor the network brought
 * that about, the client has broken the framing: it is told so (for some breaches
 * the library has no word), and the connection ends at once, as what it may still
 * send, an answer to our close frame even, cannot be read any more. */
static int
dropped(struct lws *wsi, struct conn *c)
{
	int fd = lws_get_socket_fd(wsi);

	if (c == NULL || c->close_given || c->dead) {
		return 0;
	}
	if (socket_ended(wsi)) {
		conn_ends(c, 0, "gone");
		return 0;
	}
	conn_ends(c, 1002, "Protocol error");
	conn_write_close(c, 1002, "Protocol error");
	linger_socket(c->gw->loop, fd);
	if (!lws_partial_buffered(wsi)) {
		/* The library cannot add a close frame of its own. */
		(void)shutdown(fd, SHUT_WR);
	}
	return 0;
}

/* ---- events ------------------------------------------------------------- */

int
ws_callback(struct gateway *gw, struct lws *wsi,
    enum lws_callback_reasons reason, struct socket *s, void *in, size_t len)
{
	switch (reason) {
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return confirm_upgrade(wsi);
	case LWS_CALLBACK_ESTABLISHED:
		return established(gw, wsi, s);
	case LWS_CALLBACK_RECEIVE:
		return receive(wsi, s->conn, in, len);
	case LWS_CALLBACK_RECEIVE_PONG:
		if (s->conn != NULL) {
			conn_pong(s->conn);
		}
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return s->conn != NULL ? conn_writable(s->conn) : 0;
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		return client_closes(s->conn, in, len);
	case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL:
		return s != NULL ? dropped(wsi, s->conn) : 0;
	case LWS_CALLBACK_CLOSED:
		conn_gone(&s->conn);
		return 0;
	default:
		return 0;
	}
}
