/*
 * What the gateway reads of a frame, for good and for bad ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/attr.h"
#include "gateway/request.h"

#define ID1 "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
#define ID2 "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c"
#define LONG64 "0123456789012345678901234567890123456789012345678901234567890123"

struct reads {
	const char *frame;
	enum err err;
	const char *type;
	const char *request_id;
	const char *chat;
	const char *front;
};

static const struct reads cases[] = {
	{ "{\"type\":\"logout\"}", ERR_OK, "logout", NULL, NULL, NULL },
	{ "{\"type\":\"open_chat\",\"chat_id\":\"" ID1 "\"}", ERR_OK,
	    "open_chat", NULL, ID1, NULL },
	{ "{\"type\":\"open_chat\",\"chat_id\":\"nonsense\"}", ERR_OK,
	    "open_chat", NULL, NULL, NULL },
	{ "{\"type\":\"send_message\",\"msg\":{\"chat_id\":\"" ID1
	    "\",\"front_msg_id\":\"" ID2 "\"}}", ERR_OK, "send_message", NULL,
	    ID1, ID2 },
	{ "{\"type\":\"send_message\",\"chat_id\":\"" ID2
	    "\",\"msg\":{\"chat_id\":null}}", ERR_OK, "send_message", NULL, ID2,
	    NULL },
	{ "{\"type\":\"send_message\",\"msg\":[]}", ERR_OK, "send_message",
	    NULL, NULL, NULL },
	{ "{\"type\":\"logout\",\"request_id\":\"r1\"}", ERR_OK, "logout",
	    "r1", NULL, NULL },
	{ "{\"type\":\"logout\",\"request_id\":7}", ERR_OK, "logout", NULL,
	    NULL, NULL },
	{ "{\"type\":\"logout\",\"request_id\":\"" LONG64 "\"}", ERR_OK,
	    "logout", LONG64, NULL, NULL },
	{ "{\"type\":\"logout\",\"request_id\":\"" LONG64 "x\"}", ERR_OK,
	    "logout", NULL, NULL, NULL },
	{ "{\"type\":\"nope\",\"request_id\":\"r\"}", ERR_UNKNOWN_TYPE, "nope",
	    "r", NULL, NULL },
	{ "{\"type\":\"" LONG64 "x\"}", ERR_UNKNOWN_TYPE, NULL, NULL, NULL,
	    NULL },
	{ "{\"type\":5}", ERR_UNKNOWN_TYPE, NULL, NULL, NULL, NULL },
	{ "{\"type\":\"a\\u0000b\"}", ERR_UNKNOWN_TYPE, NULL, NULL, NULL,
	    NULL },
	{ "{}", ERR_UNKNOWN_TYPE, NULL, NULL, NULL, NULL },
	/* An event and an HTTP body are no requests. */
	{ "{\"type\":\"user_info\"}", ERR_UNKNOWN_TYPE, "user_info", NULL,
	    NULL, NULL },
	{ "{\"type\":\"login\"}", ERR_UNKNOWN_TYPE, "login", NULL, NULL,
	    NULL },
	{ "{\"type\":\"check_token\"}", ERR_UNKNOWN_TYPE, "check_token", NULL,
	    NULL, NULL },
	/* The last of two is meant, and escapes are what they stand for. */
	{ "{\"type\":\"nope\",\"type\":\"logout\"}", ERR_OK, "logout", NULL,
	    NULL, NULL },
	{ "{\"type\":\"logout\",\"type\":7}", ERR_UNKNOWN_TYPE, NULL, NULL,
	    NULL, NULL },
	{ "{\"\\u0074ype\":\"logout\"}", ERR_OK, "logout", NULL, NULL, NULL },
	{ "{\"type\":\"log\\u006fut\",\"request_id\":\"\\\"\"}", ERR_OK,
	    "logout", "\"", NULL, NULL },
	{ "{\"msg\":{\"chat_id\":\"" ID1 "\"},\"type\":\"send_message\","
	    "\"msg\":{\"front_msg_id\":\"" ID2 "\"}}", ERR_OK,
	    "send_message", NULL, NULL, ID2 },
	{ "{\"type\":\"send_message\",\"msg\":{\"chat_id\":\"" ID1 "\","
	    "\"chat_id\":null}}", ERR_OK, "send_message", NULL, NULL, NULL },
	/* Only what stands where it belongs. */
	{ "{\"type\":\"open_chat\",\"other\":{\"chat_id\":\"" ID1
	    "\",\"type\":\"logout\"}}", ERR_OK, "open_chat", NULL, NULL,
	    NULL },
	{ "{\"type\":\"send_message\",\"msg\":[{\"chat_id\":\"" ID1
	    "\"}]}", ERR_OK, "send_message", NULL, NULL, NULL },
	{ "{\"type\":\"send_message\",\"msg\":{\"x\":{\"chat_id\":\""
	    ID1 "\"},\"chat_id\":\"" ID2 "\"}}", ERR_OK, "send_message",
	    NULL, ID2, NULL },
	{ "{\"type\":[\"logout\"]}", ERR_UNKNOWN_TYPE, NULL, NULL, NULL,
	    NULL },
	{ "{\"type\":{\"x\":\"logout\"}}", ERR_UNKNOWN_TYPE, NULL, NULL,
	    NULL, NULL },
	{ " {\"type\" : \"logout\" } ", ERR_OK, "logout", NULL, NULL, NULL },
	{ "{\"a\\u0000b\":1,\"type\":\"logout\"}", ERR_INVALID_JSON, NULL,
	    NULL, NULL, NULL },
	{ "[]", ERR_INVALID_JSON, NULL, NULL, NULL, NULL },
	{ "\"logout\"", ERR_INVALID_JSON, NULL, NULL, NULL, NULL },
	{ "", ERR_INVALID_JSON, NULL, NULL, NULL, NULL },
	{ "{\"type\":\"logout\",}", ERR_INVALID_JSON, NULL, NULL, NULL, NULL },
	{ "{\"type\":\"logout\"} x", ERR_INVALID_JSON, NULL, NULL, NULL,
	    NULL },
};

static void
same_text(const char *got, const char *want)
{
	if (want == NULL) {
		assert_null(got);
	} else {
		assert_non_null(got);
		assert_string_equal(got, want);
	}
}

static void
same_id(const struct uuid *got, const char *want)
{
	char text[UUID_TEXT_LEN + 1];

	if (want == NULL) {
		assert_true(uuid_is_nil(got));
	} else {
		assert_string_equal(uuid_format(got, text), want);
	}
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct reads *c = &cases[i];
		struct request r;

		assert_int_equal(request_parse(c->frame, strlen(c->frame),
		    &r), c->err);
		same_text(r.type, c->type);
		same_text(r.request_id, c->request_id);
		same_id(&r.chat, c->chat);
		same_id(&r.front_msg_id, c->front);
		assert_int_equal(r.row != NULL, c->err == ERR_OK);
		request_fini(&r);
		assert_int_equal(request_parse_whole(c->frame,
		    strlen(c->frame), &r), c->err);
		same_text(r.type, c->type);
		same_text(r.request_id, c->request_id);
		same_id(&r.chat, c->chat);
		same_id(&r.front_msg_id, c->front);
		request_fini(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
