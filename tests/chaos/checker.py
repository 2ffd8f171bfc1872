"""The rules that a history has to obey, each a function that yields what breaks
it. They know nothing of how the history came about: histories made by hand, one for
each rule, show that each can fail (test_checker.py).

    faults = check(history, database)

SPDX-License-Identifier: MIT
"""

from collections import defaultdict
from typing import NamedTuple

from .history import (Attempt, Blow, Change, Ended, Forbidden, Inbox, Joined,
                      Left, Opened, Presence, Read, Refused, Sample, Seen,
                      Settled, Synced, Told, ToldRead, Token, Upload, Wrong)

RANK = {"sent": 0, "delivered": 1, "read": 2}
FOREVER = float("inf")
# How much longer than its client a gateway may think that a session lives, for
# it may be stopped or cut off, and how long a request may still take effect
# after its client gave it up. Longer than any fault that is made.
SLACK = 20.0
LINES = 14


class Fault(NamedTuple):
    rule: str
    text: str
    # What the lines of the history to be shown have to do with.
    id: object = None
    front: object = None
    chat: object = None
    session: object = None


class Case:
    """A history, sorted for the rules."""

    def __init__(self, history, database):
        self.history = history
        self.db = database
        by_kind = defaultdict(list)
        for record in history.records:
            by_kind[type(record)].append(record)
        for name, kind in (
                ("attempts", Attempt), ("seen", Seen), ("refused", Refused),
                ("told", Told), ("told_read", ToldRead), ("reads", Read),
                ("opened", Opened),
                ("ended", Ended), ("synced", Synced), ("joined", Joined),
                ("left", Left), ("changes", Change), ("samples", Sample),
                ("forbidden", Forbidden), ("tokens", Token),
                ("inboxes", Inbox), ("presences", Presence),
                ("uploads", Upload), ("settled", Settled), ("wrong", Wrong),
                ("blows", Blow)):
            setattr(self, name, by_kind[kind])
        self.session = {o.session: o for o in self.opened}
        self.end_of = {e.session: e.at for e in self.ended}
        self.open_at_end = self.settled[-1].sessions if self.settled \
            else frozenset()
        self.row = {(r.chat, r.seq): r for r in database.rows}
        self.row_of_id = {r.id: r for r in database.rows}
        self.row_of_front = {(r.sender, r.front): r for r in database.rows}
        self.people_of = defaultdict(list)
        for chat, user in database.members:
            self.people_of[chat].append(user)
        self.first_try = {}
        for a in self.attempts:
            self.first_try.setdefault((a.user, a.front), a)
        self.stays = self.find_stays()

    def find_stays(self):
        """(chat, user) -> [[after this seq, up to and with this seq], ..]"""
        stays = defaultdict(list)
        for chat, user, inside, seq in self.db.membership:
            seq = 0 if seq is None else seq
            if inside:
                stays[chat, user].append([seq, FOREVER])
            elif stays[chat, user]:
                stays[chat, user][-1][1] = seq
        return stays

    def user_of(self, session):
        return self.session[session].user if session in self.session else None

    def last(self, chat):
        return self.db.chats.get(chat, 0)

    def members_of(self, chat):
        return self.people_of[chat]


def missing(have, first, last):
    return [s for s in range(first, last + 1) if s not in have]


def some(values, most=8):
    values = list(values)
    text = ", ".join(str(v) for v in values[:most])
    return text + (f" and {len(values) - most} more"
                   if len(values) > most else "")


# ---- the store -------------------------------------------------------------------

def acked_is_stored(case):
    """Every acknowledged message is stored, as it was acknowledged."""
    for s in case.seen:
        if s.how != "answer":
            continue
        row = case.row_of_front.get((s.sender, s.front))
        if row is None:
            yield Fault("acked is stored", f"message {s.id} (seq {s.seq}) was "
                        "acknowledged and is not in the database", s.id,
                        s.front, s.chat, s.session)
        elif (row.id, row.chat, row.seq) != (s.id, s.chat, s.seq):
            yield Fault("acked is stored", f"acknowledged as {s.id}, seq "
                        f"{s.seq}, and stored as {row.id}, seq {row.seq}",
                        s.id, s.front, s.chat, s.session)


