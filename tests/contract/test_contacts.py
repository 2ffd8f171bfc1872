"""The contact list and nicknames: get_contacts, add_contact, delete_contact,
change_nickname, and where a nickname shows.

SPDX-License-Identifier: MIT
"""

import asyncio

import pytest

from support.client import Session, new_id, private_chat, register
from support.scene import chat_info, device, pair, person


async def add(session, other, **fields):
    return await session.ask("add_contact", user_id=other.account.id, **fields)


async def contacts(session):
    answer = await session.ask("get_contacts")
    assert answer["type"] == "contacts", answer
    return answer["contacts"]


async def nickname(session, other, text):
    answer = await session.ask("change_nickname", user_id=other.account.id,
                               new_nickname=text)
    assert answer["type"] == "nickname_change_result", answer
    return answer


async def befriended(stack):
    """Two people on two gateways; the first has the second as a contact."""
    ann, ben = await person(stack, 0), await person(stack, 1)
    assert (await add(ann, ben))["status"] == "success"
    return ann, ben


def reason(answer):
    assert answer["status"] == "failure", answer
    return answer["data"]["reason"]


# ---- add_contact -------------------------------------------------------------


async def test_add_contact_answers_with_the_contact_and_its_info(stack):
    ann, ben = await person(stack, 0), await person(stack, 1)
    answer = await add(ann, ben)
    assert (answer["type"], answer["status"]) == ("contact_addition",
                                                  "success")
    contact = answer["data"]["contact"]
    assert contact["id"] == ben.account.id
    assert contact["username"] == ben.account.username
    assert contact["name"] == ben.account.name
    assert contact["avatar_url"].startswith("http://parley.test/")
    info = answer["data"]["contact_info"]
    assert info == contact["contact_info"]
    assert info["owner_user_id"] == ann.account.id
    assert info["nickname"] is None


async def test_add_contact_success_goes_to_own_other_sessions_too(stack):
    ann, ben = await person(stack, 0), await person(stack, 1)
    phone = await device(stack, ann, 1)
    answer = await add(ann, ben)
    told = await phone.wait("contact_addition")
    assert told["data"] == answer["data"]
    assert "request_id" not in told
    await ann.fence()
    assert len(ann.all("contact_addition")) == 1


async def test_add_contact_tells_the_other_person_nothing(stack):
    ann, ben = await befriended(stack)
    await ben.fence()
    assert not ben.all("contact_addition")
    assert await contacts(ben) == []


async def test_a_contact_added_again_has_already_been_taken(stack):
    ann, ben = await befriended(stack)
    phone = await device(stack, ann, 1)
    answer = await add(ann, ben)
    assert reason(answer) == {"user_id": "has already been taken"}
    assert "contact" not in answer["data"]
    await phone.fence()
    assert not phone.all("contact_addition")
    assert len(await contacts(ann)) == 1


async def test_nobody_as_a_contact_does_not_exist(stack):
    ann = await person(stack)
    answer = await ann.ask("add_contact", user_id=new_id())
    assert reason(answer) == {"contact_id": "does not exist"}


@pytest.mark.parametrize("fields", [
    {}, {"user_id": None}, {"user_id": ""}, {"user_id": " \u3000"}])
async def test_none_named_as_a_contact_can_t_be_blank(stack, fields):
    ann = await person(stack)
    answer = await ann.ask("add_contact", **fields)
    assert reason(answer) == {"contact_id": "can't be blank"}


async def test_oneself_as_a_contact_can_t_be_yourself(stack):
    ann = await person(stack)
    answer = await add(ann, ann)
    assert reason(answer) == {"contact_id": "can't be yourself"}
    assert await contacts(ann) == []


@pytest.mark.parametrize("kind", ["add_contact", "delete_contact",
                                  "change_nickname"])
@pytest.mark.parametrize("value", ["x", 5, True, [], {}, "0" * 32, "\0"])
async def test_a_malformed_person_is_an_invalid_field(stack, kind, value):
    ann = await person(stack)
    error = await ann.ask(kind, user_id=value, new_nickname="x")
    assert (error["type"], error["request"], error["reason"],
            error["field"]) == ("error", kind, "invalid_field", "user_id")


