/*
 * What thousands of clients ask for when they connect at once: how their requests
 * are gathered into transactions. service.c makes the gathers, the handlers fill
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_OPENINGS_H
#define CHATD_OPENINGS_H

#include "chatd/gather.h"

/* handle_session.c, check_token */
extern const struct gather_conf openings_tokens;
/* handle_user_info.c */
extern const struct gather_conf openings_user_infos;

#endif
