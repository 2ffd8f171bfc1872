/*
 * config: kinds, bounds, precedence, errors (one line, no secret in it),
 * masked printing, reload.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/config.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/rate.h"

static char *text_v, *url_v, *secret_v;
static int64_t int_v, ms_v, bytes_v;
static bool bool_v;
static struct rate rate_v;

static const struct config_row rows[] = {
	{ "text_v", CONFIG_TEXT, &text_v, "dflt", 0, 0, CONFIG_RELOAD,
	    "a text" },
	{ "redis_url", CONFIG_TEXT, &url_v, "redis://u:geheim@h:1", 0, 0, 0,
	    "a URL" },
	{ "secret_v", CONFIG_TEXT, &secret_v, NULL, 0, 0, CONFIG_SECRET,
	    "a secret" },
	{ "int_v", CONFIG_INT, &int_v, "7", -5, 100, CONFIG_RELOAD,
	    "a number" },
	{ "ms_v", CONFIG_MS, &ms_v, "5s", 0, 0, 0, "a time" },
	{ "bytes_v", CONFIG_BYTES, &bytes_v, "64k", 1, 1 << 30, 0, "a size" },
	{ "bool_v", CONFIG_BOOL, &bool_v, "off", 0, 0, 0, "a switch" },
	{ "rate_v", CONFIG_RATE, &rate_v, "5/s burst 9", 1, 1 << 20,
	    CONFIG_RELOAD, "a rate" },
	CONFIG_END,
};

static const struct config_row needed[] = {
	{ "needed_url", CONFIG_TEXT, &text_v, NULL, 0, 0,
	    CONFIG_REQUIRED | CONFIG_SECRET, "must be there" },
	CONFIG_END,
};

static char file_path[] = "/tmp/parley-conf-XXXXXX";
static char out_path[] = "/tmp/parley-conf-out-XXXXXX";
static char printed[16384];

static void
write_file(const char *text)
{
	FILE *f = fopen(file_path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Loads with up to three flags; what it wrote to stdout and stderr is in
 * `printed`. */
static enum config_action
load_rows(const struct config_row *table, const char *a, const char *b,
    const char *c)
{
	const struct config_row *tables[] = { table, NULL };
	char *argv[] = { (char *)"chatd", (char *)a, (char *)b, (char *)c,
		NULL };
	int argc = 1, out = dup(1), err = dup(2);
	enum config_action action;
	size_t len;
	FILE *f;

	while (argv[argc] != NULL) {
		argc++;
	}
	fflush(stdout);
	assert_non_null(freopen(out_path, "w", stdout));
	dup2(1, 2);
	action = config_load("chatd", "the summary", "9.9", tables, argc, argv);
	fflush(stdout);
	fflush(stderr);
	dup2(out, 1);
	dup2(err, 2);
	close(out);
	close(err);
	f = fopen(out_path, "r");
	len = fread(printed, 1, sizeof(printed) - 1, f);
	printed[len] = '\0';
	fclose(f);
	return action;
}

static enum config_action
load(const char *a, const char *b, const char *c)
{
	return load_rows(rows, a, b, c);
}

static void
test_defaults(void **state UNUSED)
{
	assert_int_equal(load(NULL, NULL, NULL), CONFIG_RUN);
	assert_string_equal(text_v, "dflt");
	assert_null(secret_v);
	assert_int_equal(int_v, 7);
	assert_int_equal(ms_v, 5000);
	assert_int_equal(bytes_v, 65536);
	assert_false(bool_v);
	config_free();
	assert_null(text_v);
}

