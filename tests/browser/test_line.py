"""The line is lost and comes back: nothing is lost, nothing comes twice.

SPDX-License-Identifier: MIT
"""

import pytest
from selenium.webdriver.common.keys import Keys

from support.client import Session, private_chat, register
from support.process import poll
from support.scene import pipeline

FRAMES = "parley_gateway_frames_in_total"


async def two(person, stack, **options):
    """Ann at a browser, Ben at a client of his own, and their open chat."""
    gateways = stack.gateways
    ann = person(gateways[0], **options)
    account = register(gateways[0], name="Ann Line")
    ben = await Session.open(gateways[-1],
                             register(gateways[0], name="Ben Line"))
    other = await Session.open(gateways[-1], account)
    chat_id = await private_chat(ben, other)
    await other.close()
    ann.enter(account)
    ann.open_chat("Ben Line")
    return ann, ben, chat_id


def heard(ben, chat_id):
    return [m["content"] for m in ben.messages(chat_id)]


async def test_what_was_written_offline_leaves_when_the_line_is_back(person,
                                                                     stack):
    ann, ben, chat_id = await two(person, stack)
    ann.write("while all is well")
    ann.reached("delivered")
    ann.line_errors_expected = True
    ann.browser.offline()
    ann.says("#banner", "No network")
    ann.write("first without a line")
    ann.write("second without a line")
    ann.reached("delivered", "sending", "sending")
    ann.says("#banner", "2 messages leave when the line is back")
    await ben.say(chat_id, "said while Ann was away")
    ann.browser.online()
    ann.gone("#banner")
    ann.shows("while all is well", "said while Ann was away",
              "first without a line", "second without a line")
    await ben.until(lambda: len(heard(ben, chat_id)) == 4, "Ann's messages")
    await ben.fence()
    assert heard(ben, chat_id) == ann.texts()


@pytest.mark.parametrize("end", ["kill", "terminate"])
async def test_a_gateway_that_restarts_costs_nothing(person, new_stack, end):
    stack = new_stack(gateways=2, settings={"gateway": {"heartbeat": "500ms"}})
    ann, ben, chat_id = await two(person, stack)
    ann.write("before it is killed")
    ann.reached("delivered")
    ann.line_errors_expected = True
    getattr(stack.gateways[0], end)()
    ann.find("#banner")
    ann.write("while it is dead")
    ann.reached("delivered", "sending")
    await ben.say(chat_id, "heard after its return")
    stack.gateways[0].start().wait_ready()
    ann.js("document.querySelector('#banner button')?.click()")
    ann.gone("#banner")
    ann.shows("before it is killed", "heard after its return",
              "while it is dead")
    await ben.until(lambda: "while it is dead" in heard(ben, chat_id), "it")
    await ben.fence()
    assert heard(ben, chat_id).count("while it is dead") == 1


async def test_a_reload_in_mid_send_sends_once(person, new_stack):
    stack = new_stack(settings={"gateway": {"request_timeout": "1s"}})
    ann, ben, chat_id = await two(person, stack)
    ann.line_errors_expected = True
    for chatd in stack.chatds:
        chatd.pause()
    ann.write("sent as the page was reloaded")
    ann.type("a draft beside it")
    ann.reached("sending")
    ann.driver.refresh()
    for chatd in stack.chatds:
        chatd.resume()
    ann.shows("sent as the page was reloaded")
    ann.reached("delivered")
    assert ann.find("#text").get_attribute("value") == "a draft beside it"
    await ben.until(lambda: heard(ben, chat_id), "the message")
    await ben.fence()
    assert heard(ben, chat_id) == ["sent as the page was reloaded"]
    assert stack.sql("SELECT count(*) FROM messages") == [(1,)]


