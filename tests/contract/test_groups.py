"""Groups: making, naming, admins, joining, leaving, and what all that does to
messages and their states.

SPDX-License-Identifier: MIT
"""

import asyncio
import itertools
import time

import pytest

from support.client import Session, http_request, new_id, private_chat
from support.scene import (chat_info, delivered, device, pair, person,
                           pipeline, state_of)


async def people(stack, count):
    """On the gateways in turn."""
    return list(await asyncio.gather(*(
        person(stack, i % len(stack.gateways)) for i in range(count))))


async def found(creator, *members, name="Book club", **fields):
    """A new group; every member has heard of it."""
    fields.setdefault("member_ids", [m.account.id for m in members])
    answer = await creator.ask("create_group", name=name, **fields)
    assert answer["type"] == "group_chat_created", answer
    chat_id = answer["chat_item"]["id"]
    for member in members:
        await hears_of(member, chat_id)
    return chat_id


async def hears_of(session, chat_id, kind="group_chat_created", since=0):
    return await session.wait(
        kind, lambda f: f["chat_item"]["id"] == chat_id, since)


async def group_of(stack, count, **fields):
    """So many people in one group, the first its admin."""
    members = await people(stack, count)
    return (*members, await found(members[0], *members[1:], **fields))


async def remove(asker, chat_id, who):
    return await asker.ask("remove_member", chat_id=chat_id,
                           member_id=who.account.id)


async def add(asker, chat_id, *who):
    return await asker.ask("add_members", chat_id=chat_id,
                           member_ids=[w.account.id for w in who])


def roles(chat):
    return {m["user_id"]: m["role"] for m in chat["members"]}


def is_error(answer, request, reason):
    return (answer["type"], answer.get("request"), answer.get("reason")) == \
        ("error", request, reason)


def heard_of(session, chat_id, since=0):
    return [f for f in session.frames[since:]
            if chat_id in (f.get("chat_id"), f.get("chat_item", {}).get("id"),
                           f.get("message", {}).get("chat_id"))]


# ---- create_group -----------------------------------------------------------------


async def test_creator_gets_the_chat_and_members_hear_of_their_item(stack):
    ann, ben, cid = await people(stack, 3)
    phone = await device(stack, ann, 1)
    answer = await ann.ask("create_group", name="  Book club\u2003",
                           description=" We read. ", avatar_url=None,
                           member_ids=[ben.account.id, cid.account.id])
    assert answer["type"] == "group_chat_created"
    chat, item = answer["chat"], answer["chat_item"]
    assert chat["id"] == item["id"] and chat["type"] == item["type"] == "group"
    assert chat["name"] == item["name"] == "Book club"
    assert chat["description"] == "We read."
    assert chat["status"] is None and item["status"] is None
    assert item["other_user_id"] is None and item["last_message"] is None
    assert chat["messages"] == [] and item["unread_messages"] == 0
    assert roles(chat) == {ann.account.id: "admin", ben.account.id: "member",
                           cid.account.id: "member"}
    for session in (ben, cid, phone):
        told = await hears_of(session, chat["id"])
        assert told["chat"] is None and told["chat_item"] == item
    await ann.fence()
    assert len(ann.all("group_chat_created")) == 1


async def test_creator_is_a_member_and_doubles_count_once(stack):
    ann, ben = await people(stack, 2)
    answer = await ann.ask("create_group", name="Doubles", member_ids=[
        ben.account.id, ann.account.id, ben.account.id.upper(),
        ben.account.id])
    assert roles(answer["chat"]) == {ann.account.id: "admin",
                                     ben.account.id: "member"}
    alone = await ann.ask("create_group", name="Alone", member_ids=[])
    assert roles(alone["chat"]) == {ann.account.id: "admin"}


async def test_an_unknown_member_fails_the_whole_request(stack):
    ann, ben = await people(stack, 2)
    mark = ben.mark()
    answer = await ann.ask("create_group", name="Ghosts",
                           member_ids=[ben.account.id, new_id()])
    assert is_error(answer, "create_group", "not_found")
    await private_chat(ann, ben)
    await ben.wait("private_chat_created", since=mark)
    assert not ben.all("group_chat_created")
    fresh = await device(stack, ann)
    assert [c["type"] for c in fresh.info["last_chats"]] == ["private"]


@pytest.mark.parametrize("field, value", [
    ("name", ...), ("name", None), ("name", ""), ("name", " \u2003\t"),
    ("name", 7), ("name", "n" * 51), ("name", "a\u0000b"),
    ("description", 7), ("description", "d" * 51),
    ("member_ids", ...), ("member_ids", None), ("member_ids", "x"),
    ("member_ids", ["x"]), ("member_ids", [None]), ("member_ids", {}),
    ("avatar_url", 7), ("avatar_url", "javascript:alert(1)"),
    ("avatar_url", "http://evil.example/a.png"),
    ("avatar_url", "//parley.test/a.png"),
])
async def test_create_group_refuses_a_bad_field(stack, field, value):
    ann = await person(stack)
    request = {"name": "Good", "member_ids": [], field: value}
    answer = await ann.ask("create_group", **{
        k: v for k, v in request.items() if v is not ...})
    assert is_error(answer, "create_group", "invalid_field")
    assert answer["field"] == field


