"""Rates per user and per address, connections per address, failed logins, and
whom a proxy in front brings.

All run over one stack of gateways with small limits. Each test calls from
addresses of its own: all of 127.0.0.0/8 is this machine.

SPDX-License-Identifier: MIT
"""

import asyncio
import itertools
import json
import signal
import socket
import struct
import time

import pytest
import websockets

from support import client, hygiene
from support.client import (DEADLINE, PASSWORD, Session, http_form,
                            http_request, message_frame, new_id, new_username,
                            private_chat)
from support.process import poll

# Gateways by what is small there. The first has the defaults.
PLAIN, USERS, ADDRESSES, PROXIED, WRAPPED = range(5)
RARE = "1/d"

LIMITED = {
    "gateway-2": {"rate_sends": "4/s burst 5", "rate_reads": "4/s burst 6",
                  "rate_changes": "4/s burst 4",
                  "rate_searches": f"{RARE} burst 3",
                  "rate_typing": f"{RARE} burst 2",
                  "rate_uploads": f"{RARE} burst 3",
                  "rate_upload_bytes": "1k/d burst 8k",
                  "body_max": "2k", "avatar_max": "3k", "file_max": "6k"},
    "gateway-3": {"rate_address_registrations": f"{RARE} burst 2",
                  "rate_address_logins": f"{RARE} burst 8",
                  "rate_address_login_failures": f"{RARE} burst 4",
                  "rate_address_frames": "4/s burst 6",
                  "rate_address_requests": "4/s burst 20",
                  "address_connections_max": 3,
                  "address_handshakes_max": 2,
                  "rate_address_refusals": f"{RARE} burst 4"},
    "gateway-4": {"rate_address_registrations": f"{RARE} burst 1",
                  "address_connections_max": 2,
                  "trusted_proxies": "127.0.0.1, 10.0.0.0/8, 2001:db8:f::/48"},
    "gateway-5": {"rate_address_registrations": f"{RARE} burst 1",
                  "trusted_proxies": "127.0.0.1", "proxy_protocol": "on"},
    "chatd": {"rate_login_failures": f"{RARE} burst 3",
              "rate_login_failures_name": f"{RARE} burst 6"},
}

_addresses = itertools.count(1)


def address():
    """One of ours that no other test calls from."""
    n = next(_addresses)
    return f"127.1.{n // 250}.{n % 250 + 1}"


@pytest.fixture(scope="module")
def limited(world, tmp_path_factory):
    file = tmp_path_factory.mktemp("limits") / "gateway-1.conf"
    file.write_text("# nothing yet\n")
    # Without TLS whatever the run: many tests here speak byte by byte.
    stack = world.new_stack(
        gateways=5, chatds=2, tls=(),
        settings={**LIMITED, "gateway-1": {"config": file}})
    yield stack
    faults = stack.close()
    assert not faults, "\n".join(faults)


def account(limited, source=None):
    return registered(limited.gateways[PLAIN], source=source)[0]


def registered(gateway, source=None, headers=None):
    """(account or None, answer) of a registration."""
    name = new_username()
    answer = http_request(
        gateway, "POST", "/api/register",
        {"username": name, "password": PASSWORD, "name": name,
         "email": f"{name}@example.org"}, headers, source=source)
    if answer.status != 201:
        return None, answer
    return client.Account(name, name,
                          hygiene.secret(answer.json["token"])), answer


def login(gateway, name, password=PASSWORD, source=None, headers=None):
    return http_request(gateway, "POST", "/api/login",
                        {"username": name, "password": password}, headers,
                        source=source)


def wrong(gateway, name, source=None, headers=None):
    return login(gateway, name, "not the password", source, headers)


def assert_limited(answer):
    assert answer.status == 429, answer
    assert answer.json == {"error": "Too many requests"}
    assert int(answer.headers["Retry-After"]) >= 1


