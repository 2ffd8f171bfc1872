/*
 * Passwords from a terminal, a pipe, or chance.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/parleyctl/secret.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* 120 bits, as 20 characters. */
#define GENERATED_BYTES 15

/* One line without its end. False: nothing, or too long. */
static bool
read_line(char text[SECRET_MAX])
{
	size_t len;

	if (fgets(text, SECRET_MAX, stdin) == NULL) {
		return false;
	}
	len = strcspn(text, "\r\n");
	if (len == SECRET_MAX - 1) {
		return false;
	}
	text[len] = '\0';
	return true;
}

static bool
ask(const char *what, char text[SECRET_MAX])
{
	struct termios before, quiet;
	bool got;

	if (tcgetattr(STDIN_FILENO, &before) != 0) {
		return false;
	}
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	fprintf(stderr, "%s: ", what);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	got = read_line(text);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	fputc('\n', stderr);
	return got;
}

enum ctl_exit
secret_get(char text[SECRET_MAX])
{
	unsigned char random[GENERATED_BYTES];
	char again[SECRET_MAX];
	bool same;

	if (ctl_flag("generate")) {
		randombytes_buf(random, sizeof(random));
		sodium_bin2base64(text, SECRET_MAX, random, sizeof(random),
		    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
		sodium_memzero(random, sizeof(random));
		return CTL_OK;
	}
	if (!isatty(STDIN_FILENO)) {
		return read_line(text) ? CTL_OK : ctl_fail(CTL_USAGE,
		    "no password: give it as one line on standard input, or "
		    "let one be made with --generate");
	}
	if (!ask("New password", text) || !ask("Once more", again)) {
		return ctl_fail(CTL_USAGE, "no password was typed");
	}
	same = strcmp(text, again) == 0;
	sodium_memzero(again, sizeof(again));
	return same ? CTL_OK : ctl_fail(CTL_USAGE, "the two are not the same");
}
