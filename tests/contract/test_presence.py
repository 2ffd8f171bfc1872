"""Online, Offline, the grace between them, and logout.

SPDX-License-Identifier: MIT
"""

from support.client import Session, login, private_chat, register
from support.scene import device, pair, person


def status_of(session, user_id, since=0):
    return [f["is_online"] for f in session.all("user_status_changed", since)
            if f["user_id"] == user_id]


async def wait_status(session, user_id, online, since=0):
    return await session.wait(
        "user_status_changed",
        lambda f: f["user_id"] == user_id and f["is_online"] is online, since)


async def person_status(session, user_id):
    return (await session.ask("get_person_info", person_id=user_id))[
        "person_info"]


async def test_a_chat_partner_hears_online_and_offline_with_last_seen(stack):
    ann, ben, chat_id = await pair(stack)
    await ben.close()
    gone = await wait_status(ann, ben.account.id, False)
    assert gone["last_seen_at"] is not None
    info = await person_status(ann, ben.account.id)
    assert info["status"] == "Offline"
    assert info["last_seen_at"] == gone["last_seen_at"]
    chat = (await ann.ask("open_chat", chat_id=chat_id))["chat"]
    assert chat["status"] == "Offline"
    mark = ann.mark()
    await Session.open(stack.gateways[0], ben.account)
    await wait_status(ann, ben.account.id, True, mark)
    assert (await person_status(ann, ben.account.id))["status"] == "Online"


async def test_a_page_reload_causes_no_flapping(stack):
    ann, ben, chat_id = await pair(stack)
    cleo = await person(stack, 1)
    await private_chat(ann, cleo)
    mark = ann.mark()
    await ben.close()
    ben = await Session.open(stack.gateways[0], ben.account)
    # Cleo leaves after Ben came back: once she is Offline, Ben's grace is over.
    await cleo.close()
    await wait_status(ann, cleo.account.id, False, mark)
    # (That he came may be told late: the chat is younger than his session.)
    assert False not in status_of(ann, ben.account.id, mark)
    assert (await person_status(ann, ben.account.id))["status"] == "Online"


async def test_only_the_last_of_many_sessions_makes_offline(stack):
    ann, ben, chat_id = await pair(stack)
    phone = await device(stack, ben, 0)
    cleo = await person(stack, 1)
    await private_chat(ann, cleo)
    mark = ann.mark()
    await ben.close()
    await cleo.close()
    await wait_status(ann, cleo.account.id, False, mark)
    assert False not in status_of(ann, ben.account.id, mark)
    await phone.close()
    await wait_status(ann, ben.account.id, False, mark)


async def test_a_second_session_tells_nobody(stack):
    ann, ben, chat_id = await pair(stack)
    await ben.close()
    await wait_status(ann, ben.account.id, False)
    mark = ann.mark()
    ben = await Session.open(stack.gateways[1], ben.account)
    await wait_status(ann, ben.account.id, True, mark)
    mark = ann.mark()
    await device(stack, ben, 0)
    cleo = await person(stack, 1)
    await private_chat(ann, cleo)
    await cleo.close()
    await wait_status(ann, cleo.account.id, False, mark)
    assert status_of(ann, ben.account.id, mark) == []


async def test_strangers_and_oneself_hear_nothing(stack):
    ann, ben, chat_id = await pair(stack)
    eve = await person(stack)
    await ben.close()
    await wait_status(ann, ben.account.id, False)
    mark = ann.mark()
    ben = await Session.open(stack.gateways[1], ben.account)
    await wait_status(ann, ben.account.id, True, mark)
    await eve.fence()
    assert not eve.all("user_status_changed")
    assert not ben.all("user_status_changed")


async def test_who_was_never_seen_has_no_last_seen(stack):
    ann = await person(stack)
    ben = register(stack.gateways[0])
    answer = await ann.ask("search_people", input=ben.username)
    found, = answer["search_people_results"]
    assert found["last_seen_at"] is None
    info = await person_status(ann, found["id"])
    assert info["status"] == "Offline" and info["last_seen_at"] is None


async def test_logout_closes_1000_and_the_token_never_works_again(stack):
    ann = await person(stack)
    await ann.send({"type": "logout"})
    assert (await ann.wait_closed())[0] == 1000
    for gateway in stack.gateways:
        again = await Session.open(gateway, ann.account, wait=False)
        assert await again.wait_closed() == (1008, "Unauthorized")


async def test_logout_closes_the_other_sockets_of_the_token_alone(stack):
    ann = await person(stack, 0)
    same_token = await device(stack, ann, 1)
    other_login = await Session.open(stack.gateways[1],
                                     login(stack.gateways[0], ann.account))
    await ann.send({"type": "logout"})
    assert (await ann.wait_closed())[0] == 1000
    assert (await same_token.wait_closed())[0] == 1000
    await other_login.fence()
    assert other_login.is_open()


async def test_logout_is_offline_at_once(new_stack):
    # A grace so long that only a logout can end it within the test.
    stack = new_stack(gateways=2, settings={"presenced": {"grace": "60s"}})
    ann, ben, chat_id = await pair(stack)
    await ben.send({"type": "logout"})
    gone = await wait_status(ann, ben.account.id, False)
    assert gone["last_seen_at"] is not None


async def test_closing_a_socket_is_not_a_logout(stack):
    ann = await person(stack)
    await ann.close()
    again = await Session.open(stack.gateways[1], ann.account)
    assert again.info["user"]["id"] == ann.account.id


async def test_logout_grace_keeps_the_token_usable_for_a_while(new_stack):
    stack = new_stack(settings={"chatd": {"logout_grace": "60s"}})
    ann = await person(stack)
    await ann.send({"type": "logout"})
    assert (await ann.wait_closed())[0] == 1000
    again = await Session.open(stack.gateways[0], ann.account)
    assert again.info["user"]["id"] == ann.account.id


async def test_logout_with_a_grace_takes_the_presence_grace_too(new_stack):
    stack = new_stack(settings={"chatd": {"logout_grace": "60s"},
                                "presenced": {"grace": "1s"}})
    ann, ben, _ = await pair(stack)
    for _ in range(2):
        mark = ben.mark()
        await ann.send({"type": "logout"})
        assert (await ann.wait_closed())[0] == 1000
        ann = await Session.open(stack.gateways[0], ann.account)
        # The page was only loaded anew: nobody hears that Ann had gone.
        await ben.ask("search_people", input="x")
        assert not [f for f in ben.frames[mark:]
                    if f["type"] == "user_status_changed"
                    and not f["is_online"]]
    await ann.send({"type": "logout"})
    gone = await ben.wait("user_status_changed",
                          lambda f: not f["is_online"])
    assert gone["user_id"] == ann.account.id
