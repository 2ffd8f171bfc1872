"""Attacks by those who may connect: other people's ids in every request, other
sites' pages, forged frames and headers. docs/security.md says which test stands
for which danger; what is tested where the feature is tested is not repeated.

SPDX-License-Identifier: MIT
"""

import asyncio
import hashlib
import json
import re
import socket
import subprocess

import pytest
import redis
from websockets.legacy.client import connect

from support import hygiene
from support.client import (PASSWORD, Session, http_form, http_request,
                            message_frame, new_id, open_sessions,
                            private_chat, register)
from support.process import poll
from support.scene import device, pair, person
from support.stack import ROOT, program

SECRET_NAME = "Hidden group 7f3a"
CONTRACT = (ROOT / "common" / "contract.def").read_text()


def bearer(session):
    return {"Authorization": "Bearer " + session.account.token}


def rows():
    """{request: fields} of the table of what clients may send."""
    return {name: re.findall(r'FIELD\(\w+, \w+, "([\w.]+)"', body)
            for name, body in re.findall(
                r"^REQUEST\(\d+, (\w+),.*\n((?:.*\n)*?)END\(\1\)", CONTRACT,
                re.MULTILINE)}


# ---- other people's chats -------------------------------------------------------

# What a stranger sends besides chat_id, and as what it is refused.
ON_A_CHAT = {
    "open_chat": ({}, "chat_forbidden"),
    "send_message": (None, "chat_forbidden"),
    "chat_messages_read": ({}, "chat_forbidden"),
    "get_messages": ({}, "chat_forbidden"),
    "sync": (None, "chat_forbidden"),
    "typing": ({"is_typing": True}, "chat_forbidden"),
    "change_group_name": ({"new_name": "mine now"}, "not_found"),
    "change_group_description": ({"new_description": "mine"}, "not_found"),
    "give_admin": ({"user_id": "own"}, "not_found"),
    "add_members": ({"member_ids": ["own"]}, "not_found"),
    "remove_member": ({"member_id": "other"}, "not_found"),
}


def test_every_request_that_names_a_chat_is_in_the_list():
    named = {name for name, fields in rows().items()
             if "chat_id" in fields or "chats" in fields}
    assert named == set(ON_A_CHAT)


def filled(value, eve, ann):
    if isinstance(value, list):
        return [filled(v, eve, ann) for v in value]
    return {"own": eve.account.id, "other": ann.account.id}.get(value, value)


async def attack(eve, ann, request, chat_id):
    """The stranger's request and all that she heard from it on."""
    fields, _ = ON_A_CHAT[request]
    mark = eve.mark()
    if request == "send_message":
        answer = await eve.say(chat_id, "let me in, I belong to you")
    elif request == "sync":
        answer = await eve.ask("sync",
                               chats=[{"chat_id": chat_id, "last_seq": 0}])
    else:
        answer = await eve.ask(request, chat_id=chat_id, **{
            key: filled(value, eve, ann) for key, value in fields.items()})
    await eve.fence()
    return answer, json.dumps(eve.frames[mark:])


@pytest.mark.parametrize("request_name", sorted(ON_A_CHAT))
async def test_a_stranger_gets_nothing_of_a_chat_and_changes_nothing(
        stack, request_name):
    ann, ben, private = await pair(stack)
    eve = await person(stack, 1)
    made = await ann.ask("create_group", name=SECRET_NAME,
                         description="for two", member_ids=[ben.account.id])
    group = made["chat_item"]["id"]
    text = "between the two of us " + new_id()
    for chat_id in (private, group):
        mark = ann.mark()
        await ann.say(chat_id, text)
        # Ben's mark moves with it.
        await ann.wait("messages_delivered", since=mark)
        before = await ann.ask("open_chat", chat_id=chat_id)
        marks = ann.mark(), ben.mark()
        answer, heard = await attack(eve, ann, request_name, chat_id)
        refusal = ON_A_CHAT[request_name][1]
        assert answer["type"] == refusal or refusal in json.dumps(answer)
        assert text not in heard and SECRET_NAME not in heard
        assert ann.account.id not in heard
        after = await ann.ask("open_chat", chat_id=chat_id)
        await ben.fence()
        for frame in (before, after):
            frame.pop("request_id")
            for member in frame["chat"]["members"]:
                # Whoever is online, and when he was, is no matter here.
                member.pop("last_seen_at"), member.pop("last_read_at")
            for message in frame["chat"]["messages"]:
                message.pop("state")
        assert after == before
        for session, mark in zip((ann, ben), marks):
            assert not [f for f in session.frames[mark:] if f["type"] not in
                        ("chat_info", "person_info", "messages_delivered",
                         "user_status_changed", "new_message")]