async def test_an_answer_lost_with_the_line_makes_no_second_message(person,
                                                                    new_stack):
    stack = new_stack()
    ann, ben, chat_id = await two(person, stack)
    ann.line_errors_expected = True
    # The message is on its way to a chatd while the line goes away.
    gateway = stack.gateways[0]
    seen = []

    def quiet():
        """The page has said all that opening a chat makes it say."""
        seen.append(gateway.metric(FRAMES))
        return seen[-5:] == [seen[-1]] * 5
    poll(quiet, "silence of the page", every=0.2)
    frames = seen[-1]
    stack.chatds[0].pause()
    ann.js("document.getElementById('text').value = arguments[0];"
           "document.getElementById('composer').requestSubmit()",
           "stored, but the answer is lost")
    poll(lambda: gateway.metric(FRAMES) > frames, "frame at the gateway")
    ann.browser.offline()
    ann.find("#banner")
    stack.chatds[0].resume()
    await ben.until(lambda: heard(ben, chat_id), "the message")
    ann.reached("sending")
    ann.browser.online()
    ann.reached("delivered")
    ann.shows("stored, but the answer is lost")
    assert stack.sql("SELECT count(*) FROM messages") == [(1,)]


async def test_all_that_was_missed_comes_page_by_page(person, new_stack):
    """More than one page of a sync, and more than the page keeps."""
    stack = new_stack(settings={"gateway": {"rate_sends": "9999/s burst 9999"}})
    ann, ben, chat_id = await two(person, stack)
    await ben.say(chat_id, "the last before the gap")
    ann.shows("the last before the gap")
    ann.line_errors_expected = True
    ann.browser.offline()
    ann.find("#banner")
    await pipeline(ben, chat_id, [f"missed message {i}" for i in range(620)])
    ann.browser.online()
    ann.until(lambda: ann.texts()[-1:] == ["missed message 619"],
              "not all came")
    seqs = ann.js("return [...document.querySelectorAll("
                  "'#messages [data-seq]')].map(e => +e.dataset.seq)")
    # As many as the page keeps, and none of them missing.
    assert seqs == list(range(422, 622))


async def test_two_tabs_send_each_message_once(person, stack):
    ann, ben, chat_id = await two(person, stack)
    ann.line_errors_expected = True
    ann.driver.switch_to.new_window("tab")
    ann.driver.get(ann.origin + "/")
    ann.open_chat("Ben Line")
    ann.browser.offline()
    ann.find("#banner")
    ann.write("from one tab of two")
    ann.browser.online()
    ann.reached("delivered")
    first, second = ann.driver.window_handles
    ann.driver.close()
    ann.driver.switch_to.window(first)
    ann.shows("from one tab of two")
    await ben.until(lambda: heard(ben, chat_id), "the message")
    await ben.fence()
    assert heard(ben, chat_id) == ["from one tab of two"]


async def test_a_service_that_is_away_is_waited_for(person, new_stack):
    """`unavailable` is no failure: the message is sent again."""
    stack = new_stack(settings={"gateway": {"request_timeout": "500ms"}})
    ann, ben, chat_id = await two(person, stack)
    stack.chatds[0].kill()
    ann.write("while the service is away")
    ann.reached("sending")
    stack.chatds[0].start().wait_ready()
    ann.reached("delivered")
    await ben.until(lambda: heard(ben, chat_id), "the message")
    assert heard(ben, chat_id) == ["while the service is away"]


async def test_a_limit_of_the_server_delays_and_keeps_the_order(person,
                                                                new_stack):
    stack = new_stack(settings={"gateway": {"rate_sends": "4/s burst 2"}})
    ann, ben, chat_id = await two(person, stack)
    texts = [f"as fast as one types, {i}" for i in range(6)]
    for text in texts:
        ann.js("document.getElementById('text').value = arguments[0];"
               "document.getElementById('composer').requestSubmit()", text)
    ann.reached(*["delivered"] * 6)
    ann.shows(*texts)
    await ben.until(lambda: len(heard(ben, chat_id)) == 6, "all six")
    assert heard(ben, chat_id) == texts


async def test_the_page_stands_before_the_line_does(person, new_stack):
    stack = new_stack()
    ann, _, _ = await two(person, stack)
    ann.line_errors_expected = True
    ann.write("the newest message of all")
    ann.reached("delivered")
    ann.until(lambda: ann.js("return localStorage.getItem('parley.snapshot')"
                             "?.includes('the newest message of all')"),
              "no snapshot")
    # The gateway serves files, and no chatd lets the session begin.
    stack.chatds[0].pause()
    ann.driver.refresh()
    ann.row_says("Ben Line", "the newest message of all")
    assert ann.text("#chat-name") == "Ben Line"
    ann.find("#banner")
    stack.chatds[0].resume()
    ann.gone("#banner")
    ann.find("#text").send_keys("and on", Keys.ENTER)
    ann.reached("delivered", "delivered")
