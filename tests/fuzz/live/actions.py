"""What a client of this fuzzer may wish to do, in order as far as it can be: HTTP
requests and the requests of a WebSocket.

SPDX-License-Identifier: MIT
"""

import json
import uuid

from support.rawws import upgrade_head

from .spoil import chance, spoil_bytes, spoil_value

BOUNDARY = "live-fuzz"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15"
TEXTS = ["hello", "\u00e9\u2603\U0001f600", "a" * 49, "two\nlines", "<b>&amp;",
         "0", "http://parley.test/media/x.png"]


class Pool:
    """What the strangers know: ids of their own and, learnt somewhere, of the
    pair's, which must not help them."""

    def __init__(self, accounts, users, chats):
        self.accounts = accounts
        self.users = users
        self.chats = chats
        self.fronts = [str(uuid.UUID(int=i)) for i in range(1, 20)]

    def user(self, rng):
        return rng.choice(self.users)

    def chat(self, rng):
        return rng.choice(self.chats) if chance(rng, .9) else \
            str(uuid.UUID(int=rng.getrandbits(128)))

    def front(self, rng):
        return rng.choice(self.fronts) if chance(rng, .2) else \
            str(uuid.UUID(int=rng.getrandbits(128), version=4))


def request(rng, pool):
    """One of the requests of a WebSocket."""
    chat, user, text = pool.chat(rng), pool.user(rng), rng.choice(TEXTS)
    users = [pool.user(rng) for _ in range(rng.choice([0, 1, 2, 5]))]
    kinds = [
        {"type": "open_chat", "chat_id": chat},
        {"type": "send_message", "chat_id": chat,
         "msg": {"chat_id": chat, "front_msg_id": pool.front(rng),
                 "content": text, "format": rng.choice(
                     ["text", "text", "image", "file", "video", "audio"]),
                 "filename": rng.choice(TEXTS)}},
        {"type": "send_message",
         "msg": {"chat_id": chat, "front_msg_id": pool.front(rng),
                 "content": text}},
        {"type": "chat_messages_read", "chat_id": chat},
        {"type": "get_contacts"},
        {"type": "get_person_info", "person_id": user},
        {"type": "search_people", "input": rng.choice(["", "u_", "a", text])},
        {"type": "create_private_chat", "user_id": user},
        {"type": "change_name", "new_name": text},
        {"type": "change_username",
         "new_username": "f_%x" % rng.getrandbits(40)},
        {"type": "change_nickname", "user_id": user, "new_nickname": text},
        {"type": "add_contact", "user_id": user},
        {"type": "delete_contact", "user_id": user},
        {"type": "create_group", "name": text, "description": text,
         "member_ids": users},
        {"type": "change_group_name", "chat_id": chat, "new_name": text},
        {"type": "change_group_description", "chat_id": chat,
         "new_description": text},
        {"type": "give_admin", "chat_id": chat, "user_id": user},
        {"type": "add_members", "chat_id": chat, "member_ids": users},
        {"type": "remove_member", "chat_id": chat, "member_id": user},
        {"type": "get_messages", "chat_id": chat,
         "before_seq": rng.randrange(50), "limit": rng.choice([1, 50, 100])},
        {"type": "sync", "chats": [{"chat_id": pool.chat(rng), "last_seq": 0}
                                   for _ in range(rng.choice([0, 1, 3, 20]))]},
        {"type": "typing", "chat_id": chat, "is_typing": True},
    ]
    made = rng.choice(kinds)
    if chance(rng, .01):
        made = {"type": "logout"}
    if chance(rng, .5):
        made["request_id"] = "r%d" % rng.getrandbits(30)
    return made


# ---- HTTP ------------------------------------------------------------------------------

def handshake(rng, token):
    """(the request for a WebSocket, with the token in one of its places; whether
    it is in order)."""
    place = rng.randrange(3)
    changes, path = {}, "/ws"
    if place == 0:
        path += "?token=" + token
    elif place == 1:
        changes["Cookie"] = "a=b; token=" + token
    head = upgrade_head(token if place == 2 else None, path=path, **changes)
    spoilt = spoil_head(rng, head, .08)
    return spoilt, spoilt == head


