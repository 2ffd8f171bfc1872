/*
 * Walks a row's field rules over a parsed JSON object. json-c's getters convert
 * (12 from "12abc", 0 from null), so each kind asks for the type first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/fields.h"

#include <assert.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_in.h"
#include "common/mem.h"

#define REQUEST_ID_MAX 64

/* The value at "a" or "a.b". NULL: absent or null; json-c has the same answer
 * for both. */
static struct json_object *
find(struct json_object *obj, const char *path)
{
	const char *dot = strchr(path, '.');
	struct json_object *value = NULL;
	char parent[32];

	if (dot != NULL) {
		size_t len = (size_t)(dot - path);

		assert(len < sizeof(parent));
		memcpy(parent, path, len);
		parent[len] = '\0';
		if (!json_object_object_get_ex(obj, parent, &obj) ||
		    !json_object_is_type(obj, json_type_object)) {
			return NULL;
		}
		path = dot + 1;
	}
	json_object_object_get_ex(obj, path, &value);
	return value;
}

/* Whether the key is there at all, be it as null. */
static bool
is_there(struct json_object *obj, const char *path)
{
	const char *dot = strchr(path, '.');
	struct json_object *value;
	char parent[32];

	if (dot == NULL) {
		return json_object_object_get_ex(obj, path, &value);
	}
	memcpy(parent, path, (size_t)(dot - path));
	parent[dot - path] = '\0';
	return json_object_object_get_ex(obj, parent, &value) &&
	    json_object_is_type(value, json_type_object) &&
	    json_object_object_get_ex(value, dot + 1, &value);
}

/* Text without U+0000, which PostgreSQL cannot store. */
static bool
read_text(struct json_object *value, const char **text_r, size_t *len_r)
{
	if (!json_object_is_type(value, json_type_string)) {
		return false;
	}
	*text_r = json_object_get_string(value);
	*len_r = (size_t)json_object_get_string_len(value);
	return memchr(*text_r, '\0', *len_r) == NULL;
}

static bool
read_uuid(struct json_object *value, struct uuid *id_r)
{
	return json_object_is_type(value, json_type_string) &&
	    uuid_parse(json_object_get_string(value),
	    (size_t)json_object_get_string_len(value), id_r);
}

static bool
read_int(struct json_object *value, int64_t *v_r)
{
	if (!json_object_is_type(value, json_type_int)) {
		return false;
	}
	*v_r = json_object_get_int64(value);
	/* json-c clamps what does not fit: the ends count as out of range. */
	return *v_r != INT64_MAX && *v_r != INT64_MIN;
}

static enum err
read_list(struct json_object *value, unsigned max, struct field_value *v)
{
	size_t len;

	if (!json_object_is_type(value, json_type_array)) {
		return ERR_INVALID_FIELD;
	}
	len = json_object_array_length(value);
	if (max > 0 && len > max) {
		return ERR_TOO_LARGE;
	}
	v->list = mem_alloc(len * sizeof(*v->list));
	v->list_len = len;
	for (size_t i = 0; i < len; i++) {
		if (!read_uuid(json_object_array_get_idx(value, i),
		    &v->list[i])) {
			return ERR_INVALID_FIELD;
		}
	}
	return ERR_OK;
}

static bool
read_mark(struct json_object *value, struct field_mark *m)
{
	struct json_object *chat, *seq;

	return json_object_is_type(value, json_type_object) &&
	    json_object_object_get_ex(value, "chat_id", &chat) &&
	    json_object_object_get_ex(value, "last_seq", &seq) &&
	    read_uuid(chat, &m->chat) && read_int(seq, &m->last_seq) &&
	    m->last_seq >= 0;
}

static enum err
read_marks(struct json_object *value, unsigned max, struct field_value *v)
{
	size_t len;

	if (!json_object_is_type(value, json_type_array)) {
		return ERR_INVALID_FIELD;
	}
	len = json_object_array_length(value);
	if (max > 0 && len > max) {
		return ERR_TOO_LARGE;
	}
	v->marks = mem_alloc((len + 1) * sizeof(*v->marks));
	v->list_len = len;
	for (size_t i = 0; i < len; i++) {
		if (!read_mark(json_object_array_get_idx(value, i),
		    &v->marks[i])) {
			return ERR_INVALID_FIELD;
		}
	}
	return ERR_OK;
}

