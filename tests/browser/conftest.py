"""The browsers of the tests, started once: a Chromium takes longer than
most tests.

SPDX-License-Identifier: MIT
"""

import pytest

from support.browser import Browser, Person


@pytest.fixture(scope="session")
def browsers(shared_stack):
    """browsers(i): the i-th browser, with a profile of its own."""
    made = []

    def get(i):
        while len(made) <= i:
            gateways = shared_stack.gateways
            made.append(Browser(gateways[len(made) % len(gateways)]))
        return made[i]
    yield get
    for browser in made:
        browser.quit()


@pytest.fixture
def person(browsers, new_stack):
    """person(gateway): somebody at a browser of their own. No page may have
    logged an error at the end, which comes before that of the stack it speaks to."""
    people = []

    def sit_down(gateway, phone=False):
        browser = browsers(len(people))
        if phone:
            browser.be_phone()
        people.append(Person(browser, gateway))
        return people[-1]
    yield sit_down
    errors = [error for somebody in people for error in somebody.errors()]
    for somebody in people:
        somebody.browser.reset()
    assert not errors, errors
