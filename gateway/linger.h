/*
 * linger: sockets of clients whom we have told the last thing and who may still
 * be sending. A socket that is closed with bytes unread is reset, and the reset
 * can eat what we said; so a second descriptor keeps it open while what comes is
 * read and dropped.
 *
 * The bounds: so many sockets, for so long, so many bytes each; beyond them a
 * socket ends at once. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_LINGER_H
#define GATEWAY_LINGER_H

#include <uv.h>

#define LINGER_SOCKETS_MAX 4096
#define LINGER_MS 2000
#define LINGER_BYTES_MAX (1024u * 1024)

/* `fd` stays the caller's, to be closed whenever he likes. What he writes later
 * than a few milliseconds from now is not sent. */
void linger_socket(uv_loop_t *loop, int fd);
/* Ends them all. The loop has to turn once more. */
void linger_end_all(void);

#endif
