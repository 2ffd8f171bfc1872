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
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/rpc_links.h"
#include "common/rpc_plain.h"

#define OWN_MODE 0600
#define GROUP_MODE 0660

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

int
rpc_plain_listen(nng_socket socket, const char *url)
{
	bool ipc = strncmp(url, "ipc://", 6) == 0;
	bool group = rpc_links.group != NULL && *rpc_links.group != '\0';
	nng_listener l;
	int rv = nng_listener_create(&l, socket, url);

	if (rv == 0 && ipc) {
		rv = nng_listener_set_int(l, NNG_OPT_IPC_PERMISSIONS, OWN_MODE);
	}
	if (rv == 0) {
		rv = nng_listener_start(l, 0);
	}
	if (rv == 0 && ipc && group && !admit_group(url + 6)) {
		rv = NNG_EPERM;
	}
	return rv;
}
