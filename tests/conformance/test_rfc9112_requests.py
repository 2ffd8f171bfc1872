"""RFC 9112 and RFC 9110: how requests are read, above all those that two servers
could read in two ways.

SPDX-License-Identifier: MIT
"""

import contextlib
import time

import pytest

from library_limits import SINCE_4_3, library_limit
from support.client import new_username
from support.rawws import Ended, Raw

GET = "GET /api/health HTTP/1.1\r\nHost: parley.test\r\n\r\n"


@pytest.fixture
def raw(gateway):
    with Raw(gateway) as raw:
        yield raw


def healthy(raw):
    answer = raw.ask(GET)
    assert (answer.status, answer.json) == (200, {"status": "ok"})


def refused(raw, request, *statuses):
    """One answer of 4xx, or none, and the connection ends: no byte behind the
    request is taken for another."""
    raw.send(request)
    raw.send(GET.replace("/health", "/health?smuggled"))
    try:
        answer = raw.response()
    except Ended:
        return None
    assert answer.status in (statuses or (400, 403, 411, 413, 431)), answer
    data, _ = raw.rest()
    assert b"HTTP/1.1" not in data, f"a second answer: {data!r}"
    return answer


def stranger():
    """A login that is refused, and slows down nobody else's."""
    return ('{"username":"%s","password":"wrong password"}'
            % new_username()).encode()


def post(headers, body=b"", path="/api/login"):
    if isinstance(body, str):
        body = body.encode()
    return (f"POST {path} HTTP/1.1\r\nHost: parley.test\r\n"
            f"Content-Type: application/json\r\n{headers}\r\n"
            ).encode("latin-1") + body


# ---- 9112, 9.3: one connection, many requests ------------------------------------------

def test_many_requests_on_one_connection(raw):
    for _ in range(200):
        healthy(raw)


@library_limit("requests at once", SINCE_4_3)
def test_requests_sent_at_once_are_answered_in_order(raw):
    raw.send("".join(f"GET /api/{name} HTTP/1.1\r\nHost: x\r\n\r\n"
                     for name in ("health", "nothing", "health", "docs")))
    assert [raw.response().status for _ in range(4)] == [200, 404, 200, 200]


@library_limit("requests at once", SINCE_4_3)
def test_requests_with_bodies_sent_at_once(raw):
    body = stranger()
    one = post(f"Content-Length: {len(body)}\r\n", body)
    # What is pipelined behind a body may find the connection ended, and is never
    # read as anything else.
    raw.send(one + GET.encode())
    assert raw.response().status == 401
    try:
        assert raw.response().json == {"status": "ok"}
    except Ended:
        pass


@library_limit("requests at once", SINCE_4_3)
@pytest.mark.parametrize("headers", [
    "Content-Length: 49\r\n", "Content-Length: 0\r\n", "",
    "Content-Length: 3\r\n", "Content-Length: 5000\r\n",
    "Transfer-Encoding: chunked\r\n"])
@pytest.mark.parametrize("method", ["POST", "PUT", "GET", "DELETE"])
@pytest.mark.parametrize("behind", ["", GET, GET * 50])
def test_a_body_pipelined_behind_a_request_ends_the_connection(
        raw, gateway, method, headers, behind):
    # The library would read freed memory, or tell of its end for ever.
    body = '{"password":"a wrong password without a username"}'
    second = (f"{method} /api/login HTTP/1.1\r\nHost: x\r\n{headers}\r\n"
              f"{body if headers else ''}")
    raw.send(GET + second + behind)
    assert raw.response().status == 200
    raw.end_sending()
    data, _ = raw.rest()
    if headers or method in ("POST", "PUT"):
        assert not data, data
    with Raw(gateway) as other:
        healthy(other)


@pytest.mark.parametrize("also", ["the end", "more"])
def test_what_comes_just_then_does_not_hide_that_a_body_was_pipelined(gateway, also):
    # The end counts as a byte in the kernel's account of what came.
    body = '{"password":"a wrong password without a username"}'
    second = ("POST /api/login HTTP/1.1\r\nHost: x\r\n"
              f"Content-Length: 5000\r\n\r\n{body}")
    for i in range(400):
        with Raw(gateway) as raw:
            raw.send(GET + second + GET * 50)
            if i % 2:
                with contextlib.suppress(Ended):
                    raw.fill()
            else:
                time.sleep(i * 5e-6)
            if also == "more":
                raw.send(GET)
            else:
                raw.end_sending()
            raw.rest()
    with Raw(gateway) as other:
        healthy(other)


