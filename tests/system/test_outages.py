"""Redis, PostgreSQL and presenced gone for a while: a dead neighbour never stops
chat, and what was missed is caught up.

SPDX-License-Identifier: MIT
"""

import asyncio

from support.client import PATIENCE, Session, private_chat, register
from support.process import poll
from support.scene import chat_info, device, pair, person
from support.traffic import Sender

QUICK_TIMEOUT = {"gateway": {"request_timeout": "1s"}}


def lenient(*sessions):
    for session in sessions:
        session.invariants.lenient = True


async def all_heard(session, chat_id, count):
    await session.until(
        lambda: len({m["seq"] for m in session.messages(chat_id)}) == count,
        f"all {count} messages", 30 * PATIENCE)


async def test_without_redis_sends_are_acknowledged_and_caught_up(new_stack):
    stack = new_stack(gateways=2)
    ann, ben, chat_id = await pair(stack)
    lenient(ann, ben)
    await ann.say(chat_id, "while all is well here")
    await ben.wait("new_message")
    stack.redis.kill()
    for i in range(20):
        answer = await ann.say(chat_id, f"with the bus away: {i}")
        assert answer["type"] == "new_message"
    assert len(ben.messages(chat_id)) == 1
    stack.redis.start()
    await all_heard(ben, chat_id, 21)
    answer = await ann.say(chat_id, "and live events resumed")
    seq = answer["message"]["seq"]
    frame = await ben.wait("new_message",
                           lambda f: f["message"]["seq"] == seq)
    assert "catch_up" not in frame


async def test_redis_restarted_in_the_middle_of_traffic(new_stack):
    stack = new_stack(gateways=2)
    ann, ben, chat_id = await pair(stack)
    lenient(ann, ben)
    one = Sender(ann, chat_id, 600, "ann through the gap")
    other = Sender(ben, chat_id, 600, "ben through the gap")

    async def torment():
        for wanted in (100, 350):
            await one.until_acked(wanted)
            stack.redis.kill()
            await one.until_acked(wanted + 100)
            stack.redis.start()
    await asyncio.gather(one.run(), other.run(), torment())
    assert one.errors == other.errors == 0
    await all_heard(ann, chat_id, 1200)
    await all_heard(ben, chat_id, 1200)


async def test_a_chat_made_while_redis_was_away_becomes_known(new_stack):
    stack = new_stack(gateways=2)
    ann, ben = await person(stack, 0), await person(stack, 1)
    lenient(ann, ben)
    stack.redis.kill()
    created = await ann.ask("create_private_chat", user_id=ben.account.id)
    chat_id = created["chat_item"]["id"]
    await ann.say(chat_id, "you cannot know this yet")
    stack.redis.start()
    await ben.wait("new_message")
    kinds = [f["type"] for f in ben.frames
             if f["type"] in ("private_chat_created", "new_message")]
    assert kinds == ["private_chat_created", "new_message"]


async def test_reads_made_while_redis_was_away_are_told(new_stack):
    stack = new_stack(gateways=2)
    ann, ben, chat_id = await pair(stack)
    lenient(ann, ben)
    await ann.say(chat_id, "read this in the dark")
    await ben.wait("new_message")
    stack.redis.kill()
    answer = await ben.ask("chat_messages_read", chat_id=chat_id)
    assert answer["type"] == "unread_changed"
    stack.redis.start()
    await ann.wait("chat_read")


async def test_someone_can_connect_while_redis_is_away(new_stack):
    stack = new_stack(settings=QUICK_TIMEOUT)
    account = register(stack.gateways[0])
    stack.redis.kill()
    session = await Session.open(stack.gateways[0], account, wait=False)
    # Either in, and later caught up, or told to come back: never in silence.
    await session.until(lambda: session.frames or session.close_code)
    assert session.close_code in (None, 1013)
    stack.redis.start()


async def test_without_postgres_all_is_unavailable_and_comes_back(new_stack):
    stack = new_stack(gateways=2, own_postgres=True, settings=QUICK_TIMEOUT)
    ann, ben, chat_id = await pair(stack)
    lenient(ann, ben)
    await ann.say(chat_id, "before the database went")
    stack.postgres.stop()
    answer = await ann.say(chat_id, "while it is away now")
    assert (answer["type"], answer["reason"]) == ("error", "unavailable")
    answer = await ben.ask("open_chat", chat_id=chat_id)
    assert (answer["type"], answer["reason"]) == ("error", "unavailable")
    late = await Session.open(stack.gateways[0], ann.account, wait=False)
    assert (await late.wait_closed())[0] == 1013
    poll(lambda: stack.chatds[0].admin("/readyz")[0] == 503, "not ready")
    stack.postgres.start()
    stack.chatds[0].wait_ready()
    one = Sender(ann, chat_id, 50, "after it came back")
    await one.run()
    await ben.until(lambda: set(one.texts.values()) <= {
        m["content"] for m in ben.messages(chat_id)})
    assert ann.is_open() and ben.is_open()


