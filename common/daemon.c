/*
 * The skeleton of every process. One loop, one thread; the life of a process is
 *
 *   STARTING -> RUNNING -> DRAINING -> STOPPING
 *         \________\___________\______/   (daemon_fail, init failed)
 *
 * Until the loop runs SIGTERM and SIGINT end the process as they always do:
 * nothing was acknowledged yet, and a start that hangs must be stoppable.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/daemon.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/buf.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/process_metrics.h"
#include "common/supervisor.h"

#define NEEDS_MAX 16
/* The kernel's usual ceiling. Some containers allow a thousand times more, and
 * libraries that keep a table by descriptor would take them at their word. */
#define DESCRIPTORS_MAX 1048576
/* A terminal and a script often both tell a process to end: what comes so soon
 * after the first signal is the same wish, not a second one. */
#define SAME_WISH_MS 200
/* How long handles may take to close after fini before they count as leaked. */
#define CLOSE_MAX_MS 3000
/* The end as a whole: after it, force. */
#define END_SECONDS 8

enum state {
	STATE_STARTING, /* before the loop runs */
	STATE_RUNNING,  /* in uv_run */
	STATE_DRAINING, /* in uv_run; a signal asked for the end */
	STATE_STOPPING, /* the loop was told to stop */
};

static struct {
	const struct daemon_spec *spec; /* borrowed */
	uv_loop_t loop;
	enum state state;
	int status;                /* exit status */
	bool ready_said;
	struct admin *admin;       /* owned; NULL: none */
	uv_signal_t on_term, on_int, on_hup, on_usr1;
	bool has_stop_signals;
	uv_timer_t drain_timer;
	uint64_t drain_since;      /* the loop's clock */
	struct {
		const char *what;  /* borrowed */
		bool met;
	} needs[NEEDS_MAX];
	size_t need_count;
	/* settings */
	char *log_level;
	char *log_file;
	char *admin_listen;
	int64_t drain_timeout;
} d;

static struct config_row common_rows[] = {
	{ "log_level", CONFIG_TEXT, &d.log_level, "info", 0, 0, CONFIG_RELOAD,
	    "least level that is logged: error, warn, info, debug" },
	{ "log_file", CONFIG_TEXT, &d.log_file, "", 0, 0, 0,
	    "file to log to; empty: standard error" },
	{ "admin_listen", CONFIG_TEXT, &d.admin_listen, "", 0, 0, 0,
	    "host:port of /healthz, /readyz and /metrics; empty: none" },
	{ "drain_timeout", CONFIG_MS, &d.drain_timeout, "10s", 0, 3600000, 0,
	    "longest wait for work in flight after SIGTERM" },
	CONFIG_END,
};

const char *
daemon_version(void)
{
	return PARLEY_VERSION;
}

/* ---- readiness ---------------------------------------------------------- */

static bool
all_needs_met(void)
{
	for (size_t i = 0; i < d.need_count; i++) {
		if (!d.needs[i].met) {
			return false;
		}
	}
	return true;
}

static void
say_ready(void)
{
	if (d.state == STATE_RUNNING && !d.ready_said && all_needs_met()) {
		d.ready_said = true;
		log_info("ready", "version=%s pid=%d", daemon_version(),
		    (int)getpid());
		supervisor_notify("READY=1");
	}
}

/* The body of /readyz. */
static bool
put_ready(struct buf *body)
{
	const char *comma = "";

	if (d.state == STATE_STARTING) {
		buf_puts(body, "starting\n");
		return false;
	}
	if (d.state != STATE_RUNNING) {
		buf_puts(body, "draining\n");
		return false;
	}
	if (all_needs_met()) {
		buf_puts(body, "ready\n");
		return true;
	}
	buf_puts(body, "missing: ");
	for (size_t i = 0; i < d.need_count; i++) {
		if (!d.needs[i].met) {
			buf_printf(body, "%s%s", comma, d.needs[i].what);
			comma = ", ";
		}
	}
	buf_puts(body, "\n");
	return false;
}

