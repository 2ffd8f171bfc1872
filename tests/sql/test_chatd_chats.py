"""Chats, sends, receipts, reads and catch-up, asked of chatd itself.

SPDX-License-Identifier: MIT
"""

import os
import signal
import time
import uuid

from support.process import poll
from wire import report

LOST, ADDED, MESSAGE, RECEIPT = 2, 1, 3, 4


def group_of(bench, *people, name="G"):
    group = uuid.uuid4()
    with bench.stack.postgres.connect(bench.stack.database) as link:
        link.execute("INSERT INTO chats (id, kind, name, description) "
                     "VALUES (%s, 1, %s, 'D')", [group, name])
        for s in people:
            join(link, group, s)
    return str(group)


def join(link, group, s):
    link.execute(
        "INSERT INTO members (chat_id, user_id, joined_seq, delivered_seq, "
        "read_seq, announced_seq) SELECT id, %s, last_seq, last_seq, last_seq, "
        "last_seq FROM chats WHERE id = %s", [s.user, group])


def contact(bench, owner, user, nickname):
    with bench.stack.postgres.connect(bench.stack.database) as link:
        link.execute("INSERT INTO contacts (owner_id, user_id, nickname) "
                     "VALUES (%s, %s, %s)", [owner.user, user.user, nickname])


def message(reply):
    assert reply.reason == "ok", (reply.reason, reply.body)
    frame = reply.frame()
    assert frame["type"] == "new_message"
    assert str(reply.chat) == frame["message"]["chat_id"]
    assert reply.seq == frame["message"]["seq"]
    return frame["message"]


def chat_info(s, chat):
    reply = s.ask("open_chat", chat_id=chat)
    assert reply.reason == "ok", reply.reason
    frame = reply.frame()
    assert frame["type"] == "chat_info"
    assert (str(reply.chat), reply.seq) == (chat, frame["chat"]["last_seq"])
    return frame["chat"]


def states(s, chat):
    return [m["state"] for m in chat_info(s, chat)["messages"]]


def item(s, chat):
    return {c["id"]: c for c in s.user_info()[2]["last_chats"]}[chat]


# ---- chats ----------------------------------------------------------------------


def test_a_new_private_chat_is_told_before_its_answer(bench):
    a, b = bench.session(), bench.session()
    ear = bench.ear(a, b)
    reply = a.ask("create_private_chat", user_id=str(b.user), request_id="x")
    frame = reply.frame()
    chat = frame["chat"]["id"]
    assert (str(reply.chat), reply.seq) == (chat, 0)
    assert frame["request_id"] == "x"
    assert frame["chat_item"]["other_user_id"] == str(b.user)
    assert frame["chat_item"]["name"] == "Name " + b.account.username
    assert frame["chat"]["messages"] == []
    assert {m["user_id"] for m in frame["chat"]["members"]} == \
        {str(a.user), str(b.user)}
    heard = {e.topic: e for e in ear.hear(2)}
    mine, theirs = heard[f"user:{a.user}"], heard[f"user:{b.user}"]
    assert mine.kind == theirs.kind == "chat_added"
    assert mine.skip == a.id and theirs.skip.int == 0
    assert mine.frame["chat"] is theirs.frame["chat"] is None
    assert theirs.frame["chat_item"]["name"] == "Name " + a.account.username
    assert theirs.frame["chat_item"]["status"] == "Online"
    for s, other in ((a, b), (b, a)):
        again = s.ask("create_private_chat", user_id=str(other.user)).frame()
        assert again["chat"]["id"] == chat
    ear.silence()


def test_both_sides_at_once_get_one_chat(bench):
    other = bench.new_peer(2)
    for _ in range(20):
        a, b = bench.session(), bench.session()
        bench.peer.send_batch([a.frame("create_private_chat",
                                       user_id=str(b.user))] * 1)
        other.send_batch([b.frame("create_private_chat",
                                  user_id=str(a.user))])
        one, two = bench.peer.receive_batch()[0], other.receive_batch()[0]
        assert one.frame()["chat"]["id"] == two.frame()["chat"]["id"]


