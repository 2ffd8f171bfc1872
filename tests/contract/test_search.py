"""GET /api/chats/{id}/search?q=

SPDX-License-Identifier: MIT
"""

import asyncio
from urllib.parse import quote, quote_plus

from support.client import http_request, new_id
from support.scene import pair, person, pipeline
from test_history import put_messages


def search(stack, who, chat_id, query, token=None):
    token = who.account.token if token is None else token
    path = f"/api/chats/{chat_id}/search"
    if query is not None:
        path += "?q=" + quote(query, safe="")
    return http_request(stack.gateways[0], "GET", path,
                        headers={"Authorization": "Bearer " + token})


def found(stack, who, chat_id, query):
    answer = search(stack, who, chat_id, query)
    assert answer.status == 200, answer
    return [m["content"] for m in answer.json]


async def chat_of(stack, *texts):
    ann, ben, chat_id = await pair(stack)
    await pipeline(ann, chat_id, list(texts))
    return ann, ben, chat_id


async def test_a_member_finds_messages_oldest_first(stack):
    ann, ben, chat_id = await chat_of(
        stack, "we meet at noon", "something else", "noon it is then")
    await ben.say(chat_id, "see you at noon")
    answer = search(stack, ben, chat_id, "noon")
    assert answer.status == 200
    info = await ann.ask("open_chat", chat_id=chat_id)
    by_seq = {m["seq"]: m for m in info["chat"]["messages"]}
    assert answer.json == [
        {key: by_seq[seq][key]
         for key in ("id", "content", "user_id", "time", "seq")}
        for seq in (1, 3, 4)]


async def test_nothing_found_is_an_empty_list(stack):
    ann, ben, chat_id = await chat_of(stack, "hello world")
    assert found(stack, ann, chat_id, "nowhere") == []


async def test_case_and_accents_do_not_matter(stack):
    texts = ["Crème Brûlée", "CREME de menthe", "the crème", "Ångström unit",
             "STRASSE"]
    ann, ben, chat_id = await chat_of(stack, *texts)
    assert found(stack, ann, chat_id, "creme") == texts[:3]
    assert found(stack, ann, chat_id, "CRÈME") == texts[:3]
    assert found(stack, ann, chat_id, "angstrom") == texts[3:4]
    assert found(stack, ann, chat_id, "brulee") == texts[:1]


async def test_any_part_of_a_text_is_found(stack):
    texts = ["unbelievable", "a believer", "belief"]
    ann, ben, chat_id = await chat_of(stack, *texts)
    assert found(stack, ann, chat_id, "believ") == texts[:2]
    assert found(stack, ann, chat_id, "able") == texts[:1]
    assert found(stack, ann, chat_id, "a b") == texts[1:2]


async def test_percent_and_underscore_and_backslash_are_ordinary(stack):
    texts = ["100% sure", "snake_case", "back\\slash", "100 percent"]
    ann, ben, chat_id = await chat_of(stack, *texts)
    assert found(stack, ann, chat_id, "100%") == texts[:1]
    assert found(stack, ann, chat_id, "%") == texts[:1]
    assert found(stack, ann, chat_id, "_") == texts[1:2]
    assert found(stack, ann, chat_id, "k\\s") == texts[2:3]
    assert found(stack, ann, chat_id, "e_c") == texts[1:2]


async def test_short_inputs_and_text_without_spaces_are_found(stack):
    texts = ["今天天气很好我们去公园散步吧", "東京タワーに行きました", "明天下雨",
             "a", "\N{GRINNING FACE}\N{PARTY POPPER} hurray", "שלום לכולם"]
    ann, ben, chat_id = await chat_of(stack, *texts)
    assert found(stack, ann, chat_id, "天气") == texts[:1]
    assert found(stack, ann, chat_id, "天") == [texts[0], texts[2]]
    assert found(stack, ann, chat_id, "公园散步") == texts[:1]
    assert found(stack, ann, chat_id, "タワー") == texts[1:2]
    assert found(stack, ann, chat_id, "\N{PARTY POPPER}") == texts[4:5]
    assert found(stack, ann, chat_id, "לום") == texts[5:6]
    assert found(stack, ann, chat_id, "a") == [texts[3], texts[4]]
    assert found(stack, ann, chat_id, "y") == texts[4:5]


async def test_the_newest_100_matches_are_given(stack):
    ann, ben, chat_id = await pair(stack)
    put_messages(stack, ann, chat_id,
                 [f"needle {i}" if i % 2 else f"hay {i}" for i in range(600)])
    got = search(stack, ben, chat_id, "needle").json
    assert [m["seq"] for m in got] == [i + 1 for i in range(401, 600, 2)]


async def test_spaces_and_reserved_characters_come_through_the_query(stack):
    texts = ["a&b=c", "one+one", "left right", "50 % off", "hash # tag"]
    ann, ben, chat_id = await chat_of(stack, *texts)
    for text in texts:
        assert found(stack, ann, chat_id, text) == [text]
    answer = http_request(
        stack.gateways[0], "GET",
        f"/api/chats/{chat_id}/search?x=1&q={quote_plus('left right')}&y=2",
        headers={"Authorization": "Bearer " + ann.account.token})
    assert [m["content"] for m in answer.json] == ["left right"]


