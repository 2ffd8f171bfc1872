"""get_messages and sync: the past of chats, and what a client missed.

SPDX-License-Identifier: MIT
"""

import json

from support.client import new_id, private_chat
from support.scene import delivered, device, pair, person, pipeline


def seqs(page):
    return [m["seq"] for m in page["messages"]]


async def page(session, chat_id, **fields):
    answer = await session.ask("get_messages", chat_id=chat_id, **fields)
    assert answer["type"] == "chat_messages", answer
    assert answer["chat_id"] == chat_id
    return answer


async def sync(session, *marks, **fields):
    """All frames of one sync, up to sync_done."""
    mark = session.mark()
    await session.send(dict(fields, type="sync", chats=[
        {"chat_id": chat_id, "last_seq": seq} for chat_id, seq in marks]))
    await session.wait("sync_done", since=mark)
    kinds = ("chat_messages", "chat_forbidden", "sync_done")
    return [f for f in session.frames[mark:] if f["type"] in kinds]


def put_messages(stack, session, chat_id, contents):
    """Straight into the database, as one who sent much: returns last_seq."""
    return stack.sql("""
        WITH c AS (
            SELECT last_seq FROM chats WHERE id = %s FOR UPDATE
        ), m AS (
            INSERT INTO messages (chat_id, seq, id, sender_id, front_msg_id,
                                  format, content, created_at)
            SELECT %s, c.last_seq + i.ord, gen_random_uuid(), %s,
                   gen_random_uuid(), 0, i.content, now()
            FROM c, unnest(%s::text[]) WITH ORDINALITY AS i (content, ord)
        )
        UPDATE chats SET last_seq = chats.last_seq + %s FROM c
        WHERE id = %s RETURNING chats.last_seq
        """, chat_id, chat_id, session.account.id, contents, len(contents),
        chat_id)[0][0]


# ---- get_messages ------------------------------------------------------------

async def test_pages_lead_back_to_the_first_message_oldest_first(stack):
    ann, ben, chat_id = await pair(stack)
    await pipeline(ann, chat_id, [f"line number {i}" for i in range(1, 26)])
    newest = await page(ben, chat_id, limit=10)
    assert seqs(newest) == list(range(16, 26)) and newest["has_more"] is True
    before = await page(ben, chat_id, before_seq=16, limit=10)
    assert seqs(before) == list(range(6, 16)) and before["has_more"] is True
    first = await page(ben, chat_id, before_seq=6, limit=10)
    assert seqs(first) == [1, 2, 3, 4, 5] and first["has_more"] is False
    assert [m["content"] for m in first["messages"]] == \
        [f"line number {i}" for i in range(1, 6)]


async def test_a_page_that_ends_with_the_first_message_has_no_more(stack):
    ann, ben, chat_id = await pair(stack)
    await pipeline(ann, chat_id, ["one of five"] * 5)
    whole = await page(ann, chat_id, limit=5)
    assert seqs(whole) == [1, 2, 3, 4, 5] and whole["has_more"] is False
    for empty in (await page(ann, chat_id, before_seq=1),
                  await page(ann, chat_id, before_seq=0)):
        assert empty["messages"] == [] and empty["has_more"] is False


async def test_a_page_beyond_the_end_is_the_newest(stack):
    ann, ben, chat_id = await pair(stack)
    await pipeline(ann, chat_id, ["one of three"] * 3)
    for before in (4, 5000, 2**62):
        assert seqs(await page(ann, chat_id, before_seq=before)) == [1, 2, 3]
    assert seqs(await page(ann, chat_id, before_seq=None)) == [1, 2, 3]


async def test_an_empty_chat_has_an_empty_page(stack):
    ann, ben, chat_id = await pair(stack)
    empty = await page(ann, chat_id)
    assert empty["messages"] == [] and empty["has_more"] is False


async def test_a_page_holds_50_unless_asked_and_100_at_most(stack):
    ann, ben, chat_id = await pair(stack)
    put_messages(stack, ann, chat_id, [f"text {i}" for i in range(150)])
    assert seqs(await page(ben, chat_id)) == list(range(101, 151))
    for limit in (100, 101, 5000):
        full = await page(ben, chat_id, limit=limit)
        assert seqs(full) == list(range(51, 151)) and full["has_more"]


