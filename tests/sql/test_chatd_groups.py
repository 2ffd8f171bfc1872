"""Groups, asked of chatd itself: pictures, turns, what is published to whom.

SPDX-License-Identifier: MIT
"""

import json
import threading
import uuid

from support.process import poll
from wire import KINDS, Ear, Frame


def create(admin, *members):
    frame = admin.frame("create_group",
                        member_ids=[str(m.user) for m in members])
    return admin.peer.ask(Frame(
        frame.kind, dict(json.loads(frame.body), name="G"), user=frame.user,
        session=frame.session, token=frame.token))


def found(admin, *members):
    reply = create(admin, *members)
    assert reply.reason == "ok", reply.body
    return str(reply.chat)


def set_avatar(bench, asker, chat, url):
    return bench.peer.ask(Frame(
        KINDS["set_group_avatar"], {"chat_id": str(chat), "avatar_url": url},
        user=asker.user, chat=uuid.UUID(str(chat))))


def avatar_of(bench, chat):
    return bench.stack.sql("SELECT avatar_url FROM chats WHERE id = %s",
                           chat)[0][0]


URL = "http://parley.test/media/new.png"


def test_an_admin_s_picture_is_stored_and_told_to_all(bench):
    a, b = bench.session(), bench.session()
    chat = found(a, b)
    ear = bench.ear(a, b)
    reply = set_avatar(bench, a, chat, URL)
    assert (reply.reason, reply.json()) == ("ok", {"avatar_url": URL})
    heard = {e.topic: e for e in ear.hear(2)}
    for s in (a, b):
        event = heard[f"user:{s.user}"]
        assert event.frame == {"type": "group_avatar_updated",
                               "chat_id": chat, "avatar_url": URL}
    assert avatar_of(bench, chat) == URL


def test_only_an_admin_sets_the_picture_of_a_group_that_exists(bench):
    a, b, eve = bench.session(), bench.session(), bench.session()
    chat = found(a, b)
    for s in (b, eve):
        reply = set_avatar(bench, s, chat, URL)
        assert (reply.reason, reply.json()) == \
            ("unauthorized", {"error": "Not allowed"})
    assert avatar_of(bench, chat) is None


def test_a_picture_may_be_there_before_its_group(bench):
    a, b, chat = bench.pair()
    for where in (uuid.uuid4(), chat):
        reply = set_avatar(bench, a, where, URL)
        assert (reply.reason, reply.json()) == ("ok", {"avatar_url": URL})
    assert avatar_of(bench, chat) is None


def test_answers_teach_the_session(bench):
    a, b = bench.session(), bench.session()
    reply = create(a, b)
    assert (str(reply.chat), reply.seq) == (reply.frame()["chat"]["id"], 0)
    chat = str(reply.chat)
    reply = a.ask("remove_member", chat_id=chat, member_id=str(b.user))
    assert (reply.reason, str(reply.chat), reply.seq) == ("ok", chat, 1)
    reply = a.ask("remove_member", chat_id=chat, member_id=str(a.user))
    assert (reply.reason, str(reply.chat), reply.seq) == ("ok", chat, 0)