def test_a_notes_chat(bench):
    a = bench.session()
    ear = bench.ear(a)
    frame = a.ask("create_private_chat", user_id=str(a.user)).frame()
    assert len(frame["chat"]["members"]) == 1
    assert frame["chat_item"]["other_user_id"] == str(a.user)
    assert len(ear.hear(1)) == 1
    ear.silence()
    m = message(a.say(frame["chat"]["id"], "note to self"))
    assert m["state"] == "read"
    assert item(a, frame["chat"]["id"])["unread_messages"] == 0
    assert states(a, frame["chat"]["id"]) == ["read"]


def test_a_chat_with_nobody(bench):
    a = bench.session()
    reply = a.ask("create_private_chat", user_id=str(uuid.uuid4()))
    assert reply.reason == "not_found"
    assert reply.frame()["request"] == "create_private_chat"


def test_strangers_are_forbidden(bench):
    a, _, chat = bench.pair()
    stranger = bench.session()
    for chat_id in (chat, str(uuid.uuid4())):
        for name in ("open_chat", "chat_messages_read"):
            reply = stranger.ask(name, chat_id=chat_id)
            assert reply.reason == "chat_forbidden"
            assert reply.frame() == {"type": "chat_forbidden",
                                     "chat_id": chat_id}
        front = str(uuid.uuid4())
        frame = stranger.say(chat_id, "hi", front).frame()
        assert frame == {"type": "chat_forbidden", "chat_id": chat_id,
                         "front_msg_id": front}
    assert chat_info(a, chat)["messages"] == []


# ---- sends ----------------------------------------------------------------------


def test_a_message_reaches_every_member_as_they_see_it(bench):
    a, b, c = bench.session(), bench.session(), bench.session()
    chat = group_of(bench, a, b, c)
    contact(bench, c, a, "Alfa")
    ear = bench.ear(a, b, c)
    front = str(uuid.uuid4())
    own = message(a.say(chat, "héllo ☃ \u0001\"\\", front))
    assert own["type"] == "outgoing" and own["front_msg_id"] == front
    assert own["state"] == "sent" and own["seq"] == 1
    assert own["content"] == "héllo ☃ \u0001\"\\"
    heard = {e.topic: e for e in ear.hear(3)}
    assert {e.kind for e in heard.values()} == {"message"}
    assert {(e.chat, e.seq) for e in heard.values()} == {(chat, 1)}
    assert {e.skip for e in heard.values()} == {a.id}
    mine = heard[f"user:{a.user}"].frame["message"]
    assert mine == own
    for s, name in ((b, "Name " + a.account.username), (c, "Alfa")):
        theirs = heard[f"user:{s.user}"].frame["message"]
        assert theirs["type"] == "incoming"
        assert theirs["front_msg_id"] is None
        assert theirs["sender_name"] == name
        assert theirs["id"] == own["id"] and theirs["time"] == own["time"]
        last = item(s, chat)["last_message"]
        assert last["sender_name"] == name and last["type"] == "incoming"
        assert item(s, chat)["unread_messages"] == 1
        assert chat_info(s, chat)["messages"][0]["sender_name"] == name


