"""Accounts, tokens and people, asked of chatd itself.

SPDX-License-Identifier: MIT
"""

import struct
import time
import uuid

from wire import Event, check_token


def errors(reply):
    assert reply.reason == "rejected", reply.reason
    return reply.json()["errors"]


def test_register_and_login(bench):
    account = bench.register()
    assert len(account.token) == 43
    reply = bench.peer.call("login", {"username": account.username.upper(),
                                      "password": account.password})
    assert reply.reason == "ok"
    token = reply.json()["token"]
    assert token != account.token
    assert check_token(bench.peer, token).user == account.user
    assert account.expires_at / 1000 - time.time() > 29 * 86400


def test_the_token_itself_is_not_stored(bench):
    account = bench.register()
    rows = bench.stack.sql("SELECT t::text FROM tokens t WHERE user_id = %s",
                           account.user)
    assert rows and account.token not in rows[0][0]
    rows = bench.stack.sql("SELECT u::text FROM users u WHERE id = %s",
                           account.user)
    assert "argon2id" in rows[0][0] and account.password not in rows[0][0]


def test_login_says_nothing_of_who_exists(bench):
    account = bench.register()
    for name in (account.username, "nobody_here"):
        reply = bench.peer.call("login", {"username": name,
                                          "password": "wrong password"})
        assert reply.reason == "credentials"
        assert reply.json() == {"error": "Invalid credentials"}
    reply = bench.peer.call("login", {"username": account.username})
    assert reply.reason == "invalid_field"
    assert reply.json() == {"error": "Bad request"}
    assert bench.peer.call("login", b"{").json() == {"error": "Bad request"}


def test_register_tells_the_first_failing_rule_of_each_field(bench):
    taken = bench.register()
    good = {"username": "ok_name", "password": "12345678", "name": "N",
            "email": "ok@example.org"}
    blank = "can't be blank"
    cases = [
        ({"username": None}, {"username": blank}),
        ({"username": "   "}, {"username": blank}),
        ({"username": "ab"},
         {"username": "should be at least 3 character(s)"}),
        ({"username": "a" * 31},
         {"username": "should be at most 30 character(s)"}),
        ({"username": "a b c"}, {"username": "can only contain letters, "
                                             "numbers, and underscores"}),
        ({"username": "añb"}, {"username": "can only contain letters, "
                                           "numbers, and underscores"}),
        ({"username": taken.username.upper()},
         {"username": "has already been taken"}),
        ({"email": taken.username.upper() + "@EXAMPLE.org"},
         {"email": "has already been taken"}),
        ({"email": ""}, {"email": blank}),
        ({"email": "a@b@c"}, {"email": "has invalid format"}),
        ({"email": "a b@c"}, {"email": "has invalid format"}),
        ({"password": ""}, {"password": blank}),
        ({"password": "1234567"},
         {"password": "should be at least 8 character(s)"}),
        ({"password": "x" * 129},
         {"password": "should be at most 128 character(s)"}),
        ({"name": " \t"}, {"name": blank}),
        ({"name": "n" * 51}, {"name": "should be at most 50 character(s)"}),
        ({"username": taken.username, "password": "x", "name": None,
          "email": "x"},
         {"username": "has already been taken", "name": blank,
          "password": "should be at least 8 character(s)",
          "email": "has invalid format"}),
    ]
    for change, expected in cases:
        reply = bench.peer.call("register", {**good, **change})
        assert errors(reply) == expected, change
    assert bench.stack.sql("SELECT 1 FROM users WHERE username = 'ok_name'") \
        == []
    assert bench.peer.call("register", {**good, "username": 5}).json() \
        == {"error": "Bad request"}
    # A picture from elsewhere than our own store.
    assert bench.peer.call("register", {
        **good, "avatar_url": "https://evil.example/x.png"}).json() \
        == {"error": "Bad request"}


def test_names_are_stored_trimmed(bench):
    s = bench.session(name="\u2003 Ana \n")
    assert s.user_info()[2]["user"]["name"] == "Ana"


def test_the_same_registration_twice_at_once(bench):
    from wire import KINDS, Frame
    other = bench.new_peer(2)
    body = {"username": "r" + uuid.uuid4().hex[:8], "password": "12345678",
            "name": "N", "email": uuid.uuid4().hex + "@example.org"}
    for peer in (bench.peer, other):
        peer.send_batch([Frame(KINDS["register"], body) for _ in range(8)])
    replies = bench.peer.receive_batch() + other.receive_batch()
    assert [r.reason for r in replies].count("ok") == 1
    for r in replies:
        if r.reason != "ok":
            assert "has already been taken" in errors(r).values()