def test_bodies_one_after_another_are_each_read(raw):
    body = stranger()
    for _ in range(20):
        raw.send(post(f"Content-Length: {len(body)}\r\n", body))
        assert raw.response().status == 401


@pytest.mark.parametrize("chunk", [1, 3, 17])
def test_a_request_in_pieces(raw, chunk):
    body = stranger()
    for _ in range(2):
        raw.send(post(f"Content-Length: {len(body)}\r\n", body), chunk)
        assert raw.response().status == 401
        healthy(raw)


def test_connection_close_is_heeded(raw):
    answer = raw.ask(GET.replace("Host", "Connection: close\r\nHost"))
    assert answer.status == 200
    assert raw.rest() == (b"", "fin")


def test_http_1_0_is_answered_and_ended(raw):
    answer = raw.ask("GET /api/health HTTP/1.0\r\nHost: x\r\n\r\n")
    assert answer.status == 200
    assert raw.rest() == (b"", "fin")


def test_empty_lines_before_a_request(raw):
    raw.send("\r\n" + GET)
    try:
        assert raw.response().status in (200, 400)
    except Ended:
        pass


# ---- 9112, 6: the length of a body, read in one way only -------------------------------

@pytest.mark.parametrize("value", [
    "-1", "+5", "5,5", "5, 6", "0x5", "5 5", "five", "", "99999999999999999999",
    "18446744073709551621", "5;", "1e1", "\x0b5", "5.0", "0005" * 10])
def test_a_length_that_is_no_number_is_refused(raw, value):
    refused(raw, post(f"Content-Length: {value}\r\n", "hello"))


@pytest.mark.parametrize("first, second", [("5", "6"), ("0", "44"),
                                           ("5", "5"), ("6", "0")])
def test_two_lengths_are_refused(raw, first, second):
    refused(raw, post(f"Content-Length: {first}\r\n"
                      f"Content-Length: {second}\r\n", "hello"))


@pytest.mark.parametrize("coding", [
    "chunked", "Chunked", "identity", "gzip", "chunked, identity", "xchunked",
    " chunked", "chunked\r\nTransfer-Encoding: identity"])
@pytest.mark.parametrize("length", ["", "Content-Length: 5\r\n",
                                    "Content-Length: 0\r\n"])
def test_a_transfer_encoding_is_refused(raw, coding, length):
    refused(raw, post(f"{length}Transfer-Encoding: {coding}\r\n",
                      "5\r\nhello\r\n0\r\n\r\n"), 411, 400, 501)


@pytest.mark.parametrize("name", [
    "Transfer-Encoding ", "Transfer_Encoding", " Transfer-Encoding",
    "Transfer-Encoding\t", "X: y\nTransfer-Encoding",
    "X: y\rTransfer-Encoding", "Transfer-\x00Encoding"])
def test_a_hidden_transfer_encoding_makes_no_second_request(raw, name):
    # Whoever reads it as chunked sees a request in what we read as the body.
    inner = GET.replace("health", "docs")
    body = f"0\r\n\r\n{inner}"
    raw.send(post(f"Content-Length: {len(body)}\r\n{name}: chunked\r\n", body))
    try:
        answer = raw.response()
    except Ended:
        return
    assert answer.status in (400, 403, 411, 501), answer
    raw.end_sending()
    data, _ = raw.rest()
    assert not data, f"a second answer: {data!r}"


@pytest.mark.parametrize("sizes", [
    "zz\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n",
    "ffffffffffffffff\r\nhello", "5;ext=1\r\nhello\r\n0\r\n\r\n", "5hello",
    "5\nhello\n0\n\n", "0x5\r\nhello\r\n0\r\n\r\n", "\r\n", "5\r\nhel"])
def test_no_chunk_sizes_are_read_at_all(raw, sizes):
    refused(raw, post("Transfer-Encoding: chunked\r\n", sizes), 411)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_body_of_unknown_length_is_411(raw, method):
    answer = refused(raw, f"{method} /api/login HTTP/1.1\r\nHost: x\r\n\r\n",
                     411)
    assert answer is not None


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD"])
def test_a_body_with_a_method_that_needs_none_is_no_request(raw, method):
    inner = GET.replace("/health", "/docs")
    raw.send(f"{method} /api/health HTTP/1.1\r\nHost: x\r\n"
             f"Content-Length: {len(inner)}\r\n\r\n{inner}")
    answer = raw.response(method)
    assert answer.status in (200, 400, 405)
    try:
        more = raw.response()
    except Ended:
        return
    raise AssertionError(f"the body was answered: {more}")


