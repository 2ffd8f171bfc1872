/*
 * Errors, remarks, questions, and who asks.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chatd/parleyctl/ctl.h"

enum ctl_exit
ctl_fail(enum ctl_exit status, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("parleyctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

void
ctl_note(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

bool
ctl_confirm(const char *word, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	if (ctl_flag("yes")) {
		return true;
	}
	if (!isatty(STDIN_FILENO)) {
		(void)ctl_fail(CTL_UNCONFIRMED, "nothing was done: this needs "
		    "--yes where nobody can be asked");
		return false;
	}
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nType \"%s\" to go on: ", word);
	if (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, word) == 0) {
			return true;
		}
	}
	(void)ctl_fail(CTL_UNCONFIRMED, "nothing was done");
	return false;
}

const char *
ctl_operator(void)
{
	const struct passwd *me = getpwuid(getuid());
	const char *sudo = getenv("SUDO_USER");
	static char text[160];
	char host[65] = "?";

	(void)gethostname(host, sizeof(host) - 1);
	if (sudo != NULL && *sudo != '\0') {
		snprintf(text, sizeof(text), "%.60s as %.30s@%s", sudo,
		    me != NULL ? me->pw_name : "?", host);
	} else {
		snprintf(text, sizeof(text), "%.60s@%s",
		    me != NULL ? me->pw_name : "?", host);
	}
	return text;
}
