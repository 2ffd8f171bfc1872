/*
 * Opening an address for callers without TLS; the file's mode guards ipc://.
 *
 * NNG binds an ipc:// socket, sets its mode, and only then listens, so there is
 * no moment at which others could connect (1.5.2 and 1.10 alike).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/rpc_links.h"
#include "common/rpc_plain.h"

#define OWN_MODE 0600
#define GROUP_MODE 0660
#define WATCH_MS 500

/*
 * A caller of ipc:// who is gone before NNG greets him ends the listener: the
 * greeting fails with EPIPE, which is NNG_ECLOSED to it, which it takes for its
 * own end (1.5.2, listener_accept_cb). Nobody could connect any more, without a
 * word. NNG counts it among its "other" errors, so after one of these the address
 * is opened anew. The former listener stays, with its connections: to close it
 * would take the address away. Only our own account, and listen_group, can make
 * more of them.
 */
struct plain_watch {
	uv_timer_t timer;
	nng_socket socket;   /* borrowed */
	nng_listener listener;
	char *url;           /* owned */
};

/* Group first: the mode that lets it in comes last. */
static bool
admit_group(const char *path)
{
	const struct group *group = getgrnam(rpc_links.group);

	if (group != NULL && chown(path, (uid_t)-1, group->gr_gid) == 0 &&
	    chmod(path, GROUP_MODE) == 0) {
		return true;
	}
	log_error("group_not_admitted", "setting=listen_group value=%s "
	    "reason=\"%s\" remedy=\"name a group that this process's account "
	    "is in\"", rpc_links.group,
	    group == NULL ? "no such group" : strerror(errno));
	return false;
}

bool
rpc_plain_is_admin(nng_pipe pipe)
{
	uint64_t uid;

	/* The kernel says whose process it is; of tcp:// it cannot. */
	if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &uid) != 0) {
		return rpc_links.insecure_admin;
	}
	return uid == 0 || uid == geteuid();
}

static bool
is_ipc(const char *url)
{
	return strncmp(url, "ipc://", 6) == 0;
}

static int
listen_at(nng_socket socket, const char *url, nng_listener *l_r)
{
	bool ipc = is_ipc(url);
	bool group = rpc_links.group != NULL && *rpc_links.group != '\0';
	int rv = nng_listener_create(l_r, socket, url);

	if (rv != 0) {
		return rv;
	}
	if (ipc) {
		rv = nng_listener_set_int(*l_r, NNG_OPT_IPC_PERMISSIONS,
		    OWN_MODE);
	}
	if (rv == 0) {
		rv = nng_listener_start(*l_r, 0);
	}
	if (rv == 0 && ipc && group && !admit_group(url + 6)) {
		rv = NNG_EPERM;
	}
	if (rv != 0) {
		(void)nng_listener_close(*l_r);
	}
	return rv;
}

/* ---- a listener that has ended ------------------------------------------- */

/* Whether NNG has counted an error of the listener that may have been its end. */
static bool
may_have_ended(nng_listener l)
{
	nng_stat *all;
	bool ended = false;

	if (nng_stats_get(&all) != 0) {
		return false; /* NNG was built without */
	}
	/* By hand: nng_stat_find_listener finds any. And NNG 1.10 has const
	 * where 1.5 has not. */
	for (__auto_type s = nng_stat_child(all); s != NULL && !ended;
	    s = nng_stat_next(s)) {
		ended = strcmp(nng_stat_name(s), "listener") == 0 &&
		    (int)nng_stat_value(nng_stat_find(s, "id")) ==
		    nng_listener_id(l) &&
		    nng_stat_value(nng_stat_find(s, "other")) > 0;
	}
	nng_stats_free(all);
	return ended;
}

static void
on_look(uv_timer_t *timer)
{
	struct plain_watch *w = timer->data;
	nng_listener fresh;
	int rv;

	if (!may_have_ended(w->listener)) {
		return;
	}
	(void)unlink(w->url + 6);
	rv = listen_at(w->socket, w->url, &fresh);
	if (rv != 0) {
		/* The next look finds the former one as it is, and tries. */
		log_error("cannot_listen", "addr=%s reason=\"%s\" remedy=\"see "
		    "that descriptors are left and that its directory may be "
		    "written to; it is tried again\"", w->url,
		    nng_strerror(rv));
		return;
	}
	w->listener = fresh;
	log_warn("listener_renewed", "addr=%s cause=\"a caller left before he "
	    "was greeted\"", w->url);
}

int
rpc_plain_listen(uv_loop_t *loop, nng_socket socket, const char *url,
    struct plain_watch **watch_r)
{
	nng_listener l;
	int rv = listen_at(socket, url, &l);

	*watch_r = NULL;
	if (rv == 0 && is_ipc(url)) {
		struct plain_watch *w = mem_zalloc(sizeof(*w));

		w->socket = socket;
		w->listener = l;
		w->url = mem_strdup(url);
		uv_timer_init(loop, &w->timer);
		w->timer.data = w;
		uv_timer_start(&w->timer, on_look, WATCH_MS, WATCH_MS);
		*watch_r = w;
	}
	return rv;
}

static void
on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
plain_watch_free(struct plain_watch **wp)
{
	struct plain_watch *w = *wp;

	*wp = NULL;
	if (w != NULL) {
		free(w->url);
		uv_close((uv_handle_t *)&w->timer, on_closed);
	}
}
