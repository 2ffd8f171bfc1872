"""Two people, two gateways: the whole way of a message, at full speed.

SPDX-License-Identifier: MIT
"""

import asyncio

from support.client import Session, new_id
from support.scene import (chat_info, delivered, person, pipeline, state_of)
from support.traffic import Sender


async def test_1000_messages_each_way_at_full_speed(stack):
    ann, ben = await person(stack, 0), await person(stack, 1)
    one, other = await asyncio.gather(
        ann.ask("create_private_chat", user_id=ben.account.id),
        ben.ask("create_private_chat", user_id=ann.account.id))
    chat_id = one["chat_item"]["id"]
    assert other["chat_item"]["id"] == chat_id
    sent, back = await asyncio.gather(
        pipeline(ann, chat_id, [f"ann writes line {i}" for i in range(1000)]),
        pipeline(ben, chat_id, [f"ben writes line {i}" for i in range(1000)]))
    for session in (ann, ben):
        await session.until(lambda: len(session.messages(chat_id)) >= 2000,
                            "2000 messages", 60)
    # Every message once, in one gapless order, the same on both sides.
    views = [{m["seq"]: (m["id"], m["content"], m["user_id"])
              for m in session.messages(chat_id)} for session in (ann, ben)]
    assert len(ann.messages(chat_id)) == len(ben.messages(chat_id)) == 2000
    assert sorted(views[0]) == list(range(1, 2001))
    assert views[0] == views[1]
    # Each writer's own lines kept their order.
    for answers in (sent, back):
        seqs = [m["seq"] for m in answers]
        assert seqs == sorted(seqs)
    # What was acknowledged is what is stored.
    rows = stack.sql("SELECT id::text, seq FROM messages WHERE chat_id = %s",
                     chat_id)
    assert {(m["id"], m["seq"]) for m in sent + back} == set(rows)
    await delivered(ann, *(m["id"] for m in sent))
    await delivered(ben, *(m["id"] for m in back))


async def test_live_messages_arrive_in_the_order_of_seq(stack):
    ann, ben = await person(stack, 0), await person(stack, 1)
    created = await ann.ask("create_private_chat", user_id=ben.account.id)
    chat_id = created["chat_item"]["id"]
    reader = await Session.open(stack.gateways[0], ben.account)
    await pipeline(ann, chat_id, [f"in good order {i}" for i in range(500)])
    await reader.until(lambda: len(reader.messages(chat_id)) == 500)
    assert [m["seq"] for m in reader.messages(chat_id)] == \
        list(range(1, 501))


async def test_offline_receiver_then_delivery_reading_and_honest_states(stack):
    ann, ben = await person(stack, 0), await person(stack, 1)
    created = await ann.ask("create_private_chat", user_id=ben.account.id)
    chat_id = created["chat_item"]["id"]
    await ben.close()
    ids = [m["id"] for m in await pipeline(
        ann, chat_id, [f"for later reading {i}" for i in range(20)])]
    assert {m["state"] for m in (await chat_info(ann, chat_id))["messages"]} \
        == {"sent"}
    ben = await Session.open(stack.gateways[1], ben.account)
    assert ben.info["last_chats"][0]["unread_messages"] == 20
    await delivered(ann, *ids)
    assert await state_of(ann, chat_id, ids[0]) == "delivered"
    assert (await chat_info(ben, chat_id))["unread_messages"] == 20
    await ben.ask("chat_messages_read", chat_id=chat_id)
    told = await ann.wait("chat_read")
    assert told["reader_user_id"] == ben.account.id
    assert {m["state"] for m in (await chat_info(ann, chat_id))["messages"]} \
        == {"read"}
    assert (await chat_info(ben, chat_id))["unread_messages"] == 0


async def test_no_acknowledgement_before_the_commit(new_stack):
    stack = new_stack(own_postgres=True)
    ann, ben = await person(stack), await person(stack)
    created = await ann.ask("create_private_chat", user_id=ben.account.id)
    chat_id = created["chat_item"]["id"]
    await ann.say(chat_id, "commits are quick yet")
    # From now on every COMMIT waits for a replica that does not exist.
    stack.postgres.execute(
        "postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'",
        "SELECT pg_reload_conf()")
    for _ in range(50):
        with stack.postgres.connect("postgres") as link:
            if link.execute("SHOW synchronous_standby_names").fetchone() == \
                    ("nobody",):
                break
    front = new_id()
    mark = ann.mark()
    await ann.send({"type": "send_message", "chat_id": chat_id, "msg": {
        "front_msg_id": front, "content": "not committed as yet"}})
    answer = await ann.wait(lambda f: f["type"] in ("error", "new_message"),
                            since=mark)
    assert (answer["type"], answer["reason"], answer["front_msg_id"]) == \
        ("error", "unavailable", front)
    assert len(ben.messages(chat_id)) <= 1
    await a_cancelled_wait_is_no_commit(stack, ann, chat_id)
    assert len(ben.messages(chat_id)) <= 1
    stack.postgres.execute(
        "postgres", "ALTER SYSTEM RESET synchronous_standby_names",
        "SELECT pg_reload_conf()")
    sender = Sender(ann, chat_id, 1, "after the wait")
    await sender.run()
    again = await ann.say(chat_id, "not committed as yet", front)
    assert again["type"] == "new_message"
    rows = stack.sql("SELECT count(*), count(DISTINCT seq), max(seq) "
                     "FROM messages WHERE chat_id = %s", chat_id)
    assert rows == [(4, 4, 4)]


async def a_cancelled_wait_is_no_commit(stack, ann, chat_id):
    """Who cancels COMMITs that wait for a replica makes PostgreSQL answer them
    with success, and a warning."""
    mark = ann.mark()
    await ann.send({"type": "send_message", "chat_id": chat_id, "msg": {
        "front_msg_id": new_id(), "content": "its commit is cancelled"}})
    cancelled, answer = 0, None
    while answer is None:
        with stack.postgres.connect("postgres") as link:
            cancelled += link.execute(
                "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity "
                "WHERE wait_event = 'SyncRep'").fetchone()[0]
        await asyncio.sleep(0.02)
        answer = next((f for f in ann.frames[mark:] if f["type"] in (
            "error", "new_message")), None)
    assert (answer["type"], answer["reason"]) == ("error", "unavailable")
    assert cancelled > 0
