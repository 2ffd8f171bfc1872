"""What the tests of conformance share: one account, and connections by the byte.

SPDX-License-Identifier: MIT
"""

import pytest

from support.client import register
from support.rawws import RawSession


@pytest.fixture(scope="session")
def shared_stack(world):
    """As for other tests, but nobody is told to slow down."""
    stack = world.new_stack(gateways=2, settings={"gateway": {
        "rate_address_login_failures": "off", "rate_uploads": "off",
        "rate_address_registrations": "off"}})
    yield stack
    faults = stack.close()
    assert not faults, "\n".join(faults)


@pytest.fixture(scope="session")
def account(shared_stack):
    return register(shared_stack.gateways[0])


@pytest.fixture
def gateway(stack):
    return stack.gateways[0]


@pytest.fixture
def ws(gateway, account):
    """A connection that has had its user_info."""
    with RawSession(gateway) as session:
        session.open(account.token)
        session.json(lambda event: event["type"] == "user_info")
        yield session