async def test_a_stranger_gets_nothing_over_http(stack):
    ann, ben, private = await pair(stack)
    eve = await person(stack)
    made = await ann.ask("create_group", name=SECRET_NAME, description=None,
                         member_ids=[ben.account.id])
    group = made["chat_item"]["id"]
    await ann.say(group, "searchable words of the group")
    gateway = stack.gateways[1]
    picture = {"avatar": ("x.png", "image/png",
                          b"\x89PNG\r\n\x1a\n" + b"\0" * 64)}
    for chat_id in (private, group):
        for answer in (
                http_request(gateway, "GET",
                             f"/api/chats/{chat_id}/search?q=words", None,
                             bearer(eve)),
                http_request(gateway, "POST", f"/api/chats/{chat_id}/members",
                             {"member_ids": [eve.account.id]}, bearer(eve)),
                http_request(gateway, "DELETE", f"/api/chats/{chat_id}/members"
                             f"/{ann.account.id}", None, bearer(eve))):
            assert answer.status in (403, 404), answer
            assert b"searchable" not in answer.body
    answer = http_form(gateway, f"/api/groups/{group}/avatar", picture,
                       headers=bearer(eve))
    assert answer.status == 403
    chat = (await ann.ask("open_chat", chat_id=group))["chat"]
    assert {m["user_id"] for m in chat["members"]} == \
        {ann.account.id, ben.account.id}


async def test_an_identity_in_the_payload_counts_for_nothing(stack):
    ann, ben, chat_id = await pair(stack)
    claim = {"user_id": ben.account.id, "sender_id": ben.account.id,
             "session": new_id(), "token": ben.account.token,
             "id": new_id(), "time": "2001-01-01T00:00:00.000Z",
             "state": "read", "type": "incoming", "seq": 999}
    frame = message_frame(chat_id, "said by whom?")
    frame["msg"].update(claim)
    answer = await ann.ask("send_message", **{**frame, **{
        k: v for k, v in claim.items() if k != "type"}})
    message = answer["message"]
    assert message["user_id"] == ann.account.id
    assert message["id"] != claim["id"] and message["seq"] == 1
    assert message["time"] > "2020" and message["state"] != "read"
    heard = await ben.wait("new_message")
    assert heard["message"]["user_id"] == ann.account.id


async def test_another_persons_message_key_gives_nobody_his_message(stack):
    """front_msg_id is the sender's: with another's key one sends one's own."""
    ann, ben, chat_id = await pair(stack)
    eve = await person(stack)
    own = await private_chat(eve, ben)
    key = new_id()
    await ann.say(chat_id, "what only Ben may read", front_msg_id=key)
    answer = await eve.say(own, "of my own", front_msg_id=key)
    assert answer["message"]["content"] == "of my own"
    assert answer["message"]["user_id"] == eve.account.id
    assert answer["message"]["chat_id"] == own


# ---- tokens ----------------------------------------------------------------------


def test_tokens_are_long_different_and_kept_as_hashes_alone(stack):
    tokens = [register(stack.gateways[0]).token for _ in range(8)]
    assert len(set(tokens)) == len(tokens)
    for token in tokens:
        # 256 bits, six in a sign.
        assert re.fullmatch(r"[A-Za-z0-9_-]{43,}", token)
    # No two places in which many agree.
    for column in zip(*tokens):
        assert len(set(column)) > 1
    kept = {bytes(row[0]) for row in stack.sql("SELECT hash FROM tokens")}
    assert {hashlib.sha256(t.encode()).digest() for t in tokens} <= kept
    tables = [row[0] for row in stack.sql(
        "SELECT schemaname || '.' || tablename FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")]
    assert tables
    for table in tables:
        text = "".join(row[0] for row in stack.sql(
            f"SELECT t::text FROM {table} t"))
        assert not [t for t in tokens if t in text]
        assert PASSWORD not in text


@pytest.mark.parametrize("change", [
    lambda t: t[:-1], lambda t: t + "A", lambda t: t.swapcase(),
    lambda t: t[::-1], lambda t: "A" * len(t), lambda t: t + "\x7f",
    lambda t: hashlib.sha256(t.encode()).hexdigest()])
