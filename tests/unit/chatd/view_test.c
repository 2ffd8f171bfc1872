/*
 * Objects as JSON: what is cut, what is never null, who is called what.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "chatd/view.h"
#include "common/json_in.h"

static struct text
text(const char *t)
{
	return (struct text){ t, t != NULL ? strlen(t) : 0 };
}

static struct json_object *
parse(struct buf *b)
{
	struct json_object *obj = json_in_parse((const char *)b->data, b->len);

	assert_non_null(obj);
	buf_fini(b);
	return obj;
}

static struct json_object *
get(struct json_object *obj, const char *key)
{
	struct json_object *v = NULL;

	if (!json_object_object_get_ex(obj, key, &v)) {
		fail_msg("no key %s", key);
	}
	return v;
}

static const char *
get_text(struct json_object *obj, const char *key)
{
	return json_object_get_string(get(obj, key));
}

static struct message
some_message(void)
{
	struct message m = { .id = { { 1 } }, .chat_id = { { 2 } },
		.sender_id = { { 3 } }, .front_msg_id = { { 4 } }, .seq = 7,
		.created_at = 1770504900123, .updated_at = -1,
		.deleted_at = -1 };

	m.content = text("hi");
	m.sender.username = text("ann");
	m.sender.name = text("Ann");
	return m;
}

static void
test_last_message_is_cut_at_code_points(void **state)
{
	char content[4 * 300 + 1] = "";
	struct message m = some_message();
	struct buf b = BUF_INIT;
	struct json_out j;
	struct json_object *obj;

	(void)state;
	for (int i = 0; i < 300; i++) {
		strcat(content, "\xf0\x9f\x98\x80");
	}
	m.content = text(content);
	json_out_init(&j, &b);
	view_last_message(&j, &m, &m.sender_id, STATE_SENT);
	obj = parse(&b);
	assert_int_equal(strlen(get_text(obj, "content")), 4 * 200);
	assert_string_equal(get_text(obj, "type"), "outgoing");
	json_object_put(obj);
}

static void
test_a_message_to_its_sender_and_to_others(void **state)
{
	struct message m = some_message();
	struct uuid other = { { 9 } };
	struct buf b = BUF_INIT;
	struct json_object *obj, *msg;

	(void)state;
	view_new_message(&b, &m, &m.sender_id, STATE_DELIVERED, false, "r");
	obj = parse(&b);
	msg = get(obj, "message");
	assert_string_equal(get_text(msg, "front_msg_id"),
	    "04000000-0000-0000-0000-000000000000");
	assert_string_equal(get_text(msg, "type"), "outgoing");
	assert_string_equal(get_text(msg, "state"), "delivered");
	assert_string_equal(get_text(msg, "time"), "2026-02-07T22:55:00.123Z");
	assert_string_equal(get_text(obj, "request_id"), "r");
	assert_false(json_object_object_get_ex(obj, "catch_up", NULL));
	json_object_put(obj);

	m.sender.nickname = text("Annie");
	view_new_message(&b, &m, &other, STATE_SENT, true, NULL);
	obj = parse(&b);
	msg = get(obj, "message");
	assert_null(get(msg, "front_msg_id"));
	assert_null(get(msg, "filename"));
	assert_null(get(msg, "deleted_at"));
	assert_string_equal(get_text(msg, "type"), "incoming");
	assert_string_equal(get_text(msg, "sender_name"), "Annie");
	assert_string_equal(get_text(msg, "avatar_url"),
	    "https://chat.example/default-avatar.svg");
	assert_true(json_object_get_boolean(get(obj, "catch_up")));
	assert_false(json_object_object_get_ex(obj, "request_id", NULL));
	json_object_put(obj);
}

static void
test_names(void **state)
{
	struct person p = { .username = text("ann") };
	struct text name = person_display(&p);

	(void)state;
	assert_memory_equal(name.p, "ann", 3);
	p.name = text("Ann");
	name = person_display(&p);
	assert_memory_equal(name.p, "Ann", 3);
	p.nickname = text("Nan");
	name = person_display(&p);
	assert_memory_equal(name.p, "Nan", 3);
}

static void
test_a_private_chat_wears_the_other_one(void **state)
{
	struct chat_item c = { .id = { { 1 } }, .kind = CHAT_PRIVATE,
		.last_seq = 9, .read_seq = 3, .own_unread = 2 };
	struct uuid me = { { 5 } };
	struct buf b = BUF_INIT;
	struct json_object *obj, *item;

	(void)state;
	c.other.id = (struct uuid){ { 6 } };
	c.other.name = text("Ben");
	c.other.avatar_url = text("https://chat.example/media/b.png");
	view_chat_added(&b, &c, &me, true);
	obj = parse(&b);
	assert_string_equal(get_text(obj, "type"), "private_chat_created");
	assert_null(get(obj, "chat"));
	item = get(obj, "chat_item");
	assert_string_equal(get_text(item, "name"), "Ben");
	assert_string_equal(get_text(item, "status"), "Online");
	assert_string_equal(get_text(item, "avatar_url"),
	    "https://chat.example/media/b.png");
	assert_int_equal(json_object_get_int(get(item, "unread_messages")), 4);
	assert_null(get(item, "last_message"));
	json_object_put(obj);
}

static int
setup(void **state)
{
	(void)state;
	view_init("https://chat.example/");
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_message_is_cut_at_code_points),
		cmocka_unit_test(test_a_message_to_its_sender_and_to_others),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_a_private_chat_wears_the_other_one),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
