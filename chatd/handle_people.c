/*
 * People: get_person_info, search_people.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "chatd/handlers.h"
#include "chatd/presence.h"
#include "chatd/service.h"
#include "chatd/store_users.h"
#include "chatd/view.h"
#include "common/json_in.h"
#include "common/mem.h"

/* No name of any kind is longer, not even with ligatures taken apart. */
#define INPUT_MAX 100

/* ---- get_person_info ----------------------------------------------------- */

struct person_info {
	struct request *r;     /* owned until answered */
	struct db_result *res; /* owned */
	struct person person;
	struct uuid chat;
};

static void
begin(struct json_out *j, struct request *r, const char *type)
{
	json_out_init(j, &r->body);
	json_obj(j);
	json_key_str(j, "type", type);
}

static void
end(struct json_out *j, struct request *r)
{
	if (r->fields.request_id != NULL) {
		json_key_str(j, "request_id", r->fields.request_id);
	}
	json_obj_end(j);
	request_answer(r);
}

static void
on_status(void *arg, const bool *online)
{
	struct person_info *g = arg;
	struct request *r = g->r;
	/* Who asks is online. */
	bool self = uuid_eq(&g->person.id, &r->frame->user);
	struct json_out j;

	begin(&j, r, "person_info");
	json_key(&j, "person_info");
	view_person_info(&j, &r->frame->user, &g->person,
	    self || online[0], &g->chat);
	end(&j, r);
	db_result_unref(&g->res);
	free(g);
}

static void
on_person(void *arg, struct db_result *res)
{
	struct person_info *g = arg;
	enum err err = request_db_err(res);
	struct json_out j;

	if (err != ERR_OK) {
		request_fail(g->r, err, NULL);
		free(g);
		return;
	}
	if (db_rows(res, 0) == 0) {
		begin(&j, g->r, "person_info");
		json_key_null(&j, "person_info");
		end(&j, g->r);
		free(g);
		return;
	}
	g->res = db_result_ref(res);
	store_person_read(res, 0, &g->person, &g->chat);
	presence_ask(g->r->svc->presence, &g->person.id, 1, on_status, g);
}

void
handle_get_person_info(struct request *r)
{
	struct person_info *g = mem_zalloc(sizeof(*g));
	struct db_unit *u;

	g->r = r;
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_person_step(u, &r->frame->user,
	    &request_field(r, FIELD_get_person_info_person_id)->uuid);
	db_submit(u, on_person, g);
}

/* ---- search_people ------------------------------------------------------- */

static void
answer_people(struct request *r, const struct db_result *res)
{
	size_t n = res != NULL ? db_rows(res, 0) : 0;
	struct json_out j;

	begin(&j, r, "search_people_results");
	json_key_arr(&j, "search_people_results");
	for (size_t i = 0; i < n; i++) {
		struct person p;

		store_search_read(res, 0, i, &p);
		view_person(&j, &r->frame->user, &p);
	}
	json_arr_end(&j);
	end(&j, r);
}

static void
on_people(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	answer_people(r, res);
}

void
handle_search_people(struct request *r)
{
	const struct field_value *v = request_field(r,
	    FIELD_search_people_input);
	struct text input = { v->text, v->text_len };
	struct db_unit *u;

	utf8_trim(&input.p, &input.len);
	if (input.len == 0 || utf8_count(input.p, input.len) > INPUT_MAX) {
		answer_people(r, NULL);
		return;
	}
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_search_step(u, &r->frame->user, input);
	db_submit(u, on_people, r);
}