@pytest.mark.parametrize("description", [..., None, "", " \u00a0 "])
async def test_a_group_may_have_no_description(stack, description):
    ann = await person(stack)
    fields = {} if description is ... else {"description": description}
    chat_id = await found(ann, **fields)
    assert (await chat_info(ann, chat_id))["description"] is None


async def test_names_count_in_code_points_and_come_back_unaltered(stack):
    ann, ben = await people(stack, 2)
    name = "\U0001F469\u200d\U0001F680" * 16 + "e\u0301"
    chat_id = await found(ann, ben, name=name, description="\u05e9" * 50)
    chat = await chat_info(ben, chat_id)
    assert chat["name"] == name and chat["description"] == "\u05e9" * 50


async def test_a_picture_on_the_media_origin_is_taken(stack):
    ann, ben = await people(stack, 2)
    url = "http://parley.test/media/abc.png"
    chat_id = await found(ann, ben, avatar_url=url)
    assert (await chat_info(ben, chat_id))["avatar_url"] == url


async def test_a_repeated_request_id_gives_the_same_group_again(stack):
    ann, ben = await people(stack, 2)
    request = {"type": "create_group", "name": "Once", "request_id": new_id(),
               "member_ids": [ben.account.id]}
    await ann.send(request)
    first = await ann.wait("group_chat_created")
    phone = await device(stack, ann, 1)
    await phone.send(dict(request, name="Twice", member_ids=[new_id()]))
    again = await phone.wait("group_chat_created")
    assert again["chat"]["id"] == first["chat"]["id"]
    assert again["chat"]["name"] == "Once"
    assert again["request_id"] == request["request_id"]
    # Another person's request of the same id is another request.
    await ben.send(dict(request, member_ids=[]))
    other = await ben.wait("group_chat_created",
                           lambda f: f["chat"] is not None)
    assert other["chat"]["id"] != first["chat"]["id"]
    await ann.fence()
    assert len(ann.all("group_chat_created")) == 1


async def test_the_same_request_at_once_makes_one_group(stack):
    ann = await person(stack)
    phone = await device(stack, ann, 1)
    for _ in range(5):
        request = {"type": "create_group", "name": "Race", "member_ids": [],
                   "request_id": new_id()}
        mark, mark2 = ann.mark(), phone.mark()
        await asyncio.gather(ann.send(request), phone.send(request))

        def mine(f):
            return f.get("request_id") == request["request_id"]
        one = await ann.wait(mine, since=mark)
        two = await phone.wait(mine, since=mark2)
        assert one["chat"]["id"] == two["chat"]["id"]


async def test_who_left_a_group_does_not_get_it_by_its_request_again(stack):
    ann, ben = await people(stack, 2)
    request = {"type": "create_group", "name": "Left", "request_id": new_id(),
               "member_ids": [ben.account.id]}
    await ann.send(request)
    chat_id = (await ann.wait("group_chat_created"))["chat"]["id"]
    await remove(ann, chat_id, ann)
    mark = ann.mark()
    await ann.send(request)
    answer = await ann.wait("error", since=mark)
    assert is_error(answer, "create_group", "not_found")


async def test_a_member_hears_of_a_group_before_its_first_message(stack):
    ann, ben = await people(stack, 2)
    for i in range(20):
        chat_id = (await ann.ask("create_group", name=f"Group {i}",
                                 member_ids=[ben.account.id]))["chat"]["id"]
        await ann.say(chat_id, f"first words of group {i}")
        await ben.wait("new_message",
                       lambda f: f["message"]["chat_id"] == chat_id)
        assert [f["type"] for f in heard_of(ben, chat_id)] == \
            ["group_chat_created", "new_message"]


async def test_who_was_away_finds_the_group_in_user_info(stack):
    ann, ben = await people(stack, 2)
    await ben.close()
    answer = await ann.ask("create_group", name="Later",
                           member_ids=[ben.account.id])
    await ann.say(answer["chat"]["id"], "you will find this")
    ben = await Session.open(stack.gateways[1], ben.account)
    item, = ben.info["last_chats"]
    assert (item["id"], item["type"], item["name"], item["status"],
            item["other_user_id"], item["unread_messages"]) == \
        (answer["chat"]["id"], "group", "Later", None, None, 1)
    assert item["last_message"]["sender_name"] == ann.account.name
    await delivered(ann, ann.messages()[0]["id"])


# ---- name and description -----------------------------------------------------------


CHANGES = [
    ("change_group_name", "new_name", "group_name_change_result", "name"),
    ("change_group_description", "new_description",
     "group_description_change_result", "description"),
]


