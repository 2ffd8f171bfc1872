"""Every view of the web client, judged by axe-core.

SPDX-License-Identifier: MIT
"""

import pytest

from support import axe, pictures
from support.client import Session, private_chat, register


async def scene(person, stack, tmp_path, phone):
    """A page with all kinds of things on it."""
    gateways = stack.gateways
    account = register(gateways[0], name="Ann Access")
    ben = await Session.open(gateways[1],
                             register(gateways[0], name="Ben Access"))
    other = await Session.open(gateways[1], account)
    chat_id = await private_chat(ben, other)
    await ben.say(chat_id, "A link: https://example.org/ and some words")
    await other.ask("create_group", name="A group", description=None,
                    avatar_url=None, member_ids=[ben.account.id])
    await other.ask("add_contact", user_id=ben.account.id)
    await other.close()
    return person(gateways[0], phone).enter(account), ben, chat_id


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_no_view_has_a_fault(person, stack, tmp_path, phone):
    faults = []

    def judge(ann, view):
        faults.extend(f"{view}: {fault}" for fault in axe.faults(ann))

    ann = person(stack.gateways[0], phone)
    axe.source()
    judge(ann, "login")
    ann.click("#tab-register")
    ann.click("#auth-submit")
    ann.find("#fault-name")
    judge(ann, "register, with faults")

    ann, ben, chat_id = await scene(lambda *_: ann, stack, tmp_path, phone)
    judge(ann, "list")
    ann.fill("#search", ben.account.username)
    ann.says("#people", "Ben Access")
    judge(ann, "search")
    ann.click("#people [data-person]")
    ann.says("#chat-name", "Ben Access")
    ann.attach(pictures.png(tmp_path / "a.png", 9, 9, (9, 9, 9)))
    judge(ann, "tray")
    ann.write("with a picture")
    ann.reached("delivered", "delivered")
    await ben.send({"type": "typing", "chat_id": chat_id, "is_typing": True})
    ann.says("#chat-status", "typing")
    judge(ann, "chat")
    ann.browser.be_dark()
    judge(ann, "chat, dark")
    ann.click("#chat-search")
    ann.fill("#finder input", "words")
    ann.says(".finder-results", "1 message")
    judge(ann, "search in a chat, dark")
    ann.browser.be_light()
    ann.button("Close the search")
    ann.click("#chat-info")
    ann.says("dialog", "Remove from contacts")
    judge(ann, "person")
    ann.button("Close")
    if phone:
        ann.click("#back")
    ann.click("#tab-contacts")
    ann.says("#contacts", "Ben Access")
    judge(ann, "contacts")
    ann.click("#tab-chats")
    ann.open_chat("A group")
    ann.click("#chat-info")
    ann.says("dialog", "Make admin")
    judge(ann, "group")
    ann.button("Close")
    if phone:
        ann.click("#back")
    ann.click("#me")
    ann.browser.be_dark()
    judge(ann, "profile, dark")
    ann.browser.be_light()
    ann.button("Close")
    ann.click("#new-group")
    ann.click(".picker-list .row")
    judge(ann, "new group")
    ann.button("Close")
    ann.line_errors_expected = True
    ann.browser.offline()
    ann.find("#banner")
    judge(ann, "offline")
    assert not faults, "\n".join(faults)