static const struct {
	const char *flag;
	int64_t value; /* of its target; -999: refused */
	const char *error;
} number_cases[] = {
	{ "--int-v=100", 100, NULL },
	{ "--int-v=-5", -5, NULL },
	{ "--int-v=101", -999,
	    "chatd: setting int_v=101 (flag): not in the range -5 to 100\n" },
	{ "--int-v=-6", -999,
	    "chatd: setting int_v=-6 (flag): not in the range -5 to 100\n" },
	{ "--int-v=", -999,
	    "chatd: setting int_v= (flag): not a whole number\n" },
	{ "--int-v=5s", -999,
	    "chatd: setting int_v=5s (flag): not a whole number\n" },
	{ "--int-v=99999999999999999999", -999,
	    "chatd: setting int_v=99999999999999999999 (flag): not a whole "
	    "number\n" },
	{ "--ms-v=250ms", 250, NULL },
	{ "--ms-v=250", 250, NULL },
	{ "--ms-v=2m", 120000, NULL },
	{ "--ms-v=1h", 3600000, NULL },
	{ "--ms-v=30d", INT64_C(2592000000), NULL },
	{ "--ms-v=abc", -999, "chatd: setting ms_v=abc (flag): not a duration "
	    "such as 250ms, 5s, 2m\n" },
	{ "--ms-v=-5s", -999, "chatd: setting ms_v=-5s (flag): not a duration "
	    "such as 250ms, 5s, 2m\n" },
	{ "--ms-v=5S", -999, "chatd: setting ms_v=5S (flag): not a duration "
	    "such as 250ms, 5s, 2m\n" },
	{ "--ms-v=1.5s", -999, "chatd: setting ms_v=1.5s (flag): not a "
	    "duration such as 250ms, 5s, 2m\n" },
	{ "--ms-v=200000000000000d", -999, "chatd: setting ms_v="
	    "200000000000000d (flag): not a duration such as 250ms, 5s, 2m\n" },
	{ "--bytes-v=512", 512, NULL },
	{ "--bytes-v=20M", 20 << 20, NULL },
	{ "--bytes-v=1g", 1 << 30, NULL },
	{ "--bytes-v=2G", -999, "chatd: setting bytes_v=2G (flag): not in the "
	    "range 1 to 1G\n" },
	{ "--bytes-v=0", -999, "chatd: setting bytes_v=0 (flag): not in the "
	    "range 1 to 1G\n" },
	{ "--bytes-v=64kb", -999, "chatd: setting bytes_v=64kb (flag): not a "
	    "size such as 512, 64k, 20M\n" },
	{ "--bool-v", 1, NULL },
	{ "--bool-v=on", 1, NULL },
	{ "--bool-v=Yes", 1, NULL },
	{ "--bool-v=1", 1, NULL },
	{ "--bool-v=off", 0, NULL },
	{ "--bool-v=FALSE", 0, NULL },
	{ "--bool-v=2", -999,
	    "chatd: setting bool_v=2 (flag): neither on nor off\n" },
	{ "--text-v", -999,
	    "chatd: flag --text-v has no value: write --text-v=value\n" },
	{ "--text_v=x", -999,
	    "chatd: unknown flag --text_v: see --help for all\n" },
	{ "--nope=x", -999,
	    "chatd: unknown flag --nope: see --help for all\n" },
	{ "word", -999, "chatd: argument 1 is no flag: write --name=value "
	    "(see --help)\n" },
	{ "--config=/nonexistent/x", -999, "chatd: setting config="
	    "/nonexistent/x: cannot read it: No such file or directory\n" },
};

static void
test_numbers(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(number_cases); i++) {
		const char *flag = number_cases[i].flag;
		enum config_action action = load(flag, NULL, NULL);
		int64_t got = flag[2] == 'i' ? int_v : flag[2] == 'm' ? ms_v
		    : flag[3] == 'y' ? bytes_v : bool_v;

		if (number_cases[i].error != NULL) {
			assert_int_equal(action, CONFIG_FAILED);
			assert_string_equal(printed, number_cases[i].error);
		} else {
			assert_int_equal(action, CONFIG_RUN);
			assert_string_equal(printed, "");
			assert_true(got == number_cases[i].value);
		}
		config_free();
	}
}

static void
test_rates(void **state UNUSED)
{
	static const char wrong[] = "not a rate such as 50/s burst 500, 10/5m, "
	    "off\n";
	char *flag = mem_sprintf("--config=%s", file_path);

	assert_int_equal(load(NULL, NULL, NULL), CONFIG_RUN);
	assert_int_equal(rate_v.count, 5);
	assert_int_equal(rate_v.period_ms, 1000);
	assert_int_equal(rate_v.burst, 9);
	assert_int_equal(load("--rate-v=off", NULL, NULL), CONFIG_RUN);
	assert_int_equal(rate_v.count, 0);
	assert_int_equal(load("--rate-v=fast", NULL, NULL), CONFIG_FAILED);
	assert_non_null(strstr(printed, wrong));
	assert_int_equal(load("--rate-v=", NULL, NULL), CONFIG_FAILED);
	assert_non_null(strstr(printed, wrong));
	assert_int_equal(load("--rate-v=2M/s", NULL, NULL), CONFIG_FAILED);
	assert_non_null(strstr(printed, "not in the range 1 to 1M\n"));
	assert_int_equal(load("--rate-v=1/s burst 2M", NULL, NULL),
	    CONFIG_FAILED);
	assert_non_null(strstr(printed, "not in the range 1 to 1M\n"));
	assert_int_equal(load("--help", NULL, NULL), CONFIG_DONE);
	assert_non_null(strstr(printed, "--rate-v=RATE"));
	assert_non_null(strstr(printed, "default: 5/s burst 9; range: 1 to 1M; "
	    "SIGHUP takes a change in the file\n"));
	assert_true(log_init("chatd", LOG_ERROR, "/dev/null"));
	write_file("rate_v = 7/m\n");
	assert_int_equal(load(flag, NULL, NULL), CONFIG_RUN);
	assert_int_equal(rate_v.period_ms, 60000);
	write_file("rate_v = 8/h burst 3\n");
	assert_true(config_reload());
	assert_int_equal(rate_v.count, 8);
	assert_int_equal(rate_v.burst, 3);
	write_file("rate_v = 8/\n");
	assert_false(config_reload());
	assert_int_equal(rate_v.count, 8);
	config_free();
	log_fini();
	free(flag);
}

