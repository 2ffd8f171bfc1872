#!/usr/bin/python3
"""Demonstration people and chats, made through the public interface.

    demo.py http://127.0.0.1:8080

Makes demo1, demo2 and demo3 (password "password") and chats between them. Every
step may be repeated: who exists is logged in instead, and a message already sent
is known by its front_msg_id.

SPDX-License-Identifier: MIT
"""

import asyncio
import json
import sys
import urllib.error
import urllib.request
import uuid

import websockets

PASSWORD = "password"
PEOPLE = {"demo1": "Ada Demo", "demo2": "Ben Demo", "demo3": "Cleo Demo"}
CHATS = [
    ("demo1", "demo2", [
        ("demo1", "Good morning! Did the parcel come?"),
        ("demo2", "It did, just now. Thank you!"),
        ("demo1", "Lovely. Shall we try it on Saturday?"),
        ("demo2", "Saturday is good. Ten o'clock?"),
        ("demo1", "Ten it is."),
    ]),
    ("demo3", "demo1", [
        ("demo3", "Hello, this is Cleo. Ben gave me your name."),
        ("demo3", "Is there room for a third on Saturday?"),
    ]),
]
NAMESPACE = uuid.UUID("6f0d9c54-2c0e-4f0e-9a55-6c1f4f6a7d11")
ANSWER_SECONDS = 15


def post(url, body):
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def token_of(base, username):
    login = {"username": username, "password": PASSWORD}
    status, answer = post(base + "/api/login", login)
    if status == 200:
        return answer["token"]
    person = dict(login, name=PEOPLE[username],
                  email=username + "@example.org")
    status, answer = post(base + "/api/register", person)
    if status != 201:
        raise RuntimeError(f"{username} could not be registered: {answer}")
    return answer["token"]


class Person:
    """One connection; answers are told apart by their request_id."""

    def __init__(self, socket):
        self.socket = socket
        self.id = None

    async def receive(self, wanted):
        while True:
            text = await asyncio.wait_for(self.socket.recv(), ANSWER_SECONDS)
            frame = json.loads(text)
            if wanted(frame):
                return frame

    async def ask(self, frame):
        frame["request_id"] = str(uuid.uuid4())
        await self.socket.send(json.dumps(frame))
        answer = await self.receive(
            lambda f: f.get("request_id") == frame["request_id"])
        if answer["type"] == "error":
            raise RuntimeError(f"{frame['type']} was refused: {answer}")
        return answer


async def connect(base, username):
    url = "ws" + base[4:] + "/ws"
    token = token_of(base, username)
    # The token in the query: how headers are given differs between the
    # releases of the library.
    person = Person(await websockets.connect(f"{url}?token={token}"))
    info = await person.receive(lambda f: f["type"] == "user_info")
    person.id = info["user"]["id"]
    return person


async def make(base):
    people = {}
    try:
        for username in PEOPLE:
            people[username] = await connect(base, username)
        for first, second, lines in CHATS:
            created = await people[first].ask({
                "type": "create_private_chat", "user_id": people[second].id})
            chat = created["chat_item"]["id"]
            for number, (sender, text) in enumerate(lines):
                front = uuid.uuid5(NAMESPACE, f"{chat} {number}")
                await people[sender].ask({
                    "type": "send_message", "chat_id": chat,
                    "msg": {"front_msg_id": str(front), "content": text,
                            "format": "text"}})
    finally:
        for person in people.values():
            await person.socket.close()


def main():
    if len(sys.argv) != 2 or not sys.argv[1].startswith("http://"):
        sys.exit("usage: demo.py http://HOST:PORT")
    try:
        asyncio.run(make(sys.argv[1].rstrip("/")))
    except (OSError, RuntimeError, asyncio.TimeoutError,
            websockets.WebSocketException) as error:
        sys.exit(f"demo.py: {error or 'no answer in time'}")
    print(f"demo people: {', '.join(PEOPLE)}; password: {PASSWORD}")


if __name__ == "__main__":
    main()