def test_validation(bench):
    a, b, chat = bench.pair()
    front = str(uuid.uuid4())
    good = {"front_msg_id": front, "content": "x"}

    def refused(field, **frame):
        reply = a.ask("send_message", **frame)
        assert reply.reason == "invalid_field", (frame, reply.reason)
        error = reply.frame()
        assert error["field"] == field, frame
        assert error["request"] == "send_message"
        return error

    refused("msg", chat_id=chat)
    refused("msg", chat_id=chat, msg=5)
    error = refused("chat_id", msg=good)
    assert error["front_msg_id"] == front and error["chat_id"] is None
    error = refused("chat_id", chat_id=chat,
                    msg=dict(good, chat_id=str(uuid.uuid4())))
    assert error["chat_id"] == chat
    refused("chat_id", chat_id="x", msg=good)
    refused("msg.front_msg_id", chat_id=chat, msg={"content": "x"})
    for content in ("", " \n\u2003", "x" * 5001, None, 7, "a\u0000b"):
        refused("msg.content", chat_id=chat, msg=dict(good, content=content))
    refused("msg.format", chat_id=chat, msg=dict(good, format="gif"))
    refused("msg.filename", chat_id=chat, msg=dict(good, filename="f" * 256))
    for url in ("javascript:alert(1)", "http://elsewhere.test/x",
                "http://parley.test@elsewhere.test/x", "/media/x",
                "http://parley.test:81/x", "https://parley.test/x"):
        refused("msg.content", chat_id=chat,
                msg=dict(good, format="image", content=url))
    m = message(a.ask("send_message", chat_id=chat.upper(), msg=dict(
        good, format="file", content="http://Parley.test:80/media/x",
        filename="x.pdf", chat_id=chat, id="junk", state="read",
        sender_user_id=str(b.user), time="1999", type="incoming")))
    assert m["format"] == "file" and m["filename"] == "x.pdf"
    assert m["user_id"] == str(a.user) and m["state"] == "sent"
    assert message(a.say(chat, "y" * 5000))["content"] == "y" * 5000
    assert message(a.say(chat, "😀" * 5000))["seq"] == 3
    assert len(item(b, chat)["last_message"]["content"]) == 200


def test_bad_json_and_request_id(bench):
    from wire import KINDS, Frame
    a, _, chat = bench.pair()
    reply = bench.peer.ask(Frame(KINDS["send_message"], b'{"type":01}',
                                 user=a.user))
    assert reply.reason == "invalid_json"
    assert reply.frame()["reason"] == "invalid_json"
    frame = a.frame("send_message", request_id="ü1", chat_id=chat,
                    msg={"front_msg_id": str(uuid.uuid4()), "content": "x"})
    assert bench.peer.ask(frame).frame()["request_id"] == "ü1"
    frame = a.frame("open_chat", request_id="z", chat_id="nope")
    assert bench.peer.ask(frame).frame()["request_id"] == "z"


def test_a_thousand_pipelined_sends_keep_their_order(bench):
    a, b, chat = bench.pair()
    ear = bench.ear(b)
    sends = [a.message(chat, f"m{i}") for i in range(1000)]
    replies = bench.peer.ask_all(sends, window=1)
    assert [message(r)["seq"] for r in replies] == list(range(1, 1001))
    heard = [e.frame["message"] for e in ear.hear(1000, 20)]
    assert [m["seq"] for m in heard] == list(range(1, 1001))
    assert [m["content"] for m in heard] == [f"m{i}" for i in range(1000)]
    assert item(b, chat)["unread_messages"] == 1000
    assert item(a, chat)["unread_messages"] == 0
    page = chat_info(b, chat)
    assert page["has_more"] and len(page["messages"]) == 50


def test_sends_of_two_chatds_into_one_chat(bench):
    a, b, chat = bench.pair()
    other = bench.new_peer(2)
    for i in range(10):
        bench.peer.send_batch([a.message(chat, f"a{i}-{j}")
                               for j in range(50)])
        other.send_batch([b.message(chat, f"b{i}-{j}") for j in range(50)])
    seqs = [message(r)["seq"] for _ in range(10)
            for peer in (bench.peer, other) for r in peer.receive_batch()]
    assert sorted(seqs) == list(range(1, 1001))
    rows = bench.stack.sql("SELECT seq, created_at FROM messages "
                           "WHERE chat_id = %s ORDER BY seq", chat)
    assert [r[0] for r in rows] == list(range(1, 1001))
    assert [r[1] for r in rows] == sorted(r[1] for r in rows)


def test_a_repeated_send_finds_the_first_message(bench):
    a, b, chat = bench.pair()
    c = bench.session()
    second_chat = a.ask("create_private_chat",
                        user_id=str(c.user)).frame()["chat"]["id"]
    front = str(uuid.uuid4())
    ear = bench.ear(a, b, c)
    first = message(a.say(chat, "first", front))
    message(b.ask("send_message", msg={
        "front_msg_id": front, "content": "same key, other sender",
        "chat_id": chat}))
    ear.hear(4)
    again = message(a.say(second_chat, "other words", front))
    assert again == first
    heard = ear.hear(2)
    assert {e.topic for e in heard} == {f"user:{a.user}", f"user:{b.user}"}
    assert {e.seq for e in heard} == {first["seq"]}
    ear.silence()
    report(bench.peer, chat, [(b.user, 2)])
    assert message(a.say(chat, "x", front))["state"] == "delivered"
    b.ask("chat_messages_read", chat_id=chat)
    assert message(a.say(chat, "x", front))["state"] == "read"
    assert chat_info(a, chat)["last_seq"] == 2
    assert chat_info(a, second_chat)["last_seq"] == 0


