"""What people change about themselves: change_username, change_name.

SPDX-License-Identifier: MIT
"""

import asyncio

import pytest

from support.client import Session, http_request, login, new_username, register
from support.scene import chat_info, device, pair, person

BLANKS = [{}, {"": None}, {"": ""}, {"": "  "}, {"": "\t\n\u00a0\u3000"}]


async def username(session, text):
    return await session.ask("change_username", new_username=text)


async def name(session, text):
    return await session.ask("change_name", new_name=text)


def rename_key(fields, key):
    return {key: value for value in fields.values()}


def reason(answer):
    assert answer["status"] == "failure", answer
    return answer["data"]["reason"]


async def own_info(session):
    return (await session.ask("get_person_info",
                              person_id=session.account.id))["person_info"]


# ---- change_username -------------------------------------------------------------


async def test_change_username_answers_with_the_new_one(stack):
    ann = await person(stack)
    fresh = new_username()
    answer = await username(ann, fresh)
    assert (answer["type"], answer["status"], answer["data"]) == \
        ("username_change_result", "success", {"new_username": fresh})
    assert (await own_info(ann))["username"] == fresh
    again = await device(stack, ann, 1)
    assert again.info["user"]["username"] == fresh


async def test_change_username_success_goes_to_own_other_sessions_too(stack):
    ann, ben, chat_id = await pair(stack)
    phone = await device(stack, ann, 1)
    answer = await username(ann, new_username())
    told = await phone.wait("username_change_result")
    assert (told["status"], told["data"]) == ("success", answer["data"])
    assert "request_id" not in told
    await ann.fence()
    await ben.fence()
    assert len(ann.all("username_change_result")) == 1
    assert not ben.all("username_change_result")


@pytest.mark.parametrize("text, rule", [
    ("ab", "should be at least 3 character(s)"),
    ("\U0001f600", "should be at least 3 character(s)"),
    ("a" * 31, "should be at most 30 character(s)"),
    ("\u00e9" * 31, "should be at most 30 character(s)"),
    ("a b", "can only contain letters, numbers, and underscores"),
    (" abcd", "can only contain letters, numbers, and underscores"),
    ("a-b", "can only contain letters, numbers, and underscores"),
    ("\u00e9mile", "can only contain letters, numbers, and underscores"),
    ("\u0430nn", "can only contain letters, numbers, and underscores"),
    ("\uff41bc", "can only contain letters, numbers, and underscores"),
    ("abc\n", "can only contain letters, numbers, and underscores"),
    ("a%b", "can only contain letters, numbers, and underscores")])
async def test_a_username_keeps_the_rules(stack, text, rule):
    ann = await person(stack)
    phone = await device(stack, ann, 1)
    answer = await username(ann, text)
    assert reason(answer) == {"username": rule}
    assert "new_username" not in answer["data"]
    await phone.fence()
    assert not phone.all("username_change_result")
    assert (await own_info(ann))["username"] == ann.account.username


@pytest.mark.parametrize("length", [3, 30])
async def test_a_username_of_3_to_30_is_taken(stack, length):
    ann = await person(stack)
    fresh = new_username()[-3:] if length == 3 else \
        (new_username() + "_" * 30)[:30]
    assert (await username(ann, fresh))["status"] == "success"


@pytest.mark.parametrize("fields", BLANKS)
async def test_a_missing_null_or_blank_username_can_t_be_blank(stack, fields):
    ann = await person(stack)
    answer = await ann.ask("change_username",
                           **rename_key(fields, "new_username"))
    assert reason(answer) == {"username": "can't be blank"}


@pytest.mark.parametrize("kind, field", [("change_username", "new_username"),
                                         ("change_name", "new_name")])
@pytest.mark.parametrize("value", [5, 0.5, False, ["abc"], {"a": "abc"},
                                   "abc\0"])
async def test_the_wrong_json_type_is_an_invalid_field(stack, kind, field,
                                                       value):
    ann = await person(stack)
    error = await ann.ask(kind, **{field: value})
    assert (error["type"], error["request"], error["reason"],
            error["field"]) == ("error", kind, "invalid_field", field)


@pytest.mark.parametrize("change", [str, str.upper, str.title])
async def test_another_s_username_in_any_case_is_taken(stack, change):
    ann, ben = await person(stack), await person(stack)
    answer = await username(ann, change(ben.account.username))
    assert reason(answer) == {"username": "has already been taken"}
    assert (await own_info(ann))["username"] == ann.account.username


async def test_one_s_own_username_in_another_case_is_allowed(stack):
    ann = await person(stack)
    upper = ann.account.username.upper()
    assert (await username(ann, upper))["data"] == {"new_username": upper}
    assert (await username(ann, upper))["status"] == "success"
    assert (await own_info(ann))["username"] == upper


async def test_of_many_who_want_a_username_at_once_one_gets_it(stack):
    people = [await person(stack, i % 2) for i in range(6)]
    fresh = new_username()
    answers = await asyncio.gather(*(username(p, fresh) for p in people))
    assert sorted(a["status"] for a in answers) == \
        ["failure"] * 5 + ["success"]
    assert all(reason(a) == {"username": "has already been taken"}
               for a in answers if a["status"] == "failure")


