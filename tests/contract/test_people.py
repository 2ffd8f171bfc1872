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
