"""People in browsers: real, headless Chromiums, each with a profile of its own,
that use the web client as people do. What a page logs as an error is kept and
asked for at the end of each test.

SPDX-License-Identifier: MIT
"""

import shutil
import tempfile

from selenium import webdriver
from selenium.common.exceptions import (ElementNotInteractableException,
                                        StaleElementReferenceException,
                                        TimeoutException)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from . import hygiene
from .client import PASSWORD, PATIENCE, new_username

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-extensions",
         "--disable-dev-shm-usage", "--window-size=1180,860",
         "--disable-renderer-backgrounding", "--lang=en-GB",
         "--disable-background-timer-throttling", "--mute-audio",
         "--force-color-profile=srgb", "--hide-scrollbars",
         "--disable-lcd-text")
SECONDS = 20 * PATIENCE
# The browser itself reports lost connections and refused requests as errors.
OF_THE_LINE = ("WebSocket connection to", "net::ERR_",
               "Failed to load resource")


class Browser:
    """One Chromium. `media`: the gateway behind the address of stored files."""

    def __init__(self, media):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in FLAGS:
            options.add_argument(flag)
        # Not beside the processes' logs, in which no message may stand.
        self.profile = tempfile.mkdtemp(prefix="parley-chromium-")
        options.add_argument(f"--user-data-dir={self.profile}")
        # Pictures have absolute addresses, made from the public URL.
        options.add_argument("--host-resolver-rules=MAP parley.test:80 "
                             f"127.0.0.1:{media.port}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(
            "/usr/bin/chromedriver", service_args=["--log-level=OFF"]),
            options=options)
        self.phone = False
        self.be_light()

    def cdp(self, command, **parameters):
        return self.driver.execute_cdp_cmd(command, parameters)

    def errors(self):
        """What the pages logged as errors since this was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] == "SEVERE"]

    def reset(self):
        """As if nobody had used it yet."""
        self.online()
        self.driver.get("about:blank")
        if self.phone:
            self.cdp("Emulation.clearDeviceMetricsOverride")
            self.phone = False
        self.be_light()

    def be_phone(self):
        self.cdp("Emulation.setDeviceMetricsOverride", width=390, height=780,
                 deviceScaleFactor=1, mobile=True)
        self.phone = True

    def be_light(self):
        self.colours("light")

    def be_dark(self):
        self.colours("dark")

    def colours(self, name):
        """What the system prefers: these colours, and that nothing moves."""
        self.cdp("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": name},
            {"name": "prefers-reduced-motion", "value": "reduce"}])

    def offline(self):
        self.cdp("Network.enable")
        self.cdp("Network.emulateNetworkConditions", offline=True, latency=0,
                 downloadThroughput=-1, uploadThroughput=-1)

    def online(self):
        self.cdp("Network.enable")
        self.cdp("Network.emulateNetworkConditions", offline=False, latency=0,
                 downloadThroughput=-1, uploadThroughput=-1)

    def slow(self, bytes_a_second):
        self.cdp("Network.enable")
        self.cdp("Network.emulateNetworkConditions", offline=False, latency=0,
                 downloadThroughput=-1, uploadThroughput=bytes_a_second)

    def quit(self):
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)


class Person:
    """Somebody at a browser, with the page of a gateway before them."""

    def __init__(self, browser, gateway):
        self.browser = browser
        self.driver = browser.driver
        self.gateway = gateway
        # A lost line is reported by the browser itself.
        self.line_errors_expected = False
        self.username = None
        self.name = None
        self.origin = f"http://127.0.0.1:{gateway.port}"
        browser.cdp("Storage.clearDataForOrigin", origin=self.origin,
                    storageTypes="all")
        self.driver.get(self.origin + "/")

    def errors(self):
        return [e for e in self.browser.errors()
                if not (self.line_errors_expected and
                        any(words in e for words in OF_THE_LINE))]

    # ---- looking and doing -------------------------------------------------

    def js(self, script, *values):
        return self.driver.execute_script(script, *values)

    def until(self, condition, what):
        # A row may be drawn anew between being found and being looked at.
        try:
            return WebDriverWait(
                self.driver, SECONDS, 0.05, ignored_exceptions=[
                    StaleElementReferenceException,
                    ElementNotInteractableException]).until(
                        lambda _: condition())
        except TimeoutException:
            raise AssertionError(
                f"{self.username}: {what}; on the page: "
                f"{self.js('return document.body.innerText')[-600:]!r}"
            ) from None

    def all(self, selector):
        return [e for e in self.driver.find_elements(By.CSS_SELECTOR, selector)
                if e.is_displayed()]

    def find(self, selector):
        return self.until(lambda: next(iter(self.all(selector)), None),
                          f"{selector} is not shown")

    def gone(self, selector):
        self.until(lambda: not self.all(selector), f"{selector} is still shown")

    def click(self, selector):
        def clicked():
            self.find(selector).click()
            return True
        self.until(clicked, f"{selector} cannot be clicked")

    def button(self, words, within="body"):
        """Clicks the button that is called so."""
        def clicked():
            for element in self.all(f"{within} button"):
                if words in (element.text,
                             element.get_attribute("aria-label")):
                    element.click()
                    return True
            return False
        self.until(clicked, f"no button \"{words}\"")

    def fill(self, selector, text):
        field = self.find(selector)
        field.clear()
        field.send_keys(text)
        return field

    def text(self, selector):
        return self.find(selector).text

    def says(self, selector, words):
        self.until(lambda: words in self.text(selector),
                   f"{selector} does not say \"{words}\"")

    # ---- accounts ----------------------------------------------------------

    def register(self, name, picture=None, username=None):
        self.name = name
        self.username = username or new_username(name.split()[0].lower())
        self.click("#tab-register")
        self.fill("#auth-name", name)
        self.fill("#auth-username", self.username)
        self.fill("#auth-email", self.username + "@example.org")
        self.fill("#auth-password", PASSWORD)
        if picture:
            self.driver.find_element(
                By.ID, "auth-picture-file").send_keys(str(picture))
        self.click("#auth-submit")
        self.says("#me-name", name)
        self.token_is_secret()
        return self

    def log_in(self, username):
        self.username = username
        self.fill("#auth-username", username)
        self.fill("#auth-password", PASSWORD)
        self.click("#auth-submit")
        self.find("#me-name")
        self.token_is_secret()
        return self

    def enter(self, account):
        """With a token got elsewhere: as one who logged in yesterday."""
        self.username, self.name = account.username, account.name
        self.js("localStorage.setItem('parley.token', arguments[0]);"
                "location.reload()", account.token)
        self.says("#me-name", account.name)
        return self

    def token_is_secret(self):
        hygiene.secret(self.js("return localStorage.getItem('parley.token')"))

    # ---- chats -------------------------------------------------------------

    def begin_chat(self, username):
        self.fill("#search", username)
        self.click("#people [data-person]")
        self.find("#text")

    def open_chat(self, name):
        def opened():
            for row in self.all("#list [data-chat]"):
                if row.find_element(By.CSS_SELECTOR, ".row-name").text == name:
                    row.click()
                    return True
            return False
        self.until(opened, f"no chat \"{name}\" in the list")
        self.until(lambda: self.text("#chat-name") == name, "not open")

    def type(self, text):
        self.find("#text").send_keys(text)

    def write(self, text):
        hygiene.body(text)
        self.find("#text").send_keys(text, Keys.ENTER)

    def attach(self, *paths):
        self.driver.find_element(By.ID, "attach-file").send_keys(
            "\n".join(str(path) for path in paths))
        self.find("#tray li")

    def texts(self):
        # Taken at once by script: the list is drawn anew at any time.
        return self.js("return [...document.querySelectorAll("
                       "'#messages .content')].map(e => e.textContent)")

    def states(self):
        return self.js("return [...document.querySelectorAll("
                       "'#messages .outgoing')].map(e => e.dataset.state)")

    def shows(self, *texts):
        self.until(lambda: self.texts() == list(texts),
                   f"not shown: {texts}, but {self.texts()}")

    def reached(self, *states):
        self.until(lambda: self.states() == list(states),
                   f"not {states}, but {self.states()}")

    def row(self, name):
        """The text of a chat's row in the list."""
        return self.js(
            "const row = [...document.querySelectorAll('#list .row')].find("
            "r => r.querySelector('.row-name').textContent === arguments[0]);"
            "return row ? row.innerText : ''", name)

    def row_says(self, name, words):
        self.until(lambda: words in self.row(name),
                   f"the row of {name} does not say \"{words}\" but "
                   f"\"{self.row(name)}\"")
