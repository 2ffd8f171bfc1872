"""The bounds of HTTP bodies: JSON, multipart/form-data.

SPDX-License-Identifier: MIT
"""

import pytest

from support.client import new_username
from support.rawws import Ended, Raw

BOUNDARY = "parley-boundary"
PNG = (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0"
       b"\x1f\x15\xc4\x89")


@pytest.fixture
def raw(gateway):
    with Raw(gateway) as raw:
        yield raw


def request(path, body, kind="application/json", token=None, length=None,
            method="POST"):
    if isinstance(body, str):
        body = body.encode()
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    return (f"{method} {path} HTTP/1.1\r\nHost: parley.test\r\n{bearer}"
            f"Content-Type: {kind}\r\nContent-Length: "
            f"{len(body) if length is None else length}\r\n\r\n"
            ).encode("latin-1") + body


def part(name, data=b"", filename=None, more=b""):
    if isinstance(data, str):
        data = data.encode()
    head = f'form-data; name="{name}"'
    if filename is not None:
        head += f'; filename="{filename}"'
    return (b"--%s\r\nContent-Disposition: %s\r\n%s\r\n%s\r\n" % (
        BOUNDARY.encode(), head.encode("utf-8"), more, data))


def form(*parts, end=True):
    return b"".join(parts) + (b"--%s--\r\n" % BOUNDARY.encode() if end else b"")


MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def register_form(raw, *parts, kind=MULTIPART, end=True):
    return raw.ask(request("/api/register", form(*parts, end=end), kind))


def person_parts():
    name = new_username()
    return [part("username", name), part("password", "long enough a word"),
            part("name", "Part Person"),
            part("email", f"{name}@example.org")]


# ---- JSON --------------------------------------------------------------------------------

@pytest.mark.parametrize("size", [65_535, 65_536])
def test_a_json_body_up_to_64_kib_is_read(raw, size):
    body = '{"username":"%s","password":"wrong password","pad":"' \
        % new_username()
    body += "p" * (size - len(body) - 2) + '"}'
    assert len(body) == size
    assert raw.ask(request("/api/login", body)).status == 401


@pytest.mark.parametrize("size", [65_537, 100_000, 3_000_000])
def test_a_json_body_over_64_kib_is_413_and_readable(raw, size):
    raw.send(request("/api/login", b"{" + b" " * (size - 1)))
    answer = raw.response()
    assert answer.status == 413
    assert isinstance(answer.json["error"], str)


def test_a_body_that_is_only_announced_is_413_at_once(raw):
    raw.send(request("/api/login", "{", length=10**14))
    assert raw.response().status == 413


def nested(depth):
    return '{"a":' * depth + "1" + "}" * depth


@pytest.mark.parametrize("path", ["/api/login", "/api/register"])
@pytest.mark.parametrize("depth, taken", [(15, True), (16, True), (17, False),
                                          (10_000, False)])
def test_json_may_be_16_deep(raw, path, depth, taken):
    answer = raw.ask(request(path, '{"username":"%s","password":"wrong '
                             'password","x":%s}' % (new_username(),
                                                    nested(depth - 1))))
    assert answer.status in (400, 401)
    assert (answer.json == {"error": "Bad request"}) == (not taken), answer


@pytest.mark.parametrize("body", [
    "[" * 60_000, "{" * 60_000, '{"a":' * 13_000, '"' + "\\u0041" * 10_000 + '"',
    "[" + "1," * 30_000 + "1]", '{"username":' + "9" * 60_000 + "}",
    '{"username":1e' + "9" * 60_000 + "}", '{"username":-0.' + "0" * 60_000 + "}",
    "{" + ",".join(f'"k{i}":{i}' for i in range(5000)) + "}",
    "{" + ",".join('"k":1' for _ in range(8000)) + "}",
    '{"username":"' + "u" * 60_000 + '"}', " " * 65_000,
    '{"username":"a","username":"b","password":"c","password":"d"}',
    "\ufeff{}", "{}\0", '{"username":"\\u0000"}', '{"\\u0000":1}', "\xff"])
def test_hostile_json_is_400_or_401(raw, body):
    answer = raw.ask(request("/api/login", body))
    assert answer.status in (400, 401), answer
    assert isinstance(answer.json, dict)


# ---- multipart ---------------------------------------------------------------------------

def test_a_form_in_order(raw):
    assert register_form(raw, *person_parts()).status == 201


def test_many_parts_nobody_asked_for_are_read_over(raw):
    parts = [part(f"x{i}", "y") for i in range(500)]
    assert register_form(raw, *parts, *person_parts()).status == 201


def test_too_many_parts_are_400(raw):
    parts = [part("x") for _ in range(1200)]
    answer = register_form(raw, *parts, *person_parts())
    assert (answer.status, answer.json) == \
        (400, {"error": "Invalid multipart data"})


@pytest.mark.parametrize("size, status", [(4000, 201), (4200, 400),
                                          (60_000, 400)])
