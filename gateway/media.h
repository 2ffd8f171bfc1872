/*
 * media: uploaded files: received into the store (media_upload.h) and served
 * from it (media_serve.h). All file work is done on uv's worker threads; this
 * counts what is there, so that both are bounded and the loop can end.
 *
 * Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_MEDIA_H
#define GATEWAY_MEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct gateway;

struct media {
	uv_loop_t *loop;        /* borrowed */
	size_t uploads;
	size_t streams;
	bool ending;
};

/* Warns when the directory cannot be written; uploads will then fail. */
struct media *media_new(struct gateway *gw);
/* Uploads and streams end first, and the loop has to turn until then. */
void media_free(struct media **m);

/* Runs `run` on a worker thread, then `done` here. */
void media_work(struct media *m, uv_work_t *work, uv_work_cb run,
    uv_after_work_cb done);
/* After an upload or a stream has ended: may end the media themselves. */
void media_release(struct media *m);

#endif