def test_logout_ends_the_token_everywhere(bench):
    account = bench.register()
    s = bench.session(account)
    ear = bench.ear(s)
    reply = s.ask("logout")
    assert reply.reason == "ok"
    (event,) = ear.hear()
    assert event.kind == "token_ended" and event.token == account.token_id
    assert event.skip == s.id
    assert check_token(bench.peer, account.token).reason == "token_unknown"
    assert s.user_info()[0].reason == "token_unknown"
    assert held(bench, account.token_id) == [0]


def held(bench, *tokens):
    body = struct.pack(">I", len(tokens)) + b"".join(t.bytes for t in tokens)
    reply = bench.peer.call("check_held_tokens", body)
    assert reply.reason == "ok"
    (count,) = struct.unpack_from(">I", reply.body)
    return list(struct.unpack_from(f">{count}Q", reply.body, 4))


def test_held_tokens(bench):
    a, b = bench.register(), bench.register()
    assert held(bench, a.token_id, uuid.uuid4(), b.token_id) == \
        [a.expires_at, 0, b.expires_at]
    assert held(bench) == []


def test_an_expired_token(bench):
    account = bench.register()
    with bench.stack.postgres.connect(bench.stack.database) as link:
        link.execute("UPDATE tokens SET expires_at = now() WHERE id = %s",
                     [account.token_id])
    assert check_token(bench.peer, account.token).reason == "token_expired"
    assert bench.session(account).user_info()[0].reason == "token_expired"
    assert held(bench, account.token_id) == [0]


def test_a_grace_after_logout(new_bench):
    bench = new_bench(settings={"chatd": {"logout_grace": "1h"}})
    account = bench.register()
    s = bench.session(account)
    ear = bench.ear(s)
    assert s.ask("logout").reason == "ok"
    ear.silence()
    assert check_token(bench.peer, account.token).reason == "ok"
    rows = bench.stack.sql("SELECT ended_at FROM tokens WHERE id = %s",
                           account.token_id)
    assert rows == [(None,)]


def test_bad_bodies_of_calls_are_refused(bench):
    for name in ("check_token", "check_held_tokens", "report_delivered",
                 "presence_changed", "catch_up"):
        for body in (b"", b"\xff" * 7, b"\xff" * 300):
            reply = bench.peer.call(name, body)
            assert reply.reason in ("bad_envelope", "too_large"), name


# ---- people ---------------------------------------------------------------------


def contact(bench, owner, user, nickname=None):
    with bench.stack.postgres.connect(bench.stack.database) as link:
        link.execute("INSERT INTO contacts (owner_id, user_id, nickname) "
                     "VALUES (%s, %s, %s)", [owner.user, user.user, nickname])


def test_person_info(bench):
    a, b, chat = bench.pair()
    contact(bench, a, b, "Bee")
    info = a.ask("get_person_info", person_id=str(b.user),
                 request_id="r-1").frame()
    assert info["request_id"] == "r-1"
    info = info["person_info"]
    assert info["private_chat_id"] == chat
    assert info["contact_info"]["nickname"] == "Bee"
    assert info["contact_info"]["owner_user_id"] == str(a.user)
    assert info["status"] == "Offline" and info["last_seen_at"] is None
    assert info["avatar_url"] == "http://parley.test/default-avatar.svg"
    info = b.ask("get_person_info", person_id=str(a.user)).frame()
    assert info["person_info"]["contact_info"] is None
    me = a.ask("get_person_info", person_id=str(a.user)).frame()
    assert me["person_info"]["private_chat_id"] is None
    assert me["person_info"]["status"] == "Online"
    nobody = a.ask("get_person_info", person_id=str(uuid.uuid4())).frame()
    assert nobody["person_info"] is None