async def test_messages_of_a_page_look_as_in_chat_info(stack):
    ann, ben, chat_id = await pair(stack)
    await ann.say(chat_id, "from ann to ben")
    back = await ben.say(chat_id, "and back to her")
    await ben.ask("chat_messages_read", chat_id=chat_id)
    await delivered(ben, back["message"]["id"])
    info = await ann.ask("open_chat", chat_id=chat_id)
    assert (await page(ann, chat_id))["messages"] == info["chat"]["messages"]
    states = {m["seq"]: m["state"]
              for m in (await page(ann, chat_id))["messages"]}
    assert states == {1: "read", 2: "delivered"}


async def test_a_page_of_long_messages_is_cut_and_says_that_there_is_more(
        stack):
    ann, ben, chat_id = await pair(stack)
    long = "\N{GRINNING FACE}" * 5000
    put_messages(stack, ann, chat_id, [long] * 60)
    cut = await page(ben, chat_id, limit=60)
    got = seqs(cut)
    assert cut["has_more"] is True and 20 < len(got) < 60
    assert got == list(range(61 - len(got), 61))
    assert all(m["content"] == long for m in cut["messages"])
    assert len(json.dumps(cut, ensure_ascii=False).encode()) < 600 * 1024
    rest = await page(ben, chat_id, before_seq=got[0], limit=60)
    assert seqs(rest)[-1] == got[0] - 1


async def test_get_messages_of_a_strangers_or_unknown_chat_is_forbidden(stack):
    ann, ben, chat_id = await pair(stack)
    eve = await person(stack)
    await ann.say(chat_id, "not for eve")
    for chat in (chat_id, new_id()):
        answer = await eve.ask("get_messages", chat_id=chat)
        assert (answer["type"], answer["chat_id"]) == ("chat_forbidden", chat)


async def test_bad_fields_of_get_messages_are_named(stack):
    ann, ben, chat_id = await pair(stack)
    for fields, bad in (({}, "chat_id"), ({"chat_id": "x"}, "chat_id"),
                        ({"chat_id": None}, "chat_id"),
                        ({"before_seq": -1}, "before_seq"),
                        ({"before_seq": "3"}, "before_seq"),
                        ({"before_seq": 2.5}, "before_seq"),
                        ({"before_seq": 2**70}, "before_seq"),
                        ({"limit": 0}, "limit"), ({"limit": -4}, "limit"),
                        ({"limit": True}, "limit")):
        if fields and "chat_id" not in fields:
            fields = dict(fields, chat_id=chat_id)
        error = await ann.ask("get_messages", **fields)
        assert (error["type"], error["reason"], error["field"]) == \
            ("error", "invalid_field", bad), fields


# ---- sync --------------------------------------------------------------------

async def test_sync_brings_what_was_missed_of_each_chat_and_then_is_done(stack):
    ann, ben, first = await pair(stack)
    cid = await person(stack, 1)
    second = await private_chat(ann, cid)
    third = await private_chat(ann, ann)
    await pipeline(ann, first, [f"to ben {i}" for i in range(6)])
    await pipeline(ann, second, [f"to cid {i}" for i in range(3)])
    frames = await sync(ann, (first, 2), (second, 3), (third, 0))
    assert [f["type"] for f in frames] == ["chat_messages", "sync_done"]
    assert frames[0]["chat_id"] == first and seqs(frames[0]) == [3, 4, 5, 6]
    assert frames[0]["has_more"] is False and frames[1]["chats"] == 1
    frames = await sync(ann, (second, 0), (first, 5))
    assert [f.get("chat_id") for f in frames] == [second, first, None]
    assert seqs(frames[0]) == [1, 2, 3] and seqs(frames[1]) == [6]
    assert frames[2]["chats"] == 2


async def test_sync_of_nothing_is_done_at_once(stack):
    ann, ben, chat_id = await pair(stack)
    await ann.say(chat_id, "the only message")
    done, = await sync(ann)
    assert done == {"type": "sync_done", "chats": 0}
    done, = await sync(ann, (chat_id, 1), (chat_id.upper(), 7))
    assert done["chats"] == 0


async def test_sync_frames_carry_the_request_id(stack):
    ann, ben, chat_id = await pair(stack)
    await ann.say(chat_id, "a message to sync")
    frames = await sync(ann, (chat_id, 0), (new_id(), 0), request_id="sync-1")
    assert [f["type"] for f in frames] == \
        ["chat_messages", "chat_forbidden", "sync_done"]
    assert {f["request_id"] for f in frames} == {"sync-1"}


