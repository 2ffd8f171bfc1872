"""Each rule of the checker rejects a history that breaks it, and none rejects a
good one. A checker that cannot fail is worth nothing.

SPDX-License-Identifier: MIT
"""

from chaos import checker
from chaos.history import (Attempt, Blow, Change, Ended, Forbidden, History,
                           Inbox, Joined, Left, Opened, Presence, Read,
                           Refused, Sample, Seen, Settled, Synced, Told,
                           ToldRead, Token, Upload, Wrong)
from chaos.oracle import Database, Member, Row
from chaos.plan import KINDS, Plan

# Ann (session 1) writes three messages to the chat; ben (session 2) gets them
# live, cleo (session 3) the first by her sync. Sessions 11 to 13 read afresh.
PEOPLE = {"ann": 1, "ben": 2, "cleo": 3}


def seen(at, session, how, seq, state="sent", late=False, sender="ann",
         content=None, id_=None):
    return Seen(at, session, how, "chat", seq, id_ or f"m{seq}", sender,
                f"f{seq}" if session in (1, 11) else None,
                content or f"d{seq}", state, late)


def good():
    h = History()
    for user, session in PEOPLE.items():
        h.add(Opened(0, 0.1, session, user, user + "/phone", "gateway-1"))
        if user != "cleo":
            h.add(Synced(0.2, session, {"chat": 0}))
    for seq in (1, 2, 3):
        h.add(Attempt(seq, 1, "ann", "chat", f"f{seq}", f"d{seq}"))
        h.add(seen(seq + 0.1, 1, "answer", seq))
        h.add(seen(seq + 0.1, 2, "live", seq))
        if seq == 1:
            h.add(seen(1.2, 3, "page", 1))
            h.add(Synced(1.3, 3, {"chat": 1}))
        else:
            h.add(seen(seq + 0.2, 3, "live", seq))
    h.add(Told(4, 1, ("m1", "m2", "m3")))
    h.add(Read(4.1, 4.2, 2, "ben", "chat"))
    h.add(Read(4.1, 4.2, 3, "cleo", "chat"))
    h.add(Sample(4.3, {"chat": (3, 2)}, {("chat", "ben"): (0, 3, 2)}))
    h.add(Sample(4.4, {"chat": (3, 3)}, {("chat", "ben"): (0, 3, 3)}))
    h.add(seen(4.5, 1, "info", 3, "read"))
    h.add(Settled(5, frozenset({1, 2, 3})))
    h.add(Presence(6, "ann", True, True))
    h.add(Upload(6, True, 500, True))
    for user, session in PEOPLE.items():
        h.add(Opened(7, 7.1, session + 10, user, "final", "gateway-1"))
        h.add(Inbox(7.1, user, "chat", 0))
        for seq in (1, 2, 3):
            h.add(seen(7.2, session + 10, "final", seq, "read"))
    return h


def database(**more):
    parts = {
        "rows": [Row("chat", s, f"m{s}", "ann", f"f{s}", f"d{s}")
                 for s in (1, 2, 3)],
        "chats": {"chat": 3},
        "members": {("chat", "ann"): Member(0, 0, 0, 3),
                    ("chat", "ben"): Member(0, 3, 3, 0),
                    ("chat", "cleo"): Member(0, 3, 3, 0)},
        "membership": [("chat", user, True, 0) for user in PEOPLE],
        "backwards": [],
        "groups": [("ann", "request-1"), ("ann", None), ("ann", None)],
    }
    return Database(**{**parts, **more})


def broken(history, db=None):
    """The names of the rules that are broken; every fault can be explained."""
    db = db or database()
    faults = checker.check(history, db)
    for fault in faults:
        assert fault.text in checker.explain(history, db, fault)
    return {fault.rule for fault in faults}


def without(history, condition):
    count = len(history.records)
    history.records = [r for r in history.records if not condition(r)]
    assert len(history.records) < count
    return history


def changed(history, condition, **values):
    hit = [r for r in history.records if condition(r)]
    assert hit
    history.records = [r._replace(**values) if condition(r) else r
                       for r in history.records]
    return history


def with_(history, *records):
    """Before the end of the run."""
    place = next(i for i, r in enumerate(history.records)
                 if isinstance(r, Settled))
    history.records[place:place] = records
    return history