@pytest.mark.parametrize("kind", ["delete_contact", "change_nickname"])
@pytest.mark.parametrize("fields", [{}, {"user_id": None}, {"user_id": ""}])
async def test_a_missing_person_is_an_invalid_field(stack, kind, fields):
    ann = await person(stack)
    error = await ann.ask(kind, new_nickname="x", **fields)
    assert (error["type"], error["reason"], error["field"]) == \
        ("error", "invalid_field", "user_id")


async def test_an_upper_case_id_is_taken_and_answered_in_lower_case(stack):
    ann, ben = await person(stack), await person(stack)
    upper = ben.account.id.upper()
    answer = await ann.ask("add_contact", user_id=upper)
    assert answer["data"]["contact"]["id"] == ben.account.id
    answer = await ann.ask("change_nickname", user_id=upper, new_nickname="B")
    assert answer["data"]["contact_id"] == ben.account.id
    answer = await ann.ask("delete_contact", user_id=upper)
    assert answer["data"]["user_id"] == ben.account.id


async def test_added_by_both_devices_at_once_it_is_one_contact(stack):
    ann, ben = await person(stack, 0), await person(stack)
    devices = [ann, await device(stack, ann, 1), await device(stack, ann, 0)]
    answers = await asyncio.gather(*(add(d, ben) for d in devices))
    assert sorted(a["status"] for a in answers) == \
        ["failure", "failure", "success"]
    assert len(await contacts(ann)) == 1


async def test_more_contacts_than_the_limit_are_too_large(stack):
    ann, ben = await person(stack), await person(stack)
    cleo = await person(stack)
    stack.sql("""
        WITH u AS (
            INSERT INTO users (id, username, name, email, password_hash)
            SELECT gen_random_uuid(), 'crowd_' || i, 'Crowd ' || i,
                   'crowd_' || i || '@example.org', 'none'
            FROM generate_series(1, 4999) i RETURNING id)
        INSERT INTO contacts (owner_id, user_id)
        SELECT %s::uuid, id FROM u RETURNING 1""", ann.account.id)
    assert (await add(ann, ben))["status"] == "success"
    error = await add(ann, cleo)
    assert (error["type"], error["request"], error["reason"]) == \
        ("error", "add_contact", "too_large")
    assert reason(await add(ann, ben)) == {"user_id": "has already been taken"}
    everyone = await contacts(ann)
    assert len(everyone) == 5000
    stack.sql("DELETE FROM users WHERE username LIKE 'crowd\\_%%' "
              "RETURNING 1")
    assert (await add(ann, cleo))["status"] == "success"


# ---- get_contacts --------------------------------------------------------------


async def test_get_contacts_of_who_has_none_is_an_empty_list(stack):
    ann = await person(stack)
    assert await contacts(ann) == []


async def test_get_contacts_lists_by_the_name_the_owner_sees(stack):
    ann = await person(stack)
    people = [await person(stack, name=name)
              for name in ("Zo\u00eb", "\u00c9mile", "adam", "Berta", "Foe")]
    for other in people:
        await add(ann, other)
    await nickname(ann, people[4], "Caesar")
    names = [c["contact_info"]["nickname"] or c["name"]
             for c in await contacts(ann)]
    assert names == ["adam", "Berta", "Caesar", "\u00c9mile", "Zo\u00eb"]


async def test_get_contacts_goes_to_the_asking_session_alone(stack):
    ann, ben = await befriended(stack)
    phone = await device(stack, ann, 1)
    await contacts(ann)
    await phone.fence()
    assert not phone.all("contacts")


async def test_a_contact_s_last_seen_is_when_it_went_offline(stack):
    ann, ben = await befriended(stack)
    await ben.close()
    gone = await ann.wait("user_status_changed",
                          lambda f: f["is_online"] is False)
    found, = await contacts(ann)
    assert found["last_seen_at"] == gone["last_seen_at"] is not None


async def test_a_contact_never_seen_has_no_last_seen(stack):
    ann = await person(stack)
    ben = register(stack.gateways[0])
    answer = await ann.ask("search_people", input=ben.username)
    found, = answer["search_people_results"]
    await ann.ask("add_contact", user_id=found["id"])
    contact, = await contacts(ann)
    assert contact["last_seen_at"] is None


