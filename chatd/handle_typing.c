/*
 * typing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/handlers.h"
#include "chatd/service.h"
#include "chatd/typing.h"

void
handle_typing(struct request *r)
{
	typing_tell(r->svc->typing, r,
	    &request_field(r, FIELD_typing_chat_id)->uuid,
	    request_field(r, FIELD_typing_is_typing)->truth);
}