def stored_once(case):
    """Nothing is stored twice."""
    for what in ("id", "digest", "front"):
        first = {}
        for row in case.db.rows:
            key = (row.sender, getattr(row, what))
            before = first.setdefault(key, row)
            if before is not row:
                yield Fault("stored once", f"{what} {key[1]} is stored as seq "
                            f"{before.seq} of chat {before.chat} and as seq "
                            f"{row.seq} of chat {row.chat}", row.id,
                            row.front, row.chat)


def only_attempted(case):
    """What is stored was sent, by this sender, to this chat, in these words."""
    tries = {(a.user, a.front, a.chat, a.digest) for a in case.attempts}
    for r in case.db.rows:
        if (r.sender, r.front, r.chat, r.digest) not in tries:
            yield Fault("only attempted", f"seq {r.seq} of chat {r.chat} is "
                        "stored otherwise than it was sent, or never was",
                        r.id, r.front, r.chat)


def refused_is_not_stored(case):
    """What was refused for good is not stored."""
    for r in case.refused:
        row = case.row_of_front.get((r.user, r.front))
        if row is not None:
            yield Fault("refused is not stored", f"refused ({r.reason}) and "
                        f"stored as seq {row.seq}", row.id, r.front, r.chat,
                        r.session)


def all_answered(case):
    """Every send was answered in the end."""
    done = {(s.sender, s.front) for s in case.seen if s.how == "answer"}
    done |= {(r.user, r.front) for r in case.refused}
    for key, a in case.first_try.items():
        if key not in done:
            yield Fault("all answered", f"the send of {a.front} was never "
                        "answered", None, a.front, a.chat, a.session)


def no_gap(case):
    """The seqs of each chat are 1, 2, 3 .. last_seq."""
    seqs = defaultdict(list)
    for r in case.db.rows:
        seqs[r.chat].append(r.seq)
    for chat, last in case.db.chats.items():
        have = seqs[chat]
        if sorted(have) != list(range(1, last + 1)):
            yield Fault("no gap", f"chat {chat} has last_seq {last}, "
                        f"{len(have)} messages, and lacks "
                        f"{some(missing(set(have), 1, last))}", chat=chat)


def unaltered(case):
    """A seq is the same message, in the same words, to everybody, always."""
    for s in case.seen:
        row = case.row.get((s.chat, s.seq))
        if row is None:
            yield Fault("unaltered", f"seq {s.seq} of chat {s.chat} was seen "
                        f"({s.how}) and is not in the database", s.id,
                        s.front, s.chat, s.session)
        elif (row.id, row.sender, row.digest) != (s.id, s.sender, s.digest):
            yield Fault("unaltered", f"seq {s.seq} of chat {s.chat} was seen "
                        f"({s.how}) as {s.id} and is stored as {row.id}"
                        + (", in other words" if row.id == s.id else ""),
                        s.id, s.front, s.chat, s.session)


# ---- delivery --------------------------------------------------------------------

def everyone_has_all(case):
    """Each device of each member has every message of the chat, by whatever way,
    and so has a fresh session."""
    have = defaultdict(set)
    devices = defaultdict(set)
    for s in case.seen:
        o = case.session.get(s.session)
        if o is not None:
            name = o.device if s.how != "final" else "a fresh session"
            have[o.user, name, s.chat].add(s.seq)
    for o in case.opened:
        devices[o.user].add(o.device)
    asked = {(i.user, i.chat) for i in case.inboxes}
    for chat, user in case.db.members:
        names = set(devices[user])
        if case.inboxes:
            names.add("a fresh session")
            if (user, chat) not in asked:
                yield Fault("everyone has all", f"chat {chat} is not in the "
                            f"user_info of its member {user}", chat=chat)
        for name in names - {"final"}:
            lacks = missing(have[user, name, chat], 1, case.last(chat))
            if lacks:
                yield Fault("everyone has all", f"{name} of user {user} never "
                            f"got seq {some(lacks)} of chat {chat}",
                            id_of(case, chat, lacks), chat=chat)


def id_of(case, chat, seqs):
    row = case.row.get((chat, seqs[0])) if seqs else None
    return row.id if row else None