# ---- delete_contact --------------------------------------------------------------


async def test_delete_contact_answers_with_the_user_id(stack):
    ann, ben = await befriended(stack)
    answer = await ann.ask("delete_contact", user_id=ben.account.id)
    assert (answer["type"], answer["status"]) == ("contact_deletion",
                                                  "success")
    assert answer["data"] == {"user_id": ben.account.id}
    assert await contacts(ann) == []


async def test_delete_contact_success_goes_to_own_other_sessions_too(stack):
    ann, ben = await befriended(stack)
    phone = await device(stack, ann, 1)
    await ann.ask("delete_contact", user_id=ben.account.id)
    told = await phone.wait("contact_deletion")
    assert told["data"] == {"user_id": ben.account.id}
    assert "request_id" not in told
    await ben.fence()
    assert not ben.all("contact_deletion")


@pytest.mark.parametrize("who", ["nobody", "stranger", "oneself", "twice"])
async def test_deleting_a_non_contact_is_not_found(stack, who):
    ann, ben = await befriended(stack)
    cleo = await person(stack)
    phone = await device(stack, ann, 1)
    target = {"nobody": new_id(), "stranger": cleo.account.id,
              "oneself": ann.account.id, "twice": ben.account.id}[who]
    if who == "twice":
        await ann.ask("delete_contact", user_id=target)
        await phone.wait("contact_deletion")
    mark = phone.mark()
    answer = await ann.ask("delete_contact", user_id=target)
    assert answer["type"] == "contact_deletion"
    assert reason(answer) == "not_found"
    await phone.fence()
    assert len(phone.all("contact_deletion", mark)) == 0


async def test_one_s_contacts_are_untouched_by_what_others_delete(stack):
    ann, ben = await befriended(stack)
    assert reason(await ben.ask("delete_contact", user_id=ann.account.id)) == \
        "not_found"
    cleo = await person(stack)
    assert reason(await cleo.ask("delete_contact",
                                 user_id=ben.account.id)) == "not_found"
    assert [c["id"] for c in await contacts(ann)] == [ben.account.id]


async def test_deleting_a_contact_keeps_the_chat_and_its_messages(stack):
    ann, ben, chat_id = await pair(stack)
    await ben.say(chat_id, "still here")
    await add(ann, ben)
    await ann.ask("delete_contact", user_id=ben.account.id)
    chat = await chat_info(ann, chat_id)
    assert [m["content"] for m in chat["messages"]] == ["still here"]


# ---- change_nickname ---------------------------------------------------------------


async def test_change_nickname_answers_with_both_names_of_the_field(stack):
    ann, ben = await befriended(stack)
    answer = await nickname(ann, ben, "Benny")
    assert answer["status"] == "success"
    assert answer["data"] == {"contact_id": ben.account.id,
                              "new_name": "Benny", "new_nickname": "Benny"}


async def test_change_nickname_success_goes_to_own_other_sessions_too(stack):
    ann, ben = await befriended(stack)
    phone = await device(stack, ann, 1)
    answer = await nickname(ann, ben, "Benny")
    told = await phone.wait("nickname_change_result")
    assert told["data"] == answer["data"] and told["status"] == "success"
    assert "request_id" not in told
    await ben.fence()
    assert not ben.all("nickname_change_result")


@pytest.mark.parametrize("who", ["nobody", "stranger", "oneself", "owner"])
async def test_a_nickname_for_a_non_contact_is_not_found(stack, who):
    ann, ben = await befriended(stack)
    cleo = await person(stack)
    asker, target = {
        "nobody": (ann, new_id()), "stranger": (ann, cleo.account.id),
        "oneself": (ann, ann.account.id),
        "owner": (ben, ann.account.id)}[who]
    phone = await device(stack, asker, 1)
    answer = await asker.ask("change_nickname", user_id=target,
                             new_nickname="X")
    assert reason(answer) == "not_found"
    await phone.fence()
    assert not phone.all("nickname_change_result")


BLANK = [{}, {"new_nickname": None}, {"new_nickname": ""},
         {"new_nickname": " \t\n\u00a0\u2003\u3000"}]