async def test_postgres_restarted_in_the_middle_of_traffic(new_stack):
    stack = new_stack(gateways=2, own_postgres=True)
    ann, ben, chat_id = await pair(stack)
    lenient(ann, ben)
    one = Sender(ann, chat_id, 500, "ann across the restart")

    async def torment():
        await one.until_acked(100)
        stack.postgres.kill()
        stack.postgres.start()
    await asyncio.gather(one.run(), torment())
    rows = stack.sql("SELECT count(*), count(DISTINCT front_msg_id), max(seq) "
                     "FROM messages WHERE chat_id = %s", chat_id)
    assert rows == [(500, 500, 500)]
    await all_heard(ben, chat_id, 500)


async def test_without_presenced_messages_flow_and_all_read_offline(new_stack):
    stack = new_stack(gateways=2)
    ann, ben, chat_id = await pair(stack)
    stack.presenceds[0].kill()
    answer = await ann.say(chat_id, "who cares for presence")
    await ben.wait("new_message")
    assert answer["type"] == "new_message"
    assert (await chat_info(ann, chat_id))["status"] == "Offline"
    phone = await device(stack, ann, 1)
    assert phone.info["last_chats"][0]["status"] == "Offline"
    stack.presenceds[0].start().wait_ready()

    async def online():
        return (await chat_info(ann, chat_id))["status"] == "Online"
    for _ in range(200):
        if await online():
            break
        await asyncio.sleep(0.05)
    assert await online()


async def test_a_presenced_that_hangs_holds_up_nobody(new_stack):
    stack = new_stack(gateways=2)
    ann, ben, chat_id = await pair(stack)
    stack.presenceds[0].pause()
    loop = asyncio.get_running_loop()
    start = loop.time()
    await ann.say(chat_id, "while presence is asleep")
    await ben.wait("new_message")
    assert (await chat_info(ann, chat_id))["status"] == "Offline"
    await device(stack, ann, 1)
    assert loop.time() - start < 4 * PATIENCE
    stack.presenceds[0].resume()


async def test_a_killed_gateway_s_clients_move_and_miss_nothing(new_stack):
    stack = new_stack(gateways=2)
    ann, ben, chat_id = await pair(stack)
    lenient(ann, ben)
    one = Sender(ann, chat_id, 300, "ann keeps on writing")
    run = asyncio.ensure_future(one.run())
    await one.until_acked(100)
    stack.gateways[1].kill()
    assert (await ben.wait_closed())[0] == 1006
    again = await Session.open(stack.gateways[0], ben.account)
    missed = again.info["last_chats"][0]["last_message"]
    assert missed is not None
    await run
    chat = await chat_info(again, chat_id)
    assert chat["last_seq"] == 300
    live = {m["seq"] for m in again.messages(chat_id)}
    assert not live or live == set(range(min(live), 301))


async def test_a_gateway_killed_with_sends_in_flight_stores_none_twice(new_stack):
    stack = new_stack(gateways=2)
    ann, ben, chat_id = await pair(stack)
    lenient(ann, ben)
    one = Sender(ann, chat_id, 300, "ann moves over there")
    run = asyncio.ensure_future(one.run())
    await one.until_acked(100)
    stack.gateways[0].kill()
    try:
        await run
        raise AssertionError("the sender did not notice")
    except Exception as error:
        assert type(error).__name__ == "Closed", error
    again = await Session.open(stack.gateways[1], ann.account)
    lenient(again)
    from support.traffic import resume
    await resume(one, again)
    rows = stack.sql("SELECT count(*), count(DISTINCT front_msg_id), max(seq) "
                     "FROM messages WHERE chat_id = %s", chat_id)
    assert rows == [(300, 300, 300)]
    await all_heard(ben, chat_id, 300)


async def test_both_stores_and_all_services_restart_and_chat_goes_on(new_stack):
    stack = new_stack(gateways=2, own_postgres=True)
    ann, ben, chat_id = await pair(stack)
    lenient(ann, ben)
    await ann.say(chat_id, "before the great outage")
    stack.chatds[0].kill()
    stack.presenceds[0].kill()
    stack.redis.kill()
    stack.postgres.kill()
    stack.postgres.start()
    stack.redis.start()
    stack.presenceds[0].start()
    stack.chatds[0].start().wait_ready()
    one = Sender(ann, chat_id, 20, "after the great outage")
    await one.run()
    await all_heard(ben, chat_id, 21)
    cleo = await person(stack, 1)
    await private_chat(ann, cleo)


async def test_a_chatd_started_without_postgres_waits_for_it(new_stack):
    stack = new_stack(own_postgres=True, settings=QUICK_TIMEOUT)
    ann, ben, chat_id = await pair(stack)
    lenient(ann, ben)
    stack.chatds[0].kill()
    stack.postgres.stop()
    chatd = stack.chatds[0]
    since = len(chatd.log_text())
    chatd.start().wait_log("waiting_for_postgres", since)
    # Whoever is told to stop meanwhile does.
    assert chatd.terminate() == 0
    since = len(chatd.log_text())
    chatd.start().wait_log("waiting_for_postgres", since)
    stack.postgres.start()
    chatd.wait_ready()
    await Sender(ann, chat_id, 3, "said after the start").run()
    await all_heard(ben, chat_id, 3)