def test_search(bench):
    x = "q" + uuid.uuid4().hex[:6]
    a = bench.session(username=f"{x}_asker", name="Zoe")
    prefix_user = bench.session(username=f"{x}b", name="Zed")
    prefix_name = bench.session(name=f"{x.upper()}é Ünal")
    inside_user = bench.session(username=f"z_{x}", name="Zed")
    inside_name = bench.session(name=f"The {x}")
    nicked = bench.session(name="Someone")
    nicked_inside = bench.session(name="Someone else")
    contact(bench, a, nicked, f"{x} friend")
    contact(bench, a, nicked_inside, f"my {x}")

    def search(text):
        frame = a.ask("search_people", input=text).frame()
        return [uuid.UUID(p["id"]) for p in frame["search_people_results"]]

    assert search(x) == [s.user for s in (
        nicked, a, prefix_user, prefix_name, nicked_inside, inside_user,
        inside_name)]
    assert search(f"  {x.upper()}E uNAL ") == [prefix_name.user]
    assert search("  ") == [] and search("%") == [] and search("\\") == []
    assert search(x[:-1] + "_") == []
    assert a.user in search("_asker")
    assert search("x" * 5000) == []
    other = inside_user.ask("search_people", input=f"{x} friend").frame()
    assert other["search_people_results"] == []


def test_search_gives_fifty_at_most(bench):
    a = bench.session()
    x = "z" + uuid.uuid4().hex[:6]
    with bench.stack.postgres.connect(bench.stack.database) as link:
        link.execute(
            "INSERT INTO users (id, username, name, email, password_hash) "
            "SELECT gen_random_uuid(), %s || i, 'N', %s || i, '' "
            "FROM generate_series(1, 70) i", [x, x])
    frame = a.ask("search_people", input=x).frame()
    assert len(frame["search_people_results"]) == 50


# ---- presence -------------------------------------------------------------------


def change(bench, user, online, version, at=None, peer=None):
    at = at if at is not None else int(time.time() * 1000)
    body = struct.pack(">I", 1) + struct.pack(
        ">16sBQQ", user.bytes, online, at, version)
    peer = peer or bench.peer
    assert peer.call("presence_changed", body).reason == "ok"
    return at


def test_presence_is_told_to_those_who_may_know(bench):
    a, b, _ = bench.pair()
    owner, stranger = bench.session(), bench.session()
    contact(bench, owner, a)
    ear = bench.ear(a, b, owner, stranger)
    change(bench, a.user, True, 10)
    heard = ear.hear(2)
    assert {e.topic for e in heard} == {f"user:{b.user}", f"user:{owner.user}"}
    for e in heard:
        assert e.frame == {"type": "user_status_changed",
                           "user_id": str(a.user), "is_online": True,
                           "last_seen_at": None}
    at = change(bench, a.user, False, 11, 1770000000123)
    assert at and [e.frame["last_seen_at"] for e in ear.hear(2)] == \
        ["2026-02-02T02:40:00.123Z"] * 2
    # Late news of an earlier change.
    change(bench, a.user, True, 9)
    ear.silence()
    # The same again is no news from who has told it; another's publish may have
    # been lost.
    change(bench, a.user, False, 11, 1770000000123)
    ear.silence()
    change(bench, a.user, False, 11, 1770000000123, bench.new_peer(2))
    assert len(ear.hear(2)) == 2
    me = a.user_info()[2]["user"]
    assert me["last_seen_at"] == "2026-02-02T02:40:00.123Z"


def test_presence_in_groups_up_to_a_size(new_bench):
    bench = new_bench(settings={"chatd": {"status_group_max": 3}})
    people = [bench.session() for _ in range(4)]
    group = uuid.uuid4()
    with bench.stack.postgres.connect(bench.stack.database) as link:
        link.execute("INSERT INTO chats (id, kind, name) VALUES (%s, 1, 'G')",
                     [group])
        for s in people[:3]:
            link.execute("INSERT INTO members (chat_id, user_id) "
                         "VALUES (%s, %s)", [group, s.user])
        ear = bench.ear(*people)
        change(bench, people[0].user, True, 1)
        assert {e.topic for e in ear.hear(2)} == \
            {f"user:{s.user}" for s in people[1:3]}
        ear.silence()
        link.execute("INSERT INTO members (chat_id, user_id) VALUES (%s, %s)",
                     [group, people[3].user])
        change(bench, people[0].user, False, 2)
        ear.silence()


def test_many_changes_at_once(bench):
    from wire import KINDS, Frame
    a, b, _ = bench.pair()
    others = [uuid.uuid4() for _ in range(900)]
    changes = [(u, True, 5) for u in others] + [(a.user, True, 5)]
    body = struct.pack(">I", len(changes)) + b"".join(
        struct.pack(">16sBQQ", u.bytes, up, 0, v) for u, up, v in changes)
    ear = bench.ear(b)
    reply = bench.peer.ask(Frame(KINDS["presence_changed"], body))
    assert reply.reason == "ok"
    (event,) = ear.hear()
    assert isinstance(event, Event) and event.frame["user_id"] == str(a.user)