def test_changes_at_once_are_told_in_the_order_they_were_made(bench):
    a, b = bench.session(), bench.session()
    chat = found(a, b)
    ear = bench.ear(b)
    peers = [bench.new_peer() for _ in range(4)]

    def rename(peer, number):
        replies = peer.ask_all([
            a.frame("change_group_name", chat_id=chat,
                    new_name=f"name {number} {i}") for i in range(50)])
        assert all(r.reason == "ok" for r in replies)
    threads = [threading.Thread(target=rename, args=(p, n))
               for n, p in enumerate(peers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heard = ear.hear(200)
    assert len(heard) == 200
    stored = bench.stack.sql("SELECT name FROM chats WHERE id = %s", chat)
    assert heard[-1].frame["new_name"] == stored[0][0]


def test_leaving_and_coming_at_once_end_as_they_are_stored(bench):
    a, b = bench.session(), bench.session()
    chat = found(a, b)
    ear = bench.ear(b)
    peers = [bench.new_peer() for _ in range(2)]

    def change(peer, name, fields):
        for _ in range(60):
            peer.ask(a.frame(name, chat_id=chat, **fields))
    threads = [
        threading.Thread(target=change, args=(
            peers[0], "add_members", {"member_ids": [str(b.user)]})),
        threading.Thread(target=change, args=(
            peers[1], "remove_member", {"member_id": str(b.user)}))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kinds = [e.kind for e in ear.hear(1000, 1)]
    inside = True
    for kind in kinds:
        assert kind == ("chat_lost" if inside else "chat_added"), kinds
        inside = not inside
    assert inside == bool(bench.stack.sql(
        "SELECT 1 FROM members WHERE chat_id = %s AND user_id = %s", chat,
        b.user))


def test_a_list_of_members_is_published_once_with_nicknames(bench):
    a, b, c = (bench.session() for _ in range(3))
    chat = found(a, b)
    a.ask("add_contact", user_id=str(b.user))
    a.ask("change_nickname", user_id=str(b.user), new_nickname="Bee")
    b.ask("add_contact", user_id=str(a.user))
    b.ask("change_nickname", user_id=str(a.user), new_nickname="Ay")
    ear = bench.ear()
    personal = bench.ear(a, b, c)
    reply = a.ask("add_members", chat_id=chat, member_ids=[str(c.user)])
    assert reply.reason == "ok"
    event, = ear.hear(1)
    assert event.kind == "spread" and event.skip == a.id
    assert set(event.spread) == {a.user, b.user}
    names = {s: {m["user_id"]: m["nickname"]
                 for m in json.loads(event.spread[s.user])["members"]}
             for s in (a, b)}
    assert names[a] == {str(a.user): None, str(b.user): "Bee",
                        str(c.user): None}
    assert names[b] == {str(a.user): "Ay", str(b.user): None,
                        str(c.user): None}
    added, = personal.hear(1)
    assert (added.topic, added.kind) == (f"user:{c.user}", "chat_added")
    personal.silence()


SPREADS = "parley_chatd_message_spreads"


def told(bench, on):
    """Waits until chatd has heard of Redis whether all gateways know spreads."""
    poll(lambda: bench.stack.chatds[0].metric(SPREADS) == on, "count")


def large_group(new_bench):
    """Four of whom one calls the sender by a name of his own."""
    bench = new_bench(settings={"chatd": {"message_spread_min": 2}})
    a, b, c, d = (bench.session() for _ in range(4))
    b.ask("add_contact", user_id=str(a.user))
    b.ask("change_nickname", user_id=str(a.user), new_nickname="Ay")
    return bench, (a, b, c, d), found(a, b, c, d)


def test_a_message_to_many_is_told_once(new_bench):
    bench, (a, b, c, d), chat = large_group(new_bench)
    told(bench, 1)
    gateway = Ear(bench.stack.redis, topics=("spreads", "gateways"))
    personal = bench.ear(a, b, c, d)
    assert a.say(chat, "to all").reason == "ok"
    event, = gateway.hear(1)
    assert (event.topic, event.kind, event.seq, event.chat, event.skip) == (
        "spreads", "message_spread", 1, chat, a.id)
    assert set(event.spread) == {c.user, d.user}
    message = event.frame["message"]
    assert message["type"] == "incoming"
    heard = {e.topic: e for e in personal.hear(2)}
    assert set(heard) == {f"user:{a.user}", f"user:{b.user}"}
    assert {e.kind for e in heard.values()} == {"message"}
    names = [heard[f"user:{s.user}"].frame["message"]["sender_name"]
             for s in (a, b)]
    assert names == [message["sender_name"], "Ay"]
    personal.silence()
    gateway.silence()


def test_a_gateway_of_the_release_before_misses_nothing(new_bench):
    """It hears the topic of its users and `gateways`. What it may have missed
    before it was noticed it is told to catch up on."""
    bench, (a, b, c, d), chat = large_group(new_bench)
    told(bench, 1)
    older = Ear(bench.stack.redis)
    resync, = older.hear(1)
    assert resync.kind == "resync" and 1000 <= resync.seq < 60000
    told(bench, 0)
    personal = bench.ear(a, b, c, d)
    assert a.say(chat, "to each").reason == "ok"
    heard = personal.hear(4)
    assert {(e.topic, e.kind) for e in heard} == {
        (f"user:{s.user}", "message") for s in (a, b, c, d)}
    older.silence()
    older.pubsub.close()
    told(bench, 1)


def crowd(bench, founder, count):
    """A group of so many, most of whom never connect."""
    chat = found(founder)
    bench.stack.sql("""
        WITH u AS (
            INSERT INTO users (id, username, name, email, password_hash)
            SELECT gen_random_uuid(), 'xx' || i, 'X', 'x@' || i, ''
            FROM generate_series(2, %s) i RETURNING id)
        INSERT INTO members (chat_id, user_id) SELECT %s, id FROM u
        RETURNING 1""", count, chat)
    return chat


def large_chats(bench):
    return bench.stack.chatds[0].metric("parley_writer_large_chats")


def test_private_messages_do_not_wait_for_a_large_group(new_bench):
    """Its row is held, as by receipts of many; what is sent there waits, and
    nothing else does. A group counts as large by its last message."""
    bench = new_bench()
    a, b, private = bench.pair()
    chat = crowd(bench, a, 64)
    assert large_chats(bench) == 0
    assert a.say(chat, "one").json()["message"]["seq"] == 1
    assert large_chats(bench) == 1
    beside = bench.new_peer()
    with bench.stack.postgres.connect(bench.stack.database) as link:
        link.execute("BEGIN")
        link.execute("SELECT FROM chats WHERE id = %s FOR UPDATE", (chat,))
        beside.send_batch([a.message(chat, "two")])
        poll(lambda: bench.stack.sql(
            "SELECT FROM pg_locks WHERE NOT granted"), "send that waits")
        for n in range(3):
            assert b.say(private, f"not behind it {n}").reason == "ok"
        link.execute("COMMIT")
    reply, = beside.receive_batch()
    assert (reply.reason, reply.json()["message"]["seq"]) == ("ok", 2)
    bench.stack.sql("DELETE FROM members WHERE chat_id = %s AND user_id IN "
                    "(SELECT id FROM users WHERE username LIKE 'xx2%%') "
                    "RETURNING 1", chat)
    assert a.say(chat, "three").json()["message"]["seq"] == 3
    assert large_chats(bench) == 0
    assert a.say(chat, "four").json()["message"]["seq"] == 4


def test_emptied_groups_are_purged_and_forgotten(bench):
    a = bench.session()
    chat = found(a)
    a.say(chat, "soon nobody can read this")
    a.ask("remove_member", chat_id=chat, member_id=str(a.user))
    for _ in range(200):
        if not bench.stack.sql("SELECT 1 FROM emptied_groups") and \
                not bench.stack.sql("SELECT 1 FROM messages WHERE "
                                    "chat_id = %s", chat):
            break
        threading.Event().wait(0.05)
    else:
        raise AssertionError("messages or the note of them stay")


# ---- changes that were missed ------------------------------------------------

CHANGE = 5


def ask_as(session, name, **fields):
    frame = session.frame(name)
    reply = session.peer.ask(Frame(
        frame.kind, dict(fields, type=name), user=frame.user,
        session=frame.session, token=frame.token))
    assert reply.reason == "ok", reply.body
    return reply


def test_each_change_of_a_group_has_a_number_and_is_told_with_it(bench):
    a, b, c = bench.session(), bench.session(), bench.session()
    chat = found(a, b)
    ear = bench.ear(b)
    asked = [
        ask_as(a, "change_group_name", chat_id=chat, new_name="One"),
        ask_as(a, "change_group_description", chat_id=chat,
               new_description="Two"),
        ask_as(a, "add_members", chat_id=chat, member_ids=[str(c.user)]),
        ask_as(a, "add_members", chat_id=chat, member_ids=[str(c.user)]),
        ask_as(a, "give_admin", chat_id=chat, user_id=str(b.user)),
        ask_as(a, "remove_member", chat_id=chat, member_id=str(c.user))]
    assert [r.seq for r in asked] == [1, 2, 3, 3, 4, 5]
    heard = ear.hear(4)
    assert [(e.change, e.frame["type"]) for e in heard] == [
        (1, "group_name_change_result"), (2, "group_description_change_result"),
        (4, "admin_given_to_member"), (5, "chat_member_removed")]
    # The only admins leave: the heir's news are a change of their own.
    ask_as(b, "remove_member", chat_id=chat, member_id=str(b.user))
    d = bench.session()
    ask_as(a, "add_members", chat_id=chat, member_ids=[str(d.user)])
    ear = bench.ear(d)
    reply = ask_as(a, "remove_member", chat_id=chat, member_id=str(a.user))
    assert (str(reply.chat), reply.seq) == (chat, 0)
    assert [(e.change, e.frame["type"]) for e in ear.hear(2)] == [
        (8, "chat_member_removed"), (9, "admin_given_to_member")]
    d.user_info()
    assert d.versions[chat] == 9


def test_catch_up_tells_what_of_a_group_has_changed_and_nothing_else(bench):
    a, b, c = bench.session(), bench.session(), bench.session()
    chat, other = found(a, b), found(a, b)
    b.user_info()
    assert b.versions == {chat: 0, other: 0}
    ask_as(a, "change_group_name", chat_id=chat, new_name="First")
    ask_as(a, "change_group_description", chat_id=chat, new_description="D")
    ask_as(a, "add_members", chat_id=chat, member_ids=[str(c.user)])
    ask_as(a, "change_group_name", chat_id=chat, new_name="Second")
    set_avatar(bench, a, chat, URL)
    known = {chat: (0, True, 0), other: (0, True, 0)}
    more, parts = b.catch_up(known)
    assert not more
    assert [(kind, place, version, frame["type"])
            for kind, place, version, frame in parts] == [
        (CHANGE, chat, 5, "chat_members_added"),
        (CHANGE, chat, 5, "group_avatar_updated"),
        (CHANGE, chat, 5, "group_description_change_result"),
        (CHANGE, chat, 5, "group_name_change_result")]
    members, avatar, description, name = (p[3] for p in parts)
    assert {m["user_id"] for m in members["members"]} == \
        {str(s.user) for s in (a, b, c)}
    assert members["added_user_ids"] == []
    assert avatar["avatar_url"] == URL
    assert description["new_description"] == "D"
    assert (name["new_name"], name["changer_user_id"]) == \
        ("Second", str(a.user))
    # Told up to 3: the name and the picture are newer.
    more, parts = b.catch_up({chat: (0, True, 3), other: (0, True, 0)})
    assert [p[3]["type"] for p in parts] == [
        "group_avatar_updated", "group_name_change_result"]
    assert b.catch_up({chat: (0, True, 5)}) == (False, [])
    # Not the group's business of one who is out.
    eve = bench.session()
    (part,) = eve.catch_up({chat: (0, True, 0)})[1]
    assert part[3]["type"] == "chat_member_removed"


def test_catch_up_tells_many_groups_in_parts(bench):
    a, b = bench.session(), bench.session()
    chats = [found(a, b) for _ in range(20)]
    for chat in chats:
        ask_as(a, "give_admin", chat_id=chat, user_id=str(b.user))
    known = {chat: (0, True, 0) for chat in chats}
    told, asked = set(), 0
    more = True
    while more:
        more, parts = b.catch_up(known)
        asked += 1
        for kind, chat, version, frame in parts:
            assert (kind, version) == (CHANGE, 1) and chat not in told
            assert {m["role"] for m in frame["members"]} == {"admin"}
            told.add(chat)
            known[chat] = (0, True, version)
    assert told == set(chats) and asked > 1