def test_the_same_send_many_times_at_once(bench):
    a, b, chat = bench.pair()
    other = bench.new_peer(2)
    fronts = [str(uuid.uuid4()) for _ in range(20)]
    for peer in (bench.peer, other):
        for _ in range(3):
            peer.send_batch([a.message(chat, "x", f) for f in fronts])
    got = {}
    for peer in (bench.peer, other):
        for _ in range(3):
            for m in map(message, peer.receive_batch()):
                got.setdefault(m["front_msg_id"], set()).add(
                    (m["id"], m["seq"]))
    assert all(len(v) == 1 for v in got.values())
    assert sorted(s for v in got.values() for _, s in v) == \
        list(range(1, 21))


def test_one_bad_row_does_not_fail_its_neighbours(bench):
    """The database refuses a row for its content: here, by a rule of ours."""
    a, b, chat = bench.pair()
    with bench.stack.postgres.connect(bench.stack.database) as link:
        link.execute(
            "CREATE OR REPLACE FUNCTION no_poison() RETURNS trigger AS $$ "
            "BEGIN IF NEW.content = 'poison' THEN RAISE data_exception; "
            "END IF; RETURN NEW; END $$ LANGUAGE plpgsql")
        link.execute("CREATE TRIGGER no_poison BEFORE INSERT ON messages "
                     "FOR EACH ROW EXECUTE FUNCTION no_poison()")
    try:
        replies = bench.peer.ask_all(
            [a.message(chat, "poison" if i == 7 else f"m{i}")
             for i in range(20)])
    finally:
        with bench.stack.postgres.connect(bench.stack.database) as link:
            link.execute("DROP TRIGGER no_poison ON messages")
    bad = replies.pop(7)
    assert bad.reason == "invalid_field"
    assert bad.frame()["field"] == "msg.content"
    assert [message(r)["seq"] for r in replies] == list(range(1, 20))


# ---- receipts -------------------------------------------------------------------


def ids_heard(events):
    for e in events:
        assert e.kind == "receipt"
        assert e.frame["type"] == "messages_delivered"
    return [i for e in events for i in e.frame["message_ids"]]


def test_delivered_is_announced_once(bench):
    a, b, chat = bench.pair()
    sent = [message(a.say(chat, f"m{i}"))["id"] for i in range(3)]
    ear = bench.ear(a, b)
    assert report(bench.peer, chat, [(b.user, 2)]).reason == "ok"
    heard = ear.hear(1)
    assert ids_heard(heard) == sent[:2] and heard[0].seq == 2
    assert states(a, chat) == ["delivered", "delivered", "sent"]
    report(bench.peer, chat, [(b.user, 2), (b.user, 1), (a.user, 3)])
    ear.silence()
    # Beyond the chat, and from a stranger.
    stranger = bench.session()
    report(bench.peer, chat, [(stranger.user, 9), (b.user, 99)])
    assert ids_heard(ear.hear(1)) == sent[2:]
    ear.silence()
    last = message(b.say(chat, "back"))["id"]
    ear.hear(2)
    report(bench.peer, chat, [(a.user, 4)])
    heard = ear.hear(1)
    assert ids_heard(heard) == [last] and heard[0].topic == f"user:{b.user}"