def test_a_body_shorter_than_promised_ends_without_an_answer_of_200(raw):
    raw.send(post("Content-Length: 100\r\n", '{"username":"a"}'))
    raw.end_sending()
    data, _ = raw.rest()
    assert b" 200 " not in data and b" 201 " not in data


@library_limit("requests at once", SINCE_4_3)
def test_a_body_longer_than_promised_is_another_request(raw):
    body = stranger().decode()
    raw.send(post(f"Content-Length: {len(body)}\r\n", body + "trailing"))
    assert raw.response().status == 401
    data, _ = raw.rest()
    assert b"200" not in data


def test_expect_100_continue_is_answered_somehow(raw):
    body = stranger().decode()
    raw.send(post(f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n"))
    # A client may wait for 100, and must send all the same in the end.
    raw.send(body)
    answer = raw.head()
    if answer.status == 100:
        answer = raw.head()
    assert answer.status in (401, 417)


# ---- 9112, 3: the request line -----------------------------------------------------------

@pytest.mark.parametrize("line", [
    "GET", "GET /api/health", "GET  /api/health HTTP/1.1", "GET /api/health ",
    "GET /api/health HTTP/1.1 x", " GET /api/health HTTP/1.1",
    "G\x00T /api/health HTTP/1.1", "GET /api/health\tHTTP/1.1",
    "GET /api/health HTTP/9.9", "GET /api/health HTTP/1.", "",
    "GET\t/api/health\tHTTP/1.1", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    "PRI * HTTP/2.0", "*", "GET * HTTP/1.1", "GET api/health HTTP/1.1",
    "GET \\api\\health HTTP/1.1"])
def test_odd_request_lines_harm_nobody(raw, gateway, line):
    raw.send(f"{line}\r\nHost: x\r\nConnection: close\r\n\r\n")
    raw.end_sending()
    try:
        answer = raw.response()
        assert answer.status in (200, 400, 403, 404, 405, 411, 426)
    except Ended:
        pass
    with Raw(gateway) as other:
        healthy(other)


@pytest.mark.parametrize("method, statuses", [
    ("TRACE", (400, 403, 405)), ("CONNECT", (400, 403, 404, 405)),
    ("PROPFIND", (400, 403, 405)),
    pytest.param("get", (400, 403, 405), marks=library_limit("method case")),
    ("BREW", (400, 403, 405)), ("X" * 500, (400, 403, 405))])
def test_methods_we_do_not_know_are_refused(raw, method, statuses):
    refused(raw, f"{method} /api/health HTTP/1.1\r\nHost: x\r\n\r\n",
            *statuses)


def test_connect_opens_no_tunnel(raw):
    raw.send("CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n")
    raw.send("SSH-2.0-test\r\n")
    raw.end_sending()
    data, _ = raw.rest()
    assert b" 200 " not in data and b"SSH" not in data


def test_trace_shows_no_header(raw):
    raw.send("TRACE / HTTP/1.1\r\nHost: x\r\nCookie: token=secret-cookie"
             "\r\n\r\n")
    raw.end_sending()
    assert b"secret-cookie" not in raw.rest()[0]


@pytest.mark.parametrize("path", ["/api/health", "/", "/api/docs"])
def test_head_is_get_without_the_body(gateway, path):
    with Raw(gateway) as raw:
        get = raw.ask(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
        head = raw.ask(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD")
        assert head.status == get.status == 200
        assert head.one("content-length") == get.one("content-length")
        healthy(raw)


@pytest.mark.parametrize("path", ["/api/health", "/api/login", "/", "/media/x"])
def test_options_is_answered(raw, path):
    answer = raw.ask(f"OPTIONS {path} HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.status in (200, 204, 403, 405)
    healthy(raw)


def test_options_of_the_server(raw):
    raw.send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
    try:
        assert raw.response().status in (200, 204, 400, 403, 404, 405)
    except Ended:
        pass


def test_no_host_is_400(raw):
    refused(raw, "GET /api/health HTTP/1.1\r\n\r\n", 400)


def test_two_hosts_are_400(raw):
    refused(raw, "GET /api/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400)


def test_http_1_0_needs_no_host(raw):
    assert raw.ask("GET /api/health HTTP/1.0\r\n\r\n").status == 200


def test_an_absolute_form_is_answered_as_some_path(raw):
    raw.send("GET http://parley.test/api/health HTTP/1.1\r\n"
             "Host: parley.test\r\n\r\n")
    try:
        assert raw.response().status in (200, 400, 403, 404)
    except Ended:
        pass


# ---- paths -------------------------------------------------------------------------------

@pytest.mark.parametrize("path", [
    "/../etc/passwd", "/../../../../../../etc/passwd", "/./../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd", "/%2e%2e%2fetc%2fpasswd",
    "/..%5c..%5cetc%5cpasswd", "/%252e%252e/etc/passwd", "//etc/passwd",
    "/media/../../etc/passwd", "/media/%2e%2e/x", "/media/..%2f..%2fx.png",
    "/media//etc/passwd", "/%c0%ae%c0%ae/etc/passwd", "/.git/config", "/.env",
    "/%2egit/config", "/index.html/", "/index.html/../../etc/passwd",
    "/index.html%20", "/api/../.env", "/....//etc/passwd",
    "/" + "a/" * 2000 + "x/..", "/" + "../" * 1000 + "x", "/%ff%fe", "/%", "/%4",
    "/%zz", "/index.html\\..\\..", "/api/chats/../../etc/passwd"])
def test_no_path_leads_out(raw, path):
    raw.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    data, _ = raw.rest()
    assert not data or data.split()[1] in (b"400", b"403", b"404"), \
        data[:300]
    assert b"root:" not in data and b"[core]" not in data


@pytest.mark.parametrize("path", ["/x%00", "/index.html%00.js", "/api/health%00",
                                  "/api/health%00/../docs", "/ws%00"])
def test_a_nul_in_a_path_ends_the_path_nowhere(raw, path):
    raw.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    data, _ = raw.rest()
    assert not data or data.split()[1] in (b"400", b"404"), data[:300]


@pytest.mark.parametrize("size", [100, 4000, 7500])
def test_a_long_path_is_404(raw, size):
    answer = raw.ask(f"GET /api/{'p' * size} HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.status == 404


@pytest.mark.parametrize("size", [8193, 9000, 1_000_000])
def test_a_path_over_the_limit_ends_the_connection(raw, size):
    refused(raw, f"GET /{'p' * size} HTTP/1.1\r\nHost: x\r\n\r\n", 414, 431,
            400)


# ---- 9112, 5: headers --------------------------------------------------------------------

@pytest.mark.parametrize("header", [
    "X Y: z", "X\x00Y: z", "X: a\x00b", "NoColon", ": empty", "X : z",
    "X: folded\r\n value", "X: folded\r\n\tvalue", "X: a\rb", " First: x",
    "X: \xff\xfe", "X" * 3000 + ": y", "\xe9: y"])
def test_odd_headers_harm_nobody(raw, gateway, header):
    raw.send(f"GET /api/health HTTP/1.1\r\nHost: x\r\n{header}\r\n"
             "Connection: close\r\n\r\n")
    raw.end_sending()
    try:
        assert raw.response().status in (200, 400, 431)
        assert b"HTTP/1.1" not in raw.rest()[0]
    except Ended:
        pass
    with Raw(gateway) as other:
        healthy(other)


def test_bare_line_feeds_make_no_second_request(raw):
    raw.send("GET /api/health HTTP/1.1\nHost: x\n\n")
    try:
        assert raw.response().status in (200, 400)
    except Ended:
        pass


@pytest.mark.parametrize("size", [1000, 5000, 7000])
def test_headers_up_to_the_limit(raw, size):
    answer = raw.ask("GET /api/health HTTP/1.1\r\nHost: x\r\n"
                     f"X-Filler: {'f' * size}\r\n\r\n")
    assert answer.status == 200


@pytest.mark.parametrize("size", [8200, 20_000, 1_000_000])
def test_headers_over_the_limit_end_the_connection(raw, size):
    refused(raw, "GET /api/health HTTP/1.1\r\nHost: x\r\n"
            f"X-Filler: {'f' * size}\r\n\r\n", 431, 400)


@pytest.mark.parametrize("origin", [
    "https://evil.example\r\nSet-Cookie: a=b", "null", "https://", "\x7f",
    "https://parley.test.evil.example", "x" * 2000])
def test_an_origin_is_not_reflected(raw, origin):
    raw.send("GET /api/health HTTP/1.1\r\nHost: x\r\n"
             f"Origin: {origin}\r\n\r\n")
    answer = raw.response()
    assert answer.one("access-control-allow-origin") is None
    assert answer.one("set-cookie") is None
