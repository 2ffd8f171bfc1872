"""How the gateway serves the web client's files.

SPDX-License-Identifier: MIT
"""

import re

import pytest

from support.client import http_request
from support.stack import ROOT

WWW = ROOT / "gateway" / "www"
FILES = sorted(str(p.relative_to(WWW)) for p in WWW.rglob("*")
               if p.is_file())
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


def get(stack, path, **headers):
    return http_request(stack.gateways[0], "GET", path, headers=headers)


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_served_with_its_type_and_checked_again(stack, name):
    answer = get(stack, "/" + name)
    assert answer.status == 200
    assert answer.body == (WWW / name).read_bytes()
    assert answer.headers["content-type"] == TYPES[(WWW / name).suffix]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"
    again = get(stack, "/" + name, **{"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    other = http_request(stack.gateways[1], "GET", "/" + name)
    assert other.headers["etag"] == answer.headers["etag"]


def test_the_policy_forbids_what_the_page_does_not_need(stack):
    policy = get(stack, "/").headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'self'"
    assert rules["object-src"] == rules["base-uri"] == "'none'"
    assert rules["frame-ancestors"] == "'none'"
    assert rules["img-src"] == "'self' blob: http://parley.test"
    assert rules["require-trusted-types-for"] == "'script'"
    assert rules["trusted-types"] == "'none'"
    assert "unsafe" not in policy and "*" not in policy


def test_the_page_asks_no_other_host(stack):
    for name in FILES:
        if name.startswith("docs-"):
            continue
        text = (WWW / name).read_text()
        outside = [url for url in re.findall(r"https?://[\w.-]+", text)
                   if url not in ("http://www.w3.org", "https://example.org")]
        assert not outside, f"{name} names {outside}"
        for maker in ("innerHTML", "outerHTML", "insertAdjacentHTML",
                      "document.write", "eval(", "new Function"):
            assert maker not in text, f"{name} has {maker}"


def test_the_page_names_every_module_so_that_all_come_at_once(stack):
    page = (WWW / "index.html").read_text()
    named = set(re.findall(r'rel="modulepreload" href="/([^"]+)"', page))
    modules = {name for name in FILES
               if name.endswith(".js") and name != "first.js"}
    assert named == modules
    sheets = set(re.findall(r'rel="stylesheet" href="/([^"]+)"', page))
    assert sheets == {n for n in FILES if n.startswith("css/")}


def test_what_is_no_file_of_the_client_is_not_found(stack):
    for path in ("/views", "/views/", "/protocol/none.js", "/../gateway.h",
                 "/%2e%2e/gateway.h"):
        assert get(stack, path).status == 404, path


def test_the_protocol_module_knows_no_page(stack):
    for path in (WWW / "protocol").glob("*.js"):
        text = re.sub(r"/\*.*?\*/|//.*", "", path.read_text(), flags=re.S)
        for word in ("document", "window", "querySelector", "../"):
            assert word not in text, f"{path.name} has {word}"
