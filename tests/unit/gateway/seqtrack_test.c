/*
 * seqtrack against a plain model: a set of numbers, and what must follow from
 * it. Named cases first, then long random runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/seqtrack.h"

#define LIVE SEQ_FROM_LIVE
#define OWN SEQ_FROM_ANSWER
#define CATCH SEQ_FROM_CATCH_UP

struct step {
	uint64_t seq;
	enum seq_source source;
	enum seq_verdict verdict;
	uint64_t frontier;
};

static void
run_steps(uint64_t base, const struct step *steps, size_t len)
{
	struct seqtrack t;

	seqtrack_init(&t, base);
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(seqtrack_mark(&t, steps[i].seq,
		    steps[i].source), steps[i].verdict);
		assert_int_equal(t.frontier, steps[i].frontier);
	}
	seqtrack_fini(&t);
}

#define RUN(base, ...) \
	do { \
		static const struct step steps[] = { __VA_ARGS__ }; \
		run_steps(base, steps, sizeof(steps) / sizeof(steps[0])); \
	} while (0)

static void
test_in_order(void **state)
{
	(void)state;
	RUN(0, { 1, LIVE, SEQ_NEW, 1 }, { 2, LIVE, SEQ_NEW, 2 },
	    { 3, LIVE, SEQ_NEW, 3 });
}

static void
test_snapshot_covers(void **state)
{
	(void)state;
	RUN(7, { 7, LIVE, SEQ_DUP, 7 }, { 3, LIVE, SEQ_DUP, 7 },
	    { 8, LIVE, SEQ_NEW, 8 });
}

static void
test_doubled_event(void **state)
{
	(void)state;
	RUN(0, { 1, LIVE, SEQ_NEW, 1 }, { 1, LIVE, SEQ_DUP, 1 },
	    { 3, LIVE, SEQ_NEW, 1 }, { 3, LIVE, SEQ_DUP, 1 });
}

static void
test_hole_filled_late(void **state)
{
	(void)state;
	RUN(0, { 1, LIVE, SEQ_NEW, 1 }, { 4, LIVE, SEQ_NEW, 1 },
	    { 2, LIVE, SEQ_LATE, 2 }, { 3, LIVE, SEQ_LATE, 4 },
	    { 5, LIVE, SEQ_NEW, 5 });
}

static void
test_own_answer_overtakes(void **state)
{
	(void)state;
	/* 3 is the session's own; 1 and 2 came from others before it. */
	RUN(0, { 3, OWN, SEQ_NEW, 0 }, { 1, LIVE, SEQ_NEW, 1 },
	    { 2, LIVE, SEQ_NEW, 3 }, { 4, LIVE, SEQ_NEW, 4 });
}

static void
test_own_answer_twice(void **state)
{
	(void)state;
	RUN(0, { 1, OWN, SEQ_NEW, 1 }, { 1, OWN, SEQ_DUP, 1 },
	    { 1, LIVE, SEQ_DUP, 1 });
}

static void
test_catch_up_fills(void **state)
{
	(void)state;
	RUN(0, { 1, LIVE, SEQ_NEW, 1 }, { 5, LIVE, SEQ_NEW, 1 },
	    { 2, CATCH, SEQ_NEW, 2 }, { 3, CATCH, SEQ_NEW, 3 },
	    { 4, CATCH, SEQ_NEW, 5 }, { 5, CATCH, SEQ_DUP, 5 });
}

static void
test_live_after_later_catch_up(void **state)
{
	(void)state;
	/* 3 was shown by catch-up: 2, coming live after it, is out of order */
	RUN(1, { 3, CATCH, SEQ_NEW, 1 }, { 2, LIVE, SEQ_LATE, 3 });
}

static void
test_ranges_merge(void **state)
{
	struct seqtrack t;

	(void)state;
	seqtrack_init(&t, 0);
	assert_int_equal(seqtrack_mark(&t, 5, LIVE), SEQ_NEW);
	assert_int_equal(seqtrack_mark(&t, 7, LIVE), SEQ_NEW);
	assert_int_equal(t.len, 2);
	assert_int_equal(seqtrack_mark(&t, 6, LIVE), SEQ_LATE);
	assert_int_equal(t.len, 1);
	assert_int_equal(t.ranges[0].from, 5);
	assert_int_equal(t.ranges[0].to, 7);
	assert_int_equal(seqtrack_mark(&t, 4, LIVE), SEQ_LATE);
	assert_int_equal(t.len, 1);
	assert_int_equal(t.ranges[0].from, 4);
	assert_int_equal(seqtrack_top(&t), 7);
	assert_true(seqtrack_has_hole(&t));
	seqtrack_fini(&t);
}

