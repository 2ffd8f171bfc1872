/*
 * The library's HTTP events. A request's object lives from its headers until
 * the library unbinds the transaction, which it does before it takes the next
 * one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <libwebsockets.h>

#include "gateway/http.h"
#include "gateway/remote.h"
#include "gateway/tcp_read.h"
#include "gateway/ws.h"

/* ---- pipelined requests ------------------------------------------------- */

static void
note_read(struct lws *wsi)
{
	struct remote *remote = lws_get_opaque_user_data(wsi);
	uint64_t *count;

	if (remote == NULL) {
		return;
	}
	count = remote_bytes_read(remote);
	if (!tcp_read_count(lws_get_socket_fd(wsi), count)) {
		*count = UINT64_MAX;
	}
}

/*
 * Whether a body, or what the library takes for one, belongs to a request that
 * was read together with the one before. The library then loses its place: it
 * reads the head as the body, goes on in memory it has given back, or never
 * ends. Such a request's head was there before anything more was read.
 */
static bool
body_pipelined(struct lws *wsi)
{
	struct remote *remote = lws_get_opaque_user_data(wsi);
	uint64_t now;

	if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) <= 0 &&
	    lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) <= 0 &&
	    lws_hdr_total_length(wsi, WSI_TOKEN_POST_URI) <= 0 &&
	    lws_hdr_total_length(wsi, WSI_TOKEN_PUT_URI) <= 0 &&
	    lws_hdr_total_length(wsi, WSI_TOKEN_PATCH_URI) <= 0) {
		return false;
	}
	if (remote == NULL || *remote_bytes_read(remote) == 0) {
		return false; /* the first: nothing came before it */
	}
	return !tcp_read_count(lws_get_socket_fd(wsi), &now) ||
	    now <= *remote_bytes_read(remote);
}

/* ---- events ------------------------------------------------------------- */

static int
begin(struct gateway *gw, struct lws *wsi, struct socket *s, const char *path)
{
	http_end(&s->http);
	if (body_pipelined(wsi)) {
		/* Without an answer: the client asks again (RFC 9112, 9.3.2). */
		return -1;
	}
	return http_begin(&s->http, gw, wsi, path);
}

int
http_callback(struct gateway *gw, struct lws *wsi,
    enum lws_callback_reasons reason, struct socket *s, void *in, size_t len)
{
	switch (reason) {
	case LWS_CALLBACK_HTTP:
		return begin(gw, wsi, s, in);
	case LWS_CALLBACK_HTTP_BODY:
		return s->http != NULL ? http_body(s->http, in, len) : -1;
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		return s->http != NULL ? http_body_done(s->http) : -1;
	case LWS_CALLBACK_HTTP_WRITEABLE:
		return s->http != NULL ? http_writable(s->http) : 0;
	case LWS_CALLBACK_HTTP_FILE_COMPLETION:
		return lws_http_transaction_completed(wsi) ? -1 : 0;
	case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
		/* Again for no request, when the next one has been read. */
		if (s->http != NULL) {
			note_read(wsi);
		}
		http_end(&s->http);
		return 0;
	case LWS_CALLBACK_CLOSED_HTTP:
		http_end(&s->http);
		return 0;
	default:
		return 0;
	}
}