async def test_one_logs_in_with_the_new_username_and_the_old_is_free(stack):
    ann = await person(stack)
    old, fresh = ann.account.username, new_username()
    await username(ann, fresh)
    ann.account.username = fresh
    again = await Session.open(stack.gateways[1],
                               login(stack.gateways[0], ann.account))
    assert again.info["user"]["id"] == ann.account.id
    register(stack.gateways[0], username=old,
             email=new_username() + "@example.org")


async def test_a_changed_username_does_not_end_the_sessions(stack):
    ann, ben, chat_id = await pair(stack)
    await username(ann, new_username())
    await ann.say(chat_id, "as before")
    await ben.until(lambda: ben.messages(chat_id))


async def test_with_one_s_account_gone_a_change_is_not_found(stack):
    ann = await person(stack)
    stack.sql("DELETE FROM users WHERE id = %s RETURNING 1", ann.account.id)
    assert reason(await username(ann, new_username())) == "not_found"
    assert reason(await name(ann, "Somebody")) == "not_found"


# ---- change_name -------------------------------------------------------------------


async def test_change_name_answers_with_the_new_one(stack):
    ann = await person(stack)
    answer = await name(ann, "Ann the Second")
    assert (answer["type"], answer["status"], answer["data"]) == \
        ("name_change_result", "success", {"new_name": "Ann the Second"})
    assert (await own_info(ann))["name"] == "Ann the Second"


async def test_change_name_success_goes_to_own_other_sessions_too(stack):
    ann, ben, chat_id = await pair(stack)
    phone = await device(stack, ann, 1)
    answer = await name(ann, "Ann Anew")
    told = await phone.wait("name_change_result")
    assert (told["status"], told["data"]) == ("success", answer["data"])
    assert "request_id" not in told
    await ben.fence()
    assert not ben.all("name_change_result")


@pytest.mark.parametrize("fields", BLANKS)
async def test_a_missing_null_or_blank_name_can_t_be_blank(stack, fields):
    ann = await person(stack)
    phone = await device(stack, ann, 1)
    answer = await ann.ask("change_name", **rename_key(fields, "new_name"))
    assert reason(answer) == {"name": "can't be blank"}
    await phone.fence()
    assert not phone.all("name_change_result")


async def test_change_name_reads_new_name_and_not_new_username(stack):
    ann = await person(stack)
    answer = await ann.ask("change_name", new_username="Not This")
    assert reason(answer) == {"name": "can't be blank"}


@pytest.mark.parametrize("unit", ["x", "\u00e9", "\u4e2d", "\U0001f600"])
async def test_a_name_has_1_to_50_code_points(stack, unit):
    ann = await person(stack)
    assert (await name(ann, unit))["data"] == {"new_name": unit}
    assert (await name(ann, unit * 50))["data"] == {"new_name": unit * 50}
    assert reason(await name(ann, unit * 51)) == \
        {"name": "should be at most 50 character(s)"}
    assert (await own_info(ann))["name"] == unit * 50


async def test_a_name_is_trimmed_before_it_is_counted_and_kept(stack):
    ann = await person(stack)
    answer = await name(ann, "\u2003 \n" + "n" * 50 + " \u3000\u0085")
    assert answer["data"] == {"new_name": "n" * 50}
    assert (await own_info(ann))["name"] == "n" * 50


@pytest.mark.parametrize("text", [
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "e\u0301", "\u05d0\u05d1 ab",
    "\u202eright to left", "a\u200bb", "\"\\/\b\f\n\x01 end", "\U0010ffff",
    "\ufeffbom", "NULL", "<script>alert(1)</script>"])
async def test_no_valid_name_is_altered(stack, text):
    ann = await person(stack)
    assert (await name(ann, text))["data"] == {"new_name": text}
    again = await device(stack, ann, 1)
    assert again.info["user"]["name"] == text


async def test_a_new_name_shows_wherever_others_see_the_person(stack):
    ann, ben, chat_id = await pair(stack)
    await ann.say(chat_id, "under the old name")
    await ben.until(lambda: len(ben.messages(chat_id)) == 1)
    await name(ann, "Ann Anew")
    await ann.say(chat_id, "under the new name")
    await ben.until(lambda: len(ben.messages(chat_id)) == 2)
    assert [m["sender_name"] for m in ben.messages(chat_id)] == \
        [ann.account.name, "Ann Anew"]
    chat = await chat_info(ben, chat_id)
    assert chat["name"] == "Ann Anew"
    assert [m["sender_name"] for m in chat["messages"]] == ["Ann Anew"] * 2
    again = await device(stack, ben, 0)
    item, = again.info["last_chats"]
    assert item["name"] == item["last_message"]["sender_name"] == "Ann Anew"


async def test_a_failed_change_leaves_no_trace(stack):
    ann, ben = await person(stack), await person(stack)
    before = await own_info(ann)
    await username(ann, ben.account.username)
    await username(ann, "x")
    await name(ann, "x" * 51)
    after = await own_info(ann)
    assert after == before


async def test_no_http_route_changes_a_profile(stack):
    ann = await person(stack)
    for kind in ("change_name", "change_username", "add_contact"):
        answer = http_request(stack.gateways[0], "POST", "/api/" + kind,
                              {"new_name": "x"},
                              {"Authorization": "Bearer " + ann.account.token})
        assert answer.status in (404, 405)
