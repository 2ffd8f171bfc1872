"""get_person_info and search_people.

SPDX-License-Identifier: MIT
"""

import uuid

import pytest

from support.client import new_id, register
from support.scene import device, pair, person


async def test_person_info_of_a_chat_partner(stack):
    ann, ben, chat_id = await pair(stack)
    answer = await ann.ask("get_person_info", person_id=ben.account.id)
    info = answer["person_info"]
    assert info["id"] == ben.account.id
    assert info["username"] == ben.account.username
    assert info["name"] == ben.account.name
    assert info["status"] == "Online"
    assert info["private_chat_id"] == chat_id
    assert info["contact_info"] is None
    assert info["avatar_url"].startswith("http://parley.test/")


async def test_person_info_of_a_stranger_has_no_chat(stack):
    ann, ben = await person(stack), await person(stack, 1)
    info = (await ann.ask("get_person_info",
                          person_id=ben.account.id))["person_info"]
    assert info["private_chat_id"] is None and info["contact_info"] is None


async def test_person_info_of_nobody_is_null(stack):
    ann = await person(stack)
    answer = await ann.ask("get_person_info", person_id=new_id())
    assert answer["type"] == "person_info" and answer["person_info"] is None


@pytest.mark.parametrize("value", ["", "x", 5, None, ["a"], {}])
async def test_person_info_of_a_malformed_id_names_the_field(stack, value):
    ann = await person(stack)
    error = await ann.ask("get_person_info", person_id=value)
    assert (error["request"], error["reason"], error["field"]) == \
        ("get_person_info", "invalid_field", "person_id")


async def search(session, text):
    answer = await session.ask("search_people", input=text)
    assert answer["type"] == "search_people_results", answer
    return [p["username"] for p in answer["search_people_results"]]


def word():
    return "w" + uuid.uuid4().hex[:9]


async def test_search_finds_by_username_and_by_name(stack):
    ann = await person(stack)
    key = word()
    register(stack.gateways[0], username=f"{key}_a", name="Nobody Special")
    register(stack.gateways[0], username=word(), name=f"Mr {key} Smith")
    assert len(await search(ann, key)) == 2
    assert await search(ann, key + "_A") == [f"{key}_a"]
    assert await search(ann, key.upper() + " SMITH") != []


async def test_search_puts_prefix_before_substring_username_before_name(stack):
    ann = await person(stack)
    key = word()
    gateway = stack.gateways[0]
    for username, name in [
            (f"n1{word()}", f"in the {key} middle"),
            (f"n2{word()}", f"{key} at the start"),
            (f"x{key}", "substring of username"),
            (f"{key}x", "prefix of username")]:
        register(gateway, username=username, name=name)
    found = await search(ann, key)
    assert found.index(f"{key}x") < found.index(f"x{key}")
    prefix_name = next(u for u in found if u.startswith("n2"))
    middle_name = next(u for u in found if u.startswith("n1"))
    assert found.index(prefix_name) < found.index(middle_name)
    assert found[0] == f"{key}x"
    assert found.index(f"{key}x") < found.index(prefix_name)


async def test_search_ignores_case_and_accents(stack):
    ann = await person(stack)
    key = word()
    username = word()
    register(stack.gateways[0], username=username,
             name=f"\u00c9mile {key} Z\u00fcrich")
    for text in (f"emile {key} zurich", f"\u00e9MILE {key.upper()}",
                 f"emile {key} z\u00dcr"):
        assert await search(ann, text) == [username]


async def test_search_takes_percent_and_underscore_as_they_are(stack):
    ann = await person(stack)
    key = word()
    gateway = stack.gateways[0]
    register(gateway, username=word(), name=f"100% {key}")
    register(gateway, username=word(), name=f"1000 {key}")
    register(gateway, username=word(), name=f"a_b {key}")
    register(gateway, username=word(), name=f"axb {key}")
    register(gateway, username=word(), name=f"back\\slash {key}")
    assert len(await search(ann, f"100% {key}")) == 1
    assert len(await search(ann, f"a_b {key}")) == 1
    assert len(await search(ann, f"back\\slash {key}")) == 1


@pytest.mark.parametrize("text", [
    "\u660e", "\u5c0f\u660e", "\u738b\u5c0f\u660e", "\u5c0f\u660e\u5bb6",
    "\u738b\u5c0f\u660e\u5bb6"])
async def test_search_finds_text_without_spaces_at_any_length(stack, text):
    ann = await person(stack)
    username = word()
    register(stack.gateways[0], username=username,
             name="\u738b\u5c0f\u660e\u5bb6")
    assert username in await search(ann, text)
    stack.sql("DELETE FROM users WHERE username = %s RETURNING 1", username)


@pytest.mark.parametrize("text", [
    "\u2e18", "\u2e18\U0001fab6", "\U0001fab6\U0001fab6\U0001fab6",
    "\U0001fab6", "\u2e18\U0001fab6\U0001fab6\U0001fab6"])
async def test_search_finds_signs_and_pictures_at_any_length(stack, text):
    ann = await person(stack)
    username = word()
    register(stack.gateways[0], username=username,
             name="Feather \u2e18" + "\U0001fab6" * 3)
    assert username in await search(ann, text)
    assert await search(ann, text + "\u2e2e") == []
    stack.sql("DELETE FROM users WHERE username = %s RETURNING 1", username)