static double
ready_value(void *arg UNUSED)
{
	return d.state == STATE_RUNNING && all_needs_met() ? 1 : 0;
}

static double
need_value(void *arg)
{
	return d.needs[(size_t)(uintptr_t)arg].met ? 1 : 0;
}

static void
need_gauge(size_t i)
{
	char label[64];

	snprintf(label, sizeof(label), "need=\"%s\"", d.needs[i].what);
	metric_gauge_fn("parley_need_met", label,
	    "1 while this, which the process depends on, is there.",
	    need_value, (void *)(uintptr_t)i);
}

void
daemon_need(const char *what, bool met)
{
	size_t i = 0;

	while (i < d.need_count && strcmp(d.needs[i].what, what) != 0) {
		i++;
	}
	if (i == d.need_count) {
		assert(i < NEEDS_MAX);
		d.needs[i].what = what;
		d.needs[i].met = met;
		d.need_count++;
		need_gauge(i);
	} else if (d.needs[i].met != met) {
		d.needs[i].met = met;
		if (met) {
			log_info("need_met", "what=%s", what);
		} else if (d.state == STATE_RUNNING) {
			log_warn("need_lost", "what=%s", what);
		}
	}
	say_ready();
}

/* ---- stopping ----------------------------------------------------------- */

static void
stop(void)
{
	if (d.state != STATE_STOPPING) {
		d.state = STATE_STOPPING;
		uv_stop(&d.loop);
	}
}

void
daemon_stopped(void)
{
	if (d.state == STATE_DRAINING) {
		log_info("drained", "pid=%d", (int)getpid());
	}
	stop();
}

void
daemon_fail(void)
{
	d.status = 1;
	stop();
}

bool
daemon_draining(void)
{
	return d.state == STATE_DRAINING || d.state == STATE_STOPPING;
}

static void
on_drain_timeout(uv_timer_t *timer UNUSED)
{
	log_warn("drain_timeout", "after_ms=%" PRId64
	    "; what was in flight is given up", d.drain_timeout);
	stop();
}

static void
on_stop_signal(uv_signal_t *handle UNUSED, int number)
{
	const char *name = number == SIGINT ? "SIGINT" : "SIGTERM";

	if (d.state != STATE_RUNNING) {
		if (uv_now(&d.loop) - d.drain_since < SAME_WISH_MS) {
			return;
		}
		log_warn("killed", "signal=%s; asked a second time", name);
		_exit(1);
	}
	d.state = STATE_DRAINING;
	d.drain_since = uv_now(&d.loop);
	log_info("draining", "signal=%s timeout_ms=%" PRId64, name,
	    d.drain_timeout);
	supervisor_notify("STOPPING=1");
	uv_timer_start(&d.drain_timer, on_drain_timeout,
	    (uint64_t)d.drain_timeout, 0);
	d.spec->drain();
}

/* ---- the other signals -------------------------------------------------- */

static bool
parse_level(const char *text, enum log_level *level_r)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], text) == 0) {
			*level_r = (enum log_level)i;
			return true;
		}
	}
	return false;
}

static void
on_reload(uv_signal_t *handle UNUSED, int number UNUSED)
{
	enum log_level level;

	log_reopen();
	if (!config_reload()) {
		return;
	}
	if (parse_level(d.log_level, &level)) {
		log_set_level(level);
	} else {
		log_error("reload_refused", "cause=\"log_level is none of "
		    "error, warn, info, debug\"");
	}
	if (d.spec->reload != NULL) {
		d.spec->reload();
	}
	log_info("reloaded", "pid=%d", (int)getpid());
}

static void
on_dump(uv_signal_t *handle UNUSED, int number UNUSED)
{
	for (size_t i = 0; i < d.need_count; i++) {
		log_info("dump_need", "what=%s met=%d", d.needs[i].what,
		    d.needs[i].met);
	}
	if (d.spec->dump != NULL) {
		d.spec->dump();
	}
}

