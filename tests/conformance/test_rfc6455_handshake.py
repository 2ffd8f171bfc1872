"""RFC 6455, sections 4.1 and 4.2: the opening handshake; RFC 7692, 5: extensions
that nobody offers are not taken.

SPDX-License-Identifier: MIT
"""

import base64

import pytest

from library_limits import library_limit
from support.echo import echo_text, echoed, still_talks
from support.rawws import Ended, Raw, RawSession, frame, new_key, upgrade_head


@pytest.fixture
def raw(gateway):
    with RawSession(gateway) as session:
        yield session


def refused(raw, request, *statuses):
    """The answer is one of `statuses`, and no WebSocket: the connection ends."""
    raw.send(request)
    answer = raw.response()
    assert answer.status in statuses, answer
    assert answer.one("sec-websocket-accept") is None
    _, how = raw.rest()
    assert how == "fin"
    return answer


# ---- what is taken -----------------------------------------------------------------

@pytest.mark.parametrize("changes", [
    {}, {"Upgrade": "WebSocket"}, {"Upgrade": "WEBSOCKET"},
    {"Connection": "upgrade"}, {"Connection": "UPGRADE"},
    {"Connection": "keep-alive, Upgrade"},
    {"Connection": "Upgrade, keep-alive"},
    {"Connection": "foo,\tbar ,upgrade,baz"},
    {"Host": "parley.test:8080"}, {"Host": "[::1]:8080"},
    {"Origin": "https://parley.test"}, {"User-Agent": "x" * 500},
    {"Cookie": "a=b; c=d"}, {"X-Unknown": "anything at all"}])
def test_handshakes_in_order(raw, account, changes):
    raw.open(account.token, **changes)
    still_talks(raw)


def test_names_of_headers_regard_no_case(raw, account):
    key = new_key()
    head = upgrade_head(account.token, key=key).decode()
    first, _, rest = head.partition("\r\n")
    lines = [f"{name.upper()}:{value}" if i % 2 else f"{name.lower()}:{value}"
             for i, (name, _, value) in enumerate(
                 line.partition(":") for line in rest.split("\r\n") if line)]
    raw.send("\r\n".join([first] + lines) + "\r\n\r\n")
    raw.opened(key)
    still_talks(raw)


@pytest.mark.parametrize("chunk", [1, 2, 7, 50])
def test_a_handshake_in_pieces(raw, account, chunk):
    key = new_key()
    raw.send(upgrade_head(account.token, key=key), chunk)
    raw.opened(key)
    still_talks(raw)


@pytest.mark.parametrize("count", [1, 3, 20, 200])
def test_frames_sent_before_the_answer_are_read_or_refused(raw, account, count):
    # A client MUST wait for the answer (4.1). What does not is taken as far as
    # the library can, and never for something else.
    key = new_key()
    texts = [echo_text() for _ in range(count)]
    raw.send(upgrade_head(account.token, key=key)
             + b"".join(frame(text) for text, _ in texts))
    raw.opened(key)
    try:
        assert raw.json(lambda event: True)["type"] == "user_info"
        for _, mark in texts:
            echoed(raw, mark)
    except Ended as end:
        assert count > 1 and end.close[0] in (1002, 1007)


def test_bad_frames_straight_behind_the_handshake(raw, account):
    key = new_key()
    raw.send(upgrade_head(account.token, key=key) + frame(b"{}", rsv=7))
    raw.opened(key)
    assert raw.closing()[0] in (1002, 1007)


def test_white_space_around_values_is_no_part_of_them(raw, account):
    raw.open(account.token, Sec_WebSocket_Version="  13 \t",
             Connection=" \tUpgrade\t ")
    still_talks(raw)


def test_white_space_behind_the_key_makes_no_wrong_accept(raw, account):
    refused(raw, upgrade_head(account.token, key=new_key() + " \t"), 400)