async def test_search_finds_one_and_two_letters_within_words(stack):
    ann = await person(stack)
    # Letters that no other test's names hold.
    register(stack.gateways[0], username=word(), name="a\u0434\u0436b")
    register(stack.gateways[0], username=word(), name="\u0436 first")
    for text in ("\u0436", "\u0416", " \u0436 "):
        found = await ann.ask("search_people", input=text)
        names = [p["name"] for p in found["search_people_results"]]
        assert names == ["\u0436 first", "a\u0434\u0436b"]
    assert len(await search(ann, "\u0434\u0436")) == 1
    assert await search(ann, "\u0436\u0434") == []


@pytest.mark.parametrize("text", ["\u0301", "\u0301\u0308"])
async def test_search_for_accents_alone_finds_nobody(stack, text):
    ann = await person(stack)
    assert await search(ann, text) == []


async def test_search_finds_letters_with_combining_marks(stack):
    ann = await person(stack)
    key = word()
    username = word()
    register(stack.gateways[0], username=username,
             name=f"{key} e\u0301te\u0301")
    for text in (f"{key} ete", f"{key} \u00e9t\u00e9", f"{key} e\u0301te"):
        assert await search(ann, text) == [username]


async def test_search_puts_nickname_before_username_before_name(stack):
    ann = await person(stack)
    key = word()
    people = {}
    for way, username, name in [
            ("name within", word(), f"the {key}"),
            ("nickname within", word(), "Nobody A"),
            ("username within", f"x{key}", "Nobody B"),
            ("name prefix", word(), f"{key} the first"),
            ("nickname prefix", word(), "Nobody C"),
            ("username prefix", f"{key}x", "Nobody D")]:
        register(stack.gateways[0], username=username, name=name)
        found = await ann.ask("search_people", input=username)
        people[way] = found["search_people_results"][0]
    for way, nickname in [("nickname within", f"my {key}"),
                          ("nickname prefix", f"{key.upper()}y")]:
        await ann.ask("add_contact", user_id=people[way]["id"])
        answer = await ann.ask("change_nickname", user_id=people[way]["id"],
                               new_nickname=nickname)
        assert answer["status"] == "success"
    assert await search(ann, key) == [people[way]["username"] for way in (
        "nickname prefix", "username prefix", "name prefix",
        "nickname within", "username within", "name within")]


async def test_search_lists_who_matches_in_many_ways_once_by_the_best(stack):
    ann = await person(stack)
    key = word()
    for username, name in [(f"{key}1", f"{key} {key}"),
                           (f"y{key}2", f"{key} name")]:
        register(stack.gateways[0], username=username, name=name)
    assert await search(ann, key) == [f"{key}1", f"y{key}2"]
    answer = await ann.ask("search_people", input=f"y{key}2")
    other, = answer["search_people_results"]
    await ann.ask("add_contact", user_id=other["id"])
    await ann.ask("change_nickname", user_id=other["id"],
                  new_nickname=f"{key} nick")
    assert await search(ann, key) == [f"y{key}2", f"{key}1"]


async def test_search_by_another_s_nickname_finds_nobody(stack):
    ann, ben, eve = [await person(stack) for _ in range(3)]
    key = word()
    await ann.ask("add_contact", user_id=ben.account.id)
    await ann.ask("change_nickname", user_id=ben.account.id, new_nickname=key)
    assert await search(ann, key) == [ben.account.username]
    assert await search(eve, key) == []
    assert await search(ben, key) == []


async def test_search_for_more_than_any_name_finds_nobody(stack):
    ann = await person(stack)
    assert await search(ann, "x" * 101) == []
    assert await search(ann, "\U0001f600" * 5000) == []


async def test_search_follows_a_change_of_name_at_once(stack):
    ann, ben = await person(stack), await person(stack, 1)
    key, fresh = word(), word()
    await ben.ask("change_name", new_name=f"Mx {key}")
    assert await search(ann, key) == [ben.account.username]
    await ben.ask("change_username", new_username=fresh)
    assert await search(ann, key) == [fresh]
    assert await search(ann, fresh) == [fresh]
    assert await search(ann, ben.account.username) == []
    await ben.ask("change_name", new_name="Mx Else")
    assert await search(ann, key) == []


async def test_search_does_not_leave_the_asker_out(stack):
    ann = await person(stack)
    assert await search(ann, ann.account.username) == [ann.account.username]


@pytest.mark.parametrize("text", ["", "   ", "\t\n\u3000"])
async def test_search_for_nothing_finds_nobody(stack, text):
    ann = await person(stack)
    assert await search(ann, text) == []


async def test_search_gives_50_at_most(stack):
    ann = await person(stack)
    key = word()
    for i in range(53):
        register(stack.gateways[i % 2], username=f"{key}_{i}")
    assert len(await search(ann, key)) == 50


@pytest.mark.parametrize("value", [None, 5, ["x"], {"a": 1}, True])
async def test_search_input_must_be_text(stack, value):
    ann = await person(stack)
    error = await ann.ask("search_people", input=value)
    assert (error["request"], error["reason"], error["field"]) == \
        ("search_people", "invalid_field", "input")


async def test_search_shows_the_public_side_of_a_person(stack):
    ann, ben = await person(stack), await person(stack)
    await device(stack, ben)
    answer = await ann.ask("search_people", input=ben.account.username)
    found, = answer["search_people_results"]
    assert found["id"] == ben.account.id
    assert found["name"] == ben.account.name
    assert found["contact_info"] is None
    assert "email" not in found
