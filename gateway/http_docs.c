/*
 * GET /api/docs, /api/docs/ws: the pages of the contract, which lie among the
 * static files. They are made from docs/openapi.yaml and docs/asyncapi.yaml.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/gateway.h"
#include "gateway/routes.h"
#include "gateway/static_files.h"

static void
answer_page(struct http *h, const char *path)
{
	if (!static_files_serve(h->gw->files, h, path)) {
		http_answer_error(h, 404, "Not found");
	}
}

void
handle_docs(struct http *h)
{
	answer_page(h, "/docs-http.html");
}

void
handle_docs_ws(struct http *h)
{
	answer_page(h, "/docs-ws.html");
}
