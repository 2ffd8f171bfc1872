"""/api/docs and /api/docs/ws.

SPDX-License-Identifier: MIT
"""

import re

import pytest

from support import docs_pages
from support.client import http_request

PAGES = {"/api/docs": "docs-http.html", "/api/docs/ws": "docs-ws.html"}


@pytest.mark.parametrize("path", PAGES)
def test_pages_of_the_contract_are_served_as_html(stack, path):
    answer = http_request(stack.gateways[0], "GET", path)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.body == (docs_pages.WWW / PAGES[path]).read_bytes()


@pytest.mark.parametrize("path", PAGES)
def test_pages_of_the_contract_load_only_what_their_gateway_serves(stack, path):
    answer = http_request(stack.gateways[0], "GET", path)
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    text = answer.body.decode()
    needed = re.findall(r'<link[^>]* href="([^"]+)"', text)
    assert "/docs.css" in needed
    for target in needed + list(PAGES):
        assert http_request(stack.gateways[0], "GET", target).status == 200
    for anchor in re.findall(r'href="#([^"]+)"', text):
        assert f'id="{anchor}"' in text


@pytest.mark.parametrize("path", PAGES)
def test_a_page_of_the_contract_is_not_sent_again_unchanged(stack, path):
    tag = http_request(stack.gateways[0], "GET", path).headers["etag"]
    answer = http_request(stack.gateways[0], "GET", path,
                          headers={"If-None-Match": tag})
    assert (answer.status, answer.body) == (304, b"")


@pytest.mark.parametrize("path", PAGES)
def test_pages_of_the_contract_are_only_read(stack, path):
    answer = http_request(stack.gateways[0], "POST", path, {})
    assert answer.status == 405 and "error" in answer.json


def test_an_unknown_page_of_the_contract_is_not_found(stack):
    answer = http_request(stack.gateways[0], "GET", "/api/docs/none")
    assert (answer.status, answer.json) == (404, {"error": "Not found"})