def is_seen(r, session=None, how=None, seq=None):
    return isinstance(r, Seen) and session in (None, r.session) and \
        how in (None, r.how) and seq in (None, r.seq)


def rows(*numbers):
    return [r for r in database().rows if r.seq in numbers]


def test_a_good_history_breaks_nothing():
    assert broken(good()) == set()


def test_every_rule_has_a_test_that_breaks_it():
    """By the name of the rule in this file."""
    source = open(__file__, encoding="utf-8").read()
    names = {rule.__name__ for rule in checker.RULES}
    assert {n for n in names if f"def test_{n}" in source} == names


# ---- the store -------------------------------------------------------------------

def test_acked_is_stored():
    db = database(rows=rows(1, 2), chats={"chat": 2})
    assert "acked is stored" in broken(good(), db)


def test_acked_is_stored_as_another_seq():
    db = database(rows=[*rows(1, 3), database().rows[1]._replace(id="m9")])
    assert "acked is stored" in broken(good(), db)


def test_stored_once():
    twice = database().rows[2]._replace(seq=4, id="m4", front="f4")
    db = database(rows=[*database().rows, twice], chats={"chat": 4})
    assert "stored once" in broken(good(), db)


def test_only_attempted():
    alien = Row("chat", 4, "m4", "ann", "f4", "d4")
    db = database(rows=[*database().rows, alien], chats={"chat": 4})
    assert "only attempted" in broken(good(), db)


def test_only_attempted_in_these_words():
    db = database(rows=[*rows(1, 2), database().rows[2]._replace(digest="x")])
    assert "only attempted" in broken(good(), db)


def test_refused_is_not_stored():
    h = with_(good(), Refused(3.5, 1, "ann", "chat", "f3", "chat_forbidden"))
    assert broken(h) == {"refused is not stored"}


def test_all_answered():
    h = with_(good(), Attempt(4, 1, "ann", "chat", "f9", "d9"))
    assert broken(h) == {"all answered"}


def test_no_gap():
    h = changed(good(), lambda r: is_seen(r, seq=3), seq=4)
    db = database(rows=[*rows(1, 2), database().rows[2]._replace(seq=4)],
                  chats={"chat": 4})
    assert "no gap" in broken(h, db)


def test_no_gap_below_last_seq():
    assert "no gap" in broken(good(), database(chats={"chat": 4}))


def test_unaltered():
    h = changed(good(), lambda r: is_seen(r, 2, "live", 2), digest="other")
    assert broken(h) == {"unaltered"}


def test_unaltered_means_one_order_for_all():
    h = changed(good(), lambda r: is_seen(r, 2, "live", 2), id="m3",
                digest="d3")
    assert "unaltered" in broken(h)


def test_unaltered_means_nothing_but_what_is_stored():
    h = with_(good(), seen(4, 2, "live", 4, id_="m4", content="d4"))
    assert "unaltered" in broken(h)


# ---- delivery --------------------------------------------------------------------

def test_everyone_has_all():
    h = without(good(), lambda r: is_seen(r, 3, "page", 1))
    assert broken(h) == {"everyone has all"}


def test_everyone_has_all_in_a_fresh_session():
    h = without(good(), lambda r: is_seen(r, 12, "final", 2))
    assert broken(h) == {"everyone has all"}


def test_everyone_has_all_chats_in_user_info():
    h = without(good(), lambda r: isinstance(r, Inbox) and r.user == "ben")
    assert broken(h) == {"everyone has all"}


def test_nobody_needs_to_ask():
    h = changed(good(), lambda r: is_seen(r, 2, "live", 2), how="page")
    assert broken(h) == {"nobody needs to ask"}


def test_nobody_needs_to_ask_after_joining():
    h = changed(good(), lambda r: is_seen(r, 2, "live", 3), how="page")
    with_(h, Joined(2.5, 2, "chat", "m2", False), Left(2.4, 2, "chat"))
    assert "nobody needs to ask" in broken(h)


def test_each_once_in_order():
    h = with_(good(), seen(4, 2, "live", 2, late=True))
    assert broken(h) == {"each once, in order"}


def test_each_once_in_order_or_called_late():
    h = without(good(), lambda r: is_seen(r, 2, "live", 2))
    with_(h, seen(4, 2, "live", 2))
    assert broken(h) == {"each once, in order"}
    h = without(good(), lambda r: is_seen(r, 2, "live", 2))
    with_(h, seen(4, 2, "live", 2, late=True))
    assert broken(h) == set()