@pytest.mark.parametrize("fields", BLANK)
async def test_a_missing_null_or_blank_nickname_can_t_be_blank(stack, fields):
    ann, ben = await befriended(stack)
    phone = await device(stack, ann, 1)
    answer = await ann.ask("change_nickname", user_id=ben.account.id, **fields)
    assert reason(answer) == {"name": "can't be blank"}
    await phone.fence()
    assert not phone.all("nickname_change_result")


@pytest.mark.parametrize("value", [5, 1.5, True, ["x"], {"a": "b"}, "a\0b"])
async def test_a_nickname_of_the_wrong_type_is_an_invalid_field(stack, value):
    ann, ben = await befriended(stack)
    error = await nickname_error(ann, ben, value)
    assert (error["type"], error["request"], error["reason"],
            error["field"]) == ("error", "change_nickname", "invalid_field",
                                "new_nickname")


async def nickname_error(session, other, value):
    return await session.ask("change_nickname", user_id=other.account.id,
                             new_nickname=value)


@pytest.mark.parametrize("unit", ["x", "\u00e9", "\u4e2d", "\U0001f600"])
async def test_a_nickname_has_50_code_points_at_most(stack, unit):
    ann, ben = await befriended(stack)
    answer = await nickname(ann, ben, unit * 50)
    assert answer["data"]["new_name"] == unit * 50
    answer = await nickname(ann, ben, unit * 51)
    assert reason(answer) == {"name": "should be at most 50 character(s)"}
    contact, = await contacts(ann)
    assert contact["contact_info"]["nickname"] == unit * 50


async def test_a_nickname_is_trimmed_before_it_is_counted_and_kept(stack):
    ann, ben = await befriended(stack)
    answer = await nickname(ann, ben, "\u3000\u00a0 " + "y" * 50 + "\t\u2029")
    assert answer["data"]["new_nickname"] == "y" * 50


@pytest.mark.parametrize("text", [
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "e\u0301", "\u05d0\u05d1 ab",
    "\u202eright to left", "a\u200bb", "\"\\/\b\f\n\x01 end", "\U0010ffff",
    "\ufeffbom", "'; DROP TABLE contacts; --"])
async def test_no_valid_nickname_is_altered(stack, text):
    ann, ben = await befriended(stack)
    answer = await nickname(ann, ben, text)
    assert answer["data"]["new_name"] == text
    contact, = await contacts(ann)
    assert contact["contact_info"]["nickname"] == text


# ---- where a nickname shows -----------------------------------------------------------


async def test_a_nickname_shows_wherever_its_owner_sees_the_person(stack):
    ann, ben, chat_id = await pair(stack)
    await ben.say(chat_id, "before")
    await add(ann, ben)
    await nickname(ann, ben, "Benny")

    chat = await chat_info(ann, chat_id)
    assert chat["name"] == "Benny"
    assert [m["sender_name"] for m in chat["messages"]] == ["Benny"]
    member = next(m for m in chat["members"]
                  if m["user_id"] == ben.account.id)
    assert (member["nickname"], member["name"], member["username"]) == \
        ("Benny", ben.account.name, ben.account.username)
    oneself = next(m for m in chat["members"]
                   if m["user_id"] == ann.account.id)
    assert oneself["nickname"] is None

    again = await ann.ask("create_private_chat", user_id=ben.account.id)
    assert again["chat"]["name"] == again["chat_item"]["name"] == "Benny"
    assert again["chat_item"]["last_message"]["sender_name"] == "Benny"

    tablet = await device(stack, ann, 1)
    item, = tablet.info["last_chats"]
    assert item["name"] == "Benny"
    assert item["last_message"]["sender_name"] == "Benny"

    info = (await ann.ask("get_person_info",
                          person_id=ben.account.id))["person_info"]
    assert info["name"] == ben.account.name
    assert info["contact_info"]["nickname"] == "Benny"
    assert info["contact_info"]["owner_user_id"] == ann.account.id
    found, = (await ann.ask("search_people", input=ben.account.username))[
        "search_people_results"]
    assert found["contact_info"]["nickname"] == "Benny"
    contact, = await contacts(ann)
    assert contact["contact_info"]["nickname"] == "Benny"