async def test_a_missing_or_blank_query_is_400(stack):
    ann, ben, chat_id = await chat_of(stack, "hello world")
    for query in (None, "", "  ", "\u3000\u00a0"):
        answer = search(stack, ann, chat_id, query)
        assert (answer.status, answer.json) == \
            (400, {"error": "Missing search query"}), query


async def test_a_query_that_is_no_text_is_400(stack):
    ann, ben, chat_id = await chat_of(stack, "hello world")
    for raw in ("%ff%fe", "%ed%a0%80"):
        answer = http_request(
            stack.gateways[0], "GET", f"/api/chats/{chat_id}/search?q={raw}",
            headers={"Authorization": "Bearer " + ann.account.token})
        assert (answer.status, answer.json) == (400, {"error": "Bad request"})


async def test_a_stranger_is_403_and_an_unknown_chat_404(stack):
    ann, ben, chat_id = await chat_of(stack, "hello world")
    eve = await person(stack)
    answer = search(stack, eve, chat_id, "hello")
    assert (answer.status, answer.json) == (403, {"error": "Not allowed"})
    answer = search(stack, eve, new_id(), "hello")
    assert (answer.status, answer.json) == (404, {"error": "Not found"})
    answer = search(stack, ann, "not-an-id", "hello")
    assert (answer.status, answer.json) == (404, {"error": "Not found"})


async def test_search_wants_a_token(stack):
    ann, ben, chat_id = await chat_of(stack, "hello world")
    answer = search(stack, ann, chat_id, "hello", token="no-such-token")
    assert answer.status == 401
    answer = http_request(stack.gateways[0], "GET",
                          f"/api/chats/{chat_id}/search?q=hello")
    assert answer.status == 401 and "error" in answer.json


# ---- long chats, whose older texts are searched in copied blocks -------------

async def copied(stack, chat_id, blocks):
    """Until so many blocks of the chat are copied."""
    for _ in range(200):
        if stack.sql("SELECT count(*) FROM message_blocks WHERE chat_id = %s",
                     chat_id)[0][0] >= blocks:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{blocks} blocks were not copied")


async def test_a_long_chat_is_copied_as_it_grows_and_searched_alike(stack):
    ann, ben, chat_id = await pair(stack)
    texts = [f"ordinary {i}" for i in range(1, 4096)]
    for seq in (1, 512, 513, 1024, 2000):
        texts[seq - 1] = f"Nádel 针头 {seq}"
    put_messages(stack, ann, chat_id, texts)
    expected = [f"Nádel 针头 {seq}" for seq in (1, 512, 513, 1024, 2000)]
    assert found(stack, ben, chat_id, "NADEL") == expected
    assert found(stack, ben, chat_id, "头") == expected
    put_messages(stack, ben, chat_id, ["naDel late"])
    put_messages(stack, ann, chat_id, ["x"] * (8191 - 4096))
    await ann.say(chat_id, "the sending that makes it long")
    await copied(stack, chat_id, 16)
    expected.append("naDel late")
    assert found(stack, ben, chat_id, "nadel") == expected
    assert found(stack, ben, chat_id, "头") == expected[:5]
    assert found(stack, ben, chat_id, "针头 5") == expected[1:3]
    assert found(stack, ben, chat_id, "makes it") == \
        ["the sending that makes it long"]
    assert found(stack, ben, chat_id, "%") == []


async def test_a_search_has_missing_copies_made(stack):
    ann, ben, chat_id = await pair(stack)
    put_messages(stack, ann, chat_id,
                 ["needle" if i % 100 == 0 else f"hay {i}"
                  for i in range(15000)])
    got = search(stack, ben, chat_id, "needle").json
    assert [m["seq"] for m in got] == \
        [i + 1 for i in range(5000, 15000, 100)]
    await copied(stack, chat_id, 15000 // 512)
    assert search(stack, ben, chat_id, "needle").json == got
    assert [m["seq"] for m in search(stack, ben, chat_id, "hay 1").json] == \
        [i + 1 for i in range(15000)
         if f"hay {i}".startswith("hay 1") and i % 100][-100:]


async def test_links_of_media_are_not_searched(stack):
    ann, ben, chat_id = await pair(stack)
    url = "http://parley.test/media/parley.png"
    await ann.say(chat_id, url, format="image")
    await ann.say(chat_id, "parley is a word")
    assert found(stack, ben, chat_id, "parley") == ["parley is a word"]


async def test_a_removed_member_searches_no_more(stack):
    ann, ben = await person(stack), await person(stack, 1)
    created = await ann.ask("create_group", name="search",
                            member_ids=[ben.account.id])
    group = created["chat_item"]["id"]
    await ann.say(group, "only for members")
    assert found(stack, ben, group, "members") == ["only for members"]
    await ann.ask("remove_member", chat_id=group, member_id=ben.account.id)
    assert search(stack, ben, group, "members").status == 403
    assert found(stack, ann, group, "members") == ["only for members"]
