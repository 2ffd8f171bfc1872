"""Presence when processes die: who is gone is Offline, who is there is not.

SPDX-License-Identifier: MIT
"""

import asyncio

from support.client import PATIENCE, Session, private_chat
from support.scene import pair, person

LEASE = {"presenced": {"grace": "500ms", "lease": "2s"},
         "gateway": {"heartbeat": "500ms"}}


async def offline(session, user_id, since=0):
    return await session.wait(
        "user_status_changed",
        lambda f: f["user_id"] == user_id and not f["is_online"], since,
        20 * PATIENCE)


async def test_a_gateway_killed_takes_its_people_offline_with_last_seen(
        new_stack):
    stack = new_stack(gateways=2, settings=LEASE)
    ann, ben, chat_id = await pair(stack)
    stack.gateways[1].kill()
    gone = await offline(ann, ben.account.id)
    assert gone["last_seen_at"] is not None
    info = (await ann.ask("get_person_info", person_id=ben.account.id))
    assert info["person_info"]["status"] == "Offline"
    assert info["person_info"]["last_seen_at"] == gone["last_seen_at"]


async def test_who_moved_to_another_gateway_in_time_stays_online(new_stack):
    stack = new_stack(gateways=3, settings=LEASE)
    ann, ben = await person(stack, 0), await person(stack, 1)
    cleo = await person(stack, 1)
    await private_chat(ann, ben)
    await private_chat(ann, cleo)
    stack.gateways[1].kill()
    await Session.open(stack.gateways[2], ben.account)
    await offline(ann, cleo.account.id)
    assert not [f for f in ann.all("user_status_changed")
                if f["user_id"] == ben.account.id and not f["is_online"]]


async def test_presenced_restarted_takes_nobody_offline(new_stack):
    stack = new_stack(gateways=2, settings=LEASE)
    ann, ben, chat_id = await pair(stack)
    cleo = await person(stack, 1)
    await private_chat(ann, cleo)
    mark = ann.mark()
    stack.presenceds[0].kill()
    stack.presenceds[0].start().wait_ready()
    await cleo.close()
    await offline(ann, cleo.account.id, mark)
    assert not [f for f in ann.all("user_status_changed", mark)
                if f["user_id"] == ben.account.id and not f["is_online"]]


async def test_redis_that_lost_its_memory_takes_nobody_offline(new_stack):
    stack = new_stack(gateways=2, settings=LEASE)
    ann, ben, chat_id = await pair(stack)
    for session in (ann, ben):
        session.invariants.lenient = True
    cleo = await person(stack, 1)
    await private_chat(ann, cleo)
    mark = ann.mark()
    stack.redis.kill()
    stack.redis.start()

    async def status():
        answer = await ann.ask("get_person_info", person_id=ben.account.id)
        return answer["person_info"]["status"]
    for _ in range(400):
        if await status() == "Online":
            break
        await asyncio.sleep(0.05)
    assert await status() == "Online"
    await cleo.close()
    await offline(ann, cleo.account.id, mark)
    assert not [f for f in ann.all("user_status_changed", mark)
                if f["user_id"] == ben.account.id and not f["is_online"]]


async def test_two_presenceds_share_the_work(new_stack):
    stack = new_stack(gateways=2, presenceds=2, settings=LEASE)
    ann, ben, chat_id = await pair(stack)
    stack.presenceds[0].kill()
    mark = ann.mark()
    await ben.close()
    await offline(ann, ben.account.id, mark)
    mark = ann.mark()
    await Session.open(stack.gateways[1], ben.account)
    await ann.wait("user_status_changed", lambda f: f["is_online"], mark)