async def test_sync_names_chats_of_strangers_as_forbidden(stack):
    ann, ben, chat_id = await pair(stack)
    eve = await person(stack)
    own = await private_chat(eve, ben)
    await ann.say(chat_id, "not for eve at all")
    await eve.say(own, "this is for ben")
    unknown = new_id()
    frames = await sync(eve, (chat_id, 0), (own, 0), (unknown, 0))
    assert [(f["type"], f.get("chat_id")) for f in frames] == [
        ("chat_forbidden", chat_id), ("chat_messages", own),
        ("chat_forbidden", unknown), ("sync_done", None)]
    assert frames[-1]["chats"] == 1


async def test_a_chat_named_twice_is_answered_once_from_its_lowest_mark(stack):
    ann, ben, chat_id = await pair(stack)
    await pipeline(ann, chat_id, ["one of four"] * 4)
    frames = await sync(ann, (chat_id, 3), (chat_id.upper(), 1))
    assert [f["type"] for f in frames] == ["chat_messages", "sync_done"]
    assert seqs(frames[0]) == [2, 3, 4]


async def test_sync_gives_500_messages_a_chat_and_says_that_there_is_more(
        stack):
    ann, ben, chat_id = await pair(stack)
    put_messages(stack, ann, chat_id, [f"text {i}" for i in range(730)])
    frames = await sync(ben, (chat_id, 0))
    assert seqs(frames[0]) == list(range(1, 501))
    assert frames[0]["has_more"] is True
    frames = await sync(ben, (chat_id, 500))
    assert seqs(frames[0]) == list(range(501, 731))
    assert frames[0]["has_more"] is False


async def test_sync_gives_512_kib_a_chat(stack):
    ann, ben, chat_id = await pair(stack)
    put_messages(stack, ann, chat_id, ["\N{GRINNING FACE}" * 5000] * 60)
    at, turns = 0, 0
    while True:
        chat, done = await sync(ben, (chat_id, at))
        size = len(json.dumps(chat, ensure_ascii=False).encode())
        assert size < 513 * 1024
        assert seqs(chat)[0] == at + 1
        at, turns = seqs(chat)[-1], turns + 1
        if not chat["has_more"]:
            break
    assert at == 60 and turns == 3


async def test_sync_gives_4_mib_in_all_and_names_the_chats_not_reached(stack):
    ann = await person(stack)
    chats = []
    long = "x" * 5000
    for i in range(14):
        other = await person(stack, 1)
        chats.append(await private_chat(ann, other))
        put_messages(stack, other, chats[-1], [long] * 90)
        await other.close()
    seen = await person(stack)
    quiet = await private_chat(ann, seen)
    frames = await sync(ann, *((c, 0) for c in chats + [quiet, new_id()]))
    pages = [f for f in frames if f["type"] == "chat_messages"]
    assert [p["chat_id"] for p in pages] == chats
    assert frames[-1]["chats"] == 14
    assert frames[-2]["type"] == "chat_forbidden"
    size = sum(len(json.dumps(p)) for p in pages if p["messages"])
    assert 4000 * 1024 < size <= 4200 * 1024
    reached = [bool(p["messages"]) for p in pages]
    assert reached == sorted(reached, reverse=True)
    assert reached[0] and not reached[-1]
    for p in pages:
        assert seqs(p) == list(range(1, len(p["messages"]) + 1))
        assert p["has_more"] == (len(p["messages"]) < 90)


async def test_200_chats_are_synced_and_201_are_too_large(stack):
    ann, ben, chat_id = await pair(stack)
    await ann.say(chat_id, "one among two hundred")
    marks = [(new_id(), 0) for _ in range(199)] + [(chat_id, 0)]
    frames = await sync(ann, *marks)
    assert [f["chat_id"] for f in frames[:-1]] == [c for c, _ in marks]
    assert frames[-1]["chats"] == 1
    error = await ann.ask("sync", chats=[
        {"chat_id": new_id(), "last_seq": 0} for _ in range(201)])
    assert (error["type"], error["request"], error["reason"],
            error["field"]) == ("error", "sync", "too_large", "chats")


