"""Groups, by three people in three browsers on two gateways.

SPDX-License-Identifier: MIT
"""

from selenium.webdriver.common.keys import Keys

from support import pictures
from support.client import register


def three(person, stack):
    gateways = stack.gateways
    people = []
    for i, name in enumerate(("Ann Group", "Ben Group", "Cid Group")):
        somebody = person(gateways[i % 2], phone=i == 1)
        people.append(somebody.enter(register(gateways[0], name=name)))
    return people


def make_group(ann, name, *members, picture=None):
    ann.click("#new-group")
    ann.fill("#group-name", name)
    if picture:
        ann.driver.find_element(
            "css selector", "dialog input[type=file]").send_keys(str(picture))
        ann.find(".picture img")
    for member in members:
        ann.fill(".picker input", member.username)
        ann.click(".picker-list .row")
        ann.says(".chips", member.name)
    ann.button("Create group")
    ann.says("#chat-name", name)


def test_a_group_from_its_making_to_its_end(person, stack, tmp_path):
    ann, ben, cid = three(person, stack)
    picture = pictures.png(tmp_path / "group.png", 48, 48, (90, 60, 160))
    make_group(ann, "Choir", ben, picture=picture)
    ann.until(lambda: ann.js("return document.querySelector("
                             "'#chat-avatar img')?.naturalWidth") == 48,
              "the group's picture is not shown")
    ann.says("#chat-status", "2 members, 2 online")
    ben.row_says("Choir", "New group")

    # Everybody's messages, in one order, with names.
    ann.write("Rehearsal at seven")
    ben.open_chat("Choir")
    ben.write("I will be there")
    ben.shows("Rehearsal at seven", "I will be there")
    ann.shows("Rehearsal at seven", "I will be there")
    assert ann.text("#messages .sender") == "Ben Group"
    ann.reached("read")

    # Cid comes later and sees what was said.
    ann.click("#chat-info")
    ann.button("Add people")
    ann.fill(".picker input", cid.username)
    ann.click(".picker-list .row")
    ann.button("Add")
    ann.says(".members", "Cid Group")
    cid.open_chat("Choir")
    cid.shows("Rehearsal at seven", "I will be there")
    ben.says("#chat-status", "3 members")

    # Name, description, admins: each tells all.
    ann.button("Change name")
    ann.fill("dialog .line-form input", "Great Choir")
    ann.button("Save")
    ann.button("Change description")
    ann.fill("dialog .line-form input", "We sing on Mondays")
    ann.button("Save")
    ben.says("#chat-name", "Great Choir")
    cid.click("#chat-info")
    cid.says("dialog", "We sing on Mondays")
    assert not cid.all("[aria-label='Change name']")
    ann.button("Make Cid Group an admin")
    cid.find("[aria-label='Change name']")

    # Ben is removed and told; Ann leaves; Cid stays.
    ann.button("Remove Ben Group from the group")
    ann.button("Remove", ".question")
    ben.says("#toast", "You were removed from “Great Choir”.")
    ben.until(lambda: not ben.row("Great Choir"), "the group is still listed")
    ann.button("Leave group")
    ann.button("Leave", ".question")
    ann.until(lambda: not ann.row("Great Choir"), "the group is still listed")
    cid.says("dialog h3", "1 member")


def test_who_types_and_who_has_read_in_a_group(person, stack):
    ann, ben, cid = three(person, stack)
    make_group(ann, "Trio", ben, cid)
    ann.write("Who is there today?")
    ann.reached("delivered")
    ben.open_chat("Trio")
    ben.type("I am")
    ann.says("#chat-status", "Ben Group is typing…")
    ann.reached("delivered")  # one of two has read it
    cid.open_chat("Trio")
    ann.reached("read")


def test_a_group_without_a_name_is_not_made(person, stack):
    ann = person(stack.gateways[0])
    ann.enter(register(stack.gateways[0]))
    ann.click("#new-group")
    ann.button("Create group")
    ann.says("dialog .error", "Please give the group a name.")


def test_a_group_s_page_opens_as_soon_as_its_members_are_known(person,
                                                               new_stack):
    stack = new_stack()
    ann = person(stack.gateways[0])
    ann.enter(register(stack.gateways[0], name="Ann Hurries"))
    make_group(ann, "Slow")
    ann.find("#text").send_keys(Keys.ESCAPE)
    ann.gone("#chat-open")
    ann.until(lambda: "Slow" in (ann.js("return localStorage['parley.snapshot']") or ""),
              "nothing kept for the next page")
    # What was last seen is shown before there is a line.
    stack.chatds[0].pause()
    ann.driver.refresh()
    ann.row_says("Slow", "New group")
    ann.open_chat("Slow")
    ann.click("#chat-info")
    stack.chatds[0].resume()
    ann.says("dialog h3", "1 member")
