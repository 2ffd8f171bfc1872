/*
 * The life of the media. Whoever works on a thread keeps the object, even when
 * the gateway is through with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/media.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"
#include "gateway/gateway.h"
#include "gateway/media_s3.h"
#include "gateway/settings.h"

struct media *
media_new(struct gateway *gw)
{
	struct media *m = mem_zalloc(sizeof(*m));

	m->loop = gw->loop;
	if (access(settings.media_dir, W_OK | X_OK) != 0) {
		log_warn("media_dir_unusable", "media_dir=%s error=\"%s\" "
		    "remedy=\"create it for the gateway's account, else "
		    "files cannot be uploaded\"", settings.media_dir,
		    strerror(errno));
	}
	return m;
}

void
media_free(struct media **mp)
{
	struct media *m = *mp;

	if (m == NULL) {
		return;
	}
	*mp = NULL;
	m->ending = true;
	media_s3_stop();
	media_release(m);
}

void
media_release(struct media *m)
{
	if (m->ending && m->uploads == 0 && m->streams == 0) {
		free(m);
	}
}

void
media_work(struct media *m, uv_work_t *work, uv_work_cb run,
    uv_after_work_cb done)
{
	uv_queue_work(m->loop, work, run, done);
}