async def test_live_messages_carry_the_nickname_from_its_change_on(stack):
    ann, ben, chat_id = await pair(stack)
    await ben.say(chat_id, "one")
    await ann.until(lambda: len(ann.messages(chat_id)) == 1)
    await add(ann, ben)
    await nickname(ann, ben, "Benny")
    await ben.say(chat_id, "two")
    await ann.until(lambda: len(ann.messages(chat_id)) == 2)
    await nickname(ann, ben, "Ben the Second")
    await ben.say(chat_id, "three")
    await ann.until(lambda: len(ann.messages(chat_id)) == 3)
    await ann.ask("delete_contact", user_id=ben.account.id)
    await ben.say(chat_id, "four")
    await ann.until(lambda: len(ann.messages(chat_id)) == 4)
    assert [m["sender_name"] for m in ann.messages(chat_id)] == [
        ben.account.name, "Benny", "Ben the Second", ben.account.name]


async def test_a_new_chat_wears_the_nickname_of_each_side_s_own(stack):
    ann, ben = await befriended(stack)
    await nickname(ann, ben, "Benny")
    mark = ann.mark()
    created = await ben.ask("create_private_chat", user_id=ann.account.id)
    assert created["chat_item"]["name"] == ann.account.name
    told = await ann.wait("private_chat_created", since=mark)
    assert told["chat_item"]["name"] == "Benny"


async def test_in_a_group_each_viewer_sees_their_own_nicknames(stack):
    ann, ben, cleo = [await person(stack, i % 2) for i in range(3)]
    for viewer, text in ((ann, "Benny"), (cleo, "Mr B")):
        await add(viewer, ben)
        await nickname(viewer, ben, text)
    created = await ann.ask("create_group", name="Three", member_ids=[
        ben.account.id, cleo.account.id])
    assert created["type"] == "group_chat_created", created
    chat_id = created["chat_item"]["id"]
    await cleo.wait("group_chat_created")
    await ben.wait("group_chat_created")
    await ben.say(chat_id, "hello all")
    for viewer, text in ((ann, "Benny"), (cleo, "Mr B"),
                         (ben, ben.account.name)):
        await viewer.until(lambda v=viewer: v.messages(chat_id))
        assert viewer.messages(chat_id)[0]["sender_name"] == text
        chat = await chat_info(viewer, chat_id)
        assert chat["messages"][0]["sender_name"] == text
        member = next(m for m in chat["members"]
                      if m["user_id"] == ben.account.id)
        assert member["nickname"] == (None if viewer is ben else text)
        again = await device(stack, viewer, 1)
        item = next(c for c in again.info["last_chats"]
                    if c["id"] == chat_id)
        assert item["name"] == "Three"
        assert item["last_message"]["sender_name"] == text


async def test_pages_of_the_past_carry_the_nickname(stack):
    ann, ben, chat_id = await pair(stack)
    await ben.say(chat_id, "hello")
    await add(ann, ben)
    await nickname(ann, ben, "Benny")
    page = await ann.ask("get_messages", chat_id=chat_id)
    assert [m["sender_name"] for m in page["messages"]] == ["Benny"]
    mark = ann.mark()
    await ann.send({"type": "sync",
                    "chats": [{"chat_id": chat_id, "last_seq": 0}]})
    page = await ann.wait("chat_messages", since=mark)
    assert [m["sender_name"] for m in page["messages"]] == ["Benny"]


async def test_nobody_else_ever_sees_one_s_nicknames(stack):
    ann, ben = await befriended(stack)
    cleo = await person(stack)
    await nickname(ann, ben, "Secret Name")
    chat_id = await private_chat(ben, ann)
    chat_two = await private_chat(ben, cleo)
    await ben.say(chat_id, "to ann")
    await ben.say(chat_two, "to cleo")
    for session in (ben, cleo):
        await session.ask("get_person_info", person_id=ben.account.id)
        await session.ask("get_contacts")
        answer = await session.ask("search_people", input="Secret Name")
        assert answer["search_people_results"] == []
        for chat in (chat_id, chat_two):
            await session.ask("open_chat", chat_id=chat)
        await session.fence()
        assert "Secret Name" not in str(session.frames)