static void
watch_signal(uv_signal_t *handle, uv_signal_cb fn, int number)
{
	uv_signal_init(&d.loop, handle);
	uv_signal_start(handle, fn, number);
}

/* ---- start -------------------------------------------------------------- */

static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	    limit.rlim_cur >= DESCRIPTORS_MAX) {
		return;
	}
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max
	                                                  : DESCRIPTORS_MAX;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* A reason not to start goes to the log and to whoever started us. */
static void
cannot_start(const char *why)
{
	log_error("cannot_start", "%s", why);
	if (d.log_file != NULL && *d.log_file != '\0') {
		fprintf(stderr, "%s: %s\n", d.spec->name, why);
	}
}

/* Settings and log. -1: go on, else the exit status. */
static int
load_settings(int argc, char **argv)
{
	const struct config_row *tables[] = { common_rows, d.spec->rows, NULL };
	char why[DAEMON_WHY_LEN];
	enum config_action action;
	enum log_level level;

	common_rows[2].def = d.spec->admin_default != NULL
	    ? d.spec->admin_default : "";
	action = config_load(d.spec->name, d.spec->summary, daemon_version(),
	    tables, argc, argv);
	if (action == CONFIG_DONE || action == CONFIG_FAILED) {
		return action == CONFIG_DONE ? 0 : 2;
	}
	if (!parse_level(d.log_level, &level)) {
		fprintf(stderr, "%s: setting log_level=%s: none of error, warn,"
		    " info, debug\n", d.spec->name, d.log_level);
		return 2;
	}
	if (d.spec->check != NULL && !d.spec->check(why)) {
		fprintf(stderr, "%s: %s\n", d.spec->name, why);
		return 2;
	}
	if (action == CONFIG_CHECKED) {
		printf("configuration ok\n");
		return 0;
	}
	if (!log_init(d.spec->name, level, d.log_file)) {
		fprintf(stderr, "%s: setting log_file=%s: cannot write to it: "
		    "%s\n", d.spec->name, d.log_file, strerror(errno));
		return 2;
	}
	return -1;
}

/* What does not keep a process from serving, but should not be so. */
static void
log_oddities(void)
{
	const char *warning = config_warning();

	if (warning != NULL) {
		log_warn("secret_exposed", "%s", warning);
	}
	if (geteuid() == 0) {
		log_warn("running_as_root", "remedy=\"start it as an account of "
		    "its own, as the units in deploy/systemd do\"");
	}
}

static bool
start_admin(void)
{
	char error[ADMIN_ERROR_LEN], address[128];

	if (d.admin_listen == NULL || *d.admin_listen == '\0') {
		return true;
	}
	d.admin = admin_new(&d.loop, d.admin_listen, put_ready, error);
	if (d.admin == NULL) {
		cannot_start(error);
		return false;
	}
	log_info("admin_listening", "addr=%s",
	    admin_address(d.admin, address, sizeof(address)));
	return true;
}

/* ---- the loop's end ----------------------------------------------------- */