def test_the_accept_of_the_standard_s_own_example(raw, account):
    answer = raw.open(account.token, key="dGhlIHNhbXBsZSBub25jZQ==")
    assert answer.one("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


# ---- 4.2.2: subprotocols and extensions ----------------------------------------------

@pytest.mark.parametrize("offer", [
    "permessage-deflate", "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_max_window_bits=8, permessage-deflate",
    "x-webkit-deflate-frame", "foo, bar; baz=2", "permessage-deflate; bad=="])
def test_no_extension_is_taken(raw, account, offer):
    answer = raw.open(account.token, Sec_WebSocket_Extensions=offer)
    assert answer.one("sec-websocket-extensions") is None
    still_talks(raw)
    raw.send(frame(b"{}", rsv=4))
    assert raw.closing()[0] == 1002


@pytest.mark.parametrize("offer", ["chat", "chat, superchat", "x" * 90])
def test_no_subprotocol_we_do_not_speak_is_promised(raw, account, offer):
    raw.send(upgrade_head(account.token, Sec_WebSocket_Protocol=offer))
    try:
        answer = raw.response()
    except Ended:
        return
    assert answer.one("sec-websocket-protocol") is None


# ---- what is refused -----------------------------------------------------------------

@pytest.mark.parametrize("version", [
    "12", "8", "7", "0", "14", "130", "013", "1", "255", "13.0", "x", "-13",
    "13 13", "99999999999999999999"])
def test_another_version_is_426_and_says_which(raw, account, version):
    answer = refused(raw, upgrade_head(
        account.token, Sec_WebSocket_Version=version), 426)
    assert answer.one("sec-websocket-version") == "13"


def test_no_version_is_refused(raw, account):
    refused(raw, upgrade_head(account.token, drop=("Sec-WebSocket-Version",)),
            400, 426)


@pytest.mark.parametrize("key", [
    "", "x", "AAAA", base64.b64encode(b"x" * 15).decode(),
    base64.b64encode(b"x" * 17).decode(), base64.b64encode(b"").decode(),
    base64.b64encode(b"x" * 16).decode()[:-1],
    base64.b64encode(b"x" * 16).decode()[:-2],
    base64.b64encode(b"x" * 16).decode() + "=",
    "AAAAAAAAAAAAAAAAAAAA!A==", "AAAAAAAAAA AAAAAAAAAAAA==", "A" * 22,
    "A" * 24, "AAAAAAAAAAAAAAAAAAAAA-==", "A" * 3000])
def test_a_key_that_is_not_16_bytes_of_base64_is_400(raw, account, key):
    refused(raw, upgrade_head(account.token, Sec_WebSocket_Key=key), 400)


def test_no_key_is_400(raw, account):
    refused(raw, upgrade_head(account.token, drop=("Sec-WebSocket-Key",)), 400)


def test_two_keys_are_refused(raw, account):
    refused(raw, upgrade_head(account.token,
                              more=[("Sec-WebSocket-Key", new_key())]), 400)


def test_two_versions_are_refused(raw, account):
    refused(raw, upgrade_head(account.token,
                              more=[("Sec-WebSocket-Version", "8")]), 400, 426)


@pytest.mark.parametrize("connection", [
    "close", "keep-alive", "upgraded", "not-upgrade", "upgrade2, keep-alive",
    "keep-alive upgrade"])
def test_connection_without_upgrade_is_400(raw, account, connection):
    refused(raw, upgrade_head(account.token, Connection=connection), 400)


def test_no_connection_header_is_400(raw, account):
    refused(raw, upgrade_head(account.token, drop=("Connection",)), 400)


def test_no_host_is_400(raw, account):
    refused(raw, upgrade_head(account.token, drop=("Host",)), 400)


def test_no_upgrade_header_is_426(raw, account):
    answer = raw.ask(upgrade_head(account.token, drop=("Upgrade",)))
    assert answer.status == 426
    assert answer.one("upgrade").lower() == "websocket"


@pytest.mark.parametrize("upgrade", [
    "foo", "h2c", "websockets", "web", "TLS/1.0", "websocket/13"])
def test_another_upgrade_is_no_websocket(raw, account, upgrade):
    # The library answers by itself, as of HTTP/1.0.
    raw.send(upgrade_head(account.token, Upgrade=upgrade))
    data, how = raw.rest()
    assert data.startswith((b"HTTP/1.0 403 ", b"HTTP/1.1 400 ")), data
    assert data.count(b"HTTP/1.") == 1, "a second answer"
    assert how == "fin"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH",
                                    "OPTIONS", "HEAD"])