@pytest.mark.parametrize("request_type, field, result, key", CHANGES)
async def test_all_members_hear_of_a_change(stack, request_type, field, result,
                                            key):
    ann, ben, cid, chat_id = await group_of(stack, 3)
    phone = await device(stack, ann, 1)
    answer = await ann.ask(request_type, chat_id=chat_id,
                           **{field: " New words\u3000"})
    expected = {"type": result, "status": "success", "chat_id": chat_id,
                field: "New words", "changer_user_id": ann.account.id}
    assert {k: v for k, v in answer.items() if k != "request_id"} == expected
    for session in (ben, cid, phone):
        assert await session.wait(result) == expected
    assert (await chat_info(ben, chat_id))[key] == "New words"
    await ann.fence()
    assert len(ann.all(result)) == 1


@pytest.mark.parametrize("request_type, field, result, key", CHANGES)
@pytest.mark.parametrize("value, words", [
    (..., "can't be blank"), (None, "can't be blank"), ("", "can't be blank"),
    (" \u2003", "can't be blank"),
    ("x" * 51, "should be at most 50 character(s)"),
])
async def test_a_bad_text_is_told_to_the_asker_alone(
        stack, request_type, field, result, key, value, words):
    ann, ben, chat_id = await group_of(stack, 2)
    fields = {} if value is ... else {field: value}
    answer = await ann.ask(request_type, chat_id=chat_id, **fields)
    assert (answer["type"], answer["status"], answer["chat_id"],
            answer["reason"]) == (result, "failure", chat_id, {key: words})
    await ann.say(chat_id, "a fence for the events")
    await ben.wait("new_message")
    assert not ben.all(result)
    wrong = await ann.ask(request_type, chat_id=chat_id, **{field: 5})
    assert is_error(wrong, request_type, "invalid_field")


@pytest.mark.parametrize("request_type, field, result, key", CHANGES)
async def test_only_admins_change_a_group(stack, request_type, field, result,
                                          key):
    ann, ben, chat_id = await group_of(stack, 2)
    eve = await person(stack)
    private = await private_chat(ann, ben)
    for asker, chat, reason in (
            (ben, chat_id, "unauthorized"), (eve, chat_id, "not_found"),
            (eve, new_id(), "not_found"), (ann, private, "not_found"),
            (eve, private, "not_found")):
        # Who may not is not told what is wrong with the text.
        for value in ("Taken over", ""):
            answer = await asker.ask(request_type, chat_id=chat,
                                     **{field: value})
            assert (answer["type"], answer["status"], answer["reason"]) == \
                (result, "failure", reason)
    assert (await chat_info(ann, chat_id))["name"] == "Book club"


# ---- admins -------------------------------------------------------------------------


async def nickname(session, other, name):
    await session.ask("add_contact", user_id=other.account.id)
    answer = await session.ask("change_nickname", user_id=other.account.id,
                               new_nickname=name)
    assert answer["status"] == "success", answer


async def test_all_hear_of_a_new_admin_each_with_their_nickname(stack):
    ann, ben, cid, chat_id = await group_of(stack, 3)
    await nickname(ann, ben, "Benny")
    await nickname(cid, ben, "B.")
    answer = await ann.ask("give_admin", chat_id=chat_id,
                           user_id=ben.account.id)
    assert answer["type"] == "admin_given_to_member"
    assert answer["chat_id"] == chat_id
    assert answer["giving_user_id"] == ann.account.id
    assert (answer["member"]["user_id"], answer["member"]["role"],
            answer["member"]["nickname"], answer["member"]["status"]) == \
        (ben.account.id, "admin", "Benny", "Online")
    for session, name in ((ben, None), (cid, "B.")):
        told = await session.wait("admin_given_to_member")
        assert told["member"] == dict(answer["member"], nickname=name)
    assert roles(await chat_info(cid, chat_id))[ben.account.id] == "admin"
    # He may now what admins may.
    renamed = await ben.ask("change_group_name", chat_id=chat_id,
                            new_name="Ben's")
    assert renamed["status"] == "success"


async def test_only_an_admin_makes_admins_and_only_of_members(stack):
    ann, ben, chat_id = await group_of(stack, 2)
    eve = await person(stack)
    private = await private_chat(ann, ben)
    for asker, chat, who, reason in (
            (ben, chat_id, ben, "unauthorized"),
            (eve, chat_id, eve, "not_found"),
            (eve, new_id(), eve, "not_found"),
            (ann, private, ben, "not_found"),
            (ann, chat_id, eve, "not_found")):
        answer = await asker.ask("give_admin", chat_id=chat,
                                 user_id=who.account.id)
        assert is_error(answer, "give_admin", reason), answer
    assert roles(await chat_info(ann, chat_id))[ben.account.id] == "member"
    assert not ben.all("admin_given_to_member")


# ---- joining ------------------------------------------------------------------------