async def test_nothing_like_a_token_is_a_token(stack, change):
    account = register(stack.gateways[0])
    session = await Session.open(stack.gateways[0], account, wait=False,
                                 token=change(account.token))
    assert (await session.wait_closed())[0] == 1008
    answer = http_request(
        stack.gateways[0], "POST", "/api/chat/upload", b"",
        {"Authorization": "Bearer " + change(account.token),
         "Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status == 401


# ---- other sites' pages -----------------------------------------------------------


async def handshake(gateway, headers):
    """A WebSocket opened with these headers, once it has a frame or was closed.
    """
    session = Session(gateway, None)
    session.news = asyncio.Condition()
    session.socket = await connect(
        gateway.ws_url("/ws"), ssl=gateway.tls, extra_headers=headers,
        compression=None, max_size=None, close_timeout=2)
    open_sessions.append(session)
    session.reader = asyncio.get_running_loop().create_task(session.read())
    await session.until(lambda: session.frames or session.close_code,
                        "an answer")
    return session


@pytest.mark.parametrize("origin", [
    "https://evil.example", "http://parley.test.evil.example", "null",
    "http://evil.example/parley.test", "http://parley.test@evil.example",
    "http://evilparley.test", "file://", "parley.test"])
async def test_a_foreign_page_cannot_ride_on_the_cookie(stack, origin):
    account = register(stack.gateways[0])
    cookie = {"Cookie": "token=" + account.token, "Origin": origin}
    session = await handshake(stack.gateways[0], cookie)
    assert session.close_code == 1008 and not session.frames


async def test_our_own_page_may_use_the_cookie(stack):
    account = register(stack.gateways[0])
    session = await handshake(stack.gateways[0], {
        "Cookie": "token=" + account.token, "Origin": "http://parley.test"})
    assert session.frames[0]["type"] == "user_info"


async def test_a_page_by_plain_http_is_foreign_where_people_come_by_https(
        new_stack):
    settings = {"public_url": "https://parley.test"}
    stack = new_stack(settings={"gateway": settings, "chatd": settings})
    account = register(stack.gateways[0])
    cookie = "token=" + account.token
    session = await handshake(stack.gateways[0], {
        "Cookie": cookie, "Origin": "http://parley.test"})
    assert session.close_code == 1008 and not session.frames
    session = await handshake(stack.gateways[0], {
        "Cookie": cookie, "Origin": "https://parley.test"})
    assert session.frames[0]["type"] == "user_info"


async def test_a_cookie_opens_nothing_over_http(stack):
    """Nothing that a foreign page's form could send is taken: only Bearer."""
    ann, ben, chat_id = await pair(stack)
    cookie = {"Cookie": "token=" + ann.account.token,
              "Origin": "http://parley.test"}
    for method, path, body in (
            ("GET", f"/api/chats/{chat_id}/search?q=a", None),
            ("POST", f"/api/chats/{chat_id}/members",
             {"member_ids": [ben.account.id]}),
            ("DELETE", f"/api/chats/{chat_id}/members/{ben.account.id}", None)):
        answer = http_request(stack.gateways[0], method, path, body, cookie)
        assert answer.status == 401, (method, path, answer)
    for path in ("/api/chat/upload", "/api/users/me/avatar"):
        answer = http_form(stack.gateways[0], path,
                           {"file": ("a", "text/plain", b"x"),
                            "avatar": ("a", "image/png", b"x")},
                           headers=cookie)
        assert answer.status == 401


async def test_every_answer_forbids_sniffing_and_pages_forbid_framing(stack):
    ann = await person(stack)
    sent = http_form(stack.gateways[0], "/api/chat/upload",
                     {"file": ("page.html", "text/html",
                               b"<script>alert(1)</script>")},
                     headers=bearer(ann))
    media = sent.json["url"][len("http://parley.test"):]
    avatar = ann.info["user"]["avatar_url"][len("http://parley.test"):]
    scripts = sorted("/" + p.name for p in (ROOT / "gateway/www").iterdir()
                     if p.suffix in (".js", ".css", ".html"))
    for path in ["/", "/api/docs", "/api/docs/ws", "/api/health", "/api/none",
                 "/none", media, avatar, *scripts]:
        answer = http_request(stack.gateways[0], "GET", path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        if answer.headers.get_content_type() == "text/html":
            csp = answer.headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in csp, path
            assert "default-src" in csp and "unsafe-eval" not in csp
            assert not re.search(r"script-src[^;]*'unsafe-inline'", csp)
            assert answer.headers["Referrer-Policy"] == "no-referrer"
    served = http_request(stack.gateways[0], "GET", media)
    assert served.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in served.headers["Content-Security-Policy"]
    assert served.headers.get_content_type() == "application/octet-stream"


# ---- headers, logs, paths -----------------------------------------------------------

FORGED = "2026-01-01T00:00:00.000Z error gateway forged_line"


def raw(gateway, request):
    link = gateway.dial()
    link.settimeout(20)
    with link, link.makefile("rb") as stream:
        link.sendall(request)
        link.shutdown(socket.SHUT_WR)
        return stream.read()


@pytest.mark.parametrize("request_line", [
    b"GET /%0d%0a" + FORGED.encode() + b" HTTP/1.1",
    b"GET /x?q=%0d%0aSet-Cookie:%20a=b HTTP/1.1",
    b"GET /media/%0d%0aSet-Cookie:%20a=b HTTP/1.1",
    b"GET /media/..%2f..%2fetc%2fpasswd HTTP/1.1",
    b"GET /media/....//....//etc/passwd HTTP/1.1",
    b"GET //etc/passwd HTTP/1.1", b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1",
    b"GET http://evil.example/ HTTP/1.1",
    b"GET /api/docs/../../etc/passwd HTTP/1.1",
    b"GET /.git/config HTTP/1.1", b"GET /index.html%00.png HTTP/1.1"])
def test_a_path_forges_no_header_no_log_line_and_leads_nowhere(
        stack, request_line):
    answer = raw(stack.gateways[0], request_line.replace(
        FORGED.encode(), FORGED.replace(" ", "%20").encode())
        + b"\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"set-cookie" not in head.lower()
    assert b"evil.example" not in head.lower()
    assert b"root:" not in body and b"[core]" not in body
    for process in stack.processes():
        assert not re.search("^2026-01-01T00:00:00.000Z", process.log_text(),
                             re.MULTILINE)


async def test_what_people_write_forges_no_log_line(stack):
    text = "\n" + FORGED + "\r" + FORGED + "\u2028" + FORGED
    http_request(stack.gateways[0], "POST", "/api/login",
                 {"username": text, "password": "wrong " + text})
    http_request(stack.gateways[0], "POST", "/api/register", {
        "username": text, "password": text, "name": text, "email": text})
    ann = await person(stack)
    for frame in ({"type": text}, {"type": "open_chat", "chat_id": text},
                  {"type": "change_name", "new_name": text[:50]}):
        await ann.send({**frame, "request_id": "r" + new_id()})
    await ann.fence()
    for process in stack.processes():
        assert "forged_line" not in process.log_text().replace("\\n", "")


async def test_a_link_in_a_message_is_fetched_by_nobody(stack):
    """No server of ours looks at what people link to."""
    ann, ben, chat_id = await pair(stack)
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.setblocking(False)
        url = f"http://127.0.0.1:{trap.getsockname()[1]}/x.png"
        await ann.say(chat_id, "look at " + url)
        for kind in ("image", "video", "audio", "file"):
            refused = await ann.say(chat_id, url, format=kind)
            assert refused["reason"] == "invalid_field"
        await ann.ask("create_group", name="g", description=None,
                      avatar_url=url, member_ids=[])
        await ben.wait("new_message")
        await ann.fence()
        with pytest.raises(BlockingIOError):
            trap.accept()


# ---- the sides ------------------------------------------------------------------------


async def test_redis_wants_a_password_and_garbage_in_it_harms_nobody(stack):
    ann, ben, chat_id = await pair(stack)
    stranger = redis.Redis("127.0.0.1", stack.redis.port)
    with pytest.raises(redis.AuthenticationError):
        stranger.publish("gateways", b"x")
    bad = sum(g.metric("parley_gateway_events_bad_total")
              for g in stack.gateways)
    known = stack.redis.connect()
    topic = f"user:{ben.account.id}"
    garbage = [b"", b"\0" * 10, b"\xff" * 300, b"\1\1" + b"\0" * 62,
               b'{"type":"user_info"}']
    for data in garbage:
        known.publish(topic, data)
        known.publish("gateways", data)
    poll(lambda: sum(g.metric("parley_gateway_events_bad_total")
                     for g in stack.gateways) >= bad + 2 * len(garbage),
         "bad events counted")
    mark = ben.mark()
    await ann.say(chat_id, "after the garbage")
    await ben.wait("new_message", since=mark)
    assert {f["type"] for f in ben.frames[mark:]} <= {
        "new_message", "user_status_changed"}


@pytest.mark.parametrize("kind", ["gateway", "chatd", "presenced"])
def test_the_admin_port_is_for_this_machine_alone_by_default(kind):
    text = subprocess.run([program(kind), "--help"], check=True, text=True,
                          capture_output=True).stdout
    default = re.search(r"--admin-listen=.*\n.*\n\s+default: (\S+)", text)
    assert default and default.group(1).startswith("127.0.0.1:")


@pytest.mark.parametrize("kind", ["gateway", "chatd", "presenced"])
def test_the_admin_port_shows_no_secret_and_changes_nothing(stack, kind):
    process = {"gateway": stack.gateways, "chatd": stack.chatds,
               "presenced": stack.presenceds}[kind][0]
    for path in ("/", "/metrics", "/healthz", "/readyz", "/config", "/debug",
                 "/../etc/passwd"):
        _, text = process.admin(path)
        assert not [word for word in hygiene._secrets if word in text]
        assert "root:" not in text


async def test_a_token_ends_everywhere_with_its_logout(stack):
    ann = await person(stack)
    other = await device(stack, ann, 1)
    await ann.send({"type": "logout"})
    assert (await ann.wait_closed())[0] == 1000
    assert (await other.wait_closed())[0] == 1000
    again = await Session.open(stack.gateways[1], ann.account, wait=False)
    assert (await again.wait_closed())[0] == 1008