def test_chats_told_once():
    h = with_(good(), Joined(4, 2, "chat", "m3", False))
    assert broken(h) == {"chats told once"}
    # Told again after it was lost, while the answer to its sync was on its way.
    h = good()
    synced = next(r for r in h.records if isinstance(r, Synced)
                  and r.session == 2)
    h.records[h.records.index(synced):h.records.index(synced)] = \
        [Left(synced.at, 2, "chat")]
    with_(h, Joined(4, 2, "chat", "m3", False))
    assert "chats told once" not in broken(h)


REMOVED = [("chat", user, True, 0) for user in PEOPLE] + \
    [("chat", "cleo", False, 2)]


def without_cleo():
    """She was removed after the second message."""
    h = without(good(), lambda r: isinstance(r, Inbox) and r.user == "cleo")
    return with_(h, Change(2.5, 2.6, "ann", "remove", "chat", ("cleo",), "ok"))


def members_without_cleo():
    members = dict(database().members)
    del members["chat", "cleo"]
    return database(members=members, membership=REMOVED)


def test_not_after_removal():
    h = without(without_cleo(), lambda r: is_seen(r, 13))
    assert broken(h, members_without_cleo()) == {"not after removal"}
    without(h, lambda r: is_seen(r, 3, "live", 3))
    assert broken(h, members_without_cleo()) == set()


def test_not_after_removal_until_taken_in_again():
    again = database(membership=[*REMOVED, ("chat", "cleo", True, 3)])
    h = with_(good(), Change(2.5, 2.6, "ann", "remove", "chat", ("cleo",),
                             "ok"))
    h = changed(h, lambda r: is_seen(r, 3, "live", 3), how="page", at=4.6)
    add = Change(4.3, 4.4, "ann", "add", "chat", ("cleo",), "ok")
    with_(h, Left(2.6, 3, "chat"), Joined(4.5, 3, "chat", "m3", False), add)
    assert broken(h, again) == set()
    without(h, lambda r: r is add)
    assert broken(h, again) == {"not after removal"}


def test_not_forbidden_in_doubt():
    told = Forbidden(4, 4.1, 2, "ben", "chat", "open_chat")
    assert broken(with_(good(), told)) == {"not forbidden in doubt"}
    h = with_(good(), told, Change(3.9, 4.3, "ann", "remove", "chat", ("ben",),
                                   "unknown"))
    assert broken(h) == set()


# ---- watermarks and states -------------------------------------------------------

def test_marks_never_go_back():
    db = database(backwards=["members: (..) -> (..)"])
    assert broken(good(), db) == {"marks never go back"}


def test_marks_never_go_back_from_sample_to_sample():
    for chats, members in (
            ({"chat": (2, 2)}, {}), ({"chat": (3, 1)}, {}),
            ({}, {("chat", "ben"): (0, 2, 3)}),
            ({}, {("chat", "ben"): (0, 3, 2)})):
        h = with_(good(), Sample(4.45, chats, members))
        assert broken(h) == {"marks never go back"}
    # Who comes back is a new member.
    h = with_(good(), Sample(4.45, {}, {("chat", "ben"): (1, 1, 1)}))
    assert broken(h) == set()


def test_states_never_go_back():
    h = with_(good(), seen(4.6, 1, "page", 3, "delivered"))
    assert broken(h) == {"states never go back"}


def test_states_never_go_back_but_for_an_event_that_a_page_has_overtaken():
    h = changed(good(), lambda r: is_seen(r, 2, "live", 3), at=4.6)
    with_(h, seen(3.05, 2, "page", 3, "delivered"))
    h.records.sort(key=lambda r: r.at)
    assert broken(h) == set()
    h = with_(h, seen(4.7, 2, "page", 3, "sent"))
    assert "states never go back" in broken(h)


def test_states_never_go_back_from_one_session_to_the_next():
    h = with_(good(), Ended(4.6, 1, 1006, ""),
              Opened(4.7, 4.8, 4, "ann", "ann/phone", "gateway-2"),
              seen(4.9, 4, "page", 2, "sent"))
    assert "states never go back" in broken(h)