async def test_old_members_get_the_whole_list_and_new_ones_the_chat(stack):
    ann, ben, chat_id = await group_of(stack, 2)
    cid, dan = await people(stack, 2)
    phone = await device(stack, ann, 1)
    await nickname(ben, cid, "Cidney")
    await nickname(ben, ann, 'An "n"\\\nine')
    said = await ann.say(chat_id, "before you came in")
    answer = await add(ann, chat_id, cid, dan, ben)
    assert answer["type"] == "chat_members_added"
    assert answer["chat_id"] == chat_id
    assert sorted(answer["added_user_ids"]) == \
        sorted([cid.account.id, dan.account.id])
    assert {m["user_id"] for m in answer["members"]} == \
        {s.account.id for s in (ann, ben, cid, dan)}
    told = await phone.wait("chat_members_added")
    assert told == {k: v for k, v in answer.items() if k != "request_id"}
    told = await ben.wait("chat_members_added")
    names = {m["user_id"]: m["nickname"] for m in told["members"]}
    assert names == {ann.account.id: 'An "n"\\\nine', ben.account.id: None,
                     cid.account.id: "Cidney", dan.account.id: None}
    assert [dict(m, nickname=None) for m in told["members"]] == \
        answer["members"]
    for session in (cid, dan):
        item = (await hears_of(session, chat_id, "chat_added"))["chat_item"]
        assert item["unread_messages"] == 0 and item["type"] == "group"
        assert item["last_message"]["content"] == "before you came in"
        assert item["last_message"]["type"] == "incoming"
        assert not session.all("chat_members_added")
    # The whole history is to be seen, and counts as delivered and read.
    chat = await chat_info(dan, chat_id)
    assert [m["id"] for m in chat["messages"]] == [said["message"]["id"]]
    assert chat["unread_messages"] == 0
    await dan.say(chat_id, "thank you all for having me")
    for session in (ann, ben, cid, phone):
        await session.wait("new_message", lambda f: f["message"]["content"]
                           == "thank you all for having me")


async def test_adding_who_is_in_already_tells_the_asker_alone(stack):
    ann, ben, chat_id = await group_of(stack, 2)
    for ids in ([ben.account.id], [ann.account.id], []):
        answer = await ann.ask("add_members", chat_id=chat_id, member_ids=ids)
        assert answer["type"] == "chat_members_added"
        assert answer["added_user_ids"] == []
        assert len(answer["members"]) == 2
    await ann.say(chat_id, "a fence for the events")
    await ben.wait("new_message")
    assert not ben.all("chat_members_added") and not ben.all("chat_added")


async def test_only_admins_add_members_and_only_people_who_exist(stack):
    ann, ben, chat_id = await group_of(stack, 2)
    eve = await person(stack)
    private = await private_chat(ann, ben)
    for asker, chat, ids, reason in (
            (ben, chat_id, [eve.account.id], "unauthorized"),
            (eve, chat_id, [eve.account.id], "not_found"),
            (eve, new_id(), [eve.account.id], "not_found"),
            (ann, private, [eve.account.id], "not_found"),
            (ann, chat_id, [eve.account.id, new_id()], "not_found"),
            (ann, chat_id, ["x"], "invalid_field"),
            (ann, chat_id, None, "invalid_field")):
        answer = await asker.ask("add_members", chat_id=chat, member_ids=ids)
        assert is_error(answer, "add_members", reason), answer
    assert len((await chat_info(ann, chat_id))["members"]) == 2
    assert not eve.all("chat_added")


async def test_a_group_has_a_greatest_size(new_stack):
    stack = new_stack(settings={"chatd": {"group_members_max": 3}})
    ann, ben, cid, dan = await people(stack, 4)
    answer = await ann.ask("create_group", name="Four", member_ids=[
        s.account.id for s in (ben, cid, dan)])
    assert is_error(answer, "create_group", "too_large")
    chat_id = await found(ann, ben)
    answer = await add(ann, chat_id, cid, dan)
    assert is_error(answer, "add_members", "too_large")
    answer = await add(ann, chat_id, ben, cid)
    assert answer["type"] == "chat_members_added"
    answer = await add(ann, chat_id, dan)
    assert is_error(answer, "add_members", "too_large")
    assert not dan.all("chat_added")


# ---- leaving ------------------------------------------------------------------------


async def test_all_hear_of_a_removal_and_the_removed_hears_nothing_more(stack):
    ann, ben, cid, chat_id = await group_of(stack, 3)
    phone = await device(stack, cid, 1)
    answer = await remove(ann, chat_id, cid)
    assert (answer["type"], answer["chat_id"], answer["user_id"]) == \
        ("chat_member_removed", chat_id, cid.account.id)
    for session in (ben, cid, phone):
        told = await session.wait("chat_member_removed")
        assert told == {"type": "chat_member_removed", "chat_id": chat_id,
                        "user_id": cid.account.id}
    marks = cid.mark(), phone.mark()
    await pipeline(ann, chat_id, [f"without cid now {i}" for i in range(20)])
    await ben.until(lambda: len(ben.messages(chat_id)) == 20)
    await ben.ask("chat_messages_read", chat_id=chat_id)
    await ann.ask("change_group_name", chat_id=chat_id, new_name="No Cid")
    await cid.fence()
    await phone.fence()
    assert not heard_of(cid, chat_id, marks[0])
    assert not heard_of(phone, chat_id, marks[1])
    assert not [c for c in (await device(stack, cid)).info["last_chats"]]