static void
test_precedence(void **state UNUSED)
{
	char *flag = mem_sprintf("--config=%s", file_path);

	write_file("# a comment\n\n  text_v = of the file # kept  \n"
	    "int_v=11\r\nms_v = 1s\n");
	setenv("PARLEY_INT_V", "12", 1);
	setenv("PARLEY_MS_V", "2s", 1);
	assert_int_equal(load(flag, "--ms-v", "3s"), CONFIG_RUN);
	assert_string_equal(text_v, "of the file # kept");
	assert_int_equal(int_v, 12);
	assert_int_equal(ms_v, 3000);
	assert_int_equal(bytes_v, 65536);
	setenv("PARLEY_INT_V", "x", 1);
	assert_int_equal(load(flag, NULL, NULL), CONFIG_FAILED);
	assert_string_equal(printed, "chatd: setting int_v=x (environment "
	    "PARLEY_INT_V): not a whole number\n");
	unsetenv("PARLEY_INT_V");
	unsetenv("PARLEY_MS_V");
	setenv("PARLEY_CONFIG", file_path, 1);
	assert_int_equal(load(NULL, NULL, NULL), CONFIG_RUN);
	assert_int_equal(int_v, 11);
	unsetenv("PARLEY_CONFIG");
	config_free();
	free(flag);
}

static const struct {
	const char *file;
	const char *error; /* behind "chatd: file PATH" */
} file_cases[] = {
	{ "int_v = 1\nnope = 2\n", ":2: unknown setting nope: see --help for "
	    "all\n" },
	{ "int_v 1\n", ":1: no `=`: write `key = value`\n" },
	{ "config = x\n", ":1: unknown setting config: see --help for all\n" },
	{ "int_v = 1\n\nint_v = 2\n", ":3: int_v is set in line 1 already\n" },
};

static void
test_bad_files(void **state UNUSED)
{
	char *flag = mem_sprintf("--config=%s", file_path);

	for (size_t i = 0; i < ARRAY_LEN(file_cases); i++) {
		char *wanted = mem_sprintf("chatd: file %s%s", file_path,
		    file_cases[i].error);

		write_file(file_cases[i].file);
		assert_int_equal(load(flag, NULL, NULL), CONFIG_FAILED);
		assert_string_equal(printed, wanted);
		free(wanted);
	}
	write_file("\nint_v = 1000\n");
	assert_int_equal(load(flag, NULL, NULL), CONFIG_FAILED);
	assert_non_null(strstr(printed, ":2): not in the range -5 to 100\n"));
	config_free();
	free(flag);
}

static void
test_secrets(void **state UNUSED)
{
	setenv("PARLEY_SECRET_V", "sesam", 1);
	assert_int_equal(load("--print-config", NULL, NULL), CONFIG_DONE);
	assert_string_equal(secret_v, "sesam");
	assert_null(strstr(printed, "sesam"));
	assert_null(strstr(printed, "geheim"));
	assert_non_null(strstr(printed, "\nsecret_v = ********\n"));
	assert_non_null(strstr(printed, "\nredis_url = redis://u:********@h:1"
	    "\n"));
	assert_non_null(strstr(printed, "text_v = dflt\n"));
	unsetenv("PARLEY_SECRET_V");
	assert_int_equal(load("--help", NULL, NULL), CONFIG_DONE);
	assert_non_null(strstr(printed, "chatd: the summary\n"));
	assert_non_null(strstr(printed, "PARLEY_BYTES_V"));
	assert_non_null(strstr(printed, "range: 1 to 1G"));
	config_free();
}