def spoil_head(rng, head, share):
    if not chance(rng, share):
        return head
    what = rng.randrange(5)
    line = rng.choice([
        b"Content-Length: 5", b"Content-Length: 99999999",
        b"Transfer-Encoding: chunked", b"X: " + b"x" * 9000, b"Host: other",
        b"Connection: close", b"Expect: 100-continue", b"Upgrade: h2c",
        b"Sec-WebSocket-Version: 8", b"Range: bytes=0-0, 5-", b"no colon",
        b" folded", b"Origin: null", b"X:\xff\x00", b"Cookie: token=",
        b"Sec-WebSocket-Extensions: permessage-deflate",
        b"Authorization: Bearer " + b"t" * 3000])
    if what == 0:
        return spoil_bytes(rng, head)
    if what == 1:
        return head.replace(b"\r\n", b"\n")
    if what == 2:
        method = rng.choice([b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b"TRACE",
                             b"XYZ", b"PRI"])
        return method + head[head.index(b" "):]
    end = head.index(b"\r\n") + 2
    return head[:end] + (line + b"\r\n") * (200 if what == 3 and
                                            chance(rng, .1) else 1) + head[end:]


def multipart(rng, name, data):
    parts = [(name, 'filename="f.png"', data)]
    if chance(rng, .2):
        parts *= 2
    if chance(rng, .2):
        parts.insert(0, ("x" * rng.choice([1, 64, 65]), "", b"y" * 50))
    body = b"".join(
        b"--%s\r\nContent-Disposition: form-data; name=\"%s\"; %s\r\n\r\n%s\r\n"
        % (BOUNDARY.encode(), n.encode(), f.encode(), d) for n, f, d in parts)
    return body + b"--%s--\r\n" % BOUNDARY.encode()


def http(rng, pool, token):
    """(method, bytes of a request, whether its head is in order)."""
    chat, user = pool.chat(rng), pool.user(rng)
    method, path, kind, body = rng.choice([
        ("GET", "/api/health", "", b""), ("GET", "/", "", b""),
        ("GET", "/api/docs", "", b""), ("GET", "/media/x.png", "", b""),
        ("HEAD", "/index.html", "", b""),
        ("GET", f"/api/chats/{chat}/search?q=" + rng.choice(["a", "%20", "%zz",
                                                             "hello"]), "", b""),
        ("DELETE", f"/api/chats/{chat}/members/{user}", "", b""),
        ("POST", f"/api/chats/{chat}/members", "application/json",
         {"member_ids": [user]}),
        ("POST", "/api/login", "application/json",
         {"username": "nobody", "password": "wrong password"}),
        ("POST", "/api/register", "application/json",
         {"username": "r_%x" % rng.getrandbits(40), "name": "R",
          "password": "long enough", "email": "bad address"}),
        ("POST", "/api/users/me/avatar", "form", ("avatar", PNG)),
        ("POST", f"/api/groups/{chat}/avatar", "form", ("avatar", PNG)),
        ("POST", "/api/chat/upload", "form",
         ("file", rng.randbytes(rng.choice([0, 10, 5000, 70_000])))),
        ("POST", "/api/register", "form", ("avatar", PNG)),
    ])
    if kind == "form":
        body = multipart(rng, *body)
        kind = f"multipart/form-data; boundary={BOUNDARY}"
    elif kind:
        if chance(rng, .3):
            body = spoil_value(rng, body)
        body = json.dumps(body).encode()
    if body and chance(rng, .25):
        body = spoil_bytes(rng, body)
    length = len(body)
    exact = not chance(rng, .04)
    if not exact:
        length = rng.choice([0, 1, length + 1, length * 2, 70_000, 30_000_000])
    head = f"{method} {path} HTTP/1.1\r\nHost: parley.test\r\n"
    if chance(rng, .8):
        head += f"Authorization: Bearer {token}\r\n"
    if kind:
        head += f"Content-Type: {kind}\r\n"
    if method == "POST" or length:
        head += f"Content-Length: {length}\r\n"
    head = (head + "\r\n").encode()
    spoilt = spoil_head(rng, head, .15)
    return method, spoilt + body, exact and spoilt == head