async def test_a_removed_member_is_a_stranger_to_every_request(stack):
    ann, ben, chat_id = await group_of(stack, 2)
    await remove(ann, chat_id, ben)
    for request, fields in (
            ("open_chat", {}), ("chat_messages_read", {}),
            ("get_messages", {}), ("typing", {"is_typing": True})):
        answer = await ben.ask(request, chat_id=chat_id, **fields)
        assert (answer["type"], answer["chat_id"]) == \
            ("chat_forbidden", chat_id)
    answer = await ben.say(chat_id, "let me in again please")
    assert answer["type"] == "chat_forbidden" and answer["front_msg_id"]
    for request, fields in (
            ("give_admin", {"user_id": ben.account.id}),
            ("add_members", {"member_ids": [ben.account.id]}),
            ("remove_member", {"member_id": ann.account.id}),
            ("remove_member", {"member_id": ben.account.id})):
        answer = await ben.ask(request, chat_id=chat_id, **fields)
        assert is_error(answer, request, "not_found"), answer


async def test_a_member_may_leave_but_not_remove_others(stack):
    ann, ben, cid, chat_id = await group_of(stack, 3)
    eve = await person(stack)
    private = await private_chat(ann, ben)
    for asker, chat, who, reason in (
            (ben, chat_id, cid, "unauthorized"),
            (ben, chat_id, ann, "unauthorized"),
            (eve, chat_id, ben, "not_found"),
            (eve, chat_id, eve, "not_found"),
            (ann, chat_id, eve, "not_found"),
            (ann, new_id(), ann, "not_found"),
            (ann, private, ben, "not_found"),
            (ann, private, ann, "not_found")):
        answer = await remove(asker, chat, who)
        assert is_error(answer, "remove_member", reason), answer
    phone = await device(stack, ben, 1)
    answer = await remove(ben, chat_id, ben)
    assert answer["type"] == "chat_member_removed"
    await phone.wait("chat_member_removed")
    await ann.wait("chat_member_removed")
    await ben.fence()
    assert len(ben.all("chat_member_removed")) == 1
    assert set(roles(await chat_info(ann, chat_id))) == \
        {ann.account.id, cid.account.id}
    assert not ann.all("admin_given_to_member")


async def test_any_admin_removes_any_admin(stack):
    ann, ben, chat_id = await group_of(stack, 2)
    await ann.ask("give_admin", chat_id=chat_id, user_id=ben.account.id)
    answer = await remove(ben, chat_id, ann)
    assert answer["type"] == "chat_member_removed"
    assert roles(await chat_info(ben, chat_id)) == {ben.account.id: "admin"}
    await ben.fence()
    assert len(ben.all("admin_given_to_member")) == 1


async def test_longest_standing_member_inherits_from_the_last_admin(stack):
    ann, ben, chat_id = await group_of(stack, 2)
    cid, = await people(stack, 1)
    await add(ann, chat_id, cid)
    await nickname(cid, ben, "The heir")
    await remove(ann, chat_id, ann)
    for session, name in ((ben, None), (cid, "The heir")):
        told = await session.wait("admin_given_to_member")
        assert told["giving_user_id"] == ann.account.id
        assert told["chat_id"] == chat_id
        assert (told["member"]["user_id"], told["member"]["role"],
                told["member"]["nickname"]) == \
            (ben.account.id, "admin", name)
    await ann.fence()
    assert not ann.all("admin_given_to_member")
    assert roles(await chat_info(cid, chat_id)) == \
        {ben.account.id: "admin", cid.account.id: "member"}


async def test_while_an_admin_is_left_nobody_inherits(stack):
    ann, ben, cid, chat_id = await group_of(stack, 3)
    await ann.ask("give_admin", chat_id=chat_id, user_id=cid.account.id)
    await remove(ann, chat_id, ann)
    await ben.wait("chat_member_removed")
    assert roles(await chat_info(ben, chat_id)) == \
        {ben.account.id: "member", cid.account.id: "admin"}
    assert len(ben.all("admin_given_to_member")) == 1


async def test_an_emptied_group_is_gone_with_its_messages(stack):
    ann, ben, chat_id = await group_of(stack, 2)
    await ann.say(chat_id, "all this will be gone")
    await remove(ann, chat_id, ben)
    await remove(ann, chat_id, ann)
    assert stack.sql("SELECT 1 FROM chats WHERE id = %s", chat_id) == []
    limit = time.monotonic() + 10
    while stack.sql("SELECT 1 FROM messages WHERE chat_id = %s", chat_id):
        assert time.monotonic() < limit, "messages of an emptied group stay"
        await asyncio.sleep(0.05)
    answer = await ann.ask("open_chat", chat_id=chat_id)
    assert answer["type"] == "chat_forbidden"
    answer = await add(ann, chat_id, ann)
    assert is_error(answer, "add_members", "not_found")


