"""What connecting clients ask is answered many at a time: each hears what he
would have heard alone, whoever asks beside him.

SPDX-License-Identifier: MIT
"""

import hashlib
import random
import uuid

from wire import KINDS, Frame


def user_info(session, **other):
    fields = dict(user=session.user, token=session.token, session=session.id)
    return Frame(KINDS["user_info"], **{**fields, **other})


def token_check(text):
    return Frame(KINDS["check_token"], hashlib.sha256(text.encode()).digest())


def people(bench):
    """People with many kinds of chats: read, unread, a group, notes, none."""
    a, b, c, d = (bench.session() for _ in range(4))
    for other in (b, c, a):
        chat = a.ask("create_private_chat",
                     user_id=str(other.user)).frame()["chat"]["id"]
        for writer in (a, other, a):
            assert writer.say(chat, "hello").reason == "ok"
        if other is b:
            b.ask("chat_messages_read", chat_id=chat)
    group = bench.peer.ask(Frame(KINDS["create_group"], {
        "type": "create_group", "name": "Team",
        "member_ids": [str(a.user), str(c.user)]},
        user=b.user, session=b.id, token=b.token)).frame()
    assert c.say(group["chat"]["id"], "to all").reason == "ok"
    return [a, b, c, d]


def expired(bench):
    session = bench.session()
    with bench.stack.postgres.connect(bench.stack.database) as link:
        link.execute("UPDATE tokens SET expires_at = now() WHERE id = %s",
                     [session.token])
    return session


def test_a_storm_of_user_infos(bench):
    everyone = people(bench)
    a, late = everyone[0], expired(bench)
    alone = {s.user: bench.peer.ask(user_info(s)).body for s in everyone}
    assert len(set(alone.values())) == len(everyone)
    asked = [(user_info(s), alone[s.user]) for s in everyone * 12]
    asked += [(user_info(late), "token_expired"),
              (user_info(a, token=uuid.uuid4()), "token_unknown"),
              (user_info(a, token=everyone[1].token), "token_unknown"),
              (user_info(a, user=uuid.uuid4()), "token_unknown")] * 3
    random.Random(5).shuffle(asked)
    replies = bench.peer.ask_all([frame for frame, _ in asked])
    for reply, (_, expected) in zip(replies, asked):
        heard = reply.body if reply.reason == "ok" else reply.reason
        assert heard == expected


def test_a_storm_of_tokens(bench):
    accounts = [bench.register() for _ in range(3)]
    late = expired(bench).account
    asked = [(token_check(account.token),
              ("ok", account.user, account.token_id, account.expires_at))
             for account in accounts * 20]
    asked += [(token_check(late.token), "token_expired"),
              (token_check("nobody's"), "token_unknown")] * 20
    random.Random(6).shuffle(asked)
    replies = bench.peer.ask_all([frame for frame, _ in asked])
    for reply, (_, expected) in zip(replies, asked):
        assert (reply.reason if reply.reason != "ok" else
                ("ok", reply.user, reply.token, reply.seq)) == expected


def test_one_that_the_database_cannot_answer_fails_alone(bench):
    """A row that cannot be read, made by a view in the place of the table."""
    accounts = [bench.register() for _ in range(5)]
    bad = accounts[2]
    with bench.stack.postgres.connect(bench.stack.database) as link:
        link.execute("ALTER TABLE tokens RENAME TO tokens_kept")
        link.execute(
            "CREATE VIEW tokens AS SELECT id, hash, user_id, created_at, "
            f"CASE WHEN id = '{bad.token_id}' AND 1 / (length(hash) - 32) = 0 "
            "THEN created_at ELSE expires_at END AS expires_at, ended_at "
            "FROM tokens_kept")
        link.execute("GRANT SELECT ON tokens TO PUBLIC")
    try:
        replies = bench.peer.ask_all([token_check(a.token) for a in accounts])
    finally:
        with bench.stack.postgres.connect(bench.stack.database) as link:
            link.execute("DROP VIEW tokens")
            link.execute("ALTER TABLE tokens_kept RENAME TO tokens")
    assert [r.reason for r in replies] == \
        ["ok", "ok", "unavailable", "ok", "ok"]
    assert [r.user for r in replies if r.reason == "ok"] == \
        [a.user for a in accounts if a is not bad]
    again = bench.peer.ask(token_check(bad.token))
    assert (again.reason, again.user) == ("ok", bad.user)


# ---- what an item tells, against the plain definition ------------------------

SEQ = 2  # the newest message's; marks below, at it


def people_called(bench, me, count):
    """Accounts; every second one is called something by `me`."""
    with bench.stack.postgres.connect(bench.stack.database) as link:
        users = link.execute(
            "INSERT INTO users (id, username, name, email, password_hash) "
            "SELECT u, 'p' || left(replace(u::text, '-', ''), 20), "
            "'Person ' || i, u || '@x.org', '' "
            "FROM (SELECT gen_random_uuid() AS u, i FROM "
            "generate_series(1, %s) i) p RETURNING id, name",
            [count]).fetchall()
        called = {}
        for i, (user, name) in enumerate(users):
            called[user] = f"Nick {i}" if i % 2 else name
            if i % 2:
                link.execute("INSERT INTO contacts VALUES (%s, %s, %s)",
                             [me.user, user, called[user]])
    return called


def own_name(me):
    return me.user_info()[2]["user"]["name"]