static void
test_required(void **state UNUSED)
{
	static const char error[] = "chatd: setting needed_url is required: "
	    "give PARLEY_NEEDED_URL, --needed-url-file, or a line `needed_url "
	    "= ...` in the file of --config\n";

	assert_int_equal(load_rows(needed, NULL, NULL, NULL), CONFIG_FAILED);
	assert_string_equal(printed, error);
	assert_int_equal(load_rows(needed, "--needed-url=", NULL, NULL),
	    CONFIG_FAILED);
	assert_string_equal(printed, error);
	assert_int_equal(load_rows(needed, "--needed-url=unix:x", NULL, NULL),
	    CONFIG_RUN);
	config_free();
}

/* A command line is no place for a secret; a URL without one may stand there. */
static void
test_secrets_as_flags(void **state UNUSED)
{
	static const char error[] = "chatd: flag --needed-url holds a secret, "
	    "and everyone on this machine can read a command line: give it as "
	    "PARLEY_NEEDED_URL, by --needed-url-file or in the file of "
	    "--config\n";
	static const char *const refused[] = { "--needed-url=sesam",
		"--needed-url=redis://:sesam@host:1",
		"--needed-url=host=h password=sesam",
		"--needed-url=postgresql://h/db?user=u&password=sesam" };
	static const char *const taken[] = { "--needed-url=unix:/run/r.sock",
		"--needed-url=redis://host:1/2",
		"--needed-url=postgresql:///parley?host=/run/postgresql" };

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		assert_int_equal(load_rows(needed, refused[i], NULL, NULL),
		    CONFIG_FAILED);
		assert_string_equal(printed, error);
	}
	assert_int_equal(load_rows(needed, "--needed-url", "sesam", NULL),
	    CONFIG_FAILED);
	assert_string_equal(printed, error);
	for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
		assert_int_equal(load_rows(needed, taken[i], NULL, NULL),
		    CONFIG_RUN);
	}
	config_free();
}

/* A file that holds one secret; its last line break is not part of it. */
static void
test_secret_files(void **state UNUSED)
{
	char *flag = mem_sprintf("--secret-v-file=%s", file_path);
	char *wanted;

	write_file("se sam\r\n");
	assert_int_equal(load(flag, NULL, NULL), CONFIG_RUN);
	assert_string_equal(secret_v, "se sam");
	/* What is printed can be read again, and shows the path alone. */
	assert_int_equal(load(flag, "--print-config", NULL), CONFIG_DONE);
	assert_null(strstr(printed, "se sam"));
	assert_non_null(strstr(printed, "\n# secret_v = ********\n"));
	assert_non_null(strstr(printed, file_path));
	/* The stronger source wins, one source may say it once. */
	setenv("PARLEY_SECRET_V", "stronger", 1);
	setenv("PARLEY_SECRET_V_FILE", file_path, 1);
	assert_int_equal(load(NULL, NULL, NULL), CONFIG_FAILED);
	assert_string_equal(printed, "chatd: settings secret_v and "
	    "secret_v_file are both given: give one of them\n");
	assert_int_equal(load(flag, NULL, NULL), CONFIG_RUN);
	assert_string_equal(secret_v, "se sam");
	unsetenv("PARLEY_SECRET_V_FILE");
	assert_int_equal(load(NULL, NULL, NULL), CONFIG_RUN);
	assert_string_equal(secret_v, "stronger");
	unsetenv("PARLEY_SECRET_V");
	free(flag);
	assert_int_equal(load("--secret-v-file=/tmp", NULL, NULL),
	    CONFIG_FAILED);
	assert_string_equal(printed, "chatd: setting secret_v_file=/tmp: cannot"
	    " read it: not a regular file\n");
	wanted = mem_sprintf("--secret-v-file=%s.none", file_path);
	assert_int_equal(load(wanted, NULL, NULL), CONFIG_FAILED);
	assert_non_null(strstr(printed, "No such file"));
	free(wanted);
	config_free();
}

