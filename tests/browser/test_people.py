"""Finding people, contacts and their nicknames.

SPDX-License-Identifier: MIT
"""

from support.client import Session, new_username, register


def test_people_are_found_as_one_types(person, stack):
    tag = new_username("q")
    register(stack.gateways[0], username=tag + "_a", name="Áine Ó Briain")
    ann = person(stack.gateways[1])
    ann.enter(register(stack.gateways[0], name="Ann Seeks"))
    ann.find("#search").send_keys(tag[:8])
    ann.says("#people", "Áine Ó Briain")
    ann.find("#search").send_keys("zzz")
    ann.says("#list", "Nobody found")


def test_a_contact_is_added_named_and_removed(person, stack):
    friend = register(stack.gateways[0], name="Benedikt Longname")
    ann = person(stack.gateways[0])
    ann.enter(register(stack.gateways[0], name="Ann Contacts"))
    ann.begin_chat(friend.username)
    ann.click("#chat-info")
    ann.button("Add to contacts")
    ann.button("Change nickname")
    ann.button("Save")
    ann.says("dialog .fault", "Nickname can't be blank.")
    ann.fill("dialog .line-form input", "Benny")
    ann.button("Save")
    ann.says("#chat-name", "Benny")
    ann.until(lambda: ann.row("Benny"), "the list has another name")
    ann.button("Close")
    ann.click("#tab-contacts")
    ann.says("#contacts", "Benny")
    ann.button("About Benedikt Longname")
    ann.button("Remove from contacts")
    ann.says(".question", "Your chat stays")
    ann.button("Remove", ".question")
    ann.button("Add to contacts")  # it is offered again
    ann.button("Remove from contacts")
    ann.button("Cancel", ".question")
    ann.button("Close")
    ann.says("#chat-name", "Benedikt Longname")
    ann.says("#contacts", "Benedikt Longname")


async def test_what_is_done_on_one_device_shows_on_the_other(person, stack):
    account = register(stack.gateways[0], name="Ann Devices")
    friend = register(stack.gateways[0], name="Ben Devices")
    ann = person(stack.gateways[0]).enter(account)
    other = await Session.open(stack.gateways[1], account)
    ben = await Session.open(stack.gateways[1], friend)
    created = await other.ask("create_private_chat", user_id=ben.account.id)
    chat_id = created["chat_item"]["id"]
    await ben.say(chat_id, "on every device of Ann's")
    ann.row_says("Ben Devices", "1 unread")
    await other.ask("chat_messages_read", chat_id=chat_id)
    ann.until(lambda: "unread" not in ann.row("Ben Devices"), "still unread")
    await other.say(chat_id, "written on the phone")
    ann.open_chat("Ben Devices")
    ann.shows("on every device of Ann's", "written on the phone")
    assert ann.states() in (["delivered"], ["sent"])
    await other.ask("change_name", new_name="Ann Renamed")
    ann.says("#me-name", "Ann Renamed")