async def test_who_comes_back_is_a_new_member(stack):
    ann, ben, cid, chat_id = await group_of(stack, 3)
    await ann.ask("give_admin", chat_id=chat_id, user_id=ben.account.id)
    first = await ben.say(chat_id, "a word before i leave")
    await ann.wait("new_message")
    await remove(ben, chat_id, ben)
    second = await ann.say(chat_id, "ben does not hear this")
    await cid.until(lambda: len(cid.messages(chat_id)) == 2)
    mark = ben.mark()
    await add(ann, chat_id, ben)
    item = (await hears_of(ben, chat_id, "chat_added", mark))["chat_item"]
    assert item["unread_messages"] == 0
    assert item["last_message"]["content"] == "ben does not hear this"
    chat = await chat_info(ben, chat_id)
    assert [m["id"] for m in chat["messages"]] == \
        [first["message"]["id"], second["message"]["id"]]
    assert roles(chat)[ben.account.id] == "member"
    await ann.say(chat_id, "welcome back my dear ben")
    await ben.wait("new_message", since=mark)
    assert (await chat_info(ben, chat_id))["unread_messages"] == 1


async def test_leaving_and_coming_back_by_one_s_own_session(stack):
    ann, ben, chat_id = await group_of(stack, 2)
    for i in range(3):
        mark = ben.mark()
        await remove(ben, chat_id, ben)
        await add(ann, chat_id, ben)
        await hears_of(ben, chat_id, "chat_added", mark)
        await ann.say(chat_id, f"here you are again {i}")
        await ben.wait("new_message", since=mark)


async def test_removal_and_sends_at_once_leave_no_message_behind(stack):
    ann, ben, cid, chat_id = await group_of(stack, 3)
    for _ in range(5):
        mark = cid.mark()
        sends = asyncio.create_task(pipeline(
            ben, chat_id, [f"a burst of words {i}" for i in range(40)]))
        await remove(ann, chat_id, cid)
        await sends
        await cid.wait("chat_member_removed", since=mark)
        await cid.fence()
        at = max(i for i, f in enumerate(cid.frames)
                 if f["type"] == "chat_member_removed")
        after = cid.mark()
        await pipeline(ben, chat_id, ["after the removal"] * 5)
        await cid.fence()
        assert not cid.messages(chat_id, max(at, after))
        mark = cid.mark()
        await add(ann, chat_id, cid)
        await hears_of(cid, chat_id, "chat_added", mark)


# ---- states -------------------------------------------------------------------------