def test_a_group_is_delivered_when_all_others_have_it(bench):
    a, b, c = bench.session(), bench.session(), bench.session()
    chat = group_of(bench, a, b, c)
    by_a = [message(a.say(chat, "1"))["id"]]
    by_c = [message(c.say(chat, "2"))["id"]]
    by_a += [message(a.say(chat, "3"))["id"]]
    ear = bench.ear(a, b, c)
    report(bench.peer, chat, [(b.user, 3)])
    ear.silence()
    # c lags behind, but c's own message has reached all others.
    report(bench.peer, chat, [(a.user, 3)])
    heard = ear.hear(1)
    assert heard[0].topic == f"user:{c.user}" and ids_heard(heard) == by_c
    assert states(c, chat) == ["sent", "delivered", "sent"]
    report(bench.peer, chat, [(c.user, 3)])
    heard = ear.hear(1)
    assert heard[0].topic == f"user:{a.user}" and ids_heard(heard) == by_a
    ear.silence()
    assert states(a, chat) == ["delivered"] * 3


def test_many_become_delivered_at_once(bench):
    a, b, chat = bench.pair()
    replies = bench.peer.ask_all([a.message(chat, "x") for _ in range(1203)])
    sent = [m["id"] for m in sorted(map(message, replies),
                                    key=lambda m: m["seq"])]
    ear = bench.ear(a)
    report(bench.peer, chat, [(b.user, 1203)])
    heard = ear.hear(3)
    assert [len(e.frame["message_ids"]) for e in heard] == [500, 500, 203]
    assert ids_heard(heard) == sent


def test_more_than_one_transaction_names(bench):
    """Beyond the bound of one transaction the rest follows by itself."""
    a, b, chat = bench.pair()
    with bench.stack.postgres.connect(bench.stack.database) as link:
        link.execute(
            "INSERT INTO messages (chat_id, seq, id, sender_id, front_msg_id, "
            "format, content, created_at) SELECT %s, i, gen_random_uuid(), "
            "%s, gen_random_uuid(), 0, 'x', now() "
            "FROM generate_series(1, 12001) i", [chat, a.user])
        link.execute("UPDATE chats SET last_seq = 12001 WHERE id = %s", [chat])
    ear = bench.ear(a)
    report(bench.peer, chat, [(b.user, 12001)])
    ids = ids_heard(ear.hear(25, 10))
    assert len(ids) == len(set(ids)) == 12001
    ear.silence()


def test_who_joins_later_does_not_hold_receipts_back(bench):
    a, b, c = bench.session(), bench.session(), bench.session()
    chat = group_of(bench, a, b)
    message(a.say(chat, "1"))
    report(bench.peer, chat, [(b.user, 1)])
    with bench.stack.postgres.connect(bench.stack.database) as link:
        join(link, chat, c)
    assert states(a, chat) == ["delivered"]
    assert item(c, chat)["unread_messages"] == 0
    ear = bench.ear(a, b, c)
    first = message(a.say(chat, "2"))
    ear.hear(3)
    report(bench.peer, chat, [(b.user, 2)])
    ear.silence()
    report(bench.peer, chat, [(c.user, 2)])
    assert ids_heard(ear.hear(1)) == [first["id"]]


# ---- reads ----------------------------------------------------------------------


def test_reading(bench):
    a, b, chat = bench.pair()
    sent = [message(a.say(chat, f"m{i}"))["id"] for i in range(3)]
    message(b.say(chat, "own"))
    assert item(b, chat)["unread_messages"] == 3
    assert item(a, chat)["unread_messages"] == 1
    ear = bench.ear(a, b)
    reply = b.ask("chat_messages_read", chat_id=chat, request_id="q")
    assert reply.frame() == {"type": "unread_changed", "chat_id": chat,
                             "unread_messages": 0, "request_id": "q"}
    heard = ear.hear(3)
    delivered, own, read = heard
    assert ids_heard([delivered]) == sent
    assert own.topic == f"user:{b.user}" and own.skip == b.id
    assert own.frame["type"] == "unread_changed"
    assert read.topic == f"user:{a.user}" and read.kind == "receipt"
    assert read.frame == {"type": "chat_read", "chat_id": chat,
                          "reader_user_id": str(b.user)}
    assert read.seq == 4
    assert item(b, chat)["unread_messages"] == 0
    assert states(a, chat) == ["read"] * 3 + ["sent"]
    assert b.ask("chat_messages_read", chat_id=chat).reason == "ok"
    ear.silence()
    members = {m["user_id"]: m for m in chat_info(a, chat)["members"]}
    assert members[str(b.user)]["last_read_at"] is not None
    assert members[str(a.user)]["last_read_at"] is None


