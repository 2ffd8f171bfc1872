"""Groups that change while Redis is away, and while a chatd dies.

SPDX-License-Identifier: MIT
"""

import asyncio

from support.client import PATIENCE, Session
from support.scene import chat_info, person


async def three(stack):
    people = [await person(stack, i % len(stack.gateways)) for i in range(3)]
    for session in people:
        session.invariants.lenient = True
    return people


async def test_groups_made_and_left_while_redis_was_away_are_caught_up(
        new_stack):
    stack = new_stack(gateways=2)
    ann, ben, cid = await three(stack)
    made = await ann.ask("create_group", name="Before", member_ids=[
        ben.account.id, cid.account.id])
    before = made["chat"]["id"]
    await ben.wait("group_chat_created")
    await ann.say(before, "while all is well here")
    stack.redis.kill()
    answer = await ann.ask("remove_member", chat_id=before,
                           member_id=ben.account.id)
    assert answer["type"] == "chat_member_removed"
    made = await ann.ask("create_group", name="After",
                         member_ids=[ben.account.id])
    after = made["chat"]["id"]
    await ann.say(after, "you cannot know this yet")
    answer = await ann.ask("add_members", chat_id=after,
                           member_ids=[cid.account.id])
    assert answer["added_user_ids"] == [cid.account.id]
    stack.redis.start()
    await ben.wait("chat_member_removed", lambda f: f["chat_id"] == before,
                   timeout=30 * PATIENCE)
    await ben.wait("group_chat_created",
                   lambda f: f["chat_item"]["id"] == after)
    await ben.wait("new_message", lambda f: f["message"]["chat_id"] == after)
    kinds = [f["type"] for f in ben.frames if after in (
        f.get("chat_item", {}).get("id"), f.get("message", {}).get("chat_id"))]
    assert kinds == ["group_chat_created", "new_message"]
    await cid.wait("chat_added", lambda f: f["chat_item"]["id"] == after)
    await ann.say(after, "and live events resumed")
    for session in (ben, cid):
        await session.wait("new_message", lambda f: f["message"]["content"]
                           == "and live events resumed")


async def test_a_chatd_killed_amid_changes_leaves_no_group_half_made(
        new_stack):
    stack = new_stack(gateways=2, chatds=2)
    ann, ben, cid = await three(stack)
    groups = []

    async def changes():
        for i in range(60):
            request = {"type": "create_group", "name": f"Group {i}",
                       "member_ids": [ben.account.id, cid.account.id],
                       "request_id": f"amid-{i}"}
            while True:
                mark = ann.mark()
                await ann.send(request)
                answer = await ann.wait(lambda f: f.get("request_id")
                                        == request["request_id"], since=mark)
                if answer["type"] == "group_chat_created":
                    break
                assert answer["reason"] == "unavailable", answer
            groups.append(answer["chat"]["id"])
            await ann.ask("remove_member", chat_id=groups[-1],
                          member_id=ben.account.id)

    async def torment():
        for number in (0, 1, 0):
            await asyncio.sleep(0.15)
            stack.chatds[number].kill()
            stack.chatds[number].start()
            stack.chatds[number].wait_ready()
    await asyncio.gather(changes(), torment())
    assert len(set(groups)) == 60
    rows = stack.sql(
        "SELECT c.id::text, count(*) FILTER (WHERE x.role = 1), count(*) "
        "FROM chats c JOIN members x ON x.chat_id = c.id WHERE c.kind = 1 "
        "GROUP BY c.id")
    assert {row[0] for row in rows} == set(groups)
    assert all(admins == 1 and count in (2, 3) for _, admins, count in rows)
    # Who is in hears of all; who connects anew sees the same.
    last = await ann.ask("create_group", name="Last", member_ids=[
        cid.account.id])
    await cid.wait("group_chat_created", lambda f: f["chat_item"]["id"]
                   == last["chat"]["id"], timeout=30 * PATIENCE)
    await cid.until(lambda: {f["chat_item"]["id"] for f in cid.all(
        "group_chat_created")} >= set(groups), "all groups", 30 * PATIENCE)
    again = await Session.open(stack.gateways[0], cid.account)
    assert {c["id"] for c in again.info["last_chats"]} == \
        set(groups) | {last["chat"]["id"]}
    assert len((await chat_info(cid, groups[0]))["members"]) in (2, 3)
