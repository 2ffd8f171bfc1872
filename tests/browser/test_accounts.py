"""Accounts in the web client: creating one, logging in and out, the profile.

SPDX-License-Identifier: MIT
"""

from support import pictures
from support.client import http_request, register
from support.process import poll


def test_a_picture_is_taken_at_registration_and_changed_later(person, stack,
                                                              tmp_path):
    first = pictures.png(tmp_path / "first.png", 40, 40, (200, 80, 60))
    second = pictures.png(tmp_path / "second.png", 60, 60, (60, 80, 200))
    ann = person(stack.gateways[0])
    ann.register("Ann Picture", picture=first)

    def width():
        return ann.js("const i = document.querySelector('#me-avatar img');"
                      "return i ? i.naturalWidth : 0")
    ann.until(lambda: width() == 40, "the picture is not shown")
    ann.click("#me")
    ann.js("document.querySelector('.big-picture input').style.opacity = 1")
    ann.driver.find_element("css selector", ".big-picture input").send_keys(
        str(second))
    ann.until(lambda: width() == 60, "the new picture is not shown")


def test_wrong_entries_are_explained_at_their_fields(person, stack):
    ann = person(stack.gateways[0])
    taken = register(stack.gateways[0])
    ann.click("#tab-register")
    ann.click("#auth-submit")
    ann.says("#fault-name", "can't be blank")
    ann.line_errors_expected = True  # the browser reports each 400 and 401
    ann.fill("#auth-name", "Ann")
    ann.fill("#auth-username", taken.username)
    ann.fill("#auth-email", "nonsense")
    ann.fill("#auth-password", "short")
    ann.click("#auth-submit")
    ann.says("#fault-username", "has already been taken")
    ann.says("#fault-email", "has invalid format")
    ann.says("#fault-password", "should be at least 8 character(s)")
    ann.fill("#auth-email", "a@example.org")
    ann.gone("#fault-email")
    ann.click("#tab-login")
    ann.fill("#auth-password", "wrong-password")
    ann.click("#auth-submit")
    ann.says("#auth-error", "No account has this username with this password")


def test_logout_leaves_nothing_and_login_begins_anew(person, stack):
    ann = person(stack.gateways[0]).register("Ann Leaves")
    ann.begin_chat(ann.username)
    ann.write("a note to myself here")
    ann.reached("read")
    ann.click("#me")
    ann.click("#logout")
    ann.find("#auth-submit")
    assert ann.js("return Object.keys(localStorage)") == []
    ann.driver.refresh()
    ann.find("#auth-submit")
    ann.log_in(ann.username)
    ann.open_chat("Notes to yourself")
    ann.shows("a note to myself here")


def test_a_token_that_is_refused_leads_to_the_login(person, stack):
    ann = person(stack.gateways[0])
    ann.enter(register(stack.gateways[0], name="Ann Refused"))
    ann.js("localStorage.setItem('parley.token', 'nonsense');"
           "location.reload()")
    ann.says("#auth-error", "Please log in again")


def test_a_logout_elsewhere_ends_the_page_too(person, stack):
    ann = person(stack.gateways[0])
    account = register(stack.gateways[0], name="Ann Twice")
    ann.enter(account)
    ben = person(stack.gateways[1]).enter(account)
    ben.click("#me")
    ben.click("#logout")
    ann.find("#auth-submit")


def test_the_profile_is_changed_and_faults_are_explained(person, stack):
    ann = person(stack.gateways[0])
    account = register(stack.gateways[0], name="Ann Before")
    ann.enter(account)
    ann.click("#me")
    ann.button("Change name")
    ann.fill("dialog .line-form input", "Ann After")
    ann.button("Save")
    ann.says("#me-name", "Ann After")
    taken = register(stack.gateways[0])
    ann.button("Change username")
    ann.fill("dialog .line-form input", taken.username)
    ann.button("Save")
    ann.says("dialog .fault", "Username has already been taken.")
    fresh = taken.username + "x"
    ann.fill("dialog .line-form input", fresh)
    ann.button("Save")
    ann.says("dialog", "@" + fresh)
    answer = http_request(stack.gateways[1], "POST", "/api/login", {
        "username": fresh, "password": "not-this-one"})
    assert answer.status == 401


def test_the_colours_follow_the_system_or_the_switch(person, stack):
    ann = person(stack.gateways[0])
    ann.enter(register(stack.gateways[0]))

    def ground():
        return ann.js("return getComputedStyle(document.body).backgroundColor")
    light = ground()
    ann.browser.be_dark()
    dark = ground()
    assert light != dark
    ann.click("#me")
    ann.js("document.querySelector('input[value=light]').click()")
    poll(lambda: ground() == light, "light colours")
    # Before the first paint, so that nothing flashes.
    ann.driver.refresh()
    assert ann.js("return document.documentElement.dataset.theme") == "light"
    assert ground() == light
