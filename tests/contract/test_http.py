"""/api/health, /api/register, /api/login, CORS and the files of the web page.

SPDX-License-Identifier: MIT
"""

import asyncio
import http.client

import pytest

from support import hygiene
from support.client import (PASSWORD, http_form, http_request, new_username,
                            register)
from support.scene import person


def post_register(stack, **changes):
    username = new_username()
    body = {"username": username, "password": PASSWORD, "name": "Some One",
            "email": f"{username}@example.org"}
    body.update(changes)
    return http_request(stack.gateways[0], "POST", "/api/register",
                        {k: v for k, v in body.items() if v is not ...})


def test_health(stack):
    for gateway in stack.gateways:
        answer = http_request(gateway, "GET", "/api/health")
        assert (answer.status, answer.json) == (200, {"status": "ok"})


def test_register_gives_a_token_that_logs_in(stack):
    account = register(stack.gateways[0])
    assert len(account.token) == 43
    answer = http_request(stack.gateways[1], "POST", "/api/login",
                          {"username": account.username,
                           "password": PASSWORD})
    assert answer.status == 200 and list(answer.json) == ["token"]
    assert hygiene.secret(answer.json["token"]) != account.token


def test_register_takes_multipart_too(stack):
    username = new_username()
    answer = http_form(stack.gateways[0], "/api/register", {
        "username": username, "password": PASSWORD, "name": "Form User",
        "email": f"{username}@example.org"})
    assert answer.status == 201, answer
    hygiene.secret(answer.json["token"])


@pytest.mark.parametrize("field, value, words", [
    ("username", ..., "can't be blank"), ("username", "", "can't be blank"),
    ("username", "   ", "can't be blank"),
    ("username", None, "can't be blank"),
    ("username", "ab", "should be at least 3 character(s)"),
    ("username", "a" * 31, "should be at most 30 character(s)"),
    ("username", "with space",
     "can only contain letters, numbers, and underscores"),
    ("username", "\u00e9mile",
     "can only contain letters, numbers, and underscores"),
    ("name", ..., "can't be blank"), ("name", " ", "can't be blank"),
    ("name", "n" * 51, "should be at most 50 character(s)"),
    ("email", ..., "can't be blank"), ("email", "", "can't be blank"),
    ("email", "nobody", "has invalid format"),
    ("email", "a b@example.org", "has invalid format"),
    ("password", ..., "can't be blank"), ("password", "", "can't be blank"),
    ("password", "seven77", "should be at least 8 character(s)"),
    ("password", "p" * 129, "should be at most 128 character(s)"),
])
def test_register_names_what_is_wrong(stack, field, value, words):
    answer = post_register(stack, **{field: value})
    assert answer.status == 400, answer
    assert answer.json == {"errors": {field: words}}


def test_register_names_all_fields_at_once(stack):
    answer = http_request(stack.gateways[0], "POST", "/api/register", {})
    assert answer.status == 400
    assert set(answer.json["errors"]) == \
        {"username", "name", "email", "password"}


def test_username_and_email_are_unique_without_regard_to_case(stack):
    account = register(stack.gateways[0])
    answer = post_register(stack, username=account.username.upper())
    assert (answer.status, answer.json) == \
        (400, {"errors": {"username": "has already been taken"}})
    answer = post_register(
        stack, email=f"{account.username}@example.org".upper())
    assert (answer.status, answer.json) == \
        (400, {"errors": {"email": "has already been taken"}})


def test_a_name_of_50_code_points_is_taken(stack):
    assert post_register(stack, name="\U0001F600" * 50).status == 201


@pytest.mark.parametrize("body, kind", [
    ("{", "application/json"), ("", "application/json"),
    ("[]", "application/json"), ("5", "application/json"),
    ("username=a&password=b", "application/x-www-form-urlencoded"),
    ("no parts at all", "multipart/form-data; boundary=b"),
    ("x", "multipart/form-data")])
def test_a_body_that_cannot_be_read_is_400_with_json(stack, body, kind):
    answer = http_request(stack.gateways[0], "POST", "/api/register", body,
                          {"Content-Type": kind})
    assert answer.status == 400, answer
    assert set(answer.json) <= {"error", "errors"}


