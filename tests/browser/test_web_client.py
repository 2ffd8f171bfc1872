"""The web page in a headless Chromium: two people in two browsers chat.

SPDX-License-Identifier: MIT
"""

import tempfile

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from support import hygiene
from support.client import PASSWORD, PATIENCE, new_username

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--window-size=1100,800")
SECONDS = 20 * PATIENCE


@pytest.fixture
def browser(world):
    """Starts browsers, each with a profile of its own; no page of theirs may
    have logged an error."""
    made = []

    def start(label, gateway):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in FLAGS:
            options.add_argument(flag)
        profile = tempfile.mkdtemp(prefix=f"chromium-{label}-",
                                   dir=world.directory)
        options.add_argument(f"--user-data-dir={profile}")
        # Pictures have absolute addresses, made from the public URL.
        options.add_argument("--host-resolver-rules=MAP parley.test:80 "
                             f"127.0.0.1:{gateway.port}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(service=Service(
            "/usr/bin/chromedriver", service_args=["--log-level=OFF"]),
            options=options)
        made.append(Page(driver))
        return made[-1].open(gateway)
    yield start
    errors = []
    for page in made:
        errors += [entry["message"] for entry in
                   page.driver.get_log("browser")
                   if entry["level"] == "SEVERE" and not page.errors_expected]
        page.driver.quit()
    assert not errors, errors


class Page:
    def __init__(self, driver):
        self.driver = driver
        # A refused request or connection stands in the browser's own log.
        self.errors_expected = False

    def until(self, condition, what):
        # A row may be drawn anew between being found and being looked at.
        return WebDriverWait(
            self.driver, SECONDS, 0.05,
            ignored_exceptions=[StaleElementReferenceException]).until(
                lambda _: condition(), what)

    def find(self, selector):
        return self.until(
            lambda: next((e for e in self.driver.find_elements(
                By.CSS_SELECTOR, selector) if e.is_displayed()), None),
            f"{selector} is not shown")

    def click(self, selector):
        def clicked():
            self.find(selector).click()
            return True
        self.until(clicked, f"{selector} cannot be clicked")

    def fill(self, selector, text):
        field = self.find(selector)
        field.clear()
        field.send_keys(text)
        return field

    def open(self, gateway):
        self.driver.get(f"http://127.0.0.1:{gateway.port}/")
        return self

    def register(self, username, name):
        self.find("#tab-register").click()
        self.fill('[name="name"]', name)
        self.fill('[name="username"]', username)
        self.fill('[name="email"]', username + "@example.org")
        self.fill('[name="password"]', PASSWORD)
        self.find("#auth-submit").click()
        self.until(lambda: self.find("#me-name").text == name, "not in")
        self.token_is_secret()

    def log_in(self, username):
        self.find("#tab-login").click()
        self.fill('[name="username"]', username)
        self.fill('[name="password"]', PASSWORD)
        self.find("#auth-submit").click()
        self.find("#me-name")
        self.token_is_secret()

    def token_is_secret(self):
        hygiene.secret(self.driver.execute_script(
            "return localStorage.getItem('parley.token')"))

    def begin_chat(self, username):
        self.fill("#search", username)
        self.click("#people [data-person]")
        self.find("#text")

    def write(self, text):
        hygiene.body(text)
        self.fill("#text", text).send_keys(Keys.ENTER)

    def texts(self):
        # Taken at once by script: the list is drawn anew at any time.
        return self.driver.execute_script(
            "return [...document.querySelectorAll('#messages .content')]"
            ".map(e => e.textContent)")

    def states(self):
        return self.driver.execute_script(
            "return [...document.querySelectorAll('#messages li.outgoing')]"
            ".map(e => e.dataset.state)")

    def shows(self, *texts):
        self.until(lambda: self.texts() == list(texts),
                   f"{texts} are not shown")


def test_two_people_register_find_each_other_and_chat(browser, stack):
    ann = browser("ann", stack.gateways[0])
    ben = browser("ben", stack.gateways[1])
    ann_name, ben_name = new_username("ann"), new_username("ben")
    ann.register(ann_name, "Ann Browser")
    ben.register(ben_name, "Ben Browser")
    ann.begin_chat(ben_name)
    assert ann.find("#chat-name").text == "Ben Browser"
    ann.write("Hello Ben, can you read me?")
    # Ben hears of the chat and its unread message without having asked.
    ben.until(lambda: "Ann Browser" in ben.find("#chats [data-chat]").text,
              "Ann's chat is not shown")
    ben.until(lambda: ben.find("#chats .badge").text == "1", "no badge")
    ben.click("#chats [data-chat]")
    ben.shows("Hello Ben, can you read me?")
    ann.until(lambda: ann.states() == ["read"], "not read")
    tricky = "<b>not bold</b> & \"quoted\" \u00e9\u4e2d\u6587"
    ben.write(tricky)
    ann.shows("Hello Ben, can you read me?", tricky)
    ann.until(lambda: ann.find("#chat-status").text == "Online", "not online")


def test_a_reload_keeps_the_session_and_shows_the_history(browser, stack):
    ann = browser("ann", stack.gateways[0])
    username = new_username("ann")
    ann.register(username, "Ann Again")
    ann.begin_chat(username)
    ann.write("a note to myself here")
    ann.until(lambda: ann.states() == ["read"], "not stored")
    ann.driver.refresh()
    ann.click("#chats [data-chat]")
    ann.shows("a note to myself here")


def test_logout_ends_the_session_and_login_begins_another(browser, stack):
    ann = browser("ann", stack.gateways[0])
    username = new_username("ann")
    ann.register(username, "Ann Leaves")
    ann.find("#logout").click()
    ann.find("#auth-submit")
    ann.driver.refresh()
    ann.find("#auth-submit")
    ann.log_in(username)
    assert ann.find("#me-name").text == "Ann Leaves"


def test_wrong_entries_are_explained(browser, stack):
    ann = browser("ann", stack.gateways[0])
    ann.errors_expected = True
    ann.find("#tab-register").click()
    ann.fill('[name="username"]', "x")
    ann.find("#auth-submit").click()
    ann.until(lambda: "should be at least 3 character(s)" in
              ann.find("#auth-error").text, "no explanation")


def test_what_was_written_while_the_gateway_was_away_arrives(browser,
                                                             new_stack):
    stack = new_stack()
    ann = browser("ann", stack.gateways[0])
    username = new_username("ann")
    ann.register(username, "Ann Offline")
    ann.begin_chat(username)
    ann.write("first while all is well")
    ann.until(lambda: ann.states() == ["read"], "not stored")
    ann.errors_expected = True
    stack.gateways[0].kill()
    ann.find("#banner")
    ann.write("second while it is away")
    stack.gateways[0].start().wait_ready()
    ann.until(lambda: ann.states() == ["read", "read"], "not caught up")