def nobody_needs_to_ask(case):
    """A session that stayed open to the end was given every message of its chats
    unasked: all above what it held after its first sync, or at the joining."""
    got, floors, gone, at = defaultdict(set), {}, {}, {}
    for s in case.seen:
        if s.how in ("live", "answer"):
            got[s.session, s.chat].add(s.seq)
    for y in case.synced:
        for chat, floor in y.floors.items():
            floors[y.session, chat] = floor
            at[y.session, chat] = y.at
    for j in case.joined:
        user = case.user_of(j.session)
        stays = case.stays.get((j.chat, user))
        last = case.row_of_id.get(j.last)
        floors[j.session, j.chat] = max(
            stays[-1][0] if stays else 0, last.seq if last else 0)
        at[j.session, j.chat] = j.at
    for left in case.left:
        gone[left.session, left.chat] = left.at
    for (session, chat), floor in floors.items():
        if session not in case.open_at_end or \
                (chat, case.user_of(session)) not in case.db.members or \
                gone.get((session, chat), -1) > at[session, chat]:
            continue
        lacks = missing(got[session, chat], floor + 1, case.last(chat))
        if lacks:
            yield Fault("nobody needs to ask", "the session stayed open and "
                        f"was not given seq {some(lacks)} of chat {chat}",
                        id_of(case, chat, lacks), None, chat, session)


def each_once_in_order(case):
    """Live messages of a chat come to a session once, and in the order of seq
    unless they say that they are late."""
    top, seen = {}, set()
    for s in case.seen:
        if s.how != "live":
            continue
        key = s.session, s.chat
        if (key, s.seq) in seen:
            yield Fault("each once, in order", f"seq {s.seq} of chat {s.chat} "
                        "came twice", s.id, s.front, s.chat, s.session)
        elif s.seq < top.get(key, 0) and not s.late:
            yield Fault("each once, in order", f"seq {s.seq} of chat {s.chat} "
                        f"came after {top[key]}", s.id, s.front, s.chat,
                        s.session)
        seen.add((key, s.seq))
        top[key] = max(top.get(key, 0), s.seq)


def chats_told_once(case):
    """A session is not told of a chat again that it knows."""
    known, lost = defaultdict(set), defaultdict(set)
    for r in case.history.records:
        if isinstance(r, Synced):
            # What it asked for and lost before all of it came, it knows no more.
            known[r.session].update(r.floors.keys() - lost[r.session])
        elif isinstance(r, (Left, Forbidden)):
            known[r.session].discard(r.chat)
            lost[r.session].add(r.chat)
        elif isinstance(r, Joined):
            if r.chat in known[r.session] and not r.asked:
                yield Fault("chats told once", f"chat {r.chat} was told as new "
                            "to a session that knew it", chat=r.chat,
                            session=r.session)
            known[r.session].add(r.chat)
            lost[r.session].discard(r.chat)


def not_after_removal(case):
    """Nobody is given what was committed after his removal, unless he has been
    taken in again by then."""
    adds = defaultdict(list)
    for c in case.changes:
        if c.op == "add" and c.outcome != "no":
            for user in c.users:
                adds[c.chat, user].append(c)
    for s in case.seen:
        user = case.user_of(s.session)
        stays = case.stays.get((s.chat, user))
        if user is None or (stays and s.seq <= stays[-1][1] and
                            any(a < s.seq <= b for a, b in stays)):
            continue
        if stays and s.seq <= stays[0][0]:
            continue            # of before the first joining: history
        sent = case.first_try.get((s.sender, row_front(case, s)))
        since = sent.at if sent else -FOREVER
        if not any(a.began <= s.at and (a.outcome == "unknown" or
                                        a.at >= since)
                   for a in adds[s.chat, user]):
            yield Fault("not after removal", f"user {user} was given seq "
                        f"{s.seq} of chat {s.chat} ({s.how}); he was a member "
                        f"for {stays or 'no message of it'}", s.id, s.front,
                        s.chat, s.session)


def row_front(case, s):
    row = case.row.get((s.chat, s.seq))
    return row.front if row else None


def was_a_member(case, chat, user, began, ended):
    """Whether it is certain that he was one during all that time."""
    removals = [c for c in case.changes if c.op == "remove" and
                c.chat == chat and user in c.users and c.outcome != "no"]
    adds = [c for c in case.changes if c.op == "add" and c.chat == chat and
            user in c.users and c.outcome == "ok" and c.at <= began]
    since = max((a.began for a in adds), default=-FOREVER)
    return not any(r.began <= ended and
                   r.at + (SLACK if r.outcome == "unknown" else 0) >= since
                   for r in removals)