def test_reading_covers_only_what_was_written_to_the_session(bench):
    a, b, chat = bench.pair()
    for i in range(4):
        message(a.say(chat, f"m{i}"))
        message(b.say(chat, f"own{i}"))
    assert b.ask("chat_messages_read", chat_id=chat, seq=3).reason == "ok"
    assert item(b, chat)["unread_messages"] == 2
    assert states(a, chat)[0:8:2] == ["read", "read", "sent", "sent"]
    assert b.ask("chat_messages_read", chat_id=chat, seq=1).reason == "ok"
    assert item(b, chat)["unread_messages"] == 2
    assert b.ask("chat_messages_read", chat_id=chat, seq=999).reason == "ok"
    assert item(b, chat)["unread_messages"] == 0
    rows = bench.stack.sql("SELECT own_unread FROM members WHERE "
                           "chat_id = %s AND user_id = %s", chat, b.user)
    assert rows == [(0,)]


def test_sending_is_not_reading(bench):
    a, b, chat = bench.pair()
    message(a.say(chat, "1"))
    ear = bench.ear(a)
    message(b.say(chat, "2"))
    assert [e.kind for e in ear.hear(1)] == ["message"]
    ear.silence()
    assert item(b, chat)["unread_messages"] == 1
    # Only own messages above: nobody is told of their being read.
    assert b.ask("chat_messages_read", chat_id=chat).reason == "ok"
    ear.hear(2)
    message(b.say(chat, "3"))
    ear.hear(1)
    assert b.ask("chat_messages_read", chat_id=chat).reason == "ok"
    ear.silence()


# ---- a session's view ------------------------------------------------------------


def test_user_info_lists_chats_by_activity(bench):
    a = bench.session()
    chats = []
    for _ in range(3):
        b = bench.session()
        chats.append(a.ask("create_private_chat",
                           user_id=str(b.user)).frame()["chat"]["id"])
    message(a.say(chats[0], "latest"))
    reply, marks, frame = a.user_info()
    assert [c["id"] for c in frame["last_chats"]] == \
        [chats[0], chats[2], chats[1]]
    assert marks == {chats[0]: (1, 0), chats[1]: (0, 0), chats[2]: (0, 0)}
    assert frame["user"]["email"] == a.account.username + "@example.org"
    assert frame["last_chats"][0]["last_message"]["state"] == "sent"
    assert frame["last_chats"][1]["last_message"] is None


def test_a_group_in_views(bench):
    a, b = bench.session(), bench.session()
    chat = group_of(bench, a, b, name="Team")
    info = chat_info(a, chat)
    assert info["description"] == "D" and info["status"] is None
    entry = item(a, chat)
    assert entry["name"] == "Team" and entry["status"] is None
    assert entry["other_user_id"] is None


def kinds(parts):
    return [p[0] for p in parts]


def test_catch_up_gives_what_is_missing(bench):
    a, b, chat = bench.pair()
    for i in range(5):
        message(a.say(chat, f"m{i}"))
    more, parts = b.catch_up({chat: (3, True)})
    assert not more and kinds(parts) == [MESSAGE, MESSAGE]
    assert [p[2] for p in parts] == [4, 5]
    for p in parts:
        assert p[3]["catch_up"] is True
        assert p[3]["message"]["type"] == "incoming"
    mine = a.catch_up({chat: (4, True)})[1][0][3]["message"]
    assert mine["type"] == "outgoing" and mine["front_msg_id"]
    stranger = bench.session()
    assert [(p[0], p[1]) for p in stranger.catch_up({chat: (0, True)})[1]] == \
        [(LOST, chat)]