def test_login_never_says_whether_the_user_exists(stack):
    account = register(stack.gateways[0])
    answers = [http_request(stack.gateways[0], "POST", "/api/login", body)
               for body in (
                   {"username": account.username, "password": "wrong password"},
                   {"username": new_username(), "password": "wrong password"})]
    for answer in answers:
        assert (answer.status, answer.json) == \
            (401, {"error": "Invalid credentials"})
    assert answers[0].body == answers[1].body


def test_login_hashes_a_password_whether_the_user_exists_or_not(new_stack):
    # The hash is what takes the time: without it an answer would tell at once
    # that there is no such user.
    stack = new_stack()
    account = register(stack.gateways[0])

    def hashed(username):
        before = stack.chatds[0].metric("parley_password_seconds_count")
        http_request(stack.gateways[0], "POST", "/api/login",
                     {"username": username, "password": "wrong password"})
        return stack.chatds[0].metric("parley_password_seconds_count") - before
    assert hashed(account.username) == 1
    assert hashed(new_username()) == 1


def test_login_regards_no_case_of_the_username(stack):
    account = register(stack.gateways[0])
    answer = http_request(stack.gateways[0], "POST", "/api/login",
                          {"username": account.username.upper(),
                           "password": PASSWORD})
    assert answer.status == 200
    hygiene.secret(answer.json["token"])


@pytest.mark.parametrize("body", [
    {}, {"username": "abc"}, {"username": 5, "password": 6},
    {"username": None, "password": None}, {"username": "a", "password": ""}])
def test_login_without_credentials_is_refused(stack, body):
    answer = http_request(stack.gateways[0], "POST", "/api/login", body)
    assert answer.status in (400, 401)
    assert isinstance(answer.json["error"], str)


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/api/nothing", (404,)), ("GET", "/api/", (404,)),
    ("GET", "/api/register", (404, 405)), ("DELETE", "/api/login", (404, 405)),
    ("POST", "/api/health", (404, 405)), ("GET", "/api", (404,)),
])
def test_every_answer_under_api_is_json(stack, method, path, status):
    answer = http_request(stack.gateways[0], method, path)
    assert answer.status in status, answer
    assert isinstance(answer.json, dict)


def test_a_body_over_the_limit_is_413(stack):
    answer = http_request(stack.gateways[0], "POST", "/api/login",
                          b'{"username":"' + b"a" * 5_000_000 + b'"}',
                          {"Content-Type": "application/json"})
    assert answer.status == 413
    assert isinstance(answer.json["error"], str)


def test_the_web_page_is_served(stack):
    answer = http_request(stack.gateways[0], "GET", "/")
    assert answer.status == 200
    assert answer.headers.get_content_type() == "text/html"
    assert b"<script" in answer.body
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", [
    "/../../../../etc/passwd", "/..%2f..%2f..%2fetc/passwd",
    "/%2e%2e/%2e%2e/CMakeLists.txt", "//etc/passwd", "/.git/config",
    "/no/such/file.js", "/api/../../../etc/passwd", "/%00", "/index.html%00.js"])
def test_nothing_outside_the_page_s_directory_is_served(stack, path):
    try:
        answer = http_request(stack.gateways[0], "GET", path)
    except http.client.RemoteDisconnected:
        assert "%00" in path
        return
    if "%00" not in path:
        assert answer.status in (400, 403, 404), answer
    assert b"root:" not in answer.body and b"[core]" not in answer.body


async def test_default_picture_is_served_where_avatar_url_says(stack):
    session = await person(stack)
    url = session.info["user"]["avatar_url"]
    picture = await asyncio.to_thread(
        http_request, stack.gateways[1], "GET",
        url[len("http://parley.test"):])
    assert picture.status == 200
    assert picture.headers.get_content_maintype() == "image"


def test_cors_answers_the_allowed_origin_alone(new_stack):
    stack = new_stack(settings={
        "gateway": {"cors_origins": "https://app.example.org"}})
    gateway = stack.gateways[0]
    for method in ("GET", "OPTIONS"):
        good = http_request(gateway, method, "/api/health", None,
                            {"Origin": "https://app.example.org",
                             "Access-Control-Request-Method": "GET"})
        assert good.headers["Access-Control-Allow-Origin"] == \
            "https://app.example.org"
        bad = http_request(gateway, method, "/api/health", None,
                           {"Origin": "https://evil.example.org",
                            "Access-Control-Request-Method": "GET"})
        assert bad.headers["Access-Control-Allow-Origin"] is None