def test_only_get_opens_a_websocket(raw, account, method):
    raw.send(upgrade_head(account.token, method=method,
                          more=[("Content-Length", "0")]))
    answer = raw.response(method)
    assert answer.status in (400, 404, 405, 426), answer
    assert raw.rest()[1] == "fin"


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/0.9", "HTTP/2.0",
                                     "HTTP/1.2", "HTTP", "HTTQ/1.1", "http/1.1"])
def test_only_http_1_1_opens_a_websocket(raw, account, version):
    raw.send(upgrade_head(account.token, version=version))
    try:
        assert raw.response().status in (400, 426, 505)
    except Ended:
        pass


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws2", "/WS", "/w", "/api/ws",
                                  "/ws/../x", "/index.html", "/api/health"])
def test_only_ws_opens_a_websocket(raw, account, path):
    refused(raw, upgrade_head(account.token, path=path), 404)


@pytest.mark.parametrize("path", ["/ws?", "/ws?x=1", "/ws?x&y=%20&&=", "//ws",
                                  "/./ws", "/x/../ws", "/%77s"])
def test_other_spellings_of_ws(raw, account, path):
    raw.open(account.token, path=path)
    still_talks(raw)


def test_an_absolute_form_is_taken_or_refused_cleanly(raw, account):
    raw.send(upgrade_head(account.token, path="http://parley.test/ws"))
    assert raw.response().status in (101, 400, 404)


def test_a_body_with_a_handshake_is_never_frames(raw, account):
    # Some take a body's bytes for frames: a request within a request.
    text, mark = echo_text()
    body = frame(text)
    raw.send(upgrade_head(account.token,
                          more=[("Content-Length", str(len(body)))]) + body)
    answer = raw.response()
    assert answer.status == 400, answer


@pytest.mark.parametrize("value", ["chunked", "identity", "gzip, chunked"])
def test_a_handshake_with_a_transfer_encoding_is_400(raw, account, value):
    refused(raw, upgrade_head(account.token,
                              more=[("Transfer-Encoding", value)]), 400)


# ---- sizes ---------------------------------------------------------------------------

@pytest.mark.parametrize("size", [1000, 4000, 7000])
def test_large_headers_up_to_the_limit(raw, account, size):
    raw.open(account.token, X_Filler="f" * size)
    still_talks(raw)


@pytest.mark.parametrize("size", [8200, 9000, 20_000, 200_000])
def test_headers_over_the_limit_end_the_connection(gateway, account, size):
    with Raw(gateway) as raw:
        raw.send(upgrade_head(account.token, X_Filler="f" * size))
        try:
            assert raw.response().status in (400, 431)
        except Ended:
            pass


@pytest.mark.parametrize("count", [10, 50, 80])
def test_many_headers_up_to_the_limit(raw, account, count):
    raw.open(account.token, more=[(f"X-H{i}", str(i)) for i in range(count)])
    still_talks(raw)


@pytest.mark.parametrize("count", [2000, 10_000])
def test_too_many_headers_end_the_connection(gateway, account, count):
    with Raw(gateway) as raw:
        raw.send(upgrade_head(account.token,
                              more=[(f"X-{i}", "") for i in range(count)]))
        try:
            assert raw.response().status in (400, 431)
        except Ended:
            pass


@pytest.mark.parametrize("name", ["Cookie", "Host", "Origin", "Connection",
                                  "Sec-WebSocket-Protocol",
                                  "Sec-WebSocket-Extensions", "Authorization",
                                  "Upgrade", "X-Other"])
def test_any_header_may_be_repeated_without_end(gateway, account, name):
    # Refused or not: bounded, and the gateway goes on.
    with Raw(gateway) as raw:
        raw.send(upgrade_head(account.token,
                              more=[(name, "value")] * 1500))
        try:
            assert raw.response().status in (400, 431)
        except Ended:
            pass


@pytest.mark.parametrize("size", [3000, 7000])
def test_a_token_as_long_as_this_is_refused_by_a_close(raw, size):
    raw.open("t" * size)
    assert raw.closing() == (1008, "Unauthorized")


@pytest.mark.parametrize("size", [9000, 100_000])
def test_a_url_over_the_limit_ends_the_connection(gateway, size):
    with Raw(gateway) as raw:
        raw.send(upgrade_head(path="/ws?token=" + "t" * size))
        try:
            assert raw.response().status in (400, 414, 431)
        except Ended:
            pass