def test_catch_up_with_an_unknown_chat(bench):
    a, b, chat = bench.pair()
    message(a.say(chat, "1"))
    parts = b.catch_up({chat: (0, False)})[1]
    assert [(p[0], p[2]) for p in parts] == [(ADDED, 0), (MESSAGE, 1)]
    assert parts[0][3]["type"] == "private_chat_created"
    assert parts[0][3]["chat_item"]["unread_messages"] == 0
    parts = b.catch_up({}, all_chats=True)[1]
    assert kinds(parts) == [ADDED, MESSAGE]
    assert b.catch_up({chat: (1, True)}, all_chats=True)[1] == []
    c = bench.session()
    gone = str(uuid.uuid4())
    assert kinds(c.catch_up({gone: (0, True)}, all_chats=True)[1]) == [LOST]
    group = group_of(bench, a)
    message(a.say(group, "before"))
    with bench.stack.postgres.connect(bench.stack.database) as link:
        join(link, group, c)
    message(a.say(group, "after"))
    parts = c.catch_up({}, all_chats=True)[1]
    assert [(p[0], p[2]) for p in parts] == [(ADDED, 1), (MESSAGE, 2)]
    assert parts[0][3]["type"] == "chat_added"


def test_catch_up_is_cut_and_goes_on(bench):
    a, b, chat = bench.pair()
    bench.peer.ask_all([a.message(chat, f"m{i}") for i in range(1100)])
    after, rounds, seqs = 0, 0, []
    while True:
        more, parts = b.catch_up({chat: (after, True)})
        seqs += [p[2] for p in parts if p[0] == MESSAGE]
        after, rounds = seqs[-1], rounds + 1
        if not more:
            break
    assert seqs == list(range(1, 1101)) and rounds == 3
    big = "x" * 5000
    bench.peer.ask_all([a.message(chat, big) for _ in range(200)])
    more, parts = b.catch_up({chat: (1100, True)})
    assert more and 90 < len(parts) < 130


def test_catch_up_tells_receipts_of_the_time_away(bench):
    a, b, chat = bench.pair()
    first = message(a.say(chat, "1"))["id"]
    message(b.say(chat, "2"))
    b.ask("chat_messages_read", chat_id=chat)
    second = message(a.say(chat, "3"))["id"]
    report(bench.peer, chat, [(b.user, 3)])
    parts = a.catch_up({chat: (3, True)}, away_ms=1000)[1]
    assert [p[3]["type"] for p in parts] == ["messages_delivered", "chat_read"]
    assert parts[0][3]["message_ids"] == [second]
    assert first and parts[1][3]["reader_user_id"] == str(b.user)
    assert parts[1][2] == 2
    assert a.catch_up({chat: (3, True)})[1] == []
    # What he has read himself, his other session may not have heard of.
    own = b.catch_up({chat: (3, True)}, away_ms=1000)[1]
    assert [p[3] for p in own] == [
        {"type": "unread_changed", "chat_id": str(chat),
         "unread_messages": 1}]
    assert own[0][2] == 2


# ---- faults ---------------------------------------------------------------------


def test_the_database_goes_and_comes_back(new_bench):
    bench = new_bench(own_postgres=True)
    a, b, chat = bench.pair()
    message(a.say(chat, "before"))
    chatd, postgres = bench.stack.chatds[0], bench.stack.postgres
    postgres.kill()
    front = str(uuid.uuid4())
    begun = time.monotonic()
    reply = a.say(chat, "while away", front)
    assert reply.reason == "unavailable"
    assert reply.frame()["front_msg_id"] == front
    assert time.monotonic() - begun < 8
    assert chatd.admin("/readyz")[0] == 503
    assert "postgres" in chatd.admin("/readyz")[1]
    postgres.start()
    chatd.wait_ready()
    assert message(a.say(chat, "while away", front))["seq"] == 2
    assert [m["content"] for m in chat_info(b, chat)["messages"]] == \
        ["before", "while away"]


def crash(stack):
    """One backend is killed: PostgreSQL stops all others and recovers."""
    (pid,), = stack.sql("SELECT pid FROM pg_stat_activity WHERE "
                        "application_name = 'parley-chatd' LIMIT 1")
    os.kill(pid, signal.SIGKILL)