@pytest.mark.parametrize("order", itertools.permutations(range(4)))
async def test_a_state_follows_the_last_of_all_others(stack, order):
    """Each other member receives and reads, in every order: delivered once both
    have it, read once both have read it."""
    ann, *others, chat_id = await group_of(stack, 3)
    for member in others:
        await member.close()
    sent = await ann.say(chat_id, "for the two of you")
    message_id = sent["message"]["id"]
    assert sent["message"]["state"] == "sent"
    done = set()
    sessions = {}
    for step in order:
        who, what = step % 2, ("receive", "read")[step // 2]
        if who not in sessions:
            sessions[who] = await Session.open(stack.gateways[who],
                                               others[who].account)
        done.add((who, "receive"))
        if what == "read":
            await sessions[who].ask("chat_messages_read", chat_id=chat_id)
            done.add((who, "read"))
        held = {w for w, d in done if d == "receive"}
        read = {w for w, d in done if d == "read"}
        if held == {0, 1}:
            await delivered(ann, message_id)
        if read == {0, 1}:
            await ann.until(lambda: len(ann.all("chat_read")) == 2)
        expected = "read" if read == {0, 1} else \
            "delivered" if held == {0, 1} else "sent"
        assert await state_of(ann, chat_id, message_id) == expected
    assert [i for f in ann.all("messages_delivered")
            for i in f["message_ids"]] == [message_id]


async def test_sends_reach_every_other_session_of_all_members(stack):
    ann, ben, cid, chat_id = await group_of(stack, 3)
    phones = [await device(stack, s, 1) for s in (ann, ben, cid)]
    await nickname(cid, ann, "Annie")
    sent = (await ann.say(chat_id, "hello to all of you"))["message"]
    for session, name, kind in (
            (ben, ann.account.name, "incoming"), (cid, "Annie", "incoming"),
            (phones[0], ann.account.name, "outgoing"),
            (phones[1], ann.account.name, "incoming"),
            (phones[2], "Annie", "incoming")):
        message = (await session.wait("new_message"))["message"]
        assert message["id"] == sent["id"]
        assert (message["sender_name"], message["type"]) == (name, kind)
    await delivered(ann, sent["id"])
    await ben.ask("chat_messages_read", chat_id=chat_id)
    for session in (ann, cid, phones[0], phones[2]):
        told = await session.wait("chat_read")
        assert told["reader_user_id"] == ben.account.id
    assert await state_of(ann, chat_id, sent["id"]) == "delivered"


@pytest.mark.parametrize("by_himself", [False, True])
async def test_when_a_laggard_leaves_the_rest_is_told(stack, by_himself):
    ann, ben, cid, chat_id = await group_of(stack, 3)
    await cid.close()
    sent = (await ann.say(chat_id, "cid never saw this one"))["message"]
    back = (await ben.say(chat_id, "nor did he see this"))["message"]
    await ben.until(lambda: len(ben.messages(chat_id)) == 2)
    await ben.ask("chat_messages_read", chat_id=chat_id)
    await ann.wait("chat_read")
    assert await state_of(ann, chat_id, sent["id"]) == "sent"
    mark = ann.mark()
    if by_himself:
        answer = http_request(
            stack.gateways[0], "DELETE",
            f"/api/chats/{chat_id}/members/{cid.account.id}",
            headers={"Authorization": "Bearer " + cid.account.token})
        assert answer.status == 204
    else:
        await remove(ann, chat_id, cid)
    await delivered(ann, sent["id"])
    await delivered(ben, back["id"])
    told = await ann.wait("chat_read", since=mark)
    assert (told["chat_id"], told["reader_user_id"]) == \
        (chat_id, ben.account.id)
    assert await state_of(ann, chat_id, sent["id"]) == "read"
    assert await state_of(ben, chat_id, back["id"]) == "delivered"
    await ben.fence()
    assert not ben.all("chat_read")


async def test_who_is_left_alone_is_told_that_all_is_read(stack):
    ann, ben, chat_id = await group_of(stack, 2)
    await ben.close()
    sent = [m["id"] for m in await pipeline(
        ann, chat_id, [f"nobody reads this {i}" for i in range(5)])]
    await remove(ann, chat_id, ben)
    await delivered(ann, *sent)
    await ann.wait("chat_read")
    assert await state_of(ann, chat_id, sent[0]) == "read"
    alone = (await ann.say(chat_id, "said to nobody at all"))["message"]
    assert alone["state"] == "read"
    # A later member changes nothing about it.
    cid = await person(stack, 1)
    mark = ann.mark()
    await add(ann, chat_id, cid)
    last = (await ann.say(chat_id, "welcome to the group"))["message"]
    await delivered(ann, last["id"])
    assert [i for f in ann.all("messages_delivered", mark)
            for i in f["message_ids"]] == [last["id"]]
    assert await state_of(ann, chat_id, alone["id"]) == "read"


async def test_what_a_rejoiner_had_said_is_announced_once(stack):
    ann, ben, cid, chat_id = await group_of(stack, 3)
    await cid.close()
    said = (await ben.say(chat_id, "waiting for cid to see"))["message"]
    await remove(ben, chat_id, ben)
    await add(ann, chat_id, ben)
    await hears_of(ben, chat_id, "chat_added")
    assert not ben.all("messages_delivered")
    await Session.open(stack.gateways[0], cid.account)
    await delivered(ben, said["id"])
    assert await state_of(ben, chat_id, said["id"]) == "delivered"


# ---- status -------------------------------------------------------------------------


async def test_a_group_tells_its_members_of_statuses_up_to_a_size(new_stack):
    stack = new_stack(settings={"chatd": {"status_group_max": 3}})
    ann, ben, cid, chat_id = await group_of(stack, 3)
    mark = ann.mark()
    await ben.send({"type": "logout"})
    await ann.wait("user_status_changed",
                   lambda f: f["user_id"] == ben.account.id, mark)
    dan = await person(stack)
    await add(ann, chat_id, dan)
    await hears_of(dan, chat_id, "chat_added")
    marks = [s.mark() for s in (ann, dan)]
    private = await private_chat(ann, cid)
    await cid.send({"type": "logout"})
    # The private chat hears it, the group of four does not.
    await ann.wait("user_status_changed",
                   lambda f: f["user_id"] == cid.account.id, marks[0])
    await dan.fence()
    assert private and not dan.all("user_status_changed", marks[1])


# ---- over HTTP ----------------------------------------------------------------------


def bearer(session):
    return {"Authorization": "Bearer " + session.account.token}


def http_add(stack, asker, chat_id, ids, gateway=0):
    return http_request(stack.gateways[gateway], "POST",
                        f"/api/chats/{chat_id}/members", {"member_ids": ids},
                        bearer(asker) if asker else None)


def http_remove(stack, asker, chat_id, user_id, gateway=1):
    return http_request(stack.gateways[gateway], "DELETE",
                        f"/api/chats/{chat_id}/members/{user_id}",
                        headers=bearer(asker) if asker else None)


async def test_members_are_added_and_removed_over_http(stack):
    ann, ben, chat_id = await group_of(stack, 2)
    cid = await person(stack)
    answer = http_add(stack, ann, chat_id, [cid.account.id])
    assert (answer.status, answer.body) == (204, b"")
    await hears_of(cid, chat_id, "chat_added")
    for session in (ann, ben):
        told = await session.wait("chat_members_added")
        assert told["added_user_ids"] == [cid.account.id]
        assert len(told["members"]) == 3
    answer = http_remove(stack, ann, chat_id, cid.account.id)
    assert (answer.status, answer.body) == (204, b"")
    for session in (ann, ben, cid):
        told = await session.wait("chat_member_removed")
        assert told["user_id"] == cid.account.id
    answer = http_remove(stack, ben, chat_id, ben.account.id)
    assert answer.status == 204
    assert roles(await chat_info(ann, chat_id)) == {ann.account.id: "admin"}


async def test_http_says_who_may_not(stack):
    ann, ben, chat_id = await group_of(stack, 2)
    eve = await person(stack)
    private = await private_chat(ann, ben)
    no_body = {"error": "Unauthorized"}
    for asker, chat, ids, status, words in (
            (None, chat_id, [eve.account.id], 401, no_body),
            (ben, chat_id, [eve.account.id], 403, {"error": "Not allowed"}),
            (eve, chat_id, [eve.account.id], 403, {"error": "Not allowed"}),
            (eve, private, [eve.account.id], 403, {"error": "Not allowed"}),
            (ann, private, [eve.account.id], 403, {"error": "Not allowed"}),
            (ann, new_id(), [eve.account.id], 404, {"error": "Not found"}),
            (ann, chat_id, [new_id()], 404, {"error": "Not found"}),
            (ann, chat_id, ["x"], 400, {"error": "Bad request"}),
            (ann, chat_id, None, 400, {"error": "Bad request"}),
            (ann, "x", [eve.account.id], 404, {"error": "Not found"})):
        answer = http_add(stack, asker, chat, ids)
        assert (answer.status, answer.json) == (status, words), (chat, ids)
    for asker, chat, who, status, words in (
            (None, chat_id, ben.account.id, 401, no_body),
            (ben, chat_id, ann.account.id, 403, {"error": "Not allowed"}),
            (eve, chat_id, ben.account.id, 403, {"error": "Not allowed"}),
            (ann, private, ben.account.id, 403, {"error": "Not allowed"}),
            (ann, chat_id, eve.account.id, 404, {"error": "Not found"}),
            (ann, new_id(), ben.account.id, 404, {"error": "Not found"}),
            (ann, chat_id, "x", 404, {"error": "Not found"})):
        answer = http_remove(stack, asker, chat, who)
        assert (answer.status, answer.json) == (status, words), (chat, who)
    assert len((await chat_info(ann, chat_id))["members"]) == 2
    bad = http_request(stack.gateways[0], "POST",
                       f"/api/chats/{chat_id}/members", b"{", bearer(ann))
    assert (bad.status, bad.json) == (400, {"error": "Bad request"})
    bad = http_request(
        stack.gateways[0], "POST", f"/api/chats/{chat_id}/members",
        {"member_ids": []}, {"Authorization": "Bearer " + "A" * 43})
    assert (bad.status, bad.json) == (401, no_body)


# ---- large ------------------------------------------------------------------------


async def test_a_group_of_1024_works_within_bounds(stack):
    ann, ben, cid = await people(stack, 3)
    crowd = [row[0] for row in stack.sql(
        "INSERT INTO users (id, username, name, email, password_hash) "
        "SELECT gen_random_uuid(), 'crowd_' || substr(md5(random()::text), 1, "
        "16) || i, 'Crowd ' || i, md5(random()::text) || i || '@example.org', "
        "'x' FROM generate_series(1, 1021) i RETURNING id::text")]
    started = time.monotonic()
    ids = crowd + [ben.account.id]
    chat_id = await found(ann, ben, name="Everyone", member_ids=ids)
    answer = await ann.ask("create_group", name="More",
                           member_ids=ids + [cid.account.id, new_id()])
    assert is_error(answer, "create_group", "too_large")
    answer = await add(ann, chat_id, cid)
    assert len(answer["members"]) == 1024
    assert answer["added_user_ids"] == [cid.account.id]
    told = await ben.wait("chat_members_added")
    assert told["members"] == answer["members"]
    await hears_of(cid, chat_id, "chat_added")
    dan = await person(stack)
    assert is_error(await add(ann, chat_id, dan), "add_members", "too_large")
    sent = await pipeline(ann, chat_id, [f"to all {i}" for i in range(20)])
    for session in (ben, cid):
        await session.until(lambda: len(session.messages(chat_id)) == 20)
    chat = await chat_info(cid, chat_id)
    assert len(chat["members"]) == 1024 and chat["unread_messages"] == 20
    assert {m["state"] for m in chat["messages"]} == {"sent"}
    await cid.ask("chat_messages_read", chat_id=chat_id)
    await ann.wait("chat_read")
    await ann.ask("change_group_name", chat_id=chat_id, new_name="All")
    await ben.wait("group_name_change_result")
    await remove(ann, chat_id, ben)
    await cid.wait("chat_member_removed")
    assert time.monotonic() - started < 20, "too slow"
    assert sent[0]["state"] == "sent"