/* systemd's LoadCredential: a directory of files named like the settings. */
static void
test_credentials(void **state UNUSED)
{
	char dir[] = "/tmp/parley-cred-XXXXXX";
	char *flag = mem_sprintf("--config=%s", file_path);
	char *path;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	path = mem_sprintf("%s/secret_v", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("of the unit\n", f);
	fclose(f);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	write_file("secret_v = of the file\n");
	assert_int_equal(load(flag, NULL, NULL), CONFIG_RUN);
	assert_string_equal(secret_v, "of the unit");
	assert_true(config_reload());
	assert_string_equal(secret_v, "of the unit");
	setenv("PARLEY_SECRET_V", "of the environment", 1);
	assert_int_equal(load(flag, NULL, NULL), CONFIG_RUN);
	assert_string_equal(secret_v, "of the environment");
	unsetenv("PARLEY_SECRET_V");
	unlink(path);
	assert_int_equal(load(flag, NULL, NULL), CONFIG_RUN);
	assert_string_equal(secret_v, "of the file");
	unsetenv("CREDENTIALS_DIRECTORY");
	rmdir(dir);
	free(path);
	free(flag);
	config_free();
}

/* A reload reads the file again without taking it for a second answer. */
static void
test_reload_with_a_secret_file(void **state UNUSED)
{
	char secret[] = "/tmp/parley-secret-XXXXXX";
	int fd = mkstemp(secret);
	char *flag = mem_sprintf("--config=%s", file_path);
	char *text = mem_sprintf("secret_v_file = %s\nint_v = 1\n", secret);

	assert_int_equal(write(fd, "sesam", 5), 5);
	close(fd);
	write_file(text);
	assert_int_equal(load(flag, NULL, NULL), CONFIG_RUN);
	assert_string_equal(secret_v, "sesam");
	free(text);
	text = mem_sprintf("secret_v_file = %s\nint_v = 2\n", secret);
	write_file(text);
	assert_true(config_reload());
	assert_int_equal(int_v, 2);
	setenv("PARLEY_SECRET_V_FILE", secret, 1);
	assert_int_equal(load(flag, NULL, NULL), CONFIG_RUN);
	assert_true(config_reload());
	assert_string_equal(secret_v, "sesam");
	unsetenv("PARLEY_SECRET_V_FILE");
	unlink(secret);
	free(text);
	free(flag);
	config_free();
}

static void
test_a_readable_secret_is_warned_of(void **state UNUSED)
{
	char *flag = mem_sprintf("--config=%s", file_path);

	assert_int_equal(chmod(file_path, 0644), 0);
	write_file("text_v = no secret\n");
	assert_int_equal(load(flag, NULL, NULL), CONFIG_RUN);
	assert_null(config_warning());
	write_file("secret_v = sesam\n");
	assert_int_equal(load(flag, NULL, NULL), CONFIG_RUN);
	assert_non_null(strstr(config_warning(), "chmod o-r"));
	assert_null(strstr(config_warning(), "sesam"));
	assert_int_equal(load(flag, "--check-config", NULL), CONFIG_CHECKED);
	assert_non_null(strstr(printed, "chmod o-r"));
	assert_int_equal(chmod(file_path, 0640), 0);
	assert_int_equal(load(flag, NULL, NULL), CONFIG_RUN);
	assert_null(config_warning());
	free(flag);
	config_free();
}

static void
test_actions(void **state UNUSED)
{
	assert_int_equal(load("--version", NULL, NULL), CONFIG_DONE);
	assert_string_equal(printed, "chatd 9.9\n");
	assert_int_equal(load("--check-config", NULL, NULL), CONFIG_CHECKED);
	assert_int_equal(load("--check-config", "--int-v=x", NULL),
	    CONFIG_FAILED);
	/* A newline in a value does not make a second line. */
	assert_int_equal(load("--int-v=1\nchatd: all is well", NULL, NULL),
	    CONFIG_FAILED);
	assert_ptr_equal(strchr(printed, '\n'),
	    printed + strlen(printed) - 1);
	config_free();
}

static void
test_reload(void **state UNUSED)
{
	char *flag = mem_sprintf("--config=%s", file_path);

	assert_true(log_init("chatd", LOG_ERROR, "/dev/null"));
	write_file("int_v = 1\ntext_v = one\nms_v = 1s\n");
	assert_int_equal(load(flag, "--text-v=flag", NULL), CONFIG_RUN);
	write_file("int_v = 2\ntext_v = two\nms_v = 2s\n");
	assert_true(config_reload());
	assert_int_equal(int_v, 2);
	assert_string_equal(text_v, "flag");
	assert_int_equal(ms_v, 1000); /* wants a restart */
	write_file("int_v = 3\nms_v = x\n");
	assert_false(config_reload());
	assert_int_equal(int_v, 2);
	write_file("");
	assert_true(config_reload());
	assert_int_equal(int_v, 7); /* the default again */
	unlink(file_path);
	assert_false(config_reload());
	assert_int_equal(int_v, 7);
	config_free();
	log_fini();
	free(flag);
}

static int
setup(void **state UNUSED)
{
	close(mkstemp(file_path));
	close(mkstemp(out_path));
	return 0;
}

static int
teardown(void **state UNUSED)
{
	unlink(file_path);
	unlink(out_path);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_secrets_as_flags),
		cmocka_unit_test(test_secret_files),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_reload_with_a_secret_file),
		cmocka_unit_test(test_a_readable_secret_is_warned_of),
		cmocka_unit_test(test_required),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_reload),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
