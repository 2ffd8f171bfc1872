"""Private chats in the web client: what is shown of messages and people.

SPDX-License-Identifier: MIT
"""

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from support import hygiene
from support.client import Session, new_id, private_chat, register

NASTY = ["<b>not bold</b><img src=x onerror=\"document.title='bad'\">",
         "javascript:alert(1) and data:text/html,<script>alert(1)</script>",
         "see (https://example.org/a_(b)?q=1&r=<2>). And http://example.com!",
         "\u202eright to left\u202c & \"quotes\" \u00e9\u4e2d\u6587"]


async def friends(person, stack, messages=()):
    """Ann at a browser; Ben, her partner in a chat, at a client of his own."""
    gateways = stack.gateways
    account = register(gateways[0], name="Ann Chat")
    ben = await Session.open(gateways[-1],
                             register(gateways[0], name="Ben Chat"))
    other = await Session.open(gateways[-1], account)
    chat_id = await private_chat(ben, other)
    await other.close()
    for text in messages:
        await ben.say(chat_id, text)
    ann = person(gateways[0]).enter(account)
    return ann, ben, chat_id


async def test_text_is_text_and_links_are_links(person, stack):
    ann, _, _ = await friends(person, stack, NASTY)
    ann.open_chat("Ben Chat")
    ann.shows(*NASTY)
    ann.until(lambda: ann.driver.title == "Parley", "still counted")
    links = ann.js("return [...document.querySelectorAll('#messages a')].map("
                   "a => [a.href, a.rel, a.target])")
    rel = "noopener noreferrer nofollow"
    assert links == [["https://example.org/a_(b)?q=1&r=", rel, "_blank"],
                     ["http://example.com/", rel, "_blank"]]
    assert ann.js("return document.querySelectorAll("
                  "'#messages img, #messages script, #messages b').length") == 0


async def test_typing_presence_and_last_seen(person, stack):
    ann, ben, chat_id = await friends(person, stack)
    ann.open_chat("Ben Chat")
    ann.says("#chat-status", "online")
    assert ann.all("#chat-avatar .dot")
    await ben.send({"type": "typing", "chat_id": chat_id, "is_typing": True})
    ann.says("#chat-status", "typing…")
    ann.row_says("Ben Chat", "typing…")
    await ben.send({"type": "typing", "chat_id": chat_id, "is_typing": False})
    ann.says("#chat-status", "online")
    ann.type("h")
    await ben.wait("typing", lambda f: f["is_typing"])
    ann.find("#text").send_keys(Keys.BACKSPACE)
    await ben.wait("typing", lambda f: not f["is_typing"])
    await ben.close()
    ann.says("#chat-status", "last seen just now")
    ann.gone("#chat-avatar .dot")


async def test_drafts_stay_with_their_chats(person, stack):
    ann, ben, _ = await friends(person, stack)
    ann.begin_chat(ann.username)
    ann.says("#chat-name", "Notes to yourself")
    ann.open_chat("Ben Chat")
    ann.type("half a thought")
    ann.open_chat("Notes to yourself")
    assert ann.find("#text").get_attribute("value") == ""
    ann.row_says("Ben Chat", "Draft: half a thought")
    ann.driver.refresh()
    ann.open_chat("Ben Chat")
    assert ann.find("#text").get_attribute("value") == "half a thought"


async def test_what_is_new_is_marked_and_counted(person, stack):
    old = [f"read long ago, number {i}" for i in range(30)]
    ann, ben, chat_id = await friends(person, stack, old)
    ann.open_chat("Ben Chat")
    ann.until(lambda: len(ann.texts()) == 30, "not all shown")
    await ben.wait("chat_read")
    ann.find("#text").send_keys(Keys.ESCAPE)
    ann.gone("#chat-open")
    for i in range(3):
        await ben.say(chat_id, f"new, number {i}")
    ann.row_says("Ben Chat", "3 unread")
    ann.until(lambda: ann.driver.title == "(3) Parley", "no count in the title")
    ann.open_chat("Ben Chat")
    # The line stands above the first new message, below all the old ones.
    ann.until(lambda: ann.js(
        "return document.querySelector('.new-line')?.nextElementSibling"
        ".querySelector('.content').textContent") == "new, number 0",
        "no line before the first new message")
    ann.until(lambda: ann.driver.title == "Parley", "still counted")
    assert ann.js("return document.querySelectorAll('.day').length") == 1
    # Who reads far above is not torn away; a button tells what came.
    ann.js("document.getElementById('scroller').scrollTop = 0")
    ann.find("#to-end")
    await ben.say(chat_id, "below the edge")
    ann.says("#to-end .badge", "1")
    assert ann.js("return document.getElementById('scroller').scrollTop") < 300
    ann.click("#to-end")
    ann.gone("#to-end")
    await ben.wait("chat_read", since=ben.mark() - 1)


