"""The server's store is set back to a backup while a page is open: the page shows
what is there then, and not what it remembers (docs/backup.md).

SPDX-License-Identifier: MIT
"""

import pytest

from support.client import Session, private_chat, register
from support.set_back import set_back

KEPT = 3


# How many others come before the page is back: the chat then ends before the
# page's last message, with another in its place, or behind it.
@pytest.mark.parametrize("others", [0, 5])
async def test_a_page_shows_what_the_restored_store_has(person, new_stack,
                                                        others):
    stack = new_stack()
    ann = person(stack.gateways[0])
    account = register(stack.gateways[0], name="Ann Page")
    ben = await Session.open(stack.gateways[0],
                             register(stack.gateways[0], name="Ben Page"))
    other = await Session.open(stack.gateways[0], account)
    chat_id = await private_chat(ben, other)
    await other.close()
    ann.enter(account)
    ann.open_chat("Ben Page")
    kept = [f"kept {i}" for i in range(KEPT)]
    for text in [*kept, "lost 1", "lost 2"]:
        await ben.say(chat_id, text)
    ann.shows(*kept, "lost 1", "lost 2")

    ann.line_errors_expected = True
    ann.browser.offline()
    ann.find("#banner")
    await ben.close()
    for process in reversed(stack.processes()):
        assert process.terminate() == 0
    set_back(stack, chat_id, KEPT)
    stack.start()
    ben = await Session.open(stack.gateways[0], ben.account)
    new = [f"new {i}" for i in range(others)]
    for text in new:
        await ben.say(chat_id, text)
    ann.browser.online()
    ann.gone("#banner")
    ann.shows(*kept, *new)
    await ben.say(chat_id, "and on it goes")
    ann.shows(*kept, *new, "and on it goes")
    assert ann.texts() == [*kept, *new, "and on it goes"]