def test_sends_under_way_when_the_database_dies(new_bench):
    """What was acknowledged is there, what was not is stored once by repeating."""
    bench = new_bench(own_postgres=True)
    a, b, chat = bench.pair()
    fronts = [str(uuid.uuid4()) for _ in range(640)]
    for i in range(0, 640, 64):
        bench.peer.send_batch([a.message(chat, f, f)
                               for f in fronts[i:i + 64]])
        if i == 320:
            crash(bench.stack)
    acked = {}
    for _ in range(10):
        for r in bench.peer.receive_batch():
            if r.reason == "ok":
                m = message(r)
                acked[m["front_msg_id"]] = m["seq"]
    bench.stack.chatds[0].wait_ready()
    for r in bench.peer.ask_all([a.message(chat, f, f) for f in fronts]):
        m = message(r)
        assert acked.setdefault(m["front_msg_id"], m["seq"]) == m["seq"]
    assert sorted(acked.values()) == list(range(1, 641))
    rows = bench.stack.sql("SELECT count(*), max(seq) FROM messages "
                           "WHERE chat_id = %s", chat)
    assert rows == [(640, 640)]


def test_a_database_that_hangs(new_bench):
    """Its processes stop answering: requests end in time, chatd connects anew,
    and what the stopped ones do when they wake up doubles nothing."""
    bench = new_bench()
    a, b, chat = bench.pair()
    message(a.say(chat, "before"))
    wanted = bench.stack.chatds[0].metric("parley_db_links_wanted")

    def idle():
        # One that is stopped in the middle of something may hold what all
        # others need, so wait until every link is made and rests.
        rows = bench.stack.sql(
            "SELECT pid FROM pg_stat_activity "
            "WHERE datname = current_database() "
            "AND application_name = 'parley-chatd' AND state = 'idle'")
        return [pid for pid, in rows] if len(rows) == wanted else None
    pids = poll(idle, "every link, idle")
    front = str(uuid.uuid4())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        first = a.say(chat, "meanwhile", front)
        assert time.monotonic() - begun < 12
        assert first.reason in ("ok", "unavailable")
        poll(lambda: a.say(chat, "meanwhile", front).reason == "ok",
             "a connection that works", 20)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert message(a.say(chat, "meanwhile", front))["seq"] == 2
    assert message(a.say(chat, "after"))["seq"] == 3
    assert chat_info(b, chat)["last_seq"] == 3


def test_draining_without_redis(new_bench):
    bench = new_bench()
    a, b, chat = bench.pair()
    bench.stack.redis.kill()
    message(a.say(chat, "published to nobody"))
    begun = time.monotonic()
    assert bench.stack.chatds[0].terminate() == 0
    assert time.monotonic() - begun < 5
    bench.stack.redis.start()


def test_redis_away_does_not_stop_sends(new_bench):
    bench = new_bench()
    a, b, chat = bench.pair()
    bench.stack.redis.kill()
    begun = time.monotonic()
    assert message(a.say(chat, "1"))["seq"] == 1
    c = bench.session()
    assert a.ask("create_private_chat", user_id=str(c.user)).reason == "ok"
    assert time.monotonic() - begun < 3
    bench.stack.redis.start()
    bench.stack.chatds[0].wait_ready()
    ear = bench.ear(b)
    assert message(a.say(chat, "2"))["seq"] == 2
    assert 2 in [e.seq for e in ear.hear(2, 2)]


def test_resync_at_start(new_bench):
    bench = new_bench()
    ear = bench.ear()
    chatd = bench.stack.chatds[0]
    chatd.kill()
    chatd.start()
    (event,) = ear.hear(1)
    assert event.kind == "resync" and event.seq >= 1000


def test_draining_answers_what_is_under_way(new_bench):
    bench = new_bench()
    a, b, chat = bench.pair()
    for _ in range(5):
        bench.peer.send_batch([a.message(chat, "x") for _ in range(64)])
    bench.stack.chatds[0].begin_terminate()
    replies = [r for _ in range(5) for r in bench.peer.receive_batch()]
    assert {r.reason for r in replies} <= {"ok", "draining"}
    stored = bench.stack.sql("SELECT count(*) FROM messages "
                             "WHERE chat_id = %s", chat)[0][0]
    assert stored == [r.reason for r in replies].count("ok")
    assert bench.stack.chatds[0].end_terminate() == 0