static void
test_full(void **state)
{
	struct seqtrack t;
	uint64_t seq = 2;

	(void)state;
	seqtrack_init(&t, 0);
	for (int i = 0; i < SEQTRACK_RANGES_MAX; i++, seq += 2) {
		assert_int_equal(seqtrack_room(&t), SEQTRACK_RANGES_MAX - i);
		assert_int_equal(seqtrack_mark(&t, seq, LIVE), SEQ_NEW);
	}
	assert_int_equal(seqtrack_room(&t), 0);
	assert_int_equal(seqtrack_mark(&t, seq, LIVE), SEQ_FULL);
	assert_int_equal(seqtrack_mark(&t, seq, LIVE), SEQ_FULL);
	/* What grows a range or the frontier still fits. */
	assert_int_equal(seqtrack_mark(&t, 1, LIVE), SEQ_LATE);
	assert_int_equal(t.frontier, 2);
	assert_int_equal(seqtrack_mark(&t, seq, LIVE), SEQ_NEW);
	seqtrack_fini(&t);
}

static void
test_settle(void **state)
{
	struct seqtrack t;

	(void)state;
	seqtrack_init(&t, 10);
	assert_int_equal(seqtrack_mark(&t, 12, LIVE), SEQ_NEW);
	assert_int_equal(seqtrack_mark(&t, 15, LIVE), SEQ_NEW);
	seqtrack_settle(&t, 12);
	assert_int_equal(t.frontier, 12);
	assert_true(seqtrack_has_hole(&t));
	seqtrack_settle(&t, 15);
	assert_int_equal(t.frontier, 15);
	assert_false(seqtrack_has_hole(&t));
	/* Nothing was written beyond: the frontier does not invent it. */
	seqtrack_settle(&t, 100);
	assert_int_equal(t.frontier, 15);
	seqtrack_fini(&t);
}

/* ---- against a model ---------------------------------------------------- */

#define SEQ_MAX 200

struct model {
	bool written[SEQ_MAX + 2];
	uint64_t live;
};

static uint64_t
model_frontier(const struct model *m)
{
	uint64_t f = 0;

	while (m->written[f + 1]) {
		f++;
	}
	return f;
}

static unsigned
model_ranges(const struct model *m)
{
	unsigned n = 0;

	for (uint64_t s = model_frontier(m) + 1; s <= SEQ_MAX; s++) {
		n += m->written[s] && !m->written[s - 1];
	}
	return n;
}

static void
check_step(struct seqtrack *t, struct model *m, uint64_t seq,
    enum seq_source source)
{
	enum seq_verdict got = seqtrack_mark(t, seq, source);

	if (m->written[seq]) {
		assert_int_equal(got, SEQ_DUP);
		return;
	}
	m->written[seq] = true;
	if (model_ranges(m) > SEQTRACK_RANGES_MAX) {
		assert_int_equal(got, SEQ_FULL);
		m->written[seq] = false;
		return;
	}
	assert_int_equal(got, source == SEQ_FROM_LIVE && seq < m->live
	    ? SEQ_LATE : SEQ_NEW);
	if (source != SEQ_FROM_ANSWER && seq > m->live) {
		m->live = seq;
	}
}

static void
test_random_runs(void **state)
{
	(void)state;
	srand(1);
	for (int run = 0; run < 500; run++) {
		struct seqtrack t;
		struct model m;

		memset(&m, 0, sizeof(m));
		seqtrack_init(&t, 0);
		for (int i = 0; i < 400; i++) {
			uint64_t seq = model_frontier(&m) + 1 +
			    (uint64_t)(rand() % (1 + run % 60));

			if (seq > SEQ_MAX) {
				break;
			}
			check_step(&t, &m, seq, (enum seq_source)(rand() % 3));
			assert_int_equal(t.frontier, model_frontier(&m));
			assert_int_equal(t.len, model_ranges(&m));
			assert_int_equal(seqtrack_has_hole(&t),
			    model_ranges(&m) > 0);
		}
		seqtrack_fini(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_snapshot_covers),
		cmocka_unit_test(test_doubled_event),
		cmocka_unit_test(test_hole_filled_late),
		cmocka_unit_test(test_own_answer_overtakes),
		cmocka_unit_test(test_own_answer_twice),
		cmocka_unit_test(test_catch_up_fills),
		cmocka_unit_test(test_live_after_later_catch_up),
		cmocka_unit_test(test_ranges_merge),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_settle),
		cmocka_unit_test(test_random_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