def refused(gateway, kind):
    """How often, by the gateway's own count."""
    _, text = gateway.admin("/metrics")
    return sum(int(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if f'"{kind}"' in line and line.startswith(
                   ("parley_gateway_rate_limited_total",
                    "parley_gateway_connections_refused_total")))


async def pair(limited, gateway):
    ann = await Session.open(limited.gateways[gateway], account(limited),
                             source=address())
    ben = await Session.open(limited.gateways[PLAIN], account(limited))
    return ann, ben, await private_chat(ben, ann)


# ---- users --------------------------------------------------------------------

async def flood(session, requests):
    """Sends all at once; returns the direct answers, which must have come in the
    order of the requests, and the seconds it took."""
    began = time.monotonic()
    mark = session.mark()
    ids = [new_id() for _ in requests]
    for request, request_id in zip(requests, ids):
        await session.send(dict(request, request_id=request_id))

    def answers():
        return [f for f in session.frames[mark:] if f.get("request_id") in ids]
    await session.until(lambda: len(answers()) == len(ids), "all answers")
    assert [f["request_id"] for f in answers()] == ids
    return answers(), time.monotonic() - began


def is_limited(frame):
    return frame["type"] == "error" and frame["reason"] == "rate_limited"


REQUESTS = {
    "sends": (5, lambda chat: {"type": "send_message",
                               **message_frame(chat, "a limited message")}),
    "reads": (6, lambda chat: {"type": "open_chat", "chat_id": chat}),
    "changes": (4, lambda chat: {"type": "change_name", "new_name": "Ann B."}),
}


@pytest.mark.parametrize("kind", REQUESTS)
async def test_a_user_beyond_a_rate_is_told_when_to_come_again(limited, kind):
    burst, request = REQUESTS[kind]
    ann, _, chat = await pair(limited, USERS)
    before = refused(ann.gateway, kind)
    requests = [request(chat) for _ in range(burst + 20)]
    answers, seconds = await flood(ann, requests)
    taken = [not is_limited(a) for a in answers]
    assert all(taken[:burst])
    assert sum(taken) <= burst + 4 * seconds + 1
    assert refused(ann.gateway, kind) - before == taken.count(False)
    for sent, answer in zip(requests, answers):
        if is_limited(answer):
            assert answer["request"] == sent["type"]
            assert answer["chat_id"] == sent.get("chat_id")
            assert answer["front_msg_id"] == \
                sent.get("msg", {}).get("front_msg_id")
            assert 1 <= answer["retry_after_ms"] <= 250
    if taken[-1]:
        return  # So slow a machine that it never met the limit at the end.
    # The promise is what is tested: nobody else asks, so the time is enough.
    await asyncio.sleep(answers[-1]["retry_after_ms"] / 1000)
    again, _ = await flood(ann, [requests[-1]])
    assert not is_limited(again[0])


async def test_what_was_refused_was_not_done(limited):
    ann, ben, chat = await pair(limited, USERS)
    requests = [REQUESTS["sends"][1](chat) for _ in range(15)]
    answers, _ = await flood(ann, requests)
    kept = {a["message"]["id"] for a in answers if not is_limited(a)}
    assert len(kept) < len(requests)
    info = await ben.ask("open_chat", chat_id=chat)
    assert {m["id"] for m in info["chat"]["messages"]} == kept


async def test_the_sessions_of_a_user_share_and_a_new_one_is_no_pardon(limited):
    ann = await Session.open(limited.gateways[USERS], account(limited))
    other = await Session.open(limited.gateways[USERS], ann.account)
    for session in (ann, other, ann):
        assert (await session.ask("search_people", input="x"))["type"] == \
            "search_people_results"
    assert is_limited(await other.ask("search_people", input="x"))
    await ann.close()
    await other.close()
    again = await Session.open(limited.gateways[USERS], ann.account)
    answer = await again.ask("search_people", input="x")
    assert is_limited(answer)
    assert answer["retry_after_ms"] > 1000
    # By HTTP it is the same user, another one is not, nor another gateway.
    path = f"/api/chats/{new_id()}/search?q=x"
    bearer = {"Authorization": "Bearer " + ann.account.token}
    assert_limited(http_request(limited.gateways[USERS], "GET", path,
                                headers=bearer))
    assert http_request(limited.gateways[PLAIN], "GET", path,
                        headers=bearer).status == 404
    ben = await Session.open(limited.gateways[USERS], account(limited))
    assert not is_limited(await ben.ask("search_people", input="x"))


async def test_typing_beyond_its_rate_is_dropped_without_a_word(limited):
    ann, ben, chat = await pair(limited, USERS)
    before = refused(ann.gateway, "typing")
    for i in range(12):
        await ann.send({"type": "typing", "chat_id": chat,
                        "is_typing": i % 2 == 0})
    answer = await ann.say(chat, "the end of the typing")
    await ben.wait("new_message",
                   lambda f: f["message"]["id"] == answer["message"]["id"])
    assert len(ben.all("typing")) <= 2
    assert not ann.all("error")
    assert refused(ann.gateway, "typing") - before == 10


async def test_beyond_a_rate_is_no_abuse(limited):
    """Three times what abuse_max allows, and so much that the connection's
    requests have to rest now and then: all are answered, in order."""
    ann = await Session.open(limited.gateways[USERS], account(limited))
    answers, _ = await flood(ann, 300 * [{"type": "search_people",
                                          "input": "x"}])
    assert sum(map(is_limited, answers)) == 297
    assert ann.gateway.metric("parley_gateway_connections_rested_total") >= 1
    assert ann.is_open()


async def test_a_rate_is_changed_by_sighup(limited):
    gateway = limited.gateways[PLAIN]
    ann = await Session.open(gateway, account(limited))

    async def limited_after(line):
        seen = len(gateway.log_text())
        gateway.settings["config"].write_text(line)
        gateway.child.send_signal(signal.SIGHUP)
        gateway.wait_log("setting_changed key=rate_searches", since=seen)
        answers, _ = await flood(ann, 5 * [{"type": "search_people",
                                            "input": "x"}])
        return [is_limited(a) for a in answers]
    assert await limited_after(f"rate_searches = {RARE} burst 2\n") == \
        [False, False, True, True, True]
    assert not any(await limited_after("rate_searches = off\n"))


def upload(gateway, token, size):
    return http_form(gateway, "/api/chat/upload",
                     {"file": ("a.txt", "text/plain", b"x" * size)},
                     headers={"Authorization": "Bearer " + token})


def test_uploads_are_limited_in_number_and_in_bytes(limited):
    gateway = limited.gateways[USERS]
    many, large = account(limited), account(limited)
    assert [upload(gateway, many.token, 10).status for _ in range(4)] == \
        [200, 200, 200, 429]
    assert_limited(upload(gateway, many.token, 10))
    assert upload(gateway, large.token, 5000).status == 200
    assert_limited(upload(gateway, large.token, 5000))
    assert refused(gateway, "uploads") == 2
    assert refused(gateway, "upload_bytes") == 1


def test_bodies_are_bounded_by_their_settings(limited):
    gateway = limited.gateways[USERS]
    bearer = {"Authorization": "Bearer " + account(limited).token}

    def body(size):
        return json.dumps({"username": "x" * size, "password": PASSWORD})
    assert http_request(gateway, "POST", "/api/login",
                        body(1500)).status == 401
    assert http_request(gateway, "POST", "/api/login",
                        body(2100)).status == 413
    assert upload(gateway, account(limited).token, 6144).status == 200
    assert upload(gateway, account(limited).token, 6145).status == 413
    answer = http_form(gateway, "/api/users/me/avatar", {
        "avatar": ("a.png", "image/png", b"x" * 3073)}, headers=bearer)
    assert answer.status == 400
    assert answer.json == {"error": "Avatar too large"}


# ---- addresses ----------------------------------------------------------------

async def test_the_frames_of_an_address_are_counted_together(limited):
    gateway, here = limited.gateways[ADDRESSES], address()
    ann = await Session.open(gateway, account(limited), source=here)
    ben = await Session.open(gateway, account(limited), source=here)
    ask = {"type": "get_contacts"}
    answers, seconds = await flood(ann, 30 * [ask])
    taken = [not is_limited(a) for a in answers]
    assert all(taken[:6]) and sum(taken) <= 7 + 4 * seconds
    assert sum(not is_limited(a) for a in (await flood(ben, 5 * [ask]))[0]) < 5
    elsewhere = await Session.open(gateway, ann.account, source=address())
    assert not is_limited((await flood(elsewhere, [ask]))[0][0])
    assert ann.is_open() and ben.is_open()


def test_http_beyond_a_rate_is_429_and_another_address_is_not_concerned(
        limited):
    gateway, here = limited.gateways[ADDRESSES], address()
    before = refused(gateway, "address_requests")
    answers = [http_request(gateway, "GET", "/api/health", source=here)
               for _ in range(60)]
    assert all(a.status == 200 for a in answers[:20])
    late = [a for a in answers if a.status != 200]
    assert late
    assert len(late) == refused(gateway, "address_requests") - before
    assert_limited(late[0])
    assert http_request(gateway, "GET", "/api/health",
                        source=address()).status == 200
    time.sleep(int(late[-1].headers["Retry-After"]))
    assert http_request(gateway, "GET", "/api/health",
                        source=here).status == 200


def test_registrations_of_an_address(limited):
    gateway, here = limited.gateways[ADDRESSES], address()
    statuses = [registered(gateway, here)[1].status for _ in range(3)]
    assert statuses == [201, 201, 429]
    assert_limited(registered(gateway, here)[1])
    assert registered(gateway, address())[0] is not None
    # What a client says of itself is not believed.
    assert_limited(registered(gateway, here,
                              {"X-Forwarded-For": "198.51.100.1"})[1])


def test_logins_of_an_address(limited):
    gateway, here = limited.gateways[ADDRESSES], address()
    who = account(limited)
    statuses = [login(gateway, who.username, source=here) for _ in range(9)]
    for answer in statuses[:8]:
        hygiene.secret(answer.json["token"])
    assert [a.status for a in statuses] == 8 * [200] + [429]
    assert_limited(login(gateway, who.username, source=here))
    assert refused(gateway, "address_logins") == 2


def test_failed_logins_of_an_address(limited):
    """At ever new names, there or not; those that succeed cost nothing."""
    gateway, here = limited.gateways[ADDRESSES], address()
    who = account(limited)
    for _ in range(2):
        answer = login(gateway, who.username, source=here)
        hygiene.secret(answer.json["token"])
    statuses = [wrong(gateway, new_username(), here).status for _ in range(5)]
    assert statuses == [401, 401, 401, 401, 429]
    assert_limited(login(gateway, who.username, source=here))
    assert wrong(gateway, new_username(), address()).status == 401


async def connect(gateway, who, source, **more):
    return await Session.open(gateway, who, source=source, wait=False, **more)


async def reopened(gateway, who, source):
    while True:
        session = await connect(gateway, who, source)
        try:
            await session.wait("user_info")
            return session
        except client.Closed:
            await asyncio.sleep(0.2)


async def test_connections_of_an_address(limited):
    gateway, here = limited.gateways[ADDRESSES], address()
    who = account(limited)
    kept = [await Session.open(gateway, who, source=here) for _ in range(3)]
    late = await connect(gateway, who, here)
    assert await late.wait_closed() == (1013, "Too many connections")
    assert not late.frames
    assert_limited(http_request(gateway, "GET", "/api/health", source=here))
    await Session.open(gateway, who, source=address())
    await kept[0].close()

    # The place is free when the gateway has seen the end.
    again = await asyncio.wait_for(reopened(gateway, who, here), DEADLINE)
    assert again.is_open() and kept[1].is_open() and kept[2].is_open()


async def test_who_does_not_stop_connecting_is_not_even_told(limited):
    gateway, here = limited.gateways[ADDRESSES], address()
    who = account(limited)
    for _ in range(3):
        await Session.open(gateway, who, source=here)
    ends = []
    for _ in range(8):
        try:
            late = await connect(gateway, who, here)
            ends.append((await late.wait_closed())[0])
        except (OSError, websockets.InvalidMessage, EOFError):
            ends.append(None)
    assert ends == 4 * [1013] + 4 * [None]
    assert refused(gateway, "connections") >= 8


def raw(gateway, source=None, data=b""):
    link = socket.create_connection(
        (gateway.host, gateway.port), DEADLINE,
        (source, 0) if source else None)
    link.sendall(data)
    return link


GET = b"GET /api/health HTTP/1.1\r\nHost: parley.test\r\n\r\n"


def answered(link):
    """The status line's number; None: closed without a word."""
    with link:
        try:
            head = link.recv(4096)
        except ConnectionResetError:
            return None
    return int(head.split()[1]) if head else None


def test_handshakes_under_way_of_an_address(limited):
    gateway, here = limited.gateways[ADDRESSES], address()
    before = refused(gateway, "handshakes")
    silent = [raw(gateway, here) for _ in range(2)]
    silent[0].sendall(GET[:20])
    # With both accepted, the next is closed at once.
    poll(lambda: answered(raw(gateway, here, GET)) is None, "refusal")
    assert refused(gateway, "handshakes") > before
    assert answered(raw(gateway, address(), GET)) == 200
    # Who has sent a whole request is no longer on the way.
    for link, rest in zip(silent, (GET[20:], GET)):
        link.sendall(rest)
        assert b"200 OK" in link.recv(4096)
    assert answered(raw(gateway, here, GET)) == 200
    for link in silent:
        link.close()


# ---- failed logins ------------------------------------------------------------

def test_guesses_are_bounded_and_the_owner_is_not_locked_out(limited):
    """Guesses at one name from ever new addresses, over two gateways and two
    chatds, in any spelling."""
    home, other_home = address(), address()
    gateways = limited.gateways[PLAIN:USERS + 1]
    owner = account(limited, home)
    answer = login(gateways[1], owner.username, source=other_home)
    hygiene.secret(answer.json["token"])
    spellings = itertools.cycle([owner.username, owner.username.upper(),
                                 owner.username.title()])
    answers = [wrong(gateways[i % 2], next(spellings), address())
               for i in range(14)]
    assert [a.status for a in answers] == 6 * [401] + 8 * [429]
    assert_limited(answers[-1])
    # At home she is served, in spite of all, and after a mistake too.
    assert wrong(gateways[0], owner.username, home).status == 401
    for source in (home, other_home, home):
        answer = login(gateways[0], owner.username, source=source)
        assert answer.status == 200
        hygiene.secret(answer.json["token"])
    # Elsewhere she has to wait: nobody can tell her from the others.
    assert_limited(login(gateways[0], owner.username, source=address()))
    assert sum(c.metric("parley_login_limited_total")
               for c in limited.chatds) >= 9


def test_guesses_from_the_owners_own_address_are_bounded_too(limited):
    gateway, home = limited.gateways[PLAIN], address()
    owner, neighbour = account(limited, home), account(limited, home)
    statuses = [wrong(gateway, owner.username, home).status for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    # It is that name at that address, and nothing else.
    answer = login(gateway, neighbour.username, source=home)
    assert answer.status == 200
    hygiene.secret(answer.json["token"])
    answer = login(gateway, owner.username, source=address())
    assert answer.status == 200
    hygiene.secret(answer.json["token"])


def test_a_name_that_nobody_has_is_answered_alike(limited):
    gateway = limited.gateways[PLAIN]
    nobody, owner = new_username(), account(limited, address()).username
    for name in (nobody, owner):
        answers = [wrong(gateway, name, address()) for _ in range(8)]
        assert [a.status for a in answers] == 6 * [401] + 2 * [429]
        assert {a.body for a in answers[:6]} == \
            {b'{"error":"Invalid credentials"}'}
        assert {a.body for a in answers[6:]} == \
            {b'{"error":"Too many requests"}'}


def test_another_spelling_that_the_database_folds_finds_nobody(limited):
    """The Kelvin sign is a k in lower case, to the database alone: with it one
    could guess on beyond the count of the name."""
    gateway, home = limited.gateways[PLAIN], address()
    name = new_username("kim")
    answer = http_request(gateway, "POST", "/api/register",
                          {"username": name, "password": PASSWORD,
                           "name": "Kim", "email": f"{name}@example.org"})
    assert answer.status == 201
    hygiene.secret(answer.json["token"])
    assert login(gateway, name.replace("k", "\u212a"), source=home).status \
        == 401
    answer = login(gateway, name.upper(), source=home)
    assert answer.status == 200
    hygiene.secret(answer.json["token"])


# ---- proxies ------------------------------------------------------------------

def via(*hops):
    return {"X-Forwarded-For": ", ".join(hops)}


def test_behind_a_trusted_proxy_clients_are_told_apart(limited):
    gateway = limited.gateways[PROXIED]
    for first, same, other in [
            ("198.51.100.1", "198.51.100.1", "198.51.100.2"),
            ("2001:db8:1:1::1", "2001:db8:1:1:ffff::2", "2001:db8:1:2::1"),
            ("198.51.100.3:5123", "198.51.100.3:99", "[2001:db8:1:3::1]:5")]:
        assert registered(gateway, headers=via(first))[0] is not None
        assert_limited(registered(gateway, headers=via(same))[1])
        assert registered(gateway, headers=via(other))[0] is not None


def test_only_what_trusted_proxies_wrote_counts(limited):
    gateway = limited.gateways[PROXIED]
    assert registered(gateway, headers=via("198.51.100.10"))[0] is not None
    # In front stands what the client sent itself; our own proxies, behind.
    for hops in [("203.0.113.1", "198.51.100.10"),
                 ("198.51.100.10", "10.1.2.3"),
                 ("10.0.0.1", "203.0.113.2", "198.51.100.10", "10.9.9.9",
                  "2001:db8:f::1")]:
        assert_limited(registered(gateway, headers=via(*hops))[1])
    # Garbage names nobody: it is the proxy's own request then.
    for garbage in ["junk", "198.51.100.11, junk", "x" * 3000, ",,,"]:
        registered(gateway, headers=via(garbage))
    assert_limited(registered(gateway)[1])
    assert registered(gateway, headers=via("198.51.100.11"))[0] is not None


def test_who_is_no_proxy_is_not_believed(limited):
    gateway, here = limited.gateways[PROXIED], address()
    assert registered(gateway, here, via("198.51.100.20"))[0] is not None
    assert_limited(registered(gateway, here, via("198.51.100.21"))[1])
    assert registered(gateway, headers=via("198.51.100.20"))[0] is not None


def test_failed_logins_are_counted_by_the_clients_behind_a_proxy(limited):
    gateway = limited.gateways[PROXIED]
    owner = account(limited, address())
    one, other = via("198.51.100.30"), via("198.51.100.31")
    statuses = [wrong(gateway, owner.username, headers=one).status
                for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
    assert wrong(gateway, owner.username, headers=other).status == 401


async def test_connections_are_counted_by_the_clients_behind_a_proxy(limited):
    gateway, who = limited.gateways[PROXIED], account(limited)

    async def open_from(client_address, **more):
        return await connect(gateway, who, None,
                             more_headers=via(client_address), **more)
    kept = [await open_from("198.51.100.40") for _ in range(2)]
    for session in kept:
        await session.wait("user_info")
    late = await open_from("198.51.100.40")
    assert await late.wait_closed() == (1013, "Too many connections")
    other = await open_from("198.51.100.41")
    await other.wait("user_info")


# ---- the PROXY protocol ---------------------------------------------------------

def register_request():
    name = new_username()
    body = json.dumps({"username": name, "password": PASSWORD, "name": name,
                       "email": f"{name}@example.org"}).encode()
    return (b"POST /api/register HTTP/1.1\r\nHost: parley.test\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % len(body)) + body


def v1(text):
    return b"PROXY " + text.encode() + b"\r\n"


def v2(family, *addresses, command=1, more=b""):
    body = b"".join(socket.inet_pton(family, a) for a in addresses)
    if addresses:
        body += struct.pack("!HH", 1, 2)
    body += more
    code = {socket.AF_INET: 0x11, socket.AF_INET6: 0x21}.get(family, 0)
    return (b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x20 | command, code]) +
            struct.pack("!H", len(body)) + body)


def wrapped(limited, header, source=None):
    """The status of a registration behind a PROXY header."""
    answer = raw(limited.gateways[WRAPPED], source,
                 header + register_request())
    with answer:
        try:
            text = answer.recv(65536)
        except ConnectionResetError:
            return None
    if b"201" in text[:20]:
        hygiene.secret(json.loads(text.split(b"\r\n\r\n", 1)[1])["token"])
    return int(text.split()[1]) if text else None


def test_a_proxy_header_names_the_client(limited):
    inet, inet6 = socket.AF_INET, socket.AF_INET6
    for header, again in [
            (v1("TCP4 198.51.100.50 192.0.2.1 1 2"),
             v2(inet, "198.51.100.50", "192.0.2.1")),
            (v2(inet6, "2001:db8:5::1", "::1", more=b"\x04\x00\x01X"),
             v1("TCP6 2001:db8:5::2 ::1 3 4")),
            # A health check, or one that will not tell: the proxy itself.
            (v1("UNKNOWN"), v2(inet, "198.51.100.51", "192.0.2.1",
                               command=0))]:
        assert wrapped(limited, header) == 201
        assert wrapped(limited, again) == 429


def test_a_proxy_header_may_come_in_pieces(limited):
    data = v1("TCP4 198.51.100.60 192.0.2.1 1 2") + GET
    with raw(limited.gateways[WRAPPED]) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(data)):
            link.sendall(data[i:i + 1])
        assert b"200 OK" in link.recv(4096)


async def test_a_websocket_behind_a_proxy_header(limited):
    gateway, who = limited.gateways[WRAPPED], account(limited)
    link = raw(gateway, None, v1("TCP4 198.51.100.61 192.0.2.1 1 2"))
    link.setblocking(False)
    socket_ = await websockets.connect(
        f"ws://parley.test/ws?token={who.token}", sock=link)
    assert json.loads(await asyncio.wait_for(socket_.recv(), DEADLINE))[
        "type"] == "user_info"
    await socket_.close()


def test_a_proxy_without_a_proper_header_is_refused(limited):
    gateway = limited.gateways[WRAPPED]
    before = refused(gateway, "proxy")
    for header in [b"", v1("TCP4 x y 1 2"), b"PROXY " + 200 * b"1",
                   v1("TCP4 198.51.100.1 192.0.2.1 1"),
                   b"\r\n\r\n\0\r\nQUIT\n!\x11\xff\xff"]:
        assert wrapped(limited, header) is None
    assert refused(gateway, "proxy") - before == 5
    # Who is none speaks for himself, and needs no header; one is no HTTP.
    here = address()
    assert wrapped(limited, b"", here) == 201
    assert wrapped(limited, b"", here) == 429
    assert wrapped(limited, v1("TCP4 198.51.100.70 192.0.2.1 1 2"),
                   here) not in (200, 201)


# ---- the log --------------------------------------------------------------------

def test_the_log_sums_up_what_was_refused(limited):
    """The last: by now hundreds were refused."""
    gateway = limited.gateways[USERS]
    gateway.wait_log("limits_reached", seconds=DEADLINE + 5)
    lines = [line for line in gateway.log_text().splitlines()
             if "limits_reached" in line]
    assert any(" searches=" in line and " typing=" in line
               for line in lines), lines
    assert len(lines) < 20
    assert refused(gateway, "searches") > 290
