"""The pictures of the README, taken of a scene that the test plays.

They are written to docs/images/ only when PARLEY_SCREENSHOTS is set, so that a
run changes nothing in the repository; what they show is checked in any case.

SPDX-License-Identifier: MIT
"""

import os

from support import pictures
from support.client import Session, http_form, new_username, register
from support.stack import ROOT

IMAGES = ROOT / "docs" / "images"
BYTES_MAX = 100_000


def keep(ann, name):
    ann.js("document.activeElement.blur()")
    data = pictures.squeezed(ann.driver.get_screenshot_as_png())
    assert len(data) < BYTES_MAX
    if os.environ.get("PARLEY_SCREENSHOTS"):
        IMAGES.mkdir(exist_ok=True)
        (IMAGES / name).write_bytes(data)
    assert (IMAGES / name).exists()


async def play(stack, tmp_path):
    """Ann's chats with her friends; returns her account."""
    tag = new_username("")[-5:]
    names = ("Ann Lee", "Ben Ode", "Cid Ruiz", "Dora Novak", "Emil Berg")
    people = [await Session.open(stack.gateways[0], register(
        stack.gateways[0], name=name,
        username=f"{name.split()[0].lower()}_{tag}")) for name in names]
    ann, ben, cid, dora, emil = people

    async def chat(friend, *texts):
        made = await friend.ask("create_private_chat", user_id=ann.account.id)
        for text in texts:
            await friend.say(made["chat_item"]["id"], text)
        return made["chat_item"]["id"]

    await chat(emil, "Thanks, that was a lovely evening!")
    await chat(dora, "Did you get the tickets?", "The show begins at eight")
    private = await chat(cid, "See you on Saturday, then")
    await ann.ask("chat_messages_read", chat_id=private)
    await ann.say(private, "I will bring the big tent")
    made = await ben.ask("create_group", name="Lake on Saturday",
                         avatar_url=None,
                         description="Nine o'clock at the station",
                         member_ids=[p.account.id for p in (ann, cid, dora)])
    group = made["chat_item"]["id"]
    await ben.say(group, "Who is coming to the lake? The map is here: "
                  "https://example.org/north-bay")
    await cid.say(group, "I am, with the canoe")
    view = pictures.lake(tmp_path / "lake.png", 480, 360)
    stored = http_form(stack.gateways[0], "/api/chat/upload",
                       {"file": ("lake.png", "image/png", view.read_bytes())},
                       headers={"Authorization":
                                "Bearer " + cid.account.token}).json
    await cid.say(group, stored["url"], format="image", filename="lake.png")
    await ann.say(group, "What a view! I can take three in the car, leaving at "
                  "nine from the station.")
    await dora.say(group, "Room for my sister, too?")
    await ann.say(group, "Of course, the more the merrier")
    for reader in (ben, cid, dora, ann):
        await reader.ask("chat_messages_read", chat_id=group)
    await ann.close()
    await dora.send({"type": "typing", "chat_id": group, "is_typing": True})
    return ann.account, dora, group


def picture_shown(ann):
    ann.until(lambda: ann.js("const i = document.querySelector("
                             "'#messages img');"
                             "return i && i.complete && i.naturalWidth > 0"),
              "the picture is not shown")


async def test_the_pictures_of_the_readme(person, stack, tmp_path):
    account, dora, group = await play(stack, tmp_path)
    ann = person(stack.gateways[0])
    ann.browser.cdp("Emulation.setDeviceMetricsOverride", width=1060,
                    height=660, deviceScaleFactor=1, mobile=False)
    ann.browser.phone = True  # to be undone at the end
    ann.browser.cdp("Emulation.setLocaleOverride", locale="en-GB")
    ann.driver.refresh()
    ann.enter(account)
    ann.open_chat("Lake on Saturday")
    picture_shown(ann)
    await dora.send({"type": "typing", "chat_id": group, "is_typing": True})
    ann.says("#chat-status", "Dora Novak is typing…")
    keep(ann, "web-desktop.png")

    ann.browser.be_phone()
    ann.browser.be_dark()
    ann.says("#chat-name", "Lake on Saturday")
    picture_shown(ann)
    keep(ann, "web-phone-chat.png")
    ann.click("#back")
    ann.row_says("Dora Novak", "2 unread")
    keep(ann, "web-phone-list.png")