async def test_after_deletion_the_person_s_own_name_shows_again(stack):
    ann, ben, chat_id = await pair(stack)
    await ben.say(chat_id, "hello")
    await add(ann, ben)
    await nickname(ann, ben, "Benny")
    await ann.ask("delete_contact", user_id=ben.account.id)
    chat = await chat_info(ann, chat_id)
    assert chat["name"] == ben.account.name
    assert chat["messages"][0]["sender_name"] == ben.account.name
    assert [m["nickname"] for m in chat["members"]] == [None, None]
    info = (await ann.ask("get_person_info",
                          person_id=ben.account.id))["person_info"]
    assert info["contact_info"] is None
    # Added again it is a new contact: the old nickname is gone.
    answer = await add(ann, ben)
    assert answer["data"]["contact_info"]["nickname"] is None


# ---- presence -------------------------------------------------------------------------


async def status_of(session, user, online, since=0):
    return await session.wait(
        "user_status_changed", lambda f: f["user_id"] == user.account.id and
        f["is_online"] is online, since)


async def test_a_new_contact_s_status_changes_are_heard_from_then_on(stack):
    ann, ben = await befriended(stack)
    await ben.close()
    gone = await status_of(ann, ben, False)
    assert gone["last_seen_at"] is not None
    mark = ann.mark()
    await Session.open(stack.gateways[1], ben.account)
    await status_of(ann, ben, True, mark)


async def test_whom_one_has_as_a_contact_hears_nothing_of_oneself(stack):
    ann, ben = await befriended(stack)
    cleo = await person(stack)
    await add(ben, cleo)
    await ann.close()
    await cleo.close()
    await status_of(ben, cleo, False)
    assert [f["user_id"] for f in ben.all("user_status_changed")
            if not f["is_online"]] == [cleo.account.id]


async def test_a_deleted_contact_s_status_is_heard_no_more(stack):
    ann, ben = await befriended(stack)
    cleo = await person(stack)
    await add(ann, cleo)
    await ann.ask("delete_contact", user_id=ben.account.id)
    mark = ann.mark()
    await ben.close()
    await cleo.close()
    await status_of(ann, cleo, False, mark)
    assert [f["user_id"] for f in ann.all("user_status_changed", mark)
            if not f["is_online"]] == [cleo.account.id]


# ---- other people's tokens ----------------------------------------------------------------


async def test_each_token_sees_and_changes_its_own_contacts_alone(stack):
    ann, ben = await befriended(stack)
    eve = await person(stack)
    await nickname(ann, ben, "Benny")
    assert await contacts(eve) == []
    # What a client claims about itself counts for nothing.
    claim = {"owner_user_id": ann.account.id, "owner_id": ann.account.id,
             "user": ann.account.id}
    assert reason(await eve.ask(
        "change_nickname", user_id=ben.account.id, new_nickname="Eve's",
        **claim)) == "not_found"
    assert reason(await eve.ask("delete_contact", user_id=ben.account.id,
                                **claim)) == "not_found"
    answer = await eve.ask("add_contact", user_id=ben.account.id, **claim)
    assert answer["data"]["contact_info"]["owner_user_id"] == eve.account.id
    contact, = await contacts(ann)
    assert contact["contact_info"]["nickname"] == "Benny"


async def test_with_one_s_account_gone_an_addition_says_so(stack):
    ann, ben = await person(stack), await person(stack)
    stack.sql("DELETE FROM users WHERE id = %s RETURNING 1", ann.account.id)
    assert reason(await add(ann, ben)) == {"user_id": "does not exist"}
    assert await contacts(ann) == []
    assert reason(await nickname(ann, ben, "x")) == "not_found"


async def test_a_contact_whose_account_is_gone_is_no_contact(stack):
    ann, ben = await befriended(stack)
    stack.sql("DELETE FROM users WHERE id = %s RETURNING 1", ben.account.id)
    assert await contacts(ann) == []
    assert reason(await ann.ask("delete_contact",
                                user_id=ben.account.id)) == "not_found"
    assert reason(await add(ann, ben)) == {"contact_id": "does not exist"}