def not_forbidden_in_doubt(case):
    """chat_forbidden is said to nobody who certainly is a member."""
    for f in case.forbidden:
        if case.stays.get((f.chat, f.user)) and was_a_member(
                case, f.chat, f.user, f.began, f.at):
            yield Fault("not forbidden in doubt", f"user {f.user} is a member "
                        f"of chat {f.chat} and was told chat_forbidden to "
                        f"{f.request}", chat=f.chat, session=f.session)


# ---- watermarks and states -------------------------------------------------------

def marks_never_go_back(case):
    """Neither in any update nor from sample to sample (a restart of the database
    makes no update)."""
    for what in case.db.backwards:
        yield Fault("marks never go back", what)
    chats, members = {}, {}
    for s in case.samples:
        for chat, marks in s.chats.items():
            if any(a < b for a, b in zip(marks, chats.get(chat, marks))):
                yield Fault("marks never go back", f"chat {chat}: last and "
                            f"announced {chats[chat]} -> {marks} at "
                            f"{s.at:.1f} s", chat=chat)
            chats[chat] = marks
        for key, marks in s.members.items():
            before = members.get(key, marks)
            # Another joined_seq is another membership.
            if before[0] == marks[0] and any(
                    a < b for a, b in zip(marks, before)):
                yield Fault("marks never go back", f"member {key[1]} of chat "
                            f"{key[0]}: joined, delivered, read {before} -> "
                            f"{marks} at {s.at:.1f} s", chat=key[0])
        members = dict(s.members)


def states_never_go_back(case):
    """As each device saw them, also from one session to the next. But for the
    event of a message that a page has shown: it tells how the message began, and
    a fault may have delayed it."""
    rank, shown = {}, set()
    for r in case.history.records:
        if isinstance(r, Seen) and r.how != "final":
            device = device_of(case, r.session)
            now = RANK[r.state]
            before = rank.get((device, r.id), 0)
            if r.how in ("page", "info"):
                shown.add((device, r.id))
            if now < before and not (r.how == "live" and
                                     (device, r.id) in shown):
                yield Fault("states never go back", f"message {r.id} (seq "
                            f"{r.seq}) went back to {r.state} at {device}",
                            r.id, r.front, r.chat, r.session)
            rank[device, r.id] = max(now, before)
        elif isinstance(r, Told):
            device = device_of(case, r.session)
            for message in r.ids:
                if rank.get((device, message), 0) < 1:
                    rank[device, message] = 1


def device_of(case, session):
    o = case.session.get(session)
    return f"{o.device} of user {o.user}" if o else session


def others(case, row):
    """Who has to have got it: the members but its sender, without those who
    joined later."""
    return [u for u in case.members_of(row.chat) if u != row.sender and
            len(case.stays[row.chat, u]) == 1 and
            case.stays[row.chat, u][0][0] < row.seq]


def honest(case, row, at, state, had):
    """Whether each other member may have got, or read, the message by then."""
    sent = case.first_try.get((row.sender, row.front))
    if sent is None:
        return
    for user in others(case, row):
        if not any(began <= at and end >= sent.at for began, end in
                   had[user, row.chat if state == "read" else None]):
            yield user


def states_are_honest(case):
    """delivered: every other member had a session between the send and that
    moment. read: every other one asked for reading it in between."""
    had = defaultdict(list)
    for o in case.opened:
        had[o.user, None].append(
            (o.began, case.end_of.get(o.session, FOREVER) + SLACK))
    for r in case.reads:
        had[r.user, r.chat].append((r.began, r.at + SLACK))
    judged = set()
    claims = [(r.at, r.session, message, "delivered") for r in case.told
              for message in r.ids]
    claims += [(s.at, s.session, s.id, state) for s in case.seen
               for state in ("delivered", "read")
               if RANK[s.state] >= RANK[state]]
    for at, session, message, state in sorted(claims, key=lambda c: c[0]):
        row = case.row_of_id.get(message)
        if row is None or (message, state) in judged:
            continue
        judged.add((message, state))
        for user in honest(case, row, at, state, had):
            yield Fault("states are honest", f"message {message} was called "
                        f"{state}, which it cannot have been for user {user}",
                        message, row.front, row.chat, session)