static void
on_close_timeout(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

static void
log_handle(uv_handle_t *handle, void *arg)
{
	*(bool *)arg = true;
	log_error("handle_left", "type=%s active=%d closing=%d",
	    uv_handle_type_name(handle->type), uv_is_active(handle),
	    uv_is_closing(handle));
}

static void
close_handle(void *handle)
{
	uv_close(handle, NULL);
}

/*
 * Turns the loop until every uv_close callback has run. A handle that somebody
 * forgot is named in the log instead of hanging the end. Without one it is a
 * job on the pool that has not come back: a library call that cannot be called
 * off, such as a name look-up. Nothing depends on it any more.
 */
static void
close_loop(void)
{
	uv_timer_t guard;
	bool left = false;

	uv_timer_init(&d.loop, &guard);
	uv_timer_start(&guard, on_close_timeout, CLOSE_MAX_MS, 0);
	uv_unref((uv_handle_t *)&guard);
	uv_run(&d.loop, UV_RUN_DEFAULT);
	close_handle(&guard);
	uv_run(&d.loop, UV_RUN_NOWAIT);
	if (uv_loop_close(&d.loop) != 0) {
		uv_walk(&d.loop, log_handle, &left);
		assert(!left);
		log_warn("end_not_awaited", "status=%d; a call on the thread "
		    "pool has not returned (a name look-up, or a server that "
		    "does not answer)", d.status);
		log_fini();
		_exit(d.status);
	}
}

static void
close_own_handles(void)
{
	if (d.has_stop_signals) {
		close_handle(&d.on_term);
		close_handle(&d.on_int);
	}
	close_handle(&d.on_hup);
	close_handle(&d.on_usr1);
	close_handle(&d.drain_timer);
	process_metrics_fini();
	admin_free(&d.admin);
}

/* Signal handler. */
static void
on_end_stuck(int number UNUSED)
{
	static const char text[] = "the process's end hangs in a library, all "
	    "work being done: ended by force\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

/* Closing must not wait for ever (NNG's has been seen to). */
static void
bound_end(void)
{
	signal(SIGALRM, on_end_stuck);
	alarm(END_SECONDS);
}

/* Init has succeeded: turn the loop until somebody stops it. */
static void
run(void)
{
	watch_signal(&d.on_term, on_stop_signal, SIGTERM);
	watch_signal(&d.on_int, on_stop_signal, SIGINT);
	d.has_stop_signals = true;
	d.state = STATE_RUNNING;
	say_ready();
	while (d.state != STATE_STOPPING) {
		uv_run(&d.loop, UV_RUN_DEFAULT);
	}
}

static void
live(void)
{
	log_info("starting", "version=%s pid=%d", daemon_version(),
	    (int)getpid());
	uv_loop_init(&d.loop);
	uv_timer_init(&d.loop, &d.drain_timer);
	watch_signal(&d.on_hup, on_reload, SIGHUP);
	watch_signal(&d.on_usr1, on_dump, SIGUSR1);
	process_metrics_init(&d.loop, daemon_version());
	metric_gauge_fn("parley_ready", NULL,
	    "1 while the process is ready for work.", ready_value, NULL);

	log_oddities();
	if (!start_admin()) {
		d.status = 1;
	} else {
		if (!d.spec->init(&d.loop)) {
			d.status = 1;
		} else if (d.state != STATE_STOPPING) {
			run();
		}
		d.state = STATE_STOPPING;
		bound_end();
		d.spec->fini();
	}
	close_own_handles();
	close_loop();
}

/* Signal handler. */
static void
on_stop_before_loop(int number)
{
	_exit(128 + number);
}

/* As the first process of a container, where there is no init: the kernel gives
 * it no default actions, so what ends others must be asked for; and whose parent
 * has died is its child, which nobody waits for. */
static void
be_first_process(void)
{
	signal(SIGTERM, on_stop_before_loop);
	signal(SIGINT, on_stop_before_loop);
	signal(SIGCHLD, SIG_IGN);
}

int
daemon_main(int argc, char **argv, const struct daemon_spec *spec)
{
	int status;

	memset(&d, 0, sizeof(d));
	d.spec = spec;
	signal(SIGPIPE, SIG_IGN);
	/* A shell ignores SIGINT for what it starts in the background. */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (getpid() == 1) {
		be_first_process();
	}
	/* Log rotation and curious operators must not end a process that is
	 * still migrating; the loop takes these two over. */
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	raise_descriptor_limit();
	if (sodium_init() < 0) {
		fprintf(stderr, "%s: the system gives no random numbers\n",
		    spec->name);
		return 1;
	}
	status = load_settings(argc, argv);
	if (status < 0 && spec->preflight != NULL) {
		status = spec->preflight();
	}
	if (status < 0) {
		live();
		log_info("ended", "status=%d", d.status);
		status = d.status;
	}
	/* Joins the pool's threads: they read settings, and what checks the
	 * process at its exit has been seen to wait for ever for a parked one. */
	uv_library_shutdown();
	metrics_fini();
	config_free();
	log_fini();
	alarm(0);
	return status;
}
