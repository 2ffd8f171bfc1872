/*
 * The password pool: right, wrong and nobody's passwords, its bound, its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>
#include <uv.h>

#include "chatd/password.h"
#include "common/clock.h"

#define SECRET ((struct text){ "correct horse", 13 })

static const struct uuid home = { { 1 } };
static const struct uuid flood = { { 2 } };
static const struct uuid third = { { 3 } };

struct outcome {
	unsigned calls;
	enum err err;
	char hash[crypto_pwhash_STRBYTES];
};

static void
on_done(void *arg, enum err err, const char *hash)
{
	struct outcome *o = arg;

	o->calls++;
	o->err = err;
	strncpy(o->hash, hash != NULL ? hash : "", sizeof(o->hash) - 1);
}

static struct passwords *
new_pool(uv_loop_t *loop, unsigned ops, size_t queue_max)
{
	struct passwords_conf conf = { .memory = 8192, .ops = ops,
		.workers = 1, .queue_max = queue_max };
	struct passwords *p = passwords_new(loop, &conf);

	assert_non_null(p);
	return p;
}

static void
test_hash_and_verify(void **state)
{
	uv_loop_t *loop = *state;
	struct passwords *p = new_pool(loop, 1, 8);
	struct passwords *stronger = new_pool(loop, 2, 8);
	struct outcome made = { 0 }, right = { 0 }, wrong = { 0 },
	    nobody = { 0 }, again = { 0 };
	struct text bad = { "battery staple", 14 };

	assert_int_equal(password_hash(p, &home, SECRET, 0, on_done, &made), ERR_OK);
	uv_run(loop, UV_RUN_DEFAULT);
	assert_int_equal(made.err, ERR_OK);
	assert_memory_equal(made.hash, "$argon2id$", 10);

	assert_int_equal(password_verify(p, &home, SECRET, made.hash, 0, on_done,
	    &right), ERR_OK);
	assert_int_equal(password_verify(p, &home, bad, made.hash, 0, on_done,
	    &wrong), ERR_OK);
	assert_int_equal(password_verify(p, &home, bad, NULL, 0, on_done, &nobody),
	    ERR_OK);
	assert_int_equal(password_verify(stronger, &home, SECRET, made.hash, 0,
	    on_done, &again), ERR_OK);
	uv_run(loop, UV_RUN_DEFAULT);
	assert_int_equal(right.err, ERR_OK);
	assert_string_equal(right.hash, "");
	assert_int_equal(wrong.err, ERR_CREDENTIALS);
	assert_int_equal(nobody.err, ERR_CREDENTIALS);
	assert_int_equal(again.err, ERR_OK);
	assert_memory_equal(again.hash, "$argon2id$", 10);
	passwords_free(&p);
	passwords_free(&stronger);
}

static void
test_bound_and_deadline(void **state)
{
	uv_loop_t *loop = *state;
	struct passwords *p = new_pool(loop, 1, 1);
	struct outcome first = { 0 }, late = { 0 }, refused = { 0 };

	assert_int_equal(password_hash(p, &home, SECRET, 0, on_done, &first), ERR_OK);
	assert_int_equal(password_hash(p, &home, SECRET, clock_mono_ms(), on_done,
	    &late), ERR_OK);
	assert_int_equal(password_hash(p, &home, SECRET, 0, on_done, &refused),
	    ERR_OVERLOADED);
	assert_int_equal(passwords_pending(p), 2);
	uv_run(loop, UV_RUN_DEFAULT);
	assert_int_equal(first.err, ERR_OK);
	assert_int_equal(late.err, ERR_EXPIRED);
	assert_int_equal(refused.calls, 0);
	assert_int_equal(passwords_pending(p), 0);
	passwords_free(&p);
}

/* In which order jobs were done. */
static char order[16];

static void
on_turn(void *arg, enum err err, const char *hash)
{
	size_t len = strlen(order);

	(void)hash;
	assert_true(len < sizeof(order) - 1);
	order[len] = (char)(err == ERR_OK ? *(const char *)arg
	    : err == ERR_OVERLOADED ? '!' : '?');
}

static enum err
queue(struct passwords *p, const struct uuid *address, const char *name)
{
	return password_hash(p, address, SECRET, 0, on_turn,
	    (void *)(uintptr_t)name);
}

/* One address's flood neither fills the room nor goes before others. */
static void
test_addresses_take_turns(void **state)
{
	uv_loop_t *loop = *state;
	struct passwords *p = new_pool(loop, 1, 4);

	memset(order, 0, sizeof(order));
	for (int i = 0; i < 5; i++) {
		assert_int_equal(queue(p, &flood, "f"), ERR_OK);
	}
	assert_int_equal(queue(p, &flood, "f"), ERR_OVERLOADED);
	/* One works, four wait: two others each take a place. */
	assert_int_equal(queue(p, &home, "h"), ERR_OK);
	assert_int_equal(queue(p, &third, "t"), ERR_OK);
	assert_string_equal(order, "!!");
	/* Two of the flood, one each of the others: nobody has too many. */
	assert_int_equal(queue(p, &home, "h"), ERR_OVERLOADED);
	assert_int_equal(queue(p, &flood, "f"), ERR_OVERLOADED);
	assert_int_equal(passwords_pending(p), 5);
	uv_run(loop, UV_RUN_DEFAULT);
	assert_string_equal(order, "!!ffhtf");
	passwords_free(&p);
}

static void
test_closing_answers_each_once(void **state)
{
	uv_loop_t *loop = *state;
	struct passwords *p = new_pool(loop, 1, 8);
	struct outcome o[4] = { 0 };

	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(password_hash(p, &home, SECRET, 0, on_done, &o[i]),
		    ERR_OK);
	}
	passwords_close(p);
	passwords_free(&p);
	uv_run(loop, UV_RUN_DEFAULT);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(o[i].calls, 1);
		assert_int_equal(o[i].err, ERR_UNAVAILABLE);
	}
}

static uv_loop_t the_loop;

static int
setup(void **state)
{
	*state = &the_loop;
	return sodium_init() < 0 ? -1 : uv_loop_init(&the_loop);
}

static int
teardown(void **state)
{
	return uv_loop_close(*state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash_and_verify),
		cmocka_unit_test(test_bound_and_deadline),
		cmocka_unit_test(test_addresses_take_turns),
		cmocka_unit_test(test_closing_answers_each_once),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
