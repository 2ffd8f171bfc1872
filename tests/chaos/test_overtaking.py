"""What comes by two chatds may come in another order: what the chaos runs found.

SPDX-License-Identifier: MIT
"""

from support.scene import device, person
from support.client import Session, private_chat


async def test_a_receipt_that_overtakes_its_message_waits_for_it(new_stack):
    # Ann's gateway has chatd-1 alone, ben's chatd-2; what chatd-1 publishes does
    # not reach Redis.
    stack = new_stack(gateways=2, chatds=2,
                      relays=["gateway-chatd", "chatd-redis"])
    ann, ben = await person(stack, 0), await person(stack, 1)
    chat_id = await private_chat(ann, ben)
    desk = await device(stack, ann, 0)
    await ben.close()
    stack.relay("gateway-1", "chatd-2").down()
    stack.relay("gateway-2", "chatd-1").down()
    stack.relay("chatd-1", "redis").hold("up")
    for session in (ann, desk):
        session.invariants.lenient = True
    message = (await ann.say(chat_id, "told before it was heard"))["message"]
    # By his user_info ben has got it, of which chatd-2 tells at once.
    await Session.open(stack.gateways[1], ben.account)
    await ann.wait("messages_delivered")
    await desk.wait("messages_delivered")
    kinds = [f["type"] for f in desk.frames
             if f["type"] in ("new_message", "messages_delivered")]
    assert kinds == ["new_message", "messages_delivered"]
    # The event itself, at last, is no second message, and no step back.
    stack.relay("chatd-1", "redis").release()
    again = (await ann.say(chat_id, "and now both ways"))["message"]
    heard = await desk.wait("new_message",
                            lambda f: f["message"]["id"] == again["id"])
    assert heard["message"]["seq"] == message["seq"] + 1
    assert [m["id"] for m in desk.messages(chat_id)] == \
        [message["id"], again["id"]]