def test_the_head_of_a_part_is_bounded(raw, size, status):
    more = b"X-Filler: " + b"f" * (size - 100) + b"\r\n"
    answer = register_form(raw, part("x", "y", more=more), *person_parts())
    assert answer.status == status, answer


@pytest.mark.parametrize("size, status", [(64, 201), (65, 400), (5000, 400)])
def test_the_name_of_a_part_is_bounded(raw, size, status):
    assert register_form(raw, part("n" * size), *person_parts()).status == \
        status


@pytest.mark.parametrize("size", [16_385, 70_000])
def test_a_field_is_bounded(raw, size):
    answer = register_form(raw, *person_parts()[:3],
                           part("email", "e" * size))
    assert answer.status == 400, answer


@pytest.mark.parametrize("size", [1, 255, 3000])
def test_the_name_of_a_file_decides_nothing(raw, account, size):
    answer = raw.ask(request(
        "/api/users/me/avatar",
        form(part("avatar", PNG, filename="f" * size)), MULTIPART,
        account.token))
    assert answer.status == 200, answer


@pytest.mark.parametrize("name", [
    "../../../etc/passwd", "a\\b", "\u2603.png", "x.html", "x\x01y", "",
    "con.png", "%2e%2e%2f", "a;b=c", "\\\"quoted\\\""])
def test_odd_names_of_files_are_no_paths(raw, account, name):
    answer = raw.ask(request(
        "/api/users/me/avatar", form(part("avatar", PNG, filename=name)),
        MULTIPART, account.token))
    assert answer.status in (200, 400)
    if answer.status == 200:
        assert answer.json["avatar_url"].count("/media/") == 1
        assert "passwd" not in answer.json["avatar_url"]


@pytest.mark.parametrize("kind", [
    "multipart/form-data", "multipart/form-data; boundary=",
    "multipart/form-data; boundary=" + "b" * 71,
    'multipart/form-data; boundary="unclosed', "multipart/form-data; x=y",
    "multipart/form-data;;;", "multipart/mixed; boundary=b"])
def test_a_boundary_that_is_none_is_400(raw, kind):
    answer = register_form(raw, *person_parts(), kind=kind)
    assert answer.status == 400, answer


@pytest.mark.parametrize("body", [
    b"", b"--", b"--parley-boundary", b"--parley-boundary\r\n",
    b"--parley-boundary--", b"--parley-boundaryX\r\n\r\n",
    b"no boundary at all" * 100, b"--parley-boundary\r\n\r\n\r\n",
    b"--parley-boundary\nContent-Disposition: form-data; name=\"a\"\n\nx\n",
    form(part("username", "abc"), end=False), b"\r\n--parley-boundary" * 500,
    b"--parley-boundary\r\nContent-Disposition: form-data\r\n\r\nx\r\n"
    b"--parley-boundary--",
    b"--parley-boundary\r\nX: y\r\n\r\nx\r\n--parley-boundary--",
    b"--parley-boundary\r\nContent-Disposition: form-data; name=\"a\0b\"\r\n"
    b"\r\nx\r\n--parley-boundary--"])
def test_broken_forms_are_400(raw, body):
    answer = raw.ask(request("/api/register", body, MULTIPART))
    assert answer.status == 400, answer
    assert set(answer.json) <= {"error", "errors"}


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_a_form_a_few_bytes_a_write(raw, chunk):
    raw.send(request("/api/register", form(*person_parts()), MULTIPART), chunk)
    assert raw.response().status == 201


def test_an_upload_without_a_token_is_401_before_its_body(raw):
    raw.send(request("/api/chat/upload", b"", MULTIPART, length=1_000_000))
    assert raw.response().status == 401


@pytest.mark.parametrize("path, status", [
    ("/api/chat/upload", 413), ("/api/users/me/avatar", 400)])
def test_an_announced_upload_over_the_limit_is_refused_at_once(
        raw, account, path, status):
    raw.send(request(path, b"--", MULTIPART, account.token,
                     length=50 * 1024 * 1024))
    assert raw.response().status == status


def test_an_upload_given_up_leaves_no_file(raw, account, stack):
    def files():
        return sorted(p for p in (stack.directory / "media").rglob("*")
                      if p.is_file())
    before = files()
    with_half = request(
        "/api/chat/upload", form(part("file", b"x" * 50_000, "half.bin"),
                                 end=False), MULTIPART, account.token,
        length=100_000)
    raw.send(with_half)
    raw.end_sending()
    try:
        assert raw.response().status >= 400
    except Ended:
        pass
    raw.rest()
    assert files() == before


def test_a_body_refused_while_its_token_is_checked_is_answered_once(gateway,
                                                                    account):
    # Head and body come in one piece: the form is found broken before chatd
    # has said whose the token is.
    body = b"--parley-boundary\r\nX: y\r\n\r\nx\r\n--parley-boundary--"
    for _ in range(5):
        with Raw(gateway) as raw:
            answer = raw.ask(request("/api/users/me/avatar", body, MULTIPART,
                                     account.token))
            assert (answer.status, answer.json) == \
                (400, {"error": "Invalid multipart data"})
            raw.end_sending()
            assert not raw.rest()[0]