static bool
read_format(struct json_object *value, enum message_format *format_r)
{
	const char *text;
	size_t len;

	return read_text(value, &text, &len) &&
	    format_parse(text, len, format_r);
}

static enum err
read_value(const struct field_rule *rule, struct json_object *value,
    struct field_value *v)
{
	bool good = false;

	switch (rule->kind) {
	case FIELD_KIND_UUID:
		good = read_uuid(value, &v->uuid);
		break;
	case FIELD_KIND_TEXT:
		good = read_text(value, &v->text, &v->text_len) &&
		    (rule->max == 0 || v->text_len <= rule->max ||
		    utf8_count(v->text, v->text_len) <= rule->max);
		break;
	case FIELD_KIND_BOOL:
		good = json_object_is_type(value, json_type_boolean);
		v->truth = good && json_object_get_boolean(value);
		break;
	case FIELD_KIND_INT:
		good = read_int(value, &v->number);
		break;
	case FIELD_KIND_UUID_LIST:
		return read_list(value, rule->max, v);
	case FIELD_KIND_MARK_LIST:
		return read_marks(value, rule->max, v);
	case FIELD_KIND_OBJECT:
		good = json_object_is_type(value, json_type_object);
		break;
	case FIELD_KIND_FORMAT:
		good = read_format(value, &v->format);
		break;
	}
	return good ? ERR_OK : ERR_INVALID_FIELD;
}

/* Where the handler has words for it, a blank id is none at all. */
static bool
is_soft_blank(const struct field_rule *rule, struct json_object *value)
{
	const char *text;
	size_t len;

	return (rule->flags & FIELD_SOFT) != 0 &&
	    rule->kind == FIELD_KIND_UUID && read_text(value, &text, &len) &&
	    utf8_blank(text, len);
}

static enum err
check_rule(const struct field_rule *rule, struct json_object *obj,
    struct field_value *v)
{
	struct json_object *value = find(obj, rule->path);
	enum err err;

	if (value != NULL && is_soft_blank(rule, value)) {
		value = NULL;
	}
	if (value == NULL) {
		if ((rule->flags & FIELD_REQUIRED) != 0) {
			return ERR_INVALID_FIELD;
		}
		if ((rule->flags & (FIELD_NULLABLE | FIELD_SOFT)) == 0 &&
		    rule->kind != FIELD_KIND_FORMAT &&
		    is_there(obj, rule->path)) {
			return ERR_INVALID_FIELD;
		}
		return ERR_OK;
	}
	err = read_value(rule, value, v);
	v->present = err == ERR_OK;
	return err;
}

/* First of all, so that the error of any other field can carry it. */
static bool
check_request_id(struct json_object *obj, struct fields *f)
{
	struct json_object *value;
	const char *text;
	size_t len, points;

	if (!json_object_object_get_ex(obj, "request_id", &value)) {
		return true;
	}
	if (value == NULL || !read_text(value, &text, &len)) {
		return false;
	}
	points = utf8_count(text, len);
	if (points < 1 || points > REQUEST_ID_MAX) {
		return false;
	}
	f->request_id = text;
	return true;
}

enum err
fields_check(const struct field_rule *rules, struct json_object *obj,
    struct fields *f, const char **bad_field_r)
{
	memset(f, 0, sizeof(*f));
	*bad_field_r = NULL;
	if (!check_request_id(obj, f)) {
		*bad_field_r = "request_id";
		return ERR_INVALID_FIELD;
	}
	for (size_t i = 0; rules[i].path != NULL; i++) {
		enum err err = check_rule(&rules[i], obj, &f->v[i]);

		if (err != ERR_OK) {
			*bad_field_r = rules[i].path;
			return err;
		}
	}
	return ERR_OK;
}

void
fields_fini(struct fields *f)
{
	for (size_t i = 0; i < CONTRACT_FIELDS_MAX; i++) {
		free(f->v[i].list);
		free(f->v[i].marks);
		f->v[i].list = NULL;
		f->v[i].marks = NULL;
		f->v[i].list_len = 0;
	}
}