def senders_are_told(case):
    """A session open since before the send, to the end, was told of each message
    of its user that is delivered: that it is, or that the others have read it."""
    read = defaultdict(float)
    for t in case.told_read:
        read[t.session, t.chat, t.reader] = t.at
    told = defaultdict(set)
    for t in case.told:
        told[t.session].update(t.ids)
    for s in case.seen:
        if RANK[s.state] >= 1:
            told[s.session].add(s.id)
    sessions = defaultdict(list)
    for o in case.opened:
        if o.session in case.open_at_end:
            sessions[o.user].append(o)
    for row in case.db.rows:
        sent = case.first_try.get((row.sender, row.front))
        people = [m for m in case.members_of(row.chat) if m != row.sender]
        if sent is None or not people or (row.chat, row.sender) not in \
                case.db.members or len(case.stays[row.chat, row.sender]) != 1:
            continue
        if min(case.db.members[row.chat, p].delivered for p in people) \
                < row.seq:
            continue
        for o in sessions[row.sender]:
            if o.at < sent.at and row.id not in told[o.session] and any(
                    read[o.session, row.chat, p] < sent.at or
                    case.db.members[row.chat, p].read < row.seq
                    for p in people):
                yield Fault("senders are told", f"message {row.id} (seq "
                            f"{row.seq}) is delivered, and its sender's open "
                            "session was not told", row.id, row.front,
                            row.chat, o.session)


def all_is_delivered(case):
    """After the run everybody holds everything, and the marks say so: up to the
    last message of another."""
    senders = defaultdict(dict)
    for r in case.db.rows:
        senders[r.chat][r.sender] = max(r.seq, senders[r.chat].get(
            r.sender, 0))
    for (chat, user), m in case.db.members.items():
        due = max((seq for sender, seq in senders[chat].items()
                   if sender != user), default=0)
        if not m.read <= m.delivered <= case.last(chat):
            yield Fault("all is delivered", f"member {user} of chat {chat}: "
                        f"read {m.read}, delivered {m.delivered}, last "
                        f"{case.last(chat)}", chat=chat)
        elif case.settled and m.delivered < due:
            yield Fault("all is delivered", f"member {user} of chat {chat} "
                        f"has all, and is marked up to {m.delivered} of {due}",
                        chat=chat)


def final_states(case):
    """What a fresh session reads of a message's state follows from the marks."""
    people = defaultdict(dict)
    for (chat, user), m in case.db.members.items():
        people[chat][user] = m
    for s in case.seen:
        if s.how != "final":
            continue
        marks = [m for u, m in people[s.chat].items() if u != s.sender]
        due = "sent"
        if all(m.read >= s.seq for m in marks):
            due = "read"
        elif all(m.delivered >= s.seq for m in marks):
            due = "delivered"
        if s.state != due:
            yield Fault("final states", f"message {s.id} (seq {s.seq}) reads "
                        f"{s.state}, by the marks it is {due}", s.id, s.front,
                        s.chat, s.session)


def unread_is_a_recount(case):
    """The number of unread messages is what counting them gives."""
    unread = defaultdict(int)
    own = defaultdict(int)
    people = defaultdict(list)
    for (chat, user), m in case.db.members.items():
        people[chat].append((user, m.read))
    for row in case.db.rows:
        for user, read in people[row.chat]:
            if row.seq > read:
                (own if user == row.sender else unread)[row.chat, user] += 1
    for i in case.inboxes:
        due = unread[i.chat, i.user]
        if i.unread != due:
            yield Fault("unread is a recount", f"user {i.user} is told of "
                        f"{i.unread} unread messages in chat {i.chat}, which "
                        f"has {due}", chat=i.chat)
    for key, m in case.db.members.items():
        if m.own_unread != own[key]:
            yield Fault("unread is a recount", f"member {key[1]} of chat "
                        f"{key[0]}: own_unread is {m.own_unread}, a recount "
                        f"gives {own[key]}", chat=key[0])


# ---- people ----------------------------------------------------------------------

def presence_agrees(case):
    """Who is connected reads Online, who is not reads Offline."""
    for p in case.presences:
        if p.said != p.true:
            words = ("Offline", "Online")
            yield Fault("presence agrees", f"user {p.user} reads "
                        f"{words[p.said]} and is {words[p.true]}")


