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
