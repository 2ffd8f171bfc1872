/*
 * Message states from watermarks, held against the plain definition: a message
 * is read (delivered) when every member but its sender has read (holds) it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "chatd/marks.h"

#define MEMBERS_MAX 5
#define SEQ_MAX 6

struct one {
	struct uuid user;
	int64_t delivered;
	int64_t read;
};

static enum message_state
by_definition(const struct one *m, size_t n, size_t sender, int64_t seq)
{
	enum message_state state = STATE_READ;

	for (size_t i = 0; i < n; i++) {
		if (i == sender) {
			continue;
		}
		if (m[i].delivered < seq) {
			return STATE_SENT;
		}
		if (m[i].read < seq) {
			state = STATE_DELIVERED;
		}
	}
	return state;
}

static void
check(const struct one *m, size_t n)
{
	struct marks marks;

	marks_init(&marks);
	for (size_t i = 0; i < n; i++) {
		marks_add(&marks, &m[i].user, m[i].delivered, m[i].read);
	}
	/* The sender past the end is someone who has left. */
	for (size_t sender = 0; sender <= n; sender++) {
		struct uuid id = { { 0 } };

		id.b[0] = (uint8_t)(sender + 1);
		for (int64_t seq = 1; seq <= SEQ_MAX; seq++) {
			assert_int_equal(marks_state(&marks, &id, seq),
			    by_definition(m, n, sender, seq));
		}
	}
}

static void
test_against_the_definition(void **state)
{
	struct one m[MEMBERS_MAX];

	(void)state;
	srand(1);
	for (unsigned round = 0; round < 5000; round++) {
		size_t n = 1 + (size_t)rand() % MEMBERS_MAX;

		for (size_t i = 0; i < n; i++) {
			m[i] = (struct one){ .user = { { 0 } },
				.delivered = rand() % (SEQ_MAX + 1) };
			m[i].user.b[0] = (uint8_t)(i + 1);
			m[i].read = rand() % (m[i].delivered + 1);
		}
		check(m, n);
	}
}

static void
test_alone(void **state)
{
	struct uuid me = { { 1 } };
	struct marks marks;

	(void)state;
	marks_init(&marks);
	marks_add(&marks, &me, 0, 0);
	assert_int_equal(marks_state(&marks, &me, 1), STATE_READ);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_the_definition),
		cmocka_unit_test(test_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
