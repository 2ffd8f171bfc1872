"""What someone does who has never seen the web client, told nothing: only what
the page says and offers is used here.

SPDX-License-Identifier: MIT
"""

import pytest
from selenium.webdriver.common.keys import Keys

from support import pictures


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_register_find_a_friend_chat_make_a_group_send_a_picture(
        person, stack, tmp_path, phone):
    picture = pictures.png(tmp_path / "lake.png", 320, 200, (30, 120, 160))
    ann = person(stack.gateways[0], phone).register("Ann New")
    ben = person(stack.gateways[1]).register("Ben Friend")
    # The empty page says what to do first, and does it.
    if phone:
        ann.says("#list", "Type a friend’s name")
        ann.click("#search")
    else:
        ann.says("#no-chat", "Welcome, Ann New")
        ann.button("Find people")
    ann.driver.switch_to.active_element.send_keys(ben.username)
    ann.says("#people", "Ben Friend")
    ann.driver.switch_to.active_element.send_keys(Keys.ARROW_DOWN, Keys.ENTER)
    ann.says("#chat-name", "Ben Friend")
    ann.write("Hello Ben, it is me")
    ben.row_says("Ann New", "Hello Ben, it is me")
    ben.row_says("Ann New", "1 unread")
    ben.open_chat("Ann New")
    ann.reached("read")
    ben.write("Hello Ann, good to see you")
    ann.shows("Hello Ben, it is me", "Hello Ann, good to see you")

    if phone:
        ann.button("Back to the chats")
    ann.button("New group")
    ann.fill("#group-name", "The two of us")
    ann.click(".picker-list .row")
    ann.says(".chips", "Ben Friend")
    ann.button("Create group")
    ann.says("#chat-name", "The two of us")
    ann.attach(picture)
    ann.says("#tray", "lake.png")
    ann.button("Send")
    ann.find("#messages .image img")
    ben.row_says("The two of us", "Ann New: Photo")
    ben.open_chat("The two of us")
    ben.until(lambda: ben.js("const i = document.querySelector("
                             "'#messages .image img');"
                             "return i && i.naturalWidth") == 320,
              "the picture is not shown")
    ann.reached("read")
