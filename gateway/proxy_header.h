/*
 * proxy_header: reads a PROXY protocol header, version 1 (text) or 2 (binary),
 * as haproxy's proxy-protocol.txt describes them, out of bytes that may be
 * incomplete. It never asks for a byte that is not the header's. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_PROXY_HEADER_H
#define GATEWAY_PROXY_HEADER_H

#include <stddef.h>

#include "common/address.h"
#include "common/attr.h"

/* A version 2 header with more than this is refused; version 1 has 107. */
#define PROXY_HEADER_MAX 1024

enum proxy_result {
	PROXY_MORE,   /* *need_r more bytes are certainly the header's */
	PROXY_CLIENT, /* complete: *client_r */
	PROXY_SELF,   /* complete: the proxy speaks for itself */
	PROXY_BAD,
};

MUST_CHECK enum proxy_result proxy_header_read(const void *data, size_t len,
    size_t *need_r, struct address *client_r);

#endif