def tokens_end(case):
    """A token that a logout ended never works again; no other one is refused."""
    ended = {}
    for t in case.tokens:
        if t.what == "ended":
            ended.setdefault(t.number, t.at)
        elif t.what == "let in" and t.number in ended:
            yield Fault("tokens end", f"token {t.number} of user {t.user} "
                        f"ended at {ended[t.number]:.1f} s and let somebody "
                        f"in at {t.at:.1f} s")
        elif t.what == "refused in error":
            yield Fault("tokens end", f"token {t.number} of user {t.user} is "
                        f"good and was refused at {t.at:.1f} s")


def created_once(case):
    """A group asked for again and again is one group; one that was answered
    exists."""
    made = defaultdict(int)
    for creator, request in case.db.groups:
        made[creator, request] += 1
    for key, count in made.items():
        if key[1] is not None and count > 1:
            yield Fault("created once", f"{count} groups of request {key[1]}")
    for c in case.changes:
        if c.op == "create" and c.outcome == "ok" and \
                c.chat not in case.db.chats:
            yield Fault("created once", f"chat {c.chat} was answered as "
                        "created and is not in the database", chat=c.chat)


def uploads_are_clear(case):
    """A full disk is a clear answer; with room, uploads work."""
    for u in case.uploads:
        if not u.clear:
            yield Fault("uploads are clear", f"an upload at {u.at:.1f} s was "
                        f"answered {u.status}, the disk "
                        f"{'full' if u.full else 'not full'}")


def nothing_wrong_at_sight(case):
    """What was wrong with a frame, a process or a wait as it happened."""
    for w in case.wrong:
        yield Fault("wrong at sight", w.text, session=w.session)


RULES = [acked_is_stored, stored_once, only_attempted, refused_is_not_stored,
         all_answered, no_gap, unaltered, everyone_has_all,
         nobody_needs_to_ask, each_once_in_order, chats_told_once,
         not_after_removal, not_forbidden_in_doubt, marks_never_go_back,
         states_never_go_back, states_are_honest, senders_are_told,
         all_is_delivered, final_states, unread_is_a_recount,
         presence_agrees, tokens_end, created_once, uploads_are_clear,
         nothing_wrong_at_sight]


def check(history, database):
    case = Case(history, database)
    return [fault for rule in RULES for fault in rule(case)]


# ---- explaining ------------------------------------------------------------------

def concerns(record, fault, front, session_too):
    if fault.id is not None and (
            getattr(record, "id", None) == fault.id or
            fault.id in getattr(record, "ids", ())):
        return fault.session is None or session_too or \
            getattr(record, "session", None) == fault.session or \
            getattr(record, "how", "") == "answer"
    if front is not None and getattr(record, "front", None) == front:
        return True
    if fault.session is not None and \
            getattr(record, "session", None) == fault.session:
        return isinstance(record, (Opened, Ended)) or (
            isinstance(record, (Joined, Left, Forbidden)) and
            record.chat == fault.chat)
    return isinstance(record, Change) and fault.chat is not None and \
        record.chat == fault.chat and fault.id is None


def explain(history, database, fault):
    """The fault, with the lines of the history that have to do with it, and the
    faults that were being made meanwhile."""
    front = fault.front
    if front is None and fault.id is not None:
        front = next((r.front for r in database.rows if r.id == fault.id),
                     None)
    found = [r for r in history.records if concerns(r, fault, front, False)]
    lines = [f"{fault.rule}: {fault.text}"]
    if fault.session is not None:
        lines.append(f"  session {history.names.get(fault.session)}")
    shown = found if len(found) <= LINES else \
        found[:LINES // 2] + found[-LINES // 2:]
    times = [r.at for r in shown]
    blows = [b for b in history.all(Blow) if times and b.at >= min(times) - 5
             and b.began <= max(times) + 5]
    for r in sorted(shown + blows[:LINES], key=lambda r: r.at):
        lines.append("    " + line_of(history, r))
    return "\n".join(lines)


def line_of(history, record):
    fields = record._asdict()
    at = fields.pop("at")
    name = history.names.get(fields.pop("session", None), "")
    rest = " ".join(f"{k}={v}" for k, v in fields.items()
                    if v is not None and len(str(v)) < 200)
    return f"{at:9.3f} {type(record).__name__} {name} {rest}"
