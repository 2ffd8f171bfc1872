/*
 * The handlers, expanded from contract.def: every request and HTTP call, and the
 * calls that are made to chatd. A row without its handler fails the link.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_HANDLERS_H
#define CHATD_HANDLERS_H

#include "chatd/request.h"

typedef void handler_fn(struct request *r);

#define HANDLER_TO_chatd(name) handler_fn handle_##name;
#define HANDLER_TO_presenced(name)
#define HANDLER_TO_any(name)
#define REQUEST(number, name, family, lane, route, limit, flags) \
	handler_fn handle_##name;
#define HTTP_CALL(number, name, method, path, lane, flags) \
	handler_fn handle_##name;
#define ADMIN(number, name, lane, flags) handler_fn handle_##name;
#define CALL(number, name, from, to, lane, flags) HANDLER_TO_##to(name)
#define FIELD(name, ident, path, kind, max, flags)
#define END(name)
#define EVENT(name)
#include "common/contract.def"
#undef REQUEST
#undef HTTP_CALL
#undef ADMIN
#undef CALL
#undef FIELD
#undef END
#undef EVENT
#undef HANDLER_TO_chatd
#undef HANDLER_TO_presenced
#undef HANDLER_TO_any

#endif