def test_states_are_honest():
    # Ben was away from before the message until after it was called delivered.
    h = changed(good(), lambda r: isinstance(r, Opened) and r.session == 2,
                began=4.6, at=4.7)
    assert "states are honest" in broken(h)


def test_states_are_honest_about_who_left_long_ago():
    h = changed(good(), lambda r: isinstance(r, Opened) and r.session == 2,
                began=-100, at=-99)
    with_(h, Ended(-50, 2, 1006, ""))
    assert "states are honest" in broken(h)


def test_states_are_honest_about_reading():
    h = without(good(), lambda r: isinstance(r, Read) and r.user == "cleo")
    assert broken(h) == {"states are honest"}


def test_senders_are_told():
    h = changed(good(), lambda r: isinstance(r, Told), ids=("m1", "m3"))
    assert broken(h) == {"senders are told"}
    with_(h, ToldRead(4.2, 1, "chat", "ben"))
    assert broken(h) == {"senders are told"}
    with_(h, ToldRead(4.2, 1, "chat", "cleo"))
    assert broken(h) == set()


def test_all_is_delivered():
    members = {**database().members, ("chat", "ben"): Member(0, 2, 2, 0)}
    assert "all is delivered" in broken(good(), database(members=members))


def test_all_is_delivered_and_not_beyond():
    members = {**database().members, ("chat", "ben"): Member(0, 4, 3, 0)}
    assert broken(good(), database(members=members)) == {"all is delivered"}


def test_final_states():
    h = changed(good(), lambda r: is_seen(r, 12, "final", 2),
                state="delivered")
    assert broken(h) == {"final states"}


def test_unread_is_a_recount():
    h = changed(good(), lambda r: isinstance(r, Inbox) and r.user == "ben",
                unread=1)
    assert broken(h) == {"unread is a recount"}


def test_unread_is_a_recount_of_own_messages_too():
    members = {**database().members, ("chat", "ann"): Member(0, 0, 0, 2)}
    assert broken(good(), database(members=members)) == \
        {"unread is a recount"}


# ---- people ----------------------------------------------------------------------

def test_presence_agrees():
    for said in (True, False):
        h = changed(good(), lambda r: isinstance(r, Presence), said=said,
                    true=not said)
        assert broken(h) == {"presence agrees"}


def test_tokens_end():
    ended = Token(4, "ben", 5, "ended")
    assert broken(with_(good(), ended, Token(4.1, "ben", 5, "refused"))) == \
        set()
    assert broken(with_(good(), ended, Token(4.1, "ben", 5, "let in"))) == \
        {"tokens end"}


def test_tokens_end_by_a_logout_alone():
    h = with_(good(), Token(4, "ben", 5, "refused in error"))
    assert broken(h) == {"tokens end"}


def test_created_once():
    db = database(groups=[("ann", "request-1"), ("ann", "request-1")])
    assert broken(good(), db) == {"created once"}


def test_created_once_and_not_lost():
    h = with_(good(), Change(4, 4.1, "ann", "create", "gone", ("ben",), "ok",
                             "request-2"))
    assert broken(h) == {"created once"}


def test_uploads_are_clear():
    h = changed(good(), lambda r: isinstance(r, Upload), clear=False)
    assert broken(h) == {"uploads are clear"}


def test_nothing_wrong_at_sight():
    h = with_(good(), Wrong(4, 2, "no answer to send_message for 40 s"))
    assert broken(h) == {"wrong at sight"}


# ---- explaining, planning --------------------------------------------------------

def test_a_fault_is_told_with_message_chat_session_and_history():
    h = with_(good(), Blow(1.5, 2.5, "kill", "chatd-1", ""),
              seen(4, 2, "live", 2, late=True))
    h.names[2] = "ben/phone@gateway-1 #2"
    db = database()
    fault, = checker.check(h, db)
    text = checker.explain(h, db, fault)
    for word in ("seq 2", "chat", "ben/phone@gateway-1 #2", "Attempt",
                 "how=live", "kind=kill part=chatd-1"):
        assert word in text, text


def test_a_plan_is_the_seed_s_and_has_every_kind():
    for short in (True, False):
        one, same, other = (Plan(seed, 600, 3, short) for seed in (1, 1, 2))
        assert one.lanes == same.lanes != other.lanes
        assert one.kinds() == set(KINDS)
