"""The usual beginnings of a test: people, connected, with a chat.

SPDX-License-Identifier: MIT
"""

from .client import Session, new_id, private_chat, register


async def person(stack, gateway=0, **register_fields):
    """A new user with one session."""
    account = register(stack.gateways[0], **register_fields)
    return await Session.open(stack.gateways[gateway], account)


async def device(stack, session, gateway=0):
    """One more session of the same user."""
    return await Session.open(stack.gateways[gateway], session.account)


async def pair(stack):
    """Two people on two gateways and their private chat."""
    ann = await person(stack, 0)
    ben = await person(stack, len(stack.gateways) - 1)
    return ann, ben, await private_chat(ann, ben)


async def chat_info(session, chat_id):
    return (await session.ask("open_chat", chat_id=chat_id))["chat"]


async def state_of(session, chat_id, message_id):
    """The state of a message as its sender sees it now."""
    chat = await chat_info(session, chat_id)
    return next(m["state"] for m in chat["messages"] if m["id"] == message_id)


async def delivered(session, *message_ids):
    """Until the session was told that these messages are delivered."""
    await session.until(
        lambda: session.invariants.delivered.issuperset(message_ids),
        "messages_delivered")


async def pipeline(session, chat_id, texts, front_msg_ids=None):
    """Sends all at full speed; returns the answers in order of sending."""
    fronts = front_msg_ids or [new_id() for _ in texts]
    mark = session.mark()
    for front, text in zip(fronts, texts):
        await session.send({
            "type": "send_message", "chat_id": chat_id,
            "msg": {"front_msg_id": front, "content": text,
                    "format": "text"}})
    await session.until(
        lambda: {m["front_msg_id"] for m in session.messages(chat_id, mark)}
        .issuperset(fronts), f"{len(fronts)} answers", 60)
    by_front = {m["front_msg_id"]: m for m in session.messages(chat_id, mark)}
    return [by_front[front] for front in fronts]