async def test_malformed_lists_of_sync_are_refused(stack):
    ann, ben, chat_id = await pair(stack)
    for chats in (None, {}, "all", [None], ["x"], [{"chat_id": chat_id}],
                  [{"last_seq": 1}], [{"chat_id": "x", "last_seq": 1}],
                  [{"chat_id": chat_id, "last_seq": -1}],
                  [{"chat_id": chat_id, "last_seq": "1"}],
                  [{"chat_id": chat_id, "last_seq": None}],
                  [{"chat_id": chat_id, "last_seq": 1.5}]):
        error = await ann.ask("sync", chats=chats)
        assert (error["type"], error["reason"], error["field"]) == \
            ("error", "invalid_field", "chats"), chats
    assert (await ann.ask("sync"))["reason"] == "invalid_field"


async def test_requests_behind_a_long_sync_are_answered_in_their_order(stack):
    ann, ben, chat_id = await pair(stack)
    put_messages(stack, ben, chat_id, ["y" * 5000] * 100)
    mark = ann.mark()
    for _ in range(3):
        await ann.send({"type": "sync", "request_id": "a",
                        "chats": [{"chat_id": chat_id, "last_seq": 0}]})
        await ann.send({"type": "get_person_info", "request_id": "b",
                        "person_id": ben.account.id})
    await ann.until(lambda: len(ann.all("person_info", mark)) == 3)
    kinds = [f["type"] for f in ann.frames[mark:] if "request_id" in f]
    assert kinds == ["chat_messages", "sync_done", "person_info"] * 3


async def test_a_full_sync_reaches_a_session_with_a_small_outbox(new_stack):
    """Parts wait for room: the session is no slow reader."""
    stack = new_stack(settings={"gateway": {"outbox_max": "64k"}})
    ann = await person(stack)
    chats = []
    for _ in range(8):
        other = await person(stack)
        chats.append(await private_chat(ann, other))
        put_messages(stack, other, chats[-1], ["z" * 4000] * 100)
        await other.close()
    phone = await device(stack, ann)
    frames = await sync(phone, *((c, 0) for c in chats))
    assert frames[-1]["chats"] == 8
    assert sum(len(f["messages"]) for f in frames[:-1]) == 800
    assert phone.is_open()


# ---- in groups ---------------------------------------------------------------

async def test_a_new_member_has_the_whole_past_and_a_removed_one_nothing(stack):
    ann, ben, cid = [await person(stack, i) for i in (0, 1, 0)]
    created = await ann.ask("create_group", name="past",
                            member_ids=[ben.account.id])
    group = created["chat_item"]["id"]
    await pipeline(ann, group, [f"before cid {i}" for i in range(4)])
    for request in ({"kind": "get_messages"},
                    {"kind": "typing", "is_typing": True}):
        answer = await cid.ask(chat_id=group, **request)
        assert answer["type"] == "chat_forbidden"
    await ann.ask("add_members", chat_id=group, member_ids=[cid.account.id])
    await cid.wait("chat_added")
    assert seqs(await page(cid, group)) == [1, 2, 3, 4]
    assert seqs((await sync(cid, (group, 1)))[0]) == [2, 3, 4]
    await cid.send({"type": "typing", "chat_id": group, "is_typing": True})
    for other in (ann, ben):
        assert (await other.wait("typing"))["user_id"] == cid.account.id
    await ann.ask("remove_member", chat_id=group, member_id=cid.account.id)
    answer = await cid.ask("get_messages", chat_id=group)
    assert (answer["type"], answer["chat_id"]) == ("chat_forbidden", group)
    frames = await sync(cid, (group, 0))
    assert [f["type"] for f in frames] == ["chat_forbidden", "sync_done"]
    answer = await cid.ask("typing", chat_id=group, is_typing=True)
    assert (answer["type"], answer["chat_id"]) == ("chat_forbidden", group)


async def test_states_of_a_page_in_a_group_wait_for_every_other_member(stack):
    ann, ben, cid = [await person(stack, i) for i in (0, 1, 0)]
    created = await ann.ask("create_group", name="states", member_ids=[
        ben.account.id, cid.account.id])
    group = created["chat_item"]["id"]
    await cid.wait("group_chat_created")
    await ann.say(group, "who reads this")
    await ben.wait("new_message")
    await cid.wait("new_message")
    await ben.ask("chat_messages_read", chat_id=group)
    assert (await page(ann, group))["messages"][0]["state"] != "read"
    await cid.ask("chat_messages_read", chat_id=group)
    assert (await page(ann, group))["messages"][0]["state"] == "read"
    assert (await sync(ben, (group, 0)))[0]["messages"][0]["state"] == "read"