async def test_older_messages_come_by_scrolling_and_search_leads_to_them(
        person, stack):
    texts = [f"message number {i}" for i in range(260)]
    texts[20] = "the needle, Grüße aus Köln"
    ann, ben, chat_id = await friends(person, stack)
    for text in texts:
        hygiene.body(text)
        await ben.send({"type": "send_message", "chat_id": chat_id, "msg": {
            "front_msg_id": new_id(), "content": text, "format": "text"}})
    await ben.until(lambda: len(ben.messages(chat_id)) == 260, "answers")
    ann.open_chat("Ben Chat")
    ann.until(lambda: ann.texts()[-1:] == texts[-1:], "the end is not shown")

    # What is read stays where it is while older messages come above it, the very
    # first ones as well.
    first = 260
    while first > 1:
        first = ann.js(
            "const box = document.getElementById('scroller'); box.scrollTop = 300;"
            "const row = window.read = [...document.querySelectorAll('[data-seq]')]"
            ".find(r => r.getBoundingClientRect().top > 150);"
            "window.y = row.getBoundingClientRect().top;"
            "return +document.querySelector('[data-seq]').dataset.seq")
        if first == 1:
            break
        ann.until(lambda: ann.js("return +document.querySelector('[data-seq]')"
                                 ".dataset.seq") < first, "nothing older came")
        assert abs(ann.js("return read.getBoundingClientRect().top - y")) < 2
        first = ann.js("return +document.querySelector('[data-seq]').dataset.seq")
    ann.gone("#older")

    def top():
        ann.js("document.getElementById('scroller').scrollTop = 0")
        return ann.texts()[:1] == ["message number 0"]
    ann.until(top, "the beginning is not reached")
    assert ann.texts() == texts[:len(ann.texts())]
    ann.driver.refresh()
    ann.says("#chat-name", "Ben Chat")
    ann.until(lambda: ann.texts()[-1:] == texts[-1:], "the end is not shown")
    ann.click("#chat-search")
    ann.fill("#finder input", "grusse")
    ann.says(".finder-results", "1 message")
    ann.click(".finder-results .row")
    ann.find(".message.found")
    ann.until(lambda: texts[20] in ann.texts(), "not there")
    assert ann.js("return document.querySelector('.found .content')"
                  ".getBoundingClientRect().top") > 0
    ann.fill("#finder input", "no such words")
    ann.says(".finder-results", "Nothing here contains")
    ann.button("Close the search")
    ann.click("#to-end")
    ann.until(lambda: ann.texts()[-1:] == texts[-1:], "not at the end")


async def test_everything_can_be_done_by_keys(person, stack):
    ann, ben, chat_id = await friends(person, stack, ["by keys alone, please"])
    body = ann.find("body")
    body.send_keys(Keys.CONTROL, "k")
    focus = ann.driver.switch_to.active_element
    assert focus.get_attribute("id") == "search"
    focus.send_keys("Ben Chat")
    ann.says("#list", "Ben Chat")
    focus.send_keys(Keys.ENTER)
    ann.says("#chat-name", "Ben Chat")
    ann.until(lambda: ann.driver.switch_to.active_element.get_attribute("id")
              == "text", "the field has no focus")
    ann.driver.switch_to.active_element.send_keys(
        "one line", Keys.SHIFT + Keys.ENTER, Keys.NULL, "and another",
        Keys.ENTER)
    ann.shows("by keys alone, please", "one line\nand another")
    ann.driver.switch_to.active_element.send_keys(Keys.CONTROL, "f")
    assert ann.driver.switch_to.active_element.get_attribute("type") == "search"
    ann.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    ann.gone("#finder")
    ann.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    ann.gone("#chat-open")
    ann.find("body").send_keys(Keys.ALT, Keys.ARROW_DOWN)
    ann.says("#chat-name", "Ben Chat")


async def test_notifications_tell_of_what_is_not_looked_at(person, stack):
    ann, ben, chat_id = await friends(person, stack)
    ann.browser.cdp("Browser.grantPermissions", origin=ann.origin,
                    permissions=["notifications"])
    ann.js("window.shown = [];"
           "class Fake extends Notification { constructor(title, more) {"
           " super(title, more); window.shown.push([title, more.body]); } }"
           "window.Notification = Fake;")
    ann.click("#me")
    ann.find("[role=switch]").click()
    ann.until(lambda: ann.js("return localStorage['parley.notify']") == "on",
              "not switched on")
    ann.button("Close")
    await ben.say(chat_id, "look here, please")
    ann.until(lambda: ann.js("return window.shown") ==
              [["Ben Chat", "look here, please"]], "no notification")
    ann.open_chat("Ben Chat")
    await ben.say(chat_id, "this is being looked at")
    ann.until(lambda: len(ann.texts()) == 2, "not shown")
    assert len(ann.js("return window.shown")) == 1
    # A screen reader hears it instead.
    assert "this is being looked at" in ann.driver.find_element(
        By.ID, "announce").get_attribute("textContent")