def stored_chat(link, kind, members, sender, announced=0, content="newest"):
    """A chat of members {user: (delivered, read)}; returns its id."""
    chat = uuid.uuid4()
    link.execute(
        "INSERT INTO chats (id, kind, name, private_key, last_seq, "
        "last_message_at, announced_seq) VALUES (%s, %s, %s, %s, %s, "
        "now() - random() * interval '1 day', %s)",
        [chat, kind, "Group" if kind else None,
         None if kind else ":".join(sorted(map(str, members))),
         SEQ if sender else 0, announced])
    for user, (delivered, read) in members.items():
        link.execute("INSERT INTO members (chat_id, user_id, delivered_seq, "
                     "read_seq) VALUES (%s, %s, %s, %s)",
                     [chat, user, delivered, read])
    for seq in range(1, SEQ + 1) if sender else ():
        link.execute("INSERT INTO messages VALUES (%s, %s, gen_random_uuid(), "
                     "%s, gen_random_uuid(), 0, %s, NULL, now())",
                     [chat, seq, sender, content if seq == SEQ else "older"])
    return str(chat)


def state_of(members, sender, announced):
    others = [marks for user, marks in members.items() if user != sender]
    if all(read >= SEQ for _, read in others):
        return "read"
    if announced >= SEQ or all(got >= SEQ for got, _ in others):
        return "delivered"
    return "sent"


MARKS = [(d, r) for d in range(SEQ + 1) for r in range(d + 1)]


def test_private_items_tell_who_the_other_is_and_how_far_the_last_got(bench):
    me = bench.session()
    cases = [(mine, theirs, announced, by_me) for mine in MARKS
             for theirs in MARKS for announced in (0, SEQ)
             for by_me in (True, False, None)]
    called, name = people_called(bench, me, len(cases)), own_name(me)
    expected = {}
    with bench.stack.postgres.connect(bench.stack.database) as link:
        for other, (mine, theirs, announced, by_me) in zip(called, cases):
            members = {me.user: mine, other: theirs}
            if by_me is None:
                expected[stored_chat(link, 0, members, None)] = (
                    str(other), called[other], None)
                continue
            sender = me.user if by_me else other
            chat = stored_chat(link, 0, members, sender, announced)
            expected[chat] = (str(other), called[other], (
                "outgoing" if by_me else "incoming",
                name if by_me else called[other],
                state_of(members, sender, announced)))
        order = [str(row[0]) for row in link.execute(
            "SELECT id FROM chats JOIN members ON chat_id = id "
            "WHERE user_id = %s ORDER BY date_trunc('milliseconds', "
            "coalesce(last_message_at, created_at)) DESC, id DESC",
            [me.user])]
    items = me.user_info()[2]["last_chats"]
    assert [i["id"] for i in items] == order and len(items) == len(cases)
    for i in items:
        last = i["last_message"]
        heard = (i["other_user_id"], i["name"], last and
                 (last["type"], last["sender_name"], last["state"]))
        assert heard == expected[i["id"]]


def test_group_items_name_who_wrote_last(bench):
    me = bench.session()
    called, name = people_called(bench, me, 2), own_name(me)
    expected = {}
    with bench.stack.postgres.connect(bench.stack.database) as link:
        for marks in MARKS:
            for sender in (me.user, *called):
                members = {me.user: (SEQ, SEQ), **dict.fromkeys(called, marks)}
                expected[stored_chat(link, 1, members, sender)] = (
                    name if sender == me.user
                    else called[sender], state_of(members, sender, 0))
    items = me.user_info()[2]["last_chats"]
    assert len(items) == len(expected)
    for i in items:
        assert i["name"] == "Group" and i["other_user_id"] is None
        assert (i["last_message"]["sender_name"],
                i["last_message"]["state"]) == expected[i["id"]]


def test_items_of_notes_and_of_whose_account_is_gone(bench):
    me = bench.session()
    gone, = people_called(bench, me, 1)
    with bench.stack.postgres.connect(bench.stack.database) as link:
        notes = stored_chat(link, 0, {me.user: (0, 0)}, me.user)
        lost = stored_chat(link, 0, {me.user: (0, 0), gone: (SEQ, SEQ)}, gone)
        link.execute("DELETE FROM users WHERE id = %s", [gone])
    items = {i["id"]: i for i in me.user_info()[2]["last_chats"]}
    assert items[notes]["other_user_id"] == str(me.user)
    assert items[notes]["last_message"]["state"] == "read"
    assert items[lost]["other_user_id"] == str(gone)
    assert items[lost]["name"] == "" == \
        items[lost]["last_message"]["sender_name"]


def test_the_last_text_is_cut_by_characters(bench):
    """200 of them, however many bytes each has."""
    me = bench.session()
    texts = ["x" * 200, "x" * 201, "é" * 100, "é" * 101, "é" * 200, "é" * 201,
             "😀" * 50, "😀" * 51, "😀" * 200, "😀" * 201]
    with bench.stack.postgres.connect(bench.stack.database) as link:
        chats = {}
        for text in texts:
            other, = people_called(bench, me, 1)
            chat = stored_chat(link, 0, {me.user: (0, 0), other: (0, 0)},
                               other, content=text)
            chats[chat] = text[:200]
    heard = {i["id"]: i["last_message"]["content"]
             for i in me.user_info()[2]["last_chats"]}
    assert heard == chats
